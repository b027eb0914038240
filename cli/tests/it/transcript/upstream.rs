//! What upstream's acceptance suite asserts of exact texts (drycc-v2.md §6.5).

use super::{World, words};
use crate::person::Person;

/// A line as the suite runs it, the exit code it wants, and what it wants stdout to have and to lack, and stderr to have.
type Assertion<'a> = (&'a str, i32, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

fn as_deis(world: &World, person: &Person) {
    let deis = person.home().join(".deis");
    std::fs::create_dir_all(&deis).unwrap();
    std::fs::copy(person.profile(), deis.join("client.json")).unwrap();
    assert!(person.run_as("deis", &["whoami"]).stdout.ends_with(&format!("{}\n", world.platform.url)));
}

fn assert_all(person: &Person, assertions: &[Assertion<'_>]) {
    for (line, code, shown, absent, told) in assertions {
        let words = words(line);
        let run = person.run_as("deis", &words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(run.code, *code, "{line}: {run:?}");
        for text in *shown {
            assert!(run.stdout.contains(text), "{line} shows {text:?}: {run:?}");
        }
        for text in *absent {
            assert!(!run.stdout.contains(text), "{line} does not show {text:?}: {run:?}");
        }
        for text in *told {
            assert!(run.stderr.contains(text), "{line} tells {text:?}: {run:?}");
        }
    }
}

#[test]
fn names_and_texts_of_upstream() {
    let world = World::new().with_app();
    as_deis(&world, &world.ann);
    let deis = |args: &[&str]| world.ann.run_as("deis", args);
    // stderr exactly, quotes included.
    for (args, what) in [
        (&["config", "-a", "none"][..], "App"),
        (&["certs:info", "none"], "Certificate"),
        (&["releases:info", "v9", "-a", "mine"], "Release"),
        (&["domains:remove", "none.example.com", "-a", "mine"], "Domain"),
    ] {
        deis(&["create", "mine"]);
        deis(args).fails(&format!("Error: \"No {what} matches the given query.\"\n"));
    }
    deis(&["create", "mine"]).fails("Error: Application with this id already exists.\n");
    deis(&["info", "-a", "foo"]).fails("Error: You do not have permission to perform this action.\n");
    let is_time =
        |text: &str| text.ends_with('Z') && text.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c));
    let info = deis(&["apps:info", "-a", "mine"]);
    for field in ["created: ", "updated: "] {
        let line = info.stdout.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        assert!(is_time(line.trim()), "{line}");
    }
    let releases = deis(&["releases", "-a", "mine"]);
    let first: Vec<&str> = releases.stdout.lines().nth(1).unwrap().split('\t').collect();
    assert!(first[0] == "v1" && is_time(first[1]) && first[2] == "ann created initial release", "{first:?}");
    let unset = deis(&["labels:unset", "not_exist", "-a", "mine"]);
    assert!(unset.code == 1 && unset.stderr.contains("not_exist does not exist"), "{unset:?}");
    let multi = "one\ntwo\r\n  thrëe 日本 ";
    assert_eq!(deis(&["config:set", &format!("TEXT={multi}"), "B= c ", "-a", "mine"]).code, 0);
    let list = deis(&["config:list", "-a", "mine", "--json"]);
    let config: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(config["values"]["TEXT"], multi);
    std::fs::write(world.ann.work().join(".env"), "ONE=1\r\nTWO=zwei drei\r\n").unwrap();
    assert_eq!(deis(&["config:push", "-a", "mine"]).code, 0);
    let list = deis(&["config:list", "-a", "mine", "--json"]);
    let config: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!((&config["values"]["ONE"], &config["values"]["TWO"]), (&"1".into(), &"zwei drei".into()));
    for wrong in [&["frobnicate"][..], &["ps:scale"], &["apps", "--none"]] {
        assert_eq!(deis(wrong).code, 1, "{wrong:?}");
    }
}

