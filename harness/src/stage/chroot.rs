//! A root of its own for every case, as a client's chroot: put before the paths of requests, taken off those of answers.

use crate::client::{Answer, Event, MultiResult, Request};

/// The path under which a case plays; empty for the server's own root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chroot(String);

const QUOTA: &str = "/zookeeper/quota";

impl Chroot {
    /// Such as `/case-7`.
    #[must_use]
    pub fn new(path: String) -> Self {
        Self(path)
    }

    /// The root itself, as the server knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path of the case as the server knows it. What ZooKeeper keeps under `/zookeeper` is the server's, but for
    /// quotas, which are those of the case's paths.
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

    /// A path of the server as the case knows it.
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

    /// A text in which paths of the server may stand.
    #[must_use]
    pub fn in_text(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&format!("{}/", self.0), "/")
                .replace(&self.0, "/")
        }
    }

    /// A request as the server is to have it.
    #[must_use]
    pub fn request(&self, request: &Request) -> Request {
        let mut request = request.clone();
        self.enter(&mut request);
        request
    }

    fn enter(&self, request: &mut Request) {
        match request {
            Request::Create { path, .. }
            | Request::Create2 { path, .. }
            | Request::CreateContainer { path, .. }
            | Request::CreateTtl { path, .. }
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

    /// An answer as the case is to have it.
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

    /// An event as the case is to have it.
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
    fn a_path_goes_out_and_comes_back() {
        check("/", "/case-7");
        check("/a", "/case-7/a");
        check("/zookeeper/config", "/zookeeper/config");
        check("/zookeeper/quota", "/zookeeper/quota");
        check("/zookeeper/quota/a", "/zookeeper/quota/case-7/a");
    }
}
