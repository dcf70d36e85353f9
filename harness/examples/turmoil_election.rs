//! An election inside the simulator `turmoil`: a server and three candidates are simulated hosts, with a simulated
//! network and simulated time. The leader is cut off, its session expires, and another one leads. Equal seeds give
//! equal runs to the millisecond, and forty simulated seconds take a fraction of a real one.
//!
//! `cargo run -p minikeeper-harness --example turmoil_election -- 7` prints the run of seed 7.

use std::cell::{OnceCell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use minikeeper::{
    Server,
    journal::{Entry, JournalMode},
    protocol::Timestamp,
};
use minikeeper_harness::client::{
    Acl, Answer, Client, ClientError, ConnectRequest, CreateKind, Event, Request,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim};

const CANDIDATES: [&str; 3] = ["alice", "bob", "carol"];
const SECOND: Duration = Duration::from_secs(1);
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const EPHEMERAL_SEQUENTIAL: i32 = 3;

/// An entry in the log of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    at: Duration,
    who: &'static str,
    message: Message,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    Leads,
    StepsDown,
    /// Any other message.
    Other(String),
}

/// Notes of all hosts, in order.
#[derive(Clone, Debug, Default)]
struct Notes(Rc<RefCell<Vec<Note>>>);

impl Notes {
    fn take(&self, who: &'static str, message: Message) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.0.borrow_mut().push(Note { at, who, message });
    }

    /// Returns the hosts that lead or believe that they lead.
    fn leaders(&self) -> Vec<&'static str> {
        let mut leaders = Vec::new();
        for note in self.0.borrow().iter() {
            match note.message {
                Message::Leads => leaders.push(note.who),
                Message::StepsDown => leaders.retain(|who| *who != note.who),
                Message::Other(_) => {}
            }
        }
        leaders
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, who, message } = self;
        write!(f, "{:>6} ms  {who:<6}", at.as_millis())?;
        match message {
            Message::Leads => write!(f, "LEADS"),
            Message::StepsDown => write!(f, "STEPS DOWN"),
            Message::Other(text) => write!(f, "{text}"),
        }
    }
}

/// Reason for which a candidate has to begin again.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("no answer for too long")]
    Silence,
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
}

/// A session that pings, and that knows when the server may have expired it.
struct Session {
    client: Client<TcpStream>,
    timeout: Duration,
    /// Time at which the last answered request was sent: the server got a request at that time or later.
    heard: Instant,
}

impl Session {
    async fn open() -> Result<Self, Lost> {
        let open = async {
            let heard = Instant::now();
            let mut client = Client::new(TcpStream::connect(("zookeeper", 2181)).await?);
            let timeout_ms = i32::try_from(SESSION_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
            let granted = client.connect(&ConnectRequest::new(timeout_ms)).await?;
            let timeout_ms = u64::try_from(granted.timeout_ms).unwrap_or_default();
            let timeout = Duration::from_millis(timeout_ms);
            Ok(Self {
                client,
                timeout,
                heard,
            })
        };
        timeout(SECOND, open).await.unwrap_or(Err(Lost::Silence))
    }

    async fn ask(&mut self, request: Request) -> Result<Option<Answer>, Lost> {
        let sent = Instant::now();
        // The deadline passes before the server can expire the session, whichever message is lost.
        let deadline = self.heard + self.timeout * 2 / 3;
        match timeout_at(deadline, self.client.call(&request)).await {
            Ok(reply) => {
                self.heard = sent;
                Ok(reply?.answer)
            }
            Err(_) => Err(Lost::Silence),
        }
    }

    /// Waits for a watch to fire, and pings meanwhile.
    async fn event(&mut self) -> Result<Event, Lost> {
        loop {
            match timeout(self.timeout / 4, self.client.event()).await {
                Ok(event) => return Ok(event?),
                Err(_) => self.ask(Request::Ping).await?,
            };
        }
    }
}

/// Stands for election until the session is lost. The candidate with the lowest number leads; each other candidate
/// watches the one before.
async fn stand(who: &'static str, notes: &Notes) -> Result<Infallible, Lost> {
    let says = |text: String| notes.take(who, Message::Other(text));
    let mut session = Session::open().await?;
    let create = Request::Create {
        kind: CreateKind::Create,
        path: "/election/n-".to_owned(),
        data: Some(who.as_bytes().to_vec()),
        acl: Acl::open(),
        flags: EPHEMERAL_SEQUENTIAL,
    };
    let Some(Answer::Path(Some(mine))) = session.ask(create).await? else {
        return Err(Lost::Silence);
    };
    says(format!("is {mine}"));
    loop {
        let children = Request::GetChildren {
            path: "/election".to_owned(),
            watch: false,
        };
        let Some(Answer::Children(mut candidates)) = session.ask(children).await? else {
            return Err(Lost::Silence);
        };
        candidates.sort_unstable();
        let before = candidates
            .into_iter()
            .map(|name| format!("/election/{name}"))
            .take_while(|path| *path != mine)
            .last();
        let Some(before) = before else { break };
        says(format!("waits for {before}"));
        let exists = Request::Exists {
            path: before,
            watch: true,
        };
        if session.ask(exists).await?.is_some() {
            let Event { path, zxid, .. } = session.event().await?;
            says(format!("is notified that {path} was deleted in {zxid:#x}"));
        }
    }
    notes.take(who, Message::Leads);
    let lost = session.event().await.map(|event| event.path);
    notes.take(who, Message::StepsDown);
    Err(lost.err().unwrap_or(Lost::Silence))
}

async fn candidate(who: &'static str, notes: Notes) -> turmoil::Result {
    loop {
        match stand(who, &notes).await {
            // The candidate tries again until the server can be reached.
            Err(Lost::Connect(_)) => {}
            Err(lost) => notes.take(who, Message::Other(format!("lost its session: {lost}"))),
        }
        sleep(SECOND).await;
    }
}

/// The host of the server: it serves connections of the simulated network, in simulated time.
async fn zookeeper(handle: Rc<OnceCell<Server>>) -> turmoil::Result {
    let server = Server::builder()
        .without_listener()
        .tokio_clock()
        .start_time(Timestamp(1_000_000_000_000))
        .journal(JournalMode::Full)
        .start()?;
    server.create("/election", b"")?;
    let _ = handle.set(server.clone());
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 2181)).await?;
    loop {
        let (socket, peer) = listener.accept().await?;
        let label = turmoil::reverse_lookup(peer.ip());
        tokio::spawn(server.serve_from(peer, label.as_deref(), socket)?);
    }
}

