//! Hostile input: an answer that says what is wrong, never a 5xx, and nothing half-done.

use serde_json::{Value, json};

use crate::world::{Database, World, both};

/// Values that no field expects.
fn nasty() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(18_446_744_073_709_551_615_u64),
        json!(""),
        json!(" "),
        json!("a\0b"),
        json!("line\nline\r\n"),
        json!("../../etc/passwd"),
        json!("'; DROP TABLE apps; --"),
        json!("💥\u{202e}\u{feff}ÄÖ"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([["a"]]),
        json!({}),
        json!({"a": {"b": null}}),
        json!({"a\0": "b\0"}),
    ]
}

/// Every field of every body.
const FIELDS: [(&str, &[&str]); 35] = [
    ("/v2/auth/register/", &["username", "password", "email", "first_name", "last_name"]),
    ("/v2/auth/login/", &["username", "password"]),
    ("/v2/auth/passwd/", &["username", "password", "new_password"]),
    ("/v2/auth/tokens/", &["username"]),
    ("/v2/admin/perms/", &["username"]),
    ("/v2/keys/", &["id", "public"]),
    ("/v2/apps/", &["id", "structure"]),
    ("/v2/apps/blog/", &["owner"]),
    ("/v2/apps/blog/run/", &["command"]),
    ("/v2/apps/blog/scale/", &["web", "worker", "a\0b", "💥"]),
    ("/v2/apps/blog/config/", &["values", "memory", "cpu", "tags", "registry", "healthcheck"]),
    ("/v2/apps/blog/builds/", &["image", "sha", "procfile", "dockerfile", "stack"]),
    ("/v2/apps/blog/releases/rollback/", &["version"]),
    ("/v2/apps/blog/perms/", &["username"]),
    ("/v2/apps/blog/domains/", &["domain"]),
    ("/v2/apps/blog/tls/", &["https_enforced", "certs_auto_enabled"]),
    ("/v2/apps/blog/settings/", &["maintenance", "routable", "whitelist", "allowlist", "autoscale", "label"]),
    ("/v2/apps/blog/whitelist/", &["addresses"]),
    ("/v2/apps/blog/allowlist/", &["addresses"]),
    ("/v2/hooks/config/", &["receive_user", "receive_repo"]),
    ("/v2/hooks/build/", &["receive_user", "receive_repo", "image", "sha", "procfile", "dockerfile", "stack", "wait"]),
    ("/v2/hooks/buildlog/", &["receive_user", "receive_repo", "sha", "state", "log"]),
    ("/v1/auth/register/", &["username", "password", "email", "first_name", "last_name"]),
    ("/v1/auth/login", &["username", "password", "email"]),
    ("/v1/auth/passwd", &["username", "password", "new_password"]),
    ("/v1/auth/tokens", &["username"]),
    ("/v1/keys", &["id", "public"]),
    ("/v1/apps/blog", &["owner"]),
    ("/v1/apps/blog/run", &["command"]),
    ("/v1/apps/blog/scale", &["web", "a\0b", "💥"]),
    ("/v1/apps/blog/config", &["values", "memory", "cpu", "tags"]),
    ("/v1/apps/blog/builds", &["image", "sha", "procfile", "dockerfile"]),
    ("/v1/apps/blog/releases/rollback", &["version"]),
    ("/v1/apps/blog/domains", &["domain"]),
    ("/v1/hooks/push", &["receive_user", "receive_repo", "sha", "fingerprint", "ssh_connection"]),
];

