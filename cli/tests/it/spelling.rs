//! Both spellings of every command, and what is no command.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::person::Person;

/// Every command, `config:set`: each has a page of the reference, which `reference.rs` compares with the program.
fn every_command() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README" && (cfg!(feature = "up") || name != "up"))
        .map(|name| name.replace('-', ":"))
        .collect();
    names.sort();
    assert!(names.len() > 100, "{names:?}");
    names
}

#[test]
fn a_colon_is_a_space_and_help_comes_with_examples() {
    let commands = every_command();
    // Each run is a process, and there are hundreds.
    std::thread::scope(|scope| {
        for part in commands.chunks(commands.len().div_ceil(4)) {
            scope.spawn(move || {
                let person = Person::stranger();
                for command in part {
                    let colon = person.run(&format!("{command} --help"));
                    let space = person.run(&format!("{} --help", command.replace(':', " ")));
                    let help = person.run(&format!("help {command}"));
                    assert_eq!(colon.code, 0, "{command}: {colon:?}");
                    assert!(colon.stdout.contains("Usage: slipway "), "{command}: {colon:?}");
                    let example = colon.stdout.split("Examples:\n").nth(1).unwrap_or_default();
                    assert!(example.starts_with("  slipway "), "no example of {command}: {colon:?}");
                    assert_eq!(colon, space, "{command}");
                    assert_eq!(colon, help, "{command}");
                }
            });
        }
    });
}

#[test]
fn what_is_no_command_is_a_usage_error_with_a_suggestion() {
    let person = Person::stranger();
    for (args, want) in [
        ("destory", "Error: there is no command `destory`\n\nhint: did you mean `slipway destroy`?\n"),
        ("confg:set A=1", "Error: there is no command `confg:set`\n\nhint: did you mean `slipway config:set`?\n"),
        ("frobnicate", "Error: there is no command `frobnicate`\n\nhint: `slipway help` lists the commands\n"),
        ("config:st A=1", "Error: there is no command `config:st`\n\nhint: did you mean `slipway config:set`?\n"),
        ("-a foo config st", "Error: there is no command `config:st`\n\nhint: did you mean `slipway config:set`?\n"),
        ("help relases", "Error: there is no command `relases`\n\nhint: did you mean `slipway releases`?\n"),
        (
            "apps:frobnicate",
            "Error: there is no command `apps:frobnicate`\n\nhint: `slipway help apps` lists the commands of apps\n",
        ),
    ] {
        let run = person.run(args);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (2, "", want));
    }
    for args in
        ["config:frobnicate", "shortcuts:frobnicate", "apps -l 0", "config:set", "logs -n x", "keys:add a b c", ""]
    {
        assert_eq!(person.run(args).code, 2, "{args}");
    }
}

#[test]
fn completions_are_made_for_each_shell() {
    let person = Person::stranger();
    for shell in ["bash", "zsh", "fish"] {
        let run = person.run(&format!("completions {shell}"));
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("COMPLETE") && run.stdout.contains("slipway"), "{shell}");
    }
    assert_eq!(person.run("completions tcsh").code, 2);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let person = Person::new();
    let items: Vec<String> = (0..20_000).map(|n| format!("line {n} {}", "x".repeat(80))).collect();
    person.server.on("GET /v2/apps/foo/logs", 200, &items.join("\n"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_slipway"))
        .args(["logs", "-a", "foo"])
        .env("HOME", person.home())
        .env_remove("XDG_CONFIG_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
