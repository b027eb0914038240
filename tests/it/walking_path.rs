//! The whole main job: from registration to an answer in the browser, and what comes after.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipway_tests::{Platform, Repo, eventually};

#[test]
fn a_python_app_with_packages_lives_its_whole_life() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::fixture("python");

    let push = user.deploy(&repo, "snake");
    push.says("Starting build... but first, coffee!").says("Python app detected").says("Done, snake:v2");
    platform.answers("snake", "");

    user.slipway(repo.path(), &["config:set", "GREETING=Ahoy there"]).ok();
    platform.answers("snake", "Ahoy there");
    user.slipway(repo.path(), &["config"]).ok().says("Ahoy there");

    user.slipway(repo.path(), &["ps:scale", "web=3"]).ok();
    let list = user.slipway(repo.path(), &["ps:list"]).ok();
    assert_eq!(list.stdout.matches(" up (v3)").count(), 3, "{list}");

    user.slipway(repo.path(), &["releases:rollback", "v2"]).ok().says("v4");
    eventually("the greeting is gone", Duration::from_mins(3), || {
        (!platform.get("snake", "/").body.contains("Ahoy there")).then_some(())
    });

    let run = user.slipway(repo.path(), &["run", "echo out; echo err >&2; exit 3"]);
    assert_eq!(run.code, 3, "{run}");
    let run = run.says("out").says("err");
    drop(run);
    user.slipway(repo.path(), &["run", "python", "-c", "import flask; print('flask is here')"])
        .ok()
        .says("flask is here");

    for part in ["web.1", "ada created initial release", "ada deployed", "slipway[router]"] {
        eventually(&format!("{part:?} is in the log"), Duration::from_mins(3), || {
            user.slipway(repo.path(), &["logs"]).ok().stdout.contains(part).then_some(())
        });
    }

    user.slipway(repo.path(), &["destroy", "--confirm=snake"]).ok();
    assert_eq!(platform.get("snake", "/").status, 404);
    user.cli(&["apps:info", "-a", "snake"]).fails().says("No App matches the given query.");
    assert!(!repo.run(&["remote"]).stdout.contains("slipway"), "the remote is removed");
}

#[test]
fn a_static_site_survives_a_move_of_the_platforms_own_program() {
    let mut platform = Platform::start();
    platform.stop();
    platform.move_program("slipway-1");
    platform.launch();
    let user = platform.user("ada");
    user.deploy(&Repo::with(&[("index.html", "<html>still here</html>")]), "site");
    platform.answers("site", "still here");
    platform.stop();
    platform.move_program("slipway-2");
    platform.launch();
    platform.answers("site", "still here");
}

#[test]
fn logins_leave_no_memory_behind() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let resident_kib = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", platform.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let before = resident_kib();
    let api = format!("http://{}", platform.endpoints().api);
    for _ in 0..8 {
        user.cli(&["login", &api, "--username", "ada", "--password", slipway_tests::PASSWORD]).ok();
    }
    let after = resident_kib();
    // Each computes with 19 MiB, and the threads that do it change. What is freed may stay where one or two of them had it.
    assert!(after < before + 48 * 1024, "{before} KiB grew to {after} KiB");
}

#[test]
fn apps_find_the_tools_that_their_builds_found() {
    let tools = tempfile::tempdir().unwrap();
    let tool = tools.path().join("my-greeter");
    std::fs::write(&tool, "#!/bin/sh\necho Grüezi\n").unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let platform = Platform::start_with(&[], &[("PATH", &path)]);
    let user = platform.user("ada");
    user.deploy(&Repo::server("one"), "app");
    user.cli(&["run", "-a", "app", "my-greeter"]).ok().says("Grüezi");
}

#[test]
fn a_node_app_with_packages_answers() {
    let platform = Platform::start();
    let user = platform.user("bob");
    let repo = Repo::fixture("node");
    user.deploy(&repo, "noodle").says("Node.js app detected");
    user.cli(&["config:set", "GREETING=Moin", "-a", "noodle"]).ok();
    platform.answers("noodle", "Moin");
}

