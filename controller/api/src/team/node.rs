//! Nodes. Source: `team-api.md` §3.9.

use http::{Method, StatusCode};
use secrecy::SecretString;
use slipway_service::{Joining, NodeEventQuery, NodeGiven, ScriptGiven};
use slipway_team::NodeId;
use slipway_team::node::{Access as Reach, EngineTls, NodeEventKind, NodeKind};
use slipway_wire::team as wire;

use super::body::Body;
use super::scope::{Scope, call_id, created, scoped};
use super::{query, route, to_wire_node};
use crate::call::{Answer, Call, Failure, empty, json, ok, text};
use crate::handler;
use crate::route::{Access, Generation, Route};

/// Longest kubeconfig or certificate, in bytes.
const FILE_MAX: usize = 256 * 1024;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/nodes";
    const ONE: &str = "/api/{teamSlug}/nodes/{nodeId}";
    const SCRIPT: &str = "/api/{teamSlug}/nodes/{nodeId}/script";
    let public = |method, pattern, operation, handler| {
        Route::new(Generation::Team, method, pattern, operation, Access::Public, handler)
    };
    vec![
        route(Method::GET, ALL, "team_nodes_list", scoped!("team_nodes_list", nodes_list)),
        route(Method::POST, ALL, "team_node_create", scoped!("team_node_create", node_create)),
        route(Method::GET, ONE, "team_node_read", scoped!("team_node_read", node_read)),
        route(Method::PUT, ONE, "team_node_update", scoped!("team_node_update", node_update)),
        route(Method::DELETE, ONE, "team_node_delete", scoped!("team_node_delete", node_delete)),
        route(Method::POST, SCRIPT, "team_node_script_create", scoped!("team_node_script_create", script_create)),
        public(Method::GET, SCRIPT, "team_node_script_read", handler!(script_read)),
        route(Method::DELETE, SCRIPT, "team_node_script_delete", scoped!("team_node_script_delete", script_delete)),
        public(Method::POST, "/api/{teamSlug}/nodes/{nodeId}/join", "team_node_script_join", handler!(script_join)),
        route(
            Method::PUT,
            "/api/{teamSlug}/nodes/{nodeId}/kubeconfig",
            "team_node_kubeconfig_set",
            scoped!("team_node_kubeconfig_set", kubeconfig_set),
        ),
        route(
            Method::PUT,
            "/api/{teamSlug}/nodes/{nodeId}/docker",
            "team_node_docker_set",
            scoped!("team_node_docker_set", docker_set),
        ),
        route(
            Method::DELETE,
            "/api/{teamSlug}/nodes/{nodeId}/token",
            "team_node_token_delete",
            scoped!("team_node_token_delete", token_delete),
        ),
        route(
            Method::POST,
            "/api/{teamSlug}/nodes/{nodeId}/update",
            "team_node_agent_update",
            scoped!("team_node_agent_update", agent_update),
        ),
        route(
            Method::GET,
            "/api/{teamSlug}/nodes/{nodeId}/audit",
            "team_node_audit_read",
            scoped!("team_node_audit_read", audit_read),
        ),
    ]
}

fn given(scope: &Scope) -> Result<NodeGiven, Failure> {
    let mut body = Body::read(&scope.call)?;
    let given = NodeGiven {
        name: body.text("name"),
        description: body.text_or_null("description"),
        icon: body.text_or_null("icon"),
    };
    body.finish(given)
}

async fn nodes_list(scope: Scope) -> Answer {
    let nodes = scope.call.state.service.nodes_list(&scope.member).await?;
    ok(&nodes.iter().map(to_wire_node::node).collect::<Vec<_>>())
}

async fn node_create(scope: Scope) -> Answer {
    let given = given(&scope)?;
    let view = scope.call.state.service.node_create(&scope.call.cx, &scope.member, given).await?;
    created(&scope.location(&format!("nodes/{}", view.node.id)), &to_wire_node::node(&view))
}

async fn node_read(scope: Scope) -> Answer {
    let id: NodeId = scope.id("nodeId")?;
    let details = scope.call.state.service.node_get(&scope.call.cx, &scope.member, id).await?;
    ok(&to_wire_node::details(&details, scope.dialect))
}

