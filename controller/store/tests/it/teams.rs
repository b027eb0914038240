//! Teams, members, invitations, and what teams own.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use slipway_core::{Page, UserId};
use slipway_store::*;
use slipway_team::audit::{AuditActor, AuditContext, AuditEntry};
use slipway_team::invitation::{Invitation, InvitationStatus};
use slipway_team::notification::{Notification, NotificationEvent, NotificationKind};
use slipway_team::registry::{Credentials, Registry, RegistryDetails};
use slipway_team::storage::Storage;
use slipway_team::user_token::UserToken;
use slipway_team::{NotificationId, RegistryId, Role, Stamp, StorageId, Team, TeamId, UserTokenId};

use crate::fixtures::*;

pub async fn user(test: &testing::TestStore, name: &str) -> UserId {
    test.store.write(async |db| user_insert(db, &new_user(name)).await).await.unwrap().id
}

fn new_team(name: &str, owner: UserId, n: i64) -> Team {
    Team { id: TeamId::generate(), name: name.to_owned(), slug: name.parse().unwrap(), stamp: Stamp::new(owner, at(n)) }
}

pub async fn team(test: &testing::TestStore, name: &str, owner: UserId, n: i64) -> Team {
    let team = new_team(name, owner, n);
    test.store
        .write(async |db| {
            team_insert(db, &team).await?;
            member_insert(db, team.id, owner, Role::Owner, at(n)).await
        })
        .await
        .unwrap();
    team_by_id(&mut test.store.read().await.unwrap(), team.id).await.unwrap().unwrap()
}

pub fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> UniqueOn {
    match result {
        Err(StoreError::Conflict { what }) => what,
        other => panic!("a conflict was expected, not {other:?}"),
    }
}

