//! Identities, ACLs as clients send them, and the check of a permission.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use sha1::Digest;

use super::acl_table::AclId;
use super::{Rules, java};
use crate::config::DigestAlgorithm;
use crate::protocol::{Acl, AclEntry, AuthId, ErrorCode, Permissions, open_acl, unlisted_number};

/// The id that passes every check.
fn super_id() -> AuthId {
    AuthId::new("super", "")
}

/// Returns the id of every connection from `address`.
pub(super) fn ip_id(address: IpAddr) -> AuthId {
    AuthId::new("ip", java_text(address))
}

/// Formats an address as Java does: an IPv6 address as eight groups, without `::`.
fn java_text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => address
                .segments()
                .map(|group| format!("{group:x}"))
                .join(":"),
        },
    }
}

/// `Id.hashCode`.
fn java_hash(id: &AuthId) -> i32 {
    [&id.scheme, &id.id].iter().fold(17_i32, |hash, text| {
        hash.wrapping_mul(37).wrapping_add(java::hash(text))
    })
}

/// Returns the ids that an auth packet adds, or a refusal: the scheme is unknown or switched off.
pub(super) fn authenticate(
    rules: &Rules,
    address: IpAddr,
    scheme: Option<&str>,
    auth: Option<&str>,
) -> Result<Vec<AuthId>, ErrorCode> {
    match scheme {
        Some("ip") => Ok(vec![ip_id(address)]),
        Some("digest") if rules.digest_auth => {
            let text = auth.ok_or(ErrorCode::AuthFailed)?;
            let digest = digest_of(rules.digest_algorithm, text);
            let mut ids = Vec::with_capacity(2);
            if rules.super_digest.as_deref() == Some(&digest) {
                ids.push(super_id());
            }
            ids.push(AuthId::new("digest", digest));
            Ok(ids)
        }
        _ => Err(ErrorCode::AuthFailed),
    }
}

/// Returns `user:base64(hash(user:password))`. The user ends at the first colon.
pub(crate) fn digest_of(algorithm: DigestAlgorithm, user_and_password: &str) -> String {
    let user = user_and_password.split(':').next().unwrap_or_default();
    let bytes = user_and_password.as_bytes();
    let hash = match algorithm {
        DigestAlgorithm::Sha1 => STANDARD.encode(sha1::Sha1::digest(bytes)),
        DigestAlgorithm::Sha256 => STANDARD.encode(sha2::Sha256::digest(bytes)),
        DigestAlgorithm::Sha384 => STANDARD.encode(sha2::Sha384::digest(bytes)),
        DigestAlgorithm::Sha512 => STANDARD.encode(sha2::Sha512::digest(bytes)),
    };
    format!("{user}:{hash}")
}

/// Returns the part of an id that whoAmI shows.
pub(super) fn user_name(id: &AuthId) -> &str {
    if &*id.scheme == "digest" {
        id.id.split(':').next().unwrap_or_default()
    } else {
        &id.id
    }
}

/// The identities of a connection.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    /// In the order in which the client authenticated.
    list: Vec<AuthId>,
    known: HashSet<AuthId, FixedState>,
    /// The order in which a real server has the ids (`ServerCnxn.authInfo` is a hash set). Empty while there is only
    /// one.
    order: java::HashOrder,
    is_super: bool,
    /// Permissions that longer ACLs grant to these ids, for ACLs that were checked. The id of an ACL is never reused.
    granted: RefCell<HashMap<AclId, Permissions, FixedState>>,
}

/// Longest ACL that is searched at every check.
const SHORT: usize = 8;

/// Number of longer ACLs whose permissions a connection caches.
const MOST_GRANTED: usize = 4096;

impl Ids {
    pub(super) fn new(first: AuthId) -> Self {
        let seed = || FixedState::with_seed(0);
        let mut ids = Self {
            list: Vec::new(),
            known: HashSet::with_hasher(seed()),
            order: java::HashOrder::default(),
            is_super: false,
            granted: RefCell::new(HashMap::with_hasher(seed())),
        };
        ids.add(first);
        ids
    }

