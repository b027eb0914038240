//! What the program `slipway-builder` is told, by variables and flags.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::build::ToolEnv;
use crate::cluster::{
    ClusterBuildConfig, DockerfileEngine, DockerfileSettings, DockerfileStorage, JobLimits, NativeSettings,
    RegistrySettings,
};
use crate::export::registry::Credentials;
use crate::step::Step;
use crate::{Authorities, Limits};

/// The builder: git over SSH, and source to something that runs.
#[derive(Debug, Parser)]
#[command(name = "slipway-builder", version, about)]
pub struct Cli {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of the server.
    #[command(flatten)]
    pub serve: Serve,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show the text as help of each step")]
    Step(Step),
    /// Serve the files of a directory on $PORT, for apps that are nothing else.
    StaticServer {
        /// The directory.
        root: PathBuf,
    },
}

/// Where builds happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BuildPlace {
    /// As processes on this machine.
    #[default]
    Local,
    /// As Jobs on a cluster.
    Cluster,
}

/// Settings of the server.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the SSH server listens.
    #[arg(long, env = "SLIPWAY_SSH", default_value = "0.0.0.0:2222")]
    pub ssh: SocketAddr,
    /// The data directory.
    #[arg(long, env = "SLIPWAY_DATA")]
    pub data: Option<PathBuf>,
    /// File with the host key, as OpenSSH or as PKCS #8 PEM. Without it one is made in the data directory.
    #[arg(long, env = "SLIPWAY_HOST_KEY_FILE")]
    pub host_key: Option<PathBuf>,
    /// Base URL of the controller.
    #[arg(long, env = "SLIPWAY_CONTROLLER_URL")]
    pub controller: Option<Url>,
    /// Largest pack in one push, in bytes.
    #[arg(long, env = "SLIPWAY_PACK_MAX_BYTES", default_value_t = Limits::default().pack_max_bytes)]
    pub pack_max_bytes: u64,
    /// Largest checkout, in bytes.
    #[arg(long, env = "SLIPWAY_SOURCE_MAX_BYTES", default_value_t = Limits::default().source_max_bytes)]
    pub source_max_bytes: u64,
    /// Where builds happen.
    #[arg(long, env = "SLIPWAY_BUILD", value_enum, default_value_t)]
    pub build: BuildPlace,
    /// Settings of builds on a cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Settings of builds on a cluster. Cluster and credentials are found as `kubectl` finds them, or as a pod does.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Namespace of the Jobs.
    #[arg(long, env = "SLIPWAY_BUILD_NAMESPACE", default_value = "slipway-builds")]
    pub build_namespace: String,
    /// The stack image, as nodes pull it: what builds run in.
    #[arg(long, env = "SLIPWAY_BUILD_STACK_IMAGE")]
    pub build_stack_image: Option<String>,
    /// The image that built apps stand on [default: the stack image].
    #[arg(long, env = "SLIPWAY_BUILD_RUN_IMAGE")]
    pub build_run_image: Option<String>,
    /// Where sources are served to Jobs.
    #[arg(long, env = "SLIPWAY_BUILD_LISTEN", default_value = "0.0.0.0:8093")]
    pub build_listen: SocketAddr,
    /// How Jobs reach that address: <http://slipway-source.slipway:8093>.
    #[arg(long, env = "SLIPWAY_BUILD_URL")]
    pub build_url: Option<Url>,
    /// Host and port of the registry of built images, as nodes pull from it. A prefix may follow: `HOST/PREFIX`.
    #[arg(long, env = "SLIPWAY_REGISTRY")]
    pub registry: Option<String>,
    /// Host and port of the registry, as builder and Jobs reach it [default: the same].
    #[arg(long, env = "SLIPWAY_REGISTRY_PUSH")]
    pub registry_push: Option<String>,
    /// What stands before an app's name in the registry, when the registry is named without a prefix.
    #[arg(long, env = "SLIPWAY_REGISTRY_PREFIX", default_value = "apps")]
    pub registry_prefix: String,
    /// Speak plain HTTP with the registry.
    #[arg(long, env = "SLIPWAY_REGISTRY_INSECURE", value_parser = clap::builder::BoolishValueParser::new(), default_value = "false")]
    pub registry_insecure: bool,
    /// A Docker config.json with the registry's credentials; it is read again never, so restart when it changes.
    #[arg(long, env = "SLIPWAY_REGISTRY_AUTH_FILE")]
    pub registry_auth_file: Option<PathBuf>,
    /// Processor time of one build, as Kubernetes writes it.
    #[arg(long, env = "SLIPWAY_BUILD_CPU", default_value = "2")]
    pub build_cpu: String,
    /// Processor time that is set aside for a build.
    #[arg(long, env = "SLIPWAY_BUILD_CPU_REQUEST", default_value = "250m")]
    pub build_cpu_request: String,
    /// Memory of one build, in bytes.
    #[arg(long, env = "SLIPWAY_BUILD_MEMORY_BYTES", default_value_t = JobLimits::default().memory_bytes)]
    pub build_memory_bytes: u64,
    /// Memory that is set aside for a build, in bytes.
    #[arg(long, env = "SLIPWAY_BUILD_MEMORY_REQUEST_BYTES", default_value_t = JobLimits::default().memory_request_bytes)]
    pub build_memory_request_bytes: u64,
    /// Disk space of one build, in bytes.
    #[arg(long, env = "SLIPWAY_BUILD_DISK_BYTES", default_value_t = JobLimits::default().disk_bytes)]
    pub build_disk_bytes: u64,
    /// Largest slug, in bytes.
    #[arg(long, env = "SLIPWAY_BUILD_SLUG_BYTES", default_value_t = JobLimits::default().slug_bytes)]
    pub build_slug_bytes: u64,
    /// Largest packed cache of one app, in bytes.
    #[arg(long, env = "SLIPWAY_BUILD_CACHE_BYTES", default_value_t = JobLimits::default().cache_bytes)]
    pub build_cache_bytes: u64,
    /// How long one build may take, in seconds.
    #[arg(long, env = "SLIPWAY_BUILD_TIMEOUT", default_value_t = JobLimits::default().time.as_secs())]
    pub build_timeout: u64,
    /// How long it may take until a build's container runs, in seconds.
    #[arg(long, env = "SLIPWAY_BUILD_START_TIMEOUT", default_value_t = JobLimits::default().start.as_secs())]
    pub build_start_timeout: u64,
    /// Builds at once.
    #[arg(long, env = "SLIPWAY_BUILD_CONCURRENCY", default_value_t = 8)]
    pub build_concurrency: usize,
    /// What builds Dockerfiles.
    #[arg(long, env = "SLIPWAY_BUILD_DOCKERFILE_ENGINE", value_enum, default_value_t)]
    pub build_dockerfile_engine: DockerfileEngine,
    /// The image that has it [default: the one that its project publishes].
    #[arg(long, env = "SLIPWAY_BUILD_DOCKERFILE_IMAGE")]
    pub build_dockerfile_image: Option<String>,
    /// How buildah keeps file systems. With `overlay`, which wants Linux 5.13 on the nodes, steps of a Dockerfile that did not
    /// change are not done again.
    #[arg(long, env = "SLIPWAY_BUILD_DOCKERFILE_STORAGE", value_enum, default_value_t)]
    pub build_dockerfile_storage: DockerfileStorage,
    /// Builder image for Cloud Native Buildpacks; without it there are none.
    #[arg(long, env = "SLIPWAY_BUILD_CNB_BUILDER")]
    pub build_cnb_builder: Option<String>,
    /// User of that image, and `:GROUP` if that is another number (its `CNB_USER_ID` and `CNB_GROUP_ID`).
    #[arg(long, env = "SLIPWAY_BUILD_CNB_USER", default_value = "1000")]
    pub build_cnb_user: String,
    /// The image that apps built by it stand on [default: the one that it names].
    #[arg(long, env = "SLIPWAY_BUILD_CNB_RUN_IMAGE")]
    pub build_cnb_run_image: Option<String>,
    /// File with certificate authorities, in PEM, that builds trust besides the usual ones.
    #[arg(long, env = "SLIPWAY_BUILD_CA_FILE")]
    pub build_ca_file: Option<PathBuf>,
    /// Labels of the nodes that builds run on: `disk=ssd,pool=builds`.
    #[arg(long, env = "SLIPWAY_BUILD_NODE_SELECTOR", default_value = "")]
    pub build_node_selector: String,
}

