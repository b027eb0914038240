//! Certificates, from upload to what the engine is asked to serve.

use std::time::Duration;

use slipway_core::Error;
use slipway_core::error::Kind;
use slipway_core::log::LogQuery;
use slipway_store::testing::Backend;

use super::bed::Bed;
use crate::testing::{TestCertificate, TestKey};
use crate::{Cx, PageQuery, Reconciler};

async fn add(bed: &Bed, cx: &Cx, name: &str, hosts: &[&str]) -> TestCertificate {
    let made = TestCertificate::new(hosts).unwrap();
    bed.service.certificate_create(cx, name, &made.certificate, &made.key).await.unwrap();
    made
}

fn is_missing(error: &Error, kind: Kind) -> bool {
    matches!(error, Error::NotFound { kind: found } if *found == kind)
}

async fn log(bed: &Bed, cx: &Cx, app: &str) -> String {
    let lines = bed.service.app_logs(cx, app, LogQuery::default()).await.unwrap();
    lines.into_iter().map(|line| line.text + "\n").collect()
}

async fn certificates_reach_the_engine(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let _running = bed.start();
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let app = bed.app_id(&bob, "blog").await;
    let made = add(&bed, &bob, "web", &["blog.example.com"]).await;
    bed.service.certificate_attach(&bob, "web", "Blog.").await.unwrap();
    let served = bed.engine.applied(app).unwrap().route.certificates;
    assert_eq!(served.len(), 1);
    assert_eq!(served[0].hosts, ["blog.example.com"], "the app's own name is below the platform's");
    assert_eq!((&served[0].chain_pem, served[0].key_pem.expose()), (&made.certificate, made.key.as_str()));
    assert_eq!(bed.service.certificate_get(&bob, "web").await.unwrap().domains, ["blog"]);
    assert!(log(&bed, &bob, "blog").await.contains("INFO certificate web added to domain blog\n"));

    bed.service.certificate_detach(&bob, "web", "blog").await.unwrap();
    assert_eq!(bed.engine.applied(app).unwrap().route.certificates, []);

    bed.service.certificate_attach(&bob, "web", "blog").await.unwrap();
    bed.service.certificate_delete(&bob, "web").await.unwrap();
    assert_eq!(bed.engine.applied(app).unwrap().route.certificates, []);
    assert!(log(&bed, &bob, "blog").await.contains("INFO certificate web removed\n"));
}

#[tokio::test]
async fn certificates_reach_the_engine_sqlite() {
    certificates_reach_the_engine(Backend::Sqlite).await;
}

#[tokio::test]
async fn certificates_reach_the_engine_postgres() {
    certificates_reach_the_engine(Backend::Postgres).await;
}

#[tokio::test]
async fn only_the_owner_sees_a_certificate() {
    let bed = Bed::new().await;
    let root = bed.user("root").await;
    let bob = bed.user("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    add(&bed, &bob, "web", &["blog.example.com"]).await;
    assert_eq!(bed.service.certificates_list(&root, PageQuery::default()).await.unwrap().count, 0);
    for error in [
        bed.service.certificate_get(&root, "web").await.unwrap_err(),
        bed.service.certificate_delete(&root, "web").await.unwrap_err(),
        bed.service.certificate_attach(&root, "web", "blog").await.unwrap_err(),
        bed.service.certificate_detach(&root, "web", "blog").await.unwrap_err(),
    ] {
        assert!(is_missing(&error, Kind::Certificate), "{error:?}");
    }
}

#[tokio::test]
async fn a_domain_takes_one_certificate_from_somebody_who_may_use_its_app() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    let _running = bed.start();
    let eve = bed.user("eve").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    add(&bed, &eve, "evil", &["blog.example.com"]).await;
    add(&bed, &bob, "web", &["blog.example.com"]).await;

    let error = bed.service.certificate_attach(&eve, "evil", "blog").await.unwrap_err();
    assert!(matches!(error, Error::Forbidden(_)), "{error:?}");
    bed.service.perm_grant(&bob, "blog", "eve").await.unwrap();
    bed.service.certificate_attach(&eve, "evil", "blog").await.unwrap();
    let error = bed.service.certificate_attach(&bob, "web", "blog").await.unwrap_err();
    assert!(matches!(&error, Error::Conflict(text) if text == "Domain already has a certificate attached to it"));

    let error = bed.service.certificate_detach(&bob, "web", "blog").await.unwrap_err();
    assert!(is_missing(&error, Kind::Domain), "it has another: {error:?}");
    bed.service.perm_revoke(&bob, "blog", "eve").await.unwrap();
    bed.service.certificate_detach(&eve, "evil", "blog").await.unwrap();

    for (domain, expect) in [("none.example.com", Kind::Domain), ("a\0b", Kind::Domain)] {
        let error = bed.service.certificate_attach(&bob, "web", domain).await.unwrap_err();
        assert!(is_missing(&error, expect), "{error:?}");
    }
    let error = bed.service.certificate_attach(&bob, "none", "blog").await.unwrap_err();
    assert!(is_missing(&error, Kind::Certificate), "{error:?}");
    let error = bed.service.certificate_attach(&bob, "none", " ").await.unwrap_err();
    assert!(matches!(&error, Error::Rejected(text) if text == "domain is a required field"));
}

