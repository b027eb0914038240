//! What the builder asks and tells. Source: `drycc-v2.md` §5.3.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipway_core::app::App;
use slipway_core::authz::{Actor, AppAction};
use slipway_core::config::Config;
use slipway_core::error::Kind;
use slipway_core::release::ReleaseState;
use slipway_core::structure::{routed_type, structure_default};
use slipway_core::{AppId, AppName, BuildId, BuildLogId, Error, ReleaseVersion, Result, Username};
use slipway_engine::RolloutState;
use slipway_store as store;
use tokio::time::Instant;

use crate::build::log_pack;
use crate::stored::{Fail, Stored, write};
use crate::{BuildLogState, Cx, Deployed, NewBuild, Service};

/// Longest that a builder's question about progress is held.
const PROGRESS_WAIT_MAX: Duration = Duration::from_secs(30);

/// Whose key it is, and where that user may push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookKeyUser {
    /// The user.
    pub username: Username,
    /// Names of the apps that the user may push to.
    pub apps: Vec<AppName>,
}

/// A public key of somebody with access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookKey {
    /// The key: type, base64, comment.
    pub key: String,
    /// MD5 fingerprint.
    pub fingerprint: String,
}

/// An app's identity and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookAppRef {
    /// Identity; names the repository's directory.
    pub id: AppId,
    /// The name.
    pub name: AppName,
}

/// The log of a build from source, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookBuildLog {
    /// The full commit hash.
    pub sha: String,
    /// How it ended.
    pub state: BuildLogState,
    /// The text; cut at 4 MiB.
    pub log: String,
    /// The name that the build was given when it began, if the builder told of that.
    pub build: Option<BuildLogId>,
}

/// How far a release is, for the pusher who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseProgress {
    /// Its state.
    pub state: ReleaseState,
    /// What is going on.
    pub progress: Vec<String>,
    /// Stands for all this; given back it asks for something else.
    pub seen: String,
    /// Why it failed, with the last lines of the failing process's log; else empty.
    pub reason: String,
    /// Where the app answers.
    pub urls: Vec<String>,
}

impl Service {
    /// Whose key has this MD5 fingerprint.
    ///
    /// # Errors
    /// `Forbidden` for all but the builder; `NotFound`.
    pub async fn hook_key(&self, cx: &Cx, fingerprint: &str) -> Result<HookKeyUser> {
        builder_only(cx)?;
        let missing = || Error::not_found(Kind::Key);
        let fingerprint = fingerprint.trim().to_ascii_lowercase();
        let mut db = self.read().await?;
        let key = store::key_by_fingerprint(&mut db, &fingerprint).await.stored()?.ok_or_else(missing)?;
        let user = store::user_by_id(&mut db, key.owner).await.stored()?;
        let user = user.filter(|user| user.is_active).ok_or_else(missing)?;
        let apps = if user.is_superuser {
            store::apps_list(&mut db, slipway_core::Page::ALL)
                .await
                .stored()?
                .items
                .into_iter()
                .map(|app| app.name)
                .collect()
        } else {
            store::apps_names_visible(&mut db, user.id).await.stored()?
        };
        Ok(HookKeyUser { username: user.username, apps })
    }

    /// The keys of users with an explicit grant on an app, or of one user with access to it.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden` without access, `Missing` without keys.
    pub async fn hook_keys(
        &self,
        cx: &Cx,
        app: &str,
        username: Option<&str>,
    ) -> Result<BTreeMap<Username, Vec<HookKey>>> {
        builder_only(cx)?;
        let keys = match username {
            None => {
                let app = self.app_find(app).await?;
                store::keys_by_app(&mut self.read().await?, app.id).await.stored()?
            }
            Some(username) => {
                let (user, _) = self.hook_user(cx, username, app).await?;
                let (id, _, _) = user.user()?;
                store::keys_by_user(&mut self.read().await?, id).await.stored()?
            }
        };
        if keys.is_empty() {
            return Err(Error::Missing("No Keys match the given query.".to_owned()));
        }
        let mut users: BTreeMap<Username, Vec<HookKey>> = BTreeMap::new();
        for key in keys {
            let found = HookKey { key: key.public, fingerprint: key.fingerprint };
            users.entry(key.owner_name).or_default().push(found);
        }
        Ok(users)
    }

