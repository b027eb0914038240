//! The API server dies. This needs the lab of `KUBE_LAB` and hurts everybody who uses it, so that it runs last.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use slipway_tests::eventually;

use crate::chance::Chance;
use crate::installed::{App, Installed, SETTLED};
use crate::kill;

/// The API server of the lab, as its process table tells.
struct ApiServer {
    lab: PathBuf,
    pid: u32,
    arguments: Vec<String>,
    directory: PathBuf,
}

impl ApiServer {
    fn find() -> Self {
        let lab = PathBuf::from(std::env::var_os("KUBE_LAB").expect("KUBE_LAB names the lab"));
        let pids = std::fs::read_to_string(lab.join("pids")).unwrap();
        let line = pids.lines().find(|line| line.ends_with(" apiserver")).expect("the lab has an API server");
        let pid = line.split(' ').next().unwrap().parse().unwrap();
        let text = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let arguments = text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let directory = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
        Self { lab, pid, arguments, directory }
    }

    fn kill(&self) {
        kill_process(Pid::from_raw(self.pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
        eventually("the API server is dead", SETTLED, || (!slipway_tests::process_is_alive(self.pid)).then_some(()));
        // A process of many threads is told dead before the last of them has let go of its sockets.
        let address = (self.argument("--bind-address="), self.argument("--secure-port=").parse().unwrap());
        eventually("its address is free", SETTLED, || TcpListener::bind(address).ok());
    }

    fn argument(&self, name: &str) -> &str {
        self.arguments.iter().find_map(|argument| argument.strip_prefix(name)).unwrap()
    }

    /// Starts it as it was, and tells the lab its new pid.
    #[expect(clippy::zombie_processes, reason = "it outlives this process; the lab ends it")]
    fn start(&self) {
        let log =
            std::fs::OpenOptions::new().append(true).create(true).open(self.lab.join("log/apiserver.log")).unwrap();
        let mut command = Command::new(self.lab.join("bin").join(&self.arguments[0]));
        command.args(&self.arguments[1..]).current_dir(&self.directory);
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let path = self.lab.join("pids");
        let pids = std::fs::read_to_string(&path).unwrap();
        let (old, new) = (format!("{} apiserver", self.pid), format!("{} apiserver", child.id()));
        std::fs::write(path, pids.replace(&old, &new)).unwrap();
    }
}

#[test]
#[ignore = "wants the platform in the lab cluster"]
fn the_api_server_dies_and_what_was_wanted_comes_about() {
    let platform = Installed::find();
    let user = platform.user("lea");
    let app = platform.app_from_image(&user, "outage", &platform.busybox(), &App::serve("one"));
    platform.answers(&app.name, "text=one");
    // Of an app that is being changed the router may know the old pod only, which the kubelet ends, until it is told more.
    let calm = platform.app_from_image(&user, "calm", &platform.busybox(), &App::serve("calm"));
    platform.answers(&calm.name, "text=calm");
    let mut chance = Chance::of("the API server and rollouts");
    let start = Instant::now();
    app.cli(&["config:set", "GREETING=g"]).ok();
    let whole = start.elapsed();
    for round in 0..3 {
        let what = format!("round {round}: the API server killed during a change");
        let server = ApiServer::find();
        let point = chance.below(whole);
        std::thread::scope(|scope| {
            let change = scope.spawn(|| app.cli(&["config:set", &format!("GREETING=g{round}")]));
            std::thread::sleep(point);
            server.kill();
            // What runs is served without it.
            let answers: Vec<_> = (0..20).map(|_| platform.get(&calm.name, "/")).collect();
            // Whatever they were: nobody else would start it again.
            server.start();
            for answer in answers {
                let answer = answer.unwrap();
                assert!(answer.status == 200 && answer.body.contains("text=calm"), "{answer:?}");
            }
            eprintln!("{what}, {point:?} into it, which ended with {}", change.join().unwrap().code);
        });
        let start = Instant::now();
        is_back(&platform);
        assert_eq!(app.settled_since(start, &what), "succeeded");
    }
    app.cli(&["config:set", "GREETING=after"]).ok();
    platform.answers(&app.name, "greeting=after");
}

#[test]
#[ignore = "wants the platform in the lab cluster"]
fn the_api_server_dies_during_pushes_and_the_next_push_works() {
    let platform = Installed::find();
    let user = platform.user("lou");
    let app = platform.app(&user, "cut");
    let repo = kill::server(&app, "first");
    let mut chance = Chance::of("the API server and pushes");
    let start = Instant::now();
    user.push(&repo).ok();
    let whole = start.elapsed();
    for round in 0..3 {
        let what = format!("round {round}: the API server killed during a push");
        repo.change("text", &format!("text-{round}"));
        let server = ApiServer::find();
        let point = chance.below(whole);
        let child = user.push_start(&repo);
        std::thread::sleep(point);
        server.kill();
        server.start();
        let output = child.wait_with_output().unwrap();
        eprintln!("{what}, {point:?} into it, which ended with {}", output.status);
        let start = Instant::now();
        is_back(&platform);
        assert_eq!(app.settled_since(start, &what), "succeeded");
        if output.status.success() {
            platform.answers(&app.name, &format!("text=text-{round} "));
        }
        repo.change("text", &format!("again-{round}"));
        user.push(&repo).ok();
        platform.answers(&app.name, &format!("text=again-{round} "));
    }
}

/// Waits for the API server, and for the platform.
fn is_back(platform: &Installed) {
    eventually("the API server answers", SETTLED, || {
        (platform.kubectl(&["get", "--raw", "/readyz"]).code == 0).then_some(())
    });
    platform.ready();
}
