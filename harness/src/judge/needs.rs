//! Requirements of a case, derived from its headers and steps.

use crate::backend::{Backend, Capability, ServerSetup};
use crate::client::{CreateKind, Request};
use crate::script::{Action, Step};
use crate::suite::Case;

/// Shortest session timeout that a server with ticks of 500 ms grants: two ticks.
const SHORTEST_TIMEOUT_MS: i32 = 1000;

/// The permission to change an ACL.
const ADMIN: i32 = 16;

/// Returns the first capability that the case needs and the server lacks.
pub(super) fn lack(case: &Case, backend: &dyn Backend) -> Option<String> {
    if let Some(version) = backend.version()
        && let Some(since) = case.too_new_for(&version)
    {
        return Some(format!("needs ZooKeeper {since}"));
    }
    needs(case, backend.run_id().is_some())
        .into_iter()
        .find(|&need| !backend.supports(need))
        .map(|need| format!("needs {need}"))
}

/// On a server that the harness does not own, a case must not change its own root.
fn needs(case: &Case, foreign: bool) -> Vec<Capability<'_>> {
    let headers = &case.headers;
    let mut needs = Vec::new();
    if headers.restart {
        needs.push(Capability::Restart);
    }
    if headers.virgin || headers.server != ServerSetup::Usual || (headers.bare && foreign) {
        needs.push(Capability::Setup);
    }
    let mut steps = case.script().map_or(&[][..], |script| &script.steps).iter();
    if steps.any(|step| matches!(step, Step::Http(_))) {
        needs.push(Capability::Http);
    }
    if headers.server != ServerSetup::Usual {
        // The server is set up for the case, which may be about the missing capability.
        return needs;
    }
    for step in case.script().map_or(&[][..], |script| &script.steps) {
        match step {
            // The answer depends on the configuration of the server.
            Step::FourLetterWord(word) if foreign && word == "conf" => {
                needs.push(Capability::Setup);
            }
            Step::FourLetterWord(word) => needs.push(Capability::FourLetterWord(word)),
            Step::Act { action, .. } => of_action(action, foreign, &mut needs),
            // The length of a tick determines when something falls due.
            Step::Pass(_) if foreign => needs.push(Capability::Timeout(SHORTEST_TIMEOUT_MS)),
            Step::Pass(_) | Step::Restart | Step::Http(_) => {}
        }
    }
    needs
}

fn of_action<'a>(action: &'a Action, foreign: bool, needs: &mut Vec<Capability<'a>>) {
    if let Action::Connect(connect) = action {
        needs.push(Capability::Timeout(connect.timeout_ms));
    } else if let Action::Ask(request) | Action::SetWatches(_, request) = action {
        of_request(request, foreign, needs);
    } else if let Action::Pipeline(requests) = action {
        for request in requests {
            of_request(request, foreign, needs);
        }
    }
}

fn of_request(request: &Request, foreign: bool, needs: &mut Vec<Capability<'_>>) {
    if let Request::Multi(requests) = request {
        for request in requests {
            of_request(request, foreign, needs);
        }
    }
    if let Request::Create {
        kind: CreateKind::Ttl { .. },
        ..
    } = request
    {
        needs.push(Capability::TtlZnodes);
    }
    if let Request::Auth { auth, .. } = request
        && auth.starts_with(b"super:")
    {
        needs.push(Capability::SuperUser);
    }
    // Only the super user can delete the children of such a znode.
    if let Request::Create {
        kind: CreateKind::Create | CreateKind::Create2 | CreateKind::Container,
        acl,
        ..
    }
    | Request::SetAcl { acl, .. } = request
        && foreign
        && !acl.is_empty()
        && acl.iter().all(|entry| entry.perms & ADMIN == 0)
    {
        needs.push(Capability::SuperUser);
    }
}

#[cfg(test)]
mod tests {
    use super::needs;
    use crate::backend::Capability;
    use crate::suite::Chapter;

    #[track_caller]
    fn check(script: &str, expected: &[Capability<'_>]) {
        let chapter = Chapter::parse("needs", &format!("# Needs\n\n== 1 a case\n{script}"));
        let chapter = chapter.expect("a chapter");
        let case = chapter.cases.first().expect("a case");
        assert_eq!(needs(case, true), expected);
    }

    #[test]
    fn the_needs_of_a_script_follow_from_its_steps() {
        check("a: create /x null\n", &[]);
        check(
            "a: connect timeout=1000\n4lw ruok\n",
            &[
                Capability::Timeout(1000),
                Capability::FourLetterWord("ruok"),
            ],
        );
        check(
            "a: multi [createTTL /t null ttl=1000]\na: auth digest \"super:test\"\n",
            &[Capability::TtlZnodes, Capability::SuperUser],
        );
        check(
            "a: setACL / acl=[r world anyone]\n",
            &[Capability::SuperUser],
        );
        check("needs: restart\nrestart\n", &[Capability::Restart]);
        check("bare\na: exists /\n", &[Capability::Setup]);
        check("server: shipped\n4lw ruok\n", &[Capability::Setup]);
    }
}
