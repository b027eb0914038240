//! What comes over, and what is told of what does not.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use slipway_controller::import::{ImportOptions, Kind, import};
use slipway_core::release::ReleaseState::{Failed, Succeeded};
use slipway_core::user::User;
use slipway_core::{AppName, Username};
use slipway_store::testing::{Backend, TestStore};
use slipway_store::{self as store, Db, Page};

use crate::bed::{changed, counts, fixture, import_text, imported, options, tally};

const BOTH: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

fn all() -> Page {
    Page { limit: 1000, offset: 0 }
}

async fn user(db: &mut Db, name: &str) -> User {
    store::user_by_name(db, &Username::new(name).unwrap()).await.unwrap().unwrap()
}

async fn app(db: &mut Db, name: &str) -> slipway_core::app::App {
    store::app_by_name(db, &AppName::new(name).unwrap()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_accounted_for() {
    for backend in BOTH {
        let (_test, report) = imported(backend).await;
        for (kind, expect) in [
            (Kind::Users, [6, 4, 0, 2]),
            (Kind::Tokens, [2, 0, 0, 2]),
            (Kind::Keys, [4, 2, 0, 2]),
            (Kind::Apps, [6, 3, 0, 3]),
            (Kind::Configs, [8, 7, 0, 1]),
            (Kind::Builds, [5, 3, 0, 2]),
            (Kind::Releases, [11, 9, 0, 2]),
            (Kind::Domains, [8, 6, 0, 2]),
            (Kind::Certificates, [3, 1, 0, 2]),
            (Kind::Settings, [4, 3, 0, 1]),
            (Kind::Tls, [3, 2, 0, 1]),
            (Kind::Perms, [6, 2, 0, 4]),
        ] {
            assert_eq!(counts(&report, kind), expect, "{kind} on {backend:?}");
        }
        let reasons = |kind: Kind| tally(&report, kind).refused.keys().cloned().collect::<Vec<_>>().join("; ");
        assert!(reasons(Kind::Users).contains("Enter a valid username"), "{}", reasons(Kind::Users));
        assert!(reasons(Kind::Apps).contains("App name must start with"), "{}", reasons(Kind::Apps));
        assert!(reasons(Kind::Apps).contains("the name is reserved here"), "{}", reasons(Kind::Apps));
        assert!(reasons(Kind::Apps).contains("its owner was not imported"), "{}", reasons(Kind::Apps));
        assert!(reasons(Kind::Builds).contains("slug of this platform"), "{}", reasons(Kind::Builds));
        assert!(reasons(Kind::Tokens).contains("logs in once more"), "{}", reasons(Kind::Tokens));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_with_their_passwords_rights_and_keys() {
    for backend in BOTH {
        let (test, _) = imported(backend).await;
        let mut db = test.store.read().await.unwrap();
        let ana = user(&mut db, "ana").await;
        assert!(ana.is_superuser && ana.is_active);
        assert_eq!((ana.first_name.as_str(), ana.last_name.as_str()), ("Ana", "Nás"));
        assert_eq!(ana.last_login.unwrap().to_rfc3339(), "2017-03-02T09:30:22.481530+00:00");
        let dee = user(&mut db, "dee").await;
        assert!(!dee.is_active && !dee.is_superuser);
        let bob = user(&mut db, "bob").await;
        assert!(ana.number < bob.number && bob.number < dee.number, "in the old order");
        let hash = store::user_password_hash(&mut db, bob.id).await.unwrap().unwrap();
        assert!(hash.expose_secret().starts_with("pbkdf2_sha256$24000$"));
        let cy = user(&mut db, "cy@example.com").await;
        assert_eq!(store::user_password_hash(&mut db, cy.id).await.unwrap().unwrap().expose_secret(), "!");
        let keys = store::keys_by_user(&mut db, bob.id).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["bob@laptop"]);
        assert_eq!(keys[0].fingerprint.len(), 47, "computed, since the dump has none");
        let found = store::key_by_fingerprint(&mut db, &keys[0].fingerprint).await.unwrap().unwrap();
        assert_eq!(found.owner, bob.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_come_with_their_whole_history() {
    for backend in BOTH {
        let (test, _) = imported(backend).await;
        let mut db = test.store.read().await.unwrap();
        let blog = app(&mut db, "blog").await;
        assert_eq!(blog.id.to_string(), "00000001-7a31-4c5e-9d2b-000000000001");
        let scale: BTreeMap<_, _> = blog.structure.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(scale, BTreeMap::from([("web", 2), ("worker", 1)]));
        let releases = store::releases_list(&mut db, blog.id, all()).await.unwrap().items;
        let states: Vec<_> = releases.iter().map(|release| (release.version.0, release.state)).collect();
        assert_eq!(states, [(5, Failed), (4, Succeeded), (3, Succeeded), (2, Succeeded), (1, Succeeded)]);
        assert!(releases[0].exception.contains("no pods came up"));
        let current = store::release_latest_good(&mut db, blog.id).await.unwrap().unwrap();
        assert_eq!((current.version.0, current.owner_name.as_str()), (4, "bob"));
        let build = store::build_by_id(&mut db, current.build.unwrap()).await.unwrap().unwrap();
        assert_eq!(build.image, "home/blog:git-1f2e3d4c/push/slug.tgz");
        assert_eq!(build.procfile["worker"], "python3 work.py --queue 'a b'\t# main");

        let config = store::config_by_id(&mut db, current.config).await.unwrap().unwrap();
        let values: BTreeMap<_, _> = config.values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        let expect = BTreeMap::from([
            ("GREETING", "hé\tllo \\ \"x\"\nline two"),
            ("WORKERS", "4"),
            ("RATE", "1.5"),
            ("DEBUG", "True"),
            ("HOSTS", "[\"a\",\"b\"]"),
            ("DATABASE_URL", "postgres://u:made-up-secret@db/blog"),
        ]);
        assert_eq!(values, expect, "in text, without what the grammar refuses and without nulls");
        assert_eq!(config.memory["worker"], "128M/512M");
        assert_eq!(config.cpu.len(), 1);
        assert_eq!(config.tags["disk"], "ssd");
        assert_eq!(store::config_latest(&mut db, blog.id).await.unwrap().unwrap().id, config.id);

        let shop = app(&mut db, "shop").await;
        let releases = store::releases_list(&mut db, shop.id, all()).await.unwrap().items;
        assert_eq!(releases.len(), 3);
        assert_eq!(releases[0].owner_name.as_str(), "bob", "the owner stands in for who did not come over");
        let second = store::config_by_id(&mut db, releases[1].config).await.unwrap().unwrap();
        assert_eq!(second.registry["password"].expose(), "made-up-registry-secret");
        assert_eq!(second.healthcheck["web/cmd"]["readinessProbe"]["httpGet"]["path"], "/up");
        let third = store::config_by_id(&mut db, releases[0].config).await.unwrap().unwrap();
        assert_eq!(third.healthcheck["web/cmd"]["livenessProbe"]["tcpSocket"]["port"], 8080, "of the old form");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_apps_comes_too() {
    for backend in BOTH {
        let (test, report) = imported(backend).await;
        let mut db = test.store.read().await.unwrap();
        let (blog, shop, empty) = (app(&mut db, "blog").await, app(&mut db, "shop").await, app(&mut db, "empty").await);
        let names = |domains: slipway_store::Paged<slipway_core::domain::Domain>| {
            domains.items.into_iter().map(|domain| domain.domain).collect::<Vec<_>>()
        };
        assert_eq!(names(store::domains_list(&mut db, blog.id, all()).await.unwrap()), ["blog", "www.example.com"]);
        assert_eq!(
            names(store::domains_list(&mut db, shop.id, all()).await.unwrap()),
            ["*.shop.example.com", "shop", "xn--bcher-kva.example.com"]
        );
        let settings = store::settings_by_app(&mut db, blog.id).await.unwrap().unwrap();
        assert!(settings.maintenance && settings.routable, "the newest state");
        assert_eq!(settings.label["team"], "web");
        let settings = store::settings_by_app(&mut db, shop.id).await.unwrap().unwrap();
        assert_eq!(settings.allowlist, ["10.0.0.0/8", "2001:db8::1"]);
        assert_eq!(settings.autoscale["web"].max, 4);
        assert_eq!(settings.label["rank"], "3");
        let settings = store::settings_by_app(&mut db, empty.id).await.unwrap().unwrap();
        assert!(!settings.routable, "a list of which nothing is left must not let everybody in");
        assert_eq!(store::tls_by_app(&mut db, blog.id).await.unwrap().unwrap().https_enforced, Some(true));
        assert_eq!(store::tls_by_app(&mut db, shop.id).await.unwrap().unwrap().https_enforced, None);
        let granted = |users: Vec<User>| users.into_iter().map(|user| user.username.to_string()).collect::<Vec<_>>();
        assert_eq!(granted(store::perms_list(&mut db, blog.id).await.unwrap()), ["bob"]);
        assert_eq!(granted(store::perms_list(&mut db, shop.id).await.unwrap()), ["ana"]);
        let record = store::events_by_subject(&mut db, "app", &blog.id.to_string(), all()).await.unwrap();
        assert_eq!(record.items[0].action, "import");
        let certificates = store::certificates_by_app(&mut db, blog.id).await.unwrap();
        assert_eq!(certificates.len(), 1);
        assert_eq!(certificates[0].domains, ["www.example.com"]);
        assert!(certificates[0].key_pem.expose().contains("PRIVATE KEY"));
        let not_attached = &tally(&report, Kind::Domains).changed["its certificate was not imported: not attached"];
        assert_eq!(not_attached.rows, ["*.shop.example.com"]);
    }
}

/// As Drycc has it since 2020.
#[tokio::test(flavor = "multi_thread")]
async fn automatic_certificates_come_too() {
    let shop = "\t\\N\t00000001-7a31-4c5e-9d2b-000000000002\t2\n";
    let dump = changed("https_enforced, app_id, owner_id)", "https_enforced, certs_auto_enabled, app_id, owner_id)")
        .replace(
            "\t\\N\t00000001-7a31-4c5e-9d2b-000000000001\t1\n",
            "\t\\N\t\\N\t00000001-7a31-4c5e-9d2b-000000000001\t1\n",
        )
        .replace("\tt\t00000001-7a31-4c5e-9d2b-000000000001\t1\n", "\tt\tt\t00000001-7a31-4c5e-9d2b-000000000001\t1\n")
        .replace(shop, &shop.replacen("\\N", "\\N\tf", 1));
    for backend in BOTH {
        let test = TestStore::open(backend).await;
        let report = import_text(&test, &dump).await.unwrap();
        assert_eq!(counts(&report, Kind::Tls), [3, 2, 0, 1]);
        let mut db = test.store.read().await.unwrap();
        for (name, expect) in
            [("blog", (Some(true), Some(true))), ("shop", (None, Some(false))), ("empty", (None, None))]
        {
            let app = app(&mut db, name).await;
            let tls = store::tls_by_app(&mut db, app.id).await.unwrap().unwrap();
            assert_eq!((tls.https_enforced, tls.certs_auto_enabled), expect, "{name}");
        }
        let told = tally(&report, Kind::Tls).changed.keys().any(|text| text.contains("SLIPWAY_CLUSTER_ISSUER"));
        assert!(told, "that they take an issuer is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_import_changes_nothing() {
    for backend in BOTH {
        let (test, first) = imported(backend).await;
        let second = import(&test.store, fixture(), &options()).await.unwrap();
        for (kind, tally) in &second.kinds {
            let before = counts(&first, *kind);
            let after = counts(&second, *kind);
            assert_eq!(after[0], before[0], "{kind}");
            assert_eq!(tally.imported, 0, "{kind}");
            let is_history = !matches!(kind, Kind::Settings | Kind::Tls);
            assert!(!is_history || after[2] == before[1], "{kind} on {backend:?}: {after:?} after {before:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_since_does_not_return() {
    let (test, _) = imported(Backend::Sqlite).await;
    let mut transaction = test.store.transaction().await.unwrap();
    let db = transaction.db();
    let (blog, bob) = (app(db, "blog").await, user(db, "bob").await);
    assert!(store::perm_revoke(db, blog.id, bob.id).await.unwrap());
    assert!(store::key_delete(db, bob.id, "bob@laptop").await.unwrap());
    assert!(store::domain_delete(db, blog.id, "www.example.com").await.unwrap());
    transaction.commit().await.unwrap();
    let report = import(&test.store, fixture(), &options()).await.unwrap();
    for kind in [Kind::Keys, Kind::Domains, Kind::Perms] {
        assert_eq!(counts(&report, kind)[1], 0, "{kind}");
    }
    let mut db = test.store.read().await.unwrap();
    assert!(store::perms_list(&mut db, blog.id).await.unwrap().is_empty());
    assert!(store::keys_by_user(&mut db, bob.id).await.unwrap().is_empty());
    assert!(store::domain_by_name(&mut db, "www.example.com").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_the_same_and_keeps_nothing() {
    for backend in BOTH {
        let test = TestStore::open(backend).await;
        let dry = import(&test.store, fixture(), &ImportOptions { is_dry_run: true, ..options() }).await.unwrap();
        let mut db = test.store.read().await.unwrap();
        assert_eq!(store::user_count(&mut db).await.unwrap(), 0);
        assert!(store::apps_all_names(&mut db).await.unwrap().is_empty());
        assert_eq!(store::events_list(&mut db, all()).await.unwrap().total, 0);
        drop(db);
        let wet = import(&test.store, fixture(), &options()).await.unwrap();
        assert_eq!(dry.kinds, wet.kinds);
        assert!(dry.dry_run && dry.to_string().contains("dry run"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_may_come_over_stopped() {
    let test = TestStore::open(Backend::Sqlite).await;
    import(&test.store, fixture(), &ImportOptions { is_stopped: true, ..options() }).await.unwrap();
    let blog = app(&mut test.store.read().await.unwrap(), "blog").await;
    assert_eq!(blog.structure.len(), 2);
    assert!(blog.structure.values().all(|count| *count == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_here_is_left_alone() {
    for backend in BOTH {
        let test = TestStore::open(backend).await;
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let new = store::NewUser {
            username: Username::new("bob").unwrap(),
            email: "here@example.com".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: "$argon2id$here".to_owned().into(),
            is_superuser: true,
            date_joined: now,
        };
        let bob = store::user_insert(db, &new).await.unwrap();
        let new = store::NewApp {
            name: AppName::new("blog").unwrap(),
            owner: bob.id,
            structure: BTreeMap::new(),
            created: now,
        };
        let blog = store::app_insert(db, &new).await.unwrap();
        store::settings_insert(db, blog.id, bob.id, now).await.unwrap();
        let domain =
            store::NewDomain { app: blog.id, owner: bob.id, domain: "*.shop.example.com".to_owned(), created: now };
        store::domain_insert(db, &domain).await.unwrap();
        transaction.commit().await.unwrap();

        let report = import(&test.store, fixture(), &options()).await.unwrap();
        assert_eq!(counts(&report, Kind::Users), [6, 3, 1, 2]);
        assert_eq!(counts(&report, Kind::Apps), [6, 2, 0, 4]);
        assert!(tally(&report, Kind::Apps).refused.contains_key("another app has this name here"));
        assert!(tally(&report, Kind::Domains).refused.contains_key("another app has it here"));
        let mut db = test.store.read().await.unwrap();
        let kept = user(&mut db, "bob").await;
        assert_eq!((kept.id, kept.email.as_str(), kept.is_superuser), (bob.id, "here@example.com", true));
        let hash = store::user_password_hash(&mut db, bob.id).await.unwrap().unwrap();
        assert_eq!(hash.expose_secret(), "$argon2id$here");
        assert_eq!(app(&mut db, "blog").await.id, blog.id);
        assert_eq!(store::releases_list(&mut db, blog.id, all()).await.unwrap().total, 0);
        assert_eq!(app(&mut db, "shop").await.owner, bob.id, "of the user of that name");
        assert_eq!(store::keys_by_user(&mut db, bob.id).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_history_gets_a_beginning() {
    let test = TestStore::open(Backend::Sqlite).await;
    // The configuration of the only release of `empty` is not a map.
    let dump =
        changed("2017-03-01 09:03:22.481503+00\t{}\t{}\t{}\t{}\t", "2017-03-01 09:03:22.481503+00\t[]\t{}\t{}\t{}\t");
    let report = import_text(&test, dump).await.unwrap();
    assert!(tally(&report, Kind::Configs).refused.contains_key("values is not a map in JSON"));
    let mut db = test.store.read().await.unwrap();
    let empty = app(&mut db, "empty").await;
    let release = store::release_latest_good(&mut db, empty.id).await.unwrap().unwrap();
    assert_eq!((release.version.0, release.build), (1, None));
    assert!(store::config_by_id(&mut db, release.config).await.unwrap().unwrap().values.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_report() {
    let (_test, report) = imported(Backend::Sqlite).await;
    let json = serde_json::to_string(&report).unwrap();
    for text in [json, report.to_string()] {
        for secret in ["made-up", "MADE UP", "PRIVATE KEY", "pbkdf2", "0123456789abcdef", "AAAAnonsense"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
