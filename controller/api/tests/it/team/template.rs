//! Templates.

use serde_json::{Value, json};

use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

async fn list_and_pictures(database: Database) {
    let world = two_teams(database).await;
    let list = get(&world, "stranger", "/api/templates").await.json();
    let list = list.as_array().unwrap();
    assert!(list.len() >= 8);
    for template in list {
        let members: Vec<&String> = template.as_object().unwrap().keys().collect();
        assert_eq!(members.len(), 4, "{members:?}");
        let id = template["id"].as_str().unwrap();
        let picture = get(&world, "stranger", &format!("/api/templates/{id}/image")).await;
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")), "{id}");
    }
    for bad in ["none", "..%2Fwordpress", "wordpress.json", "%2e%2e", "WordPress"] {
        let reply = get(&world, "stranger", &format!("/api/templates/{bad}/image")).await;
        assert_eq!(refusal(&reply), (404, "template".to_owned()), "{bad}");
    }
    assert_eq!(get(&world, "", "/api/templates").await.status, 403);
}
both!(list_and_pictures, everybody_sees_templates_and_their_pictures);

/// The images of a project's only version.
async fn images(world: &World, project: &str) -> (Value, Vec<Value>) {
    let project = format!("/api/acme/projects/{project}");
    let version = get(world, "owner", &project).await.json()["versions"][0].clone();
    let path = format!("{project}/versions/{}/images", version["id"].as_str().unwrap());
    (version, get(world, "owner", &path).await.json().as_array().unwrap().clone())
}

async fn projects(database: Database) {
    let world = two_teams(database).await;
    let ids = get(&world, "owner", "/api/templates").await.json();
    let ids: Vec<&str> = ids.as_array().unwrap().iter().map(|template| template["id"].as_str().unwrap()).collect();
    for id in &ids {
        let body = json!({"id": id, "teamSlug": "acme", "name": id, "type": "versionless", "description": "d"});
        let reply = expect(&world, "owner", "POST", "/api/templates", body, 201).await;
        let project = reply.json();
        let own = project["id"].as_str().unwrap();
        assert_eq!(reply.header("location"), Some(format!("/api/acme/projects/{own}").as_str()));
        assert_eq!((&project["type"], &project["description"]), (&json!("versionless"), &json!("d")));
        let (version, images) = images(&world, own).await;
        assert_eq!((&version["name"], &version["type"]), (&json!("rolling"), &json!("rolling")));
        assert!(!images.is_empty(), "{id}");
        for (order, image) in images.iter().enumerate() {
            assert_eq!(image["order"], order);
        }
    }
    // Registries are made once, and the team's own of that name is taken.
    let registries = get(&world, "owner", "/api/acme/registries").await.json();
    let names: Vec<&str> = registries.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "Docker Hub Library").count(), 1);
    assert!(world.web.calls().is_empty(), "registries of templates are not asked");

    let body = json!({"id": "wordpress", "teamSlug": "acme", "name": "versioned", "type": "versioned"});
    let project = expect(&world, "owner", "POST", "/api/templates", body, 201).await.json();
    let (version, images) = images(&world, project["id"].as_str().unwrap()).await;
    assert_eq!((&version["name"], &version["type"]), (&json!("1.0.0"), &json!("incremental")));
    let config = &images[0]["config"];
    assert_eq!(config["restartPolicy"], "unlessStopped");
    assert_eq!(config["environment"][2]["value"], "1");
    assert!(config["networks"][0]["id"].as_str().unwrap().len() == 36);
    let log = "/api/acme/audit-log?skip=0&take=1&from=2020-01-01&to=2120-01-01";
    let last = get(&world, "owner", log).await.json()["items"][0].clone();
    assert_eq!((&last["event"], &last["data"]["id"]), (&json!("/api/templates"), &json!("wordpress")));
}
both!(projects, every_template_makes_a_project);

async fn refusals(database: Database) {
    let world = two_teams(database).await;
    let good = json!({"id": "gitea", "teamSlug": "acme", "name": "git", "type": "versionless"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, expect) in [
        (with("id", json!("none")), (404, "template")),
        (with("id", json!("../wordpress")), (404, "template")),
        (with("id", json!("wordpress.json")), (404, "template")),
        (with("id", json!(1)), (400, "id")),
        (with("name", json!("")), (400, "name")),
        (with("type", json!("rolling")), (400, "type")),
        (with("type", Value::Null), (400, "type")),
        (with("teamSlug", json!("rival")), (403, "")),
        (with("teamSlug", json!("nobody")), (403, "")),
        (with("teamSlug", json!(1)), (400, "teamSlug")),
    ] {
        let reply = send(&world, "owner", "POST", "/api/templates", body.clone()).await;
        assert_eq!(refusal(&reply), (expect.0, expect.1.to_owned()), "{body}");
    }
    let registries = get(&world, "owner", "/api/acme/registries").await.json().as_array().unwrap().len();
    assert_eq!(registries, 1, "what is refused leaves nothing");
    expect(&world, "owner", "POST", "/api/templates", good.clone(), 201).await;
    let before = get(&world, "owner", "/api/acme/projects").await.json();
    let reply = send(&world, "owner", "POST", "/api/templates", with("id", json!("ghost"))).await;
    assert_eq!(refusal(&reply), (409, "name".to_owned()));
    assert_eq!(get(&world, "owner", "/api/acme/projects").await.json(), before);
    // The older generation is about the active team, in its words.
    let body = json!({"id": "gitea", "name": "old", "type": "simple"});
    let reply = expect(&world, "owner", "POST", "/api/templates", body, 201).await;
    let project = reply.json();
    assert_eq!(project["type"], "simple");
    let id = project["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), Some(format!("/api/products/{id}").as_str()));
    expect(&world, "owner", "GET", &format!("/api/products/{id}"), Value::Null, 200).await;
    let body = json!({"id": "gitea", "name": "old", "type": "simple"});
    assert_eq!(send(&world, "stranger", "POST", "/api/templates", body).await.status, 404, "no active team");
}
both!(refusals, templates_are_refused_for_good_reasons);
