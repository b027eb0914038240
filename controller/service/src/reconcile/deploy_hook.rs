//! Telling deploy hooks what is to be told.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use slipway_core::{Error, Result};
use slipway_store as store;
use slipway_store::DeployHook;
use tokio_util::sync::CancellationToken;

use super::{OTHERS_INTERVAL, Reconciler};
use crate::deploy_hook::{HookSender, RETRIES_MAX};
use crate::stored::{Fail, Stored, write};

/// Most calls that are taken up together.
const CALLS_MAX: u32 = 16;
/// Pause before the first call is tried again; doubled by each further one.
const PAUSE_FIRST: TimeDelta = TimeDelta::seconds(1);
/// Longest time without a look at what is due.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// Shortest.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(50);

/// How a call ended.
enum Told {
    /// It was taken.
    Yes,
    /// It was refused, and would be again.
    Never(String),
    /// A later try may work.
    NotYet(String),
}

impl Reconciler {
    /// Tells whatever is due until `shutdown`.
    pub(super) async fn hooks_run(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(sender) = self.hooks.clone() else { return };
        loop {
            let pause = match self.hooks_deliver(sender.as_ref()).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!("could not tell deploy hooks: {error}");
                    LOOK_INTERVAL
                }
            };
            // What other controllers record is told to nobody here.
            let pause = if self.leadership.is_shared() { pause.min(OTHERS_INTERVAL) } else { pause };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.service.signals().released() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Tells all that is due now, and gives the time until something else is.
    pub(crate) async fn hooks_deliver(&self, sender: &dyn HookSender) -> Result<Duration> {
        let service = &self.service;
        loop {
            let due = store::deploy_hooks_due(&mut service.read().await?, service.now(), CALLS_MAX).await.stored()?;
            if due.is_empty() {
                break;
            }
            // One address that hangs does not hold up the calls to others for longer than its own time.
            let mut calls = FuturesUnordered::new();
            for hook in &due {
                calls.push(self.hook_deliver(sender, hook));
            }
            while let Some(done) = calls.next().await {
                done?;
            }
        }
        let next = store::deploy_hooks_next(&mut service.read().await?).await.stored()?;
        let left = next.and_then(|next| (next - service.now()).to_std().ok());
        Ok(left.map_or(LOOK_INTERVAL, |left| left.clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL)))
    }

    async fn hook_deliver(&self, sender: &dyn HookSender, hook: &DeployHook) -> Result<()> {
        let service = &self.service;
        let Some((call, shown)) = service.config().deploy_hooks.call(hook)? else {
            tracing::warn!(app.id = %hook.app, "a deploy hook was taken away before it heard of {}", hook.version);
            return self.hook_forget(hook).await;
        };
        let told = match sender.send(&call).await {
            Ok(200..=299) => Told::Yes,
            Ok(status @ (408 | 425 | 429 | 500..)) => Told::NotYet(format!("it answered {status}")),
            Ok(status) => Told::Never(format!("it answered {status}")),
            Err(reason) => Told::NotYet(reason),
        };
        match told {
            Told::Yes => {
                self.hook_forget(hook).await?;
                self.hook_log(hook, format!("INFO Deploy hook sent to {shown}")).await?;
            }
            Told::NotYet(reason) if hook.attempts < RETRIES_MAX => {
                tracing::debug!(app.id = %hook.app, attempts = hook.attempts, "deploy hook {shown}: {reason}");
                let due = service.now() + PAUSE_FIRST * (1_i32 << hook.attempts.min(RETRIES_MAX));
                write!(service, |db| {
                    store::deploy_hook_postpone(db, hook, due).await?;
                    Ok::<_, Fail>(())
                })
                .map_err(Error::from)?;
            }
            Told::Never(reason) | Told::NotYet(reason) => {
                self.hook_forget(hook).await?;
                let text = format!("An error occurred while sending the deploy hook to {shown}: {reason}");
                tracing::warn!(app.id = %hook.app, "{text}");
                self.hook_log(hook, format!("ERROR {text}")).await?;
            }
        }
        Ok(())
    }

    async fn hook_forget(&self, hook: &DeployHook) -> Result<()> {
        write!(self.service, |db| {
            store::deploy_hook_delete(db, hook.release, &hook.target).await?;
            Ok::<_, Fail>(())
        })
        .map_err(Error::from)
    }

    /// Writes to the log of the app, unless that is gone by now.
    async fn hook_log(&self, hook: &DeployHook, text: String) -> Result<()> {
        if self.service.app_by_id(hook.app).await?.is_some() {
            self.service.app_log(hook.app, text);
        }
        Ok(())
    }
}
