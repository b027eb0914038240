//! The check-list of the contract, a test a number; 21 and 22 need git and the command line and are with the tests of
//! the whole platform. Source: `drycc-v2.md` §9.

use serde_json::{Value, json};
use slipway_service::testing::{Behaviour, TestCertificate};

use crate::world::{Database, Reply, World, both};

async fn send(world: &World, user: &str, method: &str, path: &str, body: Value) -> Reply {
    let request = world.request(method, path);
    let request = match user {
        "" => request,
        "builder" => request.builder(),
        user => request.user(user),
    };
    if body.is_null() { request.send().await } else { request.json_body(&body).send().await }
}

async fn get(world: &World, user: &str, path: &str) -> Reply {
    send(world, user, "GET", path, Value::Null).await
}

async fn post(world: &World, user: &str, path: &str, body: Value) -> Reply {
    send(world, user, "POST", path, body).await
}

async fn blog(database: Database) -> World {
    let world = World::new(database).await;
    world.named_app("owner", "blog").await;
    world
}

async fn summaries(world: &World) -> Vec<String> {
    let page = get(world, "owner", "/v2/apps/blog/releases/").await.json();
    let text = |release: &Value| format!("v{} {}", release["version"], release["summary"].as_str().unwrap());
    page["results"].as_array().unwrap().iter().map(text).collect()
}

async fn c01_headers(database: Database) {
    let world = blog(database).await;
    for (user, path, status) in [
        ("owner", "/v2/apps/", 200),
        ("", "/v2/apps/", 401),
        ("stranger", "/v2/apps/blog/", 403),
        ("owner", "/v2/apps/none/", 404),
        ("", "/nowhere", 404),
        ("", "/healthz", 200),
    ] {
        let reply = get(&world, user, path).await;
        assert_eq!(reply.status, status, "{path}");
        for family in ["DEIS", "DRYCC"] {
            assert_eq!(reply.header(&format!("{family}_API_VERSION")), Some("2.3"), "{path}");
            assert_eq!(reply.header(&format!("{family}_PLATFORM_VERSION")), Some("2.3.0"), "{path}");
        }
    }
}
both!(c01_headers, both_header_families_are_on_every_answer);

async fn c02_root_and_health(database: Database) {
    let world = World::new(database).await;
    for path in ["/v2/", "/v2"] {
        assert_eq!(get(&world, "", path).await.status, 401);
        let reply = get(&world, "owner", path).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "{}"));
    }
    assert_eq!(get(&world, "", "/healthz").await.body, "OK");
    assert_eq!(send(&world, "", "HEAD", "/healthz", Value::Null).await.status, 200);
    assert_eq!(send(&world, "", "POST", "/healthz", Value::Null).await.status, 405);
}
both!(c02_root_and_health, the_root_tells_who_is_known);

async fn c03_first_user(database: Database) {
    let world = World::bare(database, "example.com").await;
    for (name, is_admin) in [("first", true), ("second", false)] {
        let reply = post(&world, "", "/v2/auth/register/", json!({"username": name, "password": "pw"})).await;
        assert_eq!((reply.status, &reply.json()["is_superuser"]), (201, &json!(is_admin)), "{name}");
        assert_eq!(reply.json()["is_staff"], json!(is_admin));
    }
}
both!(c03_first_user, the_first_user_is_administrator_the_second_is_not);

async fn c04_empty_bodies(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &[]).await;
    post(&world, "owner", &format!("/v2/apps/{app}/config/"), json!({"values": {"A": "1"}})).await;
    for (path, status) in [
        ("/v2/apps/".to_owned(), 201),
        (format!("/v2/apps/{app}/releases/rollback/"), 201),
        (format!("/v2/apps/{app}/pods/restart/"), 200),
        (format!("/v2/apps/{app}/pods/web/restart/"), 200),
        ("/v2/auth/tokens/".to_owned(), 200),
    ] {
        let reply = world.request("POST", &path).user("owner").header("content-type", "application/json").send().await;
        assert_eq!(reply.status, status, "{path}: {reply:?}");
    }
}
both!(c04_empty_bodies, an_empty_body_is_an_empty_map);

