//! The four-letter words, sent as a shell script would send them.

use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use minikeeper::{Server, config::FourLetterWords, protocol::Timestamp};

use crate::client::{self, Client, EPHEMERAL, op};

fn start() -> Server {
    Server::start().expect("a server starts")
}

/// Sends a word and returns everything up to the end.
fn ask(address: SocketAddr, word: &[u8]) -> String {
    let mut socket = client::open(address);
    client::send(&mut socket, word);
    String::from_utf8(client::receive_rest(&mut socket)).expect("text")
}

/// Value of the line that begins with `name` and `separator`.
fn value<'t>(text: &'t str, name: &str, separator: &str) -> &'t str {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(separator))
        .unwrap_or_else(|| panic!("no line {name:?} in\n{text}"))
}

#[test]
fn words_with_one_answer_have_that_answer() {
    let server = start();
    for (word, expected) in [
        ("ruok", "imok"),
        ("isro", "rw"),
        ("crst", "Connection stats reset.\n"),
        ("srst", "Server stats reset.\n"),
        ("dirs", "datadir_size: 0\nlogdir_size: 0\n"),
        ("gtmk", "306"),
        ("wchs", "0 connections watching 0 paths\nTotal watches:0\n"),
        ("wchc", "\n"),
        ("wchp", "\n"),
        ("hash", ""),
    ] {
        assert_eq!(ask(server.addr(), word.as_bytes()), expected, "{word}");
    }
}

#[test]
fn bytes_after_a_four_letter_word_are_ignored() {
    let server = start();
    assert_eq!(ask(server.addr(), b"ruok\n"), "imok");
    assert_eq!(ask(server.addr(), b"ruok\r\nruok\r\n"), "imok");
}

#[test]
fn srvr_and_stat_describe_the_server() {
    let server = start();
    let client = Client::connect(server.addr());
    server.create("/a", b"").expect("it is not there");
    let text = ask(server.addr(), b"srvr");
    assert!(text.starts_with("Zookeeper version: 3.9."), "{text}");
    assert_eq!(value(&text, "Latency min/avg/max", ": "), "0/0.0/0");
    assert_eq!(value(&text, "Connections", ": "), "2");
    assert_eq!(value(&text, "Outstanding", ": "), "0");
    assert_eq!(value(&text, "Zxid", ": "), "0x2");
    assert_eq!(value(&text, "Mode", ": "), "standalone");
    assert_eq!(value(&text, "Node count", ": "), "6");

    let text = ask(server.addr(), b"stat");
    let local = client.socket.local_addr().expect("it has an address");
    let clients = text.split_once("Clients:\n").expect("a list").1;
    let line = clients.lines().next().expect("a client");
    assert!(
        line.starts_with(&format!(" /{local}[1](queued=0,recved=1,sent=1")),
        "{line}"
    );
    assert_eq!(value(&text, "Mode", ": "), "standalone");
}

#[test]
fn conf_lists_the_settings() {
    let config = {
        let mut config = minikeeper::Config::default();
        config.max_client_connections = 7;
        config.tick_time = Duration::from_millis(1500);
        config
    };
    let server = minikeeper::ServerBuilder::from(config)
        .start()
        .expect("a server starts");
    let text = ask(server.addr(), b"conf");
    let port = server.addr().port().to_string();
    for (name, expected) in [
        ("clientPort", &*port),
        ("secureClientPort", "-1"),
        ("dataDir", "/tmp/minikeeper/version-2"),
        ("dataLogDir", "/tmp/minikeeper/version-2"),
        ("tickTime", "1500"),
        ("maxClientCnxns", "7"),
        ("minSessionTimeout", "3000"),
        ("maxSessionTimeout", "30000"),
        ("serverId", "0"),
    ] {
        assert_eq!(value(&text, name, "="), expected);
    }
}

