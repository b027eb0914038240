//! Removes images that no release needs any more, now and then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipway_engine::{Artifact, EngineError};
use slipway_image::{Aging, BuiltImages, CollectError, Collector, Unneeded};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Time between two looks: each asks the registry for every tag.
const INTERVAL: Duration = Duration::from_hours(1);
/// How long an image must have been unneeded: a build may not have told of it yet.
const GRACE: Duration = Duration::from_hours(1);

/// The images of the registry that this platform builds to.
pub(crate) struct ImageKeeper {
    collector: Collector,
    seen: Mutex<Seen>,
    is_refusal_told: AtomicBool,
}

#[derive(Default)]
struct Seen {
    last: Option<Instant>,
    aging: Aging,
}

impl ImageKeeper {
    pub(crate) fn new(images: BuiltImages) -> Self {
        Self { collector: Collector::new(images), seen: Mutex::default(), is_refusal_told: AtomicBool::new(false) }
    }

    /// Removes what none of `keep` names and has not been needed for an hour; does nothing when it is not time yet.
    pub(crate) async fn retain(&self, keep: &[Artifact]) -> Result<(), EngineError> {
        self.retain_at(keep, Instant::now()).await
    }

    async fn retain_at(&self, keep: &[Artifact], now: Instant) -> Result<(), EngineError> {
        let mut seen = self.seen.lock().await;
        if seen.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            return Ok(());
        }
        let needed = keep.iter().filter_map(|artifact| match artifact {
            Artifact::Image { reference } => Some(reference.as_str()),
            Artifact::Slug { .. } => None,
        });
        seen.last = Some(now);
        let survey = self.collector.survey(needed).await.map_err(|error| unavailable(&error))?;
        let due = seen.aging.due(survey.unneeded, now, GRACE);
        drop(seen);
        self.remove(&due).await
    }

    async fn remove(&self, due: &[Unneeded]) -> Result<(), EngineError> {
        for image in due {
            match self.collector.remove(image).await {
                Ok(()) => tracing::info!("removed the image {image}, which no release needs"),
                Err(error @ CollectError::Refused) => {
                    if !self.is_refusal_told.swap(true, Ordering::Relaxed) {
                        tracing::warn!("{error}: images that no release needs stay there");
                    }
                    return Ok(());
                }
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Ok(())
    }
}

fn unavailable(error: &CollectError) -> EngineError {
    let mut context = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        context = format!("{context}: {next}");
        cause = next.source();
    }
    EngineError::Unavailable { public: "the registry of built images does not answer".to_owned(), context }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use slipway_image::Credentials;
    use slipway_image::testing::TestRegistry;

    use super::*;

    #[tokio::test]
    async fn an_image_goes_an_hour_after_it_was_needed_last() {
        let registry = TestRegistry::start().await;
        registry.allow(false, true);
        let image = |tag: &str| registry.image("apps/shop", tag, &[], &json!({ "Cmd": [tag] }));
        let (old, new) = (image("git-1"), image("git-2"));
        let keeper = ImageKeeper::new(BuiltImages {
            host: "registry.example.org".to_owned(),
            reached: registry.host(),
            prefix: "apps".to_owned(),
            is_insecure: true,
            credentials: Credentials::default(),
        });
        let keep = [Artifact::Image { reference: format!("registry.example.org/apps/shop@{new}") }];
        let start = Instant::now();
        keeper.retain_at(&keep, start).await.unwrap();
        let asked = registry.asked().len();
        keeper.retain_at(&keep, start + INTERVAL / 2).await.unwrap();
        assert_eq!(registry.asked().len(), asked, "the registry is not asked before it is time");
        assert!(!keeper.is_refusal_told.load(Ordering::Relaxed));

        keeper.retain_at(&keep, start + INTERVAL).await.unwrap();
        assert!(keeper.is_refusal_told.load(Ordering::Relaxed), "a registry that refuses is no failure");
        assert!(registry.has("apps/shop", &old));

        registry.allow(true, true);
        keeper.retain_at(&keep, start + INTERVAL * 2).await.unwrap();
        assert!(!registry.has("apps/shop", &old) && registry.has("apps/shop", &new));
        // What was needed until now stays for an hour more.
        keeper.retain_at(&[], start + INTERVAL * 3).await.unwrap();
        assert!(registry.has("apps/shop", &new));
        keeper.retain_at(&[], start + INTERVAL * 4).await.unwrap();
        assert!(!registry.has("apps/shop", &new));
    }
}
