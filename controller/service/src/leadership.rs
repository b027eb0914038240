//! Which of several controllers reconciles.
//!
//! All of them answer requests; one at a time makes the engine follow the database. Who that is tells a [`Leadership`]:
//! always this process (SQLite), whoever holds a lock of the database, or whatever the one who starts the controller
//! brings (a Lease on Kubernetes).

use std::time::Duration;

use slipway_store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Pause between two tries to lead, and between two looks whether that still holds.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells whether this process leads.
#[derive(Debug, Clone)]
pub struct Leadership {
    /// `None`: always.
    leads: Option<watch::Receiver<bool>>,
}

impl Leadership {
    /// Nobody else is there.
    #[must_use]
    pub const fn always() -> Self {
        Self { leads: None }
    }

    /// As `leads` says. When its sender is gone, nobody leads.
    #[must_use]
    pub const fn told_by(leads: watch::Receiver<bool>) -> Self {
        Self { leads: Some(leads) }
    }

    /// By a lock of the database, where others may be on it; until `shutdown`.
    #[must_use]
    pub fn by_database(store: &Store, shutdown: &CancellationToken) -> Self {
        if !store.is_shared() {
            return Self::always();
        }
        let (sender, leads) = watch::channel(false);
        let (store, shutdown) = (store.clone(), shutdown.clone());
        tokio::spawn(async move {
            shutdown.run_until_cancelled(lead(&store, &sender)).await;
            sender.send_replace(false);
        });
        Self::told_by(leads)
    }

    /// Whether others may be there.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.leads.is_some()
    }

    /// Whether this process leads now.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.leads.as_ref().is_none_or(|leads| *leads.borrow())
    }

    /// Waits until this process leads, or does not, as `wanted`.
    pub async fn wait(&self, wanted: bool) {
        let Some(leads) = &self.leads else {
            if !wanted {
                std::future::pending::<()>().await;
            }
            return;
        };
        let mut leads = leads.clone();
        // Without a sender nobody leads any more.
        if leads.wait_for(|leads| *leads == wanted).await.is_err() && wanted {
            std::future::pending::<()>().await;
        }
    }
}

async fn lead(store: &Store, sender: &watch::Sender<bool>) {
    loop {
        match store.lead_try().await {
            Ok(Some(mut lead)) => {
                tracing::info!("this controller leads");
                sender.send_replace(true);
                while lead.check().await.is_ok() {
                    tokio::time::sleep(INTERVAL).await;
                }
                sender.send_replace(false);
                tracing::warn!("this controller leads no more: its connection to the database was lost");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("could not ask the database who leads: {error}"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
