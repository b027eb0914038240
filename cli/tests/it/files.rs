//! Commands that read and write files of the user.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::person::Person;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFZ bob@laptop";

fn config(person: &Person, values: &Value) {
    let body = json!({
        "uuid": "c", "owner": "bob", "app": "foo", "values": values, "memory": {}, "cpu": {}, "tags": {},
        "registry": {}, "healthcheck": {}, "created": "", "updated": "",
    })
    .to_string();
    person.server.on("GET /v2/apps/foo/config/", 200, &body);
    person.server.on("POST /v2/apps/foo/config/", 201, &body);
}

#[test]
fn pulled_configuration_is_private_and_pushes_back_the_same() {
    let person = Person::new();
    let values = json!({"A": "1", "B": "two\r\nlines \"q\" $x", "C": "grüße"});
    config(&person, &values);
    person.run("config:pull -a foo").ok("Wrote 3 variables to .env.\n");
    let file = person.work().join(".env");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let run = person.run("config:pull -a foo");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains(".env already exists"), "{run:?}");
    person.run("config:pull -a foo -o").ok("Wrote 3 variables to .env.\n");
    person.asked();
    assert_eq!(person.run("config:push -a foo").code, 0);
    let sent = person.asked().remove(0);
    let body: Value = serde_json::from_str(sent.strip_prefix("POST /v2/apps/foo/config/ ").unwrap()).unwrap();
    assert_eq!(body["values"], values);
}

#[test]
fn a_file_with_crlf_is_pushed_without_it() {
    let person = Person::new();
    config(&person, &json!({}));
    fs::write(person.work().join("prod.env"), "A=1\r\n# x\r\nB='x\r\ny'\r\n").unwrap();
    assert_eq!(person.run("config:push -p prod.env -a foo").code, 0);
    assert_eq!(person.asked()[0], r#"POST /v2/apps/foo/config/ {"values":{"A":"1","B":"x\ny"}}"#);
    fs::write(person.work().join("prod.env"), "A=1\nB\n").unwrap();
    person.run("config:push -p prod.env -a foo").fails("Error: prod.env: line 2: there is no `=`\n");
    fs::write(person.work().join("prod.env"), "").unwrap();
    person.run("config:push -p prod.env -a foo").fails("Error: prod.env has no variable\n");
}

#[test]
fn keys() {
    let person = Person::new();
    let key = json!({
        "uuid": "k", "id": "bob@laptop", "owner": "bob", "public": KEY, "fingerprint": "", "created": "", "updated": "",
    });
    let list = json!({"count": 1, "next": null, "previous": null, "results": [key]}).to_string();
    person.server.on("POST /v2/keys/", 201, &key.to_string());
    person.server.on("GET /v2/keys/?limit=100", 200, &list);
    person.server.on("DELETE /v2/keys/bob%40laptop", 204, "");

    person.run("keys:add").fails(
        "Error: there is no public key in [HOME]/.ssh\n\nhint: make one with `ssh-keygen -t ed25519`, or name a file: \
         `slipway keys:add FILE`\n",
    );
    let ssh = person.home().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    fs::write(ssh.join("id_ed25519.pub"), format!("{KEY}\n")).unwrap();
    person.run("keys:add").ok("Uploading id_ed25519.pub to slipway... done\n");
    assert_eq!(person.asked(), [format!(r#"POST /v2/keys/ {{"id":"bob@laptop","public":"{KEY}"}}"#)]);
    fs::write(ssh.join("other.pub"), "ssh-ed25519 AAAA\n").unwrap();
    assert!(person.run("keys:add").stderr.contains("there are 2 public keys"), "nobody can be asked which");
    person.run("keys:add ../.ssh/other.pub").ok("Uploading other.pub to slipway... done\n");
    person.run("keys:add mine ../.ssh/other.pub").ok("Uploading other.pub to slipway... done\n");
    assert_eq!(
        person.asked(),
        [
            r#"POST /v2/keys/ {"id":"other","public":"ssh-ed25519 AAAA"}"#,
            r#"POST /v2/keys/ {"id":"mine","public":"ssh-ed25519 AAAA"}"#
        ]
    );
    person.run("keys").ok("=== bob Keys\nbob@laptop ssh-ed25519 AAAA...bob@laptop\n");
    person.run("keys:remove bob@laptop").ok("Removing bob@laptop SSH Key... done\n");
}

#[test]
fn a_private_key_never_leaves() {
    let person = Person::new();
    let text = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n";
    fs::write(person.work().join("id"), text).unwrap();
    person.run("keys:add id").fails("Error: id is a private key\n\nhint: add the public one: id.pub\n");
    fs::write(person.work().join("id"), "hello").unwrap();
    assert!(person.run("keys:add id").stderr.contains("id is not a public key"));
    assert!(person.run("keys:add missing.pub").stderr.contains("cannot read missing.pub"));
    assert!(person.asked().is_empty());
}
