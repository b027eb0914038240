//! Log-ins by e-mail address, and counted requests.

use slipway_core::LoginId;
use slipway_store::{
    Login, login_by_id, login_delete, login_insert, login_rotate, logins_delete_by_owner, logins_delete_expired,
    request_count, request_counts_delete_before, user_insert, user_set_active, users_credentials_by_email,
};

use crate::fixtures::{at, new_user, user};

both! {
    async fn logins_are_rotated_and_ended(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let ada = user(db, "ada").await;
        let new = |seconds: i64| Login {
            id: LoginId::generate(),
            owner: ada.id,
            token_hash: vec![1; 32],
            created: at(0),
            expires: at(seconds),
        };
        let logins = [new(10), new(20), new(30)];
        for login in &logins {
            login_insert(db, login).await.unwrap();
        }
        login_rotate(db, logins[0].id, &[2; 32], at(40)).await.unwrap();
        assert_eq!(login_by_id(db, logins[0].id).await.unwrap().unwrap().token_hash, vec![2; 32]);
        logins_delete_expired(db, at(25)).await.unwrap();
        assert!(login_by_id(db, logins[1].id).await.unwrap().is_none());
        assert!(login_delete(db, logins[2].id).await.unwrap());
        assert!(!login_delete(db, logins[2].id).await.unwrap());
        logins_delete_by_owner(db, ada.id).await.unwrap();
        assert!(login_by_id(db, logins[0].id).await.unwrap().is_none());
        transaction.commit().await.unwrap();
    }

    async fn addresses_are_compared_without_case_and_may_be_of_several(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let ada = user(db, "ada").await;
        let mut twin = new_user("twin");
        "ADA@Example.com".clone_into(&mut twin.email);
        let twin = user_insert(db, &twin).await.unwrap();
        let found = users_credentials_by_email(db, "aDa@example.COM", 10).await.unwrap();
        assert_eq!(found.iter().map(|(user, _)| user.id).collect::<Vec<_>>(), [ada.id, twin.id]);
        user_set_active(db, ada.id, false).await.unwrap();
        assert_eq!(users_credentials_by_email(db, "ada@example.com", 10).await.unwrap().len(), 1);
        assert!(users_credentials_by_email(db, "ada@example.com\0", 10).await.unwrap().is_empty());
        transaction.commit().await.unwrap();
    }

    async fn requests_are_counted_by_caller_and_hour(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        for expect in 1..=3 {
            assert_eq!(request_count(db, "user:1", 7).await.unwrap(), expect);
        }
        assert_eq!(request_count(db, "user:1", 8).await.unwrap(), 1);
        assert_eq!(request_count(db, "user:2", 7).await.unwrap(), 1);
        request_counts_delete_before(db, 8).await.unwrap();
        assert_eq!(request_count(db, "user:1", 7).await.unwrap(), 1);
        assert_eq!(request_count(db, "user:1", 8).await.unwrap(), 2);
        transaction.commit().await.unwrap();
    }
}
