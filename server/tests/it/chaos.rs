//! Chaos: a seed draws the same faults again, and no fault breaks a promise.

use std::io::{Read, Write};
use std::net::TcpStream;

use minikeeper::{
    Fault, Matcher, Op, Server,
    fault::{Chaos, FaultError},
    journal::Event,
};

use crate::client::{
    self, Client, Granted, TIMEOUT, connect_request, create, op, open, read, request,
};

/// Faults that happened, in order, for two clients that send requests in turn or one after the other.
fn wrongs(seed: u64, in_turns: bool) -> [Vec<String>; 2] {
    let server = Server::start().expect("a server starts");
    let [mut a, mut b] = ["a", "b"].map(|label| {
        let address = server.labelled(label).expect("a port is free");
        Client::connect(address.addr())
    });
    let lose = Chaos::new()
        .rule("lost", 0.3, Matcher::request(Op::Exists), Fault::LoseReply)
        .rule("twice", 0.3, Matcher::reply(Op::Exists), Fault::Duplicate)
        .seed(seed);
    let chaos = server.chaos(lose);
    let ask = |client: &mut Client| {
        client.send(op::EXISTS, &read("/", false));
        // Earlier requests have been answered when a ping is.
        let ping = client.send(op::PING, &[]);
        while client.receive().xid != ping {}
    };
    for turn in 0..200 {
        let is_first = if in_turns { turn % 2 == 0 } else { turn < 100 };
        ask(if is_first { &mut a } else { &mut b });
    }
    let journal = server.journal();
    let of = |label: &str| {
        journal
            .iter()
            .filter(|entry| entry.label.as_deref() == Some(label))
            .filter_map(|entry| {
                if let Event::Fault { name, .. } = &entry.event {
                    return Some(name.to_string());
                }
                matches!(entry.event, Event::Request { .. }).then(|| "?".to_owned())
            })
            .collect()
    };
    let wrongs = ["a", "b"].map(of);
    let hits = wrongs
        .iter()
        .flatten()
        .filter(|fault| *fault != "?")
        .count();
    assert_eq!(usize::try_from(chaos.hits()).expect("few"), hits);
    assert!(hits > 20, "{hits} of 200");
    wrongs
}

#[test]
fn the_same_seed_draws_the_same_faults_in_any_order_of_clients() {
    assert_eq!(wrongs(7, true), wrongs(7, false));
    assert_ne!(wrongs(7, true), wrongs(8, true));
    let [a, b] = wrongs(7, true);
    assert_ne!(a, b);
}

#[test]
fn a_placed_fault_happens_before_chaos() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    let always = Chaos::new().rule("never alone", 1.0, Matcher::any(), Fault::DropBefore);
    let chaos = server.chaos(always.seed(1));
    let fault = server.fault("twice").on(Op::Ping).then(Fault::Duplicate);
    client.send(op::PING, &[]);
    assert_eq!(client.receive(), client.receive());
    assert_eq!((fault.hits(), chaos.hits()), (1, 0));
    client.send(op::PING, &[]);
    client.ends();
    assert_eq!(chaos.hits(), 1);
}

#[test]
fn chaos_ends_with_its_guard_or_when_faults_are_cleared() {
    let server = Server::start().unwrap();
    let mut client = Client::connect(server.addr());
    let always = || Chaos::new().rule("all", 1.0, Matcher::any(), Fault::DropBefore);
    drop(server.chaos(always()));
    client.ping();
    let chaos = server.chaos(always());
    server.clear_faults();
    client.ping();
    assert_eq!(chaos.hits(), 0);
}

#[test]
fn an_invalid_probability_is_refused() {
    let server = Server::start().unwrap();
    for (probability, on) in [
        (1.5, Matcher::any()),
        (f64::NAN, Matcher::any()),
        (
            0.5,
            Matcher::request(Op::Create).error(minikeeper::ErrorCode::NoNode),
        ),
    ] {
        let chaos = Chaos::new().rule("no", probability, on, Fault::DropBefore);
        let error = server.add_chaos(chaos).unwrap_err();
        assert!(
            matches!(
                error,
                FaultError::NeverMatches { .. } | FaultError::BadNumber { .. }
            ),
            "{error}"
        );
    }
}

