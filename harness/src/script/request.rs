//! Requests as text: parsing and formatting.

use std::fmt;

use super::lexer::{Bytes, Text, Token, Tokens};
use crate::client::{Acl, CreateKind, Request, op};

const MODES: [(&str, i32); 7] = [
    ("persistent", 0),
    ("ephemeral", 1),
    ("sequential", 2),
    ("ephemeral-sequential", 3),
    ("container", 4),
    ("ttl", 5),
    ("ttl-sequential", 6),
];
const WATCH_TYPES: [(&str, i32); 5] = [
    ("children", 1),
    ("data", 2),
    ("any", 3),
    ("persistent", 4),
    ("recursive", 5),
];
const WATCH_MODES: [(&str, i32); 2] = [("persistent", 0), ("recursive", 1)];
const PERMISSIONS: [(char, i32); 5] = [('c', 4), ('d', 8), ('r', 1), ('w', 2), ('a', 16)];

/// Parses a request whose first word was `name`.
// Longer than 60 lines: one arm for each operation.
pub(super) fn parse(name: &str, tokens: &mut Tokens) -> Result<Request, String> {
    Ok(match name {
        "create" | "create2" | "createContainer" | "createTTL" => create(name, tokens)?,
        "delete" => Request::Delete {
            path: path(tokens)?,
            version: version(tokens)?,
        },
        "deleteContainer" => Request::DeleteContainer {
            path: path(tokens)?,
        },
        "exists" => Request::Exists {
            path: path(tokens)?,
            watch: tokens.flag("watch"),
        },
        "getData" => Request::GetData {
            path: path(tokens)?,
            watch: tokens.flag("watch"),
        },
        "getChildren" => Request::GetChildren {
            path: path(tokens)?,
            watch: tokens.flag("watch"),
        },
        "getChildren2" => Request::GetChildren2 {
            path: path(tokens)?,
            watch: tokens.flag("watch"),
        },
        "setData" => Request::SetData {
            path: path(tokens)?,
            data: data(tokens)?,
            version: version(tokens)?,
        },
        "getACL" => Request::GetAcl {
            path: path(tokens)?,
        },
        "setACL" => Request::SetAcl {
            path: path(tokens)?,
            acl: acl(tokens)?,
            version: version(tokens)?,
        },
        "sync" => Request::Sync {
            path: path(tokens)?,
        },
        "ping" => Request::Ping,
        "check" => Request::Check {
            path: path(tokens)?,
            version: version(tokens)?,
        },
        "multi" => Request::Multi(many(tokens)?),
        "multiRead" => Request::MultiRead(many(tokens)?),
        "reconfig" => Request::Reconfig {
            joining: text_of(tokens, "joining")?,
            leaving: text_of(tokens, "leaving")?,
            new_members: text_of(tokens, "members")?,
            config_id: if tokens.key("config") {
                tokens.number("number")?
            } else {
                -1
            },
        },
        "checkWatches" => Request::CheckWatches {
            path: path(tokens)?,
            kind: watch_type(tokens)?,
        },
        "removeWatches" => Request::RemoveWatches {
            path: path(tokens)?,
            kind: watch_type(tokens)?,
        },
        "auth" => Request::Auth {
            scheme: tokens.text("scheme")?,
            auth: data(tokens)?.unwrap_or_default(),
        },
        "setWatches" | "setWatches2" => set_watches(name, tokens)?,
        "sasl" => Request::Sasl {
            token: data(tokens)?,
        },
        "getEphemerals" => Request::GetEphemerals {
            prefix: path(tokens)?,
        },
        "getAllChildrenNumber" => Request::GetAllChildrenNumber {
            path: path(tokens)?,
        },
        "addWatch" => Request::AddWatch {
            path: path(tokens)?,
            mode: named(tokens, &WATCH_MODES, "mode")?.unwrap_or(0),
        },
        "whoAmI" => Request::WhoAmI,
        "closeSession" => Request::CloseSession,
        "raw" => Request::Raw {
            op: tokens.number("operation")?,
            body: hex(tokens)?,
        },
        _ => return Err(format!("`{name}` is not a step")),
    })
}