async fn c05_lists(database: Database) {
    let world = World::new(database).await;
    for number in 0..3 {
        world.key("owner", &format!("k{number}")).await;
        world.cert("owner", &format!("c{number}")).await;
    }
    let app = world.app("owner", &[]).await;
    for number in 0..3 {
        let domain = json!({"domain": format!("d{number}.example.org")});
        post(&world, "owner", &format!("/v2/apps/{app}/domains/"), domain).await;
        post(&world, "owner", &format!("/v2/apps/{app}/builds/"), json!({"image": "a/b:1"})).await;
        world.named_app("owner", &format!("more-{number}")).await;
    }
    for list in [
        "/v2/apps/".to_owned(),
        "/v2/keys/".to_owned(),
        "/v2/certs/".to_owned(),
        "/v2/users/".to_owned(),
        format!("/v2/apps/{app}/domains/"),
        format!("/v2/apps/{app}/builds/"),
        format!("/v2/apps/{app}/releases/"),
    ] {
        let user = if list == "/v2/users/" { "admin" } else { "owner" };
        let all = get(&world, user, &list).await.json();
        let page = get(&world, user, &format!("{list}?limit=1&offset=1")).await.json();
        assert_eq!(page["results"], json!([all["results"][1]]), "{list}");
        assert_eq!(page["count"], all["count"], "{list}");
        assert!(page["next"].as_str().unwrap().ends_with(&format!("{list}?limit=1&offset=2")), "{list}: {page}");
        assert!(page["previous"].as_str().unwrap().ends_with(&format!("{list}?limit=1")), "{list}: {page}");
    }
    let pods = get(&world, "owner", &format!("/v2/apps/{app}/pods/")).await.json();
    assert!(pods["results"].is_array() && pods["count"].is_number() && pods.get("next").is_none(), "{pods}");
}
both!(c05_lists, lists_have_pages);

async fn c06_what_an_app_begins_with(database: Database) {
    let world = blog(database).await;
    assert_eq!(get(&world, "owner", "/v2/apps/blog/config/").await.json()["values"], json!({}));
    assert_eq!(summaries(&world).await, ["v1 owner created initial release"]);
    let domains = get(&world, "owner", "/v2/apps/blog/domains/").await.json();
    assert_eq!((&domains["count"], &domains["results"][0]["domain"]), (&json!(1), &json!("blog")));
    assert_eq!(get(&world, "owner", "/v2/apps/blog/tls/").await.json()["https_enforced"], json!(null));
    assert_eq!(get(&world, "owner", "/v2/apps/blog/releases/v1/").await.json()["build"], json!(null));
}
both!(c06_what_an_app_begins_with, an_app_begins_with_all_it_needs);

async fn c07_config(database: Database) {
    let world = blog(database).await;
    let set = async |value: Value| post(&world, "owner", "/v2/apps/blog/config/", json!({ "values": value })).await;
    assert_eq!(set(json!({"A": "1"})).await.status, 201);
    assert_eq!(summaries(&world).await[0], "v2 owner added A");
    assert_eq!(get(&world, "owner", "/v2/apps/blog/pods/").await.json()["count"], json!(0));
    let same = set(json!({"A": "1"})).await;
    assert_eq!((same.status, same.json()), (409, json!({"detail": "owner changed nothing - release stopped"})));
    let missing = set(json!({"B": null})).await;
    assert_eq!((missing.status, missing.json()), (422, json!({"detail": "B does not exist under values"})));
    assert_eq!(summaries(&world).await.len(), 2);
}
both!(c07_config, configuration_before_a_build_makes_releases);

async fn c08_builds(database: Database) {
    let world = blog(database).await;
    let build = json!({"image": "example/app:1", "procfile": {"web": "run"}});
    assert_eq!(post(&world, "owner", "/v2/apps/blog/builds/", build).await.status, 201);
    assert_eq!(summaries(&world).await[0], "v2 owner deployed example/app:1");
    let push = json!({"receive_user": "owner", "receive_repo": "blog", "image": "example/app:2", "sha": "0a1b2c3d",
                      "procfile": {}, "dockerfile": ""});
    let hook = post(&world, "builder", "/v2/hooks/build/", push).await;
    assert_eq!((hook.status, hook.json()), (200, json!({"release": {"version": 3}})));
    assert_eq!(summaries(&world).await[0], "v3 owner deployed 0a1b2c3");
}
both!(c08_builds, builds_make_releases);

