//! Deploy hooks, as the address that is called sees them.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use slipway_tests::{Platform, Reserved, eventually};

/// The heads of the requests that came in; the first is answered with 500, as a receiver that is starting may.
fn receive(listener: TcpListener) -> Arc<Mutex<Vec<String>>> {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(head) = stream.ok().and_then(|mut stream| {
                let head = head_of(&mut stream)?;
                let mut heads = kept.lock().unwrap();
                heads.push(head.clone());
                let status = if heads.len() == 1 { "500 Later" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).ok().map(|()| head)
            }) else {
                continue;
            };
            drop(head);
        }
    });
    heads
}

fn head_of(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn sha1_of(key: &str, text: &str) -> String {
    let key = PKey::hmac(key.as_bytes()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
    signer.update(text.as_bytes()).unwrap();
    signer.sign_to_vec().unwrap().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn every_release_is_told_whatever_dies() {
    // An address at which nobody listens yet.
    let reserved = Reserved::any();
    let addr = reserved.address();
    let base = format!("http://{addr}/hook?token=hunter2");
    let env = [("DEIS_DEPLOY_HOOK_URLS", base.as_str()), ("DRYCC_DEPLOY_HOOK_SECRET_KEY", "hunter3")];
    let mut platform = Platform::start_with(&[], &env);
    let user = platform.user("ada");
    user.cli(&["create", "blog", "--no-remote"]).ok();
    user.cli(&["config:set", "A=1", "-a", "blog"]).ok();
    platform.kill();

    let heads = receive(reserved.listen());
    platform.launch();
    let lines = |text: &str| heads.lock().unwrap().iter().filter(|head| head.contains(text)).count();
    eventually("both releases are told, one of them again after an error", Duration::from_mins(3), || {
        (lines("&release=v1&") >= 1 && lines("&release=v2&") >= 1 && heads.lock().unwrap().len() >= 3).then_some(())
    });
    let heads = heads.lock().unwrap().clone();
    for head in &heads {
        let path = head.strip_prefix("POST ").unwrap().split(' ').next().unwrap();
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        assert_eq!(header("authorization"), Some(sha1_of("hunter3", &format!("http://{addr}{path}"))), "{head}");
        assert!(header("user-agent").unwrap().starts_with("Deis Controller/2.3.0 "), "{head}");
        assert_eq!(header("content-length").as_deref(), Some("0"));
    }
    let paths: BTreeSet<&str> = heads.iter().map(|head| head.split(' ').nth(1).unwrap()).collect();
    assert_eq!(
        paths.into_iter().collect::<Vec<_>>(),
        [
            "/hook?token=hunter2&app=blog&release=v1&release_summary=ada+created+initial+release&sha=&user=ada",
            "/hook?token=hunter2&app=blog&release=v2&release_summary=ada+added+A&sha=&user=ada",
        ]
    );
    eventually("the log says so", Duration::from_mins(3), || {
        let log = user.cli(&["logs", "-a", "blog"]).ok();
        log.stdout.contains(&format!("Deploy hook sent to http://{addr}/hook")).then_some(())
    });
    let log = platform.log() + &user.cli(&["logs", "-a", "blog"]).ok().stdout;
    assert!(!log.contains("hunter"), "a secret was logged");
}
