//! Deployments that a builder fetches and builds.
//!
//! The builder asks for one, is known by a claim from then on, says now and then that it is still at it, and tells how
//! it ended. A builder that is not heard of loses its claim, and another gets the deployment. Whatever dies: what was
//! recorded decides.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use slipway_core::app::Structure;
use slipway_core::build::Build;
use slipway_core::config::{Config, SecretText};
use slipway_core::deployment::{CLAIMS_MAX, Deployment, DeploymentRequest, DeploymentType, DeploymentWork};
use slipway_core::release::Release;
use slipway_core::structure::is_known;
use slipway_core::{AppId, AppName, BuildId, Error, ProcessType, ReleaseVersion, Result, Username};
use slipway_store as store;
use slipway_store::Db;

use crate::hook::builder_only;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, NewBuild, Service};

/// Time for which a claim is good unless it is renewed.
const CLAIM_LIFE: TimeDelta = TimeDelta::seconds(30);
/// Longest that a builder's question is held.
const WAIT_MAX: Duration = Duration::from_secs(25);
/// Pause between two looks for what other controllers record.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest text of a failure that is kept.
const ERROR_MAX: usize = 4000;

/// Something to be fetched and built.
#[derive(Debug, Clone)]
pub struct Order {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// In whose name it is built.
    pub user: Username,
    /// What the builder is known by.
    pub claim: String,
    /// What is asked for.
    pub request: DeploymentRequest,
    /// `user:password` for the repository.
    pub credentials: Option<SecretText>,
    /// The environment of the build.
    pub config: Option<Config>,
    /// Stands for what the last good build was made of; empty when that is not to be used again.
    pub fingerprint: String,
}

/// How an order ended.
#[derive(Debug, Clone)]
pub enum OrderOutcome {
    /// There is a build.
    Built {
        /// What was built.
        new: NewBuild,
        /// The whole hash of the commit.
        commit_hash: String,
        /// Stands for what it was made of.
        fingerprint: String,
    },
    /// It would be built of the same as the last good build.
    Same {
        /// The whole hash of the commit.
        commit_hash: String,
        /// That of the last build.
        fingerprint: String,
    },
    /// It does not build.
    Failed {
        /// Why, for the user.
        error: String,
    },
}

/// An outcome, and whose.
#[derive(Debug, Clone)]
pub struct OrderResult {
    /// The app.
    pub app: AppId,
    /// The builder's claim.
    pub claim: String,
    /// How it ended.
    pub outcome: OrderOutcome,
}

/// What is recorded of a deployment together with the release that was made for it.
#[derive(Debug, Clone)]
pub(crate) struct OrderDone {
    attempt: u32,
    work: DeploymentWork,
    claim: Option<String>,
    commit_hash: String,
    fingerprint: String,
    process_type: ProcessType,
}

impl OrderDone {
    /// Of a deployment of an image.
    pub(crate) fn of_image(deployment: &Deployment) -> Self {
        Self {
            attempt: deployment.attempt,
            work: DeploymentWork::Image,
            claim: None,
            commit_hash: String::new(),
            fingerprint: String::new(),
            process_type: deployment.request.kind.process_type(),
        }
    }

    /// Records it, in the transaction that makes the release: one deployment gets one release, whatever is told twice.
    pub(crate) async fn record(
        &self,
        db: &mut Db,
        app: AppId,
        build: &Build,
        release: &Release,
        now: DateTime<Utc>,
    ) -> Result<(), Fail> {
        let current = store::deployment_by_app(db, app).await?;
        let is_it = current.is_some_and(|current| current.attempt == self.attempt && current.work == self.work);
        let is_claimed = match &self.claim {
            Some(claim) => store::deployment_is_claim(db, app, claim).await?,
            None => true,
        };
        if !is_it || !is_claimed {
            return Err(Error::Conflict("The deployment is another's by now.".to_owned()).into());
        }
        let structure = store::app_by_id(db, app).await?.map(|app| app.structure);
        if structure.is_some_and(|structure| structure.is_empty()) && is_known(build, &self.process_type) {
            // A job is run by itself, when its release is there.
            let replicas = u32::from(self.process_type != DeploymentType::Job.process_type());
            let first = Structure::from([(self.process_type.clone(), replicas)]);
            store::app_update_structure(db, app, &first, now).await?;
        }
        let built = store::DeploymentBuilt {
            app,
            build: build.id,
            release: release.id,
            commit_hash: &self.commit_hash,
            fingerprint: &self.fingerprint,
            now,
        };
        store::deployment_built(db, &built).await?;
        Ok(())
    }
}

impl Service {
    /// Hands the builder a deployment; waits for one for `wait` (at most 25 s). `None` when there is none.
    ///
    /// # Errors
    /// `Forbidden` for all but the builder.
    pub async fn order_claim(&self, cx: &Cx, wait: Duration) -> Result<Option<Order>> {
        builder_only(cx)?;
        let until = tokio::time::Instant::now() + wait.min(WAIT_MAX);
        loop {
            let wanted = self.signals().ordered();
            if let Some(order) = self.order_take().await? {
                return Ok(Some(order));
            }
            let now = tokio::time::Instant::now();
            if now >= until {
                return Ok(None);
            }
            drop(tokio::time::timeout((until - now).min(LOOK_INTERVAL), wanted).await);
        }
    }

