//! `embedded`: minikeeper in this process.

use super::{
    Backend, BackendError, BackendKind, Capability, Clock, SUPER_DIGEST, ServerSetup, Settings,
};
use minikeeper::{Config, FourLetterWords, Server, ServerBuilder, SessionId};
use semver::Version;
use std::path::Path;
use std::time::Duration;

/// A server of ours.
#[derive(Debug)]
pub struct Embedded {
    server: Server,
    manual_time: bool,
}

impl Embedded {
    /// The server itself.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Starts one on a free port.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start(settings: &Settings) -> Result<Self, BackendError> {
        Self::begin(settings, None)
    }

    /// Starts one on a free port that keeps its state in a folder.
    ///
    /// # Errors
    /// If the system refuses it, or the folder cannot be read.
    pub fn start_on(data: &Path, settings: &Settings) -> Result<Self, BackendError> {
        Self::begin(settings, Some(data))
    }

    fn begin(settings: &Settings, _data: Option<&Path>) -> Result<Self, BackendError> {
        let mut config = Config::default();
        config.tick_time = settings.tick_time;
        config.max_session_timeout = settings.keeping.longest_session;
        config.super_digest = Some(SUPER_DIGEST.to_owned());
        config.container_check_interval = settings.reaping_interval();
        match settings.setup {
            ServerSetup::Usual | ServerSetup::Reaping => {}
            ServerSetup::Quotas => config.enforce_quota = true,
            ServerSetup::Shipped => {
                config.super_digest = None;
                config.extended_types = false;
                config.four_letter_words = FourLetterWords::Only(Vec::new());
            }
            ServerSetup::EnforcedAuth => config.required_auth_schemes = vec!["digest".to_owned()],
            ServerSetup::SkipAcl => config.skip_acl = true,
        }
        let mut builder = ServerBuilder::from(config);
        if settings.manual_time {
            builder = builder.manual_clock();
        }
        Ok(Self {
            server: builder.start()?,
            manual_time: settings.manual_time,
        })
    }
}

impl Backend for Embedded {
    fn name(&self) -> String {
        BackendKind::Embedded.to_string()
    }

    fn version(&self) -> Option<Version> {
        Version::parse(BackendKind::NEWEST_ZOOKEEPER).ok()
    }

    fn connect_string(&self) -> String {
        self.server.connect_string()
    }

    fn can(&self, capability: Capability<'_>) -> bool {
        capability != Capability::ManualTime || self.manual_time
    }

    fn turn_clock(&self, by: Duration) -> Clock {
        if self.manual_time {
            self.server.advance(by);
            Clock::Turned
        } else {
            Clock::RunsByItself
        }
    }

    fn mute(&self, session_id: i64) {
        if self.manual_time {
            self.server.mute(SessionId(session_id));
        }
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Ok(self.server.restart()?)
    }

    fn stop(&mut self) {
        self.server.stop();
    }
}
