//! What is said of a deployment: to webhooks, and of apps that were made by other means.

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::deployment::{Deployment, DeploymentRequest, DeploymentSource, DeploymentStatus};
use slipway_core::release::{Release, ReleaseState};
use slipway_core::ulid::ulid;

use super::DeploymentView;
use super::deployment_effect::PORT;
use super::deployment_input::request_empty;

/// What may be said to have been asked for, of an app that was made otherwise. Source: `dployr-v1.md` §11.
pub(crate) fn request_made_up(view: &DeploymentView) -> DeploymentRequest {
    let mut request = request_empty();
    request.source = DeploymentSource::Image;
    if let Some(build) = &view.build {
        request.image.clone_from(&build.image);
        let process_type = view.primary_type();
        let command = process_type.and_then(|process_type| build.procfile.get(&process_type).cloned());
        request.run_cmd = command.unwrap_or_default();
    }
    let port = view.config.as_ref().and_then(|config| config.values.get(PORT)?.expose().parse().ok());
    request.port = port.unwrap_or(request.port);
    request
}

/// What is told of a deployment to webhooks: no secret, and no value of the environment.
pub(crate) fn deployment_data(app: &App, deployment: Option<&Deployment>, release: Option<&Release>) -> Value {
    let status = match (deployment, release.map(|release| release.state)) {
        (Some(deployment), _) => deployment.status,
        (None, Some(ReleaseState::Succeeded)) => DeploymentStatus::Completed,
        (None, Some(ReleaseState::Failed)) => DeploymentStatus::Failed,
        (None, _) => DeploymentStatus::InProgress,
    };
    let request = deployment.map(|deployment| &deployment.request);
    let text = |pick: fn(&DeploymentRequest) -> String| request.map(pick).filter(|text| !text.is_empty());
    json!({
        "id": ulid(app.id.uuid()),
        "name": app.name.as_str(),
        "service_name": app.name.as_str(),
        "app": app.name.as_str(),
        "status": status.as_str(),
        "error": deployment.map(|found| found.error.as_str()).filter(|error| !error.is_empty()),
        "type": request.map(|request| request.kind.as_str()),
        "source": request.map(|request| request.source.as_str()),
        "runtime": text(|request| request.runtime.clone()),
        "version": text(|request| request.version.clone()),
        "remote": text(|request| request.remote.clone()),
        "branch": text(|request| request.branch.clone()),
        "image": text(|request| request.image.clone()),
        "commit_hash": deployment.map(|found| found.commit_hash.as_str()).filter(|hash| !hash.is_empty()),
        "release": release.map(|release| release.version.0),
    })
}
