//! Commands that are Slipway's own: following logs, differences, editing, looking after, checking.

use serde_json::{Value, json};

use crate::person::Person;

const TIME: &str = "2026-11-21T05:00:00Z";

fn release(version: u32, state: &str, build: &str) -> Value {
    json!({
        "uuid": "r-1", "app": "foo", "owner": "bob", "version": version, "summary": "bob deployed 1234567",
        "failed": state == "failed", "config": "c-1", "build": build, "exception": null, "state": state,
        "created": TIME, "updated": TIME,
    })
}

fn page(items: &[Value]) -> String {
    json!({"count": items.len(), "next": null, "previous": null, "results": items}).to_string()
}

fn config(values: &Value) -> String {
    json!({
        "uuid": "c-1", "owner": "bob", "app": "foo", "values": values, "memory": {}, "cpu": {}, "tags": {},
        "registry": {}, "healthcheck": {}, "created": TIME, "updated": TIME,
    })
    .to_string()
}

#[test]
fn logs_are_asked_for_by_time_and_type() {
    let person = Person::new();
    let path = "GET /v2/apps/foo/logs?log_lines=5&since=2026-11-21T05%3A00%3A00.000000Z&process_type=web";
    person.server.on(path, 200, "2026-11-21T05:00:01Z foo[web.1]: hello\n");
    person
        .run("logs -n 5 --since 2026-11-21T05:00:00Z --type web -a foo")
        .ok("2026-11-21T05:00:01Z foo[web.1]: hello\n");
    let run = person.run("logs --since yesterday -a foo");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("say how long ago"), "{run:?}");
}

#[test]
fn a_log_since_a_time_is_whole() {
    let person = Person::new();
    let path = "GET /v2/apps/foo/logs?log_lines=10000&since=2026-11-21T05%3A00%3A00.000000Z";
    person.server.on(path, 200, "2026-11-21T05:00:01Z foo[web.1]: hello\n");
    person.run("logs --since 2026-11-21T05:00:00Z -a foo").ok("2026-11-21T05:00:01Z foo[web.1]: hello\n");
}

#[test]
fn a_lost_log_goes_on_where_it_was() {
    let person = Person::new();
    let line = |second: u32, text: &str| format!("2026-11-21T05:00:0{second}Z foo[web.1]: {text}\n");
    let first = line(1, "a") + &line(2, "b") + &line(2, "b");
    person.server.on("GET /v2/apps/foo/logs?log_lines=7&follow=true", 200, &first);
    let again = "GET /v2/apps/foo/logs?log_lines=10000&since=2026-11-21T05%3A00%3A01.999999Z&follow=true";
    person.server.on(again, 200, &(line(2, "b") + &line(2, "b") + &line(2, "c") + &line(3, "d")));
    // Nothing is scripted for the third, which is refused, and that ends it.
    let run = person.run("logs -f -n 7 -a foo");
    assert_eq!(run.code, 1);
    assert_eq!(run.stdout, first + &line(2, "c") + &line(3, "d"));
    assert_eq!(run.stderr.matches("The log is interrupted").count(), 2, "{}", run.stderr);
}

#[test]
fn releases_are_compared_without_their_secrets() {
    let person = Person::new();
    let server = &person.server;
    for (version, build) in [(1, "b-1"), (2, "b-2")] {
        let body = release(version, "succeeded", build).to_string();
        server.on(&format!("GET /v2/apps/foo/releases/v{version}/"), 200, &body);
    }
    server.on("GET /v2/apps/foo/releases/?limit=1", 200, &page(&[release(2, "succeeded", "b-2")]));
    let values = json!({"GONE": "s1", "SAME": "s2", "OTHER": "s3"});
    server.on("GET /v2/apps/foo/config/?version=v1", 200, &config(&values));
    let values = json!({"NEW": "s4", "SAME": "s2", "OTHER": "s5"});
    server.on("GET /v2/apps/foo/config/?version=v2", 200, &config(&values));
    let build = "=== foo v1 to v2\n--- Build\n~ build: b-1 -> b-2\n--- Config\n";
    person.run("releases:diff v1 v2 -a foo").ok(&format!("{build}- GONE\n+ NEW\n~ OTHER\n"));
    person.run("releases:diff 1 --values -a foo").ok(&format!("{build}- GONE=s1\n+ NEW=s4\n~ OTHER: s3 -> s5\n"));
    person.run("releases:diff v2 v2 -a foo").ok("=== foo v2 to v2\nNothing differs.\n");
    let run = person.run("--json releases:diff v1 v2 -a foo");
    assert!(run.code == 0 && run.stdout.contains("[hidden]") && !run.stdout.contains("s3"), "{run:?}");
    let run = person.run("releases:diff v1 v9 -a foo");
    assert!(run.code == 1 && run.stderr.contains("`slipway releases -a foo` lists the releases"), "{run:?}");
}

