//! Steps of a script.

use std::fmt;
use std::time::Duration;

use super::lexer::{Bytes, Text, Tokens};
use super::request::{hex, many, parse, write_many};
use crate::backend::HttpRequest;
use crate::client::Request;

/// Default session timeout of a client, in milliseconds.
const USUAL_TIMEOUT_MS: i32 = 10_000;

/// A line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An action of a client: `a: delete /x`.
    Act {
        /// The client.
        who: String,
        /// The action.
        action: Action,
    },
    /// Time passes: `pass 1500ms`. The clock is advanced if it can be; otherwise the harness waits, and every
    /// client that is neither cut nor silent pings meanwhile.
    Pass(Duration),
    /// The server is restarted: `restart`.
    Restart,
    /// A four-letter word on a separate connection: `4lw ruok`.
    FourLetterWord(String),
    /// A request to the AdminServer or the metrics: `http GET /commands/ruok`, `http GET "/metrics"`, with credentials
    /// behind: `http GET /commands/snap "digest super:test"`.
    Http(HttpRequest),
}

/// An action of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `connect`, or `resume OTHER` with the session and password of another client.
    Connect(Connect),
    /// A request, followed by a wait for its reply.
    Ask(Request),
    /// `setWatches` or `setWatches2`, with the zxid after which events were missed.
    SetWatches(Since, Request),
    /// Requests sent in one write, followed by a wait for as many replies: `pipeline [a; b]`.
    Pipeline(Vec<Request>),
    /// Raw bytes, without a wait for a reply: `bytes 0000000400`.
    Bytes(Vec<u8>),
    /// Stores the zxid that the client has seen under a name: `mark m`.
    Mark(String),
    /// Drops the connection without closing the session: `cut`.
    Cut,
    /// Stops the client's pings and everything else that keeps its session alive: `silent`.
    Silent,
}

/// Fields of a connect request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The client whose session is resumed.
    pub resume: Option<String>,
    /// The session id, if no client's session is resumed.
    pub session_id: i64,
    /// The requested timeout, in milliseconds.
    pub timeout_ms: i32,
    /// The password.
    pub password: Password,
    /// The read-only byte, if it is sent.
    pub read_only: Option<bool>,
    /// The last zxid seen, as the request states it.
    pub seen: Since,
}

/// Password of a connect request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The password of the resumed session, or 16 zero bytes for a new one.
    Own,
    /// These bytes, or null.
    Bytes(Option<Vec<u8>>),
}

/// A zxid that a client has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// A fixed zxid.
    Zxid(i64),
    /// The last zxid that the client has seen.
    Seen,
    /// The zxid stored by a `mark`.
    Mark(String),
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            resume: None,
            session_id: 0,
            timeout_ms: USUAL_TIMEOUT_MS,
            password: Password::Own,
            read_only: Some(false),
            seen: Since::Zxid(0),
        }
    }
}

impl Step {
    /// Parses a line.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        if let Some((who, rest)) = line.split_once(": ").or_else(|| {
            // An editor may have removed the blank after the colon.
            line.strip_suffix(':').map(|who| (who, ""))
        }) && is_client(who)
        {
            let mut tokens = Tokens::of(rest)?;
            let action = Action::parse(&mut tokens)?;
            tokens.end()?;
            let who = who.to_owned();
            return Ok(Self::Act { who, action });
        }
        let mut tokens = Tokens::of(line)?;
        let step = match tokens.word("a step")?.as_str() {
            "pass" => Self::Pass(duration(&tokens.word("a duration")?)?),
            "restart" => Self::Restart,
            "4lw" => Self::FourLetterWord(tokens.text("a four-letter word")?),
            "http" => {
                let method = tokens.word("a method")?;
                let path = tokens.text("a path")?;
                let has_more = tokens.end().is_err();
                let authorization = has_more.then(|| tokens.text("credentials")).transpose()?;
                Self::Http(HttpRequest {
                    method,
                    path,
                    authorization,
                })
            }
            word => return Err(format!("`{word}` is not a step")),
        };
        tokens.end()?;
        Ok(step)
    }
}

impl Step {
    /// Whether a session may end in this step.
    pub(crate) fn may_end_a_session(&self) -> bool {
        match self {
            Self::Pass(_) => true,
            Self::Act { action, .. } => match action {
                Action::Ask(request) => *request == Request::CloseSession,
                Action::Pipeline(requests) => requests.contains(&Request::CloseSession),
                Action::Connect(_)
                | Action::SetWatches(..)
                | Action::Bytes(_)
                | Action::Mark(_)
                | Action::Cut
                | Action::Silent => false,
            },
            Self::Restart | Self::FourLetterWord(_) | Self::Http(_) => false,
        }
    }
}

