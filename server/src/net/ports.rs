//! All ports of a server, and the thread that serves them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use super::engine::Engine;
use super::port::ReservedPort;
use super::thread::ServerThread;
use crate::control::ListenerId;

/// All ports of a server, and the thread that serves them while the server runs.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    ports: Vec<Port>,
    /// `None` while the server is stopped.
    thread: Option<ServerThread>,
}

/// One port of a server.
#[derive(Debug)]
struct Port {
    reserved: ReservedPort,
    listener_id: ListenerId,
    /// Whether the port has no listener although the server runs.
    shut: bool,
}

/// Reason why a server cannot listen.
#[derive(Debug)]
pub(crate) enum PortError {
    Listen(SocketAddr, io::Error),
    Thread(io::Error),
}

impl Ports {
    /// Adds a port, and listens on it if the server runs and its member's other ports are not shut.
    pub(crate) fn add(
        &mut self,
        reserved: ReservedPort,
        listener_id: ListenerId,
    ) -> Result<(), PortError> {
        let of_member = |port: &&Port| port.listener_id.member == listener_id.member;
        let first = self.ports.iter().find(of_member);
        let port = Port {
            shut: first.is_some_and(|port| port.shut),
            reserved,
            listener_id,
        };
        if let Some(thread) = &mut self.thread
            && !port.shut
        {
            port.listen(thread)?;
        }
        self.ports.push(port);
        Ok(())
    }

    /// Returns the address of the first port that satisfies `which`.
    pub(crate) fn find(&self, which: impl Fn(&ListenerId) -> bool) -> Option<SocketAddr> {
        let port = self.ports.iter().find(|port| which(&port.listener_id))?;
        Some(port.reserved.addr())
    }

    /// Returns the label and address of each port that has a label.
    pub(crate) fn labelled(&self) -> impl Iterator<Item = (&Arc<str>, SocketAddr)> {
        self.ports.iter().filter_map(|port| {
            let label = port.listener_id.label.as_ref()?;
            Some((label, port.reserved.addr()))
        })
    }

    /// Starts to serve, on every port that is not shut.
    pub(crate) fn start(&mut self, engine: Arc<Engine>) -> Result<(), PortError> {
        let mut thread = ServerThread::start(engine).map_err(PortError::Thread)?;
        for port in self.ports.iter().filter(|port| !port.shut) {
            if let Err(error) = port.listen(&mut thread) {
                self.thread = Some(thread);
                // The failed start is the error to report, not a panic of the thread.
                let _ = self.stop();
                return Err(error);
            }
        }
        self.thread = Some(thread);
        Ok(())
    }

    /// Stops serving. When this returns, the sockets are closed and the ports stay reserved. Returns the panic of the
    /// thread, if it panicked.
    pub(crate) fn stop(&mut self) -> thread::Result<()> {
        let ended = self.thread.take().map_or(Ok(()), ServerThread::stop);
        self.ports
            .iter()
            .for_each(|port| port.reserved.reserve_again());
        ended
    }

    /// Closes the listeners of the ports that satisfy `which`, until they are [opened](Self::open). When this returns,
    /// new connections are refused and the connections of these listeners have ended.
    pub(crate) fn shut(&mut self, which: impl Fn(&ListenerId) -> bool) {
        for port in self
            .ports
            .iter_mut()
            .filter(|port| which(&port.listener_id))
        {
            port.shut = true;
            if let Some(thread) = &mut self.thread {
                thread.close(&port.reserved);
            }
        }
    }

    /// Listens again on the ports that satisfy `which`, at once if the server runs.
    pub(crate) fn open(&mut self, which: impl Fn(&ListenerId) -> bool) -> Result<(), PortError> {
        let shut = |port: &&mut Port| port.shut && which(&port.listener_id);
        for port in self.ports.iter_mut().filter(shut) {
            if let Some(thread) = &mut self.thread {
                port.listen(thread)?;
            }
            port.shut = false;
        }
        Ok(())
    }
}

impl Port {
    fn listen(&self, thread: &mut ServerThread) -> Result<(), PortError> {
        let listened = thread.listen(&self.reserved, self.listener_id.clone());
        listened.map_err(|error| {
            self.reserved.reserve_again();
            PortError::Listen(self.reserved.addr(), error)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;
    use crate::net::connection::tests::engine;
    use crate::protocol::MemberId;

    const MEMBERS: [MemberId; 2] = [MemberId(1), MemberId(2)];

    fn two_ports() -> (Ports, [SocketAddr; 2]) {
        let mut ports = Ports::default();
        let addrs = MEMBERS.map(|member| {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let port = ReservedPort::reserve(any, 0).expect("there is a free port");
            let addr = port.addr();
            let listener_id = ListenerId {
                label: None,
                member,
            };
            ports
                .add(port, listener_id)
                .expect("no listener is open yet");
            addr
        });
        (ports, addrs)
    }

    fn refuses(addr: SocketAddr) -> bool {
        TcpStream::connect(addr).is_err()
    }

    #[test]
    fn a_port_that_is_shut_refuses_and_ends_its_connections_alone() {
        let engine = engine();
        let (mut ports, [one, other]) = two_ports();
        ports.start(Arc::clone(&engine)).expect("it starts");
        let mut client = TcpStream::connect(one).expect("it listens");
        let stays = TcpStream::connect(other).expect("it listens");
        ports.shut(|listener_id| listener_id.member == MEMBERS[0]);
        assert!(refuses(one) && !refuses(other));
        assert!(std::net::TcpListener::bind(one).is_err(), "it is kept");
        // It was accepted or not: either way it ended, and nothing is left of it.
        let ended = client.read(&mut [0]);
        assert!(ended.is_err() || ended.is_ok_and(|read| read == 0));
        engine.with_keeper_and_outboxes(|_, outboxes| {
            assert!(
                outboxes
                    .iter()
                    .all(|(_, outbox)| outbox.listener_id.member == MEMBERS[1])
            );
        });
        stays.peer_addr().expect("it is up");

        ports.open(|_| true).expect("the port is kept");
        assert!(!refuses(one) && !refuses(other));
        assert!(ports.stop().is_ok());
        assert!(refuses(one) && refuses(other));
    }

    #[test]
    fn a_port_that_was_shut_stays_so_when_the_server_starts() {
        let (mut ports, [one, other]) = two_ports();
        ports.shut(|listener_id| listener_id.member == MEMBERS[0]);
        ports.start(engine()).expect("it starts");
        assert!(refuses(one) && !refuses(other));
        assert!(ports.stop().is_ok());
        ports.open(|_| true).expect("nothing is listened on");
        assert!(refuses(one));
        ports.start(engine()).expect("it starts");
        assert!(!refuses(one));
    }
}
