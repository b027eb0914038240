//! How much of the processor each process of an app uses, its children included.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use slipway_engine::{PodUsage, ProcessCounts, ProcessStates};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::group::{self, Ticks};
use crate::{disk, network};

/// Time between two looks at a control group, which counts by itself.
const CGROUP_LOOK: Duration = Duration::from_millis(200);

/// The use of each process group between the last two looks.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// By the id of the group, which is that of the process that leads it.
    rates: Mutex<HashMap<u32, Rate>>,
}

/// Use of the processor, in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    /// In the processes' own code.
    user: u32,
    /// In the system's.
    system: u32,
}

impl Rate {
    fn sum(self) -> u32 {
        self.user.saturating_add(self.system)
    }
}

impl Usage {
    /// Thousandths of a core that the group of `pid` used between the last two looks; `None` when it was not there at
    /// both.
    pub(crate) fn of(&self, pid: u32) -> Option<u32> {
        self.rate(pid).map(Rate::sum)
    }

    fn rate(&self, pid: u32) -> Option<Rate> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).copied()
    }

    /// What the group of `pid` uses now: its control group's figures where the engine made one for it, in `parent`,
    /// else the sum over its processes. `None` when nothing of it runs.
    pub(crate) async fn pod(&self, pid: u32, parent: Option<&Path>) -> Option<PodUsage> {
        let leader = i32::try_from(pid).ok()?;
        let group = parent.and_then(|parent| own_cgroup(pid, parent));
        let processes = tokio::task::spawn_blocking(move || {
            let members = group::members(leader);
            let memory = members.iter().filter_map(|(pid, _)| memory_of(*pid)).fold(0_u64, u64::saturating_add);
            let network = network::of_processes(members.iter().map(|(pid, _)| *pid));
            (members, memory, data_limit(leader), network)
        });
        let (members, memory, data_limit, network) = processes.await.ok()?;
        // What ended and was not waited for is no more than a name.
        if members.iter().all(|(_, stat)| matches!(stat.state, b'Z' | b'X')) {
            return None;
        }
        let mut usage = PodUsage { source: "process", processes: Some(counts(&members)), ..machine() };
        let mut rate = self.rate(pid);
        usage.memory_bytes = Some(memory);
        usage.memory_limit_bytes = data_limit;
        usage.network = network;
        if let Some(group) = group {
            usage.source = "cgroup";
            usage.memory_bytes = number(&group.join("memory.current")).or(usage.memory_bytes);
            usage.memory_limit_bytes = number(&group.join("memory.max"));
            usage.memory_cache_bytes = stat_of(&group.join("memory.stat"), "file");
            if let Some(most) = number(&group.join("memory.swap.max")) {
                let total = usage.swap_total_bytes.map_or(most, |all| all.min(most));
                let used = number(&group.join("memory.swap.current")).unwrap_or(0);
                (usage.swap_total_bytes, usage.swap_free_bytes) = (Some(total), Some(total.saturating_sub(used)));
            }
            usage.cpu_limit_millis = fs::read_to_string(group.join("cpu.max")).ok().as_deref().and_then(cpu_max);
            rate = cgroup_rate(&group).await.or(rate);
        }
        usage.cpu_millis = rate.map(Rate::sum);
        usage.cpu_user_percent = rate.map(|rate| f64::from(rate.user) / 10.0);
        usage.cpu_system_percent = rate.map(|rate| f64::from(rate.system) / 10.0);
        Some(usage)
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
                *self.rates.lock().unwrap_or_else(PoisonError::into_inner) = used;
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
) -> HashMap<u32, Rate> {
    let elapsed = elapsed.as_micros().max(1);
    let used = |group: &i32, after: &Ticks| {
        // Another process may have the id by now.
        let before = before.get(group).filter(|before| before.start == after.start)?;
        // What a child that init reaped had used is missing from the later sum.
        let millis = |before: u64, after: u64| {
            let ticks = after.saturating_sub(before);
            let millis = u128::from(ticks) * 1_000_000_000 / (u128::from(per_second.max(1)) * elapsed);
            u32::try_from(millis).unwrap_or(u32::MAX)
        };
        let rate = Rate { user: millis(before.user, after.user), system: millis(before.system, after.system) };
        Some((u32::try_from(*group).ok()?, rate))
    };
    after.iter().filter_map(|(group, after)| used(group, after)).collect()
}

