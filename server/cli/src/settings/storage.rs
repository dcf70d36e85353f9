//! Settings of the data folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use minikeeper::folder::{Compression, Storage};

use super::{Gathered, Refusal, is_true};
use crate::environment::{Given, Origin};
use crate::flags::Serve;
use crate::keys::{Setting, Why};

const HOUR: Duration = Duration::from_secs(3600);

impl Gathered {
    /// Sets everything about the data folder. Returns warnings about it.
    pub(super) fn apply_storage(
        &mut self,
        storage: &mut Storage,
        flags: &Serve,
    ) -> Result<Vec<String>, Refusal> {
        let mut warnings = Vec::new();
        if let Some(data_dir) = &flags.data_dir {
            storage.data_dir = Some(data_dir.clone());
            storage.data_log_dir.clone_from(&flags.data_log_dir);
        } else if flags.keeps_in_memory() {
            return Ok(warnings);
        } else if let Some(data_dir) = self.honoured.get(&Setting::DataDir) {
            storage.data_dir = Some(PathBuf::from(&data_dir.value));
            let data_log_dir = self.honoured.get(&Setting::DataLogDir);
            storage.data_log_dir = data_log_dir.map(|given| PathBuf::from(&given.value));
            let folders = [Some(data_dir), data_log_dir];
            warnings.extend(folders.into_iter().flatten().filter_map(relative));
        } else {
            self.ignore_storage(flags);
            return Ok(warnings);
        }
        self.check_existence(storage)?;
        self.apply_format(storage, &mut warnings);
        storage.recover = flags.recover;
        storage.trust_empty |= flags.trust_empty;
        storage.data_format = flags.data_format;
        storage.force_sync &= !flags.no_fsync;
        Ok(warnings)
    }

    /// Checks the folders like `VerifyingFileFactory.doWarnForRelativePath`, which reads two characters of a relative
    /// path.
    pub(super) fn check_folders(&self) -> Result<(), Refusal> {
        let folders = [Setting::DataDir, Setting::DataLogDir];
        let mut folders = folders
            .iter()
            .filter_map(|setting| self.honoured.get(setting));
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
        let names = self
            .honoured
            .iter()
            .filter(|(setting, given)| {
                setting.needs_data_dir() && !matches!(given.origin, Origin::ImageDefault(_))
            })
            .map(|(_, given)| String::from(given.label()));
        let switches = [
            ("--recover", flags.recover),
            ("--trust-empty", flags.trust_empty),
            ("--data-format", flags.data_format.is_some()),
            ("--no-fsync", flags.no_fsync),
        ];
        let switches = switches.into_iter().filter(|(_, is_given)| *is_given);
        let names: Vec<_> = names
            .chain(switches.map(|(name, _)| String::from(name)))
            .collect();
        if !names.is_empty() {
            self.idle.entry(Why::Memory).or_default().extend(names);
        }
    }

    /// Checks that the folders exist if they are not to be created, as the constructor of `FileTxnSnapLog` does.
    fn check_existence(&self, storage: &Storage) -> Result<(), Refusal> {
        let Some(given) = self.honoured.get(&Setting::AutoCreate) else {
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

    fn apply_format(&self, storage: &mut Storage, warnings: &mut Vec<String>) {
        // FileTxnLog compares with "no" and nothing else.
        if self.value(Setting::ForceSync) == Some("no") {
            storage.force_sync = false;
        }
        let slow = self.decoded(Setting::FsyncWarning);
        if let Some(ms) = slow.or_else(|| self.decoded(Setting::FsyncWarningAlone)) {
            storage.fsync_warning = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        }
        // ZooKeeperServer.getSnapCount. Integer.getInteger ignores text that is not a number of 32 bits.
        let int = |setting| self.decoded(setting).and_then(|n| i32::try_from(n).ok());
        if let Some(count) = int(Setting::SnapCount) {
            storage.snap_count = u32::try_from(count).unwrap_or(0).max(2);
        }
        if let Some(kib) = self.decoded(Setting::SnapSizeLimit) {
            storage.snap_size_limit = u64::try_from(kib).unwrap_or(0).saturating_mul(1024);
        }
        // FileTxnLog: zero and less is no limit.
        if let Some(kib) = self.decoded(Setting::LogSizeLimit) {
            storage.log_size_limit = u64::try_from(kib).unwrap_or(0).saturating_mul(1024);
        }
        // FilePadding reads it with Long.parseLong, and ignores other text.
        if let Some(given) = self.honoured.get(&Setting::PreAllocSize) {
            match given.value.parse::<i64>() {
                Ok(kib) => {
                    storage.pre_alloc_size = u64::try_from(kib).unwrap_or(0).saturating_mul(1024);
                }
                Err(_) => warnings.push(format!(
                    "{}: {}={}: not a number, ignored",
                    given.origin, given.name, given.value
                )),
            }
        }
        // SnapStream.StreamMode.fromString: any other value is no compression.
        if let Some(method) = self.value(Setting::Compression) {
            storage.compression = match method.to_ascii_lowercase().as_str() {
                "gz" => Compression::Gzip,
                "snappy" => Compression::Snappy,
                _ => Compression::None,
            };
        }
        if let Some(on) = self.flag(Setting::TrustEmpty) {
            storage.trust_empty = on;
        }
        if let Some(on) = self.flag(Setting::LastZxid) {
            storage.last_zxid = on;
        }
        if let Some(on) = self.flag(Setting::Digest) {
            storage.digest = on;
        }
        // QuorumPeerConfig.parseProperties raises smaller values to 3.
        if let Some(count) = self.int(Setting::PurgeRetain) {
            storage.purge_retain = u32::try_from(count).unwrap_or(0).max(3);
        }
        if let Some(hours) = self.int(Setting::PurgeInterval) {
            storage.purge_interval = HOUR * u32::try_from(hours).unwrap_or(0);
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
