//! Builds that somebody ends.

use rustix::process::{Pid, Signal, kill_process_group};
use slipway_tests::{Repo, Run, eventually};

use crate::installed::{App, Installed, SETTLED};

/// The Jobs and pods of an app's builds.
fn left(platform: &Installed, app: &App<'_>) -> String {
    let (builds, selector) = (format!("{}-builds", platform.release), format!("app={}", app.name));
    platform.kubectl(&["-n", &builds, "get", "jobs,pods", "-l", &selector, "-o", "name"]).ok().stdout
}

/// Waits until the build of a push runs in a pod of its own.
fn running(platform: &Installed, app: &App<'_>) {
    let (builds, selector) = (format!("{}-builds", platform.release), format!("app={}", app.name));
    let path = "jsonpath={.items[*].status.initContainerStatuses[*].state.running.startedAt}";
    eventually("the build runs", 2 * SETTLED, || {
        let started = platform.kubectl(&["-n", &builds, "get", "pods", "-l", &selector, "-o", path]).ok().stdout;
        (!started.trim().is_empty()).then_some(())
    });
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_build_that_is_cancelled_or_left_ends_with_its_job() {
    let platform = Installed::find();
    let user = platform.user("eve");
    let app = platform.app(&user, "slow");
    let hanging = "{\"scripts\":{\"build\":\"sleep 600\"}}";
    let repo = Repo::with(&[("package.json", hanging), ("Procfile", "web: exec python3 server.py\n")]);
    app.remote(&repo);

    let push = user.push_start(&repo);
    running(&platform, &app);
    assert!(left(&platform, &app).contains("job") && left(&platform, &app).contains("pod"));
    app.cli(&["builds:cancel"]).ok().says("Canceling the build");
    let push = Run::from_output("git push".to_owned(), &push.wait_with_output().unwrap());
    assert_eq!(push.code, 1, "{push}");
    drop(push.says(&format!("!     Build canceled by {}", user.name)).says("pre-receive hook declined"));
    eventually("Job and pod are gone", SETTLED, || left(&platform, &app).is_empty().then_some(()));
    app.cli(&["builds:log"]).ok().says("Build canceled by");
    app.cli(&["builds:cancel"]).fails().says("is under way");

    // Whoever goes away ends the build, too.
    repo.change("text", "left");
    let mut push = user.push_start(&repo);
    running(&platform, &app);
    kill_process_group(Pid::from_child(&push), Signal::KILL).unwrap();
    push.wait().unwrap();
    eventually("Job and pod are gone", SETTLED, || left(&platform, &app).is_empty().then_some(()));

    // The next push finds nothing in its way.
    repo.write("package.json", "{}");
    let server = slipway_tests::repo::SERVER.replace("127.0.0.1", "0.0.0.0");
    repo.write("server.py", &server);
    repo.change("text", "fast");
    user.push(&repo).ok();
    platform.answers(&app.name, "text=fast");
}
