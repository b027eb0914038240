//! Who tells whom that something changed. Nothing hangs on a signal: whoever waits also looks by itself now and
//! then.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slipway_core::AppId;
use slipway_team::DeploymentId;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, timeout};

/// Longest that a waiter goes without a look.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// The same while another controller makes the engine follow the database: nothing that it records is signalled here.
const LOOK_INTERVAL_ELSEWHERE: Duration = Duration::from_millis(100);

/// Signals between the use cases and the reconciler.
pub(crate) struct Signals {
    dirty: Mutex<HashSet<AppId>>,
    wake: Notify,
    released: Notify,
    deployed: Notify,
    ordered: Notify,
    recorded: broadcast::Sender<AppId>,
    is_led_elsewhere: AtomicBool,
    deployment_started: Notify,
    deployment_told: broadcast::Sender<DeploymentId>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            dirty: Mutex::default(),
            wake: Notify::new(),
            released: Notify::new(),
            deployed: Notify::new(),
            ordered: Notify::new(),
            recorded: broadcast::channel(256).0,
            is_led_elsewhere: AtomicBool::new(false),
            deployment_started: Notify::new(),
            deployment_told: broadcast::channel(256).0,
        }
    }
}

impl Signals {
    /// Something new is desired of `app`.
    pub(crate) fn desired(&self, app: AppId) {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).insert(app);
        self.wake.notify_one();
        self.released.notify_one();
        self.deployed.notify_one();
        self.recorded(app);
    }

    /// Something was recorded about `app`.
    pub(crate) fn recorded(&self, app: AppId) {
        drop(self.recorded.send(app));
    }

    /// Hears of every app about which something is recorded.
    #[cfg(test)]
    pub(crate) fn recordings(&self) -> broadcast::Receiver<AppId> {
        self.recorded.subscribe()
    }

    /// Says whether another controller makes the engine follow the database.
    pub(crate) fn led_elsewhere(&self, is_elsewhere: bool) {
        self.is_led_elsewhere.store(is_elsewhere, Ordering::Relaxed);
    }

    /// Waits until something is desired.
    pub(crate) async fn wake(&self) {
        self.wake.notified().await;
    }

    /// Something is to be told outside.
    pub(crate) fn told(&self) {
        self.released.notify_one();
        self.deployed.notify_one();
    }

    /// Waits until there may be a new release, or something else to be told.
    pub(crate) async fn released(&self) {
        self.released.notified().await;
    }

    /// Waits until there may be something to do for a deployment.
    pub(crate) async fn deployed(&self) {
        self.deployed.notified().await;
    }

    /// A deployment of a team was started.
    pub(crate) fn deployment_started(&self, id: DeploymentId) {
        self.deployment_started.notify_one();
        self.deployment_told(id);
    }

    /// Waits until a deployment of a team was started.
    pub(crate) async fn deployment_wanted(&self) {
        self.deployment_started.notified().await;
    }

    /// A deployment of a team told something.
    pub(crate) fn deployment_told(&self, id: DeploymentId) {
        drop(self.deployment_told.send(id));
    }

    /// Hears of every deployment of a team that tells something.
    pub(crate) fn deployment_news(&self) -> broadcast::Receiver<DeploymentId> {
        self.deployment_told.subscribe()
    }

    /// A builder is wanted.
    pub(crate) fn builder_wanted(&self) {
        self.ordered.notify_waiters();
    }

    /// For waiting until a builder is wanted; made before one looks whether one is.
    pub(crate) fn ordered(&self) -> tokio::sync::futures::Notified<'_> {
        self.ordered.notified()
    }

    /// Takes the apps of which something new is desired.
    pub(crate) fn dirty_take(&self) -> HashSet<AppId> {
        std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For looking again whenever something is recorded about `app`, until the time has come.
    pub(crate) fn watch(&self, app: AppId, until: Instant) -> Watch {
        let is_elsewhere = self.is_led_elsewhere.load(Ordering::Relaxed);
        let pause = if is_elsewhere { LOOK_INTERVAL_ELSEWHERE } else { LOOK_INTERVAL };
        Watch { recorded: self.recorded.subscribe(), app, until, pause }
    }
}

/// Says when to look again. Made before the first look, so that nothing is missed between the two.
pub(crate) struct Watch {
    recorded: broadcast::Receiver<AppId>,
    app: AppId,
    until: Instant,
    pause: Duration,
}

impl Watch {
    /// Waits until another look makes sense; false when the time has come.
    pub(crate) async fn next(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.until {
            return false;
        }
        let pause = self.pause.min(self.until - now);
        let (app, recorded) = (self.app, &mut self.recorded);
        let signal = async move {
            while let Ok(other) = recorded.recv().await {
                if other == app {
                    break;
                }
            }
        };
        // Whether it was a signal, too many of them, or the time: look again.
        drop(timeout(pause, signal).await);
        true
    }
}
