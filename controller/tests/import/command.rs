//! The command as a process.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::bed::{DUMP, FIXTURE, live};

fn run(data: &Path, arguments: &[&str], vars: &[(&str, &str)], stdin: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slipway-controller"))
        .arg("import")
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("SLIPWAY_DATA", data)
        .envs(vars.iter().copied())
        .stdin(stdin)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn it_prints_a_table_or_json_and_may_be_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--from-deis", FIXTURE, "--dry-run"], &[], Stdio::null());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("this was a dry run"), "{}", text(&output.stdout));
    let file = std::fs::File::open(FIXTURE).unwrap();
    let output = run(dir.path(), &["--from-deis", "-", "--json", "--stopped"], &[], Stdio::from(file));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["kinds"]["apps"]["imported"], 3);
    assert_eq!(report["kinds"]["users"]["refused"].as_object().unwrap().len(), 2);
    let output = run(dir.path(), &["--from-deis", FIXTURE], &[], Stdio::null());
    let table = text(&output.stdout);
    let apps = table.lines().find(|line| line.starts_with("apps")).unwrap();
    assert_eq!(apps.split_whitespace().collect::<Vec<_>>(), ["apps", "6", "0", "3", "3"]);
    assert!(!table.contains('\u{1b}') && !table.contains("made-up"), "{table}");
}

#[test]
fn an_address_is_never_an_argument() {
    let dir = tempfile::tempdir().unwrap();
    let address = "postgres://u:hunter2@127.0.0.1:1/deis";
    for (arguments, vars, expect) in [
        (&["--from-deis", address][..], &[][..], "--from-deis-url-file"),
        (&[], &[], "nothing to import from"),
        (&[], &[("SLIPWAY_IMPORT_DEIS_URL", address)], "does not answer"),
        (&["--from-deis-url-file", "/not/there"], &[], "cannot read /not/there"),
        (&["--from-deis", FIXTURE, "--from-deis-url-file", "x"], &[], "cannot be used with"),
        (&["--from-deis", "/not/there"], &[], "cannot read /not/there"),
    ] {
        let output = run(dir.path(), arguments, vars, Stdio::null());
        let complaint = text(&output.stderr);
        assert!(!output.status.success() && complaint.contains(expect), "{expect}: {complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_database_is_named_by_a_file() {
    let url = live().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, format!("{url}\n")).unwrap();
    let output = run(dir.path(), &["--from-deis-url-file", file.to_str().unwrap(), "--json"], &[], Stdio::null());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["kinds"]["releases"]["imported"], 9);
}

#[test]
fn an_archive_without_its_tool_says_what_to_install() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("deis.dump");
    std::fs::write(&archive, [b"PGDMP", DUMP.as_bytes()].concat()).unwrap();
    let empty = dir.path().to_str().unwrap();
    let output = run(dir.path(), &["--from-deis", archive.to_str().unwrap()], &[("PATH", empty)], Stdio::null());
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("pg_restore is not installed") && complaint.contains("postgresql-client"),
        "{complaint}"
    );
}
