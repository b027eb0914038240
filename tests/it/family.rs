//! Both families of clients against the whole platform: their commands in their own words, and what their programs read
//! off each answer. Source: `drycc-v2.md` §1.3, §1.8, §9 (22).

use std::path::Path;
use std::time::Duration;

use slipway_image::testing::TestRegistry;
use slipway_tests::{PASSWORD, Platform, Repo, User, eventually};

use crate::image::image;

/// What a client of one family looks for in an answer before it believes it.
fn is_versioned(family: &str, answer: &reqwest::blocking::Response) -> bool {
    let value =
        |name: &str| answer.headers().get(format!("{family}_{name}_VERSION")).map(|value| value.to_str().unwrap());
    value("API") == Some("2.3") && value("PLATFORM") == Some("2.3.0")
}

/// The calls by which a family's client decides that a server is one of its own.
fn handshake(platform: &Platform, family: &str) {
    let client = reqwest::blocking::Client::new();
    let api = format!("http://{}", platform.endpoints().api);
    for (path, status) in [("/healthz", 200), ("/v2/", 401), ("/v2/apps/none/", 401), ("/v2/nothing", 404)] {
        let answer = client.get(format!("{api}{path}")).send().unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(is_versioned(family, &answer), "{path}: {:?}", answer.headers());
    }
}

/// The walk of the list, as this family's client types it.
fn walk(name: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(TestRegistry::start());
    let platform = Platform::start_with(&[], &[("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1")]);
    handshake(&platform, name);

    let user = User::stranger_at(platform.endpoints(), "bob");
    let run = |dir: &Path, args: &[&str]| user.called(name, dir, args);
    let home = user.home();
    let api = format!("http://{}", platform.endpoints().api);
    let account = ["--username=bob", &format!("--password={PASSWORD}"), "--email=bob@example.com"];
    run(home, &[&["register", api.as_str()][..], &account].concat())
        .ok()
        .says("Registered bob")
        .says("Logged in as bob")
        .never_says("versions do not match");
    assert!(home.join(format!(".{name}/client.json")).exists(), "the profile is the family's own");
    run(home, &["keys:add", "bob-key", user.key_make().to_str().unwrap()]).ok();

    // From an image.
    run(home, &["create", "site", "--no-remote"]).ok().says("Creating Application... done, created site");
    let first = image(&registry, "v1", "first");
    run(home, &["pull", &first, "-a", "site"]).ok().says("Creating build... done");
    platform.answers("site", "first");
    run(home, &["config:set", "GREETING=hello", "-a", "site"]).ok().says("GREETING");
    run(home, &["run", "-a", "site", "--", "echo $GREETING; exit 3"]).fails().says("hello");
    run(home, &["pull", &image(&registry, "v2", "second"), "-a", "site"]).ok();
    platform.answers("site", "second");
    run(home, &["releases:rollback", "v2", "-a", "site"]).ok().says("Rolling back to v2... done, v5");
    eventually("the rollback serves", Duration::from_mins(3), || {
        platform.get("site", "/").body.contains("first").then_some(())
    });
    run(home, &["ps:scale", "cmd=2", "-a", "site"]).ok().says("Scaling processes... but first, coffee!");
    let list = run(home, &["ps:list", "-a", "site"]).ok();
    assert_eq!(list.stdout.matches("up (v5)").count(), 2, "{list}");
    run(home, &["destroy", "-a", "site", "--confirm=site"]).ok().says("Destroying site...");
    assert_eq!(platform.get("site", "/").status, 404);

    // From a push, to the remote that the client wrote.
    let repo = Repo::server("one");
    run(repo.path(), &["create", "blog"]).ok().says(&format!("Git remote {name} successfully created for app blog."));
    let push = || user.git(&repo, &["push", name, "main"]).ok();
    push().says("Starting build... but first, coffee!").says("Done, blog:v2 deployed to");
    platform.answers("blog", "text=one");
    run(repo.path(), &["config:set", "GREETING=hello"]).ok();
    platform.answers("blog", "greeting=hello");
    run(repo.path(), &["scale", "web=2"]).ok();
    run(repo.path(), &["run", "echo out; echo err >&2; exit 4"]).fails().says("out").says("err");
    for line in ["bob created initial release", "bob deployed", "bob added GREETING", "bob scaled pods web=2"] {
        eventually(&format!("{line:?} is in the log"), Duration::from_mins(3), || {
            run(repo.path(), &["logs"]).ok().stdout.contains(line).then_some(())
        });
    }
    run(repo.path(), &["rollback", "v2"]).ok().says("done, v4");
    run(repo.path(), &["releases"]).ok().says("bob rolled back to v2");
    run(repo.path(), &["destroy", "--confirm=blog"]).ok();
    run(home, &["apps:info", "-a", "blog"]).fails().says("Error: \"No App matches the given query.\"");
}

#[test]
fn a_deis_client_walks_the_whole_way() {
    walk("deis");
}

#[test]
fn a_drycc_client_walks_the_whole_way() {
    walk("drycc");
}
