//! What the dployr API refuses, by field. Source: `dployr-v1.md` §1.1.

use serde_json::{Value, json};

use crate::dployr_v1::{get, post, seed_deployment};
use crate::world::{Database, World};

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_are_refused_by_field() {
    let world = World::new(Database::Sqlite).await;
    let with = |field: &str, value: Value| {
        let mut body = seed_deployment();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("!!!")),
        ("name", json!("1st")),
        ("name", json!(7)),
        ("name", json!("a")),
        ("source", json!("zip")),
        ("source", json!(null)),
        ("runtime", json!("cobol")),
        ("runtime", json!([])),
        ("version", json!("lts")),
        ("version", json!([])),
        ("remote", json!("file:///etc")),
        ("remote", json!({})),
        ("remote", json!("https://127.0.0.1/a")),
        ("remote", json!("-oProxyCommand=id")),
        ("branch", json!("--upload-pack=touch /tmp/x")),
        ("branch", json!("a..b")),
        ("branch", json!(1)),
        ("port", json!(0)),
        ("port", json!("80")),
        ("port", json!(1e300)),
        ("type", json!("cron")),
        ("build_cmd", json!("a; b")),
        ("run_cmd", json!("a\nb")),
        ("working_dir", json!("../x")),
        ("static_dir", json!("/etc")),
        ("health_check", json!("https://x/")),
        ("image", json!("x")),
        ("commit_hash", json!("HEAD")),
        ("project_id", json!("none")),
        ("env", json!([])),
        ("env", json!({"PORT": 1})),
        ("secrets", json!({"a-b": 1})),
        ("env", json!({"A": []})),
        ("domain", json!("a b")),
        ("force_rebuild", json!(1)),
        ("name", json!("slipway")),
    ] {
        let reply = post(&world, "/v1/deployments", with(field, value.clone())).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["details"]["field"]),
            (400, &json!(field)),
            "{field} {value}: {reply:?}"
        );
    }
    let several = post(&world, "/v1/deployments", json!({"name": "a b", "source": "remote"})).await.json();
    assert_eq!(several["error"]["details"]["errors"].as_array().unwrap().len(), 2, "{several}");
    for (field, value) in [
        ("url", json!("ftp://x/")),
        ("url", json!("http://u:p@1.1.1.1/")),
        ("url", json!("http://127.0.0.1/")),
        ("url", json!("http://[::1]/")),
        ("url", json!("http://localhost/")),
        ("url", json!("x".repeat(3000))),
        ("events", json!([])),
        ("events", json!(["x"])),
        ("events", json!("*")),
        ("secret", json!("")),
        ("secret", json!("x".repeat(257))),
    ] {
        let mut body = json!({"url": "https://1.1.1.1/", "events": ["*"]});
        body[field] = value.clone();
        let reply = post(&world, "/v1/webhooks", body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["details"]["field"]),
            (400, &json!(field)),
            "{field} {value}: {reply:?}"
        );
    }
    assert_eq!(get(&world, "/v1/deployments").await.json()["total"], json!(0), "nothing is left behind");
    // Aliases of another kind of client, and a name that becomes a slug.
    let camel = json!({
        "name": "My App!", "source": "remote", "runtimeType": "node", "runtimeVersion": 20,
        "remoteUrl": "https://user:hunter2@git.example/a", "remoteBranch": "main", "runCmd": "npm start",
        "envVars": {"A": 1.0, "B": true},
    });
    let made = post(&world, "/v1/deployments", camel).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(!made.body.contains("hunter2"));
    let body = made.json();
    assert_eq!(
        (&body["name"], &body["runtime"]["type"], &body["remote"]["url"]),
        (&json!("my-app"), &json!("nodejs"), &json!("https://git.example/a"))
    );
    assert_eq!(body["env_vars"], json!({"A": "1", "B": "true"}));
    let order = world.request("POST", "/v2/hooks/orders/claim/").builder().json_body(&json!({})).send().await.json();
    assert_eq!(order["credentials"], json!("user:hunter2"));
}
