//! Which images of a registry are found to be unneeded, and that they can be removed.

use std::time::SystemTime;

use serde_json::json;
use slipway_image::step_cache::{self, Week};
use slipway_image::testing::TestRegistry;
use slipway_image::{BuiltImages, CollectError, Collector, Credentials, Survey};

fn collector(registry: &TestRegistry, prefix: &str, credentials: Credentials) -> Collector {
    Collector::new(BuiltImages {
        host: "registry.example.org".to_owned(),
        reached: registry.host(),
        prefix: prefix.to_owned(),
        is_insecure: true,
        credentials,
    })
}

fn image(registry: &TestRegistry, repository: &str, tag: &str, what: &str) -> String {
    registry.image(repository, tag, &[], &json!({ "Cmd": [what] }))
}

fn digests(survey: &Survey) -> Vec<&str> {
    survey.unneeded.iter().map(|image| image.digest.as_str()).collect()
}

#[tokio::test]
async fn images_of_ours_that_nobody_needs_are_found_and_removed() {
    let registry = TestRegistry::start().await;
    registry.allow(false, true);
    let collector = collector(&registry, "apps", Credentials::default());
    let old = image(&registry, "apps/shop", "git-1", "1");
    let new = image(&registry, "apps/shop", "git-2", "2");
    let theirs = image(&registry, "apps/shop", "v1", "3");
    // An image of ours that somebody named too, one that is needed by its tag, one of an app that is gone.
    let shared = image(&registry, "apps/shop", "git-3", "4");
    image(&registry, "apps/shop", "stable", "4");
    let by_tag = image(&registry, "apps/shop", "git-5", "5");
    let gone = image(&registry, "apps/gone", "git-6", "6");
    // What only looks as if it were an app's.
    image(&registry, "apps/team/shop", "git-7", "7");
    image(&registry, "appstore", "git-8", "8");

    let keep = [
        format!("registry.example.org/apps/shop@{new}"),
        "registry.example.org/apps/shop:git-5".to_owned(),
        // Of another registry, and no name at all.
        format!("elsewhere.example.org/apps/shop@{old}"),
        "Not A Name".to_owned(),
    ];
    let keep = || keep.iter().map(String::as_str);
    let survey = collector.survey(keep()).await.unwrap();
    assert_eq!((digests(&survey), survey.needed), (vec![gone.as_str(), &old], 2));
    assert!(!survey.is_partial);
    assert_eq!(survey.unneeded[1].to_string(), format!("apps/shop@{old} (git-1)"));

    for image in &survey.unneeded {
        assert!(matches!(collector.remove(image).await, Err(CollectError::Refused)));
    }
    registry.allow(true, true);
    for image in &survey.unneeded {
        collector.remove(image).await.unwrap();
        collector.remove(image).await.unwrap();
    }
    assert!(
        !registry.has("apps/shop", &old) && !registry.has("apps/shop", "git-1") && !registry.has("apps/gone", &gone)
    );
    for kept in [&new, &theirs, &shared, &by_tag] {
        assert!(registry.has("apps/shop", kept));
    }
    assert!(registry.has("apps/team/shop", "git-7") && registry.has("appstore", "git-8"));
    assert_eq!(collector.survey(keep()).await.unwrap(), Survey { needed: 2, ..Survey::default() });
}

#[tokio::test]
async fn a_registry_that_tells_no_repositories_is_looked_at_where_apps_are_known() {
    let registry = TestRegistry::start().await;
    let (old, new) = (image(&registry, "shop", "git-1", "1"), image(&registry, "shop", "git-2", "2"));
    image(&registry, "gone", "git-1", "1");
    let keep = format!("registry.example.org/shop@{new}");
    let found = collector(&registry, "", Credentials::default()).survey([keep.as_str()]).await.unwrap();
    assert_eq!((digests(&found), found.needed, found.is_partial), (vec![old.as_str()], 1, false));

    image(&registry, "apps/shop", "git-1", "1");
    let keep = format!("registry.example.org/apps/shop@{new}");
    let found = collector(&registry, "/apps/", Credentials::default()).survey([keep.as_str()]).await.unwrap();
    assert_eq!((digests(&found), found.is_partial), (vec![old.as_str()], true));
}

#[tokio::test]
async fn many_tags_are_read_page_by_page_with_credentials() {
    let registry = TestRegistry::start().await;
    registry.allow(true, true);
    registry.protect("bob", "s3cret");
    for number in 0..501 {
        image(&registry, "apps/shop", &format!("git-{number}"), "1");
    }
    let credentials = Credentials::one(&registry.host(), "bob", "s3cret");
    let found = collector(&registry, "apps", credentials).survey([]).await.unwrap();
    assert_eq!(found.unneeded.len(), 1);
    assert_eq!(found.unneeded[0].tags.len(), 501);
    // Who may see nothing is told nothing, and finds nothing to remove.
    let stranger = collector(&registry, "apps", Credentials::default());
    let found = stranger.survey(["registry.example.org/apps/shop:x"]).await.unwrap();
    assert_eq!(found, Survey { is_partial: true, ..Survey::default() });
}

#[tokio::test]
async fn steps_of_dockerfiles_go_when_no_build_has_used_them_for_long_and_with_the_app() {
    let registry = TestRegistry::start().await;
    registry.allow(true, true);
    let now = Week::of(SystemTime::now());
    let long_ago = Week::of(SystemTime::UNIX_EPOCH);
    let new = image(&registry, "apps/shop", "git-1", "1");
    let steps = step_cache::repository("apps/shop", "0193a6b2");
    let used = image(&registry, &steps, &now.tag("used"), "2");
    let unused = image(&registry, &steps, &long_ago.tag("unused"), "3");
    // Used long ago, and again.
    image(&registry, &steps, &long_ago.tag("again"), "4");
    let again = image(&registry, &steps, &now.tag("again"), "4");
    let theirs = image(&registry, &steps, "latest", "5");
    let gone = step_cache::repository("apps/gone", "0193a6b3");
    let of_gone = image(&registry, &gone, &now.tag("used"), "6");
    let not_ours = step_cache::repository("others/shop", "0193a6b4");
    image(&registry, &not_ours, &long_ago.tag("unused"), "7");

    let keep = format!("registry.example.org/apps/shop@{new}");
    let collector = collector(&registry, "apps", Credentials::default());
    let survey = collector.survey([keep.as_str()]).await.unwrap();
    assert_eq!((digests(&survey), survey.needed), (vec![of_gone.as_str(), &unused], 1));
    for image in &survey.unneeded {
        collector.remove(image).await.unwrap();
    }
    for kept in [&used, &again, &theirs] {
        assert!(registry.has(&steps, kept));
    }
    assert!(!registry.has(&steps, &unused) && !registry.has(&gone, &of_gone));
    assert!(registry.has(&not_ours, &long_ago.tag("unused")));
    let survey = collector.survey([keep.as_str()]).await.unwrap();
    assert_eq!(survey, Survey { needed: 1, ..Survey::default() });
}
