//! What people read when something is refused or broken.

use crate::person::Person;

#[test]
fn refusals_are_said_in_words_with_what_to_do_next() {
    let person = Person::new();
    for (status, body, want) in [
        (
            400,
            r#"{"id":["Application with this id already exists."]}"#,
            "Error: Application with this id already exists.\n\nhint: choose another name, or none to be given one\n",
        ),
        (400, r#"{"id":["This field may not be blank."]}"#, "Error: An id is required\n"),
        (400, r#"{"id":["This field is required."]}"#, "Error: id: This field is required.\n"),
        (
            400,
            r#"{"id":["App name can only contain a-z (lowercase), 0-9 and hyphens","App name must start with a letter"]}"#,
            "Error: App name must start with a letter\n",
        ),
        (400, r#"{"detail":"one\\ntwo"}"#, "Error: one\ntwo\n"),
        (400, "<html>nginx</html>", "Error: Unknown Error (400)\n"),
        (
            401,
            r#"{"detail":"Invalid token."}"#,
            "Error: Unauthorized: Missing or Invalid Token\n\nhint: log in again with `slipway login URL`\n",
        ),
        (
            403,
            "{}",
            "Error: You do not have permission to perform this action.\n\nhint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`\n",
        ),
        (
            405,
            "{}",
            "Error: Method Not Allowed\n\nhint: this controller may be older than this client; compare them with `slipway version --all`\n",
        ),
        (
            409,
            r#"{"detail":"bob changed nothing - release stopped"}"#,
            "Error: bob changed nothing - release stopped\n",
        ),
        (
            422,
            r#"{"detail":"A does not exist under values"}"#,
            "Error: Unable to process your request: A does not exist under values\n",
        ),
        (500, r#"{"detail":"Server Error"}"#, "Error: Internal Server Error\n\nhint: the controller's log says more\n"),
        (
            503,
            r#"{"detail":"Service temporarily unavailable, try again later."}"#,
            "Error: Service temporarily unavailable, try again later.\n",
        ),
        (502, "", "Error: Unknown Error (502)\n"),
    ] {
        person.server.on("POST /v2/apps/", status, body);
        let run = person.run("create foo");
        assert_eq!(run.stdout, "Creating Application... \n");
        run.fails(want);
    }
}

#[test]
fn a_missing_app_is_explained_by_where_its_name_came_from() {
    let person = Person::new();
    let missing = r#""No App matches the given query.""#;
    person.server.on("GET /v2/apps/foo/config/", 404, missing);
    person.server.on("GET /v2/apps/shop/config/", 404, missing);
    person
        .run("config -a foo")
        .fails("Error: No App matches the given query.\n\nhint: `slipway apps` lists your apps\n");
    person.run("config").fails(
        "Error: No App matches the given query.\n\nhint: shop is this folder's name; name the app with -a APP, or work in a \
         repository with a git remote `slipway` (`slipway git:remote -a APP`)\n",
    );
    person.git_init();
    person.git(&["remote", "add", "origin", "https://example.com/x.git"]);
    person.git(&["remote", "add", "slipway", "ssh://git@127.0.0.1:2222/foo.git"]);
    person.asked();
    assert_eq!(person.run("config").code, 1);
    assert_eq!(person.asked()[..1], ["GET /v2/apps/foo/config/"], "the git remote goes before the folder");
    assert_eq!(person.run("config -a shop").code, 1);
    assert_eq!(person.asked()[..1], ["GET /v2/apps/shop/config/"], "the flag goes before the git remote");
}

#[test]
fn app_names_cannot_reach_other_paths() {
    let person = Person::new();
    let run = person.run_with(&["config", "-a", ""], "");
    run.fails("Error: --app is empty\n\nhint: leave it out, or name an app\n");
    assert!(person.asked().is_empty());
    for name in ["../users", "..", "a/b", "a?b", "a%2fb"] {
        assert_eq!(person.run_with(&["config", "-a", name], "").code, 1);
        let asked = person.asked().remove(0);
        assert!(asked.starts_with("GET /v2/apps/") && asked.ends_with("/config/"), "{name}: {asked}");
        assert_eq!(asked.matches('/').count(), 5, "{name}: {asked}");
    }
}

#[test]
fn a_controller_that_is_away_or_is_none() {
    let person = Person::stranger();
    let run = person.run("apps");
    run.fails("Error: you are not logged in\n\nhint: log in with `slipway login URL`, or make an account with `slipway register URL`\n");
    let url = person.server.url.clone();
    person.server.on("GET /v2/", 200, "{}");
    let run = person.run_with(&["login", &url, "--username", "bob", "--password", "x"], "");
    run.fails("Error: [URL] does not appear to be a valid Slipway controller.\n\nhint: check the address; it is the one that `slipway up` prints after `api`\n");
    // Nobody listens there, and nobody else is given it.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = format!("http://{}", reserved.local_addr().unwrap());
    let run = person.run_with(&["login", &closed, "--username", "bob", "--password", "x"], "");
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with(&format!("Error: cannot connect to {closed}: ")), "{run:?}");
    assert!(run.stderr.contains("Connection refused") && run.stderr.contains("\nhint: "), "{run:?}");
    let run = person.run_with(&["login", "ftp://x", "--username", "bob", "--password", "x"], "");
    assert!(run.stderr.contains("only http:// and https:// are known"), "{run:?}");
    assert!(!person.profile().exists());
}

#[test]
fn wrong_passwords_are_told() {
    let person = Person::stranger();
    let body = r#"{"non_field_errors":["Unable to log in with provided credentials."]}"#;
    person.server.on("POST /v2/auth/login/", 400, body);
    let url = person.server.url.clone();
    let run = person.run_with(&["login", &url, "--username", "bob", "--password-stdin"], "x\n");
    run.fails("Error: Unable to log in with provided credentials.\n\nhint: check the name and the password; `slipway register URL` makes an account\n");
    let run = person.run_with(&["login", &url, "--username", "bob"], "");
    run.fails("Error: a password is needed, and there is no terminal to ask for it\n\nhint: pass it on stdin with --password-stdin\n");
    let run = person.run_with(&["login", &url, "--username", "bob", "--password-stdin"], "");
    run.fails("Error: there is no password on stdin\n");
    let run = person.run_with(&["login", &url], "");
    run.fails("Error: a username is needed, and there is no terminal to ask for it\n\nhint: pass it with --username\n");
}

#[test]
fn another_api_version_is_warned_of_once_and_work_goes_on() {
    let person = Person::new();
    person.server.on("GET /v2/apps/?limit=100", 200, r#"{"count":0,"next":null,"previous":null,"results":[]}"#);
    let warning = |version: &str| {
        format!(
            "!    WARNING: Client and server API versions do not match. Please consider upgrading.\n!    Client version: 2.3\n\
             !    Server version: {version}\n"
        )
    };
    for (version, want) in
        [("2.2", warning("2.2")), ("3.0", warning("3.0")), ("", warning("unknown")), ("2.10", String::new())]
    {
        person.server.version(version);
        let run = person.run("apps");
        assert_eq!((run.code, run.stdout.as_str(), run.stderr), (0, "=== Apps\n", want), "{version}");
    }
}

#[test]
fn the_environment_goes_before_the_profile() {
    let person = Person::new().env("SLIPWAY_TOKEN", "other");
    person.server.on("GET /v2/apps/?limit=100", 200, r#"{"count":0,"next":null,"previous":null,"results":[]}"#);
    person.run("apps").ok("=== Apps\n");
    assert_eq!(person.server.asked()[0].authorization, "token other");

    let person = Person::new().env("SLIPWAY_CONTROLLER", "http://127.0.0.1:1");
    let run = person.run("apps");
    assert!(run.stderr.contains("you are not logged in at http://127.0.0.1:1"), "{run:?}");
    assert!(person.asked().is_empty(), "the profile's token goes nowhere else");

    let person = Person::new().env("SLIPWAY_PROFILE", "nobody");
    assert!(person.run("apps").stderr.contains("you are not logged in"));
    let profile = person.profile();
    person.server.on("GET /v2/apps/?limit=100", 200, r#"{"count":0,"next":null,"previous":null,"results":[]}"#);
    person.run_with(&["apps", "-c", profile.to_str().unwrap()], "").ok("=== Apps\n");
}

#[test]
fn a_broken_profile_is_named() {
    let person = Person::new();
    for text in ["", "[]", "{", r#"{"controller":"x"}"#] {
        std::fs::write(person.profile(), text).unwrap();
        let run = person.run("apps");
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains("client.json is not a profile"), "{text}: {run:?}");
    }
}
