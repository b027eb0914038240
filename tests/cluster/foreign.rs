//! What is somebody else's in an app's namespace.

use slipway_tests::eventually;

use crate::installed::{App, Installed, SETTLED};

#[test]
#[ignore = "wants the platform in a cluster"]
fn strangers_objects_in_an_apps_namespace_stay() {
    let platform = Installed::find();
    let user = platform.user("dan");
    let app = platform.app_from_image(&user, "shared", &platform.busybox(), &App::serve("one"));
    let image = format!("--image={}", platform.busybox());
    platform.kubectl(&["-n", &app.name, "create", "deployment", "stranger", &image, "--", "sleep", "1000"]).ok();
    app.cli(&["config:set", "GREETING=x"]).ok();
    app.cli(&["ps:restart"]).ok();
    for pod in platform.pods("controller") {
        platform.kill(&pod);
    }
    platform.ready();
    app.cli(&["config:set", "GREETING=y"]).ok();
    platform.answers(&app.name, "greeting=y");
    assert_eq!(platform.field(&app.name, "deployment/stranger", "{.spec.replicas}"), "1");

    // What somebody takes away of ours comes back, and only if nobody else has taken its name.
    for kind in ["service", "networkpolicy", "serviceaccount"] {
        let ours = ["-n", &app.name, "get", kind, "-l", "heritage=slipway", "-o", "name"];
        let before = platform.kubectl(&ours).ok().stdout;
        assert!(!before.is_empty(), "the app has a {kind}");
        platform.kubectl(&["-n", &app.name, "delete", kind, "-l", "heritage=slipway"]).ok();
        eventually("it is back", SETTLED, || (platform.kubectl(&ours).stdout == before).then_some(()));
    }
    platform.answers(&app.name, "greeting=y");
}
