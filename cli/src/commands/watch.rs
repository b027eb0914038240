//! `apps:watch`: Slipway's own. On a terminal a view that is drawn anew; elsewhere a line for each change.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::json;
use slipway_wire::drycc_v2::{Page, Pods, Release};

use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// Pause between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Releases that the view shows.
const RELEASES: usize = 5;
/// Events that the view shows.
const EVENTS: usize = 10;

/// What is seen at one look.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct View {
    /// Newest first: number, state, summary.
    releases: Vec<(u32, String, String)>,
    /// Type, state and release by name.
    processes: BTreeMap<String, (String, String, String)>,
}

impl View {
    /// What became of `self`, in words.
    fn events(&self, now: &Self) -> Vec<String> {
        let mut events = Vec::new();
        for (version, state, summary) in now.releases.iter().rev() {
            match self.releases.iter().find(|(known, _, _)| known == version) {
                None => events.push(format!("release v{version} {state}: {summary}")),
                Some((_, before, _)) if before != state => {
                    events.push(format!("release v{version} {before} -> {state}"));
                }
                Some(_) => {}
            }
        }
        for (name, (_, state, release)) in &now.processes {
            match self.processes.get(name) {
                None => events.push(format!("process {name} {state} ({release})")),
                Some((_, before, _)) if before != state => events.push(format!("process {name} {before} -> {state}")),
                Some(_) => {}
            }
        }
        let gone = self.processes.keys().filter(|name| !now.processes.contains_key(*name));
        events.extend(gone.map(|name| format!("process {name} gone")));
        events
    }

    /// How the newest release ended, if it did.
    fn outcome(&self) -> Option<bool> {
        match self.releases.first()?.1.as_str() {
            "succeeded" => Some(true),
            "failed" | "superseded" | "canceled" => Some(false),
            _ => None,
        }
    }

    fn draw(&self, app: &str, events: &[String]) -> String {
        let mut lines = vec![format!("=== {app} Releases")];
        let releases = self.releases.iter().take(RELEASES);
        lines.extend(releases.map(|(version, state, summary)| format!("v{version:<5} {state:<11} {summary}")));
        lines.push(format!("=== {app} Processes"));
        lines.extend(
            self.processes
                .iter()
                .map(|(name, (kind, state, release))| format!("{kind:<10} {name} {state} ({release})")),
        );
        lines.push("=== Events".to_owned());
        lines.extend(events.iter().rev().take(EVENTS).rev().cloned());
        lines.join("\n")
    }
}

/// Shows an app as it changes; with `is_waiting` until the newest release has ended.
pub async fn watch(cx: &Context, is_waiting: bool) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let is_drawn = std::io::stdout().is_terminal() && !cx.is_json;
    let mut view: Option<View> = None;
    let mut events: Vec<String> = Vec::new();
    loop {
        match look(&api, &app).await {
            Ok(now) => {
                let news = view.clone().unwrap_or_default().events(&now);
                let has_news = !news.is_empty() || view.is_none();
                if is_drawn {
                    // What is there at first is no event.
                    if view.is_some() {
                        events.extend(news);
                    }
                    if has_news {
                        print::screen(&now.draw(&app, &events))?;
                    }
                } else {
                    for event in news {
                        if cx.is_json { print::line(json!({"event": event}))? } else { print::line(event)? }
                    }
                }
                if is_waiting && let Some(is_good) = now.outcome() {
                    if is_good {
                        return Ok(());
                    }
                    let (version, state, summary) = &now.releases[0];
                    return Err(Error::new(format!("release v{version} {state}: {summary}"))
                        .hint(format!("`slipway releases:info v{version} -a {app}` says why")));
                }
                view = Some(now);
            }
            // The controller may be restarted while somebody watches; what it refuses is told.
            Err(error) if view.is_some() && error.status().is_none_or(|status| status.is_server_error()) => {
                print::note("!    The controller does not answer; trying again.");
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(api: &Api, app: &str) -> Result<View> {
    let releases: Page<Release> = api.get(&app_path(app, &format!("releases/?limit={RELEASES}"))).await?.json()?;
    let pods: Pods = api.get(&app_path(app, "pods/")).await?.json()?;
    Ok(View {
        releases: releases.results.into_iter().map(|it| (it.version, it.state, it.summary)).collect(),
        processes: pods.results.into_iter().map(|pod| (pod.name, (pod.process_type, pod.state, pod.release))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(releases: &[(u32, &str)], processes: &[(&str, &str)]) -> View {
        let text = str::to_owned;
        View {
            releases: releases.iter().map(|(version, state)| (*version, text(state), text("why"))).collect(),
            processes: processes
                .iter()
                .map(|(name, state)| (text(name), (text("web"), text(state), text("v1"))))
                .collect(),
        }
    }

    #[test]
    fn changes_are_told_once() {
        let before = view(&[(1, "succeeded")], &[("a", "up"), ("b", "up")]);
        let now = view(&[(2, "deploying"), (1, "succeeded")], &[("a", "up"), ("b", "down"), ("c", "starting")]);
        let told = ["release v2 deploying: why", "process b up -> down", "process c starting (v1)"];
        assert_eq!(before.events(&now), told);
        assert_eq!(now.events(&now), Vec::<String>::new());
        let after = view(&[(2, "succeeded"), (1, "superseded")], &[("c", "up")]);
        let told = [
            "release v1 succeeded -> superseded",
            "release v2 deploying -> succeeded",
            "process c starting -> up",
            "process a gone",
            "process b gone",
        ];
        assert_eq!(now.events(&after), told);
        assert_eq!((before.outcome(), now.outcome(), View::default().outcome()), (Some(true), None, None));
    }
}
