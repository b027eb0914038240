//! Registries, storages and notifications, in both generations.

use serde_json::{Value, json};
use slipway_service::{WebAnswer, WebError};

use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

fn registry(name: &str, kind: &str, details: &Value) -> Value {
    json!({"name": name, "type": kind, "description": "d", "icon": "i", "details": details})
}

async fn record(world: &World) -> String {
    let path = "/api/acme/audit-log?skip=0&take=100&from=2020-01-01&to=2120-01-01";
    get(world, "owner", path).await.body
}

async fn registries(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/registries";
    let list = get(&world, "owner", all).await.json();
    assert_eq!((&list[0]["name"], &list[0]["type"]), (&json!("Docker Hub Library"), &json!("hub")));
    world.web.answer("https://r.example.com/v2/", 200, "{}");
    let body = registry("mine", "v2", &json!({"url": "https://r.example.com/", "user": "u", "token": "SECRET"}));
    let reply = expect(&world, "owner", "POST", all, body.clone(), 201).await;
    let made = reply.json();
    let one = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(one.as_str()));
    assert_eq!(
        made,
        json!({
            "id": made["id"], "name": "mine", "type": "v2", "description": "d", "icon": "i", "inUse": false,
            "createdAt": made["createdAt"], "updatedAt": made["updatedAt"],
            "details": {"url": "r.example.com", "user": "u", "public": false},
        })
    );
    assert_eq!(world.web.calls()[0].2.as_deref(), Some("Basic dTpTRUNSRVQ="), "the registry was asked with them");
    assert_eq!(get(&world, "owner", &one).await.json(), made);
    assert_eq!(refusal(&send(&world, "owner", "POST", all, body).await), (409, "name".to_owned()));

    // What is not said about credentials leaves them as they are; for another host they are gone.
    let same = registry("renamed", "v2", &json!({"url": "r.example.com"}));
    expect(&world, "owner", "PUT", &one, same, 204).await;
    assert_eq!(get(&world, "owner", &one).await.json()["details"]["user"], "u");
    world.web.answer("https://other.example.com/v2/", 200, "{}");
    let moved = registry("renamed", "v2", &json!({"url": "other.example.com"}));
    expect(&world, "owner", "PUT", &one, moved, 204).await;
    assert_eq!(get(&world, "owner", &one).await.json()["details"], json!({"url": "other.example.com", "public": true}));
    assert_eq!(world.web.calls().last().unwrap().2, None, "no other host is told the secret");

    let written = record(&world).await;
    assert!(written.contains("renamed") && !written.contains("SECRET"), "{written}");
    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    for method in ["GET", "DELETE"] {
        let reply = send(&world, "owner", method, &one, Value::Null).await;
        assert_eq!(refusal(&reply), (404, "registry".to_owned()));
    }
    let theirs = get(&world, "other", "/api/rival/registries").await.json()[0]["id"].as_str().unwrap().to_owned();
    let foreign = format!("{all}/{theirs}");
    assert_eq!(refusal(&get(&world, "owner", &foreign).await), (404, "registry".to_owned()));
    // What the path says comes before what the body says.
    let reply = send(&world, "owner", "PUT", &foreign, json!({"name": 1})).await;
    assert_eq!(refusal(&reply), (404, "registry".to_owned()));
    let reply = send(&world, "owner", "PUT", &format!("{all}/nonsense"), json!({"name": 1})).await;
    assert_eq!(refusal(&reply), (400, "registryId".to_owned()));
}
both!(registries, registries_are_probed_kept_and_hide_their_secrets);

