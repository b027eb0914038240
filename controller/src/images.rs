//! Looking after the images of apps in the registry: `slipway-controller images`.
//!
//! The same is done by a controller on a cluster every hour. This is a tool of the operator, who has the database: it
//! asks nobody's leave.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use slipway_image::{CollectError, Collector, Survey, Unneeded};
use slipway_store::{Store, release_images_in_use};

use crate::{Config, Controller, telemetry};

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// Removes images that no release needs: neither one of the last `SLIPWAY_IMAGES_KEPT` of an app, nor the one that
    /// runs.
    Gc(GcArguments),
}

/// Arguments of `slipway-controller images gc`.
#[derive(Debug, Args)]
pub struct GcArguments {
    /// Tells what would be removed, and removes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Seconds between two looks: an image goes if no release needs it in either, since a build that is just over may
    /// not be recorded yet.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Images that were removed, or would have been.
    pub removed: Vec<Unneeded>,
    /// How many images releases need.
    pub needed: usize,
    /// Whether repositories of destroyed apps were not looked at.
    pub is_partial: bool,
}

impl ImagesCommand {
    /// Does it, and prints what was done.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self::Gc(arguments) = self;
        let config = Config::from_env()?;
        telemetry::start(&config.telemetry)?;
        let Some(images) = config.images.clone() else {
            bail!("SLIPWAY_REGISTRY is not set: it names the registry of built images, as for the builder");
        };
        let store = Controller::store_open(&config).await?;
        let wait = Duration::from_secs(arguments.wait);
        let done = collect(&store, &Collector::new(images), config.images_kept, wait, arguments.dry_run).await?;
        let verb = if arguments.dry_run { "would remove" } else { "removed" };
        let mut lines: Vec<String> = done.removed.iter().map(|image| format!("{verb} {image}")).collect();
        if done.is_partial {
            lines.push(
                "the registry does not tell its repositories: those of destroyed apps were not looked at".to_owned(),
            );
        }
        lines.push(format!("{verb} {} images; {} are needed", done.removed.len(), done.needed));
        let text = lines.join("\n") + "\n";
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print what was done")
    }
}

async fn survey(store: &Store, collector: &Collector, kept: u32) -> anyhow::Result<Survey> {
    let mut db = store.read().await.context("cannot read the database")?;
    let needed = release_images_in_use(&mut db, kept).await.context("cannot read which images are needed")?;
    drop(db);
    collector.survey(needed.iter().map(String::as_str)).await.context("cannot look through the registry")
}

/// Removes what was needed neither before nor after `wait`.
///
/// # Errors
/// When database or registry do not do their part; what was removed before stays removed.
pub async fn collect(
    store: &Store,
    collector: &Collector,
    kept: u32,
    wait: Duration,
    is_dry_run: bool,
) -> anyhow::Result<Collection> {
    let mut found = survey(store, collector, kept).await?;
    if !is_dry_run && !found.unneeded.is_empty() {
        tokio::time::sleep(wait).await;
        let before: BTreeSet<Unneeded> = found.unneeded.into_iter().collect();
        found = survey(store, collector, kept).await?;
        found.unneeded.retain(|image| before.contains(image));
        for image in &found.unneeded {
            match collector.remove(image).await {
                Ok(()) => {}
                Err(error @ CollectError::Refused) => {
                    return Err(error).context(
                        "nothing was removed; registries have a setting for it (the reference one: storage.delete.enabled)",
                    );
                }
                Err(error) => return Err(error).with_context(|| format!("cannot remove {image}")),
            }
        }
    }
    Ok(Collection { removed: found.unneeded, needed: found.needed, is_partial: found.is_partial })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use slipway_image::testing::TestRegistry;
    use slipway_image::{BuiltImages, Credentials};
    use slipway_store::testing::{Backend, TestStore};

    use super::*;

    #[tokio::test]
    async fn what_no_release_needs_is_told_and_then_removed() {
        let registry = TestRegistry::start().await;
        registry.allow(false, true);
        let digest = registry.image("apps/shop", "git-1", &[], &json!({}));
        let test = TestStore::open(Backend::Sqlite).await;
        let collector = Collector::new(BuiltImages {
            host: registry.host(),
            reached: registry.host(),
            prefix: "apps".to_owned(),
            is_insecure: true,
            credentials: Credentials::default(),
        });
        let run = async |is_dry_run| collect(&test.store, &collector, 10, Duration::ZERO, is_dry_run).await;
        let told = run(true).await.unwrap();
        assert_eq!((told.removed[0].digest.as_str(), told.needed, told.is_partial), (digest.as_str(), 0, false));
        let refused = format!("{:#}", run(false).await.unwrap_err());
        assert!(refused.contains("does not allow images to be removed"), "{refused}");
        assert!(registry.has("apps/shop", &digest));
        registry.allow(true, true);
        assert_eq!(run(false).await.unwrap(), told);
        assert!(!registry.has("apps/shop", &digest));
        assert!(run(false).await.unwrap().removed.is_empty());
    }
}
