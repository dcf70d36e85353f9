//! The Java client (`clients/java/`), in a JVM that runs many tests.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use libtest_mimic::Trial;
use minikeeper_harness::provision::{self, Missing, Part};

use crate::driver::Language;
use crate::oracle::VERSION;
use crate::outcome::Trouble;

pub(crate) static JAVA: Language = Language::new(|| program("Driver", |_| ()));

pub(crate) fn trials() -> Vec<Trial> {
    [
        ("Nodes", include_str!("../../clients/java/Nodes.java")),
        ("Watches", include_str!("../../clients/java/Watches.java")),
        ("Sessions", include_str!("../../clients/java/Sessions.java")),
        ("Access", include_str!("../../clients/java/Access.java")),
        ("Multi", include_str!("../../clients/java/Multi.java")),
        (
            "Scenarios",
            include_str!("../../clients/java/Scenarios.java"),
        ),
    ]
    .into_iter()
    .flat_map(|(file, source)| JAVA.trials("java", file, source))
    .collect()
}

/// Returns the command of a JVM that runs one of our classes, with ZooKeeper's jars.
pub(crate) fn program(class: &str, options: impl FnOnce(&mut Command)) -> Result<Command, Trouble> {
    let mut java = Command::new(provision::java()?);
    // The processes are short: the first compiler and the serial collector start faster.
    java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"])
        .args(["-Dfile.encoding=UTF-8", "-Dslf4j.internal.verbosity=ERROR"]);
    options(&mut java);
    java.arg("-cp").arg(class_path()?).arg(class);
    Ok(java)
}

/// Returns the class path of ZooKeeper's jars and our classes. The classes are compiled again when their sources
/// change.
pub(crate) fn class_path() -> Result<String, Missing> {
    static CLASS_PATH: OnceLock<Result<String, Missing>> = OnceLock::new();
    CLASS_PATH
        .get_or_init(|| {
            let jars = provision::zookeeper_jars(VERSION)?;
            let mut sources = files("java", &folder());
            sources.sort();
            let mut state = DefaultHasher::new();
            for source in &sources {
                fs::read(source).unwrap().hash(&mut state);
            }
            let classes = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("java-classes-{:016x}", state.finish()));
            if !classes.exists() {
                compile(&sources, jars.as_str(), &classes)?;
            }
            Ok(format!("{}{SEPARATOR}{jars}", classes.display()))
        })
        .clone()
}

const SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/java")
}

fn files(extension: &str, folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect()
}

fn compile(sources: &[PathBuf], jars: &str, classes: &Path) -> Result<(), Missing> {
    let java = provision::java()?;
    let compiler = |arguments: &dyn Fn(&mut Command)| {
        let mut command = Command::new(&java);
        command.args(["-m", "jdk.compiler/com.sun.tools.javac.Main"]);
        arguments(&mut command);
        let output = command.output().unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    };
    compiler(&|javac| {
        javac.arg("-version");
    })
    .map_err(|reason| Part::Java.missing("the Java compiler", reason))?;
    // Only the launcher named javac accepts a `*` for all jars of a folder.
    let jars: Vec<String> = jars
        .split(SEPARATOR)
        .flat_map(|entry| match entry.strip_suffix("/*") {
            Some(folder) => files("jar", Path::new(folder)),
            None => vec![PathBuf::from(entry)],
        })
        .map(|jar| jar.display().to_string())
        .collect();
    // Compiled to another folder and renamed, so that another test run sees all classes or none.
    let aside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    compiler(&|javac| {
        javac.args(["-nowarn", "-cp", &jars.join(&SEPARATOR.to_string()), "-d"]);
        javac.arg(aside.path()).args(sources);
    })
    .unwrap_or_else(|errors| panic!("{errors}"));
    let renamed = fs::rename(aside.path(), classes);
    assert!(renamed.is_ok() || classes.exists(), "{renamed:?}");
    Ok(())
}
