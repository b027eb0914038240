//! Apps of `/v2` as projects of teams, and teams that own apps.

use serde_json::{Value, json};
use slipway_team::Role;

use super::project::project;
use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

/// The names and types of a team's projects.
async fn projects(world: &World, user: &str, slug: &str) -> Vec<(Value, Value, Value)> {
    let list = get(world, user, &format!("/api/{slug}/projects")).await.json();
    let items = list.as_array().unwrap().iter();
    items.map(|item| (item["name"].clone(), item["type"].clone(), item["versionCount"].clone())).collect()
}

async fn shown(database: Database) {
    let world = two_teams(database).await;
    super::team(&world, "owner", "second").await;
    world.named_app("owner", "blog").await;
    let shop = project(&world, "shop", "versioned").await;
    let versionless = || json!("versionless");
    assert_eq!(
        projects(&world, "owner", "acme").await,
        [(json!("blog"), versionless(), json!(1)), (json!("shop"), json!("versioned"), json!(0))]
    );
    // It shows in the owner's first team alone.
    assert!(projects(&world, "owner", "second").await.is_empty());
    assert!(projects(&world, "other", "rival").await.is_empty());

    let list = get(&world, "owner", "/api/acme/projects").await.json();
    let id = list[0]["id"].as_str().unwrap();
    let app = format!("/api/acme/projects/{id}");
    let details = get(&world, "owner", &app).await.json();
    assert_eq!((&details["deletable"], &details["versions"][0]["name"]), (&json!(false), &json!("rolling")));
    let version = format!("{app}/versions/{}", details["versions"][0]["id"].as_str().unwrap());
    assert_eq!(get(&world, "owner", &format!("{app}/versions")).await.json(), details["versions"]);
    assert_eq!(get(&world, "owner", &format!("{app}/versions?nameContains=x")).await.json(), json!([]));
    assert_eq!(get(&world, "owner", &version).await.json()["images"], json!([]), "nothing is built yet");

    // A build is an image, with a container for each type of process.
    let build = json!({"image": "registry.example:5000/team/blog:v7", "procfile": {"web": "run", "worker": "work"}});
    expect(&world, "owner", "POST", "/v2/apps/blog/builds/", build, 201).await;
    let details = get(&world, "owner", &version).await.json();
    assert_eq!(
        (&details["mutable"], &details["deletable"], &details["increasable"]),
        (&json!(false), &json!(false), &json!(false))
    );
    let images = details["images"].as_array().unwrap();
    let found: Vec<_> = images.iter().map(|image| (&image["name"], &image["tag"], &image["config"]["name"])).collect();
    let (name, tag) = (json!("registry.example:5000/team/blog"), json!("v7"));
    assert_eq!(found, [(&name, &tag, &json!("web")), (&name, &tag, &json!("worker"))]);
    assert_eq!(get(&world, "owner", &format!("{version}/images")).await.json(), details["images"]);
    let image = format!("{version}/images/{}", images[1]["id"].as_str().unwrap());
    assert_eq!(get(&world, "owner", &image).await.json(), images[1]);
    let missing = format!("{version}/images/{id}");
    assert_eq!(refusal(&get(&world, "owner", &missing).await), (404, "image".to_owned()));
    let missing = format!("{app}/versions/00000000-0000-4000-8000-000000000000");
    assert_eq!(refusal(&get(&world, "owner", &missing).await), (404, "version".to_owned()));
    // What is configured by /v2 is told by /v2 alone.
    expect(&world, "owner", "POST", "/v2/apps/blog/config/", json!({"values": {"SECRET": "hunter2"}}), 201).await;
    assert!(!get(&world, "owner", &version).await.body.contains("hunter2"));

    // It is changed by /v2 alone.
    for (method, path, body) in [
        ("PUT", app.clone(), json!({"name": "x"})),
        ("DELETE", app.clone(), Value::Null),
        ("POST", format!("{app}/convert"), Value::Null),
        ("POST", format!("{app}/versions"), json!({"name": "x", "type": "rolling"})),
        ("PUT", version.clone(), json!({"name": "x"})),
        ("DELETE", version.clone(), Value::Null),
        ("PUT", format!("{version}/default"), Value::Null),
        ("POST", format!("{version}/increase"), json!({"name": "x"})),
        ("POST", format!("{version}/images"), json!([])),
        ("PUT", format!("{version}/images/order"), json!([])),
        ("PATCH", image.clone(), json!({"tag": "x"})),
        ("DELETE", image.clone(), Value::Null),
    ] {
        let reply = send(&world, "owner", method, &path, body).await;
        assert_eq!(refusal(&reply), (412, "projectId".to_owned()), "{method} {path}");
        assert!(reply.json()["message"].as_str().unwrap().contains("blog"));
    }
    for path in [&app, &version, &image] {
        let foreign = path.replace("acme", "rival");
        assert_eq!(refusal(&get(&world, "other", &foreign).await), (404, "project".to_owned()), "{foreign}");
    }
    let old = get(&world, "owner", &format!("/api/products/{id}")).await.json();
    assert_eq!((&old["name"], &old["type"]), (&json!("blog"), &json!("simple")));
    expect(&world, "owner", "DELETE", &shop, Value::Null, 204).await;
}
both!(shown, apps_show_as_projects_of_their_owners_team);

