//! Ids and numbers, each with a type of its own.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The number of a transaction. Transactions are numbered densely from 1; the high 32 bits are the leader's epoch,
/// which a standalone server leaves at 0.
///
/// ```
/// assert_eq!(minikeeper::protocol::Zxid(31).to_string(), "0x1f");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

/// The number of a session. Its top byte is the number of the server that granted it; it is never 0 for a client.
///
/// ```
/// assert_eq!(minikeeper::SessionId(0x100_0000).to_string(), "0x1000000");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

/// The number that a client gives to a request. The reply repeats it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct Xid(pub(crate) i32);

/// The number of a member of an ensemble, from 1 as in `myid`.
///
/// ```
/// assert_eq!(minikeeper::ensemble::MemberId(2).to_string(), "2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct MemberId(pub u8);

impl MemberId {
    /// No member: the test itself, which sees all committed transactions.
    pub(crate) const NONE: Self = Self(0);
    /// The single member of a standalone server.
    pub(crate) const ALONE: Self = Self(1);
}

impl Default for MemberId {
    /// The single member of a standalone server.
    fn default() -> Self {
        Self::ALONE
    }
}

impl Zxid {
    /// Returns the next zxid.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Converts the id that a client library reports for its session.
impl From<i64> for SessionId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl SessionId {
    /// No session: the owner of the server's own transactions.
    pub(crate) const NONE: Self = Self(0);
}

impl Xid {
    /// The xid of an event of a watch.
    pub(crate) const NOTIFICATION: Self = Self(-1);
    /// The xid of every reply to a ping.
    pub(crate) const PING: Self = Self(-2);
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

// Hexadecimal, as in the logs of ZooKeeper.
impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zxid({self})")
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// Implements the hexadecimal text form, used in every format: JSON numbers are too short for some ids.
macro_rules! as_hexadecimal {
    ($name:ident) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": "^0x[0-9a-fA-F]{1,16}$",
                    "description": "A 64-bit number in hexadecimal."
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.strip_prefix("0x")
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .map(|number| Self(number.cast_signed()))
                    .ok_or_else(|| {
                        de::Error::invalid_value(
                            de::Unexpected::Str(&text),
                            &"0x and hexadecimal digits",
                        )
                    })
            }
        }
    };
}

as_hexadecimal!(Zxid);
as_hexadecimal!(SessionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_hexadecimal_and_read_back() {
        for session in [SessionId(0), SessionId(0x100_0000), SessionId(-2)] {
            let json = serde_json::to_string(&session).unwrap();
            assert_eq!(json, format!("\"{session}\""));
            assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), session);
        }
        for bad in ["\"12\"", "\"0xg\"", "12", "\"0x11111111111111111\""] {
            assert!(serde_json::from_str::<Zxid>(bad).is_err(), "{bad}");
        }
    }
}
