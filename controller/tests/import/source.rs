//! The same rows from every form of source.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use secrecy::SecretString;
use slipway_controller::import::{Report, Source, import};
use slipway_store::testing::{Backend, TestStore};

use crate::bed::{DUMP, dump, import_text, imported, live, options};

async fn import_from(source: Source) -> Report {
    let test = TestStore::open(Backend::Sqlite).await;
    import(&test.store, source, &options()).await.unwrap()
}

fn file(path: &Path) -> Source {
    Source::File(path.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_database_is_read_like_a_dump() {
    let (_test, expect) = imported(Backend::Sqlite).await;
    let url = live().await;
    assert_eq!(import_from(Source::Database(SecretString::from(url.clone()))).await, expect);
    // Into the same server, from another of its databases.
    let test = TestStore::open(Backend::Postgres).await;
    assert_eq!(import(&test.store, Source::Database(SecretString::from(url)), &options()).await.unwrap(), expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_dump_gives_the_same() {
    let (_test, expect) = imported(Backend::Sqlite).await;
    let url = live().await;
    let dir = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("plain.sql", &[][..]),
        ("inserts.sql", &["--inserts"]),
        ("columns.sql", &["--column-inserts"]),
        ("many.sql", &["--rows-per-insert=3"]),
        ("quoted.sql", &["--quote-all-identifiers"]),
        ("data.sql", &["--data-only", "--column-inserts", "--on-conflict-do-nothing"]),
        ("plain.sql.gz", &["--compress=6"]),
        ("custom.dump", &["--format=custom"]),
        ("tar.dump", &["--format=tar"]),
        ("dir.dump", &["--format=directory"]),
    ] {
        let path = dir.path().join(name);
        dump(&url, &path, arguments);
        let report = import_from(file(&path)).await;
        assert_eq!(report.kinds, expect.kinds, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn line_ends_marks_and_commands_do_not_matter() {
    let (_test, expect) = imported(Backend::Sqlite).await;
    let test = TestStore::open(Backend::Sqlite).await;
    let dir = tempfile::tempdir().unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(DUMP.as_bytes()).unwrap();
    let restricted = format!("\u{feff}\\restrict aB3\n{DUMP}\n\\unrestrict aB3\n");
    let without_schema = DUMP.replace("public.", "");
    for (name, bytes) in [
        ("crlf", DUMP.replace('\n', "\r\n").into_bytes()),
        ("restricted", restricted.into_bytes()),
        ("schema", without_schema.into_bytes()),
        ("gzip", packed.finish().unwrap()),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let test = TestStore::open(Backend::Sqlite).await;
        assert_eq!(import(&test.store, file(&path), &options()).await.unwrap(), expect, "{name}");
    }
    assert_eq!(import_text(&test, DUMP).await.unwrap(), expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_none_of_these_is_refused() {
    let test = TestStore::open(Backend::Sqlite).await;
    let empty = slipway_store::testing::postgres_database(false).await;
    for (url, expect) in [
        (empty.as_str(), "there is no table auth_user"),
        ("postgres://u:hunter2@127.0.0.1:1/x?sslmode=sometimes", "sslmode must be"),
        ("postgres://u:hunter2@127.0.0.1:1/x", "does not answer"),
        ("mysql://u:hunter2@h/x", "must begin with postgres://"),
    ] {
        let source = Source::Database(SecretString::from(url));
        let error = import(&test.store, source, &options()).await.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
