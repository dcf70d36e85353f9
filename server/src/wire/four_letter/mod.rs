//! The four-letter words: a connection may begin with one instead of a frame, and is answered with a text.
//!
//! `net` collects the values; this module has the texts, exact to the last blank.

mod java;
mod metric;
mod monitor;
mod report;

pub use metric::{Metric, MetricNumber, MetricValue, Quantiles, Sample, Summary};
pub(crate) use monitor::{MonitorReport, Quotas, ResponseSizes};
pub(crate) use report::{Answer, last_operation, write_group, write_members, write_session};
pub use report::{
    ConfReport, ConnectionReport, ConnectionSession, DumpReport, EnvironmentReport, ServerReport,
};

/// Version as a real server prints it. Tools read up to the first `-` or `,`.
pub(crate) const VERSION: &str = concat!(
    "3.9.5-minikeeper-",
    env!("CARGO_PKG_VERSION"),
    ", built on 1970-01-01 00:00 UTC"
);

/// Word that a connection may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FourLetterWord {
    /// Asks for the settings.
    Conf,
    /// Asks for the connections, with all details.
    Cons,
    /// Resets the counters of the connections.
    Crst,
    /// Asks for the size of the state on disk.
    Dirs,
    /// Asks for sessions, ephemeral znodes and connections.
    Dump,
    /// Asks for the environment.
    Envi,
    /// Asks for the trace mask.
    Gtmk,
    /// Asks for digests of the state.
    Hash,
    /// Asks whether the server is read-only.
    Isro,
    /// Asks for every metric.
    Mntr,
    /// Asks whether the server runs.
    Ruok,
    /// Resets the counters of the server.
    Srst,
    /// Asks for a summary of the server.
    Srvr,
    /// Asks for a summary of the server and its connections.
    Stat,
    /// Sets the trace mask, which follows the word.
    Stmk,
    /// Asks for the watches by session.
    Wchc,
    /// Asks for the watches by path.
    Wchp,
    /// Asks for the number of watches.
    Wchs,
    /// Bytes that telnet sends when it exits. They get no answer and no log line.
    TelnetClose,
}

impl FourLetterWord {
    /// Every word, without the bytes of telnet.
    pub(crate) const ALL: [Self; 18] = [
        Self::Conf,
        Self::Cons,
        Self::Crst,
        Self::Dirs,
        Self::Dump,
        Self::Envi,
        Self::Gtmk,
        Self::Hash,
        Self::Isro,
        Self::Mntr,
        Self::Ruok,
        Self::Srst,
        Self::Srvr,
        Self::Stat,
        Self::Stmk,
        Self::Wchc,
        Self::Wchp,
        Self::Wchs,
    ];

    /// Parses the first bytes of a connection. Bytes after the word matter only to [`trace_mask`](Self::trace_mask).
    pub(crate) fn parse(received: &[u8]) -> Option<Self> {
        let first = received.first_chunk::<4>()?;
        if *first == [0xff, 0xf4, 0xff, 0xfd] {
            return Some(Self::TelnetClose);
        }
        Self::ALL
            .into_iter()
            .find(|word| word.name().as_bytes() == first)
    }

    /// The word as text.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Conf => "conf",
            Self::Cons => "cons",
            Self::Crst => "crst",
            Self::Dirs => "dirs",
            Self::Dump => "dump",
            Self::Envi => "envi",
            Self::Gtmk => "gtmk",
            Self::Hash => "hash",
            Self::Isro => "isro",
            Self::Mntr => "mntr",
            Self::Ruok => "ruok",
            Self::Srst => "srst",
            Self::Srvr => "srvr",
            Self::Stat => "stat",
            Self::Stmk => "stmk",
            Self::Wchc => "wchc",
            Self::Wchp => "wchp",
            Self::Wchs => "wchs",
            Self::TelnetClose => "telnet close",
        }
    }

    /// Whether a list of words allows this one. `*` allows all, and `srvr` is always allowed
    /// (`FourLetterCommands.isEnabled`). The answer to other words is [`Answer::NotListed`].
    pub(crate) fn is_listed<T: AsRef<str>>(self, whitelist: &[T]) -> bool {
        self == Self::Srvr
            || whitelist.iter().any(
                |word| matches!(word.as_ref(), listed if listed == "*" || listed == self.name()),
            )
    }

    /// Whether a member of an ensemble that serves no client answers the word too: each command checks by itself
    /// whether there is a server (`AbstractFourLetterCommand.isZKServerRunning`).
    pub(crate) fn is_answered_by_all(self) -> bool {
        matches!(
            self,
            Self::Envi | Self::Gtmk | Self::Stmk | Self::Isro | Self::Ruok | Self::TelnetClose
        )
    }

    /// Mask that follows `stmk`. Without one the connection is closed without an answer.
    pub(crate) fn trace_mask(received: &[u8]) -> Option<i64> {
        let mask = received.get(4..)?.first_chunk()?;
        Some(i64::from_be_bytes(*mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_by_its_first_four_bytes() {
        for word in FourLetterWord::ALL {
            assert_eq!(FourLetterWord::parse(word.name().as_bytes()), Some(word));
        }
        assert_eq!(FourLetterWord::parse(b"ruok\n"), Some(FourLetterWord::Ruok));
        assert_eq!(
            FourLetterWord::parse(b"\xff\xf4\xff\xfd"),
            Some(FourLetterWord::TelnetClose)
        );
        for unknown in ["ruo", "RUOK", "lead", "obsr", "xxxx", ""] {
            assert_eq!(FourLetterWord::parse(unknown.as_bytes()), None, "{unknown}");
        }
        assert_eq!(FourLetterWord::parse(&[0, 0, 0, 45]), None);
    }

    #[test]
    fn only_srvr_is_allowed_without_being_listed() {
        use FourLetterWord::{Mntr, Ruok, Srvr, TelnetClose};
        assert!(Srvr.is_listed::<&str>(&[]));
        assert!(!Ruok.is_listed::<&str>(&[]));
        assert!(Ruok.is_listed(&["mntr", "ruok"]));
        assert!(!Mntr.is_listed(&["ruok"]));
        assert!(Mntr.is_listed(&["ruok", "*"]));
        assert!(TelnetClose.is_listed(&["*"]));
    }

    #[test]
    fn a_trace_mask_is_eight_bytes() {
        let received = b"stmk\0\0\0\0\0\0\x01\x40";
        assert_eq!(FourLetterWord::trace_mask(received), Some(320));
        assert_eq!(FourLetterWord::trace_mask(b"stmk\n"), None);
    }
}
