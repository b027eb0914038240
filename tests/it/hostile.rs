//! Bad input: each gets an error that names the field and the reason, never a 5xx, and nothing is half-done.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use slipway_tests::{Platform, Repo, Run, User};

fn refused(user: &User, path: &str, body: &str, field: &str) {
    let (status, answer) = user.api("POST", path, Some(body.as_bytes()));
    let shown: String = body.chars().take(80).collect();
    assert!((400..500).contains(&status), "{path} {shown}: {status} {answer}");
    assert!(answer.contains(field), "{path} {shown}: no {field:?} in {answer}");
}

#[test]
fn names_keys_and_values() {
    let platform = Platform::start();
    let user = platform.user("ada");
    for name in ["1a", "-a", "a-", "A", "a_b", "a.b", "../a", "a/b", "ä", "a\\u0000", "a\\nb", &"a".repeat(64)] {
        refused(&user, "/v2/apps/", &format!(r#"{{"id":"{name}"}}"#), "\"id\"");
    }
    user.cli(&["create", "app", "--no-remote"]).ok();
    let config = "/v2/apps/app/config/";
    for key in ["1A", "A B", "A-B", "A=B", "", "A\\u0000", "A\\n", "ä"] {
        refused(&user, config, &format!(r#"{{"values":{{"{key}":"x"}}}}"#), "values");
    }
    refused(&user, config, r#"{"values":{"A":"nul \u0000 inside"}}"#, "values");
    refused(&user, config, r#"{"values":["A"]}"#, "values");
    refused(&user, config, r#"{"values":7}"#, "values");
    refused(&user, config, r#"{"values":{"PORT":"99999"}}"#, "PORT");
    refused(&user, config, r#"{"memory":{"web":"many"}}"#, "memory");
    refused(&user, config, r#"{"cpu":{"web":"fast"}}"#, "cpu");
    refused(&user, config, r#"{"healthcheck":{"web":{"livenessProbe":{"httpGet":{}}}}}"#, "healthcheck");
    refused(&user, config, "[]", "non_field_errors");
    refused(&user, config, "{\"values\":", "JSON parse error");
    refused(&user, config, &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "");
    let huge = format!(r#"{{"values":{{"A":"{}"}}}}"#, "x".repeat(8 << 20));
    refused(&user, config, &huge, "");
    // What is unusual but fine comes back as it was.
    let value = format!("line 1\nline 2 'quoted' \"äöü 雪\" $HOME {}", "x".repeat(100_000));
    let body = serde_json::json!({"values": {"ODD": value}}).to_string();
    let (status, answer) = user.api("POST", config, Some(body.as_bytes()));
    assert_eq!(status, 201, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["values"]["ODD"], value);
}

#[test]
fn procfiles() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    let many = (0..10_000).map(|n| format!("t{n}: true")).collect::<Vec<_>>().join("\n");
    for bad in ["web: a\nweb: b\n", "web:\n", "no colon\n", "We b: x\n", &many] {
        repo.change("Procfile", bad);
        user.push(&repo).fails().says("Procfile");
    }
    repo.change("Procfile", "# comment\r\n\r\nweb: exec python3 server.py\r\n");
    repo.change("text", "crlf");
    user.push(&repo).ok();
    platform.answers("app", "text=crlf");
    assert_eq!(user.releases("app").len(), 3);
}

#[test]
fn trees() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    let good = repo.head();
    let blob = repo.run(&["rev-parse", "HEAD:text"]).stdout.trim().to_owned();

    // git itself refuses to make such trees; mktree with --literally hashing does not.
    for name in ["..", ".git", ".GIT", "a/b"] {
        let tree = raw_tree(&repo, &[("100644", name, &blob)]);
        let commit = repo.run(&["commit-tree", &tree, "-p", &good, "-m", "bad"]).stdout.trim().to_owned();
        user.git(&repo, &["push", "slipway", &format!("{commit}:refs/heads/main")]).fails();
    }
    std::os::unix::fs::symlink("/etc/passwd", repo.file("out")).unwrap();
    repo.commit("A link out of the tree");
    user.push(&repo).fails().says("out");
    repo.run(&["reset", "-q", "--hard", &good]);
    std::os::unix::fs::symlink("../../../../../../etc", repo.file("up")).unwrap();
    repo.commit("A link up and out");
    user.push(&repo).fails().says("up");
    repo.run(&["reset", "-q", "--hard", &good]);
    std::os::unix::fs::symlink("text", repo.file("in")).unwrap();
    repo.change("text", "linked");
    user.push(&repo).ok();
    platform.answers("app", "text=linked");
}

/// Writes a tree object byte by byte.
fn raw_tree(repo: &Repo, entries: &[(&str, &str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        let digits: Vec<u8> =
            (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
        bytes.extend_from_slice(&digits);
    }
    let file = repo.path().join(".git/raw-tree");
    std::fs::write(&file, bytes).unwrap();
    let hashed = repo.run(&["hash-object", "-t", "tree", "-w", "--literally", file.to_str().unwrap()]);
    hashed.stdout.trim().to_owned()
}

#[test]
fn ssh_that_is_not_git() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let ssh = |args: &[&str]| {
        let port = platform.endpoints().ssh.port().to_string();
        let key = user.key();
        let hosts = user.home().join("known_hosts");
        Run::of(
            user.command("timeout", user.home())
                .args(["120", "ssh", "-p", &port, "-i", key.to_str().unwrap()])
                .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"])
                .args(["-o", &format!("UserKnownHostsFile={}", hosts.display())])
                .args(args),
        )
    };
    ssh(&["git@127.0.0.1", "ping"]).ok().says("pong");
    for command in ["id", "git-receive-pack", "git-receive-pack '../x'", "git-upload-pack '/etc'", "sh -c id"] {
        let run = ssh(&["git@127.0.0.1", command]).fails();
        assert!(!run.stdout.contains("uid="), "{run}");
        assert_ne!(run.code, 124, "it hung: {run}");
    }
    assert_ne!(ssh(&["git@127.0.0.1"]).fails().code, 124);
    assert_ne!(ssh(&["-s", "git@127.0.0.1", "sftp"]).fails().code, 124);
    assert_ne!(ssh(&["-W", "127.0.0.1:1", "git@127.0.0.1"]).fails().code, 124);

    // Garbage and half-open connections hold nothing up.
    let idle: Vec<TcpStream> = (0..30).map(|_| TcpStream::connect(platform.endpoints().ssh).unwrap()).collect();
    let mut garbage = TcpStream::connect(platform.endpoints().ssh).unwrap();
    garbage.write_all(&vec![0xff; 70_000]).ok();
    garbage.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sink = Vec::new();
    let _ = garbage.read_to_end(&mut sink);
    let repo = Repo::server("one");
    user.deploy(&repo, "app");
    platform.answers("app", "text=one");
    drop(idle);
}
