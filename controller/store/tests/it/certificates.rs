//! Certificates and the domains they are served for.

use slipway_core::certificate::{Certificate, CertificateFacts};
use slipway_core::config::SecretText;
use slipway_core::{Page, UserId};
use slipway_store::*;

use crate::fixtures::*;

const KEY: &str = "-----BEGIN PRIVATE KEY----- correct-horse-battery-staple";

fn new_certificate(owner: UserId, name: &str) -> NewCertificate {
    NewCertificate {
        owner,
        name: name.to_owned(),
        facts: CertificateFacts {
            common_name: Some("a\0b".to_owned()),
            san: vec!["a.example.com".to_owned(), "*.example.com".to_owned()],
            fingerprint: "00:FF".to_owned(),
            issuer: "/CN=me".to_owned(),
            subject: "/CN=a".to_owned(),
            starts: at(-10),
            expires: "9999-12-31T23:59:59Z".parse().unwrap(),
        },
        chain_pem: format!("chain of {name}"),
        key_pem: SecretText::new(KEY),
        created: at(0),
    }
}

async fn certificate(db: &mut Db, owner: UserId, name: &str) -> Certificate {
    certificate_insert(db, &new_certificate(owner, name)).await.unwrap()
}

async fn domain(db: &mut Db, app: &slipway_core::app::App, name: &str) {
    let new = NewDomain { app: app.id, owner: app.owner, domain: name.to_owned(), created: at(0) };
    domain_insert(db, &new).await.unwrap();
}

