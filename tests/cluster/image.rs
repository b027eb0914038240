//! Images that the platform builds in other ways than with its own buildpacks, and what becomes of old ones.

use std::io::Read;
use std::process::Child;
use std::time::Instant;

use slipway_tests::{Repo, eventually};

use crate::installed::{App, Installed, SETTLED};

/// A Dockerfile on the registry's own base: a page that shows `text` of the build and GREETING of the process.
fn dockerfile(platform: &Installed, text: &str) -> String {
    format!(
        "FROM {}\n\
         RUN mkdir /page && echo {text} >/page/text && chown -R 1000 /page\n\
         EXPOSE 5000\n\
         USER 1000\n\
         WORKDIR /page\n\
         CMD [\"/bin/sh\", \"-c\", \"echo \\\"text=$(cat text) greeting=$GREETING \\\" >index.html; exec httpd -f -p $PORT\"]\n",
        platform.busybox()
    )
}

/// The image of the app's newest build: its digest.
fn newest_image(app: &App<'_>) -> String {
    let (status, body) = app.user.api("GET", &format!("/v2/apps/{}/builds/", app.name), None);
    assert_eq!(status, 200, "{body}");
    let page: serde_json::Value = serde_json::from_str(&body).unwrap();
    let image = page["results"][0]["image"].as_str().unwrap_or_default();
    image.split_once('@').unwrap_or_else(|| panic!("no image by digest: {body}")).1.to_owned()
}

/// Whether the registry has an image of the app.
fn has(platform: &Installed, app: &str, digest: &str) -> bool {
    let url = format!("http://{}/v2/{}/{app}/manifests/{digest}", platform.registry, platform.namespace);
    let accept = "application/vnd.oci.image.manifest.v1+json";
    let answer = reqwest::blocking::Client::new().head(url).header("Accept", accept).send().unwrap();
    match answer.status().as_u16() {
        200 => true,
        404 => false,
        status => panic!("the registry answers {status}"),
    }
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_dockerfile_is_pushed_and_only_images_that_nobody_can_go_back_to_are_removed() {
    let platform = Installed::find();
    let user = platform.user("fay");
    let app = platform.app(&user, "boxed");
    let repo = Repo::with(&[("Dockerfile", &dockerfile(&platform, "one"))]);
    app.remote(&repo);
    let mut images = Vec::new();
    for text in ["one", "two", "three"] {
        if text != "one" {
            repo.change("Dockerfile", &dockerfile(&platform, text));
        }
        let push = user.push(&repo).ok();
        push.says("STEP ").says("Exporting the image");
        platform.answers(&app.name, &format!("text={text} "));
        images.push(newest_image(&app));
    }
    let newest = app.release().0;

    // Two releases are kept, which are those of the second and the third push.
    let gc = |more: &[&str]| {
        let controller = format!("deployment/{}-controller", platform.release);
        let mut args = vec!["-n", &platform.namespace, "exec", &controller, "--", "slipway-controller", "images", "gc"];
        args.extend(more);
        platform.kubectl(&args).ok()
    };
    let told = gc(&["--dry-run"]);
    assert!(told.stdout.contains(&format!("would remove {}/{}@{}", platform.namespace, app.name, images[0])), "{told}");
    for kept in &images[1..] {
        assert!(!told.stdout.contains(kept), "{told}");
    }
    assert!(has(&platform, &app.name, &images[0]));
    gc(&["--wait=1"]).says(&images[0]);
    let there: Vec<bool> = images.iter().map(|image| has(&platform, &app.name, image)).collect();
    assert_eq!(there, [false, true, true]);

    // What may be gone back to runs; what is gone back to is needed from then on, whatever its number.
    app.cli(&["releases:rollback", &format!("v{}", newest - 1)]).ok();
    platform.answers(&app.name, "text=two ");
    app.cli(&["config:set", "GREETING=Ahoy"]).ok();
    platform.answers(&app.name, "greeting=Ahoy ");
    gc(&["--wait=1"]).says(&images[2]);
    let there: Vec<bool> = images.iter().map(|image| has(&platform, &app.name, image)).collect();
    assert_eq!(there, [false, true, false]);
    for pod in platform.pods_of(&app.name) {
        platform.kubectl(&["-n", &app.name, "delete", "pod", &pod, "--wait=false"]).ok();
    }
    platform.answers(&app.name, "text=two greeting=Ahoy ");
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn cloud_native_buildpacks_are_pushed_by_a_setting() {
    let platform = Installed::find();
    if std::env::var("SLIPWAY_TEST_CNB_BUILDER_IMAGE").is_ok_and(|image| !image.is_empty()) {
        let user = platform.user("gus");
        let app = platform.app(&user, "native");
        let repo = Repo::with(&[("page.txt", "one")]);
        app.remote(&repo);
        user.push(&repo).fails().says("No buildpack");
        app.cli(&["config:set", "SLIPWAY_BUILDER=cnb", "GREETING=Ahoy"]).ok();
        user.push(&repo).ok().says("greeting with Ahoy");
        platform.answers(&app.name, "made by a buildpack, one Ahoy");
        repo.change("page.txt", "two");
        user.push(&repo).ok().says("The tool is kept");
        platform.answers(&app.name, "made by a buildpack, two Ahoy");
        app.cli(&["config:set", "GREETING=Bye"]).ok();
        platform.answers(&app.name, "made by a buildpack, two Bye");
    } else {
        eprintln!("left out: SLIPWAY_TEST_CNB_BUILDER_IMAGE names no builder image");
    }
}

/// Reads what a push says until it has said `text`.
fn read_until(child: &mut Child, text: &str) -> String {
    let mut said = Vec::new();
    let (out, start) = (child.stderr.as_mut().unwrap(), Instant::now());
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains(text) {
        assert!(
            start.elapsed() < 2 * SETTLED && out.read(&mut byte).unwrap() == 1,
            "{}",
            String::from_utf8_lossy(&said)
        );
        said.push(byte[0]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_builder_dies_in_a_build_and_the_pusher_is_told_and_nothing_is_left() {
    let platform = Installed::find();
    let user = platform.user("kit");
    let app = platform.app(&user, "cut");
    let hang = format!("FROM {}\nRUN echo it-$((40+2)); sleep 600\n", platform.busybox());
    let repo = Repo::with(&[("Dockerfile", &hang)]);
    app.remote(&repo);
    let mut child = user.push_start(&repo);
    // As the Job says it, line by line.
    read_until(&mut child, "it-42");
    let builds = format!("{}-builds", platform.release);
    let selector = format!("app={}", app.name);
    let objects = || {
        let run = platform.kubectl(&["-n", &builds, "get", "jobs,secrets,pods", "-l", &selector, "-o", "name"]);
        run.ok().stdout
    };
    assert!(objects().contains("job.batch/imagebuild-"), "{}", objects());

    let killed = Instant::now();
    for pod in platform.pods("builder") {
        platform.kill(&pod);
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && killed.elapsed() < SETTLED, "{said}");
    eprintln!("the push ended after {:?}: {}", killed.elapsed(), said.trim());
    platform.ready();
    // The next builder removes what the killed one left: Job, Secret and pod.
    eventually("nothing is left of the build", SETTLED, || objects().is_empty().then_some(()));
    assert_eq!(user.releases(&app.name).len(), 1, "no release but the app's first");

    repo.change("Dockerfile", &dockerfile(&platform, "again"));
    user.push(&repo).ok();
    platform.answers(&app.name, "text=again ");
}
