//! Golden frames: the answers of a freshly started real ZooKeeper, byte for byte, in one file per operation. The server's tests
//! send the same requests to minikeeper and compare. `README.md` in the files' folder explains the format.

mod chapters;

pub use chapters::{Chapter, Step, chapters};

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::backend::{Backend, BackendError, BackendKind, BackendSource, Settings};
use crate::client::{Client, ClientError, ConnectResponse, Field, Message};
use crate::patience::{self, TimedOut};

/// Reason for which a recording failed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The real server does not run.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The connection failed.
    #[error("{chapter}, {step}: {error}")]
    Client {
        /// File that was recorded.
        chapter: &'static str,
        /// Step that failed.
        step: &'static str,
        /// Cause.
        error: ClientError,
    },
    /// The server did not answer in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Two recordings have different frames.
    #[error("{0}: two recordings differ in more than the content of fields")]
    Unsteady(&'static str),
}

/// Records every chapter from a real server into `folder`, twice each, and returns the number of files.
///
/// # Errors
///
/// If the server is unavailable, or if an answer is not the expected frame.
pub fn record(folder: &Path) -> Result<usize, RecordError> {
    fs::create_dir_all(folder)?;
    let chapters = chapters();
    for chapter in &chapters {
        let lines = merge(chapter.name, &play(chapter)?, &play(chapter)?)?;
        fs::write(
            folder.join(format!("{}.hex", chapter.name)),
            text(chapter, &lines),
        )?;
    }
    Ok(chapters.len())
}

/// A line of a file: a frame, or the end of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Comment(&'static str),
    Sent(Vec<u8>, Vec<Field>),
    Received(Vec<u8>, Vec<Field>),
    End,
}

