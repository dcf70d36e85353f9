//! `embedded`: minikeeper in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use minikeeper::{
    Config, Server, ServerBuilder, SessionId,
    config::{FourLetterWords, MetricsProvider},
};
use minikeeper_http::{AdminServer, AdminSettings, MetricsServer, MetricsSettings};
use semver::Version;
use tempfile::TempDir;

use super::process::new_folder;
use super::{
    Backend, BackendError, BackendKind, Capability, Clock, Compression, HttpServer, SUPER_DIGEST,
    ServerSetup, Settings,
};

/// A minikeeper server in this process.
#[derive(Debug)]
pub struct Embedded {
    kind: BackendKind,
    admin: Option<AdminServer>,
    metrics: Option<MetricsServer>,
    /// Declared before the folder, so that the server ends before the folder is deleted.
    server: Server,
    manual_time: bool,
    _folder: Option<TempDir>,
}

impl Embedded {
    /// Returns the server itself.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Starts a server on a free port.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    pub fn start(settings: &Settings) -> Result<Self, BackendError> {
        Self::begin(settings, None)
    }

    /// Starts a server with a data folder on a free port.
    ///
    /// # Errors
    ///
    /// If the server does not start, or the folder cannot be read.
    pub fn start_on(data: &Path, settings: &Settings) -> Result<Self, BackendError> {
        Self::begin(settings, Some(data))
    }

    /// Starts a server with a temporary data folder.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    pub fn start_with_folder(settings: &Settings) -> Result<Self, BackendError> {
        let folder = new_folder()?;
        let mut server = Self::begin(settings, Some(folder.path()))?;
        server._folder = Some(folder);
        Ok(server)
    }

    fn begin(settings: &Settings, data: Option<&Path>) -> Result<Self, BackendError> {
        let mut config = Config::default();
        config.tick_time = settings.tick_time;
        config.max_session_timeout = settings.folder_settings.longest_session;
        config.super_digest = Some(SUPER_DIGEST.to_owned());
        config.container_check_interval = settings.reaping_interval();
        match settings.setup {
            ServerSetup::Usual | ServerSetup::Reaping | ServerSetup::Admin => {}
            ServerSetup::Quotas => config.enforce_quota = true,
            ServerSetup::Shipped => {
                config.super_digest = None;
                config.extended_types = false;
                config.four_letter_words = FourLetterWords::Only(Vec::new());
            }
            ServerSetup::EnforcedAuth => config.required_auth_schemes = vec!["digest".to_owned()],
            ServerSetup::SkipAcl => config.skip_acl = true,
            ServerSetup::Prometheus => config.metrics_provider = MetricsProvider::Prometheus,
        }
        if let Some(data) = data {
            let folder_settings = &settings.folder_settings;
            config.server_id = folder_settings.server_id;
            config.extended_types &= folder_settings.extended_types;
            config.storage.data_dir = Some(data.to_owned());
            config.storage.force_sync = folder_settings.force_sync;
            config.storage.trust_empty = folder_settings.trust_empty;
            if let Some(count) = folder_settings.snap_count {
                config.storage.snap_count = count;
            }
            if let Some(kib) = folder_settings.pre_alloc_kib {
                config.storage.pre_alloc_size = u64::from(kib) << 10;
            }
            config.storage.compression = match folder_settings.compression {
                Compression::None => minikeeper::folder::Compression::None,
                Compression::Gzip => minikeeper::folder::Compression::Gzip,
                Compression::Snappy => minikeeper::folder::Compression::Snappy,
            };
        }
        let mut builder = ServerBuilder::from(config);
        if settings.manual_time {
            builder = builder.manual_clock();
        }
        let server = builder.start()?;
        let (admin, metrics) = monitored(&server, settings.setup)?;
        Ok(Self {
            kind: if data.is_some() {
                BackendKind::EmbeddedData
            } else {
                BackendKind::Embedded
            },
            admin,
            metrics,
            server,
            manual_time: settings.manual_time,
            _folder: None,
        })
    }
}

/// Starts the HTTP servers of a setup.
fn monitored(
    server: &Server,
    setup: ServerSetup,
) -> Result<(Option<AdminServer>, Option<MetricsServer>), BackendError> {
    if !matches!(setup, ServerSetup::Admin | ServerSetup::Prometheus) {
        return Ok((None, None));
    }
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut settings = AdminSettings::default();
    settings.address = free;
    settings.initial_configuration = Some("clientPort=0\n".to_owned());
    let admin = AdminServer::start(server.admin(), settings)?;
    if setup == ServerSetup::Admin {
        return Ok((Some(admin), None));
    }
    let mut settings = MetricsSettings::default();
    settings.address = free;
    let metrics = MetricsServer::start(server.admin(), settings)?;
    Ok((Some(admin), Some(metrics)))
}

impl Backend for Embedded {
    fn http_address(&self, server: HttpServer) -> Option<SocketAddr> {
        match server {
            HttpServer::Admin => self.admin.as_ref().map(AdminServer::address),
            HttpServer::Metrics => self.metrics.as_ref().map(MetricsServer::address),
        }
    }

    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn version(&self) -> Option<Version> {
        Version::parse(BackendKind::NEWEST_ZOOKEEPER).ok()
    }

    fn connect_string(&self) -> String {
        self.server.connect_string()
    }

    fn supports(&self, capability: Capability<'_>) -> bool {
        capability != Capability::ManualTime || self.manual_time
    }

    fn advance_clock(&self, by: Duration) -> Clock {
        if self.manual_time {
            self.server.advance(by);
            Clock::Advanced
        } else {
            Clock::RealTime
        }
    }

    fn mute(&self, session_id: i64) {
        if self.manual_time {
            // A session that has ended needs no muting.
            let _ended = self.server.try_mute(SessionId(session_id));
        }
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        Ok(self.server.restart()?)
    }

    fn stop(&mut self) {
        self.server.stop();
    }
}
