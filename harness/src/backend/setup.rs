//! The ways to set up a server, the same for every backend.

/// How the server of a case is set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerSetup {
    /// Every four-letter word, TTL znodes, a super user; containers and TTL znodes are left alone for a day.
    #[default]
    Usual,
    /// `usual`, and quotas are enforced.
    Quotas,
    /// `usual`, and containers and TTL znodes are looked after twice a second.
    Reaping,
    /// As a `zoo.cfg` that says nothing has it: no TTL znodes, only the word `srvr`, no super user.
    Shipped,
    /// `usual`, and clients must authenticate by `digest`.
    EnforcedAuth,
    /// `usual`, and permissions are not looked at.
    SkipAcl,
}

impl ServerSetup {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Usual,
        Self::Quotas,
        Self::Reaping,
        Self::Shipped,
        Self::EnforcedAuth,
        Self::SkipAcl,
    ];

    /// Its word in a script.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Quotas => "quotas",
            Self::Reaping => "reaping",
            Self::Shipped => "shipped",
            Self::EnforcedAuth => "enforced-auth",
            Self::SkipAcl => "skip-acl",
        }
    }
}
