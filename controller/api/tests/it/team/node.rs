//! Nodes: made, joined, asked, and what runs there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use slipway_engine::workload::{Ownership, WorkloadNode, WorkloadSpec};
use slipway_service::testing::{FakeClock, FakeNode};
use slipway_team::container::{Effective, ImageConfig, InstanceConfig};
use slipway_team::{DeploymentId, InstanceId, ProjectId, TeamId, VersionId};

use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

/// Makes a node and gives its address.
async fn node(world: &World, name: &str) -> String {
    let reply = expect(world, "owner", "POST", "/api/acme/nodes", json!({"name": name}), 201).await;
    let one = format!("/api/acme/nodes/{}", reply.json()["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(one.as_str()));
    one
}

/// The platform's own node of a team.
pub(super) async fn platform(world: &World, user: &str, slug: &str) -> String {
    let all = get(world, user, &format!("/api/{slug}/nodes")).await.json();
    format!("/api/{slug}/nodes/{}", all[0]["id"].as_str().unwrap())
}

/// Puts a container on a node.
pub(super) async fn run(node: &FakeNode, team: &str, prefix: &str, name: &str) {
    let config = Effective::of(&ImageConfig::bare(name), &InstanceConfig::default());
    let spec = WorkloadSpec {
        ownership: Ownership {
            team: team.parse::<TeamId>().unwrap(),
            project: ProjectId::generate(),
            version: VersionId::generate(),
            deployment: DeploymentId::generate(),
            instance: InstanceId::generate(),
        },
        prefix: prefix.to_owned(),
        config,
        image: "registry.example/app:1".to_owned(),
        registry: None,
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        storage: None,
        started_at: Utc::now(),
    };
    node.apply(&spec).await.unwrap();
}

async fn nodes(database: Database) {
    let world = two_teams(database).await;
    let all = "/api/acme/nodes";
    // The platform's own is there from the beginning, can be used, and stays.
    let listed = get(&world, "owner", all).await.json();
    let own = platform(&world, "owner", "acme").await;
    assert_eq!(
        listed,
        json!([{
            "id": listed[0]["id"], "name": "Platform", "type": "k8s", "status": "connected",
            "description": "What the platform itself runs on.", "icon": null,
            "address": "https://node.example:6443", "connectedAt": listed[0]["connectedAt"],
            "version": "Kubernetes v1.33.2", "updating": false,
        }])
    );
    let details = get(&world, "owner", &own).await.json();
    assert_eq!(
        (&details["hasToken"], &details["inUse"], &details["install"]),
        (&json!(true), &json!(false), &json!(null))
    );
    assert!(details["publicKey"].as_str().unwrap().starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
    let script = json!({"type": "k8s", "scriptType": "shell"});
    for (method, path, body) in [
        ("DELETE", own.clone(), json!(null)),
        ("POST", format!("{own}/script"), script),
        ("DELETE", format!("{own}/token"), json!(null)),
        ("PUT", format!("{own}/kubeconfig"), json!({"kubeconfig": "x"})),
        ("PUT", format!("{own}/docker"), json!({"address": "unix:///x"})),
    ] {
        assert_eq!(
            refusal(&send(&world, "owner", method, &path, body).await),
            (412, "id".to_owned()),
            "{method} {path}"
        );
    }

    let one = node(&world, "edge").await;
    let made = get(&world, "owner", &one).await.json();
    assert_eq!(
        (&made["type"], &made["status"], &made["hasToken"]),
        (&json!("docker"), &json!("unreachable"), &json!(false))
    );
    assert_eq!(made["publicKey"], json!(null));
    for (body, status, property) in [
        (json!({"name": "edge"}), 409, "name"),
        (json!({"name": ""}), 400, "name"),
        (json!({"name": " x"}), 400, "name"),
        (json!({"name": "x".repeat(71)}), 400, "name"),
        (json!({"name": 1}), 400, "name"),
        (json!({}), 400, "name"),
    ] {
        assert_eq!(
            refusal(&send(&world, "owner", "POST", all, body.clone()).await),
            (status, property.to_owned()),
            "{body}"
        );
    }
    expect(&world, "owner", "PUT", &one, json!({"name": "rim", "icon": "star"}), 204).await;
    let renamed = get(&world, "owner", &one).await.json();
    assert_eq!((&renamed["name"], &renamed["icon"]), (&json!("rim"), &json!("star")));
    let taken = send(&world, "owner", "PUT", &one, json!({"name": "Platform"})).await;
    assert_eq!(refusal(&taken), (409, "name".to_owned()));
    let foreign = one.replace("acme", "rival");
    assert_eq!(refusal(&get(&world, "other", &foreign).await), (404, "node".to_owned()));
    assert_eq!(refusal(&send(&world, "other", "PUT", &foreign, json!({"name": 1})).await), (404, "node".to_owned()));
    let bad = send(&world, "owner", "PUT", &format!("{all}/nonsense"), json!({"name": 1})).await;
    assert_eq!(refusal(&bad), (400, "nodeId".to_owned()));
    // What is not connected has no agent.
    for (method, path) in
        [("POST", "update"), ("GET", "containers"), ("DELETE", "p/containers"), ("POST", "containers/x/start")]
    {
        let reply = send(&world, "owner", method, &format!("{one}/{path}"), Value::Null).await;
        assert_eq!(refusal(&reply), (404, "agent".to_owned()), "{method} {path}");
    }
    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    assert_eq!(refusal(&get(&world, "owner", &one).await), (404, "node".to_owned()));
}
both!(nodes, nodes_are_made_and_the_platforms_own_stays);

/// The secret in a script.
fn secret(script: &str) -> String {
    let line = script.lines().find(|line| line.starts_with("secret=")).unwrap();
    line.trim_start_matches("secret=").trim_matches('\'').to_owned()
}

async fn scripts(database: Database) {
    let clock = Arc::new(FakeClock::default());
    let mut world = World::at_clock(database, "example.com", Arc::clone(&clock) as _, |_| {}).await;
    world.login("owner").await;
    super::team(&world, "owner", "acme").await;
    let one = node(&world, "edge").await;
    let path = format!("{one}/script");
    let bare = |path: &str| world.request("GET", path).send();
    // The same for nodes that are not there, and those that have no script.
    for unknown in [path.clone(), format!("/api/acme/nodes/{}/script", uuid::Uuid::nil()), path.replace("acme", "none")]
    {
        assert_eq!(bare(&unknown).await.status, 401, "{unknown}");
    }
    for (body, property) in [
        (json!({"type": "vm", "scriptType": "shell"}), "type"),
        (json!({"type": "k8s", "scriptType": "cmd"}), "scriptType"),
        (json!({"type": "docker", "scriptType": "powershell", "rootPath": "a\nb"}), "rootPath"),
        (json!({"type": "docker", "scriptType": "shell", "rootPath": "a\nb"}), "rootPath"),
        (json!({"type": "docker", "scriptType": "shell", "dagentTraefik": {}}), "dagentTraefik.acmeEmail"),
        (json!({}), "type"),
    ] {
        assert_eq!(
            refusal(&send(&world, "owner", "POST", &path, body.clone()).await),
            (400, property.to_owned()),
            "{body}"
        );
    }
    let body = json!({"type": "k8s", "scriptType": "shell"});
    let made = expect(&world, "owner", "POST", &path, body.clone(), 201).await;
    assert_eq!(made.header("location"), None);
    let made = made.json();
    assert_eq!(made["command"], format!("curl -sSfL https://slipway.example.com{path} | sh -"));
    assert_eq!(expect(&world, "owner", "POST", &path, body.clone(), 201).await.json(), made, "the same is given again");
    assert_eq!(get(&world, "owner", &one).await.json()["install"], made);
    let text = bare(&path).await;
    assert_eq!((text.status, text.body.as_str()), (200, made["script"].as_str().unwrap()));
    assert!(text.header("content-type").unwrap().starts_with("text/plain"));
    assert_eq!(bare(&path.replace("acme", "none")).await.status, 401);

    // Only the script's own secret lets a node join.
    let good = secret(&text.body);
    let join = |secret: &str, server: &str| json!({"secret": secret, "server": server, "certificateAuthority": "Y2E=", "token": "dG9rZW4="});
    let join_path = format!("{one}/join");
    let post = |body: Value| {
        let (world, join_path) = (&world, join_path.clone());
        async move { world.request("POST", &join_path).json_body(&body).send().await }
    };
    assert_eq!(refusal(&post(join("wrong", "https://c")).await), (401, "installer".to_owned()));
    assert_eq!(refusal(&post(join(&good, "refused")).await), (400, "server".to_owned()));
    let reply = post(json!({"secret": good, "address": "tcp://x", "certificateAuthority": "a", "certificate": "b", "clientKey": "c"})).await;
    assert_eq!(refusal(&reply), (400, "type".to_owned()));
    assert_eq!(post(join(&good, "https://c.example")).await.status, 204);
    let joined = get(&world, "owner", &one).await.json();
    assert_eq!(
        (&joined["type"], &joined["status"], &joined["hasToken"]),
        (&json!("k8s"), &json!("connected"), &json!(true))
    );
    assert_eq!(joined["install"], json!(null));
    // A script is good for one joining.
    assert_eq!(bare(&path).await.status, 401);
    assert_eq!(post(join(&good, "https://d.example")).await.status, 401);
    assert_eq!(refusal(&send(&world, "owner", "POST", &path, body.clone()).await), (409, "id".to_owned()));
    assert_eq!(refusal(&send(&world, "owner", "DELETE", &path, Value::Null).await), (404, "installer".to_owned()));

    // Without its token a node is gone; a new script is another one, and good for ten minutes.
    expect(&world, "owner", "DELETE", &format!("{one}/token"), Value::Null, 204).await;
    assert_eq!(get(&world, "owner", &one).await.json()["status"], "unreachable");
    let again = expect(&world, "owner", "POST", &path, body.clone(), 201).await.json();
    assert_ne!(secret(again["script"].as_str().unwrap()), good);
    expect(&world, "owner", "DELETE", &path, Value::Null, 204).await;
    assert_eq!(bare(&path).await.status, 401);
    expect(&world, "owner", "POST", &path, body, 201).await;
    clock.advance(Duration::from_mins(10) - Duration::from_millis(1));
    assert_eq!(bare(&path).await.status, 200);
    clock.advance(Duration::from_millis(1));
    assert_eq!(bare(&path).await.status, 401);
}
both!(scripts, scripts_are_good_for_ten_minutes_and_one_joining);

async fn powershell(database: Database) {
    let world = World::new(database).await;
    super::team(&world, "owner", "acme").await;
    let one = node(&world, "edge").await;
    let path = format!("{one}/script");
    let url = format!("https://slipway.example.com{path}");
    let root = "D:\\it's \u{2018}mine\u{2019}; exit";
    let body = json!({"type": "docker", "scriptType": "powershell", "rootPath": root});
    let made = expect(&world, "owner", "POST", &path, body, 201).await.json();
    let command = "| Select-Object -ExpandProperty Content | Invoke-Expression";
    assert_eq!(made["command"], format!("Invoke-WebRequest -UseBasicParsing -Uri '{url}' {command}"));
    let text = world.request("GET", &path).send().await;
    assert_eq!((text.status, text.body.as_str()), (200, made["script"].as_str().unwrap()));
    let (_, secret) = text.body.split_once("$secret = '").unwrap();
    let (secret, _) = secret.split_once('\'').unwrap();
    assert!(secret.len() == 64 && secret.chars().all(|c| c.is_ascii_hexdigit()), "{secret}");
    let shown = text.body.replace(secret, "[secret]").replace(&one, "[node]");
    insta::assert_snapshot!("node_script_powershell", shown);
    // What it sends has the engine join.
    let join = |secret: &str| json!({"secret": secret, "address": "tcp://10.0.0.1:2376", "certificateAuthority": "a", "certificate": "b", "clientKey": "c"});
    for (secret, status) in [("wrong", 401), (secret, 204)] {
        let reply = world.request("POST", &format!("{one}/join")).json_body(&join(secret)).send().await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
    let joined = get(&world, "owner", &one).await.json();
    assert_eq!((&joined["type"], &joined["status"]), (&json!("docker"), &json!("connected")));
    // A cluster's script is for a shell.
    let two = format!("{}/script", node(&world, "cluster").await);
    let body = json!({"type": "k8s", "scriptType": "powershell"});
    let made = expect(&world, "owner", "POST", &two, body, 201).await.json();
    assert_eq!(made["command"], format!("curl -sSfL https://slipway.example.com{two} | sh -"));
    assert!(made["script"].as_str().unwrap().starts_with("#!/bin/sh\n"), "{made}");
}
both!(powershell, an_engine_joins_by_a_script_for_powershell);

async fn events(world: &World, one: &str, more: &str) -> Vec<String> {
    let path = format!("{one}/audit?skip=0&take=100&from=2000-01-01&to=2100-01-01{more}");
    let found = get(world, "owner", &path).await.json();
    let items = found["items"].as_array().unwrap_or_else(|| panic!("{found}"));
    assert_eq!(found["total"], items.len());
    items.iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
}

async fn joined(database: Database) {
    let world = two_teams(database).await;
    let one = node(&world, "edge").await;
    let kubeconfig = |text: &str| json!({"kubeconfig": text});
    let path = format!("{one}/kubeconfig");
    for (body, property) in
        [(kubeconfig("refused"), "kubeconfig"), (json!({}), "kubeconfig"), (json!({"kubeconfig": 1}), "kubeconfig")]
    {
        assert_eq!(refusal(&send(&world, "owner", "PUT", &path, body).await), (400, property.to_owned()));
    }
    let cluster = world.nodes.joined("SECRET-CONFIG");
    cluster.away(true);
    let reply = send(&world, "owner", "PUT", &path, kubeconfig("SECRET-CONFIG")).await;
    assert_eq!(refusal(&reply), (400, "kubeconfig".to_owned()));
    assert_eq!(get(&world, "owner", &one).await.json()["hasToken"], false);
    cluster.away(false);
    expect(&world, "owner", "PUT", &path, kubeconfig("SECRET-CONFIG"), 204).await;
    let details = get(&world, "owner", &one).await;
    assert_eq!((&details.json()["status"], &details.json()["type"]), (&json!("connected"), &json!("k8s")));
    assert!(!details.body.contains("SECRET-CONFIG"));
    let record = get(&world, "owner", "/api/acme/audit-log?skip=0&take=100&from=2000-01-01&to=2100-01-01").await;
    assert!(!record.body.contains("SECRET-CONFIG"), "{record:?}");

    // It leaves, comes back, and grows old.
    for (step, status) in [("away", "unreachable"), ("back", "connected"), ("hang", "unreachable"), ("old", "outdated")]
    {
        cluster.away(step == "away");
        cluster.hang(step == "hang");
        cluster.version(if step == "old" { "Kubernetes v1.18.0" } else { "Kubernetes v1.33.2" });
        world.service.nodes_check().await.unwrap();
        assert_eq!(get(&world, "owner", &one).await.json()["status"], status, "{step}");
    }
    assert_eq!(refusal(&get(&world, "owner", &format!("{one}/containers")).await), (412, "id".to_owned()));
    assert_eq!(events(&world, &one, "").await, ["connected", "left", "connected", "left", "connected"]);
    expect(&world, "owner", "POST", &format!("{one}/update"), Value::Null, 204).await;
    expect(&world, "owner", "DELETE", &format!("{one}/token"), Value::Null, 204).await;
    assert_eq!(events(&world, &one, "").await[..2], ["kicked", "update"]);
    assert_eq!(events(&world, &one, "&filterEventType=left").await, ["left", "left"]);
    for query in [
        "skip=0&take=1",
        "skip=x&take=1&from=2000-01-01&to=2100-01-01",
        "skip=0&take=1&from=2000-01-01&to=2100-01-01&filterEventType=x",
    ] {
        assert_eq!(get(&world, "owner", &format!("{one}/audit?{query}")).await.status, 400, "{query}");
    }
    // An engine joins by its address.
    let tls = json!({"certificateAuthority": "a", "certificate": "b", "clientKey": "SECRET-KEY"});
    expect(&world, "owner", "PUT", &format!("{one}/docker"), json!({"address": "tcp://engine:2376", "tls": tls}), 204)
        .await;
    assert_eq!(get(&world, "owner", &one).await.json()["type"], "docker");
    let record = get(&world, "owner", "/api/acme/audit-log?skip=0&take=100&from=2000-01-01&to=2100-01-01").await;
    assert!(!record.body.contains("SECRET-KEY"), "{record:?}");
}
both!(joined, nodes_join_leave_and_are_written_down);

async fn containers(database: Database) {
    let world = World::new(database).await;
    let acme = super::team(&world, "owner", "acme").await;
    let rival = super::team(&world, "other", "rival").await;
    let own = platform(&world, "owner", "acme").await;
    let theirs = platform(&world, "other", "rival").await;
    let fake = world.nodes.own();
    for (team, prefix, name) in
        [(&acme, "shop", "web"), (&acme, "shop", "db"), (&acme, "blog", "web"), (&rival, "evil", "web")]
    {
        world.prefix(team, prefix).await;
        run(&fake, team, prefix, name).await;
    }
    let names = async |user: &str, path: String| -> Vec<String> {
        let all = get(&world, user, &path).await.json();
        let all = all.as_array().unwrap_or_else(|| panic!("{all}"));
        all.iter()
            .map(|one| format!("{}/{}", one["id"]["prefix"].as_str().unwrap(), one["id"]["name"].as_str().unwrap()))
            .collect()
    };
    // On what all share, a team sees its own.
    assert_eq!(names("owner", format!("{own}/containers")).await, ["blog/web", "shop/db", "shop/web"]);
    assert_eq!(names("owner", format!("{own}/containers?prefix=shop")).await, ["shop/db", "shop/web"]);
    assert_eq!(names("owner", format!("{own}/containers?prefix=evil")).await, [""; 0]);
    assert_eq!(names("other", format!("{theirs}/containers")).await, ["evil/web"]);
    let listed = get(&world, "owner", &format!("{own}/containers?prefix=shop")).await.json();
    assert_eq!(
        listed[0],
        json!({
            "id": {"prefix": "shop", "name": "db"}, "command": "", "createdAt": listed[0]["createdAt"], "state": "running",
            "reason": "Started", "imageName": "registry.example/app", "imageTag": "1",
            "ports": [{"internal": 80, "external": null}],
        })
    );
    let older = get(&world, "owner", &format!("{}/containers?prefix=shop", own.replace("/acme", ""))).await.json();
    assert_eq!((&older[0]["status"], &older[0]["reason"]), (&json!("Started"), &json!(null)));

    for (path, state) in [
        ("shop/containers/web/stop", "exited"),
        ("shop/containers/web/start", "running"),
        ("containers/db/stop", "exited"),
        ("containers/shop-db/restart", "running"),
        ("_/containers/db/stop", "exited"),
    ] {
        expect(&world, "owner", "POST", &format!("{own}/{path}"), Value::Null, 204).await;
        let listed = get(&world, "owner", &format!("{own}/containers?prefix=shop")).await.json();
        let name = if path.contains("db") { "db" } else { "web" };
        let found = listed.as_array().unwrap().iter().find(|one| one["id"]["name"] == name).unwrap();
        assert_eq!(found["state"], state, "{path}");
    }
    for (path, want) in [
        ("shop/containers/web/log", "web says hello"),
        ("_/containers/db/log", "db says hello"),
        ("containers/db/log?take=1000", "db says hello"),
        ("containers/shop-db/log?since=2026-01-01T00:00:00Z&timestamps=false", "db says hello"),
    ] {
        let log = get(&world, "owner", &format!("{own}/{path}")).await;
        assert_eq!((log.status, log.json()), (200, json!([want])), "{path}");
    }
    let path = "shop/containers/web/log?timestamps=true";
    let log = get(&world, "owner", &format!("{own}/{path}")).await.json();
    let (time, text) = log[0].as_str().unwrap_or_else(|| panic!("{log}")).split_once(' ').unwrap();
    assert_eq!(text, "web says hello");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    assert_eq!(
        get(&world, "owner", &format!("{own}/shop/containers/web/log?since={time}")).await.json().to_string(),
        "[]"
    );
    for (method, path, expected) in [
        ("GET", "containers/web/log", (412, "name")),
        ("GET", "evil/containers/web/log", (404, "container")),
        ("GET", "shop/containers/none/log", (404, "container")),
        ("GET", "shop/containers/web/log?take=0", (400, "take")),
        ("GET", "shop/containers/web/log?take=1001", (400, "take")),
        ("GET", "shop/containers/web/log?take=-1", (400, "take")),
        ("GET", "shop/containers/web/log?take=99999999999999999999", (400, "take")),
        ("GET", "shop/containers/web/log?since=yesterday", (400, "since")),
        ("GET", "shop/containers/web/log?timestamps=yes", (400, "timestamps")),
        ("POST", "containers/web/stop", (412, "name")),
        ("POST", "evil/containers/web/stop", (404, "container")),
        ("DELETE", "evil/containers/web", (404, "container")),
        ("DELETE", "evil/containers", (404, "container")),
        ("POST", "shop/containers/none/start", (404, "container")),
        ("DELETE", "containers/none", (404, "container")),
    ] {
        let reply = send(&world, "owner", method, &format!("{own}/{path}"), Value::Null).await;
        assert_eq!(refusal(&reply), (expected.0, expected.1.to_owned()), "{method} {path}");
    }
    expect(&world, "owner", "DELETE", &format!("{own}/shop/containers/db"), Value::Null, 204).await;
    expect(&world, "owner", "DELETE", &format!("{own}/shop/containers"), Value::Null, 204).await;
    assert_eq!(names("owner", format!("{own}/containers")).await, ["blog/web"]);
    assert_eq!(names("other", format!("{theirs}/containers")).await, ["evil/web"]);
    let done = events(&world, &own, "&filterEventType=containerCommand").await;
    assert_eq!(done.len(), 7);
    // Of much, the end is told.
    fake.chatter();
    let log = get(&world, "owner", &format!("{own}/blog/containers/web/log?take=1000")).await.json();
    let numbers: Vec<u32> =
        log.as_array().unwrap().iter().map(|line| line.as_str().unwrap().trim().parse().unwrap()).collect();
    assert_eq!(numbers, (1000 - 128..1000).collect::<Vec<_>>());
    fake.away(true);
    assert_eq!(get(&world, "owner", &format!("{own}/containers")).await.status, 503);
    assert_eq!(get(&world, "owner", &format!("{own}/blog/containers/web/log")).await.status, 503);
    world.service.nodes_check().await.unwrap();
    assert_eq!(refusal(&get(&world, "owner", &format!("{own}/containers")).await), (404, "agent".to_owned()));
    fake.away(false);
}
both!(containers, containers_of_others_are_neither_seen_nor_touched);

async fn names(database: Database) {
    let world = World::new(database).await;
    let acme = super::team(&world, "owner", "acme").await;
    world.prefix(&acme, "shop").await;
    // No app gets the name of a team's prefix.
    let reply = send(&world, "owner", "POST", "/api/teams", json!({"name": "x", "slug": "xyz"})).await;
    assert_eq!(reply.status, 201);
    let reply = world.request("POST", "/v2/apps/").user("owner").json_body(&json!({"id": "shop"})).send().await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains("already exists"), "{reply:?}");
    world.named_app("owner", "blog").await;
    assert!(!world.prefix_try(&acme, "blog").await, "an app has the name");
}
both!(names, apps_and_teams_do_not_take_each_others_names);
