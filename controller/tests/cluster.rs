//! Nodes on a real cluster.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

#[path = "cluster/template.rs"]
mod template;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Value, json};
use slipway_controller::{Config, Controller, UpOptions};
use slipway_engine::workload::WorkloadNode;
use slipway_service::RouterEndpoint;
use slipway_service::testing::FakeEngine;
use slipway_team::node::NodeKind;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The cluster that the tests are for.
fn kubeconfig() -> String {
    std::env::var("SLIPWAY_TEST_KUBECONFIG").expect("SLIPWAY_TEST_KUBECONFIG names the cluster")
}

fn config(data_dir: &Path) -> Config {
    let mut config = Config::for_up(UpOptions {
        data_dir: data_dir.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        domain: "localhost".to_owned(),
        router: RouterEndpoint { scheme: "http".to_owned(), port: 8080 },
    })
    .unwrap();
    config.fetch.allow_private = true;
    config
}

/// Runs a program with a text for its input, and gives its output.
async fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env("KUBECONFIG", kubeconfig());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(program);
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Asks the API as `token`, and gives status and body.
async fn ask(method: &str, url: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A controller that runs, and a user of it with the team `acme`.
struct Platform {
    api: String,
    token: String,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Platform {
    async fn start(config: Config, own: Option<Arc<dyn WorkloadNode>>) -> Self {
        let store = Controller::store_open(&config).await.unwrap();
        let own = own.map(|node| (NodeKind::Kubernetes, node));
        let controller = Controller::start_as(config, store, FakeEngine::new(), own).await.unwrap();
        let (api, shutdown) = (format!("http://{}", controller.api_addr), CancellationToken::new());
        let running = tokio::spawn(controller.run(shutdown.clone()));
        let user = json!({"username": "ann", "password": "pw", "email": "ann@example.com"});
        assert_eq!(ask("POST", &format!("{api}/v2/auth/register/"), None, Some(user)).await.0, 201);
        let login = json!({"username": "ann", "password": "pw"});
        let (_, login) = ask("POST", &format!("{api}/v2/auth/login/"), None, Some(login)).await;
        let token = login["token"].as_str().unwrap().to_owned();
        let team = json!({"name": "Acme", "slug": "acme"});
        assert_eq!(ask("POST", &format!("{api}/api/teams"), Some(&token), Some(team)).await.0, 201);
        Self { api, token, shutdown, running }
    }

    /// Asks for what is below `/api/`; fails unless the answer has this status.
    async fn expect(&self, method: &str, path: &str, body: Option<Value>, status: u16) -> Value {
        let answer = ask(method, &format!("{}/api/{path}", self.api), Some(&self.token), body).await;
        assert_eq!(answer.0, status, "{method} {path}: {}", answer.1);
        answer.1
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_cluster_joins_by_its_script_and_by_its_kubeconfig() {
    let kubeconfig = kubeconfig();
    let dir = tempfile::tempdir().unwrap();
    let platform = Platform::start(config(dir.path()), None).await;
    let (api, token) = (&platform.api, Some(platform.token.as_str()));
    let nodes = format!("{api}/api/acme/nodes");
    let made = async |name: &str| {
        let (status, node) = ask("POST", &nodes, token, Some(json!({ "name": name }))).await;
        assert_eq!(status, 201, "{node}");
        format!("{nodes}/{}", node["id"].as_str().unwrap())
    };

    let by_script = made("by script").await;
    let wanted = json!({"type": "k8s", "scriptType": "shell"});
    assert_eq!(ask("POST", &format!("{by_script}/script"), token, Some(wanted)).await.0, 201);
    let (status, script) = ask("GET", &format!("{by_script}/script"), None, None).await;
    assert_eq!(status, 200, "{script}");
    // The settings know no port yet, so that the script names another one.
    let script = script.as_str().unwrap().replace("http://127.0.0.1:0", api);
    run("sh", &["-"], &script).await;

    let by_file = made("by file").await;
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let given = json!({ "kubeconfig": text });
    let (status, answer) = ask("PUT", &format!("{by_file}/kubeconfig"), token, Some(given)).await;
    assert_eq!(status, 204, "{answer}");
    for node in [by_script, by_file] {
        let (_, details) = ask("GET", &node, token, None).await;
        assert_eq!((&details["status"], &details["type"]), (&json!("connected"), &json!("k8s")), "{details}");
        assert!(details["version"].as_str().unwrap().starts_with("Kubernetes v1."), "{details}");
        let (status, containers) = ask("GET", &format!("{node}/containers"), token, None).await;
        assert!(status == 200 && containers.is_array(), "{containers}");
    }
    platform.stop().await;
    let made = ["namespace/slipway-node", "clusterrole/slipway-node", "clusterrolebinding/slipway-node"];
    run("kubectl", &[&["delete", "--timeout=120s"], &made[..]].concat(), "").await;
}
