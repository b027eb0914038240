//! Every command of every guide in `docs/guides`, run on a real platform. How blocks are marked: `src/guide.rs`.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use slipway_tests::guide::{self, Kind, Step, begins_as_shown, is_shown, steps, usual};
use slipway_tests::platform::slipway_binary;
use slipway_tests::{PASSWORD, Platform, eventually};

use crate::elsewhere::Elsewhere;

/// The guides that there are to be, in the order in which they are run.
const GUIDES: [&str; 16] = [
    "first-push",
    "config-and-secrets",
    "scaling",
    "rollbacks",
    "logs",
    "docker-images",
    "domains-and-tls",
    "teams",
    "teams-and-projects",
    "webhooks-and-remotes",
    "from-heroku",
    "from-deis-and-drycc",
    "one-machine",
    "kubernetes",
    "operating",
    "troubleshooting",
];

/// How many commands of a guide are not run here, and what they want.
const PARSED: [(&str, usize, &str); 6] = [
    ("webhooks-and-remotes", 1, "packages of Python"),
    ("teams-and-projects", 5, "accounts at registries and a chat, a cluster, a container engine with certificates"),
    ("from-deis-and-drycc", 3, "an old controller's database; the controller's own tests import one"),
    ("one-machine", 3, "root on a machine with systemd"),
    ("kubernetes", 21, "a cluster: `tests/cluster/guide.rs` runs them in one"),
    ("operating", 2, "root on a machine with systemd"),
];

/// How long one command may take.
const PATIENCE: Duration = Duration::from_mins(5);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides")
}

/// Who follows the guides: a home, a folder with `slipway` in it, and where the platform really is.
struct Reader {
    home: tempfile::TempDir,
    /// What is written, and what it is here.
    places: Vec<(&'static str, String)>,
}

impl Reader {
    fn new(platform: &Platform) -> (Self, Elsewhere) {
        let home = tempfile::Builder::new().prefix("slipway-guide-").tempdir().unwrap();
        let at = platform.endpoints();
        std::fs::create_dir_all(home.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(slipway_binary(), home.path().join("bin/slipway")).unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let key = home.path().join(".ssh/id_ed25519");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "you@laptop", "-f"]).arg(&key);
        assert!(keygen.status().unwrap().success());
        let elsewhere = Elsewhere::start(&home.path().join("bin"));
        let mut places = elsewhere.places(platform);
        places.extend([
            ("/backup", home.path().join("backup").to_str().unwrap().to_owned()),
            ("127.0.0.1:8000", at.api.to_string()),
            ("127.0.0.1:2222", at.ssh.to_string()),
            ("localhost:8080", format!("localhost:{}", at.router.port())),
            ("127.0.0.1:8080", at.router.to_string()),
            ("localhost:8443", format!("localhost:{}", at.router_tls.port())),
            ("127.0.0.1:8443", at.router_tls.to_string()),
            ("www.example.com:8443", format!("www.example.com:{}", at.router_tls.port())),
            ("/home/you", home.path().to_str().unwrap().to_owned()),
            ("path/to/slipway", Path::new(env!("CARGO_MANIFEST_DIR")).join("..").to_str().unwrap().to_owned()),
        ]);
        (Self { home, places }, elsewhere)
    }

