//! What the builder asks of the controller, as a port, and its form over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipway_client::hooks::{HookClient, HookError};
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName, Username};
use slipway_wire::drycc_v2::hook;
use url::Url;

use crate::Built;

/// How long one question whether a build is to be ended may stay open.
const CANCEL_WAIT: Duration = Duration::from_secs(25);
/// How long one question for a release's progress may stay open.
pub const FOLLOW_WAIT: Duration = Duration::from_secs(10);

/// Why the controller gave no answer, or not the one that was wished for.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// The user may not.
    #[error("forbidden")]
    Forbidden,
    /// It says no, and why; the text is for the user.
    #[error("{text}")]
    Refused {
        /// Its words.
        text: String,
    },
    /// It cannot be asked just now.
    #[error("the controller cannot be asked")]
    Unavailable {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<HookError> for ControllerError {
    fn from(error: HookError) -> Self {
        match error.status() {
            Some(404) => Self::NotFound,
            Some(403) => Self::Forbidden,
            Some(400 | 405..=499) => Self::Refused { text: error.to_string() },
            // 401 means that our own key is wrong, which is not the user's affair.
            _ => Self::Unavailable { source: Box::new(error) },
        }
    }
}

/// Where a release stands. Source: `design.md` §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseState {
    /// On its way.
    Underway,
    /// It runs.
    Succeeded,
    /// It does not run, and will not.
    Failed,
    /// A newer release took over.
    Superseded,
    /// Somebody stopped it.
    Canceled,
}

/// What became of a release so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Where it stands.
    pub state: ReleaseState,
    /// What is going on, in lines.
    pub lines: Vec<String>,
    /// To be given back with the next question.
    pub seen: String,
    /// Why it failed.
    pub reason: String,
    /// Where the app answers.
    pub urls: Vec<String>,
}

/// A build as it is published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Who pushed.
    pub user: Username,
    /// The app.
    pub app: AppName,
    /// Full commit hash.
    pub sha: String,
    /// What was built.
    pub built: Built,
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildState {
    /// It made something.
    Succeeded,
    /// It did not.
    Failed,
    /// The pusher went away, or somebody wanted it ended.
    Canceled,
}

impl BuildState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// A build that is over, and its log.
#[derive(Debug, Clone)]
pub struct BuildEnd {
    /// Who pushed.
    pub user: Username,
    /// The app.
    pub app: AppName,
    /// Full commit hash.
    pub sha: String,
    /// How it ended.
    pub state: BuildState,
    /// The text.
    pub log: String,
    /// The name that the controller gave it when it began.
    pub build: Option<String>,
}

/// The controller, as the builder sees it.
#[async_trait]
pub trait Controller: Send + Sync + 'static {
    /// Whose key has this MD5 fingerprint?
    ///
    /// # Errors
    /// [`ControllerError::NotFound`] when nobody's.
    async fn key_user(&self, fingerprint: &str) -> Result<Username, ControllerError>;

    /// Which app has this name, if the user may push to it?
    ///
    /// # Errors
    /// [`ControllerError::NotFound`], [`ControllerError::Forbidden`].
    async fn app_access(&self, user: &Username, app: &AppName) -> Result<AppId, ControllerError>;

    /// The app's config values.
    ///
    /// # Errors
    /// As [`Controller::app_access`].
    async fn config_values(
        &self,
        user: &Username,
        app: &AppName,
    ) -> Result<BTreeMap<String, SecretText>, ControllerError>;

    /// Makes a release of a build; tells its number and does not wait for it.
    ///
    /// # Errors
    /// [`ControllerError`].
    async fn build_publish(&self, publication: &Publication) -> Result<u32, ControllerError>;

    /// How far a release is; answers when it differs from `seen`, or after some seconds.
    ///
    /// # Errors
    /// [`ControllerError`].
    async fn release_follow(&self, app: &AppName, version: u32, seen: &str) -> Result<Progress, ControllerError>;

    /// Tells that a build begins; gives the name that it has there.
    ///
    /// # Errors
    /// [`ControllerError`]; not found, too, by a controller that knows no running builds.
    async fn build_begin(&self, user: &Username, app: &AppName, sha: &str) -> Result<String, ControllerError>;

    /// What is said of a build that somebody wants ended; `None` after some seconds in which nobody did.
    ///
    /// # Errors
    /// [`ControllerError`].
    async fn build_canceled(&self, app: &AppName, build: &str) -> Result<Option<String>, ControllerError>;

    /// Keeps a build's log, which ends the build that was begun under that name, if it was.
    ///
    /// # Errors
    /// [`ControllerError`].
    async fn log_keep(&self, log: BuildEnd) -> Result<(), ControllerError>;

    /// Asks for a deployment to be fetched and built; waits for one for `wait`.
    ///
    /// # Errors
    /// [`ControllerError`].
    async fn order_claim(&self, wait: Duration) -> Result<Option<hook::Order>, ControllerError> {
        // A controller that has no such thing never has anything to do.
        tokio::time::sleep(wait).await;
        Ok(None)
    }

    /// Says that the builder is still at it.
    ///
    /// # Errors
    /// [`ControllerError::Refused`] when it is to stop.
    async fn order_renew(&self, _app: &str, _claim: &str) -> Result<(), ControllerError> {
        Ok(())
    }

    /// Tells how it ended; the number of the release that was made, if one was.
    ///
    /// # Errors
    /// [`ControllerError::Refused`] when it was another's by then.
    async fn order_finish(&self, _body: &hook::OrderFinish) -> Result<Option<u32>, ControllerError> {
        Ok(None)
    }

    /// Every app there is.
    ///
    /// # Errors
    /// [`ControllerError`].
    async fn apps_list(&self) -> Result<Vec<AppId>, ControllerError>;
}

