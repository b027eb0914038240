//! What scripts for upstream's client read and write, against a controller whose answers are scripted.

use serde_json::json;

use crate::person::Person;

fn logged_in(name: &str) -> Person {
    let person = Person::stranger();
    Person::write_profile(&person.home().join(format!(".{name}/client.json")), &person.server.url);
    person
}

#[test]
fn refusals_are_those_of_upstreams_client() {
    let person = logged_in("deis");
    let unknown = |status: u16, body: &str| format!("Unknown Error ({status}): {body}");
    let username = "Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.";
    let newer = r#"{"id":["App name must start with an alphabetic character"]}"#;
    let nothing = r#"{"detail":"bob changed nothing - release stopped"}"#;
    let owner = r#"{"detail":"bob still has applications assigned. Delete or transfer ownership"}"#;
    for (status, body, want) in [
        (400, r#"{"username":["This field may not be blank."]}"#, username.to_owned()),
        (400, r#"{"password":["This field may not be blank."],"key":["x"]}"#, "A Password is required".to_owned()),
        (
            400,
            r#"{"id":["Application with this id already exists."]}"#,
            "Application with this id already exists.".to_owned(),
        ),
        (400, newer, unknown(400, newer)),
        (400, r#"{"public":["Key contains invalid base64 chars"]}"#, "A key is required".to_owned()),
        (400, r#"{"certificate":["Could not load certificate: x"]}"#, "Could not load certificate".to_owned()),
        (
            400,
            r#"{"name":["Can only contain a-z (lowercase), 0-9 and hyphens"]}"#,
            "Name can only contain a-z (lowercase), 0-9 and hyphens".to_owned(),
        ),
        (400, r#"{"domain":["Hostname does not look valid."]}"#, "Hostname does not look valid.".to_owned()),
        (400, r#"{"detail":"type x does not exist in application"}"#, "Pod not found in application".to_owned()),
        (400, r#"{"detail":"version cannot be below 0"}"#, "The given version is invalid".to_owned()),
        (400, r#"{"detail":"one\\ntwo"}"#, unknown(400, "{\"detail\":\"one\\\ntwo\"}")),
        (401, r#"{"detail":"Invalid token."}"#, "Unauthorized: Missing or Invalid Token".to_owned()),
        (403, r#"{"detail":"x"}"#, "You do not have permission to perform this action.".to_owned()),
        (404, r#""No App matches the given query.""#, r#""No App matches the given query.""#.to_owned()),
        (404, "", "Not Found".to_owned()),
        (405, "{}", "Method Not Allowed".to_owned()),
        (409, nothing, unknown(409, nothing)),
        (
            409,
            owner,
            "Failed to delete user because the user still has applications assigned. Delete or transfer ownership."
                .to_owned(),
        ),
        (
            422,
            r#"{"detail":"A does not exist under values"}"#,
            "Unable to process your request: A does not exist under values".to_owned(),
        ),
        (500, r#"{"detail":"Server Error"}"#, "Internal Server Error".to_owned()),
        (503, r#"{"detail":"later"}"#, unknown(503, r#"{"detail":"later"}"#)),
    ] {
        person.server.on("POST /v2/apps/", status, body);
        person.run_as("deis", &["create", "foo"]).fails(&format!("Error: {want}\n"));
    }
}

#[test]
fn controllers_are_found_as_upstreams_client_finds_them() {
    let mut person = logged_in("drycc");
    person.server.on("GET /v2/", 200, "{}");
    let bare = person.server.url.strip_prefix("http://").unwrap().to_owned();
    for address in [&bare, &person.server.url.clone(), &format!("http://{bare}/")] {
        person.run_as("drycc", &["login", address, "--username=bob", "--password=x"]).fails(
            "Error: [URL] does not appear to be a valid Drycc controller.\n\
             Make sure that the Controller URI is correct, the server is running and\n\
             your drycc version is correct.\n",
        );
    }
    // Elsewhere it would be HTTPS.
    let run = person.run_as("drycc", &["login", "none.invalid", "--username=bob", "--password=x"]);
    assert!(run.stderr.starts_with("Error: cannot connect to http://none.invalid"), "{run:?}");
    person.set_env("DRYCC_PROFILE", "staging");
    person.run_as("drycc", &["apps"]).fails(
        "Error: Client configuration file not found at: [HOME]/.drycc/staging.json\n\
         Are you logged in? Use 'drycc login' or 'drycc register' to get started.\n",
    );
}

#[test]
fn whoever_is_logged_in_registers_others() {
    let person = logged_in("deis");
    person.server.on("GET /v2/", 401, "{}");
    person.server.on("POST /v2/auth/register/", 201, "{}");
    let url = person.server.url.clone();
    let register = ["register", &url, "--username=eve", "--password=x", "--email=e@y.z", "--login=false"];
    person.run_as("deis", &register).ok("Registered eve\n");
    assert_eq!(person.server.asked()[1].authorization, "token t0ken");
    Person::write_profile(&person.home().join(".deis/client.json"), "http://127.0.0.1:1");
    person.run_as("deis", &register).ok("Registered eve\n");
    assert_eq!(person.server.asked()[1].authorization, "", "a token is for its controller only");
}

#[test]
fn words_of_a_command_are_a_line() {
    let person = logged_in("deis");
    person.server.on("POST /v2/apps/foo/run", 200, r#"{"exit_code":0,"output":"a\n"}"#);
    for (words, line) in [
        (&["env", "-a", "foo"][..], "env"),
        (&["-a", "foo", "ls", "&&", "pwd"], "ls && pwd"),
        (&["--app=foo", "--", "ls", "-a", "x y"], "ls -a x y"),
        (&["echo", "Hello, 世界", "--app=foo"], "echo Hello, 世界"),
    ] {
        let mut args = vec!["apps:run"];
        args.extend(words);
        person.run_as("deis", &args).ok(&format!("Running '{line}'...\na\n"));
        let body = json!({"command": line}).to_string();
        assert_eq!(person.asked(), [format!("POST /v2/apps/foo/run {body}")]);
    }
    person.server.on("POST /v2/apps/foo/run", 200, r#"{"exit_code":127,"output":"sh: x: not found\n"}"#);
    let run = person.run_as("deis", &["run", "x", "-a", "foo"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (127, "Running 'x'...\n", "sh: x: not found\n"));
}

#[test]
fn the_app_is_that_of_the_builder_beside_the_controller() {
    let person = logged_in("deis");
    person.git_init();
    let config =
        json!({"uuid": "c", "owner": "bob", "app": "x", "values": {}, "created": "", "updated": ""}).to_string();
    for app in ["shop", "first", "second", "third"] {
        person.server.on(&format!("GET /v2/apps/{app}/config/"), 200, &config);
    }
    let meant = |want: &str| person.run_as("deis", &["config"]).ok(&format!("=== {want} Config\n"));
    person.git(&["remote", "add", "origin", "ssh://git@git.example.com/other.git"]);
    meant("shop");
    person.git(&["remote", "add", "deis", "ssh://git@builder.example.com:2222/third.git"]);
    meant("third");
    person.git(&["remote", "add", "staging", "ssh://git@127.0.0.1:2222/second.git"]);
    meant("second");
    person.git(&["remote", "add", "production", "ssh://git@127.0.0.1:2222/first.git"]);
    meant("first");
}

#[test]
fn certificates_are_in_a_ruled_table() {
    let person = logged_in("deis");
    let certs = json!({"count": 2, "next": null, "previous": null, "results": [
        {
            "id": 1, "name": "test-example-com", "common_name": "test.example.com", "san": ["test.com", "example.com"],
            "domains": ["test.com"], "created": "2016-06-09T00:00:00UTC", "updated": "2016-06-10T00:00:00UTC",
            "expires": "2014-11-10T00:00:00UTC", "starts": "2013-11-10T00:00:00UTC", "fingerprint": "12:34:56:78:90",
            "owner": "bob", "issuer": "testca", "subject": "testing",
        },
        {
            "id": 2, "name": "test1", "common_name": null, "san": [], "domains": [], "created": "", "updated": "",
            "expires": "2015-06-11T00:00:00Z", "starts": "", "fingerprint": "", "owner": "", "issuer": "", "subject": "",
        },
    ]});
    person.server.on("GET /v2/certs/?limit=100", 200, &certs.to_string());
    for (at, name) in ["test-example-com", "test1"].into_iter().enumerate() {
        person.server.on(&format!("GET /v2/certs/{name}"), 200, &certs["results"][at].to_string());
    }
    let run = |args: &[&str]| {
        let run = person.run_as("deis", args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
        run.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(run(&["certs"]), @r#"
            Name       |   Common Name    |    SubjectAltName    |        Expires        |   Fingerprint   | Domains  |   Updated   |  Created
    +------------------+------------------+----------------------+-----------------------+-----------------+----------+-------------+------------+
      test-example-com | test.example.com | test.com,example.com | 10 Nov 2014 (expired) | 12:34[...]78:90 | test.com | 10 Jun 2016 | 9 Jun 2016
      test1            |                  |                      | 11 Jun 2015 (expired) |                 |          | unknown     | unknown
    "#);
    insta::assert_snapshot!(run(&["certs:info", "test-example-com"]), @r#"
    === test-example-com Certificate
    Common Name(s):     test.example.com
    Expires At:         10 Nov 2014
    Starts At:          10 Nov 2013
    Fingerprint:        12:34:56:78:90
    Subject Alt Name:   test.com,example.com
    Issuer:             testca
    Subject:            testing

    Connected Domains:  test.com
    Owner:              bob
    Created:            9 Jun 2016
    Updated:            10 Jun 2016
    "#);
    insta::assert_snapshot!(run(&["certs:info", "test1"]), @r#"
    === test1 Certificate
    Common Name(s):
    Expires At:         11 Jun 2015
    Starts At:          unknown
    Fingerprint:
    Subject Alt Name:   N/A
    Issuer:
    Subject:

    Connected Domains:  No connected domains
    Owner:
    Created:            unknown
    Updated:            unknown
    "#);
}
