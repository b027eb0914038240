//! Two controllers: one leads, and when it dies the other does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use slipway_tests::eventually;

use crate::installed::{App, Installed, SETTLED};

#[test]
#[ignore = "wants the platform in a cluster"]
fn the_leader_dies_and_the_other_controller_goes_on() {
    let platform = Installed::find();
    platform.ready();
    let user = platform.user("jan");
    let app = platform.app_from_image(&user, "led", &platform.busybox(), &App::serve("one"));
    let pods = platform.pods("controller");
    assert_eq!(pods.len(), 2, "{pods:?}");
    // One of the two leads, whichever: both die, one after the other, and each time the other one must go on.
    for (round, pod) in pods.iter().enumerate() {
        platform.kill(pod);
        let greeting = format!("g{round}");
        eventually("a change is taken", SETTLED, || {
            (app.cli(&["config:set", &format!("GREETING={greeting}")]).code == 0).then_some(())
        });
        platform.answers(&app.name, &format!("greeting={greeting} "));
        platform.ready();
    }
    assert!(platform.pods("controller").iter().all(|pod| !pods.contains(pod)));
    assert_eq!(app.settled("two leaders died"), "succeeded");
}

/// Asks the API again and again until `done`; tells the longest time without an answer.
fn longest_silence(platform: &Installed, done: &AtomicBool) -> Duration {
    let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    let (mut answered, mut longest) = (Instant::now(), Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let url = format!("http://{}/readiness", platform.endpoints.api);
        if client.get(url).send().is_ok_and(|answer| answer.status() == 200) {
            longest = longest.max(answered.elapsed());
            answered = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    longest.max(answered.elapsed())
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn the_leader_dies_in_a_rollout_which_the_other_ends_while_the_api_answers() {
    let platform = Installed::find();
    platform.ready();
    let user = platform.user("lea");
    let app = platform.app_from_image(&user, "taken", &platform.busybox(), &App::serve("one"));
    let holder = || platform.field(&platform.namespace, "lease/slipway-controller", "{.spec.holderIdentity}");
    let before = holder();
    assert!(platform.pods("controller").contains(&before), "{before}");
    let done = AtomicBool::new(false);
    let silence = std::thread::scope(|scope| {
        let watching = scope.spawn(|| longest_silence(&platform, &done));
        // The client may have been answered by the one that dies: what was recorded comes about all the same.
        let (_, body) = user.api("GET", &format!("/v2/apps/{}/releases/", app.name), None);
        let releases = body.matches("\"version\"").count();
        scope.spawn(|| app.cli(&["config:set", "GREETING=Ahoy"]));
        eventually("the change is recorded", SETTLED, || (user.releases(&app.name).len() > releases).then_some(()));
        platform.kill(&before);
        let killed = Instant::now();
        platform.answers(&app.name, "greeting=Ahoy ");
        assert_eq!(app.settled("the leader died"), "succeeded");
        eprintln!("in effect and settled {:?} after the leader's death", killed.elapsed());
        assert!(killed.elapsed() < SETTLED);
        eventually("another leads", SETTLED, || Some(holder()).filter(|now| !now.is_empty() && *now != before));
        done.store(true, Ordering::Relaxed);
        watching.join().unwrap()
    });
    eprintln!("the API was silent for {silence:?} at most");
    assert!(silence < Duration::from_mins(1), "{silence:?}");
    platform.ready();
}
