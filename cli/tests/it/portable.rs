//! What the command line without `up` may use: nothing that only Unix has, little space, little time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_outside_of_up_is_unix_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut looked, mut guarded) = (0, 0);
    for path in files {
        let name = path.strip_prefix(&root).unwrap();
        if name.starts_with("commands/up") || name == Path::new("commands/up.rs") {
            continue;
        }
        looked += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]").collect();
        for (at, line) in lines.iter().enumerate() {
            let is_unix = ["os::unix", "os::fd", "signal::unix", "rustix", "nix::", "libc::", "/dev/tty"]
                .iter()
                .any(|name| line.contains(name));
            if !is_unix || line.starts_with("//") {
                continue;
            }
            guarded += 1;
            let before = at.checked_sub(1).map_or("", |before| lines[before]);
            assert_eq!(before, "#[cfg(unix)]", "{}:{} is for Unix only: {line}", name.display(), at + 1);
        }
    }
    assert!(looked > 40 && guarded > 0, "the search looks in the wrong place: {looked} files, {guarded} places");
    let manifest = std::fs::read_to_string(root.join("../Cargo.toml")).unwrap();
    let normal = manifest.split("\n[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let is_optional = |line: &str| line.contains("optional = true");
    for line in normal.lines().filter(|line| line.starts_with("rustix") || line.starts_with("nix")) {
        assert!(is_optional(line), "only `up` may have it: {line}");
    }
}

#[test]
fn it_starts_in_no_time() {
    // The best of many: everything else is what else the machine does.
    let best = (0..20)
        .map(|_| {
            let started = Instant::now();
            let output = Command::new(env!("CARGO_BIN_EXE_slipway")).arg("--version").output().unwrap();
            assert!(output.status.success());
            started.elapsed()
        })
        .min()
        .unwrap();
    // `make bench` measures the release build against 20 ms; what is tested here is not optimised.
    let limit = if cfg!(debug_assertions) { 100 } else { 20 };
    assert!(best <= Duration::from_millis(limit), "{best:?}");
}
