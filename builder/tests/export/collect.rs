//! Which images a collection removes.

use std::collections::BTreeSet;

use serde_json::json;
use slipway_builder::export::registry::{Credentials, Name, Registry};

use crate::registry::Fake;

#[tokio::test]
async fn images_of_ours_that_nobody_needs_are_removed() {
    let fake = Fake::start().await;
    let registry = Registry::new(Credentials::default(), vec![fake.host.clone()]);
    let repository: Name = format!("{}/apps/shop", fake.host).parse().unwrap();
    let image = |tag: &str, layer: &str| fake.put_image("apps/shop", tag, layer, &json!({}));
    let (old, new, theirs) = (image("git-1", "1"), image("git-2", "2"), image("v1", "3"));
    // An image of ours that somebody named too.
    let shared = image("git-3", "4");
    image("stable", "4");
    let keep = BTreeSet::from([new.clone()]);

    let trial = registry.collect(&repository, &keep, true).await.unwrap();
    assert_eq!((trial.removed.as_slice(), trial.kept), (std::slice::from_ref(&old), 1));
    let left =
        |digest: &str| fake.state.lock().unwrap().manifests.contains_key(&("apps/shop".to_owned(), digest.to_owned()));
    assert!(left(&old), "a trial removes nothing");

    fake.state.lock().unwrap().is_deleting = false;
    let refused = registry.collect(&repository, &keep, false).await.unwrap();
    assert!(refused.is_refused && refused.removed.is_empty());
    fake.state.lock().unwrap().is_deleting = true;

    let done = registry.collect(&repository, &keep, false).await.unwrap();
    assert_eq!(done.removed, std::slice::from_ref(&old));
    assert!(!left(&old) && left(&new) && left(&theirs) && left(&shared));
    let nothing: Name = format!("{}/apps/none", fake.host).parse().unwrap();
    assert_eq!(registry.collect(&nothing, &keep, false).await.unwrap().removed, Vec::<String>::new());
}
