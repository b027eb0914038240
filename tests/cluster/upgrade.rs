//! What is there before the chart is upgraded and rolled back is there afterwards.

use slipway_tests::{Run, User, eventually};

use crate::installed::{App, Installed, SETTLED};

const APP: &str = "kept-through-upgrades";

#[test]
#[ignore = "wants the platform in a cluster"]
fn before() {
    let platform = Installed::find();
    let user = User::register_at(platform.endpoints, "kim");
    user.cli(&["create", APP, "--no-remote"]).ok();
    user.cli(&["config:set", "PORT=8000", "-a", APP]).ok();
    user.cli(&["pull", &platform.busybox(), "-a", APP, "--procfile", &App::serve("kept")]).ok();
    user.cli(&["config:set", "GREETING=sealed", "-a", APP]).ok();
    platform.answers(APP, "greeting=sealed");
    std::fs::write(host_key_file(), host_key(&platform)).unwrap();
}

/// Runs after the upgrade and again after the rollback; the second run removes the app.
#[test]
#[ignore = "wants the platform in a cluster"]
fn after() {
    let platform = Installed::find();
    platform.ready();
    assert_eq!(host_key(&platform), std::fs::read_to_string(host_key_file()).unwrap(), "the builder kept its host key");
    platform.answers(APP, "greeting=sealed");
    let user = User::login_at(platform.endpoints, "kim");
    user.cli(&["config:list", "-a", APP]).ok().says("sealed");
    let releases = user.releases(APP).len();
    user.cli(&["config:set", &format!("AFTER={releases}"), "-a", APP]).ok();
    platform.answers(APP, "greeting=sealed");
    if releases >= 5 {
        user.cli(&["destroy", "-a", APP, &format!("--confirm={APP}")]).ok();
    }
}

fn host_key_file() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("slipway-suite-{}.host-key", Installed::find().namespace))
}

fn host_key(platform: &Installed) -> String {
    let (host, port) = (platform.endpoints.ssh.ip().to_string(), platform.endpoints.ssh.port().to_string());
    eventually("the builder shows its host key", SETTLED, || {
        let found = Run::of(std::process::Command::new("ssh-keyscan").args(["-t", "ed25519", "-p", &port, &host]));
        found.stdout.lines().find(|line| !line.starts_with('#')).map(str::to_owned)
    })
}
