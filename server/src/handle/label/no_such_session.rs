//! Error for a session that the server does not have.

use crate::keeper::Sessions;

/// Reason why a session cannot be muted, returned or expired: the server does not have it, or a label does not
/// identify one session.
///
/// ```
/// use minikeeper::SessionId;
///
/// let server = minikeeper::Server::start()?;
/// let refused = server.try_mute(SessionId(7)).unwrap_err();
/// assert_eq!(refused.to_string(), "there is no session 0x7; the server has no session now");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoSuchSession {
    message: String,
}

impl NoSuchSession {
    pub(in crate::handle) fn new(message: String) -> Self {
        Self { message }
    }
}

/// Maximum number of sessions that a message lists; more are only counted.
const MOST_NAMED: usize = 20;

/// Sessions of the server, in words.
pub(in crate::handle) fn in_words(sessions: &Sessions) -> String {
    match sessions.len() {
        0 => "the server has no session now".to_owned(),
        1..=MOST_NAMED => {
            let sorted = sessions.sorted().into_iter();
            let all: Vec<String> = sorted.map(|(id, _)| id.to_string()).collect();
            format!("the server has {}", all.join(", "))
        }
        count => format!("the server has {count} others"),
    }
}
