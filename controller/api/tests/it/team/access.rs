//! Every route of teams × every role × own and foreign team. A route that is not in the table below fails the test.

use serde_json::{Value, json};
use slipway_api::route::{Generation, Route};

use super::{expect, get, send};
use crate::world::{Database, World, both};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Anonymous,
    Stranger,
    User,
    Admin,
    Owner,
    /// The platform's administrator, who is in no team.
    Superuser,
}

const ROLES: [Role; 6] = [Role::Anonymous, Role::Stranger, Role::User, Role::Admin, Role::Owner, Role::Superuser];

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "",
            Self::Stranger => "stranger",
            Self::User => "collaborator",
            Self::Admin => "boss",
            Self::Owner => "owner",
            Self::Superuser => "admin",
        }
    }
}

/// Who may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Everybody, without credentials.
    Everybody,
    /// Every user.
    Users,
    /// Members of the team in the path; others are refused by 403.
    Members,
    /// As `Members`; who is nobody lacks the token that would do as well (401).
    Starters,
    /// As `Members`, by the team's identity: others learn of nothing (404), members of a weaker role of that (403).
    ById(Role),
    /// Users about their active team.
    Active,
    /// Whoever knows a node's script; without one all are refused alike.
    Script,
}

/// An identity that nothing has.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The rule and the body of every operation.
#[expect(clippy::match_same_arms, reason = "a row an operation reads better than groups of equal ones")]
fn rule(operation: &str) -> Option<(Rule, Value)> {
    let found = match operation {
        "team_teams_list" => (Rule::Users, json!(null)),
        "team_team_create" => (Rule::Users, json!({"name": "NEW", "slug": "NEW"})),
        "team_team_read" => (Rule::ById(Role::User), json!(null)),
        "team_team_update" => (Rule::ById(Role::Admin), json!({"name": "NEW", "slug": "NEW"})),
        "team_team_delete" => (Rule::ById(Role::Owner), json!(null)),
        "team_audit_read" | "team_dashboard_read" => (Rule::Members, json!(null)),
        "team_health_read" | "team_session_logout" => (Rule::Everybody, json!(null)),
        "team_session_login" => (Rule::Everybody, json!({"username": "owner", "password": "pw"})),
        "team_session_sign_up" => (Rule::Everybody, json!({"code": "none", "password": "pw"})),
        "team_oidc_begin" | "team_oidc_finish" => (Rule::Everybody, json!(null)),
        "team_template_use" => (Rule::Users, json!({"id": "none", "name": "NEW", "type": "simple"})),
        "team_oidc_link" | "team_socket_open" | "team_templates_list" | "team_template_picture" => {
            (Rule::Users, json!(null))
        }
        "team_me_read"
        | "team_onboarding_show"
        | "team_onboarding_hide"
        | "team_tokens_list"
        | "team_token_read"
        | "team_token_delete"
        | "team_invitation_accept"
        | "team_invitation_decline" => (Rule::Users, json!(null)),
        "team_team_activate" => (Rule::Users, json!({"teamId": "00000000-0000-4000-8000-000000000000"})),
        "team_token_create" => (Rule::Users, json!({"name": "NEW", "expirationInDays": 1})),
        "team_user_invite" => {
            (Rule::ById(Role::Admin), json!({"email": "NEW@example.com", "firstName": "New", "lastName": "User"}))
        }
        "team_user_leave" => (Rule::ById(Role::User), json!(null)),
        "team_user_delete" | "team_user_reinvite" => (Rule::ById(Role::Admin), json!(null)),
        "team_user_role_set" => (Rule::ById(Role::Admin), json!({"role": "user"})),
        "team_registries_list" | "team_registry_read" | "team_registry_delete" => (Rule::Members, json!(null)),
        "team_registry_create" | "team_registry_update" => {
            (Rule::Members, json!({"name": "NEW", "type": "unchecked", "details": {"url": "r.example.com"}}))
        }
        "team_storages_list" | "team_storage_options_list" | "team_storage_read" | "team_storage_delete" => {
            (Rule::Members, json!(null))
        }
        "team_storage_create" | "team_storage_update" => {
            (Rule::Members, json!({"name": "NEW", "url": "s3.example.com"}))
        }
        "team_notifications_list"
        | "team_notification_read"
        | "team_notification_delete"
        | "team_notification_test" => (Rule::Members, json!(null)),
        "team_notification_create" | "team_notification_update" => (
            Rule::Members,
            json!({
                "name": "NEW", "type": "slack", "url": "https://hooks.example.com", "active": true,
                "enabledEvents": ["node-added"],
            }),
        ),
        "team_projects_list" | "team_project_read" | "team_project_delete" | "team_project_convert" => {
            (Rule::Members, json!(null))
        }
        "team_project_create" => (Rule::Members, json!({"name": "NEW", "type": "versionless"})),
        "team_project_update" => (Rule::Members, json!({"name": "NEW"})),
        "team_versions_list" | "team_version_read" | "team_version_delete" | "team_version_default_set" => {
            (Rule::Members, json!(null))
        }
        "team_version_create" => (Rule::Members, json!({"name": "NEW", "type": "incremental"})),
        "team_version_update" | "team_version_increase" => (Rule::Members, json!({"name": "NEW"})),
        "team_images_list" | "team_image_read" | "team_image_delete" => (Rule::Members, json!(null)),
        "team_images_add" => {
            (Rule::Members, json!([{"registryId": "00000000-0000-4000-8000-000000000000", "images": ["web:1"]}]))
        }
        "team_images_order" => (Rule::Members, json!([])),
        "team_app_adopt" | "team_app_release" => (Rule::Members, json!(null)),
        "team_image_update" => (Rule::Members, json!({"tag": "2", "config": {"tty": true}})),
        "team_node_script_read" => (Rule::Script, json!(null)),
        "team_node_script_join" => {
            (Rule::Script, json!({"secret": "x", "server": "x", "token": "x", "certificateAuthority": "x"}))
        }
        "team_node_create" | "team_node_update" => (Rule::Members, json!({"name": "NEW"})),
        "team_node_script_create" => (Rule::Members, json!({"type": "k8s", "scriptType": "shell"})),
        "team_node_kubeconfig_set" => (Rule::Members, json!({"kubeconfig": "x"})),
        "team_node_docker_set" => (Rule::Members, json!({"address": "unix:///x"})),
        operation
            if ["team_node", "team_container", "team_prefix_container"]
                .iter()
                .any(|one| operation.starts_with(one)) =>
        {
            (Rule::Members, json!(null))
        }
        "team_active_node_script_read" => (Rule::Script, json!(null)),
        older if older.starts_with("team_active_") => {
            let (_, body) = rule(&older.replacen("active_", "", 1))?;
            (Rule::Active, body)
        }
        _ => return deployment_rule(operation),
    };
    Some(found)
}