async fn probes(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/registries";
    let challenge = WebAnswer {
        status: 401,
        authenticate: Some("Bearer realm=\"https://auth.example/token\",service=\"r\"".to_owned()),
        body: Vec::new().into(),
    };
    let ok = WebAnswer { status: 200, authenticate: None, body: Vec::new().into() };
    for answer in [challenge.clone(), ok, challenge.clone()] {
        world.web.answer_with("https://realm.example/v2/", Ok(answer));
    }
    world.web.answer("https://auth.example/token", 200, r#"{"token": "T"}"#);
    world.web.answer("https://auth.example/token", 401, "{}");
    for (url, status) in [
        ("https://bare.example/v2/", 401),
        ("https://broken.example/v2/", 500),
        ("https://redirect.example/v2/", 302),
        ("https://hub.docker.com/v2/orgs/acme", 200),
        ("https://hub.docker.com/v2/orgs/none", 404),
        ("https://api.github.com/orgs/acme/packages", 200),
        ("https://api.github.com/users/bob/packages", 403),
        ("https://gitlab.com/api/v4/groups/a%2Fb", 200),
        ("https://git.example/api/v4/projects/none", 404),
        ("https://registry.gitlab.com/v2/", 200),
        ("https://eu.gcr.io/v2/acme/tags/list", 200),
    ] {
        world.web.answer(url, status, "{}");
    }
    world.web.answer_with("https://private.example/v2/", Err(WebError::Private));
    world.web.answer_with("https://slow.example/v2/", Err(WebError::Timeout));
    let login = |details: Value| {
        let mut details = details;
        details["user"] = json!("u");
        details["token"] = json!("t");
        details
    };
    let v2 = |host: &str| json!({"url": host});
    for (number, (kind, details, expect)) in [
        ("v2", login(v2("realm.example")), Ok(())),
        ("v2", login(v2("realm.example")), Err((401, "token"))),
        ("v2", v2("bare.example"), Err((401, "token"))),
        ("v2", v2("broken.example"), Err((400, "url"))),
        ("v2", v2("redirect.example"), Err((400, "url"))),
        ("v2", v2("private.example"), Err((400, "url"))),
        ("v2", v2("slow.example"), Err((400, "url"))),
        ("v2", v2("nobody.example"), Err((400, "url"))),
        ("v2", json!({}), Err((400, "url"))),
        ("hub", json!({"imageNamePrefix": "acme"}), Ok(())),
        ("hub", json!({"imageNamePrefix": "none"}), Err((404, "imageNamePrefix"))),
        ("hub", json!({"imageNamePrefix": " "}), Err((403, "imageNamePrefix"))),
        ("github", login(json!({"imageNamePrefix": "acme", "namespace": "organization"})), Ok(())),
        ("github", login(json!({"imageNamePrefix": "bob", "namespace": "user"})), Err((401, "token"))),
        ("github", login(json!({"imageNamePrefix": "bob", "namespace": "group"})), Err((400, "namespace"))),
        ("github", json!({"imageNamePrefix": "bob", "namespace": "user"}), Err((400, "token"))),
        ("gitlab", login(json!({"imageNamePrefix": "a/b", "namespace": "group"})), Ok(())),
        (
            "gitlab",
            login(json!({
                "imageNamePrefix": "none", "namespace": "project", "url": "reg.example", "apiUrl": "https://git.example",
            })),
            Err((404, "imageNamePrefix")),
        ),
        ("google", json!({"url": "eu.gcr.io", "imageNamePrefix": "acme"}), Ok(())),
        ("google", login(json!({"url": "eu.gcr.io", "imageNamePrefix": "acme"})), Err((400, "token"))),
        ("google", json!({"url": "evil.example", "imageNamePrefix": "acme"}), Err((400, "url"))),
        ("unchecked", json!({"url": ""}), Ok(())),
        ("unchecked", json!({"url": "anything.example/path"}), Ok(())),
        ("simple", json!({"url": "x"}), Err((400, "type"))),
    ]
    .into_iter()
    .enumerate()
    {
        let body = registry(&format!("registry {number}"), kind, &details);
        let reply = send(&world, "owner", "POST", all, body).await;
        match expect {
            Ok(()) => assert_eq!(reply.status, 201, "{kind} {details}: {reply:?}"),
            Err((status, property)) => {
                assert_eq!(refusal(&reply), (status, property.to_owned()), "{kind} {details}: {reply:?}");
            }
        }
        assert!(!reply.body.contains("\"t\""), "{reply:?}");
    }
    let without = send(&world, "owner", "POST", all, json!({"name": "x", "type": "v2"})).await;
    assert_eq!(refusal(&without), (400, "details".to_owned()));
}
both!(probes, registries_of_each_kind_are_asked_in_their_way);

async fn storages(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/storages";
    let body = json!({"name": "s3", "url": "s3.example.com", "accessKey": "A", "secretKey": "SECRET", "icon": null});
    let reply = expect(&world, "owner", "POST", all, body.clone(), 201).await;
    let made = reply.json();
    let one = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(one.as_str()));
    assert_eq!(
        made,
        json!({
            "id": made["id"], "name": "s3", "url": "s3.example.com", "description": null, "icon": null,
            "accessKey": "A", "secretKey": "***", "public": false, "inUse": false,
        })
    );
    assert_eq!(refusal(&send(&world, "owner", "POST", all, body).await), (409, "name".to_owned()));
    assert!(!get(&world, "owner", all).await.body.contains("accessKey"));
    let options = get(&world, "owner", &format!("{all}/options")).await.json();
    assert_eq!(options, json!([{"id": made["id"], "name": "s3"}]));
    for (body, property) in [
        (json!({"name": "x", "url": "ftp://x"}), "url"),
        (json!({"name": "x", "url": ""}), "url"),
        (json!({"name": "x"}), "url"),
        (json!({"name": " x", "url": "x"}), "name"),
        (json!({"name": "x", "url": "x", "secretKey": "a\nb"}), "secretKey"),
    ] {
        let reply = send(&world, "owner", "POST", all, body.clone()).await;
        assert_eq!(refusal(&reply), (400, property.to_owned()), "{body}");
    }
    for (body, secret) in [
        (json!({"name": "s3", "url": "s3.example.com", "secretKey": "***"}), json!("***")),
        (json!({"name": "s3", "url": "s3.example.com", "description": "d"}), json!("***")),
        (json!({"name": "s3", "url": "evil.example.com"}), json!(null)),
    ] {
        expect(&world, "owner", "PUT", &one, body.clone(), 204).await;
        assert_eq!(get(&world, "owner", &one).await.json()["secretKey"], secret, "{body}");
    }
    assert!(!record(&world).await.contains("SECRET"));
    let foreign = one.replace("acme", "rival");
    assert_eq!(refusal(&get(&world, "other", &foreign).await), (404, "storage".to_owned()));
    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    let reply = send(&world, "owner", "PUT", &one, json!({"name": 1})).await;
    assert_eq!(refusal(&reply), (404, "storage".to_owned()));
}
both!(storages, storages_never_tell_their_secret);

