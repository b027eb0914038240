//! Certificates, from the files that `openssl` makes to what a TLS client is served.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipway_tests::{Platform, Repo, Run, User, eventually};

const DOMAIN: &str = "apps.example.test";

/// An authority with its files in a directory of its own.
struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Self { dir: tempfile::Builder::new().prefix("slipway-ca-").tempdir().unwrap() };
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Root",
        );
        authority
    }

    fn openssl(&self, args: &str) {
        Run::of(Command::new("openssl").current_dir(self.dir.path()).args(args.split(' '))).ok();
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Issues a certificate; `key` is what `openssl req -newkey` is told. Gives the files of the chain and the key.
    fn issue(&self, name: &str, key: &str, hosts: &str, days: &str) -> (String, String) {
        self.openssl(&format!(
            "req -new -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /O=Shop/CN={name}"
        ));
        std::fs::write(self.dir.path().join("ext"), format!("subjectAltName={hosts}\n")).unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile ext -out {name}.pem"
        ));
        let file = |kind: &str| self.dir.path().join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
        (file("pem"), file("key"))
    }

    /// Issues a certificate and adds it to the platform under the same name.
    fn add(&self, user: &User, name: &str, key: &str, hosts: &str) {
        let (chain, key) = self.issue(name, key, hosts, "30");
        user.cli(&["certs:add", name, &chain, &key]).ok().says("Adding SSL endpoint... done");
    }
}

/// `curl` of an app over TLS by a client that trusts one authority only.
fn curl(platform: &Platform, host: &str, root: &Path) -> Run {
    let port = platform.endpoints().router_tls.port();
    Run::of(
        Command::new("curl")
            .args(["-sS", "--fail", "--max-time", "120", "--noproxy", "*", "--cacert"])
            .arg(root)
            .args(["--resolve", &format!("{host}:{port}:127.0.0.1"), "--", &format!("https://{host}:{port}/")]),
    )
}

fn trusts(platform: &Platform, host: &str, root: &Path) -> String {
    eventually(&format!("{host} has a certificate that is trusted"), Duration::from_mins(3), || {
        let run = curl(platform, host, root);
        (run.code == 0).then_some(run.stdout)
    })
}

/// The exit code of curl for a certificate that it does not trust.
const UNTRUSTED: i32 = 60;

fn distrusts(platform: &Platform, host: &str, root: &Path) {
    eventually(&format!("{host} has no certificate that is trusted"), Duration::from_mins(3), || {
        (curl(platform, host, root).code == UNTRUSTED).then_some(())
    });
}

#[test]
fn a_certificate_is_served_for_the_domain_it_is_attached_to() {
    let mut platform = Platform::start_with(&["--domain", DOMAIN], &[]);
    let user = platform.user("ada");
    user.deploy(&Repo::server("one"), "shop");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let host = format!("shop.{DOMAIN}");
    assert_eq!(curl(&platform, &host, &ours.root()).code, UNTRUSTED, "the platform's own is known to nobody");

    ours.add(&user, "exact", "rsa:2048", &format!("DNS:{host}"));
    assert_eq!(curl(&platform, &host, &ours.root()).code, UNTRUSTED, "it is attached to nothing");
    user.cli(&["certs:attach", "exact", "shop"]).ok().says("Attaching certificate exact to domain shop... done");
    let body = trusts(&platform, &host, &ours.root());
    assert!(body.contains("text=one"), "{body}");
    assert_eq!(curl(&platform, &host, &theirs.root()).code, UNTRUSTED);
    let info = user.cli(&["certs:info", "exact"]).ok();
    for part in ["/CN=Root", "/O=Shop/CN=exact", &host, "shop"] {
        assert!(info.stdout.contains(part), "no {part} in {info}");
    }

    // It is there after a crash, its key read from where it is sealed.
    platform.kill();
    platform.launch();
    trusts(&platform, &host, &ours.root());
    // What was written last may not be in the database's own file yet.
    let file = |name: &str| std::fs::read(platform.data().join(name)).unwrap_or_default();
    let database = [file("slipway.db"), file("slipway.db-wal")].concat();
    let holds = |text: &str| database.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("/O=Shop/CN=exact") && !holds("PRIVATE KEY"));

    // Another, of another authority and kind, with a wildcard.
    user.cli(&["certs:attach", "exact", "shop"]).fails().says("Domain already has a certificate attached to it");
    theirs.add(&user, "wild", "ed25519", &format!("DNS:*.{DOMAIN}"));
    user.cli(&["certs:detach", "exact", "shop"]).ok();
    distrusts(&platform, &host, &ours.root());
    user.cli(&["certs:attach", "wild", "shop"]).ok();
    trusts(&platform, &host, &theirs.root());
    user.cli(&["certs:remove", "wild"]).ok().says("Removing wild... done");
    distrusts(&platform, &host, &theirs.root());
    user.cli(&["certs"]).ok().says("exact").never_says("wild");

    // A domain of the user's own, for every name below it; it takes its certificate with it when it goes.
    let body = br#"{"domain":"*.shop.example.test"}"#;
    assert_eq!(user.api("POST", "/v2/apps/shop/domains/", Some(body)).0, 201);
    ours.add(&user, "star", "rsa:2048", "DNS:*.shop.example.test");
    user.cli(&["certs:attach", "star", "*.Shop.example.test"]).ok();
    assert!(trusts(&platform, "any.shop.example.test", &ours.root()).contains("text=one"));
    assert_eq!(user.api("DELETE", "/v2/apps/shop/domains/*.shop.example.test", None).0, 204);
    distrusts(&platform, "any.shop.example.test", &ours.root());
    user.cli(&["certs:info", "star"]).ok().says("No connected domains");
}

