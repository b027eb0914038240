//! What Drycc added in 2020: the body of every answer, and what comes of it.

use serde_json::{Value, json};

use crate::world::{Database, World, both};

pub async fn walk(database: Database) {
    let world = World::new(database).await;
    world.named_app("owner", "blog").await;
    let ask = async |method: &str, path: &str, body: &Value| {
        let request = world.request(method, &format!("/v2/apps/blog/{path}")).user("owner");
        let reply = if body.is_null() { request.send().await } else { request.json_body(body).send().await };
        (reply.status, if reply.body.is_empty() { Value::Null } else { reply.json() })
    };
    let none = Value::Null;
    let build = json!({"image": "example/app:1", "procfile": {"web": "run", "worker": "work"}});

    // Start and stop.
    let types = json!({"types": ["web"]});
    assert_eq!(ask("POST", "stop/", &types).await.0, 400, "there is no build");
    assert_eq!(ask("POST", "builds/", &build).await.0, 201);
    assert_eq!(ask("POST", "scale/", &json!({"web": 3, "worker": 1})).await.0, 204);
    for path in ["start/", "stop/"] {
        for nothing in [json!({}), json!({"types": []})] {
            assert_eq!(ask("POST", path, &nothing).await, (400, json!({"detail": "types is a required field"})));
        }
        assert_eq!(ask("POST", path, &json!({"types": "web"})).await.0, 400);
        assert_eq!(
            ask("POST", path, &json!({"types": ["web", "none"]})).await,
            (404, json!({"detail": "Container type none does not exist in application"}))
        );
    }
    let pods = async || ask("GET", "pods/", &none).await.1["count"].clone();
    for _ in 0..2 {
        assert_eq!(ask("POST", "stop/", &types).await, (204, Value::Null));
        assert_eq!(pods().await, json!(1));
    }
    assert_eq!(ask("GET", "", &none).await.1["structure"], json!({"web": 3, "worker": 1}));
    // A new release does not start it.
    assert_eq!(ask("POST", "config/", &json!({"values": {"A": "1"}})).await.0, 201);
    assert_eq!(pods().await, json!(1));
    for _ in 0..2 {
        assert_eq!(ask("POST", "start/", &types).await, (204, Value::Null));
        assert_eq!(pods().await, json!(4));
    }
    assert_eq!(ask("POST", "stop/", &json!({"types": ["web", "worker"]})).await.0, 204);
    assert_eq!(pods().await, json!(0));
    // Who scales to what there was starts it, and that type alone.
    assert_eq!(ask("POST", "scale/", &json!({"web": 3})).await.0, 204);
    assert_eq!(pods().await, json!(3));

    // Services.
    let service = json!({"procfile_type": "worker", "path_pattern": "/jobs, /v\\d+/tasks"});
    assert_eq!(ask("GET", "services/", &none).await, (200, json!({"services": []})));
    assert_eq!(ask("POST", "services/", &service).await, (201, Value::Null));
    assert_eq!(ask("POST", "services/", &service).await, (204, Value::Null));
    let kept = json!({"procfile_type": "worker", "path_pattern": "/jobs,/v\\d+/tasks"});
    assert_eq!(ask("GET", "services/", &none).await, (200, json!({"services": [kept]})));
    for (body, expect) in [
        (json!({}), json!({"procfile_type": ["This field is required."], "path_pattern": ["This field is required."]})),
        (
            json!({"procfile_type": "web", "path_pattern": "("}),
            json!({"path_pattern": ["( is not a regular expression: unclosed group"]}),
        ),
    ] {
        assert_eq!(ask("POST", "services/", &body).await, (400, expect));
    }
    assert_eq!(ask("POST", "services/", &json!({"procfile_type": "No!", "path_pattern": "/"})).await.0, 400);
    let gone = json!({"procfile_type": "worker"});
    assert_eq!(ask("DELETE", "services/", &gone).await, (204, Value::Null));
    assert_eq!(ask("DELETE", "services/", &gone).await, (404, json!("No Service matches the given query.")));

    // What there is not.
    let (status, list) = ask("GET", "resources/", &none).await;
    assert_eq!((status, &list["count"], &list["results"]), (200, &json!(0), &json!([])));
    let (status, refusal) = ask("POST", "resources/", &json!({"name": "db"})).await;
    assert!(status == 400 && refusal["detail"].as_str().unwrap().contains("config:set"), "{refusal}");
    let missing = (404, json!("No Resource matches the given query."));
    assert_eq!(ask("DELETE", "resources/db/", &none).await, missing);
    assert_eq!(ask("PATCH", "resources/db/binding/", &json!({"bind_action": "bind"})).await.0, 404);
    assert_eq!(ask("PUT", "resources/db/", &json!({})).await.0, 404);
    assert_eq!(ask("GET", "resources/db/", &none).await.0, 404);

    // Users who are let in no longer, and again.
    let switch = async |path: &str| {
        let reply = world.request("PATCH", &format!("/v2/users/{path}/")).user("admin").send().await;
        (reply.status, reply.body)
    };
    let status_of = async |user: &str| {
        let login = json!({"username": user, "password": "pw"});
        let login = world.request("POST", "/v2/auth/login/").json_body(&login).send().await.status;
        (login, world.request("GET", "/v2/apps/").user(user).send().await.status)
    };
    for _ in 0..2 {
        assert_eq!(switch("owner/disable").await, (204, String::new()));
        assert_eq!(status_of("owner").await, (400, 401));
    }
    let list = world.request("GET", "/v2/users/").user("admin").send().await.json();
    let owner = list["results"].as_array().unwrap().iter().find(|user| user["username"] == "owner").unwrap();
    assert_eq!(owner["is_active"], false);
    assert_eq!(switch("owner/enable").await, (204, String::new()));
    assert_eq!(status_of("owner").await, (200, 200));
    // Nobody locks the door behind themselves.
    assert_eq!(switch("admin/disable").await, (423, String::new()));
    assert_eq!(switch("admin/enable").await, (423, String::new()));
    assert_eq!(status_of("admin").await, (200, 200));
    assert_eq!(switch("none/disable").await, (404, json!("No User matches the given query.").to_string()));

    // Tokens to be read.
    let token = async |caller: &str, user: &str| {
        let reply = world.request("GET", &format!("/v2/auth/tokens/{user}/")).user(caller).send().await;
        (reply.status, reply.json())
    };
    let owners = (200, json!({"token": world.token("owner")}));
    assert_eq!(token("owner", "owner").await, owners);
    assert_eq!(token("admin", "owner").await, owners);
    assert_eq!(token("stranger", "owner").await.0, 403);
    assert_eq!(token("stranger", "none").await.0, 403, "whether there is such a user is not told");
    assert_eq!(token("admin", "none").await, (404, json!("No User matches the given query.")));
    let fresh = world.request("POST", "/v2/auth/tokens/").user("other").json_body(&json!({})).send().await.json();
    assert_eq!(token("admin", "other").await, (200, fresh));
}

