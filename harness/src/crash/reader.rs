//! A client that only reads: every write that it sees must survive the crash.

use super::model::{WATCHED, watched, writer_of};
use super::round::{RoundState, WRITERS};
use super::{Failure, SESSION_TIMEOUT};
use crate::client::{Answer, Client, ClientError, ConnectRequest, Message, Request};
use crate::random::Random;

// Longer than 60 lines: one loop of a request and its answer.
/// Reads and watches until the connection ends.
pub(super) async fn read(
    address: &str,
    watch: &RoundState,
    mut random: Random,
) -> Result<(), Failure> {
    let timeout_ms = i32::try_from(SESSION_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
    let outcome = async {
        let mut client = Client::open(address).await?;
        client.connect(&ConnectRequest::new(timeout_ms)).await?;
        loop {
            let writer = random.number(0..WRITERS);
            let parent = format!("/writer-{writer}");
            let request = if random.percent(50) {
                Request::GetChildren2 {
                    path: parent,
                    watch: true,
                }
            } else {
                Request::GetData {
                    path: format!("{parent}/{}", watched(random.number(0..WATCHED))),
                    watch: true,
                }
            };
            client.send(&request).await?;
            loop {
                let message = client.receive().await?;
                watch.saw();
                match message {
                    // Since 3.9, an event has the zxid of the change.
                    Message::Event(event) => watch.saw_zxid(event.zxid),
                    Message::Reply(reply) => {
                        watch.saw_zxid(reply.header.zxid);
                        match &reply.answer {
                            Some(Answer::Data(Some(data), stat)) => {
                                watch.saw_zxid(stat.mzxid);
                                if let Some(number) = writer_of(data) {
                                    watch.saw_request(writer, number);
                                }
                            }
                            Some(Answer::ChildrenStat(names, stat)) => {
                                watch.saw_zxid(stat.pzxid);
                                for name in names {
                                    if let Some(number) = number_in(name) {
                                        watch.saw_request(writer, number);
                                    }
                                }
                            }
                            _ => {}
                        }
                        break;
                    }
                }
            }
        }
    };
    let outcome: Result<(), ClientError> = outcome.await;
    match outcome {
        Ok(()) | Err(ClientError::Closed | ClientError::CutShort(_) | ClientError::Io(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns the number of the request that created a znode of this name: `n17`, or `n17.2` in a multi.
fn number_in(name: &str) -> Option<u64> {
    let rest = name.strip_prefix('n')?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn a_name_contains_the_number_of_its_request() {
        assert_eq!(number_in("n17"), Some(17));
        assert_eq!(number_in("n17.2"), Some(17));
        assert_eq!(number_in("q-0000000001"), None);
    }
}
