//! `up`: the whole platform on this machine, in one process.
//!
//! Only puts the parts together: controller, builder, engine and router. What is kept lies below the data directory,
//! which one process holds at a time ([`lock`]); where everything answers is told by [`ready`].

mod data;
mod heap;
mod lock;
mod ready;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use slipway_builder::build::{LocalBuilder, LocalBuilderConfig, ToolEnv, serve_static};
use slipway_builder::{Builder, BuilderConfig};
use slipway_cause::chain;
use slipway_controller::{Config, Controller, RouterEndpoint, StartError, UpOptions, telemetry};
use slipway_engine::Engine as _;
use slipway_local::{ImageStore, LocalConfig, LocalEngine};
use slipway_router_sync::{BindError, Router, RouterConfig};
use slipway_slug::SlugStore;
use slipway_wire::drycc_v2::Platform;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lock::DataLock;
use self::ready::Ready;
use crate::args::up::UpArgs;
use crate::error::{Error, Result};
use crate::{print, settings};

/// The variable by which apps find this program: sites of static files are served by it. A release that named the file
/// itself would break when the program is moved or upgraded.
const PROGRAM: &str = "SLIPWAY_BIN";
/// How long requests may still take when the platform stops. Those that wait for a deploy would wait in vain: nothing
/// carries it on before the next start.
const DRAIN: Duration = Duration::from_secs(5);

/// Starts the platform and keeps it until Ctrl-C or SIGTERM.
pub async fn up(args: UpArgs) -> Result {
    heap::limit();
    let mut signals = Signals::listen()?;
    let dir = data::prepare(args.data.as_deref())?;
    let _lock = DataLock::take(&dir)?;
    ready::forget(&dir);

    let config = Config::for_up(UpOptions {
        data_dir: dir.clone(),
        listen: args.api,
        domain: args.domain.clone(),
        router: RouterEndpoint { scheme: "http".to_owned(), port: args.router.port() },
    });
    let mut config = config.map_err(|error| failed("cannot read the settings", &error))?;
    let filter = settings::log_filter(args.verbose);
    telemetry::start(&telemetry::Telemetry { filter, is_json: config.telemetry.is_json })
        .map_err(|error| failed("cannot set up logging", &error))?;

    let slugs = SlugStore::open(dir.join("slugs")).map_err(|error| failed("cannot open the slug store", &error))?;
    let mut engine = local_engine(&dir, slugs.clone())?;
    engine.fetch = config.fetch.clone();
    // What is decided by use should see what came of the decision before.
    engine.fetch = config.fetch.clone();
    engine.usage_interval = engine.usage_interval.min(config.autoscale_interval);
    let engine = LocalEngine::start(engine).await.map_err(|error| failed("cannot start the engine", &error))?;

    let router_config = {
        let mut config = RouterConfig::new(args.router, Some(args.router_tls), args.domain.clone());
        config.timeouts.drain = DRAIN;
        config
    };
    let router = Router::bind(router_config, engine.routes(), engine.log_sink()).await.map_err(|error| {
        let flag = match &error {
            BindError::Listen { addr, .. } if *addr == args.router_tls => "--router-tls",
            BindError::Listen { .. } => "--router",
            BindError::Certificate { .. } => return failed("cannot start the router", &error),
        };
        occupied(flag, &error)
    })?;
    let router_addr = router.local_addr();
    config.router.port = router_addr.port();
    config.drain_timeout = config.drain_timeout.min(DRAIN);

    let builder_key = config.secrets.builder_key.clone();
    let mut controller = Controller::start_local(config, engine.clone()).await.map_err(|error| match &error {
        StartError::Listen { .. } => occupied("--api", &error),
        StartError::Store(_)
        | StartError::SealingKey
        | StartError::Hooks(_)
        | StartError::Mail(_)
        | StartError::Templates(_)
        | StartError::Oidc(_)
        | StartError::Node(_) => failed("cannot start the controller", &error),
    })?;
    let api_addr = controller.api_addr;

    let builder = Builder::bind(
        BuilderConfig {
            ssh: args.ssh,
            data: dir.join("builder"),
            host_key: None,
            controller: ready::http_url(api_addr)?,
            builder_key,
            limits: builder_limits(),
        },
        Arc::new(local_builder(&dir, slugs, engine.images())?),
    )
    .await
    .map_err(|error| match &error {
        slipway_builder::StartError::Listen { .. } => occupied("--ssh", &error),
        slipway_builder::StartError::Data(_) | slipway_builder::StartError::Client(_) => {
            failed("cannot start the builder", &error)
        }
    })?;
    let ssh_addr = builder.local_addr();
    controller.platform =
        Platform { ssh: Some(public(ssh_addr)), domain: args.domain.clone(), router: Some(public(router_addr)) };

    let shutdown = CancellationToken::new();
    let mut parts: JoinSet<&'static str> = JoinSet::new();
    let token = || shutdown.clone();
    parts.spawn(named("controller", controller.run(token())));
    parts.spawn(named("builder", builder.run(token())));
    let router_tls = router.tls_addr();
    parts.spawn(named("router", router.run(token())));

    let ready = Ready { api: api_addr, ssh: ssh_addr, router: router_addr, router_tls, domain: args.domain, data: dir };
    ready.announce(args.ready_fd)?;

    let ended = tokio::select! {
        () = signals.next() => None,
        ended = parts.join_next() => ended,
    };
    print::note("Stopping. Ctrl-C again ends everything at once.");
    shutdown.cancel();
    let stopped = async {
        while parts.join_next().await.is_some() {}
        engine.shutdown().await;
    };
    tokio::select! {
        () = stopped => {}
        () = signals.next() => {
            ready::forget(&ready.data);
            print::note("Stopped at once. What still runs of the apps is ended by the next `slipway up`.");
            return Err(Error::Exit(130));
        }
    }
    ready::forget(&ready.data);
    match ended {
        None => Ok(()),
        Some(Ok(part)) => Err(Error::new(format!("the {part} ended by itself")).hint("its log is above")),
        Some(Err(error)) => Err(failed("a part of the platform broke", &error)),
    }
}

