//! Values of settings as text: one form for flags, for JSON and for the documentation.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{
    ClockKind, Compression, DigestAlgorithm, FourLetterWords, JournalMode, MetricsProvider,
};
use crate::protocol::{DataFormat, Timestamp};

/// Error for a value that a setting does not accept.
///
/// ```
/// use minikeeper::Config;
/// use minikeeper::config::Setting;
///
/// let setting = Setting::named("tick_time").expect("it is a setting");
/// let error = setting.set(&mut Config::default(), "0").unwrap_err();
/// assert_eq!(error.to_string(), "0 is not in 1..=2147483647");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// The server does not start with this value.
    #[error("{0}")]
    Refused(String),
    /// The value counts as not set, as in ZooKeeper.
    #[error("{0}")]
    Ignored(String),
}

/// Values that a setting accepts.
///
/// ```
/// use minikeeper::config::{Setting, Values};
///
/// let setting = Setting::named("extended_types").expect("it is a setting");
/// assert_eq!(setting.values, Values::Words(&["true", "false"]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// All values of the setting's type.
    Any,
    /// Whole numbers between these two, both included.
    Range(i64, i64),
    /// One of these words.
    Words(&'static [&'static str]),
    /// Two parts that a colon separates.
    Pair,
}

impl Values {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// If the value is not one of these.
    pub(super) fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Any => Ok(()),
            Self::Range(min, max) => match text.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(()),
                Ok(number) => Err(format!("{number} is not in {min}..={max}")),
                Err(error) => Err(error.to_string()),
            },
            Self::Words(words) if words.contains(&text) => Ok(()),
            Self::Words(words) => Err(format!("expected {}", words.join(" or "))),
            Self::Pair => match text.split_once(':') {
                Some((user, secret)) if !user.is_empty() && !secret.is_empty() => Ok(()),
                _ => Err("expected two parts separated by a colon".to_owned()),
            },
        }
    }
}

/// Type of a setting.
pub(super) trait Value: Sized {
    /// Values that the type accepts.
    const VALUES: Values = Values::Any;

    /// Parses the text that [`format`](Self::format) returns.
    ///
    /// # Errors
    ///
    /// Describes the text that is expected.
    fn parse(text: &str) -> Result<Self, String>;

    /// Formats the value; an unset value is an empty text.
    fn format(&self) -> String;
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Types whose text is that of `FromStr` and `Display`.
macro_rules! values {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                parse(text)
            }

            fn format(&self) -> String {
                self.to_string()
            }
        })*
    };
}
values!(u8, i32, u32, u64, usize, SocketAddr, String);
values!(
    ClockKind,
    Compression,
    DataFormat,
    DigestAlgorithm,
    FourLetterWords,
    JournalMode
);

impl Value for bool {
    const VALUES: Values = Values::Words(&["true", "false"]);

    fn parse(text: &str) -> Result<Self, String> {
        parse(text)
    }

    fn format(&self) -> String {
        self.to_string()
    }
}

impl Value for MetricsProvider {
    const VALUES: Values = Values::Words(&["default", "prometheus"]);

    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "prometheus" => Self::Prometheus,
            _ => Self::Default,
        })
    }

    fn format(&self) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Prometheus => "prometheus".to_owned(),
        }
    }
}

/// Milliseconds.
impl Value for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        parse(text).map(Self::from_millis)
    }

    fn format(&self) -> String {
        self.as_millis().to_string()
    }
}

/// Milliseconds since 1970.
impl Value for Timestamp {
    fn parse(text: &str) -> Result<Self, String> {
        parse(text).map(Self)
    }

    fn format(&self) -> String {
        self.0.to_string()
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn format(&self) -> String {
        self.display().to_string()
    }
}

impl<T: Value> Value for Option<T> {
    const VALUES: Values = T::VALUES;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(None),
            text => T::parse(text).map(Some),
        }
    }

    fn format(&self) -> String {
        self.as_ref().map(T::format).unwrap_or_default()
    }
}

/// Returns the words between the commas of a list.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let words = list.split(',').map(|word| word.trim_matches(|c| c <= ' '));
    words.filter(|word| !word.is_empty())
}

/// Words separated by commas.
impl Value for Vec<String> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(words(text).map(str::to_owned).collect())
    }

    fn format(&self) -> String {
        self.join(",")
    }
}

/// Addresses separated by commas; `none` for a missing one.
impl Value for Vec<Option<SocketAddr>> {
    fn parse(text: &str) -> Result<Self, String> {
        let parsed = words(text).map(|word| match word {
            "none" => Ok(None),
            address => parse(address)
                .map(Some)
                .map_err(|error| format!("{address:?}: {error}")),
        });
        parsed.collect()
    }

    fn format(&self) -> String {
        let words = self.iter().map(|address| {
            let text = address.as_ref().map(ToString::to_string);
            text.unwrap_or_else(|| "none".to_owned())
        });
        words.collect::<Vec<_>>().join(",")
    }
}
