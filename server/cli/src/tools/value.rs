//! Output of a tool as JSON and YAML.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// Value of JSON and YAML, whose fields have a fixed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Fields(Vec<(&'static str, Self)>),
}

impl Value {
    pub(crate) fn text(value: &(impl ToString + ?Sized)) -> Self {
        Self::Text(value.to_string())
    }

    /// Converts a count; numbers above the maximum become the maximum.
    pub(crate) fn count(count: impl TryInto<i64>) -> Self {
        Self::Number(count.try_into().unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_i64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Notation of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    Json,
    Yaml,
}

/// Object that is written field by field, and its lists item by item, so that it is never in memory as a whole.
pub(crate) struct Document<'o> {
    out: &'o mut dyn Write,
    notation: Notation,
    fields: usize,
}

impl<'o> Document<'o> {
    pub(crate) fn begin(out: &'o mut dyn Write, notation: Notation) -> io::Result<Self> {
        if notation == Notation::Json {
            write!(out, "{{")?;
        }
        Ok(Self {
            out,
            notation,
            fields: 0,
        })
    }

    pub(crate) fn field(&mut self, name: &str, value: &Value) -> io::Result<()> {
        self.name(name)?;
        match self.notation {
            Notation::Json => write!(self.out, " {}", json(value)),
            Notation::Yaml => {
                let mut text = String::new();
                yaml_behind_name(value, 0, &mut text);
                self.out.write_all(text.as_bytes())
            }
        }
    }

    /// Writes a field with a list of items, one line per item in JSON.
    pub(crate) fn list(
        &mut self,
        name: &str,
        items: impl Iterator<Item = Value>,
    ) -> io::Result<()> {
        self.name(name)?;
        let mut any = false;
        for item in items {
            match self.notation {
                Notation::Json => {
                    let before = if any { ",\n    " } else { " [\n    " };
                    write!(self.out, "{before}{}", json(&item))?;
                }
                Notation::Yaml => {
                    let mut text = String::from(if any { "" } else { "\n" });
                    yaml_item(&item, 0, &mut text);
                    self.out.write_all(text.as_bytes())?;
                }
            }
            any = true;
        }
        match (self.notation, any) {
            (Notation::Json, true) => write!(self.out, "\n  ]"),
            (Notation::Json, false) => write!(self.out, " []"),
            (Notation::Yaml, true) => Ok(()),
            (Notation::Yaml, false) => writeln!(self.out, " []"),
        }
    }

    pub(crate) fn end(self) -> io::Result<()> {
        match self.notation {
            Notation::Json => writeln!(self.out, "\n}}"),
            Notation::Yaml => Ok(()),
        }
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        let first = self.fields == 0;
        self.fields += 1;
        match self.notation {
            Notation::Json if first => write!(self.out, "\n  \"{name}\":"),
            Notation::Json => write!(self.out, ",\n  \"{name}\":"),
            Notation::Yaml => write!(self.out, "{name}:"),
        }?;
        Ok(())
    }
}

/// Formats a value as JSON in one line.
pub(crate) fn json(value: &Value) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists of them can be written")
}

/// Formats the value after a name, and the end of its line.
pub(crate) fn yaml_behind_name(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Fields(fields) if !fields.is_empty() => {
            text.push('\n');
            yaml_fields(fields, indent + 2, text);
        }
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Fields(_))) => {
            text.push('\n');
            for item in items {
                yaml_item(item, indent, text);
            }
        }
        // Texts, numbers and their lists in JSON are valid YAML.
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Fields(_) => {
            text.push(' ');
            text.push_str(&json(value));
            text.push('\n');
        }
    }
}

fn yaml_item(item: &Value, indent: usize, text: &mut String) {
    text.push_str(&" ".repeat(indent));
    text.push('-');
    if let Value::Fields(fields) = item
        && !fields.is_empty()
    {
        let mut below = String::new();
        yaml_fields(fields, indent + 2, &mut below);
        // The first field follows the dash.
        text.push(' ');
        text.push_str(below.trim_start());
    } else {
        yaml_behind_name(item, indent + 2, text);
    }
}

fn yaml_fields(fields: &[(&'static str, Value)], indent: usize, text: &mut String) {
    for (name, value) in fields {
        text.push_str(&" ".repeat(indent));
        text.push_str(name);
        text.push(':');
        yaml_behind_name(value, indent, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(notation: Notation) -> String {
        let mut out = Vec::new();
        let mut document = Document::begin(&mut out, notation).expect("memory takes it");
        let stat = Value::Fields(vec![("version", Value::Number(-1))]);
        let znode = |path: &str| {
            Value::Fields(vec![
                ("path", Value::text(path)),
                ("data", Value::Null),
                ("acl", Value::List(vec![Value::text("world:anyone:r")])),
                ("stat", stat.clone()),
            ])
        };
        document
            .field("zxid", &Value::text("0x12"))
            .and_then(|()| document.list("znodes", ["/", "/\"a\""].map(znode).into_iter()))
            .and_then(|()| document.list("sessions", std::iter::empty()))
            .and_then(|()| document.end())
            .expect("memory takes it");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn a_document_in_json_has_one_line_per_item() {
        assert_eq!(
            written(Notation::Json),
            "{\n  \"zxid\": \"0x12\",\n  \"znodes\": [\n    \
             {\"path\":\"/\",\"data\":null,\"acl\":[\"world:anyone:r\"],\"stat\":{\"version\":-1}},\n    \
             {\"path\":\"/\\\"a\\\"\",\"data\":null,\"acl\":[\"world:anyone:r\"],\"stat\":{\"version\":-1}}\n  ],\n  \
             \"sessions\": []\n}\n"
        );
        let read: serde_json::Value =
            serde_json::from_str(&written(Notation::Json)).expect("it is JSON");
        assert_eq!(read["znodes"][1]["path"], "/\"a\"");
    }

    #[test]
    fn a_document_in_yaml_has_one_line_per_field() {
        assert_eq!(
            written(Notation::Yaml),
            "zxid: \"0x12\"\nznodes:\n\
             - path: \"/\"\n  data: null\n  acl: [\"world:anyone:r\"]\n  stat:\n    version: -1\n\
             - path: \"/\\\"a\\\"\"\n  data: null\n  acl: [\"world:anyone:r\"]\n  stat:\n    version: -1\n\
             sessions: []\n"
        );
    }
}
