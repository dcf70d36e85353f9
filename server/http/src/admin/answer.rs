//! Answers to requests, as a real server gives them.

use std::net::IpAddr;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use hyper::{Method, Response, StatusCode};
use minikeeper::admin::{Admin, Denied};
use minikeeper::ensemble::Mode;

use super::AdminSettings;
use super::command::Command;
use super::files;
use super::json::Json;
use super::rate::RateLimiter;
use super::reports::{self, Data};
use crate::body::Body;
use crate::query;
use crate::reply::{JSON, OCTETS};

/// A request, as far as commands depend on it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) authorization: Option<String>,
    /// Address of the client.
    pub(super) peer: IpAddr,
    pub(super) body: Vec<u8>,
}

/// Answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    /// `None` where Jetty sends no type.
    content_type: Option<&'static str>,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

const PAGE: &str = "text/html;charset=iso-8859-1";
const LAST_ZXID: HeaderName = HeaderName::from_static("last_zxid");
const SNAPSHOT_SIZE: HeaderName = HeaderName::from_static("snapshot_size");

impl Answer {
    fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: None,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn json(status: StatusCode, data: Data, command: &str, error: Option<&str>) -> Self {
        let has_error = data.iter().any(|(key, _)| key == "error");
        let mut members = data;
        members.push(("command".to_owned(), command.into()));
        // An error that a command puts into its data takes the place of the other one.
        if !has_error {
            let error = error.map_or(Json::Null, Json::from);
            members.push(("error".to_owned(), error));
        }
        Self {
            content_type: Some(JSON),
            body: Json::Object(members).to_string().into_bytes(),
            ..Self::empty(status)
        }
    }

