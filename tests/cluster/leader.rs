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
    let holder = || platform.kubectl(&["-n", &platform.namespace, "get", "leases", "-o", "jsonpath={.items[*].spec.holderIdentity}"]).ok().stdout;
    let pods = platform.pods("controller");
    assert_eq!(pods.len(), 2, "{pods:?}");
    for round in 0..2 {
        let (leader, pod) = eventually("one of the controllers leads", Duration::from_mins(1), || {
            let leader = holder();
            let pod = platform.pods("controller").into_iter().find(|pod| leader.contains(pod.as_str()))?;
            Some((leader, pod))
        });
        platform.kill(&pod);
        let greeting = format!("g{round}");
        eventually("a change is taken", Duration::from_mins(1), || {
            (app.cli(&["config:set", &format!("GREETING={greeting}")]).code == 0).then_some(())
        });
        platform.answers(&app.name, &format!("greeting={greeting} "));
        eventually("another controller leads", Duration::from_mins(1), || (holder() != leader).then_some(()));
        platform.ready();
    }
    assert_eq!(app.settled("two leaders died"), "succeed");
}
