//! The network of this machine. Source: `proc_pid_net(5)`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use slipway_engine::NetworkUsage;

/// An address for documentation (RFC 5737): nobody is there, and nothing is sent.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// What went over all interfaces of this machine since it was started.
pub(crate) fn of_machine() -> Option<NetworkUsage> {
    read(&fs::read_to_string("/proc/self/net/dev").ok()?)
}

/// What went over the network of the first of these processes that has one of its own; `None` when they share the
/// machine's: what is theirs of it is not counted.
pub(crate) fn of_processes(pids: impl IntoIterator<Item = i32>) -> Option<NetworkUsage> {
    let own = fs::read_link("/proc/self/ns/net").ok()?;
    let is_other = |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|network| network != own);
    let pid = pids.into_iter().find(is_other)?;
    read(&fs::read_to_string(format!("/proc/{pid}/net/dev")).ok()?)
}

/// The address by which this machine goes out; `None` without a way out.
pub(crate) fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Chooses a way, and sends nothing.
    socket.connect(ELSEWHERE).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip())
}

/// Reads lines `NAME: RX_BYTES PACKETS … TX_BYTES …`, of which the ninth number is what was sent.
fn read(text: &str) -> Option<NetworkUsage> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_ascii_whitespace().map(str::parse::<u64>);
        let (received, sent) = (numbers.next()?.ok()?, numbers.nth(7)?.ok()?);
        (name.trim() != "lo").then_some((received, sent))
    };
    let all: Vec<(u64, u64)> = text.lines().filter_map(interface).collect();
    let sum = |which: fn(&(u64, u64)) -> u64| all.iter().map(which).fold(0, u64::saturating_add);
    (!all.is_empty()).then(|| NetworkUsage { rx_bytes: sum(|one| one.0), tx_bytes: sum(|one| one.1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_summed_up_but_for_the_one_that_leads_back() {
        let text = "Inter-|   Receive                |  Transmit\n face |bytes    packets errs |bytes packets\n\
            \x20   lo: 1000 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n\
            \x20 eth0: 300 3 0 0 0 0 0 0 40 4 0 0 0 0 0 0\n wlan0:5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n odd: x\n";
        assert_eq!(read(text), Some(NetworkUsage { rx_bytes: 305, tx_bytes: 46 }));
        assert_eq!(read("lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0"), None);
    }

    #[test]
    fn a_network_that_is_shared_is_nobodys() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(of_processes([own, i32::MAX]), None);
    }
}
