//! One run of the binary. Waiting has a deadline, here and nowhere else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

/// Variable that turns the AdminServer off: its port is fixed, and tests run at the same time.
pub(crate) const NO_ADMIN: (&str, &str) =
    ("SERVER_JVMFLAGS", "-Dzookeeper.admin.enableServer=false");

/// The binary with these arguments and nothing in its environment but these variables.
pub(crate) fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minikeeper"));
    command
        .args(arguments)
        .env_clear()
        .env(NO_ADMIN.0, NO_ADMIN.1)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to the end; for what does not serve.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let child = command(arguments, variables)
        .spawn()
        .expect("the binary is built");
    let id = child.id();
    within_deadline(id, move || {
        child.wait_with_output().expect("its output can be read")
    })
}

/// A server that was started and serves.
pub(crate) struct Serving {
    child: Option<Child>,
    /// The lines it greeted with.
    pub(crate) greeting: [String; 2],
}

impl Serving {
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::of(command(arguments, variables))
    }

    /// A server that cannot write files of more than so many blocks of 512 bytes.
    pub(crate) fn start_with_file_limit(blocks: u32, arguments: &[&str]) -> Self {
        Self::start_with_limit(&format!("-f {blocks}"), arguments)
    }

    /// A server under a limit of the shell's `ulimit`.
    pub(crate) fn start_with_limit(limit: &str, arguments: &[&str]) -> Self {
        let script = format!("ulimit {limit}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_minikeeper")])
            .args(arguments)
            .env(NO_ADMIN.0, NO_ADMIN.1)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary is built");
        let stdout = child.stdout.take().expect("it is piped");
        let greeting = within_deadline(child.id(), move || {
            let mut lines = BufReader::new(stdout).lines();
            [(); 2].map(|()| {
                lines
                    .next()
                    .expect("two lines come")
                    .expect("they are text")
            })
        });
        Self {
            child: Some(child),
            greeting,
        }
    }

    /// Address in the greeting.
    pub(crate) fn address(&self) -> SocketAddr {
        let [first, _] = &self.greeting;
        let address = first.rsplit(' ').next().unwrap_or_default();
        address
            .parse()
            .unwrap_or_else(|_| panic!("no address ends {first:?}"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs until it is ended").id()
    }

    /// Sends a signal, and waits for the end; with it comes what stood in stderr.
    pub(crate) fn end(self, signal: &str) -> (ExitStatus, String) {
        kill(self.id(), signal);
        self.ended()
    }

    /// The same without a signal.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let child = self.child.take().expect("it is ended once");
        let id = child.id();
        let output = within_deadline(id, move || {
            child.wait_with_output().expect("its output can be read")
        });
        (
            output.status,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Sends a four-letter word and reads the answer.
pub(crate) fn ask(address: SocketAddr, word: &str) -> String {
    let mut socket = TcpStream::connect_timeout(&address, DEADLINE).expect("it listens");
    socket
        .set_read_timeout(Some(DEADLINE))
        .expect("a deadline can be set");
    socket.write_all(word.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket
        .read_to_string(&mut answer)
        .expect("it answers in time");
    answer
}

fn kill(id: u32, signal: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {id}")])
        .status()
        .expect("there is a shell");
    assert!(status.success(), "kill -{signal} {id}: {status}");
}

/// Returns the result of `work`. After the deadline, kills process `id` and panics.
fn within_deadline<T: Send + 'static>(id: u32, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // After the deadline, nothing receives the result.
        let _ = sender.send(work());
    });
    receiver.recv_timeout(DEADLINE).unwrap_or_else(|error| {
        kill(id, "KILL");
        panic!("process {id}: {error}")
    })
}
