//! Settings of a server as JSON, by the names of the library's table.

use std::collections::BTreeMap;

use minikeeper::Config;
use minikeeper::config::{SETTINGS, Setting};
use serde_json::Value;

use crate::error::{Failure, nearest};
use crate::route::{Call, Json, Route};

/// Settings that have a field of their own in the description of a server.
const OWN_FIELDS: [(&str, &str); 7] = [
    ("members", "members"),
    ("labels", "labels"),
    ("clock", "clock"),
    ("start_time", "start_time_ms"),
    ("journal", "journal"),
    ("journal_transactions", "journal_transactions"),
    ("data_dir", "data_dir"),
];
/// Settings that the process decides.
const FIXED: [&str; 5] = [
    "address",
    "member_addresses",
    "listener",
    "journal_on_panic",
    "data_log_dir",
];

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/v1/servers/{server}/config",
        "get_config",
        "Returns the settings of a server by name.",
        get,
    )]
}

fn get(call: &Call) -> Result<Json<BTreeMap<String, Value>>, Failure> {
    let instance = call.instance()?;
    let config = instance.server.config();
    let settings = SETTINGS.iter();
    Ok(Json(
        settings
            .map(|setting| (name(setting), value(setting, config)))
            .collect(),
    ))
}

/// Name of a setting in JSON; a span has its unit in its name.
fn name(setting: &Setting) -> String {
    match setting.unit {
        "ms" => format!("{}_ms", setting.name),
        _ => setting.name.to_owned(),
    }
}

/// Value of a setting in JSON: a number, true or false, null if it is not set, else a text.
fn value(setting: &Setting, config: &Config) -> Value {
    let text = setting.get(config);
    match text.as_str() {
        "" if !setting.unset.is_empty() => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        number => match number.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::String(text),
        },
    }
}

/// Applies settings to a configuration.
///
/// # Errors
///
/// If a name is unknown or not for a request, or a value is not accepted.
pub(super) fn apply(
    config: &mut Config,
    settings: &BTreeMap<String, Value>,
) -> Result<(), Failure> {
    for (given, value) in settings {
        let refused = |why: &str| Failure::bad_request(format!("config.{given}: {why}"));
        if let Some((_, field)) = OWN_FIELDS.iter().find(|(name, _)| name == given) {
            let why = "the description has a field of its own for this setting";
            return Err(refused(why).hint(format!("use {field}, outside of config")));
        }
        if FIXED.contains(&given.as_str()) {
            return Err(refused("the process decides this setting"));
        }
        let setting = SETTINGS.iter().find(|setting| name(setting) == *given);
        let Some(setting) = setting else {
            let names: Vec<String> = SETTINGS.iter().map(name).collect();
            let failure = refused("there is no such setting");
            return Err(match nearest(given, names.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint("GET /v1/servers/{server}/config lists all settings"),
            });
        };
        let text = match value {
            Value::Null => String::new(),
            Value::Bool(is) => is.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) => {
                return Err(refused("expected a number, a text, true, false or null"));
            }
        };
        let set = setting.set(config, &text);
        set.map_err(|bad| refused(&bad.to_string()))?;
    }
    Ok(())
}
