//! Makes drawn steps valid: connects a client without a connection before its next step, and removes steps that
//! are impossible. So every step of a sequence has an effect, however the sequence is shrunk.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::lethal::is_lethal;
use crate::client::{CreateKind, Request, op};
use crate::script::{Action, Connect, Password, Since, Step};

/// State of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    Connected,
    /// The connection is gone, and the session is not.
    Cut,
    /// The session has ended, or another client has taken it over.
    Gone,
}

#[derive(Default)]
struct Repair {
    clients: HashMap<String, (ClientState, i32)>,
    marks: HashSet<String>,
    steps: Vec<Step>,
}

/// Returns the steps of a sequence, phase by phase, with a wait of `span` between two phases.
pub(super) fn sensible(phases: &[Vec<Step>], span: Duration) -> Vec<Step> {
    let mut repair = Repair::default();
    for (at, phase) in phases.iter().enumerate() {
        if at > 0 {
            repair.steps.push(Step::Pass(span));
            repair.pass(span);
        }
        for step in phase {
            if let Step::Act { who, action } = step {
                repair.act(who, action.clone());
            }
        }
    }
    repair.steps
}

impl Repair {
    fn act(&mut self, who: &str, mut action: Action) {
        if is_removed(&action) {
            return;
        }
        let state = self.clients.get(who).map(|&(state, _)| state);
        match &mut action {
            Action::Connect(connect) => {
                self.connect(who, connect.clone());
                return;
            }
            Action::Cut if state != Some(ClientState::Connected) => return,
            Action::SetWatches(since, _) => {
                if let Since::Mark(name) = since
                    && !self.marks.contains(name)
                {
                    *since = Since::Seen;
                }
            }
            Action::Mark(name) => {
                self.marks.insert(name.clone());
            }
            Action::Ask(_)
            | Action::Pipeline(_)
            | Action::Bytes(_)
            | Action::Cut
            | Action::Silent => {}
        }
        match state {
            None => {
                self.clients
                    .insert(who.to_owned(), (ClientState::Connected, 10_000));
            }
            Some(ClientState::Connected) => {}
            Some(ClientState::Cut) => self.connect(
                who,
                Connect {
                    resume: Some(who.to_owned()),
                    seen: Since::Seen,
                    ..Connect::default()
                },
            ),
            Some(ClientState::Gone) => self.connect(who, Connect::default()),
        }
        let after = after(&action);
        self.push(who, action);
        self.set_state(who, after);
    }

    fn connect(&mut self, who: &str, connect: Connect) {
        if connect.resume.is_some() && connect.session_id != 0 {
            return;
        }
        let own = self.clients.get(who).map(|&(state, _)| state);
        let mut timeout_ms = connect.timeout_ms;
        let (mine, others) = match &connect.resume {
            None if connect.session_id != 0 => (ClientState::Gone, None),
            // A session without pings would be abandoned.
            None if own == Some(ClientState::Connected) => return,
            None => (ClientState::Connected, None),
            Some(other) => {
                let Some(&(state, timeout)) = self.clients.get(other) else {
                    return;
                };
                if other != who && own.is_some() && own != Some(ClientState::Gone) {
                    return;
                }
                if state == ClientState::Gone {
                    timeout_ms = timeout;
                    (ClientState::Gone, None)
                } else if connect.password == Password::Own {
                    (
                        ClientState::Connected,
                        Some((other.clone(), ClientState::Gone)),
                    )
                } else if other == who {
                    return;
                } else {
                    (ClientState::Gone, Some((other.clone(), ClientState::Cut)))
                }
            }
        };
        if let Some((other, state)) = others {
            self.set_state(&other, state);
        }
        self.clients.insert(who.to_owned(), (mine, timeout_ms));
        self.push(who, Action::Connect(connect));
    }

    fn pass(&mut self, span: Duration) {
        for (state, timeout_ms) in self.clients.values_mut() {
            let timeout = Duration::from_millis(u64::try_from(*timeout_ms).unwrap_or(0));
            if *state == ClientState::Cut && timeout < span {
                *state = ClientState::Gone;
            }
        }
    }

    fn set_state(&mut self, who: &str, state: ClientState) {
        if let Some(client) = self.clients.get_mut(who) {
            client.0 = state;
        }
    }

