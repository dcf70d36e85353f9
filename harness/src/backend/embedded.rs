//! `embedded`: minikeeper in this process.

use super::{Backend, BackendError, BackendKind, Capability, SUPER_DIGEST, Settings};
use minikeeper::{Config, Server, ServerBuilder};

/// A server of ours.
#[derive(Debug)]
pub struct Embedded {
    server: Server,
}

impl Embedded {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start(settings: &Settings) -> Result<Self, BackendError> {
        let mut config = Config::default();
        config.tick_time = settings.tick_time;
        config.super_digest = Some(SUPER_DIGEST.to_owned());
        let server = ServerBuilder::from(config).start()?;
        Ok(Self { server })
    }
}

impl Backend for Embedded {
    fn kind(&self) -> &BackendKind {
        &BackendKind::Embedded
    }

    fn connect_string(&self) -> String {
        self.server.connect_string()
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Restart]
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Ok(self.server.restart()?)
    }

    fn stop(&mut self) {
        self.server.stop();
    }
}
