//! Arguments with which no server can be started, and the likely intention behind them.

use std::path::Path;

use clap::error::{ContextKind, ContextValue};

/// The commands of the binary.
const COMMANDS: [&str; 7] = [
    "serve", "control", "ctl", "health", "snapshot", "log", "help",
];

/// The commands below `minikeeper snapshot`.
const OF_SNAPSHOTS: [&str; 5] = ["show", "summary", "diff", "verify", "export"];

/// Accepted forms of the arguments of `minikeeper serve`.
const EXPECTED: &str = "expected FILE, or PORT DIR [TICKTIME [MAXCNXNS]]";

/// Explains arguments that are neither `FILE` nor `PORT DIR [TICKTIME [MAXCNXNS]]`. `None` if they may be one of
/// these.
pub(crate) fn of(arguments: &[String]) -> Option<String> {
    let (first, others) = arguments.split_first()?;
    if first.is_empty() {
        return Some(format!("the first argument is empty; {EXPECTED}"));
    }
    let exists = Path::new(first).exists();
    match others {
        [] if exists => None,
        [..] if !others.is_empty() && is_number(first) => None,
        [] => script(first, others)
            .or_else(|| command(first, others))
            .or_else(|| place(first)),
        [second, ..] if exists => of_what_exists(first, second),
        [second, ..] => script(first, others)
            .or_else(|| command(first, others))
            .or_else(|| {
                Some(if is_number(second) {
                    format!(
                        "{first} is not a port; to listen on {first}:{second}: \
                         minikeeper --listen {first}:{second}"
                    )
                } else {
                    format!("{first} is not a port; {EXPECTED}")
                })
            }),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Explains a port or an address alone.
fn place(text: &str) -> Option<String> {
    if is_number(text) {
        return Some(format!(
            "{text} is not a file; to listen on port {text}: minikeeper --listen {text}; \
             to also keep the state in a folder: minikeeper {text} DIR"
        ));
    }
    let (host, port) = text.rsplit_once(':')?;
    let is_address = !host.contains('/') && port.parse::<u16>().is_ok();
    is_address.then(|| {
        format!(
            "{text} is not a file; to listen there: minikeeper --listen {text}; \
             to check the server there: minikeeper health {text}"
        )
    })
}

/// Explains an existing file or folder that is followed by another argument.
fn of_what_exists(first: &str, second: &str) -> Option<String> {
    Some(if Path::new(first).is_file() {
        format!("unexpected {second} after the configuration {first}: only flags may follow it")
    } else if is_number(second) {
        format!("the port comes before the folder: minikeeper {second} {first}")
    } else {
        format!("{first} is not a port; {EXPECTED}")
    })
}

/// Explains a call of one of ZooKeeper's scripts, whatever flags follow it.
pub(crate) fn of_script(words: &[String]) -> Option<String> {
    let (first, others) = words.split_first()?;
    let is_script = [".sh", ".cmd"].iter().any(|end| first.ends_with(end));
    is_script.then(|| script(first, others)).flatten()
}

/// Explains ZooKeeper's scripts, and the words that follow them.
fn script(first: &str, others: &[String]) -> Option<String> {
    let name = Path::new(first).file_name()?.to_str()?;
    let name = name
        .strip_suffix(".sh")
        .or_else(|| name.strip_suffix(".cmd"))
        .unwrap_or(name);
    let (verb, others) = match (name, others) {
        ("zkServer" | "zookeeper-server-start", []) => ("start", others),
        ("zkServer", [verb, others @ ..]) => (verb.as_str(), others),
        ("zookeeper-server-start", _) => ("start", others),
        ("zkCli" | "zookeeper-shell", _) => {
            return Some(format!(
                "{first} is ZooKeeper's own client and not part of minikeeper; it works with a minikeeper server"
            ));
        }
        _ => (name, others),
    };
    let instead = match verb {
        "start" | "start-foreground" | "restart" | "run" => {
            let file = others
                .first()
                .map(|file| format!(" {file}"))
                .unwrap_or_default();
            format!("minikeeper serves in the foreground, without a command: minikeeper{file}")
        }
        "status" => "to check a running server: minikeeper health".to_owned(),
        "stop" => "to stop a running server: Ctrl-C, or kill with its process id".to_owned(),
        "version" => "for the version: minikeeper --version".to_owned(),
        _ if name == "zkServer" => {
            "minikeeper serves in the foreground, without a command: minikeeper".to_owned()
        }
        _ => return None,
    };
    let what = if name == verb {
        "a command"
    } else {
        "part of minikeeper"
    };
    Some(format!("{first} is not {what}; {instead}"))
}

/// Explains a misspelt command, or a command that belongs below another one.
fn command(first: &str, others: &[String]) -> Option<String> {
    let line = |command: &str| {
        let rest = others.iter().map(|other| format!(" {other}"));
        format!(
            "{first} is neither a file nor a command; did you mean: minikeeper {command}{}",
            rest.collect::<String>()
        )
    };
    if OF_SNAPSHOTS.contains(&first) {
        return Some(line(&format!("snapshot {first}")));
    }
    let close = |command: &&&str| {
        let distance = strsim::osa_distance(first, command);
        distance <= 2 && distance * 2 < command.len().min(first.len())
    };
    let nearest = COMMANDS
        .iter()
        .filter(close)
        .min_by_key(|command| strsim::osa_distance(first, command));
    nearest.map(|command| line(command))
}

/// Likely intention behind a flag or command that clap does not know, as the end of clap's message.
pub(crate) fn of_complaint(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        // The most similar one is the last.
        Some(ContextValue::Strings(texts)) => texts.last().cloned(),
        _ => None,
    };
    let wrong = text(ContextKind::InvalidArg).unwrap_or_default();
    let other = match wrong.as_str() {
        "--port" | "-p" | "--client-port" | "--clientPort" | "--address" | "--bind" | "--host" => {
            Some("--listen".to_owned())
        }
        "-v" => Some("--version".to_owned()),
        "-c" => Some("--config".to_owned()),
        _ => None,
    };
    let similar =
        text(ContextKind::SuggestedArg).or_else(|| text(ContextKind::SuggestedSubcommand));
    other
        .or(similar)
        .map(|meant| format!("did you mean {meant}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let words: Vec<_> = line.split_whitespace().map(String::from).collect();
        assert_eq!(of(&words).as_deref(), expected, "{line}");
    }

    #[test]
    fn arguments_of_zookeepers_main_class_are_not_explained() {
        for line in [
            "",
            "zoo.cfg",
            "conf/zoo.cfg",
            "/nowhere/start.cfg",
            "2181 /nowhere",
            "2181 /nowhere 500 9",
            "zookeeper.properties",
        ] {
            check(line, None);
        }
        check("src", None);
    }

    #[test]
    fn a_port_or_an_address_alone() {
        check(
            "2181",
            Some(
                "2181 is not a file; to listen on port 2181: minikeeper --listen 2181; \
                 to also keep the state in a folder: minikeeper 2181 DIR",
            ),
        );
        check(
            "localhost:2181",
            Some(
                "localhost:2181 is not a file; to listen there: minikeeper --listen localhost:2181; \
                 to check the server there: minikeeper health localhost:2181",
            ),
        );
        check(
            "localhost 2181",
            Some(
                "localhost is not a port; to listen on localhost:2181: minikeeper --listen localhost:2181",
            ),
        );
        check(
            "src 2181",
            Some("the port comes before the folder: minikeeper 2181 src"),
        );
    }

    #[test]
    fn a_misspelt_command() {
        for (line, meant) in [
            ("helth", "health"),
            ("heatlh localhost:2181", "health localhost:2181"),
            ("sreve", "serve"),
            ("snapshots show /data", "snapshot show /data"),
            ("show /data", "snapshot show /data"),
            ("verify", "snapshot verify"),
            ("logs", "log"),
        ] {
            let first = line.split(' ').next().unwrap_or_default();
            let expected = format!(
                "{first} is neither a file nor a command; did you mean: minikeeper {meant}"
            );
            check(line, Some(&expected));
        }
        check("data", None);
        check("zk", None);
    }

    #[test]
    fn zookeepers_scripts_and_their_words() {
        let serves = "minikeeper serves in the foreground, without a command: minikeeper";
        check(
            "zkServer.sh start-foreground",
            Some(&format!("zkServer.sh is not part of minikeeper; {serves}")),
        );
        check(
            "zkServer.sh",
            Some(&format!("zkServer.sh is not part of minikeeper; {serves}")),
        );
        check("start", Some(&format!("start is not a command; {serves}")));
        check(
            "/opt/bin/zkServer.sh start /conf/zoo.cfg",
            Some(&format!(
                "/opt/bin/zkServer.sh is not part of minikeeper; {serves} /conf/zoo.cfg"
            )),
        );
        check(
            "zkServer.sh status",
            Some(
                "zkServer.sh is not part of minikeeper; to check a running server: minikeeper health",
            ),
        );
        check(
            "stop",
            Some(
                "stop is not a command; to stop a running server: Ctrl-C, or kill with its process id",
            ),
        );
        check(
            "version",
            Some("version is not a command; for the version: minikeeper --version"),
        );
        check(
            "zkCli.sh -server x",
            Some(
                "zkCli.sh is ZooKeeper's own client and not part of minikeeper; it works with a minikeeper server",
            ),
        );
    }

    #[test]
    fn arguments_without_a_meaning() {
        check("foo bar", Some(&format!("foo is not a port; {EXPECTED}")));
        check(
            "Cargo.toml 2181",
            Some("unexpected 2181 after the configuration Cargo.toml: only flags may follow it"),
        );
        assert_eq!(
            of(&[String::new()]),
            Some(format!("the first argument is empty; {EXPECTED}"))
        );
    }
}
