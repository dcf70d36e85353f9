//! `minikeeper health` as a container's health check uses it.

use std::net::TcpListener;

use crate::binary::{Serving, run};

#[test]
fn a_server_that_serves_is_healthy() {
    let server = Serving::start(&["--listen", "127.0.0.1:0", "--four-letter-words", ""], &[]);
    let address = server.address().to_string();
    let output = run(&["health", &address], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let port = server.address().port().to_string();
    assert_eq!(run(&["health", &port], &[]).status.code(), Some(0));
}

#[test]
fn without_an_address_it_asks_where_the_environment_says() {
    let server = Serving::start(&["--listen", "127.0.0.1:0"], &[]);
    let servers = format!("server.1=localhost:2888:3888;{}", server.address().port());
    let output = run(&["health"], &[("ZOO_SERVERS", &servers)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_silent_or_closed_port_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    // No server accepts the connection.
    let output = run(&["health", "--timeout", "50", &address], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("minikeeper: {address}: no answer within 50 ms\n")
    );
    // A port that no test is ever given.
    let output = run(&["health", "127.0.0.1:1"], &[]);
    assert_eq!(output.status.code(), Some(1));
}