async fn notifications(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/notifications";
    let body = json!({
        "name": "chat", "url": "https://hooks.example.com/HOOK", "type": "slack", "active": true,
        "enabledEvents": ["user-invited", "node-added", "node-added"],
    });
    let reply = expect(&world, "owner", "POST", all, body.clone(), 201).await;
    let mut made = reply.json();
    let one = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(one.as_str()));
    let expected = json!({
        "id": made["id"], "name": "chat", "url": "https://hooks.example.com/HOOK", "type": "slack", "active": true,
        "creatorName": "owner@example.com", "enabledEvents": ["node-added", "user-invited"],
    });
    assert_eq!(made, expected);
    assert_eq!(refusal(&send(&world, "owner", "POST", all, body.clone()).await), (409, "name".to_owned()));
    for (member, value, property) in [
        ("url", json!("nonsense"), "url"),
        ("url", json!("file:///etc/passwd"), "url"),
        ("type", json!("irc"), "type"),
        ("active", json!("yes"), "active"),
        ("enabledEvents", json!(["rain"]), "enabledEvents"),
        ("enabledEvents", json!("node-added"), "enabledEvents"),
    ] {
        let mut bad = body.clone();
        bad[member] = value;
        bad["name"] = json!("other");
        assert_eq!(refusal(&send(&world, "owner", "POST", all, bad).await), (400, property.to_owned()), "{member}");
    }
    let test = format!("{one}/test");
    assert_eq!(refusal(&send(&world, "owner", "POST", &test, Value::Null).await), (400, "url".to_owned()));
    for status in [204, 200, 500] {
        world.web.answer("https://hooks.example.com/HOOK", status, "");
    }
    for (status, expect) in [(204, 204), (200, 204), (500, 400)] {
        let reply = send(&world, "owner", "POST", &test, Value::Null).await;
        assert_eq!(reply.status, expect, "{status}");
    }
    let sent: Value = serde_json::from_str(&world.web.calls().last().unwrap().3).unwrap();
    assert_eq!(sent["content"], sent["text"]);

    let mut change = body.clone();
    change["active"] = json!(false);
    change["type"] = json!("teams");
    made["active"] = json!(false);
    made["type"] = json!("teams");
    assert_eq!(expect_json(&world, "PUT", &one, change, 200).await, made);
    made.as_object_mut().unwrap().remove("enabledEvents");
    assert_eq!(get(&world, "owner", all).await.json(), json!([made]));
    assert!(!record(&world).await.contains("HOOK"), "the address is a secret in the record");
    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    assert_eq!(refusal(&get(&world, "owner", &one).await), (404, "notification".to_owned()));
}
both!(notifications, notifications_are_kept_and_tried);

async fn expect_json(world: &World, method: &str, path: &str, body: Value, status: u16) -> Value {
    expect(world, "owner", method, path, body, status).await.json()
}

async fn older(database: Database) {
    let world = World::new(database).await;
    // Without a team, lists are empty and all else is about a team that is not there.
    for path in ["registries", "storages", "storages/options", "notifications"] {
        assert_eq!(get(&world, "owner", &format!("/api/{path}")).await.json(), json!([]), "{path}");
    }
    let body = json!({"name": "s3", "url": "s3.example.com"});
    assert_eq!(refusal(&send(&world, "owner", "POST", "/api/storages", body.clone()).await), (404, "team".to_owned()));
    super::team(&world, "owner", "acme").await;
    super::team(&world, "owner", "second").await;
    let reply = expect(&world, "owner", "POST", "/api/storages", body, 201).await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location"), Some(format!("/api/storages/{id}").as_str()));
    let (old, new) = (format!("/api/storages/{id}"), format!("/api/acme/storages/{id}"));
    assert_eq!(get(&world, "owner", &old).await.json(), get(&world, "owner", &new).await.json());
    assert_eq!(get(&world, "owner", "/api/second/storages").await.json(), json!([]));
    let change = json!({"name": "s4", "url": "s3.example.com"});
    expect(&world, "owner", "PUT", &old, change, 204).await;
    assert_eq!(get(&world, "owner", &new).await.json()["name"], "s4");
    expect(&world, "owner", "DELETE", &old, Value::Null, 204).await;
    assert_eq!(get(&world, "owner", "/api/registries").await.json()[0]["name"], "Docker Hub Library");
    let reply = get(&world, "owner", "/api/registries/registries").await;
    assert_eq!(refusal(&reply), (400, "registryId".to_owned()), "no team is named like this");
}
both!(older, the_older_generation_is_about_the_active_team);
