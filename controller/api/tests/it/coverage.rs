//! Every status that the document foresees of every operation comes about in a test: whatever else the document says
//! would be a guess.
//!
//! The answers of the suites that walk through the API are counted, and what follows from a route alone is provoked here
//! for each: a body that is too large, of another kind or cut off, an app that is not there, a client of another major
//! version, a database that is away.

use std::collections::BTreeSet;

use futures::stream;
use http::Method;
use poem::Body;
use serde_json::{Value, json};
use slipway_api::route::{Access, Generation, Route};
use slipway_service::testing::Behaviour;
use slipway_service::{Registration, ServiceConfig};

use crate::openapi::{foreseen, seen};
use crate::world::{Call, Database, World};

const HANDSHAKE: &str = "a WebSocket is opened over a real connection, in session.rs";

/// What is foreseen and is not seen here, with the reason.
#[rustfmt::skip]
const NEVER: [(&str, u16, &str); 2] = [
    ("drycc_v2_app_run_session", 101, HANDSHAKE),
    ("drycc_v2_pod_exec", 101, HANDSHAKE),
];

/// How many webhooks one may have.
const WEBHOOKS_MAX: u32 = 100;

/// After these nobody could go on: the caller or the app would be gone, or the caller's token.
const SPOILING: [&str; 4] = ["_app_destroy", "_app_transfer", "_user_cancel", "_token_regenerate"];

/// A path of a route: of what is there, or of what is not.
fn path(route: &Route, app: &str) -> String {
    let mut path = route.pattern.replace("{app}", app);
    while let Some((begin, rest)) = path.split_once('{') {
        let (_, end) = rest.split_once('}').unwrap();
        let value = if rest.starts_with("version}") { "v1" } else { "none" };
        path = format!("{begin}{value}{end}");
    }
    path
}

/// A request by somebody who may.
fn call<'a>(world: &'a World, route: &Route, path: &str) -> Call<'a> {
    let call = world.request(route.method.as_str(), path);
    match route.access {
        Access::Builder => call.builder(),
        Access::User | Access::Optional | Access::Starter => call.user("admin"),
        Access::Public => call,
    }
}

/// What follows from a route alone.
async fn provoke(world: &World, route: &Route) {
    let there = path(route, "blog");
    world.request(route.method.as_str(), &there).header("authorization", "token none").send().await;
    if route.pattern.contains("{app}") {
        call(world, route, &path(route, "no-such-app")).json_body(&json!({})).send().await;
    }
    let is_spoiling = SPOILING.iter().any(|end| route.operation.ends_with(end));
    if !is_spoiling {
        call(world, route, &there).json_body(&json!({})).send().await;
    }
    if is_spoiling {
        // The walks above have seen who may.
    } else if route.access == Access::Builder {
        world.request(route.method.as_str(), &there).user("admin").send().await;
    } else if route.access != Access::Public {
        world.request(route.method.as_str(), &there).user("stranger").json_body(&json!({})).send().await;
    }
    if route.generation == Generation::DeisV1 {
        call(world, route, &there).header("x-deis-version", "2.0").send().await;
        if route.method == Method::GET {
            call(world, route, &format!("{there}?page=99")).send().await;
        }
    }
    if !matches!(route.method.as_str(), "GET" | "HEAD") {
        let cut = stream::iter([Ok(b"{".to_vec()), Err(std::io::Error::other("the client went away"))]);
        call(world, route, &there).body(Body::from_bytes_stream(cut)).send().await;
        call(world, route, &there).header("content-length", &(route.body_max + 1).to_string()).send().await;
        if !is_spoiling || foreseen().contains(&(route.operation.to_owned(), 415)) {
            call(world, route, &there).header("content-type", "text/plain").body("hello").send().await;
        }
    }
}

/// What is somebody else's, too many webhooks, and bodies of another kind for what is there.
async fn provoke_dployr(world: &World) {
    let post = async |user: &str, path: &str, body: &Value| {
        world.request("POST", path).user(user).json_body(body).send().await
    };
    let image = |name: &str| json!({"name": name, "source": "image", "image": "example/app:1"});
    assert_eq!(post("stranger", "/v1/deployments", &image("blog")).await.status, 409);
    let made = post("admin", "/v1/deployments", &image("ours")).await.json();
    let id = made["id"].as_str().unwrap();
    let services = world.request("GET", "/v1/services").user("admin").send().await.json();
    let service = services["services"][0]["id"].as_str().unwrap();
    for (method, path) in [("PUT", format!("/v1/deployments/{id}")), ("POST", format!("/v1/services/{service}/env"))] {
        let request = world.request(method, &path).user("admin").header("content-type", "text/plain");
        request.body("hello").send().await;
    }
    let webhook = json!({"url": "https://1.1.1.1/hook", "events": ["*"]});
    let mut last = 201;
    for _ in 0..=WEBHOOKS_MAX {
        last = post("admin", "/v1/webhooks", &webhook).await.status;
    }
    assert_eq!(last, 409);
}

