//! How many processes a type needs, by their use of the processor.
//!
//! The rule is that of Kubernetes' horizontal pod autoscaler, so that an app behaves alike on either engine. Source:
//! <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#algorithm-details>.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::limit::Limit;
use crate::settings::Autoscale;

/// What a process counts as asking for when its type says nothing: one core, in thousandths.
pub const REQUEST_DEFAULT_MILLIS: u32 = 1000;

/// Most decisions that are remembered of one process type.
const DECISIONS_MAX: usize = 4096;

/// What use is measured against: a type's request of the processor, else its limit, else one core.
#[must_use]
pub fn request_millis(cpu: Option<Limit>) -> u32 {
    let said = cpu.map(|limit| limit.request.filter(|request| *request > 0).unwrap_or(limit.limit));
    let said = said.filter(|millis| *millis > 0).and_then(|millis| u32::try_from(millis).ok());
    said.unwrap_or(REQUEST_DEFAULT_MILLIS)
}

/// How many processes of a type there should be now, between `min` and `max`.
///
/// `used_millis` has an entry a process, in thousandths of a core; `None` for one whose use is not known or that is not
/// ready. Such a one, or one of the `current` processes that has no entry yet, counts as idle when the others ask for more processes, and as just
/// right when they ask for fewer, so that what is not known never tips the scale. Nothing changes while the use is
/// within a tenth of what is aimed at. A type without processes was stopped by somebody, and stays so.
#[must_use]
pub fn replicas_wanted(rule: Autoscale, current: u32, request_millis: u32, used_millis: &[Option<u32>]) -> u32 {
    if current == 0 {
        return 0;
    }
    let clamped = |replicas: u128| -> u32 {
        let replicas = u32::try_from(replicas).unwrap_or(u32::MAX);
        replicas.min(rule.max).max(rule.min.min(rule.max))
    };
    let known: Vec<u32> = used_millis.iter().copied().flatten().collect();
    // A hundredth of a thousandth of a core is the unit, so that nothing is rounded before the end.
    let aim = u128::from(request_millis) * u128::from(rule.cpu_percent);
    let used: u128 = known.iter().map(|millis| u128::from(*millis) * 100).sum();
    if known.is_empty() || aim == 0 {
        return clamped(u128::from(current));
    }
    let direction = |used: u128, processes: usize| used.cmp(&(aim * processes as u128));
    let first = direction(used, known.len());
    let processes = used_millis.len().max(current as usize);
    let unknown = processes - known.len();
    let used = match first {
        Ordering::Greater => used,
        Ordering::Less | Ordering::Equal => used + aim * unknown as u128,
    };
    let aimed = aim * processes as u128;
    let is_tolerable = used.abs_diff(aimed) * 10 <= aimed;
    if is_tolerable || direction(used, processes) != first {
        return clamped(u128::from(current));
    }
    let wanted = used.div_ceil(aim);
    // A process that is on its way out is not missed.
    clamped(if first == Ordering::Less { wanted.min(u128::from(current)) } else { wanted })
}

/// What was lately wanted of one process type, so that a short lull does not end processes that are needed again at
/// once. Kept in memory: without it nothing is taken away for the length of the window, which is no harm.
#[derive(Debug, Clone)]
pub struct Decisions {
    wanted: VecDeque<(DateTime<Utc>, u32)>,
}

impl Decisions {
    /// Begins with what there is.
    #[must_use]
    pub fn new(now: DateTime<Utc>, current: u32) -> Self {
        Self { wanted: VecDeque::from([(now, current)]) }
    }

