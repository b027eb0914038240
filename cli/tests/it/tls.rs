//! What is said of certificates and proxies.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;
use slipway_service::testing::{TestCertificate, TestKey};

use crate::person::Person;

/// A controller behind TLS that lets nobody in. It goes on until the test ends.
fn controller(certificate: &TestCertificate) -> String {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&X509::from_pem(certificate.certificate.as_bytes()).unwrap()).unwrap();
    acceptor.set_private_key(&PKey::private_key_from_pem(certificate.key.as_bytes()).unwrap()).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever does not trust the certificate hangs up.
            if let Ok(mut stream) = acceptor.accept(stream.unwrap()) {
                answer(&mut stream);
            }
        }
    });
    format!("https://localhost:{port}")
}

/// Reads a request and refuses it; gives its first line.
pub fn answer(stream: &mut (impl Read + Write)) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    // What is left unread when the connection is closed would cut the answer short.
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let _ = stream.read_exact(&mut vec![0; length.unwrap_or(0)]);
    let _ = stream.write_all(
        b"HTTP/1.1 401 Unauthorized\r\nDRYCC_API_VERSION: 2.3\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    );
    String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned()
}

pub fn login(person: &Person, url: &str, more: &[&str]) -> crate::person::Run {
    let args: Vec<&str> =
        ["login", url, "--username", "bob", "--password", "x"].into_iter().chain(more.iter().copied()).collect();
    person.run_with(&args, "")
}

/// What is said when the controller was found to be one, and refused the password.
const REFUSED: &str = "Error: Unauthorized: Missing or Invalid Token\n\nhint: log in again with `slipway login URL`\n";

#[test]
fn certificates_that_cannot_be_trusted_are_told_apart() {
    let person = Person::stranger();
    let with = |hosts: &[&str], from: i64, to: i64| TestCertificate::with(TestKey::Ec, hosts, from, to).unwrap();

    let unknown = with(&["localhost"], 0, 10);
    let url = controller(&unknown);
    login(&person, &url, &[]).fails(&format!(
        "Error: the certificate of {url} is of nobody that this machine trusts\n\nhint: set SSL_CERT_FILE to the file of its \
         authority's certificate (PEM), or log in with --ssl-verify=false\n"
    ));
    login(&person, &url, &["--ssl-verify=false"]).fails(REFUSED);
    let file = person.home().join("authority.pem");
    std::fs::write(&file, &unknown.certificate).unwrap();
    let trusting = Person::stranger().env("SSL_CERT_FILE", file.to_str().unwrap());
    login(&trusting, &url, &[]).fails(REFUSED);

    for (certificate, want) in [
        (
            with(&["localhost"], -20, -10),
            "the certificate of URL has expired\n\nhint: who runs the controller must renew it; look at this machine's clock, too\n",
        ),
        (
            with(&["localhost"], 10, 20),
            "the certificate of URL is not valid yet\n\nhint: this machine's clock may be slow\n",
        ),
        (
            with(&["elsewhere.example.com"], 0, 10),
            "the certificate of URL is for another name\n\nhint: use the name that the certificate is for; who runs the controller knows it\n",
        ),
    ] {
        let url = controller(&certificate);
        std::fs::write(&file, &certificate.certificate).unwrap();
        login(&trusting, &url, &[]).fails(&format!("Error: {}", want.replace("URL", &url)));
    }

    std::fs::remove_file(&file).unwrap();
    let run = login(&trusting, &url, &[]);
    assert!(run.code == 1 && run.stderr.contains("authority.pem, which SSL_CERT_FILE names: "), "{run:?}");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n").unwrap();
    let run = login(&trusting, &url, &[]);
    let hint = "\n\nhint: SSL_CERT_FILE names [HOME]/authority.pem, which must hold certificates in the form of PEM\n";
    let hint = hint.replace("[HOME]", person.home().to_str().unwrap());
    assert!(run.stderr.starts_with("Error: cannot set up the HTTP client: ") && run.stderr.ends_with(&hint), "{run:?}");
    std::fs::write(&file, [0x30, 0x82]).unwrap();
    login(&trusting, &url, &[]).fails(&format!(
        "Error: there is no certificate in {}, which SSL_CERT_FILE names\n\nhint: it must be in the form of PEM\n",
        file.display()
    ));
}

