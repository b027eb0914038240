//! Ports for processes.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

/// Hands out ports that are free and that no living process was given.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    listen: IpAddr,
    live: Arc<Mutex<HashSet<u16>>>,
}

/// A port that is given to nobody else while this lives.
#[derive(Debug)]
pub(crate) struct Port {
    /// Address and number.
    pub(crate) addr: SocketAddr,
    live: Arc<Mutex<HashSet<u16>>>,
}

impl Ports {
    pub(crate) fn new(listen: IpAddr) -> Self {
        Self { listen, live: Arc::default() }
    }

    /// Finds a port. Another program may still take it before the process does; the process then ends, and its
    /// next start gets another.
    pub(crate) fn take(&self) -> io::Result<Port> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        // Held until one is found, so that the system does not offer the same port again.
        let mut passed_over = Vec::new();
        for _ in 0..100 {
            let listener = TcpListener::bind((self.listen, 0))?;
            let addr = listener.local_addr()?;
            if live.insert(addr.port()) {
                return Ok(Port { addr, live: Arc::clone(&self.live) });
            }
            passed_over.push(listener);
        }
        Err(io::Error::other("every port offered is in use"))
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.addr.port());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_port_is_given_once_while_it_lives() {
        let ports = Ports::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let held: Vec<Port> = (0..200).map(|_| ports.take().unwrap()).collect();
        let numbers: HashSet<u16> = held.iter().map(|port| port.addr.port()).collect();
        assert_eq!(numbers.len(), held.len());
        drop(held);
        assert!(ports.live.lock().unwrap().is_empty());
    }
}