    /// What is to be done about `wanted`: more processes at once, fewer only when none of the last `window` wanted more.
    pub fn settle(&mut self, now: DateTime<Utc>, window: Duration, current: u32, wanted: u32) -> u32 {
        let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
        while self.wanted.front().is_some_and(|(time, _)| now - *time >= window) {
            self.wanted.pop_front();
        }
        if self.wanted.len() >= DECISIONS_MAX {
            self.wanted.pop_front();
        }
        self.wanted.push_back((now, wanted));
        if wanted >= current {
            return wanted;
        }
        self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or(wanted).min(current)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(min: u32, max: u32, cpu_percent: u32) -> Autoscale {
        Autoscale { min, max, cpu_percent }
    }

    #[test]
    fn replicas_follow_use() {
        for (current, used, expect) in [
            // Twice of what is aimed at: twice as many.
            (1, vec![Some(1000)], 2),
            (2, vec![Some(1000), Some(500)], 3),
            (4, vec![Some(100); 4], 1),
            // Within a tenth of it, on both sides.
            (3, vec![Some(550); 3], 3),
            (3, vec![Some(450); 3], 3),
            (3, vec![Some(551); 3], 4),
            (4, vec![Some(375); 4], 3),
            // Nothing is known of anything.
            (3, vec![None; 3], 3),
            (3, vec![], 3),
            // One that is starting counts as idle on the way up, and as busy on the way down.
            (2, vec![Some(1000), None], 2),
            (2, vec![Some(1500), None], 3),
            (3, vec![Some(1000)], 3),
            (1, vec![Some(100); 3], 1),
            (2, vec![Some(0), None], 1),
            (3, vec![Some(0), None, None], 2),
            // The bounds hold whatever is used.
            (1, vec![Some(60_000)], 10),
            (12, vec![Some(500); 12], 10),
            (0, vec![], 0),
            (0, vec![Some(1000)], 0),
        ] {
            assert_eq!(replicas_wanted(rule(1, 10, 50), current, 1000, &used), expect, "{current} {used:?}");
        }
        assert_eq!(replicas_wanted(rule(3, 5, 50), 1, 1000, &[Some(0)]), 3);
        assert_eq!(replicas_wanted(rule(1, 5, 50), 1, 100, &[Some(100)]), 2);
    }

    #[test]
    fn use_is_measured_against_the_request() {
        let limit = |request, limit| Some(Limit { request, limit });
        for (cpu, expect) in [
            (None, 1000),
            (limit(None, 500), 500),
            (limit(Some(250), 500), 250),
            (limit(Some(0), 500), 500),
            (limit(None, 0), 1000),
            (limit(Some(u64::MAX), 1), 1000),
        ] {
            assert_eq!(request_millis(cpu), expect, "{cpu:?}");
        }
    }

    #[test]
    fn fewer_only_after_the_window_and_more_at_once() {
        let start = Utc::now();
        let at = |secs: i64| start + TimeDelta::seconds(secs);
        let window = Duration::from_mins(5);
        let mut decisions = Decisions::new(start, 4);
        assert_eq!(decisions.settle(at(15), window, 4, 1), 4);
        assert_eq!(decisions.settle(at(150), window, 4, 6), 6);
        assert_eq!(decisions.settle(at(300), window, 6, 2), 6);
        assert_eq!(decisions.settle(at(449), window, 6, 1), 6);
        // What is left in the window wanted two at most.
        assert_eq!(decisions.settle(at(450), window, 6, 1), 2);
        assert_eq!(decisions.settle(at(1000), window, 2, 1), 1);
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_more_use_never_wants_fewer(
            min in 1_u32..20,
            more in 0_u32..20,
            percent in 1_u32..400,
            request in 1_u32..10_000,
            used in prop::collection::vec(prop::option::of(0_u32..100_000), 1..30),
            raised in any::<prop::sample::Index>(),
            by in 0_u32..100_000,
        ) {
            let rule = rule(min, min + more, percent);
            let current = u32::try_from(used.len()).unwrap();
            let wanted = replicas_wanted(rule, current, request, &used);
            prop_assert!((rule.min..=rule.max).contains(&wanted));
            let mut busier = used.clone();
            let one = raised.get_mut(&mut busier);
            *one = one.map(|millis| millis + by);
            prop_assert!(replicas_wanted(rule, current, request, &busier) >= wanted);
        }

        #[test]
        fn what_is_wanted_suffices(
            percent in 1_u32..400,
            request in 1_u32..10_000,
            used in prop::collection::vec(0_u32..100_000, 1..30),
        ) {
            let current = u32::try_from(used.len()).unwrap();
            let known: Vec<_> = used.iter().copied().map(Some).collect();
            let wanted = replicas_wanted(rule(1, u32::MAX, percent), current, request, &known);
            let total: u128 = used.iter().map(|millis| u128::from(*millis) * 100).sum();
            let aim = u128::from(request) * u128::from(percent);
            // Spread over what is wanted, no process is more than a tenth above what is aimed at; and with one fewer
            // than wanted (after a change) each would be above.
            prop_assert!(total * 10 <= aim * u128::from(wanted) * 11);
            if wanted > 1 && wanted != current {
                prop_assert!(total > aim * u128::from(wanted - 1));
            }
        }

        #[test]
        fn settled_decisions_lie_between_what_is_and_what_is_wanted(
            first in 1_u32..100,
            steps in prop::collection::vec((0_i64..200, 1_u32..100), 1..40),
        ) {
            let mut now = Utc::now();
            let mut current = first;
            let mut decisions = Decisions::new(now, current);
            for (secs, wanted) in steps {
                now += TimeDelta::seconds(secs);
                let next = decisions.settle(now, Duration::from_mins(5), current, wanted);
                prop_assert!((wanted.min(current)..=wanted.max(current)).contains(&next));
                prop_assert!(wanted < current || next == wanted);
                current = next;
            }
        }
    }
}