/// What the machine as a whole has: every process shares it.
pub(crate) fn machine() -> PodUsage {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| field(&memory, name).map(|kib| kib.saturating_mul(1024));
    PodUsage {
        source: "process",
        cpu_count: std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok()),
        load_average: fs::read_to_string("/proc/loadavg").ok().as_deref().and_then(load),
        memory_total_bytes: kib("MemTotal:"),
        memory_available_bytes: kib("MemAvailable:"),
        memory_cache_bytes: kib("Cached:"),
        swap_total_bytes: kib("SwapTotal:"),
        swap_free_bytes: kib("SwapFree:"),
        ..PodUsage::default()
    }
}

/// What the machine uses: its processes, its processor over a short while, its memory.
pub(crate) async fn machine_usage() -> PodUsage {
    let look = || {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().strip_prefix("cpu ").unwrap_or_default();
        let fields: Vec<u64> = line.split_ascii_whitespace().filter_map(|field| field.parse().ok()).collect();
        let sum = |places: &[usize]| places.iter().filter_map(|place| fields.get(*place)).sum::<u64>();
        // Source: `proc_stat(5)`: user, nice, system, idle, iowait, irq, softirq.
        (sum(&[0, 1]), sum(&[2, 5, 6]), sum(&[4]))
    };
    let (before, start) = (look(), Instant::now());
    tokio::time::sleep(CGROUP_LOOK).await;
    let (after, elapsed) = (look(), start.elapsed());
    let percent = |before: u64, after: u64| {
        let ticks = u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX);
        let per_second = u32::try_from(clock_ticks_per_second().max(1)).unwrap_or(u32::MAX);
        f64::from(ticks) / f64::from(per_second) / elapsed.as_secs_f64().max(0.001) * 100.0
    };
    let (members, disks) = tokio::task::spawn_blocking(|| (group::all(), disk::all())).await.unwrap_or_default();
    let network = network::of_machine();
    let mut usage = PodUsage { processes: Some(counts(&members)), disks, network, ..machine() };
    let (user, system) = (percent(before.0, after.0), percent(before.1, after.1));
    usage.cpu_user_percent = Some(user);
    usage.cpu_system_percent = Some(system);
    usage.cpu_iowait_percent = Some(percent(before.2, after.2));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some cores is small")]
    let millis = ((user + system) * 10.0).round() as u32;
    usage.cpu_millis = Some(millis);
    usage.memory_bytes =
        usage.memory_total_bytes.zip(usage.memory_available_bytes).map(|(total, left)| total.saturating_sub(left));
    usage
}

/// The number behind a name, as `/proc/meminfo` and `memory.stat` have it.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

fn stat_of(path: &Path, name: &str) -> Option<u64> {
    field(&fs::read_to_string(path).ok()?, name)
}

/// A file that holds one number; `max` is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map(|word| word.parse().ok());
    Some([words.next()??, words.next()??, words.next()??])
}

/// Thousandths of a core that `cpu.max` allows: `QUOTA PERIOD`, in microseconds.
fn cpu_max(text: &str) -> Option<u32> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<u64>().ok()?, period.parse::<u64>().ok().filter(|period| *period > 0)?);
    u32::try_from(quota.saturating_mul(1000) / period).ok()
}

/// The control group below `parent` that the engine made for the process.
fn own_cgroup(pid: u32, parent: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // What is in a container is in a group further down.
    let name = path.split('/').find(|part| part.starts_with("app-"))?;
    Some(parent.join(name)).filter(|group| group.is_dir())
}

/// What a control group used of the processor while we looked.
async fn cgroup_rate(group: &Path) -> Option<Rate> {
    let look = || {
        let text = fs::read_to_string(group.join("cpu.stat")).ok()?;
        Some((field(&text, "user_usec")?, field(&text, "system_usec")?))
    };
    let (before, start) = (look()?, Instant::now());
    tokio::time::sleep(CGROUP_LOOK).await;
    let (after, elapsed) = (look()?, start.elapsed().as_micros().max(1));
    let millis = |before: u64, after: u64| {
        let millis = u128::from(after.saturating_sub(before)) * 1000 / elapsed;
        u32::try_from(millis).unwrap_or(u32::MAX)
    };
    Some(Rate { user: millis(before.0, after.0), system: millis(before.1, after.1) })
}

