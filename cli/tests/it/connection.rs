//! What is said when there is no connection, or when what answers is no controller: the cause, and how to mend it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;

use crate::person::Person;
use crate::tls::login;

/// Something that takes connections and answers each with the same bytes, until the test ends.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer);
            let _ = stream.shutdown(Shutdown::Write);
            // A connection that is closed with something unread is cut off before the answer is read.
            let _ = stream.read(&mut head);
        }
    });
    format!("http://{address}")
}

#[test]
fn what_answers_and_is_no_controller_is_told_with_what_it_did() {
    let person = Person::stranger();
    let usual = "check the address; it is the one that `slipway up` prints after `api`";
    let no_http = "check the address; it may begin with https:// instead";
    let elsewhere = "check the address and the port; what answers there is something else";
    for (answer, hint) in [
        (&b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"[..], usual),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", usual),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", usual),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://other.example.com/v2/\r\nContent-Length: 0\r\n\r\n",
            "it redirects to https://other.example.com/v2/; the controller's address may begin like that",
        ),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "it answered 503 Service Unavailable; if the address is right, try again when the controller runs",
        ),
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "the proxy wants a name and a password, which go into its address: http://NAME:PASSWORD@HOST:PORT",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", no_http),
        (b"\x15\x03\x03\x00\x02\x02\x46", no_http),
        (b"", no_http),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 500\r\n\r\n{", elsewhere),
    ] {
        let url = answering(answer);
        login(&person, &url, &[])
            .fails(&format!("Error: {url} does not appear to be a valid Slipway controller.\n\nhint: {hint}\n"));
    }
    assert!(!person.profile().exists());
}

#[test]
fn an_answer_that_has_no_end_is_given_up() {
    let person = Person::stranger();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nDRYCC_API_VERSION: 2.3\r\n\r\n");
            let piece = vec![b'x'; 65536];
            while stream.write_all(&piece).is_ok() {}
        }
    });
    login(&person, &url, &[]).fails(&format!(
        "Error: {url} does not appear to be a valid Slipway controller.\n\nhint: check the address and the port; what answers \
         there is something else\n"
    ));
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for() {
    // Connections are taken by the system, and nobody reads them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let said = |url: &str| {
        format!(
            "Error: {url} has not answered within 15 s\n\nhint: check the address and the port; if a controller runs there, its \
             log says what it is doing\n"
        )
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let url = format!("http://{address}");
            login(&Person::stranger(), &url, &[]).fails(&said(&url));
        });
        scope.spawn(|| {
            let url = format!("https://{address}");
            login(&Person::stranger(), &url, &[]).fails(&format!(
                "Error: cannot connect to {url}: operation timed out\n\nhint: check the address and the port; a firewall in \
                 between may let nothing through\n"
            ));
        });
        scope.spawn(|| {
            let url = format!("http://{address}");
            let person = Person::stranger();
            Person::write_profile(&person.profile(), &url);
            let run = person.run("doctor");
            assert!(
                run.stdout.starts_with(&format!("!!  endpoint    {url} has not answered within 15 s\n")),
                "{run:?}"
            );
        });
    });
}

#[test]
fn names_that_nobody_knows_and_proxies_that_are_away_are_named() {
    let network = "look for a mistake in the address, and whether this machine is on the network";
    // By RFC 6761 nobody has such a name.
    let run = login(&Person::stranger(), "nobody.invalid", &[]);
    let text = "Error: cannot connect to https://nobody.invalid: failed to lookup address information: ";
    assert!(run.code == 1 && run.stderr.starts_with(text), "{run:?}");
    assert!(run.stderr.ends_with(&format!("\n\nhint: {network}\n")), "{run:?}");

    let person = Person::stranger().env("HTTP_PROXY", "http://bob:geheim@proxy.invalid:3128/");
    let run = login(&person, "http://controller.test", &[]);
    let proxy = "HTTP_PROXY names the proxy proxy.invalid:3128: check that, or name controller.test in NO_PROXY";
    assert!(run.stderr.ends_with(&format!("\n\nhint: {network}; {proxy}\n")), "{run:?}");
    assert!(!run.stderr.contains("geheim"), "{run:?}");

    let url = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let address = url.strip_prefix("http://").unwrap();
    let person = Person::stranger().env("https_proxy", &format!("http://bob:geheim@{address}"));
    login(&person, "https://controller.test", &[]).fails(&format!(
        "Error: cannot connect to https://controller.test: tunnel error: proxy authorization required\n\nhint: the proxy wants a name and a \
         password, which go into its address: http://NAME:PASSWORD@HOST:PORT; https_proxy names the proxy {address}: check \
         that, or name controller.test in NO_PROXY\n"
    ));
}

#[test]
fn answers_that_make_no_sense_are_told() {
    let person = Person::new();
    let hint =
        "\n\nhint: `slipway whoami` shows which address was asked, `slipway doctor` whether a controller is there\n";
    for body in ["", "<html>", "[]", r#"{"results":"#, "\u{0}\u{1}"] {
        person.server.on("GET /v2/apps/?limit=100", 200, body);
        let run = person.run("apps");
        let text = "Error: the server sent an answer that cannot be read; is it a Slipway or Drycc controller?: ";
        assert!(run.code == 1 && run.stderr.starts_with(text) && run.stderr.ends_with(hint), "{body}: {run:?}");
    }
    person.server.on("GET /v2/apps/?limit=100", 301, "");
    person.run("apps").fails(
        "Error: the controller redirects to another address\n\nhint: log in with that address: `slipway login URL`\n",
    );
    let url = answering(b"HTTP/1.1 200 OK\r\nDRYCC_API_VERSION: 2.3\r\nContent-Length: 500\r\n\r\n{");
    Person::write_profile(&person.profile(), &url);
    let run = person.run("apps");
    assert!(run.stderr.starts_with(&format!("Error: the connection to {url} broke: ")), "{run:?}");
    assert!(run.stderr.contains("\n\nhint: "), "{run:?}");
}

#[test]
fn a_profile_is_written_whole_or_not_at_all() {
    let person = Person::new();
    let before = std::fs::read_to_string(person.profile()).unwrap();
    person.server.on("POST /v2/auth/login/", 200, r#"{"token":"new"}"#);
    // No file may grow: what a full disk does, and, where the signal is not ignored, what a kill amid the writing does.
    for (ignored, ends_with) in [("trap '' XFSZ;", Some(1)), ("", None)] {
        let script = format!("{ignored} ulimit -f 0; exec \"$0\" login \"$1\" --username bob --password x");
        let mut command = Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_slipway"), &person.server.url]);
        let output = command.env_clear().env("HOME", person.home()).output().unwrap();
        assert_eq!(output.status.code(), ends_with, "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let text = format!("Error: cannot write {}: ", person.profile().display());
        assert!(ends_with.is_none() || said.starts_with(&text), "{said}");
        assert_eq!(std::fs::read_to_string(person.profile()).unwrap(), before);
    }
    // What the killed one left is in nobody's way.
    let url = person.server.url.clone();
    assert_eq!(login(&person, &url, &[]).code, 0);
    let mode = std::fs::metadata(person.profile()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(person.profile()).unwrap().contains(r#""token": "new""#));
}
