//! Addresses that are kept.

use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// An address of this machine that nobody is given who asks for any, and at which connections are refused while nobody
/// listens there. One that is free until it is wanted may be another test's by then.
pub struct Reserved {
    socket: TcpSocket,
}

impl Reserved {
    /// Any address of the loopback.
    #[must_use]
    pub fn any() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Others who name the address, and say that they share it, may listen there.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self { socket }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Takes connections from now on.
    #[must_use]
    pub fn listen(self) -> TcpListener {
        let runtime = Runtime::new().unwrap();
        let _guard = runtime.enter();
        let listener = self.socket.listen(128).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        listener
    }
}