    fn here(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (written, real)| text.replace(written, real))
    }

    fn written(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (written, real)| text.replace(real, written))
    }

    fn bash(&self, line: &str, folder: &Path) -> Command {
        let path = format!("{}:{}", self.home.path().join("bin").display(), std::env::var("PATH").unwrap());
        let ssh = format!(
            "ssh -i {0}/.ssh/id_ed25519 -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile={0}/known_hosts -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR",
            self.home.path().display()
        );
        // There is no terminal that a password could be asked for at.
        let asks = ["slipway register ", "slipway login "].iter().any(|start| line.starts_with(start));
        let line = if asks && !line.contains("--token") {
            format!("{line} --password-stdin <<< '{PASSWORD}'")
        } else {
            line.to_owned()
        };
        // Whoever runs the tests in the background has Ctrl-C ignored, and would hand that on.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT", "bash", "-c", &format!("exec 2>&1; {}", self.here(&line))])
            .current_dir(folder)
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| {
                ["CARGO", "GOPATH", "PIP", "NPM", "SSL", "HTTP", "NO_PROXY", "LANG"]
                    .iter()
                    .any(|start| name.starts_with(start))
            }))
            .env("NO_PROXY", "localhost,127.0.0.1,.localhost")
            .env("no_proxy", "localhost,127.0.0.1,.localhost")
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", self.home.path())
            .env("GIT_SSH_COMMAND", ssh)
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "You")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "you@example.com")))
            // Of a platform that a guide starts.
            .envs(
                ["SLIPWAY_API", "SLIPWAY_SSH", "SLIPWAY_ROUTER", "SLIPWAY_ROUTER_TLS"]
                    .map(|name| (name, "127.0.0.1:0")),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        command
    }

    /// Does all that a guide says; tells how many commands that were.
    fn follow(&self, name: &str) -> usize {
        let text = std::fs::read_to_string(folder().join(format!("{name}.md"))).unwrap();
        let root = self.home.path().join(name);
        std::fs::create_dir(&root).unwrap();
        let (mut work, mut run) = (root.clone(), 0);
        for step in steps(&text) {
            match step {
                Step::File { name, text } => {
                    let path = root.join(name);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, text).unwrap();
                }
                Step::Command(command) => {
                    run += 1;
                    if let Some(below) = command.text.strip_prefix("cd ") {
                        work.push(below);
                        continue;
                    }
                    let what = format!("docs/guides/{name}.md:{}: {}", command.line, command.text);
                    match command.kind {
                        Kind::Run => self.run(&command, &work, &what),
                        Kind::GoesOn => self.run_until_shown(&command, &work, &what),
                        Kind::Parse => self.parse(&command, &work, &what),
                    }
                }
            }
        }
        run
    }

    fn run(&self, command: &guide::Command, folder: &Path, what: &str) {
        // Lines of logs, and certificates, are there a moment after what they come of was answered. Whoever reads a guide
        // is slower than a test.
        let only_looks = ["slipway logs ", "curl "].iter().any(|start| command.text.starts_with(start));
        let patience = std::time::Instant::now() + PATIENCE;
        let (mut code, mut printed) = self.run_once(command, folder, what);
        while only_looks && code != 0 && std::time::Instant::now() < patience {
            (code, printed) = self.run_once(command, folder, what);
        }
        let is_refused = command.shown.iter().any(|line| {
            ["Error: ", "error: ", "!!  ", "fatal: ", "curl: "].iter().any(|start| line.starts_with(start))
                || line.contains("pre-receive hook declined")
        });
        assert_eq!(code != 0, is_refused, "{what} ended with {code}:\n{printed}");
        if !command.shown.is_empty() {
            assert!(
                is_shown(&command.shown, &printed),
                "{what} shows another output.\n-- shown\n{}\n-- printed\n{}",
                usual(&command.shown.join("\n")),
                usual(&printed)
            );
        }
    }

    /// Runs a command to its end; its exit code and what it printed.
    fn run_once(&self, command: &guide::Command, folder: &Path, what: &str) -> (i32, String) {
        let mut child = self.bash(&command.text, folder).spawn().unwrap();
        let output = Reading::of(&mut child);
        let status = eventually(&format!("{what} ends"), PATIENCE, || child.try_wait().unwrap());
        (status.code().unwrap_or(-1), self.written(&output.end()))
    }

    fn run_until_shown(&self, command: &guide::Command, folder: &Path, what: &str) {
        assert!(!command.shown.is_empty(), "{what} goes on, and nothing is shown of it");
        let mut child = self.bash(&command.text, folder).spawn().unwrap();
        let output = Reading::of(&mut child);
        let started = std::time::Instant::now();
        let is_there = loop {
            // Its own addresses are free ports.
            let printed = ports(&self.written(&output.so_far()));
            let shown: Vec<String> = command.shown.iter().map(|line| ports(line)).collect();
            if begins_as_shown(&shown, &printed) {
                break true;
            }
            if started.elapsed() > PATIENCE || child.try_wait().unwrap().is_some() {
                break false;
            }
            std::thread::sleep(Duration::from_millis(25));
        };
        let group = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::INT);
        let ended = eventually(&format!("{what} ends with Ctrl-C"), PATIENCE, || child.try_wait().unwrap());
        assert!(is_there, "{what} did not print what is shown ({ended}):\n{}", self.written(&output.end()));
    }

    /// A command that is not run: each of ours must be one that the command line understands.
    fn parse(&self, command: &guide::Command, folder: &Path, what: &str) {
        for part in command.text.split(" | ").map(str::trim).filter(|part| part.starts_with("slipway ")) {
            assert!(!part.starts_with("slipway up"), "{what} would start a platform: it is to be run");
            // Understood, it fails for want of a controller; else it is a usage error.
            let line =
                format!("SLIPWAY_CONTROLLER=http://127.0.0.1:1 SLIPWAY_TOKEN=none HOME={0} {part}", folder.display());
            let output = self.bash(&line, folder).output().unwrap();
            assert_ne!(output.status.code(), Some(2), "{what}: {}", String::from_utf8_lossy(&output.stdout));
        }
        let words: Vec<&str> = command.text.split_whitespace().collect();
        for value in words
            .iter()
            .filter_map(|word| word.strip_prefix("--set="))
            .chain(words.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1]))
        {
            let name = value.split('=').next().unwrap();
            assert!(is_value_of_chart(name), "{what}: the chart has no value {name}");
        }
    }
}

