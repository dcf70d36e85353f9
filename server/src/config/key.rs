//! Keys of `zoo.cfg` and system properties: where they count, and the values with which ZooKeeper starts.

/// Source that can set a key of ZooKeeper.
///
/// ```
/// use minikeeper::config::{Place, Setting};
///
/// let setting = Setting::named("max_frame").expect("it is a setting");
/// assert_eq!(setting.keys[0].place, Place::Jvm);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In `zoo.cfg` only.
    File,
    /// In `zoo.cfg`, or as the system property `zookeeper.NAME`; `zoo.cfg` wins.
    Both,
    /// A system property of exactly this name. A line in `zoo.cfg` has no effect, because ZooKeeper adds `zookeeper.`
    /// to its name.
    Jvm,
    /// Only the administrator's guide: ZooKeeper reads this property instead.
    Guide(&'static str),
}

/// Values of a key with which ZooKeeper starts.
///
/// ```
/// use minikeeper::config::Check;
///
/// assert_eq!(Check::Int.refusal("2000ms").as_deref(), Some("must be a whole number of 32 bits"));
/// assert_eq!(Check::Int.refusal("2000"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Any text.
    Any,
    /// `true` or `false` in any case.
    Bool,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Real,
    /// Hexadecimal digits.
    Hex,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// The name of one of these classes of ZooKeeper's.
    Class(&'static [&'static str]),
    /// At least this number, as `Integer.getInteger` reads it: text that is not a number counts as not set.
    AtLeast(i64),
    /// Any number except zero, read in the same way.
    NotZero,
}

impl Check {
    /// Returns the reason if ZooKeeper does not start with this value.
    #[must_use]
    pub fn refusal(self, value: &str) -> Option<String> {
        let unless = |right: bool, wanted: &str| (!right).then(|| format!("must be {wanted}"));
        match self {
            Self::Any => None,
            Self::Bool => unless(
                is_true(value) || value.eq_ignore_ascii_case("false"),
                "true or false",
            ),
            Self::Int => unless(value.parse::<i32>().is_ok(), "a whole number of 32 bits"),
            Self::Long => unless(value.parse::<i64>().is_ok(), "a whole number"),
            Self::Real => unless(value.parse::<f64>().is_ok(), "a number"),
            Self::Hex => unless(
                i64::from_str_radix(value, 16).is_ok(),
                "a hexadecimal number",
            ),
            Self::OneOf(words) => unless(
                words.iter().any(|word| value.eq_ignore_ascii_case(word)),
                &words.join(" or "),
            ),
            Self::Class(classes) => {
                unless(classes.contains(&value), "one of ZooKeeper's own classes")
            }
            Self::AtLeast(least) => unless(
                decode(value).is_none_or(|number| number >= least),
                &format!("at least {least}"),
            ),
            Self::NotZero => unless(decode(value) != Some(0), "other than 0"),
        }
    }
}

/// Parses like `Boolean.parseBoolean`.
pub(super) fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

/// Parses like `Integer.decode` and `Long.decode`: a sign, then `0x`, `#` or a leading zero for other bases.
pub(super) fn decode(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = ["0x", "0X", "#"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, base) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = i64::from_str_radix(digits, base).ok()?;
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_system_properties_are_those_of_java() {
        let check = |text, expected| assert_eq!(decode(text), expected, "{text}");
        check("12", Some(12));
        check("-0x10", Some(-16));
        check("#ff", Some(255));
        check("010", Some(8));
        check("0", Some(0));
        check("1k", None);
        check("", None);
        check("--1", None);
    }
}
