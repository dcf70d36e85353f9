//! Stands in for the library's server until it has one: listens and answers `srvr`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use minikeeper::Config;

pub(crate) struct Running(SocketAddr);

impl Running {
    pub(crate) fn start(config: Config) -> Result<Self, String> {
        let listener = TcpListener::bind(config.address).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let _ = socket.read(&mut [0; 4]);
                let _ = socket.write_all(b"Mode: standalone\n");
            }
        });
        Ok(Self(address))
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0
    }

    pub(crate) fn stop(self) {}
}
