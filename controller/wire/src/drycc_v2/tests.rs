//! Real-looking bodies: what is read is written again as it was.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn check<T: Serialize + DeserializeOwned>(body: &Value) {
    let read: T = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), body);
}

#[test]
fn bodies_are_as_in_the_contract() {
    let time = "2026-01-31T12:00:00Z";
    check::<User>(&json!({
        "id": 1, "last_login": null, "is_superuser": true, "username": "bob", "first_name": "", "last_name": "",
        "email": "bob@example.com", "is_staff": true, "is_active": true, "date_joined": time, "groups": [],
        "user_permissions": [],
    }));
    check::<Page<App>>(
        &json!({"count": 2, "next": "http://h/v2/apps/?limit=1&offset=1", "previous": null, "results": [{
            "uuid": "de1bf5b5-4a72-4f94-a10c-d2a3741cdf75", "id": "blog", "owner": "bob", "structure": {"web": 2},
            "url": "blog.example.com", "created": time, "updated": time,
        }]}),
    );
    check::<Build>(&json!({
        "uuid": "u", "app": "blog", "owner": "bob", "image": "example/app:1", "sha": "", "procfile": {"web": "run"},
        "dockerfile": "", "stack": "", "created": time, "updated": time,
    }));
    check::<Config>(&json!({
        "uuid": "u", "owner": "bob", "app": "blog", "values": {"A": "1"}, "memory": {"web": "64M"}, "cpu": {}, "tags": {},
        "termination_grace_period": {}, "lifecycle_post_start": {}, "lifecycle_pre_stop": {}, "registry": {}, "healthcheck": {"web/cmd": {"livenessProbe": {"httpGet": {"port": 5000}}}}, "created": time,
        "updated": time,
    }));
    check::<Release>(&json!({
        "uuid": "u", "app": "blog", "owner": "bob", "version": 3, "summary": "bob deployed 0a1b2c3", "failed": false,
        "config": "c", "build": null, "exception": null, "state": "succeeded", "created": time, "updated": time,
    }));
    check::<Pods>(&json!({"count": 1, "results": [
        {"name": "blog-web-v3-x7k2q", "release": "v3", "started": time, "state": "up", "type": "web"},
    ]}));
    check::<Key>(&json!({
        "uuid": "u", "id": "laptop", "owner": "bob", "public": "ssh-ed25519 AAAA", "fingerprint": "00:11", "created": time,
        "updated": time,
    }));
    check::<Cert>(&json!({
        "id": 22, "owner": "bob", "name": "www", "common_name": null, "san": ["example.com"], "domains": [],
        "fingerprint": "8F:8E", "starts": time, "expires": time, "issuer": "/C=US/CN=x", "subject": "/CN=example.com",
        "created": time, "updated": time,
    }));
    check::<hook::ReleaseProgress>(&json!({
        "state": "deploying", "progress": ["web: 1 of 2 ready"], "seen": "1", "reason": "", "urls": ["http://blog.localhost"],
    }));
}

#[test]
fn a_build_hook_waits_unless_it_says_otherwise() {
    let mut body = json!({
        "receive_user": "bob", "receive_repo": "blog", "image": "i", "sha": "0a1b2c3d", "procfile": {}, "dockerfile": "",
    });
    let hook: hook::BuildHook = serde_json::from_value(body.clone()).unwrap();
    assert!(hook.wait && hook.stack.is_empty());
    body["wait"] = json!(false);
    let hook: hook::BuildHook = serde_json::from_value(body).unwrap();
    assert!(!hook.wait);
}

#[test]
fn answers_of_upstream_need_only_what_is_documented() {
    let time = "2016-11-20T12:00:00Z";
    let app: App =
        serde_json::from_value(json!({"uuid": "u", "id": "blog", "owner": "bob", "created": time, "updated": time}))
            .unwrap();
    assert_eq!((app.url.as_str(), app.structure.len()), ("", 0));
    let user: User =
        serde_json::from_value(json!({"username": "bob", "is_superuser": false, "is_active": true, "email": null}))
            .unwrap();
    assert_eq!((user.username.as_str(), user.email.as_str()), ("bob", ""));
    let release: Release = serde_json::from_value(json!({
        "uuid": "u", "app": "blog", "owner": "bob", "version": 2, "summary": null, "config": "c", "build": null,
        "created": time, "updated": time,
    }))
    .unwrap();
    assert!(!release.failed && release.state.is_empty());
    let settings: Settings = serde_json::from_value(json!({
        "uuid": "u", "app": "blog", "owner": "bob", "maintenance": null, "allowlist": [], "autoscale": null,
        "created": time, "updated": time,
    }))
    .unwrap();
    assert!(settings.routable && !settings.maintenance);
    let config: Config =
        serde_json::from_value(json!({"uuid": "u", "owner": "b", "app": "a", "created": time, "updated": time}))
            .unwrap();
    assert!(config.registry.is_empty());
    // A page of something else is still none.
    assert!(serde_json::from_value::<Page<App>>(json!({"detail": "Not found."})).is_err());
}
