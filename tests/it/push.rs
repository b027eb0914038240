//! Pushes that go well, and all the ways in which they do not.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use slipway_tests::{Platform, Repo, User, eventually, process_is_alive};

/// A Node.js app whose build tells its process id in `BUILD_PID_FILE` and then takes an hour.
fn slow_build() -> Repo {
    Repo::with(&[
        (
            "package.json",
            r#"{"name": "slow", "version": "1.0.0", "private": true,
                "scripts": {"build": "node build.js", "start": "node server.js"}}"#,
        ),
        (
            "build.js",
            "require('fs').writeFileSync(process.env.BUILD_PID_FILE, String(process.pid));
             console.log('building slowly'); setTimeout(() => {}, 3600000);\n",
        ),
        ("server.js", "require('http').createServer((q, r) => r.end('slow')).listen(process.env.PORT);\n"),
    ])
}

fn build_pid(file: &Path) -> u32 {
    eventually("the build has begun", Duration::from_mins(3), || std::fs::read_to_string(file).ok()?.parse().ok())
}

/// The lines that tools look for, in their order. Source: `drycc-v2.md` §5.4, §5.5.
#[test]
fn a_push_says_what_upstream_says_line_by_line() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    let push = user.deploy(&repo, "blog");
    let said: Vec<&str> = push.stderr.lines().filter_map(|line| line.strip_prefix("remote: ")).map(str::trim).collect();
    let mut rest = said.iter();
    for line in [
        "Starting build... but first, coffee!",
        "Build complete.",
        "Launching App...",
        "Done, blog:v2 deployed to Slipway",
        "Use 'slipway open' to view this application in your browser",
    ] {
        assert!(rest.any(|other| *other == line), "{line:?} is missing, or in another place: {push}");
    }

    // Eight digits of the commit name the build, seven the release.
    let head = repo.head();
    let (_, build) = user.api("GET", "/v2/apps/blog/build/", None);
    let build: serde_json::Value = serde_json::from_str(&build).unwrap();
    assert_eq!(build["sha"], head[..8], "{build}");
    assert_eq!(user.releases("blog")[0]["summary"], format!("ada deployed {}", &head[..7]));

    // Deleting a branch builds nothing and stops nothing.
    user.git(&repo, &["push", "slipway", ":main"]).ok().says("[deleted]").never_says("coffee");
    assert_eq!(user.releases("blog").len(), 2);
    platform.answers("blog", "text=one");
    repo.change("text", "two");
    user.push(&repo).ok().says("Done, blog:v3 deployed to Slipway");
    platform.answers("blog", "text=two");
}

#[test]
fn a_failing_build_leaves_everything_as_it_was() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    repo.write("Procfile", "web exec python3 server.py\n");
    repo.change("text", "two");
    user.push(&repo).fails().says("Procfile").says("remote rejected");
    assert_eq!(user.releases("app").len(), 2);
    platform.answers("app", "text=one");
    // The same commit may be pushed again, and a mended one goes through.
    user.push(&repo).fails();
    repo.change("Procfile", "web: exec python3 server.py\n");
    user.push(&repo).ok();
    platform.answers("app", "text=two");
}

#[test]
fn a_failing_install_shows_the_tools_own_words() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::fixture("failing-build");
    user.slipway(repo.path(), &["create", "broken"]).ok();
    user.push(&repo).fails().says("remote rejected");
    assert_eq!(platform.get("broken", "/").status, 503);
    let log = user.cli(&["builds:log", "-a", "broken"]).ok();
    assert!(log.stdout.len() > 100, "the log of a failed build is kept: {log}");
}

#[test]
fn a_release_that_crashes_fails_with_its_last_words_and_the_old_one_serves_on() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    repo.change("server.py", "import sys\nprint('the database is on fire', file=sys.stderr)\nsys.exit(7)\n");
    user.push(&repo).fails().says("the database is on fire").says("remote rejected");
    let newest = &user.releases("app")[0];
    assert_eq!(newest["failed"], true, "{newest}");
    assert_eq!(newest["state"], "failed", "{newest}");
    platform.answers("app", "text=one");
    // It poisons nothing: configuration and a mended push build on the last good release.
    user.cli(&["config:set", "GREETING=still", "-a", "app"]).ok();
    platform.answers("app", "greeting=still");
    repo.write("server.py", slipway_tests::repo::SERVER);
    repo.change("text", "two");
    user.push(&repo).ok();
    platform.answers("app", "text=two");
}