#[test]
fn chaos_survives_a_round_trip_through_json() {
    let json = concat!(
        r#"{"seed":7,"rules":[{"name":"slow","on":{"op":"create"},"probability":0.25,"#,
        r#""then":{"fault":"delay_reply","by_ms":5}}]}"#,
    );
    let chaos: Chaos = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&chaos).unwrap(), json);
    for chaos in [Chaos::gentle(), Chaos::rough()] {
        let text = serde_json::to_string(&chaos).unwrap();
        assert_eq!(serde_json::from_str::<Chaos>(&text).unwrap(), chaos);
    }
    assert!(serde_json::from_str::<Chaos>(r#"{"rules":[],"sead":7}"#).is_err());
}

/// A client that reconnects after every failure, and records the promises of the server.
struct ReconnectingClient {
    server: Server,
    granted: Option<Granted>,
    socket: Option<TcpStream>,
    /// Last zxid in the reply to a write.
    zxid: i64,
}

impl ReconnectingClient {
    /// Sends a request once; `None` if the outcome is unknown.
    fn ask(&mut self, op: i32, body: &[u8]) -> Option<client::Reply> {
        if self.socket.is_none() {
            self.socket = self.connect();
        }
        let socket = self.socket.as_mut()?;
        let sent = socket.write_all(&request(1, op, body));
        let reply = sent.ok().and_then(|()| frame(socket));
        if reply.is_none() {
            self.socket = None;
        }
        let reply = client::message(&reply?).expect_err("nothing is watched");
        assert_eq!(reply.xid, 1, "the reply is that to the request");
        assert!(reply.zxid >= self.zxid, "zxids never go back");
        self.zxid = reply.zxid;
        Some(reply)
    }

    fn connect(&mut self) -> Option<TcpStream> {
        let mut socket = open(self.server.addr());
        let asked = connect_request(TIMEOUT, self.granted.as_ref());
        socket.write_all(&asked).ok()?;
        let answer = frame(&mut socket)?;
        // If the session has expired, the next request asks for a new one.
        self.granted = client::grant(&answer);
        self.granted.is_some().then_some(socket)
    }
}

/// Next frame, unless the connection ends before the frame is complete.
fn frame(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).ok()?;
    Some(frame)
}

#[test]
fn rough_chaos_breaks_no_promise_to_a_client() {
    for seed in 0..10 {
        let server = Server::start().unwrap();
        let chaos = server.chaos(Chaos::rough().seed(seed));
        let mut client = ReconnectingClient {
            server: server.clone(),
            granted: None,
            socket: None,
            zxid: 0,
        };
        let mut made = Vec::new();
        let mut unknown = 0;
        for number in 0..100 {
            let path = format!("/{number}");
            match client.ask(op::CREATE, &create(&path, b"", 0)) {
                Some(reply) => {
                    assert_eq!(reply.error, 0, "no other client creates it");
                    made.push(path);
                }
                // The write took effect or not.
                None => unknown += 1,
            }
        }
        assert!(
            chaos.hits() > 10 && unknown > 0 && made.len() > 50,
            "seed {seed}"
        );
        for path in made {
            assert!(
                server.znode(&path).is_some(),
                "{path} was promised, seed {seed}"
            );
        }
    }
}

/// Set for the child that panics under chaos.
const CHILD: &str = "MINIKEEPER_TEST_PANICS_UNDER_CHAOS";

#[test]
fn a_test_that_panics_under_chaos_prints_the_seed() {
    if std::env::var_os(CHILD).is_some() {
        let server = Server::start().unwrap();
        let chaos = server.chaos(Chaos::gentle());
        panic!("it had the seed {}", chaos.seed());
    }
    let name = "chaos::a_test_that_panics_under_chaos_prints_the_seed";
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .env("MINIKEEPER_SEED", "4711")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success());
    assert!(said.contains("it had the seed 4711"), "{said}");
    assert!(
        said.contains("set MINIKEEPER_SEED=4711 to replay it"),
        "{said}"
    );
}
