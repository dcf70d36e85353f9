//! Long replies: no copy waits for a slow reader, and other clients are served while a reply is built.

use std::collections::BTreeSet;
use std::net::TcpStream;

use minikeeper::{Server, Tree};

#[cfg(target_os = "linux")]
use crate::alone::{is_alone, resident};
use crate::client::{self, Client, Event, Fields, PERSISTENT, op};

const GET_CHILDREN_2: i32 = 12;
const GET_ALL_CHILDREN_NUMBER: i32 = 104;
const CHILDREN: usize = 5_000;

/// Server with a znode that has many children.
fn with_many_children() -> Server {
    let mut tree = Tree::new();
    tree.insert("/parent", b"").expect("it is a path");
    for child in 0..CHILDREN {
        let path = format!("/parent/child-{child:08}");
        tree.insert(&path, b"").expect("it is a path");
    }
    let server = Server::builder().seed(tree).start();
    server.expect("a server starts")
}

fn names(reply: &client::Reply) -> BTreeSet<String> {
    assert_eq!(reply.error, 0);
    let mut fields = Fields(&reply.body);
    (0..fields.int()).map(|_| fields.text()).collect()
}

#[test]
fn a_long_list_arrives_complete_and_in_order() {
    let server = with_many_children();
    let mut client = Client::connect(server.addr());
    let expected: BTreeSet<String> = (0..CHILDREN)
        .map(|child| format!("child-{child:08}"))
        .collect();
    client.send(op::EXISTS, &client::read("/parent", false));
    client.send(op::GET_CHILDREN, &client::read("/parent", true));
    client.send(op::EXISTS, &client::read("/none", false));
    client.send(GET_CHILDREN_2, &client::read("/parent", false));
    client.send(
        GET_ALL_CHILDREN_NUMBER,
        &client::read("/parent", false)[..4 + "/parent".len()],
    );
    client.send(op::EXISTS, &client::read("/", false));
    assert_eq!(client.receive().error, 0);
    assert_eq!(names(&client.receive()), expected);
    assert_eq!(client.receive().error, client::NO_NODE);
    assert_eq!(names(&client.receive()), expected);
    let count = client.receive();
    assert_eq!(Fields(&count.body).int(), i32::try_from(CHILDREN).unwrap());
    assert_eq!(client.receive().error, 0);
    assert_eq!(
        server.children("/parent").map(|names| names.len()),
        Some(CHILDREN)
    );
}

#[test]
fn a_change_after_a_request_for_a_long_list_is_not_in_the_list() {
    let server = with_many_children();
    let mut client = Client::connect(server.addr());
    let mut other = Client::connect(server.addr());
    for round in 0..20 {
        // The socket takes a part of the list at once. The rest is built after the change.
        client.send(op::GET_CHILDREN, &client::read("/parent", true));
        let reply = receive_after(&mut client, || {
            let path = format!("/parent/new-{round}");
            assert_eq!(other.create(&path, b"", PERSISTENT).error, 0);
        });
        let listed = names(&reply);
        // The change precedes the request or follows it.
        let is_in = listed.contains(&format!("new-{round}"));
        assert_eq!(listed.len(), CHILDREN + round + usize::from(is_in));
        if is_in {
            server
                .delete(&format!("/parent/new-{round}"))
                .expect("it is there");
            other.create(&format!("/parent/new-{round}"), b"", PERSISTENT);
        }
        assert_eq!(client.event(), Event::Children("/parent".to_owned()));
    }
}

fn receive_after(client: &mut Client, act: impl FnOnce()) -> client::Reply {
    act();
    client.receive()
}

#[cfg(target_os = "linux")]
#[test]
fn clients_that_do_not_read_long_data_cost_no_memory() {
    const READERS: usize = 150;
    if !is_alone("long_answers::clients_that_do_not_read_long_data_cost_no_memory") {
        return;
    }
    let server = Server::start().expect("a server starts");
    server
        .create("/large", &vec![7; 1_000_000])
        .expect("it is not there");
    let mut neighbour = Client::connect(server.addr());
    let before = resident();
    let asked: Vec<u8> = (1..=20)
        .flat_map(|xid| client::request(xid, op::GET_DATA, &client::read("/large", false)))
        .collect();
    let readers: Vec<TcpStream> = (0..READERS)
        .map(|_| {
            let mut client = Client::connect(server.addr());
            client::send(&mut client.socket, &asked);
            client.socket
        })
        .collect();
    // Once a well-behaved client has had some replies, the buffers of the sockets are full.
    for _ in 0..100 {
        assert_eq!(neighbour.data("/large", false).len(), 1_000_000);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes for {READERS} readers");
    drop(readers);
    server.stop();
    assert!(resident().saturating_sub(before) < 10 << 20);
}