#[test]
fn envi_describes_the_machine() {
    let text = ask(start().addr(), b"envi");
    assert!(text.starts_with("Environment:\n"), "{text}");
    for name in [
        "zookeeper.version",
        "host.name",
        "java.version",
        "os.name",
        "user.dir",
    ] {
        assert_ne!(value(&text, name, "="), "");
    }
}

#[test]
fn mntr_lists_metrics() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.create("/leader", b"", EPHEMERAL);
    client.exists("/leader", true);
    let text = ask(server.addr(), b"mntr");
    for (name, expected) in [
        ("zk_server_state", "standalone"),
        ("zk_num_alive_connections", "2"),
        ("zk_outstanding_requests", "0"),
        ("zk_znode_count", "6"),
        ("zk_watch_count", "1"),
        ("zk_ephemerals_count", "1"),
        ("zk_global_sessions", "1"),
    ] {
        assert_eq!(value(&text, name, "\t"), expected, "{name}");
    }
}

#[test]
fn cons_shows_the_first_request_of_a_connection_and_not_its_auth() {
    let server = start();
    let mut client = Client::connect(server.addr());
    let cons = || ask(server.addr(), b"cons");
    let text = cons();
    assert!(text.contains(",lop=SESS,"), "{text}");
    assert!(text.contains(",lcxid=0x0,lzxid=0x1,"), "{text}");
    ask(server.addr(), b"crst");
    let text = cons();
    assert!(text.contains(",lop=NA,"), "{text}");
    assert!(
        text.contains(",to=40000,lzxid=0xffffffffffffffff,"),
        "{text}"
    );
    client.ping();
    let kind = 0_i32.to_be_bytes().to_vec();
    let auth = [kind, client::buffer(b"digest"), client::buffer(b"u:p")].concat();
    client.ask_ok(op::AUTH, &auth);
    let text = cons();
    assert!(text.contains(",lop=PING,"), "{text}");
    assert!(text.contains(",lzxid=0x1,"), "{text}");
}

#[test]
fn cons_lists_every_connection_and_crst_resets_the_counters() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client.create("/a", b"", EPHEMERAL);
    client.data("/a", false);
    let local = client.socket.local_addr().expect("it has an address");
    let line_of = |text: &str| {
        let begin = format!(" /{local}[1](");
        text.lines()
            .find_map(|line| Some(line.strip_prefix(&begin)?.to_owned()))
            .unwrap_or_else(|| panic!("no line {begin:?} in\n{text}"))
    };
    let line = line_of(&ask(server.addr(), b"cons"));
    let session = format!("sid=0x{:x}", client.session().0);
    assert!(line.starts_with("queued=0,recved=3,sent=3,"), "{line}");
    assert!(line.contains(&session), "{line}");
    assert!(line.contains("lop=GETD"), "{line}");
    assert!(line.contains("to=40000"), "{line}");
    assert!(line.contains("lcxid=0x2"), "{line}");

    assert_eq!(ask(server.addr(), b"crst"), "Connection stats reset.\n");
    let line = line_of(&ask(server.addr(), b"cons"));
    assert!(line.starts_with("queued=0,recved=0,sent=0,"), "{line}");
    client.ping();
    let line = line_of(&ask(server.addr(), b"cons"));
    assert!(line.starts_with("queued=0,recved=1,sent=1,"), "{line}");
    assert!(line.contains("lop=PING"), "{line}");
}

