//! Logs of builds, and the record of who did what.

use slipway_core::Page;
use slipway_core::build::BuildOutcome;
use slipway_core::event::EventOutcome;
use slipway_store::*;

use crate::fixtures::*;

both! {
    async fn the_newest_build_logs_of_each_app_are_kept(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, other) = (app(db, bob.id, "blog").await, app(db, bob.id, "other").await);
            let new = |app, n: i64| NewBuildLog {
                app,
                owner: bob.id,
                sha: format!("{n:040x}"),
                outcome: if n % 2 == 0 { BuildOutcome::Succeeded } else { BuildOutcome::Failed },
                log: vec![0, 255, u8::try_from(n).unwrap()],
                created: at(n),
            };
            build_log_insert(db, &new(other.id, 0)).await?;
            for n in 1..=BUILD_LOGS_KEPT + 3 {
                build_log_insert(db, &new(blog.id, n)).await?;
            }
            let page = build_logs_list(db, blog.id, Page { limit: 1, offset: 0 }).await?;
            assert_eq!(page.total, u64::try_from(BUILD_LOGS_KEPT).unwrap());
            let (newest, text) = build_log_latest(db, blog.id).await?.unwrap();
            assert_eq!(page.items, std::slice::from_ref(&newest));
            assert_eq!((newest.outcome, text), (BuildOutcome::Failed, vec![0, 255, 23]));
            assert_eq!(build_log_by_id(db, blog.id, newest.id).await?.unwrap().0, newest);
            assert_eq!(build_log_by_id(db, other.id, newest.id).await?, None);
            assert_eq!(build_log_by_sha(db, blog.id, &newest.sha).await?.unwrap().0, newest);
            assert_eq!(build_log_by_sha(db, blog.id, &newest.sha[..39]).await?.unwrap().0, newest, "of 0x16 and 0x17");
            for bad in ["", "%", "0%", "\0", "_", &format!("{:040x}", 1)] {
                assert_eq!(build_log_by_sha(db, blog.id, bad).await?, None, "{bad:?}");
            }
            assert_eq!(build_logs_list(db, other.id, Page::default()).await?.total, 1);
            Ok(())
        }).await.unwrap();
    }

    async fn the_record_outlives_its_subject(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let mut new = NewEvent {
                actor: "bob".to_owned(),
                action: "create".to_owned(),
                kind: "app".to_owned(),
                subject_id: "1".to_owned(),
                subject_name: "blog\0".to_owned(),
                before: serde_json::Value::Null,
                after: serde_json::json!({ "names": ["A\u{0}"] }),
                outcome: EventOutcome::Done,
                created: at(1),
            };
            let first = event_insert(db, &new).await?;
            assert_eq!((first.after.clone(), first.subject_name.as_str()), (new.after.clone(), "blog\u{fffd}"));
            new.created = at(2);
            new.outcome = EventOutcome::Refused;
            let second = event_insert(db, &new).await?;
            "2".clone_into(&mut new.subject_id);
            new.created = at(3);
            let third = event_insert(db, &new).await?;
            let page = events_list(db, Page { limit: 2, offset: 0 }).await?;
            assert_eq!((page.total, page.items), (3, vec![third, second.clone()]));
            assert_eq!(events_by_subject(db, "app", "1", Page::default()).await?.items, [second, first]);
            assert_eq!(events_by_subject(db, "app", "\0", Page::default()).await?.total, 0);
            Ok(())
        }).await.unwrap();
    }
}
