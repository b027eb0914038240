//! What cannot start: the reason is shown, and what served before still serves.

use slipway_tests::{Repo, Run, eventually};

use crate::installed::{App, Installed, SETTLED};

#[test]
#[ignore = "wants the platform in a cluster"]
fn an_image_that_is_not_there_fails_with_the_reason() {
    let platform = Installed::find();
    let user = platform.user("eve");
    let app = platform.app_from_image(&user, "noimage", &platform.busybox(), &App::serve("one"));
    app.cli(&["config:set", "SLIPWAY_DEPLOY_TIMEOUT=60"]).ok();
    let missing = format!("{}/no/such:1", platform.registry);
    app.image(&missing, &App::serve("two")).fails().says("pull");
    platform.answers(&app.name, "text=one");
    assert_eq!(app.settled("a deploy of a missing image"), "failed");
    let deployment = format!("deployment/{}-web", app.name);
    let image = platform.field(&app.name, &deployment, "{.spec.template.spec.containers[0].image}");
    assert!(image.contains("busybox"), "the failed release is undone: {image}");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_process_that_crashes_fails_with_its_last_words() {
    let platform = Installed::find();
    let user = platform.user("fay");
    let app = platform.app_from_image(&user, "crash", &platform.busybox(), &App::serve("one"));
    app.cli(&["config:set", "SLIPWAY_DEPLOY_TIMEOUT=60"]).ok();
    let crash = "web: echo the sky is falling; exit 7";
    app.image(&platform.busybox(), crash).fails().says("the sky is falling");
    platform.answers(&app.name, "text=one");
    assert_eq!(app.settled("a deploy that crashes"), "failed");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_process_that_fits_on_no_node_fails_with_the_reason() {
    let platform = Installed::find();
    let user = platform.user("gus");
    let app = platform.app_from_image(&user, "nowhere", &platform.busybox(), &App::serve("one"));
    app.cli(&["config:set", "SLIPWAY_DEPLOY_TIMEOUT=60"]).ok();
    // A label that one node has for a moment: users may only name labels that exist.
    let nodes = platform.kubectl(&["get", "nodes", "-o", "name"]).ok().stdout;
    let node = nodes.split_whitespace().next().unwrap();
    let label = format!("suite-{}", app.name);
    platform.kubectl(&["label", node, &format!("{label}=yes")]).ok();
    platform.kubectl(&["cordon", node]).ok();
    let run = app.cli(&["tags:set", &format!("{label}=yes")]);
    platform.kubectl(&["uncordon", node]).ok();
    platform.kubectl(&["label", node, &format!("{label}-")]).ok();
    run.fails().says("nschedul");
    platform.answers(&app.name, "text=one");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_push_whose_build_is_taken_away_says_so() {
    let platform = Installed::find();
    let user = platform.user("gwen");
    let app = platform.app(&user, "taken");
    let package = r#"{"scripts":{"build":"sleep 600"}}"#;
    let repo = Repo::with(&[("package.json", package), ("Procfile", "web: node server.js\n")]);
    app.remote(&repo);
    let push = user.push_start(&repo);
    let builds = format!("{}-builds", platform.release);
    let selector = format!("app={}", app.name);
    let pod = eventually("the build runs", 2 * SETTLED, || {
        let running = "go-template={{range .items}}{{$pod := .metadata.name}}{{range .status.initContainerStatuses}}\
                       {{if .state.running}}{{$pod}}{{end}}{{end}}{{end}}";
        let found = platform.kubectl(&["-n", &builds, "get", "pods", "-l", &selector, "-o", running]).stdout;
        Some(found).filter(|found| !found.is_empty())
    });
    platform.kubectl(&["-n", &builds, "delete", "pod", &pod, "--force", "--grace-period=0"]).ok();
    let output = push.wait_with_output().unwrap();
    Run::from_output("git push".to_owned(), &output).fails().says("removed by somebody else");
    eventually("its Job is gone", SETTLED, || {
        let jobs = platform.kubectl(&["-n", &builds, "get", "jobs", "-l", &selector, "-o", "name"]).ok().stdout;
        jobs.is_empty().then_some(())
    });
}
