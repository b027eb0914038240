//! Carries out deployments of teams that were started.
//!
//! A start is a row. Whoever leads takes it up by a claim of its own and carries it out; the end is written only over the
//! state and the try that it began with. A claim that is another's is that of a controller that is gone: what it left half
//! done is failed, and may be started again. A start that nobody has taken up yet is carried out by whoever leads next.
//! Source: `team-api.md` §4.5, "`in-progress` at process start → failed".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use slipway_core::Result;
use slipway_store as store;
use slipway_team::{DeploymentId, NodeId};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{OTHERS_INTERVAL, Reconciler};
use crate::stored::{Fail, Stored, write};
use crate::team::INTERRUPTED;

/// Deployments that are carried out at once.
const RUNS_MAX: usize = 64;
/// Longest time without a look.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// Where a deployment goes. One at a time goes to one place: two would write over each other.
type Place = (NodeId, String);

/// What this term carries out.
pub(crate) struct Term {
    claim: String,
    running: HashMap<DeploymentId, Place>,
    tasks: JoinSet<()>,
    by_task: HashMap<Id, DeploymentId>,
}

impl Term {
    pub(crate) fn new() -> Self {
        Self {
            claim: uuid::Uuid::new_v4().simple().to_string(),
            running: HashMap::new(),
            tasks: JoinSet::new(),
            by_task: HashMap::new(),
        }
    }

    /// Waits until everything that it took up came to its end.
    #[cfg(test)]
    pub(crate) async fn settle(&mut self) {
        while !self.running.is_empty() {
            self.ended().await;
        }
    }

    /// Ends with its controller, in the middle of whatever it does.
    #[cfg(test)]
    pub(crate) async fn die(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Waits until a deployment came to its end; for ever while there is none.
    async fn ended(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                tracing::error!("a deployment ended early: {error}");
                error.id()
            }
        };
        if let Some(id) = self.by_task.remove(&task) {
            self.running.remove(&id);
        }
    }
}

impl Reconciler {
    /// Carries out deployments until `shutdown`.
    pub(super) async fn team_deployments_run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut term = Term::new();
        loop {
            let pause = match self.team_deployments_turn(&mut term).await {
                Ok(()) => LOOK_INTERVAL,
                Err(error) => {
                    tracing::warn!("could not look after deployments of teams: {error}");
                    OTHERS_INTERVAL
                }
            };
            // What other controllers record is told to nobody here.
            let pause = if self.is_shared() { pause.min(OTHERS_INTERVAL) } else { pause };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.service().signals().deployment_wanted() => {}
                () = term.ended() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks once at what was started: fails what others left half done, and takes up what nobody has.
    pub(crate) async fn team_deployments_turn(&self, term: &mut Term) -> Result<()> {
        let service = self.service();
        let mut db = service.read().await?;
        let under_way = store::deployments_in_progress(&mut db).await.stored()?;
        if under_way.is_empty() {
            return Ok(());
        }
        let claims = store::deployment_start_claims(&mut db).await.stored()?;
        drop(db);
        for (team, id, attempt) in under_way {
            if term.running.contains_key(&id) {
                continue;
            }
            match claims.get(&id) {
                Some(None) if term.running.len() < RUNS_MAX => {
                    let found = store::deployment_listed(&mut service.read().await?, team, id).await.stored()?;
                    let Some(listed) = found else { continue };
                    let place: Place = (listed.node.id, listed.prefix);
                    if term.running.values().any(|other| *other == place) {
                        continue;
                    }
                    let claim = term.claim.clone();
                    let is_ours =
                        write!(service, |db| { Ok::<_, Fail>(store::deployment_start_claim(db, id, &claim).await?) })
                            .map_err(slipway_core::Error::from)?;
                    if is_ours {
                        let own = service.clone();
                        let task = term.tasks.spawn(async move { own.deployment_run(team, id, attempt).await });
                        term.by_task.insert(task.id(), id);
                        term.running.insert(id, place);
                    }
                }
                Some(None) => {}
                Some(Some(_)) | None => service.deployment_end(team, (id, attempt), Some(INTERRUPTED)).await?,
            }
        }
        Ok(())
    }
}
