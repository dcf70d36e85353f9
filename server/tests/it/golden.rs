//! Replay of the golden frames: minikeeper answers with the same bytes as a real ZooKeeper. `tests/golden/README.md`
//! describes the files.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use minikeeper::Server;

/// Recorded byte, or one that may have any value.
type Expected = Option<u8>;

enum Line {
    Send(Vec<u8>),
    Receive(Vec<Expected>),
    End,
}

#[test]
fn every_answer_is_that_of_a_real_zookeeper() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no golden files in {}", folder.display());

    let differences: Vec<_> = files
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).expect("the file can be read");
            let name = path.file_name().unwrap_or_default().display();
            replay(&text)
                .err()
                .map(|difference| format!("{name}, {difference}"))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Replays one conversation with a new server, and returns the first difference.
fn replay(text: &str) -> Result<(), String> {
    // Settings of the recorded server; the super user is `super:test`.
    let server = Server::builder()
        .reconfig_enabled(false)
        .extended_types(true)
        .super_digest(Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_owned()))
        .start()
        .expect("a server starts");
    let mut socket = TcpStream::connect(server.addr()).expect("the server listens");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout can be set");

    let mut has_ended = false;
    for (number, line) in text.lines().enumerate() {
        let result = match parse(line) {
            None => Ok(()),
            Some(Line::Send(bytes)) => socket
                .write_all(&bytes)
                .map_err(|error| format!("not sent: {error}")),
            Some(Line::Receive(expected)) => receive(&mut socket, &expected),
            Some(Line::End) => {
                has_ended = true;
                receive_end(&mut socket)
            }
        };
        result.map_err(|difference| format!("line {}: {difference}", number + 1))?;
    }
    if has_ended {
        return Ok(());
    }
    // Any other message of the server would arrive before the answer to a last ping.
    let ping = [0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11];
    socket
        .write_all(&ping)
        .map_err(|error| format!("no ping at the end: {error}"))?;
    let pong = parse_bytes("00000010 fffffffe ???????????????? 00000000");
    receive(&mut socket, &pong).map_err(|difference| format!("at the end: {difference}"))
}

fn receive(socket: &mut TcpStream, expected: &[Expected]) -> Result<(), String> {
    let mut received = vec![0; expected.len()];
    socket
        .read_exact(&mut received)
        .map_err(|error| format!("not received: {error}"))?;
    let is_same = expected
        .iter()
        .zip(&received)
        .all(|(expected, received)| expected.is_none_or(|expected| expected == *received));
    if is_same {
        Ok(())
    } else {
        let expected: String = expected
            .iter()
            .map(|byte| byte.map_or("??".to_owned(), |byte| format!("{byte:02x}")))
            .collect();
        let received: String = received.iter().map(|byte| format!("{byte:02x}")).collect();
        Err(format!("\n  expected {expected}\n  received {received}"))
    }
}

fn receive_end(socket: &mut TcpStream) -> Result<(), String> {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        // A socket that is closed with unread bytes is reset.
        Ok(_) if rest.is_empty() => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset && rest.is_empty() => {
            Ok(())
        }
        Ok(_) => Err(format!("{} bytes instead of the end", rest.len())),
        Err(error) => Err(format!("no end: {error}")),
    }
}

fn parse(line: &str) -> Option<Line> {
    let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
    if line.is_empty() {
        return None;
    }
    if line == "< end" {
        return Some(Line::End);
    }
    let (direction, hex) = line.split_at(1);
    let bytes = parse_bytes(hex);
    Some(match direction {
        ">" => Line::Send(
            bytes
                .into_iter()
                .map(|byte| byte.expect("what is sent is known"))
                .collect(),
        ),
        "<" => Line::Receive(bytes),
        other => panic!("a line begins with {other:?}"),
    })
}

fn parse_bytes(hex: &str) -> Vec<Expected> {
    let digits: Vec<char> = hex.chars().filter(|char| !char.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| match pair {
            ['?', '?'] => None,
            pair => {
                let pair: String = pair.iter().collect();
                Some(u8::from_str_radix(&pair, 16).expect("a byte is two hexadecimal digits"))
            }
        })
        .collect()
}
