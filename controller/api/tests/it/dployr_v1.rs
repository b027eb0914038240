//! The dployr API over the same apps that `/v2` has. Source: `dployr-v1.md`.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_core::ProcessType;

use crate::world::{Database, Reply, World, both};

pub(crate) async fn send(world: &World, user: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
    let call = world.request(method, path).user(user);
    match body {
        Some(body) => call.json_body(&body).send().await,
        None => call.send().await,
    }
}

pub(crate) async fn get(world: &World, path: &str) -> Reply {
    send(world, "owner", "GET", path, None).await
}

pub(crate) async fn post(world: &World, path: &str, body: Value) -> Reply {
    send(world, "owner", "POST", path, Some(body)).await
}

/// Waits until an answer is as wanted.
pub(crate) async fn until(world: &World, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(3);
    loop {
        let body = get(world, path).await.json();
        if wanted(&body) {
            return body;
        }
        assert!(tokio::time::Instant::now() < deadline, "{path}: {body}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn status(world: &World, path: &str, expect: &str) -> Value {
    until(world, path, |body| body["status"] == json!(expect)).await
}

pub(crate) fn seed_deployment() -> Value {
    json!({
        "name": "my-app", "source": "remote", "runtime": "nodejs", "version": "20",
        "remote": "https://github.com/user/repo", "branch": "main", "build_cmd": "npm install", "run_cmd": "npm start",
        "port": 3000,
    })
}

/// As the builder does: takes what is to be built and tells how it ended.
async fn build(world: &World, outcome: Value) -> (Value, Reply) {
    let order = world.request("POST", "/v2/hooks/orders/claim/").builder().json_body(&json!({"wait": 5})).send().await;
    assert_eq!(order.status, 200, "{order:?}");
    let order = order.json();
    let mut body = json!({"app": order["app"], "claim": order["claim"]});
    for (key, value) in outcome.as_object().unwrap() {
        body[key] = value.clone();
    }
    let reply = world.request("POST", "/v2/hooks/orders/finish/").builder().json_body(&body).send().await;
    (order, reply)
}

fn built(image: &str) -> Value {
    json!({
        "outcome": "built", "image": image, "procfile": {"web": "npm start"}, "stack": "buildpack",
        "commit_hash": "0123456789abcdef0123456789abcdef01234567", "fingerprint": "f".repeat(64),
    })
}

/// Every request of the published page, in its order; see `dployr-v1.md` §0 for which answers it knows.
pub async fn seed(database: Database) {
    let world = World::new(database).await;
    let login = world.request("POST", "/v1/auth/login");
    let login = login.json_body(&json!({"email": "owner@example.com", "password": "pw"})).send().await;
    assert_eq!(login.status, 200);
    let fields: Vec<String> = login.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["access_token", "expires_in", "refresh_token", "token_type"]);
    let bearer = format!("Bearer {}", login.json()["access_token"].as_str().unwrap());
    let call = async |method: &str, path: &str, body: Option<Value>| {
        let call = world.request(method, path).header("authorization", &bearer);
        match body {
            Some(body) => call.json_body(&body).send().await,
            None => call.send().await,
        }
    };
    let made = call("POST", "/v1/deployments", Some(seed_deployment())).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!((&made.json()["status"], &made.json()["success"]), (&json!("pending"), &json!(true)));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 26);
    let one = format!("/v1/deployments/{id}");
    assert_eq!(call("GET", "/v1/deployments", None).await.json()["total"], json!(1));
    assert_eq!(call("GET", &one, None).await.json()["runtime"], json!({"type": "nodejs", "version": "20"}));
    let (order, reply) = build(&world, built("example/built:1")).await;
    assert_eq!((&order["remote"], &order["branch"]), (&json!("https://github.com/user/repo"), &json!("main")));
    assert_eq!(reply.json(), json!({"release": 3}));
    status(&world, &one, "completed").await;

    let change = json!({"version": "22", "env": {"NODE_ENV": "production"}});
    let changed = call("PUT", &one, Some(change)).await;
    assert_eq!((changed.status, &changed.json()["status"]), (200, &json!("pending")), "{changed:?}");
    assert_eq!(changed.json()["runtime"]["version"], json!("22"));
    assert_eq!(changed.json()["env_vars"], json!({"NODE_ENV": "production"}));
    let (order, _) = build(&world, built("example/built:2")).await;
    assert_eq!((&order["version"], &order["env"]["NODE_ENV"]), (&json!("22"), &json!("production")));
    status(&world, &one, "completed").await;

    let services = call("GET", "/v1/services", None).await.json();
    let service = services["services"][0]["id"].as_str().unwrap().to_owned();
    let service_path = format!("/v1/services/{service}");
    assert_eq!(call("GET", &format!("{service_path}/status"), None).await.json()["status"], json!("running"));
    for action in ["start", "stop", "restart"] {
        assert_eq!(call("POST", &format!("{service_path}/{action}"), None).await.status, 200, "{action}");
    }
    assert_eq!(call("POST", &format!("{service_path}/start"), None).await.status, 200);
    world.log("my-app", "web.1", "hello").await;
    let logs = call("GET", &format!("{service_path}/logs?tail=100"), None).await;
    assert_eq!((logs.status, &logs.json()[0]["message"]), (200, &json!("hello")), "{logs:?}");

    world.engine.script_cpu(ProcessType::web(), 250);
    let instances = until(&world, "/v1/instances", |body| body["total"] != json!(0)).await;
    let instance = format!("/v1/instances/{}", instances["instances"][0]["id"].as_str().unwrap());
    assert_eq!(call("GET", &instance, None).await.status, 200);
    let metrics = call("GET", &format!("{instance}/metrics"), None).await;
    assert_eq!((metrics.status, &metrics.json()["cpu"]["usage_millicores"]), (200, &json!(250)), "{metrics:?}");

    assert_eq!(call("GET", "/v1/proxy/routes", None).await.json()["routes"][0]["domain"], json!("my-app.example.com"));
    let route = json!({"domain": "example.org", "service_id": service, "port": 3000});
    let made = call("POST", "/v1/proxy/routes", Some(route)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let route = format!("/v1/proxy/routes/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(call("DELETE", &route, None).await.status, 204);

    let project = json!({"name": "my-project", "description": "Project description"});
    let made = call("POST", "/v1/projects", Some(project)).await;
    assert_eq!(made.status, 201);
    assert_eq!(call("GET", "/v1/projects", None).await.json()["total"], json!(1));
    let project = format!("/v1/projects/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(call("DELETE", &project, None).await.status, 204);

    let env = format!("{service_path}/env");
    let set = call("POST", &env, Some(json!({"key": "NODE_ENV", "value": "production"}))).await;
    assert_eq!(set.status, 200, "it is the same value: {set:?}");
    assert_eq!(call("GET", &env, None).await.json()["env"], json!({"NODE_ENV": "production"}));
    assert_eq!(call("DELETE", &format!("{env}/NODE_ENV"), None).await.status, 204);

    let webhook = json!({
        "url": "https://1.1.1.1/webhook", "events": ["deployment.created", "deployment.failed"],
        "secret": "webhook-secret",
    });
    let made = call("POST", "/v1/webhooks", Some(webhook)).await;
    assert_eq!((made.status, &made.json()["has_secret"]), (201, &json!(true)), "{made:?}");
    assert!(!made.body.contains("webhook-secret"));
    assert_eq!(call("GET", "/v1/webhooks", None).await.json()["total"], json!(1));

    let mut bad = seed_deployment();
    bad["version"] = json!("999");
    let refused = call("POST", "/v1/deployments", Some(bad)).await;
    let details = json!({"field": "runtime", "issue": "Unsupported runtime version"});
    assert_eq!((refused.status, &refused.json()["error"]["details"]), (400, &details));
    assert_eq!(refused.json()["error"]["code"], json!("invalid_request"));
    // The environment was changed, so that a release is on its way.
    status(&world, &one, "completed").await;
    assert_eq!(call("DELETE", &one, None).await.status, 204);
    assert_eq!(call("GET", &one, None).await.status, 404);
}

both!(seed, every_example_of_the_page_is_answered);

/// Bodies as they are, of a deployment from its beginning to its end.
pub async fn walk(database: Database) {
    let world = World::new(database).await;
    world.engine.script_cpu(ProcessType::web(), 100);
    let mut text = String::new();
    let mut show = |what: &str, reply: &Reply| {
        text.extend(["## ", what, "\n\n", &reply.render(), "\n\n"]);
    };
    let project = post(&world, "/v1/projects", json!({"name": "site"})).await;
    show("POST projects", &project);
    show("POST projects, again", &post(&world, "/v1/projects", json!({"name": "site"})).await);
    let webhook = json!({"url": "https://1.1.1.1/hook?t=1", "events": ["*"], "secret": "hunter2"});
    let webhook = post(&world, "/v1/webhooks", webhook).await;
    let hook = format!("/v1/webhooks/{}", webhook.json()["id"].as_str().unwrap());
    show("POST webhooks", &webhook);
    let image = json!({
        "name": "Shop Front", "source": "image", "image": "example/shop:1", "run_cmd": "serve", "description": "Shop",
        "env": {"A": 1, "B": true}, "secrets": {"KEY": "hunter2"}, "health_check": "/health/",
        "domain": "shop.example.org", "project_id": project.json()["id"],
    });
    let made = post(&world, "/v1/deployments", image.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let one = format!("/v1/deployments/{}", made.json()["id"].as_str().unwrap());
    status(&world, &one, "completed").await;
    show("GET deployment", &get(&world, &one).await);
    show("GET deployments", &get(&world, "/v1/deployments?status=completed").await);
    show("GET service", &get(&world, "/v1/services/shop-front").await);
    let service_status = get(&world, "/v1/services/shop-front/status").await;
    show("GET status", &service_status);
    show("GET instances", &get(&world, "/v1/instances?service_id=shop-front").await);
    let instance = get(&world, "/v1/instances").await.json()["instances"][0]["tag"].as_str().unwrap().to_owned();
    show("GET metrics", &get(&world, &format!("/v1/instances/{instance}/metrics")).await);
    show("GET routes", &get(&world, "/v1/proxy/routes").await);
    let taken = json!({"domain": "shop.example.org", "service_id": "shop-front"});
    assert_eq!(post(&world, "/v1/proxy/routes", taken.clone()).await.status, 200);
    show("GET env", &get(&world, "/v1/services/shop-front/env").await);
    show("POST env", &post(&world, "/v1/services/shop-front/env", json!({"key": "C", "value": "x"})).await);
    show("POST start", &post(&world, "/v1/services/shop-front/start", json!({})).await);
    show("POST test", &post(&world, &format!("{hook}/test"), json!({})).await);
    let deliveries = get(&world, &format!("{hook}/deliveries?limit=100")).await;
    let events: Vec<String> = deliveries.json()["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|delivery| delivery["event"].as_str().unwrap().to_owned())
        .collect();
    for event in
        ["deployment.created", "deployment.started", "deployment.finished", "service.updated", "domain.created"]
    {
        assert!(events.iter().any(|found| found == event), "{event}: {events:?}");
    }
    assert!(!deliveries.body.contains("hunter2"), "a secret is told");
    let created = deliveries.json()["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["event"] == "deployment.created")
        .unwrap()
        .clone();
    show("a delivery", &Reply { body: created.to_string(), ..get(&world, &hook).await });
    let delivery = created["id"].as_str().unwrap();
    let replay = post(&world, &format!("{hook}/deliveries/{delivery}/replay"), json!({})).await;
    assert_eq!((replay.status, &replay.json()["payload"]), (202, &created["payload"]));
    assert_ne!(replay.json()["id"], created["id"]);
    assert_eq!(post(&world, &format!("{hook}/deliveries/none/replay"), json!({})).await.status, 404);
    show("GET webhooks", &get(&world, "/v1/webhooks").await);

    // Whoever may use it may not remove it; its name is nobody else's.
    let grant = json!({"username": "collaborator"});
    assert_eq!(post(&world, "/v2/apps/shop-front/perms/", grant).await.status, 201);
    show("DELETE by a collaborator", &send(&world, "collaborator", "DELETE", &one, None).await);
    assert_eq!(send(&world, "collaborator", "DELETE", "/v1/proxy/routes/shop.example.org", None).await.status, 403);
    show("POST by a stranger", &send(&world, "stranger", "POST", "/v1/deployments", Some(image.clone())).await);
    assert_eq!(send(&world, "stranger", "GET", "/v1/instances?kind=node", None).await.status, 403);
    let nodes = send(&world, "admin", "GET", "/v1/instances?kind=node", None).await.json();
    let node = &nodes["instances"][0];
    assert_eq!(
        (&node["tag"], &node["kind"], &node["status"]),
        (&json!("machine-1"), &json!("node"), &json!("healthy"))
    );
    let metrics = format!("/v1/instances/{}/metrics", node["id"].as_str().unwrap());
    let told = send(&world, "admin", "GET", &metrics, None).await;
    assert_eq!((told.status, &told.json()["cpu"]["usage_millicores"]), (200, &json!(1500)), "{told:?}");
    assert_eq!(send(&world, "stranger", "GET", &metrics, None).await.status, 404);
    let builders = send(&world, "admin", "GET", "/v1/instances?kind=node&role=build", None).await;
    assert_eq!(builders.json()["total"], json!(0));
    let wiki = json!({"name": "wiki", "source": "image", "image": "example/wiki:1"});
    assert_eq!(post(&world, "/v1/deployments", wiki).await.status, 201);
    status(&world, "/v1/deployments/wiki", "completed").await;
    let other = json!({"domain": "shop.example.org", "service_id": "wiki"});
    assert_eq!(post(&world, "/v1/proxy/routes", other).await.status, 409);
    assert_eq!(send(&world, "owner", "DELETE", "/v1/proxy/routes/wiki.example.com", None).await.status, 409);
    let taken = json!({"domain": "shop.example.org"});
    assert_eq!(send(&world, "owner", "PUT", "/v1/deployments/wiki", Some(taken)).await.status, 409);
    for path in ["deployments?status=none", "instances?kind=none", "services/wiki/logs?tail=many"] {
        assert_eq!(get(&world, &format!("/v1/{path}")).await.status, 400, "{path}");
    }
    assert_eq!(get(&world, "/v1/services/wiki/logs?tail=0").await.status, 400);
    let again = send(&world, "owner", "POST", "/v1/deployments", Some(seed_deployment())).await;
    assert_eq!(again.status, 201);
    assert_eq!(send(&world, "owner", "DELETE", "/v1/deployments/my-app", None).await.status, 409, "it is in progress");
    assert_eq!(send(&world, "owner", "DELETE", &hook, None).await.status, 204);
    assert_eq!(get(&world, &hook).await.status, 404);
    let settings = {
        let mut settings = insta::Settings::clone_current();
        for (pattern, text) in World::redactions() {
            settings.add_filter(pattern, text);
        }
        settings.add_filter(r"shop-front-web-v\d+-\d+", "[instance]");
        settings.add_filter(r#""uptime_seconds": \d+"#, "\"uptime_seconds\": [seconds]");
        settings.add_filter(r#"("release|"attempts)": \d+"#, "$1\": [number]");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings.bind(|| insta::assert_snapshot!("dployr_v1", text));
}

both!(walk, bodies_are_as_they_were);

/// A redeploy, a failure, a build that is told twice, and one that nobody tells of.
pub async fn builds(database: Database) {
    let world = World::new(database).await;
    let one = "/v1/deployments/my-app";
    assert_eq!(post(&world, "/v1/deployments", seed_deployment()).await.status, 201);
    let id = get(&world, one).await.json()["id"].clone();
    let (_, reply) = build(&world, json!({"outcome": "failed", "error": "the branch 'main' does not exist"})).await;
    assert_eq!(reply.json(), json!({"release": null}));
    let failed = status(&world, one, "failed").await;
    assert_eq!(failed["error"], json!("the branch 'main' does not exist"));
    assert!(failed["finished_at"].is_string());

    // Again: the same identity. Who told of the first attempt has nothing more to say.
    assert_eq!(post(&world, "/v1/deployments", seed_deployment()).await.json()["id"], id);
    let (first, _) = build(&world, built("example/built:1")).await;
    status(&world, one, "completed").await;
    let mut twice = built("example/built:1");
    twice["app"] = first["app"].clone();
    twice["claim"] = first["claim"].clone();
    let finish =
        async |body: &Value| world.request("POST", "/v2/hooks/orders/finish/").builder().json_body(body).send().await;
    assert_eq!(finish(&twice).await.json(), json!({"release": 3}), "told twice, made once");
    assert_eq!(get(&world, "/v2/apps/my-app/releases/").await.json()["count"], json!(3));
    assert_eq!(
        world.engine.applied(first["app"].as_str().unwrap().parse().unwrap()).unwrap().release.unwrap().processes[0]
            .replicas,
        1
    );

    // The same commit again is not built again, unless it is to be.
    assert_eq!(post(&world, "/v1/deployments", seed_deployment()).await.status, 201);
    let same = json!({"outcome": "same", "commit_hash": "a".repeat(40), "fingerprint": "f".repeat(64)});
    let (order, reply) = build(&world, same).await;
    assert_eq!((&order["fingerprint"], reply.json()), (&json!("f".repeat(64)), json!({"release": 4})));
    status(&world, one, "completed").await;
    assert_eq!(finish(&twice).await.status, 409, "that claim is of the attempt before");
    let mut forced = seed_deployment();
    forced["force_rebuild"] = json!(true);
    post(&world, "/v1/deployments", forced).await;
    let (order, _) = build(&world, built("example/built:2")).await;
    assert_eq!(order["fingerprint"], json!(""));
    status(&world, one, "completed").await;

    // A change while it is built: the builder is told to stop, and what it made is thrown away.
    post(&world, "/v1/deployments", seed_deployment()).await;
    let order = world.request("POST", "/v2/hooks/orders/claim/").builder().json_body(&json!({})).send().await.json();
    let renew = json!({"app": order["app"], "claim": order["claim"]});
    let renewed = async || world.request("POST", "/v2/hooks/orders/renew/").builder().json_body(&renew).send().await;
    assert_eq!(renewed().await.status, 204);
    assert_eq!(get(&world, one).await.json()["status"], json!("in_progress"));
    send(&world, "owner", "PUT", one, Some(json!({"branch": "next"}))).await;
    assert_eq!(renewed().await.status, 409);
    let (order, _) = build(&world, built("example/built:3")).await;
    assert_eq!(order["branch"], json!("next"));
    status(&world, one, "completed").await;
    let nothing = world.request("POST", "/v2/hooks/orders/claim/").builder().json_body(&json!({})).send().await;
    assert_eq!(nothing.status, 204);

    // What it only runs with makes a release, and no build; what is only told of it makes neither.
    let before = get(&world, one).await.json()["release"].as_u64().unwrap();
    send(&world, "owner", "PUT", one, Some(json!({"run_cmd": "node other.js"}))).await;
    let after = status(&world, one, "completed").await;
    assert_eq!((&after["release"], &after["run_cmd"]), (&json!(before + 1), &json!("node other.js")));
    let told = send(&world, "owner", "PUT", one, Some(json!({"description": "x", "env": {"A": null}}))).await;
    assert_eq!(
        (told.status, &told.json()["release"], &told.json()["status"]),
        (200, &json!(before + 1), &json!("completed"))
    );
    for body in [json!({"name": "other"}), json!({"source": "image"}), json!({"branch": "--upload-pack=x"})] {
        assert_eq!(send(&world, "owner", "PUT", one, Some(body.clone())).await.status, 400, "{body}");
    }
}

both!(builds, builders_are_told_what_to_do_and_tell_what_they_did);

pub async fn others(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &["collaborator"]).await;
    // An app that was made otherwise is a deployment, too.
    let made_up = get(&world, &format!("/v1/deployments/{app}")).await.json();
    assert_eq!(
        (&made_up["source"], &made_up["status"], &made_up["image"], &made_up["run_cmd"]),
        (&json!("image"), &json!("completed"), &json!("example/app:1"), &json!("run"))
    );
    let service = get(&world, &format!("/v1/services/{app}")).await.json();
    assert_eq!(service["deployment_id"], made_up["id"]);
    let by_id = format!("/v1/services/{}", service["id"].as_str().unwrap());
    assert_eq!(get(&world, &by_id).await.json()["name"], json!(app));
    // How many there were is remembered, without a release.
    world.engine.script_cpu(ProcessType::web(), 1);
    assert_eq!(post(&world, &format!("/v2/apps/{app}/scale/"), json!({"web": 3})).await.status, 204);
    let release = get(&world, &by_id).await.json()["deployment_id"].clone();
    assert_eq!(post(&world, &format!("{by_id}/stop"), json!({})).await.json()["status"], json!("stopped"));
    until(&world, &format!("{by_id}/status"), |body| body["replicas"] == json!({"desired": 0, "ready": 0})).await;
    assert_eq!(post(&world, &format!("{by_id}/start"), json!({})).await.status, 200);
    until(&world, &format!("{by_id}/status"), |body| body["replicas"] == json!({"desired": 3, "ready": 3})).await;
    assert_eq!(get(&world, &by_id).await.json()["deployment_id"], release);
    // Nobody else learns of it.
    for path in [format!("/v1/deployments/{app}"), by_id.clone(), format!("{by_id}/logs"), format!("{by_id}/env")] {
        let reply = send(&world, "stranger", "GET", &path, None).await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("not_found")), "{path}");
    }
    for list in ["deployments", "services", "instances", "proxy/routes"] {
        assert_eq!(send(&world, "stranger", "GET", &format!("/v1/{list}"), None).await.json()["total"], json!(0));
        assert_ne!(send(&world, "collaborator", "GET", &format!("/v1/{list}"), None).await.json()["total"], json!(0));
    }
    // What the platform sets is nobody's to set.
    for (body, field) in [
        (json!({"key": "PORT", "value": "1"}), "key"),
        (json!({"key": "SLIPWAY_APP", "value": "x"}), "key"),
        (json!({"key": "1A", "value": "x"}), "key"),
        (json!({"key": "A", "value": null}), "value"),
        (json!({"key": "A", "value": {}}), "value"),
        (json!({"key": "A"}), "value"),
    ] {
        let reply = post(&world, &format!("{by_id}/env"), body.clone()).await;
        assert_eq!((reply.status, &reply.json()["error"]["details"]["field"]), (400, &json!(field)), "{body}");
    }
    assert_eq!(post(&world, &format!("{by_id}/env"), json!({"key": "A", "value": 1})).await.status, 201);
    assert_eq!(send(&world, "owner", "DELETE", &format!("{by_id}/env/NONE"), None).await.status, 404);
    let limits = get(&world, "/v1/deployments?limit=1000&offset=x").await.json();
    assert_eq!((&limits["limit"], &limits["offset"]), (&json!(100), &json!(0)));
    let page = get(&world, "/v1/deployments?pageSize=1&page=2").await.json();
    assert_eq!((&page["limit"], &page["offset"], &page["deployments"]), (&json!(1), &json!(1), &json!([])));
}

both!(others, apps_that_were_made_otherwise_are_there);