/// A build that begins, is canceled, and is ended by its builder.
async fn cancel_a_build(world: &World) {
    let sha = "0123abcd".repeat(5);
    let mut body = json!({"receive_user": "admin", "receive_repo": "blog", "sha": sha});
    let begun = world.request("POST", "/v2/hooks/builds/").builder().json_body(&body).send().await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let name = begun.json()["uuid"].as_str().unwrap().to_owned();
    let builder = async {
        let watched = world.request("GET", &format!("/v2/hooks/builds/blog/{name}/?wait=30")).builder().send().await;
        assert_eq!(watched.json(), json!({"state": "canceling", "log": "Build canceled by admin"}));
        for (field, value) in [("state", "canceled"), ("log", "x"), ("build", &name)] {
            body[field] = value.into();
        }
        world.request("POST", "/v2/hooks/buildlog/").builder().json_body(&body).send().await
    };
    let cancel = world.request("POST", "/v2/apps/blog/builds/cancel/").user("admin").send();
    let (canceled, ended) = tokio::join!(cancel, builder);
    assert_eq!((canceled.status, ended.status), (200, 201), "{} {}", canceled.body, ended.body);
    assert_eq!((&canceled.json()["state"], &canceled.json()["uuid"]), (&json!("canceled"), &json!(name)));
}

/// What takes more than a route: each row is a request by a user, the last value its body.
async fn provoke_particular(world: &World) {
    cancel_a_build(world).await;
    let build = json!({"image": "example/app:1", "procfile": {"web": "run"}});
    let built = world.request("POST", "/v2/apps/blog/builds/").user("admin").json_body(&build).send().await.json();
    let build = built["uuid"].as_str().unwrap();
    provoke_dployr(world).await;
    world.named_app("admin", "silent").await;
    let nobody = json!({"username": "nobody"});
    world.engine.script_name_taken("taken");
    let taken = json!({"id": "taken"});
    let nobodys_password = json!({"username": "nobody", "new_password": "new"});
    for version in ["v1", "v2"] {
        for (method, path, body) in [
            ("GET", format!("apps/blog/builds/{build}/"), Value::Null),
            ("GET", "apps/silent/logs/".to_owned(), Value::Null),
            ("GET", "apps/blog/logs/?log_lines=0".to_owned(), Value::Null),
            ("GET", "apps/blog/logs/?since=ever".to_owned(), Value::Null),
            ("POST", "apps/".to_owned(), taken.clone()),
            ("DELETE", "auth/cancel/".to_owned(), nobody.clone()),
            ("POST", "auth/tokens/".to_owned(), nobody.clone()),
            ("POST", "auth/passwd/".to_owned(), nobodys_password.clone()),
            ("DELETE", "admin/perms/nobody/".to_owned(), Value::Null),
            ("DELETE", "apps/blog/perms/nobody/".to_owned(), Value::Null),
            ("POST", "apps/blog/perms/nobody/".to_owned(), Value::Null),
        ] {
            let request = world.request(method, &format!("/{version}/{path}")).user("admin");
            if body.is_null() {
                request.send().await
            } else {
                request.json_body(&body).send().await
            };
        }
        let missing = json!({
            "receive_user": "owner", "receive_repo": "no-such-app", "image": "example/app:2", "sha": "0a1b2c3d",
            "state": "failed", "log": "x",
        });
        for path in ["config", "build", "builds", "buildlog", "access", "push"] {
            world.request("POST", &format!("/{version}/hooks/{path}/")).builder().json_body(&missing).send().await;
        }
        world.request("GET", &format!("/{version}/hooks/releases/blog/v99/")).builder().send().await;
        // More guesses than are free.
        for _ in 0..8 {
            let guess = json!({"username": "other", "password": "wrong"});
            world.request("POST", &format!("/{version}/auth/login/")).json_body(&guess).send().await;
            let guess = json!({"password": "wrong", "new_password": "new"});
            world.request("POST", &format!("/{version}/auth/passwd/")).user("owner").json_body(&guess).send().await;
        }
    }
}