async fn named(name: &'static str, part: impl Future<Output = ()>) -> &'static str {
    part.await;
    name
}

fn local_engine(dir: &Path, slugs: SlugStore) -> Result<LocalConfig> {
    let program = std::env::current_exe().map_err(|error| failed("cannot find this program's own file", &error))?;
    let program = program.into_os_string().into_string().map_err(|_| {
        Error::new("cannot tell apps where this program is: its path is not UTF-8").hint("move it to another directory")
    })?;
    let mut config = LocalConfig::new(dir.join("engine"), slugs);
    // What builds found in the platform's own search path, apps find too.
    if let Some(path) = settings::search_path() {
        config.path = path;
    }
    config.env.insert(PROGRAM.to_owned(), program);
    Ok(config)
}

fn builder_limits() -> slipway_builder::Limits {
    let usual = slipway_builder::Limits::default();
    slipway_builder::Limits {
        is_private_allowed: settings::private_addresses_allowed(),
        pack_max_bytes: settings::pack_max_bytes().unwrap_or(usual.pack_max_bytes),
        ..usual
    }
}

fn local_builder(dir: &Path, slugs: SlugStore, images: ImageStore) -> Result<LocalBuilder> {
    let static_server = Some(format!("exec \"${PROGRAM}\" static-server"));
    let tools = ToolEnv::from_vars(settings::all_variables());
    let mut config = LocalBuilderConfig::new(dir.join("builder"), tools, static_server);
    config.allow_private_addresses = settings::private_addresses_allowed();
    config.images = Some(images);
    LocalBuilder::open(config, slugs).map_err(|error| failed("cannot prepare builds", &error))
}

/// An address as others reach it. One that stands for all of this machine's is told without a host: it is reached at
/// whatever host the controller is reached at.
fn public(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() { format!(":{}", addr.port()) } else { addr.to_string() }
}

fn failed(text: &str, error: &dyn std::error::Error) -> Error {
    let text = format!("{text}: {}", chain(error));
    let hint =
        if text.contains("No space left on device") { "free some space on that disk, and start again" } else { "" };
    Error::new(text).hint(hint)
}

fn occupied(flag: &str, error: &dyn std::error::Error) -> Error {
    let text = chain(error);
    let hint = if text.contains("Permission denied") {
        format!("ports below 1024 need privileges; choose another with {flag} 127.0.0.1:PORT")
    } else {
        format!("give another address with {flag} 127.0.0.1:PORT; port 0 is any free one")
    };
    Error::new(text).hint(hint)
}

/// The signals that ask for an end.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(|error| failed("cannot listen to signals", &error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Serves the files of an app on `$PORT` until told to stop.
pub async fn static_server(root: &Path) -> Result {
    let port = settings::port()?;
    serve_static(root, SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .map_err(|error| failed(&format!("cannot serve {}", root.display()), &error))
}