/// Result of a run.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    notes: Vec<Note>,
    /// The two leaders, in order.
    led: [&'static str; 2],
    /// Tree of the server at the end.
    tree: String,
    /// Journal of the server.
    journal: Vec<Entry>,
}

fn run_until(sim: &mut Sim<'_>, end: Duration) -> turmoil::Result {
    while sim.elapsed() < end {
        sim.step()?;
    }
    Ok(())
}

fn outcome(seed: u64) -> Result<Outcome, Box<dyn std::error::Error>> {
    let notes = Notes::default();
    let handle = Rc::new(OnceCell::new());
    let mut sim = Builder::new()
        .rng_seed(seed)
        .enable_random_order()
        .tick_duration(Duration::from_millis(10))
        .max_message_latency(Duration::from_millis(50))
        .simulation_duration(60 * SECOND)
        .build();
    sim.host("zookeeper", || zookeeper(Rc::clone(&handle)));
    for who in CANDIDATES {
        sim.host(who, || candidate(who, notes.clone()));
    }

    run_until(&mut sim, 10 * SECOND)?;
    let [first] = notes.leaders()[..] else {
        return Err(format!("expected one leader: {:?}", notes.leaders()).into());
    };
    sim.partition(first, "zookeeper");
    run_until(&mut sim, 25 * SECOND)?;
    let [second] = notes.leaders()[..] else {
        return Err(format!("expected another leader: {:?}", notes.leaders()).into());
    };
    sim.repair(first, "zookeeper");
    run_until(&mut sim, 40 * SECOND)?;

    let server = handle.get().ok_or("the server did not start")?;
    let notes = notes.0.borrow().clone();
    Ok(Outcome {
        notes,
        led: [first, second],
        tree: server.dump(),
        journal: server.journal().entries().to_vec(),
    })
}

#[expect(clippy::print_stdout, reason = "it is what the example is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args()
        .nth(1)
        .map_or(Ok(42), |seed| seed.parse())?;
    let outcome = outcome(seed)?;
    outcome.notes.iter().for_each(|note| println!("{note}"));
    println!("\nThe tree at the end:\n{}", outcome.tree);
    println!("The journal has {} entries.", outcome.journal.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn another_candidate_leads_after_a_partition_and_there_are_never_two_leaders() {
        for seed in 0..5 {
            let outcome = outcome(seed).expect("one leads after the other");
            let [first, second] = outcome.led;
            assert_ne!(first, second, "seed {seed}");
            let mut leader = None;
            for note in &outcome.notes {
                match note.message {
                    Message::Leads => assert_eq!(leader.replace(note.who), None, "seed {seed}"),
                    Message::StepsDown => assert_eq!(leader.take(), Some(note.who), "seed {seed}"),
                    Message::Other(_) => {}
                }
            }
            assert_eq!(leader, Some(second), "seed {seed}");
            let expired = |entry: &&Entry| {
                matches!(
                    entry.event,
                    minikeeper::journal::Event::SessionExpired { .. }
                )
            };
            let expired: Vec<&Entry> = outcome.journal.iter().filter(expired).collect();
            assert_eq!(expired.len(), 1, "seed {seed}");
            // The first leader has returned since, and waits.
            assert_eq!(outcome.tree.matches("ephemeral").count(), 3, "seed {seed}");
        }
    }

    #[test]
    fn equal_seeds_give_equal_runs_and_other_seeds_other_runs() {
        let stories: Vec<Outcome> = (0..3)
            .map(|seed| outcome(seed).expect("one leads after the other"))
            .collect();
        for (seed, story_before) in (0..).zip(&stories) {
            let again = outcome(seed).expect("as before");
            assert_eq!(again, *story_before, "seed {seed}");
        }
        let leaders: BTreeSet<_> = stories.iter().map(|outcome| outcome.led).collect();
        assert!(leaders.len() > 1, "chance decides who leads: {leaders:?}");
    }
}
