//! Output of pods that are gone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Client;
use kube::api::{Api, LogParams};
use slipway_core::AppName;
use slipway_core::log::LogLine;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::DEAD_BYTES_MAX;
use super::read::{next_line, parse};
use crate::pod::Pod;

/// Lines that are kept of each pod.
const LINES: usize = 200;
/// Lines that are asked for when it begins to end; those of its ending come on top.
const TAIL: i64 = 100;
/// Pods of an app that are kept.
const PODS: usize = 20;
/// Pods whose end is followed at once; of more, nothing is kept until others are gone.
const AT_ONCE: usize = 32;
/// Longest that the end of a pod is followed.
const FOLLOW_MAX: Duration = Duration::from_mins(2);

/// The last lines of pods that ended, in memory.
#[derive(Clone, Default)]
pub(super) struct Dead {
    kept: Arc<Mutex<Kept>>,
}

/// UIDs of pods with their lines, oldest first.
type Pods = VecDeque<(Box<str>, Vec<LogLine>)>;

#[derive(Default)]
struct Kept {
    apps: HashMap<AppName, Pods>,
    /// Apps by the time of their newest pod, oldest first.
    order: VecDeque<AppName>,
    bytes: usize,
}

fn bytes(lines: &[LogLine]) -> usize {
    lines.iter().map(|line| line.text.len() + line.source.len() + size_of::<LogLine>()).sum()
}

impl Kept {
    fn add(&mut self, app: &AppName, uid: Box<str>, lines: Vec<LogLine>) {
        self.bytes += bytes(&lines);
        self.order.retain(|other| other != app);
        self.order.push_back(app.clone());
        let pods = self.apps.entry(app.clone()).or_default();
        pods.push_back((uid, lines));
        if pods.len() > PODS
            && let Some((_, lines)) = pods.pop_front()
        {
            self.bytes -= bytes(&lines);
        }
        while self.bytes > DEAD_BYTES_MAX {
            let Some(oldest) = self.order.front().cloned() else { break };
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, app: &AppName) {
        self.order.retain(|other| other != app);
        for (_, lines) in self.apps.remove(app).into_iter().flatten() {
            self.bytes -= bytes(&lines);
        }
    }
}

impl Dead {
    /// Lines of an app's pods that are gone, but for those of `alive`, whose output can still be asked for.
    pub(super) fn lines(&self, app: &AppName, alive: &HashSet<Box<str>>) -> Vec<LogLine> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let pods = kept.apps.get(app).into_iter().flatten();
        pods.filter(|(uid, _)| !alive.contains(uid)).flat_map(|(_, lines)| lines.iter().cloned()).collect()
    }

    pub(super) fn forget(&self, app: &AppName) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).forget(app);
    }

    /// Keeps the last lines of pods as they end.
    pub(super) async fn collect(
        self,
        client: Client,
        mut gone: broadcast::Receiver<(AppName, Arc<Pod>)>,
        shutdown: CancellationToken,
    ) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let (name, pod) = tokio::select! {
                () = shutdown.cancelled() => return,
                gone = gone.recv() => match gone {
                    Ok(gone) => gone,
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
            let (this, client) = (self.clone(), client.clone());
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                let mut lines = VecDeque::new();
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(FOLLOW_MAX) => {}
                    () = last_lines(&client, &name, &pod, &mut lines) => {}
                }
                if !lines.is_empty() {
                    let mut kept = this.kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.add(&name, pod.uid.clone(), lines.into());
                }
                drop(slot);
            });
        }
    }
}

/// Reads a pod's last lines until it has ended.
async fn last_lines(client: &Client, name: &AppName, pod: &Pod, lines: &mut VecDeque<LogLine>) {
    let api: Api<ApiPod> = Api::namespaced(client.clone(), name.as_str());
    let params = LogParams {
        container: Some(pod.container.to_string()),
        follow: true,
        tail_lines: Some(TAIL),
        timestamps: true,
        ..LogParams::default()
    };
    let Ok(reader) = api.log_stream(&pod.name, &params).await else { return };
    let mut reader = Box::pin(reader);
    let source = pod.source();
    while let Ok(Some(line)) = next_line(&mut reader).await {
        lines.extend(parse(&source, &line));
        if lines.len() > LINES {
            lines.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<LogLine> {
        vec![LogLine { time: chrono::DateTime::UNIX_EPOCH, source: "web.a".into(), text: text.into() }]
    }

    #[test]
    fn the_oldest_go_first_and_bytes_are_bounded() {
        let mut kept = Kept::default();
        let name = |number: usize| AppName::new(format!("app{number}")).unwrap();
        for number in 0..PODS + 5 {
            kept.add(&name(0), format!("{number}").into(), lines("x"));
        }
        assert_eq!(kept.apps[&name(0)].len(), PODS);
        assert_eq!(&*kept.apps[&name(0)][0].0, "5");
        for number in 1..=20 {
            kept.add(&name(number), "u".into(), lines(&"x".repeat(1024 * 1024)));
        }
        assert!(kept.bytes <= DEAD_BYTES_MAX);
        assert!(!kept.apps.contains_key(&name(0)) && kept.apps.contains_key(&name(20)));
        for number in 0..=20 {
            kept.forget(&name(number));
        }
        assert_eq!((kept.bytes, kept.order.len(), kept.apps.len()), (0, 0, 0));
    }
}
