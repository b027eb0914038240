//! Volumes, and where configurations mount them.

use std::collections::BTreeMap;

use slipway_core::volume::{MountPath, VolumeSize};
use slipway_core::{ProcessType, VolumeName};
use slipway_store::*;

use chrono::SubsecRound;

use crate::fixtures::*;
use crate::schema::raw;

fn new(app: &slipway_core::app::App, name: &str) -> NewVolume {
    NewVolume {
        app: app.id,
        owner_name: app.owner_name.clone(),
        name: VolumeName::new(name).unwrap(),
        size: VolumeSize::new("10G").unwrap(),
        created: at(1),
    }
}

/// A time as the databases keep it.
fn micros(secs: i64) -> chrono::DateTime<chrono::Utc> {
    at(secs).trunc_subsecs(6)
}

both! {
    async fn volumes_are_of_their_app(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, shop) = (app(db, bob.id, "blog").await, app(db, bob.id, "shop").await);
            for (app, name) in [(&blog, "logs"), (&blog, "data"), (&shop, "data")] {
                volume_insert(db, &new(app, name)).await?;
            }
            let all = volumes_by_app(db, blog.id).await?;
            let names: Vec<&str> = all.iter().map(|volume| volume.name.as_str()).collect();
            assert_eq!(names, ["data", "logs"]);
            let data = &all[0];
            assert_eq!((data.app, &data.owner_name, data.size.as_str()), (blog.id, &bob.username, "10G"));
            assert_eq!((data.created, data.updated), (micros(1), micros(1)));
            assert_ne!(data.id, volumes_by_app(db, shop.id).await?[0].id);

            volume_set_size(db, data.id, &VolumeSize::new("20G").unwrap(), at(2)).await?;
            let grown = &volumes_by_app(db, blog.id).await?[0];
            assert_eq!((grown.size.bytes(), grown.created, grown.updated), (20 << 30, micros(1), micros(2)));

            assert!(volume_delete(db, data.id).await?);
            assert!(!volume_delete(db, data.id).await?);
            assert_eq!(volumes_by_app(db, blog.id).await?.len(), 1);
            assert_eq!(volumes_by_app(db, shop.id).await?.len(), 1);
            // They go with their app.
            app_delete(db, blog.id).await?;
            assert_eq!(volumes_by_app(db, blog.id).await?, []);
            Ok(())
        }).await.unwrap();
    }

    async fn a_name_is_there_once_an_app(test) {
        let app = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            volume_insert(db, &new(&blog, "data")).await?;
            Ok(blog)
        }).await.unwrap();
        let again = test.store.write(async |db| -> Result<_, StoreError> { volume_insert(db, &new(&app, "data")).await });
        assert!(matches!(again.await, Err(StoreError::Conflict { what: UniqueOn::VolumeName })));
    }

    async fn configurations_keep_mounts_and_timeouts(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            let web = ProcessType::web();
            let paths = BTreeMap::from([(web.clone(), MountPath::new("/data").unwrap())]);
            let mut new = new_config(blog.id, bob.id, &[]);
            new.mounts = [(VolumeName::new("data").unwrap(), paths)].into();
            new.termination_grace_period = [(web.clone(), "60".to_owned())].into();
            new.lifecycle_post_start = [(web.clone(), "bin/announce".to_owned())].into();
            new.lifecycle_pre_stop = [(web, "bin/leave".to_owned())].into();
            let made = config_insert(db, &new).await?;
            assert_eq!((&made.mounts, &made.termination_grace_period), (&new.mounts, &new.termination_grace_period));
            assert_eq!(made.lifecycle_post_start, new.lifecycle_post_start);
            assert_eq!(made.lifecycle_pre_stop, new.lifecycle_pre_stop);
            assert_eq!(config_by_id(db, made.id).await?.unwrap(), made);
            Ok(())
        }).await.unwrap();
    }

    async fn a_bad_row_is_named(test) {
        let app = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            volume_insert(db, &new(&blog, "data")).await?;
            config_insert(db, &new_config(blog.id, bob.id, &[])).await?;
            Ok(blog)
        }).await.unwrap();
        raw(&test, "UPDATE volumes SET size = 'much'").await;
        raw(&test, "UPDATE configs SET mounts = '{\"data\": {\"web\": \"/etc\"}}'").await;
        let mut db = test.store.read().await.unwrap();
        let error = volumes_by_app(&mut db, app.id).await.unwrap_err().to_string();
        assert!(error.contains("volumes") && error.contains("size does not parse"), "{error}");
        let error = config_latest(&mut db, app.id).await.unwrap_err().to_string();
        assert!(error.contains("configs") && error.contains("mounts does not parse"), "{error}");
    }
}
