//! Ingresses follow the Services, and nothing else is touched.

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::rig::{eventually, on_cluster};

fn ingresses(client: &Client, namespace: &str) -> Api<Ingress> {
    Api::namespaced(client.clone(), namespace)
}

async fn until(client: &Client, app: &str, is_right: impl Fn(&Ingress) -> bool) -> Ingress {
    let api = ingresses(client, app);
    eventually(|| async {
        match api.get_opt(app).await.unwrap() {
            Some(ingress) if is_right(&ingress) => Ok(ingress),
            other => Err(other),
        }
    })
    .await
}

async fn until_gone(client: &Client, app: &str) {
    let api = ingresses(client, app);
    eventually(|| async { api.get_opt(app).await.unwrap().map_or(Ok(()), Err) }).await;
}

fn hosts(ingress: &Ingress) -> Vec<String> {
    let rules = ingress.spec.as_ref().unwrap().rules.iter().flatten();
    rules.filter_map(|rule| rule.host.clone()).collect()
}

fn annotation<'a>(ingress: &'a Ingress, key: &str) -> Option<&'a str> {
    let key = format!("nginx.ingress.kubernetes.io/{key}");
    ingress.metadata.annotations.as_ref()?.get(&key).map(String::as_str)
}

fn secrets(ingress: &Ingress) -> Vec<String> {
    let tls = ingress.spec.as_ref().unwrap().tls.iter().flatten();
    tls.filter_map(|tls| tls.secret_name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_follows_its_service_from_the_beginning_to_the_end() {
    on_cluster(|rig| async move {
        let client = &rig.client;
        let app = rig.app("a", json!({"domains": "a.apps.test"})).await;
        let running = rig.start(&["--mode=ingress"]);

        let ingress = until(client, &app, |ingress| hosts(ingress) == ["a.apps.test"]).await;
        assert_eq!(annotation(&ingress, "ssl-redirect"), Some("false"));
        assert_eq!(ingress.spec.as_ref().unwrap().ingress_class_name.as_deref(), Some("nginx"));

        // Everything that a user can change.
        let domains = "a.apps.test,www.example.com";
        rig.service(&app, json!({"domains": domains, "ssl.enforce": "true", "whitelist": "10.0.0.0/8"})).await;
        let ingress = until(client, &app, |ingress| hosts(ingress).len() == 2).await;
        assert_eq!(annotation(&ingress, "force-ssl-redirect"), Some("true"));
        assert_eq!(annotation(&ingress, "whitelist-source-range"), Some("10.0.0.0/8"));
        rig.service(&app, json!({"domains": domains})).await;
        until(client, &app, |ingress| annotation(ingress, "whitelist-source-range").is_none()).await;

        // What somebody else changed is brought back.
        let drift = json!({"spec": {"rules": [{"host": "evil.test"}]}});
        let parameters = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        ingresses(client, &app).patch(&app, &parameters, &Patch::Merge(&drift)).await.unwrap();
        until(client, &app, |ingress| hosts(ingress).len() == 2).await;

        // And it goes when the app is not to be routed, and comes back.
        rig.service_with(&app, json!({"domains": domains}), false).await;
        until_gone(client, &app).await;
        rig.service(&app, json!({"domains": domains})).await;
        until(client, &app, |ingress| hosts(ingress).len() == 2).await;

        // It belongs to its Service: with router-sync away, the cluster itself removes it.
        running.stop().await;
        rig.services(&app).delete(&app, &DeleteParams::default()).await.unwrap();
        until_gone(client, &app).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_when_nothing_changed() {
    on_cluster(|rig| async move {
        let client = &rig.client;
        let first = rig.app("a", json!({"domains": "a.apps.test", "maintenance": "true"})).await;
        let running = rig.start(&["--mode=ingress", "--ingress-class=nginx"]);
        let before = until(client, &first, |ingress| hosts(ingress) == ["a.apps.test"]).await;
        // Its Ingress and the Service that it leads to.
        eventually(|| async { if running.health.writes() == 2 { Ok(()) } else { Err(running.health.writes()) } }).await;

        // A change that means nothing, and one that does, so that it can be seen when both were looked at.
        rig.service(&first, json!({"domains": "a.apps.test", "maintenance": "true", "generation": "7"})).await;
        let second = rig.app("b", json!({"domains": "b.apps.test"})).await;
        until(client, &second, |ingress| hosts(ingress) == ["b.apps.test"]).await;
        let after = ingresses(client, &first).get(&first).await.unwrap();
        assert_eq!(after.metadata.resource_version, before.metadata.resource_version);
        running.stop().await;

        // Nor does another start write anything.
        let running = rig.start(&["--mode=ingress", "--ingress-class=nginx"]);
        eventually(|| async {
            let reasons = running.health.unready();
            if reasons.is_empty() { Ok(()) } else { Err(reasons) }
        })
        .await;
        assert_eq!(running.health.writes(), 0);
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_others_stay_and_problems_are_told() {
    on_cluster(|rig| async move {
        let client = &rig.client;
        let app = format!("{}-a", rig.name);
        rig.namespace(&app).await;
        let foreign = |name: &str| -> Ingress {
            let backend = json!({"service": {"name": "theirs", "port": {"number": 80}}});
            let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
            let spec = json!({"rules": [{"host": "theirs.test", "http": {"paths": [path]}}]});
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
        };
        let api = ingresses(client, &app);
        for name in [&app, "other"] {
            api.create(&PostParams::default(), &foreign(name)).await.unwrap();
        }
        rig.service(&app, json!({"domains": "a.apps.test"})).await;
        let running = rig.start(&["--mode=ingress"]);
        let problem = eventually(|| async { rig.problem(&app).await.ok_or("no problem yet") }).await;
        assert_eq!(problem, format!("Ingress {app}/{app} is there already and is not Slipway's: rename or delete it."));
        for name in [&app, "other"] {
            assert_eq!(hosts(&api.get(name).await.unwrap()), ["theirs.test"]);
        }
        let events: Api<Event> = Api::namespaced(client.clone(), &app);
        eventually(|| async {
            let events = events.list(&ListParams::default()).await.unwrap();
            let is_told = events
                .iter()
                .any(|event| event.reason.as_deref() == Some("RouteProblem") && event.note.as_ref() == Some(&problem));
            if is_told { Ok(()) } else { Err(events) }
        })
        .await;

        // Once it is out of the way, the route comes about and the note goes.
        api.delete(&app, &DeleteParams::default()).await.unwrap();
        until(client, &app, |ingress| hosts(ingress) == ["a.apps.test"]).await;
        eventually(|| async { rig.problem(&app).await.map_or(Ok(()), Err) }).await;
        assert_eq!(hosts(&api.get("other").await.unwrap()), ["theirs.test"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_used_as_soon_as_they_are_there_and_the_oldest_app_keeps_a_host() {
    on_cluster(|rig| async move {
        let client = &rig.client;
        let old =
            rig.app("z", json!({"domains": "www.example.com", "certificates": "www.example.com:0123-cert"})).await;
        let running = rig.start(&["--mode=ingress"]);
        let ingress = until(client, &old, |ingress| hosts(ingress) == ["www.example.com"]).await;
        assert!(secrets(&ingress).is_empty());
        let problem = eventually(|| async { rig.problem(&old).await.ok_or("no problem yet") }).await;
        assert_eq!(problem, "The certificate of www.example.com is missing: there is no TLS Secret 0123-cert.");
        rig.certificate(&old, "0123-cert", "www.example.com").await;
        until(client, &old, |ingress| secrets(ingress) == ["0123-cert"]).await;
        eventually(|| async { rig.problem(&old).await.map_or(Ok(()), Err) }).await;

        // Ages are in whole seconds, so the younger one is made once the clock of the cluster has moved on.
        let born = rig.services(&old).get(&old).await.unwrap().metadata.creation_timestamp.unwrap().0;
        eventually(|| async {
            let now = k8s_openapi::jiff::Timestamp::now();
            if now.as_second() > born.as_second() + 1 { Ok(()) } else { Err(now) }
        })
        .await;
        let young = rig.app("a", json!({"domains": "www.example.com,young.apps.test"})).await;
        until(client, &young, |ingress| hosts(ingress) == ["young.apps.test"]).await;
        let problem = eventually(|| async { rig.problem(&young).await.ok_or("no problem yet") }).await;
        assert_eq!(problem, format!("www.example.com belongs to the app {old}, which is older."));

        // With the old app gone, the young one gets it.
        rig.services(&old).delete(&old, &DeleteParams::default()).await.unwrap();
        until(client, &young, |ingress| hosts(ingress) == ["www.example.com", "young.apps.test"]).await;
        running.stop().await;
    })
    .await;
}
