//! Teams, and the record of what was done in them.

use serde_json::{Value, json};

use super::{expect, get, refusal, send, team, two_teams};
use crate::world::{Database, World, both};

async fn a_team_from_its_beginning_to_its_end(database: Database) {
    let world = World::new(database).await;
    assert_eq!(get(&world, "owner", "/api/teams").await.json(), json!([]));
    let body = json!({"name": "Acme", "slug": "nodes-eu", "unknown": {"member": 1}});
    let reply = expect(&world, "owner", "POST", "/api/teams", body, 201).await;
    let created = reply.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), Some(format!("/api/teams/{id}").as_str()));
    let counts = json!({"users": 1, "projects": 0, "products": 0, "nodes": 1, "versions": 0, "deployments": 0});
    assert_eq!(created, json!({"id": id, "name": "Acme", "slug": "nodes-eu", "statistics": counts}));
    assert_eq!(get(&world, "owner", "/api/teams").await.json(), json!([created]));
    assert_eq!(get(&world, "stranger", "/api/teams").await.json(), json!([]));

    let details = get(&world, "owner", &format!("/api/teams/{id}")).await.json();
    let user = &details["users"][0];
    assert_eq!(
        (&user["name"], &user["email"], &user["role"], &user["status"]),
        (&json!("owner@example.com"), &json!("owner@example.com"), &json!("owner"), &json!("verified"))
    );

    expect(&world, "owner", "PUT", &format!("/api/teams/{id}"), json!({"name": "Acme 2", "slug": "acme"}), 204).await;
    let renamed = get(&world, "owner", &format!("/api/teams/{id}")).await.json();
    assert_eq!((&renamed["name"], &renamed["slug"]), (&json!("Acme 2"), &json!("acme")));
    let log = "audit-log?skip=0&take=9&from=2020-01-01&to=2120-01-01";
    assert_eq!(get(&world, "owner", &format!("/api/nodes-eu/{log}")).await.status, 403, "the old slug is nobody's");
    let record = get(&world, "owner", &format!("/api/acme/{log}")).await.json();
    assert_eq!(record["total"], 1);
    let entry = &record["items"][0];
    assert_eq!((&entry["method"], &entry["event"]), (&json!("put"), &json!(format!("/api/teams/{id}"))));
    assert_eq!(entry["data"], json!({"name": "Acme 2", "slug": "acme"}));
    assert_eq!(entry["user"]["email"], "owner@example.com");
    let older = get(&world, "owner", &format!("/api/{log}")).await.json();
    assert_eq!(older["items"][0]["serviceCall"], entry["event"]);
    assert_eq!(older["items"][0]["email"], "owner@example.com");

    expect(&world, "owner", "DELETE", &format!("/api/teams/{id}"), Value::Null, 204).await;
    assert_eq!(refusal(&get(&world, "owner", &format!("/api/teams/{id}")).await), (404, "team".to_owned()));
    assert_eq!(get(&world, "owner", "/api/teams").await.json(), json!([]));
}
both!(a_team_from_its_beginning_to_its_end, a_team_lives_from_its_making_to_its_end);

async fn bad_names(database: Database) {
    let world = two_teams(database).await;
    for (body, expect) in [
        (json!({"name": "X", "slug": "acme"}), (409, "slug")),
        (json!({"name": "Team acme", "slug": "other"}), (409, "name")),
        (json!({"name": "X", "slug": "Nodes"}), (400, "slug")),
        (json!({"name": "X", "slug": "nodes"}), (400, "slug")),
        (json!({"name": "X", "slug": "ab"}), (400, "slug")),
        (json!({"name": "X", "slug": "a_b"}), (400, "slug")),
        (json!({"name": " X", "slug": "abc"}), (400, "name")),
        (json!({"name": "", "slug": "abc"}), (400, "name")),
        (json!({"name": "x".repeat(71), "slug": "abc"}), (400, "name")),
        (json!({"name": 7, "slug": "abc"}), (400, "name")),
        (json!({"slug": "abc"}), (400, "name")),
        (json!({"name": "X", "slug": 7}), (400, "slug")),
    ] {
        let reply = send(&world, "owner", "POST", "/api/teams", body.clone()).await;
        assert_eq!(refusal(&reply), (expect.0, expect.1.to_owned()), "{body}");
    }
    assert_eq!(send(&world, "owner", "POST", "/api/teams", json!([])).await.status, 400);
    let mine = get(&world, "owner", "/api/teams").await.json();
    let id = mine[0]["id"].as_str().unwrap();
    let reply = send(&world, "owner", "PUT", &format!("/api/teams/{id}"), json!({"name": "X", "slug": "rival"})).await;
    assert_eq!(refusal(&reply), (409, "slug".to_owned()));
    expect(&world, "owner", "PUT", &format!("/api/teams/{id}"), json!({"name": "Team acme", "slug": "acme"}), 204)
        .await;
}
both!(bad_names, names_and_slugs_are_checked_and_unique);

async fn old_teams(database: Database) {
    let world = World::new(database).await;
    for slug in ["my-team", "my-team-2"] {
        // Names are unique, what is derived of them need not be.
        let name = if slug == "my-team" { "My Team" } else { "My  Team" };
        let reply = expect(&world, "owner", "POST", "/api/teams", json!({ "name": name }), 201).await;
        assert_eq!(reply.json()["slug"], slug);
    }
    let id = get(&world, "owner", "/api/teams").await.json()[0]["id"].as_str().unwrap().to_owned();
    expect(&world, "owner", "PUT", &format!("/api/teams/{id}"), json!({"name": "Renamed"}), 204).await;
    assert_eq!(get(&world, "owner", &format!("/api/teams/{id}")).await.json()["slug"], "my-team");
}
both!(old_teams, clients_of_the_older_generation_need_no_slug);

