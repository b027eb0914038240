//! The older generation: the same calls without a slug, about the caller's active team. Source: `team-api.md` §5.
//!
//! A row of [`ROWS`] is all that a call of the older generation takes: the handler is that of the newer one, which finds
//! no `teamSlug` among the variables of the path and so asks for the active team.

use crate::route::Route;

/// One call of the older generation.
struct Row {
    pattern: &'static str,
    /// The operation whose handler answers.
    of: &'static str,
    operation: &'static str,
}

macro_rules! rows {
    ($($pattern:literal $name:literal;)*) => {
        &[$(Row { pattern: $pattern, of: concat!("team_", $name), operation: concat!("team_active_", $name) }),*]
    };
}

/// Path of the older generation, and which operation of the newer one it is, without `team_`.
const ROWS: &[Row] = rows! {
    "/api/audit-log" "audit_read";
    "/api/dashboard" "dashboard_read";
    "/api/registries" "registries_list";
    "/api/registries" "registry_create";
    "/api/registries/{registryId}" "registry_read";
    "/api/registries/{registryId}" "registry_update";
    "/api/registries/{registryId}" "registry_delete";
    "/api/storages" "storages_list";
    "/api/storages" "storage_create";
    "/api/storages/options" "storage_options_list";
    "/api/storages/{storageId}" "storage_read";
    "/api/storages/{storageId}" "storage_update";
    "/api/storages/{storageId}" "storage_delete";
    "/api/notifications" "notifications_list";
    "/api/notifications" "notification_create";
    "/api/notifications/{notificationId}" "notification_read";
    "/api/notifications/{notificationId}" "notification_update";
    "/api/notifications/{notificationId}" "notification_delete";
    "/api/notifications/{notificationId}/test" "notification_test";
    "/api/nodes" "nodes_list";
    "/api/nodes" "node_create";
    "/api/nodes/{nodeId}" "node_read";
    "/api/nodes/{nodeId}" "node_update";
    "/api/nodes/{nodeId}" "node_delete";
    "/api/nodes/{nodeId}/script" "node_script_create";
    "/api/nodes/{nodeId}/script" "node_script_read";
    "/api/nodes/{nodeId}/script" "node_script_delete";
    "/api/nodes/{nodeId}/token" "node_token_delete";
    "/api/nodes/{nodeId}/update" "node_agent_update";
    "/api/nodes/{nodeId}/containers" "containers_list";
    "/api/nodes/{nodeId}/containers/{name}/start" "container_start";
    "/api/nodes/{nodeId}/containers/{name}/stop" "container_stop";
    "/api/nodes/{nodeId}/containers/{name}/restart" "container_restart";
    "/api/nodes/{nodeId}/containers/{name}" "container_delete";
    "/api/nodes/{nodeId}/{prefix}/containers/{name}/start" "prefix_container_start";
    "/api/nodes/{nodeId}/{prefix}/containers/{name}/stop" "prefix_container_stop";
    "/api/nodes/{nodeId}/{prefix}/containers/{name}/restart" "prefix_container_restart";
    "/api/nodes/{nodeId}/{prefix}/containers/{name}" "prefix_container_delete";
    "/api/nodes/{nodeId}/{prefix}/containers" "prefix_containers_delete";
    "/api/products" "projects_list";
    "/api/products" "project_create";
    "/api/products/{productId}" "project_read";
    "/api/products/{productId}" "project_update";
    "/api/products/{productId}" "project_delete";
    "/api/products/{productId}/versions" "versions_list";
    "/api/products/{productId}/versions" "version_create";
    "/api/products/{productId}/versions/{versionId}" "version_read";
    "/api/products/{productId}/versions/{versionId}" "version_update";
    "/api/products/{productId}/versions/{versionId}" "version_delete";
    "/api/products/{productId}/versions/{versionId}/default" "version_default_set";
    "/api/products/{productId}/versions/{versionId}/increase" "version_increase";
    "/api/products/{productId}/versions/{versionId}/images" "images_list";
    "/api/products/{productId}/versions/{versionId}/images" "images_add";
    "/api/products/{productId}/versions/{versionId}/images/order" "images_order";
    "/api/products/{productId}/versions/{versionId}/images/{imageId}" "image_read";
    "/api/products/{productId}/versions/{versionId}/images/{imageId}" "image_update";
    "/api/products/{productId}/versions/{versionId}/images/{imageId}" "image_delete";
    "/api/deployments" "deployments_list";
    "/api/deployments" "deployment_create";
    "/api/deployments/{deploymentId}" "deployment_read";
    "/api/deployments/{deploymentId}" "deployment_update";
    "/api/deployments/{deploymentId}" "deployment_delete";
    "/api/deployments/{deploymentId}/start" "deployment_start";
    "/api/deployments/{deploymentId}/copy" "deployment_copy";
    "/api/deployments/{deploymentId}/log" "deployment_log_read";
    "/api/deployments/{deploymentId}/instances/{instanceId}" "instance_read";
    "/api/deployments/{deploymentId}/instances/{instanceId}" "instance_update";
    "/api/deployments/{deploymentId}/instances/{instanceId}/secrets" "instance_secrets_read";
};

/// The routes of the older generation, from those of the newer one.
pub(super) fn routes(newer: &[Route]) -> Vec<Route> {
    let older = |row: &Row| {
        let route = newer.iter().find(|route| route.operation == row.of)?;
        Some(Route { pattern: row.pattern, operation: row.operation, ..route.clone() })
    };
    ROWS.iter().filter_map(older).collect()
}

/// Whether an operation lists things: without an active team there are none. Source: `team-api.md` §5.
pub(super) fn is_list(operation: &str) -> bool {
    operation.ends_with("_list")
}
