//! Secrets at rest.

use slipway_core::Page;
use slipway_core::config::SecretText;
use slipway_store::testing::{Backend, TEST_KEY, TestStore};
use slipway_store::*;

use crate::fixtures::*;

const SECRET: &str = "correct-horse-battery-staple";

both! {
    async fn configs_read_back_as_written(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let big = "ü\0\n\"".repeat(100_000);
            let mut new = new_config(blog.id, bob.id, &[("A", "1"), ("EMPTY", ""), ("BIG", &big)]);
            new.registry.insert("password".to_owned(), SecretText::new(SECRET));
            new.memory.insert("web".parse().unwrap(), "1G".to_owned());
            new.cpu.insert("web".parse().unwrap(), "500m".to_owned());
            new.tags.insert("disk".to_owned(), "ssd".to_owned());
            new.healthcheck.insert("web/cmd".to_owned(), serde_json::json!({"livenessProbe": null}));
            let written = config_insert(db, &new).await?;
            assert_eq!(written.values, new.values);
            assert_eq!(config_by_id(db, written.id).await?.as_ref(), Some(&written));
            new.created = at(1);
            let second = config_insert(db, &new).await?;
            assert_eq!(config_latest(db, blog.id).await?, Some(second));
            assert!(!format!("{written:?}").contains(SECRET));
            Ok(())
        }).await.unwrap();
    }

    async fn a_wrong_key_is_refused_at_the_start(test) {
        let wrong = StoreConfig::new(test.url.clone(), SealingKey::from_bytes([8; 32]));
        let error = Store::connect(wrong).await.err().expect("refused").to_string();
        assert!(error.contains("sealing key is not the one"), "{error}");
        Store::connect(StoreConfig::new(test.url.clone(), TEST_KEY)).await.expect("the right key still works");
    }

    async fn damaged_rows_are_errors_that_name_the_row(test) {
        let blog = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            config(db, &blog).await;
            Ok(blog)
        }).await.unwrap();
        crate::schema::raw(&test, "UPDATE apps SET structure = '{\"web\": \"hunter2\"}'").await;
        let mut db = test.store.read().await.unwrap();
        match app_by_id(&mut db, blog.id).await {
            Err(StoreError::Corrupt { table: "apps", row, reason }) => {
                assert_eq!(row, blog.id.to_string());
                assert!(!reason.contains("hunter2"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert!(apps_list(&mut db, Page::default()).await.is_err());
        drop(db);
        crate::schema::raw(&test, "UPDATE apps SET structure = '{}', name = 'No Name'").await;
        let mut db = test.store.read().await.unwrap();
        assert!(matches!(app_by_id(&mut db, blog.id).await, Err(StoreError::Corrupt { table: "apps", .. })));
    }

    async fn a_sealed_value_moved_to_another_row_does_not_open(test) {
        let (first, second) = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let first = config_insert(db, &new_config(blog.id, bob.id, &[("PLAN", "free")])).await?;
            let second = config_insert(db, &new_config(blog.id, bob.id, &[("PLAN", "gold")])).await?;
            Ok((first.id, second.id))
        }).await.unwrap();
        let sql = format!(
            "UPDATE configs SET sealed_values = (SELECT sealed_values FROM configs WHERE id = '{second}') WHERE id = '{first}'"
        );
        crate::schema::raw(&test, &sql).await;
        let mut db = test.store.read().await.unwrap();
        match config_by_id(&mut db, first).await {
            Err(StoreError::Corrupt { table: "configs", row, .. }) => assert_eq!(row, first.to_string()),
            other => panic!("{other:?}"),
        }
        assert_eq!(config_by_id(&mut db, second).await.unwrap().unwrap().values["PLAN"].expose(), "gold");
    }
}

#[tokio::test]
async fn no_secret_is_readable_in_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let test = TestStore::open(Backend::Sqlite).await;
    let blog = test
        .store
        .write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let mut new = new_config(blog.id, bob.id, &[("VISIBLE_NAME", SECRET)]);
            new.registry.insert("password".to_owned(), SecretText::new(SECRET));
            new.tags.insert("not-a-secret".to_owned(), "is-there".to_owned());
            config_insert(db, &new).await?;
            Ok(blog)
        })
        .await
        .unwrap();
    let file = test.file.clone().unwrap();
    let mut all = Vec::new();
    for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        all.extend(std::fs::read(entry.path()).unwrap());
    }
    let contains = |what: &str| all.windows(what.len()).any(|window| window == what.as_bytes());
    assert!(contains("is-there") && contains(&blog.id.to_string()), "the search itself works");
    assert!(!contains(SECRET) && !contains("VISIBLE_NAME"));
}
