//! A push from its first word to its last: who, which app, which refs, the build, the release.

mod deploy;
mod ending;
mod policy;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use slipway_core::{AppId, AppName, Username};
use tokio::sync::{Semaphore, mpsc};

use crate::SourceBuilder;
use crate::config::Limits;
use crate::git::command::PushRequest;
use crate::git::connectivity;
use crate::git::pack::{self, PackError};
use crate::git::quarantine::Quarantine;
use crate::git::receive::{self, Reply};
use crate::git::repository::{self, GitError, Repositories};
use crate::git::stream::{Input, Output, StreamError};
use crate::hook::{Controller, ControllerError};
use crate::lock::{PushLock, PushLocks};

use ending::Ending;
pub use policy::{Verdict, judge};

/// What is said to a push while another is under way. Source: `drycc-v2.md` §5.2.
pub const ONGOING: &str = "Another git push is ongoing";
/// Why a ref does not move when its build or release fails. Source: `drycc-v2.md` §5.4.
pub const DECLINED: &str = "pre-receive hook declined";

/// What all pushes share.
#[derive(Clone)]
pub struct Pushes {
    pub(crate) controller: Arc<dyn Controller>,
    pub(crate) builder: Arc<dyn SourceBuilder>,
    pub(crate) repositories: Repositories,
    pub(crate) locks: PushLocks,
    /// Places for fetches whose pack is being made.
    pub(crate) packing: Arc<Semaphore>,
    pub(crate) limits: Limits,
    /// Where checkouts are made.
    pub(crate) work: PathBuf,
    /// Where the logs of builds are kept.
    pub(crate) logs: PathBuf,
}

/// One push by one user to one app.
#[derive(Clone)]
pub(crate) struct Push {
    pub(crate) user: Username,
    pub(crate) app: AppId,
    pub(crate) name: AppName,
}

