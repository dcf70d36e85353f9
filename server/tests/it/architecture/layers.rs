//! Layer rules, checked against the sources: a layer must not name a layer that it may not depend on.

use super::source::{Mention, is_test_file, library, mentions, without_comments, without_tests};

/// A layer of the library, and what it may use.
struct Layer {
    name: &'static str,
    /// The layers to its right.
    imports: &'static [&'static str],
    /// The crates of others that it stands on.
    crates: &'static [&'static str],
    /// Whether it stays away from sockets, threads, locks, clocks, files and the environment.
    is_pure: bool,
}

const LAYERS: [Layer; 10] = [
    Layer {
        name: "protocol",
        imports: &[],
        crates: &["bytes", "serde", "thiserror"],
        is_pure: true,
    },
    Layer {
        name: "config",
        imports: &["protocol"],
        crates: &["serde", "thiserror"],
        is_pure: true,
    },
    Layer {
        name: "jute",
        imports: &["protocol"],
        crates: &["bytes", "nom", "thiserror"],
        is_pure: true,
    },
    Layer {
        name: "wire",
        imports: &["protocol", "jute"],
        crates: &["bytes", "thiserror"],
        is_pure: true,
    },
    // Pure but for `disk.rs`, which alone opens files.
    Layer {
        name: "store",
        imports: &["protocol", "config", "jute"],
        crates: &[
            "bytes",
            "crc32fast",
            "flate2",
            "serde",
            "simd_adler32",
            "snap",
            "thiserror",
        ],
        is_pure: false,
    },
    Layer {
        name: "keeper",
        imports: &["protocol", "config"],
        crates: &[
            "base64",
            "bytes",
            "crc32fast",
            "foldhash",
            "hashbrown",
            "serde",
            "sha1",
            "sha2",
            "thiserror",
        ],
        is_pure: true,
    },
    // It imports `keeper` for the ids of connections and for the inputs of a step, which it plans for.
    Layer {
        name: "control",
        imports: &["protocol", "config", "keeper"],
        crates: &[
            "bytes",
            "foldhash",
            "glob",
            "hashbrown",
            "serde",
            "serde_json",
            "thiserror",
        ],
        is_pure: true,
    },
    Layer {
        name: "persistence",
        imports: &["protocol", "config", "store", "keeper"],
        crates: &["bytes", "foldhash", "serde", "tokio", "tracing"],
        is_pure: false,
    },
    Layer {
        name: "net",
        imports: &[
            "protocol",
            "config",
            "jute",
            "wire",
            "store",
            "keeper",
            "persistence",
            "control",
        ],
        crates: &[
            "bytes",
            "foldhash",
            "hashbrown",
            "serde",
            "socket2",
            "thiserror",
            "tokio",
            "tracing",
        ],
        is_pure: false,
    },
    Layer {
        name: "handle",
        imports: &[
            "protocol",
            "config",
            "wire",
            "store",
            "keeper",
            "persistence",
            "control",
            "net",
        ],
        crates: &["base64", "serde", "serde_json", "serde_saphyr", "thiserror"],
        is_pure: false,
    },
];

/// All that the library depends on, as it is spelled in a path.
const CRATES: [&str; 20] = [
    "base64",
    "bytes",
    "crc32fast",
    "flate2",
    "foldhash",
    "glob",
    "hashbrown",
    "nom",
    "serde",
    "serde_json",
    "serde_saphyr",
    "sha1",
    "sha2",
    "simd_adler32",
    "snap",
    "socket2",
    "thiserror",
    "tokio",
    "tracing",
    "proptest",
];

/// Modules of `std` that reach the outside world, and the items of them that a pure layer may use.
const ALLOWED_IN_PURE: [(&str, &[&str]); 8] = [
    ("env", &[]),
    ("fs", &[]),
    ("io", &[]),
    (
        "net",
        &[
            "IpAddr",
            "Ipv4Addr",
            "Ipv6Addr",
            "SocketAddr",
            "AddrParseError",
        ],
    ),
    ("process", &[]),
    ("sync", &["Arc", "LazyLock"]),
    ("thread", &[]),
    ("time", &["Duration"]),
];

