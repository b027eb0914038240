//! The plug is pulled: what was wanted comes about all the same.

use std::time::Duration;

use slipway_tests::{Platform, Repo, eventually, process_is_alive};

use crate::walking_path::pid_of;

#[test]
fn kill_9_leaves_no_strays_and_the_next_start_brings_the_apps_back() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    let pid = pid_of(&platform.get("app", "/").body);
    platform.kill();
    platform.launch();
    platform.answers("app", "text=one");
    assert_ne!(pid_of(&platform.get("app", "/").body), pid);
    assert!(!process_is_alive(pid), "the process of the first start is a stray");
}

#[test]
fn kill_9_in_the_middle_of_a_deploy_ends_settled() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    let gate = repo.file("gate");
    std::fs::write(&gate, "").unwrap();
    user.cli(&["config:set", &format!("BOOT_GATE={}", gate.display()), "-a", "app"]).ok();
    std::fs::remove_file(&gate).unwrap();
    repo.change("text", "two");
    let mut push = user.push_start(&repo);
    eventually("the deploy has begun", Duration::from_mins(3), || {
        (user.releases("app")[0]["state"] == "deploying").then_some(())
    });
    platform.kill();
    push.wait().unwrap();
    platform.launch();
    std::fs::write(&gate, "").unwrap();
    let newest = eventually("the release is settled", Duration::from_mins(3), || {
        let newest = user.releases("app").swap_remove(0);
        (newest["state"] != "deploying" && newest["state"] != "created").then_some(newest)
    });
    assert_eq!(newest["state"], "succeeded", "{newest}");
    assert_eq!(newest["version"], 4, "{newest}");
    platform.answers("app", "text=two");
    // Nothing of the lost push is in the way of the next.
    repo.change("text", "three");
    user.push(&repo).ok();
    platform.answers("app", "text=three");
}

#[test]
fn after_kill_9_the_old_release_serves_while_a_new_one_is_still_coming_up() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    repo.change("server.py", "import time\ntime.sleep(600)\n");
    let mut push = user.push_start(&repo);
    eventually("the deploy has begun", Duration::from_mins(3), || {
        (user.releases("app")[0]["state"] == "deploying").then_some(())
    });
    platform.kill();
    push.wait().unwrap();
    platform.launch();
    platform.answers("app", "text=one");
    let newest = &user.releases("app")[0];
    assert_eq!(newest["state"], "deploying", "{newest}");
}

#[test]
fn kill_9_again_and_again_while_deploying_never_loses_the_app() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    for (round, pause_ms) in [0_u64, 40, 120, 300, 700].into_iter().enumerate() {
        let body = format!(r#"{{"values":{{"GREETING":"round-{round}"}}}}"#);
        let change = {
            let user_api = user.token();
            let url = format!("http://{}/v2/apps/app/config/", platform.endpoints().api);
            std::thread::spawn(move || {
                let _ = reqwest::blocking::Client::new()
                    .post(url)
                    .header("Authorization", format!("token {user_api}"))
                    .header("Content-Type", "application/json")
                    .body(body)
                    .send();
            })
        };
        // The pause is the point: each round pulls the plug at another moment of the deploy.
        std::thread::sleep(Duration::from_millis(pause_ms));
        platform.kill();
        change.join().unwrap();
        platform.launch();
        platform.answers("app", "text=one");
    }
    // The last round's release may still be on its way; until it has settled, another change is refused.
    eventually("a change is taken again", Duration::from_mins(3), || {
        let change = user.cli(&["config:set", "GREETING=at-last", "-a", "app"]);
        if change.code != 0 {
            change.says("is already in progress");
            return None;
        }
        Some(())
    });
    platform.answers("app", "greeting=at-last");
    let versions: Vec<u64> = user.releases("app").iter().map(|release| release["version"].as_u64().unwrap()).collect();
    let mut unique = versions.clone();
    unique.dedup();
    assert_eq!(versions, unique, "a version was used twice");
}

#[test]
fn a_process_that_is_killed_is_replaced() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    let pid = pid_of(&platform.get("app", "/").body);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    eventually("another process answers", Duration::from_mins(3), || {
        let answer = platform.try_get("app", "/").ok()?;
        (answer.status == 200 && pid_of(&answer.body) != pid).then_some(())
    });
}