    /// Returns the ids of a client with every permission.
    pub(super) fn of_super() -> Self {
        Self::new(super_id())
    }

    /// Clears the cached permissions, since another tree has other ACL ids.
    pub(super) fn forget_acls(&mut self) {
        self.granted.get_mut().clear();
    }

    pub(super) fn add(&mut self, id: AuthId) {
        if self.known.insert(id.clone()) {
            self.granted.get_mut().clear();
            self.is_super |= &*id.scheme == "super";
            self.list.push(id);
            match &self.list[..] {
                [_] => {}
                [first, second] => {
                    self.order.add(java_hash(first));
                    self.order.add(java_hash(second));
                }
                [.., last] => self.order.add(java_hash(last)),
                [] => {}
            }
        }
    }

    /// Returns the ids in the order of a real server, which shows in the expansion of an `auth` entry.
    pub(super) fn iter(&self) -> impl Iterator<Item = &AuthId> {
        let one = self.list.first().filter(|_| self.list.len() == 1);
        let several = self.order.iter().filter_map(|number| self.list.get(number));
        one.into_iter().chain(several)
    }

    /// Whether one of the ids has this scheme, or passes every check.
    pub(super) fn has(&self, scheme: &str) -> bool {
        self.is_super || self.list.iter().any(|id| *id.scheme == *scheme)
    }

    fn are_covered_by(&self, entry: &AuthId) -> bool {
        match &*entry.scheme {
            "world" => &*entry.id == "anyone",
            // There is one such id, that of the address, and it comes first.
            "ip" => self
                .list
                .first()
                .is_some_and(|id| &*id.scheme == "ip" && ip::matches(&id.id, &entry.id)),
            "digest" => self.known.contains(entry),
            _ => false,
        }
    }

    /// Returns all permissions that the ACL grants to these ids.
    fn granted(&self, id: AclId, acl: &[Acl]) -> Permissions {
        if let Some(granted) = self.granted.borrow().get(&id) {
            return *granted;
        }
        let granted = acl
            .iter()
            .filter(|entry| self.are_covered_by(&entry.id))
            .fold(Permissions(0), |granted, entry| granted | entry.permissions);
        let mut cached = self.granted.borrow_mut();
        if cached.len() >= MOST_GRANTED {
            cached.clear();
        }
        cached.insert(id, granted);
        granted
    }
}

/// Refuses the request unless an entry of the ACL grants one of the `wanted` permissions to one of the `ids`.
#[inline]
pub(super) fn check(
    rules: &Rules,
    (id, acl): (AclId, &[Acl]),
    wanted: Permissions,
    ids: &Ids,
) -> Result<(), ErrorCode> {
    // The open ACL grants every permission to every client.
    if id == AclId::OPEN {
        return Ok(());
    }
    check_entries(rules, (id, acl), wanted, ids)
}

fn check_entries(
    rules: &Rules,
    (id, acl): (AclId, &[Acl]),
    wanted: Permissions,
    ids: &Ids,
) -> Result<(), ErrorCode> {
    // Every identity is refused: ReferenceCountedACLCache.convertLong throws before anything is compared.
    if unlisted_number(acl).is_some() {
        return Err(ErrorCode::MarshallingError);
    }
    let allowed = rules.skip_acl
        || acl.is_empty()
        || ids.is_super
        || if acl.len() <= SHORT {
            acl.iter()
                .any(|entry| entry.permissions.intersects(wanted) && ids.are_covered_by(&entry.id))
        } else {
            // One frame may check an ACL of fifty thousand entries fifty thousand times.
            ids.granted(id, acl).intersects(wanted)
        };
    if allowed {
        Ok(())
    } else {
        Err(ErrorCode::NoAuth)
    }
}

