//! Webhooks, as receivers see them that fail, hang, or send callers elsewhere, and when the plug is pulled.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use slipway_tests::{Platform, Reserved, User, eventually};

const PRIVATE: [(&str, &str); 1] = [("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1")];
const SECRET: &str = "hunter2hunter2";

/// A call that came in.
#[derive(Debug, Clone)]
pub struct Heard {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

/// What a receiver does with its calls, one after the other; the last goes on for ever.
#[derive(Debug, Clone)]
pub enum Manner {
    Answer(&'static str),
    /// It takes the call and says nothing.
    Hang,
    Redirect(SocketAddr),
}

pub fn receive(listener: TcpListener, manners: Vec<Manner>) -> Arc<Mutex<Vec<Heard>>> {
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let Some(call) = read(&stream) else { continue };
            let number = {
                let mut heard = kept.lock().unwrap();
                heard.push(call);
                heard.len() - 1
            };
            let head = match manners.get(number).or(manners.last()).unwrap() {
                Manner::Answer(status) => (*status).to_owned(),
                Manner::Redirect(to) => format!("302 Found\r\nLocation: http://{to}/"),
                Manner::Hang => {
                    hanging.push(stream);
                    continue;
                }
            };
            // A caller that does not wait is no matter of ours.
            let _ = stream
                .write_all(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
        }
    });
    heard
}

fn read(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { headers, body: String::from_utf8(body).ok()? })
}

pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn call(user: &User, method: &str, path: &str, body: Option<Value>) -> Value {
    let (status, text) = user.api(method, path, body.map(|body| body.to_string()).as_deref().map(str::as_bytes));
    assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

/// Makes a webhook; its path.
fn webhook(user: &User, to: SocketAddr) -> String {
    let body = json!({"url": format!("http://{to}/hook"), "events": ["*"], "secret": SECRET});
    format!("/v1/webhooks/{}", call(user, "POST", "/v1/webhooks", Some(body))["id"].as_str().unwrap())
}

/// Waits until a delivery is at its end.
fn ended(user: &User, hook: &str, id: &str) -> Value {
    eventually("the delivery is at its end", Duration::from_mins(3), || {
        let found = call(user, "GET", &format!("{hook}/deliveries"), None);
        let found = found["deliveries"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned().unwrap();
        (found["status"] != "pending").then_some(found)
    })
}

fn test(user: &User, hook: &str) -> String {
    call(user, "POST", &format!("{hook}/test"), Some(json!({})))["id"].as_str().unwrap().to_owned()
}

fn signature(text: &str) -> String {
    let key = PKey::hmac(SECRET.as_bytes()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.update(text.as_bytes()).unwrap();
    signer.sign_to_vec().unwrap().iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn receivers_that_fail_hang_and_send_elsewhere() {
    let platform = Platform::start_with(&[], &PRIVATE);
    let user = platform.user("ada");
    let (failing, failing_at) = listener();
    let (hanging, hanging_at) = listener();
    let (sending, sending_at) = listener();
    let (elsewhere, elsewhere_at) = listener();
    let failing = receive(failing, vec![Manner::Answer("500 Broken"), Manner::Answer("204 Fine")]);
    let hanging = receive(hanging, vec![Manner::Hang, Manner::Answer("200 OK")]);
    receive(sending, vec![Manner::Redirect(elsewhere_at)]);
    let elsewhere = receive(elsewhere, vec![Manner::Answer("200 OK")]);
    let hooks = [failing_at, hanging_at, sending_at].map(|address| webhook(&user, address));
    let tests = hooks.each_ref().map(|hook| (hook.clone(), test(&user, hook)));
    let [failed, hung, sent] = tests.map(|(hook, id)| ended(&user, &hook, &id));

    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("delivered"), &json!(2)), "{failed}");
    assert_eq!((&failed["log"][0]["status"], &failed["log"][1]["status"]), (&json!(500), &json!(204)), "{failed}");
    let calls = failing.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, calls[1].body, "it says the same once more");
    for (number, heard) in (1..).zip(&calls) {
        assert_eq!(heard.header("x-slipway-attempt"), number.to_string());
        assert_eq!(heard.header("x-dployr-delivery"), failed["id"].as_str().unwrap());
        assert_eq!(heard.header("x-dployr-signature"), signature(&heard.body));
    }
    assert_eq!((&hung["status"], &hung["attempts"]), (&json!("delivered"), &json!(2)), "{hung}");
    assert!(hung["log"][0]["status"].is_null() && hung["log"][0]["error"].is_string(), "{hung}");
    assert_eq!(hanging.lock().unwrap().len(), 2);
    assert_eq!((&sent["status"], &sent["attempts"]), (&json!("failed"), &json!(1)), "{sent}");
    assert_eq!(sent["log"][0]["status"], 302, "{sent}");
    assert!(elsewhere.lock().unwrap().is_empty(), "a redirect was followed");
    assert!(!platform.log().contains(SECRET), "a secret was logged");
}

#[test]
fn private_addresses_are_refused_unless_allowed() {
    let platform = Platform::start();
    let user = platform.user("ada");
    for host in ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1"] {
        let body = json!({"url": format!("http://{host}/hook"), "events": ["*"]}).to_string();
        let (status, text) = user.api("POST", "/v1/webhooks", Some(body.as_bytes()));
        assert!(status == 400 && text.contains("\"url\""), "{host}: {status} {text}");
    }
}

#[test]
fn kill_9_between_an_event_and_its_delivery() {
    let mut platform = Platform::start_with(&[], &PRIVATE);
    let user = platform.user("ada");
    user.cli(&["create", "blog", "--no-remote"]).ok();
    // An address at which nobody listens yet.
    let reserved = Reserved::any();
    let address = reserved.address();
    let hook = webhook(&user, address);
    // What it is to hear of one app.
    for number in 0..3 {
        user.cli(&["domains:add", &format!("d{number}.example.com"), "-a", "blog"]).ok();
    }
    let asked = call(&user, "GET", &format!("{hook}/deliveries"), None);
    let newest_first = asked["deliveries"].as_array().unwrap().iter();
    let ids: Vec<String> = newest_first.rev().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 3, "{asked}");
    platform.kill();

    // It hears them, and is killed with while it does not answer.
    let hanging = receive(reserved.listen(), vec![Manner::Hang, Manner::Answer("200 OK")]);
    platform.launch();
    eventually("the first is told", Duration::from_mins(3), || (!hanging.lock().unwrap().is_empty()).then_some(()));
    platform.kill();
    platform.launch();
    for id in &ids {
        let done = ended(&user, &hook, id);
        assert_eq!(done["status"], "delivered", "{done}");
    }
    let heard = hanging.lock().unwrap().clone();
    let mut told = BTreeSet::new();
    for call in &heard {
        let (id, attempt) = (call.header("x-dployr-delivery"), call.header("x-slipway-attempt"));
        assert!(told.insert((id.to_owned(), attempt.to_owned())), "told twice under one number: {heard:?}");
    }
    let order: Vec<&str> = heard.iter().map(|call| call.header("x-dployr-delivery")).collect();
    let mut first = order.clone();
    first.dedup();
    assert_eq!(first, ids.iter().map(String::as_str).collect::<Vec<_>>(), "they come in order");
}