fn is_client(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn duration(word: &str) -> Result<Duration, String> {
    let bad = || format!("`{word}` is not a duration such as 1500ms or 2s");
    let (digits, unit) = word.split_at(
        word.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(word.len()),
    );
    let number = digits.parse().map_err(|_| bad())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(bad()),
    }
}

impl Action {
    fn parse(tokens: &mut Tokens) -> Result<Self, String> {
        let name = tokens.word("a step")?;
        Ok(match name.as_str() {
            "connect" => Self::Connect(Connect::parse(tokens, None)?),
            "resume" => {
                let other = tokens.word("a client")?;
                Self::Connect(Connect::parse(tokens, Some(other))?)
            }
            "setWatches" | "setWatches2" => {
                let since = Since::parse(tokens, "since")?.unwrap_or(Since::Zxid(0));
                Self::SetWatches(since, parse(&name, tokens)?)
            }
            "pipeline" => Self::Pipeline(many(tokens)?),
            "bytes" => Self::Bytes(hex(tokens)?),
            "mark" => Self::Mark(tokens.word("a name")?),
            "cut" => Self::Cut,
            "silent" => Self::Silent,
            _ => Self::Ask(parse(&name, tokens)?),
        })
    }
}

impl Connect {
    fn parse(tokens: &mut Tokens, resume: Option<String>) -> Result<Self, String> {
        let mut connect = Self {
            resume,
            ..Self::default()
        };
        if tokens.key("session") {
            connect.session_id = tokens.number("session id")?;
        }
        if tokens.key("timeout") {
            connect.timeout_ms = tokens.number("timeout")?;
        }
        if tokens.key("password") {
            connect.password = Password::Bytes(if tokens.flag("null") {
                None
            } else {
                Some(hex(tokens)?)
            });
        }
        if tokens.key("read-only") {
            connect.read_only = match tokens.word("yes or none")?.as_str() {
                "yes" => Some(true),
                "none" => None,
                word => return Err(format!("`{word}` is neither `yes` nor `none`")),
            };
        }
        if let Some(seen) = Since::parse(tokens, "seen")? {
            connect.seen = seen;
        }
        Ok(connect)
    }
}

impl Since {
    fn parse(tokens: &mut Tokens, key: &str) -> Result<Option<Self>, String> {
        if !tokens.key(key) {
            return Ok(None);
        }
        let word = tokens.word("a zxid, `seen` or a mark")?;
        Ok(Some(match word.parse() {
            Ok(zxid) => Self::Zxid(zxid),
            Err(_) if word == "seen" => Self::Seen,
            Err(_) => Self::Mark(word),
        }))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act { who, action } => write!(f, "{who}: {action}"),
            Self::Pass(span) => write!(f, "pass {}ms", span.as_millis()),
            Self::Restart => f.write_str("restart"),
            Self::FourLetterWord(word) => write!(f, "4lw {}", Text(word)),
            Self::Http(request) => {
                write!(f, "http {} {}", request.method, Text(&request.path))?;
                match &request.authorization {
                    Some(authorization) => write!(f, " {}", Text(authorization)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(connect) => connect.fmt(f),
            Self::Ask(request) => request.fmt(f),
            Self::SetWatches(since, request) => {
                let text = request.to_string();
                let (name, lists) = text.split_once(' ').unwrap_or((&text, ""));
                write!(f, "{name} since={since}")?;
                if lists.is_empty() {
                    Ok(())
                } else {
                    write!(f, " {lists}")
                }
            }
            Self::Pipeline(requests) => {
                f.write_str("pipeline")?;
                write_many(f, requests)
            }
            Self::Bytes(bytes) => {
                f.write_str("bytes ")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Mark(name) => write!(f, "mark {name}"),
            Self::Cut => f.write_str("cut"),
            Self::Silent => f.write_str("silent"),
        }
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resume {
            Some(other) => write!(f, "resume {other}")?,
            None => f.write_str("connect")?,
        }
        if self.session_id != 0 {
            write!(f, " session={}", self.session_id)?;
        }
        if self.timeout_ms != USUAL_TIMEOUT_MS {
            write!(f, " timeout={}", self.timeout_ms)?;
        }
        match &self.password {
            Password::Own => {}
            Password::Bytes(None) => f.write_str(" password=null")?,
            Password::Bytes(Some(bytes)) => {
                f.write_str(" password=")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        match self.read_only {
            Some(false) => {}
            Some(true) => f.write_str(" read-only=yes")?,
            None => f.write_str(" read-only=none")?,
        }
        if self.seen == Since::Zxid(0) {
            Ok(())
        } else {
            write!(f, " seen={}", self.seen)
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zxid(zxid) => write!(f, "{zxid}"),
            Self::Seen => f.write_str("seen"),
            Self::Mark(name) => f.write_str(name),
        }
    }
}

/// Formats bytes as in a script.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    Bytes(bytes).to_string()
}