#[test]
fn settings_of_apps_of_upstream() {
    let world = World::new();
    as_deis(&world, &world.ann);
    as_deis(&world, &world.bob);
    assert_all(
        &world.ann,
        &[
            ("apps:create foo --no-remote", 0, &["Creating Application... done, created foo"], &[], &[]),
            ("labels:list --app=foo", 0, &["=== foo Label"], &[], &[]),
            ("labels:set --app=foo only_key", 1, &[], &["done"], &["only_key is invalid"]),
            ("labels:unset --app=foo not_exist", 1, &[], &["done"], &["not_exist does not exist"]),
            ("labels:set --app=foo team=bi service=frontend", 0, &["Applying labels on foo...", "done"], &[], &[]),
            ("labels:list --app=foo", 0, &["=== foo Label\nservice:      frontend\nteam:         bi\n"], &[], &[]),
            ("labels:set --app=foo zoo=animal", 0, &["done"], &[], &[]),
            ("labels:list --app=foo", 0, &["zoo:          animal", "team:         bi"], &[], &[]),
            ("labels:unset --app=foo zoo", 0, &["Removing labels on foo...", "done"], &[], &[]),
            ("labels:list --app=foo", 0, &["=== foo Label"], &["zoo"], &[]),
            ("maintenance:info --app=foo", 0, &["Maintenance mode is off.\n"], &[], &[]),
            ("maintenance:on --app=foo", 0, &["done"], &[], &[]),
            ("maintenance:info --app=foo", 0, &["Maintenance mode is on.\n"], &[], &[]),
            ("maintenance:off --app=foo", 0, &["done"], &[], &[]),
            ("routing:info --app=foo", 0, &["Routing is enabled.\n"], &[], &[]),
            ("routing:disable --app=foo", 0, &["done"], &[], &[]),
            ("routing:info --app=foo", 0, &["Routing is disabled.\n"], &[], &[]),
            ("tls:enable --app=foo", 0, &["done"], &[], &[]),
            ("tls:info --app=foo", 0, &["HTTPS Enforced: true\n"], &[], &[]),
            ("tls:disable --app=foo", 0, &["done"], &[], &[]),
            ("whitelist:list --app=foo", 0, &[], &[], &[]),
            ("whitelist:add 1.2.3.4 --app=foo", 0, &["done"], &[], &[]),
            ("whitelist:add 0.0.0.0/0 --app=foo", 0, &["done"], &[], &[]),
            ("whitelist:remove 0.0.0.0/0 --app=foo", 0, &["done"], &[], &[]),
            ("tags:list -a foo", 0, &["=== foo Tags"], &[], &[]),
            ("tags:set munkafolyamat=yeah -a foo", 1, &[], &["=== foo Tags", "yeah"], &["Error: "]),
            ("tags:list -a foo", 0, &["=== foo Tags"], &["yeah"], &[]),
            ("registry:list --app=foo", 0, &["=== foo Registry"], &[], &[]),
            ("registry:unset --app=foo munkafolyamat", 1, &[], &["yeah"], &[]),
            ("config:set -a foo PORT=5000", 0, &["Creating config", "=== foo Config", "PORT      5000"], &[], &[]),
            ("registry:set --app=foo username=bob", 0, &["=== foo Registry", "username     bob"], &[], &[]),
            ("registry:list --app=foo", 0, &["=== foo Registry", "username     bob"], &[], &[]),
            ("registry:unset --app=foo username", 0, &["=== foo Registry"], &["bob"], &[]),
            ("releases:list -a foo", 0, &["=== foo Releases", "\tann created initial release"], &[], &[]),
            ("releases:info v1 -a foo", 0, &["=== foo Release v1\nconfig:   ", "\nowner:    ann\n"], &["build:"], &[]),
            ("users:list", 1, &[], &["ann"], &["You do not have permission to perform this action."]),
        ],
    );
    assert_all(&world.bob, &[("users:list", 0, &["=== Users", "*bob\n", "\nann\n"], &[], &[])]);
}

