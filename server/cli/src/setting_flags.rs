//! The flags of settings, made from the library's table.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use minikeeper::Config;
use minikeeper::config::{Flag, SETTINGS, Setting, Values};

use crate::members;
use crate::settings::{self, Refusal};

/// Values of the settings that have a flag on the command line, by the name of the setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingFlags(BTreeMap<&'static str, OsString>);

impl SettingFlags {
    /// Whether the command line has a flag of this setting.
    pub(crate) fn has(&self, setting: &str) -> bool {
        self.0.contains_key(setting)
    }

    /// Returns the value of a setting as text.
    pub(crate) fn get(&self, setting: &str) -> Option<&str> {
        self.0.get(setting)?.to_str()
    }

    /// Returns the value of a setting as a path, which need not be Unicode.
    pub(crate) fn path(&self, setting: &str) -> Option<PathBuf> {
        self.0.get(setting).map(PathBuf::from)
    }

    /// Returns the flags, with their dashes, that have an effect only with a data folder.
    pub(crate) fn of_data_dir(&self) -> impl Iterator<Item = String> {
        let settings = SETTINGS.iter();
        let given = settings.filter(|setting| setting.needs_data_dir && self.has(setting.name));
        given.filter_map(|setting| Some(format!("--{}", setting.flag?.name())))
    }

    /// Sets the settings.
    ///
    /// # Errors
    ///
    /// If a setting does not accept its value. The parser of the command line refuses such a value before.
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), Refusal> {
        for setting in SETTINGS {
            if let Some(value) = self.0.get(setting.name) {
                let set = setting.set(config, &value.to_string_lossy());
                set.map_err(|error| Refusal::Whole(format!("{}: {error}", setting.name)))?;
            }
        }
        Ok(())
    }
}

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            let value = match setting.flag {
                Some(Flag::Switch { value, .. }) => matches
                    .get_flag(setting.name)
                    .then(|| OsString::from(value)),
                Some(Flag::Value { .. }) if is_path(setting) => {
                    matches.get_one::<PathBuf>(setting.name).map(OsString::from)
                }
                Some(Flag::Value { .. }) => {
                    matches.get_one::<String>(setting.name).map(OsString::from)
                }
                None => None,
            };
            if let Some(value) = value {
                self.0.insert(setting.name, value);
            }
        }
        Ok(())
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().filter_map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Returns the flag of a setting as an argument of clap.
fn arg(setting: &'static Setting) -> Option<Arg> {
    let arg = Arg::new(setting.name).long(setting.flag?.name());
    let arg = match setting.flag? {
        Flag::Switch { help, .. } => arg.help(help).action(ArgAction::SetTrue),
        Flag::Value {
            placeholder, note, ..
        } => {
            let arg = arg.value_name(placeholder).help(help(setting, note));
            match setting.values {
                _ if is_path(setting) => arg.value_parser(value_parser!(PathBuf)),
                Values::Words(words) => arg.value_parser(PossibleValuesParser::new(words)),
                Values::Any | Values::Range(..) | Values::Pair => {
                    arg.value_parser(move |text: &str| parse(setting, text))
                }
            }
        }
    };
    Some(match setting.name {
        "data_dir" => arg.group("place"),
        "data_log_dir" => arg.requires("place"),
        _ => arg,
    })
}

/// Whether the value is a folder, whose name need not be Unicode.
fn is_path(setting: &Setting) -> bool {
    matches!(
        setting.flag,
        Some(Flag::Value {
            placeholder: "DIR",
            ..
        })
    )
}

/// Returns the help text: the summary of the setting, its unit and its defaults.
fn help(setting: &Setting, note: &str) -> String {
    let mut help = setting.summary().trim_end_matches('.').to_owned();
    help += match setting.unit {
        "ms" => ", in milliseconds",
        "bytes" => ", in bytes",
        _ => "",
    };
    if !note.is_empty() {
        help = format!("{help}. {note}");
    }
    let default = default_text(setting, &settings::without_configuration());
    let with_file = default_text(setting, &settings::with_zoo_cfg());
    let default = match setting.name {
        "data_dir" => format!("dataDir of the configuration, or {default} without one"),
        _ if default == with_file => default,
        _ => format!("{default}, or {with_file} with a zoo.cfg"),
    };
    format!("{help} [default: {default}]")
}

/// Returns the value of a setting as text, also if it is not set.
pub(crate) fn default_text(setting: &Setting, config: &Config) -> String {
    match setting.get(config) {
        text if text.is_empty() => setting.unset.to_owned(),
        text => text,
    }
}

/// Checks the value of a flag.
fn parse(setting: &Setting, text: &str) -> Result<String, String> {
    if setting.name == "address" {
        return address(text).map(|address| address.to_string());
    }
    if text.is_empty() && !setting.unset.is_empty() {
        return Err("a value is required".to_owned());
    }
    match setting.set(&mut Config::default(), text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses `HOST:PORT`, or a port on the loopback address.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some(parts) => parts,
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => ("", text),
        None => return Err(format!("{text:?} has no port")),
    };
    let port = port
        .parse()
        .map_err(|_| format!("{port:?} is not a port"))?;
    members::resolve(host, port)
}
