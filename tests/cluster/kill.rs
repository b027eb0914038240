//! Parts of the platform die during a push, a build and a rollout, at random points.

use std::time::Instant;

use slipway_tests::Repo;

use crate::chance::Chance;
use crate::installed::{App, Installed};

#[test]
#[ignore = "wants the platform in a cluster"]
fn controllers_die_during_rollouts_and_every_app_settles() {
    let platform = Installed::find();
    let user = platform.user("hal");
    let app = platform.app_from_image(&user, "rollout", &platform.busybox(), &App::serve("one"));
    let mut chance = Chance::of("rollouts");
    let start = Instant::now();
    app.cli(&["config:set", "GREETING="]).ok();
    let whole = start.elapsed();
    for round in 0..5 {
        let point = chance.below(whole);
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
        let start = Instant::now();
        platform.ready();
        assert_eq!(app.settled_since(start, &what), "succeeded", "{what}");
        let greeting = app.cli(&["config:list"]).ok().stdout;
        let last = (0..=round).rev().find(|n| greeting.contains(&format!("g{n}")));
        let expected = last.map_or("greeting= ".to_owned(), |n| format!("greeting=g{n} "));
        platform.answers(&app.name, &expected);
    }
}

/// A repository with a server for the pods of `app`, which is its remote.
pub fn server(app: &App<'_>, text: &str) -> Repo {
    let repo = Repo::server(text);
    let server = std::fs::read_to_string(repo.file("server.py")).unwrap().replace("127.0.0.1", "0.0.0.0");
    repo.change("server.py", &server);
    app.remote(&repo);
    repo
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn builders_and_controllers_die_during_pushes_and_the_next_push_works() {
    let platform = Installed::find();
    let user = platform.user("ivy");
    let app = platform.app(&user, "pushed");
    let repo = server(&app, "first");
    let mut chance = Chance::of("pushes");
    let start = Instant::now();
    user.push(&repo).ok();
    let whole = start.elapsed();
    platform.answers(&app.name, "text=first");
    for round in 0..5 {
        let part = if round % 2 == 0 { "builder" } else { "controller" };
        let point = chance.below(whole);
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
        let start = Instant::now();
        platform.ready();
        assert_eq!(app.settled_since(start, &what), "succeeded", "{what}");
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
