//! What the command line without `up` may use: nothing that only Unix has, little space, little time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Every file of Rust below a folder.
pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// What only Unix has, or only one kind of it.
const UNIX_ONLY: [&str; 11] = [
    "os::unix",
    "os::linux",
    "os::macos",
    "os::fd",
    "signal::unix",
    "net::Unix",
    "rustix",
    "nix::",
    "libc::",
    "\"/dev/",
    "\"/proc/",
];

/// The crates of the command line without `up`.
const CRATES: [&str; 4] = ["cli", "controller/cause", "controller/client", "controller/wire"];

/// The lines of a file, counted from 1, that use what only Unix has: those below `#[cfg(unix)]`, and all others.
fn unix_lines(text: &str) -> (Vec<usize>, Vec<usize>) {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]").collect();
    let found = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.starts_with("//") && UNIX_ONLY.iter().any(|name| line.contains(name)));
    let (guarded, bare): (Vec<usize>, Vec<usize>) = found
        .map(|(at, _)| at + 1)
        .partition(|line| line.checked_sub(2).is_some_and(|before| lines[before] == "#[cfg(unix)]"));
    (guarded, bare)
}

/// Whether a line of a manifest brings in what only Unix has, for everybody.
fn is_unix_dependency(line: &str) -> bool {
    let name = line.split([' ', '.', '=']).next().unwrap_or_default();
    matches!(name, "rustix" | "nix" | "libc") && !line.contains("optional = true")
}

#[test]
fn nothing_outside_of_up_is_unix_only() {
    let (mut looked, mut guarded) = (0, 0);
    for name in CRATES {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        let mut files = Vec::new();
        sources(&root.join("src"), &mut files);
        for path in files {
            let file = path.strip_prefix(&root).unwrap();
            if file.starts_with("src/commands/up") || file == Path::new("src/commands/up.rs") {
                continue;
            }
            looked += 1;
            let (below_cfg, bare) = unix_lines(&std::fs::read_to_string(&path).unwrap());
            guarded += below_cfg.len();
            assert!(bare.is_empty(), "{name}/{}: lines {bare:?} are for Unix only", file.display());
        }
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let normal = manifest.split("\n[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap();
        let bare: Vec<&str> = normal.lines().filter(|line| is_unix_dependency(line)).collect();
        assert!(bare.is_empty(), "{name}: only `up` may have these: {bare:?}");
        // A crate that is not in the list is not looked at.
        let ours = normal.lines().filter(|line| line.starts_with("slipway-") && !line.contains("optional = true"));
        for used in ours.map(|line| line.split(['.', ' ']).next().unwrap().trim_start_matches("slipway-")) {
            assert!(CRATES.iter().any(|known| known.ends_with(&format!("/{used}"))), "{name} uses {used}");
        }
    }
    assert!(looked > 50 && guarded > 0, "the search looks in the wrong place: {looked} files, {guarded} places");
}

#[test]
fn the_search_for_what_is_unix_only_finds_it() {
    for (text, guarded, bare) in [
        ("use std::os::unix::fs::PermissionsExt as _;", &[][..], &[1][..]),
        ("use std::io;\n    use std::os::fd::AsRawFd;", &[], &[2]),
        ("#[cfg(unix)]\nuse tokio::signal::unix::signal;", &[2], &[]),
        ("#[cfg(unix)]\nuse std::io;\nuse rustix::fs;", &[], &[3]),
        ("#[cfg(not(windows))]\nlet tty = File::open(\"/dev/tty\");", &[], &[2]),
        ("let stream = tokio::net::UnixStream::connect(path);\nread(\"/proc/self/exe\")", &[], &[1, 2]),
        ("unsafe { libc::getpid() }\nnix::unistd::fork()", &[], &[1, 2]),
        ("// as std::os::unix has it\nuse std::fs;", &[], &[]),
        ("use std::fs;\n#[cfg(test)]\nmod tests { use std::os::unix::fs; }", &[], &[]),
    ] {
        assert_eq!(unix_lines(text), (guarded.to_vec(), bare.to_vec()), "{text}");
    }
    for (line, want) in [
        ("rustix.workspace = true", true),
        ("nix = \"1\"", true),
        ("rustix = { workspace = true, optional = true }", false),
        ("clap.workspace = true", false),
        ("", false),
    ] {
        assert_eq!(is_unix_dependency(line), want, "{line}");
    }
}

#[test]
fn it_starts_in_no_time() {
    // `make bench` measures the release build against 20 ms; what is tested here is not optimised.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 20 });
    let patience = Instant::now() + Duration::from_mins(2);
    let mut best = Duration::MAX;
    // Once is enough: everything else is what else the machine does.
    while best > limit {
        assert!(Instant::now() < patience, "it never takes less than {best:?}");
        let started = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_slipway")).arg("--version").output().unwrap();
        assert!(output.status.success());
        best = best.min(started.elapsed());
    }
}
