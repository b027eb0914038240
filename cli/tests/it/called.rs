//! Called as `deis` or `drycc`, against a controller that sends what upstream's documents and no more.

use serde_json::{Value, json};

use crate::person::Person;

const TIME: &str = "2016-11-20T12:00:00UTC";

fn page(items: &[Value]) -> String {
    json!({"count": items.len(), "next": null, "previous": null, "results": items}).to_string()
}

fn app() -> Value {
    json!({"uuid": "u-1", "id": "foo", "owner": "bob", "structure": {}, "created": TIME, "updated": TIME})
}

/// Somebody with an app on a controller of upstream's.
fn upstream(folder: &str) -> Person {
    let person = Person::stranger();
    Person::write_profile(&person.home().join(folder).join("client.json"), &person.server.url);
    person.server.on("GET /v2/apps/?limit=100", 200, &page(&[app()]));
    person.server.on("GET /v2/apps/foo/", 200, &app().to_string());
    person
}

#[test]
fn each_name_has_its_own_profile_remote_and_texts() {
    for (name, title) in [("deis", "Deis"), ("drycc", "Drycc")] {
        let person = upstream(&format!(".{name}"));
        person.run_as(name, &["apps"]).ok("=== Apps\nfoo\n");
        person.git_init();
        person.server.on("POST /v2/apps/", 201, &app().to_string());
        person.run_as(name, &["create", "foo"]).ok(&format!(
            "Creating Application... done, created foo\nGit remote {name} successfully created for app foo.\n"
        ));
        assert_eq!(person.git(&["remote", "get-url", name]), "ssh://git@127.0.0.1:2222/foo.git\n");
        person.server.on("GET /v2/apps/foo/config/", 404, r#""No App matches the given query.""#);
        // Neither the folder's name nor the remote `slipway` is looked at first.
        person.git(&["remote", "add", "slipway", "ssh://git@127.0.0.1:2222/bar.git"]);
        person.run_as(name, &["config"]).fails("Error: \"No App matches the given query.\"\n");
        person.run_as(name, &["git:remove"]).ok("Git remotes for app foo removed.\n");

        let help = person.run_as(name, &["config:set", "--help"]);
        assert!(help.stdout.contains(&format!("Usage: {name} config set")), "{help:?}");
        assert!(help.stdout.contains(&format!("\n  {name} config:set MODE=production")), "{help:?}");
        for unknown in [&["frobnicate"][..], &["apps:frobnicate"], &["help", "apps:frobnicate"]] {
            person
                .run_as(name, unknown)
                .fails(&format!("Found no matching command, try '{name} help'\nUsage: {name} <command> [<args>...]\n"));
        }
        for group in ["auth", "git"] {
            let help = person.run_as(name, &[group]);
            assert!(help.code == 0 && help.stdout.contains(&format!("Usage: {name} {group} ")), "{help:?}");
        }
        let help = person.run_as(name, &["--help"]);
        assert!(!help.stdout.contains("slipway"), "{help:?}");
        assert!(help.stdout.contains(&format!("{}_PROFILE", name.to_uppercase())), "{help:?}");
        for version in ["version", "--version", "-v"] {
            person.run_as(name, &[version]).ok(concat!(env!("CARGO_PKG_VERSION"), "\n"));
        }
        person.server.on("GET /healthz", 200, "OK");
        for all in ["-a", "--all"] {
            person.run_as(name, &["version", all]).ok(concat!(
                "Workflow CLI Version:            ",
                env!("CARGO_PKG_VERSION"),
                "\nWorkflow CLI API Version:        2.3\nWorkflow Controller API Version: 2.3\n"
            ));
        }
        let run = person.run_as(name, &["login", &person.server.url.replace("http://", "http://x@")]);
        assert_eq!(run.code, 1);
        person.server.on("GET /v2/", 200, "{}");
        let url = person.server.url.clone();
        person.run_as(name, &["login", &url, "--username=bob", "--password=x"]).fails(&format!(
            "Error: [URL] does not appear to be a valid {title} controller.\nMake sure that the Controller URI is \
                 correct, the server is running and\nyour {name} version is correct.\n"
        ));
        person.run_as(name, &["logout"]).ok("Logged out\n");
        let run = person.run_as(name, &["apps"]);
        assert!(run.stderr.starts_with("Error: Client configuration file not found at: "), "{run:?}");
    }
}

#[test]
fn no_limit_is_unlimited_or_the_default() {
    let config = json!({"uuid": "c-1", "owner": "bob", "app": "foo", "created": TIME, "updated": TIME}).to_string();
    for (name, none) in [("deis", "Unlimited"), ("drycc", "Default")] {
        let person = upstream(&format!(".{name}"));
        person.server.on("GET /v2/apps/foo/config/", 200, &config);
        person
            .run_as(name, &["limits", "-a", "foo"])
            .ok(&format!("=== foo Limits\n\n--- Memory\n{none}\n\n--- CPU\n{none}\n"));
    }
}

#[test]
fn profile_variables_are_those_of_the_name() {
    let mut person = upstream(".deis");
    Person::write_profile(&person.home().join(".deis/staging.json"), "http://127.0.0.1:1");
    // Scripts of upstream's use such names for themselves.
    person.set_env("SLIPWAY_CONTROLLER", "http://127.0.0.1:2");
    person.set_env("SLIPWAY_TOKEN", "none");
    person.set_env("SLIPWAY_PROFILE", "none");
    person.run_as("deis", &["apps"]).ok("=== Apps\nfoo\n");
    assert_eq!(person.server.asked()[0].authorization, "token t0ken");
    person.set_env("DEIS_PROFILE", "staging");
    let run = person.run_as("deis", &["apps"]);
    assert!(run.stderr.starts_with("Error: cannot connect to http://127.0.0.1:1"), "{run:?}");
    person.run_as("deis", &["apps", "-c", "client"]).ok("=== Apps\nfoo\n");
}

#[test]
fn drycc_says_that_processes_are_started() {
    for (name, heading) in [("deis", "--- web:"), ("drycc", "--- web (started):")] {
        let person = upstream(&format!(".{name}"));
        let pod = json!({"name": "foo-web-1-a", "release": "v2", "started": TIME, "state": "up", "type": "web"});
        person.server.on("GET /v2/apps/foo/pods/", 200, &json!({"results": [pod], "count": 1}).to_string());
        person.run_as(name, &["ps", "-a", "foo"]).ok(&format!("=== foo Processes\n{heading}\nfoo-web-1-a up (v2)\n"));
    }
}

#[test]
fn answers_of_upstreams_controller_are_enough() {
    let mut person = upstream(".deis");
    let domain = json!({"owner": "bob", "created": TIME, "updated": TIME, "app": "foo", "domain": "foo"});
    person.server.on("GET /v2/apps/foo/domains/?limit=1", 200, &page(std::slice::from_ref(&domain)));
    person.server.on("GET /v2/apps/foo/domains/?limit=100", 200, &page(&[domain]));
    let pod = |name: &str| json!({"name": name, "release": "v2", "started": TIME, "state": "up", "type": "web"});
    let pods = json!({"results": [pod("foo-web-123-abcde")], "count": 1});
    person.server.on("GET /v2/apps/foo/pods/", 200, &pods.to_string());
    let settings = json!({
        "uuid": "s-1", "app": "foo", "owner": "bob", "maintenance": false, "routable": true, "whitelist": [],
        "autoscale": {}, "label": {}, "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/settings/", 200, &settings.to_string());
    let run = person.run_as("deis", &["apps:info", "-a", "foo"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("url:      foo\n"), "{run:?}");

    // Its controller takes one word for a type, so a pod is named with its type.
    person.server.on(
        "POST /v2/apps/foo/pods/web/foo-web-123-abcde/restart/",
        200,
        &json!([pod("foo-web-9-x")]).to_string(),
    );
    person.set_env("DEIS_DRINK_OF_CHOICE", "tea\u{1b}");
    for target in ["foo-web-123-abcde", "web-123-abcde"] {
        let shown = "=== foo Processes\n--- web:\nfoo-web-9-x up (v2)\n";
        person
            .run_as("deis", &["ps:restart", target, "-a", "foo"])
            .ok(&format!("Restarting processes... but first, tea!\ndone in [n]s\n{shown}"));
    }

    let user = json!({
        "username": "bob", "is_superuser": false, "first_name": "", "last_name": "", "email": "", "is_staff": false,
        "is_active": true, "last_login": null, "date_joined": TIME, "groups": [], "user_permissions": [],
    });
    person.server.on("GET /v2/auth/whoami/", 200, &user.to_string());
    let run = person.run_as("deis", &["whoami", "--all"]);
    assert!(run.code == 0 && run.stdout.starts_with("ID: 0\nUsername: bob\nEmail: \n"), "{run:?}");
    let release = json!({
        "uuid": "r", "app": "foo", "owner": "bob", "version": 1, "summary": "bob created initial release",
        "config": "c", "build": null, "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/releases/?limit=100", 200, &page(&[release]));
    person
        .run_as("deis", &["releases", "-a", "foo"])
        .ok(&format!("=== foo Releases\nv1\t{TIME}\tbob created initial release\n"));
}

/// What upstream's acceptance suite asserts of `help`, and of what is no command.
#[test]
fn help_and_what_is_no_command() {
    for name in ["deis", "drycc"] {
        let person = upstream(&format!(".{name}"));
        let usage = format!("Usage: {name} <command> [<args>...]");
        for help in ["--help", "-h", "help"] {
            let run = person.run_as(name, &[help]);
            assert!(run.code == 0 && run.stdout.contains(&usage) && run.stderr.is_empty(), "{help}: {run:?}");
            for command in ["labels:set", "labels", "scale"] {
                let below = person.run_as(name, &[help, command]);
                assert_eq!(below, person.run_as(name, &[command, "--help"]), "{help} {command}");
                assert_eq!((below.code, below.stderr.as_str()), (0, ""), "{help} {command}");
            }
        }
        let run = person.run_as(name, &[]);
        assert!(run.code == 1 && run.stdout.is_empty() && run.stderr.contains(&usage), "{run:?}");
        for args in [&["bogus-command"][..], &["bogus:command", "-a", "foo"], &["help", "bogus"], &["-h", "bogus:x"]] {
            let run = person.run_as(name, args);
            assert_eq!(run.stdout, "", "{args:?}");
            run.fails(&format!("Found no matching command, try '{name} help'\n{usage}\n"));
        }
    }
}

#[test]
fn options_stand_anywhere_and_may_be_cut_short() {
    let person = upstream(".deis");
    Person::write_profile(&person.home().join(".deis/other.json"), "http://127.0.0.1:1");
    let release = json!({
        "uuid": "r", "app": "foo", "owner": "bob", "version": 1, "summary": "bob created initial release",
        "config": "c", "build": null, "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/releases/?limit=1", 200, &page(&[release]));
    let want = format!("=== foo Releases\nv1\t{TIME}\tbob created initial release\n");
    for args in [
        &["releases:list", "-a", "foo", "-l", "1"][..],
        &["releases:list", "--app=foo", "--limit=1"],
        &["releases:list", "--limit", "1", "--app", "foo"],
        &["releases", "-l1", "-afoo"],
        &["releases", "-l=1", "--ap=foo"],
        &["releases:list", "--lim", "1", "--app=foo"],
        &["-a", "foo", "releases", "-l", "1"],
        &["--app=foo", "releases:list", "-l", "1"],
        &["-c", "client", "releases", "-l", "1", "-a", "foo"],
        &["releases", "-l", "1", "-a", "foo", "--config=client"],
        &["releases", "-l", "1", "-a", "foo", "-c", "client"],
    ] {
        person.run_as("deis", args).ok(&want);
    }
    // A variable that is not set: no app is named.
    person.git_init();
    person.git(&["remote", "add", "deis", "ssh://git@127.0.0.1:2222/foo.git"]);
    for none in [&["-a", ""][..], &["--app="], &["--app", ""], &[]] {
        person.run_as("deis", &[&["releases", "-l", "1"], none].concat()).ok(&want);
    }
    let run = person.run_as("deis", &["releases", "-c", "other"]);
    assert!(run.stderr.starts_with("Error: cannot connect to http://127.0.0.1:1"), "{run:?}");
    for args in
        [&["releases:list", "foo"][..], &["releases:list", "--none"], &["releases:info"], &["releases", "-l", "x"]]
    {
        let run = person.run_as("deis", args);
        assert!(run.code == 1 && run.stdout.is_empty() && run.stderr.contains("--help"), "{args:?}: {run:?}");
    }
}

#[test]
fn an_unknown_command_is_another_program() {
    let mut person = upstream(".deis");
    let folder = person.home().join("bin");
    std::fs::create_dir(&folder).unwrap();
    for name in ["deis-greet", "slipway-greet"] {
        let text = person.home().join("text");
        std::fs::write(&text, format!("#!/bin/sh\necho {name} \"$@\"\nexit 7\n")).unwrap();
        // Another process makes the program: what this one opens to write, the children of other tests have open for a
        // moment, and so long it cannot be run.
        let mut install = std::process::Command::new("install");
        assert!(install.args(["-m", "755", "--"]).arg(&text).arg(folder.join(name)).status().unwrap().success());
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    person.set_env("PATH", &path);
    let run = person.run_as("deis", &["greet", "a b", "--json"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (7, "deis-greet a b --json\n", ""));
    assert_eq!(person.run("greet").stdout, "slipway-greet\n");
    for (args, said) in [
        (&["greet:all", "b"][..], "deis-greet all b\n"),
        (&["help", "greet"], "deis-greet --help\n"),
        (&["--help", "greet"], "deis-greet --help\n"),
        (&["-h", "greet:all"], "deis-greet all --help\n"),
    ] {
        let run = person.run_as("deis", args);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (7, said, ""), "{args:?}");
    }
    // A name with a slash would be a path.
    let run = person.run_as("deis", &["../bin/deis-greet"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert_eq!(person.run("grete").code, 2);
}