#[test]
fn configuration_is_edited_in_an_editor() {
    let person = Person::new().env("EDITOR", "sed -i -e s/^A=.*/A=2/ -e /^B=/d");
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&json!({"A": "1", "B": "x", "C": "y"})));
    person.server.on("POST /v2/apps/foo/config/", 201, &config(&json!({"A": "2", "C": "y"})));
    person.run("config:edit -a foo").ok("Creating config... done\n~ A\n- B\n");
    let asked = person.asked();
    assert_eq!(asked[2], r#"POST /v2/apps/foo/config/ {"values":{"A":"2","B":null}}"#);

    let person = Person::new().env("EDITOR", "true");
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&json!({"A": "1"})));
    let run = person.run("config:edit -a foo");
    assert_eq!((run.code, run.stderr.as_str()), (0, "Nothing was changed.\n"));
    let person = Person::new().env("VISUAL", "false");
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&json!({"A": "1"})));
    let run = person.run("config:edit -a foo");
    assert!(run.code == 1 && run.stderr.contains("nothing was changed"), "{run:?}");
    assert_eq!(person.asked().len(), 1);
}

#[test]
fn watching_tells_what_is_there_and_ends_with_the_release() {
    let person = Person::new();
    let pod = json!({"name": "foo-web-v2-a", "release": "v2", "started": TIME, "state": "up", "type": "web"});
    let pods = json!({"results": [pod], "count": 1}).to_string();
    person.server.on("GET /v2/apps/foo/pods/", 200, &pods);
    let path = "GET /v2/apps/foo/releases/?limit=5";
    person.server.on(path, 200, &page(&[release(2, "succeeded", "b"), release(1, "superseded", "b")]));
    person.run("watch --wait -a foo").ok(
        "release v1 superseded: bob deployed 1234567\nrelease v2 succeeded: bob deployed 1234567\nprocess foo-web-v2-a up (v2)\n",
    );
    person.server.on(path, 200, &page(&[release(3, "failed", "b")]));
    let run = person.run("apps:watch --wait -a foo");
    assert!(run.code == 1 && run.stderr.contains("release v3 failed"), "{run:?}");
}

