//! Configuration of apps. Source: `drycc-v2.md` §2.4.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::config::{Config, ConfigChange, change_apply};
use slipway_core::error::Kind;
use slipway_core::release::summary::{summary, summary_unchanged};
use slipway_core::release::{Release, ReleaseState};
use slipway_core::structure::routed_type;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{BuildId, Error, ProcessType, Result};
use slipway_store as store;

use crate::audit::event;
use crate::deploy_hook::release_record;
use crate::engine_error::engine_error;
use crate::state::release_subject;
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;
use crate::{Cx, Service};

/// A configuration and the release that was made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The merged configuration.
    pub config: Config,
    /// The release, as it was when the answer was made.
    pub release: Release,
}

/// What becomes of a change that changes nothing, or that unsets what is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyChange {
    /// It is refused.
    Refuse,
    /// It makes a release like any other; unsetting what is not set does nothing.
    Release,
}

/// What becomes of a change while a deploy is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Busy {
    /// It is refused.
    Refuse,
    /// It replaces that deploy, with the same build.
    Replace,
}

impl Service {
    /// The configuration of the latest good release.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn config_get(&self, cx: &Cx, app: &str) -> Result<Config> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let mut db = self.read().await?;
        let missing = || Error::not_found(Kind::Config);
        let release = store::release_latest_good(&mut db, app.id).await.stored()?.ok_or_else(missing)?;
        store::config_by_id(&mut db, release.config).await.stored()?.ok_or_else(missing)
    }

    /// The configuration of one release, by `v<N>`.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn config_of_release(&self, cx: &Cx, app: &str, version: &str) -> Result<Config> {
        let release = self.release_get(cx, app, version).await?;
        let config = store::config_by_id(&mut self.read().await?, release.config).await.stored()?;
        config.ok_or(Error::not_found(Kind::Config))
    }

    /// Merges a change into the configuration, makes a release of it, and waits for its rollout if there is a build.
    /// Source: `drycc-v2.md` §2.4.
    ///
    /// # Errors
    /// `Invalid` by field, `Conflict` when a deploy is in progress, `Rejected` for a rule across fields, `DeployFailed`;
    /// with `EmptyChange::Refuse` also `Unprocessable` for an unset of nothing, and `Conflict` when nothing changed.
    pub async fn config_set(&self, cx: &Cx, app: &str, change: ConfigChange, empty: EmptyChange) -> Result<Configured> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let configured = self.config_record(cx, &app, change, (empty, Busy::Refuse)).await?;
        let release = self.release_wait(&app, configured.release).await?;
        Ok(Configured { config: configured.config, release })
    }

    /// As `config_set`, without waiting for the rollout.
    pub(crate) async fn config_record(
        &self,
        cx: &Cx,
        app: &App,
        change: ConfigChange,
        (empty, busy): (EmptyChange, Busy),
    ) -> Result<Configured> {
        let (_, owner_name, _) = cx.user()?;
        let nodes =
            if change.tags.is_empty() { None } else { Some(self.engine().node_labels().await.map_err(engine_error)?) };
        let configured = write!(self, |db| {
            let (base, previous) = config_base(db, app, cx.now, busy).await?;
            let change = match empty {
                EmptyChange::Refuse => change.clone(),
                EmptyChange::Release => change.clone().without_idle_unsets(&previous),
            };
            let mut next = change_apply(&previous, &change)?;
            if let Some(nodes) = &nodes {
                tags_check(nodes, &previous.tags, &next.tags)?;
            }
            next.owner_name = owner_name.clone();
            let text = match (summary(None, &previous, &next), empty) {
                (Some(text), _) => text,
                (None, EmptyChange::Release) => summary_unchanged(owner_name),
                (None, EmptyChange::Refuse) => {
                    let text = format!("{} - release stopped", summary_unchanged(owner_name));
                    return Err(Error::Conflict(text).into());
                }
            };
            let (config, release) = self.config_release(db, cx, app, base.build, next, text).await?;
            let entry = event(cx, "config", release_subject(&release), shape(&previous), shape(&config));
            store::event_insert(db, &entry).await?;
            let data = json!({"name": app.name.as_str(), "release": release.version.0});
            event_tell(db, cx, app.id, WebhookEvent::ServiceUpdated, data).await?;
            Ok::<_, Fail>(Configured { config, release })
        })?;
        let id: String = configured.config.id.to_string().chars().take(7).collect();
        self.app_log(app.id, format!("INFO config {}-{id} updated", app.name));
        self.app_log(app.id, format!("INFO {}", configured.release.summary));
        self.signals().desired(app.id);
        Ok(configured)
    }

    /// Records a configuration made from that of a current release with this build, and a release with it.
    pub(crate) async fn config_release(
        &self,
        db: &mut store::Db,
        cx: &Cx,
        app: &App,
        build: Option<BuildId>,
        next: Config,
        summary: String,
    ) -> Result<(Config, Release), Fail> {
        let (owner, _, _) = cx.user()?;
        let new = store::NewConfig {
            app: app.id,
            owner,
            values: next.values,
            memory: next.memory,
            cpu: next.cpu,
            tags: next.tags,
            registry: next.registry,
            healthcheck: next.healthcheck,
            termination_grace_period: next.termination_grace_period,
            lifecycle_post_start: next.lifecycle_post_start,
            lifecycle_pre_stop: next.lifecycle_pre_stop,
            mounts: next.mounts,
            created: cx.now,
        };
        let config = store::config_insert(db, &new).await?;
        let state = if build.is_some() { ReleaseState::Created } else { ReleaseState::Succeeded };
        let release =
            store::NewRelease { app: app.id, owner, summary, config: config.id, build, state, created: cx.now };
        let release = release_record(db, &self.config().deploy_hooks, app, &release).await?;
        if build.is_some() {
            store::releases_supersede_before(db, app.id, release.version, cx.now).await?;
            store::app_bump_desired(db, app.id, cx.now).await?;
        }
        Ok((config, release))
    }
}

