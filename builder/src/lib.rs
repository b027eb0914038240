//! Git over SSH, receive-pack in process, and source to slug.
//!
//! `ssh` takes connections and knows who is at the other end; `git` speaks git's protocol and keeps repositories;
//! `push` ties a push together: policy, checkout, build, release; `build` turns source into something that runs.
//! What apps and users there are only the controller knows, and it is asked through `hook` alone.

pub mod args;
pub mod build;
pub mod cluster;
pub mod config;
pub mod data_lock;
pub mod export;
pub mod git;
pub mod hook;
pub mod push;
pub mod ssh;
pub mod step;

mod authorities;
mod fetch;
mod lock;
mod remote;
mod sweep;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use slipway_client::hooks::HookError;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use authorities::Authorities;
pub use build::{BuildError, BuildOutput, BuildRequest, Built, SourceBuilder};
pub use config::{BuilderConfig, Limits};
pub use hook::{Controller, HttpController};

use git::repository::Repositories;
use lock::PushLocks;
use push::Pushes;

/// Why the builder does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory")]
    Data(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the client for the controller")]
    Client(#[source] HookError),
}

/// The builder, listening and ready to run.
pub struct Builder {
    listener: TcpListener,
    address: SocketAddr,
    session: Arc<russh::server::Config>,
    host_key: String,
    pushes: Pushes,
    known_hosts: remote::KnownHosts,
}

impl Builder {
    /// Prepares the data directory and the host key, and listens.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(config: BuilderConfig, builder: Arc<dyn SourceBuilder>) -> Result<Self, StartError> {
        let controller =
            HttpController::new(config.controller.clone(), config.builder_key.clone()).map_err(StartError::Client)?;
        Self::with_controller(config, Arc::new(controller), builder).await
    }

    /// As [`Builder::bind`], with another way to the controller.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn with_controller(
        config: BuilderConfig,
        controller: Arc<dyn Controller>,
        builder: Arc<dyn SourceBuilder>,
    ) -> Result<Self, StartError> {
        let known_hosts = remote::KnownHosts::new(config.data.join("known_hosts"));
        let (data, host_key) = (config.data.clone(), config.host_key.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            let (work, logs) = (data.join("work"), data.join("builds"));
            // The host key lies here, and the source of everybody's apps.
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&data)?;
            match fs::remove_dir_all(&work) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => fs::create_dir_all(&work)?,
            }
            fs::create_dir_all(&logs)?;
            let repositories = Repositories::open(data.join("repos"))?;
            let key = match host_key {
                Some(path) => ssh::host_key::load(&path)?,
                None => ssh::host_key::load_or_create(&data.join("ssh_host_ed25519_key"))?,
            };
            Ok((work, logs, repositories, key))
        })
        .await
        .map_err(|error| StartError::Data(io::Error::other(error)))?;
        let (work, logs, repositories, key) = prepared.map_err(StartError::Data)?;
        let listen = |source| StartError::Listen { address: config.ssh, source };
        let listener = TcpListener::bind(config.ssh).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let host_key = key.public_key().to_openssh().map_err(|error| StartError::Data(io::Error::other(error)))?;
        let session = Arc::new(ssh::listener::session_config(key, &config.limits));
        let locks = PushLocks::default();
        let packing = Arc::new(Semaphore::new(config.limits.packs_max));
        let pushes = Pushes { controller, builder, repositories, locks, packing, limits: config.limits, work, logs };
        Ok(Self { listener, address, session, host_key, pushes, known_hosts })
    }

    /// Where the SSH server listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The public host key, as in a `known_hosts` file: `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// Serves until `shutdown`; then ends the connections, which cancels their builds.
    pub async fn run(self, shutdown: CancellationToken) {
        let sweeping = sweep::run(self.pushes.clone(), shutdown.clone());
        let remotes = remote::Remotes {
            controller: Arc::clone(&self.pushes.controller),
            builder: Arc::clone(&self.pushes.builder),
            limits: self.pushes.limits.clone(),
            work: self.pushes.work.clone(),
            known_hosts: self.known_hosts.clone(),
        };
        let fetching = remote::run(remotes, shutdown.clone());
        let serving = ssh::listener::serve(self.listener, self.session, self.pushes, shutdown);
        tokio::join!(sweeping, fetching, serving);
    }
}
