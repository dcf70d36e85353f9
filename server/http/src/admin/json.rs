//! JSON whose objects have their members in order, printed as Jackson prints it.

use std::fmt::{self, Write as _};

use minikeeper::admin::MetricNumber;

/// JSON value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(i128),
    Decimal(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<MetricNumber> for Json {
    fn from(number: MetricNumber) -> Self {
        match number {
            MetricNumber::Whole(number) => Self::Number(number.into()),
            MetricNumber::Decimal(number) => Self::Decimal(number),
        }
    }
}

impl Json {
    /// A number of any integer type.
    pub(super) fn number(number: impl TryInto<i128>) -> Self {
        Self::Number(number.try_into().unwrap_or(i128::MAX))
    }

    /// An object with these members.
    pub(super) fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Self)>) -> Self {
        let members = members.into_iter();
        Self::Object(members.map(|(key, value)| (key.into(), value)).collect())
    }

    /// A list of these values.
    pub(super) fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(values.into_iter().collect())
    }

    fn write(&self, out: &mut String, depth: usize) -> fmt::Result {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => write!(out, "{value}")?,
            Self::Number(number) => write!(out, "{number}")?,
            // JSON has no such numbers, and Jackson writes them as texts.
            Self::Decimal(number) if !number.is_finite() => {
                write!(out, "\"{}\"", MetricNumber::Decimal(*number))?;
            }
            Self::Decimal(number) => write!(out, "{}", MetricNumber::Decimal(*number))?,
            Self::Text(text) => write_text(out, text)?,
            Self::List(values) if values.is_empty() => out.push_str("[ ]"),
            Self::List(values) => {
                for (place, value) in values.iter().enumerate() {
                    out.push_str(if place == 0 { "[ " } else { ", " });
                    value.write(out, depth)?;
                }
                out.push_str(" ]");
            }
            Self::Object(members) if members.is_empty() => out.push_str("{ }"),
            Self::Object(members) => {
                for (place, (key, value)) in members.iter().enumerate() {
                    out.push_str(if place == 0 { "{\n" } else { ",\n" });
                    write!(out, "{:1$}", "", 2 * (depth + 1))?;
                    write_text(out, key)?;
                    out.push_str(" : ");
                    value.write(out, depth + 1)?;
                }
                write!(out, "\n{:1$}}}", "", 2 * depth)?;
            }
        }
        Ok(())
    }
}

fn write_text(out: &mut String, text: &str) -> fmt::Result {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => write!(out, "\\u{:04X}", u32::from(control))?,
            other => out.push(other),
        }
    }
    out.push('"');
    Ok(())
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text, 0)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected text is that of Jackson 2.15 with `INDENT_OUTPUT`.
    #[test]
    fn values_are_printed_as_by_jackson() {
        let connection = Json::object([("interest_ops", Json::number(1_u32))]);
        let answer = Json::object([
            ("connections", Json::list([connection.clone(), connection])),
            ("secure_connections", Json::list([])),
            ("ids", Json::list([Json::number(7), Json::number(8)])),
            ("current_config", Json::object::<&str>([])),
            ("quantile=\"0.5\"", Json::Decimal(f64::NAN)),
            ("avg_latency", Json::Decimal(8.4286)),
            ("text", Json::from("a\n\u{1}\"")),
            ("error", Json::Null),
        ]);
        assert_eq!(
            answer.to_string(),
            r#"{
  "connections" : [ {
    "interest_ops" : 1
  }, {
    "interest_ops" : 1
  } ],
  "secure_connections" : [ ],
  "ids" : [ 7, 8 ],
  "current_config" : { },
  "quantile=\"0.5\"" : "NaN",
  "avg_latency" : 8.4286,
  "text" : "a\n\u0001\"",
  "error" : null
}"#
        );
    }

    #[test]
    fn every_text_is_valid_json() {
        let text: String = (0..300).filter_map(char::from_u32).collect();
        let printed = Json::from(text.as_str()).to_string();
        let parsed: String = serde_json::from_str(&printed).expect("it is JSON");
        assert_eq!(parsed, text);
    }
}
