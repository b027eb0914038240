//! What each command asks for and shows.

use serde_json::{Value, json};

use crate::person::Person;

const TIME: &str = "2026-11-21T05:00:00Z";

fn page(items: &[Value], count: usize) -> String {
    json!({"count": count, "next": null, "previous": null, "results": items}).to_string()
}

fn app(name: &str) -> Value {
    json!({
        "uuid": "u-1", "id": name, "owner": "bob", "structure": {"web": 1}, "url": format!("{name}.localhost"),
        "created": TIME, "updated": TIME,
    })
}

fn config(values: &Value) -> String {
    json!({
        "uuid": "c-1", "owner": "bob", "app": "foo", "values": values, "memory": {}, "cpu": {}, "tags": {},
        "registry": {}, "healthcheck": {}, "created": TIME, "updated": TIME,
    })
    .to_string()
}

fn release(version: u32, state: &str) -> Value {
    json!({
        "uuid": "r-1", "app": "foo", "owner": "bob", "version": version, "summary": "bob deployed 1234567",
        "failed": state == "failed", "config": "c-1", "build": "b-1", "exception": null, "state": state,
        "created": TIME, "updated": TIME,
    })
}

fn pod(name: &str, kind: &str) -> Value {
    json!({"name": name, "release": "v2", "started": TIME, "state": "up", "type": kind})
}

fn pods(items: &[Value]) -> String {
    json!({"results": items, "count": items.len()}).to_string()
}

fn platform(person: &Person) {
    let body = json!({"ssh": "127.0.0.1:2299", "domain": "localhost", "router": "127.0.0.1:8080"});
    person.server.on("GET /v2/slipway/", 200, &body.to_string());
}

#[test]
fn register_logs_in_and_writes_a_private_profile() {
    use std::os::unix::fs::PermissionsExt as _;

    let person = Person::stranger();
    person.server.on("POST /v2/auth/register/", 201, r#"{"username":"ann"}"#);
    person.server.on("POST /v2/auth/login/", 200, r#"{"token":"abc"}"#);
    let url = person.server.url.clone();
    let run =
        person.run_with(&["register", &url, "--username", "ann", "--password-stdin", "--email", "a@b.c"], "s3cret\n");
    run.ok("Registered ann\nLogged in as ann\nConfiguration file written to [HOME]/.config/slipway/client.json\n");
    assert_eq!(
        person.asked(),
        [
            "GET /v2/",
            r#"POST /v2/auth/register/ {"username":"ann","password":"s3cret","email":"a@b.c"}"#,
            r#"POST /v2/auth/login/ {"username":"ann","password":"s3cret"}"#,
        ]
    );
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&person.profile()), 0o600);
    assert_eq!(mode(person.profile().parent().unwrap()), 0o700);
    let profile: Value = serde_json::from_str(&std::fs::read_to_string(person.profile()).unwrap()).unwrap();
    assert_eq!(
        profile,
        json!({"username": "ann", "ssl_verify": true, "controller": url, "token": "abc", "response_limit": 100})
    );
    person.run("whoami").ok("You are ann at [URL]\n");
    let run = person.run("--json auth:whoami");
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), json!({"username": "ann", "controller": "[URL]"}));
    person.run("logout").ok("Logged out\n");
    assert!(!person.profile().exists());
}

