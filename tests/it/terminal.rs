//! The command line on a real terminal, against a real platform.

use rustix::process::Signal;
use slipway_tests::platform::slipway_binary;
use slipway_tests::terminal::Terminal;
use slipway_tests::{PASSWORD, Platform, Repo};

#[test]
fn a_terminal_reaches_the_process_with_its_size_ctrl_c_and_exit_code() {
    let platform = Platform::start();
    let ada = platform.user("ada");
    let repo = Repo::server("one");
    ada.deploy(&repo, "app");
    let slipway = |args: &[&str]| {
        let mut command = ada.command(slipway_binary(), repo.path());
        command.args(args);
        command
    };
    let mut terminal = Terminal::run(&slipway(&["run", "-it", "sh"]), 100, 30);
    terminal.types("stty size\n");
    terminal.sees("30 100");
    terminal.resize(120, 40);
    // The new size is told within a moment; the shell is asked until it has it.
    slipway_tests::eventually("the size is passed on", std::time::Duration::from_mins(3), || {
        terminal.types("stty size\n");
        terminal.seen().contains("40 120").then_some(())
    });
    terminal.types("sleep 600\n");
    terminal.sees("sleep 600");
    // The key is the process's, not the client's.
    slipway_tests::eventually("Ctrl-C ends it", std::time::Duration::from_mins(3), || {
        terminal.types("\u{3}");
        terminal.types("echo rc=$?\n");
        terminal.seen().contains("rc=130").then_some(())
    });
    terminal.types("exit 7\n");
    let (code, seen) = terminal.end();
    assert_eq!(code, 7, "{seen}");

    let list = ada.slipway(repo.path(), &["ps"]).ok().stdout;
    let process = list.lines().find_map(|line| line.strip_suffix(" up (v2)")).unwrap().to_owned();
    ada.slipway(repo.path(), &["ps:exec", &process, "--", "cat", "text"]).ok().says("one");
    let mut terminal = Terminal::run(&slipway(&["ps:exec", &process, "--", "sh"]), 80, 24);
    terminal.types("echo $WORKFLOW_RELEASE; test -t 0 && echo a terminal; exit 3\n");
    terminal.sees("a terminal\r\n");
    assert_eq!(terminal.end().0, 3);
}

#[test]
fn passwords_are_not_shown_and_destruction_is_confirmed() {
    let platform = Platform::start();
    let ada = platform.user("ada");
    let api = format!("http://{}", platform.endpoints().api);
    let slipway = |args: &[&str]| {
        let mut command = ada.command(slipway_binary(), ada.home());
        command.args(args);
        command
    };
    ada.cli(&["logout"]).ok();
    for (password, code, said) in [("wrong", 1, "Unable to log in"), (PASSWORD, 0, "Logged in as ada")] {
        let mut terminal = Terminal::run(&slipway(&["login", &api]), 100, 30);
        terminal.sees("username: ");
        terminal.types("ada\n");
        terminal.sees("password: ");
        terminal.is_silent();
        terminal.types(&format!("{password}\n"));
        terminal.sees(said);
        let (ended, seen) = terminal.end();
        assert_eq!(ended, code, "{seen}");
        assert!(!seen.contains(password), "the password is on the screen: {seen}");
    }

    ada.cli(&["create", "dear", "--no-remote"]).ok();
    let mut terminal = Terminal::run(&slipway(&["destroy", "-a", "dear"]), 100, 30);
    terminal.sees("To proceed, type \"dear\": ");
    terminal.types("deer\n");
    let (code, seen) = terminal.end();
    assert!(code == 1 && seen.contains("App dear does not match confirm deer, aborting."), "{seen}");
    ada.cli(&["info", "-a", "dear"]).ok();
    let mut terminal = Terminal::run(&slipway(&["destroy", "-a", "dear"]), 100, 30);
    terminal.sees("To proceed, type \"dear\": ");
    terminal.types("dear\n");
    let (code, seen) = terminal.end();
    assert!(code == 0 && seen.contains("Destroying dear..."), "{seen}");
    ada.cli(&["info", "-a", "dear"]).fails();
}

#[test]
fn a_client_that_is_killed_leaves_the_terminal_as_it_was() {
    let mut platform = Platform::start();
    let ada = platform.user("ada");
    let repo = Repo::server("one");
    ada.deploy(&repo, "app");
    let run = || {
        let mut command = ada.command(slipway_binary(), repo.path());
        command.args(["run", "-it", "echo here; exec sleep 600"]);
        let terminal = Terminal::run(&command, 100, 30);
        terminal.sees("here");
        terminal
    };
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let terminal = run();
        terminal.signal(signal);
        assert_eq!(terminal.end().0, code);
    }
    let terminal = run();
    platform.kill();
    let (code, seen) = terminal.end();
    assert!(code == 1 && seen.contains("Error:"), "{seen}");
}