/// The release whose configuration a change begins with, and that configuration.
///
/// # Errors
/// `Conflict` while a deploy is in progress.
pub(crate) async fn config_base(
    db: &mut store::Db,
    app: &App,
    now: DateTime<Utc>,
    busy: Busy,
) -> Result<(Release, Config), Fail> {
    let no_release = || Error::internal(format!("app {} has no release", app.id));
    let mut base = store::release_latest_good(db, app.id).await?.ok_or_else(no_release)?;
    if !base.state.is_final() && busy == Busy::Refuse {
        if base.deadline.is_none_or(|deadline| deadline >= now) {
            let routed = routed_type(app.structure.keys()).unwrap_or_else(ProcessType::web);
            let text = format!("Deployment for {}-{routed} is already in progress", app.name);
            return Err(Error::Conflict(text).into());
        }
        // Nobody recorded its end in time: what ran before is what counts.
        base = store::release_latest_succeeded(db, app.id).await?.ok_or_else(no_release)?;
    }
    let missing = || Error::internal(format!("release {} has no config", base.id));
    let config = store::config_by_id(db, base.config).await?.ok_or_else(missing)?;
    Ok((base, config))
}

/// A configuration for the record: names of what may be secret, the rest whole.
fn shape(config: &Config) -> Value {
    let names = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<Vec<String>>();
    let limits = |map: &BTreeMap<ProcessType, String>| {
        map.iter().map(|(key, value)| (key.to_string(), Value::from(value.as_str()))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "values": names(&config.values),
        "registry": names(&config.registry),
        "memory": limits(&config.memory),
        "cpu": limits(&config.cpu),
        "tags": config.tags,
        "healthcheck": config.healthcheck.keys().collect::<Vec<_>>(),
        "termination_grace_period": limits(&config.termination_grace_period),
        "lifecycle_post_start": config.lifecycle_post_start.keys().map(ProcessType::as_str).collect::<Vec<_>>(),
        "lifecycle_pre_stop": config.lifecycle_pre_stop.keys().map(ProcessType::as_str).collect::<Vec<_>>(),
    })
}

/// Whether some node carries all tags.
fn tags_check(
    nodes: &[BTreeMap<String, String>],
    previous: &BTreeMap<String, String>,
    next: &BTreeMap<String, String>,
) -> Result<()> {
    let fits = |node: &BTreeMap<String, String>| next.iter().all(|(key, value)| node.get(key) == Some(value));
    if next.is_empty() || nodes.iter().any(fits) {
        return Ok(());
    }
    let shown = |tags: &mut dyn Iterator<Item = (&String, &String)>| {
        tags.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("No nodes matched the provided labels: {}", shown(&mut next.iter()));
    let added = shown(&mut next.iter().filter(|(key, value)| previous.get(*key) != Some(*value)));
    if !previous.is_empty() && !added.is_empty() {
        text = format!("{text} - Addition of {added} is the cause");
    }
    Err(Error::Rejected(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn one_node_must_carry_all_tags() {
        let nodes = [tags(&[("disk", "ssd"), ("zone", "a")]), tags(&[("disk", "hdd")])];
        assert!(tags_check(&nodes, &tags(&[]), &tags(&[("disk", "ssd"), ("zone", "a")])).is_ok());
        assert!(tags_check(&[], &tags(&[("a", "b")]), &tags(&[])).is_ok());
        for (previous, next, expect) in [
            (tags(&[]), tags(&[("disk", "x")]), "No nodes matched the provided labels: disk=x"),
            (
                tags(&[("disk", "hdd")]),
                tags(&[("disk", "hdd"), ("zone", "a")]),
                "No nodes matched the provided labels: disk=hdd, zone=a - Addition of zone=a is the cause",
            ),
        ] {
            assert_eq!(tags_check(&nodes, &previous, &next).unwrap_err().to_string(), expect);
        }
    }
}
