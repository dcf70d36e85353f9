//! Bodies as JSON: an error names the path of the wrong field, and the field that was meant.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Failure, nearest};

/// Longest text in which the path of an error is searched by trial. A longer one gets a less exact path.
const LONGEST_SEARCHED: usize = 64 << 10;

/// Fields that choose the form of their object. An error in another field of the object is more likely.
const TAGS: [&str; 5] = ["fault", "budget", "claim", "release", "action"];

/// Reads a value. An empty text is `{}`.
///
/// # Errors
///
/// If the text is no JSON, or not of the form of the value.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Failure> {
    let text = match text {
        [] => b"{}",
        text => text,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let (path, error) = match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => match deserializer.end() {
            Ok(()) => return Ok(value),
            Err(error) => (String::new(), error),
        },
        Err(error) => (error.path().to_string(), error.into_inner()),
    };
    // An enum that is written as a number is well-formed JSON, but a syntax error to serde.
    let error = match serde_json::from_slice::<Value>(text) {
        Ok(value) if !error.is_data() => T::deserialize(value).err().unwrap_or(error),
        _ => error,
    };
    // The object that lacks a field is where serde says.
    let is_missing = error.to_string().starts_with("missing field");
    let path = if error.is_data() && !is_missing && text.len() <= LONGEST_SEARCHED {
        path_by_trial::<T>(text).unwrap_or(path)
    } else {
        path
    };
    Err(failure(&path, &error))
}

/// Reads the value of a query parameter.
///
/// # Errors
///
/// As [`read`]; the error names the parameter.
pub(crate) fn read_param<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Failure> {
    read(text.as_bytes()).map_err(|mut failure| {
        failure.message = format!("query parameter {name}: {}", failure.message);
        failure
    })
}

fn failure(path: &str, error: &serde_json::Error) -> Failure {
    let text = error.to_string();
    // A path says more than a line and a column, and the error of a field inside an enum has neither.
    let text = match text.rfind(" at line ") {
        Some(at) if error.is_data() => text.get(..at).unwrap_or(&text).to_owned(),
        _ => text,
    };
    if !error.is_data() {
        return Failure::bad_request(format!("the body is not JSON: {text}"));
    }
    let text = plain(&text);
    let place = match path {
        "" | "." => "the body".to_owned(),
        path => path.to_owned(),
    };
    let failure = Failure::bad_request(format!("{place}: {text}"));
    match hint(&text) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Replaces Rust's names of types by what they are in JSON.
fn plain(text: &str) -> String {
    let Some((before, expected)) = text.rsplit_once(", expected ") else {
        return text.to_owned();
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a number of 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        other if other.starts_with("internally tagged enum Fault") => {
            "an object, such as {\"fault\": \"lose_reply\"}"
        }
        other if other.starts_with("internally tagged enum") => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{before}, expected {expected}")
}

/// Suggests a name for an unknown one, from the names that serde lists.
fn hint(text: &str) -> Option<String> {
    let is_unknown = text.starts_with("unknown field") || text.starts_with("unknown variant");
    let mut names = text.split('`').skip(1).step_by(2);
    let wrong = names.next().filter(|_| is_unknown)?;
    let known: Vec<&str> = names.collect();
    // serde lists all names itself.
    let near = nearest(wrong, known.iter().copied())?;
    Some(format!("did you mean {near}?"))
}

/// Path of the value without which the error would be another one.
///
/// serde reads an enum with a tag as a whole before it looks at the fields, so it does not know the field of an error.
fn path_by_trial<T: DeserializeOwned>(text: &[u8]) -> Option<String> {
    let mut whole: Value = serde_json::from_slice(text).ok()?;
    let error = error_of::<T>(&whole)?;
    let mut pointer = String::new();
    let mut path = String::new();
    loop {
        let value = whole.pointer(&pointer)?;
        let mut names: Vec<String> = match value {
            Value::Object(fields) => fields.keys().cloned().collect(),
            Value::Array(items) => (0..items.len()).map(|at| at.to_string()).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Some(path);
            }
        };
        let is_object = value.is_object();
        names.sort_by_key(|name| is_object && TAGS.contains(&name.as_str()));
        let culprit = names
            .into_iter()
            .find(|name| is_culprit::<T>(&mut whole, &pointer, name, &error));
        let Some(name) = culprit else {
            return Some(path);
        };
        pointer += "/";
        pointer += &name.replace('~', "~0").replace('/', "~1");
        if is_object {
            if !path.is_empty() {
                path += ".";
            }
            path += &name;
        } else {
            path += &format!("[{name}]");
        }
    }
}

/// Whether the error is another one without a field or item.
fn is_culprit<T: DeserializeOwned>(
    whole: &mut Value,
    pointer: &str,
    name: &str,
    error: &str,
) -> bool {
    let before = whole.clone();
    match whole.pointer_mut(pointer) {
        Some(Value::Object(fields)) => {
            fields.remove(name);
        }
        Some(Value::Array(items)) => {
            if let Ok(at) = name.parse::<usize>()
                && at < items.len()
            {
                items.remove(at);
            }
        }
        _ => {}
    }
    let without = error_of::<T>(whole);
    *whole = before;
    without.as_deref() != Some(error)
}

fn error_of<T: DeserializeOwned>(value: &Value) -> Option<String> {
    // As text, since a value is read from text too: some forms borrow from it.
    let text = value.to_string();
    let read = serde_json::from_str::<T>(&text);
    read.err().map(|error| {
        let text = error.to_string();
        let end = text.rfind(" at line ").unwrap_or(text.len());
        text.get(..end).unwrap_or(&text).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use minikeeper::fault::FaultRule;
    use minikeeper::journal::Budget;

    use super::*;

    fn refused<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> (String, String) {
        let failure = read::<T>(text.as_bytes()).unwrap_err();
        (failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn an_error_names_the_path_and_the_nearest_name() {
        let (message, hint) =
            refused::<FaultRule>(r#"{"name": "slow", "then": {"fault": "delay_reply", "by": 50}}"#);
        assert!(
            message.starts_with("then.by: unknown field `by`"),
            "{message}"
        );
        assert_eq!(hint, "did you mean by_ms?");
        let (message, _) = refused::<FaultRule>(
            r#"{"name": "slow", "then": {"fault": "delay_reply", "by_ms": "50"}}"#,
        );
        assert!(message.starts_with("then.by_ms: invalid type"), "{message}");
        let (message, hint) =
            refused::<FaultRule>(r#"{"name": "slow", "then": {"fault": "delay_replay"}}"#);
        assert!(
            message.starts_with("then.fault: unknown variant"),
            "{message}"
        );
        assert_eq!(hint, "did you mean delay_reply?");
        let (message, hint) =
            refused::<Budget>(r#"{"budget": "total", "at_most": 1, "matcher": {"opp": "create"}}"#);
        assert!(
            message.starts_with("matcher.opp: unknown field"),
            "{message}"
        );
        assert_eq!(hint, "did you mean op?");
    }

    #[test]
    fn a_text_that_is_no_json_is_placed() {
        let (message, _) = refused::<FaultRule>(r#"{"name": "#);
        assert!(
            message.starts_with("the body is not JSON: EOF"),
            "{message}"
        );
        let (message, _) = refused::<Vec<u8>>("[] []");
        assert!(message.contains("trailing characters"), "{message}");
    }
}