/// Most entries that the `auth` entries of one request may expand to. Without a limit, one frame on a connection with
/// many ids could exhaust the memory.
const MOST_EXPANDED: usize = 1000;

/// Converts an ACL of a request to the ACL to be stored (`PrepRequestProcessor.fixupACL`). Counts the entries that
/// `auth` entries expand to in `expanded`.
// Longer than 60 lines: one arm for each scheme of an ACL.
pub(super) fn fix_acl(
    rules: &Rules,
    entries: Option<&[AclEntry<'_>]>,
    ids: &Ids,
    expanded: &Cell<usize>,
) -> Result<Arc<[Acl]>, ErrorCode> {
    let entries = entries.unwrap_or_default();
    if let [only] = entries
        && only.permissions == Permissions::ALL.0
        && only.scheme.as_deref() == Some("world")
        && only.id.as_deref() == Some("anyone")
    {
        return Ok(open_acl());
    }
    let distinct = distinct(entries)?;
    let mut fixed = Vec::with_capacity(distinct.len());
    for entry in distinct {
        let permissions = Permissions(entry.permissions);
        let id = entry.id.as_deref();
        match entry.scheme.as_deref() {
            None => return Err(ErrorCode::InvalidAcl),
            Some("auth") => {
                let before = fixed.len();
                let known = ids
                    .iter()
                    .filter(|id| &*id.scheme == "digest" && rules.digest_auth)
                    .take(MOST_EXPANDED + 1);
                fixed.extend(known.map(|id| Acl {
                    permissions,
                    id: id.clone(),
                }));
                if fixed.len() == before {
                    return Err(ErrorCode::InvalidAcl);
                }
                expanded.set(expanded.get() + (fixed.len() - before));
                if expanded.get() > MOST_EXPANDED {
                    return Err(ErrorCode::MarshallingError);
                }
            }
            Some(scheme) => {
                let valid = match scheme {
                    // A real server fails with a null pointer before it can refuse the id.
                    "world" => id.ok_or(ErrorCode::MarshallingError)? == "anyone",
                    "ip" => ip::is_valid(id.ok_or(ErrorCode::MarshallingError)?),
                    "digest" if rules.digest_auth => {
                        is_valid_digest(id.ok_or(ErrorCode::MarshallingError)?)
                    }
                    _ => false,
                };
                if !valid {
                    return Err(ErrorCode::InvalidAcl);
                }
                fixed.push(Acl {
                    permissions,
                    id: AuthId::new(scheme, id.unwrap_or_default()),
                });
            }
        }
    }
    if fixed.is_empty() {
        Err(ErrorCode::InvalidAcl)
    } else {
        Ok(fixed.into())
    }
}

/// Returns the entries without repetitions of earlier ones. Entries are compared field by field, and a real server
/// fails at a null when it compares it (`PrepRequestProcessor.removeDuplicates`).
fn distinct<'e, 'a>(entries: &'e [AclEntry<'a>]) -> Result<Vec<&'e AclEntry<'a>>, ErrorCode> {
    let mut permissions = BTreeSet::new();
    let mut schemes = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut distinct = Vec::with_capacity(entries.len());
    for entry in entries {
        let new_permissions = permissions.insert(entry.permissions);
        let new = match (entry.scheme.as_deref(), entry.id.as_deref()) {
            (None, _) => new_permissions.then_some(true),
            (Some(scheme), None) => schemes.insert((entry.permissions, scheme)).then_some(true),
            (Some(scheme), Some(id)) => {
                schemes.insert((entry.permissions, scheme));
                Some(ids.insert((entry.permissions, scheme, id)))
            }
        };
        if new.ok_or(ErrorCode::MarshallingError)? {
            distinct.push(entry);
        }
    }
    Ok(distinct)
}

