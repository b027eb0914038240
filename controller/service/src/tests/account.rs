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
