//! Random points in time.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

/// Random numbers of one test. Their seed is told, and `SLIPWAY_TEST_SEED` gives the same ones again.
pub struct Chance {
    test: &'static str,
    count: u64,
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| match std::env::var("SLIPWAY_TEST_SEED") {
        Ok(text) => text.parse().expect("SLIPWAY_TEST_SEED is a number"),
        Err(_) => RandomState::new().hash_one(0),
    })
}

impl Chance {
    pub fn of(test: &'static str) -> Self {
        eprintln!("{test}: SLIPWAY_TEST_SEED={}", seed());
        Self { test, count: 0 }
    }

    /// A time below `limit`.
    pub fn below(&mut self, limit: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        (seed(), self.test, self.count).hash(&mut hasher);
        self.count += 1;
        Duration::from_millis(hasher.finish() % u64::try_from(limit.as_millis()).unwrap())
    }
}