/// The same for deployments and what belongs to them.
fn deployment_rule(operation: &str) -> Option<(Rule, Value)> {
    let found = match operation {
        "team_deployments_list"
        | "team_deployment_read"
        | "team_deployment_delete"
        | "team_deployment_log_read"
        | "team_deployment_token_delete"
        | "team_instance_read"
        | "team_instance_secrets_read" => (Rule::Members, json!(null)),
        "team_deployment_start" => (Rule::Starters, json!(null)),
        "team_deployment_create" => (Rule::Members, json!({"versionId": NOBODY, "nodeId": NOBODY, "prefix": "p"})),
        "team_deployment_copy" => (Rule::Members, json!({"nodeId": NOBODY, "prefix": "p"})),
        "team_deployment_update" => (Rule::Members, json!({"note": "NEW"})),
        "team_deployment_token_create" => (Rule::Members, json!({"name": "NEW"})),
        "team_instance_update" => (Rule::Members, json!({"config": {}})),
        _ => return None,
    };
    Some(found)
}

/// Whose team the path is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Foreign,
}

/// What the caller must see: allowed, or this status.
#[expect(clippy::match_same_arms, reason = "the order of the arms is what is read")]
fn expected(rule: Rule, role: Role, whose: Whose) -> Result<(), u16> {
    let is_member = whose == Whose::Own && matches!(role, Role::User | Role::Admin | Role::Owner);
    let rank = |role: Role| ROLES.iter().position(|one| *one == role);
    match rule {
        Rule::Everybody => Ok(()),
        Rule::Script => Err(401),
        Rule::Starters if role == Role::Anonymous => Err(401),
        _ if role == Role::Anonymous => Err(403),
        Rule::Users => Ok(()),
        Rule::Members | Rule::Starters if is_member => Ok(()),
        Rule::Members | Rule::Starters => Err(403),
        Rule::ById(_) if !is_member => Err(404),
        Rule::ById(least) => {
            if rank(role) >= rank(least) {
                Ok(())
            } else {
                Err(403)
            }
        }
        // Only members of the team in these tests have an active one.
        Rule::Active => Ok(()),
    }
}

