//! How much of the processor each process of an app uses, its children included.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::group::{self, Ticks};

/// The use of each process group between the last two looks.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// By the id of the group, which is that of the process that leads it.
    millis: Mutex<HashMap<u32, u32>>,
}

impl Usage {
    /// Thousandths of a core that the group of `pid` used between the last two looks; `None` when it was not there at
    /// both.
    pub(crate) fn of(&self, pid: u32) -> Option<u32> {
        self.millis.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).copied()
    }

    /// Looks every `pause` until `ending`.
    pub(crate) async fn watch(self: Arc<Self>, pause: Duration, ending: CancellationToken) {
        let mut timer = interval(pause.max(Duration::from_millis(100)));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let per_second = clock_ticks_per_second();
        let mut before = None;
        loop {
            tokio::select! {
                () = ending.cancelled() => return,
                _ = timer.tick() => {}
            }
            let Ok(ticks) = tokio::task::spawn_blocking(group::ticks).await else { continue };
            let now = Instant::now();
            if let Some((time, earlier)) = &before {
                let used = used_millis(earlier, &ticks, now - *time, per_second);
                *self.millis.lock().unwrap_or_else(PoisonError::into_inner) = used;
            }
            before = Some((now, ticks));
        }
    }
}

fn used_millis(
    before: &HashMap<i32, Ticks>,
    after: &HashMap<i32, Ticks>,
    elapsed: Duration,
    per_second: u64,
) -> HashMap<u32, u32> {
    let elapsed = elapsed.as_micros().max(1);
    let used = |group: &i32, after: &Ticks| {
        // Another process may have the id by now.
        let before = before.get(group).filter(|before| before.start == after.start)?;
        // What a child that init reaped had used is missing from the later sum.
        let ticks = after.used.saturating_sub(before.used);
        let millis = u128::from(ticks) * 1_000_000_000 / (u128::from(per_second.max(1)) * elapsed);
        Some((u32::try_from(*group).ok()?, u32::try_from(millis).unwrap_or(u32::MAX)))
    };
    after.iter().filter_map(|(group, after)| used(group, after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_told_in_thousandths_of_a_core() {
        let ticks = |start, used| Ticks { start, used };
        let before = HashMap::from([(10, ticks(1, 500)), (11, ticks(2, 500)), (12, ticks(3, 500)), (13, ticks(4, 9))]);
        let after = HashMap::from([(10, ticks(1, 700)), (11, ticks(9, 700)), (12, ticks(3, 100)), (14, ticks(5, 9))]);
        let used = used_millis(&before, &after, Duration::from_secs(4), 100);
        assert_eq!(used, HashMap::from([(10, 500), (12, 0)]));
        assert_eq!(used_millis(&before, &after, Duration::ZERO, 0)[&12], 0);
    }

    #[tokio::test]
    async fn a_group_that_computes_is_seen_to() {
        let usage = Arc::new(Usage::default());
        let ending = CancellationToken::new();
        let watch = tokio::spawn(Arc::clone(&usage).watch(Duration::from_millis(100), ending.clone()));
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", "while :; do :; done"])
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while usage.of(pid).is_none_or(|millis| millis < 50) {
            assert!(Instant::now() < deadline, "{:?}", usage.of(pid));
            tokio::task::yield_now().await;
        }
        child.kill().await.unwrap();
        while usage.of(pid).is_some() {
            assert!(Instant::now() < deadline, "a process that is gone still counts");
            tokio::task::yield_now().await;
        }
        ending.cancel();
        watch.await.unwrap();
    }
}
