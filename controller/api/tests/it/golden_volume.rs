//! Volumes and timeouts of 2020: the body of every answer, and what comes of it.

use serde_json::{Value, json};
use slipway_service::testing::Behaviour;

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
    let detail = |status: u16, text: &str| (status, json!({"detail": text}));
    let field = |name: &str, text: &str| (400, json!({name: [text]}));
    let newest = async || ask("GET", "releases/", &none).await.1["results"][0].clone();
    let mounts = async |process_type: &str| {
        let app = ask("GET", "", &none).await.1["uuid"].as_str().unwrap().parse().unwrap();
        let release = world.engine.applied(app).unwrap().release.unwrap();
        let process = release.processes.into_iter().find(|one| one.process_type.as_str() == process_type).unwrap();
        let shown = process.mounts.iter().map(|mount| format!("{} {}", mount.name, mount.path)).collect::<Vec<_>>();
        (shown.join(", "), process.grace.as_secs())
    };

    // Before there is a build.
    let (status, volume) = ask("POST", "volumes/", &json!({"name": "data", "size": "500M"})).await;
    assert_eq!(status, 201);
    let text = |name: &str| volume[name].as_str().unwrap();
    assert!(text("uuid").parse::<uuid::Uuid>().is_ok() && text("created") == text("updated"), "{volume}");
    let expect = json!({
        "uuid": text("uuid"), "owner": "owner", "app": "blog", "name": "data", "size": "500M", "path": {},
        "created": text("created"), "updated": text("updated"),
    });
    assert_eq!(volume, expect);
    assert_eq!(
        ask("POST", "volumes/", &json!({"name": "data", "size": "1G"})).await,
        detail(409, "Volume data already exists")
    );
    assert_eq!(ask("POST", "volumes/", &json!({"name": "logs", "size": "1G", "path": {"web": "/logs"}})).await.0, 201);
    let release = newest().await;
    assert_eq!((&release["version"], &release["summary"]), (&json!(2), &json!("owner changed volume mount for logs")));
    let (status, list) = ask("GET", "volumes/?limit=1", &none).await;
    assert_eq!((status, &list["count"], &list["results"]), (200, &json!(2), &json!([volume])));
    assert!(list["next"].as_str().unwrap().contains("limit=1") && list["previous"].is_null(), "{list}");

    for (body, expect) in [
        (json!({}), (400, json!({"name": ["This field is required."], "size": ["This field is required."]}))),
        (json!({"name": "A", "size": "1G"}), field("name", "Can only contain a-z (lowercase), 0-9 and hyphens")),
        (
            json!({"name": "a".repeat(64), "size": "1G"}),
            field("name", "Ensure this field has no more than 63 characters."),
        ),
        (
            json!({"name": "a", "size": "1T"}),
            field("size", "Volume size limit format: <number><unit>, where unit = M or G"),
        ),
        (json!({"name": "a", "size": "16385G"}), field("size", "Volume setting is not in allowed range: 1M~16384G")),
        (json!({"name": "a", "size": "1G", "path": {"web": null}}), field("path", "This field may not be null.")),
        (
            json!({"name": "a", "size": "1G", "path": {"web": "/logs/x"}}),
            detail(400, "path /logs/x is used by another volume: logs is mounted at /logs"),
        ),
    ] {
        assert_eq!(ask("POST", "volumes/", &body).await, expect, "{body}");
    }
    assert_eq!(ask("POST", "volumes/", &json!({"name": "a", "size": "1G", "path": ["web"]})).await.0, 400);
    assert_eq!(ask("GET", "volumes/", &none).await.1["count"], json!(2));

    // Mounts make releases, and processes have them.
    let build = json!({"image": "example/app:1", "procfile": {"web": "run", "worker": "work"}});
    assert_eq!(ask("POST", "builds/", &build).await.0, 201);
    assert_eq!(mounts("web").await.0, "logs /logs");
    let path = "volumes/data/path/";
    let (status, mounted) = ask("PATCH", path, &json!({"path": {"web": "/data", "worker": "/app/in"}})).await;
    assert_eq!(
        (status, &mounted["path"], &mounted["name"]),
        (200, &json!({"web": "/data", "worker": "/app/in"}), &json!("data"))
    );
    assert_eq!(newest().await["summary"], "owner changed volume mount for data");
    assert_eq!(
        (mounts("web").await.0, mounts("worker").await.0),
        ("data /data, logs /logs".into(), "data /app/in".into())
    );
    for (body, expect) in [
        (json!({}), detail(400, "path is a required field")),
        (json!({"path": null}), detail(400, "path is a required field")),
        (json!({"path": {}}), detail(400, "mount path not changed")),
        (json!({"path": {"web": "/data"}}), detail(400, "mount path not changed")),
        (json!({"path": {"web": "/logs"}}), detail(400, "path /logs is used by another volume")),
        (json!({"path": {"clock": "/data"}}), detail(400, "process type clock is not included in profile")),
        (json!({"path": {"cmd": null}}), detail(422, "cmd does not exist under volume")),
        (json!({"path": {"web": 7}}), field("path", slipway_core::volume::PATH_RULE)),
        (json!({"path": {"web": "/a/../b"}}), field("path", slipway_core::volume::PATH_RULE)),
        (json!({"path": {"web": "/proc/x"}}), field("path", slipway_core::volume::PATH_RESERVED)),
        (
            json!({"path": {"No!": "/data"}}),
            field("path", "Process types can only contain lowercase alphanumeric characters"),
        ),
    ] {
        assert_eq!(ask("PATCH", path, &body).await, expect, "{body}");
    }
    let missing = (404, json!("No Volume matches the given query."));
    assert_eq!(ask("PATCH", "volumes/none/path/", &json!({"path": {"web": "/x"}})).await, missing);
    world.engine.script_mount_refusal("/srv", "not there");
    assert_eq!(ask("PATCH", path, &json!({"path": {"web": "/srv"}})).await, detail(400, "not there"));
    assert_eq!(newest().await["version"], json!(4));

    // A mount that fails is gone.
    world.engine.script_version(5, Behaviour::Failing("no such disk".to_owned()));
    let (status, refusal) = ask("PATCH", path, &json!({"path": {"worker": null}})).await;
    assert!(status == 400 && refusal["detail"].as_str().unwrap().ends_with("no such disk"), "{refusal}");
    let failed = newest().await;
    assert_eq!(
        (&failed["failed"], &failed["summary"]),
        (&json!(true), &json!("owner deploy with a volume that failed"))
    );
    assert_eq!(ask("GET", "volumes/", &none).await.1["results"][0]["path"], mounted["path"]);
    assert_eq!(ask("PATCH", path, &json!({"path": {"worker": null}})).await.1["path"], json!({"web": "/data"}));
    assert_eq!(mounts("worker").await.0, "");
    world.engine.script_version(7, Behaviour::Hang);
    let elsewhere = json!({"path": {"web": "/x"}});
    let under_way = tokio::join!(ask("PATCH", path, &elsewhere), async {
        while newest().await["version"] != json!(7) {
            tokio::task::yield_now().await;
        }
        let refused = ask("PATCH", path, &json!({"path": {"web": "/y"}})).await;
        let busy = detail(409, "Deployment for blog-web is already in progress");
        assert_eq!(refused, busy);
        assert_eq!(ask("POST", "volumes/", &json!({"name": "x", "size": "1G", "path": {"web": "/y"}})).await, busy);
        world.engine.script_version(7, Behaviour::ReadyAfter(0));
    });
    assert_eq!(under_way.0.0, 200);

    // Growing.
    let larger = ask("PATCH", "volumes/data/", &json!({"size": "1G"})).await;
    assert_eq!((larger.0, &larger.1["size"], &larger.1["path"]), (200, &json!("1G"), &json!({"web": "/x"})));
    let smaller = "A volume can only grow: 1024M is not more than 1G.";
    assert_eq!(ask("PATCH", "volumes/data/", &json!({"size": "1024M"})).await, detail(400, smaller));
    assert_eq!(ask("PATCH", "volumes/data/", &json!({"size": "x"})).await.0, 400);
    assert_eq!(ask("PATCH", "volumes/none/", &json!({"size": "2G"})).await, missing);

    // One-off processes.
    let run = json!({"command": "ls", "volumes": {"data": "/in", "logs": "/out"}});
    assert_eq!(ask("POST", "run/", &run).await.0, 200);
    let spec = world.engine.run_specs().pop().unwrap();
    let shown: Vec<String> = spec.mounts.iter().map(|mount| format!("{} {}", mount.name, mount.path)).collect();
    assert_eq!(shown, ["data /in", "logs /out"]);
    for (volumes, expect) in [
        (json!({"none": "/in"}), missing.clone()),
        (json!({"data": "in"}), field("volumes", slipway_core::volume::PATH_RULE)),
        (json!({"data": null}), field("volumes", "This field may not be null.")),
        (
            json!({"data": "/in", "logs": "/in/a"}),
            detail(400, "path /in/a is used by another volume: data is mounted at /in"),
        ),
        (json!({"data": "/srv"}), detail(400, "not there")),
    ] {
        assert_eq!(ask("POST", "run/", &json!({"command": "ls", "volumes": volumes})).await, expect, "{volumes}");
    }
    assert_eq!(ask("POST", "run/", &json!({"command": "ls"})).await.0, 200);
    assert!(world.engine.run_specs().pop().unwrap().mounts.is_empty());

    // Only what nobody has mounted can be deleted, and nobody goes back to it.
    assert_eq!(ask("DELETE", "volumes/data/", &none).await, detail(400, "the volume is not unmounted"));
    assert_eq!(ask("PATCH", path, &json!({"path": {"web": null}})).await.0, 200);
    assert_eq!(ask("DELETE", "volumes/data/", &none).await, (204, none.clone()));
    assert_eq!(ask("DELETE", "volumes/data/", &none).await, missing);
    let gone = "Cannot roll back to v4: it mounts the volume data, which was deleted.";
    assert_eq!(ask("POST", "releases/rollback/", &json!({"version": 4})).await, detail(400, gone));
    assert_eq!(ask("POST", "releases/rollback/", &json!({"version": 3})).await.0, 201);
    assert_eq!(mounts("web").await.0, "logs /logs");

    // How long processes may take to end.
    assert_eq!(ask("GET", "config/", &none).await.1["termination_grace_period"], json!({}));
    let grace = |value: Value| json!({"termination_grace_period": value});
    let (status, config) = ask("POST", "config/", &grace(json!({"web": 90, "worker": "5"}))).await;
    assert_eq!((status, &config["termination_grace_period"]), (201, &json!({"web": "90", "worker": "5"})));
    assert_eq!(newest().await["summary"], "owner changed timeouts for termination_grace_period");
    assert_eq!((mounts("web").await.1, mounts("worker").await.1), (90, 5));
    assert_eq!(ask("POST", "config/", &grace(json!({"web": "90"}))).await.0, 409);
    let rule = "Termination Grace Period format: <value>, where value must be a numeric";
    assert_eq!(ask("POST", "config/", &grace(json!({"web": "1m"}))).await, field("termination_grace_period", rule));
    let hooks = |post: Value, stop: Value| json!({"lifecycle_post_start": post, "lifecycle_pre_stop": stop});
    let (status, config) =
        ask("POST", "config/", &hooks(json!({"web": "bin/announce"}), json!({"worker": "bin/leave"}))).await;
    let kept = (&config["lifecycle_post_start"], &config["lifecycle_pre_stop"]);
    assert_eq!((status, kept), (201, (&json!({"web": "bin/announce"}), &json!({"worker": "bin/leave"}))));
    let changed = "owner changed lifecycle for lifecycle_post_start, lifecycle_pre_stop";
    assert_eq!(newest().await["summary"], changed);
    let (status, config) = ask("POST", "config/", &hooks(json!({"web": null}), json!({}))).await;
    assert_eq!((status, &config["lifecycle_post_start"]), (201, &json!({})));
    let empty = "The command of web is empty";
    assert_eq!(
        ask("POST", "config/", &hooks(json!({"web": " "}), json!({}))).await,
        field("lifecycle_post_start", empty)
    );
    let text = "Not a valid string.";
    assert_eq!(ask("POST", "config/", &hooks(json!({}), json!({"web": 1}))).await, field("lifecycle_pre_stop", text));
    let gone = "web does not exist under lifecycle_pre_stop";
    assert_eq!(ask("POST", "config/", &hooks(json!({}), json!({"web": null}))).await, (422, json!({"detail": gone})));
    let absent = "clock does not exist under termination_grace_period";
    assert_eq!(ask("POST", "config/", &grace(json!({"clock": null}))).await, detail(422, absent));
    assert_eq!(ask("POST", "config/", &grace(json!({"web": null}))).await.0, 201);
    assert_eq!(mounts("web").await.1, 30);

    // An engine without volumes.
    world.engine.script_no_volumes();
    let (status, refusal) = ask("POST", "volumes/", &json!({"name": "more", "size": "1G"})).await;
    assert!(status == 400 && refusal["detail"].as_str().unwrap().contains("config:set"), "{refusal}");
}

both!(walk, volumes_and_timeouts);
