//! Every command against a real controller: what it prints and how it ends, when it works and when it is refused. The
//! names of the tests that end in `_of_upstream` hold what upstream's acceptance suite asserts (drycc-v2.md §6.5).
//!
//! In a transcript `$` is a command, `!` a line of stderr, `=` an exit code other than 0.

use std::fmt::Write as _;

use slipway_service::testing::TestCertificate;

use crate::person::Person;
use crate::platform::Platform;

/// A platform with its administrator bob and the user ann.
struct World {
    platform: Platform,
    bob: Person,
    ann: Person,
}

/// Words as a shell makes them, where nothing but single quotes is special.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            if is_new {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
            is_new = false;
            continue;
        }
        for c in piece.chars() {
            if c == ' ' {
                is_new = true;
            } else {
                if is_new {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push(c);
                is_new = false;
            }
        }
    }
    words
}

impl World {
    fn new() -> Self {
        let world = Self { platform: Platform::start(), bob: Person::stranger(), ann: Person::stranger() };
        for (person, name) in [(&world.bob, "bob"), (&world.ann, "ann")] {
            let register = ["register", &world.platform.url, "--username", name, "--password", "pw", "--email", "x@y.z"];
            let run = person.run_with(&register, "");
            assert_eq!(run.code, 0, "{run:?}");
        }
        world
    }

    /// Runs the lines as one person and writes down what happens.
    fn as_one(&self, person: &Person, lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            let words = words(&line.replace("URL", &self.platform.url));
            let run = person.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), "");
            writeln!(text, "$ {line}").unwrap();
            text.push_str(&run.stdout);
            if !run.stdout.is_empty() && !run.stdout.ends_with('\n') {
                text.push('\n');
            }
            for said in run.stderr.lines() {
                writeln!(text, "{}", format!("! {said}").trim_end()).unwrap();
            }
            if run.code != 0 {
                writeln!(text, "= {}", run.code).unwrap();
            }
        }
        let text = text.replace(&self.platform.url, "URL");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn bob(&self, lines: &[&str]) -> String {
        self.as_one(&self.bob, lines)
    }

    fn ann(&self, lines: &[&str]) -> String {
        self.as_one(&self.ann, lines)
    }

    /// Bob's app foo, without a build.
    fn with_app(self) -> Self {
        self.bob(&["create foo"]);
        self
    }

    /// Bob's app foo, with a build.
    fn with_build(self) -> Self {
        let world = self.with_app();
        let said = world.bob(&["pull example/foo:1 -p 'web: ./serve' -a foo"]);
        assert!(said.ends_with("done"), "{said}");
        world
    }
}

/// Compares with an inline snapshot, without what differs from run to run.
macro_rules! shows {
    ($text:expr, @$want:literal) => {
        insta::with_settings!({filters => vec![
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
            (r"done in \d+s", "done in [n]s"),
            (r"([0-9A-F]{2}:){31}[0-9A-F]{2}", "[fingerprint]"),
            (r"[0-9A-F]{2}:[0-9A-F]{2}\[\.\.\.\][0-9A-F]{2}:[0-9A-F]{2}", "[short fingerprint]"),
        ]}, {
            insta::assert_snapshot!($text, @$want);
        });
    };
}

#[test]
fn accounts() {
    let world = World::new();
    shows!(world.bob(&[
        "whoami",
        "whoami --all",
        "users",
        "users -l 1",
        "register URL --username bob --password x --email x@y.z",
        "register URL --username 'b b' --password x --email x@y.z",
        "auth:passwd --password wrong --new-password new",
        "auth:passwd --password pw --new-password new",
        "auth:passwd --username ann --new-password pw2",
        "auth:passwd --username nobody --new-password x",
        "logout",
        "whoami",
        "apps",
        "login URL --username bob --password pw",
        "login URL --username bob --password new",
        "auth:regenerate -u ann",
        "auth:regenerate -u nobody",
        "auth:regenerate",
        "whoami",
    ]), @"");
    shows!(world.ann(&[
        "apps",
        "login URL --username ann --password pw2",
        "users",
        "users:disable bob",
        "auth:regenerate --all",
        "auth:passwd --username bob --new-password x",
        "create mine",
        "auth:cancel",
        "auth:cancel --yes",
        "destroy -a mine --confirm=mine",
        "auth:cancel --yes",
        "whoami",
    ]), @"");
}