#[test]
fn accounts() {
    let person = Person::new();
    let user = json!({
        "id": 1, "last_login": null, "is_superuser": true, "username": "bob", "first_name": "", "last_name": "",
        "email": "b@c.d", "is_staff": true, "is_active": true, "date_joined": TIME, "groups": [], "user_permissions": [],
    });
    person.server.on("GET /v2/auth/whoami/", 200, &user.to_string());
    assert!(person.run("whoami --all").stdout.contains("Email:             b@c.d\n"));

    person.server.on("POST /v2/auth/passwd/", 200, r#"{"status":"password set"}"#);
    person.run_with(&["passwd", "--password-stdin"], "old\nnew\n").ok("Password change succeeded.\n");
    assert_eq!(person.asked()[1], r#"POST /v2/auth/passwd/ {"new_password":"new","password":"old"}"#);
    person.run("auth:passwd --username ann --new-password x").ok("Password change succeeded.\n");
    assert_eq!(person.asked(), [r#"POST /v2/auth/passwd/ {"new_password":"x","username":"ann"}"#]);

    person.server.on("GET /v2/users/?limit=100", 200, &page(&[user], 3));
    person.run("users").ok("=== Users (*=admin) (1 of 3)\n*bob\n");

    person.server.on("POST /v2/auth/tokens/", 200, r#"{"token":"new"}"#);
    person.run("auth:regenerate -u ann").ok("Token Regenerated\n");
    assert!(person.profile().exists());
    let run = person.run("regenerate");
    assert_eq!((run.code, run.stdout.as_str()), (0, "Token Regenerated\n"));
    assert!(!person.profile().exists(), "the old token is of no use");
}

#[test]
fn cancel_asks_first() {
    let person = Person::new();
    let user = json!({
        "id": 1, "last_login": null, "is_superuser": false, "username": "bob", "first_name": "", "last_name": "",
        "email": "", "is_staff": false, "is_active": true, "date_joined": TIME, "groups": [], "user_permissions": [],
    });
    person.server.on("GET /v2/auth/whoami/", 200, &user.to_string());
    person.server.on("DELETE /v2/auth/cancel/", 204, "");
    person.run("auth:cancel").fails("Error: cancelling the account bob must be confirmed\n\nhint: pass --yes\n");
    assert_eq!(person.asked(), ["GET /v2/auth/whoami/"]);
    person.run("auth:cancel --yes").ok("Account cancelled\n");
    assert!(!person.profile().exists());
}

#[test]
fn create_adds_a_remote_and_destroy_removes_it() {
    let person = Person::new();
    person.git_init();
    platform(&person);
    person.server.on("POST /v2/apps/", 201, &app("foo").to_string());
    person
        .run("create foo")
        .ok("Creating Application... done, created foo\nGit remote slipway successfully created for app foo.\n");
    assert_eq!(person.asked(), [r#"POST /v2/apps/ {"id":"foo"}"#, "GET /v2/slipway/"]);
    assert_eq!(person.git(&["remote", "get-url", "slipway"]), "ssh://git@127.0.0.1:2299/foo.git\n");

    let run = person.run("create");
    assert_eq!((run.code, run.stdout.as_str()), (0, "Creating Application... done, created foo\n"));
    person.asked();

    person.run("destroy").fails("Error: destroying foo must be confirmed\n\nhint: pass --confirm=foo\n");
    person.run("destroy --confirm=bar").fails("Error: App foo does not match confirm bar, aborting.\n");
    assert!(person.asked().is_empty(), "nothing was asked of the controller");
    person.server.on("DELETE /v2/apps/foo/", 204, "");
    person
        .run("destroy --confirm=foo")
        .ok("Destroying foo...\ndone in [n]s\nGit remote slipway for app foo removed.\n");
    assert_eq!(person.git(&["remote"]), "");
}

#[test]
fn create_without_a_name_sends_no_body_and_leaves_other_folders_alone() {
    let person = Person::new();
    person.server.on("POST /v2/apps/", 201, &app("jolly-otter").to_string());
    person.run("apps:create").ok("Creating Application... done, created jolly-otter\n");
    assert_eq!(person.asked(), ["POST /v2/apps/"]);
    person.git_init();
    person.run("apps:create --no-remote").ok("Creating Application... done, created jolly-otter\n");
    assert_eq!(person.git(&["remote"]), "");
    let run = person.run("--json create --no-remote");
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap()["id"], "jolly-otter");
}

#[test]
fn git_remotes() {
    let person = Person::new();
    platform(&person);
    person
        .run("git:remote -a foo")
        .fails("Error: this folder is in no git repository\n\nhint: make one with `git init`\n");
    person.git_init();
    for name in ["foo", "bar"] {
        person.server.on(&format!("GET /v2/apps/{name}/"), 200, &app(name).to_string());
    }
    let unknown = r#"{"detail":"No App matches the given query."}"#;
    person.server.on("GET /v2/apps/typo/", 404, unknown);
    let run = person.run("git:remote -a typo");
    assert!(run.code == 1 && run.stderr.contains("No App matches the given query."), "{run:?}");
    assert_eq!(person.git(&["remote"]), "");
    person.run("git:remote -a foo").ok("Git remote slipway successfully created for app foo.\n");
    person.run("git:remote").ok("Remote slipway already exists and is correctly configured for app foo.\n");
    let run = person.run("git:remote -a bar");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("git:remote -f -r slipway -a bar"), "{run:?}");
    person.run("git:remote -f -a bar").ok("Git remote slipway successfully created for app bar.\n");
    assert_eq!(person.git(&["remote", "get-url", "slipway"]), "ssh://git@127.0.0.1:2299/bar.git\n");
    person.run("git:remove").ok("Git remotes for app bar removed: slipway.\n");
    person.run("git:remove -a bar").fails("Error: no git remote leads to app bar\n");
}

#[test]
fn apps() {
    let person = Person::new();
    person.server.on("GET /v2/apps/?limit=100", 200, &page(&[app("bar"), app("foo")], 2));
    person.server.on("GET /v2/apps/?limit=1", 200, &page(&[app("bar")], 2));
    person.run("apps").ok("=== Apps\nbar\nfoo\n");
    person.run("apps:list -l 1").ok("=== Apps (1 of 2)\nbar\n");
    let run = person.run("apps --json");
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap()["results"][1]["id"], "foo");

    platform(&person);
    person.server.on("GET /v2/apps/foo/", 200, &app("foo").to_string());
    person.server.on("GET /v2/apps/foo/pods/", 200, &pods(&[pod("foo-web-1", "web")]));
    let domain = json!({"owner": "bob", "created": TIME, "updated": TIME, "app": "foo", "domain": "foo"});
    let domains = json!({"count": 1, "next": null, "previous": null, "results": [domain]});
    person.server.on("GET /v2/apps/foo/domains/?limit=100", 200, &domains.to_string());
    let settings = json!({
        "uuid": "s-1", "app": "foo", "owner": "bob", "maintenance": false, "routable": true, "whitelist": [],
        "autoscale": {}, "label": {"team": "a"}, "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/settings/", 200, &settings.to_string());
    person.run("info -a foo").ok(&format!(
        "=== foo Application\nupdated:  {TIME}\nuuid:     u-1\ncreated:  {TIME}\nurl:      http://foo.localhost:8080\n\
         owner:    bob\nid:       foo\n\n=== foo Processes\n--- web:\nfoo-web-1 up (v2)\n\n=== foo Domains\nfoo\n\n\
         === foo Label\nteam:      a\n\n"
    ));
    person.run("--json open -a foo").ok("{\n  \"url\": \"http://foo.localhost:8080\"\n}\n");
    person.server.on("POST /v2/apps/foo/", 200, "");
    person.run("apps:transfer ann -a foo").ok("Transferring foo to ann... done\n");
    assert_eq!(person.asked().last().unwrap(), r#"POST /v2/apps/foo/ {"owner":"ann"}"#);
}

#[test]
fn logs() {
    let person = Person::new();
    person.server.on("GET /v2/apps/foo/logs?log_lines=2", 200, "t foo[web.1]: hi\x1b]0;x\x07\nt slipway[router]: ok\n");
    person.run("logs -a foo -n 2").ok("t foo[web.1]: hi]0;x\nt slipway[router]: ok\n");
    person.server.on("GET /v2/apps/bar/logs?follow=true", 403, "{}");
    assert_eq!(person.run("logs -a bar --follow").code, 1);
    person.server.on("GET /v2/apps/foo/logs", 204, "");
    let run = person.run("logs -a foo");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", "There are currently no log messages.\n"));
}

#[test]
fn run_ends_as_the_process_does() {
    let person = Person::new();
    person.server.on("POST /v2/apps/foo/run", 200, r#"{"exit_code":0,"output":"grüße\n"}"#);
    let run = person.run_with(&["run", "-a", "foo", "echo", "a b", "-n"], "");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "grüße\n", "Running 'echo 'a b' -n'...\n"));
    assert_eq!(person.asked(), [r#"POST /v2/apps/foo/run {"command":"echo 'a b' -n"}"#]);
    person.server.on("POST /v2/apps/foo/run", 200, r#"{"exit_code":3,"output":"out\nerr\n"}"#);
    let run = person.run("apps:run -a foo -- false");
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert_eq!(run.stderr, "Running 'false'...\nout\nerr\n");
}

#[test]
fn configuration() {
    let person = Person::new();
    let values = json!({"A": "1", "LONG_NAME": "two\nlines"});
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&values));
    let shown = "=== foo Config\nA              1\nLONG_NAME      two\n               lines\n";
    person.run("config -a foo").ok(shown);
    person.run("config:list --diff -a foo").ok("A=1\nLONG_NAME=\"two\nlines\"\n");
    person.asked();
    person.server.on("POST /v2/apps/foo/config/", 201, &config(&values));
    person.server.on("GET /v2/apps/foo/releases/?limit=1", 200, &page(&[release(3, "succeeded")], 3));
    let run = person.run_with(&["config:set", "-a", "foo", "A=1", "B=x=y z"], "");
    run.ok(&format!("Creating config... done, v3\n\n{shown}"));
    assert_eq!(person.asked()[0], r#"POST /v2/apps/foo/config/ {"values":{"A":"1","B":"x=y z"}}"#);
    person.run("config:unset -a foo B").ok(&format!("Removing config... done, v3\n\n{shown}"));
    assert_eq!(person.asked()[0], r#"POST /v2/apps/foo/config/ {"values":{"B":null}}"#);
    person.run("config:set A").fails("Error: 'A' does not match the pattern 'key=var', ex: MODE=test\n");
    let run = person.run("config:set A=1 -a foo --json");
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap()["values"], values);
}

#[test]
fn processes() {
    let person = Person::new();
    let both = [pod("foo-web-2", "web"), pod("foo-web-1", "web"), pod("foo-worker-1", "worker")];
    person.server.on("GET /v2/apps/foo/pods/", 200, &pods(&both));
    person.server.on("POST /v2/apps/foo/scale/", 204, "");
    let shown =
        "=== foo Processes\n--- web:\nfoo-web-1 up (v2)\nfoo-web-2 up (v2)\n--- worker:\nfoo-worker-1 up (v2)\n";
    person.run("ps -a foo").ok(shown);
    person.asked();
    person
        .run("ps:scale web=2 worker=1 -a foo")
        .ok(&format!("Scaling processes... but first, coffee!\ndone in [n]s\n{shown}"));
    assert_eq!(person.asked()[0], r#"POST /v2/apps/foo/scale/ {"web":2,"worker":1}"#);
    for bad in ["web", "web=-1", "web=x", "web=", "=1", "Web=1", "web-=1"] {
        let run = person.run(&format!("scale {bad} -a foo"));
        run.fails(&format!("Error: '{bad}' does not match the pattern 'type=num', ex: web=2\n"));
    }
    for (command, doing) in [("stop", "Stopping"), ("start", "Starting")] {
        person.server.on(&format!("POST /v2/apps/foo/{command}/"), 204, "");
        person.asked();
        person
            .run(&format!("ps:{command} web worker -a foo"))
            .ok(&format!("{doing} processes... but first, coffee!\ndone in [n]s\n{shown}"));
        assert_eq!(person.asked()[0], format!(r#"POST /v2/apps/foo/{command}/ {{"types":["web","worker"]}}"#));
    }
    person.server.on("POST /v2/apps/foo/pods/web/restart/", 200, &json!([both[0]]).to_string());
    person.run("ps:restart web -a foo").ok(
        "Restarting processes... but first, coffee!\ndone in [n]s\n=== foo Processes\n--- web:\nfoo-web-2 up (v2)\n",
    );
    person.server.on("POST /v2/apps/foo/pods/x/restart/", 200, "[]");
    person
        .run("restart x -a foo")
        .ok("Restarting processes... but first, coffee!\nCould not find any processes to restart\n");
    let unknown = r#"{"detail":"Container type x does not exist in application"}"#;
    person.server.on("POST /v2/apps/foo/pods/x/restart/", 400, unknown);
    let run = person.run("restart x -a foo");
    run.fails("Error: Could not find process type x in app foo\n\nhint: `slipway ps` lists them\n");
}

#[test]
fn releases() {
    let person = Person::new();
    let list = [release(4, "deploying"), release(3, "failed"), release(2, "succeeded")];
    person.server.on("GET /v2/apps/foo/releases/?limit=100", 200, &page(&list, 3));
    person.run("releases -a foo").ok(&format!(
        "=== foo Releases\nv4\t{TIME}\tbob deployed 1234567 (deploying)\nv3\t{TIME}\tbob deployed 1234567\n\
         v2\t{TIME}\tbob deployed 1234567\n"
    ));
    person.server.on("GET /v2/apps/foo/releases/v2/", 200, &list[2].to_string());
    let run = person.run("releases:info v2 -a foo");
    assert!(run.stdout.starts_with("=== foo Release v2\nbuild:    b-1\nconfig:   c-1\nowner:    bob\n"), "{run:?}");
    person.asked();
    person.server.on("POST /v2/apps/foo/releases/rollback/", 201, r#"{"version":5}"#);
    person.run("rollback -a foo").ok("Rolling back one release... done, v5\n");
    person.run("releases:rollback v2 -a foo").ok("Rolling back to v2... done, v5\n");
    assert_eq!(
        person.asked(),
        ["POST /v2/apps/foo/releases/rollback/", r#"POST /v2/apps/foo/releases/rollback/ {"version":2}"#]
    );
    person.run("rollback now -a foo").fails("Error: 'now' is not in the form 'v#'\n");
}

#[test]
fn builds() {
    let person = Person::new();
    let build = json!({
        "uuid": "b-1", "app": "foo", "owner": "bob", "image": "img", "sha": "", "procfile": {}, "dockerfile": "",
        "stack": "", "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/builds/?limit=100", 200, &page(std::slice::from_ref(&build), 1));
    person.run("builds -a foo").ok(&format!("=== foo Builds\nb-1 {TIME}\n"));
    person.asked();
    person.server.on("POST /v2/apps/foo/builds/", 201, &build.to_string());
    person.run_with(&["pull", "img", "-p", "web: ./x", "-a", "foo"], "").ok("Creating build... done\n");
    let body: Value = serde_json::from_str(person.asked()[0].split_once("builds/ ").unwrap().1).unwrap();
    assert_eq!(body, json!({"image": "img", "stack": "container", "procfile": {"web": "./x"}}));
    person.server.on("GET /v2/apps/foo/builds/log?sha=abc", 200, "-----> Python\n");
    person.run("builds:log abc -a foo").ok("-----> Python\n");
}

#[test]
fn access() {
    let person = Person::new();
    person.server.on("GET /v2/apps/foo/perms/", 200, r#"{"users":["ann"]}"#);
    person.run("perms -a foo").ok("=== foo's Users\nann\n");
    person.server.on("POST /v2/apps/foo/perms/", 201, "");
    person.run("perms:create ann -a foo").ok("Adding ann to foo collaborators... done\n");
    person.server.on("DELETE /v2/apps/foo/perms/a%40b", 204, "");
    person.run("sharing:remove a@b -a foo").ok("Removing a@b from foo collaborators... done\n");
    person.server.on(
        "GET /v2/admin/perms/?limit=100",
        200,
        &page(&[json!({"username": "bob", "is_superuser": true})], 1),
    );
    person.run("perms:list --admin").ok("=== Administrators\nbob\n");
    person.server.on("POST /v2/admin/perms/", 201, "");
    person.run("perms:create ann --admin").ok("Adding ann to system administrators... done\n");
    person.server.on("DELETE /v2/admin/perms/ann", 204, "");
    person.run("perms:delete ann --admin").ok("Removing ann from system administrators... done\n");
}

fn cert(name: &str, common_name: Option<&str>, domains: &[&str]) -> Value {
    json!({
        "id": 22, "owner": "bob", "name": name, "common_name": common_name, "san": ["a.b", "*.a.b"], "domains": domains,
        "fingerprint": "8F:8E:1A:2B:3C:4D:5E:CD:EB", "starts": TIME, "expires": TIME, "issuer": "/C=US/CN=x",
        "subject": "/CN=a.b", "created": TIME, "updated": TIME,
    })
}

#[test]
fn certificates() {
    let person = Person::new();
    person.server.on("GET /v2/certs/?limit=100", 200, &page(&[], 0));
    person.run("certs").ok("No certs\n");
    let both = [cert("foo", Some("a.b"), &["a.b", "www.a.b"]), cert("x", None, &[])];
    person.server.on("GET /v2/certs/?limit=2", 200, &page(&both, 2));
    person.run("certs:list -l 2").ok(&format!(
        "Name\tCommon Name\tSubjectAltName\tExpires\tFingerprint\tDomains\tUpdated\tCreated\n\
         foo\ta.b\ta.b,*.a.b\t{TIME}\t8F:8E[...]CD:EB\ta.b,www.a.b\t{TIME}\t{TIME}\n\
         x\t\ta.b,*.a.b\t{TIME}\t8F:8E[...]CD:EB\t\t{TIME}\t{TIME}\n"
    ));
    assert!(person.run("certs --json").stdout.contains("\"results\": []"));
    person.server.on("GET /v2/certs/foo", 200, &both[0].to_string());
    person.run("certs:info foo").ok(&format!(
        "=== foo Certificate\nCommon Name(s):     a.b\nExpires At:         {TIME}\nStarts At:          {TIME}\n\
         Fingerprint:        8F:8E:1A:2B:3C:4D:5E:CD:EB\nSubject Alt Name:   a.b,*.a.b\n\
         Issuer:             /C=US/CN=x\nSubject:            /CN=a.b\n\nConnected Domains:  a.b,www.a.b\n\
         Owner:              bob\nCreated:            {TIME}\nUpdated:            {TIME}\n"
    ));
    assert!(person.run("--json certs:info foo").stdout.contains("\"issuer\": \"/C=US/CN=x\""));

    let (chain, key) = ("-----BEGIN CERTIFICATE-----\nAA\n", "-----BEGIN PRIVATE KEY-----\nBB\n");
    std::fs::write(person.work().join("a.pem"), chain).unwrap();
    std::fs::write(person.work().join("a.key"), key).unwrap();
    std::fs::write(person.work().join("a.der"), [0x30, 0x82, 0xff]).unwrap();
    person.server.on("POST /v2/certs/", 201, &both[0].to_string());
    person.asked();
    person.run("certs:add foo a.pem a.key").ok("Adding SSL endpoint... done\n");
    let body: Value = serde_json::from_str(person.asked()[0].strip_prefix("POST /v2/certs/ ").unwrap()).unwrap();
    assert_eq!(body, json!({"name": "foo", "certificate": chain, "key": key}));
    person.run("certs:add foo a.key a.pem").fails(
        "Error: a.key holds a private key\n\n\
         hint: give the certificate first, then the key: `slipway certs:add NAME CERTIFICATE KEY`\n",
    );
    let run = person.run("certs:add foo a.der a.key");
    assert!(run.code == 1 && run.stderr.starts_with("Error: a.der is not in PEM form\n"), "{run:?}");
    let run = person.run("certs:add foo none a.key");
    assert!(run.code == 1 && run.stderr.starts_with("Error: cannot read none: "), "{run:?}");
    assert_eq!(person.asked(), [""; 0], "nothing was sent");
    person.server.on(
        "POST /v2/certs/",
        400,
        r#"{"certificate":["Could not load certificate: certificate 1 is damaged"]}"#,
    );
    person.run("certs:add foo a.pem a.key").fails("Error: Could not load certificate: certificate 1 is damaged\n");

    person.server.on("POST /v2/certs/foo/domain/", 201, "");
    person.server.on("DELETE /v2/certs/foo/domain/%2A.a.b", 204, "");
    person.server.on("DELETE /v2/certs/foo", 204, "");
    person.asked();
    person.run("certs:attach foo *.a.b").ok("Attaching certificate foo to domain *.a.b... done\n");
    person.run("certs detach foo *.a.b").ok("Detaching certificate foo from domain *.a.b... done\n");
    person.run("certs:remove foo").ok("Removing foo... done\n");
    assert_eq!(
        person.asked(),
        [
            r#"POST /v2/certs/foo/domain/ {"domain":"*.a.b"}"#,
            "DELETE /v2/certs/foo/domain/%2A.a.b",
            "DELETE /v2/certs/foo"
        ]
    );
    person.server.on("POST /v2/certs/foo/domain/", 404, r#""No Domain matches the given query.""#);
    let run = person.run("certs:attach foo none");
    assert!(run.stderr.contains("No Domain matches the given query."), "{run:?}");
}

#[test]
fn versions() {
    let person = Person::new();
    person.server.on("GET /healthz", 200, "OK");
    person.run("version").ok(concat!("slipway ", env!("CARGO_PKG_VERSION"), "\n"));
    person.run("--version").ok(concat!("slipway ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(person.run("version --all").stdout.ends_with("\nSlipway Controller API Version: 2.3\n"));
    for shortcuts in ["shortcuts", "shortcuts:list", "shortcuts list"] {
        let run = person.run(shortcuts);
        assert!(run.stdout.contains("\ncreate -> apps:create\ndestroy -> apps:destroy\n"), "{run:?}");
        assert!(run.stdout.lines().is_sorted(), "{run:?}");
    }
}
