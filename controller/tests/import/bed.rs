//! What the tests share: the fixture, a store to import into, and PostgreSQL's own tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use slipway_controller::import::{Failure, ImportOptions, Kind, Report, Source, Tally, import};
use slipway_store::testing::{Backend, TestStore, postgres_database};

/// A database in the layout of Deis Workflow 2.18, as `pg_dump` writes it, with made-up rows.
pub(crate) const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/deis.sql");
/// The same as text.
pub(crate) const DUMP: &str = include_str!("../fixtures/deis.sql");

pub(crate) fn options() -> ImportOptions {
    ImportOptions {
        is_dry_run: false,
        is_stopped: false,
        platform_domain: "apps.test".to_owned(),
        reserved_names: vec!["slipway".to_owned()],
    }
}

pub(crate) fn fixture() -> Source {
    Source::File(PathBuf::from(FIXTURE))
}

/// A store into which the fixture was imported.
pub(crate) async fn imported(backend: Backend) -> (TestStore, Report) {
    let test = TestStore::open(backend).await;
    let report = import(&test.store, fixture(), &options()).await.unwrap();
    (test, report)
}

/// Imports a dump that is given as text.
pub(crate) async fn import_text(test: &TestStore, dump: impl AsRef<[u8]>) -> Result<Report, Failure> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), dump).unwrap();
    import(&test.store, Source::File(file.path().to_owned()), &options()).await
}

/// The fixture with one text in place of another, which must be there.
pub(crate) fn changed(from: &str, to: &str) -> String {
    assert!(DUMP.contains(from), "the fixture has no {from:?}");
    DUMP.replace(from, to)
}

pub(crate) fn tally(report: &Report, kind: Kind) -> &Tally {
    &report.kinds[&kind]
}

/// Found, imported, existing and refused rows of a kind.
pub(crate) fn counts(report: &Report, kind: Kind) -> [usize; 4] {
    let tally = tally(report, kind);
    let refused = tally.refused.values().map(|named| named.count).sum();
    assert_eq!(tally.found, tally.imported + tally.existing + refused, "{kind}: every row is accounted for");
    [tally.found, tally.imported, tally.existing, refused]
}

/// Runs one of PostgreSQL's tools.
pub(crate) fn tool(name: &str, arguments: &[&str]) {
    let program = tool_path(name);
    let output = Command::new(&program).args(arguments).env("PGOPTIONS", "-c client_min_messages=warning").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// That of the newest server that is installed, since an older tool refuses a newer server.
fn tool_path(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|path| path.is_file())
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| PathBuf::from(name))
}

/// A live database with the fixture in it, as the old platform has it.
pub(crate) async fn live() -> String {
    let url = postgres_database(false).await;
    let arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", FIXTURE, url.as_str()];
    tool("psql", &arguments);
    url
}

/// A dump of `url` made with these further arguments.
pub(crate) fn dump(url: &str, to: &Path, arguments: &[&str]) {
    let file = format!("--file={}", to.display());
    let mut all = vec!["--no-owner", file.as_str()];
    all.extend(arguments);
    all.push(url);
    tool("pg_dump", &all);
}
