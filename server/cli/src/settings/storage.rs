//! Where state is kept, and how.

use std::path::{Path, PathBuf};
use std::time::Duration;

use minikeeper::folder::{Compression, Storage};

use super::{Gathered, Keep, Overrides, Refusal, is_true};
use crate::environment::{Given, Origin};
use crate::keys::{Setting, Why};

const HOUR: Duration = Duration::from_secs(3600);

impl Gathered {
    /// Everything about the folder; what there is to say of it in a warning.
    pub(super) fn keep(
        &mut self,
        storage: &mut Storage,
        overrides: &Overrides,
    ) -> Result<Vec<String>, Refusal> {
        let mut warnings = Vec::new();
        match &overrides.keep {
            Keep::InMemory => return Ok(warnings),
            Keep::In(data_dir, data_log_dir) => {
                storage.data_dir = Some(data_dir.clone());
                storage.data_log_dir.clone_from(data_log_dir);
            }
            Keep::AsConfigured => {
                let Some(data_dir) = self.honoured.get(&Setting::DataDir) else {
                    self.nothing_is_kept(overrides);
                    return Ok(warnings);
                };
                storage.data_dir = Some(PathBuf::from(&data_dir.value));
                let data_log_dir = self.honoured.get(&Setting::DataLogDir);
                storage.data_log_dir = data_log_dir.map(|given| PathBuf::from(&given.value));
                let folders = [Some(data_dir), data_log_dir];
                warnings.extend(folders.into_iter().flatten().filter_map(relative));
            }
        }
        self.must_be_there(storage)?;
        self.how(storage, &mut warnings);
        storage.recover = overrides.recover;
        storage.trust_empty |= overrides.trust_empty;
        storage.data_format = overrides.data_format;
        storage.force_sync &= !overrides.no_fsync;
        Ok(warnings)
    }

    /// `VerifyingFileFactory.doWarnForRelativePath`, which looks at two characters of whatever is relative.
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
                    "ZooKeeper wants two characters of a relative folder: put ./ before it";
                Err(Refusal::value(given, reason))
            }
        }
    }

    /// What says how it is kept has no effect then.
    fn nothing_is_kept(&mut self, overrides: &Overrides) {
        let names = self
            .honoured
            .iter()
            .filter(|(setting, given)| {
                setting.is_of_the_disk() && !matches!(given.origin, Origin::ImageDefault(_))
            })
            .map(|(_, given)| String::from(given.label()));
        let flags = [
            ("--recover", overrides.recover),
            ("--trust-empty", overrides.trust_empty),
            ("--data-format", overrides.data_format.is_some()),
            ("--no-fsync", overrides.no_fsync),
        ];
        let flags = flags.into_iter().filter(|(_, is_given)| *is_given);
        let names: Vec<_> = names
            .chain(flags.map(|(name, _)| String::from(name)))
            .collect();
        if !names.is_empty() {
            self.idle.entry(Why::Memory).or_default().extend(names);
        }
    }

    /// `FileTxnSnapLog`'s constructor.
    fn must_be_there(&self, storage: &Storage) -> Result<(), Refusal> {
        let Some(given) = self.honoured.get(&Setting::AutoCreate) else {
            return Ok(());
        };
        if is_true(&given.value) {
            return Ok(());
        }
        let folders = [&storage.data_dir, &storage.data_log_dir];
        let folders = folders.into_iter().flatten();
        let mut folders = folders.map(|folder| minikeeper::folder::version_folder(folder));
        match folders.find(|folder| !folder.exists()) {
            None => Ok(()),
            Some(folder) => {
                let reason = format!("there is no {}, and it is not to be made", folder.display());
                Err(Refusal::value(given, reason))
            }
        }
    }

    fn how(&self, storage: &mut Storage, warnings: &mut Vec<String>) {
        // FileTxnLog compares with "no" and nothing else.
        if self.value(Setting::ForceSync) == Some("no") {
            storage.force_sync = false;
        }
        let slow = self.decoded(Setting::FsyncWarning);
        if let Some(ms) = slow.or_else(|| self.decoded(Setting::FsyncWarningAlone)) {
            storage.fsync_warning = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        }
        // ZooKeeperServer.getSnapCount; Integer.getInteger takes what is no number of 32 bits for no number.
        let int = |setting| self.decoded(setting).and_then(|n| i32::try_from(n).ok());
        if let Some(count) = int(Setting::SnapCount) {
            storage.snap_count = u32::try_from(count).unwrap_or(0).max(2);
        }
        if let Some(kib) = self.decoded(Setting::SnapSizeLimit) {
            storage.snap_size_limit = u64::try_from(kib).unwrap_or(0).saturating_mul(1024);
        }
        // FileTxnLog: what is not more than nothing is no limit.
        if let Some(kib) = self.decoded(Setting::LogSizeLimit) {
            storage.log_size_limit = u64::try_from(kib).unwrap_or(0).saturating_mul(1024);
        }
        // FilePadding reads it by Long.parseLong, and goes on without it.
        if let Some(given) = self.honoured.get(&Setting::PreAllocSize) {
            match given.value.parse::<i64>() {
                Ok(kib) => {
                    storage.pre_alloc_size = u64::try_from(kib).unwrap_or(0).saturating_mul(1024);
                }
                Err(_) => warnings.push(format!(
                    "{}: {}={}: is not a number, so not used",
                    given.origin, given.name, given.value
                )),
            }
        }
        // SnapStream.StreamMode.fromString: anything else means not at all.
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
        // QuorumPeerConfig.parseProperties raises what is less than 3.
        if let Some(count) = self.int(Setting::PurgeRetain) {
            storage.purge_retain = u32::try_from(count).unwrap_or(0).max(3);
        }
        if let Some(hours) = self.int(Setting::PurgeInterval) {
            storage.purge_interval = HOUR * u32::try_from(hours).unwrap_or(0);
        }
    }
}

/// `VerifyingFileFactory.doWarnForRelativePath`.
fn relative(given: &Given) -> Option<String> {
    let path = Path::new(&given.value);
    let meant = path.is_absolute() || given.value.starts_with("./");
    let whole = std::path::absolute(path).ok()?;
    (!meant).then(|| {
        format!(
            "{}={} is relative: {}; put ./ before it if that is meant",
            given.name,
            given.value,
            whole.display()
        )
    })
}
