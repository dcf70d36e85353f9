//! Query strings, and the percent encoding of paths.

use crate::error::{Failure, nearest};

/// Kind of a query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Bool,
    /// JSON of a form, such as a matcher.
    Json,
}

/// Query parameter of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "it is for the OpenAPI document")
    )]
    pub(crate) about: &'static str,
}

impl Param {
    pub(crate) const fn text(name: &'static str, about: &'static str) -> Self {
        Self::of(name, Kind::Text, about)
    }

    pub(crate) const fn number(name: &'static str, about: &'static str) -> Self {
        Self::of(name, Kind::Number, about)
    }

    pub(crate) const fn bool(name: &'static str, about: &'static str) -> Self {
        Self::of(name, Kind::Bool, about)
    }

    pub(crate) const fn json(name: &'static str, about: &'static str) -> Self {
        Self::of(name, Kind::Json, about)
    }

    pub(crate) const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    const fn of(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            about,
        }
    }
}

/// Parameters of a query, checked against those of the route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// If a parameter is unknown, missing, there twice or of another kind.
    pub(crate) fn parse(text: Option<&str>, params: &[Param]) -> Result<Self, Failure> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let pairs = text.unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(&name.replace('+', " "))?;
            let value = decode(&value.replace('+', " "))?;
            let Some(param) = params.iter().find(|param| param.name == name) else {
                return Err(unknown(&name, params));
            };
            if found.iter().any(|(other, _)| *other == param.name) {
                let message = format!("query parameter {name}: there twice");
                return Err(Failure::bad_request(message));
            }
            let is_right = match param.kind {
                Kind::Text | Kind::Json => true,
                Kind::Number => value.parse::<u64>().is_ok(),
                Kind::Bool => matches!(&*value, "true" | "false"),
            };
            if !is_right {
                let expected = match param.kind {
                    Kind::Bool => "true or false",
                    Kind::Number | Kind::Text | Kind::Json => "a number that is not negative",
                };
                let message = format!("query parameter {name}: expected {expected}, not {value:?}");
                return Err(Failure::bad_request(message));
            }
            found.push((param.name, value));
        }
        let query = Self(found);
        let missing = params
            .iter()
            .find(|param| param.required && query.text(param.name).is_none());
        match missing {
            Some(param) => Err(Failure::bad_request(format!(
                "query parameter {}: missing",
                param.name
            ))),
            None => Ok(query),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        all.find(|(other, _)| *other == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn bool(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |value| value == "true")
    }
}

fn unknown(name: &str, params: &[Param]) -> Failure {
    let known: Vec<&str> = params.iter().map(|param| param.name).collect();
    let failure = Failure::bad_request(format!("query parameter {name}: unknown"));
    match nearest(name, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None if known.is_empty() => failure.hint("the route has no query parameters"),
        None => failure.hint(format!("known are {}", known.join(", "))),
    }
}

/// Decodes the percent encoding of a text.
///
/// # Errors
///
/// If an escape is malformed, or the bytes are no UTF-8.
pub(crate) fn decode(text: &str) -> Result<String, Failure> {
    let bad = || Failure::bad_request(format!("{text:?} in the URL is not percent-encoded UTF-8"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next().unwrap_or(b' ')).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(bad());
        };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: [Param; 3] = [
        Param::text("path", "").required(),
        Param::number("limit", ""),
        Param::bool("verify", ""),
    ];

    fn message(text: &str) -> String {
        let failure = Query::parse(Some(text), &PARAMS).unwrap_err();
        format!("{}; {}", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse(Some("path=%2Fa+b&limit=3&verify=false"), &PARAMS).unwrap();
        assert_eq!(query.text("path"), Some("/a b"));
        assert_eq!(query.number("limit"), Some(3));
        assert!(!query.bool("verify", true));
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        assert_eq!(message("limit=3"), "query parameter path: missing; ");
        assert_eq!(
            message("path=/&limt=3"),
            "query parameter limt: unknown; did you mean limit?"
        );
        assert_eq!(
            message("path=/&limit=-3"),
            "query parameter limit: expected a number that is not negative, not \"-3\"; "
        );
        assert_eq!(
            message("path=/&path=/"),
            "query parameter path: there twice; "
        );
        assert_eq!(
            message("path=%zz"),
            "\"%zz\" in the URL is not percent-encoded UTF-8; "
        );
    }
}
