//! Deployments of repositories elsewhere: claimed from the controller, fetched, built, reported.
//!
//! The claim is renewed while the work goes on. When the controller says that it is good for nothing any more, the work
//! is dropped; when this process dies, the controller hands the deployment to another in time.

mod fetch;
mod known_hosts;
mod prepare;
mod ssh;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openssl::sha::Sha256;
use slipway_core::config::SecretText;
use slipway_core::deployment::CLONE_TIMEOUT_SECS;
use slipway_core::{AppId, AppName, Username};
use slipway_wire::drycc_v2::hook;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::build::{BuildOutput, BuildRequest, SourceBuilder};
use crate::config::Limits;
use crate::git::checkout::{self, CheckoutLimits};
use crate::hook::{BuildEnd, BuildState, Controller, ControllerError};

pub(crate) use known_hosts::KnownHosts;

use fetch::{FetchError, Fetched, Source};

/// Deployments that are worked on at once.
const WORKERS: usize = 2;
/// How long one question for something to do may stay open.
const CLAIM_WAIT: Duration = Duration::from_secs(20);
/// Pause between two signs of life.
const RENEW_INTERVAL: Duration = Duration::from_secs(8);
/// Pause after a question that was not answered.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// How long a controller that is away is waited for with a result.
const FINISH_PATIENCE: Duration = Duration::from_mins(5);

/// What all deployments of repositories share.
#[derive(Clone)]
pub(crate) struct Remotes {
    pub(crate) controller: Arc<dyn Controller>,
    pub(crate) builder: Arc<dyn SourceBuilder>,
    pub(crate) limits: Limits,
    /// Where checkouts are made.
    pub(crate) work: PathBuf,
    /// Keys of the hosts that repositories are fetched from by SSH.
    pub(crate) known_hosts: KnownHosts,
}

/// What became of an order.
enum Outcome {
    Built { built: crate::Built, commit: String, fingerprint: String },
    Same { commit: String, fingerprint: String },
    Failed(String),
}

/// Sets the flag when dropped, so that blocking work behind a future stops with it.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Works until `shutdown`; what is under way then is dropped.
pub(crate) async fn run(remotes: Remotes, shutdown: CancellationToken) {
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (remotes, shutdown) = (remotes.clone(), shutdown.clone());
        workers.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = remotes.work_on() => {}
            }
        });
    }
    while workers.join_next().await.is_some() {}
}

