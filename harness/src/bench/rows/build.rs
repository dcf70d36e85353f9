//! Crates that a user of the library compiles, and the duration of the build.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::bench::report::Row;

pub(in crate::bench) fn build() -> io::Result<Row> {
    let mut row = Row::new(
        "build",
        "crates compiled for the library with default features, and its clean build",
    );
    let tree = cargo(
        &[
            "tree",
            "-p",
            "minikeeper",
            "-e",
            "normal,build",
            "--prefix",
            "none",
        ],
        None,
    )?;
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a number of crates is small")]
    let crates = row.value("crates, with the library", "", vec![crates.len() as f64]);
    row.at_most(crates, 46.0, "crates");
    let folder = tempfile::tempdir()?;
    for (of, profile) in [("clean build", "dev"), ("clean build, release", "release")] {
        let start = Instant::now();
        cargo(
            &["build", "-p", "minikeeper", "--profile", profile],
            Some(folder.path()),
        )?;
        row.value(of, "s", vec![start.elapsed().as_secs_f64()]);
    }
    Ok(row)
}

fn cargo(arguments: &[&str], target: Option<&Path>) -> io::Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if let Some(target) = target {
        command.env("CARGO_TARGET_DIR", target);
    }
    let output = command.output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}
