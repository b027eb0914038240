//! Every route × every role × own and foreign app. A route that is not in the table below fails the test.

use serde_json::{Value, json};
use slipway_api::route::{Access, Route};

use crate::world::{Database, World, both};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Anonymous,
    Stranger,
    Collaborator,
    Owner,
    Admin,
    Builder,
}

const ROLES: [Role; 6] = [Role::Anonymous, Role::Stranger, Role::Collaborator, Role::Owner, Role::Admin, Role::Builder];

/// Whose app the request is about, as seen by the owner and the collaborator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Foreign,
}

/// Who may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Everybody.
    Everybody,
    /// Every user.
    Users,
    /// Administrators.
    Admins,
    /// Owner, collaborators, administrators of the app.
    AppUse,
    /// Owner and administrators of the app.
    AppManage,
    /// As `AppManage`, and the collaborator whom it is about.
    AppLeave,
    /// As `AppUse`, but those who may not use the app do not learn that it exists.
    HiddenUse,
    /// As `AppManage`, with the same reserve.
    HiddenManage,
    /// The user whose key it is; others do not learn that it exists.
    OwnKey,
    /// The user whose certificate it is; others do not learn that it exists.
    OwnCert,
    /// As `OwnCert`, and the user must have access to the app whose domain it is about.
    OwnCertAppUse,
    /// The user whose project or webhook it is; others do not learn that it exists.
    OwnThing,
    /// The builder.
    Builder,
    /// The builder, in the name of a user (`owner`) who must have access to the app.
    BuilderFor,
}

