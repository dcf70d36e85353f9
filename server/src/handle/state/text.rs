//! Trees as JSON and YAML; the form is described at [`Tree`].

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use super::tree::below;
use super::{Tree, TreeError, Znode, ZnodeKind};
#[cfg(not(feature = "yaml"))]
use crate::handle::missing::{NotEnabled, Yaml};
use crate::net::read_file;
use crate::protocol::Acl;

#[cfg(not(feature = "yaml"))]
const WITHOUT_YAML: &str = "minikeeper was built without the feature `yaml`";

impl Tree {
    /// Reads a tree from JSON, in the [form of trees](Self#as-text).
    ///
    /// # Errors
    ///
    /// If the text is not JSON or not a tree: a path that is invalid or occurs twice, an unknown field, a value of the
    /// wrong type. The error has line and column.
    ///
    /// ```
    /// use minikeeper::{Tree, tree};
    ///
    /// assert_eq!(Tree::from_json(r#"{"/config": "v1"}"#)?, tree! { "/config" => "v1" });
    /// # Ok::<(), minikeeper::state::TreeError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, TreeError> {
        serde_json::from_str(text).map_err(|error| {
            let position = (error.line(), error.column());
            let text = error.to_string();
            let behind = format!(" at line {} column {}", position.0, position.1);
            let reason = text.strip_suffix(&behind).unwrap_or(&text);
            TreeError::at(Some(position), reason.to_owned())
        })
    }

    /// Writes the tree as JSON, one line for each znode, sorted by path, so that two files can be compared line by
    /// line.
    ///
    /// ```
    /// let tree = minikeeper::tree! { "/config" => "v1", "/locks" => {} };
    /// assert_eq!(tree.to_json(), "{\n  \"/config\": \"v1\",\n  \"/locks\": {}\n}\n");
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (path, znode) in self.iter() {
            let comma = if text.len() > 1 { "," } else { "" };
            let line = format!("{comma}\n  {}: {}", json(&path), json(&Form(znode)));
            text.push_str(&line);
        }
        text.push_str(if self.is_empty() { "}\n" } else { "\n}\n" });
        text
    }

    /// Placeholder for the function without its feature: a call does not compile, and the compiler names the feature.
    ///
    /// # Errors
    ///
    /// Never returns: a call does not compile.
    #[cfg(not(feature = "yaml"))]
    #[doc(hidden)]
    pub fn from_yaml(_: &str) -> Result<Self, TreeError>
    where
        for<'always> NotEnabled: Yaml,
    {
        Err(TreeError::new(String::from(WITHOUT_YAML)))
    }

    /// Placeholder for the method without its feature: a call does not compile, and the compiler names the feature.
    #[cfg(not(feature = "yaml"))]
    #[doc(hidden)]
    #[must_use]
    pub fn to_yaml(&self) -> String
    where
        for<'always> NotEnabled: Yaml,
    {
        String::new()
    }

    /// Reads a tree from a file: JSON from `.json`, YAML from `.yaml` and `.yml`, with the feature `yaml`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, has another extension, or is not a tree.
    ///
    /// ```
    /// let error = minikeeper::Tree::from_file("seed.txt").unwrap_err();
    /// assert_eq!(error.to_string(), "seed.txt: unknown extension: a tree is read from .json, .yaml or .yml");
    /// ```
    pub fn from_file(file: impl AsRef<Path>) -> Result<Self, TreeError> {
        let file = file.as_ref();
        let ending = file.extension().and_then(|ending| ending.to_str());
        let read: fn(&str) -> Result<Self, TreeError> = match ending {
            Some("json") => Self::from_json,
            #[cfg(feature = "yaml")]
            Some("yaml" | "yml") => Self::from_yaml,
            #[cfg(not(feature = "yaml"))]
            Some("yaml" | "yml") => |_| Err(TreeError::new(String::from(WITHOUT_YAML))),
            _ => |_| {
                let reason = "unknown extension: a tree is read from .json, .yaml or .yml";
                Err(TreeError::new(String::from(reason)))
            },
        };
        let yaml = cfg!(feature = "yaml") && matches!(ending, Some("yaml" | "yml"));
        let known = yaml || ending == Some("json");
        let text = if known {
            read_file(file)
                .map_err(|error| TreeError::new(format!("cannot read the file: {error}")))
        } else {
            Ok(String::new())
        };
        text.and_then(|text| read(&text))
            .map_err(|error| error.in_file(file))
    }
}