fn play(chapter: &Chapter) -> Result<Vec<Line>, RecordError> {
    let settings = Settings {
        tick_time: Duration::from_secs(2),
        ..Settings::default()
    };
    let server = BackendKind::newest_zookeeper().start(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(perform(chapter, &*server))
}

async fn perform(chapter: &Chapter, server: &dyn Backend) -> Result<Vec<Line>, RecordError> {
    let failed = |step| {
        move |error| RecordError::Client {
            chapter: chapter.name,
            step,
            error,
        }
    };
    let mut client = Client::open(&server.connect_string())
        .await
        .map_err(failed("open"))?;
    let mut lines = Vec::new();
    for (comment, step) in &chapter.steps {
        lines.push(Line::Comment(comment));
        let answered = patience::within(comment, take(&mut client, step, &mut lines)).await?;
        answered.map_err(failed(comment))?;
    }
    Ok(lines)
}

async fn take(
    client: &mut Client<TcpStream>,
    step: &Step,
    lines: &mut Vec<Line>,
) -> Result<(), ClientError> {
    match step {
        Step::Connect(request) => {
            let (bytes, fields) = request.encode();
            client.send_bytes(&bytes).await?;
            lines.push(Line::Sent(bytes, fields));
            match client.frame().await {
                Err(ClientError::Closed) => lines.push(Line::End),
                frame => {
                    let frame = frame?;
                    let (response, fields) = ConnectResponse::decode(&frame)?;
                    lines.push(Line::Received(frame, fields));
                    if response.timeout_ms == 0 {
                        expect_end(client, lines).await?;
                    }
                }
            }
        }
        Step::Ask(request) => ask(client, request, None, lines).await?,
        Step::AskAs(xid, request) => ask(client, request, Some(*xid), lines).await?,
        Step::LastAsk(request) => {
            ask(client, request, None, lines).await?;
            expect_end(client, lines).await?;
        }
        Step::LastBytes(bytes) => {
            client.send_bytes(bytes).await?;
            let whole = Field {
                name: "bytes",
                at: 0..bytes.len(),
            };
            lines.push(Line::Sent(bytes.clone(), vec![whole]));
            expect_end(client, lines).await?;
        }
    }
    Ok(())
}

async fn ask(
    client: &mut Client<TcpStream>,
    request: &crate::client::Request,
    xid: Option<i32>,
    lines: &mut Vec<Line>,
) -> Result<(), ClientError> {
    let xid = xid.unwrap_or_else(|| client.next_xid(request));
    let (bytes, fields) = request.encode(xid);
    client.send_bytes(&bytes).await?;
    lines.push(Line::Sent(bytes, fields));
    // The reply to a ping has xid -2, whatever the xid of the request.
    let reply_xid = if request.op() == crate::client::op::PING {
        -2
    } else {
        xid
    };
    client.expect_reply(reply_xid, request.op());
    loop {
        let frame = client.frame().await?;
        let (message, fields) = client.understand(&frame)?;
        lines.push(Line::Received(frame, fields));
        if let Message::Reply(_) = message {
            return Ok(());
        }
    }
}

async fn expect_end(
    client: &mut Client<TcpStream>,
    lines: &mut Vec<Line>,
) -> Result<(), ClientError> {
    match client.frame().await {
        Err(ClientError::Closed) => {
            lines.push(Line::End);
            Ok(())
        }
        Err(error) => Err(error),
        Ok(_) => Err(ClientError::StrayReply(0)),
    }
}

/// Replaces fields in which two recordings differ by `??`, byte for byte.
fn merge(name: &'static str, first: &[Line], second: &[Line]) -> Result<Vec<String>, RecordError> {
    if first.len() != second.len() {
        return Err(RecordError::Unsteady(name));
    }
    let merged = first.iter().zip(second).map(|pair| match pair {
        (Line::Comment(comment), Line::Comment(_)) => Some(format!("\n# {comment}")),
        (Line::End, Line::End) => Some("< end".to_owned()),
        (Line::Sent(a, fields), Line::Sent(b, others)) if fields == others => {
            Some(format!("> {}", frame(a, b, fields)))
        }
        (Line::Received(a, fields), Line::Received(b, others)) if fields == others => {
            Some(format!("< {}", frame(a, b, fields)))
        }
        _ => None,
    });
    merged
        .collect::<Option<_>>()
        .ok_or(RecordError::Unsteady(name))
}

fn frame(a: &[u8], b: &[u8], fields: &[Field]) -> String {
    let mut hex = String::new();
    let mut names = String::new();
    for field in fields {
        let bytes = a.get(field.at.clone()).unwrap_or_default();
        if b.get(field.at.clone()) == Some(bytes) {
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
        } else {
            hex.push_str(&"??".repeat(bytes.len()));
        }
        hex.push(' ');
        names.push(' ');
        names.push_str(field.name);
    }
    format!("{hex} #{names}")
}

fn text(chapter: &Chapter, lines: &[String]) -> String {
    format!(
        "# {}\n# Recorded from ZooKeeper {}.\n{}\n",
        chapter.title,
        BackendKind::NEWEST_ZOOKEEPER,
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::{Line, merge};
    use crate::client::Field;

    fn received(bytes: &[u8]) -> Line {
        let field = |name, at| Field { name, at };
        Line::Received(bytes.to_vec(), vec![field("a", 0..1), field("b", 1..3)])
    }

    #[test]
    fn a_field_that_varies_is_masked_as_a_whole() {
        let first = [Line::Comment("why"), received(&[1, 2, 3]), Line::End];
        let second = [Line::Comment("why"), received(&[1, 2, 4]), Line::End];
        let lines = merge("x", &first, &second).expect("the same shape");
        assert_eq!(lines, ["\n# why", "< 01 ????  # a b", "< end"]);
    }

    #[test]
    fn recordings_of_another_shape_are_refused() {
        assert!(merge("x", &[Line::End], &[]).is_err());
        assert!(merge("x", &[Line::End], &[received(&[1, 2, 3])]).is_err());
    }
}