/// The rule and the body of every operation.
#[expect(clippy::match_same_arms, reason = "a row an operation reads better than groups of equal ones")]
fn rule(operation: &str) -> Option<(Rule, Value)> {
    use Rule::{
        Admins, AppLeave, AppManage, AppUse, Builder, BuilderFor, Everybody, OwnCert, OwnCertAppUse, OwnKey, Users,
    };
    let build = json!({"image": "example/app:1", "procfile": {"web": "run"}});
    let receive = json!({"receive_user": "owner", "receive_repo": "APP"});
    let found = match operation {
        "platform_health_check"
        | "platform_readiness_check"
        | "platform_metrics_read"
        | "platform_openapi_read"
        | "platform_docs_read"
        | "platform_docs_script"
        | "platform_docs_style" => (Everybody, json!(null)),
        "drycc_v2_user_register" => (Everybody, json!({"username": "NEW", "password": "pw", "email": "a@b.cc"})),
        "drycc_v2_user_login" => (Everybody, json!({"username": "owner", "password": "pw"})),
        "drycc_v2_root_read"
        | "drycc_v2_platform_read"
        | "drycc_v2_user_whoami"
        | "drycc_v2_keys_list"
        | "drycc_v2_apps_list" => (Users, json!(null)),
        "drycc_v2_user_cancel" => (Admins, json!({"username": "VICTIM"})),
        "drycc_v2_user_password_change" => (Admins, json!({"username": "VICTIM", "new_password": "new"})),
        "drycc_v2_token_regenerate" => (Admins, json!({"username": "VICTIM"})),
        "drycc_v2_users_list" | "drycc_v2_admins_list" => (Admins, json!(null)),
        "drycc_v2_admin_grant" => (Admins, json!({"username": "VICTIM"})),
        "drycc_v2_admin_revoke" | "drycc_v2_user_enable" | "drycc_v2_user_disable" | "drycc_v2_token_read" => {
            (Admins, json!(null))
        }
        "drycc_v2_key_create" => (Users, json!({"id": "NEW", "public": "KEY"})),
        "drycc_v2_key_read" | "drycc_v2_key_delete" => (OwnKey, json!(null)),
        "drycc_v2_certs_list" => (Users, json!(null)),
        "drycc_v2_cert_create" => (Users, json!({"name": "NEW", "certificate": "CHAIN", "key": "PRIVATE"})),
        "drycc_v2_cert_read" | "drycc_v2_cert_delete" | "drycc_v2_cert_detach" => (OwnCert, json!(null)),
        "drycc_v2_cert_attach" => (OwnCertAppUse, json!({"domain": "APP"})),
        "drycc_v2_cert_attach_segment" => (OwnCertAppUse, json!(null)),
        "drycc_v2_app_create" => (Users, json!({})),
        "drycc_v2_app_transfer" => (AppManage, json!({"owner": "owner"})),
        "drycc_v2_app_destroy" => (AppManage, json!(null)),
        "drycc_v2_app_run" => (AppUse, json!({"command": "true"})),
        "drycc_v2_app_scale" => (AppUse, json!({"web": 1})),
        "drycc_v2_config_set" => (AppUse, json!({"values": {"A": "NEW"}})),
        "drycc_v2_build_create" | "drycc_v2_builds_create" => (AppUse, build),
        "drycc_v2_release_rollback" => (AppUse, json!({"version": 2})),
        "drycc_v2_pods_restart" | "drycc_v2_pods_restart_segment" | "drycc_v2_pod_restart" => (AppUse, json!(null)),
        "drycc_v2_app_read"
        | "drycc_v2_app_logs"
        | "drycc_v2_pods_list"
        | "drycc_v2_pods_list_type"
        | "drycc_v2_pod_read"
        | "drycc_v2_pod_exec"
        | "drycc_v2_app_run_session"
        | "drycc_v2_config_read"
        | "drycc_v2_build_current"
        | "drycc_v2_builds_list"
        | "drycc_v2_build_logs_list"
        | "drycc_v2_build_log_read"
        | "drycc_v2_build_read"
        | "drycc_v2_releases_list"
        | "drycc_v2_release_read"
        | "drycc_v2_domains_list"
        | "drycc_v2_settings_read"
        | "drycc_v2_tls_read"
        | "drycc_v2_whitelist_read"
        | "drycc_v2_allowlist_read"
        | "drycc_v2_perms_list" => (AppUse, json!(null)),
        "drycc_v2_domain_create" => (AppUse, json!({"domain": "NEW.example.org"})),
        "drycc_v2_domain_delete" => (AppManage, json!(null)),
        "drycc_v2_settings_set" => (AppUse, json!({"label": {"a": "NEW"}})),
        "drycc_v2_tls_set" => (AppUse, json!({"https_enforced": null})),
        "drycc_v2_whitelist_add" | "drycc_v2_allowlist_add" => (AppUse, json!({"addresses": ["10.0.0.1"]})),
        "drycc_v2_whitelist_remove" | "drycc_v2_allowlist_remove" => (AppManage, json!({"addresses": ["10.0.0.1"]})),
        "drycc_v2_app_start" | "drycc_v2_app_stop" => (AppUse, json!({"types": ["web"]})),
        "drycc_v2_services_list" | "drycc_v2_volumes_list" | "drycc_v2_resources_list" => (AppUse, json!(null)),
        "drycc_v2_service_set" => (AppUse, json!({"procfile_type": "web", "path_pattern": "/NEW"})),
        "drycc_v2_service_delete" => (AppManage, json!({"procfile_type": "web"})),
        "drycc_v2_volume_create" => (AppUse, json!({"name": "files", "size": "1G"})),
        "drycc_v2_volume_expand" => (AppUse, json!({"size": "2G"})),
        "drycc_v2_volume_mount" => (AppUse, json!({"path": {"web": "/data"}})),
        "drycc_v2_resource_create" => (AppUse, json!({"name": "db", "plan": "mysql:small"})),
        "drycc_v2_resource_read" | "drycc_v2_resource_update" => (AppUse, json!(null)),
        "drycc_v2_resource_bind" => (AppUse, json!({"bind_action": "bind"})),
        "drycc_v2_volume_delete" | "drycc_v2_resource_delete" => (AppManage, json!(null)),
        "drycc_v2_perm_grant" => (AppManage, json!({"username": "stranger"})),
        "drycc_v2_perm_revoke" => (AppLeave, json!(null)),
        "drycc_v2_hook_key" | "drycc_v2_hook_keys" | "drycc_v2_hook_apps" | "drycc_v2_hook_release_progress" => {
            (Builder, json!(null))
        }
        "drycc_v2_hook_order_claim" => (Builder, json!({"wait": 0})),
        "drycc_v2_hook_order_renew" => {
            (Builder, json!({"app": "00000000-0000-0000-0000-000000000000", "claim": "none"}))
        }
        "drycc_v2_hook_order_finish" => {
            (Builder, json!({"app": "00000000-0000-0000-0000-000000000000", "claim": "none", "outcome": "failed"}))
        }
        "drycc_v2_hook_keys_user" => (BuilderFor, json!(null)),
        "drycc_v2_hook_config" | "drycc_v2_hook_access" => (BuilderFor, receive),
        "drycc_v2_hook_build" => (
            BuilderFor,
            json!({"receive_user": "owner", "receive_repo": "APP", "image": "example/app:2", "sha": "0a1b2c3d"}),
        ),
        "drycc_v2_build_cancel" => (AppUse, json!(null)),
        "drycc_v2_hook_build_watch" => (Builder, json!(null)),
        "drycc_v2_hook_build_begin" => (
            BuilderFor,
            json!({"receive_user": "owner", "receive_repo": "APP", "sha": "0123456789abcdef0123456789abcdef01234567"}),
        ),
        "drycc_v2_hook_build_log" => (
            BuilderFor,
            json!({"receive_user": "owner", "receive_repo": "APP", "sha": "0a1b2c3d", "state": "failed", "log": "x"}),
        ),
        other => return rule_v1(other),
    };
    Some(found)
}

