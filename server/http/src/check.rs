//! Checks of a request before it is routed: host, origin, token, content type, length.
//!
//! A page in a browser can send requests to this machine. It cannot choose their `Host` and `Origin`, and it cannot
//! send JSON or octets without asking first. So these three are checked, and a listener on loopback needs no password.

use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use crate::error::{Code, Failure};
use crate::reply::{JSON, OCTETS};

/// Conditions that every request of a listener must meet.
#[derive(Clone, Debug)]
pub(crate) struct Checks {
    /// Address that the listener is bound to.
    pub(crate) bound: IpAddr,
    /// Names in `Host` that are allowed besides those of this machine.
    pub(crate) hosts: Vec<String>,
    pub(crate) token: Option<String>,
    pub(crate) body_bytes: u64,
}

/// Content of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Json,
    Octets,
}

impl Checks {
    /// Checks the head of a request.
    ///
    /// # Errors
    ///
    /// If the request comes from a foreign page, lacks the token, or has a body that is too long.
    pub(crate) fn check(&self, head: &Parts) -> Result<(), Failure> {
        self.check_host(head)?;
        check_origin(&head.headers)?;
        self.check_token(&head.headers)?;
        let length = single(&head.headers, &CONTENT_LENGTH)?;
        match length.and_then(|text| text.parse::<u64>().ok()) {
            Some(length) if length > self.body_bytes => Err(self.too_large()),
            _ => Ok(()),
        }
    }

    pub(crate) fn too_large(&self) -> Failure {
        let most = self.body_bytes;
        Failure::new(
            Code::TooLarge,
            format!("the body is longer than {most} bytes"),
        )
    }

    fn check_host(&self, head: &Parts) -> Result<(), Failure> {
        let named = single(&head.headers, &HOST)?;
        let in_target = head
            .uri
            .authority()
            .map(hyper::http::uri::Authority::as_str);
        let Some(host) = named else {
            return Err(Failure::new(Code::Forbidden, "the request has no Host"));
        };
        for host in [Some(host), in_target].into_iter().flatten() {
            if !self.is_own(without_port(host)) {
                let message =
                    format!("the host {host:?} is not this machine's; use 127.0.0.1 or localhost");
                let name = without_port(host);
                return Err(Failure::new(Code::Forbidden, message)
                    .hint(format!("start it with --control-allow-host {name}")));
            }
        }
        Ok(())
    }

    /// Whether a host is this machine. A name must be known, since the owner of any other name can point it here; an
    /// address cannot be pointed elsewhere.
    fn is_own(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse::<IpAddr>() {
            return address.is_loopback() || self.bound.is_unspecified() || address == self.bound;
        }
        host.eq_ignore_ascii_case("localhost")
            || self
                .hosts
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let sent = single(headers, &AUTHORIZATION)?;
        let sent = sent.and_then(|sent| {
            let (scheme, sent) = sent.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(sent.trim())
        });
        match sent {
            Some(sent) if is_same(sent.as_bytes(), token.as_bytes()) => Ok(()),
            Some(_) => Err(Failure::new(Code::Unauthorized, "the token is wrong")),
            None => Err(Failure::new(
                Code::Unauthorized,
                "the server needs a token: send `Authorization: Bearer TOKEN`",
            )),
        }
    }
}

/// Compares without a hint, by the time it takes, at the first byte that differs.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

fn check_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(origin) = single(headers, &ORIGIN)? else {
        return Ok(());
    };
    let host = single(headers, &HOST)?.unwrap_or_default();
    let is_own = origin
        .strip_prefix("http://")
        .is_some_and(|own| own.eq_ignore_ascii_case(host));
    if is_own {
        return Ok(());
    }
    let message = format!("a page of {origin:?} cannot use this server");
    Err(Failure::new(Code::Forbidden, message))
}

/// Returns the kind of the body. A request that changes something must say it, since a page of any site can send a form
/// or plain text without asking.
///
/// # Errors
///
/// If the content type is not one of these.
pub(crate) fn body_kind(head: &Parts) -> Result<BodyKind, Failure> {
    let sent = single(&head.headers, &CONTENT_TYPE)?;
    let essence = sent.map(|sent| sent.split(';').next().unwrap_or_default().trim());
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case(JSON) => Ok(BodyKind::Json),
        Some(essence) if essence.eq_ignore_ascii_case(OCTETS) => Ok(BodyKind::Octets),
        _ if head.method != Method::POST && head.method != Method::PUT => Ok(BodyKind::Json),
        _ => Err(Failure::new(
            Code::UnsupportedMediaType,
            match sent {
                Some(sent) => format!("the content type {sent:?} is not accepted"),
                None => "the request has no content type".to_owned(),
            },
        )
        .hint("send `Content-Type: application/json`, also without a body")),
    }
}

/// Returns the value of a header that may be there once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str();
    match (text, values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        (Err(_), _) => Err(Failure::bad_request(format!("{name} is not text"))),
        (Ok(_), Some(_)) => Err(Failure::bad_request(format!("{name} is there twice"))),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}
