//! A builder for the cluster under test, in a namespace of its own.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, Config};
use serde_json::json;
use slipway_builder::build::{BuildOutput, ToolEnv, tree};
use slipway_builder::cluster::{
    ClusterBuildConfig, ClusterBuilder, DockerfileEngine, DockerfileSettings, DockerfileStorage, JobLimits,
    NativeSettings, RegistrySettings,
};
use slipway_builder::export::registry::Credentials;
use slipway_builder::{Authorities, BuildError, BuildRequest, Built, SourceBuilder};
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::proxy;

pub struct Lab {
    pub dir: TempDir,
    pub client: Client,
    pub namespace: String,
    pub config: ClusterBuildConfig,
    pub builder: Arc<ClusterBuilder>,
    pub app: AppId,
    pub name: AppName,
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// What builds get of this process's environment, as the program would pass it on, and a way out.
fn tools(proxy: &str) -> BTreeMap<String, String> {
    let vars = ToolEnv::from_vars(std::env::vars_os()).vars().clone();
    let vars = vars.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut env: BTreeMap<String, String> = vars.filter(|(name, _)| name != "PATH").collect();
    env.insert("HTTPS_PROXY".to_owned(), proxy.to_owned());
    env
}

/// Waits until `look` finds something.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let found = tokio::time::timeout(Duration::from_mins(5), async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never came: {what}"))
}

impl Lab {
    /// `None` without a cluster.
    pub async fn open(test: &str, change: impl FnOnce(&mut ClusterBuildConfig)) -> Option<Self> {
        let Ok(path) = std::env::var("SLIPWAY_TEST_KUBECONFIG") else {
            eprintln!("skipped: SLIPWAY_TEST_KUBECONFIG names no cluster");
            return None;
        };
        let kubeconfig = kube::config::Kubeconfig::read_from(path).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let namespace = format!("build-test-{test}-{}", &id[..6]);
        let object = json!({ "metadata": { "name": namespace } });
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();

        let registry = variable("SLIPWAY_TEST_REGISTRY", "127.0.0.1:5000");
        let host = variable("SLIPWAY_TEST_HOST", "10.244.0.1");
        let push = proxy::forward(&host, registry.clone()).await;
        let way_out = proxy::connect(&host).await;
        let listen = TcpListener::bind((host.as_str(), 0)).unwrap().local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut config = ClusterBuildConfig {
            data: dir.path().join("data"),
            namespace: namespace.clone(),
            stack: variable("SLIPWAY_TEST_STACK_IMAGE", "127.0.0.1:5000/slipway/stack:test"),
            run: None,
            registry: RegistrySettings {
                host: registry.clone(),
                push_host: format!("{host}:{push}"),
                prefix: format!("build-test/{}", &id[..6]),
                is_insecure: true,
                credentials: Credentials::default(),
            },
            listen,
            url: format!("http://{listen}").parse().unwrap(),
            limits: JobLimits {
                time: Duration::from_mins(4),
                start: Duration::from_mins(1),
                memory_bytes: 1 << 30,
                ..JobLimits::default()
            },
            concurrency: 4,
            dockerfile: DockerfileSettings {
                engine: DockerfileEngine::Buildah,
                image: variable("SLIPWAY_TEST_BUILDAH_IMAGE", "127.0.0.1:5000/slipway/buildah:test"),
                storage: DockerfileStorage::Overlay,
            },
            buildpacks: std::env::var("SLIPWAY_TEST_CNB_BUILDER_IMAGE").ok().map(|builder| NativeSettings {
                builder,
                user: 1000,
                group: 1000,
                run: Some(variable("SLIPWAY_TEST_CNB_RUN_IMAGE", "127.0.0.1:5000/slipway-test/cnb-run:1")),
            }),
            env: tools(&format!("http://{host}:{way_out}")),
            authorities: std::env::var("SLIPWAY_TEST_CA_FILE")
                .ok()
                .map(|path| Authorities::parse(&std::fs::read_to_string(path).unwrap()).unwrap()),
            node_selector: BTreeMap::new(),
        };
        change(&mut config);
        let builder = Arc::new(ClusterBuilder::open(config.clone(), client.clone()).await.unwrap());
        let (app, name) = (AppId::generate(), AppName::new(format!("shop-{}", &id[..6])).unwrap());
        Some(Self { dir, client, namespace, config, builder, app, name })
    }