both! {
    async fn members_find_their_teams_and_one_is_active(test) {
        let (ann, bob) = (user(&test, "ann").await, user(&test, "bob").await);
        let first = team(&test, "first", ann, 1).await;
        let second = team(&test, "second", ann, 2).await;
        let mut db = test.store.read().await.unwrap();
        let member = member_by_slug(&mut db, ann, &first.slug).await.unwrap().unwrap();
        assert_eq!((member.team.clone(), member.role, member.is_active), (first.clone(), Role::Owner, true));
        assert!(member_by_slug(&mut db, bob, &first.slug).await.unwrap().is_none());
        assert!(member_by_team(&mut db, bob, first.id).await.unwrap().is_none());
        let all: Vec<TeamId> = members_by_user(&mut db, ann).await.unwrap().iter().map(|one| one.team.id).collect();
        assert_eq!(all, [first.id, second.id]);
        assert_eq!(member_active(&mut db, ann).await.unwrap().unwrap().team.id, first.id);
        assert!(member_active(&mut db, bob).await.unwrap().is_none());
        drop(db);
        test.store.write(async |db| -> Result<(), StoreError> {
            assert!(member_set_active(db, second.id, ann).await?);
            member_insert(db, first.id, bob, Role::User, at(3)).await?;
            assert!(member_set_role(db, first.id, bob, Role::Admin).await?);
            assert!(!member_set_role(db, second.id, bob, Role::Admin).await?);
            assert_eq!((team_owner_count(db, first.id).await?, team_owner_count(db, second.id).await?), (1, 1));
            let counts = team_user_counts(db, &[first.id, second.id]).await?;
            assert_eq!((counts[&first.id], counts[&second.id]), (2, 1));
            let users = members_by_teams(db, &[first.id]).await?;
            let roles: Vec<_> = users[&first.id].iter().map(|(user, role)| (user.id, *role)).collect();
            assert_eq!(roles, [(ann, Role::Owner), (bob, Role::Admin)]);
            assert_eq!(member_active(db, ann).await?.unwrap().team.id, second.id);
            assert!(member_delete(db, second.id, ann).await?);
            assert!(!member_delete(db, second.id, ann).await?);
            assert_eq!(member_active(db, ann).await?.unwrap().team.id, first.id, "the oldest of the rest");
            Ok(())
        }).await.unwrap();
    }

    async fn names_and_slugs_are_unique(test) {
        let ann = user(&test, "ann").await;
        let first = team(&test, "first", ann, 1).await;
        let same_name = Team { slug: "other".parse().unwrap(), ..new_team("first", ann, 1) };
        let same_slug = Team { name: "other".to_owned(), ..new_team("first", ann, 1) };
        for (new, expect) in [(same_name, UniqueOn::TeamName), (same_slug, UniqueOn::TeamSlug)] {
            assert_eq!(conflict(test.store.write(async |db| team_insert(db, &new).await).await), expect);
        }
        let mut db = test.store.read().await.unwrap();
        let slug = "slug".parse().unwrap();
        assert_eq!(team_taken(&mut db, "first", &slug).await.unwrap(), (Some(first.id), None));
        assert_eq!(team_taken(&mut db, "x", &first.slug).await.unwrap(), (None, Some(first.id)));
        assert_eq!(team_taken(&mut db, "x", &slug).await.unwrap(), (None, None));
        drop(db);
        test.store.write(async |db| -> Result<(), StoreError> {
            assert!(team_update(db, first.id, ("renamed", &slug), (ann, at(9))).await?);
            assert!(!team_update(db, TeamId::generate(), ("nobody", &"nobody".parse().unwrap()), (ann, at(9))).await?);
            let renamed = team_by_id(db, first.id).await?.unwrap();
            assert_eq!((renamed.name.as_str(), renamed.slug.as_str()), ("renamed", "slug"));
            assert_eq!(renamed.stamp.created, first.stamp.created);
            assert!(renamed.stamp.updated > first.stamp.updated);
            Ok(())
        }).await.unwrap();
    }

    async fn invitations_are_one_a_user_and_team(test) {
        let (ann, bob) = (user(&test, "ann").await, user(&test, "bob").await);
        let first = team(&test, "first", ann, 1).await;
        let invitation = Invitation {
            team: first.id, user: bob, email: "Bob@example.com".to_owned(), status: InvitationStatus::Pending,
            created: at(2),
        };
        test.store.write(async |db| -> Result<(), StoreError> {
            invitation_insert(db, &invitation).await?;
            let stored = invitation_by_user(db, first.id, bob).await?.unwrap();
            assert_eq!((stored.email.as_str(), stored.status), ("Bob@example.com", InvitationStatus::Pending));
            assert!(invitation_set_status(db, first.id, bob, InvitationStatus::Declined).await?);
            assert!(!invitation_set_status(db, first.id, ann, InvitationStatus::Declined).await?);
            let (of_team, of_user) =
                (invitations_by_team(db, first.id).await?, invitations_by_user(db, bob).await?);
            assert_eq!((of_team[0].0.status, of_team[0].1.id), (InvitationStatus::Declined, bob));
            assert_eq!((of_user[0].0.clone(), of_user[0].1.id), (of_team[0].0.clone(), first.id));
            Ok(())
        }).await.unwrap();
        assert_eq!(
            conflict(test.store.write(async |db| invitation_insert(db, &invitation).await).await),
            UniqueOn::Identity
        );
        test.store.write(async |db| -> Result<(), StoreError> {
            assert!(invitation_delete(db, first.id, bob).await?);
            assert!(!invitation_delete(db, first.id, bob).await?);
            let found = user_by_email(db, "BOB@example.com").await?;
            assert_eq!(found.map(|user| user.id), Some(bob), "letters' case does not matter");
            assert!(user_by_email(db, "b\0b").await?.is_none());
            assert!(user_by_email(db, "nobody@example.com").await?.is_none());
            Ok(())
        }).await.unwrap();
    }

    async fn tokens_and_sessions_end(test) {
        let (ann, bob) = (user(&test, "ann").await, user(&test, "bob").await);
        let token = |name: &str, expires| UserToken {
            id: UserTokenId::generate(), user: ann, name: name.to_owned(), nonce: uuid::Uuid::new_v4(), created: at(1),
            expires,
        };
        let (ever, short) = (token("ever", None), token("short", Some(at(5))));
        test.store.write(async |db| -> Result<(), StoreError> {
            user_token_insert(db, &ever).await?;
            user_token_insert(db, &short).await?;
            browser_session_insert(db, &[1; 32], ann, (at(1), at(5))).await?;
            sign_up_code_insert(db, &[2; 32], bob, at(5)).await?;
            sign_up_code_insert(db, &[3; 32], bob, at(5)).await
        }).await.unwrap();
        let again = token("ever", None);
        assert_eq!(
            conflict(test.store.write(async |db| user_token_insert(db, &again).await).await),
            UniqueOn::UserTokenName
        );
        test.store.write(async |db| -> Result<(), StoreError> {
            assert_eq!(user_tokens_list(db, ann).await?.len(), 2);
            assert_eq!(user_token_by_id(db, ann, ever.id).await?.unwrap().nonce, ever.nonce);
            assert!(user_token_by_id(db, bob, ever.id).await?.is_none());
            for (nonce, who, now, expect) in [
                (ever.nonce, ann, 100, true), (short.nonce, ann, 4, true), (short.nonce, ann, 5, false),
                (ever.nonce, bob, 1, false), (again.nonce, ann, 1, false),
            ] {
                assert_eq!(user_by_token_nonce(db, who, nonce, at(now)).await?.is_some(), expect, "{now}");
            }
            assert!(!user_token_delete(db, bob, ever.id).await?);
            assert!(user_token_delete(db, ann, ever.id).await?);
            assert!(user_by_token_nonce(db, ann, ever.nonce, at(1)).await?.is_none());

            assert!(user_by_browser_session(db, &[1; 32], at(4)).await?.is_some());
            assert!(user_by_browser_session(db, &[1; 32], at(5)).await?.is_none());
            assert!(browser_session_delete(db, &[1; 32]).await?);
            assert!(!browser_session_delete(db, &[1; 32]).await?);
            browser_session_insert(db, &[4; 32], ann, (at(1), at(5))).await?;
            browser_sessions_delete(db, ann).await?;
            assert!(user_by_browser_session(db, &[4; 32], at(4)).await?.is_none());

            assert!(sign_up_code_take(db, &[2; 32], at(4)).await?.is_none(), "a newer code makes older ones worthless");
            assert_eq!(sign_up_code_take(db, &[3; 32], at(4)).await?, Some(bob));
            assert!(sign_up_code_take(db, &[3; 32], at(4)).await?.is_none(), "a code is good once");

            assert!(!onboarding_is_hidden(db, ann).await?);
            for hidden in [true, false, true] {
                onboarding_set(db, ann, hidden).await?;
                assert_eq!(onboarding_is_hidden(db, ann).await?, hidden);
            }
            Ok(())
        }).await.unwrap();
    }

    async fn log_ins_at_a_provider_are_good_once_and_identities_are_one_accounts(test) {
        let (ann, bob) = (user(&test, "ann").await, user(&test, "bob").await);
        let login = |path: &str, link| OidcLogin {
            browser: [9; 32], nonce: SecretString::from("OIDC-NONCE"), verifier: SecretString::from("OIDC-VERIFIER"),
            return_to: path.to_owned(), link,
        };
        let (first, second) = (login("/a", None), login("/b", Some(ann)));
        test.store.write(async |db| -> Result<(), StoreError> {
            oidc_login_insert(db, &[1; 32], &first, (at(1), at(5)), 9).await?;
            oidc_login_insert(db, &[2; 32], &second, (at(2), at(6)), 9).await?;
            let taken = oidc_login_take(db, &[2; 32], at(5)).await?.unwrap();
            assert_eq!((taken.browser, taken.return_to.as_str(), taken.link), ([9; 32], "/b", Some(ann)));
            assert_eq!(taken.nonce.expose_secret(), "OIDC-NONCE");
            assert_eq!(taken.verifier.expose_secret(), "OIDC-VERIFIER");
            assert!(oidc_login_take(db, &[2; 32], at(5)).await?.is_none(), "it is good once");
            assert!(oidc_login_take(db, &[1; 32], at(5)).await?.is_none(), "it is over");
            for n in 10..14_u8 {
                oidc_login_insert(db, &[n; 32], &first, (at(1), at(i64::from(n))), 2).await?;
            }
            for (n, expect) in [(10, false), (11, false), (12, true), (13, true)] {
                assert_eq!(oidc_login_take(db, &[n; 32], at(2)).await?.is_some(), expect, "the oldest go first: {n}");
            }

            oidc_identity_insert(db, ("https://id", "1"), ann, at(1)).await?;
            oidc_identity_insert(db, ("https://id", "2"), ann, at(1)).await?;
            for (issuer, subject, expect) in
                [("https://id", "1", Some(ann)), ("https://id", "3", None), ("https://other", "1", None)]
            {
                let found = user_by_oidc_identity(db, issuer, subject).await?;
                assert_eq!(found.map(|user| user.id), expect, "{issuer} {subject}");
            }
            assert_eq!(proven_email(db, bob).await?, None);
            for email in ["bob@a", "bob@b"] {
                proven_email_set(db, bob, email).await?;
                assert_eq!(proven_email(db, bob).await?.as_deref(), Some(email));
            }
            user_delete(db, ann).await?;
            assert!(user_by_oidc_identity(db, "https://id", "1").await?.is_none());
            Ok(())
        }).await.unwrap();
        let again = test.store.write(async |db| -> Result<(), StoreError> {
            oidc_identity_insert(db, ("https://id", "1"), bob, at(1)).await?;
            oidc_identity_insert(db, ("https://id", "1"), bob, at(2)).await
        }).await;
        assert!(again.is_err(), "{again:?}");
    }

    async fn what_a_team_owns_is_sealed_and_goes_with_it(test) {
        let ann = user(&test, "ann").await;
        let (own, other) = (team(&test, "own", ann, 1).await, team(&test, "other", ann, 2).await);
        let stamp = Stamp::new(ann, at(3));
        let mut registry = Registry {
            id: RegistryId::generate(), team: own.id, name: "hub".to_owned(), description: None,
            icon: Some("whale".to_owned()), stamp,
            details: RegistryDetails {
                credentials: Some(Credentials { user: "u".to_owned(), token: SecretString::from("REG-SECRET") }),
                ..RegistryDetails::library()
            },
        };
        let mut storage = Storage {
            id: StorageId::generate(), team: own.id, name: "s3".to_owned(), description: None, icon: None,
            url: "s3.example.com".to_owned(), access_key: Some("A".to_owned()),
            secret_key: Some(SecretString::from("STO-SECRET")), stamp,
        };
        let mut notification = Notification {
            id: NotificationId::generate(), team: own.id, name: "chat".to_owned(), kind: NotificationKind::Slack,
            url: SecretString::from("https://hooks.example/HOOK-SECRET"), is_active: true,
            events: BTreeSet::from([NotificationEvent::NodeAdded]), creator_name: "Ann".to_owned(), stamp,
        };
        test.store.write(async |db| -> Result<(), StoreError> {
            registry_insert(db, &registry).await?;
            storage_insert(db, &storage).await?;
            notification_insert(db, &notification).await
        }).await.unwrap();
        let (r, s, n) = (registry.clone(), storage.clone(), notification.clone());
        let again = Registry { id: RegistryId::generate(), ..r };
        assert_eq!(
            conflict(test.store.write(async |db| registry_insert(db, &again).await).await), UniqueOn::RegistryName
        );
        let again = Storage { id: StorageId::generate(), ..s };
        assert_eq!(
            conflict(test.store.write(async |db| storage_insert(db, &again).await).await), UniqueOn::StorageName
        );
        let again = Notification { id: NotificationId::generate(), ..n };
        assert_eq!(
            conflict(test.store.write(async |db| notification_insert(db, &again).await).await),
            UniqueOn::NotificationName
        );
        if let Some(file) = &test.file {
            let files = ["", "-wal"].map(|end| std::fs::read(format!("{}{end}", file.display())).unwrap_or_default());
            for secret in ["REG-SECRET", "STO-SECRET", "HOOK-SECRET"] {
                let is_there = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!files.iter().any(is_there), "{secret} lies open in the database");
            }
        }
        test.store.write(async |db| -> Result<(), StoreError> {
            let stored = registry_by_id(db, own.id, registry.id).await?.unwrap();
            let credentials = stored.details.credentials.unwrap();
            assert_eq!((credentials.user.as_str(), credentials.token.expose_secret()), ("u", "REG-SECRET"));
            assert_eq!((stored.icon.as_deref(), stored.description), (Some("whale"), None));
            assert!(registry_by_id(db, other.id, registry.id).await?.is_none());
            assert!(storage_by_id(db, other.id, storage.id).await?.is_none());
            assert!(notification_by_id(db, other.id, notification.id).await?.is_none());
            assert_eq!(registries_by_ids(db, own.id, &[registry.id, RegistryId::generate()]).await?.len(), 1);
            assert!(registries_by_ids(db, other.id, &[registry.id]).await?.is_empty());
            let stored = storage_by_id(db, own.id, storage.id).await?.unwrap();
            assert_eq!(stored.secret_key.unwrap().expose_secret(), "STO-SECRET");
            assert_eq!(notifications_telling(db, own.id, NotificationEvent::NodeAdded).await?.len(), 1);
            assert!(notifications_telling(db, own.id, NotificationEvent::UserInvited).await?.is_empty());
            assert!(notifications_telling(db, other.id, NotificationEvent::NodeAdded).await?.is_empty());

            registry.details.credentials = None;
            registry.icon = None;
            storage.secret_key = None;
            notification.is_active = false;
            assert!(registry_update(db, &registry).await?);
            assert!(storage_update(db, &storage).await?);
            assert!(notification_update(db, &notification).await?);
            let stored = registry_by_id(db, own.id, registry.id).await?.unwrap();
            assert!(stored.details.credentials.is_none() && stored.icon.is_none());
            assert!(storages_list(db, own.id).await?[0].secret_key.is_none());
            assert!(notifications_telling(db, own.id, NotificationEvent::NodeAdded).await?.is_empty());
            let foreign = Registry { team: other.id, ..registry.clone() };
            assert!(!registry_update(db, &foreign).await?);

            assert!(!registry_delete(db, other.id, registry.id).await?);
            assert!(!storage_delete(db, other.id, storage.id).await?);
            assert!(!notification_delete(db, other.id, notification.id).await?);
            assert!(team_delete(db, own.id).await? && !team_delete(db, own.id).await?);
            assert!(registries_list(db, own.id).await?.is_empty());
            assert!(storages_list(db, own.id).await?.is_empty());
            assert!(notifications_list(db, own.id).await?.is_empty());
            assert!(member_by_team(db, ann, own.id).await?.is_none());
            Ok(())
        }).await.unwrap();
    }

    async fn the_record_is_paged_and_filtered(test) {
        let ann = user(&test, "ann").await;
        let (own, other) = (team(&test, "own", ann, 1).await, team(&test, "other", ann, 2).await);
        let entry = |n: i64, event: &str, name: &str| AuditEntry {
            created: at(n),
            actor: AuditActor::User { id: ann.to_string(), name: name.to_owned(), email: "a_b@example.com".to_owned() },
            context: AuditContext::Http,
            method: Some("post".to_owned()),
            event: event.to_owned(),
            data: Some(serde_json::json!({"n": n})),
        };
        let token = AuditEntry {
            actor: AuditActor::DeploymentToken { id: "1".to_owned(), name: "CI".to_owned() },
            context: AuditContext::Ws, method: None, data: None, ..entry(4, "start", "")
        };
        test.store.write(async |db| -> Result<(), StoreError> {
            for new in [entry(1, "/api/own/nodes", "Ann"), entry(2, "/api/own/Registries", "Bob"), entry(2, "/x%y", "Ann")] {
                team_audit_insert(db, own.id, &new).await?;
            }
            team_audit_insert(db, own.id, &token).await?;
            team_audit_insert(db, other.id, &entry(3, "/api/other", "Ann")).await
        }).await.unwrap();
        let mut db = test.store.read().await.unwrap();
        assert_eq!(team_audit_count(&mut db, own.id).await.unwrap(), 4);
        for (from, to, filter, offset, limit, total, events) in [
            (0, 9, None, 0, 2, 4, vec!["start", "/x%y"]),
            (0, 9, None, 2, 9, 4, vec!["/api/own/Registries", "/api/own/nodes"]),
            (0, 9, None, 0, 0, 4, vec![]),
            (2, 2, None, 0, 9, 2, vec!["/x%y", "/api/own/Registries"]),
            (0, 9, Some("rEGIS"), 0, 9, 1, vec!["/api/own/Registries"]),
            (0, 9, Some("bob"), 0, 9, 1, vec!["/api/own/Registries"]),
            (0, 9, Some("%"), 0, 9, 1, vec!["/x%y"]),
            (0, 9, Some("A_B@"), 0, 9, 3, vec!["/x%y", "/api/own/Registries", "/api/own/nodes"]),
            (0, 9, Some("a\0b"), 0, 9, 0, vec![]),
        ] {
            let query = AuditQuery {
                from: at(from), to: at(to), filter: filter.map(str::to_owned), page: Page { limit, offset },
            };
            let found = team_audit_list(&mut db, own.id, &query).await.unwrap();
            let got: Vec<&str> = found.items.iter().map(|entry| entry.event.as_str()).collect();
            assert_eq!((found.total, got), (total, events), "{query:?}");
        }
        let newest = AuditQuery { from: at(4), to: at(4), filter: None, page: Page { limit: 1, offset: 0 } };
        let found = team_audit_list(&mut db, own.id, &newest).await.unwrap();
        assert_eq!((&found.items[0].actor, &found.items[0].data), (&token.actor, &None));
    }
}