/// Makes a member of a team with a role.
async fn member(world: &World, team: &str, user: &str, role: slipway_team::Role) {
    world.join(team, user, role).await;
}

/// A team with a member of each role; gives its identity and its slug.
async fn team(world: &World, owner: &str, slug: &str, with_others: bool) -> (String, String) {
    let id = super::team(world, owner, slug).await;
    if with_others {
        member(world, &id, "boss", slipway_team::Role::Admin).await;
        member(world, &id, "collaborator", slipway_team::Role::User).await;
    }
    (id, slug.to_owned())
}

/// Operations after which the team is no longer what the next check expects.
const SPOILING: [&str; 3] = ["team_team_update", "team_team_delete", "team_user_leave"];

async fn check(world: &World, route: &Route, role: Role, whose: Whose, number: usize, shared: &[(String, String); 2]) {
    let (rule, body) = rule(route.operation).unwrap_or_else(|| {
        panic!("{route:?} is not in this test's table: say there who may call it, with a body that would succeed")
    });
    let (id, slug) = match whose {
        _ if !SPOILING.contains(&route.operation) => shared[usize::from(whose == Whose::Foreign)].clone(),
        Whose::Own => team(world, "owner", &format!("own-{number}"), true).await,
        Whose::Foreign => team(world, "other", &format!("foreign-{number}"), false).await,
    };
    let mut path = route.pattern.replace("{teamSlug}", &slug).replace("{teamId}", &id);
    while let Some((begin, rest)) = path.split_once('{') {
        // Nothing has this identity: those who may call learn that it is not there.
        let (_, end) = rest.split_once('}').unwrap();
        path = format!("{begin}{}{end}", uuid::Uuid::from_u128(number as u128));
    }
    let body = body.to_string().replace("NEW", &format!("new-{number}"));
    let reply = send(world, role.name(), route.method.as_str(), &path, serde_json::from_str(&body).unwrap()).await;
    let context = format!("{route:?} as {role:?} on {whose:?}: {} {}", reply.status, reply.body);
    match expected(rule, role, whose) {
        Ok(()) => assert!(!matches!(reply.status, 401 | 403) && reply.status < 500, "{context}"),
        Err(status) => assert_eq!(reply.status, status, "{context}"),
    }
}

async fn every_route(database: Database) {
    let mut world = World::new(database).await;
    world.login("boss").await;
    let shared = [team(&world, "owner", "shared", true).await, team(&world, "other", "foreign", false).await];
    let routes: Vec<Route> =
        world.api.table().iter().filter(|route| route.generation == Generation::Team).cloned().collect();
    assert!(routes.len() > 5);
    let mut number = 0;
    for route in &routes {
        for role in ROLES {
            for whose in [Whose::Own, Whose::Foreign] {
                number += 1;
                check(&world, route, role, whose, number, &shared).await;
            }
        }
    }
    // Nothing of another team was changed.
    let theirs = get(&world, "other", "/api/teams").await.json();
    assert_eq!(theirs[0]["name"], "Team foreign");
    expect(&world, "other", "GET", &format!("/api/teams/{}", shared[1].0), Value::Null, 200).await;
}
both!(every_route, every_route_of_teams_lets_in_whom_it_should_and_nobody_else);