/// The controller over HTTP.
#[derive(Debug, Clone)]
pub struct HttpController {
    client: HookClient,
}

impl HttpController {
    /// A controller at `base` that knows the builder by `key`.
    ///
    /// # Errors
    /// [`HookError`] when the HTTP client cannot be set up.
    pub fn new(base: Url, key: SecretString) -> Result<Self, HookError> {
        Ok(Self { client: HookClient::new(base, key)? })
    }
}

fn receive(user: &Username, app: &AppName) -> hook::Receive {
    hook::Receive { receive_user: user.to_string(), receive_repo: app.to_string() }
}

fn odd<E: std::error::Error + Send + Sync + 'static>(error: E) -> ControllerError {
    ControllerError::Unavailable { source: Box::new(error) }
}

#[async_trait]
impl Controller for HttpController {
    async fn key_user(&self, fingerprint: &str) -> Result<Username, ControllerError> {
        let answer = self.client.key(fingerprint).await?;
        Username::new(answer.username).map_err(odd)
    }

    async fn app_access(&self, user: &Username, app: &AppName) -> Result<AppId, ControllerError> {
        let answer = self.client.access(&receive(user, app)).await?;
        answer.uuid.parse().map_err(odd)
    }

    async fn config_values(
        &self,
        user: &Username,
        app: &AppName,
    ) -> Result<BTreeMap<String, SecretText>, ControllerError> {
        let answer = self.client.config(&receive(user, app)).await?;
        Ok(answer.values.into_iter().map(|(name, value)| (name, SecretText::new(value))).collect())
    }

    async fn build_publish(&self, publication: &Publication) -> Result<u32, ControllerError> {
        let Publication { user, app, sha, built } = publication;
        let body = hook::BuildHook {
            receive_user: user.to_string(),
            receive_repo: app.to_string(),
            image: built.image.clone(),
            sha: sha.chars().take(8).collect(),
            procfile: built.procfile.clone(),
            dockerfile: built.dockerfile.clone(),
            stack: built.stack.clone(),
            wait: false,
        };
        Ok(self.client.build(&body).await?.release.version)
    }

    async fn release_follow(&self, app: &AppName, version: u32, seen: &str) -> Result<Progress, ControllerError> {
        let answer = self.client.release(app.as_str(), version, FOLLOW_WAIT, seen).await?;
        let state = match answer.state.as_str() {
            "created" | "deploying" => ReleaseState::Underway,
            "succeeded" => ReleaseState::Succeeded,
            "failed" => ReleaseState::Failed,
            "superseded" => ReleaseState::Superseded,
            "canceled" => ReleaseState::Canceled,
            other => {
                return Err(odd(std::io::Error::other(format!("a release is in the unknown state {other:?}"))));
            }
        };
        Ok(Progress { state, lines: answer.progress, seen: answer.seen, reason: answer.reason, urls: answer.urls })
    }

    async fn build_begin(&self, user: &Username, app: &AppName, sha: &str) -> Result<String, ControllerError> {
        let body =
            hook::BuildBegin { receive_user: user.to_string(), receive_repo: app.to_string(), sha: sha.to_owned() };
        Ok(self.client.build_begin(&body).await?.uuid)
    }

    async fn build_canceled(&self, app: &AppName, build: &str) -> Result<Option<String>, ControllerError> {
        let answer = self.client.build_watch(app.as_str(), build, CANCEL_WAIT).await?;
        Ok((answer.state == "canceling").then_some(answer.log))
    }

    async fn log_keep(&self, end: BuildEnd) -> Result<(), ControllerError> {
        let BuildEnd { user, app, sha, state, log, build } = end;
        let body = hook::BuildLog {
            receive_user: user.to_string(),
            receive_repo: app.to_string(),
            sha,
            state: state.as_str().to_owned(),
            log,
            build: build.unwrap_or_default(),
        };
        Ok(self.client.build_log(&body).await?)
    }

    async fn order_claim(&self, wait: Duration) -> Result<Option<hook::Order>, ControllerError> {
        Ok(self.client.order_claim(wait).await?)
    }

    async fn order_renew(&self, app: &str, claim: &str) -> Result<(), ControllerError> {
        let body = hook::OrderRenew { app: app.to_owned(), claim: claim.to_owned() };
        Ok(self.client.order_renew(&body).await?)
    }

    async fn order_finish(&self, body: &hook::OrderFinish) -> Result<Option<u32>, ControllerError> {
        Ok(self.client.order_finish(body).await?.release)
    }

    async fn apps_list(&self) -> Result<Vec<AppId>, ControllerError> {
        self.client.apps().await?.apps.iter().map(|app| app.uuid.parse().map_err(odd)).collect()
    }
}