/// Why a push ended without a report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the file system refuses")]
    File(#[from] std::io::Error),
    #[error("a blocking task died")]
    Task(#[from] tokio::task::JoinError),
}

impl Pushes {
    /// Serves `git-receive-pack ARGUMENT`; tells the exit status.
    ///
    /// Dropping the future ends the push, unless its release is asked for already: the build is cancelled, the lock is
    /// free, nothing is kept.
    pub async fn receive_pack(
        &self,
        user: &Username,
        argument: &str,
        input: &mut Input,
        output: Arc<dyn Output>,
    ) -> u32 {
        let push = match self.find_app(user, argument).await {
            Ok(push) => push,
            Err(message) => {
                tracing::info!(user = %user, "push refused: {message}");
                let _ = output.error(Bytes::from(format!("{message}\n"))).await;
                return 1;
            }
        };
        match self.run(&push, input, &output).await {
            Ok(true) => 0,
            Ok(false) => 1,
            Err(error) => {
                tracing::warn!(user = %push.user, app.id = %push.app, "push failed: {}", slipway_cause::chain(&error));
                let message = match error {
                    PushError::Stream(error) => error.to_string(),
                    PushError::Git(_) | PushError::File(_) | PushError::Task(_) => {
                        "the builder has a problem of its own; try again, and tell the operator if it stays".to_owned()
                    }
                };
                let _ = output.error(Bytes::from(format!("error: {message}\n"))).await;
                1
            }
        }
    }

    /// Finds the app that a path names, if the user may push to it; an error is for the user.
    pub(crate) async fn find_app(&self, user: &Username, argument: &str) -> Result<Push, String> {
        let name = repository_name(argument)?;
        match self.controller.app_access(user, &name).await {
            Ok(app) => Ok(Push { user: user.clone(), app, name }),
            Err(ControllerError::NotFound) => Err(format!(
                "There is no app '{name}', or it is not yours.\n\
                 Create it with 'slipway create {name}', or correct the remote: git remote -v"
            )),
            Err(ControllerError::Forbidden) => {
                Err(format!("{user}, you have no permission to push to the app '{name}'."))
            }
            Err(ControllerError::Refused { text }) => Err(text),
            Err(error @ ControllerError::Unavailable { .. }) => {
                tracing::warn!("cannot look up an app: {}", slipway_cause::chain(&error));
                Err("The controller cannot be reached just now; try again in a moment.".to_owned())
            }
        }
    }

    async fn run(&self, push: &Push, input: &mut Input, output: &Arc<dyn Output>) -> Result<bool, PushError> {
        let Some(lock) = self.locks.try_lock(push.app) else {
            output.data(receive::refusal(ONGOING)).await?;
            return Ok(false);
        };
        let repositories = self.repositories.clone();
        let app = push.app;
        let (path, refs) = tokio::task::spawn_blocking(move || {
            let path = repositories.ensure(app)?;
            let refs = repository::refs(&path)?;
            Ok::<_, GitError>((path, refs))
        })
        .await??;
        output.data(receive::advertisement(&refs)).await?;
        let Some(request) = PushRequest::read(input).await? else { return Ok(true) };
        tracing::info!(user = %push.user, app.id = %push.app, refs = request.commands.len(), "push");
        let reply = Reply::new(Arc::clone(output), &request);
        let quarantine = Arc::new(Quarantine::create(&path)?);

        if request.has_pack() {
            let taken = pack::receive(input, Arc::clone(&quarantine), self.limits.pack_max_bytes).await;
            let unpacked = match taken {
                // A shallow clone is good if what it lacks is here already.
                Ok(()) => Ok(()),
                Err(PackError::Incomplete(_)) if request.is_shallow => {
                    Err("a shallow clone lacks history that is needed here; run 'git fetch --unshallow' first"
                        .to_owned())
                }
                Err(PackError::Stream(error)) => return Err(error.into()),
                Err(PackError::Store { source }) => return Err(source.into()),
                Err(error @ (PackError::TooLarge { .. } | PackError::Bad(_) | PackError::Incomplete(_))) => {
                    Err(error.to_string())
                }
            };
            if let Err(reason) = unpacked {
                tracing::info!(user = %push.user, app.id = %push.app, "pack refused: {reason}");
                reply.line(&format!(" !     {reason}")).await?;
                let outcomes: Vec<_> = request.commands.iter().map(|_| Err("unpacker error".to_owned())).collect();
                reply.report(Err(&reason), &request.commands, &outcomes).await?;
                return Ok(false);
            }
        }

        let outcomes = self.decide(push, &request, &reply, path, quarantine, lock).await?;
        reply.report(Ok(()), &request.commands, &outcomes).await?;
        Ok(outcomes.iter().all(Result::is_ok))
    }

    /// Checks each command, deploys what deploys, moves the refs; tells what became of each.
    async fn decide(
        &self,
        push: &Push,
        request: &PushRequest,
        reply: &Reply,
        repository: PathBuf,
        quarantine: Arc<Quarantine>,
        lock: PushLock,
    ) -> Result<Vec<Result<(), String>>, PushError> {
        let is_atomic = request.has("atomic");
        let mut verdicts = policy::judge(&request.commands);
        let commands = request.commands.clone();
        let checking = Arc::clone(&quarantine);
        let tips = tokio::task::spawn_blocking(move || {
            let view = checking.view()?;
            let check = |command: &crate::git::command::Command| match &command.name {
                Ok(name) => connectivity::check_tip(&view, command, name).map_err(|error| error.to_string()),
                Err(_) => Ok(()),
            };
            Ok::<_, GitError>(commands.iter().map(check).collect::<Vec<_>>())
        })
        .await??;
        for (verdict, tip) in verdicts.iter_mut().zip(tips) {
            if let (Verdict::Deploy(_) | Verdict::Store(_), Err(reason)) = (&verdict, tip) {
                *verdict = Verdict::Refuse(reason);
            }
        }
        let is_aborted = is_atomic && ending::is_refused(&verdicts);
        for (verdict, command) in verdicts.iter().zip(&request.commands) {
            if let (Verdict::Store(name), Some(branch)) = (verdict, verdict.name().and_then(|name| name.branch()))
                && !command.is_deletion()
                && !is_aborted
                && !policy::DEPLOYS.contains(&name.branch().unwrap_or_default())
            {
                let hint = format!(
                    " !     pushed to '{branch}', which does not deploy; push to main: \
                     git push slipway {branch}:main"
                );
                reply.line(&hint).await?;
            }
        }
        let mut publication = None;
        for (verdict, command) in verdicts.iter_mut().zip(&request.commands) {
            if let Verdict::Deploy(_) = verdict
                && !is_aborted
            {
                publication = self.build(push, command.new, reply, &quarantine).await?;
                if publication.is_none() {
                    *verdict = Verdict::Refuse(DECLINED.to_owned());
                }
            }
        }

        let ending = Ending {
            controller: Arc::clone(&self.controller),
            push: push.clone(),
            repository,
            quarantine,
            commands: request.commands.clone(),
            verdicts,
            is_atomic,
            lock,
        };
        let Some(publication) = publication else { return ending.move_refs().await };
        let (lines, from_release) = mpsc::channel(64);
        let releasing = tokio::spawn(ending.release(publication, lines));
        self.watch(releasing, from_release, reply).await??
    }
}

/// The app's name in a repository path: `/blog.git` names `blog`.
///
/// # Errors
/// What is wrong with it, for the user.
pub fn repository_name(argument: &str) -> Result<AppName, String> {
    let name = argument.strip_prefix('/').unwrap_or(argument);
    let name = name.strip_suffix('/').unwrap_or(name);
    let name = name.strip_suffix(".git").unwrap_or(name);
    if name.is_empty() || name.contains("..") {
        return Err("No repo given".to_owned());
    }
    AppName::new(name).map_err(|error| {
        let shown: String = name.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect();
        format!("'{shown}' is not the name of an app: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_apps() {
        for good in ["blog", "/blog", "blog.git", "/blog.git", "blog/", "/blog.git/"] {
            assert_eq!(repository_name(good).unwrap().as_str(), "blog", "{good}");
        }
        for bad in [
            "",
            "/",
            ".git",
            "/.git",
            "..",
            "../blog",
            "/../blog.git",
            "a/../blog",
            "//blog",
            "a/b",
            "blog\0",
            "~/blog",
            "-blog",
            "blog.git.git",
            "BLOG",
            "blog;id",
            "$(id)",
            "blog\n",
        ] {
            assert!(repository_name(bad).is_err(), "{bad:?}");
        }
    }
}
