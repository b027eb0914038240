//! Deployments and what belongs to them.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use slipway_core::Result;
use slipway_engine::workload::ContainerState;
use slipway_service::{DeployedInstance, DeploymentDetails, DeploymentTokenMade, InstanceSecrets};
use slipway_team::InstanceId;
use slipway_team::container::part::KeyValue;
use slipway_team::deployment::{DeploymentEvent, DeploymentToken, Listed, News};
use slipway_wire::team as wire;

use super::project::{audit, config};
use super::{image, project_kind, time};
use crate::team::scope::Dialect;

pub(in crate::team) fn deployment(listed: &Listed, dialect: Dialect) -> wire::Deployment {
    let Listed { id, prefix, note, status, stamp, project, version, node } = listed;
    let basic = |id: String, name: &str, kind: &str| wire::Basic { id, name: name.to_owned(), r#type: kind.to_owned() };
    let project = basic(project.id.to_string(), &project.name, project_kind(project.kind, dialect));
    let (project, product) = match dialect {
        Dialect::Slug => (Some(project), None),
        Dialect::Active => (None, Some(project)),
    };
    wire::Deployment {
        id: id.to_string(),
        prefix: prefix.clone(),
        status: status.as_str().to_owned(),
        note: note.clone(),
        audit: audit(stamp),
        project,
        product,
        version: basic(version.id.to_string(), &version.name, version.kind.as_str()),
        node: basic(node.id.to_string(), &node.name, node.kind.as_str()),
    }
}

fn pair(pair: &KeyValue) -> wire::KeyValue {
    let KeyValue { id, key, value } = pair;
    wire::KeyValue { id: id.clone(), key: key.clone(), value: value.clone() }
}

pub(in crate::team) fn instance(
    view: &DeployedInstance,
    dialect: Dialect,
    state: Option<ContainerState>,
) -> Result<wire::Instance> {
    let DeployedInstance { instance, image: own } = view;
    Ok(wire::Instance {
        id: instance.id.to_string(),
        updated_at: time(instance.updated),
        state: state.map(|state| state.as_str().to_owned()),
        image: image(own, dialect)?,
        config: instance.config.as_ref().map(|own| config(own, own.routing.as_ref(), dialect)).transpose()?,
    })
}

pub(in crate::team) fn deployment_details(
    details: &DeploymentDetails,
    dialect: Dialect,
    states: &BTreeMap<InstanceId, ContainerState>,
) -> Result<wire::DeploymentDetails> {
    let DeploymentDetails { listed, environment, public_key, instances, last_try, token } = details;
    let one = |view: &DeployedInstance| instance(view, dialect, states.get(&view.instance.id).copied());
    Ok(wire::DeploymentDetails {
        deployment: deployment(listed, dialect),
        environment: environment.iter().map(pair).collect(),
        public_key: public_key.clone(),
        instances: instances.iter().map(one).collect::<Result<_>>()?,
        last_try: *last_try,
        token: token.as_ref().map(deployment_token),
    })
}

fn deployment_token(token: &DeploymentToken) -> wire::DeploymentToken {
    let DeploymentToken { id, deployment: _, team: _, name, nonce: _, created, expires } = token;
    wire::DeploymentToken {
        id: id.to_string(),
        name: name.clone(),
        created_at: time(*created),
        expires_at: expires.map(time),
    }
}

pub(in crate::team) fn generated_deployment_token(made: &DeploymentTokenMade) -> wire::GeneratedDeploymentToken {
    let DeploymentTokenMade { token, signed, curl } = made;
    wire::GeneratedDeploymentToken {
        made: deployment_token(token),
        token: signed.expose_secret().to_owned(),
        curl: curl.expose_secret().to_owned(),
    }
}

pub(in crate::team) fn instance_secrets(secrets: InstanceSecrets) -> wire::InstanceSecrets {
    let InstanceSecrets { prefix, name, public_key, keys } = secrets;
    wire::InstanceSecrets { container: wire::ContainerId { prefix, name }, public_key, keys }
}

pub(in crate::team) fn deployment_event(event: &DeploymentEvent, dialect: Dialect) -> wire::DeploymentEvent {
    let DeploymentEvent { deployment: _, attempt: _, created, news } = event;
    let bare = |kind: &str| wire::DeploymentEvent {
        r#type: kind.to_owned(),
        created_at: time(*created),
        log: None,
        deployment_status: None,
        container_state: None,
        container_status: None,
    };
    match news {
        News::Log(lines) => wire::DeploymentEvent { log: Some(lines.clone()), ..bare("log") },
        News::Status(status) => {
            wire::DeploymentEvent { deployment_status: Some(status.as_str().to_owned()), ..bare("deployment-status") }
        }
        News::Container { instance, state } => {
            let state = wire::InstanceState { instance_id: instance.to_string(), state: Some(state.clone()) };
            match dialect {
                Dialect::Slug => wire::DeploymentEvent { container_state: Some(state), ..bare("container-state") },
                Dialect::Active => wire::DeploymentEvent { container_status: Some(state), ..bare("container-status") },
            }
        }
    }
}
