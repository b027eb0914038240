//! What clients of Deis 1.x rely on. Source: `deis-v1.md` §15 and §13.

use serde_json::{Value, json};

use crate::world::{Call, Database, Reply, World, both};

const PYTHON: (&str, &str) = ("x-deis-version", "1.0");
const GO: (&str, &str) = ("user-agent", "Deis Client v1.13.4");
const FORM: &str = "application/x-www-form-urlencoded";

fn with<'a>(call: Call<'a>, (name, value): (&str, &str)) -> Call<'a> {
    call.header(name, value)
}

async fn post(world: &World, user: &str, path: &str, body: Value) -> Reply {
    world.request("POST", path).user(user).json_body(&body).send().await
}

async fn get(world: &World, user: &str, path: &str) -> Reply {
    world.request("GET", path).user(user).send().await
}

/// Registers and logs in as the clients of each kind do.
pub async fn accounts(database: Database) {
    let world = World::bare(database, "example.com").await;
    // What tells the Go client that a controller is here.
    let reply = world.request("GET", "/v1/").send().await;
    assert_eq!(reply.status, 401);
    for name in ["DEIS_API_VERSION", "X_DEIS_API_VERSION"] {
        assert_eq!(reply.header(name), Some("1.0"), "{name}");
    }
    for name in ["DEIS_PLATFORM_VERSION", "X_DEIS_PLATFORM_VERSION"] {
        assert_eq!(reply.header(name), Some(env!("CARGO_PKG_VERSION")), "{name}");
    }
    assert_eq!(reply.header("DRYCC_API_VERSION"), None);

    let register = world.request("POST", "/v1/auth/register").header("content-type", FORM);
    let register = with(register, PYTHON).body("username=ann%40home&password=p+w&email=a%40b.cc&is_superuser=");
    let first = register.send().await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(
        (&first.json()["username"], &first.json()["is_superuser"], &first.json()["is_staff"]),
        (&json!("ann@home"), &json!(true), &json!(true))
    );
    // Two users may have one address; nobody makes himself an administrator.
    let body = json!({"username": "bob", "password": "pw", "email": "a@b.cc", "is_superuser": true});
    let second = world.request("POST", "/v1/auth/register/").json_body(&body).send().await;
    assert_eq!((second.status, &second.json()["is_superuser"]), (201, &json!(false)));
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\neve\r\n\
                     --x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\npw\r\n--x--\r\n";
    let register = world.request("POST", "/v1/auth/register/");
    let third = register.header("content-type", "multipart/form-data; boundary=x").body(multipart).send().await;
    assert_eq!(third.status, 201, "{third:?}");

    let login = world.request("POST", "/v1/auth/login/").header("content-type", FORM);
    let reply = with(login, PYTHON).body("username=ann%40home&password=p+w").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let token = reply.json()["token"].clone();
    let again = json!({"username": "ann@home", "password": "p w"});
    let again = world.request("POST", "/v1/auth/login/").json_body(&again).send().await;
    assert_eq!(again.json()["token"], token);
    let token = format!("Token {}", token.as_str().unwrap());
    let root = world.request("GET", "/v1/").header("authorization", &token).send().await;
    assert_eq!((root.status, root.json()), (200, json!({})));
    // The same token opens the other generation.
    assert_eq!(world.request("GET", "/v2/apps/").header("authorization", &token).send().await.status, 200);
}

both!(accounts, clients_of_each_kind_register_and_log_in);