/// Writes a value as JSON, in one line.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists of them are valid JSON")
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Tree {
    fn schema_name() -> Cow<'static, str> {
        "Tree".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "Znodes by their paths. A text is the data, null is ZooKeeper's null.",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {"$ref": "#/components/schemas/Tree/$defs/znode"},
            "$defs": {
                "znode": {
                    "anyOf": [
                        {"type": ["string", "null"]},
                        {
                            "type": "object",
                            "properties": {
                                "data": {"type": ["string", "null"]},
                                "base64": {"type": "string"},
                                "acl": {"type": "array", "items": {"type": "string"}},
                                "container": {"type": "boolean"},
                                "ttl_ms": {"type": "integer", "minimum": 0},
                                "ephemeral": {"type": "boolean"},
                                "children": {
                                    "type": "object",
                                    "additionalProperties": {"$ref": "#/components/schemas/Tree/$defs/znode"}
                                }
                            },
                            "additionalProperties": false
                        }
                    ]
                }
            }
        })
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(path, znode)| (path, Form(znode))))
    }
}

/// Shortest complete form of a znode.
struct Form<'z>(&'z Znode);

impl Serialize for Form<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(self.0);
        match fields.pop() {
            Some(("data", data)) if fields.is_empty() => data.serialize(serializer),
            last => {
                fields.extend(last);
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in &fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Value of a field that is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Field<'z> {
    Text(Cow<'z, str>),
    Null(()),
    True(bool),
    Number(u64),
    List(Vec<String>),
}

/// Returns the fields of a znode that differ from the defaults.
pub(super) fn fields(znode: &Znode) -> Vec<(&'static str, Field<'_>)> {
    let mut fields = Vec::new();
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control() && !"\t\n\r".contains(c));
    match &znode.data {
        None => fields.push(("data", Field::Null(()))),
        Some(data) if data.is_empty() => {}
        Some(data) => fields.push(match std::str::from_utf8(data).ok().filter(is_text) {
            Some(text) => ("data", Field::Text(text.into())),
            None => ("base64", Field::Text(BASE64.encode(data).into())),
        }),
    }
    if !znode.is_open() {
        let entries = znode.acl.iter().map(Acl::to_string).collect();
        fields.push(("acl", Field::List(entries)));
    }
    match znode.kind {
        ZnodeKind::Persistent => {}
        ZnodeKind::Ephemeral => fields.push(("ephemeral", Field::True(true))),
        ZnodeKind::Container => fields.push(("container", Field::True(true))),
        ZnodeKind::Ttl(ttl) => {
            let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            fields.push(("ttl_ms", Field::Number(ms)));
        }
    }
    fields
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tree = Self::new();
        let top = Below {
            tree: &mut tree,
            above: "",
        };
        top.deserialize(deserializer)?;
        Ok(tree)
    }
}

/// Reads an object of znodes by their paths from `above`, into a tree.
struct Below<'t> {
    tree: &'t mut Tree,
    above: &'t str,
}

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of znodes by their paths")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let tree = &mut *self.tree;
            if !self.above.is_empty() && name.starts_with('/') {
                let reason = "a child is named by its path from its parent, without a slash first";
                return Err(A::Error::custom(format!("{name}: {reason}")));
            }
            let path = below(self.above, &name);
            map.next_value_seed(At { tree, path: &path })?;
        }
        Ok(())
    }
}

/// Reads the znode at a path, into a tree.
struct At<'t> {
    tree: &'t mut Tree,
    path: &'t str,
}