#[test]
fn a_process_is_chosen_by_its_type() {
    let platform = Platform::start();
    let ada = platform.user("ada");
    let repo = Repo::server("one");
    ada.deploy(&repo, "app");
    let exec = |args: &[&str]| {
        let mut command = ada.command(slipway_binary(), repo.path());
        command.arg("ps:exec").args(args).args(["--", "sh", "-c", "test -t 0 && echo a terminal; exit 5"]);
        Terminal::run(&command, 100, 30).end()
    };
    for flags in [&["web"][..], &["-it", "web"], &["--tty", "web"]] {
        assert_eq!(exec(flags), (5, "a terminal\r\n".to_owned()), "{flags:?}");
    }
    assert_eq!(exec(&["-i", "web"]), (5, String::new()));
    let (code, seen) = exec(&["worker"]);
    assert!(code == 1 && seen.contains("`slipway ps` lists the processes"), "{seen}");
}

/// Somebody who first writes nonsense, mends it while somebody else changes the same, and then insists.
const EDITOR: &str = r#"#!/bin/sh
stat -c 'mode %a' "$2"
case $(cat round) in
1) echo nonsense >> "$2";;
2) sed -i 's/^nonsense/MINE=1/; s/^GREETING=.*/GREETING=Ahoy/' "$2"
   "$SLIPWAY" config:set GREETING=Hi THEIRS=1 -a app > /dev/null;;
*) cat "$2";;
esac
"#;

#[test]
fn what_is_written_in_an_editor_is_not_lost() {
    let platform = Platform::start();
    let ada = platform.user("ada");
    ada.cli(&["create", "app", "--no-remote"]).ok();
    ada.cli(&["config:set", "GREETING=Hello", "-a", "app"]).ok();
    let editor = ada.home().join("editor");
    std::fs::write(&editor, EDITOR).unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let folders = ada.home().join("tmp");
    std::fs::create_dir(&folders).unwrap();
    let round = |number: &str| std::fs::write(ada.home().join("round"), number).unwrap();
    let edit = || {
        let mut command = ada.command(slipway_binary(), ada.home());
        command.args(["config:edit", "-a", "app"]).env("TMPDIR", &folders).env("SLIPWAY", slipway_binary());
        command.env("EDITOR", format!("{} --wait", editor.display()));
        Terminal::run(&command, 100, 30)
    };
    round("1");
    let mut terminal = edit();
    terminal.sees("there is no `=`");
    terminal.sees("Edit again? (Y/n) ");
    round("2");
    terminal.types("\n");
    terminal.sees("somebody else changed GREETING meanwhile");
    round("3");
    terminal.types("y\n");
    let (code, seen) = terminal.end();
    assert!(code == 0 && seen.contains("mode 600") && seen.contains("GREETING=Ahoy\r\nMINE=1"), "{seen}");
    let config = ada.cli(&["config", "--oneline", "-a", "app"]).ok().stdout;
    assert_eq!(config, "GREETING=Ahoy MINE=1 THEIRS=1\n", "what others added stays");

    for (answer, want) in [("n\n", 1), ("\u{4}", 1), ("\u{3}", 130)] {
        round("1");
        let mut terminal = edit();
        terminal.sees("Edit again? (Y/n) ");
        terminal.types(answer);
        let (code, seen) = terminal.end();
        assert_eq!(code, want, "{seen}");
    }
    assert_eq!(std::fs::read_dir(&folders).unwrap().count(), 0, "nothing is left behind");
    assert_eq!(ada.cli(&["config", "--oneline", "-a", "app"]).ok().stdout, config);
}

#[test]
fn watching_has_the_terminal_for_itself_and_gives_it_back() {
    let platform = Platform::start();
    let ada = platform.user("ada");
    ada.cli(&["create", "app", "--no-remote"]).ok();
    let watch = |term: &str, args: &[&str]| {
        let mut command = ada.command(slipway_binary(), ada.home());
        command.args(["watch", "-a", "app"]).args(args).env("TERM", term);
        Terminal::run(&command, 100, 30)
    };
    let mut terminal = watch("xterm", &[]);
    terminal.sees("\u{1b}[?1049h");
    terminal.sees("ada created initial release");
    terminal.resize(30, 10);
    terminal.sees("ada create…");
    ada.cli(&["config:set", "A=1", "-a", "app"]).ok();
    terminal.sees("release v2");
    terminal.types("\u{3}");
    let (code, seen) = terminal.end();
    let after = seen.rsplit_once("\u{1b}[?1049l").unwrap().1;
    assert!(code == 130 && after.contains("=== Events\r\nrelease v2"), "{seen}");

    let (code, seen) = watch("dumb", &["--wait"]).end();
    assert!(code == 0 && seen.contains("release v2") && !seen.contains('\u{1b}'), "{seen}");
}

#[test]
fn what_takes_long_is_counted_on_a_terminal_that_can_draw() {
    let platform = Platform::start();
    let ada = platform.user("ada");
    let repo = Repo::server("one");
    ada.deploy(&repo, "app");
    let run = |term: &str| {
        let mut command = ada.command(slipway_binary(), repo.path());
        command.args(["run", "sleep 3; echo done"]).env("TERM", term);
        let (code, seen) = Terminal::run(&command, 100, 30).end();
        assert!(code == 0 && seen.ends_with("done\r\n"), "{seen}");
        seen
    };
    assert!(run("xterm").contains("\u{1b}7waiting 2s\u{1b}8"));
    assert!(!run("dumb").contains('\u{1b}'));
}