both! {
    async fn certificates_read_back_as_written(test) {
        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            let eve = user(db, "eve").await;
            let written = certificate(db, bob.id, "web").await;
            let first = certificate(db, bob.id, "first").await;
            assert!(first.number > written.number && written.number > 0);
            assert_eq!(written.facts.common_name.as_deref(), Some("a\u{fffd}b"));
            assert_eq!(written.facts.san, ["a.example.com", "*.example.com"]);
            assert_eq!(written.facts.expires, new_certificate(bob.id, "").facts.expires);
            assert_eq!(certificate_by_name(db, bob.id, "web").await?.as_ref(), Some(&written));
            for (owner, name) in [(eve.id, "web"), (bob.id, "none"), (bob.id, "we\0b")] {
                assert_eq!(certificate_by_name(db, owner, name).await?, None);
            }
            let names = |listed: Paged<Certificate>| {
                (listed.total, listed.items.into_iter().map(|item| item.name).collect::<Vec<_>>())
            };
            assert_eq!(names(certificates_list(db, bob.id, Page::default()).await?), (2, vec!["first".to_owned(), "web".to_owned()]));
            assert_eq!(names(certificates_list(db, bob.id, Page { limit: 1, offset: 1 }).await?), (2, vec!["web".to_owned()]));
            assert_eq!(names(certificates_list(db, eve.id, Page::default()).await?), (0, Vec::new()));
            assert_eq!(certificates_count_by_owner(db, bob.id).await?, 2);
            assert!(certificate_delete(db, written.id).await? && !certificate_delete(db, written.id).await?);
            Ok(())
        }).await.unwrap();
    }

    async fn names_are_unique_over_all_owners(test) {
        let eve = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            certificate(db, bob.id, "web").await;
            Ok(user(db, "eve").await)
        }).await.unwrap();
        let second = test.store.write(async |db| certificate_insert(db, &new_certificate(eve.id, "web")).await).await;
        assert!(matches!(second, Err(StoreError::Conflict { what: UniqueOn::CertificateName })), "{second:?}");
    }

    async fn a_domain_has_one_certificate_and_gives_it_up_with_itself(test) {
        let (blog, web, other) = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let (blog, shop) = (app(db, bob.id, "blog").await, app(db, bob.id, "shop").await);
            for name in ["a.example.com", "b.example.com"] {
                domain(db, &blog, name).await;
            }
            domain(db, &shop, "c.example.com").await;
            let (web, other) = (certificate(db, bob.id, "web").await, certificate(db, bob.id, "other").await);
            for name in ["c.example.com", "b.example.com", "a.example.com"] {
                assert!(!domain_has_certificate(db, name).await?);
                certificate_attach(db, web.id, name).await?;
            }
            assert!(domain_has_certificate(db, "a.example.com").await?);
            let mut apps = certificate_apps(db, web.id).await?;
            apps.sort();
            let mut expect = vec![blog.id, shop.id];
            expect.sort();
            assert_eq!(apps, expect);
            Ok((blog, web, other))
        }).await.unwrap();

        let second = test.store.write(async |db| certificate_attach(db, other.id, "a.example.com").await).await;
        assert!(matches!(second, Err(StoreError::Conflict { what: UniqueOn::CertificateDomain })), "{second:?}");
        let missing = test.store.write(async |db| certificate_attach(db, other.id, "none").await).await;
        assert!(matches!(missing, Err(StoreError::Reference)), "{missing:?}");

        test.store.write(async |db| -> Result<(), StoreError> {
            let bob = web.owner;
            let found = certificate_by_name(db, bob, "web").await?.unwrap();
            assert_eq!(found.domains, ["a.example.com", "b.example.com", "c.example.com"]);
            let attached = certificates_by_app(db, blog.id).await?;
            assert_eq!(attached.len(), 1);
            assert_eq!(attached[0].domains, ["a.example.com", "b.example.com"]);
            assert_eq!((attached[0].chain_pem.as_str(), attached[0].key_pem.expose()), ("chain of web", KEY));
            assert!(!format!("{attached:?}").contains("battery"));

            assert!(!certificate_detach(db, other.id, "a.example.com").await?, "that is not the one it has");
            assert!(certificate_detach(db, web.id, "a.example.com").await?);
            assert!(!certificate_detach(db, web.id, "a.example.com").await?);
            domain_delete(db, blog.id, "b.example.com").await?;
            assert_eq!(certificates_by_app(db, blog.id).await?, []);
            let listed = certificates_list(db, bob, Page::default()).await?.items;
            let domains: Vec<(&str, &[String])> = listed.iter().map(|item| (item.name.as_str(), item.domains.as_slice())).collect();
            assert_eq!(domains, [("other", &[][..]), ("web", &["c.example.com".to_owned()][..])]);
            certificate_delete(db, web.id).await?;
            assert!(!domain_has_certificate(db, "c.example.com").await?);
            Ok(())
        }).await.unwrap();
    }

    async fn an_owner_stays_while_there_are_certificates(test) {
        let bob = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            certificate(db, bob.id, "web").await;
            Ok(bob)
        }).await.unwrap();
        let deleted = test.store.write(async |db| user_delete(db, bob.id).await).await;
        assert!(matches!(deleted, Err(StoreError::Reference)), "{deleted:?}");
    }

    async fn keys_are_sealed_for_their_row(test) {
        let blog = test.store.write(async |db| -> Result<_, StoreError> {
            let bob = user(db, "bob").await;
            let blog = app(db, bob.id, "blog").await;
            domain(db, &blog, "a.example.com").await;
            let (web, _) = (certificate(db, bob.id, "web").await, certificate(db, bob.id, "other").await);
            certificate_attach(db, web.id, "a.example.com").await?;
            Ok(blog)
        }).await.unwrap();
        crate::schema::raw(
            &test,
            "UPDATE certs SET sealed_key = (SELECT sealed_key FROM certs WHERE name = 'other') WHERE name = 'web'",
        ).await;
        let mut db = test.store.read().await.unwrap();
        let opened = certificates_by_app(&mut db, blog.id).await;
        assert!(matches!(opened, Err(StoreError::Corrupt { table: "certs", .. })), "{opened:?}");
    }
}

#[tokio::test]
async fn no_key_is_readable_in_the_files() {
    let test = testing::TestStore::open(testing::Backend::Sqlite).await;
    test.store
        .write(async |db| -> Result<(), StoreError> {
            let bob = user(db, "bob").await;
            certificate(db, bob.id, "web").await;
            Ok(())
        })
        .await
        .unwrap();
    let mut all = Vec::new();
    for entry in std::fs::read_dir(test.file.clone().unwrap().parent().unwrap()).unwrap() {
        all.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let contains = |what: &str| all.windows(what.len()).any(|window| window == what.as_bytes());
    assert!(contains("chain of web"), "the search itself works");
    assert!(!contains("correct-horse") && !contains("PRIVATE KEY"));
}