/// The same for `/v1`.
fn rule_v1(operation: &str) -> Option<(Rule, Value)> {
    use Rule::{Admins, AppLeave, AppManage, AppUse, BuilderFor, Everybody, HiddenManage, HiddenUse, OwnKey, Users};
    let receive = json!({"receive_user": "owner", "receive_repo": "APP"});
    let found = match operation {
        "deis_v1_user_register" => (Everybody, json!({"username": "NEW", "password": "pw", "email": "a@b.cc"})),
        "deis_v1_user_login" => (Everybody, json!({"username": "owner", "password": "pw"})),
        "deis_v1_root_read" | "deis_v1_keys_list" | "deis_v1_apps_list" => (Users, json!(null)),
        "deis_v1_user_cancel" | "deis_v1_token_regenerate" | "deis_v1_admin_grant" => {
            (Admins, json!({"username": "VICTIM"}))
        }
        "deis_v1_user_password_change" => (Admins, json!({"username": "VICTIM", "new_password": "new"})),
        "deis_v1_admins_list" | "deis_v1_admin_revoke" => (Admins, json!(null)),
        "deis_v1_key_create" => (Users, json!({"id": "NEW", "public": "KEY"})),
        "deis_v1_key_read" | "deis_v1_key_delete" => (OwnKey, json!(null)),
        "deis_v1_app_create" => (Users, json!({})),
        "deis_v1_app_transfer" => (HiddenManage, json!({"owner": "owner"})),
        "deis_v1_app_destroy" | "deis_v1_domain_delete" => (HiddenManage, json!(null)),
        "deis_v1_app_read"
        | "deis_v1_app_logs"
        | "deis_v1_containers_list"
        | "deis_v1_containers_list_type"
        | "deis_v1_container_read"
        | "deis_v1_containers_restart"
        | "deis_v1_containers_restart_type"
        | "deis_v1_container_restart"
        | "deis_v1_domains_list"
        | "deis_v1_config_read"
        | "deis_v1_builds_list"
        | "deis_v1_build_read"
        | "deis_v1_releases_list"
        | "deis_v1_release_read" => (HiddenUse, json!(null)),
        "deis_v1_app_run" => (HiddenUse, json!({"command": "true"})),
        "deis_v1_app_scale" => (HiddenUse, json!({"web": 1})),
        "deis_v1_config_set" => (HiddenUse, json!({"values": {"A": "NEW"}})),
        "deis_v1_build_create" => (HiddenUse, json!({"image": "example/app:1", "procfile": {"web": "run"}})),
        "deis_v1_release_rollback" => (HiddenUse, json!({"version": 2})),
        "deis_v1_domain_create" => (HiddenUse, json!({"domain": "NEW.example.org"})),
        "deis_v1_perms_list" => (AppUse, json!(null)),
        "deis_v1_perm_grant" => (AppManage, json!({"username": "stranger"})),
        "deis_v1_perm_revoke" | "deis_v1_perm_revoke_post" => (AppLeave, json!(null)),
        "deis_v1_hook_push" | "deis_v1_hook_config" => (BuilderFor, receive),
        "deis_v1_hook_build" => (
            BuilderFor,
            json!({"receive_user": "owner", "receive_repo": "APP", "image": "example/app:2", "sha": "0a1b2c3d"}),
        ),
        other => return rule_dployr(other),
    };
    Some(found)
}

