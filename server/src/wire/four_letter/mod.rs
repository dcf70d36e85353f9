//! The four-letter words: a connection may begin with one in place of a frame, and is answered with a text.
//!
//! What the texts say is collected elsewhere; how they say it, to the last blank, is here.

mod java;
mod monitor;
mod report;

pub(crate) use monitor::{MonitorReport, ResponseSizes};
pub(crate) use report::{
    Answer, ConfReport, ConnectionReport, ConnectionSession, DumpReport, EnvironmentReport,
    LatencyReport, ServerReport, last_operation, write_group, write_members, write_session,
};

/// A word that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FourLetterWord {
    /// The settings.
    Conf,
    /// The connections, with all that is known of them.
    Cons,
    /// Counts on the connections begin again.
    Crst,
    /// The size of the state on disk.
    Dirs,
    /// Sessions, ephemeral znodes and connections.
    Dump,
    /// The environment.
    Envi,
    /// The trace mask.
    Gtmk,
    /// Digests of the state.
    Hash,
    /// Whether the server is read-only.
    Isro,
    /// Every measure there is.
    Mntr,
    /// Whether the server is all right.
    Ruok,
    /// Counts on the server begin again.
    Srst,
    /// The server in short.
    Srvr,
    /// The server in short, and its connections.
    Stat,
    /// Sets the trace mask, which follows.
    Stmk,
    /// The watches by session.
    Wchc,
    /// The watches by path.
    Wchp,
    /// The watches in numbers.
    Wchs,
    /// The bytes that telnet sends when it goes. They are known so that they make no noise.
    TelnetClose,
}

impl FourLetterWord {
    /// Every word but the bytes of telnet.
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

    /// The word that a connection begins with, if it is a known one. What follows it does not matter, except to
    /// [`trace_mask`](Self::trace_mask).
    pub(crate) fn parse(received: &[u8]) -> Option<Self> {
        let first = received.first_chunk::<4>()?;
        if *first == [0xff, 0xf4, 0xff, 0xfd] {
            return Some(Self::TelnetClose);
        }
        Self::ALL
            .into_iter()
            .find(|word| word.name().as_bytes() == first)
    }

    /// The word itself.
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

    /// Whether a list of words lets this one be answered: `*` lets all, and `srvr` needs no leave
    /// (`FourLetterCommands.isEnabled`). If it is not, the answer is [`Answer::NotListed`].
    pub(crate) fn is_listed<T: AsRef<str>>(self, whitelist: &[T]) -> bool {
        self == Self::Srvr
            || whitelist.iter().any(
                |word| matches!(word.as_ref(), listed if listed == "*" || listed == self.name()),
            )
    }

    /// Whether also a member of an ensemble answers it that serves nobody: each command asks by itself whether there is a
    /// server (`AbstractFourLetterCommand.isZKServerRunning`).
    pub(crate) fn is_answered_by_all(self) -> bool {
        matches!(
            self,
            Self::Envi | Self::Gtmk | Self::Stmk | Self::Isro | Self::Ruok | Self::TelnetClose
        )
    }

    /// The mask that follows `stmk`. Without one the connection closes and says nothing.
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
    fn only_srvr_needs_no_leave() {
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