    async fn order_take(&self) -> Result<Option<Order>> {
        loop {
            let now = self.now();
            if store::deployment_unclaimed(&mut self.read().await?, now).await.stored()?.is_none() {
                return Ok(None);
            }
            let claim = uuid::Uuid::new_v4().simple().to_string();
            let taken = write!(self, |db| {
                let Some((deployment, claims)) = store::deployment_unclaimed(db, now).await? else { return Ok(None) };
                if claims < CLAIMS_MAX {
                    // The status is changed by `deployment_started`, so that the event is told with it.
                    store::deployment_claim(db, deployment.app, &claim, now + CLAIM_LIFE).await?;
                }
                Ok::<_, Fail>(Some((deployment, claims)))
            })?;
            let Some((deployment, claims)) = taken else { return Ok(None) };
            if claims >= CLAIMS_MAX {
                if let Some(app) = self.app_by_id(deployment.app).await? {
                    let text = format!("It was begun {claims} times, and no builder came to an end with it.");
                    self.deployment_fail(&self.system_cx(), &app, &deployment, &text).await?;
                }
                continue;
            }
            let Some((cx, app)) = self.deployment_cx(&deployment).await? else {
                // The app is going: nobody is to look at it again before it is gone.
                continue;
            };
            self.deployment_started(&cx, &app, &deployment).await?;
            let credentials = store::deployment_credentials(&mut self.read().await?, app.id).await.stored()?;
            let config = self.config_current(app.id).await?;
            let is_reusable = deployment.built.is_some() && !deployment.request.is_rebuild_forced;
            return Ok(Some(Order {
                app: app.id,
                name: app.name,
                user: deployment.owner,
                claim,
                credentials,
                config,
                fingerprint: if is_reusable { deployment.fingerprint } else { String::new() },
                request: deployment.request,
            }));
        }
    }

    /// The builder is still at it.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when the claim is good for nothing any more: the builder is to stop.
    pub async fn order_renew(&self, cx: &Cx, app: AppId, claim: &str) -> Result<()> {
        builder_only(cx)?;
        let due = self.now() + CLAIM_LIFE;
        let is_renewed = write!(self, |db| {
            let current = store::deployment_by_app(db, app).await?;
            let is_building = current.is_some_and(|current| current.work == DeploymentWork::Build);
            Ok::<_, Fail>(is_building && store::deployment_claim_renew(db, app, claim, due).await?)
        })?;
        if is_renewed { Ok(()) } else { Err(lost()) }
    }

    /// The builder tells how it ended; the number of the release that was made of it. Telling it again changes nothing.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when the claim is good for nothing any more; what `build_create` says of a build.
    pub async fn order_finish(&self, cx: &Cx, result: OrderResult) -> Result<Option<ReleaseVersion>> {
        builder_only(cx)?;
        let OrderResult { app, claim, outcome } = result;
        let mut db = self.read().await?;
        let is_claim = store::deployment_is_claim(&mut db, app, &claim).await.stored()?;
        let deployment = store::deployment_by_app(&mut db, app).await.stored()?.filter(|_| is_claim);
        let deployment = deployment.ok_or_else(lost)?;
        if deployment.work != DeploymentWork::Build {
            let release = match deployment.release {
                Some(release) => store::release_by_id(&mut db, release).await.stored()?,
                None => None,
            };
            return Ok(release.map(|release| release.version));
        }
        drop(db);
        let Some((user, found)) = self.deployment_cx(&deployment).await? else { return Ok(None) };
        let (new, commit_hash, fingerprint) = match outcome {
            OrderOutcome::Failed { error } => {
                let error: String = error.chars().filter(|c| *c == '\n' || !c.is_control()).take(ERROR_MAX).collect();
                let error = if error.trim().is_empty() { "The build failed.".to_owned() } else { error };
                self.deployment_fail(&user, &found, &deployment, &error).await?;
                return Ok(None);
            }
            OrderOutcome::Built { new, commit_hash, fingerprint } => (new, commit_hash, fingerprint),
            OrderOutcome::Same { commit_hash, fingerprint } => {
                let new = self.build_again(&deployment).await?;
                (new, commit_hash, fingerprint)
            }
        };
        let done = OrderDone {
            attempt: deployment.attempt,
            work: DeploymentWork::Build,
            claim: Some(claim),
            commit_hash,
            fingerprint,
            process_type: deployment.request.kind.process_type(),
        };
        match self.build_release(&user, &found, new, Some(&done)).await {
            Ok(deployed) => Ok(Some(deployed.release.version)),
            Err(error @ (Error::Invalid(_) | Error::Rejected(_) | Error::Unprocessable(_))) => {
                self.deployment_fail(&user, &found, &deployment, &error.to_string()).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The last good build once more, with the command that is asked for now.
    async fn build_again(&self, deployment: &Deployment) -> Result<NewBuild> {
        let missing = || Error::Conflict("The last build is not there any more.".to_owned());
        let id: BuildId = deployment.built.ok_or_else(missing)?;
        let build = store::build_by_id(&mut self.read().await?, id).await.stored()?.ok_or_else(missing)?;
        let mut procfile: BTreeMap<String, Option<String>> =
            build.procfile.iter().map(|(name, command)| (name.to_string(), Some(command.clone()))).collect();
        if !deployment.request.run_cmd.is_empty() {
            let process_type = deployment.request.kind.process_type().to_string();
            procfile.insert(process_type, Some(deployment.request.run_cmd.clone()));
        }
        Ok(NewBuild {
            image: build.image,
            sha: build.sha,
            procfile,
            dockerfile: build.dockerfile,
            stack: build.stack,
            ..NewBuild::default()
        })
    }
}

fn lost() -> Error {
    Error::Conflict("The claim is good for nothing any more.".to_owned())
}