/// The same for the dployr API. `APP` in a path's variable stands for the app of the check.
fn rule_dployr(operation: &str) -> Option<(Rule, Value)> {
    use Rule::{Everybody, HiddenManage, HiddenUse, OwnThing, Users};
    let found = match operation {
        "dployr_v1_login_refresh" => (Everybody, json!({"refresh_token": ""})),
        "dployr_v1_login_end"
        | "dployr_v1_deployments_list"
        | "dployr_v1_services_list"
        | "dployr_v1_instances_list"
        | "dployr_v1_routes_list"
        | "dployr_v1_projects_list"
        | "dployr_v1_webhooks_list" => (Users, json!(null)),
        "dployr_v1_deployment_create" => (Users, json!({"name": "NEW", "source": "image", "image": "example/app:1"})),
        "dployr_v1_project_create" => (Users, json!({"name": "NEW"})),
        "dployr_v1_webhook_create" => (Users, json!({"url": "https://1.1.1.1/", "events": ["*"]})),
        "dployr_v1_deployment_read"
        | "dployr_v1_service_read"
        | "dployr_v1_service_status"
        | "dployr_v1_service_start"
        | "dployr_v1_service_stop"
        | "dployr_v1_service_restart"
        | "dployr_v1_service_logs"
        | "dployr_v1_env_list"
        | "dployr_v1_env_unset"
        | "dployr_v1_instance_read"
        | "dployr_v1_instance_metrics" => (HiddenUse, json!(null)),
        "dployr_v1_deployment_update" => (HiddenUse, json!({"description": "NEW"})),
        "dployr_v1_env_set" => (HiddenUse, json!({"key": "A", "value": "NEW"})),
        "dployr_v1_route_create" => (HiddenUse, json!({"domain": "NEW.example.org", "service_id": "APP"})),
        "dployr_v1_deployment_delete" | "dployr_v1_route_delete" => (HiddenManage, json!(null)),
        "dployr_v1_project_read"
        | "dployr_v1_project_delete"
        | "dployr_v1_webhook_read"
        | "dployr_v1_webhook_delete"
        | "dployr_v1_webhook_test"
        | "dployr_v1_deliveries_list"
        | "dployr_v1_delivery_replay" => (OwnThing, json!(null)),
        _ => return None,
    };
    Some(found)
}

/// What the caller must see: allowed, or this status.
#[expect(clippy::match_same_arms, reason = "the order of the arms is what is read")]
fn expect(rule: Rule, role: Role, whose: Whose) -> Result<(), u16> {
    let own = whose == Whose::Own;
    match (rule, role) {
        (Rule::Everybody, _) => Ok(()),
        (Rule::Builder, Role::Builder) => Ok(()),
        (Rule::BuilderFor, Role::Builder) => {
            if own {
                Ok(())
            } else {
                Err(403)
            }
        }
        (_, Role::Anonymous | Role::Builder) => Err(401),
        (Rule::Builder | Rule::BuilderFor, _) => Err(403),
        (Rule::OwnKey | Rule::OwnCert | Rule::OwnThing, Role::Owner) => Ok(()),
        (Rule::OwnCertAppUse, Role::Owner) => {
            if own {
                Ok(())
            } else {
                Err(403)
            }
        }
        (Rule::OwnKey | Rule::OwnCert | Rule::OwnThing | Rule::OwnCertAppUse, _) => Err(404),
        (_, Role::Admin) | (Rule::Users, _) => Ok(()),
        (Rule::Admins, _) => Err(403),
        (Rule::AppUse | Rule::AppManage | Rule::AppLeave | Rule::HiddenUse | Rule::HiddenManage, Role::Owner)
            if own =>
        {
            Ok(())
        }
        (Rule::AppUse | Rule::AppLeave | Rule::HiddenUse, Role::Collaborator) if own => Ok(()),
        (Rule::HiddenManage, Role::Collaborator) if own => Err(403),
        (Rule::HiddenUse | Rule::HiddenManage, _) => Err(404),
        (Rule::AppUse | Rule::AppManage | Rule::AppLeave, _) => Err(403),
    }
}

