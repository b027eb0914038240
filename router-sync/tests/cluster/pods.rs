//! Pods that come and go behind the built-in router while requests are on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::front::{Front, pod, pod_spec, serving};
use crate::rig::{Rig, eventually, on_cluster};

/// Rolling changes that are made under load.
const CHANGES: usize = 3;
/// Clients that ask without a pause.
const CLIENTS: usize = 4;

/// Says yes to a WebSocket as RFC 6455 §1.3 wants it, and sends back whatever comes.
const ECHO: &str = r#"busybox cat >/tmp/echo <<'END'
#!/bin/sh
cr=$(printf '\r')
while IFS= read -r line && line=${line%"$cr"} && [ -n "$line" ]; do
    case $line in [Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey:*) key=${line#*: } ;; esac
done
accept=$(printf %s258EAFA5-E914-47DA-95CA-C5AB0DC85B11 "$key" | busybox sha1sum | busybox cut -c1-40 | busybox xxd -r -p | busybox base64)
printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n' "$accept"
exec busybox cat
END
busybox chmod +x /tmp/echo
exec busybox nc -ll -p 8080 -e /tmp/echo"#;

/// The app's processes, as the engine writes them: `replicas` of a Deployment that replaces one after the other.
async fn deploy(rig: &Rig, app: &str, text: &str, replicas: u32) {
    let mut spec = pod_spec(&serving(text), 3);
    spec["terminationGracePeriodSeconds"] = json!(10);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
        },
    });
    let deployments: Api<Deployment> = Api::namespaced(rig.client.clone(), app);
    let parameters = PatchParams::apply("slipway").force();
    deployments.patch("web", &parameters, &Patch::Apply(&deployment)).await.unwrap();
}

/// Waits until no pod is there but `replicas` of the newest text.
async fn settled(rig: &Rig, app: &str, text: &str, replicas: usize) {
    let pods: Api<Pod> = Api::namespaced(rig.client.clone(), app);
    let script = serving(text);
    eventually(|| async {
        let all = pods.list(&kube::api::ListParams::default()).await.unwrap().items;
        let is_new = |pod: &Pod| {
            let command = pod.spec.as_ref().and_then(|spec| spec.containers[0].command.as_ref());
            let is_ending = pod.metadata.deletion_timestamp.is_some();
            !is_ending && command.is_some_and(|words| words.last() == Some(&script))
        };
        if all.len() == replicas && all.iter().all(is_new) { Ok(()) } else { Err(all.len()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_change_of_one_replica_fails_no_request() {
    on_cluster(|rig| async move {
        let app = rig.app("a", json!({"domains": "a.apps.test"})).await;
        let front = Arc::new(Front::start(&rig, &[]).await);
        let host = "a.apps.test";
        deploy(&rig, &app, "text-0", 1).await;
        front.until(host, "", |answer| answer.contains("text-0")).await;

        let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (front, is_over, count) = (Arc::clone(&front), Arc::clone(&is_over), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut failed = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let answer = front.get(host, "").await;
                        count.fetch_add(1, Ordering::Relaxed);
                        if !(answer.starts_with("HTTP/1.1 200") && answer.contains("text-")) {
                            failed.push(answer);
                        }
                    }
                    failed
                })
            })
            .collect();
        for change in 1..=CHANGES {
            let text = format!("text-{change}");
            deploy(&rig, &app, &text, 1).await;
            front.until(host, "", |answer| answer.contains(&text)).await;
            settled(&rig, &app, &text, 1).await;
            for _ in 0..20 {
                assert!(front.get(host, "").await.contains(&text));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            assert_eq!(client.await.unwrap(), Vec::<String>::new(), "of {} requests", count.load(Ordering::Relaxed));
        }
        assert!(count.load(Ordering::Relaxed) > 100, "too little was asked");

        // Each pod is asked, and named in the access log.
        deploy(&rig, &app, "text-0", 2).await;
        settled(&rig, &app, "text-0", 2).await;
        let pods: Api<Pod> = Api::namespaced(rig.client.clone(), &app);
        let names: Vec<_> = pods
            .list(&kube::api::ListParams::default())
            .await
            .unwrap()
            .into_iter()
            .filter_map(|pod| pod.metadata.name)
            .collect();
        for _ in 0..20 {
            front.until(host, "", |answer| answer.contains("text-0")).await;
        }

        // With none of them left, people are told why.
        deploy(&rig, &app, "text-0", 0).await;
        front.until(host, "", |answer| answer.starts_with("HTTP/1.1 503") && answer.contains("ps:scale")).await;
        let Ok(front) = Arc::try_unwrap(front) else { panic!("clients are over") };
        let lines = front.stop().await;
        for name in &names {
            let has_served = lines.iter().any(|line| line["process"] == name.as_str() && line["status"] == 200);
            assert!(has_served, "{name} was never asked");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_outlives_its_pods_place_among_the_ready_ones() {
    on_cluster(|rig| async move {
        let app = rig.app("a", json!({"domains": "a.apps.test"})).await;
        let front = Front::start(&rig, &[]).await;
        let host = "a.apps.test";
        let mut spec = pod_spec(ECHO, 5);
        spec["terminationGracePeriodSeconds"] = json!(6);
        pod(&rig, &app, "one", spec).await;

        let upgrade = format!(
            "GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let mut socket = eventually(|| async {
            let mut socket = TcpStream::connect(front.http).await.unwrap();
            socket.write_all(upgrade.as_bytes()).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match socket.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let is_accepted =
                head.starts_with("http/1.1 101") && head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=");
            if is_accepted { Ok(socket) } else { Err(head) }
        })
        .await;
        // A text frame, masked with zeros.
        let frame = [&[0x81, 0x85, 0, 0, 0, 0][..], b"hello"].concat();
        let mut echo = vec![0; frame.len()];
        socket.write_all(&frame).await.unwrap();
        socket.read_exact(&mut echo).await.unwrap();
        assert_eq!(echo, frame);

        pod(&rig, &app, "two", pod_spec(&serving("hello-two"), 0)).await;
        front.until(host, "", |answer| answer.contains("hello-two")).await;
        let pods: Api<Pod> = Api::namespaced(rig.client.clone(), &app);
        pods.delete("one", &DeleteParams::default()).await.unwrap();
        // In a row: a pod that is still asked would answer every second one, and with something else.
        eventually(|| async {
            for _ in 0..10 {
                let answer = front.get(host, "").await;
                if !answer.contains("hello-two") {
                    return Err(answer);
                }
            }
            Ok(())
        })
        .await;
        socket.write_all(&frame).await.unwrap();
        socket.read_exact(&mut echo).await.unwrap();
        assert_eq!(echo, frame);
        // It ends with its pod, not before and not never.
        assert_eq!(socket.read(&mut echo).await.unwrap_or(0), 0);
        front.stop().await;
    })
    .await;
}
