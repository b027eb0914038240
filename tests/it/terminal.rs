//! The command line on a real terminal, against a real platform.

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