#[test]
fn limits_and_probes_of_upstream() {
    let world = World::new();
    as_deis(&world, &world.bob);
    let probes = ["liveness", "readiness"];
    let kinds = [
        ("httpGet 80", "HTTP GET Probe: Path=\"/\" Port=80 HTTPHeaders=[]\n"),
        ("exec -- /bin/true --yes", "Exec Probe: Command=[/bin/true --yes]\n"),
        ("tcpSocket 80", "TCP Socket Probe: Port=80\n"),
    ];
    assert_all(
        &world.bob,
        &[
            ("apps:create foo --no-remote", 0, &[], &[], &[]),
            ("builds:create example/foo:1 -a foo", 0, &["Creating build... done"], &[], &[]),
            ("limits:list -a foo", 0, &["=== foo Limits", "--- Memory\nUnlimited", "--- CPU\nUnlimited"], &[], &[]),
            ("limits:set cmd=64M -a foo", 0, &["--- Memory\ncmd     64M\n"], &[], &[]),
            ("limits:set cmd=0/100M -a foo", 0, &["--- Memory\ncmd     0/100M\n"], &[], &[]),
            ("limits:set --memory cmd=50M/100M -a foo", 0, &["--- Memory\ncmd     50M/100M\n"], &[], &[]),
            ("limits:unset --cpu cmd -a foo", 1, &[], &[], &[]),
            ("limits:set --cpu cmd=500m -a foo", 0, &["--- CPU\ncmd     500m\n"], &[], &[]),
            ("limits:unset --memory cmd -a foo", 0, &["--- Memory\nUnlimited"], &[], &[]),
            ("limits:unset cmd -a foo", 1, &[], &[], &[]),
            ("healthchecks:list -a foo", 0, &["=== foo Healthchecks", "No health checks configured."], &[], &[]),
        ],
    );
    for probe in probes {
        for (kind, shown) in kinds {
            let set = format!("healthchecks:set {probe} -a foo --type cmd {kind}");
            let applying = format!("Applying {probe}Probe healthcheck... done\n\n=== foo Healthchecks\n\ncmd:\n");
            assert_all(&world.bob, &[(&set, 0, &[&applying, shown], &[], &[])]);
        }
        let none = format!("No {probe} probe configured.");
        let unset = format!("healthchecks:unset {probe} -a foo --type cmd");
        assert_all(
            &world.bob,
            &[
                (&unset, 0, &["Removing healthchecks... done", &none], &[], &[]),
                ("healthchecks:list -a foo --type=cmd", 0, &[&none], &[], &[]),
            ],
        );
    }
}

#[test]
fn processes_of_upstream() {
    let world = World::new();
    as_deis(&world, &world.bob);
    let deis = |line: &str| world.bob.run_as("deis", &line.split_whitespace().collect::<Vec<_>>());
    deis("apps:create foo --no-remote");
    assert_eq!(deis("builds:create example/foo:1 -a foo").code, 0);
    // `(foo-[\w-]+) up \(v\d+\)`
    let running = || -> Vec<String> {
        let run = deis("ps:list --app=foo");
        assert!(run.code == 0 && run.stdout.starts_with("=== foo Processes\n"), "{run:?}");
        let names = run.stdout.lines().filter_map(|line| line.strip_suffix(" up (v2)"));
        names.map(str::to_owned).inspect(|name| assert!(name.starts_with("foo-cmd-"), "{run:?}")).collect()
    };
    for count in [1, 3, 0] {
        let begin = "processes... but first, coffee!\n";
        for target in ["", "cmd", "web", "one"] {
            let scaled = deis(&format!("ps:scale cmd={count} --app=foo"));
            let want = format!("Scaling {begin}done in [n]s\n=== foo Processes\n");
            assert!(scaled.code == 0 && scaled.stdout.starts_with(&want), "{scaled:?}");
            let before = running();
            assert_eq!(before.len(), count);
            let target = if target == "one" { before.first().map_or("", String::as_str) } else { target };
            let run = deis(&format!("ps:restart {target} --app=foo"));
            let is_none = count == 0 || target == "web";
            let said =
                if is_none { "Could not find any processes to restart\n" } else { "done in [n]s\n=== foo Processes\n" };
            assert!(run.code == 0 && run.stdout.starts_with(&format!("Restarting {begin}{said}")), "{target}: {run:?}");
            let after = running();
            assert_eq!((after.len(), before == after), (count, is_none), "{count} {target:?}");
        }
    }
}