async fn node_update(scope: Scope) -> Answer {
    let (id, given): (NodeId, _) = (scope.id("nodeId")?, given(&scope)?);
    scope.call.state.service.node_update(&scope.call.cx, &scope.member, id, given).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn node_delete(scope: Scope) -> Answer {
    scope.call.state.service.node_delete(&scope.member, scope.id("nodeId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn script_create(scope: Scope) -> Answer {
    let id: NodeId = scope.id("nodeId")?;
    let mut body = Body::read(&scope.call)?;
    let (kind, script) = (body.word("type"), body.word("scriptType"));
    let root_path = body.text_or_null("rootPath");
    let mut acme_email = None;
    if body.has("dagentTraefik") {
        let mut traefik = body.open("dagentTraefik");
        acme_email = Some(traefik.text("acmeEmail"));
        body.close(traefik);
    }
    let (kind, script) = body.finish((kind, script))?;
    let (Some(kind), Some(script)) = (kind, script) else {
        return Err(slipway_core::Error::internal("a word is missing from a body that has it").into());
    };
    let given = ScriptGiven { kind, script, root_path, acme_email };
    let view = scope.call.state.service.node_script_create(&scope.call.cx, &scope.member, id, given).await?;
    json(StatusCode::CREATED, &to_wire_node::install(&view))
}

async fn script_delete(scope: Scope) -> Answer {
    scope.call.state.service.node_script_delete(&scope.call.cx, &scope.member, scope.id("nodeId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

/// The slug of the path; calls of the older generation have none.
fn slug(call: &Call) -> Option<&str> {
    call.params.iter().any(|(name, _)| *name == "teamSlug").then(|| call.param("teamSlug"))
}

async fn script_read(call: Call) -> Answer {
    let id: NodeId = call_id(&call, "nodeId")?;
    Ok(text(call.state.service.node_script_read(id, slug(&call)).await?))
}

/// A text of a file's length.
fn file(body: &mut Body, field: &str) -> String {
    match body.take(field) {
        Some(serde_json::Value::String(text)) if text.len() > FILE_MAX => body.fail(field, "is too long"),
        Some(serde_json::Value::String(text)) if text.contains('\0') => body.fail(field, "must not hold NUL"),
        Some(serde_json::Value::String(text)) => return text,
        Some(_) => body.fail(field, "must be a text"),
        None => body.fail(field, "is missing"),
    }
    String::new()
}

fn tls(body: &mut Body) -> EngineTls {
    EngineTls {
        authority: file(body, "certificateAuthority"),
        certificate: file(body, "certificate"),
        key: SecretString::from(file(body, "clientKey")),
    }
}

async fn script_join(call: Call) -> Answer {
    let id: NodeId = call_id(&call, "nodeId")?;
    let mut body = Body::read(&call)?;
    let secret = SecretString::from(body.text("secret"));
    let joining = if body.has("address") {
        Joining::Docker { address: body.text("address"), tls: tls(&mut body) }
    } else {
        Joining::Kubernetes {
            server: body.text("server"),
            authority: file(&mut body, "certificateAuthority"),
            token: SecretString::from(file(&mut body, "token")),
        }
    };
    let joining = body.finish(joining)?;
    call.state.service.node_script_join(id, slug(&call), &secret, joining).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn kubeconfig_set(scope: Scope) -> Answer {
    let id: NodeId = scope.id("nodeId")?;
    let mut body = Body::read(&scope.call)?;
    let config = file(&mut body, "kubeconfig");
    let config = body.finish(SecretString::from(config))?;
    let way = (NodeKind::Kubernetes, Reach::Kubeconfig(config));
    scope.call.state.service.node_join(&scope.call.cx, &scope.member, id, "kubeconfig", way).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn docker_set(scope: Scope) -> Answer {
    let id: NodeId = scope.id("nodeId")?;
    let mut body = Body::read(&scope.call)?;
    let address = body.text("address");
    let mut given = None;
    if body.has("tls") {
        let mut inner = body.open("tls");
        given = Some(tls(&mut inner));
        body.close(inner);
    }
    let (address, tls) = body.finish((address, given))?;
    let way = (NodeKind::Docker, Reach::Engine { address, tls });
    scope.call.state.service.node_join(&scope.call.cx, &scope.member, id, "address", way).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn token_delete(scope: Scope) -> Answer {
    scope.call.state.service.node_token_delete(&scope.call.cx, &scope.member, scope.id("nodeId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn agent_update(scope: Scope) -> Answer {
    scope.call.state.service.node_agent_update(&scope.call.cx, &scope.member, scope.id("nodeId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn audit_read(scope: Scope) -> Answer {
    let id: NodeId = scope.id("nodeId")?;
    let page = query::page(&scope.call)?;
    let (from, to) = query::span(&scope.call)?;
    let kind = match scope.call.query("filterEventType").filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => Some(word.parse::<NodeEventKind>().map_err(|_| {
            slipway_team::Error::invalid("filterEventType", "filterEventType is not one of the known words")
        })?),
    };
    let query = NodeEventQuery { from, to, kind, page };
    let found = scope.call.state.service.node_events_list(&scope.member, id, &query).await?;
    ok(&wire::Paged { items: found.items.iter().map(to_wire_node::event).collect(), total: found.total })
}
