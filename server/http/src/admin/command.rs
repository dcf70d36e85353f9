//! The commands of the AdminServer, by their names.

/// Command of the AdminServer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    ConnectionStatReset,
    Configuration,
    Connections,
    Dirs,
    Dump,
    Environment,
    GetTraceMask,
    Hash,
    InitialConfiguration,
    IsReadOnly,
    LastSnapshot,
    Leader,
    Monitor,
    ObserverConnectionStatReset,
    Observers,
    Restore,
    Ruok,
    ServerStats,
    SetTraceMask,
    Snapshot,
    StatReset,
    Stats,
    SystemProperties,
    VotingView,
    Watches,
    WatchesByPath,
    WatchSummary,
    ZabState,
}

impl Command {
    /// Every command with its names, the first of which is in answers and links (`Commands.registerCommand`).
    pub(super) const ALL: [(Self, &[&str]); 28] = [
        (
            Self::ConnectionStatReset,
            &["connection_stat_reset", "crst"],
        ),
        (Self::Configuration, &["configuration", "conf", "config"]),
        (Self::Connections, &["connections", "cons"]),
        (Self::Dirs, &["dirs"]),
        (Self::Dump, &["dump"]),
        (Self::Environment, &["environment", "env", "envi"]),
        (Self::GetTraceMask, &["get_trace_mask", "gtmk"]),
        (Self::Hash, &["hash"]),
        (
            Self::InitialConfiguration,
            &["initial_configuration", "icfg"],
        ),
        (Self::IsReadOnly, &["is_read_only", "isro"]),
        (Self::LastSnapshot, &["last_snapshot", "lsnp"]),
        (Self::Leader, &["leader", "lead"]),
        (Self::Monitor, &["monitor", "mntr"]),
        (
            Self::ObserverConnectionStatReset,
            &["observer_connection_stat_reset", "orst"],
        ),
        (Self::Observers, &["observers", "obsr"]),
        (Self::Restore, &["restore", "rest"]),
        (Self::Ruok, &["ruok"]),
        (Self::ServerStats, &["server_stats", "srvr"]),
        (Self::SetTraceMask, &["set_trace_mask", "stmk"]),
        (Self::Snapshot, &["snapshot", "snap"]),
        (Self::StatReset, &["stat_reset", "srst"]),
        (Self::Stats, &["stats", "stat"]),
        (Self::SystemProperties, &["system_properties", "sysp"]),
        (Self::VotingView, &["voting_view"]),
        (Self::Watches, &["watches", "wchc"]),
        (Self::WatchesByPath, &["watches_by_path", "wchp"]),
        (Self::WatchSummary, &["watch_summary", "wchs"]),
        (Self::ZabState, &["zabstate"]),
    ];

    /// Finds a command by one of its names.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        let (command, _) = all.find(|(_, names)| names.contains(&name))?;
        Some(*command)
    }

    /// Returns the first name.
    pub(super) fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        let found = all.find(|(command, _)| *command == self);
        found.map_or("", |(_, names)| names.first().copied().unwrap_or_default())
    }

    /// Whether the command is answered only by a server that serves clients (`CommandBase.isServerRequired`).
    pub(super) fn needs_server(self) -> bool {
        !matches!(
            self,
            Self::Environment
                | Self::GetTraceMask
                | Self::SetTraceMask
                | Self::SystemProperties
                | Self::ZabState
        )
    }

    /// Whether the command needs credentials with every permission on the root.
    pub(super) fn needs_authorization(self) -> bool {
        matches!(self, Self::Snapshot | Self::Restore)
    }

    /// Whether the command is sent with POST; all others are sent with GET.
    pub(super) fn is_post(self) -> bool {
        self == Self::Restore
    }

    /// Returns the first names of all commands, sorted.
    pub(super) fn names() -> Vec<&'static str> {
        let mut names: Vec<&str> = Self::ALL
            .iter()
            .map(|(command, _)| command.name())
            .collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_command() {
        for (command, names) in Command::ALL {
            for name in names {
                assert_eq!(Command::of(name), Some(command));
            }
            assert_eq!(names.first().copied(), Some(command.name()));
        }
        assert_eq!(Command::of("RUOK"), None);
        assert_eq!(Command::names().len(), 28);
    }
}
