//! The built-in router on a cluster, running, with pods to send to and clients that ask.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use serde_json::{Value, json};
use slipway_router_sync::builtin::{AccessLog, Builtin};
use slipway_router_sync::health::Health;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, eventually};

/// What is written is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A router that runs.
pub(crate) struct Front {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) health: Arc<Health>,
    shutdown: CancellationToken,
    log: Kept,
    running: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn start(rig: &Rig, arguments: &[&str]) -> Self {
        let own = ["router", "--listen=127.0.0.1:0", "--listen-tls=127.0.0.1:0"];
        let settings = rig.settings(&[&own, arguments].concat());
        let (health, shutdown, log) = (Arc::new(Health::default()), CancellationToken::new(), Kept::default());
        let builtin = Builtin::bind(&settings, AccessLog::new(log.clone()).unwrap(), &health).await.unwrap();
        let (http, https) = (builtin.router.local_addr(), builtin.router.tls_addr().unwrap());
        let running = tokio::spawn({
            let (client, health, shutdown) = (rig.client.clone(), Arc::clone(&health), shutdown.clone());
            async move { builtin.run(client, &settings, health, shutdown).await }
        });
        Self { http, https, health, shutdown, log, running }
    }

    pub(crate) async fn stop(self) -> Vec<Value> {
        self.shutdown.cancel();
        self.running.await.unwrap();
        let bytes = self.log.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) async fn get(&self, host: &str, headers: &str) -> String {
        exchange(&mut TcpStream::connect(self.http).await.unwrap(), host, headers).await
    }

    pub(crate) async fn get_tls(&self, host: &str) -> (String, X509) {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let ssl = connector.build().configure().unwrap().verify_hostname(false).into_ssl(host).unwrap();
        let tcp = TcpStream::connect(self.https).await.unwrap();
        let mut stream = tokio_openssl::SslStream::new(ssl, tcp).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        let certificate = stream.ssl().peer_certificate().unwrap();
        (exchange(&mut stream, host, "").await, certificate)
    }

    /// Asks until the answer is right.
    pub(crate) async fn until(&self, host: &str, headers: &str, is_right: impl Fn(&str) -> bool) -> String {
        eventually(|| async {
            let answer = self.get(host, headers).await;
            if is_right(&answer) { Ok(answer) } else { Err(answer) }
        })
        .await
    }
}

pub(crate) async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), host: &str, headers: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A TLS peer that closes without a word is no matter here.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// What a pod runs: a file with `text` at `/`.
pub(crate) fn serving(text: &str) -> String {
    format!("mkdir -p /www && echo {text} > /www/index.html && exec busybox httpd -f -p 8080 -h /www")
}

/// A pod's spec, with `drain` seconds between its leaving the endpoints and its end, as the engine writes it.
pub(crate) fn pod_spec(script: &str, drain: u32) -> Value {
    let lifecycle = (drain > 0).then(|| json!({"preStop": {"exec": {"command": ["sleep", drain.to_string()]}}}));
    json!({
        // The programs above do not react to SIGTERM: they are ended as soon as it would be sent.
        "terminationGracePeriodSeconds": drain,
        "containers": [{
            "name": "web", "image": "127.0.0.1:5000/base/busybox:1", "command": ["/bin/sh", "-c", script],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            "lifecycle": lifecycle,
        }],
    })
}

pub(crate) async fn pod(rig: &Rig, app: &str, name: &str, spec: Value) {
    let pod = json!({"metadata": {"name": name, "labels": {"app": app}}, "spec": spec});
    let pods: Api<Pod> = Api::namespaced(rig.client.clone(), app);
    let pod: Pod = serde_json::from_value(pod).unwrap();
    // A namespace has no ServiceAccount yet when it was made just now; without one, no pod is let in.
    eventually(|| async { pods.create(&PostParams::default(), &pod).await.map(drop) }).await;
}