async fn order(database: Database) {
    let world = two_teams(database).await;
    let id = get(&world, "owner", "/api/teams").await.json()[0]["id"].as_str().unwrap().to_owned();
    let theirs = get(&world, "other", "/api/teams").await.json()[0]["id"].as_str().unwrap().to_owned();
    let log = "audit-log?skip=0&take=9&from=2020-01-01&to=2120-01-01";
    // Who asks comes first, then the team, the form of identities, the role, and last the body.
    assert_eq!(get(&world, "", &format!("/api/acme/{log}")).await.status, 403);
    assert_eq!(get(&world, "", "/api/teams/nonsense").await.status, 403);
    assert_eq!(get(&world, "owner", &format!("/api/rival/{log}")).await.status, 403);
    let unknown = get(&world, "owner", &format!("/api/nobody/{log}")).await;
    assert_eq!(unknown.body, get(&world, "owner", &format!("/api/rival/{log}")).await.body);
    let reply = send(&world, "owner", "PUT", "/api/teams/nonsense", json!({"name": 1})).await;
    assert_eq!(refusal(&reply), (400, "teamId".to_owned()));
    assert_eq!(reply.json()["value"], "nonsense");
    let reply = send(&world, "owner", "PUT", &format!("/api/teams/{theirs}"), json!({"name": 1})).await;
    assert_eq!(refusal(&reply), (404, "team".to_owned()));
    let reply = send(&world, "owner", "PUT", &format!("/api/teams/{id}"), json!({"name": 1})).await;
    assert_eq!(refusal(&reply), (400, "name".to_owned()));
    for (query, property) in [
        ("", "skip"),
        ("skip=0", "take"),
        ("skip=-1&take=1", "skip"),
        ("skip=0&take=x", "take"),
        ("skip=0&take=1", "from"),
        ("skip=0&take=1&from=x&to=2120-01-01", "from"),
        ("skip=0&take=1&from=2020-01-01", "to"),
    ] {
        let reply = get(&world, "owner", &format!("/api/acme/audit-log?{query}")).await;
        assert_eq!(refusal(&reply), (400, property.to_owned()), "{query}");
    }
    assert_eq!(get(&world, "owner", "/api/nowhere/at/all").await.status, 404);
    assert_eq!(send(&world, "owner", "PATCH", "/api/teams", json!({})).await.status, 405);
}
both!(order, refusals_come_in_order);

async fn locations(database: Database) {
    let world = World::new(database).await;
    for (given, expect) in
        [("/platform/", "/platform/api/teams/"), ("//evil.example", "/api/teams/"), ("x", "/api/teams/")]
    {
        let slug = format!("team-{}", given.len());
        let body = json!({"name": slug, "slug": slug});
        let reply = world.request("POST", "/api/teams").user("owner").header("x-forwarded-prefix", given);
        let reply = reply.json_body(&body).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let location = reply.header("location").unwrap();
        assert!(location.starts_with(expect) && location.len() == expect.len() + 36, "{location}");
    }
}
both!(locations, locations_are_paths_behind_the_proxys_prefix);

async fn of_no_team(database: Database) {
    let world = World::new(database).await;
    let log = "/api/audit-log?skip=0&take=9&from=2020-01-01&to=2120-01-01";
    assert_eq!(refusal(&get(&world, "owner", log).await), (404, "team".to_owned()));
    team(&world, "owner", "first").await;
    team(&world, "owner", "second").await;
    assert_eq!(get(&world, "owner", log).await.json(), json!({"items": [], "total": 0}));
}
both!(of_no_team, the_first_team_is_the_active_one);

async fn beginnings(database: Database) {
    let world = two_teams(database).await;
    let id = get(&world, "owner", "/api/teams").await.json()[0]["id"].clone();
    let (done, open) = (json!({"done": true}), json!({"done": false}));
    let dashboard = get(&world, "owner", "/api/acme/dashboard").await.json();
    // The platform's own node is there from the beginning.
    let node = get(&world, "owner", "/api/acme/nodes").await.json()[0]["id"].clone();
    assert_eq!(
        dashboard,
        json!({
            "users": 1, "auditLog": 0, "projects": 0, "versions": 0, "deployments": 0, "failedDeployments": 0,
            "onboarding": {
                "signUp": done, "createTeam": {"done": true, "resourceId": id},
                "createNode": {"done": true, "resourceId": node}, "createProject": open, "createVersion": open,
                "addImages": open, "addDeployment": open, "deploy": open,
            },
        })
    );
    expect(&world, "owner", "POST", "/api/acme/storages", json!({"name": "s", "url": "s3.example.com"}), 201).await;
    let old = get(&world, "owner", "/api/dashboard").await.json();
    assert_eq!(
        (&old["auditLogEntries"], &old["auditLog"][0]["serviceCall"]),
        (&json!(1), &json!("/api/acme/storages"))
    );
}
both!(beginnings, the_dashboard_of_a_new_team_shows_what_is_to_be_done);
