//! How many statements a request costs must not depend on how many rows it returns.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use slipway_api::route::{Access, Route};

use crate::world::{Database, World, both};

/// Most statements that reading anything may take.
const STATEMENTS_MAX: u64 = 16;
/// The reconciler works now and then beside a request; what came out as the least so often was alone.
const TIMES: usize = 4;

async fn post(world: &World, user: &str, path: &str, body: &Value) {
    let reply = world.request("POST", path).user(user).json_body(body).send().await;
    assert!(matches!(reply.status, 201 | 204), "{path} {body}: {reply:?}");
}

/// Adds `count` rows to everything that can be listed, numbered from `first`.
async fn grow(world: &World, first: usize, count: usize) {
    for number in first..first + count {
        let name = format!("more-{number}");
        world.named_app("owner", &name).await;
        world.user(&name).await;
        world.key("owner", &format!("key-{number}")).await;
        world.cert("owner", &format!("cert-{number}")).await;
        post(world, "owner", "/v2/apps/blog/domains/", &json!({"domain": format!("{name}.example.org")})).await;
        let attach = json!({"domain": format!("{name}.example.org")});
        post(world, "owner", &format!("/v2/certs/cert-{number}/domain/"), &attach).await;
        post(world, "owner", "/v2/apps/blog/config/", &json!({"values": {format!("A{number}"): "1"}})).await;
        let types: BTreeMap<String, &str> = (0..=number).map(|n| (format!("t{n}"), "run")).collect();
        post(world, "owner", "/v2/apps/blog/builds/", &json!({"image": format!("a/b:{number}"), "procfile": types}))
            .await;
        post(world, "owner", "/v2/apps/blog/scale/", &json!({ format!("t{number}"): 2 })).await;
        post(world, "owner", "/v2/apps/blog/perms/", &json!({ "username": name })).await;
        post(world, "admin", "/v2/admin/perms/", &json!({ "username": name })).await;
        post(world, "owner", "/v2/apps/blog/whitelist/", &json!({"addresses": [format!("10.0.0.{number}")]})).await;
        let log = json!({"receive_user": "owner", "receive_repo": "blog", "sha": format!("{number:08x}"), "state": "failed", "log": "x"});
        let reply = world.request("POST", "/v2/hooks/buildlog/").builder().json_body(&log).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
}

/// Rows that an answer has, if it is a list of any kind.
fn rows(body: &str) -> usize {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Array(items)) => items.len(),
        Ok(Value::Object(map)) => {
            let lists = map.values().filter_map(Value::as_array).map(Vec::len).max();
            lists.unwrap_or_else(|| {
                map.values().filter_map(Value::as_object).map(serde_json::Map::len).max().unwrap_or(0)
            })
        }
        _ => 0,
    }
}

/// Statements and rows of each operation that reads.
async fn measure(world: &World, routes: &[Route]) -> BTreeMap<&'static str, (u64, usize)> {
    let fingerprint = world.fingerprint("owner").await;
    let mut found = BTreeMap::new();
    for route in routes {
        let path = route
            .pattern
            .replace("{app}", "blog")
            .replace("{key*}", "key-0")
            .replace("{cert}", "cert-0")
            .replace("{fingerprint*}", &fingerprint)
            .replace("{user}", "owner")
            .replace("{version}", "v2")
            .replace("{ptype}", "t0")
            .replace("{type}", "t0");
        if path.contains('{') {
            continue;
        }
        let (mut best, mut times) = ((u64::MAX, 0), 0);
        while times < TIMES {
            let request = world.request("GET", &path);
            let request = match route.access {
                Access::Builder => request.builder(),
                _ if ["_users_list", "_admins_list"].iter().any(|end| route.operation.ends_with(end)) => {
                    request.user("admin")
                }
                _ => request.user("owner"),
            };
            let before = world.statements();
            let reply = request.send().await;
            let count = world.statements() - before;
            assert!(matches!(reply.status, 200 | 204), "{route:?}: {reply:?}");
            let found = (count, rows(&reply.body));
            times = match found.cmp(&best) {
                Ordering::Less => 1,
                Ordering::Equal => times + 1,
                Ordering::Greater => times,
            };
            best = best.min(found);
        }
        found.insert(route.operation, best);
    }
    found
}

async fn no_request_costs_a_statement_a_row(database: Database) {
    let world = World::new(database).await;
    world.named_app("owner", "blog").await;
    // Sessions over WebSockets return no rows.
    let is_read = |route: &&Route| route.method == Method::GET && !route.operation.ends_with("_session");
    let routes: Vec<Route> = world.routes().into_iter().filter(|route| is_read(&route)).collect();
    // An explicit grant, so that the owner's keys are among those of the app.
    post(&world, "owner", "/v2/apps/blog/perms/", &json!({"username": "owner"})).await;
    grow(&world, 0, 2).await;
    let few = measure(&world, &routes).await;
    grow(&world, 2, 8).await;
    let many = measure(&world, &routes).await;
    for (operation, (statements, rows)) in &many {
        let (statements_few, rows_few) = few[operation];
        assert_eq!(*statements, statements_few, "{operation}: {rows_few} rows at first, {rows} later");
        assert!(*statements <= STATEMENTS_MAX, "{operation} takes {statements} statements");
    }
    // The test is about lists that have grown.
    for operation in [
        "drycc_v2_apps_list",
        "drycc_v2_users_list",
        "drycc_v2_admins_list",
        "drycc_v2_keys_list",
        "drycc_v2_certs_list",
        "drycc_v2_builds_list",
        "drycc_v2_build_logs_list",
        "drycc_v2_releases_list",
        "drycc_v2_domains_list",
        "drycc_v2_pods_list",
        "drycc_v2_perms_list",
        "drycc_v2_whitelist_read",
        "drycc_v2_hook_apps",
        "drycc_v2_hook_key",
        "drycc_v2_hook_keys",
        "drycc_v2_config_read",
    ] {
        assert!(
            many[operation].1 > few[operation].1,
            "{operation} did not grow: {:?}, {:?}",
            few[operation],
            many[operation]
        );
    }
}

both!(no_request_costs_a_statement_a_row, no_request_costs_a_statement_a_row_);