#[test]
fn apps() {
    let world = World::new();
    world.bob.git_init();
    shows!(world.bob(&[
        "apps",
        "create foo",
        "create foo",
        "create Foo_1",
        "create bar --no-remote -b https://example.com/pack.git",
        "apps",
        "apps:list --limit=1",
        "info",
        "info -a none",
        "--json open",
        "git:remote",
        "git:remote -a none",
        "git:remote -a bar",
        "git:remote -a bar -r second",
        "git:remove -a bar -r slipway",
        "git:remove -a bar -r second",
        "config -a bar",
        "apps:transfer nobody",
        "apps:transfer ann",
        "destroy -a bar",
        "destroy -a bar --confirm=foo",
        "destroy -a bar --confirm=bar",
        "destroy -a bar --confirm=bar",
    ]), @"");
    shows!(world.ann(&["apps", "apps:transfer bob -a foo", "info -a foo", "destroy -a foo --confirm=foo"]), @"");
}

#[test]
fn builds_releases_and_processes() {
    let world = World::new().with_app();
    world.platform.engine.script_run("echo hi", Ok((0, "hi\n".to_owned())));
    world.platform.engine.script_run("false", Ok((1, String::new())));
    shows!(world.bob(&[
        "ps -a foo",
        "scale web=1 -a foo",
        "run -a foo -- echo hi",
        "rollback -a foo",
        "builds -a foo",
        "pull '' -a foo",
        "pull example/foo:1 -p web -a foo",
        "pull example/foo:1 -p 'web: ./serve' -a foo",
        "builds -a foo",
        "releases -a foo",
        "releases:info v1 -a foo",
        "releases:info v9 -a foo",
        "ps -a foo",
        "scale web=3 -a foo",
        "scale web=0 -a foo",
        "scale web=1 -a foo",
        "scale none=1 -a foo",
        "scale web=-1 -a foo",
        "restart -a foo",
        "restart web -a foo",
        "restart foo-web-1 -a foo",
        "restart none -a foo",
        "ps:stop web -a foo",
        "ps:start web -a foo",
        "ps:stop none -a foo",
        "run -a foo -- echo hi",
        "run -a foo -- false",
        "run --mount data:/data -a foo -- echo hi",
        "pull example/foo:2 -p 'web: ./serve' -a foo",
        "rollback -a foo",
        "rollback v1 -a foo",
        "rollback v2 -a foo",
        "rollback v99 -a foo",
        "releases -l 2 -a foo",
        "builds:log -a foo",
    ]), @"");
}

#[test]
fn configuration() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "config -a foo",
        "config:set A=1 'GREETING=hello there' -a foo",
        "config:set A=1 -a foo",
        "config:set 1A=x -a foo",
        "config:set PORT=x -a foo",
        "config:set NAME=grüße -a foo",
        "config --oneline -a foo",
        "config:unset A -a foo",
        "config:unset A -a foo",
        "config:pull -a foo",
        "config:pull -a foo",
        "config:push -a foo",
        "config:push -p none -a foo",
        "tags:set disk=ssd -a foo",
        "tags -a foo",
        "tags:unset disk -a foo",
        "registry:set username=bob password=secret -a foo",
        "config:set PORT=8080 -a foo",
        "registry:set username=bob password=secret -a foo",
        "registry -a foo",
        "registry:unset username password -a foo",
        "registry:unset username -a foo",
        "timeouts -a foo",
        "timeouts:set web=5 -a foo",
    ]), @"");
}

#[test]
fn limits_of_upstream() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "limits -a foo",
        "limits:set web=64M -a foo",
        "limits:set web=0/100M -a foo",
        "limits:set web=50M/100M -a foo",
        "limits:set --cpu web=500m -a foo",
        "limits:set --cpu web=x -a foo",
        "limits:set web=many -a foo",
        "limits:unset web -a foo",
        "limits:unset --cpu web -a foo",
        "limits:unset --cpu web -a foo",
    ]), @"");
}

#[test]
fn healthchecks_of_upstream() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "healthchecks -a foo",
        "-a foo healthchecks:set liveness httpGet 80 --path /healthz --headers X-A:b",
        "-a foo healthchecks:set readiness httpGet 80",
        "-a foo healthchecks:set liveness exec --type web -- test -f /x",
        "-a foo healthchecks:set readiness exec --type web -- true",
        "-a foo healthchecks:set liveness tcpSocket 80",
        "-a foo healthchecks:set readiness tcpSocket 80 --failure-threshold=9",
        "-a foo healthchecks:set liveness tcpSocket 80 --success-threshold=2",
        "-a foo healthchecks:list --type web",
        "-a foo healthchecks:unset liveness readiness --type web",
        "-a foo healthchecks:unset liveness",
        "-a foo healthchecks:unset liveness",
    ]), @"");
}

