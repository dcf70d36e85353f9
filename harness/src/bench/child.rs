//! Servers in processes of their own: this program with a hidden subcommand. A child prints its address in its first
//! line and ends when its standard input does, so none outlives the benchmark.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use super::OPEN_FILES;

/// A running child process that listens.
#[derive(Debug)]
pub(super) struct ChildServer {
    child: Child,
    /// Kept open for a child that goes on printing.
    output: BufReader<ChildStdout>,
    /// Address on which the child listens.
    pub(super) address: String,
}

impl ChildServer {
    /// Runs this program with these arguments.
    pub(super) fn this_program(arguments: &[&str]) -> io::Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).args(arguments))
    }

    /// Runs a program and reads its output up to the first line with a loopback address.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().expect("the output is piped");
        let mut served = Self {
            child,
            output: BufReader::new(output),
            address: String::new(),
        };
        let mut line = String::new();
        while served.output.read_line(&mut line)? > 0 {
            if let Some(address) = address_in(&line) {
                served.address = address;
                return Ok(served);
            }
            line.clear();
        }
        Err(io::Error::other(format!(
            "{command:?} ended without printing its address"
        )))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the process to end, and waits until it has ended.
    pub(super) fn terminate(mut self) -> io::Result<()> {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        if !asked.success() {
            return Err(io::Error::other(format!(
                "`kill -TERM {pid}` failed ({asked})"
            )));
        }
        self.child.wait().map(drop)
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        // A failure means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the `127.0.0.1:PORT` in a line of text.
fn address_in(line: &str) -> Option<String> {
    const HOST: &str = "127.0.0.1:";
    let port = line.get(line.find(HOST)? + HOST.len()..)?;
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    (!port.is_empty()).then(|| format!("{HOST}{port}"))
}

/// Hidden subcommand that answers each request of `request` bytes with a frame of `reply` bytes. It blocks, has a
/// thread per connection, and answers all requests of one read with one write.
///
/// # Errors
///
/// If it cannot listen.
pub fn serve_echo(request: usize, reply: usize) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    announce(&listener.local_addr()?.to_string())?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || echo(stream, request, reply));
        }
    });
    wait_for_the_end_of_input()
}

fn echo(mut stream: TcpStream, request: usize, reply: usize) -> io::Result<()> {
    const ROOM: usize = 64 * 1024;
    stream.set_nodelay(true)?;
    let mut received = vec![0; ROOM];
    let mut frame = vec![0; reply];
    let length = u32::try_from(reply - 4).map_err(io::Error::other)?;
    frame.splice(..4, length.to_be_bytes());
    let replies = frame.repeat(ROOM / request + 1);
    let mut waiting = 0;
    loop {
        match stream.read(&mut received)? {
            0 => return Ok(()),
            read => waiting += read,
        }
        let answers = waiting / request;
        waiting %= request;
        stream.write_all(replies.get(..answers * reply).unwrap_or_default())?;
    }
}

/// Hidden subcommand that does for a fan-out what [`serve_echo`] does for a request: after `watchers` connections and
/// one more, each message of the first connection is followed by an event of `event` bytes to all others.
///
/// # Errors
///
/// If it cannot listen.
pub fn serve_bare_events(watchers: usize, event: usize) -> io::Result<()> {
    rlimit::increase_nofile_limit(OPEN_FILES)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    announce(&listener.local_addr()?.to_string())?;
    let mut writer = listener.accept()?.0;
    let mut others = Vec::new();
    for _ in 0..watchers {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        others.push(stream);
    }
    let mut frame = vec![0xff; event];
    let length = u32::try_from(event - 4).map_err(io::Error::other)?;
    frame.splice(..4, length.to_be_bytes());
    let mut said = [0; 1024];
    while writer.read(&mut said)? > 0 {
        for other in &mut others {
            other.write_all(&frame)?;
        }
        writer.write_all(&frame)?;
    }
    Ok(())
}

/// Prints the first line of a child.
pub(super) fn announce(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

pub(super) fn wait_for_the_end_of_input() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn an_address_is_found_in_the_output_of_a_server() {
        let found = |line| address_in(line);
        assert_eq!(found("127.0.0.1:4711\n").as_deref(), Some("127.0.0.1:4711"));
        assert_eq!(
            found("serving at 127.0.0.1:80, in memory").as_deref(),
            Some("127.0.0.1:80")
        );
        assert_eq!(found("127.0.0.1:"), None);
        assert_eq!(found("nothing"), None);
    }
}
