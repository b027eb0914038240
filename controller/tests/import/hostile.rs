//! Dumps that are cut off, damaged, or made to do harm.

use std::path::PathBuf;

use slipway_controller::import::{Kind, Source, import};
use slipway_core::AppName;
use slipway_store::testing::{Backend, TestStore};
use slipway_store::{self as store, Page};

use crate::bed::{DUMP, FIXTURE, changed, counts, import_text, options, tally};

/// Why a dump is refused; nothing of it may be kept.
async fn refused(dump: impl AsRef<[u8]>) -> String {
    let test = TestStore::open(Backend::Sqlite).await;
    let error = import_text(&test, dump).await.unwrap_err().to_string();
    let mut db = test.store.read().await.unwrap();
    assert_eq!(store::user_count(&mut db).await.unwrap(), 0, "{error}");
    assert!(store::apps_all_names(&mut db).await.unwrap().is_empty(), "{error}");
    assert!(!error.contains("made-up") && !error.contains("pbkdf2"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_cut_off_is_refused_wherever_it_ends() {
    let last = DUMP.find("-- PostgreSQL database dump complete").unwrap();
    for end in (0..last).step_by(997) {
        let error = refused(&DUMP.as_bytes()[..end]).await;
        assert!(error.contains("cut off") || error.contains("not a dump"), "at {end}: {error}");
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, DUMP.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for end in [1, 2, 10, packed.len() / 2, packed.len() - 1] {
        refused(&packed[..end]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_dump_is_refused_with_the_reason() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let latin = DUMP.replace("Nás", "N\u{1}s").into_bytes();
    let latin: Vec<u8> = latin.into_iter().map(|byte| if byte == 1 { 0xe1 } else { byte }).collect();
    let long = format!("{}'{}';\n", "SET x = ", "a".repeat(65 << 20));
    for (dump, expect) in [
        (Vec::new(), "not a dump"),
        (b"hello\n".to_vec(), "cut off"),
        (b"-- PostgreSQL database dump complete\n".to_vec(), "there is no table auth_user"),
        (wide(DUMP), "UTF-16"),
        ([&[0xff, 0xfe][..], &wide(DUMP)].concat(), "UTF-16"),
        (latin, "not UTF-8"),
        (changed("client_encoding = 'UTF8'", "client_encoding = 'LATIN1'").into_bytes(), "encoding LATIN1"),
        (
            changed("COPY public.auth_user (id, password", "COPY public.auth_user (id, pass").into_bytes(),
            "no column password",
        ),
        (changed("\tblog\t{", "\tblog\tx\t{").into_bytes(), "columns, not the 7 that were named"),
        (changed("COPY public.api_key ", "COPY public.api_app ").into_bytes(), "comes twice"),
        (changed("public.api_release ", "public.api_releases ").into_bytes(), "there is no table api_release"),
        (long.into_bytes(), "longer than"),
        (b"\x28\xb5\x2f\xfdxxxx".to_vec(), "packed with zstd"),
        (b"PK\x03\x04xxxx".to_vec(), "packed with zip"),
        (b"PGDMP\x01\x0e\x00nonsense".to_vec(), "pg_restore could not read the archive"),
    ] {
        let error = refused(&dump).await;
        assert!(error.contains(expect), "{expect}: {error}");
    }
    let test = TestStore::open(Backend::Sqlite).await;
    let gone = Source::File(PathBuf::from("/not/there.sql"));
    assert!(import(&test.store, gone, &options()).await.unwrap_err().to_string().contains("/not/there.sql"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_cannot_reach_into_other_apps() {
    let test = TestStore::open(Backend::Sqlite).await;
    // Release 7, of `shop`, names the configuration of `blog` that holds its secrets.
    let from = "00000002-7a31-4c5e-9d2b-000000000005\t2\tf";
    let report = import_text(&test, changed(from, "00000002-7a31-4c5e-9d2b-000000000003\t2\tf")).await.unwrap();
    let reason = "its configuration was not imported, or belongs to another app";
    assert_eq!(tally(&report, Kind::Releases).refused[reason].rows, ["shop v2"]);
    let mut db = test.store.read().await.unwrap();
    let shop = store::app_by_name(&mut db, &AppName::new("shop").unwrap()).await.unwrap().unwrap();
    let blog = store::app_by_name(&mut db, &AppName::new("blog").unwrap()).await.unwrap().unwrap();
    for release in store::releases_list(&mut db, shop.id, Page { limit: 100, offset: 0 }).await.unwrap().items {
        assert_ne!(store::config_by_id(&mut db, release.config).await.unwrap().unwrap().app, blog.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_rows_that_make_no_sense_are_left_out_alone() {
    for (from, to, kind, reason) in [
        (
            "2017-03-01 09:01:22.481501+00\t2017-03-03 09:40:22.481540+00\tblog",
            "infinity\tinfinity\tblog",
            Kind::Apps,
            "created is not a time",
        ),
        ("00000001-7a31-4c5e-9d2b-000000000003\t2017", "nonsense\t2017", Kind::Apps, "uuid is not a UUID"),
        ("1f2e3d4c\t{", "; rm -rf /\t{", Kind::Builds, "sha is not the hash of a commit"),
        ("quay.io/example/shop:1.4\t\t", "\t\t", Kind::Builds, "image is empty"),
        ("\t5\tbob deployed 9a8b7c6", "\t99999999999\tbob deployed 9a8b7c6", Kind::Releases, "version is out of range"),
        ("\t3\tana deployed 1f2e3d4", "\t2\tana deployed 1f2e3d4", Kind::Releases, "its number comes twice"),
        ("\tWWW.Example.com\t", "\t../../etc/passwd\t", Kind::Domains, "Hostname does not look valid"),
        ("{10.0.0.0/8,2001:db8::1}", "{10.0.0.0/8", Kind::Settings, "is not a list"),
        ("{\"web\": 2, \"worker\": 1}", "[1]", Kind::Apps, "structure is not a map"),
    ] {
        let test = TestStore::open(Backend::Sqlite).await;
        let report = import_text(&test, changed(from, to)).await.unwrap();
        let reasons: Vec<&String> = tally(&report, kind).refused.keys().collect();
        assert!(reasons.iter().any(|found| found.contains(reason)), "{reason}: {reasons:?}");
        for kind in report.kinds.keys() {
            counts(&report, *kind);
        }
        assert!(report.count_imported(Kind::Users) == 4 && report.count_imported(Kind::Apps) >= 2, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_and_odd_values_are_left_out() {
    let test = TestStore::open(Backend::Sqlite).await;
    let huge = format!("{{\"BIG\": \"{}\", \"NUL\": \"a\\\\u0000b\", \"OK\": \"1\"}}", "x".repeat(5 << 20));
    let report = import_text(&test, changed("{\"A\": \"1\"}", &huge)).await.unwrap();
    let changed = &tally(&report, Kind::Configs).changed;
    assert!(changed.keys().any(|what| what.contains("BIG is larger than")), "{changed:?}");
    assert!(changed.keys().any(|what| what.contains("NUL holds a NUL character")), "{changed:?}");
    let mut db = test.store.read().await.unwrap();
    let shop = store::app_by_name(&mut db, &AppName::new("shop").unwrap()).await.unwrap().unwrap();
    let config = store::config_latest(&mut db, shop.id).await.unwrap().unwrap();
    assert_eq!(config.values.keys().collect::<Vec<_>>(), ["OK"]);
}

/// Numbers that are the same in every run.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_anywhere_is_refused_or_accounted_for() {
    let signs = b"\t\n\\'\"{}[],;$\0\xff1tNx-";
    for seed in 0..60 {
        let mut state = seed;
        let mut dump = DUMP.as_bytes().to_vec();
        for _ in 0..=seed % 7 {
            let at = next(&mut state) % dump.len();
            dump[at] = signs[next(&mut state) % signs.len()];
        }
        let test = TestStore::open(Backend::Sqlite).await;
        if let Ok(report) = import_text(&test, &dump).await {
            for kind in report.kinds.keys() {
                counts(&report, *kind);
            }
            // What was taken over can be read again.
            let mut db = test.store.read().await.unwrap();
            for app in store::apps_list(&mut db, Page { limit: 100, offset: 0 }).await.unwrap().items {
                let release = store::release_latest_good(&mut db, app.id).await.unwrap().unwrap();
                assert!(store::config_by_id(&mut db, release.config).await.unwrap().is_some(), "seed {seed}");
                assert!(store::settings_by_app(&mut db, app.id).await.unwrap().is_some(), "seed {seed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fixture_itself_is_whole() {
    assert_eq!(std::fs::read_to_string(FIXTURE).unwrap(), DUMP);
    let test = TestStore::open(Backend::Sqlite).await;
    assert_eq!(counts(&import_text(&test, DUMP).await.unwrap(), Kind::Apps), [6, 3, 0, 3]);
}