async fn c09_rollback(database: Database) {
    let world = blog(database).await;
    for number in 1..=2 {
        let build = json!({"image": format!("example/app:{number}"), "procfile": {"web": "run"}});
        post(&world, "owner", "/v2/apps/blog/builds/", build).await;
    }
    world.engine.script_artifact("image:example/app:bad", Behaviour::Failing("no such image".to_owned()));
    world.engine.script_version(4, Behaviour::Failing("it does not start".to_owned()));
    assert_eq!(post(&world, "owner", "/v2/apps/blog/builds/", json!({"image": "example/app:bad"})).await.status, 400);
    let back = async |body: Value| post(&world, "owner", "/v2/apps/blog/releases/rollback/", body).await;
    let none = back(Value::Null).await;
    assert_eq!((none.status, none.json()), (201, json!({"version": 5})));
    assert_eq!(summaries(&world).await[0], "v5 owner rolled back to v2");
    let named = back(json!({"version": 3})).await;
    assert_eq!((named.status, named.json()), (201, json!({"version": 6})));
    for (version, detail) in [
        (0, "version cannot be below 0"),
        (1, "Cannot roll back to initial release."),
        (4, "Cannot roll back to failed release."),
        (99, "Release matching query does not exist."),
    ] {
        let reply = back(json!({ "version": version })).await;
        assert_eq!((reply.status, reply.json()), (400, json!({ "detail": detail })), "{version}");
    }
}
both!(c09_rollback, rollbacks_have_rules);

async fn c10_broken_image(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &[]).await;
    world.engine.script_version(3, Behaviour::Failing("no such image".to_owned()));
    let reply = post(&world, "owner", &format!("/v2/apps/{app}/builds/"), json!({"image": "example/bad:1"})).await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["detail"].as_str().unwrap().contains("no such image"), "{reply:?}");
    let release = get(&world, "owner", &format!("/v2/apps/{app}/releases/v3/")).await.json();
    assert_eq!(release["failed"], json!(true));
    assert!(release["summary"].as_str().unwrap().ends_with("which failed"), "{release}");
    let config = post(&world, "owner", &format!("/v2/apps/{app}/config/"), json!({"values": {"A": "1"}})).await;
    assert_eq!(config.status, 201, "{config:?}");
    let releases = get(&world, "owner", &format!("/v2/apps/{app}/releases/")).await.json();
    let build = |place: usize| releases["results"][place]["build"].clone();
    assert_eq!((releases["results"][0]["version"].clone(), build(0)), (json!(4), build(2)));
}
both!(c10_broken_image, a_release_that_failed_is_not_built_on);

async fn c11_scale(database: Database) {
    let world = blog(database).await;
    let scale = async |body: Value| post(&world, "owner", "/v2/apps/blog/scale/", body).await;
    let reply = scale(json!({"web": 1})).await;
    assert_eq!((reply.status, reply.json()), (400, json!({"detail": "No build associated with this release"})));
    post(&world, "owner", "/v2/apps/blog/builds/", json!({"image": "a/b:1", "procfile": {"web": "run"}})).await;
    let text = "Invalid scaling format: invalid literal for int() with base 10: 'x'";
    let negative = "Invalid scaling format: ['Must be greater than or equal to zero']";
    for (body, status, detail) in [
        (json!({"web": "x"}), 400, text),
        (json!({"web": -1}), 400, negative),
        (json!({"none": 1}), 404, "Container type none does not exist in application"),
    ] {
        let reply = scale(body).await;
        assert_eq!((reply.status, reply.json()), (status, json!({ "detail": detail })));
    }
    for _ in 0..2 {
        let reply = scale(json!({"web": "2"})).await;
        assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    }
    assert_eq!(get(&world, "owner", "/v2/apps/blog/pods/").await.json()["count"], json!(2));
    assert_eq!(summaries(&world).await.len(), 2);
}
both!(c11_scale, scaling_has_rules);