    fn page(status: StatusCode, text: &str) -> Self {
        let title = format!("Error {status}");
        Self {
            content_type: Some(PAGE),
            body: format!("<html><title>{title}</title><h2>{title}</h2><p>{text}</p></html>\n")
                .into_bytes(),
            ..Self::empty(status)
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::whole(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let product = concat!("minikeeper/", env!("CARGO_PKG_VERSION"));
        headers.insert(SERVER, HeaderValue::from_static(product));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Everything that answers depend on.
#[derive(Debug)]
pub(super) struct Answers {
    admin: Admin,
    settings: AdminSettings,
    snapshots: RateLimiter,
    restores: RateLimiter,
}

impl Answers {
    pub(super) fn new(admin: Admin, settings: AdminSettings) -> Self {
        let (interval, now) = (settings.rate_limiter_interval, admin.now());
        Self {
            admin,
            settings,
            // SnapshotCommand reads the milliseconds of the setting as microseconds.
            snapshots: RateLimiter::new(interval / 1000, now),
            restores: RateLimiter::new(interval, now),
        }
    }

    /// Whether the body of a request is read: the snapshot of a `restore` that may be carried out.
    pub(super) fn reads_body(&self, asked: &Asked) -> bool {
        let command = self.name(&asked.path).and_then(Command::of);
        let is_restore = asked.method == Method::POST && command == Some(Command::Restore);
        is_restore
            && self.settings.restore_enabled
            && self.settings.serializes_last_zxid
            && self.refusal(Command::Restore, asked).is_none()
    }

    /// Answers a request: `JettyAdminServer.CommandServlet`.
    pub(super) fn answer(&self, asked: &Asked) -> Answer {
        let Some(name) = self.name(&asked.path) else {
            let text = format!("the commands are below {}", self.settings.command_url);
            return Answer::page(StatusCode::NOT_FOUND, &text);
        };
        match asked.method {
            Method::GET | Method::HEAD | Method::POST => {}
            Method::OPTIONS => {
                let mut answer = Answer::empty(StatusCode::OK);
                let methods = "GET, HEAD, POST, TRACE, OPTIONS".to_owned();
                answer.headers.push((ALLOW, methods));
                return answer;
            }
            Method::PUT | Method::DELETE => return Answer::empty(StatusCode::METHOD_NOT_ALLOWED),
            Method::TRACE => return Answer::empty(StatusCode::FORBIDDEN),
            _ => return Answer::empty(StatusCode::NOT_IMPLEMENTED),
        }
        if name.is_empty() {
            return self.links();
        }
        let Some(command) = Command::of(name) else {
            let error = format!("Unknown command: {name}");
            return Answer::json(StatusCode::OK, Data::new(), name, Some(&error));
        };
        if command.needs_server() && !self.is_serving() {
            let error = "This ZooKeeper instance is not currently serving requests";
            return Answer::json(StatusCode::OK, Data::new(), name, Some(error));
        }
        if let Some((status, error)) = self.refusal(command, asked) {
            return Answer::json(status, Data::new(), name, Some(error));
        }
        if command.is_post() != (asked.method == Method::POST) {
            // A real server answers with a page about a NullPointerException.
            let method = if command.is_post() { "POST" } else { "GET" };
            let text = format!("send {} with {method}", command.name());
            let mut answer = Answer::page(StatusCode::METHOD_NOT_ALLOWED, &text);
            answer.headers.push((ALLOW, method.to_owned()));
            return answer;
        }
        self.carry_out(command, asked)
    }

    /// Returns the part of a path after the path of the commands: empty for the list of commands, `None` for a path
    /// elsewhere.
    fn name<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.settings.command_url.as_str())?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/')
        }
    }

    fn is_serving(&self) -> bool {
        !matches!(self.admin.mode(), Mode::Stopped | Mode::NotServing)
    }

    fn links(&self) -> Answer {
        let url = &self.settings.command_url;
        let links = Command::names()
            .into_iter()
            .map(|name| format!("<a href=\"{url}/{name}\">{name}</a>\n<br/>\n"));
        Answer {
            body: links.collect::<String>().into_bytes(),
            ..Answer::empty(StatusCode::OK)
        }
    }

    /// Returns the refusal of a caller without valid credentials: `Commands.handleAuthentication`.
    fn refusal(&self, command: Command, asked: &Asked) -> Option<(StatusCode, &'static str)> {
        if !command.needs_authorization() {
            return None;
        }
        let unauthenticated = (StatusCode::UNAUTHORIZED, "Not authenticated");
        let Some(text) = asked
            .authorization
            .as_deref()
            .filter(|text| !text.is_empty())
        else {
            let error = "Auth info is missing for the command";
            return Some((StatusCode::UNAUTHORIZED, error));
        };
        // Java's split drops empty pieces at the end.
        let mut pieces = text.trim_end_matches(' ').split(' ');
        let (scheme, credentials) = (pieces.next().unwrap_or_default(), pieces.next());
        if pieces.next().is_some() {
            return Some(unauthenticated);
        }
        let checked = self.admin.authorize(asked.peer, scheme, credentials);
        if checked.err()? == Denied::NotAuthenticated {
            return Some(unauthenticated);
        }
        Some((StatusCode::FORBIDDEN, "Not authorized"))
    }

    // Longer than 60 lines: one arm for each command.
    fn carry_out(&self, command: Command, asked: &Asked) -> Answer {
        let admin = &self.admin;
        let data = match command {
            Command::ConnectionStatReset => {
                admin.reset_connections();
                Data::new()
            }
            Command::Configuration => reports::configuration(admin),
            Command::Connections => reports::connections(admin),
            Command::Dirs => reports::dirs(admin),
            Command::Dump => reports::dump(admin),
            Command::Environment => reports::environment(admin),
            Command::GetTraceMask => vec![trace_mask(admin.trace_mask())],
            Command::Hash => reports::hash(admin),
            Command::InitialConfiguration => {
                let text = self.settings.initial_configuration.clone();
                let text = text.map_or(Json::Null, Json::from);
                vec![("initial_configuration".to_owned(), text)]
            }
            Command::IsReadOnly => reports::is_read_only(admin),
            Command::LastSnapshot => reports::last_snapshot(admin),
            Command::Leader => reports::leader(admin),
            Command::Monitor => reports::monitor(admin),
            // There are no observers.
            Command::ObserverConnectionStatReset | Command::Ruok => Data::new(),
            Command::Observers => reports::observers(),
            Command::Restore => return self.restore(&asked.body),
            Command::ServerStats => reports::server_stats(admin),
            Command::SetTraceMask => set_trace_mask(admin, &asked.query),
            Command::Snapshot => return self.snapshot(&asked.query),
            Command::StatReset => {
                admin.reset();
                Data::new()
            }
            Command::Stats => reports::stats(admin),
            Command::SystemProperties => self.system_properties(),
            Command::VotingView => reports::voting_view(admin),
            Command::Watches => reports::watches(admin),
            Command::WatchesByPath => reports::watches_by_path(admin),
            Command::WatchSummary => reports::watch_summary(admin),
            Command::ZabState => reports::zab_state(admin),
        };
        Answer::json(StatusCode::OK, data, command.name(), None)
    }

    /// Properties of the machine that Java has too, and those that the user has set.
    fn system_properties(&self) -> Data {
        let environment = self.admin.environment().pairs().into_iter();
        let of_machine = environment.filter(|(key, value)| {
            let is_shared = key.starts_with("os.") || key.starts_with("user.");
            (is_shared || *key == "java.io.tmpdir")
                && !key.starts_with("os.memory")
                && value != "<NA>"
        });
        let mut properties: Vec<(String, String)> = of_machine
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        for (key, value) in [
            ("file.encoding", "UTF-8"),
            ("file.separator", "/"),
            ("line.separator", "\n"),
            ("path.separator", ":"),
        ] {
            properties.push((key.to_owned(), value.to_owned()));
        }
        properties.extend(self.settings.system_properties.iter().cloned());
        properties.sort_unstable();
        let properties = properties.into_iter();
        properties.map(|(key, value)| (key, value.into())).collect()
    }

    /// `SnapshotCommand.runGet`.
    fn snapshot(&self, query: &str) -> Answer {
        let name = Command::Snapshot.name();
        let refused = self.switched_off(self.settings.snapshot_enabled, &self.snapshots);
        if let Some(status) = refused {
            return Answer::json(status, Data::new(), name, None);
        }
        let snapshot = self.admin.snapshot();
        let bytes = match files::bytes_of(&snapshot) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!("the AdminServer cannot write a snapshot: {error}");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Answer::json(status, Data::new(), name, None);
            }
        };
        let size = bytes.len();
        // Boolean.parseBoolean: everything but `true` is false.
        let streams =
            parameter(query, "streaming").is_none_or(|text| text.eq_ignore_ascii_case("true"));
        let mut answer = if streams {
            Answer {
                content_type: Some(OCTETS),
                body: bytes,
                ..Answer::empty(StatusCode::OK)
            }
        } else {
            Answer::json(StatusCode::OK, Data::new(), name, None)
        };
        let zxid = format!("0x{:x}", snapshot.zxid().0);
        answer.headers.push((LAST_ZXID, zxid));
        answer.headers.push((SNAPSHOT_SIZE, size.to_string()));
        answer
    }

    /// `RestoreCommand.runPost`.
    fn restore(&self, bytes: &[u8]) -> Answer {
        let name = Command::Restore.name();
        let refused = self.switched_off(self.settings.restore_enabled, &self.restores);
        if let Some(status) = refused {
            return Answer::json(status, Data::new(), name, None);
        }
        let restored = files::snapshot_of(bytes)
            .map_err(|error| error.to_string())
            .and_then(|snapshot| {
                let restored = self.admin.restore(&snapshot);
                restored.map_err(|error| error.to_string())?;
                Ok(snapshot.zxid())
            });
        match restored {
            Ok(zxid) => {
                let data = vec![("last_zxid".to_owned(), Json::number(zxid.0))];
                Answer::json(StatusCode::OK, data, name, None)
            }
            Err(error) => {
                tracing::warn!("the AdminServer cannot restore the snapshot: {error}");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Answer::json(status, Data::new(), name, None)
            }
        }
    }

    /// Returns the status of a command that is switched off, or that was carried out a short while ago.
    fn switched_off(&self, is_enabled: bool, limiter: &RateLimiter) -> Option<StatusCode> {
        if !is_enabled {
            Some(StatusCode::SERVICE_UNAVAILABLE)
        } else if !self.settings.serializes_last_zxid {
            Some(StatusCode::INTERNAL_SERVER_ERROR)
        } else if !limiter.allows(self.admin.now()) {
            tracing::warn!(
                "the AdminServer carries out this command once in its rate limit's interval"
            );
            Some(StatusCode::TOO_MANY_REQUESTS)
        } else {
            None
        }
    }
}

fn trace_mask(mask: i64) -> (String, Json) {
    ("tracemask".to_owned(), Json::number(mask))
}

fn set_trace_mask(admin: &Admin, query: &str) -> Data {
    let error = |text: String| vec![("error".to_owned(), Json::from(text))];
    let requires = "setTraceMask requires long traceMask argument";
    let Some(text) = parameter(query, "traceMask") else {
        return error(requires.to_owned());
    };
    let Ok(mask) = text.parse() else {
        return error(format!("{requires}, got {text}"));
    };
    admin.set_trace_mask(mask);
    vec![trace_mask(mask)]
}

/// Returns the first value of a query parameter.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| query::decode(&text.replace('+', " ")).ok();
        Some((decode(name)?, decode(value)?))
    });
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
}
