//! The tables of docs/configuration.md, written from the settings, the keys and the command line.
//!
//! `MINIKEEPER_WRITE=1 cargo test -p minikeeper-cli configuration_page` writes them; without the variable, the test
//! fails if the page differs.

use std::path::Path;

use clap::CommandFactory as _;
use minikeeper::Config;
use minikeeper::config::{Check, Flag, Place, SETTINGS, Setting};

use crate::environment::{DEFAULTS, Variables};
use crate::flags::{CommandLine, Serve};
use crate::keys::{self, Effect, Key, When};
use crate::setting_flags::default_text;
use crate::settings::{Source, settle};

#[test]
fn the_configuration_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(&path).expect("the page can be read");
    let written = [
        ("defaults", defaults()),
        ("flags", flags()),
        ("settings", settings(false)),
        ("folder settings", settings(true)),
        ("keys", keys()),
    ]
    .iter()
    .fold(page.clone(), |page, (name, rows)| {
        with_table(&page, name, rows)
    });
    if std::env::var_os("MINIKEEPER_WRITE").is_some() {
        std::fs::write(&path, written).expect("the page can be written");
    } else {
        assert!(
            page == written,
            "docs/configuration.md is not current; \
             run MINIKEEPER_WRITE=1 cargo test -p minikeeper-cli configuration_page"
        );
    }
}

/// Replaces the table between `<!-- NAME -->` and `<!-- end of NAME -->`.
fn with_table(page: &str, name: &str, rows: &[Vec<String>]) -> String {
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->\n"),
    );
    let (before, rest) = page.split_once(&begin).expect("the page has the mark");
    let (_, after) = rest.split_once(&end).expect("the page has the end mark");
    let mut table = String::new();
    for (at, cells) in rows.iter().enumerate() {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        table += &format!("| {} |\n", cells.join(" | "));
        if at == 0 {
            table += &format!("|{}\n", "---|".repeat(cells.len()));
        }
    }
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Returns the settings whose defaults differ between the sources of a configuration.
fn defaults() -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("zoo.cfg");
    std::fs::write(&file, "dataDir=/data\nclientPort=2181\n").expect("it can be written");
    let arguments = ["2181", "/data"].map(String::from).to_vec();
    let of = |source, variables| {
        let settled = settle(&source, &variables, &Serve::default());
        settled.expect("the configuration is in order").config
    };
    let configs = [
        of(Source::Variables, Variables::default()),
        of(Source::File(file), Variables::default()),
        of(Source::Arguments(arguments), Variables::default()),
        of(Source::Variables, Variables::from([DEFAULTS])),
    ];
    let mut rows = vec![row([
        "setting",
        "no configuration; variables outside the image",
        "`zoo.cfg`",
        "`PORT DIR`",
        "the image (`MINIKEEPER_DEFAULTS=image`)",
    ])];
    for setting in SETTINGS {
        let values = configs.each_ref().map(|config| value(setting, config));
        if values.iter().any(|value| *value != values[0]) {
            let mut cells = row([&format!("`{}`", setting.name)]);
            cells.extend(values);
            rows.push(cells);
        }
    }
    rows
}

/// Returns the flags of `minikeeper serve` with their help texts.
fn flags() -> Vec<Vec<String>> {
    let command = CommandLine::command();
    let serve = command
        .find_subcommand("serve")
        .expect("there is a command `serve`");
    let mut rows = vec![row(["flag", "effect"])];
    for arg in serve.get_arguments() {
        let Some(name) = arg.get_long() else { continue };
        let values: String = arg
            .get_value_names()
            .filter(|_| arg.get_action().takes_values())
            .into_iter()
            .flatten()
            .map(|value| format!(" {value}"))
            .collect();
        let help = arg.get_help().expect("each flag has a help text");
        rows.push(row([
            &format!("`--{name}{values}`"),
            &escaped(&help.to_string()),
        ]));
    }
    rows
}

