//! The connections that have proven no key yet, oldest first.
//!
//! They cost an attacker nothing, so there may be only so many, and the limit must not shut others out: a new one
//! takes the place of the oldest. Who has a key proves it within a moment; who has none gets old.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// All unproven connections of a server.
#[derive(Clone, Default)]
pub struct Unproven(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    next: u64,
    by_age: BTreeMap<u64, Entry>,
}

struct Entry {
    address: IpAddr,
    cut: CancellationToken,
    proven: CancellationToken,
}

/// One connection's place among them, given up when dropped.
pub struct Place {
    unproven: Unproven,
    number: u64,
    proven: CancellationToken,
}

impl Unproven {
    /// Enters a connection from `address`, which `cut` ends; ends the oldest from there when there are `most` already.
    #[must_use]
    pub fn enter(&self, address: IpAddr, most: usize, cut: CancellationToken) -> Place {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = |entry: &Entry| entry.address == address;
        if waiting.by_age.values().filter(|entry| of_address(entry)).count() >= most {
            tracing::info!(peer = %address, "too many unproven connections from this address; the oldest is dropped");
            waiting.cut_oldest(of_address);
        }
        let number = waiting.next;
        waiting.next += 1;
        let proven = CancellationToken::new();
        waiting.by_age.insert(number, Entry { address, cut, proven: proven.clone() });
        Place { unproven: self.clone(), number, proven }
    }

    /// Ends the oldest connection of the address that has most of them; tells whether there was one.
    ///
    /// So an address that floods the server pays for its own connections before anybody else does.
    #[must_use]
    pub fn cut_oldest(&self) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for entry in waiting.by_age.values() {
            *counts.entry(entry.address).or_default() += 1;
        }
        let Some((address, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return false };
        waiting.cut_oldest(|entry| entry.address == address)
    }
}

impl Waiting {
    fn cut_oldest(&mut self, among: impl Fn(&Entry) -> bool) -> bool {
        let oldest = self.by_age.iter().find(|(_, entry)| among(entry) && !entry.proven.is_cancelled());
        let Some(number) = oldest.map(|(number, _)| *number) else { return false };
        if let Some(entry) = self.by_age.remove(&number) {
            entry.cut.cancel();
        }
        true
    }
}

impl Place {
    /// To be cancelled when the client has proven a key: from then on the connection is not cut.
    #[must_use]
    pub fn proven(&self) -> CancellationToken {
        self.proven.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unproven.0.lock().unwrap_or_else(PoisonError::into_inner).by_age.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn enter(unproven: &Unproven, from: u8) -> (Place, CancellationToken) {
        let cut = CancellationToken::new();
        (unproven.enter(address(from), 2, cut.clone()), cut)
    }

    #[test]
    fn the_oldest_of_an_address_makes_room() {
        let unproven = Unproven::default();
        let (_a, a) = enter(&unproven, 1);
        let (_b, b) = enter(&unproven, 2);
        let (_c, c) = enter(&unproven, 1);
        assert!(!a.is_cancelled());
        let (_d, d) = enter(&unproven, 1);
        assert!(a.is_cancelled() && !b.is_cancelled() && !c.is_cancelled() && !d.is_cancelled());
        let (_e, _) = enter(&unproven, 1);
        assert!(c.is_cancelled() && !b.is_cancelled() && !d.is_cancelled());
    }

    #[test]
    fn who_has_proven_a_key_or_left_is_not_cut() {
        let unproven = Unproven::default();
        let (first, first_cut) = enter(&unproven, 1);
        first.proven().cancel();
        let (second, second_cut) = enter(&unproven, 1);
        drop(second);
        let (_third, third_cut) = enter(&unproven, 1);
        assert!(unproven.cut_oldest());
        assert!(third_cut.is_cancelled() && !first_cut.is_cancelled() && !second_cut.is_cancelled());
        assert!(!unproven.cut_oldest());
    }

    #[test]
    fn the_address_with_most_connections_makes_room_for_others() {
        let unproven = Unproven::default();
        let (_a, a) = enter(&unproven, 1);
        let (_b, b) = enter(&unproven, 2);
        let (_c, _) = enter(&unproven, 2);
        assert!(unproven.cut_oldest());
        assert!(b.is_cancelled() && !a.is_cancelled());
    }
}
