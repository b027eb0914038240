//! The built-in router in front of real pods.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use crate::front::{Front, pod, pod_spec, serving};
use crate::rig::{eventually, on_cluster};

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_apps_pods_by_all_rules_of_its_route() {
    on_cluster(|rig| async move {
        let app = rig.app("a", json!({"domains": "a.apps.test,www.example.com"})).await;
        let default = format!("{}-platform", rig.name);
        rig.namespace(&default).await;
        let wildcard = rig.certificate(&default, "wildcard", "*.apps.test").await;
        let front = Front::start(
            &rig,
            &[
                "--https-port=4443",
                "--trusted-proxies=127.0.0.1/32",
                &format!("--default-certificate={default}/wildcard"),
            ],
        )
        .await;
        let host = "a.apps.test";

        // Nothing runs; then something does; then something else.
        front.until(host, "", |answer| answer.starts_with("HTTP/1.1 503") && answer.contains("ps:scale")).await;
        assert!(front.health.unready().is_empty());
        pod(&rig, &app, "one", pod_spec(&serving("hello-one"), 0)).await;
        front.until(host, "", |answer| answer.contains("hello-one")).await;
        pod(&rig, &app, "two", pod_spec(&serving("hello-two"), 0)).await;
        let pods: Api<Pod> = Api::namespaced(rig.client.clone(), &app);
        front.until(host, "", |answer| answer.contains("hello-two")).await;
        pods.delete("one", &DeleteParams::default()).await.unwrap();
        eventually(|| async { pods.get_opt("one").await.unwrap().map_or(Ok(()), |_| Err("still there")) }).await;
        for _ in 0..20 {
            front.until(host, "", |answer| answer.contains("hello-two")).await;
        }
        assert!(front.get("b.apps.test", "").await.starts_with("HTTP/1.1 404"));

        // TLS: the platform's certificate, and the app's own once it is there.
        let (answer, certificate) = front.get_tls("www.example.com").await;
        assert!(answer.contains("hello-two"), "{answer}");
        assert_eq!(certificate.to_der().unwrap(), wildcard.to_der().unwrap());
        let own = rig.certificate(&app, "0123-cert", "www.example.com").await.to_der().unwrap();
        let domains = "a.apps.test,www.example.com";
        let certificates = "www.example.com:0123-cert";
        rig.service(&app, json!({"domains": domains, "certificates": certificates})).await;
        eventually(|| async {
            let der = front.get_tls("www.example.com").await.1.to_der().unwrap();
            if der == own { Ok(()) } else { Err("another certificate") }
        })
        .await;

        // Enforced HTTPS leads to the port that clients see, and a trusted proxy is believed.
        rig.service(&app, json!({"domains": domains, "certificates": certificates, "ssl.enforce": "true"})).await;
        let answer = front.until(host, "", |answer| answer.starts_with("HTTP/1.1 301")).await;
        assert!(answer.to_lowercase().contains("location: https://a.apps.test:4443/\r\n"), "{answer}");
        assert!(front.get(host, "X-Forwarded-Proto: https\r\n").await.contains("hello-two"));

        // The allow list counts the client, not the proxy.
        rig.service(&app, json!({"domains": domains, "whitelist": "203.0.113.0/24"})).await;
        front.until(host, "X-Forwarded-For: 198.51.100.7\r\n", |answer| answer.starts_with("HTTP/1.1 403")).await;
        assert!(front.get(host, "X-Forwarded-For: 203.0.113.9\r\n").await.contains("hello-two"));
        rig.service(&app, json!({"domains": domains, "maintenance": "true"})).await;
        front.until(host, "", |answer| answer.starts_with("HTTP/1.1 503") && answer.contains("maintenance")).await;

        // Not to be routed: as if it were not there.
        rig.service_with(&app, json!({"domains": domains}), false).await;
        front.until(host, "", |answer| answer.starts_with("HTTP/1.1 404")).await;

        let lines = front.stop().await;
        let line = lines.iter().find(|line| line["status"] == 403).unwrap();
        assert_eq!((line["app"].as_str(), line["fwd"].as_str()), (Some(app.as_str()), Some("198.51.100.7")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_leads_to_another_port_of_the_same_pods() {
    on_cluster(|rig| async move {
        let (domains, own, other) = ("a.apps.test,b.apps.test", "a.apps.test", "b.apps.test");
        let app = rig.app("a", json!({"domains": domains, "ports": "b.apps.test:9090"})).await;
        let front = Front::start(&rig, &[]).await;
        let second = "mkdir -p /x && echo second > /x/index.html && busybox httpd -p 9090 -h /x";
        pod(&rig, &app, "one", pod_spec(&format!("{second} && {}", serving("first")), 0)).await;
        front.until(other, "", |answer| answer.contains("second")).await;
        front.until(own, "", |answer| answer.contains("first")).await;
        rig.service(&app, json!({"domains": domains})).await;
        front.until(other, "", |answer| answer.contains("first")).await;
        front.stop().await;
    })
    .await;
}
