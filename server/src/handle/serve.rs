//! Any transport: connections on the caller's own runtime.

use std::net::{Ipv4Addr, SocketAddr};

use super::address::check_label;
use super::{Server, StartError};
use crate::control::ListenerId;
use crate::net::{AsyncRead, AsyncWrite};
use crate::protocol::MemberId;

impl Server {
    /// Serves one more client, over any stream of bytes: a Unix socket, an in-memory pipe, a socket of a simulator. What it
    /// gives is to be awaited or spawned, on a tokio runtime of the caller's that has a timer; beside the server's own thread, any
    /// executor will do. It ends when the connection
    /// does or when the server stops; dropping it disconnects. Whoever is served after [`stop`](Self::stop) is at once
    /// disconnected.
    ///
    /// It can be called on any server; one [without a listener](crate::ServerBuilder::without_listener) has no other
    /// clients, and its time is kept as long as somebody is served, or by [`drive_timer`](Self::drive_timer).
    ///
    /// The address of the client, as [`connections`](Self::connections) and limits see it, is 127.0.0.1, port 0.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = minikeeper::Server::builder().without_listener().start()?;
    /// let (mut client, io) = tokio::io::duplex(4096);
    /// tokio::spawn(server.serve(io));
    ///
    /// client.write_all(b"ruok").await?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer).await?;
    /// assert_eq!(answer, "imok");
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve<IO>(&self, io: IO) -> impl Future<Output = ()> + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.shared
            .caller_runtime
            .serve(io, LOCALHOST, &ListenerId::default())
    }

    /// The same, for a client that bears a label, as if it had come by that [`address`](Self::address).
    ///
    /// # Errors
    ///
    /// When the label is empty, begins or ends with white space, has control characters or is a name that the journal
    /// uses.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let (_client, io) = tokio::io::duplex(4096);
    /// let _serving = server.serve_labelled("worker", io)?;
    /// assert_eq!(server.connections()[0].label.as_deref(), Some("worker"));
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    pub fn serve_labelled<IO>(
        &self,
        label: &str,
        io: IO,
    ) -> Result<impl Future<Output = ()> + use<IO>, StartError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.serve_from(LOCALHOST, Some(label), io)
    }

    /// The same, for a client at any address, with a label or none. The scheme `ip` of ACLs and the limit on connections
    /// from one IP address go by it.
    ///
    /// # Errors
    ///
    /// When there is a label that is empty, begins or ends with white space, has control characters or is a name that
    /// the journal uses.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let (_client, io) = tokio::io::duplex(4096);
    /// let peer = "192.168.0.7:1234".parse()?;
    /// let _serving = server.serve_from(peer, None, io)?;
    /// assert_eq!(server.connections()[0].peer, peer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve_from<IO>(
        &self,
        peer: SocketAddr,
        label: Option<&str>,
        io: IO,
    ) -> Result<impl Future<Output = ()> + use<IO>, StartError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let label = label.map(check_label).transpose()?;
        if let Some(label) = &label {
            self.shared.engine.name_label(label);
        }
        let listener_id = ListenerId {
            label,
            member: MemberId::default(),
        };
        Ok(self.shared.caller_runtime.serve(io, peer, &listener_id))
    }

    /// Keeps the time of a server [without a listener](crate::ServerBuilder::without_listener): expires sessions, removes
    /// containers and TTL znodes when they fall due. What it gives is to be spawned on a tokio runtime of the caller's that
    /// has a timer; it ends when the last handle is dropped. It is wanted only where sessions are to expire while nobody
    /// is [served](Self::serve): each connection keeps time for all. Any other server keeps time by itself.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = minikeeper::Server::builder().without_listener().start()?;
    /// let time = tokio::spawn(server.drive_timer());
    /// drop(server);
    /// time.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drive_timer(&self) -> impl Future<Output = ()> + use<> {
        self.shared.caller_runtime.drive_timer()
    }
}

pub(super) const LOCALHOST: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