impl ClusterArgs {
    /// The settings, with `data` as data directory, the proxies and indexes of `tools`, and the registry's
    /// `user` and `password`, which have no flags since every user of the machine would see them.
    ///
    /// # Errors
    /// Which setting is missing or wrong.
    pub fn config(
        &self,
        data: PathBuf,
        tools: &ToolEnv,
        login: Option<(String, String)>,
    ) -> Result<ClusterBuildConfig, String> {
        let missing = |name: &str| format!("{name} is not set, which builds on a cluster need");
        let registry = self.registry.clone().ok_or_else(|| missing("SLIPWAY_REGISTRY"))?;
        let (host, prefix) = match registry.split_once('/') {
            Some((host, prefix)) => (host.to_owned(), prefix.trim_matches('/').to_owned()),
            None => (registry, self.registry_prefix.clone()),
        };
        let push_host = self.registry_push.clone().unwrap_or_else(|| host.clone());
        for host in [&host, &push_host] {
            if host.is_empty() || host.contains(['/', ' ']) || host.ends_with(':') {
                return Err(format!("'{host}' is no registry: host and port are wanted, without https:// and path"));
            }
        }
        let mut credentials = match &self.registry_auth_file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| format!("SLIPWAY_REGISTRY_AUTH_FILE: {}: {error}", path.display()))?;
                Credentials::parse(&text)?
            }
            None => Credentials::default(),
        };
        if let Some((user, password)) = login {
            credentials = Credentials::one(&host, &user, &password);
        }
        let authorities = self.build_ca_file.as_ref().map(|path| {
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
            let read = text.and_then(|text| Authorities::parse(&text));
            read.map_err(|error| format!("SLIPWAY_BUILD_CA_FILE: {}: {error}", path.display()))
        });
        let authorities = authorities.transpose()?;
        let mut dockerfile = DockerfileSettings::published(self.build_dockerfile_engine);
        dockerfile.storage = self.build_dockerfile_storage;
        if let Some(image) = &self.build_dockerfile_image {
            dockerfile.image.clone_from(image);
        }
        let passed_on = tools.vars().iter().filter(|(name, _)| name.as_os_str() != OsStr::new("PATH"));
        Ok(ClusterBuildConfig {
            data,
            namespace: self.build_namespace.clone(),
            stack: self.build_stack_image.clone().ok_or_else(|| missing("SLIPWAY_BUILD_STACK_IMAGE"))?,
            run: self.build_run_image.clone(),
            registry: RegistrySettings {
                credentials: credentials.also_for(&host, &push_host),
                host,
                push_host,
                prefix,
                is_insecure: self.registry_insecure,
            },
            listen: self.build_listen,
            url: self.build_url.clone().ok_or_else(|| missing("SLIPWAY_BUILD_URL"))?,
            limits: JobLimits {
                cpu: self.build_cpu.clone(),
                cpu_request: self.build_cpu_request.clone(),
                memory_bytes: self.build_memory_bytes,
                memory_request_bytes: self.build_memory_request_bytes,
                disk_bytes: self.build_disk_bytes,
                slug_bytes: self.build_slug_bytes,
                cache_bytes: self.build_cache_bytes,
                time: Duration::from_secs(self.build_timeout),
                start: Duration::from_secs(self.build_start_timeout),
                ..JobLimits::default()
            },
            concurrency: self.build_concurrency,
            dockerfile,
            buildpacks: self.native()?,
            env: passed_on
                .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())))
                .collect(),
            authorities,
            node_selector: selector(&self.build_node_selector)?,
        })
    }

    fn native(&self) -> Result<Option<NativeSettings>, String> {
        let Some(builder) = self.build_cnb_builder.clone() else { return Ok(None) };
        let text = self.build_cnb_user.trim();
        let (user, group) = text.split_once(':').unwrap_or((text, text));
        let id = |text: &str| text.parse::<u32>().ok().filter(|id| *id > 0).map(i64::from);
        let (Some(user), Some(group)) = (id(user), id(group)) else {
            return Err(format!("SLIPWAY_BUILD_CNB_USER: '{text}' is not of the form USER or USER:GROUP, above 0"));
        };
        Ok(Some(NativeSettings { builder, user, group, run: self.build_cnb_run_image.clone() }))
    }
}