async fn c12_collaborators(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &["collaborator"]).await;
    let path = |rest: &str| format!("/v2/apps/{app}/{rest}");
    let domain = json!({"domain": "www.example.org"});
    assert_eq!(post(&world, "collaborator", &path("domains/"), domain).await.status, 201);
    let addresses = json!({"addresses": ["10.0.0.1"]});
    assert_eq!(post(&world, "collaborator", &path("whitelist/"), addresses.clone()).await.status, 201);
    for (rest, body) in [("domains/www.example.org", Value::Null), ("whitelist/", addresses), ("", Value::Null)] {
        assert_eq!(send(&world, "collaborator", "DELETE", &path(rest), body).await.status, 403, "{rest}");
    }
    let grant = json!({"username": "stranger"});
    assert_eq!(post(&world, "collaborator", &path("perms/"), grant).await.status, 403);
    assert_eq!(send(&world, "collaborator", "DELETE", &path("perms/collaborator"), Value::Null).await.status, 204);
    assert_eq!(get(&world, "collaborator", &path("")).await.status, 403);
}
both!(c12_collaborators, collaborators_post_and_do_not_delete);

async fn c13_kinds_of_bodies(database: Database) {
    let world = blog(database).await;
    for (path, kind) in [
        ("/v2/apps/none/", "App"),
        ("/v2/keys/none", "Key"),
        ("/v2/certs/none", "Certificate"),
        ("/v2/apps/blog/releases/v9/", "Release"),
        ("/v2/apps/blog/build/", "Build"),
    ] {
        let reply = get(&world, "owner", path).await;
        assert_eq!((reply.status, reply.json()), (404, json!(format!("No {kind} matches the given query."))), "{path}");
    }
    for (path, body, status) in [
        ("/v2/apps/", json!({"id": "A"}), 400),
        ("/v2/apps/blog/whitelist/", json!({"addresses": ["x"]}), 400),
        ("/v2/apps/blog/settings/", json!({}), 409),
        ("/v2/apps/blog/config/", json!({"values": {"A": null}}), 422),
    ] {
        let reply = post(&world, "owner", path, body).await;
        assert_eq!((reply.status, reply.json().is_object()), (status, true), "{path}: {reply:?}");
    }
}
both!(c13_kinds_of_bodies, what_is_missing_is_a_text_and_what_is_wrong_a_map);

async fn c14_certificates(database: Database) {
    let world = blog(database).await;
    let TestCertificate { certificate, key } = world.certificate();
    let bad = post(&world, "owner", "/v2/certs/", json!({"name": "www", "certificate": "x", "key": key})).await;
    assert_eq!(bad.status, 400);
    assert!(bad.json()["certificate"][0].as_str().unwrap().starts_with("Could not load certificate"), "{bad:?}");
    let body = json!({"name": "www", "certificate": certificate, "key": key});
    assert_eq!(post(&world, "owner", "/v2/certs/", body.clone()).await.status, 201);
    let again = post(&world, "owner", "/v2/certs/", body).await;
    assert_eq!((again.status, again.json()), (400, json!({"name": ["certificate with this name already exists."]})));
    let attach = async || post(&world, "owner", "/v2/certs/www/domain/", json!({"domain": "blog"})).await;
    assert_eq!(attach().await.status, 201);
    let twice = attach().await;
    let detail = "Domain already has a certificate attached to it";
    assert_eq!((twice.status, twice.json()), (409, json!({ "detail": detail })));
    assert_eq!(send(&world, "owner", "DELETE", "/v2/certs/www", Value::Null).await.status, 204);
    world.cert("owner", "new").await;
    assert_eq!(post(&world, "owner", "/v2/certs/new/domain/", json!({"domain": "blog"})).await.status, 201);
}
both!(c14_certificates, certificates_are_checked_and_detached);