    /// Whether a user may push to an app, and the app's identity.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn hook_access(&self, cx: &Cx, username: &str, app: &str) -> Result<HookAppRef> {
        let (_, app) = self.hook_user(cx, username, app).await?;
        Ok(HookAppRef { id: app.id, name: app.name })
    }

    /// The configuration of an app for one who may push to it.
    ///
    /// # Errors
    /// As `hook_access`.
    pub async fn hook_config(&self, cx: &Cx, username: &str, app: &str) -> Result<Config> {
        let (user, app) = self.hook_user(cx, username, app).await?;
        self.config_get(&user, app.name.as_str()).await
    }

    /// Records a build made by a push, with a release of it; waits for the rollout if `is_waiting`.
    ///
    /// # Errors
    /// As `hook_access`, and as `build_create`.
    pub async fn hook_build(
        &self,
        cx: &Cx,
        username: &str,
        app: &str,
        new: NewBuild,
        is_waiting: bool,
    ) -> Result<Deployed> {
        let (user, app) = self.hook_user(cx, username, app).await?;
        let deployed = self.build_release(&user, &app, new, None).await?;
        if !is_waiting {
            return Ok(deployed);
        }
        let release = self.release_wait(&app, deployed.release).await?;
        Ok(Deployed { build: deployed.build, release })
    }

    /// How far a release is; answers when that differs from what `seen` stands for, or after `wait` (at most 30 s).
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn hook_release_progress(
        &self,
        cx: &Cx,
        app: &str,
        version: &str,
        wait: Duration,
        seen: &str,
    ) -> Result<ReleaseProgress> {
        builder_only(cx)?;
        let app = self.app_find(app).await?;
        let version: ReleaseVersion = version.parse().map_err(|_| Error::not_found(Kind::Release))?;
        let until = Instant::now() + wait.min(PROGRESS_WAIT_MAX);
        let mut watch = self.signals().watch(app.id, until);
        loop {
            let progress = self.release_progress(&app, version).await?;
            if progress.seen != seen || !watch.next().await {
                return Ok(progress);
            }
        }
    }

    async fn release_progress(&self, app: &App, version: ReleaseVersion) -> Result<ReleaseProgress> {
        let mut db = self.read().await?;
        let release = store::release_by_version(&mut db, app.id, version).await.stored()?;
        let release = release.ok_or_else(|| Error::not_found(Kind::Release))?;
        let urls = match release.build {
            Some(build) => self.urls(&mut db, app, build).await?,
            None => Vec::new(),
        };
        drop(db);
        let mut progress = Vec::new();
        if !release.state.is_final() {
            let status = self.engine().app_status(app.id).await.unwrap_or_default();
            if let Some(rollout) = status.rollout.filter(|rollout| rollout.version == version) {
                match rollout.state {
                    RolloutState::Progressing(text) => progress.push(text),
                    RolloutState::Failing(_) | RolloutState::Ready => {}
                }
            }
        }
        let mut hasher = openssl::sha::Sha256::new();
        for text in std::iter::once(release.state.as_str()).chain(progress.iter().map(String::as_str)) {
            hasher.update(text.as_bytes());
            hasher.update(b"\0");
        }
        let mut seen = hex::encode(hasher.finish());
        seen.truncate(16);
        Ok(ReleaseProgress { state: release.state, progress, seen, reason: release.exception, urls })
    }

    /// Where an app answers with this build: nowhere if nothing of it is routed, as with workers alone.
    async fn urls(&self, db: &mut store::Db, app: &App, build: BuildId) -> Result<Vec<String>> {
        let build = store::build_by_id(db, build).await.stored()?;
        let types =
            build.iter().flat_map(|build| build.procfile.keys().cloned().chain(structure_default(build).into_keys()));
        if routed_type(&types.collect::<BTreeSet<_>>()).is_none() {
            return Ok(Vec::new());
        }
        let domains = store::domains_list(db, app.id, slipway_core::Page::ALL).await.stored()?.items;
        Ok(domains.iter().filter_map(|domain| self.domain_url(&domain.domain)).collect())
    }

    /// Where a domain answers; `None` for wildcards, and while nobody knows how the router is reached.
    pub(crate) fn domain_url(&self, domain: &str) -> Option<String> {
        let router = self.router().filter(|_| !domain.contains('*'))?;
        let host =
            if domain.contains('.') { domain.to_owned() } else { format!("{domain}.{}", self.platform_domain()) };
        Some(match (router.scheme.as_str(), router.port) {
            ("http", 80) | ("https", 443) => format!("{}://{host}", router.scheme),
            (scheme, port) => format!("{scheme}://{host}:{port}"),
        })
    }

    /// Keeps the log of a build from source.
    ///
    /// # Errors
    /// As `hook_access`.
    pub async fn hook_build_log(&self, cx: &Cx, username: &str, app: &str, log: HookBuildLog) -> Result<()> {
        let (user, app) = self.hook_user(cx, username, app).await?;
        let (owner, _, _) = user.user()?;
        let sha = commit_hash(&log.sha)?;
        let begun = log.build;
        let text = log.log;
        let packed = tokio::task::spawn_blocking(move || log_pack(&text))
            .await
            .map_err(|error| Error::internal(format!("packing a build's log: {error}")))??;
        let new =
            store::NewBuildLog { app: app.id, owner, sha, outcome: log.state.into(), log: packed, created: cx.now };
        let app = app.id;
        write!(self, |db| {
            let is_kept = match begun {
                Some(id) => store::build_log_end(db, app, id, new.outcome, &new.log, new.created).await?,
                None => false,
            };
            // One that was begun and is not there any more: there were many others since, or it was given up.
            if !is_kept && begun.is_none() {
                store::build_log_insert(db, &new).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().recorded(app);
        Ok(())
    }

    /// Every app there is, so that repositories of none can be removed.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn hook_apps(&self, cx: &Cx) -> Result<Vec<HookAppRef>> {
        builder_only(cx)?;
        let names = store::apps_all_names(&mut self.read().await?).await.stored()?;
        Ok(names.into_iter().map(|(id, name)| HookAppRef { id, name }).collect())
    }

    /// The pusher whom the builder speaks for, and the app, if that user may push to it.
    pub(crate) async fn hook_user(&self, cx: &Cx, username: &str, app: &str) -> Result<(Cx, App)> {
        builder_only(cx)?;
        let found = self.app_find(app).await?;
        let user = self.user_find(username).await?;
        if !user.is_active {
            return Err(Error::forbidden());
        }
        let actor = Actor::User { id: user.id, name: user.username, is_superuser: user.is_superuser };
        let cx = Cx { actor, ..cx.clone() };
        let app = self.app_for(&cx, found.name.as_str(), AppAction::Use).await?;
        Ok((cx, app))
    }
}

pub(crate) fn builder_only(cx: &Cx) -> Result<()> {
    match &cx.actor {
        Actor::Builder => Ok(()),
        Actor::Anonymous => Err(Error::Unauthenticated("Authentication credentials were not provided.".to_owned())),
        Actor::User { .. } | Actor::System => Err(Error::forbidden()),
    }
}

/// A commit's hash, or its first digits.
pub(crate) fn commit_hash(text: &str) -> Result<String> {
    let sha = text.trim().to_ascii_lowercase();
    if (7..=64).contains(&sha.len()) && sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(sha)
    } else {
        Err(Error::invalid("sha", "Enter a commit's hash in hexadecimal digits."))
    }
}