/// Whether the chart's values have this path, `registry.host`.
fn is_value_of_chart(path: &str) -> bool {
    let values = std::fs::read_to_string(folder().join("../../charts/slipway/values.yaml")).unwrap();
    let mut lines = values.lines();
    path.split('.').enumerate().all(|(depth, name)| {
        let start = format!("{}{name}:", "  ".repeat(depth));
        lines.by_ref().any(|line| line.starts_with(&start))
    })
}

/// Addresses on this machine without their ports.
fn ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "127.0.0.1:[port]";
        out += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let mut parts = out.split("localhost:");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result += "localhost:[port]";
        result += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    result
}

/// What a process prints, read as it comes.
struct Reading {
    text: Arc<Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Reading {
    fn of(child: &mut Child) -> Self {
        let mut stdout = child.stdout.take().unwrap();
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn end(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

#[test]
fn every_guide_is_listed() {
    let index = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let mut there: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().trim_end_matches(".md").to_owned())
        .filter(|name| name != "README")
        .collect();
    there.sort();
    let mut listed = GUIDES.map(str::to_owned);
    listed.sort();
    assert_eq!(there, listed);
    for name in &there {
        assert!(index.contains(&format!("({name}.md)")), "the index does not lead to {name}");
        let text = std::fs::read_to_string(folder().join(format!("{name}.md"))).unwrap();
        assert!(!steps(&text).is_empty(), "{name} has no command");
        for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            let is_here = link.is_empty() || link.starts_with("https://") || folder().join(link).exists();
            assert!(is_here, "{name} leads to {link}, which is not there");
        }
    }
}

#[test]
fn what_is_not_run_is_known() {
    for name in GUIDES {
        let text = std::fs::read_to_string(folder().join(format!("{name}.md"))).unwrap();
        let is_parsed = |step: &Step| matches!(step, Step::Command(command) if command.kind == Kind::Parse);
        let count = steps(&text).iter().filter(|step| is_parsed(step)).count();
        let known = PARSED.iter().find(|(guide, ..)| *guide == name).map_or(0, |(_, known, _)| *known);
        assert_eq!(count, known, "{name}: a command is run where it can be, and what others want is said in PARSED");
    }
}

#[test]
fn every_command_of_the_guides_works_as_shown() {
    // The registry and the repositories that are elsewhere are on this machine.
    let platform = Platform::start_with(&[], &[("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1")]);
    let (reader, _elsewhere) = Reader::new(&platform);
    let only = std::env::var("SLIPWAY_TEST_GUIDE").ok();
    let is_wanted = |name: &str| name == GUIDES[0] || only.as_deref().is_none_or(|only| only == name);
    let (mut run, mut failed) = (0, Vec::new());
    // The first one registers, and the others go on as the same user.
    for name in GUIDES.into_iter().filter(|name| is_wanted(name)) {
        let started = std::time::Instant::now();
        // One that fails stops itself, and not the others.
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.follow(name))) {
            Ok(commands) => run += commands,
            Err(_) => failed.push(name),
        }
        println!("{name}: {:?}", started.elapsed());
    }
    assert!(failed.is_empty(), "these guides do not work as shown, see above: {failed:?}");
    assert!(run > 100 || only.is_some(), "only {run} commands were found");
}
