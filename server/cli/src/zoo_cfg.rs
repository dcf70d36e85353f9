//! Configuration files: `zoo.cfg`, and the dynamic file that it can name.

use std::path::Path;
use std::rc::Rc;

use crate::environment::{Given, Origin};
use crate::properties;
use crate::settings::Refusal;

/// Reads the settings of a file in the order of its lines, trimmed like `QuorumPeerConfig` does.
pub(crate) fn read(path: &Path) -> Result<Vec<Given>, Refusal> {
    let bytes = std::fs::read(path).map_err(|error| Refusal::File {
        path: path.to_path_buf(),
        reason: match path.is_dir() {
            true => format!(
                "is a folder, not a configuration file; \
                 use --data-dir {0} to serve its state, or --open-copy {0} to serve a copy",
                path.display()
            ),
            false => format!("cannot read the configuration: {error}"),
        },
    })?;
    let file: Rc<str> = path.display().to_string().into();
    let properties = properties::parse(&bytes).map_err(|malformed| Refusal::File {
        path: path.to_path_buf(),
        reason: format!("line {}: {malformed}", malformed.line),
    })?;
    Ok(properties
        .into_iter()
        .map(|property| Given {
            name: String::from(trim(&property.name)),
            value: String::from(trim(&property.value)),
            origin: Origin::Line {
                file: Rc::clone(&file),
                line: property.line,
            },
        })
        .collect())
}

/// Trims like `String.trim`: removes the space and all characters below it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_trimmed_and_know_their_line() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("zoo.cfg");
        std::fs::write(&path, "# ours\ntickTime = 500 \t\n").expect("it can be written");
        let given = read(&path).expect("it is well formed");
        let [line] = given.as_slice() else {
            panic!("one line was written")
        };
        assert_eq!(
            (line.name.as_str(), line.value.as_str()),
            ("tickTime", "500")
        );
        assert_eq!(line.origin.to_string(), format!("{}:2", path.display()));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let refusal = read(Path::new("/nowhere/zoo.cfg")).expect_err("there is no such file");
        assert!(
            refusal.to_string().starts_with("/nowhere/zoo.cfg: "),
            "{refusal}"
        );
    }
}