#[test]
fn a_static_site_answers() {
    let platform = Platform::start();
    let user = platform.user("cleo");
    let repo = Repo::fixture("static");
    user.deploy(&repo, "site");
    platform.answers("site", "<html");
    assert_eq!(platform.get("site", "/no-such-page").status, 404);
    assert_eq!(platform.get("site", "/../../../../etc/passwd").status, 404);
}

#[test]
fn the_same_path_works_on_postgresql() {
    // The server ends with this process.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(slipway_store::testing::postgres_database(false));
    let mut platform = Platform::start_with(&[], &[("DATABASE_URL", &database)]);
    let user = platform.user("dora");
    let repo = Repo::server("one");
    user.deploy(&repo, "pg");
    platform.answers("pg", "text=one");
    repo.change("text", "two");
    user.push(&repo).ok();
    platform.answers("pg", "text=two");
    platform.kill();
    platform.launch();
    platform.answers("pg", "text=two");
    user.cli(&["releases", "-a", "pg"]).ok().says("v3");
}

#[test]
fn no_request_fails_while_the_only_replica_is_replaced() {
    let platform = Platform::start();
    let user = platform.user("eve");
    let repo = Repo::server("one");
    user.deploy(&repo, "steady");
    platform.answers("steady", "text=one");

    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            let url = format!("http://{}/", platform.endpoints().router);
            std::thread::spawn(move || {
                let client = reqwest::blocking::Client::new();
                let mut good = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get(&url).header("Host", "steady.localhost").send().unwrap();
                    let status = answer.status();
                    let body = answer.text().unwrap();
                    assert!(status == 200 && body.starts_with("text="), "{status} {body}");
                    good += 1;
                }
                good
            })
        })
        .collect();
    for n in 0..6 {
        user.cli(&["config:set", &format!("GREETING=g{n}"), "-a", "steady"]).ok();
    }
    user.cli(&["ps:scale", "web=3", "-a", "steady"]).ok();
    user.cli(&["ps:scale", "web=1", "-a", "steady"]).ok();
    user.cli(&["ps:restart", "-a", "steady"]).ok();
    stop.store(true, Ordering::Relaxed);
    for thread in load {
        assert!(thread.join().expect("a request failed") > 50);
    }
    platform.answers("steady", "greeting=g5");
}

#[test]
fn ctrl_c_stops_the_apps_and_the_next_start_brings_them_back() {
    let mut platform = Platform::start();
    let user = platform.user("finn");
    let repo = Repo::server("one");
    user.deploy(&repo, "again");
    let pid = pid_of(&platform.get("again", "/").body);
    assert_eq!(platform.stop().code(), Some(0), "{}", platform.log());
    assert!(!slipway_tests::process_is_alive(pid));
    platform.launch();
    platform.answers("again", "text=one");
}

#[test]
fn a_second_up_on_the_same_data_refuses_with_the_pid_of_the_first() {
    let platform = Platform::start();
    let mut command = platform.command();
    slipway_tests::Run::of(&mut command).fails().says(&platform.pid().to_string());
}

#[test]
fn collaborators_come_and_go() {
    let platform = Platform::start();
    let owner = platform.user("gina");
    let guest = platform.user("hugo");
    let repo = Repo::server("one");
    owner.deploy(&repo, "ours");
    guest.cli(&["config:set", "A=1", "-a", "ours"]).fails().says("You do not have permission to perform this action.");
    owner.cli(&["perms:create", "hugo", "-a", "ours"]).ok();
    guest.cli(&["config:set", "A=1", "-a", "ours"]).ok();
    repo.change("text", "two");
    repo.run(&["remote", "get-url", "slipway"]);
    guest.push(&repo).ok();
    platform.answers("ours", "text=two");
    guest.cli(&["destroy", "-a", "ours", "--confirm=ours"]).fails();
    owner.cli(&["perms:delete", "hugo", "-a", "ours"]).ok();
    guest.push(&repo).fails();
}

/// The process id in an answer of the small server.
pub fn pid_of(body: &str) -> u32 {
    body.split("pid=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap()
}