impl At<'_> {
    fn add<E: serde::de::Error>(self, znode: Znode) -> Result<(), E> {
        self.tree.add(self.path, znode).map_err(E::custom)
    }

    fn unquoted<E: serde::de::Error>(&self, value: impl fmt::Display) -> E {
        E::custom(format!(
            "{}: data are text: put {value} in quotes",
            self.path
        ))
    }
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {} a text, null or an object", self.path)
    }

    fn visit_str<E: serde::de::Error>(self, data: &str) -> Result<(), E> {
        self.add(Znode::new(data))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.add(Znode::null())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.add(Znode::null())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        Err(self.unquoted(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        Err(self.unquoted(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        Err(self.unquoted(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        Err(self.unquoted(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        let path = self.path;
        let reason = format!("{path}: expected a text, null or an object, not a list");
        Err(A::Error::custom(reason))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut znode = Znode::new("");
        let mut seen: Vec<FieldName> = Vec::new();
        let wrong = |what: fmt::Arguments<'_>| A::Error::custom(format!("{}: {what}", self.path));
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let Some(field) = FieldName::of(&name) else {
                let known = "data, base64, acl, container, ttl_ms, ephemeral, children";
                return Err(wrong(format_args!(
                    "unknown field {name:?}, expected one of {known}"
                )));
            };
            if seen.contains(&field) {
                return Err(wrong(format_args!("{name} occurs twice")));
            }
            if let Some(other) = seen.iter().find(|other| field.excludes(**other)) {
                return Err(wrong(format_args!(
                    "{name} and {} exclude each other",
                    other.text()
                )));
            }
            seen.push(field);
            if field == FieldName::Children {
                let (tree, above) = (&mut *self.tree, self.path);
                map.next_value_seed(Below { tree, above })?;
                continue;
            }
            let value = map.next_value()?;
            field
                .read(value, &mut znode)
                .map_err(|what| wrong(format_args!("{name}: {what}")))?;
        }
        self.add(znode)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldName {
    Data,
    Base64,
    Acl,
    Container,
    Ttl,
    Ephemeral,
    Children,
}

impl FieldName {
    const ALL: [Self; 7] = [
        Self::Data,
        Self::Base64,
        Self::Acl,
        Self::Container,
        Self::Ttl,
        Self::Ephemeral,
        Self::Children,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Base64 => "base64",
            Self::Acl => "acl",
            Self::Container => "container",
            Self::Ttl => "ttl_ms",
            Self::Ephemeral => "ephemeral",
            Self::Children => "children",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.text() == text)
    }

    /// Sets the field of a znode, or returns the reason why the value is invalid.
    fn read(self, value: Value, znode: &mut Znode) -> Result<(), String> {
        let expected = |what: &str, value: &Value| Err(format!("expected {what}, not {value}"));
        match (self, value) {
            (Self::Data, Value::Null) => znode.data = None,
            (Self::Data, Value::Text(text)) => znode.data = Some(text.into_bytes()),
            (Self::Data, value) => return expected("a text or null", &value),
            (Self::Base64, Value::Text(text)) => {
                let data = BASE64.decode(text).map_err(|error| error.to_string())?;
                znode.data = Some(data);
            }
            (Self::Base64, value) => return expected("a text", &value),
            (Self::Acl, Value::List(entries)) => {
                let entries = entries.into_iter().map(|entry| {
                    let Value::Text(text) = entry else {
                        return Err(format!("expected a text for an entry, not {entry}"));
                    };
                    let acl = text.parse::<Acl>();
                    acl.map_err(|_| {
                        format!("{text:?} is not an ACL entry such as \"world:anyone:r\"")
                    })
                });
                znode.acl = entries.collect::<Result<_, _>>()?;
            }
            (Self::Acl, value) => return expected("a list of entries", &value),
            (Self::Ttl, Value::Number(ms)) => {
                znode.kind = ZnodeKind::Ttl(Duration::from_millis(ms));
            }
            (Self::Ttl, value) => return expected("milliseconds", &value),
            (Self::Container, Value::Bool(true)) => znode.kind = ZnodeKind::Container,
            (Self::Ephemeral, Value::Bool(true)) => znode.kind = ZnodeKind::Ephemeral,
            (Self::Container | Self::Ephemeral, Value::Bool(false)) => {}
            (Self::Container | Self::Ephemeral, value) => return expected("true or false", &value),
            // Children are read by the caller, which has the tree.
            (Self::Children, _) => {}
        }
        Ok(())
    }

    fn excludes(self, other: Self) -> bool {
        let is_data = |name| matches!(name, Self::Data | Self::Base64);
        let is_kind = |name| matches!(name, Self::Container | Self::Ttl | Self::Ephemeral);
        is_data(self) && is_data(other) || is_kind(self) && is_kind(other)
    }
}

/// Value of a field that is read.
enum Value {
    Null,
    Bool(bool),
    /// Number that is not negative and has no fraction.
    Number(u64),
    OtherNumber(f64),
    Text(String),
    List(Vec<Self>),
    Object,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(is) => is.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::OtherNumber(number) => number.fmt(f),
            Self::Text(_) => f.write_str("a text"),
            Self::List(values) if values.is_empty() => f.write_str("an empty list"),
            Self::List(_) => f.write_str("a list"),
            Self::Object => f.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Bool(is))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "the number is only printed")]
        let other = Value::OtherNumber(number as f64);
        Ok(u64::try_from(number).map_or(other, Value::Number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::OtherNumber(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object)
    }
}
