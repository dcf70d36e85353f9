//! Settings of the data folder.

use std::path::{Path, PathBuf};

use minikeeper::{Config, folder::Storage};

use super::{Gathered, Refusal, is_true};
use crate::environment::{Given, Origin};
use crate::flags::Serve;
use crate::keys::{self, Key, Why};

impl Gathered {
    /// Sets everything about the data folder.
    pub(super) fn apply_storage(
        &mut self,
        config: &mut Config,
        flags: &Serve,
    ) -> Result<(), Refusal> {
        if let Some(data_dir) = flags.settings.path("data_dir") {
            config.storage.data_dir = Some(data_dir);
            config.storage.data_log_dir = flags.settings.path("data_log_dir");
        } else if flags.keeps_in_memory() || config.members > 1 {
            config.storage = Storage::default();
            return Ok(());
        } else if let Some(data_dir) = self.given("dataDir").cloned() {
            let data_log_dir = self.given("dataLogDir").cloned();
            config.storage.data_dir = Some(PathBuf::from(&data_dir.value));
            config.storage.data_log_dir = data_log_dir
                .as_ref()
                .map(|given| PathBuf::from(&given.value));
            let folders = [Some(&data_dir), data_log_dir.as_ref()];
            self.warnings
                .extend(folders.into_iter().flatten().filter_map(relative));
        } else {
            config.storage = Storage::default();
            self.ignore_storage(flags);
            return Ok(());
        }
        self.check_existence(&config.storage)?;
        self.apply_keys(config, flags, true)
    }

    /// Checks the folders like `VerifyingFileFactory.doWarnForRelativePath`, which reads two characters of a relative
    /// path.
    pub(super) fn check_folders(&self) -> Result<(), Refusal> {
        let mut folders = ["dataDir", "dataLogDir"]
            .into_iter()
            .filter_map(|name| self.given(name));
        let too_short = |given: &&Given| {
            given.origin != Origin::CommandLine
                && given.value.len() < 2
                && !Path::new(&given.value).is_absolute()
        };
        match folders.find(too_short) {
            None => Ok(()),
            Some(given) => {
                let reason =
                    "ZooKeeper requires a relative folder to have two characters; put ./ before it";
                Err(Refusal::value(given, reason))
            }
        }
    }

    /// Lists the settings of the data folder as without effect, since the state is in memory.
    fn ignore_storage(&mut self, flags: &Serve) {
        let is_idle = |key: &Key, given: &Given| {
            key.needs_data_dir() && !matches!(given.origin, Origin::ImageDefault(_))
        };
        let keys = keys::all().filter_map(|key| {
            let mut honoured = self.honoured.iter();
            let found =
                honoured.find(|(other, _)| other.name == key.name && other.place == key.place);
            found.filter(|(key, given)| is_idle(key, given))
        });
        let names = keys.map(|(_, given)| String::from(given.label()));
        let names: Vec<_> = names.chain(flags.settings.of_data_dir()).collect();
        if !names.is_empty() {
            self.idle.entry(Why::Memory).or_default().extend(names);
        }
    }

    /// Checks that the folders exist if they are not to be created, as the constructor of `FileTxnSnapLog` does.
    fn check_existence(&self, storage: &Storage) -> Result<(), Refusal> {
        let Some(given) = self.given("datadir.autocreate") else {
            return Ok(());
        };
        if is_true(&given.value) {
            return Ok(());
        }
        let folders = [&storage.data_dir, &storage.data_log_dir];
        let folders = folders.into_iter().flatten();
        let mut folders = folders.map(minikeeper::folder::version_folder);
        match folders.find(|folder| !folder.exists()) {
            None => Ok(()),
            Some(folder) => {
                let reason = format!(
                    "{} does not exist, and datadir.autocreate is false",
                    folder.display()
                );
                Err(Refusal::value(given, reason))
            }
        }
    }
}

/// Returns the warning of `VerifyingFileFactory.doWarnForRelativePath` about a relative path.
fn relative(given: &Given) -> Option<String> {
    let path = Path::new(&given.value);
    let is_intended = path.is_absolute() || given.value.starts_with("./");
    let whole = std::path::absolute(path).ok()?;
    (!is_intended).then(|| {
        format!(
            "{}={} is relative: {}; put ./ before it if this is intended",
            given.name,
            given.value,
            whole.display()
        )
    })
}
