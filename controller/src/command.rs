//! The command line of `slipway-controller`.

use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use slipway_cluster::{ClusterEngine, ClusterSettings};
use slipway_engine::workload::WorkloadNode;
use slipway_local::{LocalConfig, LocalEngine};
use slipway_service::{Leadership, StoredLog};
use slipway_slug::SlugStore;
use slipway_team::node::NodeKind;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::EngineChoice;
use crate::images::ImagesCommand;
use crate::import::ImportArguments;
use crate::run::workload_settings;
use crate::{Config, Controller, telemetry};

/// The Slipway controller.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers the APIs, makes the engine follow the database. Settings are environment variables: `SLIPWAY_LISTEN`,
    /// `DATABASE_URL`, `SLIPWAY_DATA`, `SLIPWAY_DOMAIN` and others.
    Serve,
    /// Takes over users, apps and their history from Deis Workflow or Drycc. Settings are those of `serve`.
    Import(ImportArguments),
    /// Looks after the images of apps in the registry. Settings are those of `serve`.
    #[command(subcommand)]
    Images(ImagesCommand),
}

impl Arguments {
    /// Does what the command line says.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve => serve().await,
            Command::Import(arguments) => arguments.run().await,
            Command::Images(command) => command.run().await,
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let config = Config::from_env()?;
    telemetry::start(&config.telemetry)?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    match &config.engine {
        EngineChoice::Local => serve_local(config, shutdown).await,
        EngineChoice::Cluster(settings) => {
            let mut settings = ClusterSettings::clone(settings);
            settings.images.clone_from(&config.images);
            serve_cluster(config, settings, shutdown).await
        }
    }
}

async fn serve_cluster(config: Config, settings: ClusterSettings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let store = Controller::store_open(&config).await?;
    let log = Arc::new(StoredLog::new(store.clone()));
    let engine = ClusterEngine::connect(settings, log, shutdown.clone()).await;
    let engine = engine.context("cannot start the engine for clusters")?;
    // Nobody else can be on a database that is a file of this machine.
    let leadership = store.is_shared().then(|| Leadership::told_by(engine.lease(shutdown.clone())));
    let node = Arc::new(engine.workload_node(workload_settings(&config))) as Arc<dyn WorkloadNode>;
    let mut controller = Controller::start_as(config, store, engine, Some((NodeKind::Kubernetes, node))).await?;
    controller.leadership = leadership;
    controller.run(shutdown).await;
    Ok(())
}

async fn serve_local(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let slugs = SlugStore::open(config.data_dir.join("slugs")).context("cannot open the store of slugs")?;
    let mut local = LocalConfig::new(config.data_dir.join("engine"), slugs);
    local.fetch = config.fetch.clone();
    let engine = LocalEngine::start(local).await.context("cannot start the local engine")?;
    let controller = Controller::start_local(config, Arc::clone(&engine)).await?;
    controller.run(shutdown).await;
    engine.shutdown().await;
    Ok(())
}

/// Stops on SIGTERM and SIGINT; the second one ends the process at once.
fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        for is_second in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if is_second {
                std::process::exit(130);
            }
            shutdown.cancel();
        }
    });
    Ok(())
}
