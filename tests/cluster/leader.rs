//! Two controllers: one leads, and when it dies the other does.

use std::time::Duration;

use slipway_tests::eventually;

use crate::installed::{App, Installed};

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
        eventually("a change is taken", Duration::from_mins(1), || {
            (app.cli(&["config:set", &format!("GREETING={greeting}")]).code == 0).then_some(())
        });
        platform.answers(&app.name, &format!("greeting={greeting} "));
        platform.ready();
    }
    assert!(platform.pods("controller").iter().all(|pod| !pods.contains(pod)));
    assert_eq!(app.settled("two leaders died"), "succeeded");
}