/// What takes other settings, or another state of things.
async fn provoke_unusual(database: Database) {
    let world = World::with(database, |config| config.is_missing_procfile_rejected = true).await;
    let app = world.app("owner", &[]).await;
    let image = json!({"image": "example/app:2"});
    for path in ["/v1/apps/{app}/builds/", "/v2/apps/{app}/builds/", "/v2/apps/{app}/build/"] {
        world.request("POST", &path.replace("{app}", &app)).user("owner").json_body(&image).send().await;
    }
    let hook = json!({"receive_user": "owner", "receive_repo": app, "image": "example/app:2", "sha": "0a1b2c3d"});
    for version in ["v1", "v2"] {
        world.request("POST", &format!("/{version}/hooks/build/")).builder().json_body(&hook).send().await;
    }

    // A change while a build is on its way.
    world.engine.script_artifact("example/slow:1", Behaviour::Hang);
    let mut slow = hook.clone();
    slow["image"] = json!("example/slow:1");
    slow["procfile"] = json!({"web": "run"});
    slow["wait"] = json!(false);
    let reply = world.request("POST", "/v2/hooks/build/").builder().json_body(&slow).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let change = json!({"values": {"A": "1"}});
    let reply = world.request("POST", &format!("/v1/apps/{app}/config/")).user("owner").json_body(&change).send().await;
    assert_eq!(reply.status, 409, "{reply:?}");

    // The log-in of 1.x shares its path with another API, which has it without a slash.
    let login = || world.request("POST", "/v1/auth/login/");
    login().header("x-deis-version", "2.0").json_body(&json!({})).send().await;
    login().header("content-type", "text/plain").body("hello").send().await;

    let changes: [fn(&mut ServiceConfig); 2] =
        [|config| config.registration = Registration::Off, |config| config.password_queue_max = 0];
    for change in changes {
        let world = World::bare_with(database, "example.com", change).await;
        let body = json!({"username": "someone", "password": "pw", "email": "a@b.cc"});
        for version in ["v1", "v2"] {
            world.request("POST", &format!("/{version}/auth/register/")).json_body(&body).send().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_that_is_foreseen_comes_about() {
    let database = Database::Sqlite;
    tokio::join!(
        Box::pin(crate::golden::walk(database)),
        Box::pin(crate::golden_2020::walk(database)),
        Box::pin(crate::golden_routing::walk(database)),
        Box::pin(crate::golden_volume::walk(database)),
        Box::pin(crate::golden_v1::walk(database)),
        Box::pin(crate::certs::walk(database)),
        Box::pin(crate::access::every_route(database)),
        Box::pin(crate::deis_v1::an_app(database)),
        Box::pin(crate::deis_v1::refusals(database)),
        Box::pin(crate::deis_v1::accounts(database)),
        Box::pin(crate::conformance::c16_logs(database)),
        Box::pin(crate::examples::replay(database)),
        Box::pin(crate::examples_v1::replay(database)),
        Box::pin(crate::dployr_login::tokens(database)),
        Box::pin(crate::dployr_login::refusals(database)),
        Box::pin(crate::dployr_v1::seed(database)),
        Box::pin(crate::dployr_v1::walk(database)),
        Box::pin(crate::dployr_v1::builds(database)),
        Box::pin(crate::dployr_v1::others(database)),
    );

    let world = World::new(database).await;
    world.named_app("admin", "blog").await;
    let routes = world.routes();
    for route in &routes {
        provoke(&world, route).await;
    }
    provoke_particular(&world).await;
    provoke_unusual(database).await;

    // Where nobody may ask at all.
    let clock = std::sync::Arc::new(slipway_service::SystemClock);
    let none = slipway_service::RateLimits { user: 0, anonymous: 0 };
    let spent = World::at_clock(database, "example.com", clock, |config| config.rate_limits = none).await;
    for route in routes.iter().filter(|route| route.generation == Generation::DployrV1) {
        spent.request(route.method.as_str(), &path(route, "blog")).send().await;
    }

    // Without its database. Who asks is looked up there first, so that one request a route is enough.
    let world = World::new(Database::Postgres).await;
    let login = json!({"email": "admin@example.com", "password": "pw"});
    let pair = world.request("POST", "/v1/auth/login").json_body(&login).send().await.json();
    world.database_drop().await;
    for route in &routes {
        let body = match route.operation {
            "drycc_v2_user_login" | "deis_v1_user_login" => json!({"username": "admin", "password": "pw"}),
            "dployr_v1_login_refresh" => json!({"refresh_token": pair["refresh_token"]}),
            "drycc_v2_user_register" | "deis_v1_user_register" => {
                json!({"username": "someone", "password": "pw", "email": "a@b.cc"})
            }
            _ if route.access == Access::Builder => json!({
                "receive_user": "admin", "receive_repo": "blog", "image": "example/app:2", "sha": "0a1b2c3d",
                "state": "failed", "log": "x", "app": uuid::Uuid::nil().to_string(), "claim": "c", "outcome": "failed",
            }),
            _ => Value::Null,
        };
        let call = call(&world, route, &path(route, "blog"));
        if body.is_null() {
            call.send().await
        } else {
            call.json_body(&body).send().await
        };
    }

    let (mut foreseen, seen) = (foreseen(), seen());
    // Teams have their own tests.
    foreseen.retain(|(operation, _)| !operation.starts_with("team_"));
    let never: BTreeSet<(String, u16)> =
        NEVER.iter().map(|(operation, status, _)| ((*operation).to_owned(), *status)).collect();
    let missing: Vec<_> = foreseen.iter().filter(|pair| !seen.contains(*pair) && !never.contains(*pair)).collect();
    assert!(missing.is_empty(), "{} are foreseen, and no test has seen them: {missing:?}", missing.len());
    let wrong: Vec<_> = never.iter().filter(|pair| !foreseen.contains(*pair)).collect();
    assert!(wrong.is_empty(), "these are not foreseen any more: {wrong:?}");
    let mistaken: Vec<_> = never.intersection(&seen).collect();
    assert!(mistaken.is_empty(), "these are said never to be seen, and were: {mistaken:?}");
}
