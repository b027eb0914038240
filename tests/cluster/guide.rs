//! The guide to installing in a cluster, as somebody follows it. `tests/cluster/run` says what this cluster wants besides: where
//! its images are, and which volumes there are.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use slipway_tests::guide::{Step, steps};
use slipway_tests::{PASSWORD, Run};

use crate::installed::variable;

/// Runs helm as the guide says, with the values of this cluster. What is to be gone is gone when it comes back: whoever reads
/// is slower than a test.
const HELM: &str = r#"#!/bin/sh
case $1 in
install) exec "$HELM" "$@" $SLIPWAY_TEST_GUIDE_VALUES ;;
uninstall) exec "$HELM" "$@" --wait --timeout 2m ;;
*) exec "$HELM" "$@" ;;
esac
"#;

/// Somebody who follows a guide: files, and what goes on in other terminals.
struct Reader {
    home: tempfile::TempDir,
    port: u16,
    terminals: Vec<Child>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        for terminal in &mut self.terminals {
            let _ = terminal.kill();
            let _ = terminal.wait();
        }
    }
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("slipway-guide-").tempdir().unwrap();
        let bin = home.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("helm"), HELM).unwrap();
        std::fs::set_permissions(bin.join("helm"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(variable("SLIPWAY_TEST_BINARY"), bin.join("slipway")).unwrap();
        std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts"), home.path().join("charts"))
            .unwrap();
        let reader = Self {
            home,
            port: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
            terminals: vec![],
        };
        for (name, text) in [
            ("database-url.txt", variable("SLIPWAY_TEST_GUIDE_DATABASE")),
            ("user.txt", "builds".to_owned()),
            ("password.txt", "hunter2".to_owned()),
        ] {
            std::fs::write(reader.home.path().join(name), text).unwrap();
        }
        let key = "mkdir -p ~/.ssh && ssh-keygen -q -t ed25519 -N '' -C you@laptop -f ~/.ssh/id_ed25519";
        Run::of(&mut reader.bash(key)).ok();
        reader
    }

    fn bash(&self, line: &str) -> Command {
        let line = line
            .replace("registry.example.com", &variable("SLIPWAY_TEST_REGISTRY"))
            .replace("127.0.0.1:8000", &format!("127.0.0.1:{}", self.port))
            .replace(" 8000:", &format!(" {}:", self.port));
        let path = format!("{}:{}", self.home.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["-c", &line])
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", variable("SLIPWAY_TEST_KUBECONFIG"))
            .env("PATH", path)
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null());
        command
    }

    fn follow(&mut self, line: &str) {
        if line.contains(" port-forward ") {
            let mut terminal = self.bash(&format!("exec {line}")).stdout(Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            BufReader::new(terminal.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
            self.terminals.push(terminal);
            assert!(said.starts_with("Forwarding from "), "{line}: {said}");
            return;
        }
        // There is no terminal that a password could be asked for at.
        let asks = line.starts_with("slipway register ");
        let line = if asks { format!("{line} --password-stdin <<< '{PASSWORD}'") } else { line.to_owned() };
        eprintln!("{}", Run::of(&mut self.bash(&line)).ok());
    }
}

#[test]
#[ignore = "wants a cluster without the platform"]
fn a_platform_is_installed_as_the_guide_says() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/kubernetes.md");
    let steps = steps(&std::fs::read_to_string(guide).unwrap());
    let mut reader = Reader::new();
    for step in steps {
        match step {
            Step::Command(command) => {
                assert!(command.shown.is_empty(), "what is shown of {} is not compared", command.text);
                reader.follow(&command.text);
            }
            Step::File { name, .. } => panic!("{name} is not written"),
        }
    }
}
