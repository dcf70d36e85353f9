//! Builds the image with a Docker engine and runs it as a user does. Without an engine each test is reported as ignored
//! with the reason; with `docker` or `all` in `MINIKEEPER_REQUIRE` each fails instead.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "it/client.rs"]
#[expect(dead_code, reason = "the tests of the binary make more requests")]
mod client;

use client::Client;

const DEADLINE: Duration = Duration::from_secs(60);
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

type Outcome = Result<(), Failed>;
type Test = fn() -> Outcome;

const TESTS: &[(&str, Test)] = &[
    ("the_image_is_under_10_mb", the_image_is_under_10_mb),
    (
        "the_image_says_what_the_official_one_says",
        the_image_says_what_the_official_one_says,
    ),
    (
        "compose_starts_it_as_zookeeper",
        compose_starts_it_as_zookeeper,
    ),
    (
        "compose_keeps_state_over_kill_and_down",
        compose_keeps_state_over_kill_and_down,
    ),
    (
        "a_folder_without_write_permission_is_refused_in_one_line",
        a_folder_without_write_permission_is_refused_in_one_line,
    ),
    (
        "the_official_images_variables_are_honoured",
        the_official_images_variables_are_honoured,
    ),
    (
        "a_mounted_zoo_cfg_wins_over_variables",
        a_mounted_zoo_cfg_wins_over_variables,
    ),
    (
        "an_ensemble_is_refused_in_one_line",
        an_ensemble_is_refused_in_one_line,
    ),
    ("stopping_it_is_clean", stopping_it_is_clean),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let lack = missing();
    let required = std::env::var("MINIKEEPER_REQUIRE").is_ok_and(|list| {
        list.split(',')
            .any(|part| matches!(part.trim(), "docker" | "all"))
    });
    let trials = TESTS
        .iter()
        .map(|&(name, test)| match lack.clone() {
            None => Trial::test(name, test),
            Some(lack) if required => Trial::test(name, move || Err(Failed::from(lack))),
            Some(lack) => Trial::test(name, || Ok(()))
                .with_kind(lack)
                .with_ignored_flag(true),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Why the image cannot be built or run here, if it cannot.
fn missing() -> Option<String> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return Some(String::from(
            "the static binary is built on Linux with glibc",
        ));
    }
    match docker(&["info", "--format", "{{.ServerVersion}}"]) {
        Err(_) => Some("no Docker engine answers".to_owned()),
        Ok(_) if compose_command().is_none() => Some("there is no docker compose".to_owned()),
        Ok(_) => None,
    }
}

fn the_image_is_under_10_mb() -> Outcome {
    let size = docker(&["image", "inspect", "--format", "{{.Size}}", image()?])?;
    let size: u64 = size.parse()?;
    if size >= 10_000_000 {
        return Err(format!("it has {size} bytes").into());
    }
    Ok(())
}

fn the_image_says_what_the_official_one_says() -> Outcome {
    let format = "{{json .Config}}";
    let config = docker(&["image", "inspect", "--format", format, image()?])?;
    for part in [
        "2181/tcp",
        "MINIKEEPER_DEFAULTS=image",
        "ZOO_CONF_DIR=/conf",
        "ZOO_TICK_TIME=2000",
        "ZOO_MAX_CLIENT_CNXNS=60",
        "ZOO_STANDALONE_ENABLED=true",
        r#""Volumes":{"/data":{},"/datalog":{}}"#,
        r#"["CMD","/minikeeper","health"]"#,
    ] {
        contains(&config, part)?;
    }
    Ok(())
}

fn compose_starts_it_as_zookeeper() -> Outcome {
    let project = Project::up()?;
    let address = project.compose(&["port", "zookeeper", "2181"])?.parse()?;
    contains(&ask(address, "srvr")?, "Mode: standalone")?;

    let container = project.compose(&["ps", "--quiet", "zookeeper"])?;
    docker(&["exec", &container, "/minikeeper", "health"])?;
    await_health(&container)?;

    // As any other service of the project reaches it.
    let network = format!("{}_default", project.name);
    docker(&[
        "run",
        "--rm",
        "--network",
        &network,
        image()?,
        "health",
        "zookeeper:2181",
    ])?;
    Ok(())
}

fn compose_keeps_state_over_kill_and_down() -> Outcome {
    let project = Project::up()?;
    // Which port it has may change.
    let up = || -> Result<Client, Failed> {
        project.compose(&["up", "--detach"])?;
        await_health(&project.compose(&["ps", "--quiet", "zookeeper"])?)?;
        let address = project.compose(&["port", "zookeeper", "2181"])?.parse()?;
        Ok(Client::connect(address))
    };
    let check_data = |client: &mut Client, expected: &[u8]| -> Outcome {
        let data = client.get("/check_data");
        if data.as_deref() == Some(expected) {
            return Ok(());
        }
        Err(format!("/check_data has {data:?}").into())
    };
    let mut client = up()?;
    client.create("/check_data", b"v1", false);
    client
        .set("/check_data", b"v2")
        .map_err(|code| format!("refused with {code}"))?;
    project.compose(&["kill", "zookeeper"])?;

    let mut client = up()?;
    check_data(&mut client, b"v2")?;
    client
        .set("/check_data", b"v3")
        .map_err(|code| format!("refused with {code}"))?;
    project.compose(&["down", "--timeout", "60"])?;

    check_data(&mut up()?, b"v3")
}

fn a_folder_without_write_permission_is_refused_in_one_line() -> Outcome {
    // The folder has another owner, as most mounted folders do.
    let output = Command::new("docker")
        .args(["run", "--rm", "--user=65534", image()?])
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(1) || log.lines().count() != 1 {
        return Err(format!("{}: {log}", output.status).into());
    }
    contains(&log, "minikeeper: cannot serve: /data")?;
    contains(&log, "Permission denied")
}

fn the_official_images_variables_are_honoured() -> Outcome {
    let container = Container::start(&[
        "--env=ZOO_TICK_TIME=500",
        "--env=ZOO_MAX_CLIENT_CNXNS=7",
        "--env=ZOO_4LW_COMMANDS_WHITELIST=conf,ruok",
        "--env=ZOO_CFG_EXTRA=minSessionTimeout=900 foo=1",
        "--env=JVMFLAGS=-Xmx64m -Dzookeeper.bar=1",
    ])?;
    let conf = container.ask("conf")?;
    for line in [
        "tickTime=500",
        "maxClientCnxns=7",
        "minSessionTimeout=900",
        "maxSessionTimeout=10000",
    ] {
        contains(&conf, line)?;
    }
    contains(&container.ask("ruok")?, "imok")?;
    contains(&container.ask("mntr")?, "not in the whitelist")?;
    contains(
        &container.log()?,
        "unknown settings, ignored: zookeeper.bar, foo",
    )
}

fn a_mounted_zoo_cfg_wins_over_variables() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("zoo.cfg");
    std::fs::write(
        &path,
        "dataDir=/data\nclientPort=2181\ntickTime=321\n4lw.commands.whitelist=*\n",
    )?;
    let mount = format!("--volume={}:/conf/zoo.cfg:ro", path.display());
    let container = Container::start(&[&mount, "--env=ZOO_TICK_TIME=500"])?;
    contains(&container.ask("conf")?, "tickTime=321")
}