    /// Removes the namespace; what a test leaves in it goes too.
    pub async fn close(self) {
        self.builder.close().await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await.unwrap();
    }

    pub fn source(&self, files: &[(&str, &str)]) -> PathBuf {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        for (name, text) in files {
            std::fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
            std::fs::write(dir.join(name), text).unwrap();
        }
        dir
    }

    /// A fixture that listens on all addresses, as a pod must.
    pub fn fixture(&self, name: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/apps").join(name);
        let to = tempfile::tempdir_in(self.dir.path()).unwrap().path().to_owned();
        tree::copy(&from, &to).unwrap();
        for file in ["Procfile", "server.js"] {
            if let Ok(text) = std::fs::read_to_string(to.join(file)) {
                std::fs::write(to.join(file), text.replace("127.0.0.1", "0.0.0.0")).unwrap();
            }
        }
        to
    }

    pub fn request(&self, source: PathBuf, env: &[(&str, &str)]) -> BuildRequest {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new(*value))).collect();
        let sha = uuid::Uuid::new_v4().simple().to_string() + "01234567";
        BuildRequest { app: self.app, name: self.name.clone(), sha, source, env }
    }

    pub async fn build(&self, source: PathBuf, env: &[(&str, &str)]) -> (Result<Built, BuildError>, String) {
        let (output, mut receiver, log) = BuildOutput::new();
        let drain = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        let result = self.builder.build(self.request(source, env), output).await;
        drop(drain);
        (result, log.text())
    }

    pub async fn built(&self, source: PathBuf, env: &[(&str, &str)]) -> (Built, String) {
        let (result, log) = self.build(source, env).await;
        match result {
            Ok(built) => (built, log),
            Err(error) => panic!("{error:?}\n{log}"),
        }
    }

    /// A build that is under way, and has said `text`.
    pub async fn started(&self, source: PathBuf, text: &str) -> JoinHandle<Result<Built, BuildError>> {
        let (output, mut receiver, log) = BuildOutput::new();
        tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        let (builder, request) = (Arc::clone(&self.builder), self.request(source, &[]));
        let build = tokio::spawn(async move { builder.build(request, output).await });
        until("the build's own output", || async { log.text().contains(text).then_some(()) }).await;
        build
    }

    /// Packed sources that are kept for Jobs.
    pub fn spooled(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.config.data.join("spool")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Runs process type `web` of what was built, and tells what it answers.
    pub async fn answer(&self, built: &Built) -> String {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let name = format!("web-{}", &uuid::Uuid::new_v4().simple().to_string()[..6]);
        let command = match built.dockerfile.as_str() {
            // The launcher's own link, which is a program.
            "" if built.procfile["web"].starts_with("/cnb/") => json!([built.procfile["web"]]),
            "" => json!(["/slipway/start", built.procfile["web"]]),
            _ => json!(null),
        };
        let pod = json!({
            "metadata": { "name": name },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": false,
                "securityContext": { "runAsNonRoot": built.dockerfile.is_empty() },
                "containers": [{
                    "name": "web", "image": built.image, "command": command,
                    "env": [{ "name": "PORT", "value": "5000" }],
                }],
            },
        });
        let pod = serde_json::from_value(pod).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let text = until("an answer of the app", || async {
            let address = pods.get(&name).await.ok()?.status?.pod_ip?;
            let answer = http.get(format!("http://{address}:5000/")).send().await.ok()?;
            answer.text().await.ok()
        });
        let text = text.await;
        pods.delete(&name, &DeleteParams::background()).await.unwrap();
        text
    }

    /// Names of the Jobs and Secrets of builds.
    pub async fn jobs_and_secrets(&self) -> Vec<String> {
        let mut names = self.names::<Job>().await;
        names.extend(self.names::<Secret>().await);
        names
    }

    /// Names of all objects of builds.
    pub async fn objects(&self) -> Vec<String> {
        let mut names = self.jobs_and_secrets().await;
        names.extend(self.names::<Pod>().await);
        names
    }

    async fn names<K>(&self) -> Vec<String>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let ours = ListParams::default().labels("heritage=slipway-builder");
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        api.list_metadata(&ours).await.unwrap().items.into_iter().filter_map(|object| object.metadata.name).collect()
    }

    /// Waits until no object of a build is left.
    pub async fn settled(&self) {
        until("the end of all builds' objects", || async { self.objects().await.is_empty().then_some(()) }).await;
    }
}
