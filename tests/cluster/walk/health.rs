//! Whether services answer, as the controller asks them through their Services.

use std::time::Duration;

use serde_json::json;
use slipway_tests::eventually;

use crate::installed::Installed;

/// Longest until a service is told to be as it is: three bad answers, 30 s from each other, on a slow machine.
const TOLD: Duration = Duration::from_mins(8);

/// A server whose path `/cgi-bin/health` answers with the status in the variable HEALTH.
const SERVE: &str = r#"(mkdir -p /tmp/www/cgi-bin && echo ready >/tmp/www/index.html &&
    printf '#!/bin/sh\nprintf "HTTP/1.0 $HEALTH x\\r\\n\\r\\n"\n' >/tmp/www/cgi-bin/health &&
    chmod +x /tmp/www/cgi-bin/health && exec httpd -f -p $PORT -h /tmp/www) & trap 'kill $!; exit 0' TERM; wait"#;

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_service_that_answers_badly_is_degraded_until_it_answers_well() {
    let platform = Installed::find();
    let user = platform.user("hope");
    let app = platform.app(&user, "health");
    app.deploys(&json!({
        "name": app.name, "source": "image", "image": platform.busybox(), "port": 8000,
        "run_cmd": SERVE.split_whitespace().collect::<Vec<_>>().join(" "), "health_check": "/cgi-bin/health",
        "env": {"HEALTH": "204"},
    }));
    platform.answers(&app.name, "ready");
    let becomes = |health: &str| {
        let path = format!("/v1/services/{}/status", app.name);
        eventually(&format!("the service is {health}"), TOLD, || {
            let told = app.v1("GET", &path, None);
            (told["status"] == "running" && told["health"] == health).then_some(())
        });
    };
    let answers_with = |status: &str| {
        let env = format!("/v1/services/{}/env", app.name);
        app.v1("POST", &env, Some(&json!({"key": "HEALTH", "value": status})));
        assert_eq!(app.settled("another answer"), "succeeded");
    };
    becomes("healthy");
    answers_with("503");
    becomes("degraded");
    // It is still there for whoever wants something of it.
    platform.answers(&app.name, "ready");
    answers_with("404");
    becomes("healthy");
}
