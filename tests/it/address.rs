//! Addresses at which nobody listens yet.

use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// An address of this machine that is given to nobody else, and at which connections are refused for now. One that is
/// given back until it is wanted may be another test's by then.
pub struct Reserved {
    socket: TcpSocket,
    runtime: Runtime,
}

impl Reserved {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self { socket, runtime: Runtime::new().unwrap() }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Takes connections from now on.
    pub fn listen(self) -> TcpListener {
        let _guard = self.runtime.enter();
        let listener = self.socket.listen(128).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        listener
    }
}
