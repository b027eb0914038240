//! Containers at nodes, with and without a prefix. Source: `team-api.md` §3.10.

use http::{Method, StatusCode};
use slipway_engine::workload::ContainerCommand;
use slipway_service::{CONTAINER_LOG_MAX, ContainerLogWanted, ContainerName};
use slipway_team::NodeId;

use super::scope::{Scope, scoped};
use super::{query, route, to_wire_node};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

/// Those without a prefix stand before those with one.
pub(super) fn routes() -> Vec<Route> {
    macro_rules! rows {
        ($($method:ident $pattern:literal $operation:literal $function:path;)*) => {
            vec![$(route(
                Method::$method,
                concat!("/api/{teamSlug}/nodes/{nodeId}/", $pattern),
                $operation,
                scoped!($operation, $function),
            )),*]
        };
    }
    rows! {
        GET "containers" "team_containers_list" containers_list;
        POST "containers/{name}/start" "team_container_start" start;
        POST "containers/{name}/stop" "team_container_stop" stop;
        POST "containers/{name}/restart" "team_container_restart" restart;
        DELETE "containers/{name}" "team_container_delete" delete;
        GET "containers/{name}/log" "team_container_log_read" log_read;
        POST "{prefix}/containers/{name}/start" "team_prefix_container_start" start;
        POST "{prefix}/containers/{name}/stop" "team_prefix_container_stop" stop;
        POST "{prefix}/containers/{name}/restart" "team_prefix_container_restart" restart;
        DELETE "{prefix}/containers/{name}" "team_prefix_container_delete" delete;
        GET "{prefix}/containers/{name}/log" "team_prefix_container_log_read" log_read;
        DELETE "{prefix}/containers" "team_prefix_containers_delete" delete_all;
    }
}

/// What stands for no prefix in newer clients.
const NO_PREFIX: &str = "_";
/// Lines of a log unless a request says otherwise. Source: `team-api.md` §6.
const LOG_TAKE: u64 = 100;

fn name(scope: &Scope) -> Result<(NodeId, ContainerName), Failure> {
    let has_prefix = scope.call.params.iter().any(|(name, _)| *name == "prefix");
    let prefix = if has_prefix { scope.call.param("prefix") } else { NO_PREFIX };
    let prefix = if prefix == NO_PREFIX { "" } else { prefix };
    let name = ContainerName { prefix: prefix.to_owned(), name: scope.call.param("name").to_owned() };
    Ok((scope.id("nodeId")?, name))
}

async fn containers_list(scope: Scope) -> Answer {
    let id: NodeId = scope.id("nodeId")?;
    let prefix = scope.call.query("prefix").filter(|prefix| !prefix.is_empty() && *prefix != NO_PREFIX);
    let all = scope.call.state.service.containers_list(&scope.member, id, prefix).await?;
    ok(&all.iter().map(|one| to_wire_node::container(one, scope.dialect)).collect::<Vec<_>>())
}

async fn command(scope: Scope, command: ContainerCommand) -> Answer {
    let (id, name) = name(&scope)?;
    scope.call.state.service.container_command(&scope.call.cx, &scope.member, id, name, command).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn start(scope: Scope) -> Answer {
    command(scope, ContainerCommand::Start).await
}

async fn stop(scope: Scope) -> Answer {
    command(scope, ContainerCommand::Stop).await
}

async fn restart(scope: Scope) -> Answer {
    command(scope, ContainerCommand::Restart).await
}

async fn delete(scope: Scope) -> Answer {
    let (id, name) = name(&scope)?;
    scope.call.state.service.container_delete(&scope.call.cx, &scope.member, id, name).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn delete_all(scope: Scope) -> Answer {
    let (id, prefix) = (scope.id("nodeId")?, scope.call.param("prefix"));
    scope.call.state.service.containers_delete(&scope.call.cx, &scope.member, id, prefix).await?;
    empty(StatusCode::NO_CONTENT)
}

/// What newer clients ask for; the documents have the WebSocket alone. `since` and `timestamps` are ours.
async fn log_read(scope: Scope) -> Answer {
    let (id, name) = name(&scope)?;
    let call = &scope.call;
    let take = query::number_or(call, "take", LOG_TAKE, 1..=u64::from(CONTAINER_LOG_MAX))?;
    let is_timed = query::flag(call, "timestamps")?;
    let wanted = ContainerLogWanted {
        tail: u32::try_from(take).unwrap_or(CONTAINER_LOG_MAX),
        since: query::moment_or_none(call, "since")?,
    };
    let lines = call.state.service.container_log(&scope.member, id, name, wanted).await?;
    ok(&lines.iter().map(|line| to_wire_node::log_line(line, is_timed)).collect::<Vec<_>>())
}
