//! Projects, in both generations.

use serde_json::{Value, json};

use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

/// Makes a project and gives its path.
pub async fn project(world: &World, name: &str, kind: &str) -> String {
    let body = json!({"name": name, "type": kind});
    let reply = expect(world, "owner", "POST", "/api/acme/projects", body, 201).await;
    reply.header("location").unwrap().to_owned()
}

async fn projects(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/projects";
    assert_eq!(get(&world, "owner", all).await.json(), json!([]));
    let body = json!({"name": "shop", "type": "versionless", "description": "d", "changelog": "first", "more": [1]});
    let reply = expect(&world, "collaborator", "POST", all, body.clone(), 403).await;
    assert_eq!(refusal(&reply).0, 403);
    let reply = expect(&world, "owner", "POST", all, body.clone(), 201).await;
    let made = reply.json();
    let one = format!("{all}/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(one.as_str()));
    let mut audit = made["audit"].clone();
    assert_eq!((&audit["createdAt"], &audit["createdBy"]), (&audit["updatedAt"], &audit["updatedBy"]));
    let mut expected = json!({
        "id": made["id"], "name": "shop", "type": "versionless", "description": "d", "versionCount": 1, "audit": audit,
    });
    assert_eq!(made, expected);
    assert_eq!(get(&world, "owner", all).await.json(), json!([expected]));
    assert_eq!(refusal(&send(&world, "owner", "POST", all, body).await), (409, "name".to_owned()));

    // A versionless project has one version, and its changelog.
    let details = get(&world, "owner", &one).await.json();
    let version = &details["versions"][0];
    let rolling = json!({
        "id": version["id"], "name": "rolling", "type": "rolling", "changelog": "first", "default": true,
        "increasable": false, "audit": audit,
    });
    expected.as_object_mut().unwrap().remove("versionCount");
    expected["deletable"] = json!(true);
    expected["versions"] = json!([rolling]);
    assert_eq!(details, expected);
    for (change, changelog) in [
        (json!({"name": "shop", "changelog": "second"}), json!("second")),
        (json!({"name": "store", "description": "e", "changelog": null}), json!("second")),
        (json!({"name": "store", "changelog": ""}), json!(null)),
    ] {
        expect(&world, "owner", "PUT", &one, change.clone(), 204).await;
        let details = get(&world, "owner", &one).await.json();
        assert_eq!((&details["name"], &details["versions"][0]["changelog"]), (&change["name"], &changelog));
        assert_eq!(details["description"], change["description"], "what is not said is removed");
        audit = details["audit"].clone();
    }
    assert!(audit["updatedAt"].as_str() >= audit["createdAt"].as_str());

    // Converted, it keeps its version; its changelogs are those of versions from now on.
    for _ in 0..2 {
        expect(&world, "owner", "POST", &format!("{one}/convert"), Value::Null, 204).await;
    }
    let details = get(&world, "owner", &one).await.json();
    assert_eq!((&details["type"], &details["versions"][0]["id"]), (&json!("versioned"), &rolling["id"]));
    assert_eq!(details["versions"][0]["default"], true);
    let change = json!({"name": "store", "changelog": "third"});
    assert_eq!(refusal(&send(&world, "owner", "PUT", &one, change).await), (412, "changelog".to_owned()));
    expect(&world, "owner", "PUT", &one, json!({"name": "store", "changelog": ""}), 204).await;

    let other = project(&world, "other", "versioned").await;
    let change = json!({"name": "store"});
    assert_eq!(refusal(&send(&world, "owner", "PUT", &other, change).await), (409, "name".to_owned()));
    let list = get(&world, "owner", all).await.json();
    let counts: Vec<_> = list.as_array().unwrap().iter().map(|item| (&item["name"], &item["versionCount"])).collect();
    assert_eq!(counts, [(&json!("store"), &json!(1)), (&json!("other"), &json!(0))]);
    let teams = get(&world, "owner", "/api/teams").await.json();
    let statistics = &teams[0]["statistics"];
    assert_eq!((&statistics["projects"], &statistics["products"]), (&json!(2), &json!(2)));
    assert_eq!(statistics["versions"], 1);

    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    for method in ["GET", "DELETE"] {
        assert_eq!(refusal(&send(&world, "owner", method, &one, Value::Null).await), (404, "project".to_owned()));
    }
}
both!(projects, projects_live_from_their_making_to_their_end);

async fn refusals(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/projects";
    for (body, property) in [
        (json!({"type": "versioned"}), "name"),
        (json!({"name": "", "type": "versioned"}), "name"),
        (json!({"name": " x", "type": "versioned"}), "name"),
        (json!({"name": "x".repeat(71), "type": "versioned"}), "name"),
        (json!({"name": 1, "type": "versioned"}), "name"),
        (json!({"name": "x"}), "type"),
        (json!({"name": "x", "type": "rolling"}), "type"),
        (json!({"name": "x", "type": "versioned", "description": 1}), "description"),
        (json!({"name": "x", "type": "versioned", "changelog": "y".repeat(5000)}), "changelog"),
    ] {
        assert_eq!(
            refusal(&send(&world, "owner", "POST", all, body.clone()).await),
            (400, property.to_owned()),
            "{body}"
        );
    }
    // A team's projects are its own, and what the path says comes before what the body says.
    let one = project(&world, "shop", "versionless").await;
    let foreign = one.replace("acme", "rival");
    for (method, path) in
        [("GET", foreign.clone()), ("DELETE", foreign.clone()), ("POST", format!("{foreign}/convert"))]
    {
        assert_eq!(refusal(&send(&world, "other", method, &path, Value::Null).await), (404, "project".to_owned()));
    }
    assert_eq!(refusal(&send(&world, "other", "PUT", &foreign, json!({"name": 1})).await), (404, "project".to_owned()));
    let bad = send(&world, "owner", "PUT", &format!("{all}/nonsense"), json!({"name": 1})).await;
    assert_eq!(refusal(&bad), (400, "projectId".to_owned()));
    assert_eq!(bad.json()["value"], "nonsense");
    assert_eq!(get(&world, "owner", "/api/rival/projects").await.status, 403);
    assert_eq!(get(&world, "owner", "/api/nobody/projects").await.status, 403);
    // The same name in another team is another project.
    let body = json!({"name": "shop", "type": "versionless"});
    expect(&world, "other", "POST", "/api/rival/projects", body, 201).await;
    assert_eq!(get(&world, "other", "/api/rival/projects").await.json().as_array().unwrap().len(), 1);
}
both!(refusals, projects_are_refused_for_good_reasons);

async fn products(database: Database) {
    let world = World::new(database).await;
    assert_eq!(get(&world, "owner", "/api/products").await.json(), json!([]));
    let body = json!({"name": "shop", "type": "simple"});
    assert_eq!(refusal(&send(&world, "owner", "POST", "/api/products", body.clone()).await), (404, "team".to_owned()));
    super::team(&world, "owner", "acme").await;
    let reply = expect(&world, "owner", "POST", "/api/products", body, 201).await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.json()["type"], "simple");
    let (old, new) = (format!("/api/products/{id}"), format!("/api/acme/projects/{id}"));
    assert_eq!(reply.header("location"), Some(old.as_str()));
    let mut details = get(&world, "owner", &new).await.json();
    assert_eq!(details["type"], "versionless");
    details["type"] = json!("simple");
    assert_eq!(get(&world, "owner", &old).await.json(), details);
    expect(&world, "owner", "PUT", &old, json!({"name": "store", "changelog": "c"}), 204).await;
    expect(&world, "owner", "POST", &format!("{new}/convert"), Value::Null, 204).await;
    let list = get(&world, "owner", "/api/products").await.json();
    assert_eq!((&list[0]["name"], &list[0]["type"]), (&json!("store"), &json!("complex")));
    assert_eq!(refusal(&get(&world, "owner", "/api/products/nonsense").await), (400, "productId".to_owned()));
    let bad = send(&world, "owner", "PUT", &old.replace(&id[..4], "ffff"), json!({"name": 1})).await;
    assert_eq!(refusal(&bad), (404, "project".to_owned()));
    expect(&world, "owner", "DELETE", &old, Value::Null, 204).await;
    assert_eq!(get(&world, "owner", "/api/acme/projects").await.json(), json!([]));
}
both!(products, the_older_generation_calls_projects_products);
