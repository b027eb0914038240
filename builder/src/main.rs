//! `slipway-builder`: the builder as a process of its own, told everything by `SLIPWAY_*` variables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use secrecy::SecretString;
use slipway_builder::build::{LocalBuilder, LocalBuilderConfig, ToolEnv};
use slipway_builder::{Builder, BuilderConfig, Limits};
use slipway_slug::SlugStore;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
#[command(version, about)]
struct Settings {
    /// Where the SSH server listens.
    #[arg(long, env = "SLIPWAY_SSH", default_value = "0.0.0.0:2222")]
    ssh: SocketAddr,
    /// The data directory.
    #[arg(long, env = "SLIPWAY_DATA")]
    data: PathBuf,
    /// File with the host key, as OpenSSH or as PKCS #8 PEM. Without it one is made in the data directory.
    #[arg(long, env = "SLIPWAY_HOST_KEY_FILE")]
    host_key: Option<PathBuf>,
    /// Base URL of the controller.
    #[arg(long, env = "SLIPWAY_CONTROLLER_URL")]
    controller: url::Url,
    /// Largest pack in one push, in bytes.
    #[arg(long, env = "SLIPWAY_PACK_MAX_BYTES", default_value_t = Limits::default().pack_max_bytes)]
    pack_max_bytes: u64,
    /// Largest checkout, in bytes.
    #[arg(long, env = "SLIPWAY_SOURCE_MAX_BYTES", default_value_t = Limits::default().source_max_bytes)]
    source_max_bytes: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_env("SLIPWAY_LOG")).init();
    let settings = Settings::parse();
    // A key on the command line would be seen by every user of the machine, so that it has no flag.
    let key = std::env::var("SLIPWAY_BUILDER_KEY").context("SLIPWAY_BUILDER_KEY is not set")?;
    let slugs = SlugStore::open(settings.data.join("slugs")).context("cannot open the slug store")?;
    let tools = ToolEnv::from_vars(std::env::vars_os());
    let source = LocalBuilder::open(LocalBuilderConfig::new(settings.data.clone(), tools, None), slugs)
        .context("cannot prepare the builds")?;
    let config = BuilderConfig {
        ssh: settings.ssh,
        data: settings.data,
        host_key: settings.host_key,
        controller: settings.controller,
        builder_key: SecretString::from(key),
        limits: Limits {
            pack_max_bytes: settings.pack_max_bytes,
            source_max_bytes: settings.source_max_bytes,
            ..Limits::default()
        },
    };
    let builder = Builder::bind(config, Arc::new(source)).await?;
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
    Ok(())
}