#[test]
fn certificates_change_under_load_without_a_failed_request() {
    let platform = Platform::start_with(&["--domain", DOMAIN], &[]);
    let user = platform.user("bob");
    user.deploy(&Repo::server("one"), "shop");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let host = format!("shop.{DOMAIN}");
    let p256 = "ec -pkeyopt ec_paramgen_curve:P-256";
    ours.add(&user, "first", p256, &format!("DNS:{host}"));
    theirs.add(&user, "second", p256, &format!("DNS:{host}"));
    user.cli(&["certs:attach", "first", "shop"]).ok();
    trusts(&platform, &host, &ours.root());

    // A client that keeps its connection over all changes.
    let mut kept = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-connect"])
        .arg(platform.endpoints().router_tls.to_string())
        .args(["-servername", &host, "-verify_hostname", &host, "-CAfile"])
        .arg(ours.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(kept.stdout.take().unwrap()).lines();
    let mut stdin = kept.stdin.take().unwrap();
    let mut ask = |path: &str| {
        write!(stdin, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        stdin.flush().unwrap();
        let wanted = format!("path={path}");
        lines.any(|line| line.is_ok_and(|line| line.contains(&wanted)))
    };
    assert!(ask("/before"));

    // Clients that make a connection for each request. Between the two certificates they get the platform's own.
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            let addr = platform.endpoints().router_tls;
            let host = host.clone();
            std::thread::spawn(move || {
                let client = reqwest::blocking::Client::builder()
                    .danger_accept_invalid_certs(true)
                    .pool_max_idle_per_host(0)
                    .no_proxy()
                    .resolve(&host, addr)
                    .build()
                    .unwrap();
                let mut good = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get(format!("https://{host}:{}/", addr.port())).send().unwrap();
                    assert_eq!(answer.status(), 200);
                    good += 1;
                }
                good
            })
        })
        .collect();
    for (from, to, root) in [("first", "second", theirs.root()), ("second", "first", ours.root())] {
        user.cli(&["certs:detach", from, "shop"]).ok();
        // One on which nothing comes for half a minute is closed whatever its certificate.
        assert!(ask("/between"), "a connection that stood was cut");
        user.cli(&["certs:attach", to, "shop"]).ok();
        assert!(ask("/still"), "a connection that stood was cut");
        trusts(&platform, &host, &root);
        assert!(ask(&format!("/{to}")), "a connection that stood was cut");
    }
    stop.store(true, Ordering::Relaxed);
    for thread in load {
        assert!(thread.join().unwrap() > 10, "there was no load");
    }
    kept.kill().unwrap();
    kept.wait().unwrap();
}

#[test]
fn what_clients_would_refuse_is_let_in_with_a_warning_and_the_rest_refused() {
    let platform = Platform::start_with(&["--domain", DOMAIN], &[]);
    let (user, stranger) = (platform.user("cleo"), platform.user("dan"));
    user.cli(&["create", "shop", "--no-remote"]).ok();
    let ours = Authority::new();
    let (chain, key) = ours.issue("odd", "rsa:1024", "DNS:elsewhere.example.test", "1");
    user.cli(&["certs:add", "odd", &chain, &key]).ok();
    user.cli(&["certs:attach", "odd", "shop"]).ok();
    let host = format!("shop.{DOMAIN}");
    let logs = user.cli(&["logs", "-a", "shop"]).ok();
    for part in [
        "INFO certificate odd added to domain shop".to_owned(),
        format!("WARN certificate odd does not cover {host} (it is for elsewhere.example.test)"),
        "WARN certificate odd expires soon, at ".to_owned(),
    ] {
        assert!(logs.stdout.contains(&part), "no {part:?} in {logs}");
    }

    let (other, other_key) = ours.issue("other", "ed25519", "DNS:a.example.test", "1");
    user.cli(&["certs:add", "mixed", &chain, &other_key]).fails().says("does not belong to the certificate");
    let root = ours.root();
    user.cli(&["certs:add", "none", root.to_str().unwrap(), &other_key]).fails().says("Could not load private key");
    user.cli(&["certs:add", "Other", &other, &other_key])
        .fails()
        .says("Can only contain a-z (lowercase), 0-9 and hyphens");
    stranger.cli(&["certs:add", "odd", &chain, &key]).fails().says("certificate with this name already exists.");
    stranger.cli(&["certs:info", "odd"]).fails().says("No Certificate matches the given query.");
    stranger.cli(&["certs:add", "mine", &chain, &key]).ok();
    stranger.cli(&["certs:attach", "mine", "shop"]).fails().says("You do not have permission");
    user.cli(&["certs:attach", "odd", "none.example.test"]).fails().says("No Domain matches the given query.");
}
