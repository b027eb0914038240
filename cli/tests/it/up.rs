//! `slipway up` as a process: its addresses, its lock, its end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const ANY: [&str; 8] =
    ["--api", "127.0.0.1:0", "--ssh", "127.0.0.1:0", "--router", "127.0.0.1:0", "--router-tls", "127.0.0.1:0"];

/// Ends the platform also when the test fails.
struct Up {
    child: Child,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
    command.arg("up").args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts a platform and reads what it prints up to the last line of its banner.
fn start(home: &Path, args: &[&str]) -> (Up, Vec<String>) {
    let mut up = Up { child: command(home, args).spawn().unwrap() };
    let mut lines = Vec::new();
    let mut out = BufReader::new(up.child.stdout.take().unwrap());
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            let mut said = String::new();
            up.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("up ended: {said}");
        }
        lines.push(line.trim_end().to_owned());
        if line.starts_with("Ctrl-C") {
            return (up, lines);
        }
    }
}

/// How a command that must fail failed: exit code and stderr.
fn refused(home: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = command(home, args).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn it_tells_where_it_is_holds_its_directory_and_stops_when_asked() {
    let home = tempfile::tempdir().unwrap();
    // stderr stands in for a descriptor that a script passes.
    let args: Vec<&str> = ANY.iter().copied().chain(["--ready-fd", "2"]).collect();
    let (mut up, banner) = start(home.path(), &args);
    // Without a flag, the data is where the base directory specification wants it.
    let data = home.path().join(".local/share/slipway");
    let ready: Value = serde_json::from_str(&std::fs::read_to_string(data.join("ready.json")).unwrap()).unwrap();
    let api = ready["api"].as_str().unwrap();
    assert!(banner.contains(&format!("  api         {api}")), "{banner:?}");
    for (name, scheme) in [("api", "http"), ("ssh", "ssh"), ("router", "http"), ("router_tls", "https")] {
        let address = ready[name].as_str().unwrap().strip_prefix(&format!("{scheme}://")).unwrap();
        std::net::TcpStream::connect(address).unwrap();
    }

    let (code, said) = refused(home.path(), &ANY);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("another `slipway up` (pid {})", up.child.id())), "{said}");

    let other = home.path().join("other");
    let other = other.to_str().unwrap();
    let taken = api.strip_prefix("http://").unwrap();
    for flag in ["--api", "--ssh", "--router", "--router-tls"] {
        let mut args = vec!["--data", other];
        args.extend(ANY);
        let at = args.iter().position(|arg| *arg == flag).unwrap();
        args[at + 1] = taken;
        let (code, said) = refused(home.path(), &args);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("cannot listen on {taken}")) && said.contains(&format!("{flag} ")), "{said}");
    }

    kill_process(Pid::from_child(&up.child), Signal::INT).unwrap();
    let mut said = String::new();
    up.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(up.child.wait().unwrap().code(), Some(0), "{said}");
    let first = said.lines().next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(first).unwrap(), ready, "--ready-fd got the same");
    assert!(!data.join("ready.json").exists());
}

#[test]
fn what_a_kill_leaves_is_no_obstacle() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut args = vec!["--data", data.to_str().unwrap()];
    args.extend(ANY);
    let (mut up, _) = start(home.path(), &args);
    up.child.kill().unwrap();
    up.child.wait().unwrap();
    assert!(data.join("ready.json").exists(), "it could not tidy up");
    let (again, _) = start(home.path(), &args);
    let ready: Value = serde_json::from_str(&std::fs::read_to_string(data.join("ready.json")).unwrap()).unwrap();
    assert_eq!(ready["pid"], again.child.id());
}

#[test]
fn flags_are_checked_first() {
    let home = tempfile::tempdir().unwrap();
    for args in [["--api", "nowhere"], ["--domain", "a b"], ["--ready-fd", "x"], ["--router", "127.0.0.1"]] {
        let (code, said) = refused(home.path(), &args);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(args[0]), "{said}");
    }
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (code, said) = refused(home.path(), &["--data", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot use the data directory") && said.contains("hint: "), "{said}");
}
