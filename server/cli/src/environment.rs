//! What the environment says: the official image's `ZOO_*` variables, and system properties in `JVMFLAGS`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use crate::properties;

/// The environment's variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those of this process; one that is not Unicode is read as far as it is.
    pub(crate) fn of_this_process() -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(
            std::env::vars_os()
                .map(|(name, value)| (lossy(name), lossy(value)))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn set_and_not_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .iter()
                .map(|&(name, value)| (String::from(name), String::from(value)))
                .collect(),
        )
    }
}

/// One `name = value` that the user gave, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Line {
        file: Rc<str>,
        line: usize,
    },
    Variable(String),
    /// A variable of the image that has the value the image gives it.
    ImageDefault(&'static str),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::ImageDefault(name) => f.write_str(name),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// The system properties that a start script would hand to Java; of two with one name, the later counts.
pub(crate) fn system_properties(variables: &Variables) -> Vec<Given> {
    // zkServer.sh puts SERVER_JVMFLAGS before JVMFLAGS.
    let mut found = Vec::new();
    for variable in ["SERVER_JVMFLAGS", "JVMFLAGS"] {
        for word in words(variables.get(variable).unwrap_or_default()) {
            // Whatever else stands there is for the virtual machine: -Xmx, -XX, -agentlib.
            let Some(property) = word.strip_prefix("-D") else {
                continue;
            };
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            found.push(Given {
                name: String::from(name),
                value: String::from(value),
                origin: Origin::Variable(String::from(variable)),
            });
        }
    }
    found
}

/// Splits as a shell does: at blanks that neither quotes nor a backslash hide.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What the official image makes of its variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// This file is there, so the variables count for nothing.
    File(PathBuf),
    /// The `zoo.cfg` that the image would have written, the number in its `myid`, and variables that it does not know.
    Variables {
        lines: Vec<Given>,
        id: Given,
        unknown: Vec<String>,
    },
}

/// The image's variables that become a line each: variable, key, the image's default.
pub(crate) const LINES: &[(&str, &str, &str)] = &[
    ("ZOO_DATA_DIR", "dataDir", "/data"),
    ("ZOO_DATA_LOG_DIR", "dataLogDir", "/datalog"),
    ("ZOO_TICK_TIME", "tickTime", "2000"),
    ("ZOO_INIT_LIMIT", "initLimit", "5"),
    ("ZOO_SYNC_LIMIT", "syncLimit", "2"),
    (
        "ZOO_AUTOPURGE_SNAPRETAINCOUNT",
        "autopurge.snapRetainCount",
        "3",
    ),
    (
        "ZOO_AUTOPURGE_PURGEINTERVAL",
        "autopurge.purgeInterval",
        "0",
    ),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", "60"),
    ("ZOO_STANDALONE_ENABLED", "standaloneEnabled", "true"),
    ("ZOO_ADMINSERVER_ENABLED", "admin.enableServer", "true"),
];

/// The image's other variables; those that concern logs and the start script have no effect here.
pub(crate) const OTHERS: &[&str] = &[
    "ZOO_SERVERS",
    "ZOO_4LW_COMMANDS_WHITELIST",
    "ZOO_CFG_EXTRA",
    "ZOO_MY_ID",
    "ZOO_CONF_DIR",
    "ZOO_LOG_DIR",
    "ZOO_LOG_FILE",
    "ZOO_LOG4J_PROP",
    "ZOO_DATADIR_AUTOCREATE_DISABLE",
    "ZOO_NOEXEC",
];

/// Looks for `ZOO_*` variables; without any, the official image's ways do not apply.
pub(crate) fn image(variables: &Variables) -> Option<Image> {
    if !variables.0.keys().any(|name| name.starts_with("ZOO_")) {
        return None;
    }
    let folder = variables
        .set_and_not_empty("ZOO_CONF_DIR")
        .unwrap_or("/conf");
    let file = PathBuf::from(folder).join("zoo.cfg");
    if file.is_file() {
        return Some(Image::File(file));
    }
    let mut lines = Vec::new();
    for &(variable, key, default) in LINES {
        let value = variables.get(variable).unwrap_or(default);
        let origin = if value == default {
            Origin::ImageDefault(variable)
        } else {
            Origin::Variable(String::from(variable))
        };
        lines.push(Given {
            name: String::from(key),
            value: String::from(value),
            origin,
        });
    }
    match variables.set_and_not_empty("ZOO_SERVERS") {
        Some(servers) => lines.extend(each_word("ZOO_SERVERS", servers)),
        None => lines.push(Given {
            name: String::from("server.1"),
            value: String::from("localhost:2888:3888;2181"),
            origin: Origin::ImageDefault("ZOO_SERVERS"),
        }),
    }
    if let Some(list) = variables.set_and_not_empty("ZOO_4LW_COMMANDS_WHITELIST") {
        lines.push(Given {
            name: String::from("4lw.commands.whitelist"),
            value: String::from(list),
            origin: Origin::Variable(String::from("ZOO_4LW_COMMANDS_WHITELIST")),
        });
    }
    // zkServer.sh makes it a system property.
    if variables
        .set_and_not_empty("ZOO_DATADIR_AUTOCREATE_DISABLE")
        .is_some()
    {
        lines.push(Given {
            name: String::from("datadir.autocreate"),
            value: String::from("false"),
            origin: Origin::Variable(String::from("ZOO_DATADIR_AUTOCREATE_DISABLE")),
        });
    }
    if let Some(extra) = variables.set_and_not_empty("ZOO_CFG_EXTRA") {
        lines.extend(each_word("ZOO_CFG_EXTRA", extra));
    }
    let unknown = variables
        .0
        .keys()
        .filter(|name| {
            name.starts_with("ZOO_")
                && !LINES.iter().any(|line| line.0 == name.as_str())
                && !OTHERS.contains(&name.as_str())
        })
        .cloned()
        .collect();
    let id = Given {
        name: String::from("myid"),
        value: String::from(variables.set_and_not_empty("ZOO_MY_ID").unwrap_or("1")),
        origin: Origin::Variable(String::from("ZOO_MY_ID")),
    };
    Some(Image::Variables { lines, id, unknown })
}

