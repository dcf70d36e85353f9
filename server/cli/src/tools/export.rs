//! `minikeeper snapshot export`: a state elsewhere.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use minikeeper::Compression;

use super::flags::{Export, TreeFormat};
use super::progress::Progress;
use super::{Failure, Found};

pub(super) fn run(flags: &Export, out: &mut dyn Write) -> Result<Found, Failure> {
    let Some(to) = &flags.to else {
        let snapshot = flags.source.open()?;
        let text = match flags.format {
            None | Some(TreeFormat::Json) => snapshot.tree().to_json(),
            Some(TreeFormat::Yaml) => snapshot.tree().to_yaml(),
        };
        out.write_all(text.as_bytes())?;
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
                    &"a tree as text has no release: --data-format is for a folder",
                ));
            }
            // Nothing that is there is written over.
            let mut file = File::create_new(to).map_err(|error| cannot(&error))?;
            let snapshot = flags.source.open().inspect_err(|_| {
                let _ = fs::remove_file(to);
            })?;
            let _progress = Progress::of(format!("writing {}", to.display()));
            let tree = snapshot.tree();
            let text = match format {
                TreeFormat::Json => tree.to_json(),
                TreeFormat::Yaml => tree.to_yaml(),
            };
            file.write_all(text.as_bytes())
                .map_err(|error| cannot(&error))?;
        }
        None => {
            if !is_empty(to).map_err(|error| cannot(&error))? {
                return Err(cannot(&"there is something in this folder already"));
            }
            let snapshot = flags.source.open()?;
            let _progress = Progress::of(format!("writing {}", to.display()));
            let format = flags.data_format.unwrap_or_default();
            snapshot
                .write_as(to, format, Compression::None)
                .map_err(|error| Failure::Target(error.to_string()))?;
        }
    }
    Ok(Found::Nothing)
}

fn is_empty(folder: &Path) -> std::io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
