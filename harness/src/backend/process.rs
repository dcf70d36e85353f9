//! `zookeeper:VERSION`: a real standalone ZooKeeper, started on a free port with its data in a temporary folder.

use super::{
    Backend, BackendError, BackendKind, Capability, SUPER_DIGEST, ServerSetup, Settings,
    four_letter_word,
};
use crate::patience;
use crate::provision::{java, zookeeper_jars};
use semver::Version;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How often another port is tried if someone takes the one that was free.
const ATTEMPTS: usize = 5;

/// A real ZooKeeper in a process of its own.
#[derive(Debug)]
pub struct ZooKeeper {
    kind: BackendKind,
    settings: Settings,
    version: String,
    port: u16,
    /// Before the folder, so that the process is gone when the folder goes.
    child: Process,
    folder: TempDir,
}

/// A child that is killed when dropped.
#[derive(Debug)]
struct Process(Option<Child>);

impl ZooKeeper {
    /// Fetches this version if need be, starts it and waits until it serves.
    ///
    /// # Errors
    /// If Java or the version cannot be had, or the server does not come up.
    pub fn start(version: &str, settings: &Settings) -> Result<Self, BackendError> {
        zookeeper_jars(version)?;
        let mut server = Self {
            kind: BackendKind::ZooKeeper(version.to_owned()),
            settings: settings.clone(),
            version: version.to_owned(),
            port: 0,
            child: Process(None),
            folder: tempfile::Builder::new()
                .prefix("minikeeper-harness-")
                .tempdir()?,
        };
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            server.port = free_port()?;
            match server.launch() {
                Err(BackendError::Ended(_)) if attempts > 0 => {}
                outcome => return outcome.map(|()| server),
            }
        }
    }

    /// The process, for reading its memory.
    ///
    /// # Panics
    /// If the server is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.as_ref().expect("the server runs").id()
    }

    fn launch(&mut self) -> Result<(), BackendError> {
        let class_path = zookeeper_jars(&self.version)?;
        let data = self.data();
        fs::create_dir_all(&data)?;
        let config = self.folder.path().join("zoo.cfg");
        fs::write(&config, self.zoo_cfg())?;
        let log = self.folder.path().join("server.log");
        let output = File::create(&log)?;
        let mut command = Command::new(java()?);
        command.args(["-Xmx1000m", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"]);
        if !self.settings.fast_rather_than_soon {
            command.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        }
        command
            .args(self.properties())
            .args(["-cp", class_path.as_str()])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        self.child = Process(Some(command.spawn()?));
        self.wait_until_it_serves(&log)
    }

    /// An open port is not a server that serves, and a server that serves on the port may be someone else's: ours
    /// says its mode, and its own folder.
    fn wait_until_it_serves(&mut self, log: &Path) -> Result<(), BackendError> {
        let address = self.connect_string();
        let data = format!("dataDir={}", self.data().display());
        let child = &mut self.child.0;
        patience::until(&format!("{} to serve on {address}", self.kind), || {
            if let Some(running) = child
                && !matches!(running.try_wait(), Ok(None))
            {
                *child = None;
                return Some(Err(BackendError::Ended(end_of(log))));
            }
            let says = |word, what: &str| {
                four_letter_word(&address, word).is_ok_and(|text| text.contains(what))
            };
            (says("srvr", "Mode: standalone") && says("conf", &data)).then_some(Ok(()))
        })?
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn zoo_cfg(&self) -> String {
        // `conf` only shows the harness that the server is its own; no case asks for it.
        let words = if self.settings.setup == ServerSetup::Shipped {
            "srvr, conf"
        } else {
            "*"
        };
        format!(
            "tickTime={}\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n\
             4lw.commands.whitelist={words}\nadmin.enableServer=false\nreconfigEnabled=false\n",
            self.settings.tick_time.as_millis(),
            self.data().display(),
            self.port,
        )
    }

    fn properties(&self) -> Vec<String> {
        let setup = self.settings.setup;
        let mut properties = vec![
            "zookeeper.forceSync=no".to_owned(),
            format!(
                "znode.container.checkIntervalMs={}",
                self.settings.reaping_interval().as_millis()
            ),
        ];
        if setup != ServerSetup::Shipped {
            properties.push("zookeeper.extendedTypesEnabled=true".to_owned());
            properties.push(format!(
                "zookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"
            ));
        }
        properties.extend(
            match setup {
                ServerSetup::Usual | ServerSetup::Reaping | ServerSetup::Shipped => &[][..],
                ServerSetup::Quotas => &["zookeeper.enforceQuota=true"],
                ServerSetup::EnforcedAuth => &[
                    "zookeeper.enforce.auth.enabled=true",
                    "zookeeper.enforce.auth.schemes=digest",
                ],
                ServerSetup::SkipAcl => &["zookeeper.skipACL=yes"],
            }
            .iter()
            .map(|&property| property.to_owned()),
        );
        properties
            .iter()
            .map(|property| format!("-D{property}"))
            .collect()
    }
}

impl Backend for ZooKeeper {
    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn version(&self) -> Option<Version> {
        Version::parse(&self.version).ok()
    }

    fn connect_string(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn can(&self, capability: Capability) -> bool {
        match capability {
            Capability::Restart | Capability::Setup => true,
            Capability::ManualTime => false,
        }
    }

    fn restart(&mut self) -> Result<(), BackendError> {
        self.stop();
        self.launch()
    }

    fn stop(&mut self) {
        self.child = Process(None);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // What fails here has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago. ZooKeeper cannot choose one itself: to it, port 0 means no port.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(10);
    lines.get(last..).unwrap_or_default().join("\n")
}
