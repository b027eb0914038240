//! `apps:watch`: Slipway's own. On a terminal a view that is drawn anew; elsewhere a line for each change.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::json;
use slipway_wire::drycc_v2::{Page, Pods, Release};

use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print::screen::Screen;
use crate::{print, terminal};

/// Pause between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Releases that the view shows.
const RELEASES: usize = 5;
/// Events that the view shows.
const EVENTS: usize = 10;
/// Lines of the view that are headings.
const HEADINGS: usize = 3;
/// What is told while the controller is away.
const AWAY: &str = "The controller does not answer; trying again.";

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

    /// How watching ends when the newest release has ended.
    fn end(&self, app: &str) -> Option<Result> {
        let (version, state, summary) = self.releases.first()?;
        match state.as_str() {
            "succeeded" => Some(Ok(())),
            "failed" | "superseded" | "canceled" => {
                let error = Error::new(format!("release v{version} {state}: {summary}"));
                Some(Err(error.hint(format!("`slipway releases:info v{version} -a {app}` says why"))))
            }
            _ => None,
        }
    }

    /// What is shown in so many lines. What does not fit is left out where there is most.
    fn draw(&self, app: &str, events: &[String], rows: usize) -> Vec<String> {
        let shown = [self.releases.len().min(RELEASES), self.processes.len(), events.len().min(EVENTS)];
        let [releases, processes, recent] = share(shown, rows.saturating_sub(HEADINGS));
        let mut lines = vec![format!("=== {app} Releases")];
        let newest = self.releases.iter().take(releases);
        lines.extend(newest.map(|(version, state, summary)| format!("v{version:<5} {state:<11} {summary}")));
        lines.push(match self.processes.len() {
            all if processes < all => format!("=== {app} Processes ({processes} of {all})"),
            _ => format!("=== {app} Processes"),
        });
        lines.extend(
            self.processes
                .iter()
                .take(processes)
                .map(|(name, (kind, state, release))| format!("{kind:<10} {name} {state} ({release})")),
        );
        lines.push("=== Events".to_owned());
        lines.extend(events[events.len() - recent..].iter().cloned());
        lines
    }
}

/// Takes lines away where there are most, until there are no more than `room`.
fn share<const N: usize>(mut lines: [usize; N], room: usize) -> [usize; N] {
    while lines.iter().sum::<usize>() > room {
        if let Some(most) = lines.iter_mut().max() {
            *most -= 1;
        }
    }
    lines
}

/// Shows an app as it changes; with `is_waiting` until the newest release has ended.
pub async fn watch(cx: &Context, is_waiting: bool) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let first = look(&api, &app).await?;
    if cx.is_json || !print::can_draw(std::io::stdout().is_terminal()) {
        return tell(cx, &api, &app, first, is_waiting).await;
    }
    let mut shown = Shown { view: first, events: Vec::new() };
    let mut screen = Screen::enter()?;
    let end = tokio::select! {
        end = draw(&mut screen, &api, &app, &mut shown, is_waiting) => end,
        code = terminal::told_to_end() => Err(Error::Exit(code)),
    };
    drop(screen);
    // What was seen last stays, as the output of any other command does. The terminal may be gone.
    let lines = shown.view.draw(&app, &shown.events, usize::MAX);
    let _ = lines.iter().try_for_each(|line| print::line(print::log::safe(line)));
    end
}

/// What is on the screen.
struct Shown {
    view: View,
    events: Vec<String>,
}

/// Draws the view until the newest release has ended, or for ever.
async fn draw(screen: &mut Screen, api: &Api, app: &str, shown: &mut Shown, is_waiting: bool) -> Result {
    let mut resized = terminal::Resized::new();
    loop {
        screen.draw(shown.view.draw(app, &shown.events, Screen::size().1))?;
        if is_waiting && let Some(end) = shown.view.end(app) {
            return end;
        }
        tokio::select! {
            now = next(api, app) => match now {
                Ok(now) => {
                    shown.events.extend(shown.view.events(&now));
                    shown.view = now;
                }
                Err(error) if is_passing(&error) => {
                    if shown.events.last().is_none_or(|last| last != AWAY) {
                        shown.events.push(AWAY.to_owned());
                    }
                }
                Err(error) => return Err(error),
            },
            _ = resized.next() => {}
        }
        shown.events.drain(..shown.events.len().saturating_sub(EVENTS));
    }
}

/// Tells what there is, and each change, on a line of its own, until the newest release has ended, or for ever.
async fn tell(cx: &Context, api: &Api, app: &str, first: View, is_waiting: bool) -> Result {
    let (mut view, mut now) = (View::default(), first);
    loop {
        for event in view.events(&now) {
            if cx.is_json { print::line(json!({"event": event}))? } else { print::line(event)? }
        }
        if is_waiting && let Some(end) = now.end(app) {
            return end;
        }
        view = now;
        now = loop {
            match next(api, app).await {
                Ok(now) => break now,
                Err(error) if is_passing(&error) => print::note(format_args!("!    {AWAY}")),
                Err(error) => return Err(error),
            }
        };
    }
}

/// Whether an error may be gone with the next look: the controller may be restarted while somebody watches.
fn is_passing(error: &Error) -> bool {
    error.status().is_none_or(|status| status.is_server_error())
}

async fn next(api: &Api, app: &str) -> Result<View> {
    tokio::time::sleep(INTERVAL).await;
    look(api, app).await
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
        assert!(
            matches!(before.end("x"), Some(Ok(()))) && now.end("x").is_none() && View::default().end("x").is_none()
        );
        assert!(matches!(view(&[(3, "failed")], &[]).end("x"), Some(Err(_))));
    }

    #[test]
    fn a_small_terminal_shows_something_of_everything() {
        let names: Vec<String> = (0..30).map(|it| format!("web-{it:02}")).collect();
        let processes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "up")).collect();
        let view = view(&[(3, "succeeded"), (2, "superseded"), (1, "superseded")], &processes);
        let events: Vec<String> = (0..20).map(|it| format!("event {it}")).collect();
        let lines = view.draw("x", &events, 12);
        assert_eq!(lines.len(), 12);
        let at = |text: &str| lines.iter().position(|line| line == text);
        assert_eq!(at("=== x Processes (3 of 30)"), Some(4), "{lines:#?}");
        assert_eq!((at("=== Events"), lines.last().map(String::as_str)), (Some(8), Some("event 19")), "{lines:#?}");
        assert_eq!(view.draw("x", &[], 3).len(), 3);
        assert_eq!(view.draw("x", &events, usize::MAX).len(), 3 + 3 + 30 + EVENTS);
    }
}
