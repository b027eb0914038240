//! Process groups and `/proc`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tokio::time::Instant;

/// What `/proc/PID/stat` tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `Z` for one that ended and was not waited for.
    pub(crate) state: u8,
    /// The process that started it.
    pub(crate) parent: i32,
    /// Its process group.
    pub(crate) group: i32,
    /// When it was started, in clock ticks since boot: with the pid it names a process for good.
    pub(crate) start: u64,
    /// Clock ticks of processor time that it and the children it waited for have spent in their own code.
    pub(crate) user: u64,
    /// As `user`, for the system's code.
    pub(crate) system: u64,
}

/// The processor time of a process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ticks {
    /// When the process that leads it was started.
    pub(crate) start: u64,
    /// Clock ticks that all of it has spent in its own code.
    pub(crate) user: u64,
    /// As `user`, for the system's code.
    pub(crate) system: u64,
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Source: `proc_pid_stat(5)`. The second field, the name, is in brackets and may hold brackets and blanks itself.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.bytes().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        user: ticks(11)?.saturating_add(ticks(13)?),
        system: ticks(12)?.saturating_add(ticks(14)?),
    })
}

/// The ids of all processes.
fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The processor time of every process group whose leader is there, with that of the groups that descend from it: what
/// is in a container is in a group of its own. Blocks.
pub(crate) fn ticks() -> HashMap<i32, Ticks> {
    let stats: HashMap<i32, Stat> = all().into_iter().collect();
    let mut groups: HashMap<i32, Ticks> = HashMap::new();
    for stat in stats.values() {
        let mut at = *stat;
        let mut seen = HashSet::new();
        // Up to the first process; a table that changes while it is read must not lead in circles.
        while seen.insert(at.group) {
            let Some(leader) = stats.get(&at.group) else { break };
            let group = groups.entry(at.group).or_default();
            group.user = group.user.saturating_add(stat.user);
            group.system = group.system.saturating_add(stat.system);
            group.start = leader.start;
            let Some(parent) = stats.get(&leader.parent) else { break };
            at = *parent;
        }
    }
    groups
}

/// Every process of the machine. Blocks.
pub(crate) fn all() -> Vec<(i32, Stat)> {
    pids().into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The processes of the group that `leader` leads, and of the groups that descend from it. Blocks.
pub(crate) fn members(leader: i32) -> Vec<(i32, Stat)> {
    let stats: HashMap<i32, Stat> = all().into_iter().collect();
    let descends = |stat: &Stat| {
        let mut at = *stat;
        let mut seen = HashSet::new();
        while seen.insert(at.group) {
            if at.group == leader {
                return true;
            }
            let parent = stats.get(&at.group).and_then(|leader| stats.get(&leader.parent));
            let Some(parent) = parent else { return false };
            at = *parent;
        }
        false
    };
    stats.iter().filter(|(_, stat)| descends(stat)).map(|(pid, stat)| (*pid, *stat)).collect()
}

/// Sends `signal` to the whole group; a group that is gone is fine.
pub(crate) fn signal(group: i32, signal: Signal) {
    let Some(pid) = Pid::from_raw(group).filter(|_| group > 1) else { return };
    if let Err(error) = kill_process_group(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(process.group = group, %error, "a process group cannot be signalled");
    }
}

/// Whether anything in the group still runs. What ended and waits to be reaped by init does not count.
pub(crate) fn is_alive(group: i32) -> bool {
    let Some(pid) = Pid::from_raw(group) else { return false };
    if test_kill_process_group(pid).is_err() {
        return false;
    }
    pids().into_iter().filter_map(stat).any(|stat| stat.group == group && stat.state != b'Z' && stat.state != b'X')
}

/// Waits until nothing in the group runs, at most until `deadline`.
pub(crate) async fn wait_gone(group: i32, deadline: Instant) {
    while is_alive(group) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills every process whose environment has `NAME=VALUE` with a value that begins with `prefix`, until there is
/// none left. Returns how many were killed. Finds processes that left their group, too. Blocks.
pub(crate) fn kill_marked(name: &str, prefix: &str) -> io::Result<usize> {
    let needle = format!("{name}={prefix}").into_bytes();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let mut killed = HashSet::new();
    // A process may fork while it is being looked for: look again until a look finds none.
    for _ in 0..200 {
        let mut found = false;
        for pid in pids() {
            let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { continue };
            if pid == own || !environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(&needle)) {
                continue;
            }
            if stat(pid).is_none_or(|stat| stat.state == b'Z') {
                continue;
            }
            found = true;
            killed.insert(pid);
            if let Some(pid) = Pid::from_raw(pid) {
                // It may have ended by itself in the meantime.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        if !found {
            return Ok(killed.len());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(io::Error::other("processes of an earlier run do not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_with_odd_names_are_read() {
        let tail = "S 1 42 42 0 -1 4194560 1 0 0 0 7 20 300 4000 20 0 1 0 777 1 1 0";
        for name in ["sh", "a b", "a) Z 1 2 (", "((", ""] {
            let expect = Stat { state: b'S', parent: 1, group: 42, start: 777, user: 307, system: 4020 };
            assert_eq!(parse_stat(&format!("9 ({name}) {tail}")), Some(expect), "{name}");
        }
        for bad in ["", "1 (sh", "1 (sh) S", "1 (sh) S 1 x"] {
            assert_eq!(parse_stat(bad), None, "{bad}");
        }
    }

    #[test]
    fn this_process_is_there() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(is_alive(stat(own).unwrap().group));
        assert_eq!(stat(i32::MAX), None);
    }
}