    fn push(&mut self, who: &str, action: Action) {
        let who = who.to_owned();
        self.steps.push(Step::Act { who, action });
    }
}

fn is_removed(action: &Action) -> bool {
    let removed = |request: &Request| is_lethal(request) || leaves_root(request);
    match action {
        Action::Ask(request) | Action::SetWatches(_, request) => removed(request),
        Action::Pipeline(requests) => requests.iter().any(|r| removed(r) || is_seen_late(r)),
        Action::Connect(_) | Action::Bytes(_) | Action::Mark(_) | Action::Cut | Action::Silent => {
            false
        }
    }
}

/// Whether a real server misjudges the request until it executes it, so that the outcome of requests sent with
/// it is random: a container whose flags say ephemeral can have no children until then.
fn is_seen_late(request: &Request) -> bool {
    matches!(
        request,
        Request::Create {
            kind: CreateKind::Container,
            flags: 1 | 3,
            ..
        }
    )
}

/// Whether the request creates a znode next to the root of the sequence, where other sequences are numbered
/// too.
fn leaves_root(request: &Request) -> bool {
    if let Request::Multi(requests) = request {
        return requests.iter().any(leaves_root);
    }
    let Request::Create { path, flags, .. } = request else {
        return false;
    };
    let is_numbered = matches!(flags, 2 | 3 | 6);
    let is_the_servers = path == "/" || path.starts_with("/zookeeper");
    let is_a_quota = path.starts_with("/zookeeper/quota/");
    !path.starts_with('/') || is_numbered && is_the_servers && !is_a_quota
}

/// Returns the state of a client after an action.
fn after(action: &Action) -> ClientState {
    match action {
        Action::Cut | Action::Bytes(_) => ClientState::Cut,
        Action::Ask(Request::CloseSession) => ClientState::Gone,
        Action::Ask(Request::Check { .. } | Request::Sasl { .. }) => ClientState::Cut,
        Action::Ask(Request::Auth { scheme, .. }) if scheme != "digest" && scheme != "ip" => {
            ClientState::Cut
        }
        Action::Ask(Request::Raw { op, .. }) if op::name(*op) == "unknown" || *op == op::CHECK => {
            ClientState::Cut
        }
        Action::Ask(_)
        | Action::SetWatches(..)
        | Action::Pipeline(_)
        | Action::Connect(_)
        | Action::Mark(_)
        | Action::Silent => ClientState::Connected,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::sensible;
    use crate::script::Script;

    #[track_caller]
    fn check(drawn: &str, made: &str) {
        let phases: Vec<_> = drawn
            .split("--\n")
            .map(|phase| phase.parse::<Script>().expect("steps").steps)
            .collect();
        let lines: Vec<String> = sensible(&phases, Duration::from_secs(3))
            .iter()
            .map(|step| format!("{step}\n"))
            .collect();
        assert_eq!(lines.concat(), made);
    }

    #[test]
    fn a_client_that_lost_its_connection_gets_one() {
        check(
            "a: cut\na: whoAmI\na: cut\na: whoAmI\na: closeSession\na: whoAmI\n",
            "a: whoAmI\na: cut\na: resume a seen=seen\na: whoAmI\na: closeSession\na: connect\na: whoAmI\n",
        );
    }

    #[test]
    fn a_step_names_only_known_clients_and_marks() {
        check(
            "b: resume a\na: setWatches since=m data=[/a]\na: mark m\na: setWatches since=m data=[/a]\n",
            "a: setWatches since=seen data=[/a]\na: mark m\na: setWatches since=m data=[/a]\n",
        );
    }

    #[test]
    fn a_session_belongs_to_the_client_that_took_it_over() {
        check(
            "a: whoAmI\nb: resume a\na: whoAmI\n",
            "a: whoAmI\nb: resume a\na: connect\na: whoAmI\n",
        );
    }

    #[test]
    fn phases_are_separated_by_waits_and_lethal_requests_are_removed() {
        check(
            "a: deleteContainer /a\na: whoAmI\n--\na: whoAmI\n",
            "a: whoAmI\npass 3000ms\na: whoAmI\n",
        );
    }
}