async fn c15_domains(database: Database) {
    let world = blog(database).await;
    let add = async |domain: &str| post(&world, "owner", "/v2/apps/blog/domains/", json!({ "domain": domain })).await;
    for (text, stored) in [
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("www.example.org.", "www.example.org"),
    ] {
        let reply = add(text).await;
        assert_eq!((reply.status, &reply.json()["domain"]), (201, &json!(stored)), "{text}");
    }
    let taken = json!(["Domain is already in use by another application"]);
    assert_eq!(add("www.example.org").await.json()["domain"], taken);
    let other = json!("The domain BÜCHER.example is already in use by another app");
    let reply = add("BÜCHER.example").await;
    assert_eq!((reply.status, &reply.json()["domain"]), (400, &json!([taken[0], other])));
    let path = "/v2/apps/blog/domains/*.b%C3%BCcher.example";
    assert_eq!(send(&world, "owner", "DELETE", path, Value::Null).await.status, 204);
}
both!(c15_domains, domains_come_in_many_forms);

pub async fn c16_logs(database: Database) {
    let world = blog(database).await;
    world.log("blog", "web.1", "hello \"you\"").await;
    let reply = get(&world, "owner", "/v2/apps/blog/logs?log_lines=1").await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").unwrap().starts_with("text/plain"), "{reply:?}");
    assert!(reply.body.ends_with("blog[web.1]: hello \"you\"\n") && reply.body.lines().count() == 1, "{reply:?}");
    let nothing = get(&world, "owner", "/v2/apps/blog/logs?process_type=none").await;
    assert_eq!((nothing.status, nothing.body.as_str()), (204, ""));
}
both!(c16_logs, logs_are_raw_text);

async fn c17_run(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &[]).await;
    world.engine.script_run("ls 'a b'", Ok((7, "no such file\n".to_owned())));
    let reply = post(&world, "owner", &format!("/v2/apps/{app}/run"), json!({"command": "ls 'a b'"})).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"exit_code": 7, "output": "no such file\n"})));
}
both!(c17_run, run_tells_code_and_output);

async fn c18_restart(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &[]).await;
    let pods = get(&world, "owner", &format!("/v2/apps/{app}/pods/")).await.json();
    let name = pods["results"][0]["name"].as_str().unwrap().to_owned();
    for path in [format!("pods/web/{name}/restart/"), format!("pods/{name}/restart/"), "pods/web/restart/".to_owned()] {
        let path = path.replace(
            &name,
            get(&world, "owner", &format!("/v2/apps/{app}/pods/")).await.json()["results"][0]["name"].as_str().unwrap(),
        );
        let reply = post(&world, "owner", &format!("/v2/apps/{app}/{path}"), Value::Null).await;
        assert_eq!((reply.status, reply.json().as_array().map(Vec::len)), (200, Some(1)), "{path}: {reply:?}");
    }
}
both!(c18_restart, processes_are_restarted_by_either_path);

async fn c19_build_and_builds(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &[]).await;
    let one = get(&world, "owner", &format!("/v2/apps/{app}/build/")).await.json();
    let list = get(&world, "owner", &format!("/v2/apps/{app}/builds/")).await.json();
    assert_eq!(one["image"], json!("example/app:1"));
    assert_eq!((&list["count"], &list["results"]), (&json!(1), &json!([one])));
}
both!(c19_build_and_builds, build_is_one_and_builds_are_many);

async fn c20_hooks(database: Database) {
    let world = blog(database).await;
    let body = json!({"receive_user": "stranger", "receive_repo": "blog"});
    for (user, status) in [("", 401), ("admin", 403), ("builder", 403)] {
        assert_eq!(post(&world, user, "/v2/hooks/config/", body.clone()).await.status, status, "{user:?}");
    }
    let good = json!({"receive_user": "owner", "receive_repo": "blog"});
    assert_eq!(post(&world, "builder", "/v2/hooks/config/", good).await.status, 200);
    let unknown = json!({"receive_user": "owner", "receive_repo": "none"});
    assert_eq!(post(&world, "builder", "/v2/hooks/config/", unknown).await.status, 404);
}
both!(c20_hooks, hooks_are_the_builders);