/// Parses requests between brackets.
pub(super) fn many(tokens: &mut Tokens) -> Result<Vec<Request>, String> {
    tokens.list(&Token::Semicolon, |tokens| {
        let name = tokens.word("request")?;
        parse(&name, tokens)
    })
}

/// Parses bytes: hexadecimal digits as they are, quoted text and `null` with Jute's length before them.
pub(super) fn hex(tokens: &mut Tokens) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(Token::Word(_) | Token::Quoted(_)) = tokens.peek() {
        match tokens.next() {
            Some(Token::Word(word)) if word == "null" => bytes.extend((-1_i32).to_be_bytes()),
            Some(Token::Word(word)) => bytes.extend(digits(&word)?),
            Some(Token::Quoted(text)) => {
                let length = i32::try_from(text.len()).map_err(|error| error.to_string())?;
                bytes.extend(length.to_be_bytes());
                bytes.extend(text);
            }
            _ => {}
        }
    }
    Ok(bytes)
}

fn digits(word: &str) -> Result<Vec<u8>, String> {
    let bad = || format!("`{word}` is not a sequence of hexadecimal digits");
    if !word.len().is_multiple_of(2) || !word.is_ascii() {
        return Err(bad());
    }
    (0..word.len())
        .step_by(2)
        .map(|at| {
            let digits = word.get(at..at + 2).unwrap_or_default();
            u8::from_str_radix(digits, 16).map_err(|_| bad())
        })
        .collect()
}

fn create(name: &str, tokens: &mut Tokens) -> Result<Request, String> {
    let path = path(tokens)?;
    let data = data(tokens)?;
    let flags = match named(tokens, &MODES, "flags")? {
        Some(flags) => flags,
        None => usual_flags(name),
    };
    let kind = match name {
        "create" => CreateKind::Create,
        "create2" => CreateKind::Create2,
        "createContainer" => CreateKind::Container,
        _ => CreateKind::Ttl {
            ttl_ms: if tokens.key("ttl") {
                tokens.number("TTL")?
            } else {
                0
            },
        },
    };
    Ok(Request::Create {
        kind,
        path,
        data,
        acl: acl(tokens)?,
        flags,
    })
}

fn usual_flags(name: &str) -> i32 {
    match name {
        "createContainer" => 4,
        "createTTL" => 5,
        _ => 0,
    }
}

fn path(tokens: &mut Tokens) -> Result<String, String> {
    tokens.text("path")
}

/// Parses `"..."` or `null`; an omitted value is null too.
fn data(tokens: &mut Tokens) -> Result<Option<Vec<u8>>, String> {
    if let Some(Token::Quoted(_)) = tokens.peek()
        && let Some(Token::Quoted(bytes)) = tokens.next()
    {
        return Ok(Some(bytes));
    }
    tokens.flag("null");
    Ok(None)
}

fn version(tokens: &mut Tokens) -> Result<i32, String> {
    if tokens.key("v") {
        tokens.number("version")
    } else {
        Ok(-1)
    }
}

fn text_of(tokens: &mut Tokens, key: &str) -> Result<String, String> {
    if tokens.key(key) {
        tokens.text(key)
    } else {
        Ok(String::new())
    }
}

/// Parses a word of the table, or `key=NUMBER`.
fn named(tokens: &mut Tokens, names: &[(&str, i32)], key: &str) -> Result<Option<i32>, String> {
    if tokens.key(key) {
        return tokens.number(key).map(Some);
    }
    Ok(names
        .iter()
        .find(|(name, _)| tokens.flag(name))
        .map(|&(_, number)| number))
}

