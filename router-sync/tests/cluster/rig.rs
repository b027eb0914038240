//! A cluster, and apps' Services on it as the engine writes them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};
use serde_json::{Value, json};
use slipway_engine::route_annotation::port_name;
use slipway_router_sync::controller;
use slipway_router_sync::health::Health;
use slipway_router_sync::settings::Settings;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Nothing takes longer unless it is broken. Images may have to be pulled, and others use the machine too.
const PATIENCE: Duration = Duration::from_mins(4);

/// Runs a test on the cluster, and takes away what it made, however it ends.
pub(crate) async fn on_cluster<F>(test: impl FnOnce(Arc<Rig>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(path) = std::env::var_os("SLIPWAY_TEST_KUBECONFIG") else {
        eprintln!("SLIPWAY_TEST_KUBECONFIG is not set: nothing was tested");
        return;
    };
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let name = format!("kroute-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let rig = Arc::new(Rig { client, name });
    let outcome = tokio::spawn(test(Arc::clone(&rig))).await;
    let namespaces: Api<Namespace> = Api::all(rig.client.clone());
    for namespace in namespaces.list(&kube::api::ListParams::default()).await.unwrap() {
        let namespace = namespace.metadata.name.unwrap();
        if namespace.starts_with(&rig.name) {
            namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
        }
    }
    outcome.unwrap();
}

/// Asks until the answer is there.
pub(crate) async fn eventually<T, F: Future<Output = Result<T, E>>, E: Debug>(mut ask: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(last) if tokio::time::Instant::now() > deadline => panic!("waited too long; last: {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

pub(crate) struct Rig {
    pub(crate) client: Client,
    /// What all names of this test begin with.
    pub(crate) name: String,
}

/// A running controller, which ends with it.
pub(crate) struct Running {
    pub(crate) health: Arc<Health>,
    pub(crate) shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

impl Rig {
    /// Settings that keep to this test's own.
    pub(crate) fn settings(&self, arguments: &[&str]) -> Settings {
        let own = [
            "slipway-router-sync".to_owned(),
            format!("--instance={}", self.name),
            format!("--selector=kroute-test={}", self.name),
            "--domain=apps.test".to_owned(),
        ];
        Settings::parse_from(own.into_iter().chain(arguments.iter().map(|argument| (*argument).to_owned())))
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let settings = self.settings(arguments);
        let (health, shutdown) = (Arc::new(Health::default()), CancellationToken::new());
        let task = tokio::spawn(controller::run(self.client.clone(), settings, Arc::clone(&health), shutdown.clone()));
        Running { health, shutdown, task }
    }

    /// Makes an app with its namespace and Service; gives its name.
    pub(crate) async fn app(&self, suffix: &str, annotations: Value) -> String {
        let app = format!("{}-{suffix}", self.name);
        self.namespace(&app).await;
        self.service(&app, annotations).await;
        app
    }

    pub(crate) async fn namespace(&self, name: &str) {
        let namespace = json!({"metadata": {"name": name, "labels": {"kroute-test": self.name}}});
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
    }

    /// Writes an app's Service whole, as the engine does.
    pub(crate) async fn service(&self, app: &str, annotations: Value) {
        self.service_with(app, annotations, true).await;
    }

    pub(crate) async fn service_with(&self, app: &str, annotations: Value, is_routable: bool) {
        let mut labels = json!({"heritage": "slipway", "app": app, "kroute-test": self.name});
        if is_routable {
            labels["router.slipway.io/routable"] = json!("true");
        }
        let annotations: BTreeMap<String, Value> = annotations
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (format!("router.slipway.io/{key}"), value.clone()))
            .collect();
        let mut ports = vec![json!({"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"})];
        for pair in
            annotations.get("router.slipway.io/ports").and_then(Value::as_str).iter().flat_map(|all| all.split(','))
        {
            let port: u16 = pair.rsplit(':').next().unwrap().parse().unwrap();
            ports.push(json!({"name": port_name(port), "port": port, "protocol": "TCP", "targetPort": port}));
        }
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": app, "namespace": app, "labels": labels, "annotations": annotations},
            "spec": {
                "selector": {"app": app},
                "ports": ports,
            },
        });
        let parameters = PatchParams::apply("slipway").force();
        self.services(app).patch(app, &parameters, &Patch::Apply(&service)).await.unwrap();
    }

    pub(crate) fn services(&self, app: &str) -> Api<Service> {
        Api::namespaced(self.client.clone(), app)
    }

    /// What is written on the Service about problems.
    pub(crate) async fn problem(&self, app: &str) -> Option<String> {
        let service = self.services(app).get(app).await.unwrap();
        service.metadata.annotations?.get("router.slipway.io/problem").cloned()
    }

    /// Makes a TLS Secret as the engine does; gives the certificate.
    pub(crate) async fn certificate(&self, app: &str, secret: &str, host: &str) -> X509 {
        let (leaf, chain, key) = certificate(host);
        let body = json!({
            "metadata": {"name": secret, "labels": {"heritage": "slipway", "app": app}},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": chain, "tls.key": key},
        });
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), app);
        secrets.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
        leaf
    }
}

fn certificate(host: &str) -> (X509, String, String) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", host).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let leaf = builder.build();
    let chain = String::from_utf8(leaf.to_pem().unwrap()).unwrap();
    let key = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    (leaf, chain, key)
}
