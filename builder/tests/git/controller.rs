//! The controller over HTTP, played by a server that follows a script.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{APP, Platform, limits};

/// What the controller does with a request; `None`: it hangs up.
type Script = dyn Fn(&str, &Value) -> Option<(u16, Value)> + Send + Sync;

#[derive(Default)]
struct Seen {
    calls: Vec<(String, Value)>,
    has_wrong_key: bool,
}

struct Controller {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Controller {
    async fn start(script: impl Fn(&str, &Value) -> Option<(u16, Value)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (script, kept): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&script), Arc::clone(&kept)));
            }
        });
        Self { url, seen }
    }

    fn calls(&self, path: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        assert!(!seen.has_wrong_key, "a request without the key");
        seen.calls.iter().filter(|(called, _)| called.starts_with(path)).map(|(_, body)| body.clone()).collect()
    }
}

async fn answer(stream: TcpStream, script: Arc<Script>, seen: Arc<Mutex<Seen>>) {
    let mut stream = BufReader::new(stream);
    let (mut path, mut length, mut has_key) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap().trim_start_matches("/v2/hooks/").to_owned();
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        has_key |= name.eq_ignore_ascii_case("x-slipway-builder-auth") && value == "hunter2";
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let said = script(&path, &body);
    {
        let mut seen = seen.lock().unwrap();
        seen.has_wrong_key |= !has_key;
        seen.calls.push((path, body));
    }
    let Some((status, said)) = said else { return };
    let said = said.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\nDRYCC_API_VERSION: 2.3\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        said.len()
    );
    let _ = stream.write_all((head + &said).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A controller on which everything goes well.
#[expect(clippy::unnecessary_wraps, reason = "it is a script")]
fn usual(path: &str, _: &Value) -> Option<(u16, Value)> {
    let body = match path.split('/').next().unwrap() {
        "key" => json!({"username": "bob", "apps": ["blog"]}),
        "access" => json!({"uuid": APP, "id": "blog"}),
        "config" => json!({
            "uuid": APP, "owner": "bob", "app": "blog", "values": {"A": "1"}, "memory": {}, "cpu": {}, "tags": {},
            "registry": {}, "healthcheck": {}, "created": "2026-01-01T00:00:00UTC", "updated": "2026-01-01T00:00:00UTC"
        }),
        "build" => json!({"release": {"version": 7}}),
        "buildlog" => Value::Null,
        "releases" => json!({
            "state": "succeeded", "progress": ["web: 1 of 1 ready"], "seen": "2", "reason": "",
            "urls": ["http://blog.example.com"]
        }),
        "apps" => json!({"apps": [{"uuid": APP, "id": "blog"}]}),
        other => panic!("an unknown call: {other}"),
    };
    Some((200, body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_survives_an_outage_while_its_release_is_followed() {
    let asked = Mutex::new(0);
    let controller = Controller::start(move |path, body| {
        if !path.starts_with("releases/") {
            return usual(path, body);
        }
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        match *asked {
            1 => {
                assert!(path.starts_with("releases/blog/v7/?") && path.ends_with("seen="), "{path}");
                let underway = json!({
                    "state": "deploying", "progress": ["web: 0 of 1 ready"], "seen": "1 2", "reason": "", "urls": []
                });
                Some((200, underway))
            }
            2 => None,
            3 => Some((503, json!({"detail": "starting"}))),
            _ => {
                assert!(path.ends_with("seen=1+2"), "{path}");
                usual(path, body)
            }
        }
    })
    .await;
    let platform = Platform::start_with(limits(), Some(&controller.url), |_| {}).await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    for words in ["web: 0 of 1 ready", "web: 1 of 1 ready", "blog:v7 deployed", "http://blog.example.com"] {
        assert!(out.text.contains(words), "{words}: {}", out.text);
    }
    let sha = repo.run(&["rev-parse", "main"]).await;
    let builds = controller.calls("build/");
    assert_eq!(builds.len(), 1);
    assert_eq!(
        builds[0],
        json!({
            "receive_user": "bob", "receive_repo": "blog", "image": "slug@sha256:00", "sha": &sha[..8], "procfile": {},
            "dockerfile": "", "stack": "buildpack", "wait": false
        })
    );
    let receive = json!({"receive_user": "bob", "receive_repo": "blog"});
    for call in ["access/", "config/"] {
        assert_eq!(controller.calls(call), std::slice::from_ref(&receive), "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_controller_refuses_is_told() {
    for (call, answer, words) in [
        ("key", Some((404, json!({"detail": "Not found."}))), "Permission denied (publickey)"),
        ("key", None, "Permission denied (publickey)"),
        ("access", Some((404, json!({"detail": "Not found."}))), "There is no app 'blog'"),
        ("access", Some((403, json!({"detail": "no"}))), "no permission to push to the app 'blog'"),
        ("access", Some((500, json!({}))), "The controller cannot be reached just now"),
        ("access", Some((401, json!({"detail": "bad key"}))), "The controller cannot be reached just now"),
        ("access", Some((200, json!({"uuid": "../..", "id": "blog"}))), "The controller cannot be reached just now"),
        ("config", Some((200, json!({"values": {"SECRET": 1}}))), "the controller cannot be reached just now"),
        ("build", Some((409, json!({"detail": "the app is being destroyed"}))), "the app is being destroyed"),
        ("build", None, "the controller cannot be reached just now"),
        ("releases", Some((404, json!({"detail": "Not found."}))), "no longer tells about v7"),
    ] {
        let shown = format!("{call}: {answer:?}");
        let controller =
            Controller::start(
                move |path, body| {
                    if path.split('/').next() == Some(call) { answer.clone() } else { usual(path, body) }
                },
            )
            .await;
        let platform = Platform::start_with(limits(), Some(&controller.url), |_| {}).await;
        let repo = platform.repo("bob");
        repo.commit("a", "1");
        let out = repo.git(&["push", "slipway", "main"]).await;
        assert!(!out.is_good && out.text.contains(words), "{shown}: {}", out.text);
        assert!(!out.text.contains("hunter2") && !out.text.contains("bad key"), "{shown}: {}", out.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_is_told_with_its_reason() {
    let controller = Controller::start(|path, body| {
        if !path.starts_with("releases/") {
            return usual(path, body);
        }
        let failed = json!({
            "state": "failed", "progress": [], "seen": "1", "reason": "web crashed\nlast words", "urls": []
        });
        Some((200, failed))
    })
    .await;
    let platform = Platform::start_with(limits(), Some(&controller.url), |_| {}).await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(!out.is_good && out.text.contains("!     Release v7 failed. web crashed"), "{}", out.text);
    assert!(out.text.contains("!     last words"), "{}", out.text);
}