#[tokio::test]
async fn the_apps_log_warns_of_what_clients_will_refuse() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    let _running = bed.start();
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let made = TestCertificate::with(TestKey::Ec, &["shop.example.com"], -30, -1).unwrap();
    bed.service.certificate_create(&bob, "old", &made.certificate, &made.key).await.unwrap();
    bed.service.certificate_attach(&bob, "old", "blog").await.unwrap();
    let log = log(&bed, &bob, "blog").await;
    assert!(
        log.contains("WARN certificate old does not cover blog.example.com (it is for shop.example.com)\n"),
        "{log}"
    );
    assert!(log.contains("WARN certificate old expired at "), "{log}");
}

#[tokio::test]
async fn names_are_checked_and_taken_once() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    let _running = bed.start();
    let eve = bed.user("eve").await;
    let made = add(&bed, &bob, "web", &["a.example.com"]).await;
    let create = async |cx: &Cx, name: &str| -> Vec<(String, String)> {
        match bed.service.certificate_create(cx, name, &made.certificate, &made.key).await {
            Err(Error::Invalid(fields)) => {
                fields.into_iter().map(|field| (field.field, field.messages.concat())).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    let name = |message: &str| vec![("name".to_owned(), message.to_owned())];
    assert_eq!(create(&eve, "web").await, name("certificate with this name already exists."));
    for bad in ["Web", "a_b", "a.b", "ü", "a b", "*"] {
        assert_eq!(create(&bob, bad).await, name("Can only contain a-z (lowercase), 0-9 and hyphens"), "{bad}");
    }
    assert_eq!(create(&bob, "").await, name("This field may not be blank."));
    assert_eq!(create(&bob, &"a".repeat(254)).await, name("Ensure this field has no more than 253 characters."));
    bed.service.certificate_create(&bob, &"a".repeat(253), &made.certificate, &made.key).await.unwrap();
}

#[tokio::test]
async fn whoever_has_certificates_cannot_go() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    let _running = bed.start();
    add(&bed, &bob, "web", &["a.example.com"]).await;
    let error = bed.service.user_cancel(&bob, None).await.unwrap_err();
    assert!(matches!(&error, Error::Conflict(text) if text == "bob still has certificates. Remove them first"));
    bed.service.certificate_delete(&bob, "web").await.unwrap();
    bed.service.user_cancel(&bob, None).await.unwrap();
}

async fn an_end_is_warned_of_once_a_day(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let _running = bed.start();
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    for (name, to_day) in [("soon", 20), ("unused", 2)] {
        let made = TestCertificate::with(TestKey::Ec, &["blog.example.com"], 0, to_day).unwrap();
        bed.service.certificate_create(&bob, name, &made.certificate, &made.key).await.unwrap();
    }
    assert_eq!(bed.service.certificates_first_end().await.unwrap(), None, "none is in use");
    bed.service.certificate_attach(&bob, "soon", "blog").await.unwrap();
    let end = bed.service.certificates_first_end().await.unwrap().unwrap();
    assert_eq!(end, bed.service.certificate_get(&bob, "soon").await.unwrap().facts.expires);

    let day = Duration::from_hours(24);
    let warned = async || {
        let reconciler = Reconciler::new(bed.restarted());
        for _ in 0..2 {
            reconciler.expiry_warn().await.unwrap();
        }
        let text = log(&bed, &bob, "blog").await;
        text.lines().filter(|line| line.contains(" expire")).map(str::to_owned).collect::<Vec<_>>()
    };
    bed.clock.advance(day);
    assert!(warned().await.is_empty());
    // Half a day from any border: the certificate is made by the real clock, a moment after the other one was set.
    bed.clock.advance(day * 12 + day / 2);
    let date = end.format("%Y-%m-%d");
    assert_eq!(warned().await, [format!("WARN certificate soon for blog expires in 6 days, on {date}")]);
    bed.clock.advance(day / 2);
    assert_eq!(warned().await.len(), 1);
    bed.clock.advance(day / 2);
    assert_eq!(warned().await.len(), 2);
    bed.clock.advance(day * 8);
    assert_eq!(warned().await.last().unwrap(), &format!("WARN certificate soon for blog expired on {date}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_warned_of_once_a_day_sqlite() {
    an_end_is_warned_of_once_a_day(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_warned_of_once_a_day_postgres() {
    an_end_is_warned_of_once_a_day(Backend::Postgres).await;
}
