//! A root for every case, applied like a client's chroot: added to the paths of requests and removed from those
//! of answers.

use crate::client::{Answer, Event, MultiResult, Request};

/// The path of the case's root; empty for the server's own root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chroot(String);

const QUOTA: &str = "/zookeeper/quota";

impl Chroot {
    /// Creates a root such as `/case-7`.
    #[must_use]
    pub fn new(path: String) -> Self {
        Self(path)
    }

    /// Returns the root's path on the server.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the server's path for a path of the case. Paths under `/zookeeper` belong to the server and stay
    /// unchanged, except for quotas, which belong to the case's paths.
    #[must_use]
    pub fn outside(&self, path: &str) -> String {
        match path.strip_prefix(QUOTA) {
            _ if self.0.is_empty() => path.to_owned(),
            Some(rest) if rest.starts_with('/') => format!("{QUOTA}{}{rest}", self.0),
            _ if path.starts_with("/zookeeper") => path.to_owned(),
            _ if path == "/" => self.0.clone(),
            _ => format!("{}{path}", self.0),
        }
    }

    /// Returns the case's path for a path of the server.
    #[must_use]
    pub fn inside(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let (quota, rest) = match path.strip_prefix(QUOTA) {
            Some(rest) => (QUOTA, rest),
            None => ("", path),
        };
        match rest.strip_prefix(&self.0) {
            Some("") if quota.is_empty() => "/".to_owned(),
            Some(rest) => format!("{quota}{rest}"),
            None => path.to_owned(),
        }
    }

    /// Replaces the server's paths in a text.
    #[must_use]
    pub fn in_text(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&format!("{}/", self.0), "/")
                .replace(&self.0, "/")
        }
    }

    /// Returns the request with the server's paths.
    #[must_use]
    pub fn request(&self, request: &Request) -> Request {
        let mut request = request.clone();
        self.enter(&mut request);
        request
    }

    fn enter(&self, request: &mut Request) {
        match request {
            Request::Create { path, .. }
            | Request::Delete { path, .. }
            | Request::DeleteContainer { path }
            | Request::Exists { path, .. }
            | Request::GetData { path, .. }
            | Request::SetData { path, .. }
            | Request::GetAcl { path }
            | Request::SetAcl { path, .. }
            | Request::GetChildren { path, .. }
            | Request::GetChildren2 { path, .. }
            | Request::Sync { path }
            | Request::Check { path, .. }
            | Request::CheckWatches { path, .. }
            | Request::RemoveWatches { path, .. }
            | Request::GetEphemerals { prefix: path }
            | Request::GetAllChildrenNumber { path }
            | Request::AddWatch { path, .. } => *path = self.outside(path),
            Request::Multi(requests) | Request::MultiRead(requests) => {
                requests.iter_mut().for_each(|request| self.enter(request));
            }
            Request::SetWatches {
                data, exist, child, ..
            } => self.enter_all([data, exist, child]),
            Request::SetWatches2 {
                data,
                exist,
                child,
                persistent,
                recursive,
                ..
            } => self.enter_all([data, exist, child, persistent, recursive]),
            Request::Ping
            | Request::Reconfig { .. }
            | Request::Auth { .. }
            | Request::Sasl { .. }
            | Request::WhoAmI
            | Request::CloseSession
            | Request::Raw { .. } => {}
        }
    }

    fn enter_all<const N: usize>(&self, lists: [&mut Vec<String>; N]) {
        for path in lists.into_iter().flatten() {
            *path = self.outside(path);
        }
    }

    /// Replaces the paths of an answer by the case's paths.
    pub fn answer(&self, answer: &mut Answer) {
        match answer {
            Answer::Path(Some(path)) | Answer::PathStat(path, _) => *path = self.inside(path),
            Answer::Ephemerals(paths) => {
                for path in paths {
                    *path = self.inside(path);
                }
            }
            Answer::Multi(results) => results.iter_mut().for_each(|result: &mut MultiResult| {
                if let Some(answer) = &mut result.answer {
                    self.answer(answer);
                }
            }),
            Answer::Path(None)
            | Answer::Stat(_)
            | Answer::Data(..)
            | Answer::Acl(..)
            | Answer::Children(_)
            | Answer::ChildrenStat(..)
            | Answer::Token(_)
            | Answer::Number(_)
            | Answer::Error(_)
            | Answer::Identities(_) => {}
        }
    }

    /// Replaces the path of an event by the case's path.
    pub fn event(&self, event: &mut Event) {
        event.path = self.inside(&event.path);
    }
}

#[cfg(test)]
mod tests {
    use super::Chroot;

    #[track_caller]
    fn check(inside: &str, outside: &str) {
        let chroot = Chroot::new("/case-7".to_owned());
        assert_eq!(chroot.outside(inside), outside);
        assert_eq!(chroot.inside(outside), inside);
    }

    #[test]
    fn a_path_is_the_same_after_both_conversions() {
        check("/", "/case-7");
        check("/a", "/case-7/a");
        check("/zookeeper/config", "/zookeeper/config");
        check("/zookeeper/quota", "/zookeeper/quota");
        check("/zookeeper/quota/a", "/zookeeper/quota/case-7/a");
    }
}