async fn owned(database: Database) {
    let mut world = two_teams(database).await;
    world.login("boss").await;
    let teams = get(&world, "owner", "/api/teams").await.json();
    let team = teams[0]["id"].as_str().unwrap();
    world.join(team, "boss", Role::Admin).await;
    world.join(team, "collaborator", Role::User).await;
    world.named_app("owner", "blog").await;
    world.named_app("other", "theirs").await;
    let status =
        async |user: &str, method: &str, path: &str, body: Value| send(&world, user, method, path, body).await.status;
    let apps = async |user: &str| get(&world, user, "/v2/apps/").await.json()["count"].clone();

    // That an app shows gives nobody rights.
    for user in ["boss", "collaborator", "stranger"] {
        assert_eq!(status(user, "GET", "/v2/apps/blog/", Value::Null).await, 403, "{user}");
        assert_eq!(apps(user).await, 0, "{user}");
    }
    // Only who may give an app away does, and only to a team of one's own.
    let ours = "/api/acme/apps/blog";
    for (user, path, expected) in [
        ("collaborator", ours, 403),
        ("boss", ours, 403),
        ("owner", "/api/rival/apps/blog", 403),
        ("owner", "/api/acme/apps/theirs", 403),
        ("owner", "/api/acme/apps/none", 404),
    ] {
        assert_eq!(status(user, "PUT", path, Value::Null).await, expected, "{user} {path}");
    }
    assert_eq!(status("owner", "DELETE", ours, Value::Null).await, 404, "it is not the team's yet");
    for _ in 0..2 {
        expect(&world, "owner", "PUT", ours, Value::Null, 204).await;
    }

    // Members use it, administrators do everything with it, others nothing.
    for (user, expected) in
        [("collaborator", [200, 201, 403, 403]), ("boss", [200, 201, 201, 204]), ("stranger", [403; 4])]
    {
        let grant = json!({"username": "other"});
        let found = [
            status(user, "GET", "/v2/apps/blog/", Value::Null).await,
            status(user, "POST", "/v2/apps/blog/config/", json!({"values": {"WHO": user}})).await,
            status(user, "POST", "/v2/apps/blog/perms/", grant).await,
            status(user, "DELETE", "/v2/apps/blog/perms/other/", Value::Null).await,
        ];
        assert_eq!(found, expected, "{user}");
        assert_eq!(apps(user).await, u64::from(expected[0] == 200), "{user}");
    }
    assert_eq!(status("collaborator", "DELETE", "/v2/apps/blog/", Value::Null).await, 403);
    assert_eq!(status("collaborator", "DELETE", ours, Value::Null).await, 403);

    // It shows in the team that owns it, whoever its owner is.
    expect(&world, "other", "POST", "/v2/apps/theirs/perms/", json!({"username": "owner"}), 201).await;
    assert_eq!(projects(&world, "other", "rival").await.len(), 1);
    world.join(team, "other", Role::User).await;
    expect(&world, "other", "PUT", "/api/acme/apps/theirs", Value::Null, 204).await;
    assert!(projects(&world, "other", "rival").await.is_empty());
    let names: Vec<Value> = projects(&world, "owner", "acme").await.into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(names, ["blog", "theirs"]);

    // Who leaves the team, or when the app does, has no rights any more.
    expect(&world, "collaborator", "DELETE", &format!("/api/teams/{team}/users/leave"), Value::Null, 204).await;
    assert_eq!(status("collaborator", "GET", "/v2/apps/blog/", Value::Null).await, 403);
    expect(&world, "boss", "DELETE", ours, Value::Null, 204).await;
    assert_eq!(status("boss", "GET", "/v2/apps/blog/", Value::Null).await, 403);
    expect(&world, "owner", "PUT", ours, Value::Null, 204).await;
    expect(&world, "boss", "DELETE", "/v2/apps/blog/", Value::Null, 204).await;
    // A team that ends leaves the apps to their owners.
    expect(&world, "owner", "DELETE", &format!("/api/teams/{team}"), Value::Null, 204).await;
    assert_eq!(status("other", "GET", "/v2/apps/theirs/", Value::Null).await, 200);
    assert_eq!(status("boss", "GET", "/v2/apps/theirs/", Value::Null).await, 403);
}
both!(owned, roles_in_a_team_give_rights_on_its_apps);
