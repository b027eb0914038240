//! How many requests of the dployr API a caller has left. Source: `dployr-v1.md` §1.2.
//!
//! Counted in the database, so that controllers that share it count together. When the database cannot count, requests
//! are let through.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use slipway_core::authz::Actor;
use slipway_store as store;

use crate::Service;
use crate::stored::{Fail, write};

/// Length of a window, in seconds.
const WINDOW_SECS: i64 = 3600;
/// Most callers remembered that have none left; more are asked about in the database.
const SPENT_MAX: usize = 50_000;

/// How many requests a caller has in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Of a user, whatever the address. Default 1000.
    pub user: u32,
    /// Of nobody known, by address. Default 60.
    pub anonymous: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { user: 1000, anonymous: 60 }
    }
}

/// What a caller has left, this request taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many there are in an hour.
    pub limit: u32,
    /// How many are left in this one.
    pub remaining: u32,
    /// When the hour ends, in seconds since 1970.
    pub reset_secs: i64,
    /// Whether this request is one too many; then, seconds until another makes sense.
    pub retry_after_secs: Option<u64>,
}

/// Callers that have none left, by the hour in which that is so.
#[derive(Default)]
pub(crate) struct Spent(Mutex<HashMap<String, i64>>);

impl Spent {
    fn contains(&self, caller: &str, hour: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(caller) == Some(&hour)
    }

    fn insert(&self, caller: String, hour: i64) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= SPENT_MAX {
            spent.retain(|_, other| *other == hour);
        }
        if spent.len() < SPENT_MAX {
            spent.insert(caller, hour);
        }
    }
}

impl Service {
    /// Counts a request and tells what is left.
    pub async fn rate_take(&self, actor: Option<&Actor>, remote: Option<IpAddr>) -> Rate {
        let limits = self.config().rate_limits;
        let (caller, limit) = match actor {
            Some(Actor::User { id, .. }) => (format!("user:{id}"), limits.user),
            Some(Actor::Anonymous | Actor::Builder | Actor::System) | None => (address_of(remote), limits.anonymous),
        };
        let now = self.now();
        let hour = now.timestamp().div_euclid(WINDOW_SECS);
        if self.rates_spent().contains(&caller, hour) {
            return rate(limit, u64::MAX, now);
        }
        let counted = write!(self, |db| {
            let count = store::request_count(db, &caller, hour).await?;
            if count == 1 {
                store::request_counts_delete_before(db, hour - 1).await?;
            }
            Ok::<_, Fail>(count)
        });
        match counted {
            Ok(count) => {
                if count > u64::from(limit) {
                    self.rates_spent().insert(caller, hour);
                }
                rate(limit, count, now)
            }
            Err(fail) => {
                tracing::warn!("a request was not counted: {}", slipway_core::Error::from(fail));
                rate(limit, 0, now)
            }
        }
    }
}

fn rate(limit: u32, count: u64, now: DateTime<Utc>) -> Rate {
    let reset_secs = (now.timestamp().div_euclid(WINDOW_SECS) + 1) * WINDOW_SECS;
    let left = u64::try_from(reset_secs - now.timestamp()).unwrap_or(1).max(1);
    Rate {
        limit,
        remaining: u32::try_from(u64::from(limit).saturating_sub(count)).unwrap_or(limit),
        reset_secs,
        retry_after_secs: (count > u64::from(limit)).then_some(left),
    }
}

/// What stands for an address: of IPv6 the network, since whoever has one address has them all.
fn address_of(remote: Option<IpAddr>) -> String {
    match remote.map(|remote| remote.to_canonical()) {
        Some(IpAddr::V4(v4)) => format!("ip:{v4}"),
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("ip:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        None => "ip:unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_let_through_and_no_other() {
        let now = DateTime::from_timestamp(1_800_000_000 - 1, 0).unwrap();
        let left = |count| (rate(2, count, now).remaining, rate(2, count, now).retry_after_secs);
        assert_eq!([0, 1, 2, 3, u64::MAX].map(left), [(2, None), (1, None), (0, None), (0, Some(1)), (0, Some(1))]);
        assert_eq!(rate(2, 1, now).reset_secs, 1_800_000_000);
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let of = |text: &str| address_of(Some(text.parse().unwrap()));
        assert_eq!(of("::ffff:1.2.3.4"), "ip:1.2.3.4");
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(address_of(None), "ip:unknown");
    }
}