fn watch_type(tokens: &mut Tokens) -> Result<i32, String> {
    if tokens.key("type") {
        tokens.number("type")
    } else {
        Ok(named(tokens, &WATCH_TYPES, "type")?.unwrap_or(3))
    }
}

fn acl(tokens: &mut Tokens) -> Result<Vec<Acl>, String> {
    if !tokens.key("acl") {
        return Ok(Acl::open());
    }
    tokens.list(&Token::Comma, |tokens| {
        let perms = permissions(&tokens.word("permissions")?)?;
        let scheme = tokens.text("scheme")?;
        let id = tokens.text("id")?;
        Ok(Acl { perms, scheme, id })
    })
}

fn permissions(word: &str) -> Result<i32, String> {
    if let Ok(number) = word.parse() {
        return Ok(number);
    }
    word.chars().try_fold(0, |all, letter| {
        PERMISSIONS
            .iter()
            .find(|(known, _)| *known == letter)
            .map(|(_, bit)| all | bit)
            .ok_or_else(|| format!("`{word}` is not a set of permissions"))
    })
}

fn set_watches(name: &str, tokens: &mut Tokens) -> Result<Request, String> {
    let mut paths = |key: &str| {
        if tokens.key(key) {
            tokens.list(&Token::Comma, path)
        } else {
            Ok(Vec::new())
        }
    };
    let (data, exist, child) = (paths("data")?, paths("exist")?, paths("child")?);
    Ok(if name == "setWatches" {
        Request::SetWatches {
            relative_zxid: 0,
            data,
            exist,
            child,
        }
    } else {
        Request::SetWatches2 {
            relative_zxid: 0,
            data,
            exist,
            child,
            persistent: paths("persistent")?,
            recursive: paths("recursive")?,
        }
    })
}

impl fmt::Display for Request {
    // Longer than 60 lines: one arm for each operation.
    /// Formats the request as in a script. `relative_zxid` is omitted: it is the script's `since`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Raw { op, body } = self {
            write!(f, "raw {op}{}", if body.is_empty() { "" } else { " " })?;
            return body.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
        }
        let name = op::name(self.op());
        f.write_str(name)?;
        let watched = |watch: &bool| if *watch { " watch" } else { "" };
        match self {
            Self::Create {
                kind,
                path,
                data,
                acl,
                flags,
            } => {
                write!(f, " {} {}", Text(path), Data(data.as_deref()))?;
                write_flags(f, name, *flags)?;
                if let CreateKind::Ttl { ttl_ms } = kind {
                    write!(f, " ttl={ttl_ms}")?;
                }
                write_acl(f, acl)
            }
            Self::Delete { path, version } | Self::Check { path, version } => {
                write!(f, " {}", Text(path))?;
                write_version(f, *version)
            }
            Self::Exists { path, watch }
            | Self::GetData { path, watch }
            | Self::GetChildren { path, watch }
            | Self::GetChildren2 { path, watch } => {
                write!(f, " {}{}", Text(path), watched(watch))
            }
            Self::SetData {
                path,
                data,
                version,
            } => {
                write!(f, " {} {}", Text(path), Data(data.as_deref()))?;
                write_version(f, *version)
            }
            Self::SetAcl { path, acl, version } => {
                write!(f, " {}", Text(path))?;
                write_acl(f, acl)?;
                write_version(f, *version)
            }
            Self::DeleteContainer { path }
            | Self::GetAcl { path }
            | Self::Sync { path }
            | Self::GetEphemerals { prefix: path }
            | Self::GetAllChildrenNumber { path } => write!(f, " {}", Text(path)),
            Self::Ping | Self::WhoAmI | Self::CloseSession | Self::Raw { .. } => Ok(()),
            Self::Multi(requests) | Self::MultiRead(requests) => write_many(f, requests),
            Self::Reconfig {
                joining,
                leaving,
                new_members,
                config_id,
            } => {
                let parts = [
                    ("joining", joining),
                    ("leaving", leaving),
                    ("members", new_members),
                ];
                for (key, text) in parts {
                    if !text.is_empty() {
                        write!(f, " {key}={}", Bytes(text.as_bytes()))?;
                    }
                }
                if *config_id == -1 {
                    Ok(())
                } else {
                    write!(f, " config={config_id}")
                }
            }
            Self::CheckWatches { path, kind } | Self::RemoveWatches { path, kind } => {
                write!(f, " {}", Text(path))?;
                write_named(f, &WATCH_TYPES, "type", *kind)
            }
            Self::Auth { scheme, auth } => write!(f, " {} {}", Text(scheme), Bytes(auth)),
            Self::SetWatches {
                data, exist, child, ..
            } => write_lists(f, &[("data", data), ("exist", exist), ("child", child)]),
            Self::SetWatches2 {
                data,
                exist,
                child,
                persistent,
                recursive,
                ..
            } => write_lists(
                f,
                &[
                    ("data", data),
                    ("exist", exist),
                    ("child", child),
                    ("persistent", persistent),
                    ("recursive", recursive),
                ],
            ),
            Self::Sasl { token } => write!(f, " {}", Data(token.as_deref())),
            Self::AddWatch { path, mode } => {
                write!(f, " {}", Text(path))?;
                write_named(f, &WATCH_MODES, "mode", *mode)
            }
        }
    }
}

