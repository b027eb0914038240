//! The program `slipway-router-sync`.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::builtin::{AccessLog, Builtin};
use crate::controller;
use crate::health::{self, Health};
use crate::settings::{LogFormat, Mode, Settings};

/// Reads the settings and runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start: a setting, an address, no way to the API server.
pub async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    if let Err(error) = settings.check() {
        anyhow::bail!(error);
    }
    log_start(&settings)?;
    let client = Client::try_default().await.context("there is no way to the API server")?;
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = shutdown.clone();
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            shutdown.cancel();
        }
    });
    run(client, settings, shutdown).await
}

/// Runs until `shutdown`.
///
/// # Errors
/// When an address cannot be listened on.
pub async fn run(client: Client, settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let health = Arc::new(Health::default());
    let listener = health::listen(settings.health)
        .await
        .with_context(|| format!("cannot listen on {} for /healthz", settings.health))?;
    // Answers to the end: a router that drains is asked whether it is ready, too.
    let over = CancellationToken::new();
    let answering = tokio::spawn(health::serve(listener, Arc::clone(&health), over.clone()));
    match settings.mode() {
        Mode::Builtin => {
            let log = AccessLog::new(std::io::stdout()).context("cannot write access lines")?;
            let builtin = Builtin::bind(&settings, log, &health).await?;
            tracing::info!(
                http = %builtin.router.local_addr(),
                "the router listens on {}, and health is at {}",
                builtin.router.local_addr(),
                settings.health
            );
            builtin.run(client, &settings, health, shutdown).await;
        }
        Mode::Gateway | Mode::Ingress => {
            tracing::info!("routes are written for {:?}", settings.mode());
            controller::run(client, settings, health, shutdown).await;
        }
    }
    over.cancel();
    answering.await.context("the health listener ended badly")
}

fn log_start(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log).context("SLIPWAY_LOG is no filter such as `info`")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = if std::io::stderr().is_terminal() { builder } else { builder.with_ansi(false) };
    match settings.log_format {
        LogFormat::Json => builder.json().finish().try_init(),
        LogFormat::Text => builder.finish().try_init(),
    }
    .context("logging is set up already")
}
