//! Directions in which the link of a client can be cut.

use serde::{Deserialize, Serialize};

/// Direction in which a link is cut.
///
/// ```
/// assert_ne!(minikeeper::fault::Direction::Both, minikeeper::fault::Direction::ToClient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both directions: nothing arrives.
    Both,
    /// From the server to the client: a half-open link.
    ToClient,
    /// From the client to the server.
    ToServer,
}

impl Direction {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Both => "both ways",
            Self::ToClient => "to the client",
            Self::ToServer => "to the server",
        }
    }

    pub(crate) const TO_CLIENT: u8 = 1;
    pub(crate) const TO_SERVER: u8 = 2;

    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::Both => Self::TO_CLIENT | Self::TO_SERVER,
            Self::ToClient => Self::TO_CLIENT,
            Self::ToServer => Self::TO_SERVER,
        }
    }
}