/// Formats requests between brackets: ` [a; b]`.
pub(super) fn write_many(f: &mut fmt::Formatter<'_>, requests: &[Request]) -> fmt::Result {
    f.write_str(" [")?;
    for (at, request) in requests.iter().enumerate() {
        write!(f, "{}{request}", if at == 0 { "" } else { "; " })?;
    }
    f.write_str("]")
}

struct Data<'a>(Option<&'a [u8]>);

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("null"),
            Some(bytes) => Bytes(bytes).fmt(f),
        }
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, name: &str, flags: i32) -> fmt::Result {
    if flags == usual_flags(name) {
        Ok(())
    } else {
        write_named(f, &MODES, "flags", flags)
    }
}

fn write_named(
    f: &mut fmt::Formatter<'_>,
    names: &[(&str, i32)],
    key: &str,
    number: i32,
) -> fmt::Result {
    match names.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => write!(f, " {name}"),
        None => write!(f, " {key}={number}"),
    }
}

fn write_version(f: &mut fmt::Formatter<'_>, version: i32) -> fmt::Result {
    if version == -1 {
        Ok(())
    } else {
        write!(f, " v={version}")
    }
}

/// Formats an ACL's entries between brackets.
pub(crate) struct AclText<'a>(pub(crate) &'a [Acl]);

impl fmt::Display for AclText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, entry) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            if (1..=31).contains(&entry.perms) {
                for (letter, bit) in PERMISSIONS {
                    if entry.perms & bit != 0 {
                        write!(f, "{letter}")?;
                    }
                }
            } else {
                write!(f, "{}", entry.perms)?;
            }
            write!(f, " {} {}", Text(&entry.scheme), Id(&entry.id))?;
        }
        f.write_str("]")
    }
}

/// Formats `anyone` unquoted, and every other id between quotes.
struct Id<'a>(&'a str);

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == "anyone" {
            f.write_str(self.0)
        } else {
            Bytes(self.0.as_bytes()).fmt(f)
        }
    }
}

fn write_acl(f: &mut fmt::Formatter<'_>, acl: &[Acl]) -> fmt::Result {
    if *acl == *Acl::open() {
        Ok(())
    } else {
        write!(f, " acl={}", AclText(acl))
    }
}

fn write_lists(f: &mut fmt::Formatter<'_>, lists: &[(&str, &Vec<String>)]) -> fmt::Result {
    for (key, paths) in lists {
        if paths.is_empty() {
            continue;
        }
        write!(f, " {key}=[")?;
        for (at, path) in paths.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { ", " }, Text(path))?;
        }
        f.write_str("]")?;
    }
    Ok(())
}
