//! What was asked for, as it lies in its column.

use serde::{Deserialize, Serialize};
use slipway_core::deployment::DeploymentRequest;

use crate::StoreError;
use crate::types::{Row, to_json};

/// A request as it is kept. Names may be added, with a default; none may change its meaning.
#[derive(Serialize, Deserialize)]
struct KeptRequest {
    description: String,
    kind: String,
    source: String,
    runtime: String,
    version: String,
    remote: String,
    branch: String,
    commit_hash: String,
    build_cmd: String,
    run_cmd: String,
    port: u16,
    working_dir: String,
    static_dir: String,
    image: String,
    domain: String,
    health_check: String,
    secrets: Vec<String>,
    #[serde(default)]
    deploy_key: String,
    is_rebuild_forced: bool,
}

pub(super) fn write(request: &DeploymentRequest) -> Result<String, StoreError> {
    let DeploymentRequest {
        description,
        kind,
        source,
        runtime,
        version,
        remote,
        branch,
        commit_hash,
        build_cmd,
        run_cmd,
        port,
        working_dir,
        static_dir,
        image,
        domain,
        health_check,
        secrets,
        deploy_key,
        is_rebuild_forced,
    } = request.clone();
    to_json(&KeptRequest {
        description,
        kind: kind.as_str().to_owned(),
        source: source.as_str().to_owned(),
        runtime,
        version,
        remote,
        branch,
        commit_hash,
        build_cmd,
        run_cmd,
        port,
        working_dir,
        static_dir,
        image,
        domain,
        health_check,
        secrets,
        deploy_key,
        is_rebuild_forced,
    })
    .map(|text| crate::types::text(&text))
}

pub(super) fn read(row: Row<'_>, text: &str) -> Result<DeploymentRequest, StoreError> {
    let kept: KeptRequest = row.json("request", text)?;
    Ok(DeploymentRequest {
        kind: row.parse("request", &kept.kind)?,
        source: row.parse("request", &kept.source)?,
        description: kept.description,
        runtime: kept.runtime,
        version: kept.version,
        remote: kept.remote,
        branch: kept.branch,
        commit_hash: kept.commit_hash,
        build_cmd: kept.build_cmd,
        run_cmd: kept.run_cmd,
        port: kept.port,
        working_dir: kept.working_dir,
        static_dir: kept.static_dir,
        image: kept.image,
        domain: kept.domain,
        health_check: kept.health_check,
        secrets: kept.secrets,
        deploy_key: kept.deploy_key,
        is_rebuild_forced: kept.is_rebuild_forced,
    })
}
