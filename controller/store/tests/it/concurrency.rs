//! Many at once, and those that leave in the middle.

use std::collections::BTreeSet;

use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::release::ReleaseState;
use slipway_core::{Page, ProcessType};
use slipway_store::*;

use crate::fixtures::*;

both! {
    async fn no_update_is_lost(test) {
        let blog = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            Ok(app(db, bob.id, "blog").await)
        }).await.unwrap();
        // A second store stands for a second process on the same database.
        let other = Store::connect(StoreConfig::new(test.url.clone(), slipway_store::testing::TEST_KEY)).await.unwrap();
        let tasks = (0..64).map(|n| {
            let store = if n % 2 == 0 { test.store.clone() } else { other.clone() };
            let id = blog.id;
            tokio::spawn(async move {
                store.write(async |db| -> Result<(), StoreError> {
                    let mut structure = app_by_id(db, id).await?.unwrap().structure;
                    *structure.entry(ProcessType::web()).or_default() += 1;
                    app_update_structure(db, id, &structure, at(n)).await
                }).await
            })
        });
        for task in join_all(tasks).await {
            task.unwrap().unwrap();
        }
        let mut db = test.store.read().await.unwrap();
        assert_eq!(app_by_id(&mut db, blog.id).await.unwrap().unwrap().structure[&ProcessType::web()], 64);
    }

    async fn a_writer_sees_what_those_before_it_wrote(test) {
        // An operator may have set another level of isolation for the whole database.
        let options = "?options=-cdefault_transaction_isolation%3Drepeatable%5C%20read";
        let options = if test.file.is_some() { "" } else { options };
        let url = SecretString::from(format!("{}{options}", test.url.expose_secret()));
        // Each stands for a process: within one, writers wait for each other before they begin.
        let mut stores = Vec::new();
        for _ in 0..4 {
            let config = StoreConfig::new(url.clone(), slipway_store::testing::TEST_KEY);
            stores.push(Store::connect(config).await.unwrap());
        }
        let tasks = (0..32).map(|n| {
            let store = stores[n % stores.len()].clone();
            tokio::spawn(async move {
                store.write(async |db| -> Result<(), StoreError> {
                    if user_count(db).await? == 0 {
                        user(db, &format!("user{n}")).await;
                    }
                    Ok(())
                }).await
            })
        });
        for task in join_all(tasks).await {
            task.unwrap().unwrap();
        }
        let mut db = test.store.read().await.unwrap();
        assert_eq!(user_count(&mut db).await.unwrap(), 1);
    }

    async fn numbers_given_at_once_differ(test) {
        let (blog, config) = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let config = config(db, &blog).await;
            Ok((blog, config))
        }).await.unwrap();
        let other = Store::connect(StoreConfig::new(test.url.clone(), slipway_store::testing::TEST_KEY)).await.unwrap();
        let tasks = (0..32).map(|n| {
            let store = if n % 2 == 0 { test.store.clone() } else { other.clone() };
            let new = new_release(&blog, config.id, None, ReleaseState::Succeeded);
            tokio::spawn(async move { store.write(async |db| release_insert(db, &new).await).await })
        });
        let versions: BTreeSet<u32> =
            join_all(tasks).await.into_iter().map(|task| task.unwrap().unwrap().version.0).collect();
        assert_eq!(versions, (1..=32).collect());
    }

    async fn an_error_undoes_the_whole(test) {
        let failed = test.store.write(async |db| -> Result<(), StoreError> {
            user(db, "bob").await;
            Err(StoreError::Internal("on purpose".to_owned()))
        }).await;
        assert!(matches!(failed, Err(StoreError::Internal(text)) if text == "on purpose"));
        let mut db = test.store.read().await.unwrap();
        assert_eq!(user_count(&mut db).await.unwrap(), 0);
    }

    async fn a_swallowed_error_undoes_the_whole(test) {
        let swallowed = test.store.write(async |db| -> Result<(), StoreError> {
            user(db, "bob").await;
            assert!(user_insert(db, &new_user("bob")).await.is_err());
            Ok(())
        }).await;
        assert!(swallowed.is_err(), "on PostgreSQL nothing would be kept, so on SQLite neither");
        let mut db = test.store.read().await.unwrap();
        assert_eq!(user_count(&mut db).await.unwrap(), 0);
    }

    async fn whoever_leaves_in_the_middle_leaves_nothing(test) {
        for round in 0..20 {
            let store = test.store.clone();
            let (inside, is_inside) = tokio::sync::oneshot::channel();
            let task = tokio::spawn(async move {
                store.write(async |db| -> Result<(), StoreError> {
                    user(db, "bob").await;
                    let _ = inside.send(());
                    // Some are cut off in a query, some between two.
                    for _ in 0..round {
                        user_count(db).await?;
                    }
                    std::future::pending().await
                }).await
            });
            is_inside.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            // The next writer is not kept waiting by the one that left, and sees nothing of it.
            let count = test.store.write(async |db| user_count(db).await).await.unwrap();
            assert_eq!(count, 0, "round {round}");
        }
        test.store.write(async |db| user_insert(db, &new_user("bob")).await).await.unwrap();
    }

    async fn readers_that_leave_do_no_harm(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            for n in 0..50 {
                user(db, &format!("user{n}")).await;
            }
            Ok(())
        }).await.unwrap();
        let mut left = 0;
        for _ in 0..200 {
            let mut db = test.store.read().await.unwrap();
            // Polled once, so that the query is on its way, and dropped; some are quick enough to be done by then.
            match futures::FutureExt::now_or_never(users_list(&mut db, Page::default())) {
                None => left += 1,
                Some(result) => assert_eq!(result.unwrap().total, 50),
            }
        }
        assert!(left > 0);
        let mut db = test.store.read().await.unwrap();
        assert_eq!(users_list(&mut db, Page::default()).await.unwrap().total, 50);
    }

    async fn readers_go_on_while_somebody_writes(test) {
        let (go, may_go) = tokio::sync::oneshot::channel::<()>();
        let (inside, is_inside) = tokio::sync::oneshot::channel();
        let store = test.store.clone();
        let writer = tokio::spawn(async move {
            store.write(async |db| -> Result<(), StoreError> {
                user(db, "bob").await;
                let _ = inside.send(());
                let _ = may_go.await;
                Ok(())
            }).await
        });
        is_inside.await.unwrap();
        // More writers than connections wait their turn; a reader still gets one.
        let waiting: Vec<_> = (0..20).map(|n| {
            let store = test.store.clone();
            tokio::spawn(async move {
                let new = new_user(&format!("user{n}"));
                store.write(async |db| user_insert(db, &new).await).await
            })
        }).collect();
        let mut db = test.store.read().await.unwrap();
        assert_eq!(user_count(&mut db).await.unwrap(), 0, "nothing is seen before it is kept");
        drop(db);
        go.send(()).unwrap();
        writer.await.unwrap().unwrap();
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        let mut db = test.store.read().await.unwrap();
        assert_eq!(user_count(&mut db).await.unwrap(), 21);
    }

    async fn a_future_of_the_store_may_move_between_threads(test) {
        fn is_send<T: Send>(value: T) -> T {
            value
        }
        let name = String::from("bob");
        let borrowed = &name;
        let work = is_send(test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, borrowed).await;
            user_by_id(db, bob.id).await
        }));
        assert!(work.await.unwrap().is_some());
    }
}
