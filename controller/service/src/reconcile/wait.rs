//! What an app's log says while processes are waited for. Source: `drycc-v2.md` §3.8, §4.10.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use slipway_core::{AppId, ReleaseId};

use super::Reconciler;

/// Time between two lines.
const TELL_SECS: u64 = 10;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// That a release runs.
    Release(ReleaseId),
    /// That what runs is as it is wanted since this generation.
    Generation(i64),
}

/// A wait that goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    /// What is waited for.
    pub(super) awaited: Awaited,
    /// When it began, as far as the first look knows.
    pub(super) since: DateTime<Utc>,
    /// When nobody waits any longer: processes that never come up would fill the log.
    pub(super) longest: Duration,
}

/// The waits that go on, with the seconds last told. For the log alone: after a restart a line may come twice, or not
/// at all.
#[derive(Default)]
pub(super) struct Waits(Mutex<HashMap<AppId, (Wait, u64)>>);

impl Waits {
    /// The seconds waited that are to be told now: each full ten of them, once.
    fn due(&self, app: AppId, wait: Wait, now: DateTime<Utc>) -> Option<u64> {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, told_secs) = waits.entry(app).or_insert((wait, 0));
        if begun.awaited != wait.awaited {
            (*begun, *told_secs) = (wait, 0);
        }
        let waited = (now - begun.since).to_std().ok().filter(|waited| *waited <= begun.longest)?.as_secs();
        let full = waited - waited % TELL_SECS;
        if full <= *told_secs {
            return None;
        }
        *told_secs = full;
        Some(full)
    }

    /// Nothing is waited for any more.
    pub(super) fn over(&self, app: AppId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&app);
    }
}

impl Reconciler {
    /// Writes how long processes have been waited for into their app's log, every ten seconds. The words are those that
    /// people's scripts look for, and so have no singular.
    pub(super) fn wait_tell(&self, app: AppId, wait: Wait, now: DateTime<Utc>, in_service: usize) {
        if let Some(secs) = self.waits.due(app, wait, now) {
            self.service.app_log(app, format!("INFO waited {secs}s and {in_service} pods are in service"));
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn each_full_ten_seconds_are_told_once() {
        let (waits, app, begin) = (Waits::default(), AppId::generate(), Utc::now());
        let due = |generation: i64, secs: i64| {
            let wait = Wait { awaited: Awaited::Generation(generation), since: begin, longest: Duration::from_mins(1) };
            waits.due(app, wait, begin + TimeDelta::seconds(secs))
        };
        for (generation, secs, expect) in [
            (1, 0, None),
            (1, 9, None),
            (1, 10, Some(10)),
            (1, 11, None),
            (1, 39, Some(30)),
            (1, 3, None),
            (1, -1, None),
            (2, 12, Some(10)),
            (2, 60, Some(60)),
            (2, 70, None),
        ] {
            assert_eq!(due(generation, secs), expect, "{generation}, {secs}");
        }
        waits.over(app);
        assert_eq!(due(2, 20), Some(20));
    }
}