/// Bytes of memory that the process has to itself, with its share of what it has with others.
fn memory_of(pid: i32) -> Option<u64> {
    let shares = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    if let Some(kib) = shares.as_deref().and_then(|text| field(text, "Pss:")) {
        return Some(kib.saturating_mul(1024));
    }
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident.saturating_mul(page_size() as u64))
}

/// Most private writable memory that the process may have, in bytes; `None` when it is not limited.
fn data_limit(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max data size"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn counts(members: &[(i32, group::Stat)]) -> ProcessCounts {
    let mut states = ProcessStates::default();
    for (_, stat) in members {
        match stat.state {
            b'R' => states.running += 1,
            b'T' | b't' => states.stopped += 1,
            b'Z' | b'X' => states.zombie += 1,
            _ => states.sleeping += 1,
        }
    }
    ProcessCounts { total: u32::try_from(members.len()).unwrap_or(u32::MAX), states: Some(states) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_told_in_thousandths_of_a_core() {
        let ticks = |start, user| Ticks { start, user, system: 0 };
        let before = HashMap::from([(10, ticks(1, 500)), (11, ticks(2, 500)), (12, ticks(3, 500)), (13, ticks(4, 9))]);
        let after = HashMap::from([(10, ticks(1, 700)), (11, ticks(9, 700)), (12, ticks(3, 100)), (14, ticks(5, 9))]);
        let used = used_millis(&before, &after, Duration::from_secs(4), 100);
        let rate = |user| Rate { user, system: 0 };
        assert_eq!(used, HashMap::from([(10, rate(500)), (12, rate(0))]));
        assert_eq!(used_millis(&before, &after, Duration::ZERO, 0)[&12], rate(0));
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
        let deadline = Instant::now() + Duration::from_mins(2);
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

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(cpu_max("50000 100000\n"), Some(500));
        assert_eq!(cpu_max("max 100000\n"), None);
        assert_eq!(cpu_max("1 0"), None);
        assert_eq!(load("0.50 1.25 2.00 1/2 3\n"), Some([0.5, 1.25, 2.0]));
        assert_eq!(load("0.50 x"), None);
        assert_eq!(field("anon 5\nfile 17\n", "file"), Some(17));
        assert_eq!(field("MemTotal:       2 kB\n", "MemTotal:"), Some(2));
        assert_eq!(field("file_mapped 3\n", "file"), None);
    }

    #[tokio::test]
    async fn a_control_group_tells_for_itself() {
        let parent = tempfile::tempdir().unwrap();
        assert_eq!(own_cgroup(std::process::id(), parent.path()), None);
        let group = parent.path().join("app-1");
        std::fs::create_dir(&group).unwrap();
        assert_eq!(cgroup_rate(&group).await, None);
        std::fs::write(group.join("cpu.stat"), "usage_usec 3\nuser_usec 1\nsystem_usec 2\n").unwrap();
        assert_eq!(cgroup_rate(&group).await, Some(Rate { user: 0, system: 0 }));
    }

    #[tokio::test]
    async fn a_whole_tree_of_processes_is_counted() {
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", "setsid sleep 600 & sleep 600 & wait"])
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id().unwrap();
        let usage = Usage::default();
        let deadline = Instant::now() + Duration::from_mins(2);
        let found = loop {
            let found = usage.pod(pid, None).await.unwrap();
            if found.processes.unwrap().total >= 3 {
                break found;
            }
            assert!(Instant::now() < deadline, "{found:?}");
        };
        assert_eq!(found.source, "process");
        assert!(found.memory_bytes.unwrap() > 0 && found.memory_bytes < found.memory_total_bytes, "{found:?}");
        assert!(found.load_average.is_some() && found.cpu_count.unwrap() > 0, "{found:?}");
        assert_eq!(found.cpu_millis, None, "nobody looked twice");
        let all = group::members(i32::try_from(pid).unwrap());
        for (member, _) in all {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(member).unwrap(),
                rustix::process::Signal::KILL,
            );
        }
        child.wait().await.unwrap();
        // Those that the shell left behind go when the system comes to it.
        while let Some(left) = usage.pod(pid, None).await {
            assert!(Instant::now() < deadline, "{left:?}");
        }
    }
}
