//! Rules about our own code that no compiler checks.

use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["controller", "builder", "router-sync", "cli", "tests"].iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") && !path.ends_with("fixtures") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 50, "the search looks in the wrong place");
    found
}

/// Whether the crate in `folder` names `dependency` outside of its tests.
fn depends(folder: &str, dependency: &str) -> bool {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let normal = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned();
    normal.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(dependency))
}

#[test]
fn the_crate_graph_is_the_architecture() {
    let core = ["tokio", "serde", "poem", "diesel", "reqwest", "slipway-store", "slipway-engine", "slipway-wire"];
    for dependency in core {
        assert!(!depends("controller/core", dependency), "core must not know {dependency}");
    }
    for dependency in ["tokio", "poem", "diesel", "reqwest", "slipway-store", "slipway-engine", "slipway-wire"] {
        assert!(!depends("controller/team", dependency), "the domain of teams must not know {dependency}");
    }
    for folder in ["controller/service", "controller/api", "controller/local", "controller/wire", "builder", "cli"] {
        for dependency in ["diesel", "diesel-async"] {
            assert!(!depends(folder, dependency), "{folder} must not know {dependency}: only the store does");
        }
    }
    for folder in ["controller/core", "controller/store", "controller/service", "controller/engine", "controller/local"]
    {
        assert!(!depends(folder, "poem"), "{folder} must not know poem: only the API does");
        assert!(!depends(folder, "slipway-wire"), "{folder} must not know wire types");
    }
    for folder in ["builder", "cli"] {
        assert!(!depends(folder, "slipway-store"), "{folder} knows the controller only through its API");
        assert!(!depends(folder, "slipway-service"), "{folder} knows the controller only through its API");
    }
    assert!(!depends("controller/wire", "slipway-core"), "wire types are apart from domain types");
    for folder in ["controller/local", "controller/cluster", "controller/docker"] {
        assert!(!depends(folder, "slipway-store"), "an engine has no database");
        assert!(!depends(folder, "slipway-service"), "an engine has no use cases");
    }
    for folder in ["controller/core", "controller/team", "controller/service", "controller/api", "controller/local"] {
        assert!(!depends(folder, "bollard-stubs"), "{folder} must not know container engines");
    }
    assert!(!depends("router-sync", "slipway-service"), "the router decides no policy");
}

/// Only an app's own process may be given a line for a shell.
#[test]
fn nothing_is_run_through_a_shell() {
    let shells = [r#"Command::new("sh")"#, r#"Command::new("bash")"#, r#"Command::new("/bin/sh")"#, r#""sh", "-c""#];
    for (path, text) in sources() {
        if path.starts_with("controller/local") || path.ends_with("it/rule.rs") || is_test(&path) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for shell in shells {
            assert!(!code.contains(shell), "{} runs a shell: {shell}", path.display());
        }
    }
}

#[test]
fn nothing_is_left_to_do() {
    for (path, text) in sources() {
        if path.ends_with("it/rule.rs") {
            continue;
        }
        for mark in ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX:"] {
            assert!(!text.contains(mark), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn files_stay_readable() {
    for (path, text) in sources() {
        if path.extension().is_some_and(|kind| kind == "rs") {
            let lines = text.lines().count();
            assert!(lines <= 1000, "{} has {lines} lines: split it by noun or verb", path.display());
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for vague in ["utils", "util", "common", "helpers", "manager", "misc"] {
            assert_ne!(name, vague, "{}: name it for what it holds", path.display());
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "examples")
}
