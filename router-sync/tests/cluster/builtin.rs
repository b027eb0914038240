//! The built-in router in front of real pods.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use serde_json::{Value, json};
use slipway_router_sync::builtin::{AccessLog, Builtin};
use slipway_router_sync::health::Health;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, eventually, on_cluster};

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

impl Kept {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn pod(rig: &Rig, app: &str, name: &str, text: &str) {
    let script = format!("mkdir -p /www && echo {text} > /www/index.html && exec busybox httpd -f -p 8080 -h /www");
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "web", "image": "127.0.0.1:5000/base/busybox:1", "command": ["/bin/sh", "-c", script],
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            }],
        },
    });
    let pods: Api<Pod> = Api::namespaced(rig.client.clone(), app);
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
}

async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), host: &str, headers: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A TLS peer that closes without a word is no matter here.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(addr: SocketAddr, host: &str, headers: &str) -> String {
    exchange(&mut TcpStream::connect(addr).await.unwrap(), host, headers).await
}

async fn get_tls(addr: SocketAddr, host: &str) -> (String, X509) {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let ssl = connector.build().configure().unwrap().verify_hostname(false).into_ssl(host).unwrap();
    let tcp = TcpStream::connect(addr).await.unwrap();
    let mut stream = tokio_openssl::SslStream::new(ssl, tcp).unwrap();
    Pin::new(&mut stream).connect().await.unwrap();
    let certificate = stream.ssl().peer_certificate().unwrap();
    (exchange(&mut stream, host, "").await, certificate)
}

async fn until(addr: SocketAddr, host: &str, headers: &str, is_right: impl Fn(&str) -> bool) -> String {
    eventually(|| async {
        let answer = get(addr, host, headers).await;
        if is_right(&answer) { Ok(answer) } else { Err(answer) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_apps_service_by_all_rules_of_its_route() {
    on_cluster(|rig| async move {
        let app = rig.app("a", json!({"domains": "a.apps.test,www.example.com"})).await;
        let default = format!("{}-platform", rig.name);
        rig.namespace(&default).await;
        let wildcard = rig.certificate(&default, "wildcard", "*.apps.test").await;
        let settings = rig.settings(&[
            "router",
            "--listen=127.0.0.1:0",
            "--listen-tls=127.0.0.1:0",
            "--https-port=4443",
            "--trusted-proxies=127.0.0.1/32",
            &format!("--default-certificate={default}/wildcard"),
        ]);
        let (health, shutdown, kept) = (Arc::new(Health::default()), CancellationToken::new(), Kept::default());
        let log = AccessLog::new(kept.clone()).unwrap();
        let builtin = Builtin::bind(&settings, log, &health).await.unwrap();
        let (http, https) = (builtin.router.local_addr(), builtin.router.tls_addr().unwrap());
        let running = tokio::spawn({
            let (client, health, shutdown) = (rig.client.clone(), Arc::clone(&health), shutdown.clone());
            async move { builtin.run(client, &settings, health, shutdown).await }
        });
        let host = "a.apps.test";

        // Nothing runs; then something does; then something else.
        until(http, host, "", |answer| answer.starts_with("HTTP/1.1 503") && answer.contains("ps:scale")).await;
        assert!(health.unready().is_empty());
        pod(&rig, &app, "one", "hello-one").await;
        until(http, host, "", |answer| answer.contains("hello-one")).await;
        pod(&rig, &app, "two", "hello-two").await;
        let pods: Api<Pod> = Api::namespaced(rig.client.clone(), &app);
        until(http, host, "", |answer| answer.contains("hello-two")).await;
        pods.delete("one", &DeleteParams::default()).await.unwrap();
        eventually(|| async { pods.get_opt("one").await.unwrap().map_or(Ok(()), |_| Err("still there")) }).await;
        for _ in 0..20 {
            until(http, host, "", |answer| answer.contains("hello-two")).await;
        }
        assert!(get(http, "b.apps.test", "").await.starts_with("HTTP/1.1 404"));

        // TLS: the platform's certificate, and the app's own once it is there.
        let (answer, certificate) = get_tls(https, "www.example.com").await;
        assert!(answer.contains("hello-two"), "{answer}");
        assert_eq!(certificate.to_der().unwrap(), wildcard.to_der().unwrap());
        let own = rig.certificate(&app, "0123-cert", "www.example.com").await.to_der().unwrap();
        let domains = "a.apps.test,www.example.com";
        let certificates = "www.example.com:0123-cert";
        rig.service(&app, json!({"domains": domains, "certificates": certificates})).await;
        eventually(|| async {
            let der = get_tls(https, "www.example.com").await.1.to_der().unwrap();
            if der == own { Ok(()) } else { Err("another certificate") }
        })
        .await;

        // Enforced HTTPS leads to the port that clients see, and a trusted proxy is believed.
        rig.service(&app, json!({"domains": domains, "certificates": certificates, "ssl.enforce": "true"})).await;
        let answer = until(http, host, "", |answer| answer.starts_with("HTTP/1.1 301")).await;
        assert!(answer.to_lowercase().contains("location: https://a.apps.test:4443/\r\n"), "{answer}");
        assert!(get(http, host, "X-Forwarded-Proto: https\r\n").await.contains("hello-two"));

        // The allow list counts the client, not the proxy.
        rig.service(&app, json!({"domains": domains, "whitelist": "203.0.113.0/24"})).await;
        until(http, host, "X-Forwarded-For: 198.51.100.7\r\n", |answer| answer.starts_with("HTTP/1.1 403")).await;
        assert!(get(http, host, "X-Forwarded-For: 203.0.113.9\r\n").await.contains("hello-two"));
        rig.service(&app, json!({"domains": domains, "maintenance": "true"})).await;
        until(http, host, "", |answer| answer.starts_with("HTTP/1.1 503") && answer.contains("maintenance")).await;

        // Not to be routed: as if it were not there.
        rig.service_with(&app, json!({"domains": domains}), false).await;
        until(http, host, "", |answer| answer.starts_with("HTTP/1.1 404")).await;

        shutdown.cancel();
        running.await.unwrap();
        let line = eventually(|| async {
            let lines = kept.lines();
            let line = lines.iter().find(|line| line["status"] == 403).cloned();
            line.ok_or(lines)
        })
        .await;
        assert_eq!((line["app"].as_str(), line["fwd"].as_str()), (Some(app.as_str()), Some("198.51.100.7")));
    })
    .await;
}