/// A body that would be taken.
fn good(path: &str) -> Value {
    match path.replace("/v1/", "/v2/").as_str() {
        "/v2/auth/register/" => json!({"username": "someone", "password": "pw", "email": "a@b.cc"}),
        "/v2/auth/login/" => json!({"username": "owner", "password": "pw"}),
        "/v2/auth/passwd/" => json!({"new_password": "new", "username": "stranger"}),
        "/v2/keys/" => json!({"id": "k", "public": World::public_key(7)}),
        "/v2/apps/blog/builds/" => json!({"image": "example/app:1"}),
        "/v2/hooks/config/" => json!({"receive_user": "owner", "receive_repo": "blog"}),
        "/v2/hooks/build/" => {
            json!({"receive_user": "owner", "receive_repo": "blog", "image": "example/app:1", "sha": "0a1b2c3d", "wait": false})
        }
        "/v2/hooks/buildlog/" => {
            json!({"receive_user": "owner", "receive_repo": "blog", "sha": "0a1b2c3d", "state": "failed", "log": "x"})
        }
        _ => json!({}),
    }
}

async fn no_value_of_any_field_is_a_5xx(database: Database) {
    let world = World::new(database).await;
    world.named_app("admin", "blog").await;
    for (path, fields) in FIELDS {
        for field in fields {
            for value in nasty() {
                let mut body = good(path);
                body[*field] = value.clone();
                let request = world.request("POST", path).json_body(&body);
                let request = if path.contains("hooks") { request.builder() } else { request.user("admin") };
                let reply = request.send().await;
                let shown: String = value.to_string().chars().take(60).collect();
                assert!(reply.status < 500, "{path} {field}={shown}: {reply:?}");
                if reply.status == 400 {
                    assert!(reply.json().is_object(), "{path} {field}={shown}: {reply:?}");
                }
                // Somebody may have become owner or lost rights: nothing below depends on it but the app itself.
                assert_eq!(
                    world.request("GET", "/v2/apps/blog/").user("admin").send().await.status,
                    200,
                    "{path} {field}={shown}"
                );
            }
        }
    }
}

both!(no_value_of_any_field_is_a_5xx, no_value_of_any_field_is_a_5xx_);

