//! `minikeeper control`, and the control API of `minikeeper serve`.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use minikeeper::Server;
use minikeeper_http::Control;
use serde::Serialize;
use tracing::info;

use crate::environment::Variables;
use crate::flags::{self, ControlFlags};
use crate::serve::{self, End, Failure, Signals};
use crate::setting_flags;

/// Variable with the address of the control API, which turns it on.
const ADDRESS: &str = "MINIKEEPER_CONTROL";
/// Variable with the token.
const TOKEN: &str = "MINIKEEPER_CONTROL_TOKEN";

/// Content of the ready file: one line of JSON.
#[derive(Serialize)]
struct Ready<'r> {
    control: Option<String>,
    token: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_string: Option<String>,
    pid: u32,
    version: &'static str,
}

/// Serves the control API without a server, until a signal arrives.
///
/// # Errors
///
/// If the API cannot be served.
pub(crate) fn run(flags: &flags::Control) -> Result<(), Failure> {
    let variables = Variables::of_this_process();
    serve::begin_logging(flags.log, &variables);
    let address = address(flags.address, &variables)?.unwrap_or(Control::DEFAULT_ADDRESS);
    let signals = Signals::catch().map_err(Failure::Signals)?;
    let control = start(address, &flags.control, &variables, None)?;
    announce(Some(&control), None, &flags.control)?;
    if !flags.control.is_ready_on_stdout() {
        serve::say(&format!(
            "minikeeper serves the control API on {}; create a server with:\n  \
             curl -X POST {0}/v1/servers -H 'Content-Type: application/json' -d '{{}}'{}\n\
             Stop with Ctrl-C or `kill {}`; no state is saved.\n",
            control.url(),
            described_token(&control, &flags.control),
            std::process::id(),
        ));
    }
    let end = serve::end(signals, None, flags.control.exit_with_stdin);
    if let End::Signal(reason) = end {
        info!("{reason}: stopping");
    }
    Ok(())
}

/// The header with a token that was generated, for the example of the greeting.
fn described_token(control: &Control, flags: &ControlFlags) -> String {
    let is_given = flags.control_token.is_some() || std::env::var_os(TOKEN).is_some();
    match control.token().filter(|_| !is_given) {
        Some(token) => format!(" -H 'Authorization: Bearer {token}'"),
        None => String::new(),
    }
}

/// Returns the line of `serve` about its control API.
pub(crate) fn greeting(control: Option<&Control>, flags: &ControlFlags) -> String {
    control.map_or_else(String::new, |control| {
        let token = described_token(control, flags);
        format!("The control API is at {}{token}.\n", control.url())
    })
}

/// Returns the address of the control API, if it is asked for by a flag or the variable.
///
/// # Errors
///
/// If the variable has no address.
pub(crate) fn address(
    flag: Option<SocketAddr>,
    variables: &Variables,
) -> Result<Option<SocketAddr>, Failure> {
    if flag.is_some() {
        return Ok(flag);
    }
    let set = variables.get(ADDRESS).filter(|text| !text.is_empty());
    let address = set.map(|text| {
        setting_flags::address(text)
            .map_err(|reason| Failure::Control(format!("{ADDRESS}={text}: {reason}")))
    });
    address.transpose()
}

/// Serves the control API, with the server of `serve` as `main`.
///
/// # Errors
///
/// If the API cannot be served.
pub(crate) fn start(
    address: SocketAddr,
    flags: &ControlFlags,
    variables: &Variables,
    main: Option<&Server>,
) -> Result<Control, Failure> {
    // Each server and each long poll has sockets; the usual soft limit of 1,024 is for programs that use select(2).
    #[cfg(unix)]
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut builder = Control::builder().address(address);
    let set = variables.get(TOKEN).filter(|token| !token.is_empty());
    match flags.control_token.as_deref().or(set) {
        Some(token) => builder = builder.token(token),
        None if !address.ip().is_loopback() => builder = builder.token(&new_token()),
        None => {}
    }
    for host in &flags.control_allow_host {
        builder = builder.allow_host(host);
    }
    if let Some(folder) = &flags.control_files {
        builder = builder.files(folder);
    }
    if let Some(main) = main {
        builder = builder.server("main", main.clone());
    }
    builder
        .start()
        .map_err(|error| Failure::Control(error.to_string()))
}

/// A token of 128 bits that cannot be guessed: the hashes of two numbers, by keys that the system has drawn.
fn new_token() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let keys = RandomState::new();
    format!("{:016x}{:016x}", keys.hash_one(0_u8), keys.hash_one(1_u8))
}

/// Writes the ready line, once everything serves.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn announce(
    control: Option<&Control>,
    server: Option<&Server>,
    flags: &ControlFlags,
) -> Result<(), Failure> {
    let ready = Ready {
        control: control.map(Control::url),
        token: control.and_then(Control::token),
        connect_string: server.map(Server::connect_string),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION"),
    };
    // All keys are texts, so JSON can express everything.
    let line = serde_json::to_string(&ready).unwrap_or_default() + "\n";
    match flags.ready_file.as_deref() {
        None => {}
        Some(file) if file == Path::new("-") => serve::say(&line),
        Some(file) => write_whole(file, &line).map_err(|error| {
            let file = file.display();
            Failure::Control(format!("cannot write the ready file {file}: {error}"))
        })?,
    }
    Ok(())
}

/// Writes a file that is complete as soon as it exists. Only its owner can read it, since it may have a token. A link
/// is followed. A device or a pipe is written to, and not replaced.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    if let Ok(found) = std::fs::metadata(&target)
        && !found.is_file()
    {
        let mut file = std::fs::OpenOptions::new().write(true).open(&target)?;
        return file.write_all(text.as_bytes());
    }
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The file is closed before it is renamed.
    let written = options
        .open(&name)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written
        .and_then(|()| std::fs::rename(&name, &target))
        .inspect_err(|_| {
            // The first error is the one that matters.
            let _ = std::fs::remove_file(&name);
        })
}

/// Waits for the end of standard input.
pub(crate) fn end_of_stdin() {
    let mut stdin = io::stdin().lock();
    let mut buffer = [0; 1024];
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
    }
}
