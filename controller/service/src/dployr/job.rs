//! Deployments of type `job`: their command is run once, when the release is there, and how it ends is how the deployment
//! ends. Source: `dployr-v1.md` §4.1 and §11.
//!
//! A command is never run twice for one request: it is noted that it runs before it does, and what was running when the
//! controller died has failed.

use slipway_core::app::App;
use slipway_core::deployment::{Deployment, DeploymentWork};
use slipway_core::{Error, Result};
use slipway_store as store;
use tokio::task::JoinSet;

use super::deployment_loop::finish;
use crate::stored::{Fail, write};
use crate::{NewRun, Service};

/// Why a job failed that was running when its controller went.
const LOST: &str = "The platform was restarted while the job ran.";

impl Service {
    /// Notes the end of jobs that nobody runs any more.
    pub(super) async fn jobs_lost(&self) -> Result<()> {
        for deployment in self.deployments_of(DeploymentWork::JobRuns).await? {
            if let Some(app) = self.app_by_id(deployment.app).await? {
                self.deployment_fail(&self.system_cx(), &app, &deployment, LOST).await?;
            }
        }
        Ok(())
    }

    /// Begins the jobs that are to be run. They end with `jobs`.
    pub(super) async fn jobs_begin(&self, jobs: &mut JoinSet<()>) -> Result<()> {
        for deployment in self.deployments_of(DeploymentWork::Job).await? {
            let Some((cx, app)) = self.deployment_cx(&deployment).await? else { continue };
            let (attempt, now) = (deployment.attempt, self.now());
            let work = (DeploymentWork::Job, DeploymentWork::JobRuns);
            let is_ours = write!(self, |db| {
                Ok::<_, Fail>(store::deployment_work_set(db, app.id, attempt, work, now).await?)
            })?;
            if is_ours {
                let service = self.clone();
                jobs.spawn(async move {
                    let run = NewRun::of(deployment.request.run_cmd.clone());
                    let outcome = service.app_run(&cx, app.name.as_str(), &run).await;
                    let exit_code = outcome.as_ref().ok().map(|outcome| outcome.exit_code);
                    let error = match outcome {
                        Ok(outcome) if outcome.exit_code == 0 => String::new(),
                        Ok(outcome) => format!("The job ended with exit code {}.", outcome.exit_code),
                        Err(error) => error.to_string(),
                    };
                    if let Err(error) = service.job_end(&app, &deployment, exit_code, &error).await {
                        tracing::error!(app.id = %app.id, "the end of a job could not be noted: {error}");
                    }
                });
            }
        }
        Ok(())
    }

    /// Has the command of a job run once more; a conflict while it runs or is being deployed.
    pub(super) async fn job_again(&self, app: &App, deployment: &Deployment) -> Result<()> {
        let (attempt, now) = (deployment.attempt, self.now());
        let work = (DeploymentWork::None, DeploymentWork::Job);
        let is_begun =
            write!(self, |db| { Ok::<_, Fail>(store::deployment_work_set(db, app.id, attempt, work, now).await?) })?;
        if !is_begun {
            return Err(Error::Conflict("The job is under way.".to_owned()));
        }
        self.signals().told();
        Ok(())
    }

    async fn job_end(&self, app: &App, deployment: &Deployment, exit_code: Option<i32>, error: &str) -> Result<()> {
        let cx = self.system_cx();
        write!(self, |db| {
            let current = store::deployment_by_app(db, app.id).await?;
            let is_it =
                current.is_some_and(|now| now.attempt == deployment.attempt && now.work == DeploymentWork::JobRuns);
            if is_it {
                if let Some(exit_code) = exit_code {
                    store::deployment_exit(db, app.id, exit_code).await?;
                }
                finish(db, &cx, app, error, None).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().told();
        Ok(())
    }
}