#[test]
fn strangers_and_unknown_apps_are_told_so() {
    let platform = Platform::start();
    let owner = platform.user("ada");
    let stranger = platform.user("mallory");
    let repo = Repo::server("one");
    owner.deploy(&repo, "blog");
    owner.cli(&["create", "blog-api", "--no-remote"]).ok();

    stranger.push(&repo).fails().says("permission");
    let url = repo.run(&["remote", "get-url", "slipway"]).stdout.trim().to_owned();
    let push_to = |user: &User, url: &str| user.git(&repo, &["push", url, "main"]);
    push_to(&owner, &url.replace("blog", "no-such-app")).fails().says("no-such-app");
    for hostile in ["../blog", "blog/../blog", "", "blog;id", "$(id)", "-oProxyCommand=id"] {
        push_to(&owner, &url.replace("blog", hostile)).fails();
    }
    // Somebody whose key nobody knows does not even get in.
    let nobody = platform.user("niemand");
    nobody.cli(&["keys:remove", "niemand-key"]).ok();
    nobody.push(&repo).fails().says("Permission denied");
    platform.answers("blog", "text=one");
}

#[test]
fn other_branches_are_kept_but_do_not_deploy() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    repo.run(&["checkout", "-q", "-b", "feature"]);
    repo.change("text", "two");
    user.git(&repo, &["push", "slipway", "feature"]).ok().says("does not deploy");
    assert_eq!(user.releases("app").len(), 2);
    platform.answers("app", "text=one");
    user.git(&repo, &["push", "slipway", "feature:main"]).ok();
    platform.answers("app", "text=two");
}

#[test]
fn history_may_be_rewritten() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    repo.write("text", "rewritten");
    repo.run(&["commit", "-q", "-a", "--amend", "-m", "Rewritten"]);
    user.push(&repo).fails().says("non-fast-forward");
    user.git(&repo, &["push", "--force", "slipway", "main"]).ok();
    platform.answers("app", "text=rewritten");
}

#[test]
fn a_history_of_100_000_objects_is_pushed_and_added_to() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    repo.add_history(33_400);
    let count = repo.run(&["count-objects", "-v"]).stdout;
    assert!(count.contains("in-pack: 100") || count.contains("in-pack: 10"), "{count}");
    user.deploy(&repo, "old");
    platform.answers("old", "text=one");
    repo.change("text", "two");
    user.push(&repo).ok();
    platform.answers("old", "text=two");
}

#[test]
fn a_pusher_who_goes_away_cancels_the_build_and_frees_the_lock() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = slow_build();
    user.slipway(repo.path(), &["create", "slow"]).ok();
    let pid_file = user.home().join("build.pid");
    user.slipway(repo.path(), &["config:set", &format!("BUILD_PID_FILE={}", pid_file.display())]).ok();

    let mut push = user.push_start(&repo);
    let pid = build_pid(&pid_file);
    user.push(&repo).fails().says("fatal: remote error: Another git push is ongoing");
    kill_process_group(Pid::from_child(&push), Signal::KILL).unwrap();
    push.wait().unwrap();
    eventually("the build is ended", Duration::from_mins(3), || (!process_is_alive(pid)).then_some(()));

    repo.change("build.js", "console.log('quick')\n");
    eventually("the lock is free", Duration::from_mins(3), || (user.push(&repo).code == 0).then_some(()));
    platform.answers("slow", "slow");
}

#[test]
fn kill_9_in_the_middle_of_a_push_leaves_no_build_and_no_lock() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    let repo = slow_build();
    user.slipway(repo.path(), &["create", "slow"]).ok();
    let pid_file = user.home().join("build.pid");
    user.slipway(repo.path(), &["config:set", &format!("BUILD_PID_FILE={}", pid_file.display())]).ok();
    let mut push = user.push_start(&repo);
    let pid = build_pid(&pid_file);
    platform.kill();
    push.wait().unwrap();
    platform.launch();
    eventually("the build is ended", Duration::from_mins(3), || (!process_is_alive(pid)).then_some(()));
    repo.change("build.js", "console.log('quick')\n");
    user.push(&repo).ok();
    platform.answers("slow", "slow");
}
