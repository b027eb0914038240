//! Ports for processes.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as Name, UnixDatagram};
use std::sync::{Arc, Mutex, PoisonError};

/// The first port that is given. From here on there are few that programs have for their own, and none that the system
/// gives to whoever asks for any: that one could go to somebody else before the process that it was chosen for is up.
const FIRST: u16 = 20_000;
/// How many ports are given from there on, before those are that the system gives.
const COUNT: u16 = 5_000;

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
    /// Tells other engines on this machine, and ends with this one.
    _claim: Option<UnixDatagram>,
}

impl Ports {
    pub(crate) fn new(listen: IpAddr) -> Self {
        Self { listen, live: Arc::default() }
    }

    /// Finds a port. Another program may still take it before the process does; the process then ends, and its
    /// next start gets another.
    pub(crate) fn take(&self) -> io::Result<Port> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, _, random, _) = uuid::Uuid::new_v4().as_fields();
        let start = random % COUNT;
        for step in 0..COUNT {
            let number = FIRST + (start + step) % COUNT;
            if live.contains(&number) {
                continue;
            }
            let Ok(claim) = self.claim(number) else { continue };
            if TcpListener::bind((self.listen, number)).is_ok() {
                live.insert(number);
                let addr = SocketAddr::new(self.listen, number);
                return Ok(Port { addr, live: Arc::clone(&self.live), _claim: claim });
            }
        }
        self.take_any(&mut live)
    }

    /// One that the system gives to whoever asks.
    fn take_any(&self, live: &mut HashSet<u16>) -> io::Result<Port> {
        // Held until one is found, so that the system does not offer the same port again.
        let mut passed_over = Vec::new();
        for _ in 0..100 {
            let listener = TcpListener::bind((self.listen, 0))?;
            let addr = listener.local_addr()?;
            if let Ok(claim) = self.claim(addr.port())
                && live.insert(addr.port())
            {
                return Ok(Port { addr, live: Arc::clone(&self.live), _claim: claim });
            }
            passed_over.push(listener);
        }
        Err(io::Error::other("every port offered is in use"))
    }

    /// Makes a port this engine's among all that there are where it listens: the name of a socket without a file, which
    /// nobody else can have and the system forgets with whoever has it. `None` where there are no such names.
    fn claim(&self, number: u16) -> io::Result<Option<UnixDatagram>> {
        let name = format!("slipway/port/{}/{number}", self.listen);
        match Name::from_abstract_name(name).and_then(|name| UnixDatagram::bind_addr(&name)) {
            Ok(claim) => Ok(Some(claim)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(_) => Ok(None),
        }
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
        // Two engines, as two platforms have.
        let engines = [(); 2].map(|()| Ports::new(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let held: Vec<Port> = (0..400).map(|number: usize| engines[number % 2].take().unwrap()).collect();
        let numbers: HashSet<u16> = held.iter().map(|port| port.addr.port()).collect();
        assert_eq!(numbers.len(), held.len());
        drop(held);
        assert!(engines.iter().all(|ports| ports.live.lock().unwrap().is_empty()));
    }

    #[test]
    fn when_all_are_given_the_system_is_asked() {
        let ports = Ports::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
        ports.live.lock().unwrap().extend(FIRST..FIRST + COUNT);
        assert!(!(FIRST..FIRST + COUNT).contains(&ports.take().unwrap().addr.port()));
    }
}
