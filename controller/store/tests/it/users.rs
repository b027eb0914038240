//! Users, keys and grants.

use secrecy::{ExposeSecret, SecretString};
use slipway_core::{Page, UserId};
use slipway_store::*;

use crate::fixtures::*;

fn new_key(owner: UserId, id: &str, fingerprint: &str) -> NewKey {
    NewKey {
        id: id.to_owned(),
        owner,
        public: format!("ssh-ed25519 {id}"),
        fingerprint: fingerprint.to_owned(),
        created: at(0),
    }
}

fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> UniqueOn {
    match result {
        Err(StoreError::Conflict { what }) => what,
        other => panic!("a conflict was expected, not {other:?}"),
    }
}

both! {
    async fn users_read_back_as_written(test) {
        let mut written = test.store.write(async |db| user_insert(db, &new_user("bob")).await).await.unwrap();
        let mut db = test.store.read().await.unwrap();
        assert_eq!(user_by_id(&mut db, written.id).await.unwrap().as_ref(), Some(&written));
        assert_eq!(user_by_name(&mut db, &written.username).await.unwrap().as_ref(), Some(&written));
        let (user, hash) = user_credentials(&mut db, &written.username).await.unwrap().unwrap();
        assert_eq!((&user, hash.expose_secret()), (&written, "$argon2id$"));
        assert_eq!(written.date_joined.timestamp_subsec_nanos(), 123_456_000, "kept in microseconds");
        assert!(user_by_name(&mut db, &"Bob".parse().unwrap()).await.unwrap().is_none(), "case matters");
        drop(db);

        test.store.write(async |db| -> Result<(), StoreError> {
            assert!(user_update_password(db, written.id, &SecretString::from("new".to_owned())).await?);
            assert!(user_set_superuser(db, written.id, true).await?);
            assert!(user_set_active(db, written.id, false).await?);
            assert!(!user_set_active(db, UserId::generate(), false).await?);
            user_touch_login(db, written.id, at(5)).await
        }).await.unwrap();
        let mut db = test.store.read().await.unwrap();
        let changed = user_by_id(&mut db, written.id).await.unwrap().unwrap();
        written.is_superuser = true;
        written.is_active = false;
        written.last_login = changed.last_login;
        assert_eq!(changed, written);
        assert_eq!(changed.last_login.unwrap().timestamp_micros(), at(5).timestamp_micros());
        assert_eq!(user_password_hash(&mut db, written.id).await.unwrap().unwrap().expose_secret(), "new");
        assert_eq!((user_count(&mut db).await.unwrap(), admin_count(&mut db).await.unwrap()), (1, 1));
        assert_eq!(admins_list(&mut db, Page::default()).await.unwrap().items, [changed]);
    }

    async fn only_the_first_of_many_users_becomes_administrator(test) {
        let tasks: Vec<_> = (0..16).map(|n| {
            let store = test.store.clone();
            tokio::spawn(async move {
                let new = new_user(&format!("user{n}"));
                store.write(async |db| user_insert_first_admin(db, &new).await).await.unwrap()
            })
        }).collect();
        let mut admins = 0;
        for task in tasks {
            admins += u32::from(task.await.unwrap().is_superuser);
        }
        assert_eq!(admins, 1);
    }

    async fn keys_of_users_are_found_by_hash_and_rotate_once(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            assert!(user_by_token_hash(db, &[1; 32]).await?.is_none());
            assert!(user_set_key_hash(db, bob.id, &[1; 32]).await?);
            assert_eq!(user_by_token_hash(db, &[1; 32]).await?.unwrap().id, bob.id);
            assert_eq!(user_key_rotate(db, bob.id, bob.key_generation + 1, &[2; 32]).await?, Some(1));
            assert_eq!(user_key_rotate(db, bob.id, bob.key_generation + 1, &[3; 32]).await?, None, "was faster");
            assert!(user_by_token_hash(db, &[1; 32]).await?.is_none());
            assert_eq!(user_by_token_hash(db, &[2; 32]).await?.unwrap().key_generation, 1);
            assert_eq!(users_all_ids(db).await?, [(bob.id, 1)]);
            Ok(())
        }).await.unwrap();
    }

    async fn lists_are_cut_into_pages(test) {
        let store = &test.store;
        store.write(async |db| -> Result<(), StoreError> {
            for name in ["c", "a", "B", "d", "e"] {
                user(db, name).await;
            }
            Ok(())
        }).await.unwrap();
        let mut db = store.read().await.unwrap();
        let mut names = async |limit, offset| {
            let page = users_list(&mut db, Page { limit, offset }).await.unwrap();
            (page.total, page.items.into_iter().map(|user| user.username.to_string()).collect::<String>())
        };
        assert_eq!(names(2, 0).await, (5, "ca".to_owned()));
        assert_eq!(names(2, 4).await, (5, "e".to_owned()));
        assert_eq!(names(2, 5).await, (5, String::new()));
        assert_eq!(names(0, 0).await, (5, String::new()));
        assert_eq!(names(u32::MAX, 1).await, (5, "aBde".to_owned()));
        assert_eq!(names(1, u64::MAX).await, (5, String::new()));
    }

    async fn what_is_taken_says_so(test) {
        let store = &test.store;
        let (bob, _) = store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            user_set_key_hash(db, bob.id, &[1; 32]).await?;
            let alice = user(db, "alice").await;
            key_insert(db, &new_key(bob.id, "laptop", "aa:bb")).await?;
            let app = app(db, bob.id, "blog").await;
            domain_insert(db, &NewDomain { app: app.id, owner: bob.id, domain: "x.io".into(), created: at(0) }).await?;
            settings_insert(db, app.id, bob.id, at(0)).await?;
            Ok((bob.id, alice.id))
        }).await.unwrap();

        let again = store.write(async |db| user_insert(db, &new_user("bob")).await).await;
        assert_eq!(conflict(again), UniqueOn::Username);
        let again = store.write(async |db| {
            let alice = user_by_name(db, &"alice".parse().unwrap()).await?.unwrap();
            user_set_key_hash(db, alice.id, &[1; 32]).await
        }).await;
        assert_eq!(conflict(again), UniqueOn::TokenHash);
        let again = store.write(async |db| key_insert(db, &new_key(bob, "laptop", "cc")).await).await;
        assert_eq!(conflict(again), UniqueOn::KeyId);
        let again = store.write(async |db| key_insert(db, &new_key(bob, "other", "aa:bb")).await).await;
        assert_eq!(conflict(again), UniqueOn::KeyFingerprint);
        let again = store.write(async |db| app_insert(db, &new_app(bob, "blog")).await).await;
        assert_eq!(conflict(again), UniqueOn::AppName);
        let again = store.write(async |db| {
            let app = app_by_name(db, &"blog".parse().unwrap()).await?.unwrap();
            domain_insert(db, &NewDomain { app: app.id, owner: bob, domain: "x.io".into(), created: at(0) }).await
        }).await;
        assert_eq!(conflict(again), UniqueOn::Domain);
        let again = store.write(async |db| {
            let app = app_by_name(db, &"blog".parse().unwrap()).await?.unwrap();
            settings_insert(db, app.id, bob, at(0)).await
        }).await;
        assert_eq!(conflict(again), UniqueOn::Identity);
        let stranger = store.write(async |db| app_insert(db, &new_app(UserId::generate(), "other")).await).await;
        assert!(matches!(stranger, Err(StoreError::Reference)), "{stranger:?}");
    }

    async fn keys_belong_to_their_owner(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let eve = user(db, "eve").await;
            let second = key_insert(db, &new_key(bob.id, "z", "1")).await?;
            let first = key_insert(db, &new_key(bob.id, "a", "2")).await?;
            let listed = keys_list(db, bob.id, Page::default()).await?;
            assert_eq!((listed.total, listed.items), (2, vec![first.clone(), second.clone()]));
            assert_eq!(key_by_fingerprint(db, "1").await?, Some(second));
            assert_eq!(key_by_id(db, bob.id, "a").await?, Some(first.clone()));
            assert_eq!(key_by_id(db, eve.id, "a").await?, None);
            assert_eq!(key_by_id(db, bob.id, "a\0").await?, None);
            assert_eq!(key_by_fingerprint(db, "\0").await?, None);
            assert!(!key_delete(db, eve.id, "a").await?);
            assert!(!key_delete(db, bob.id, "\0").await?);

            let blog = app(db, eve.id, "blog").await;
            assert_eq!(keys_by_app(db, blog.id).await?, []);
            assert!(perm_grant(db, blog.id, bob.id, at(0)).await?);
            assert_eq!(keys_by_app(db, blog.id).await?.len(), 2);
            assert!(key_delete(db, bob.id, "z").await?);
            assert_eq!(keys_by_app(db, blog.id).await?, std::slice::from_ref(&first));
            assert_eq!(keys_by_user(db, bob.id).await?, [first]);
            Ok(())
        }).await.unwrap();
    }

    async fn grants_are_given_once_and_taken_back_once(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let (bob, eve) = (user(db, "bob").await, user(db, "eve").await);
            let blog = app(db, bob.id, "blog").await;
            assert!(!perm_is_collaborator(db, blog.id, eve.id).await?);
            assert!(perm_grant(db, blog.id, eve.id, at(0)).await?);
            assert!(!perm_grant(db, blog.id, eve.id, at(1)).await?);
            assert!(perm_is_collaborator(db, blog.id, eve.id).await?);
            assert_eq!(perms_list(db, blog.id).await?, std::slice::from_ref(&eve));
            assert_eq!(apps_names_visible(db, eve.id).await?, [blog.name]);
            assert!(perm_revoke(db, blog.id, eve.id).await?);
            assert!(!perm_revoke(db, blog.id, eve.id).await?);
            assert_eq!(perms_list(db, blog.id).await?, []);
            Ok(())
        }).await.unwrap();
    }

    async fn a_user_goes_with_keys_and_grants_but_not_with_apps(test) {
        let store = &test.store;
        let (bob, eve, blog) = store.write(async |db| -> Result<_, StoreError> {
            let (bob, eve) = (user(db, "bob").await, user(db, "eve").await);
            let blog = app(db, bob.id, "blog").await;
            key_insert(db, &new_key(eve.id, "laptop", "1")).await?;
            perm_grant(db, blog.id, eve.id, at(0)).await?;
            Ok((bob.id, eve.id, blog.id))
        }).await.unwrap();
        let refused = store.write(async |db| user_delete(db, bob).await).await;
        assert!(matches!(refused, Err(StoreError::Reference)), "{refused:?}");
        assert!(store.write(async |db| user_delete(db, eve).await).await.unwrap());
        assert!(!store.write(async |db| user_delete(db, eve).await).await.unwrap());
        let mut db = store.read().await.unwrap();
        assert_eq!(key_by_fingerprint(&mut db, "1").await.unwrap(), None);
        assert_eq!(perms_list(&mut db, blog).await.unwrap(), []);
    }
}
