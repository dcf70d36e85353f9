//! kazoo, the Python client (`clients/kazoo/`), in a virtual environment of its own.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use minikeeper_harness::provision;

use crate::driver::Language;

pub(crate) static KAZOO: Language = Language::new(|| {
    let python = provision::python_venv("kazoo", &["kazoo==2.11.0"])?;
    let mut command = Command::new(python);
    // -B: Python writes no files to the folder of the sources.
    command
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/kazoo/driver.py"));
    Ok(command)
});

pub(crate) fn trials() -> Vec<Trial> {
    [
        ("nodes", include_str!("../../clients/kazoo/nodes.py")),
        ("watches", include_str!("../../clients/kazoo/watches.py")),
        ("sessions", include_str!("../../clients/kazoo/sessions.py")),
        ("access", include_str!("../../clients/kazoo/access.py")),
        (
            "transactions",
            include_str!("../../clients/kazoo/transactions.py"),
        ),
        ("recipes", include_str!("../../clients/kazoo/recipes.py")),
        (
            "scenarios",
            include_str!("../../clients/kazoo/scenarios.py"),
        ),
    ]
    .into_iter()
    .flat_map(|(file, source)| KAZOO.trials("kazoo", file, source))
    .collect()
}
