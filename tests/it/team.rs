//! Teams on one machine: what they deploy runs on the platform's own machine.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_image::testing::TestRegistry;
use slipway_tests::{Platform, User, eventually};

use crate::image::image;

/// Asks the API for something that it does, and gives what it answers.
fn ask(user: &User, method: &str, path: &str, body: &Value) -> Value {
    let text = (!body.is_null()).then(|| body.to_string());
    let (status, answer) = user.api(method, path, text.as_deref().map(str::as_bytes));
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    serde_json::from_str(&answer).unwrap_or(Value::Null)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

#[test]
fn a_deployment_of_a_team_runs_on_the_platforms_machine() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(TestRegistry::start());
    image(&registry, "v1", "of a team");
    let mut platform = Platform::start_with(&[], &[("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1")]);
    let ada = platform.user("ada");
    ask(&ada, "POST", "/api/teams", &json!({"name": "Acme", "slug": "acme"}));
    let node = eventually("the machine is a node", Duration::from_mins(3), || {
        let nodes = ask(&ada, "GET", "/api/acme/nodes", &Value::Null);
        let own = nodes.as_array()?.first()?.clone();
        (own["status"] == "connected").then_some(own)
    });
    assert_eq!(node["type"], "docker", "{node}");
    let details = json!({"name": "ours", "type": "unchecked", "details": {"url": registry.host()}});
    let registry_id = ask(&ada, "POST", "/api/acme/registries", &details);
    let project = ask(&ada, "POST", "/api/acme/projects", &json!({"name": "shop", "type": "versionless"}));
    let project = format!("/api/acme/projects/{}", text(&project, "id"));
    let project_details = ask(&ada, "GET", &project, &Value::Null);
    let version = text(&project_details["versions"][0], "id").to_owned();
    let version_path = format!("{project}/versions/{version}");
    let added = json!([{"registryId": text(&registry_id, "id"), "images": ["team/site:v1"]}]);
    let images = ask(&ada, "POST", &format!("{version_path}/images"), &added);
    let change = json!({"config": {
        "name": "web", "expose": "expose", "ports": [{"id": "00000000-0000-4000-8000-000000000001", "internal": 8080}],
    }});
    ask(&ada, "PATCH", &format!("{version_path}/images/{}", text(&images[0], "id")), &change);
    let wanted = json!({"versionId": version, "nodeId": text(&node, "id"), "prefix": "prod"});
    let deployment = ask(&ada, "POST", "/api/acme/deployments", &wanted);
    let deployment = format!("/api/acme/deployments/{}", text(&deployment, "id"));
    ask(&ada, "POST", &format!("{deployment}/start"), &Value::Null);
    let settled = eventually("the deployment settles", Duration::from_mins(3), || {
        let now = ask(&ada, "GET", &deployment, &Value::Null);
        matches!(now["status"].as_str(), Some("successful" | "failed")).then_some(now)
    });
    let log = || ask(&ada, "GET", &format!("{deployment}/log?skip=0&take=100"), &Value::Null);
    assert_eq!(settled["status"], "successful", "{}", log());
    platform.answers("web.prod", "of a team");
    let containers = format!("/api/acme/nodes/{}/containers", text(&node, "id"));
    let listed = ask(&ada, "GET", &containers, &Value::Null);
    assert_eq!((&listed[0]["id"]["prefix"], &listed[0]["state"]), (&json!("prod"), &json!("running")), "{listed}");

    // It runs again when the platform does.
    platform.kill();
    platform.launch();
    platform.answers("web.prod", "of a team");
}
