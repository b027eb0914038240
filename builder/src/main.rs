//! `slipway-builder`: the builder as a process of its own, told everything by `SLIPWAY_*` variables.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use secrecy::SecretString;
use slipway_builder::args::{BuildPlace, Cli, Command, Serve};
use slipway_builder::build::{LocalBuilder, LocalBuilderConfig, ToolEnv, serve_static};
use slipway_builder::cluster::ClusterBuilder;
use slipway_builder::data_lock::DataLock;
use slipway_builder::{Builder, BuilderConfig, Limits, SourceBuilder, step};
use slipway_slug::SlugStore;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let log = tracing_subscriber::EnvFilter::from_env("SLIPWAY_LOG");
    // A step's standard output is the pusher's.
    tracing_subscriber::fmt().with_env_filter(log).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    match cli.command {
        None => serve(cli.serve).await?,
        Some(Command::Step(step)) => {
            if !step::run(step).await {
                return Ok(ExitCode::FAILURE);
            }
        }
        Some(Command::StaticServer { root }) => {
            let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).context("PORT is not a port")?;
            serve_static(&root, (IpAddr::from(Ipv4Addr::UNSPECIFIED), port).into()).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(settings: Serve) -> anyhow::Result<()> {
    let data = settings.data.context("SLIPWAY_DATA is not set")?;
    // A key on the command line would be seen by every user of the machine, so that it has no flag.
    let key = std::env::var("SLIPWAY_BUILDER_KEY").context("SLIPWAY_BUILDER_KEY is not set")?;
    let _lock = DataLock::take(data.clone()).await.context("cannot use the data directory")?;
    let tools = ToolEnv::from_vars(std::env::vars_os());
    let config = BuilderConfig {
        ssh: settings.ssh,
        data: data.clone(),
        host_key: settings.host_key,
        controller: settings.controller.context("SLIPWAY_CONTROLLER_URL is not set")?,
        builder_key: SecretString::from(key),
        limits: Limits {
            pack_max_bytes: settings.pack_max_bytes,
            source_max_bytes: settings.source_max_bytes,
            is_private_allowed: std::env::var("SLIPWAY_ALLOW_PRIVATE_ADDRESSES").is_ok_and(|value| value.trim() == "1"),
            ..Limits::default()
        },
    };
    let mut cluster = None;
    let source: Arc<dyn SourceBuilder> = match settings.build {
        BuildPlace::Local => {
            let slugs = SlugStore::open(data.join("slugs")).context("cannot open the slug store")?;
            let local = LocalBuilder::open(LocalBuilderConfig::new(data, tools, None), slugs);
            Arc::new(local.context("cannot prepare the builds")?)
        }
        BuildPlace::Cluster => {
            let login = (std::env::var("SLIPWAY_REGISTRY_USERNAME"), std::env::var("SLIPWAY_REGISTRY_PASSWORD"));
            let login = if let (Ok(user), Ok(password)) = login { Some((user, password)) } else { None };
            let config = settings.cluster.config(data, &tools, login).map_err(anyhow::Error::msg)?;
            let client = kube::Client::try_default().await.context("cannot find the cluster")?;
            let opened = ClusterBuilder::open(config, client).await.context("cannot prepare the builds")?;
            let opened = Arc::new(opened);
            tracing::info!(address = %opened.local_addr(), "listening for builds");
            cluster = Some(Arc::clone(&opened));
            opened
        }
    };
    let builder = Builder::bind(config, source).await?;
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stop.cancel();
    });
    tracing::info!(address = %builder.local_addr(), "listening");
    builder.run(shutdown).await;
    if let Some(cluster) = cluster {
        cluster.close().await;
    }
    Ok(())
}
