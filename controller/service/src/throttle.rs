//! Slows down guessing of passwords.
//!
//! Failures are counted per account and address, so that neither an office behind one address nor an account that
//! somebody else guesses at is locked out; and per address alone, with far more patience, against trying one
//! password on every account. Kept in memory: a restart forgives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use slipway_core::{Error, Result};

/// Failures that cost nothing, for one account from one address.
const FREE_BY_ACCOUNT: u32 = 5;
/// Failures that cost nothing, from one address.
const FREE_BY_ADDRESS: u32 = 200;
/// Longest pause.
const PAUSE_MAX_SECS: i64 = 300;
/// Without a failure for this long all is forgiven.
const MEMORY_SECS: i64 = 15 * 60;
/// Most counters kept; the stalest go first.
const COUNTERS_MAX: usize = 50_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    account: Option<String>,
    address: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    failures: u32,
    last: DateTime<Utc>,
}

/// Counts failures of log-in.
#[derive(Default)]
pub(crate) struct Throttle {
    counters: Mutex<HashMap<Key, Counter>>,
}

fn keys(account: &str, address: Option<IpAddr>) -> [(Key, u32); 2] {
    let mut account = account.to_owned();
    account.truncate(account.char_indices().nth(150).map_or(account.len(), |(end, _)| end));
    [(Key { account: Some(account), address }, FREE_BY_ACCOUNT), (Key { account: None, address }, FREE_BY_ADDRESS)]
}

impl Throttle {
    /// Refuses when the pause after the last failure is not over.
    pub(crate) fn check(&self, account: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<()> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait_secs = 0;
        for (key, free) in keys(account, address) {
            let Some(counter) = counters.get(&key) else { continue };
            if now - counter.last > TimeDelta::seconds(MEMORY_SECS) {
                continue;
            }
            if let Some(over) = counter.failures.checked_sub(free) {
                let pause = (1_i64 << over.min(16)).min(PAUSE_MAX_SECS);
                let left_millis = (counter.last + TimeDelta::seconds(pause) - now).num_milliseconds();
                wait_secs = wait_secs.max((left_millis + 999) / 1000);
            }
        }
        match u64::try_from(wait_secs) {
            Ok(retry_after_secs) if retry_after_secs > 0 => Err(Error::Throttled { retry_after_secs }),
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, account: &str, address: Option<IpAddr>, now: DateTime<Utc>) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= COUNTERS_MAX {
            counters.retain(|_, counter| now - counter.last <= TimeDelta::seconds(MEMORY_SECS));
            if counters.len() >= COUNTERS_MAX {
                let mut times: Vec<DateTime<Utc>> = counters.values().map(|counter| counter.last).collect();
                let middle = times.len() / 2;
                let (_, median, _) = times.select_nth_unstable(middle);
                let median = *median;
                counters.retain(|_, counter| counter.last > median);
            }
        }
        for (key, _) in keys(account, address) {
            let counter = counters.entry(key).or_insert(Counter { failures: 0, last: now });
            if now - counter.last > TimeDelta::seconds(MEMORY_SECS) {
                counter.failures = 0;
            }
            counter.failures = counter.failures.saturating_add(1);
            counter.last = now;
        }
    }

    /// Forgives the account's failures from this address.
    pub(crate) fn succeeded(&self, account: &str, address: Option<IpAddr>) {
        let [(key, _), _] = keys(account, address);
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn wait(throttle: &Throttle, account: &str, from: Option<IpAddr>, now: DateTime<Utc>) -> Option<u64> {
        match throttle.check(account, from, now) {
            Ok(()) => None,
            Err(Error::Throttled { retry_after_secs }) => Some(retry_after_secs),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_grow_and_concern_one_account_from_one_address() {
        let throttle = Throttle::default();
        let mut now = Utc::now();
        for _ in 0..FREE_BY_ACCOUNT {
            assert_eq!(wait(&throttle, "bob", Some(address(1)), now), None);
            throttle.failed("bob", Some(address(1)), now);
        }
        assert_eq!(wait(&throttle, "bob", Some(address(1)), now), Some(1));
        assert_eq!(wait(&throttle, "al", Some(address(1)), now), None);
        assert_eq!(wait(&throttle, "bob", Some(address(2)), now), None);
        now += TimeDelta::seconds(1);
        assert_eq!(wait(&throttle, "bob", Some(address(1)), now), None);
        throttle.failed("bob", Some(address(1)), now);
        assert_eq!(wait(&throttle, "bob", Some(address(1)), now), Some(2));
        for _ in 0..100 {
            throttle.failed("bob", Some(address(1)), now);
        }
        assert_eq!(wait(&throttle, "bob", Some(address(1)), now), Some(300));
        throttle.succeeded("bob", Some(address(1)));
        assert_eq!(wait(&throttle, "bob", Some(address(1)), now), None);
    }

    #[test]
    fn time_forgives() {
        let throttle = Throttle::default();
        let now = Utc::now();
        for _ in 0..50 {
            throttle.failed("bob", Some(address(1)), now);
        }
        let later = now + TimeDelta::seconds(MEMORY_SECS + 1);
        assert_eq!(wait(&throttle, "bob", Some(address(1)), later), None);
        throttle.failed("bob", Some(address(1)), later);
        assert_eq!(wait(&throttle, "bob", Some(address(1)), later), None);
    }

    #[test]
    fn one_address_cannot_try_every_account() {
        let throttle = Throttle::default();
        let now = Utc::now();
        for number in 0..FREE_BY_ADDRESS {
            throttle.failed(&format!("user{number}"), Some(address(1)), now);
        }
        assert!(wait(&throttle, "another", Some(address(1)), now).is_some());
        assert_eq!(wait(&throttle, "another", Some(address(2)), now), None);
    }

    #[test]
    fn counters_are_bounded() {
        let throttle = Throttle::default();
        let start = Utc::now();
        for number in 0..COUNTERS_MAX + 10 {
            let now = start + TimeDelta::microseconds(i64::try_from(number).unwrap());
            throttle.failed(&format!("user{number}"), Some(address(1)), now);
        }
        assert!(throttle.counters.lock().unwrap().len() <= COUNTERS_MAX);
    }
}