/// Operations after which an app is no longer what the next check expects.
const SPOILING: [&str; 11] = [
    "dployr_v1_deployment_delete",
    "dployr_v1_route_delete",
    "drycc_v2_app_transfer",
    "drycc_v2_app_destroy",
    "drycc_v2_perm_grant",
    "drycc_v2_perm_revoke",
    "deis_v1_app_transfer",
    "deis_v1_app_destroy",
    "deis_v1_perm_grant",
    "deis_v1_perm_revoke",
    "deis_v1_perm_revoke_post",
];

/// Operations about something that the app in the test does not have.
const MISSING: [&str; 3] = ["deis_v1_build_read", "deis_v1_domain_delete", "dployr_v1_env_unset"];

/// An app for one check, or one that many checks share.
async fn app(world: &World, route: &Route, whose: Whose, shared: &[String; 2]) -> String {
    match whose {
        Whose::Own if SPOILING.contains(&route.operation) => world.app("owner", &["collaborator"]).await,
        Whose::Own => shared[0].clone(),
        Whose::Foreign if SPOILING.contains(&route.operation) => world.app("other", &[]).await,
        Whose::Foreign => shared[1].clone(),
    }
}

/// A project or webhook of the owner's, and a delivery of the latter.
async fn thing(world: &World, route: &Route, number: usize) -> (String, String) {
    let post = async |path: &str, body: Value| {
        let reply = world.request("POST", path).user("owner").json_body(&body).send().await;
        assert!(reply.status < 300, "{reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    };
    if route.pattern.contains("{project}") {
        return (post("/v1/projects", json!({"name": format!("project-{number}")})).await, String::new());
    }
    let webhook = post("/v1/webhooks", json!({"url": "https://1.1.1.1/", "events": ["domain.verified"]})).await;
    let delivery = post(&format!("/v1/webhooks/{webhook}/test"), json!({})).await;
    (webhook, delivery)
}

async fn check(world: &World, route: &Route, role: Role, whose: Whose, number: usize, shared: &[String; 2]) {
    let (rule, body) = rule(route.operation).unwrap_or_else(|| {
        panic!("{route:?} is not in this test's table: say there who may call it, with a body that would succeed")
    });
    let app = app(world, route, whose, shared).await;
    let key = if rule == Rule::OwnKey { world.key("owner", &format!("key-{number}")).await } else { String::new() };
    let cert = if matches!(rule, Rule::OwnCert | Rule::OwnCertAppUse) {
        world.cert("owner", &format!("cert-{number}")).await
    } else {
        String::new()
    };
    let is_about_user = ["_admin_revoke", "_user_enable", "_user_disable", "_token_read"]
        .iter()
        .any(|end| route.operation.ends_with(end));
    let victim = if is_about_user || body.to_string().contains("VICTIM") {
        world.user(&format!("victim-{number}")).await
    } else {
        String::new()
    };
    let user = match route.operation {
        _ if is_about_user => victim.clone(),
        "drycc_v2_perm_revoke" | "deis_v1_perm_revoke" | "deis_v1_perm_revoke_post" if whose == Whose::Own => {
            "collaborator".to_owned()
        }
        // Nobody has access to the foreign app who could be sent away; the owner counts as granted to administrators.
        "drycc_v2_perm_revoke" | "deis_v1_perm_revoke" | "deis_v1_perm_revoke_post" => "admin".to_owned(),
        _ => "owner".to_owned(),
    };
    let (thing, delivery) =
        if rule == Rule::OwnThing { thing(world, route, number).await } else { (String::new(), String::new()) };
    let instance = if route.pattern.contains("{instance}") {
        let owner = if whose == Whose::Own { "owner" } else { "other" };
        // Others may have stopped it.
        world.request("POST", &format!("/v1/services/{app}/start")).user(owner).send().await;
        world.engine.script_cpu(slipway_core::ProcessType::web(), 1);
        loop {
            let list = world.request("GET", &format!("/v1/instances?service_id={app}")).user(owner).send().await;
            if let Some(id) = list.json()["instances"][0]["id"].as_str() {
                break id.to_owned();
            }
            tokio::task::yield_now().await;
        }
    } else {
        String::new()
    };
    let path = route
        .pattern
        .replace("{app}", &app)
        .replace("{key*}", &key)
        .replace("{cert}", &cert)
        .replace("{domain}", &app)
        .replace("{fingerprint*}", "00:11")
        .replace("{user}", &user)
        .replace("{version}", "v1")
        .replace("{build}", "00000000-0000-0000-0000-000000000000")
        .replace("{type}", "web")
        .replace("{ptype}", "web")
        .replace("{num}", "1")
        .replace("{pod}", "none")
        .replace("{volume}", "files")
        .replace("{resource}", "db")
        .replace("{deployment}", &app)
        .replace("{service}", &app)
        .replace("{instance}", &instance)
        .replace("{route}", &format!("{app}.example.com"))
        .replace("{key}", "NONE")
        .replace("{project}", &thing)
        .replace("{webhook}", &thing)
        .replace("{delivery}", &delivery);
    assert!(!path.contains('{'), "{path} has a variable that this test does not know");
    let body = match body {
        Value::Null => None,
        body => {
            let text = body.to_string();
            let text = text.replace("VICTIM", &victim).replace("APP", &app).replace("NEW", &format!("new-{number}"));
            let text = text.replace("KEY", &World::public_key(number));
            // PEM as it stands inside of JSON.
            let made = world.certificate();
            let (chain, key) = (json!(made.certificate).to_string(), json!(made.key).to_string());
            Some(text.replace("CHAIN", chain.trim_matches('"')).replace("PRIVATE", key.trim_matches('"')))
        }
    };
    let mut request = world.request(route.method.as_str(), &path);
    request = match role {
        Role::Anonymous => request,
        Role::Stranger => request.user("stranger"),
        Role::Collaborator => request.user("collaborator"),
        Role::Owner => request.user("owner"),
        Role::Admin => request.user("admin"),
        Role::Builder => request.builder(),
    };
    let reply = match body {
        Some(body) => request.text_body(body).send().await,
        None => request.send().await,
    };
    let context = format!("{route:?} as {role:?} on {whose:?}: {} {}", reply.status, reply.body);
    match expect(rule, role, whose) {
        Ok(()) => {
            assert!(!matches!(reply.status, 401 | 403) && reply.status < 500, "{context}");
            assert!(reply.body != "\"No App matches the given query.\"", "{context}");
            let is_hiding = matches!(rule, Rule::HiddenUse | Rule::HiddenManage) && !MISSING.contains(&route.operation);
            assert!(!is_hiding || reply.status != 404, "{context}");
        }
        Err(status) => assert_eq!(reply.status, status, "{context}"),
    }
}

pub async fn every_route(database: Database) {
    let world = World::new(database).await;
    let routes = world.routes();
    let shared = [world.app("owner", &["collaborator"]).await, world.app("other", &[]).await];
    let mut number = 0;
    for route in &routes {
        for role in ROLES {
            for whose in [Whose::Own, Whose::Foreign] {
                number += 1;
                check(&world, route, role, whose, number, &shared).await;
            }
        }
    }
}

both!(every_route, every_route_lets_in_whom_it_should_and_nobody_else);

#[tokio::test(flavor = "multi_thread")]
async fn operation_ids_and_rows_are_unique() {
    let world = World::new(Database::Sqlite).await;
    let mut ids: Vec<&str> = world.api.table().iter().map(|route| route.operation).collect();
    let mut rows: Vec<String> =
        world.api.table().iter().map(|route| format!("{} {}", route.method, route.pattern)).collect();
    let (id_count, row_count) = (ids.len(), rows.len());
    ids.sort_unstable();
    ids.dedup();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!((ids.len(), rows.len()), (id_count, row_count));
    let is_api = |route: &Route| ["/api", "/v1", "/v2"].iter().any(|prefix| route.pattern.starts_with(prefix));
    assert!(world.api.table().iter().all(|route| is_api(route) || route.access == Access::Public));
}