#[test]
fn settings_of_apps() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "maintenance -a foo",
        "maintenance:on -a foo",
        "maintenance:on -a foo",
        "maintenance -a foo",
        "maintenance:off -a foo",
        "routing -a foo",
        "routing:disable -a foo",
        "routing -a foo",
        "routing:enable -a foo",
        "routing:enable -a foo",
        "labels -a foo",
        "labels:set team=a empty= -a foo",
        "labels:set x -a foo",
        "labels -a foo",
        "labels:unset team -a foo",
        "labels:unset not_exist -a foo",
        "autoscale -a foo",
        "autoscale:set web --min=1 --max=3 --cpu-percent=50 -a foo",
        "autoscale:set web --min=3 --max=1 --cpu-percent=50 -a foo",
        "autoscale -a foo",
        "autoscale:unset web -a foo",
        "autoscale:unset web -a foo",
        "whitelist -a foo",
        "whitelist:add 192.0.2.1,10.0.0.0/8 -a foo",
        "allowlist:add 192.0.2.1 -a foo",
        "whitelist:add here -a foo",
        "allowlist -a foo",
        "whitelist:remove 192.0.2.1 -a foo",
        "whitelist:remove 192.0.2.1 -a foo",
        "tls -a foo",
        "tls:enable -a foo",
        "tls:force:enable -a foo",
        "tls -a foo",
        "tls:force:disable -a foo",
        "tls:auto:enable -a foo",
        "services -a foo",
        "services:add --type web --route /api -a foo",
        "services -a foo",
        "services:remove web -a foo",
        "services:remove web -a foo",
        "volumes -a foo",
        "volumes:create data 500M -a foo",
        "resources -a foo",
        "resources:create mysql:small db -a foo",
        "resources:describe db -a foo",
    ]), @"");
}

#[test]
fn domains_and_certificates() {
    let world = World::new().with_app();
    let folder = world.bob.work();
    for (name, TestCertificate { certificate, key }) in
        [("a", TestCertificate::new(&["www.example.org"]).unwrap()), ("b", TestCertificate::new(&["x.y"]).unwrap())]
    {
        std::fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }
    shows!(world.bob(&[
        "domains -a foo",
        "domains:add www.example.org -a foo",
        "domains:add www.example.org -a foo",
        "domains:add '*' -a foo",
        "domains:add a_b.c -a foo",
        "domains -l 1 -a foo",
        "certs",
        "certs:add www a.crt a.key",
        "certs:add www a.crt a.key",
        "certs:add WWW_1 a.crt a.key",
        "certs:add swapped a.crt b.key",
        "certs:add none none.crt a.key",
        "certs",
        "certs:info www",
        "certs:info none",
        "certs:attach www none",
        "certs:attach none www.example.org",
        "certs:attach www www.example.org",
        "certs:attach www www.example.org",
        "certs -l 1",
        "certs:detach www www.example.org",
        "certs:detach www www.example.org",
        "certs:remove www",
        "certs:remove www",
        "domains:remove www.example.org -a foo",
        "domains:remove www.example.org -a foo",
    ]), @"");
}

#[test]
fn keys_and_access() {
    let world = World::new().with_app();
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH bob@laptop\n";
    std::fs::write(world.bob.work().join("id.pub"), public).unwrap();
    std::fs::write(world.bob.work().join("bad.pub"), "ssh-ed25519 !!!? x\n").unwrap();
    shows!(world.bob(&[
        "keys",
        "keys:add id.pub",
        "keys:add again id.pub",
        "keys:add bad.pub",
        "keys",
        "keys:remove bob@laptop",
        "keys:remove bob@laptop",
        "perms -a foo",
        "perms:create ann -a foo",
        "perms:create nobody -a foo",
        "perms:list -a foo",
        "sharing -a foo",
        "perms:list --admin",
        "perms:create ann --admin",
        "perms:delete ann --admin",
        "perms:delete nobody --admin",
    ]), @"");
    shows!(world.ann(&[
        "apps",
        "perms:create bob -a foo",
        "apps:transfer ann -a foo",
        "destroy -a foo --confirm=foo",
        "perms:list --admin",
        "sharing:remove ann -a foo",
        "info -a foo",
        "perms:delete ann -a foo",
    ]), @"");
}

#[test]
fn names_and_texts_of_upstream() {
    let world = World::new().with_app();
    let deis = world.ann.home().join(".deis");
    std::fs::create_dir_all(&deis).unwrap();
    std::fs::copy(world.ann.profile(), deis.join("client.json")).unwrap();
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
    let is_time = |text: &str| text.ends_with('Z') && text.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c));
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
