//! What runs containers of teams: the platform's own cluster, and clusters and engines that join.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use slipway_cluster::workload::WorkloadSettings;
use slipway_cluster::workload::kubeconfig::{Reach, node_of};
use slipway_engine::EngineError;
use slipway_engine::workload::WorkloadNode;
use slipway_service::NodeConnector;
use slipway_team::node::{Access, NodeKind};

/// Gives what drives nodes.
pub struct Nodes {
    /// What the platform itself runs on, if it runs containers of teams.
    pub own: Option<(NodeKind, Arc<dyn WorkloadNode>)>,
    /// Which addresses clusters of users may have.
    pub reach: Reach,
    /// What the operator decides about containers on clusters.
    pub workloads: WorkloadSettings,
}

#[async_trait]
impl NodeConnector for Nodes {
    fn platform(&self) -> Option<(NodeKind, Arc<dyn WorkloadNode>)> {
        self.own.as_ref().map(|(kind, node)| (*kind, Arc::clone(node)))
    }

    async fn connect(&self, access: &Access) -> Result<Arc<dyn WorkloadNode>, EngineError> {
        match access {
            Access::Kubeconfig(config) => {
                let node = node_of(config.expose_secret(), &self.reach, self.workloads.clone()).await?;
                Ok(Arc::new(node))
            }
            Access::Engine { .. } => {
                Err(EngineError::Rejected("container engines cannot join this platform yet".to_owned()))
            }
            Access::None | Access::Platform => Err(EngineError::Rejected("there is no way to the node".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use serde_json::{Value, json};
    use slipway_service::RouterEndpoint;
    use slipway_service::testing::FakeEngine;
    use tokio::io::AsyncWriteExt as _;
    use tokio_util::sync::CancellationToken;

    use crate::config::UpOptions;
    use crate::{Config, Controller};

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

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a cluster"]
    async fn a_cluster_joins_by_its_script_and_by_its_kubeconfig() {
        let kubeconfig = std::env::var("SLIPWAY_TEST_KUBECONFIG").expect("SLIPWAY_TEST_KUBECONFIG names the cluster");
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_up(UpOptions {
            data_dir: dir.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            domain: "localhost".to_owned(),
            router: RouterEndpoint { scheme: "http".to_owned(), port: 8080 },
        })
        .unwrap();
        config.fetch.allow_private = true;
        let controller = Controller::start(config, FakeEngine::new()).await.unwrap();
        let (api, shutdown) = (format!("http://{}", controller.api_addr), CancellationToken::new());
        let running = tokio::spawn(controller.run(shutdown.clone()));

        let user = json!({"username": "ann", "password": "pw", "email": "ann@example.com"});
        assert_eq!(ask("POST", &format!("{api}/v2/auth/register/"), None, Some(user)).await.0, 201);
        let login = json!({"username": "ann", "password": "pw"});
        let (_, login) = ask("POST", &format!("{api}/v2/auth/login/"), None, Some(login)).await;
        let token = login["token"].as_str();
        let team = json!({"name": "Acme", "slug": "acme"});
        assert_eq!(ask("POST", &format!("{api}/api/teams"), token, Some(team)).await.0, 201);
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
        let script = script.as_str().unwrap().replace("http://127.0.0.1:0", &api);
        let mut shell = tokio::process::Command::new("sh")
            .arg("-")
            .env("KUBECONFIG", &kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(script.as_bytes()).await.unwrap();
        drop(input);
        let output = shell.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");

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
        shutdown.cancel();
        running.await.unwrap();
    }
}
