//! Setups of a server, the same for every backend.

use super::{SUPER_DIGEST, Settings};

/// Setup of the server of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerSetup {
    /// Every four-letter word, TTL znodes, a super user; containers and TTL znodes are not checked for a day.
    #[default]
    Usual,
    /// `usual`, with enforced quotas.
    Quotas,
    /// `usual`, and containers and TTL znodes are checked twice a second.
    Reaping,
    /// The defaults of an empty `zoo.cfg`: no TTL znodes, only the word `srvr`, no super user.
    Shipped,
    /// `usual`, and clients must authenticate by `digest`.
    EnforcedAuth,
    /// `usual`, and permissions are not checked.
    SkipAcl,
    /// `usual`, with an AdminServer.
    Admin,
    /// `usual`, with an AdminServer and metrics for Prometheus.
    Prometheus,
}

impl ServerSetup {
    /// All setups.
    pub const ALL: [Self; 8] = [
        Self::Usual,
        Self::Quotas,
        Self::Reaping,
        Self::Shipped,
        Self::EnforcedAuth,
        Self::SkipAcl,
        Self::Admin,
        Self::Prometheus,
    ];

    /// Returns the name in scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Quotas => "quotas",
            Self::Reaping => "reaping",
            Self::Shipped => "shipped",
            Self::EnforcedAuth => "enforced-auth",
            Self::SkipAcl => "skip-acl",
            Self::Admin => "admin",
            Self::Prometheus => "prometheus",
        }
    }
}

impl Settings {
    /// Returns the four-letter words that the server answers.
    pub(super) fn words(&self) -> &'static str {
        // `conf` shows the harness that the server is its own; no case uses it.
        match self.setup {
            ServerSetup::Shipped => "srvr, conf",
            ServerSetup::Usual
            | ServerSetup::Quotas
            | ServerSetup::Reaping
            | ServerSetup::EnforcedAuth
            | ServerSetup::SkipAcl
            | ServerSetup::Admin
            | ServerSetup::Prometheus => "*",
        }
    }

    /// Returns the Java system properties, without `-D`.
    pub(super) fn properties(&self) -> Vec<String> {
        let interval = self.reaping_interval().as_millis();
        let mut properties = self.folder_settings.properties();
        properties.push(format!("znode.container.checkIntervalMs={interval}"));
        if self.setup != ServerSetup::Shipped {
            let extended_types = self.folder_settings.extended_types;
            properties.push(format!("zookeeper.extendedTypesEnabled={extended_types}"));
            properties.push(format!(
                "zookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"
            ));
        }
        let more: &[&str] = match self.setup {
            ServerSetup::Usual
            | ServerSetup::Reaping
            | ServerSetup::Shipped
            | ServerSetup::Admin
            | ServerSetup::Prometheus => &[],
            ServerSetup::Quotas => &["zookeeper.enforceQuota=true"],
            ServerSetup::EnforcedAuth => &[
                "zookeeper.enforce.auth.enabled=true",
                "zookeeper.enforce.auth.schemes=digest",
            ],
            ServerSetup::SkipAcl => &["zookeeper.skipACL=yes"],
        };
        properties.extend(more.iter().map(|&property| property.to_owned()));
        properties
    }
}