both!(walk, what_was_added_in_2020);

/// A tls object as it should be, without what differs from run to run.
fn tls(https_enforced: &Value, certs_auto_enabled: &Value) -> Value {
    json!({"app": "blog", "owner": "owner", "https_enforced": https_enforced, "certs_auto_enabled": certs_auto_enabled})
}

async fn automatic_certificates(database: Database) {
    for has_issuer in [true, false] {
        let world = World::with(database, |config| config.has_certificate_issuer = has_issuer).await;
        world.named_app("owner", "blog").await;
        let ask = async |user: &str, body: &Value| {
            let request = world.request(if body.is_null() { "GET" } else { "POST" }, "/v2/apps/blog/tls/").user(user);
            let reply = if body.is_null() { request.send().await } else { request.json_body(body).send().await };
            let mut answer = reply.json();
            for field in ["uuid", "created", "updated"] {
                let removed = answer.as_object_mut().unwrap().remove(field);
                assert_eq!(removed.is_some(), reply.status < 400, "{field}: {reply:?}");
            }
            (reply.status, answer)
        };
        let set = async |value: Value| ask("owner", &json!({ "certs_auto_enabled": value })).await;
        let (none, on, off) = (Value::Null, json!(true), json!(false));
        let unchanged = (409, json!({"detail": "owner changed nothing"}));
        assert_eq!(ask("owner", &none).await, (200, tls(&none, &none)));
        // One does not touch the other.
        assert_eq!(ask("owner", &json!({"https_enforced": true})).await, (201, tls(&on, &none)));
        assert_eq!(set(off.clone()).await, (201, tls(&on, &off)));
        assert_eq!(ask("owner", &none).await, (200, tls(&on, &off)));
        assert_eq!(set(off.clone()).await, unchanged);
        for spelled in [json!("false"), json!("False"), json!(0), json!("off")] {
            assert_eq!(set(spelled).await, unchanged);
        }
        for bad in [json!("maybe"), json!(2), json!([]), json!({}), json!("")] {
            let refused = json!({"certs_auto_enabled": ["Must be a valid boolean."]});
            assert_eq!(set(bad.clone()).await, (400, refused), "{bad}");
        }
        let both = json!({"https_enforced": "x", "certs_auto_enabled": "z"});
        let refused = ["https_enforced", "certs_auto_enabled"].map(|field| (field, ["Must be a valid boolean."]));
        assert_eq!(ask("owner", &both).await, (400, json!(std::collections::BTreeMap::from(refused))));
        // What is unset is never a conflict.
        for _ in 0..2 {
            assert_eq!(set(none.clone()).await, (201, tls(&on, &none)));
        }
        // Nothing is merely stored.
        let wanted = set(on.clone()).await;
        if has_issuer {
            assert_eq!(wanted, (201, tls(&on, &on)));
            assert_eq!(set(json!("true")).await, unchanged);
            let both = json!({"https_enforced": false, "certs_auto_enabled": true});
            assert_eq!(ask("owner", &both).await, (201, tls(&off, &on)));
            assert_eq!(ask("owner", &both).await, unchanged);
        } else {
            let reason = "This platform has no issuer of certificates: its operator sets one up, or you add your own.";
            assert_eq!(wanted, (400, json!({"certs_auto_enabled": [reason]})));
            let both = json!({"https_enforced": false, "certs_auto_enabled": true});
            assert_eq!(ask("owner", &both).await.0, 400);
            assert_eq!(ask("owner", &none).await, (200, tls(&on, &none)), "nothing of it is done");
        }
        assert_eq!(ask("owner", &json!({})).await, (201, tls(&none, &none)));
        assert_eq!(ask("stranger", &json!({"certs_auto_enabled": true})).await.0, 403, "before the issuer is told of");
    }
}

both!(automatic_certificates, an_app_says_whether_it_wants_automatic_certificates);
