//! Clients on any transport, served on the runtime of the caller.

use std::net::SocketAddr;

use super::Server;
use super::endpoint::{LOCALHOST, check_label};
use super::start_error::StartError;
use crate::control::ListenerId;
use crate::net::{AsyncRead, AsyncWrite};
use crate::protocol::MemberId;

impl Server {
    /// Serves a client over a stream of bytes: a Unix socket, an in-memory pipe, a socket of a simulator. Await or
    /// spawn the returned future. On a server without a listener it needs a tokio runtime with a timer; otherwise any
    /// executor will do. The future ends when the connection ends or the server stops. Dropping it disconnects the
    /// client. If the server is stopped, the client is disconnected at once.
    ///
    /// Every server can serve streams. A server [without a listener](crate::ServerBuilder::without_listener) has no
    /// other clients; its timer runs while a stream is served, or in [`drive_timer`](Self::drive_timer).
    ///
    /// In [`connections`](Self::connections) and for limits the client has the address 127.0.0.1, port 0.
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

    /// Serves a client as [`serve`](Self::serve) does, with a label, as if it had connected to that
    /// [address](Self::labelled).
    ///
    /// # Errors
    ///
    /// If the label is empty, begins or ends with white space, has control characters or is a name that the journal
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

    /// Serves a client as [`serve`](Self::serve) does, with an address and perhaps a label. The scheme `ip` of ACLs and
    /// the limit on connections from one IP address use the address.
    ///
    /// # Errors
    ///
    /// If there is a label that is empty, begins or ends with white space, has control characters or is a name that the
    /// journal uses.
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

    /// Runs the timer of a server [without a listener](crate::ServerBuilder::without_listener): sessions expire, and
    /// containers and TTL znodes are removed, when they fall due. Spawn the returned future on a tokio runtime with a
    /// timer. It ends when the last handle is dropped. It is needed only if sessions must expire while no client is
    /// [served](Self::serve), since each connection runs the timer too. Other servers run their timer themselves.
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
