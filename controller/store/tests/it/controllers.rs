//! What several controllers on one database share.

use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};
use slipway_store::*;

use crate::fixtures::*;

fn line(number: i64, source: &str) -> LogLine {
    LogLine { time: at(number), source: source.to_owned(), text: format!("line {number}\0") }
}

both! {
    async fn one_leads_until_it_is_gone(test) {
        let other = Store::connect(StoreConfig::new(test.url.clone(), slipway_store::testing::TEST_KEY)).await.unwrap();
        let mut lead = test.store.lead_try().await.unwrap().expect("nobody leads yet");
        lead.check().await.unwrap();
        if !test.store.is_shared() {
            assert!(other.lead_try().await.unwrap().is_some(), "SQLite has one process");
            return;
        }
        assert!(other.lead_try().await.unwrap().is_none());
        assert!(test.store.lead_try().await.unwrap().is_none(), "nor twice in one process");
        drop(lead);
        // The server notices the end of the connection in its own time.
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
        loop {
            if other.lead_try().await.unwrap().is_some() {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "the lock was not freed");
            tokio::task::yield_now().await;
        }
    }

    async fn what_was_applied_only_grows(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            assert_eq!(app_applied(db, blog.id).await?, 0);
            app_set_applied(db, blog.id, 3).await?;
            app_set_applied(db, blog.id, 2).await?;
            assert_eq!(app_applied(db, blog.id).await?, 3);
            assert_eq!(app_applied(db, AppId::generate()).await?, 0);
            Ok(())
        }).await.unwrap();
    }

    async fn the_newest_lines_of_each_app_are_kept(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, shop) = (app(db, bob.id, "blog").await, app(db, bob.id, "shop").await);
            let all = LogQuery { lines: 10_000, process_type: None };
            let gone = AppId::generate();
            let mut lines = vec![(shop.id, line(0, "slipway[controller]")), (gone, line(0, "x"))];
            lines.extend((0..LOG_LINES_KEPT + 20).map(|number| (blog.id, line(number, "slipway[controller]"))));
            log_lines_append(db, &lines).await?;
            let read = log_lines_read(db, blog.id, &all).await?;
            assert_eq!(i64::try_from(read.len()).unwrap(), LOG_LINES_KEPT);
            assert_eq!((read[0].time.timestamp_micros(), read[0].text.as_str()), (at(20).timestamp_micros(), "line 20\u{fffd}"));
            assert_eq!(log_lines_read(db, shop.id, &all).await?.len(), 1);
            assert_eq!(log_lines_read(db, gone, &all).await?, []);

            log_lines_append(db, &[(blog.id, line(1000, "web.1"))]).await?;
            let web = LogQuery { lines: 5, process_type: Some("web".to_owned()) };
            assert_eq!(log_lines_read(db, blog.id, &web).await?.len(), 1);
            let last = log_lines_read(db, blog.id, &LogQuery { lines: 2, process_type: None }).await?;
            assert_eq!(last.iter().map(|line| line.source.as_str()).collect::<Vec<_>>(), ["slipway[controller]", "web.1"]);
            app_delete(db, blog.id).await?;
            assert_eq!(log_lines_read(db, blog.id, &all).await?, []);
            Ok(())
        }).await.unwrap();
    }
}
