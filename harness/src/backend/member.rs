//! A real ZooKeeper in a process of its own: a standalone server, or a member of an ensemble.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::child::Child;
use super::ports::free_port;
use super::{BackendError, Settings, four_letter_word};
use crate::provision::{ClassPath, java};

/// A server process, its port and its folder. Dropping it kills the process; the caller owns the folder.
#[derive(Debug)]
pub(super) struct Member {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Member {
    /// Creates a member that does not run yet, on a free port.
    pub(super) fn new(folder: PathBuf) -> Result<Self, BackendError> {
        fs::create_dir_all(folder.join("data"))?;
        Ok(Self {
            folder,
            port: free_port()?,
            child: None,
        })
    }

    /// Writes the id by which the other members know this one.
    pub(super) fn write_id(&self, id: usize) -> Result<(), BackendError> {
        Ok(fs::write(self.data().join("myid"), format!("{id}\n"))?)
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Starts the process, without waiting until the server answers. `more` are further lines of its `zoo.cfg`.
    pub(super) fn launch(
        &mut self,
        class_path: &ClassPath,
        settings: &Settings,
        more: &str,
    ) -> Result<(), BackendError> {
        let config = self.folder.join("zoo.cfg");
        let longest = settings
            .folder_settings
            .longest_session
            .map_or_else(String::new, |span| {
                format!("maxSessionTimeout={}\n", span.as_millis())
            });
        fs::write(
            &config,
            format!(
                "tickTime={}\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n\
                 4lw.commands.whitelist={}\nadmin.enableServer=false\nreconfigEnabled=false\n{longest}{more}",
                settings.tick_time.as_millis(),
                self.data().display(),
                self.port,
                settings.words(),
            ),
        )?;
        // Up to 3.7 there is log4j, which without this file formats every line and prints none.
        let log4j = self.folder.join("log4j.properties");
        fs::write(
            &log4j,
            "log4j.rootLogger=WARN,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n\
             log4j.appender.out.layout=org.apache.log4j.PatternLayout\n\
             log4j.appender.out.layout.ConversionPattern=%p %m%n\n",
        )?;
        let output = File::create(self.log())?;
        let mut command = Command::new(java()?);
        command.args([
            "-Xmx1000m",
            "-Xshare:auto",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-Dfile.encoding=UTF-8",
        ]);
        if !settings.optimizing_jit {
            command.arg("-XX:TieredStopAtLevel=1");
        }
        let properties = settings.properties();
        command
            .args(properties.iter().map(|property| format!("-D{property}")))
            .arg(format!("-Dlog4j.configuration=file:{}", log4j.display()))
            .args(["-cp", class_path.as_str()])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        self.child = Some(Child::start(&mut command)?);
        Ok(())
    }

    /// Returns the mode, such as `standalone` or `leader`, or `None` before the server answers. An open port does not
    /// mean that this server answers: the port may belong to another process, so the answer must contain the member's
    /// own folder.
    pub(super) fn mode(&mut self) -> Result<Option<String>, BackendError> {
        if !self.child.as_mut().is_some_and(Child::runs) {
            self.child = None;
            return Err(BackendError::Ended(self.end_of_log()));
        }
        let Ok(srvr) = four_letter_word(&self.address(), "srvr") else {
            return Ok(None);
        };
        let mode = srvr.lines().find_map(|line| line.strip_prefix("Mode: "));
        let own = format!("dataDir={}", self.data().display());
        let is_own =
            || four_letter_word(&self.address(), "conf").is_ok_and(|conf| conf.contains(&own));
        Ok(mode.filter(|_| is_own()).map(str::to_owned))
    }

    /// Kills the process, and waits until it has ended.
    pub(super) fn stop(&mut self) {
        self.child = None;
    }

    /// Asks the process to end, and waits until it has.
    pub(super) fn terminate(&mut self) -> Result<(), BackendError> {
        if let Some(mut child) = self.child.take() {
            child.terminate()?;
        }
        Ok(())
    }

    /// Returns the output since the last start.
    pub(super) fn output(&self) -> String {
        fs::read(self.log()).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn end_of_log(&self) -> String {
        let text = self.output();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(10);
        lines.get(last..).unwrap_or_default().join("\n")
    }
}
