//! `minikeeper snapshot diff`: differences of two states.

use std::cmp::Ordering;
use std::io::Write;

use minikeeper::{Snapshot, inspect::ZnodeView};

use super::bytes::Data;
use super::filter::PathFilter;
use super::flags::{Diff, Format, Ignore};
use super::progress::Progress;
use super::sessions;
use super::value::{Document, Notation, Value};
use super::walk::{self, Walk};
use super::{Failure, Found, words};

pub(super) fn run(flags: &Diff, out: &mut dyn Write) -> Result<Found, Failure> {
    let (one, other) = flags.open()?;
    let sessions = sessions::differences(flags, &one, &other);
    let mut found = match sessions.is_empty() {
        true => Found::Nothing,
        false => Found::Something,
    };
    let differences =
        Differences::between(flags, &one, &other).inspect(|_| found = Found::Something);
    let notation = match flags.format {
        Format::Text => {
            for session in &sessions {
                writeln!(out, "{}", session.line())?;
            }
            for difference in differences {
                writeln!(out, "{}", difference.line())?;
            }
            return Ok(found);
        }
        Format::Json => Notation::Json,
        Format::Yaml => Notation::Yaml,
    };
    let mut document = Document::begin(out, notation)?;
    document.list("sessions", sessions.iter().map(sessions::Difference::value))?;
    document.list("znodes", differences.map(|difference| difference.value()))?;
    document.end()?;
    Ok(found)
}

/// Difference of one znode.
#[derive(Debug)]
enum Difference {
    OnlyInFirst(Box<ZnodeView>),
    OnlyInSecond(Box<ZnodeView>),
    Both { path: String, fields: Vec<Field> },
}

/// Field that differs, with both values.
#[derive(Debug)]
struct Field {
    name: &'static str,
    values: [Value; 2],
    line: String,
}

/// Walks through both states in the same order, with one znode of each in memory.
struct Differences<'a> {
    flags: &'a Diff,
    walks: [std::iter::Peekable<Walk<'a>>; 2],
    progress: Progress,
    done: u64,
}

impl<'a> Differences<'a> {
    fn between(flags: &'a Diff, one: &'a Snapshot, other: &'a Snapshot) -> Self {
        Self {
            flags,
            walks: [one, other].map(|snapshot| Walk::of(snapshot).peekable()),
            progress: Progress::of("znodes"),
            done: 0,
        }
    }

    /// Returns the znodes of the next path.
    fn pair(&mut self) -> Option<[Option<ZnodeView>; 2]> {
        let [one, other] = &mut self.walks;
        let order = match (one.peek(), other.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => walk::order(&one.path, &other.path),
        };
        Some([
            order.is_le().then(|| one.next()).flatten(),
            order.is_ge().then(|| other.next()).flatten(),
        ])
    }
}

impl Iterator for Differences<'_> {
    type Item = Difference;

    fn next(&mut self) -> Option<Difference> {
        loop {
            let pair = self.pair()?;
            self.done += 1;
            self.progress.count("znodes", self.done);
            let path = pair.iter().flatten().map(|znode| &znode.path).next();
            if path.is_some_and(|path| !PathFilter::any(&self.flags.path, path)) {
                continue;
            }
            match pair {
                [Some(one), Some(other)] => {
                    let fields = fields(&one, &other, &self.flags.ignore);
                    if !fields.is_empty() {
                        let path = one.path;
                        return Some(Difference::Both { path, fields });
                    }
                }
                [Some(one), None] => return Some(Difference::OnlyInFirst(Box::new(one))),
                [None, Some(other)] => return Some(Difference::OnlyInSecond(Box::new(other))),
                [None, None] => return None,
            }
        }
    }
}

/// Returns the fields that differ between two znodes of one path. The number of children is not a field, since the
/// children are differences themselves.
fn fields(one: &ZnodeView, other: &ZnodeView, ignore: &[Ignore]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut field = |name: &'static str, values: [Value; 2], lines: [String; 2]| {
        let ignored = ignore.iter().any(|ignore| ignore.names().contains(&name));
        if values[0] != values[1] && !ignored {
            let [first, second] = lines;
            fields.push(Field {
                name,
                values,
                line: format!("{name} {first} -> {second}"),
            });
        }
    };
    let pair = [one, other];
    let data = pair.map(|znode| znode.data.as_deref());
    field(
        "data",
        data.map(|data| match Data::Auto.field(data) {
            Some(("data", value)) => value,
            Some(named) => Value::Fields(vec![named]),
            None => Value::Null,
        }),
        data.map(|data| Data::Auto.short_line(data).unwrap_or_default()),
    );
    let mut text = |name: &'static str, texts: [String; 2]| {
        let values = [Value::text(&texts[0]), Value::text(&texts[1])];
        field(name, values, texts);
    };
    text("acl", pair.map(|znode| words::acl(&znode.acl)));
    text(
        "owner",
        pair.map(|znode| words::owner(znode).unwrap_or_else(|| "none".to_owned())),
    );
    text("czxid", pair.map(|znode| znode.stat.czxid.to_string()));
    text("mzxid", pair.map(|znode| znode.stat.mzxid.to_string()));
    text("pzxid", pair.map(|znode| znode.stat.pzxid.to_string()));
    text("ctime", pair.map(|znode| words::time(znode.stat.ctime)));
    text("mtime", pair.map(|znode| words::time(znode.stat.mtime)));
    let mut number = |name, numbers: [i32; 2]| {
        field(
            name,
            numbers.map(|number| Value::Number(number.into())),
            numbers.map(|number| number.to_string()),
        );
    };
    number("version", pair.map(|znode| znode.stat.version));
    number("cversion", pair.map(|znode| znode.stat.cversion));
    number("aversion", pair.map(|znode| znode.stat.aversion));
    fields
}

impl Difference {
    fn line(&self) -> String {
        let whole = |mark: char, znode: &ZnodeView| {
            let data = Data::Auto.short_line(znode.data.as_deref());
            format!("{mark} {} {}", znode.path, data.unwrap_or_default())
        };
        match self {
            Self::OnlyInFirst(znode) => whole('-', znode),
            Self::OnlyInSecond(znode) => whole('+', znode),
            Self::Both { path, fields } => {
                let lines: Vec<&str> = fields.iter().map(|field| field.line.as_str()).collect();
                format!("~ {path} {}", lines.join(", "))
            }
        }
    }

    fn value(&self) -> Value {
        let (path, change, what) = match self {
            Self::OnlyInFirst(znode) => (
                &znode.path,
                "removed",
                Some(words::znode(znode, Data::Auto)),
            ),
            Self::OnlyInSecond(znode) => {
                (&znode.path, "added", Some(words::znode(znode, Data::Auto)))
            }
            Self::Both { path, .. } => (path, "changed", None),
        };
        let mut value = vec![("path", Value::text(path)), ("change", Value::text(change))];
        match self {
            Self::Both { fields, .. } => {
                let fields = fields.iter().map(|field| {
                    let [first, second] = field.values.clone();
                    let values = Value::Fields(vec![("from", first), ("to", second)]);
                    (field.name, values)
                });
                value.push(("fields", Value::Fields(fields.collect())));
            }
            Self::OnlyInFirst(_) | Self::OnlyInSecond(_) => {
                value.extend(what.map(|what| ("znode", what)));
            }
        }
        Value::Fields(value)
    }
}
