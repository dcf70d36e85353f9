//! Data, ids and views in the forms of the API.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minikeeper::SessionId;
use minikeeper::inspect::{Effects, ZnodeView};
use minikeeper::protocol::Stat;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Failure;

/// Data of a znode: text, `{"base64": ".."}` or null, as in a seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Data(pub(super) Option<Vec<u8>>);

/// Bytes as base64.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Base64<'d> {
    base64: Cow<'d, str>,
}

/// Forms of data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum DataForm<'d> {
    Text(Cow<'d, str>),
    Base64(Base64<'d>),
}

impl Data {
    /// Data of a request; null is no data.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_text =
            |text: &&str| !text.contains(|c: char| c.is_control() && !"\t\n\r".contains(c));
        let form = self.0.as_deref().map(|data| {
            let text = std::str::from_utf8(data).ok().filter(is_text);
            text.map_or_else(
                || {
                    DataForm::Base64(Base64 {
                        base64: BASE64.encode(data).into(),
                    })
                },
                |text| DataForm::Text(text.into()),
            )
        });
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let form = Option::<DataForm<'_>>::deserialize(deserializer)
            .map_err(|_| D::Error::custom("data are a text, {\"base64\": \"..\"} or null"))?;
        let data = form.map(|form| match form {
            DataForm::Text(text) => Ok(text.into_owned().into_bytes()),
            DataForm::Base64(Base64 { base64 }) => BASE64
                .decode(&*base64)
                .map_err(|error| D::Error::custom(format!("base64: {error}"))),
        });
        data.transpose().map(Self)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Data {
    fn schema_name() -> Cow<'static, str> {
        "Data".into()
    }

    fn json_schema(schemas: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemas.subschema_for::<Option<DataForm<'_>>>()
    }
}

/// Effects of a call.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Caused {
    pub(super) effects: Effects,
}

/// A znode.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Znode {
    path: String,
    data: Data,
    stat: Stat,
    /// ACL entries such as `world:anyone:cdrwa`.
    acl: Vec<String>,
    children: Vec<String>,
    container: bool,
    ttl_ms: Option<u64>,
    /// Session that owns an ephemeral znode.
    owner: Option<SessionId>,
}

impl Znode {
    pub(super) fn of(view: ZnodeView) -> Self {
        Self {
            owner: view.owner(),
            path: view.path,
            data: Data(view.data),
            stat: view.stat,
            acl: view.acl.iter().map(ToString::to_string).collect(),
            children: view.children,
            container: view.container,
            ttl_ms: view
                .ttl
                .map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// Id of something new.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Id {
    pub(super) id: String,
}

/// Reads a session id such as `0x100000001`.
///
/// # Errors
///
/// If the text is no such id.
pub(super) fn session_id(text: &str) -> Result<SessionId, Failure> {
    let deserializer = StrDeserializer::<serde::de::value::Error>::new(text);
    SessionId::deserialize(deserializer).map_err(|_| {
        let message = format!("{text:?} is not a session id");
        Failure::bad_request(message).hint("a session id is 0x and hexadecimal digits")
    })
}
