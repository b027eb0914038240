//! The whole path of a user.

mod health;

use slipway_tests::{Repo, eventually};

use crate::installed::{App, Installed, SETTLED};

#[test]
#[ignore = "wants the platform in a cluster"]
fn an_image_is_deployed_changed_scaled_rolled_back_run_and_destroyed() {
    let platform = Installed::find();
    let user = platform.user("ada");
    let app = platform.app_from_image(&user, "image", &platform.busybox(), &App::serve("one"));
    platform.answers(&app.name, "text=one");

    app.cli(&["config:set", "GREETING=Ahoy"]).ok();
    platform.answers(&app.name, "greeting=Ahoy");
    let version = app.release().0;
    app.cli(&["config:set", "GREETING=Bye"]).ok();
    platform.answers(&app.name, "greeting=Bye");
    app.cli(&["releases:rollback", &format!("v{version}")]).ok();
    platform.answers(&app.name, "greeting=Ahoy");

    app.cli(&["ps:scale", "web=3"]).ok();
    let deployment = format!("deployment/{}-web", app.name);
    assert_eq!(platform.field(&app.name, &deployment, "{.status.readyReplicas}"), "3");
    app.cli(&["ps"]).ok().says("web");
    app.cli(&["ps:restart"]).ok();
    app.cli(&["ps:scale", "web=1"]).ok();
    eventually("two pods are gone", SETTLED, || {
        (platform.field(&app.name, &deployment, "{.status.replicas}") == "1").then_some(())
    });

    let run = app.cli(&["run", "--", "echo greeting=$GREETING; exit 3"]);
    assert_eq!(run.code, 3, "{run}");
    run.says("greeting=Ahoy");
    eventually("the log has what the processes said", SETTLED, || {
        app.cli(&["logs"]).ok().stdout.contains("serving").then_some(())
    });

    let name = app.name.clone();
    drop(app);
    assert_eq!(platform.field("default", &format!("namespace/{name}"), "{.metadata.name}"), "");
    let gone = eventually("the router forgets the app", SETTLED, || {
        platform.get(&name, "/").ok().filter(|answer| answer.status == 404)
    });
    assert_eq!(gone.status, 404);
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn limits_tags_probes_and_autoscaling_become_objects() {
    let platform = Installed::find();
    let user = platform.user("bea");
    let app = platform.app_from_image(&user, "objects", &platform.busybox(), &App::serve("one"));
    let deployment = format!("deployment/{}-web", app.name);
    app.cli(&["ps:scale", "web=2"]).ok();
    app.cli(&["limits:set", "--memory", "web=64M"]).ok();
    let limit = "{.spec.template.spec.containers[0].resources.limits.memory}";
    assert!(!platform.field(&app.name, &deployment, limit).is_empty());
    app.cli(&["healthchecks:set", "readinessProbe", "httpGet", "8000", "--path", "/", "--type", "web"]);
    app.cli(&["autoscale:set", "web", "--min=2", "--max=4", "--cpu-percent=50"]).ok();
    eventually("there is an autoscaler", SETTLED, || {
        let found = platform.kubectl(&["-n", &app.name, "get", "hpa", "-o", "name"]).ok().stdout;
        (!found.is_empty()).then_some(())
    });
    // A lab serves no metrics: the least number runs, and the app's log says why there will be no more.
    eventually("the least number of processes runs", SETTLED, || {
        (platform.field(&app.name, &deployment, "{.status.readyReplicas}") == "2").then_some(())
    });
    if platform.kubectl(&["get", "--raw", "/apis/metrics.k8s.io"]).code != 0 {
        app.cli(&["logs"]).ok().says("autoscale has no effect yet: the cluster serves no metrics");
    }
    app.cli(&["autoscale:unset", "web"]).ok();
    eventually("the autoscaler is gone", SETTLED, || {
        platform.kubectl(&["-n", &app.name, "get", "hpa", "-o", "name"]).ok().stdout.is_empty().then_some(())
    });
    app.cli(&["volumes:create", "data", "100M"]).ok();
    let claim = "persistentvolumeclaim/data";
    let size = "{.spec.resources.requests.storage}";
    assert_eq!(platform.field(&app.name, claim, size), "100Mi");
    app.cli(&["volumes:delete", "data"]).ok();
    eventually("the claim is gone", SETTLED, || {
        platform.kubectl(&["-n", &app.name, "get", "pvc", "-o", "name"]).ok().stdout.is_empty().then_some(())
    });
    platform.answers(&app.name, "text=one");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn terminals_in_a_new_and_in_a_running_process() {
    let platform = Installed::find();
    let user = platform.user("abe");
    let app = platform.app_from_image(&user, "terminal", &platform.busybox(), &App::serve("one"));
    // What was printed before somebody looked is not shown again.
    let asking = "until read -t 1 word; do echo a word please; done; test -t 0 && test -t 1 && echo got $word; exit 5";
    let run = app.at_a_terminal(&["run", "-it", "--", asking], "a word please", "Ahoy\n");
    assert_eq!(run.code, 5, "{run}");
    run.says("got Ahoy");
    platform.answers(&app.name, "text=one");
    let pod = platform.kubectl(&["-n", &app.name, "get", "pods", "-l", "type=web", "-o", "name"]).ok().stdout;
    let pod = pod.trim().trim_start_matches("pod/");
    let inside = "until read -t 1 word; do echo a word please; done; test -t 0 && cat /tmp/www/index.html; exit 6";
    let run = app.at_a_terminal(&["ps:exec", pod, "--", "sh", "-c", inside], "a word please", "Ahoy\n");
    assert_eq!(run.code, 6, "{run}");
    run.says("text=one");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn paths_lead_to_processes_of_another_type_until_they_do_not() {
    let platform = Installed::find();
    let user = platform.user("amy");
    let api = App::serve("two").replacen("web:", "api:", 1).replace("/tmp/www/index.html", "/tmp/www/api");
    let app = platform.app_from_image(&user, "paths", &platform.busybox(), &format!("{}\n{api}", App::serve("one")));
    app.cli(&["ps:scale", "api=1"]).ok();
    app.cli(&["services:add", "--type", "api", "--route", "/api"]).ok();
    let answered = |status: u16, text: &str| {
        eventually("the path's answer", SETTLED, || {
            let answer = platform.get(&app.name, "/api").ok()?;
            (answer.status == status && answer.body.contains(text)).then_some(())
        });
    };
    answered(200, "text=two");
    platform.answers(&app.name, "text=one");
    app.cli(&["services:remove", "api"]).ok();
    answered(404, "");
    eventually("its Service is gone", SETTLED, || {
        let services = platform.kubectl(&["-n", &app.name, "get", "services", "-o", "name"]).ok().stdout;
        (services.lines().count() == 1).then_some(())
    });
    platform.answers(&app.name, "text=one");
}

fn pushed(fixture: &str, expected: &str) {
    let platform = Installed::find();
    let user = platform.user("cleo");
    let app = platform.app(&user, fixture);
    let repo = Repo::fixture(fixture);
    // On one machine apps are reached at its loopback; a pod's is its own.
    for name in ["Procfile", "server.js"] {
        if let Ok(text) = std::fs::read_to_string(repo.file(name)) {
            repo.change(name, &text.replace("127.0.0.1", "0.0.0.0"));
        }
    }
    app.remote(&repo);
    user.push(&repo).ok();
    platform.answers(&app.name, expected);
    repo.change("README.md", "Something else\n");
    user.push(&repo).ok();
    platform.answers(&app.name, expected);
    assert_eq!(app.settled("two pushes"), "succeeded");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn the_python_fixture_is_pushed() {
    pushed("python", "Hello");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn the_node_fixture_is_pushed() {
    pushed("node", "Hello");
}