impl Remotes {
    async fn work_on(&self) {
        loop {
            match self.controller.order_claim(CLAIM_WAIT).await {
                Ok(Some(order)) => self.serve(order).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!("nothing to fetch is known: {}", slipway_cause::chain(&error));
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn serve(&self, order: hook::Order) {
        let (app, claim) = (order.app.clone(), order.claim.clone());
        tracing::info!(app.id = %app, "fetching a repository to deploy");
        let outcome = tokio::select! {
            outcome = self.make(order) => outcome,
            () = self.keep_claim(&app, &claim) => {
                tracing::info!(app.id = %app, "a deployment is not wanted any more");
                return;
            }
        };
        let mut body = hook::OrderFinish {
            app: app.clone(),
            claim,
            outcome: String::new(),
            error: String::new(),
            commit_hash: String::new(),
            fingerprint: String::new(),
            image: String::new(),
            procfile: BTreeMap::new(),
            dockerfile: String::new(),
            stack: String::new(),
        };
        match outcome {
            Outcome::Built { built, commit, fingerprint } => {
                "built".clone_into(&mut body.outcome);
                (body.commit_hash, body.fingerprint) = (commit, fingerprint);
                (body.image, body.procfile) = (built.image, built.procfile);
                (body.dockerfile, body.stack) = (built.dockerfile, built.stack);
            }
            Outcome::Same { commit, fingerprint } => {
                "same".clone_into(&mut body.outcome);
                (body.commit_hash, body.fingerprint) = (commit, fingerprint);
            }
            Outcome::Failed(error) => {
                "failed".clone_into(&mut body.outcome);
                body.error = error;
            }
        }
        let until = tokio::time::Instant::now() + FINISH_PATIENCE;
        loop {
            match self.controller.order_finish(&body).await {
                Ok(_) => return,
                // A controller that restarts learns of it later; telling it twice does no harm.
                Err(ControllerError::Unavailable { .. }) if tokio::time::Instant::now() < until => {
                    let _ = self.controller.order_renew(&body.app, &body.claim).await;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(app.id = %app, "a deployment's end was not taken: {}", slipway_cause::chain(&error));
                    return;
                }
            }
        }
    }

    /// Ends when the claim is lost.
    async fn keep_claim(&self, app: &str, claim: &str) {
        loop {
            tokio::time::sleep(RENEW_INTERVAL).await;
            match self.controller.order_renew(app, claim).await {
                Ok(()) | Err(ControllerError::Unavailable { .. }) => {}
                Err(ControllerError::NotFound | ControllerError::Forbidden | ControllerError::Refused { .. }) => return,
            }
        }
    }

    async fn make(&self, order: hook::Order) -> Outcome {
        let ids = (order.app.parse::<AppId>(), AppName::new(&order.name), Username::new(&order.user));
        let (Ok(app), Ok(name), Ok(user)) = ids else {
            return Outcome::Failed("The controller's order makes no sense.".to_owned());
        };
        let work = tempfile::Builder::new().prefix("remote-").tempdir_in(&self.work);
        let Ok(work) = work else {
            return Outcome::Failed("The builder cannot write to its disk.".to_owned());
        };
        let (output, mut lines, log) = BuildOutput::new();
        // Nobody looks on; the text is kept.
        let reading = tokio::spawn(async move { while lines.recv().await.is_some() {} });
        let (outcome, commit) = self.fetch_and_build(&order, (app, &name), work.path(), &output).await;
        drop(output);
        reading.abort();
        if let Some(commit) = commit {
            let (state, end) = match &outcome {
                Outcome::Failed(error) => (BuildState::Failed, format!(" !     {error}\n")),
                Outcome::Built { .. } | Outcome::Same { .. } => (BuildState::Succeeded, String::new()),
            };
            log.append(end.as_bytes());
            let end = BuildEnd { user, app: name, sha: commit, state, log: log.text(), build: None };
            if let Err(error) = self.controller.log_keep(end).await {
                tracing::warn!(app.id = %app, "cannot hand a build's log to the controller: {}", slipway_cause::chain(&error));
            }
        }
        tokio::task::spawn_blocking(move || drop(work.close()));
        outcome
    }

    /// The outcome, and the commit when one was found.
    async fn fetch_and_build(
        &self,
        order: &hook::Order,
        (app, name): (AppId, &AppName),
        work: &Path,
        output: &BuildOutput,
    ) -> (Outcome, Option<String>) {
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(Arc::clone(&stop));
        let source = Source {
            url: order.remote.clone(),
            credentials: order.credentials.clone().map(SecretText::new),
            branch: order.branch.clone(),
            commit: order.commit_hash.clone(),
            bytes_max: self.limits.pack_max_bytes,
            is_private_allowed: self.limits.is_private_allowed,
            known_hosts: self.known_hosts.clone(),
        };
        output.step(&format!("Fetching {}", order.remote)).await;
        let patience = Duration::from_secs(CLONE_TIMEOUT_SECS);
        let is_wanted = |commit: &str| order.fingerprint.is_empty() || fingerprint(order, commit) != order.fingerprint;
        let repository = work.join("repository");
        let fetched = tokio::time::timeout(patience, fetch::fetch(&source, &repository, &stop, &is_wanted)).await;
        let fetched = match fetched {
            Ok(Ok(Fetched { commit, is_there: true })) => commit,
            Ok(Ok(Fetched { commit, is_there: false })) => {
                output.line("       Nothing changed since the last build, which is used again").await;
                let fingerprint = fingerprint(order, &commit);
                return (Outcome::Same { commit: commit.clone(), fingerprint }, Some(commit));
            }
            Ok(Err(FetchError(reason))) => return (Outcome::Failed(reason), None),
            Err(_) => {
                let text = format!("The repository was not fetched within {} minutes.", patience.as_secs() / 60);
                return (Outcome::Failed(text), None);
            }
        };
        let commit = fetched;
        let failed = |text: String| (Outcome::Failed(text), Some(commit.clone()));
        output.line(&format!("       Commit {commit}")).await;
        let checkout = work.join("source");
        let limits =
            CheckoutLimits { max_bytes: self.limits.source_max_bytes, max_entries: self.limits.source_max_files };
        let (target, id, flag) = (checkout.clone(), commit.clone(), stop);
        let done = tokio::task::spawn_blocking(move || {
            std::fs::create_dir(&target).map_err(|error| error.to_string())?;
            let view = git2::Repository::open_bare(&repository).map_err(|error| error.message().to_owned())?;
            let id = git2::Oid::from_str(&id).map_err(|error| error.message().to_owned())?;
            checkout::checkout(&view, id, &target, limits, &flag).map_err(|error| error.to_string())
        })
        .await;
        match done {
            Ok(Ok(done)) => {
                for path in done.submodules {
                    output.line(&format!(" !     submodule '{path}' is left out: submodules are not fetched")).await;
                }
            }
            Ok(Err(reason)) => return failed(reason),
            Err(_) => return failed("the checkout failed".to_owned()),
        }
        let prepared = prepare::prepare(order, &checkout);
        let (source, env) = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => return failed(reason),
        };
        let request = BuildRequest { app, name: name.clone(), sha: commit.clone(), source, env };
        match self.builder.build(request, output.clone()).await {
            Ok(built) => {
                let fingerprint = fingerprint(order, &commit);
                (Outcome::Built { built, commit: commit.clone(), fingerprint }, Some(commit))
            }
            Err(error) => failed(error.to_string()),
        }
    }
}

/// Stands for all that a build is made of. Source: `dployr-v1.md` §4.1.
fn fingerprint(order: &hook::Order, commit: &str) -> String {
    let mut hash = Sha256::new();
    let parts = [
        &order.remote,
        &order.branch,
        commit,
        &order.runtime,
        &order.version,
        &order.build_cmd,
        &order.working_dir,
        &order.static_dir,
        &order.process_type,
    ];
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    }
    hash.finish().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn order() -> hook::Order {
        hook::Order {
            app: AppId::generate().to_string(),
            name: "blog".to_owned(),
            user: "ada".to_owned(),
            claim: "claim".to_owned(),
            remote: "https://git.example/a".to_owned(),
            credentials: None,
            branch: "main".to_owned(),
            commit_hash: String::new(),
            runtime: "nodejs".to_owned(),
            version: "20".to_owned(),
            build_cmd: String::new(),
            run_cmd: "npm start".to_owned(),
            process_type: "web".to_owned(),
            working_dir: String::new(),
            static_dir: String::new(),
            env: BTreeMap::new(),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn whatever_is_built_of_is_in_the_fingerprint() {
        let first = fingerprint(&order(), "c1");
        assert_eq!(first.len(), 64);
        assert_eq!(first, fingerprint(&order(), "c1"));
        assert_ne!(first, fingerprint(&order(), "c2"));
        let changes: [fn(&mut hook::Order); 4] = [
            |order| order.version = "22".to_owned(),
            |order| order.branch = "next".to_owned(),
            |order| order.build_cmd = "make".to_owned(),
            |order| order.working_dir = "web".to_owned(),
        ];
        for change in changes {
            let mut other = order();
            change(&mut other);
            assert_ne!(first, fingerprint(&other, "c1"));
        }
        let mut same = order();
        same.run_cmd = "node .".to_owned();
        assert_eq!(first, fingerprint(&same, "c1"), "what is only run is not built again");
    }
}
