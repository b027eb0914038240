//! Apps, their domains and settings.

use std::collections::BTreeMap;

use slipway_core::release::ReleaseState;
use slipway_core::settings::Autoscale;
use slipway_core::{AppId, Page, ProcessType};
use slipway_store::*;

use crate::fixtures::*;

both! {
    async fn generations_only_grow(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            assert_eq!(apps_unsettled(db).await?, []);
            assert_eq!(app_bump_desired(db, blog.id, at(1)).await?, Some(1));
            assert_eq!(app_bump_desired(db, blog.id, at(2)).await?, Some(2));
            assert_eq!(app_bump_desired(db, AppId::generate(), at(2)).await?, None);
            assert_eq!(apps_unsettled(db).await?.len(), 1);
            app_set_observed(db, blog.id, 2).await?;
            app_set_observed(db, blog.id, 1).await?;
            assert_eq!(apps_unsettled(db).await?, []);

            let structure = BTreeMap::from([(ProcessType::web(), 3)]);
            app_update_structure(db, blog.id, &structure, at(3)).await?;
            let restarts = BTreeMap::from([(String::new(), 1), ("web".to_owned(), 2)]);
            app_set_restarts(db, blog.id, &restarts, at(4)).await?;
            let read = app_by_id(db, blog.id).await?.unwrap();
            assert_eq!((read.structure, read.restarts), (structure, restarts));
            assert_eq!((read.desired_generation, read.observed_generation), (2, 2));
            assert_eq!(read.owner_name, bob.username);
            assert_eq!(read.updated.timestamp_micros(), at(4).timestamp_micros());
            Ok(())
        }).await.unwrap();
    }

    async fn lists_show_what_a_user_may_see(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let (bob, eve) = (user(db, "bob").await, user(db, "eve").await);
            for name in ["c", "a", "b"] {
                app(db, bob.id, name).await;
            }
            let shared = app(db, eve.id, "shared").await;
            let own = app(db, eve.id, "aa").await;
            perm_grant(db, shared.id, bob.id, at(0)).await?;
            perm_grant(db, own.id, eve.id, at(0)).await?;
            let names = |page: Paged<slipway_core::app::App>| {
                (page.total, page.items.iter().map(|app| app.name.to_string()).collect::<Vec<_>>().join(" "))
            };
            let all = Page::default();
            assert_eq!(names(apps_list(db, all).await?), (5, "a aa b c shared".to_owned()));
            assert_eq!(names(apps_list_visible(db, bob.id, all).await?), (4, "a b c shared".to_owned()));
            assert_eq!(names(apps_list_visible(db, eve.id, all).await?), (2, "aa shared".to_owned()), "once each");
            let second = Page { limit: 2, offset: 2 };
            assert_eq!(names(apps_list_visible(db, bob.id, second).await?), (4, "c shared".to_owned()));
            assert_eq!(apps_count_by_owner(db, bob.id).await?, 3);
            assert_eq!(apps_all_names(db).await?.len(), 5);
            Ok(())
        }).await.unwrap();
    }

    async fn a_dying_app_is_hidden_and_keeps_its_name(test) {
        let store = &test.store;
        let (bob, blog) = store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            assert!(app_mark_deleting(db, blog.id, at(1)).await?);
            assert!(!app_mark_deleting(db, blog.id, at(2)).await?);
            assert_eq!(app_by_name(db, &blog.name).await?, None);
            assert_eq!(apps_list(db, Page::default()).await?.total, 0);
            assert_eq!(apps_names_visible(db, bob.id).await?, []);
            assert_eq!(apps_deleting(db).await?[0].id, blog.id);
            assert_eq!(apps_unsettled(db).await?[0].id, blog.id);
            Ok((bob.id, blog.id))
        }).await.unwrap();
        let taken = store.write(async |db| app_insert(db, &new_app(bob, "blog")).await).await;
        assert!(matches!(taken, Err(StoreError::Conflict { what: UniqueOn::AppName })), "{taken:?}");
        assert!(store.write(async |db| app_delete(db, blog).await).await.unwrap());
        store.write(async |db| app_insert(db, &new_app(bob, "blog")).await).await.unwrap();
    }

    async fn an_app_takes_all_that_is_its_own_with_it(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, other) = (app(db, bob.id, "blog").await, app(db, bob.id, "other").await);
            for app in [&blog, &other] {
                let config = config(db, app).await;
                let build = build(db, app, "image", 0).await;
                release(db, app, &config, Some(build.id), ReleaseState::Created).await;
                settings_insert(db, app.id, bob.id, at(0)).await?;
                let domain = app.name.to_string();
                domain_insert(db, &NewDomain { app: app.id, owner: bob.id, domain, created: at(0) }).await?;
                perm_grant(db, app.id, bob.id, at(0)).await?;
            }
            assert_eq!(apps_with_builds(db).await?.len(), 2);
            assert!(app_delete(db, blog.id).await?);
            assert!(!app_delete(db, blog.id).await?);
            assert_eq!(releases_pending(db).await?.len(), 1);
            assert_eq!(domains_all(db).await?.len(), 1);
            assert_eq!((settings_all(db).await?.len(), tls_all(db).await?.len()), (1, 1));
            assert_eq!(builds_list(db, blog.id, Page::default()).await?.total, 0);
            assert!(config_latest(db, blog.id).await?.is_none());
            assert!(release_latest(db, other.id).await?.is_some());
            Ok(())
        }).await.unwrap();
    }

    async fn a_domain_leads_to_the_port_that_was_set_last(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, other) = (app(db, bob.id, "blog").await, app(db, bob.id, "other").await);
            for domain in ["a.io", "b.io"] {
                let new = NewDomain { app: blog.id, owner: bob.id, domain: domain.to_owned(), created: at(0) };
                assert_eq!(domain_insert(db, &new).await?.port, None);
            }
            let set = domain_port_set(db, blog.id, "b.io", Some(u16::MAX), at(5)).await?.unwrap();
            assert_eq!((set.port, set.updated - set.created), (Some(u16::MAX), at(5) - at(0)));
            assert_eq!(domain_by_name(db, "b.io").await?, Some(set));
            let ports = domains_by_app(db, blog.id).await?;
            assert_eq!(ports, [("a.io".to_owned(), None), ("b.io".to_owned(), Some(u16::MAX))]);
            for (app, domain) in [(other.id, "b.io"), (blog.id, "c.io"), (blog.id, "\0")] {
                assert_eq!(domain_port_set(db, app, domain, Some(1), at(6)).await?, None);
            }
            assert_eq!(domain_port_set(db, blog.id, "b.io", None, at(7)).await?.unwrap().port, None);
            Ok(())
        }).await.unwrap();
    }

    async fn a_transfer_hands_over_what_the_owner_owned(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let (bob, eve, ann) = (user(db, "bob").await, user(db, "eve").await, user(db, "ann").await);
            let blog = app(db, bob.id, "blog").await;
            let other = app(db, bob.id, "other").await;
            config(db, &blog).await;
            config(db, &other).await;
            settings_insert(db, blog.id, bob.id, at(0)).await?;
            domain_insert(db, &NewDomain { app: blog.id, owner: ann.id, domain: "a.io".into(), created: at(0) }).await?;
            domain_insert(db, &NewDomain { app: blog.id, owner: bob.id, domain: "b.io".into(), created: at(0) }).await?;
            app_transfer(db, blog.id, eve.id, at(9)).await?;
            assert_eq!(app_by_id(db, blog.id).await?.unwrap().owner_name, eve.username);
            assert_eq!(app_by_id(db, other.id).await?.unwrap().owner, bob.id);
            let config = config_latest(db, blog.id).await?.unwrap();
            assert_eq!((config.owner, config.owner_name), (eve.id, eve.username.clone()));
            assert_eq!(config_latest(db, other.id).await?.unwrap().owner, bob.id);
            let owners: Vec<_> = domains_all(db).await?.into_iter().map(|domain| domain.owner_name).collect();
            assert_eq!(owners, [ann.username, eve.username.clone()]);
            assert_eq!(settings_by_app(db, blog.id).await?.unwrap().owner, eve.id);
            assert_eq!(tls_by_app(db, blog.id).await?.unwrap().owner_name, eve.username);
            Ok(())
        }).await.unwrap();
    }

    async fn settings_read_back_as_written(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            settings_insert(db, blog.id, bob.id, at(0)).await?;
            let mut settings = settings_by_app(db, blog.id).await?.unwrap();
            assert!(!settings.maintenance && settings.routable && settings.allowlist.is_empty());
            settings.maintenance = true;
            settings.routable = false;
            settings.allowlist = vec!["10.0.0.0/8".to_owned()];
            settings.autoscale.insert(ProcessType::web(), Autoscale { min: 1, max: 3, cpu_percent: 50 });
            settings.label.insert("team".to_owned(), "ü\0\"".to_owned());
            assert!(settings_update(db, &settings).await?);
            assert_eq!(settings_by_app(db, blog.id).await?, Some(settings));
            assert_eq!(tls_by_app(db, blog.id).await?.unwrap().https_enforced, None);
            let mut tls = tls_by_app(db, blog.id).await?.unwrap();
            assert_eq!(tls.certs_auto_enabled, None);
            (tls.https_enforced, tls.certs_auto_enabled, tls.updated) = (Some(false), Some(true), tls.created);
            assert!(tls_update(db, &tls).await?);
            assert_eq!(tls_by_app(db, blog.id).await?, Some(tls.clone()));
            (tls.https_enforced, tls.certs_auto_enabled) = (None, None);
            assert!(tls_update(db, &tls).await?);
            assert_eq!(tls_by_app(db, blog.id).await?, Some(tls.clone()));
            tls.app = AppId::generate();
            assert!(!tls_update(db, &tls).await?);
            Ok(())
        }).await.unwrap();
    }

    async fn domains_belong_to_one_app(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let (blog, other) = (app(db, bob.id, "blog").await, app(db, bob.id, "other").await);
            for domain in ["b.io", "a.io", "*.b.io"] {
                let new = NewDomain { app: blog.id, owner: bob.id, domain: domain.to_owned(), created: at(0) };
                domain_insert(db, &new).await?;
            }
            let listed = domains_list(db, blog.id, Page { limit: 2, offset: 0 }).await?;
            assert_eq!(listed.total, 3);
            assert_eq!(listed.items.iter().map(|d| d.domain.as_str()).collect::<Vec<_>>(), ["*.b.io", "a.io"]);
            assert_eq!(domain_by_name(db, "a.io").await?.unwrap().app, blog.id);
            assert_eq!(domain_by_name(db, "a.io\0").await?, None);
            assert!(!domain_delete(db, other.id, "a.io").await?);
            assert!(domain_delete(db, blog.id, "a.io").await?);
            assert!(!domain_delete(db, blog.id, "a.io").await?);
            Ok(())
        }).await.unwrap();
    }
}
