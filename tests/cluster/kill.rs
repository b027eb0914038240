//! Parts of the platform die during a push, a build and a rollout, at random points.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use slipway_tests::Repo;

use crate::installed::{App, Installed};

/// A time up to `limit`, told so that a failure can be looked into.
fn random(limit: Duration) -> Duration {
    let seed = RandomState::new().build_hasher().finish();
    let millis = seed % u64::try_from(limit.as_millis()).unwrap();
    Duration::from_millis(millis)
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn controllers_die_during_rollouts_and_every_app_settles() {
    let platform = Installed::find();
    let user = platform.user("hal");
    let app = platform.app_from_image(&user, "rollout", &platform.busybox(), &App::serve("one"));
    for round in 0..5 {
        let point = random(Duration::from_secs(4));
        let greeting = format!("GREETING=g{round}");
        let what = format!("round {round}: all controllers killed {point:?} into a change");
        eprintln!("{what}");
        std::thread::scope(|scope| {
            // Whether the client gets an answer is chance; what it wrote must come about, or not have been written.
            scope.spawn(|| app.cli(&["config:set", &greeting]));
            std::thread::sleep(point);
            for pod in platform.pods("controller") {
                platform.kill(&pod);
            }
        });
        platform.ready();
        assert_eq!(app.settled(&what), "succeeded", "{what}");
        let greeting = app.cli(&["config:list"]).ok().stdout;
        let last = (0..=round).rev().find(|n| greeting.contains(&format!("g{n}")));
        let expected = last.map_or("greeting= ".to_owned(), |n| format!("greeting=g{n} "));
        platform.answers(&app.name, &expected);
    }
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn builders_and_controllers_die_during_pushes_and_the_next_push_works() {
    let platform = Installed::find();
    let user = platform.user("ivy");
    let app = platform.app(&user, "pushed");
    let repo = Repo::server("first");
    let server = std::fs::read_to_string(repo.file("server.py")).unwrap().replace("127.0.0.1", "0.0.0.0");
    repo.change("server.py", &server);
    app.remote(&repo);
    user.push(&repo).ok();
    platform.answers(&app.name, "text=first");
    for round in 0..5 {
        let part = if round % 2 == 0 { "builder" } else { "controller" };
        let point = random(Duration::from_secs(8));
        let what = format!("round {round}: {part} killed {point:?} into a push");
        eprintln!("{what}");
        let text = format!("text-{round}");
        repo.change("text", &text);
        let child = user.push_start(&repo);
        std::thread::sleep(point);
        for pod in platform.pods(part) {
            platform.kill(&pod);
        }
        let output = child.wait_with_output().unwrap();
        eprintln!("the push ended with {}", output.status);
        platform.ready();
        assert_eq!(app.settled(&what), "succeeded", "{what}");
        if output.status.success() {
            platform.answers(&app.name, &format!("text={text} "));
        }
        // Whatever became of it: the next one works, without waiting for a lock that nobody holds.
        let text = format!("again-{round}");
        repo.change("text", &text);
        user.push(&repo).ok();
        platform.answers(&app.name, &format!("text={text} "));
    }
    let jobs = platform.kubectl(&["-n", &format!("{}-builds", platform.release), "get", "jobs", "-o", "name"]).ok();
    assert_eq!(jobs.stdout, "", "no build is left behind");
}
