//! Errors of a request, as status and JSON.

use hyper::StatusCode;
use minikeeper::ErrorCode;
use serde::Serialize;

use crate::reply::Reply;

/// Kind of an error. Each has a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Timeout,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Refused,
    LimitReached,
    Internal,
}

impl Code {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::LimitReached => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Error of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zookeeper: Option<ZooKeeperCode>,
    /// Methods of the path, for `Allow`.
    #[serde(skip)]
    allow: Option<String>,
}

/// Error code of ZooKeeper, by name and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ZooKeeperCode {
    name: &'static str,
    code: i32,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            zookeeper: None,
            allow: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// Error of a rule that refuses the request, in the words of the library.
    pub(crate) fn refused(message: impl ToString) -> Self {
        Self::new(Code::Refused, message.to_string())
    }

    pub(crate) fn method_not_allowed(message: String, allow: String) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(Code::MethodNotAllowed, message)
        }
    }

    /// Refusal of ZooKeeper for a path. A missing znode is not found, everything else is refused.
    pub(crate) fn zookeeper(code: ErrorCode, path: &str) -> Self {
        let kind = if code == ErrorCode::NoNode {
            Code::NotFound
        } else {
            Code::Refused
        };
        Self {
            zookeeper: Some(ZooKeeperCode {
                name: code.name(),
                code: code.number(),
            }),
            ..Self::new(kind, format!("{path}: {code}"))
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Writes the error as an answer.
    pub(crate) fn into_reply(self) -> Reply {
        #[derive(Serialize)]
        struct Envelope<'f> {
            error: &'f Failure,
        }
        let reply = Reply::json(self.code.status(), &Envelope { error: &self });
        match self.allow {
            Some(allow) => reply.header("allow", allow),
            None if self.code == Code::Unauthorized => {
                reply.header("www-authenticate", "Bearer".to_owned())
            }
            None => reply,
        }
    }
}

/// Returns the name that is nearest to a misspelt one, if one is near.
pub(crate) fn nearest<'n>(
    wrong: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let distances = names.into_iter().map(|name| {
        let is_longer = wrong.len() > 1 && name.starts_with(wrong);
        let distance = strsim::osa_distance(wrong, name);
        (if is_longer { 1 } else { distance }, name)
    });
    distances
        .filter(|(distance, name)| distance * 2 <= name.len().max(wrong.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
