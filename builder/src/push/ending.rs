//! The end of a push: the release, and the refs that move with it.
//!
//! Once a release is asked for, nobody can take it back by closing a terminal. So from there on a push goes on without
//! its pusher, and still holds the app's lock: the refs move if the release succeeds, and else stay, so that they
//! always tell what was deployed and the same commit is not built again for nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::deploy::{controller_text, marked};
use super::{DECLINED, Push, PushError, Verdict};
use crate::git::command::Command;
use crate::git::quarantine::Quarantine;
use crate::git::repository::{self, RefUpdate};
use crate::hook::{Controller, ControllerError, Progress, Publication, ReleaseState};
use crate::lock::PushLock;

/// How long the controller may be away while a release is followed.
const FOLLOW_PATIENCE: Duration = Duration::from_mins(2);
/// Shortest time between two questions about a release, whatever the controller answers.
const FOLLOW_PAUSE: Duration = Duration::from_millis(100);

/// A push whose objects are checked and whose source is built.
pub(super) struct Ending {
    pub(super) controller: Arc<dyn Controller>,
    pub(super) push: Push,
    pub(super) repository: PathBuf,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) commands: Vec<Command>,
    /// One for each command.
    pub(super) verdicts: Vec<Verdict>,
    /// Whether all refs move or none.
    pub(super) is_atomic: bool,
    /// Keeps other pushes out until this one is over.
    pub(super) lock: PushLock,
}

impl Ending {
    /// Releases what was built, then moves the refs; tells what became of each command.
    ///
    /// It is to run in a task of its own. Text for the pusher goes to `lines`, whether or not somebody reads it.
    pub(super) async fn release(
        mut self,
        publication: Publication,
        lines: mpsc::Sender<Bytes>,
    ) -> Result<Vec<Result<(), String>>, PushError> {
        if !self.publish_and_follow(&publication, &lines).await {
            for verdict in &mut self.verdicts {
                if let Verdict::Deploy(_) = verdict {
                    *verdict = Verdict::Refuse(DECLINED.to_owned());
                }
            }
        }
        if lines.is_closed() {
            tracing::info!(app.id = %self.push.app, "a push ends without its pusher");
        }
        drop(lines);
        self.move_refs().await
    }

    /// Moves the refs of the commands that are not refused; tells what became of each command.
    pub(super) async fn move_refs(self) -> Result<Vec<Result<(), String>>, PushError> {
        let Self { repository, quarantine, commands, verdicts, is_atomic, lock, .. } = self;
        let is_aborted = is_atomic && is_refused(&verdicts);
        let mut outcomes: Vec<Result<(), String>> = verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Refuse(reason) => Err(reason.clone()),
                Verdict::Deploy(_) | Verdict::Store(_) if is_aborted => Err("atomic push failed".to_owned()),
                Verdict::Deploy(_) | Verdict::Store(_) => Ok(()),
            })
            .collect();
        let mut updates = Vec::new();
        for ((verdict, command), outcome) in verdicts.iter().zip(&commands).zip(&outcomes) {
            if let (Some(name), Ok(())) = (verdict.name(), outcome) {
                updates.push(RefUpdate { name: name.clone(), old: command.old, new: command.new });
            }
        }
        if updates.is_empty() {
            return Ok(outcomes);
        }
        let moved = tokio::task::spawn_blocking(move || {
            quarantine.migrate()?;
            let moved = repository::update_refs(&repository, &updates, is_atomic)?;
            drop(lock);
            Ok::<_, PushError>(moved)
        })
        .await??;
        let mut moved = moved.into_iter();
        for outcome in &mut outcomes {
            if outcome.is_ok() {
                *outcome = moved.next().unwrap_or_else(|| Err("failed to update ref".to_owned()));
            }
        }
        Ok(outcomes)
    }

    /// Tells whether the release runs. What went wrong has been said to the pusher.
    async fn publish_and_follow(&self, publication: &Publication, lines: &mpsc::Sender<Bytes>) -> bool {
        let version = match self.controller.build_publish(publication).await {
            Ok(version) => version,
            Err(error) => {
                let text = controller_text(&error);
                say(lines, marked(&format!("The controller returned an error when publishing the release: {text}")))
                    .await;
                return false;
            }
        };
        let progress = match self.follow(version, lines).await {
            Ok(progress) => progress,
            Err(error) => {
                tracing::warn!(app.id = %self.push.app, "cannot follow v{version}: {}", slipway_cause::chain(&error));
                let text = format!(
                    "The controller no longer tells about v{version}, which may still be on its way: slipway releases"
                );
                say(lines, marked(&text)).await;
                return false;
            }
        };
        let name = &self.push.name;
        let mut text = match progress.state {
            ReleaseState::Succeeded => format!("Done, {name}:v{version} deployed to Slipway\n"),
            ReleaseState::Superseded => {
                format!("{name}:v{version} was superseded by a newer release, which goes on.\n")
            }
            ReleaseState::Failed | ReleaseState::Canceled | ReleaseState::Underway => {
                let how = if progress.state == ReleaseState::Canceled { "was canceled" } else { "failed" };
                say(lines, marked(&format!("Release v{version} {how}. {}", progress.reason))).await;
                return false;
            }
        };
        for url in &progress.urls {
            text = text + url + "\n";
        }
        if !progress.urls.is_empty() {
            text += "Use 'slipway open' to view this application in your browser\n";
        }
        say(lines, text).await;
        true
    }

    /// Asks until the release is final. Lines that were not there before go to `lines`.
    async fn follow(&self, version: u32, lines: &mpsc::Sender<Bytes>) -> Result<Progress, ControllerError> {
        let mut seen = String::new();
        let mut shown: Vec<String> = Vec::new();
        let mut answered = Instant::now();
        loop {
            match self.controller.release_follow(&self.push.name, version, &seen).await {
                Ok(progress) => {
                    answered = Instant::now();
                    for line in progress.lines.iter().filter(|line| !shown.contains(line)) {
                        say(lines, format!("       {line}\n")).await;
                    }
                    shown.clone_from(&progress.lines);
                    if progress.state != ReleaseState::Underway {
                        return Ok(progress);
                    }
                    seen = progress.seen;
                    tokio::time::sleep(FOLLOW_PAUSE).await;
                }
                // A controller that restarts goes on with the release; so do we.
                Err(ControllerError::Unavailable { .. }) if answered.elapsed() < FOLLOW_PATIENCE => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether any command is refused.
pub(super) fn is_refused(verdicts: &[Verdict]) -> bool {
    verdicts.iter().any(|verdict| matches!(verdict, Verdict::Refuse(_)))
}

/// A pusher who has left is no reason to stop.
async fn say(lines: &mpsc::Sender<Bytes>, text: String) {
    let _ = lines.send(Bytes::from(text)).await;
}