#[tokio::test(flavor = "multi_thread")]
async fn the_two_logins_of_v1_are_told_apart() {
    let world = World::new(Database::Sqlite).await;
    let send = async |path: &str, media_type: Option<&str>, body: &str| {
        let call = world.request("POST", path);
        let call = match media_type {
            Some(media_type) => call.header("content-type", media_type),
            None => call,
        };
        call.body(body.to_owned()).send().await
    };
    let (with_slash, without) = ("/v1/auth/login/", "/v1/auth/login");
    let is_dployr = |reply: &Reply| reply.json()["error"]["code"].is_string();
    let json_type = Some("application/json");
    for (path, media_type, body, status) in [
        (with_slash, json_type, r#"{"username": "owner", "password": "pw"}"#, 200),
        (without, json_type, r#"{"username": "owner", "password": "pw"}"#, 200),
        (without, Some(FORM), "username=owner&password=pw", 200),
        (without, None, "username=owner&password=pw", 200),
        (without, None, r#"{"username": "owner", "password": "pw", "more": 1}"#, 200),
        (without, json_type, r#"{"username": "a@b.c", "password": "x"}"#, 400),
        (without, json_type, r#"{"username": "owner"}"#, 400),
        (with_slash, json_type, "{}", 400),
        (with_slash, json_type, "{", 400),
        (with_slash, json_type, r#"{"username": "owner", "email": "x", "password": "pw"}"#, 200),
        (without, Some(FORM), "", 400),
        (with_slash, Some("text/plain"), "x", 415),
    ] {
        let reply = send(path, media_type, body).await;
        assert_eq!(reply.status, status, "{path} {media_type:?} {body}: {reply:?}");
        assert!(!is_dployr(&reply), "{path} {media_type:?} {body}: {reply:?}");
    }
    for (path, media_type, body, status) in [
        (with_slash, json_type, r#"{"email": "owner@example.com", "password": "pw"}"#, 200),
        (without, json_type, r#"{"email": "owner@example.com", "password": "pw", "more": 1}"#, 200),
        (without, Some(FORM), "email=owner%40example.com&password=pw", 200),
        (without, json_type, r#"{"email": "owner", "username": null}"#, 400),
        (without, json_type, r#"{"email": "x", "username": "owner", "password": "pw"}"#, 400),
        (without, json_type, "{}", 400),
        (without, json_type, "{", 400),
        (without, None, "", 400),
    ] {
        let reply = send(path, media_type, body).await;
        assert_eq!(reply.status, status, "{path} {body}: {reply:?}");
        assert_eq!(is_dployr(&reply), status == 400, "{path} {body}: {reply:?}");
        assert_eq!(reply.json()["access_token"].is_string(), status == 200, "{path} {body}: {reply:?}");
        assert!(reply.header("x-ratelimit-limit").is_some() && reply.header("DEIS_API_VERSION").is_none());
    }
    let wrong = send(without, json_type, r#"{"username": "owner", "password": "wrong"}"#).await;
    let text = "Unable to log in with provided credentials.";
    assert_eq!((wrong.status, wrong.json()), (400, json!({"non_field_errors": [text]})));
    // The wrong method: there is no body to go by.
    let get = world.request("GET", with_slash).send().await;
    assert_eq!((get.status, get.json()), (405, json!({"detail": "Method 'GET' not allowed."})));
    let get = world.request("GET", without).send().await;
    assert_eq!((get.status, &get.json()["error"]["code"]), (405, &json!("method_not_allowed")));
    // A body that is not read.
    let huge = "x".repeat(2 * 1024 * 1024);
    assert!(!is_dployr(&send(with_slash, json_type, &huge).await));
    let reply = send(without, json_type, &huge).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (413, &json!("payload_too_large")));
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_nobody_has_are_refused_in_the_shape_of_their_family() {
    let world = World::new(Database::Sqlite).await;
    let bearer = ("authorization", "Bearer abc");
    let none = ("x-nothing", "1");
    for (path, header, is_dployr) in [
        ("/v1/apps/blog/nothing", bearer, false),
        ("/v1/nothing", none, false),
        ("/v1/nothing", bearer, true),
        ("/v1/deployments/a/b/c", none, true),
        ("/v1/auth/logout/now", none, true),
    ] {
        let reply = with(world.request("GET", path), header).send().await;
        assert_eq!(reply.status, 404, "{path}");
        let detail = json!({"detail": "Not found"});
        assert_eq!(reply.json() == detail, !is_dployr, "{path}: {reply:?}");
        assert_eq!(reply.json()["error"]["code"] == json!("not_found"), is_dployr, "{path}: {reply:?}");
        assert_eq!(reply.header("DEIS_API_VERSION").is_some(), !is_dployr, "{path}");
    }
    let reply = world.request("PUT", "/v1/apps").user("owner").send().await;
    assert_eq!((reply.status, reply.json()), (405, json!({"detail": "Method 'PUT' not allowed."})));
    assert_eq!(reply.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_another_major_version_are_turned_away() {
    let world = World::new(Database::Sqlite).await;
    for header in ["X-Deis-Version", "Deis-Version"] {
        for (version, status) in [("1.0", 200), ("1.7", 200), ("2.0", 405), ("", 405)] {
            let reply = world.request("GET", "/v1/apps/").user("owner").header(header, version).send().await;
            assert_eq!(reply.status, status, "{header}: {version}");
            if status == 405 {
                let text = reply.json()["error"].as_str().unwrap().to_owned();
                assert!(text.contains(version) && text.ends_with("Server version: 1.0"), "{text}");
            }
        }
    }
    // It comes before everything else, and concerns this generation only.
    assert_eq!(world.request("GET", "/v1/").header("X-Deis-Version", "2.3").send().await.status, 405);
    assert_eq!(world.request("GET", "/v2/apps/").user("owner").header("X-Deis-Version", "3").send().await.status, 200);
}

/// An app from its creation to a rollback, as the clients use it.
pub async fn an_app(database: Database) {
    let world = World::new(database).await;
    let made = world.request("POST", "/v1/apps").user("owner").send().await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.json()["id"].as_str().unwrap().contains('-'), "{made:?}");
    assert_eq!(post(&world, "owner", "/v1/apps/", json!({"id": "blog"})).await.status, 201);
    assert_eq!(post(&world, "owner", "/v1/apps/blog/releases/rollback/", json!({})).await.status, 400);

    // A map as text; the release header, in both spellings.
    let values = json!({"values": "{\"A\": \"1\", \"DEIS_APP\": \"mine\"}", "cpu": "{\"cmd\": \"512\"}"});
    let reply = post(&world, "owner", "/v1/apps/blog/config/", values).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!((reply.header("X-Deis-Release"), reply.header("Deis-Release")), (Some("2"), Some("2")));
    assert_eq!(reply.json()["values"], json!({"A": "1", "DEIS_APP": "blog", "DEIS_RELEASE": "v2"}));
    assert_eq!(reply.json()["cpu"], json!({"cmd": 512}));
    let read = get(&world, "owner", "/v1/apps/blog/config/").await.json();
    assert_eq!((&read["values"], &read["cpu"]), (&json!({"A": "1"}), &json!({"cmd": 512})));
    let v2 = get(&world, "owner", "/v2/apps/blog/config/").await.json();
    assert_eq!((&v2["cpu"], &v2["values"]), (&json!({"cmd": "0.5/0"}), &json!({"A": "1"})));

    let reply = post(&world, "owner", "/v1/apps/blog/builds/", json!({"image": "example/app:1"})).await;
    assert_eq!((reply.status, reply.header("x-deis-release")), (201, Some("3")), "{reply:?}");
    let app = get(&world, "owner", "/v1/apps/blog/").await.json();
    assert_eq!(app["structure"], json!({"cmd": 1}));
    let id = app["uuid"].as_str().unwrap().parse().unwrap();
    let env = world.engine.applied(id).unwrap().release.unwrap().env;
    for (name, value) in [("DEIS_APP", "blog"), ("DEIS_RELEASE", "v3"), ("DRYCC_RELEASE", "v3"), ("A", "1")] {
        assert_eq!(env[name].expose(), value, "{name}");
    }

    assert_eq!(post(&world, "owner", "/v1/apps/blog/scale/", json!({"cmd": "3"})).await.status, 204);
    let containers = get(&world, "owner", "/v1/apps/blog/containers/").await.json();
    let numbers: Vec<u64> =
        containers["results"].as_array().unwrap().iter().map(|one| one["num"].as_u64().unwrap()).collect();
    assert_eq!((numbers, &containers["count"]), (vec![1, 2, 3], &json!(3)));
    let again = get(&world, "owner", "/v1/apps/blog/containers/").await.json();
    assert_eq!(again, containers, "identities stay");
    let page = get(&world, "owner", "/v1/apps/blog/containers/?page_size=2&page=2").await.json();
    assert_eq!((&page["results"][0], &page["next"]), (&containers["results"][2], &json!(null)));
    let restarted = world.request("POST", "/v1/apps/blog/containers/cmd/2/restart/").user("owner").send().await;
    assert_eq!((restarted.status, restarted.json().as_array().map(Vec::len)), (200, Some(1)), "{restarted:?}");

    world.engine.script_run("false", Ok((1, "no\n".to_owned())));
    let run = json!({"command": "false"});
    for mark in [PYTHON, GO] {
        let call = with(world.request("POST", "/v1/apps/blog/run").user("owner"), mark);
        let reply = call.json_body(&run).send().await;
        assert_eq!((reply.status, reply.json()), (200, json!([1, "no\n"])), "{reply:?}");
        assert!(reply.header("content-type").unwrap().starts_with("text/plain"));
    }
    let reply = post(&world, "owner", "/v1/apps/blog/run/", run).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"rc": 1, "output": "no\n"})));

    let quoted = get(&world, "owner", "/v1/apps/blog/logs/").await;
    let text: String = serde_json::from_str(&quoted.body).unwrap();
    assert!(text.contains(" deis[api]: owner created initial release\n"), "{text}");
    let raw = with(world.request("GET", "/v1/apps/blog/logs?log_lines=1").user("owner"), GO).send().await;
    assert!(text.ends_with(&raw.body) && raw.body.lines().count() == 1, "{raw:?}");

    let rollback = world.request("POST", "/v1/apps/blog/releases/rollback/").user("owner").send().await;
    assert_eq!((rollback.status, rollback.json()), (201, json!({"version": 4})), "{rollback:?}");
    assert_eq!(post(&world, "owner", "/v1/apps/blog/releases/rollback/", json!({"version": "1"})).await.status, 201);
    let releases = get(&world, "owner", "/v1/apps/blog/releases/").await.json();
    assert_eq!(releases["results"][0]["summary"], json!("owner rolled back to v1"));
    assert_eq!((&releases["results"][0]["build"], &releases["count"]), (&json!(null), &json!(5)));
}

both!(an_app, an_app_from_creation_to_rollback);

/// What other generations have otherwise.
async fn old_rules(database: Database) {
    let world = World::new(database).await;
    let sha = "abcdef0123";
    for (name, body, expect) in [
        ("image", json!({"image": "example/app:1", "procfile": {"web": "run"}}), json!({"cmd": 1})),
        ("workers", json!({"image": "example/app:1", "sha": sha, "procfile": {"worker": "run"}}), json!({"cmd": 1})),
        ("pushed", json!({"image": "example/app:1", "sha": sha, "procfile": {"web": "run"}}), json!({"web": 1})),
    ] {
        world.named_app("owner", name).await;
        let reply = post(&world, "owner", &format!("/v1/apps/{name}/builds/"), body.clone()).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(get(&world, "owner", &format!("/v1/apps/{name}/")).await.json()["structure"], expect, "{name}");
    }
    // Later builds change nothing of that.
    let later = json!({"image": "example/app:2", "sha": sha, "procfile": {"web": "run"}});
    assert_eq!(post(&world, "owner", "/v1/apps/pushed/builds/", later).await.status, 201);
    assert_eq!(get(&world, "owner", "/v1/apps/pushed/").await.json()["structure"], json!({"web": 1}));

    assert_eq!(post(&world, "admin", "/v1/admin/perms", json!({"username": "other"})).await.status, 201);
    let revoke = async || world.request("DELETE", "/v1/admin/perms/other").user("admin").send().await.status;
    assert_eq!((revoke().await, revoke().await), (204, 404));
}

both!(old_rules, rules_of_1_x_that_later_generations_changed);

/// Who sees what, and what becomes of a failed deploy.
pub async fn refusals(database: Database) {
    let world = World::new(database).await;
    let app = world.app("owner", &["collaborator"]).await;
    let path = |rest: &str| format!("/v1/apps/{app}/{rest}");
    let hidden = json!({"detail": "Not found"});
    let reply = get(&world, "stranger", &path("config/")).await;
    assert_eq!((reply.status, reply.json()), (404, hidden.clone()));
    for body in ["{", "[]", "{\"image\": 1}"] {
        let reply = world.request("POST", &path("builds/")).user("stranger").text_body(body).send().await;
        assert_eq!((reply.status, reply.json()), (404, hidden.clone()), "{body}");
    }
    let reply = get(&world, "stranger", &path("perms/")).await;
    assert_eq!((reply.status, reply.body.as_str()), (403, ""));
    for body in [json!({}), json!({"username": "other"})] {
        let reply = post(&world, "collaborator", &path("perms/"), body).await;
        assert_eq!((reply.status, reply.body.as_str()), (403, ""));
    }
    let reply = world.request("DELETE", &path("")).user("collaborator").send().await;
    assert_eq!(reply.status, 403);
    // Permissions: nobody to be revoked, both ways to revoke, and leaving.
    let revoke = async |method: &str, caller: &str, user: &str| {
        world.request(method, &path(&format!("perms/{user}"))).user(caller).send().await.status
    };
    assert_eq!(revoke("DELETE", "owner", "other").await, 404);
    assert_eq!(revoke("DELETE", "owner", "nobody").await, 404);
    assert_eq!(post(&world, "owner", &path("perms/"), json!({"username": "other"})).await.status, 201);
    assert_eq!(post(&world, "owner", &path("perms/"), json!({"username": "other"})).await.status, 201);
    assert_eq!(revoke("DELETE", "collaborator", "other").await, 403);
    assert_eq!(revoke("POST", "owner", "other").await, 204);
    assert_eq!(revoke("DELETE", "collaborator", "collaborator").await, 204);
    // A deploy that fails is no fault of the request.
    world.engine.script_artifact(
        "example/broken:1",
        slipway_service::testing::Behaviour::Failing("web.1 exited with 1".to_owned()),
    );
    let reply = post(&world, "owner", &path("builds"), json!({"image": "example/broken:1"})).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.json()["detail"].as_str().unwrap().ends_with("web.1 exited with 1"), "{reply:?}");
}

both!(refusals, refusals_have_the_shapes_of_1_x);

/// 1.x took a failed release back and gave its number to the next. Here numbers are never used twice, in no generation:
/// `docs/API.md`.
async fn failures(database: Database) {
    use slipway_service::testing::Behaviour;

    let world = World::new(database).await;
    let app = world.app("owner", &[]).await;
    let path = |rest: &str| format!("/v1/apps/{app}/{rest}");
    let failing = || Behaviour::Failing("web.1 exited with 1".to_owned());
    world.engine.script_artifact("example/broken:1", failing());
    let reply = post(&world, "owner", &path("builds/"), json!({"image": "example/broken:1"})).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    world.engine.script_version(4, failing());
    let reply = post(&world, "owner", &path("config/"), json!({"values": {"BAD": "1"}})).await;
    assert_eq!(reply.status, 503, "{reply:?}");

    let list = get(&world, "owner", &path("releases/")).await.json();
    let rows = list["results"].as_array().unwrap();
    let shown: Vec<_> =
        rows.iter().map(|row| (row["version"].as_u64().unwrap(), row["summary"].as_str().unwrap())).collect();
    assert_eq!(list["count"], json!(4));
    assert_eq!((shown[0], shown[1].0), ((4, "owner deployed a config that failed"), 3));
    assert!(shown[1].1.starts_with("owner deployed ") && shown[1].1.ends_with(" which failed"), "{shown:?}");
    assert_eq!(rows[0].as_object().unwrap().len(), 9, "1.x has no field for it: {rows:?}");
    assert_eq!(get(&world, "owner", &path("releases/v3/")).await.json(), rows[1]);
    let later = get(&world, "owner", &format!("/v2/apps/{app}/releases/v4/")).await.json();
    assert_eq!(later["failed"], json!(true), "{later}");

    // What comes next is made from what runs.
    assert_eq!(get(&world, "owner", &path("config/")).await.json()["values"], json!({}));
    let reply = post(&world, "owner", &path("config/"), json!({"values": {"GOOD": "1"}})).await;
    assert_eq!((reply.status, reply.header("x-deis-release")), (201, Some("5")), "{reply:?}");
    assert_eq!(get(&world, "owner", &path("config/")).await.json()["values"], json!({"GOOD": "1"}));
    let pods = get(&world, "owner", &path("containers/")).await.json();
    assert_eq!(pods["results"][0]["release"], json!("v5"), "{pods}");
    let reply = post(&world, "owner", &path("releases/rollback/"), json!({"version": 3})).await;
    let refused = json!({"detail": "Cannot roll back to failed release."});
    assert_eq!((reply.status, reply.json()), (400, refused));
    let reply = post(&world, "owner", &path("releases/rollback/"), json!({"version": 2})).await;
    assert_eq!((reply.status, reply.json()), (201, json!({"version": 6})));
}

both!(failures, failed_releases_stay_in_the_list);

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_by_number() {
    let world = World::new(Database::Sqlite).await;
    for name in ["a", "b", "c"] {
        world.named_app("owner", name).await;
    }
    let page = async |query: &str| {
        let call = world.request("GET", &format!("/v1/apps/{query}")).header("host", "deis.example.com");
        call.user("owner").send().await
    };
    let all = page("").await.json();
    assert_eq!((&all["count"], &all["next"], &all["previous"]), (&json!(3), &json!(null), &json!(null)));
    let middle = page("?page=2&page_size=1&zzz=%26").await.json();
    assert_eq!(middle["results"][0]["id"], json!("b"));
    assert_eq!(middle["next"], json!("http://deis.example.com/v1/apps/?page=3&page_size=1&zzz=%26"));
    assert_eq!(middle["previous"], json!("http://deis.example.com/v1/apps/?page=1&page_size=1&zzz=%26"));
    for query in ["?page=2", "?page=0", "?page=-1", "?page=x", "?page=4294967295", "?page=99999999999999"] {
        let reply = page(query).await;
        assert_eq!((reply.status, reply.json()), (404, json!({"detail": "Not found"})), "{query}");
    }
    for query in ["?page_size=0", "?page_size=x", "?limit=1", "?offset=2", "?page=1"] {
        assert_eq!(page(query).await.json()["results"].as_array().unwrap().len(), 3, "{query}");
    }
    // The first page of nothing is there.
    let reply = world.request("GET", "/v1/keys?page=1").user("stranger").send().await;
    assert_eq!((reply.status, &reply.json()["count"]), (200, &json!(0)));
}
