//! Lines as they are written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::api::{Api, LogParams};
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::{AppId, AppName};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::read::{next_line, parse};
use super::{Inner, PODS_MAX, wants};
use crate::index::Index;
use crate::pod::{Container, Pod};

/// Lines that a reader may be behind before the pods' output waits for it.
const LINES: usize = 256;
/// Longest time without a look at which pods there are; changes of the index are told before.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What is known of a pod that is followed.
struct Followed {
    /// Time of its last line that was told.
    last: DateTime<Utc>,
    is_active: bool,
    /// Whether its container had ended for good when it was last read to the end.
    is_over: bool,
}

/// A task that follows all pods of an app, those that come later included, and its lines; ends when the stream is dropped.
#[expect(clippy::too_many_arguments, reason = "everything that must be subscribed to before the first read")]
pub(super) fn follow(
    inner: &Arc<Inner>,
    app: AppId,
    name: AppName,
    query: LogQuery,
    begun: DateTime<Utc>,
    told: &[LogLine],
    mut platform: broadcast::Receiver<(AppId, LogLine)>,
    mut changes: broadcast::Receiver<AppName>,
) -> impl Stream<Item = LogLine> + use<> {
    let (sender, receiver) = mpsc::channel(LINES);
    let (client, index) = (inner.client.clone(), inner.index.clone());
    let mut last: HashMap<String, DateTime<Utc>> = HashMap::new();
    for line in told {
        let time = last.entry(line.source.clone()).or_insert(line.time);
        *time = line.time.max(*time);
    }
    // Lines of the platform that came between subscribing and reading are in both.
    let platform_told = told.iter().filter(|line| line.time >= begun).cloned().collect::<Vec<_>>();
    tokio::spawn(async move {
        let api: Api<ApiPod> = Api::namespaced(client, name.as_str());
        let mut pods: HashMap<Box<str>, Followed> = HashMap::new();
        let mut tasks: JoinSet<(Arc<Pod>, DateTime<Utc>)> = JoinSet::new();
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        loop {
            tokio::select! {
                () = sender.closed() => return,
                line = platform.recv() => match line {
                    Ok((of, line)) if of == app && wants(&query, &line.source) && !platform_told.contains(&line) => {
                        if sender.send(line).await.is_err() {
                            return;
                        }
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                change = changes.recv() => match change {
                    Ok(changed) if changed == name => {}
                    Ok(_) => continue,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                Some(ended) = tasks.join_next() => {
                    if let Ok((pod, last)) = ended
                        && let Some(followed) = pods.get_mut(&pod.uid)
                    {
                        followed.is_active = false;
                        followed.last = last;
                        // The next look, or a change, takes it up again: not at once, as long as nothing is known to be new.
                        followed.is_over = !is_running(&index, &name, &pod.uid);
                    }
                    continue;
                }
                _ = look.tick() => {}
            }
            let objects = index.app(&name);
            pods.retain(|uid, followed| followed.is_active || objects.pods.iter().any(|pod| pod.uid == *uid));
            for pod in objects.pods.iter().filter(|pod| wants(&query, &pod.source())) {
                let is_started = !matches!(pod.state, Container::None | Container::Waiting { .. });
                let known = pods.get(&pod.uid);
                let is_due = match known {
                    Some(followed) => {
                        !followed.is_active && (!followed.is_over || matches!(pod.state, Container::Running { .. }))
                    }
                    None => tasks.len() < PODS_MAX,
                };
                if !is_started || !is_due {
                    continue;
                }
                let source = pod.source();
                let since = known.map(|followed| followed.last).or_else(|| last.get(&source).copied());
                let since = since.unwrap_or(DateTime::UNIX_EPOCH);
                pods.insert(pod.uid.clone(), Followed { last: since, is_active: true, is_over: false });
                tasks.spawn(pod_follow(api.clone(), Arc::clone(pod), since, begun, sender.clone()));
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|line| (line, receiver)) })
}

fn is_running(index: &Index, name: &AppName, uid: &str) -> bool {
    let objects = index.app(name);
    objects.pods.iter().any(|pod| *pod.uid == *uid && matches!(pod.state, Container::Running { .. }))
}

/// Tells a pod's lines newer than `since` until its output ends; gives the time of the last one.
async fn pod_follow(
    api: Api<ApiPod>,
    pod: Arc<Pod>,
    since: DateTime<Utc>,
    begun: DateTime<Utc>,
    sender: mpsc::Sender<LogLine>,
) -> (Arc<Pod>, DateTime<Utc>) {
    let mut last = since;
    let source = pod.source();
    let is_new = since == DateTime::UNIX_EPOCH;
    // What an old pod wrote before was told, or was not asked for.
    let from = if is_new && pod.created < begun { begun } else { since };
    let params = LogParams {
        container: Some(pod.container.to_string()),
        follow: true,
        timestamps: true,
        since_time: (from > DateTime::UNIX_EPOCH)
            .then(|| k8s_openapi::jiff::Timestamp::from_second(from.timestamp()).ok())
            .flatten(),
        ..LogParams::default()
    };
    let Ok(reader) = api.log_stream(&pod.name, &params).await else { return (pod, last) };
    let mut reader = Box::pin(reader);
    while let Ok(Some(line)) = next_line(&mut reader).await {
        let Some(line) = parse(&source, &line) else { continue };
        // The API server counts whole seconds.
        if line.time <= last || line.time < from {
            continue;
        }
        last = line.time;
        if sender.send(line).await.is_err() {
            break;
        }
    }
    (pod, last)
}
