//! The Gateway API where the cluster has it, and a clear word where it has not.

use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};
use slipway_router_sync::observe::knows;
use slipway_router_sync::render::Kind;

use crate::rig::{eventually, on_cluster};

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_written_or_the_lack_of_the_gateway_api_is_told() {
    on_cluster(|rig| async move {
        let client = &rig.client;
        let has_api = knows(client, Kind::HttpRoute).await.unwrap();
        let annotations =
            json!({"domains": "a.apps.test,www.example.com", "certificates": "www.example.com:0123-cert"});
        let app = rig.app("a", annotations).await;
        rig.certificate(&app, "0123-cert", "www.example.com").await;
        let running = rig.start(&["--mode=gateway", "--gateway=gateways/public"]);
        if !has_api {
            let reasons = eventually(|| async {
                let reasons = running.health.unready();
                if reasons.iter().any(|reason| reason.contains("lacks")) { Ok(reasons) } else { Err(reasons) }
            })
            .await;
            assert!(reasons[0].starts_with("The cluster lacks the Gateway API"), "{reasons:?}");
            running.stop().await;
            return;
        }
        let api = |kind: Kind| -> Api<DynamicObject> { Api::namespaced_with(client.clone(), &app, &kind.resource()) };
        let until = async |kind: Kind, name: &str, is_right: fn(&Value) -> bool| {
            let api = api(kind);
            eventually(|| async {
                match api.get_opt(name).await.unwrap() {
                    Some(object) if is_right(&object.data["spec"]) => Ok(object),
                    other => Err(other),
                }
            })
            .await
        };
        until(Kind::HttpRoute, &app, |spec| spec["hostnames"] == json!(["a.apps.test", "www.example.com"])).await;
        let has_sets = knows(client, Kind::ListenerSet).await.unwrap();
        if has_sets {
            until(Kind::ListenerSet, &app, |spec| spec["listeners"][0]["hostname"] == "www.example.com").await;
        }
        let writes = eventually(|| async {
            // The route and its listeners; or the route and the word that its certificate is of no use.
            let writes = running.health.writes();
            if writes >= 2 { Ok(writes) } else { Err(writes) }
        })
        .await;

        // The API server adds defaults to these objects; they are no reason to write again.
        rig.service(&app, json!({"domains": "a.apps.test", "ssl.enforce": "true"})).await;
        until(Kind::HttpRoute, &format!("{app}-redirect"), |spec| {
            spec["rules"][0]["filters"][0]["requestRedirect"]["scheme"] == "https"
        })
        .await;
        let route = until(Kind::HttpRoute, &app, |spec| spec["hostnames"] == json!(["a.apps.test"])).await;
        if has_sets {
            eventually(|| async { api(Kind::ListenerSet).get_opt(&app).await.unwrap().map_or(Ok(()), Err) }).await;
        }
        running.stop().await;
        assert_eq!(writes, 2);

        let running = rig.start(&["--mode=gateway", "--gateway=gateways/public"]);
        eventually(|| async {
            let reasons = running.health.unready();
            if reasons.is_empty() { Ok(()) } else { Err(reasons) }
        })
        .await;
        assert_eq!(running.health.writes(), 0);
        let again = api(Kind::HttpRoute).get(&app).await.unwrap();
        assert_eq!(again.metadata.resource_version, route.metadata.resource_version);
        running.stop().await;
    })
    .await;
}
