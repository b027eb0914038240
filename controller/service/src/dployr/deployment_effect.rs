//! What a deployment's request sets at once: values, the health check, the domain, the command.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::config::{Config, ConfigChange, SecretText};
use slipway_core::deployment::DeploymentRequest;
use slipway_core::domain::domain_parse;
use slipway_core::release::Release;
use slipway_core::{AppId, AppName, Error, Result};
use slipway_store as store;

use super::deployment_input::DeploymentInput;
use super::{DeploymentView, env};
use crate::config::Busy;
use crate::stored::Stored;
use crate::{Cx, EmptyChange, NewBuild, Service};

/// Config value that says where a process listens.
pub(super) const PORT: &str = "PORT";

impl Service {
    /// Sets values, the port, and the health check of a new deployment; the release that was made of it, if any.
    pub(super) async fn values_apply(
        &self,
        cx: &Cx,
        app: &App,
        request: &DeploymentRequest,
        input: &DeploymentInput,
        has_port: bool,
    ) -> Result<Option<Release>> {
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        // What is given openly wins.
        for (key, value) in input.secrets.iter().chain(&input.env) {
            let text = env::value_text("env", value)?;
            values.insert(key.clone(), text.map_or(Value::Null, Value::from));
        }
        if has_port {
            values.insert(PORT.to_owned(), Value::from(request.port.to_string()));
        }
        self.values_record(cx, app, values).await
    }

    /// Makes a release of changed values; none when nothing changes.
    pub(super) async fn values_record(
        &self,
        cx: &Cx,
        app: &App,
        mut values: BTreeMap<String, Value>,
    ) -> Result<Option<Release>> {
        let current = self.config_current(app.id).await?;
        values.retain(|key, value| {
            let is = current.as_ref().and_then(|config| config.values.get(key)).map(SecretText::expose);
            is != value.as_str()
        });
        if values.is_empty() {
            return Ok(None);
        }
        let change = ConfigChange { values, ..ConfigChange::default() };
        let made = self.config_record(cx, app, change, (EmptyChange::Release, Busy::Replace)).await?;
        Ok(Some(made.release))
    }

    /// Sets or takes away the health check.
    pub(super) async fn health_apply(
        &self,
        cx: &Cx,
        app: &App,
        before: &DeploymentRequest,
        request: &DeploymentRequest,
    ) -> Result<Option<Release>> {
        if before.health_check == request.health_check && before.port == request.port {
            return Ok(None);
        }
        let process_type = request.kind.process_type().to_string();
        let current = self.config_current(app.id).await?;
        let is_set = current.is_some_and(|config| config.healthcheck.contains_key(&process_type));
        let probe = match request.health_check.as_str() {
            "" if is_set => Value::Null,
            "" => return Ok(None),
            path => json!({"readinessProbe": {"httpGet": {"path": path, "port": request.port}}}),
        };
        let change = ConfigChange { healthcheck: BTreeMap::from([(process_type, probe)]), ..ConfigChange::default() };
        let made = self.config_record(cx, app, change, (EmptyChange::Release, Busy::Replace)).await?;
        Ok(Some(made.release))
    }

    pub(super) async fn config_current(&self, app: AppId) -> Result<Option<Config>> {
        let mut db = self.read().await?;
        match store::release_latest_good(&mut db, app).await.stored()? {
            Some(release) => store::config_by_id(&mut db, release.config).await.stored(),
            None => Ok(None),
        }
    }

    /// Whether the domain of a request may be had, as far as that can be told before there is an app.
    pub(super) async fn domain_check(&self, request: &DeploymentRequest, name: &AppName) -> Result<()> {
        if request.domain.is_empty() {
            return Ok(());
        }
        let domain = domain_parse(&request.domain).map_err(|issue| Error::invalid("domain", issue))?;
        let mut db = self.read().await?;
        if let Some(found) = store::domain_by_name(&mut db, &domain).await.stored()? {
            let app = store::app_by_id(&mut db, found.app).await.stored()?;
            if app.is_none_or(|app| app.name != *name) {
                return Err(Error::Conflict(format!("The domain {domain} is taken.")));
            }
        }
        Ok(())
    }

    pub(super) async fn domain_apply(&self, cx: &Cx, app: &App, request: &DeploymentRequest) -> Result<()> {
        if request.domain.is_empty() {
            return Ok(());
        }
        let domain = domain_parse(&request.domain).map_err(|issue| Error::invalid("domain", issue))?;
        let found = store::domain_by_name(&mut self.read().await?, &domain).await.stored()?;
        if found.is_some_and(|found| found.app == app.id) {
            return Ok(());
        }
        self.domain_record(cx, app, &domain, None).await.map(drop)
    }

    /// Makes a release of the same program with another command.
    pub(super) async fn command_apply(
        &self,
        cx: &Cx,
        view: &DeploymentView,
        request: &DeploymentRequest,
    ) -> Result<Option<Release>> {
        let Some(build) = &view.build else { return Ok(None) };
        let process_type = request.kind.process_type();
        let mut procfile: BTreeMap<String, Option<String>> =
            build.procfile.iter().map(|(name, command)| (name.to_string(), Some(command.clone()))).collect();
        if request.run_cmd.is_empty() {
            procfile.remove(process_type.as_str());
        } else {
            procfile.insert(process_type.to_string(), Some(request.run_cmd.clone()));
        }
        let new = NewBuild {
            image: build.image.clone(),
            sha: build.sha.clone(),
            procfile,
            dockerfile: build.dockerfile.clone(),
            stack: build.stack.clone(),
            ..NewBuild::default()
        };
        Ok(Some(self.build_release(cx, &view.app, new, None).await?.release))
    }
}

/// Whether the values of a request may be set.
pub(super) fn values_check(input: &DeploymentInput) -> Result<()> {
    for (field, values) in [("env", &input.env), ("secrets", &input.secrets)] {
        for (key, value) in values {
            env::key_check(field, key)?;
            env::value_text(field, value)?;
        }
    }
    Ok(())
}