fn an_ensemble_is_refused_in_one_line() -> Outcome {
    let servers = "--env=ZOO_SERVERS=server.1=a:2888:3888;2181 server.2=b:2888:3888;2181";
    let output = Command::new("docker")
        .args(["run", "--rm", servers, image()?])
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(2) || log.lines().count() != 1 {
        return Err(format!("{}: {log}", output.status).into());
    }
    contains(&log, "2 voting members")
}

fn stopping_it_is_clean() -> Outcome {
    let container = Container::start(&[])?;
    // A signal that nothing minds would be followed by a kill, and exit code 137.
    docker(&["stop", "--time", "60", &container.id])?;
    let code = docker(&["inspect", "--format", "{{.State.ExitCode}}", &container.id])?;
    if code != "0" {
        return Err(format!("exit code {code}: {}", container.log()?).into());
    }
    Ok(())
}

/// The name of the image, built once.
fn image() -> Result<&'static str, Failed> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    const NAME: &str = "minikeeper:test";
    BUILT
        .get_or_init(|| {
            output(Command::new(Path::new(ROOT).join("docker/build")).arg(NAME)).map(drop)
        })
        .clone()
        .map(|()| NAME)
        .map_err(Failed::from)
}

/// A container of the image; it goes when this does.
struct Container {
    id: String,
}

