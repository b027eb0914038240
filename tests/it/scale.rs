//! Scaling, by people and by the platform, as seen from outside.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_tests::{Platform, Repo, User, eventually, process_is_alive};

/// Keeps the processor busy while there is the file that `$BURN` names.
const BURNER: &str = "worker: while :; do if [ ! -e \"$BURN\" ]; then sleep 1; fi; done\n";

/// How long a busy machine may take for what is due in seconds.
const PATIENCE: Duration = Duration::from_mins(5);

fn workers(user: &User) -> Vec<Value> {
    let (status, body) = user.api("GET", "/v2/apps/burner/pods/worker/", None);
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    body["results"].as_array().unwrap().clone()
}

fn structure(user: &User) -> Value {
    let (_, body) = user.api("GET", "/v2/apps/burner/", None);
    serde_json::from_str::<Value>(&body).unwrap()["structure"]["worker"].clone()
}

fn grows_to(user: &User, count: usize) {
    eventually(&format!("{count} workers"), PATIENCE, || {
        let pods = workers(user);
        (pods.len() == count && pods.iter().all(|pod| pod["state"] == "up")).then_some(())
    });
}

#[test]
fn an_app_that_computes_grows_to_its_most_and_shrinks_again() {
    let env = [("SLIPWAY_AUTOSCALE_INTERVAL", "1"), ("SLIPWAY_AUTOSCALE_DOWN_WINDOW", "2")];
    let mut platform = Platform::start_with(&[], &env);
    let user = platform.user("ada");
    let repo = Repo::with(&[("Procfile", BURNER)]);
    let burn = repo.file("burn");
    user.deploy(&repo, "burner");
    user.cli(&["config:set", &format!("BURN={}", burn.display()), "-a", "burner"]).ok();
    user.cli(&["ps:scale", "worker=1", "-a", "burner"]).ok();
    grows_to(&user, 1);
    let first = workers(&user)[0]["name"].clone();

    // A small share, so that the test holds on a busy machine.
    user.cli(&["autoscale:set", "worker", "--min=1", "--max=3", "--cpu-percent=5", "-a", "burner"]).ok();
    std::fs::write(&burn, "").unwrap();
    grows_to(&user, 3);
    assert_eq!(structure(&user), json!(3));
    assert!(workers(&user).iter().any(|pod| pod["name"] == first), "what ran was replaced");
    user.cli(&["logs", "-a", "burner"]).ok().says("INFO autoscale scaled pods worker=3: ");

    // It is as it was after the platform was killed.
    platform.kill();
    platform.launch();
    grows_to(&user, 3);
    assert_eq!(structure(&user), json!(3));

    std::fs::remove_file(&burn).unwrap();
    grows_to(&user, 1);
    assert_eq!(structure(&user), json!(1));
    user.cli(&["logs", "-a", "burner"]).ok().says("INFO autoscale scaled pods worker=1: ");
    // None of it made a release.
    user.cli(&["releases", "-a", "burner"]).ok().says("v3").never_says("v4");
    assert!(process_is_alive(platform.pid()));
}

/// Waits until a path of the app is answered by a process of this type: each says its type.
fn answered_by(platform: &Platform, path: &str, text: &str) {
    let mut last = String::new();
    eventually(&format!("{path} is answered with {text:?}"), PATIENCE, || {
        match platform.try_get("shop", path) {
            Ok(answer) if answer.status == 200 && answer.body.contains(text) => return Some(()),
            Ok(answer) => last = format!("{answer:?}"),
            Err(error) => last = error.to_string(),
        }
        None
    });
}

#[test]
fn paths_lead_to_other_types_and_types_are_stopped_and_started() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    let serve = "exec python3 server.py";
    let procfile = format!("web: GREETING=of-web {serve}\napi: GREETING=of-api {serve}\n");
    let repo = Repo::with(&[("Procfile", &procfile), ("server.py", slipway_tests::repo::SERVER), ("text", "one")]);
    user.deploy(&repo, "shop");
    // What does not listen yet is not called.
    user.cli(&["healthchecks:set", "readiness", "tcpSocket", "5000", "--type", "api", "-a", "shop"]).ok();
    user.cli(&["ps:scale", "web=2", "api=2", "-a", "shop"]).ok();
    answered_by(&platform, "/jobs/1", "greeting=of-web");
    user.cli(&["services:add", "--type", "api", "--route", "/jobs,/v\\d+/tasks", "-a", "shop"]).ok();
    for (path, by) in [
        ("/jobs/1?q=/", "greeting=of-api"),
        ("/v2/tasks", "greeting=of-api"),
        ("/", "greeting=of-web"),
        ("/?/jobs", "greeting=of-web"),
        ("/old/jobs", "greeting=of-web"),
    ] {
        let answer = platform.get("shop", path);
        assert!(answer.status == 200 && answer.body.contains(by), "{path}: {answer:?}");
    }

    user.cli(&["ps:stop", "api", "-a", "shop"]).ok().never_says("--- api:").says("--- web:");
    assert_eq!(platform.get("shop", "/jobs").status, 503);
    answered_by(&platform, "/", "greeting=of-web");
    platform.kill();
    platform.launch();
    answered_by(&platform, "/", "greeting=of-web");
    assert_eq!(platform.get("shop", "/jobs").status, 503);
    // A release changes nothing about it.
    user.cli(&["config:set", "B=1", "-a", "shop"]).ok();
    assert_eq!(platform.get("shop", "/jobs").status, 503);
    let started = user.cli(&["ps:start", "api", "-a", "shop"]).ok();
    assert_eq!(started.stdout.matches("shop-api-").count(), 2, "{}", started.stdout);
    answered_by(&platform, "/jobs", "greeting=of-api");

    user.cli(&["services:remove", "api", "-a", "shop"]).ok();
    answered_by(&platform, "/jobs", "greeting=of-web");
}
