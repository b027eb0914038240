//! Builds, releases and their states.

use slipway_core::release::ReleaseState::{self, Canceled, Created, Deploying, Failed, Succeeded, Superseded};
use slipway_core::{Page, ReleaseVersion};
use slipway_store::*;

use crate::fixtures::*;

fn change(to: ReleaseState, exception: &str) -> ReleaseChange<'_> {
    ReleaseChange { to, exception, deadline: None, now: at(50) }
}

both! {
    async fn builds_come_newest_first(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            assert_eq!(build_latest(db, blog.id).await?, None);
            let first = build(db, &blog, "one", 1).await;
            let third = build(db, &blog, "three", 3).await;
            let second = build(db, &blog, "two", 2).await;
            assert_eq!(build_latest(db, blog.id).await?.as_ref(), Some(&third));
            assert_eq!(build_by_id(db, first.id).await?.as_ref(), Some(&first));
            assert_eq!(first.procfile[&slipway_core::ProcessType::web()], "run\0me", "maps keep every character");
            let page = builds_list(db, blog.id, Page { limit: 2, offset: 1 }).await?;
            assert_eq!((page.total, page.items), (3, vec![second, first]));
            Ok(())
        }).await.unwrap();
    }

    async fn numbers_grow_by_app_and_are_never_used_twice(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, other) = (app(db, bob.id, "blog").await, app(db, bob.id, "other").await);
            let (config, other_config) = (config(db, &blog).await, config(db, &other).await);
            for (state, version) in [(Succeeded, 1), (Failed, 2), (Canceled, 3), (Created, 4)] {
                assert_eq!(release(db, &blog, &config, None, state).await.version, ReleaseVersion(version));
            }
            assert_eq!(release(db, &other, &other_config, None, Succeeded).await.version, ReleaseVersion(1));
            let page = releases_list(db, blog.id, Page { limit: 3, offset: 1 }).await?;
            assert_eq!(page.total, 4);
            assert_eq!(page.items.iter().map(|r| r.version.0).collect::<Vec<_>>(), [3, 2, 1]);
            let by_version = release_by_version(db, blog.id, ReleaseVersion(2)).await?.unwrap();
            assert_eq!(release_by_id(db, by_version.id).await?, Some(by_version));
            assert_eq!(release_by_version(db, blog.id, ReleaseVersion(9)).await?, None);
            Ok(())
        }).await.unwrap();
    }

    async fn what_runs_is_the_newest_that_did_not_go_wrong(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let config = config(db, &blog).await;
            for state in [Succeeded, Succeeded, Failed, Superseded, Canceled] {
                release(db, &blog, &config, None, state).await;
            }
            let version = |release: Option<slipway_core::release::Release>| release.map(|release| release.version.0);
            assert_eq!(version(release_latest(db, blog.id).await?), Some(5));
            assert_eq!(version(release_latest_good(db, blog.id).await?), Some(2));
            release(db, &blog, &config, None, Created).await;
            assert_eq!(version(release_latest_good(db, blog.id).await?), Some(6));
            assert_eq!(version(release_latest_succeeded(db, blog.id).await?), Some(2));
            assert_eq!(version(release_succeeded_before(db, blog.id, ReleaseVersion(2)).await?), Some(1));
            assert_eq!(version(release_succeeded_before(db, blog.id, ReleaseVersion(1)).await?), None);
            Ok(())
        }).await.unwrap();
    }

    async fn states_change_only_from_where_they_are(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let config = config(db, &blog).await;
            let one = release(db, &blog, &config, None, Created).await;
            let deploying = ReleaseChange { deadline: Some(at(99)), ..change(Deploying, "") };
            assert!(release_set_state(db, one.id, &[Created], &deploying).await?);
            assert!(!release_set_state(db, one.id, &[Created], &deploying).await?);
            assert!(!release_set_state(db, one.id, &[], &deploying).await?);
            assert!(release_set_state(db, one.id, &[Created, Deploying], &change(Failed, "it\0broke")).await?);
            let read = release_by_id(db, one.id).await?.unwrap();
            assert_eq!((read.state, read.exception.as_str()), (Failed, "it\u{fffd}broke"));
            assert_eq!(read.deadline.unwrap().timestamp_micros(), at(99).timestamp_micros(), "left alone");
            assert_eq!(read.updated.timestamp_micros(), at(50).timestamp_micros());

            let two = release(db, &blog, &config, None, Deploying).await;
            let three = release(db, &blog, &config, None, Created).await;
            let four = release(db, &blog, &config, None, Created).await;
            assert_eq!(releases_pending(db).await?.len(), 3);
            assert_eq!(releases_supersede_before(db, blog.id, four.version, at(60)).await?, 2);
            assert_eq!(releases_pending_by_app(db, blog.id).await?, [four]);
            for id in [two.id, three.id] {
                assert_eq!(release_by_id(db, id).await?.unwrap().state, Superseded);
            }
            assert_eq!(release_by_id(db, one.id).await?.unwrap().state, Failed, "final states stay");
            Ok(())
        }).await.unwrap();
    }

    async fn images_that_may_still_run_are_in_use(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, other) = (app(db, bob.id, "blog").await, app(db, bob.id, "other").await);
            let (config, other_config) = (config(db, &blog).await, config(db, &other).await);
            let states = [Created, Succeeded, Succeeded, Failed, Failed, Failed];
            for (n, state) in (1..).zip(states) {
                let build = build(db, &blog, &format!("blog{n}"), n).await;
                release(db, &blog, &config, Some(build.id), state).await;
            }
            let lone = build(db, &other, "other1", 1).await;
            release(db, &other, &other_config, Some(lone.id), Succeeded).await;
            release(db, &other, &other_config, None, Succeeded).await;
            let in_use = release_images_in_use(db, 2).await?;
            assert_eq!(in_use, ["blog1", "blog3", "blog5", "blog6", "other1"]);
            assert_eq!(release_images_in_use(db, 0).await?, ["blog1", "blog3", "other1"]);
            Ok(())
        }).await.unwrap();
    }
}
