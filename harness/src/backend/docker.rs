//! `docker:IMAGE`: a container of the official image, or of another that takes the same variables.

use semver::Version;
use testcontainers::core::IntoContainerPort;
use testcontainers::core::client::ClientError;
use testcontainers::runners::SyncRunner;
use testcontainers::{GenericImage, ImageExt, TestcontainersError};

use super::ports::free_port;
use super::{
    Backend, BackendError, BackendKind, Capability, Settings, four_letter, four_letter_word,
};
use crate::patience;
use crate::provision::Part;

/// Port of the server in the container.
const PORT: u16 = 2181;

/// Number of attempts with other ports, if another process takes the free one.
const ATTEMPTS: usize = 3;

/// A server in a container, on a port of this machine that stays the same over restarts.
#[derive(Debug)]
pub struct Container {
    kind: BackendKind,
    address: String,
    version: Option<Version>,
    /// Whether the server has its state after a restart; minikeeper in a container has it in memory only.
    keeps_state: bool,
    container: Option<testcontainers::Container<GenericImage>>,
}

impl Container {
    /// Starts a container and waits until the server answers. The engine pulls the image if necessary.
    ///
    /// # Errors
    ///
    /// If there is no engine or no such image, or if the server does not start.
    pub fn start(image: &str, settings: &Settings) -> Result<Self, BackendError> {
        let mut attempts = ATTEMPTS;
        let (container, address) = loop {
            attempts -= 1;
            let port = free_port()?;
            let started = outside(|| {
                let container = request(image, settings, port).start()?;
                let host = container.get_host()?;
                Ok((container, format!("{host}:{port}")))
            });
            match started {
                Ok(started) => break started,
                Err(error) if attempts > 0 && is_taken(&error) => {}
                Err(error) => return Err(trouble(image, &error)),
            }
        };
        let mut backend = Self {
            kind: BackendKind::Docker(image.to_owned()),
            address,
            version: None,
            keeps_state: true,
            container: Some(container),
        };
        backend.wait()?;
        backend.version = four_letter::version(&backend.address);
        let srvr = four_letter_word(&backend.address, "srvr")?;
        backend.keeps_state = !srvr.contains("minikeeper");
        Ok(backend)
    }

    fn wait(&self) -> Result<(), BackendError> {
        let what = format!("{} to serve on {}", self.kind, self.address);
        patience::until(&what, || {
            if let Some(container) = &self.container
                && !outside(|| container.is_running()).unwrap_or(true)
            {
                return Some(Err(BackendError::Ended(log(container))));
            }
            let srvr = four_letter_word(&self.address, "srvr").ok()?;
            srvr.contains("Mode: standalone").then_some(Ok(()))
        })?
    }
}

impl Backend for Container {
    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn version(&self) -> Option<Version> {
        self.version.clone()
    }

    fn connect_string(&self) -> String {
        self.address.clone()
    }

    fn supports(&self, capability: Capability<'_>) -> bool {
        match capability {
            Capability::ManualTime | Capability::Http => false,
            Capability::Restart => self.keeps_state,
            Capability::Setup
            | Capability::SuperUser
            | Capability::TtlZnodes
            | Capability::Timeout(_)
            | Capability::FourLetterWord(_) => true,
        }
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        self.stop();
        if let Some(container) = &self.container {
            outside(|| container.start()).map_err(|error| trouble(&self.name(), &error))?;
        }
        self.wait()
    }

    fn stop(&mut self) {
        if let Some(container) = &self.container {
            // A failure means that the container has ended already.
            let _ = outside(|| container.stop_with_timeout(Some(0)));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let container = self.container.take();
        outside(|| drop(container));
    }
}

fn request(
    image: &str,
    settings: &Settings,
    port: u16,
) -> testcontainers::ContainerRequest<GenericImage> {
    let (name, tag) = match image.rsplit_once(':') {
        // A slash after the colon means that the colon belongs to a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    };
    let properties = settings.properties();
    let flags: Vec<String> = properties
        .iter()
        .map(|property| format!("-D{property}"))
        .collect();
    let tick = settings.tick_time.as_millis().to_string();
    GenericImage::new(name, tag)
        .with_mapped_port(port, PORT.tcp())
        .with_env_var("ZOO_TICK_TIME", tick)
        .with_env_var("ZOO_MAX_CLIENT_CNXNS", "0")
        .with_env_var("ZOO_4LW_COMMANDS_WHITELIST", settings.words())
        .with_env_var("ZOO_ADMINSERVER_ENABLED", "false")
        .with_env_var("ZOO_STANDALONE_ENABLED", "true")
        .with_env_var("ZOO_CFG_EXTRA", "reconfigEnabled=false")
        .with_env_var("JVMFLAGS", flags.join(" "))
}

/// Runs `work` on another thread: the blocking interface of testcontainers has a runtime of its own, which cannot run
/// inside another.
fn outside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn is_taken(error: &TestcontainersError) -> bool {
    let text = error.to_string();
    text.contains("already allocated") || text.contains("address already in use")
}

/// Classifies an error: without an engine a part is missing; any other error concerns the image.
fn trouble(image: &str, error: &TestcontainersError) -> BackendError {
    let text = error.to_string().replace('\n', " ");
    let no_engine = matches!(
        error,
        TestcontainersError::Client(
            ClientError::Init(_)
                | ClientError::Configuration(_)
                | ClientError::InvalidDockerHost(_)
        )
    );
    if no_engine || text.contains("onnect") {
        return Part::Docker
            .missing(format!("a container of {image}"), text)
            .into();
    }
    BackendError::Container {
        image: image.to_owned(),
        why: text,
    }
}

fn log(container: &testcontainers::Container<GenericImage>) -> String {
    outside(|| {
        let mut text = container.stdout_to_vec().unwrap_or_default();
        text.extend(container.stderr_to_vec().unwrap_or_default());
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(10);
        lines.get(last..).unwrap_or_default().join("\n")
    })
}