#[test]
fn cons_shows_the_time_of_the_last_response() {
    let server = Server::builder()
        .manual_clock()
        .start()
        .expect("a server starts");
    let mut client = Client::connect(server.addr());
    let last_response = || {
        let text = ask(server.addr(), b"cons");
        let (_, behind) = text.split_once(",lresp=").expect("a client is connected");
        let (value, _) = behind.split_once(',').expect("more follows");
        value.parse::<u64>().expect("it is a number")
    };
    assert_eq!(last_response(), 0);
    server.advance(Duration::from_millis(1234));
    client.ping();
    assert_eq!(last_response(), 1234);
    ask(server.addr(), b"crst");
    server.advance(Duration::from_millis(1));
    assert_eq!(last_response(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn cons_counts_from_the_boot_of_the_machine_on_the_system_clock() {
    let uptime_ms = || {
        let text = std::fs::read_to_string("/proc/uptime").expect("the kernel tells");
        let seconds = text
            .split(' ')
            .next()
            .and_then(|text| text.parse::<f64>().ok());
        Duration::from_secs_f64(seconds.expect("it is a number")).as_millis()
    };
    let before = uptime_ms();
    let server = start();
    let _client = Client::connect(server.addr());
    let text = ask(server.addr(), b"cons");
    let (_, behind) = text.split_once(",lresp=").expect("a client is connected");
    let value = behind.split(',').next().and_then(|text| text.parse().ok());
    let value: u128 = value.expect("it is a number");
    // The kernel counts hundredths of seconds, and the clock counts whole milliseconds.
    assert!(
        (before.saturating_sub(11)..=uptime_ms() + 11).contains(&value),
        "{value}"
    );
}

#[test]
fn dump_says_when_a_connection_without_a_session_is_closed() {
    let server = Server::builder()
        .manual_clock()
        .start_time(Timestamp(1_000_000_000_000))
        .start()
        .expect("a server starts");
    let text = ask(server.addr(), b"dump");
    let (_, connections) = text
        .split_once("Connections dump:\n")
        .expect("they are there");
    let mut lines = connections.lines();
    // ExpiryQueue: the connection has ten seconds, rounded up to the next multiple of ten seconds.
    assert_eq!(lines.next(), Some("Connections Sets (1)/(1):"));
    assert_eq!(
        lines.next(),
        Some("1 expire at Sun Sep 09 01:47:00 UTC 2001:")
    );
    assert!(
        lines
            .next()
            .is_some_and(|line| line.ends_with(" sessionId: 0x0")),
        "{text}"
    );
}

#[test]
fn srst_resets_the_packet_counters() {
    let server = start();
    let mut client = Client::connect(server.addr());
    for _ in 0..10 {
        client.ping();
    }
    let text = ask(server.addr(), b"srvr");
    assert_eq!(value(&text, "Received", ": "), "12");
    assert_eq!(value(&text, "Sent", ": "), "11");
    ask(server.addr(), b"srst");
    client.ping();
    let text = ask(server.addr(), b"srvr");
    assert_eq!(value(&text, "Received", ": "), "2");
    assert_eq!(
        value(&text, "Sent", ": "),
        "2",
        "of which one is the answer to srst"
    );
}

#[test]
fn the_answer_to_a_word_is_a_packet_and_a_long_one_several() {
    let server = start();
    ask(server.addr(), b"srst");
    ask(server.addr(), b"hash");
    let monitor = ask(server.addr(), b"mntr");
    assert!(monitor.len() > 8192, "{}", monitor.len());
    let text = ask(server.addr(), b"srvr");
    let pieces = 1 + monitor.len().div_ceil(8192);
    assert_eq!(value(&text, "Received", ": "), "3");
    assert_eq!(value(&text, "Sent", ": "), pieces.to_string());
}

#[test]
fn dump_and_the_words_on_watches_name_sessions_and_paths() {
    let server = start();
    let mut one = Client::connect(server.addr());
    let mut two = Client::connect(server.addr());
    one.create("/leader", b"", EPHEMERAL);
    two.exists("/leader", true);
    two.exists("/none", true);
    // A watch on children is not counted here.
    two.ask_ok(op::GET_CHILDREN, &client::read("/", true));
    let session = |client: &Client| format!("0x{:x}", client.session().0);
    let (first, second) = (session(&one), session(&two));

    let text = ask(server.addr(), b"dump");
    assert!(text.starts_with("SessionTracker dump:\n"), "{text}");
    assert!(text.contains("Sessions with Ephemerals (1):\n"), "{text}");
    assert!(text.contains(&format!("{first}:\n\t/leader\n")), "{text}");
    assert_eq!(
        ask(server.addr(), b"wchs"),
        "1 connections watching 2 paths\nTotal watches:2\n"
    );
    assert_eq!(
        ask(server.addr(), b"wchc"),
        format!("{second}\n\t/leader\n\t/none\n\n")
    );
    assert_eq!(
        ask(server.addr(), b"wchp"),
        format!("/leader\n\t{second}\n/none\n\t{second}\n\n")
    );
}

#[test]
fn the_trace_mask_is_set_by_the_bytes_after_the_word() {
    let server = start();
    let with_mask = [&b"stmk"[..], &0x1234_i64.to_be_bytes()].concat();
    assert_eq!(ask(server.addr(), &with_mask), "4660");
    assert_eq!(ask(server.addr(), b"gtmk"), "4660");
    // Without a mask there is no answer, and the mask does not change.
    assert_eq!(ask(server.addr(), b"stmk"), "");
    assert_eq!(ask(server.addr(), b"gtmk"), "4660");
}

#[test]
fn a_word_that_is_not_listed_is_refused_by_name() {
    let server = Server::builder()
        .four_letter_words(FourLetterWords::Only(vec!["isro".to_owned()]))
        .start()
        .expect("a server starts");
    assert_eq!(ask(server.addr(), b"isro"), "rw");
    assert!(ask(server.addr(), b"srvr").contains("Mode: standalone"));
    for word in ["ruok", "mntr", "stat", "crst", "stmk"] {
        assert_eq!(
            ask(server.addr(), word.as_bytes()),
            format!("{word} is not executed because it is not in the whitelist.\n")
        );
    }
}

#[test]
fn a_word_may_come_in_pieces() {
    let server = start();
    let mut neighbour = Client::connect(server.addr());
    for cut in 1..4 {
        let mut socket = client::open(server.addr());
        let (first, second) = b"ruok".split_at(cut);
        client::send(&mut socket, first);
        // The first piece is read before the second is sent.
        neighbour.ping();
        neighbour.ping();
        client::send(&mut socket, second);
        assert_eq!(client::receive_rest(&mut socket), b"imok");
    }
}

#[test]
fn a_word_is_answered_after_the_client_has_shut_down_its_half() {
    let server = start();
    let mut socket = client::open(server.addr());
    client::send(&mut socket, b"ruok");
    socket.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(client::receive_rest(&mut socket), b"imok");
}

#[test]
fn a_word_behind_the_connect_request_is_a_length() {
    let server = start();
    let mut client = Client::connect(server.addr());
    client::send(&mut client.socket, b"ruok");
    client.ends();
}

#[test]
fn an_unknown_word_closes_the_connection_without_an_answer() {
    let server = start();
    for word in [&b"lead"[..], b"RUOK", b"xxxx", b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(ask(server.addr(), word), "");
    }
}

#[test]
fn the_bytes_of_a_closing_telnet_are_known() {
    let server = start();
    let mut socket = client::open(server.addr());
    client::send(&mut socket, &[0xff, 0xf4, 0xff, 0xfd, 0x06]);
    let said = client::receive_rest(&mut socket);
    assert_eq!(String::from_utf8_lossy(&said), "");
    assert_eq!(ask(server.addr(), b"ruok"), "imok");
}

#[test]
fn at_the_limit_of_connections_no_word_is_answered() {
    let server = Server::builder()
        .max_client_connections(1)
        .start()
        .expect("a server starts");
    let mut client = Client::connect(server.addr());
    for _ in 0..20 {
        let mut socket = client::open(server.addr());
        // The connection may be closed before the word arrives.
        let _ = socket.write_all(b"ruok");
        client::receive_end(&mut socket);
    }
    client.ping();
    client.close();
    assert_eq!(ask(server.addr(), b"ruok"), "imok");
}