/// Words of `std` that these files alone may say.
const ONE_FILE_ALONE: [(&str, &[&str]); 4] = [
    ("std::fs", &["net/machine.rs", "store/disk.rs"]),
    (
        "std::time::Instant",
        &["net/clock.rs", "persistence/stopwatch.rs"],
    ),
    ("std::time::SystemTime", &["net/clock.rs"]),
    ("tokio::time::Instant", &["net/clock.rs"]),
];

#[test]
fn every_layer_imports_only_what_lies_to_its_right() {
    let mut seen: Vec<&str> = Vec::new();
    let mut broken = Vec::new();
    for (file, source) in library() {
        broken.extend(broken_walls(&file, &source));
        seen.extend(layer_of(&file).map(|layer| layer.name));
    }
    for layer in &LAYERS {
        assert!(
            seen.contains(&layer.name),
            "nothing was read of {}",
            layer.name
        );
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_broken_wall_is_seen_and_named() {
    let check = |file: &str, source: &str, expected: &[&str]| {
        let broken = broken_walls(file, source);
        assert_eq!(broken.len(), expected.len(), "{source}\n{broken:#?}");
        for (message, expected) in broken.iter().zip(expected) {
            assert!(message.contains(expected), "{message}\nhas no {expected:?}");
        }
    };
    // A layer to the left.
    check(
        "keeper/tree.rs",
        "use crate::protocol::Stat;\nuse crate::wire::split_frame;\n",
        &["src/keeper/tree.rs:2: `crate::wire`: keeper may not import wire"],
    );
    check(
        "wire/reply.rs",
        "fn f(keeper: &crate::keeper::Keeper) {}",
        &["src/wire/reply.rs:1: `crate::keeper`"],
    );
    check(
        "net/clock.rs",
        "use crate::{\n    handle::{ClockKind, Config},\n    protocol::Timestamp,\n};",
        &["src/net/clock.rs:1: `crate::handle`: net may not import handle"],
    );
    check(
        "net/clock.rs",
        "use super::super::handle::Config;",
        &["`super::super`"],
    );
    check(
        "keeper/tree.rs",
        "use super::super::Tree;",
        &["`super::super`"],
    );
    check(
        "keeper/mod.rs",
        "use super::wire::split_frame;",
        &["`super::wire::split_frame`"],
    );
    // A public name is a way around the walls.
    check(
        "keeper/access.rs",
        "use crate::DigestAlgorithm;",
        &["`crate::DigestAlgorithm`: name the layer"],
    );
    // The world outside.
    check(
        "keeper/session.rs",
        "use std::time::{Duration, Instant};",
        &[
            "`std::time::Instant`: keeper is pure",
            "net/clock.rs and persistence/stopwatch.rs alone",
        ],
    );
    check(
        "protocol/acl.rs",
        "use std::sync::{Arc, LazyLock, Mutex};",
        &["`std::sync::Mutex`: protocol is pure"],
    );
    check(
        "wire/frame.rs",
        "use std::{net::{IpAddr, TcpStream}, sync::Arc};",
        &["`std::net::TcpStream`: wire is pure"],
    );
    check(
        "jute/read.rs",
        "fn f() { std::thread::yield_now() }",
        &["`std::thread::yield_now`: jute is pure"],
    );
    check(
        "keeper/mod.rs",
        "use std::{sync, thread as worker};",
        &["`std::sync`", "`std::thread`"],
    );
    check("keeper/mod.rs", "use std::net::*;", &["`std::net::*`"]);
    check("keeper/mod.rs", "use core::net::SocketAddr;", &[]);
    check(
        "keeper/mod.rs",
        "use alloc::sync::Weak;",
        &["`alloc::sync::Weak`"],
    );
    // The crates of others.
    check("wire/request.rs", "use nom::Parser;", &["`nom`: wire"]);
    check(
        "keeper/mod.rs",
        "async fn f() { tokio::task::yield_now().await }",
        &["`tokio`"],
    );
    check(
        "handle/mod.rs",
        "use tokio::net::TcpListener;",
        &["`tokio`: handle"],
    );
    check(
        "keeper/mod.rs",
        "tracing::trace!(\"{now}\");",
        &["`tracing`: keeper"],
    );
    // One file alone.
    check(
        "net/engine.rs",
        "use std::fs;",
        &["`std::fs`: in net/machine.rs and store/disk.rs alone"],
    );
    check(
        "handle/time.rs",
        "let now = std::time::SystemTime::now();",
        &["in net/clock.rs alone"],
    );
    check("net/clock.rs", "use std::time::{Instant, SystemTime};", &[]);
    // What is said in a comment or a text is not imported, and what only tests use does not count.
    check(
        "keeper/tree.rs",
        "// As std::thread does.\n/* std::fs */ const TEXT: &str = \"use std::fs;\";\n",
        &[],
    );
    check(
        "keeper/tree.rs",
        "use std::fs;\n#[cfg(test)]\npub(super) mod tests {\n    use proptest::prelude::*;\n}\n",
        &[
            "src/keeper/tree.rs:1: `std::fs`: keeper is pure",
            "src/keeper/tree.rs:1: `std::fs`: in",
        ],
    );
    // A room without rules is an error.
    check("cluster/mod.rs", "", &["src/cluster/mod.rs: no such layer"]);
}

fn layer_of(file: &str) -> Option<&'static Layer> {
    let (folder, _) = file.split_once('/')?;
    LAYERS.iter().find(|layer| layer.name == folder)
}

/// Violations of a source file, one line each. `file` is relative to `src`.
fn broken_walls(file: &str, source: &str) -> Vec<String> {
    // The crate's root only names what is public. Deliberate mistakes belong to no layer: they are in no usual build.
    if file == "lib.rs" {
        return Vec::new();
    }
    let Some(layer) = layer_of(file) else {
        return vec![format!(
            "src/{file}: no such layer: give it its place in tests/it/architecture.rs"
        )];
    };
    if is_test_file(file) {
        return Vec::new();
    }
    let code = without_comments(source);
    let code = without_tests(&code);
    let roots: Vec<&str> = ["crate", "super", "std", "core", "alloc"]
        .into_iter()
        .chain(CRATES)
        .collect();
    let mut broken = Vec::new();
    for Mention { line, path, .. } in mentions(code, &roots) {
        let mut say = |said: &str, wall: String| {
            let message = format!("src/{file}:{line}: `{said}`: {wall}");
            if !broken.contains(&message) {
                broken.push(message);
            }
        };
        let parts: Vec<&str> = path.split("::").collect();
        match parts[..] {
            ["crate", to, ..] => {
                if to.starts_with(char::is_uppercase) || to == "*" {
                    say(&path, "name the layer that it is in".to_owned());
                } else if to != layer.name && !layer.imports.contains(&to) {
                    let wall = format!("{} may not import {to}", layer.name);
                    say(&format!("crate::{to}"), wall);
                }
            }
            // One step up from a file is its own layer; two may leave it.
            ["super", "super", ..] => {
                say("super::super", "say it from the crate's root".to_owned());
            }
            ["super", ..] if file == format!("{}/mod.rs", layer.name) => {
                say(&path, "say it from the crate's root".to_owned());
            }
            ["std" | "core" | "alloc", module, ref rest @ ..] if layer.is_pure => {
                let item = rest.first().copied();
                let allowed = ALLOWED_IN_PURE
                    .iter()
                    .find(|(name, _)| *name == module)
                    .is_none_or(|(_, items)| item.is_some_and(|item| items.contains(&item)));
                if !allowed {
                    say(
                        &path,
                        format!(
                            "{} is pure: no sockets, threads, locks, clocks or files",
                            layer.name
                        ),
                    );
                }
            }
            [name, ..] if CRATES.contains(&name) && !layer.crates.contains(&name) => {
                say(name, format!("{} does not stand on it", layer.name));
            }
            _ => {}
        }
        for (word, homes) in ONE_FILE_ALONE {
            let said = path == word || path.starts_with(&format!("{word}::"));
            if said && !homes.contains(&file) {
                say(word, format!("in {} alone", homes.join(" and ")));
            }
        }
    }
    broken
}