/// The image writes each word as a line of its own; Java then reads the line.
fn each_word(variable: &str, text: &str) -> Vec<Given> {
    text.split_whitespace()
        .flat_map(|word| properties::parse(word.as_bytes()).unwrap_or_default())
        .map(|property| Given {
            name: property.name,
            value: property.value,
            origin: Origin::Variable(String::from(variable)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let check = |text, expected: &[&str]| assert_eq!(words(text), expected, "{text}");
        check("", &[]);
        check("  -Xmx1g   -Da=1\t", &["-Xmx1g", "-Da=1"]);
        check(r#""-Da=1 2" -D'b'="3""#, &["-Da=1 2", "-Db=3"]);
        check(r"-Da=1\ 2 -Db='\'", &["-Da=1 2", r"-Db=\"]);
        check("-Da='open", &["-Da=open"]);
        check("''", &[""]);
    }

    #[test]
    fn jvmflags_come_after_server_jvmflags() {
        let variables = Variables::from([
            ("JVMFLAGS", "-Dzookeeper.skipACL=yes -Dflag"),
            ("SERVER_JVMFLAGS", "-Xmx512m -Dzookeeper.skipACL=no"),
        ]);
        let found: Vec<_> = system_properties(&variables)
            .into_iter()
            .map(|given| (given.origin.to_string(), given.name, given.value))
            .collect();
        let line = |origin: &str, name: &str, value: &str| {
            (
                String::from(origin),
                String::from(name),
                String::from(value),
            )
        };
        assert_eq!(
            found,
            [
                line("SERVER_JVMFLAGS", "zookeeper.skipACL", "no"),
                line("JVMFLAGS", "zookeeper.skipACL", "yes"),
                line("JVMFLAGS", "flag", ""),
            ]
        );
    }

    fn lines(variables: &Variables) -> Vec<String> {
        match image(variables) {
            Some(Image::Variables { lines, .. }) => lines
                .iter()
                .map(|given| format!("{}={}", given.name, given.value))
                .collect(),
            other => panic!("expected variables, got {other:?}"),
        }
    }

    #[test]
    fn without_a_zoo_variable_the_image_does_not_apply() {
        assert_eq!(image(&Variables::from([("JVMFLAGS", "-Da=b")])), None);
    }

    #[test]
    fn the_image_writes_its_defaults_and_what_was_set() {
        let written = lines(&Variables::from([
            ("ZOO_TICK_TIME", "500"),
            ("ZOO_SERVERS", ""),
            ("ZOO_4LW_COMMANDS_WHITELIST", "ruok, mntr"),
            ("ZOO_DATADIR_AUTOCREATE_DISABLE", "1"),
            ("ZOO_CFG_EXTRA", "tickTime=700 skipACL=yes"),
        ]));
        assert_eq!(
            written,
            [
                "dataDir=/data",
                "dataLogDir=/datalog",
                "tickTime=500",
                "initLimit=5",
                "syncLimit=2",
                "autopurge.snapRetainCount=3",
                "autopurge.purgeInterval=0",
                "maxClientCnxns=60",
                "standaloneEnabled=true",
                "admin.enableServer=true",
                "server.1=localhost:2888:3888;2181",
                "4lw.commands.whitelist=ruok, mntr",
                "datadir.autocreate=false",
                "tickTime=700",
                "skipACL=yes",
            ]
        );
    }

    #[test]
    fn every_variable_stands_in_the_page_on_configuration() {
        let page = include_str!("../../../docs/configuration.md");
        for (variable, key, default) in LINES {
            assert!(page.contains(&format!("| `{variable}` |")), "{variable}");
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{variable}` |")));
            assert!(
                row.is_some_and(|row| row.contains(default) && row.contains(key)),
                "{row:?}"
            );
        }
        for variable in OTHERS {
            assert!(page.contains(&format!("`{variable}`")), "{variable}");
        }
    }

    #[test]
    fn a_variable_that_is_not_the_images_is_found() {
        let variables = Variables::from([("ZOO_PORT_NUMBER", "2182"), ("ZOO_MY_ID", "3")]);
        let Some(Image::Variables { unknown, id, .. }) = image(&variables) else {
            panic!("variables were given");
        };
        assert_eq!(unknown, ["ZOO_PORT_NUMBER"]);
        assert_eq!(id.value, "3");
    }

    #[test]
    fn a_zoo_cfg_in_the_conf_folder_wins_over_variables() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("zoo.cfg");
        std::fs::write(&file, "").expect("a file can be written there");
        let path = folder.path().to_str().expect("the path is Unicode");
        let variables = Variables::from([("ZOO_CONF_DIR", path), ("ZOO_TICK_TIME", "500")]);
        assert_eq!(image(&variables), Some(Image::File(file)));
    }
}