/// `DigestAuthenticationProvider.isValid`: the id has two parts. Java's split drops empty parts at the end.
fn is_valid_digest(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// Returns the ACL as shown to a client without ADMIN: with masked hashes.
pub(super) fn masked(acl: &[Acl]) -> Vec<Acl> {
    acl.iter()
        .map(|entry| match &*entry.id.scheme {
            "digest" => Acl {
                permissions: entry.permissions,
                id: AuthId::new("digest", without_hash(&entry.id.id)),
            },
            _ => entry.clone(),
        })
        .collect()
}

/// `FinalRequestProcessor` replaces every `:.*` of the id by `:x`. A dot matches no line terminator, so each line is
/// masked by itself.
fn without_hash(id: &str) -> String {
    let is_line_terminator = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    id.split_inclusive(is_line_terminator)
        .map(|line| match line.split_once(':') {
            Some((user, hash)) => {
                let end = hash.find(is_line_terminator).unwrap_or(hash.len());
                format!("{user}:x{}", hash.get(end..).unwrap_or_default())
            }
            None => line.to_owned(),
        })
        .collect()
}

/// Addresses in ACLs, as `IPAuthenticationProvider` reads them.
mod ip {
    use super::java;

    /// The bytes of an address, 4 or 16.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Bytes {
        bytes: [u8; 16],
        length: usize,
    }

    impl Bytes {
        const NONE: Self = Self {
            bytes: [0; 16],
            length: 0,
        };

        /// Returns the bytes followed by `more`, if there is room.
        fn with(mut self, more: &[u8]) -> Option<Self> {
            let end = self.length + more.len();
            self.bytes.get_mut(self.length..end)?.copy_from_slice(more);
            self.length = end;
            Some(self)
        }

        fn get(&self) -> &[u8] {
            self.bytes.get(..self.length).unwrap_or_default()
        }
    }

    /// Parses an address and the number of its significant bits.
    fn parse(expression: &str) -> Option<(Bytes, usize)> {
        let (address, bits) = match expression.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (expression, None),
        };
        let address = bytes_of(address)?;
        let longest = address.length * 8;
        let bits = match bits {
            Some(bits) => usize::try_from(java::int(bits, 10)?)
                .ok()
                .filter(|bits| *bits <= longest)?,
            None => longest,
        };
        Some((address, bits))
    }

    pub(super) fn is_valid(expression: &str) -> bool {
        parse(expression).is_some()
    }

    pub(super) fn matches(address: &str, expression: &str) -> bool {
        let (Some((wanted, bits)), Some(address)) = (parse(expression), bytes_of(address)) else {
            return false;
        };
        address.length == wanted.length
            && wanted
                .get()
                .iter()
                .zip(address.get())
                .enumerate()
                .all(|(at, (wanted, actual))| {
                    let counted = bits.saturating_sub(at * 8).min(8);
                    let mask = u8::try_from(0xff00_u32 >> counted & 0xff).unwrap_or(0xff);
                    wanted & mask == actual & mask
                })
    }

    fn bytes_of(address: &str) -> Option<Bytes> {
        if address.contains(':') {
            bytes_of_v6(address)
        } else {
            bytes_of_v4(address)
        }
    }

    fn bytes_of_v4(address: &str) -> Option<Bytes> {
        let bytes = address.split('.').try_fold(Bytes::NONE, |bytes, part| {
            let byte = java::int(part, 10).and_then(|part| u8::try_from(part).ok())?;
            bytes.with(&[byte])
        })?;
        (bytes.length == 4).then_some(bytes)
    }

    fn bytes_of_v6(address: &str) -> Option<Bytes> {
        let groups = |text: &str| {
            text.split(':').try_fold(Bytes::NONE, |bytes, group| {
                if group.is_empty() || group.encode_utf16().count() > 4 {
                    return None;
                }
                // A sign is accepted, as in Java: any number contributes its low 16 bits.
                let [.., high, low] = java::int(group, 16)?.to_be_bytes();
                bytes.with(&[high, low])
            })
        };
        let some_groups = |text: &str| {
            if text.is_empty() {
                Some(Bytes::NONE)
            } else {
                groups(text)
            }
        };
        let mut parts = address.split("::");
        let (front, back, more) = (parts.next()?, parts.next(), parts.next());
        if more.is_some() {
            return None;
        }
        let Some(back) = back else {
            return groups(front).filter(|bytes| bytes.length == 16);
        };
        let (front, back) = (some_groups(front)?, some_groups(back)?);
        let zeros = 16_usize
            .checked_sub(front.length + back.length)
            .filter(|zeros| *zeros > 0)?;
        front
            .with(Bytes::NONE.bytes.get(..zeros)?)?
            .with(back.get())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn addresses_are_valid_as_in_java() {
            for valid in [
                "127.0.0.1",
                "127.0.0.1/+8",
                "+1.2.3.4",
                "\u{ff11}.2.3.4",
                "127.0.0.1/0",
                "::1",
                "1::",
                "::1/128",
                "1:2:3:4:5:6:7:8",
            ] {
                assert!(is_valid(valid), "{valid}");
            }
            for invalid in [
                "",
                "1.2.3",
                "127.0.0.1/33",
                "127.0.0.1/",
                "127.0.0.1/-1",
                "256.0.0.1",
                "::ffff:1.2.3.4",
                "1::2::3",
                "::1/129",
                "12345::",
                "1:2:3:4:5:6:7:8:9",
                "1:2:3:4::5:6:7:8",
                ":1::",
                "x",
            ] {
                assert!(!is_valid(invalid), "{invalid}");
            }
        }

        #[test]
        fn a_prefix_of_bits_matches() {
            assert!(matches("127.0.0.1", "127.0.0.0/8"));
            assert!(matches("127.0.0.1", "0.0.0.0/0"));
            assert!(matches("127.0.0.1", "127.0.0.3/30"));
            assert!(!matches("127.0.0.1", "127.0.0.3/31"));
            assert!(!matches("127.0.0.1", "::1"));
            assert!(matches("0:0:0:0:0:0:0:1", "::1"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_hashes_as_in_zookeeper() {
        assert_eq!(
            digest_of(DigestAlgorithm::Sha1, "u:p"),
            "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="
        );
        assert_eq!(
            digest_of(DigestAlgorithm::Sha1, "super:admin"),
            "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="
        );
        assert_eq!(
            digest_of(DigestAlgorithm::Sha1, "a:b:c")
                .split_once(':')
                .map(|(user, _)| user),
            Some("a")
        );
    }

    #[test]
    fn a_digest_id_has_two_parts() {
        for (id, valid) in [
            ("a:b", true),
            (":x", true),
            ("a:b:", true),
            ("u:", false),
            ("u::", false),
            (":", false),
            ("", false),
            ("a:b:c", false),
        ] {
            assert_eq!(is_valid_digest(id), valid, "{id:?}");
        }
    }

    #[test]
    fn an_ipv6_address_is_written_out() {
        assert_eq!(
            &*ip_id(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])).id,
            "0:0:0:0:0:0:0:1"
        );
    }

    #[test]
    fn a_hash_is_masked_for_readers() {
        let acl = [Acl {
            permissions: Permissions::READ,
            id: AuthId::new("digest", "u:hash"),
        }];
        assert_eq!(&*masked(&acl)[0].id.id, "u:x");
    }

    #[test]
    fn each_line_of_an_id_is_masked() {
        for (id, expected) in [
            ("u:h:", "u:x"),
            ("u:h\n::", "u:x\n:x"),
            ("u\r:h", "u\r:x"),
            ("u:h\r\nv", "u:x\r\nv"),
            (
                "u:h\u{85}i\u{2028}:\u{2029}",
                "u:x\u{85}i\u{2028}:x\u{2029}",
            ),
        ] {
            assert_eq!(without_hash(id), expected, "{id:?}");
        }
    }
}
