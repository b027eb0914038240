//! Upkeep on full passes: what nobody wants any more is removed.

use std::collections::HashSet;

use slipway_core::{AppId, Result};
use slipway_engine::Artifact;
use slipway_store as store;

use super::Reconciler;
use crate::engine_error::engine_error;
use crate::stored::Stored;

impl Reconciler {
    /// Removes apps that only the engine knows, and artifacts that no release needs.
    pub(crate) async fn collect(&self) {
        if let Err(error) = self.orphans_remove().await {
            tracing::warn!("could not remove what is left of destroyed apps: {error}");
        }
        if let Err(error) = self.artifacts_retain().await {
            tracing::warn!("could not free artifacts: {error}");
        }
    }

    /// An app is recorded before the engine hears of it, so what only the engine knows was destroyed.
    pub(crate) async fn orphans_remove(&self) -> Result<()> {
        let service = &self.service;
        let known = service.engine().apps_known().await.map_err(engine_error)?;
        let recorded: HashSet<AppId> = service.app_ids().await?.into_iter().collect();
        for (app, name) in known {
            if !recorded.contains(&app) && service.app_by_id(app).await?.is_none() {
                tracing::info!(app.id = %app, "removing {name}, which was destroyed");
                service.engine().app_remove(app, &name).await.map_err(engine_error)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn artifacts_retain(&self) -> Result<()> {
        let service = &self.service;
        let kept = service.config().images_kept;
        let images = store::release_images_in_use(&mut service.read().await?, kept).await.stored()?;
        let keep: Vec<Artifact> = images.iter().filter_map(|image| image.parse().ok()).collect();
        service.engine().artifacts_retain(&keep).await.map_err(engine_error)
    }
}