#[test]
fn a_detached_process_is_named() {
    let person = Person::new();
    person.server.on("POST /v2/apps/foo/run", 200, r#"{"exit_code":0,"output":"foo-run-abcde"}"#);
    let run = person.run("run --detach -a foo sleep 5");
    assert_eq!((run.code, run.stdout.as_str()), (0, "Running 'sleep 5' in foo-run-abcde\n"));
    assert_eq!(person.asked(), [r#"POST /v2/apps/foo/run {"command":"sleep 5","detach":true}"#]);
}

#[test]
fn the_doctor_says_what_is_wrong_and_how_to_mend_it() {
    let person = Person::stranger();
    let run = person.run("doctor");
    assert_eq!(run.code, 1);
    let first = run.stdout.lines().take(2).collect::<Vec<_>>();
    assert!(first[0].starts_with("!!  endpoint") && first[1].contains("`slipway login URL`"), "{run:?}");

    let person = Person::new();
    person.server.on("GET /healthz", 200, "");
    let run = person.run("doctor");
    assert!(run.code == 1 && run.stdout.contains("ok  endpoint") && run.stdout.contains("!!  token"), "{run:?}");

    let user = json!({
        "id": 1, "last_login": null, "is_superuser": false, "username": "bob", "first_name": "", "last_name": "",
        "email": "b@b.b", "is_staff": false, "is_active": true, "date_joined": TIME, "groups": [], "user_permissions": [],
    });
    person.server.on("GET /v2/auth/whoami/", 200, &user.to_string());
    person.server.on("GET /v2/keys/", 200, &page(&[]));
    let run = person.run("doctor");
    assert!(run.code == 1 && run.stdout.contains("ok  token       of bob"), "{run:?}");
    assert!(run.stdout.contains("add one with `slipway keys:add`"), "{run:?}");

    let key = json!({
        "uuid": "k", "id": "k", "owner": "bob", "public": "ssh-ed25519 AAAA me@x", "fingerprint": "0a", "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/keys/", 200, &page(&[key]));
    std::fs::create_dir(person.home().join(".ssh")).unwrap();
    std::fs::write(person.home().join(".ssh/id.pub"), "ssh-ed25519 AAAA another comment\n").unwrap();
    let run = person.run("doctor");
    assert!(run.code == 0 && run.stdout.contains("ok  key") && run.stdout.contains("--  git remote"), "{run:?}");
    person.git_init();
    let run = person.run("doctor");
    assert!(run.code == 1 && run.stdout.contains("add it with `slipway git:remote -a APP`"), "{run:?}");
}

#[test]
fn the_doctor_knows_wrong_clocks_and_old_controllers() {
    let person = Person::new();
    person.server.on("GET /healthz", 200, "");
    for (date, side) in [("Sat, 01 Jan 2000 00:00:00 GMT", "ahead of"), ("Fri, 01 Jan 2100 00:00:00 GMT", "behind")] {
        person.server.date(date);
        let run = person.run("doctor");
        let wrong = format!(" s {side} the controller's");
        assert!(run.code == 1 && run.stdout.contains("!!  clock") && run.stdout.contains(&wrong), "{run:?}");
    }
    person.server.version("2.2");
    let run = person.run("doctor");
    assert!(run.stdout.contains("!!  versions    the controller's API is 2.2"), "{run:?}");
    let run = person.run_as("deis", &["doctor"]);
    assert!(run.stdout.contains("`deis login URL`") && !run.stdout.contains("slipway"), "{run:?}");
}

#[test]
fn a_mistyped_app_is_suggested() {
    let person = Person::new();
    let app = json!({
        "uuid": "u-1", "id": "shop-front", "owner": "bob", "structure": {"web": 1}, "url": "x", "created": TIME,
        "updated": TIME,
    });
    person.server.on("GET /v2/apps/?limit=1000", 200, &page(&[app]));
    person.server.on("GET /v2/apps/shop-fornt/pods/", 404, "\"No App matches the given query.\"");
    let run = person.run("ps -a shop-fornt");
    assert!(run.code == 1 && run.stderr.contains("did you mean `-a shop-front`?"), "{run:?}");
}

#[test]
fn shells_complete_apps_and_process_types() {
    let app = json!({
        "uuid": "u-1", "id": "shop", "owner": "bob", "structure": {"web": 1, "worker": 2}, "url": "x", "created": TIME,
        "updated": TIME,
    });
    let ask = |words: &[&str]| {
        let person = Person::new().env("COMPLETE", "fish");
        person.server.on("GET /v2/apps/?limit=1000", 200, &page(std::slice::from_ref(&app)));
        person.server.on("GET /v2/apps/shop/", 200, &app.to_string());
        let pod = json!({"name": "shop-web-v2-a", "release": "v2", "started": TIME, "state": "up", "type": "web"});
        person.server.on("GET /v2/apps/shop/pods/", 200, &json!({"results": [pod], "count": 1}).to_string());
        let args: Vec<&str> = ["--", "slipway"].iter().chain(words).copied().collect();
        let run = person.run_with(&args, "");
        assert_eq!(run.code, 0, "{run:?}");
        run.stdout
    };
    // Names come within a second or not at all; on a machine with much to do one asks again, as people do.
    let completes = |words: &[&str], wanted: &[&str]| {
        let has_all = |said: &str| wanted.iter().all(|name| said.contains(name));
        assert!((0..5).any(|_| has_all(&ask(words))), "{words:?}: {}", ask(words));
    };
    completes(&["ps", "list", "-a", "sh"], &["shop"]);
    completes(&["ps", "scale", "-a", "shop", "w"], &["web=", "worker="]);
    // As people and guides write them; `--app = shop` is what Bash makes of `--app=shop`, and what it wants completed.
    completes(&["ps:scale", "--app=shop", "w"], &["web=", "worker="]);
    completes(&["scale", "--app", "=", "shop", "w"], &["web=", "worker="]);
    completes(&["logs", "-a", "sh"], &["shop"]);
    completes(&["logs", "-a", "shop", "--type", "wo"], &["worker"]);
    completes(&["ps:exec", "-a", "shop", "shop-w"], &["shop-web-v2-a"]);
    assert!(ask(&["relea"]).contains("releases"));
    let names = |word: &str| -> Vec<String> {
        ask(&[word]).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names("sca"), ["scale"]);
    assert_eq!(names("tls:force:"), ["tls:force:enable", "tls:force:disable"]);
    assert!(!names("").iter().any(|name| name.contains(':')), "those with a colon show where one is typed");
    let person = Person::new().env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "4");
    person.server.on("GET /v2/apps/?limit=1000", 200, &page(std::slice::from_ref(&app)));
    let bash = || person.run_with(&["--", "slipway", "logs", "--app", "=", "sh"], "").stdout;
    assert!((0..5).any(|_| bash() == "shop"), "{}", bash());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = Person::stranger().run(&format!("completions {shell}"));
        assert!(run.code == 0 && run.stdout.contains("COMPLETE"), "{run:?}");
    }
}

#[test]
fn manual_pages_are_written() {
    let person = Person::stranger();
    let run = person.run("man pages");
    assert_eq!(run.code, 0, "{run:?}");
    let page = std::fs::read_to_string(person.work().join("pages/slipway-config-set.1")).unwrap();
    assert!(page.contains(".TH slipway-config-set") && page.contains("Set environment variables"), "{page}");
    assert!(page.contains("slipway config:set ") && page.contains("slipway 0."), "examples, and the version: {page}");
    assert!(person.work().join("pages/slipway.1").exists());
    assert!(!person.work().join("pages/slipway-man.1").exists(), "what is hidden has no page");
}
