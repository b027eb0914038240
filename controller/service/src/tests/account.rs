//! Accounts, tokens, keys.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use slipway_core::Error;
use slipway_core::authz::Actor;

use super::bed::{Bed, register};
use crate::public_key::tests::ed25519;
use crate::{Clock, Cx, PageQuery, PasswordChange, TokenScope};

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

async fn login(bed: &Bed, cx: &Cx, name: &str) -> String {
    let token = bed.service.user_login(cx, name, SecretString::from(format!("password of {name}"))).await;
    token.unwrap().expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_users_one_is_administrator() {
    let bed = Bed::new().await;
    let anonymous = bed.cx(Actor::Anonymous);
    let names: Vec<String> = (0..8).map(|number| format!("user{number}")).collect();
    let users = names.iter().map(|name| bed.service.user_register(&anonymous, register(name)));
    let users = futures::future::try_join_all(users).await.unwrap();
    assert_eq!(users.iter().filter(|user| user.is_superuser).count(), 1);
    let again = bed.service.user_register(&anonymous, register("user3")).await;
    assert_eq!(text(again), "username: A user with that username already exists.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_the_same_at_each_login_until_regenerated() {
    let bed = Bed::new().await;
    let root = bed.user("root").await;
    let bob = bed.user("bob").await;
    let anonymous = bed.cx(Actor::Anonymous);
    let first = login(&bed, &anonymous, "bob").await;
    assert_eq!(first, login(&bed, &anonymous, "bob").await);
    assert_eq!(bed.service.token_authenticate(&first).await.unwrap(), bob.actor);
    let second = bed.service.token_regenerate(&bob, TokenScope::Own).await.unwrap().unwrap();
    assert_eq!(text(bed.service.token_authenticate(&first).await), "Invalid token.");
    assert_eq!(login(&bed, &anonymous, "bob").await, second.expose_secret());
    assert!(matches!(bed.service.token_regenerate(&bob, TokenScope::All).await, Err(Error::Forbidden(_))));
    assert!(bed.service.token_regenerate(&root, TokenScope::All).await.unwrap().is_none());
    assert_eq!(text(bed.service.token_authenticate(second.expose_secret()).await), "Invalid token.");
    for bad in ["", "x", &"A".repeat(40), &"0".repeat(40)] {
        assert_eq!(text(bed.service.token_authenticate(bad).await), "Invalid token.");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down_until_time_has_passed() {
    let bed = Bed::new().await;
    bed.user("bob").await;
    let mut cx = bed.cx(Actor::Anonymous);
    let wrong = || SecretString::from("wrong");
    for _ in 0..5 {
        let refused = text(bed.service.user_login(&cx, "bob", wrong()).await);
        assert_eq!(refused, "non_field_errors: Unable to log in with provided credentials.");
    }
    let right = || SecretString::from("password of bob");
    assert!(matches!(bed.service.user_login(&cx, "bob", right()).await, Err(Error::Throttled { .. })));
    let elsewhere = Cx { remote: Some([10, 0, 0, 2].into()), ..cx.clone() };
    assert!(bed.service.user_login(&elsewhere, "bob", right()).await.is_ok());
    bed.clock.advance(Duration::from_secs(2));
    cx.now = bed.clock.now();
    assert!(bed.service.user_login(&cx, "bob", right()).await.is_ok());
}

/// As an import leaves it: "password of bob", hashed by Django.
const DJANGO_HASH: &str = "pbkdf2_sha256$24000$Wd8LrTzB2cQe$Y7C8p9jM51UadpxTLpz2/jf3R5eak3378YMRlpsFWmw=";

async fn set_hash(bed: &Bed, name: &str, hash: &str) {
    let store = &bed.store.store;
    let user = slipway_store::user_by_name(&mut store.read().await.unwrap(), &name.parse().unwrap()).await.unwrap();
    let mut transaction = store.transaction().await.unwrap();
    let hash = SecretString::from(hash);
    assert!(slipway_store::user_update_password(transaction.db(), user.unwrap().id, &hash).await.unwrap());
    transaction.commit().await.unwrap();
}

async fn hash_of(bed: &Bed, name: &str) -> String {
    let mut db = bed.store.store.read().await.unwrap();
    let (_, hash) = slipway_store::user_credentials(&mut db, &name.parse().unwrap()).await.unwrap().unwrap();
    hash.expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_django_hash_is_good_for_login_and_becomes_argon2id_by_it() {
    let bed = Bed::new().await;
    bed.user("root").await;
    let bob = bed.user("bob").await;
    set_hash(&bed, "bob", DJANGO_HASH).await;
    let anonymous = bed.cx(Actor::Anonymous);
    for wrong in ["password of ana", "", DJANGO_HASH] {
        assert!(bed.service.user_login(&anonymous, "bob", SecretString::from(wrong)).await.is_err(), "{wrong}");
    }
    assert_eq!(hash_of(&bed, "bob").await, DJANGO_HASH, "a wrong password changes nothing");
    let token = login(&bed, &anonymous, "bob").await;
    let upgraded = hash_of(&bed, "bob").await;
    assert!(upgraded.starts_with("$argon2id$"), "{upgraded}");
    assert_eq!(login(&bed, &anonymous, "bob").await, token);
    assert_eq!(hash_of(&bed, "bob").await, upgraded, "it is made anew once only");
    assert!(bed.service.user_login(&anonymous, "bob", SecretString::from("wrong")).await.is_err());

    // It counts as the present password, too.
    set_hash(&bed, "bob", DJANGO_HASH).await;
    let change = |old: &str| PasswordChange {
        new_password: Some(SecretString::from("n")),
        password: Some(SecretString::from(old)),
        username: None,
    };
    assert_eq!(text(bed.service.user_password_change(&bob, change("x")).await), "Current password does not match");
    bed.service.user_password_change(&bob, change("password of bob")).await.unwrap();
    assert!(hash_of(&bed, "bob").await.starts_with("$argon2id$"));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_without_a_password_take_none() {
    let bed = Bed::new().await;
    bed.user("bob").await;
    let anonymous = bed.cx(Actor::Anonymous);
    for hash in ["", "!", "!kLm8Qz", "pbkdf2_sha1$1$s$AAAA", "plain", "pbkdf2_sha256$99999999$s$AAAA"] {
        set_hash(&bed, "bob", hash).await;
        let anonymous = Cx { remote: None, ..anonymous.clone() };
        for password in ["", "!", "plain", "password of bob", hash] {
            bed.clock.advance(Duration::from_mins(10));
            let cx = Cx { now: bed.clock.now(), ..anonymous.clone() };
            let login = bed.service.user_login(&cx, "bob", SecretString::from(password)).await;
            assert_eq!(text(login), "non_field_errors: Unable to log in with provided credentials.", "{hash}");
        }
        assert_eq!(hash_of(&bed, "bob").await, hash);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_change_by_the_rules_of_the_contract() {
    let bed = Bed::new().await;
    let root = bed.user("root").await;
    let bob = bed.user("bob").await;
    let secret = |text: &str| Some(SecretString::from(text));
    let change = |new: &str, old: Option<SecretString>, name: Option<&str>| PasswordChange {
        new_password: Some(new).filter(|new| !new.is_empty()).and_then(secret),
        password: old,
        username: name.map(str::to_owned),
    };
    for (cx, change, expect) in [
        (&bob, change("", None, None), "new_password is a required field"),
        (&bob, change("n", None, Some("root")), "You do not have permission to perform this action."),
        (&root, change("n", None, Some("nobody")), "No User matches the given query."),
        (&bob, change("n", None, None), "password is a required field"),
        (&bob, change("n", secret("x"), None), "Current password does not match"),
    ] {
        assert_eq!(text(bed.service.user_password_change(cx, change).await), expect);
    }
    bed.service.user_password_change(&bob, change("n", secret("password of bob"), None)).await.unwrap();
    bed.service.user_password_change(&root, change("m", None, Some("bob"))).await.unwrap();
    let anonymous = bed.cx(Actor::Anonymous);
    assert!(bed.service.user_login(&anonymous, "bob", SecretString::from("n")).await.is_err());
    assert!(bed.service.user_login(&anonymous, "bob", SecretString::from("m")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_when_it_owns_no_app() {
    let bed = Bed::new().await;
    let root = bed.user("root").await;
    let bob = bed.user("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let refused = text(bed.service.user_cancel(&bob, None).await);
    assert_eq!(refused, "bob still has applications assigned. Delete or transfer ownership");
    assert!(matches!(bed.service.user_cancel(&bob, Some("root")).await, Err(Error::Forbidden(_))));
    assert!(matches!(bed.service.user_cancel(&root, Some("nobody")).await, Err(Error::NotFound { .. })));
    bed.user("al").await;
    bed.service.user_cancel(&root, Some("al")).await.unwrap();
    let users = bed.service.users_list(&root, PageQuery::default()).await.unwrap();
    assert_eq!(users.count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_unique_by_label_and_by_what_they_are() {
    let bed = Bed::new().await;
    let al = bed.user("al").await;
    let bob = bed.user("bob").await;
    let key = bed.service.key_create(&al, "laptop", &ed25519(1)).await.unwrap();
    let taken = bed.service.key_create(&bob, "laptop", &ed25519(2)).await;
    assert_eq!(text(taken), "id: SSH Key with this id already exists.");
    let same = ed25519(1).replace("bob@home", "another comment");
    assert_eq!(text(bed.service.key_create(&bob, "pc", &same).await), "public: Public Key is already in use");
    assert_eq!(text(bed.service.key_get(&bob, "laptop").await), "No Key matches the given query.");
    let builder = bed.cx(Actor::Builder);
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.service.key_create(&bob, "pc", &ed25519(3)).await.unwrap();
    let of_bob = bed.service.key_get(&bob, "pc").await.unwrap();
    let found = bed.service.hook_key(&builder, &of_bob.fingerprint).await.unwrap();
    assert_eq!((found.username.as_str(), found.apps.len()), ("bob", 1));
    assert!(matches!(bed.service.hook_key(&al, &key.fingerprint).await, Err(Error::Forbidden(_))));
    bed.service.key_delete(&al, "laptop").await.unwrap();
    assert!(matches!(bed.service.hook_key(&builder, &key.fingerprint).await, Err(Error::NotFound { .. })));
}