#[test]
fn tls_and_plain_http_are_told_apart() {
    let person = Person::stranger();
    let plain = person.server.url.replace("http://127.0.0.1", "https://localhost");
    login(&person, &plain, &[])
        .fails(&format!("Error: {plain} does not speak TLS\n\nhint: the address may begin with http:// instead\n"));
    let tls = controller(&TestCertificate::new(&["localhost"]).unwrap()).replace("https://", "http://");
    login(&person, &tls, &[]).fails(&format!(
        "Error: {tls} does not appear to be a valid Slipway controller.\n\nhint: check the address; it may begin with https:// \
         instead\n"
    ));
}

#[test]
fn proxies_of_the_environment_are_used_and_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = sender.send(answer(&mut stream.unwrap()));
        }
    });
    let person = Person::stranger().env("HTTP_PROXY", &proxy).env("http_proxy", &proxy).env("HTTPS_PROXY", &proxy);
    login(&person, "http://controller.test", &[]).fails(REFUSED);
    assert_eq!(asked.recv().unwrap(), "GET http://controller.test/v2/ HTTP/1.1");
    assert_eq!(asked.recv().unwrap(), "POST http://controller.test/v2/auth/login/ HTTP/1.1");
    login(&person, "https://controller.test", &[]).fails(&format!(
        "Error: cannot connect to https://controller.test: tunnel error: unsuccessful\n\nhint: check the address and that the controller \
         runs; `slipway up` starts one on this machine, `slipway login URL` changes the address; HTTPS_PROXY names the proxy \
         {}: check that, or name controller.test in NO_PROXY\n",
        proxy.strip_prefix("http://").unwrap()
    ));
    assert_eq!(asked.recv().unwrap(), "CONNECT controller.test:443 HTTP/1.1");
    // What runs on this machine is never reached through one, and what NO_PROXY names neither.
    let url = person.server.url.clone();
    person.server.on("POST /v2/auth/login/", 200, r#"{"token":"abc"}"#);
    assert_eq!(login(&person, &url, &[]).code, 0);
    let person = person.env("NO_PROXY", ".test");
    let run = login(&person, "http://controller.test", &[]);
    assert!(run.stderr.starts_with("Error: cannot connect to http://controller.test: "), "{run:?}");
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_token_logs_in() {
    let person = Person::stranger();
    let user = serde_json::json!({"username": "ann", "is_superuser": false, "is_active": true});
    person.server.on("GET /v2/auth/whoami/", 200, &user.to_string());
    let url = person.server.url.clone();
    let done = "Logged in as ann\nConfiguration file written to [HOME]/.config/slipway/client.json\n";
    person.run_with(&["login", &url, "--token", "abc"], "").ok(done);
    let asked = person.server.asked();
    assert_eq!((asked[0].authorization.as_str(), asked[1].authorization.as_str()), ("", "token abc"));
    person.run_with(&["login", &url, "--token-stdin"], "def\n").ok(done);
    person.run("whoami").ok("You are ann at [URL]\n");
    person.run_with(&["login", &url, "--token-stdin"], "").fails("Error: there is no token on stdin\n");
    assert_eq!(person.run_with(&["login", &url, "--token", "a", "--username", "ann"], "").code, 2);

    let person = person.env("SLIPWAY_TOKEN", "ghi");
    person.run_with(&["login", &url, "-c", "work"], "").ok(&done.replace("client", "work"));
    assert_eq!(person.server.asked().last().unwrap().authorization, "token ghi");
    let text = std::fs::read_to_string(person.profile().with_file_name("work.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["token"], "ghi");
    person.server.on("POST /v2/auth/login/", 200, r#"{"token":"other"}"#);
    let run = login(&person, &url, &[]);
    assert_eq!(run.stderr, "!    SLIPWAY_TOKEN is set, and goes before what was just written.\n");
    person.server.on("GET /v2/auth/whoami/", 401, r#"{"detail":"Invalid token."}"#);
    assert_eq!(person.run_with(&["login", &url, "--token", "bad", "-c", "bad"], "").code, 1);
    assert!(!person.profile().with_file_name("bad.json").exists());
}
