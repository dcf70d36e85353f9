//! `minikeeper snapshot export`: writes a state in another form.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use minikeeper::{Snapshot, folder::Compression, inspect::ZnodeView};

use super::bytes::Data;
use super::flags::{Export, TreeFormat};
use super::progress::Progress;
use super::value::{self, Value};
use super::walk::Walk;
use super::{Failure, Found, words};

pub(super) fn run(flags: &Export, out: &mut dyn Write) -> Result<Found, Failure> {
    let Some(to) = &flags.to else {
        let format = flags.format.unwrap_or(TreeFormat::Json);
        write_tree(&flags.source.open()?, format, out)?;
        return Ok(Found::Nothing);
    };
    let cannot =
        |error: &dyn std::fmt::Display| Failure::Target(format!("{}: {error}", to.display()));
    let as_text = match to.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Some(TreeFormat::Json),
        Some("yaml" | "yml") => Some(TreeFormat::Yaml),
        _ => None,
    };
    match as_text {
        Some(format) => {
            if flags.data_format.is_some() {
                return Err(cannot(
                    &"--data-format needs a folder as its target: a tree as text has no release",
                ));
            }
            // An existing file is never overwritten.
            let file = File::create_new(to).map_err(|error| cannot(&error))?;
            let mut file = BufWriter::with_capacity(1 << 16, file);
            let mut write = || {
                let snapshot = flags.source.open()?;
                write_tree(&snapshot, format, &mut file)
                    .and_then(|()| file.flush())
                    .map_err(|error| cannot(&error))
            };
            // An incomplete tree is useless, and would block the next attempt.
            write().inspect_err(|_| {
                let _ = fs::remove_file(to);
            })?;
        }
        None => {
            if !is_empty(to).map_err(|error| cannot(&error))? {
                return Err(cannot(&"the folder is not empty"));
            }
            let snapshot = flags.source.open()?;
            let _progress = Progress::of(format!("writing {}", to.display()));
            let format = flags.data_format.unwrap_or_default();
            snapshot
                .write_with(to, format, Compression::None)
                .map_err(|error| Failure::Target(error.to_string()))?;
        }
    }
    Ok(Found::Nothing)
}

/// Writes the tree as a seed (`minikeeper::Tree`), a znode at a time, without ZooKeeper's own znodes.
fn write_tree(snapshot: &Snapshot, format: TreeFormat, out: &mut dyn Write) -> io::Result<()> {
    let progress = Progress::of("znodes");
    let mut any = false;
    for (znode, number) in Walk::of(snapshot).zip(1..) {
        progress.count("znodes", number);
        let path = znode.path.as_str();
        let is_zookeepers = path
            .strip_prefix("/zookeeper")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let form = form(&znode);
        // An unchanged root is omitted.
        if is_zookeepers || (path == "/" && form == Value::Fields(Vec::new())) {
            continue;
        }
        let path = Value::text(path);
        match format {
            TreeFormat::Json => {
                let before = if any { "," } else { "{" };
                write!(
                    out,
                    "{before}\n  {}: {}",
                    value::json(&path),
                    value::json(&form)
                )?;
            }
            TreeFormat::Yaml => {
                let mut text = value::json(&path);
                text.push(':');
                value::yaml_behind_name(&form, 0, &mut text);
                out.write_all(text.as_bytes())?;
            }
        }
        any = true;
    }
    match (format, any) {
        (TreeFormat::Json, true) => writeln!(out, "\n}}"),
        (TreeFormat::Yaml, true) => Ok(()),
        (TreeFormat::Json | TreeFormat::Yaml, false) => writeln!(out, "{{}}"),
    }
}

/// A znode as a tree has it: what goes without saying is not said.
fn form(znode: &ZnodeView) -> Value {
    let data = znode.data.as_deref();
    let mut fields: Vec<_> = Data::Auto.field(data).into_iter().collect();
    if data.is_some_and(<[u8]>::is_empty) {
        fields.clear();
    }
    if words::acl(&znode.acl) != words::OPEN {
        let entries = znode.acl.iter().map(Value::text).collect();
        fields.push(("acl", Value::List(entries)));
    }
    if znode.owner().is_some() {
        fields.push(("ephemeral", Value::Bool(true)));
    }
    if znode.container {
        fields.push(("container", Value::Bool(true)));
    }
    if let Some(ttl) = znode.ttl {
        fields.push(("ttl_ms", Value::count(ttl.as_millis())));
    }
    match &fields[..] {
        [("data", data)] => data.clone(),
        _ => Value::Fields(fields),
    }
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
