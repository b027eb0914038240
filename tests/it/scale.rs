//! Scaling, by people and by the platform, as seen from outside.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_tests::{Platform, Repo, User, eventually, process_is_alive};

/// Keeps the processor busy while there is the file that `$BURN` names.
const BURNER: &str = "worker: while :; do if [ ! -e \"$BURN\" ]; then sleep 1; fi; done\n";

/// How long a busy machine may take for what is due in seconds.
const PATIENCE: Duration = Duration::from_mins(2);

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