impl Container {
    fn start(options: &[&str]) -> Result<Self, Failed> {
        let mut arguments = vec!["run", "--detach", "--publish=127.0.0.1:0:2181"];
        arguments.extend(options);
        arguments.push(image()?);
        let container = Self {
            id: docker(&arguments)?,
        };
        await_health(&container.id)?;
        Ok(container)
    }

    fn ask(&self, word: &str) -> Result<String, Failed> {
        let address = docker(&["port", &self.id, "2181"])?;
        ask(address.lines().next().unwrap_or_default().parse()?, word)
    }

    fn log(&self) -> Result<String, Failed> {
        let output = Command::new("docker").args(["logs", &self.id]).output()?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// The services of `docker/compose.yaml`; they go when this does.
struct Project {
    name: String,
}

impl Project {
    fn up() -> Result<Self, Failed> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        image()?;
        let project = Self {
            name: format!("minikeeper-test-{}-{count}", std::process::id()),
        };
        project.compose(&["up", "--detach"])?;
        Ok(project)
    }

    fn compose(&self, arguments: &[&str]) -> Result<String, String> {
        let words = compose_command().ok_or("there is no docker compose")?;
        let (program, first) = words.split_first().ok_or("there is no docker compose")?;
        output(
            Command::new(program)
                .args(first)
                .args([
                    "--project-name",
                    &self.name,
                    "--file",
                    "docker/compose.yaml",
                ])
                .args(arguments)
                .current_dir(ROOT)
                .env("MINIKEEPER_IMAGE", "minikeeper:test")
                .env("ZOOKEEPER_PORT", "0"),
        )
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = self.compose(&["down", "--volumes", "--timeout", "5"]);
    }
}

fn compose_command() -> Option<&'static [&'static str]> {
    let ways: [&'static [&'static str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    ways.into_iter().find(|words| {
        words.split_first().is_some_and(|(program, rest)| {
            output(Command::new(program).args(rest).arg("version")).is_ok()
        })
    })
}

/// Waits until the engine reports a container as healthy, since its last start.
fn await_health(container: &str) -> Outcome {
    let started = docker(&["inspect", "--format", "{{.State.StartedAt}}", container])?;
    let mut events = Command::new("docker")
        .args(["events", "--since", &started, "--format", "{{.Action}}"])
        .args([
            "--filter",
            "type=container",
            "--filter",
            &format!("container={container}"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = events.stdout.take().ok_or("it is piped")?;
    let (sender, lines) = mpsc::channel();
    // It ends with the command, which is ended below.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(DEADLINE) {
        let last = matches!(line.as_str(), "health_status: healthy" | "die");
        seen.push(line);
        if last {
            break;
        }
    }
    events.kill()?;
    events.wait()?;
    if seen
        .last()
        .is_some_and(|line| line == "health_status: healthy")
    {
        return Ok(());
    }
    let log = Command::new("docker").args(["logs", container]).output()?;
    Err(format!(
        "not healthy: {seen:?}: {}",
        String::from_utf8_lossy(&log.stderr)
    )
    .into())
}

fn ask(address: SocketAddr, word: &str) -> Result<String, Failed> {
    let mut socket = TcpStream::connect_timeout(&address, DEADLINE)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.write_all(word.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    output(Command::new("docker").args(arguments))
}

/// Returns the stdout of a command, or the reason of its failure.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}: {stderr}", output.status));
    }
    Ok(String::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn contains(text: &str, part: &str) -> Outcome {
    if text.contains(part) {
        return Ok(());
    }
    Err(format!("no {part:?} in {text:?}").into())
}