fn selector(text: &str) -> Result<BTreeMap<String, String>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .or_else(|| pair.split_once(':'))
                .ok_or_else(|| format!("SLIPWAY_BUILD_NODE_SELECTOR: '{pair}' is not of the form label=value"))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Result<ClusterBuildConfig, String> {
        let all = ["slipway-builder"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).map_err(|error| error.to_string())?;
        let tools = ToolEnv::from_vars([("PATH".into(), "/x".into()), ("GOPROXY".into(), "off".into())]);
        cli.serve.cluster.config("/data".into(), &tools, Some(("bob".to_owned(), "s3cret".to_owned())))
    }

    const NEEDED: &[&str] = &[
        "--registry=r.example.org",
        "--build-url=http://builder:8093",
        "--build-stack-image=r.example.org/slipway/stack:1",
    ];

    #[test]
    fn settings_of_a_cluster_are_complete() {
        let made = config(&[NEEDED, &["--registry-push=10.0.0.1:5000", "--build-node-selector=pool=builds"]].concat());
        let made = made.unwrap();
        assert_eq!(made.pull_repository("shop").whole(), "r.example.org/apps/shop:latest");
        let mut other = NEEDED.to_vec();
        other[0] = "--registry=r.example.org/team/apps";
        assert_eq!(config(&other).unwrap().pull_repository("shop").whole(), "r.example.org/team/apps/shop:latest");
        assert_eq!(made.push_repository("shop").whole(), "10.0.0.1:5000/apps/shop:latest");
        assert_eq!(made.base().unwrap().whole(), "10.0.0.1:5000/slipway/stack:1");
        assert_eq!(made.env, BTreeMap::from([("GOPROXY".to_owned(), "off".to_owned())]));
        assert_eq!(made.node_selector["pool"], "builds");
        assert!(made.registry.credentials.to_docker_config().contains("10.0.0.1:5000"));
        assert!(!format!("{made:?}").contains("s3cret"));
    }

    #[test]
    fn cloud_native_buildpacks_are_set_up_by_their_builder_image() {
        assert_eq!(config(NEEDED).unwrap().buildpacks, None);
        let read = |more: &[&str]| config(&[NEEDED, &["--build-cnb-builder=b:1"], more].concat()).unwrap().buildpacks;
        let made = read(&[]).unwrap();
        assert_eq!((made.builder.as_str(), made.user, made.group, made.run), ("b:1", 1000, 1000, None));
        let made = read(&["--build-cnb-user=1001:1000", "--build-cnb-run-image=r.example.org/run:1"]).unwrap();
        assert_eq!((made.user, made.group, made.run.as_deref()), (1001, 1000, Some("r.example.org/run:1")));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (arguments, expect) in [
            (&[][..], "SLIPWAY_REGISTRY"),
            (&NEEDED[..1], "SLIPWAY_BUILD_STACK_IMAGE"),
            (&["--registry=https://x/y"][..], "is no registry"),
            (&["--registry=/y"][..], "is no registry"),
            (&[NEEDED, &["--build-node-selector=x"]].concat(), "SLIPWAY_BUILD_NODE_SELECTOR"),
            (&[NEEDED, &["--build-cnb-builder=b", "--build-cnb-user=root"]].concat(), "SLIPWAY_BUILD_CNB_USER"),
            (&[NEEDED, &["--build-cnb-builder=b", "--build-cnb-user=1000:0"]].concat(), "SLIPWAY_BUILD_CNB_USER"),
            (&[NEEDED, &["--registry-auth-file=/nope"]].concat(), "SLIPWAY_REGISTRY_AUTH_FILE"),
            (&[NEEDED, &["--build-ca-file=/nope"]].concat(), "SLIPWAY_BUILD_CA_FILE"),
            (&[NEEDED, &["--build-ca-file=Cargo.toml"]].concat(), "no certificate"),
        ] {
            let error = config(arguments).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
    }
}