/// Returns the settings of the data folder, or all others.
fn settings(of_data_dir: bool) -> Vec<Vec<String>> {
    let mut rows = vec![row(["setting", "key", "flag", "default", "meaning"])];
    let settings = SETTINGS
        .iter()
        .filter(|setting| setting.needs_data_dir == of_data_dir);
    for setting in settings {
        let mut keys: Vec<_> = setting
            .keys
            .iter()
            .map(|key| format!("`{}`", key.name))
            .collect();
        keys.dedup();
        let flag = match setting.flag {
            None => String::new(),
            Some(Flag::Value {
                name, placeholder, ..
            }) => format!("`--{name} {placeholder}`"),
            Some(Flag::Switch { name, .. }) => format!("`--{name}`"),
        };
        let default = value(setting, &Config::default());
        let with_file = value(setting, &Config::like_zoo_cfg());
        let default = match default == with_file {
            true => default,
            false => format!("{default}; {with_file} with a `zoo.cfg`"),
        };
        let mut meaning = setting.summary();
        for key in setting.keys.iter().filter(|key| !key.note.is_empty()) {
            meaning += &format!(" `{}`: {}.", key.name, key.note);
        }
        let cells = [
            &format!("`{}`", setting.name),
            &keys.join(", "),
            &flag,
            &default,
            &escaped(&meaning),
        ];
        rows.push(row(cells.map(String::as_str)));
    }
    rows
}

/// Returns the value of a setting with its unit.
fn value(setting: &Setting, config: &Config) -> String {
    let text = default_text(setting, config);
    let Ok(number) = text.parse::<u64>() else {
        return escaped(&text);
    };
    let size = match number {
        0 => None,
        _ if number % (1 << 30) == 0 => Some(format!("{} GiB", number >> 30)),
        _ if number % (1 << 20) == 0 => Some(format!("{} MiB", number >> 20)),
        _ => None,
    };
    match (setting.unit, size) {
        ("", _) => text,
        ("bytes", Some(size)) => format!("{text} bytes ({size})"),
        (unit, _) => format!("{text} {unit}"),
    }
}

/// Escapes an asterisk, which Markdown reads as the begin of an emphasis.
fn escaped(text: &str) -> String {
    text.replace('*', "\\*")
}

/// Returns every key of ZooKeeper.
fn keys() -> Vec<Vec<String>> {
    let mut rows = vec![row(["key", "source", "effect", "values"])];
    rows.extend(keys::all().map(key_row));
    rows
}

fn key_row(key: Key) -> Vec<String> {
    let place = match key.place {
        Place::File => "zoo.cfg".to_owned(),
        Place::Both => "zoo.cfg, property".to_owned(),
        Place::Jvm => "property of this name".to_owned(),
        Place::Guide(property) => format!("none: the property is `{property}`"),
    };
    let effect = match key.effect {
        Effect::Sets(setting) => format!("sets `{}`", setting.name),
        Effect::Reads(_) => "honoured".to_owned(),
        Effect::Nothing(why) => format!("no effect: {}", why.text()),
        Effect::Refused(When::Always, why) => format!("refused: {why}"),
        Effect::Refused(When::True, why) => format!("`true` is refused: {why}"),
        Effect::Refused(When::TrueWithNetty, why) => {
            format!("`true` is refused with `NettyServerCnxnFactory`: {why}")
        }
    };
    let values = match key.check {
        Check::Any => String::new(),
        Check::Bool => "`true`, `false`".to_owned(),
        Check::Int => "a number of 32 bits".to_owned(),
        Check::Long | Check::Real => "a number".to_owned(),
        Check::Hex => "a hexadecimal number".to_owned(),
        Check::OneOf(words) => format!("`{}`", words.join("`, `")),
        Check::Class(_) => "a class of ZooKeeper's".to_owned(),
        Check::AtLeast(least) => format!("at least {least}"),
        Check::NotZero => "not 0".to_owned(),
    };
    row([&format!("`{}`", key.name), &place, &effect, &values])
}
