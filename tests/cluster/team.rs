//! Containers of a team on the platform's own cluster.

use serde_json::{Value, json};
use slipway_tests::{User, eventually};

use crate::installed::{Installed, SETTLED, unique};

/// Asks the API for something that it does, and gives what it answers.
fn ask(user: &User, method: &str, path: &str, body: &Value) -> Value {
    let text = (!body.is_null()).then(|| body.to_string());
    let (status, answer) = user.api(method, &format!("/api/{path}"), text.as_deref().map(str::as_bytes));
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    serde_json::from_str(&answer).unwrap_or(Value::Null)
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}"))
}

/// Starts a deployment, and waits until it has ended well.
fn deploy(user: &User, deployment: &str) {
    ask(user, "POST", &format!("{deployment}/start"), &Value::Null);
    let status = eventually("the deployment has ended", 2 * SETTLED, || {
        let now = ask(user, "GET", deployment, &Value::Null)["status"].clone();
        (now == "successful" || now == "failed").then_some(now)
    });
    let log = || ask(user, "GET", &format!("{deployment}/log?skip=0&take=100"), &Value::Null);
    assert_eq!(status, "successful", "{}", log());
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn what_a_container_has_besides_comes_and_goes_with_its_configuration() {
    let platform = Installed::find();
    let user = platform.user("tim");
    let (team, prefix) = (unique("team"), unique("prod"));
    ask(&user, "POST", "teams", &json!({"name": team, "slug": team}));
    let node = eventually("the cluster is a node", SETTLED, || {
        let own = ask(&user, "GET", &format!("{team}/nodes"), &Value::Null)[0].clone();
        (own["status"] == "connected").then_some(own)
    });
    let details = json!({"name": "ours", "type": "unchecked", "details": {"url": platform.registry}});
    let registry = ask(&user, "POST", &format!("{team}/registries"), &details);
    let wanted = json!({"name": "shop", "type": "versionless"});
    let project = format!("{team}/projects/{}", id(&ask(&user, "POST", &format!("{team}/projects"), &wanted)));
    let version = ask(&user, "GET", &project, &Value::Null)["versions"][0].clone();
    let images = format!("{project}/versions/{}/images", id(&version));
    let added = json!([{"registryId": id(&registry), "images": ["base/busybox:1"]}]);
    let image = format!("{images}/{}", id(&ask(&user, "POST", &images, &added)[0]));
    let uuid = |number: u8| format!("00000000-0000-4000-8000-0000000000{number:02}");
    let line = "trap 'exit 0' TERM; httpd -f -p 8080 & wait";
    let words = ["sh", "-c", line].into_iter().zip(2..);
    let commands: Value = words.map(|(word, number)| json!({"id": uuid(number), "key": word})).collect();
    let config = json!({
        "name": "web", "expose": "expose", "routing": {"domain": "web.cluster.test"},
        "ports": [{"id": uuid(1), "internal": 8080}],
        "commands": commands,
        "environment": [{"id": uuid(5), "key": "GREETING", "value": "Ahoy"}],
    });
    ask(&user, "PATCH", &image, &json!({"config": config}));
    let wanted = json!({"versionId": id(&version), "nodeId": id(&node), "prefix": prefix});
    let made = ask(&user, "POST", &format!("{team}/deployments"), &wanted);
    let deployment = format!("{team}/deployments/{}", id(&made));

    deploy(&user, &deployment);
    assert_eq!(platform.field(&prefix, "configmap/web", "{.data.GREETING}"), "Ahoy");
    assert_eq!(platform.field(&prefix, "ingress/web", "{.spec.rules[0].host}"), "web.cluster.test");
    let without = json!({"config": {"expose": "none", "environment": []}});
    ask(&user, "PATCH", &image, &without);
    deploy(&user, &deployment);
    let left = platform.kubectl(&["-n", &prefix, "get", "configmaps,ingresses", "-o", "name"]).ok();
    assert!(!left.stdout.contains("/web"), "{left}");
    assert_eq!(platform.field(&prefix, "deployment/web", "{.status.readyReplicas}"), "1");

    ask(&user, "DELETE", &format!("{team}/nodes/{}/{prefix}/containers", id(&node)), &Value::Null);
    ask(&user, "DELETE", &deployment, &Value::Null);
    eventually("the namespace is gone", 2 * SETTLED, || {
        platform.field("default", &format!("namespace/{prefix}"), "{.metadata.name}").is_empty().then_some(())
    });
}