#[tokio::test(flavor = "multi_thread")]
async fn app_names_that_break_the_grammar_are_refused() {
    let world = World::new(Database::Sqlite).await;
    let long = "a".repeat(64);
    for bad in ["1a", "-a", "a-", "A", "a_b", "a.b", "a/b", "../a", "ä", "a b", "a\nb", "a\0", &long, "deis", "slipway"]
    {
        let reply = world.request("POST", "/v2/apps/").user("owner").json_body(&json!({ "id": bad })).send().await;
        assert_eq!(reply.status, 400, "{bad:?}: {reply:?}");
        assert!(reply.json()["id"].is_array(), "{bad:?}: {reply:?}");
    }
    // Old clients know only the old text, new ones only the new.
    let reply = world.request("POST", "/v2/apps/").user("owner").json_body(&json!({"id": "A_b"})).send().await;
    let messages = reply.json()["id"].clone();
    assert!(
        messages.as_array().unwrap().contains(&json!("App name can only contain a-z (lowercase), 0-9 and hyphens")),
        "{messages}"
    );
    assert!(
        messages.as_array().unwrap().iter().any(|text| text.as_str().unwrap().starts_with("App name must start with")),
        "{messages}"
    );
    assert_eq!(world.request("GET", "/v2/apps/").user("owner").send().await.json()["count"], json!(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn config_takes_any_text_but_nul() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    let set = async |values: Value| {
        world
            .request("POST", "/v2/apps/blog/config/")
            .user("owner")
            .json_body(&json!({ "values": values }))
            .send()
            .await
    };
    for good in ["", " spaces ", "line\nline\r\n", "💥 ÄÖ", "a=b\"'$(x)`", "{\"json\": 1}", &"x".repeat(30_000)] {
        let reply = set(json!({ "A": good, "B": format!("{}", good.len()) })).await;
        assert_eq!(reply.status, 201, "{good:?}: {reply:?}");
        assert_eq!(reply.json()["values"]["A"], json!(good));
    }
    assert_eq!(set(json!({"A": "x\0"})).await.json(), json!({"values": ["Null characters are not allowed."]}));
    assert_eq!(set(json!({"A\0": "x"})).await.json(), json!({"values": ["Null characters are not allowed."]}));
    for key in ["1A", "A-B", "A B", "A\n", "", "Ä", "A=B"] {
        let reply = set(json!({ key: "x" })).await;
        assert_eq!((reply.status, reply.json()["values"].is_array()), (400, true), "{key:?}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_and_deep_bodies_are_refused() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    let huge = json!({"values": {"A": "x".repeat(1024 * 1024)}});
    let reply = world.request("POST", "/v2/apps/blog/config/").user("owner").json_body(&huge).send().await;
    assert_eq!((reply.status, reply.json()), (413, json!({"detail": "Request body is larger than 1048576 bytes."})));
    let deep = format!("{}{}", "{\"values\":".repeat(5_000), "}".repeat(5_000));
    let reply = world.request("POST", "/v2/apps/blog/config/").user("owner").text_body(deep).send().await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["detail"].as_str().unwrap().contains("recursion limit"), "{reply:?}");
    let deep = format!("{{\"values\":{{\"A\":{}{}}}}}", "[".repeat(100), "]".repeat(100));
    let reply = world.request("POST", "/v2/apps/blog/config/").user("owner").text_body(deep).send().await;
    assert!(reply.status < 500, "{reply:?}");
    // Logs of builds may be larger, but not without end.
    let log = |bytes: usize| json!({"receive_user": "owner", "receive_repo": "blog", "sha": "0a1b2c3d", "state": "failed", "log": "x".repeat(bytes)});
    let send =
        async |bytes| world.request("POST", "/v2/hooks/buildlog/").builder().json_body(&log(bytes)).send().await.status;
    assert_eq!(send(4 * 1024 * 1024).await, 201);
    assert_eq!(send(6 * 1024 * 1024).await, 413);
    // Bodies are not read for callers whom nobody knows.
    assert_eq!(world.request("POST", "/v2/apps/").json_body(&huge).send().await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_paths_and_queries_are_refused() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    for path in [
        "/v2/apps/blog%00/",
        "/v2/apps/%FF/",
        "/v2/apps/..%2Fblog/",
        "/v2/apps/blog//config/",
        "/v2/apps/blog/releases/v999999999999999999999/",
        "/v2/apps/blog/releases/v0/",
        "/v2/apps/blog/builds/%F0%9F%92%A5/",
        "/v2/apps/blog/perms/a%20b",
        "/v2/keys/%00",
        "/v2/keys/..%2F..",
        &format!("/v2/apps/{}/", "a".repeat(5000)),
        &format!("/v2/keys/{}/", "a".repeat(5000)),
    ] {
        let reply = world.request("GET", path).user("owner").send().await;
        assert!(matches!(reply.status, 404 | 405), "{path}: {reply:?}");
    }
    for query in [
        "log_lines=-1",
        "log_lines=x",
        "log_lines=99999999999999999999",
        "log_lines=0",
        "process_type=%00",
        "=&&=",
        "%FF=%FF",
    ] {
        let reply = world.request("GET", &format!("/v2/apps/blog/logs?{query}")).user("owner").send().await;
        assert!(matches!(reply.status, 200 | 204), "{query}: {reply:?}");
    }
    let reply = world.request("GET", "/v2/apps/blog/logs?since=yesterday").user("owner").send().await;
    assert_eq!((reply.status, reply.json()), (400, json!({"since": ["Enter a time such as 2026-01-31T12:00:00Z."]})));
    for header in ["host", "x-forwarded-proto", "x-forwarded-for", "origin", "x-request-id", "content-type"] {
        let reply =
            world.request("GET", "/v2/apps/?limit=1").header(header, "\"<>{}%00\u{1f4a5}").user("owner").send().await;
        assert_eq!(reply.status, 200, "{header}");
    }
}
