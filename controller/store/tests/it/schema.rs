//! The tables of both databases: alike, sound, and to be taken back and made again.

use std::collections::BTreeSet;

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use secrecy::ExposeSecret;
use slipway_store::testing::{Backend, TEST_KEY, TestStore, postgres_database};
use slipway_store::{Store, StoreConfig};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

async fn postgres(url: &str) -> AsyncPgConnection {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    AsyncPgConnection::try_from_client_and_connection(client, connection).await.unwrap()
}

/// Runs a statement behind the store's back.
pub async fn raw(test: &TestStore, sql: &str) {
    match &test.file {
        Some(file) => {
            let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
            diesel::connection::SimpleConnection::batch_execute(&mut conn, sql).unwrap();
        }
        None => postgres(test.url.expose_secret()).await.batch_execute(sql).await.unwrap(),
    }
}

#[derive(QueryableByName, Debug, PartialEq, Eq)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The order of text differs by server.
fn sorted(lines: Vec<Line>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().map(|line| line.line).collect();
    lines.sort();
    lines
}

fn sqlite_lines(test: &TestStore, sql: &str) -> Vec<String> {
    let mut conn = SqliteConnection::establish(test.file.as_ref().unwrap().to_str().unwrap()).unwrap();
    let lines: Vec<Line> = diesel::RunQueryDsl::load(diesel::sql_query(sql), &mut conn).unwrap();
    sorted(lines)
}

async fn postgres_lines(url: &str, sql: &str) -> Vec<String> {
    let lines: Vec<Line> = diesel::sql_query(sql).load(&mut postgres(url).await).await.unwrap();
    sorted(lines)
}

const SQLITE_COLUMNS: &str = "
    SELECT t.name || '.' || c.name || CASE WHEN c.\"notnull\" THEN ' not null' ELSE '' END AS line
    FROM sqlite_master t, pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_\\_%' ESCAPE '\\'";
const POSTGRES_COLUMNS: &str = "
    SELECT (table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END)::text AS line
    FROM information_schema.columns
    JOIN pg_tables ON schemaname = table_schema AND tablename = table_name
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'";

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let lite = TestStore::open(Backend::Sqlite).await;
    let pg = TestStore::open(Backend::Postgres).await;
    let columns = sqlite_lines(&lite, SQLITE_COLUMNS);
    assert!(columns.iter().any(|line| line == "releases.deadline") && columns.len() > 50, "{columns:?}");
    assert_eq!(columns, postgres_lines(pg.url.expose_secret(), POSTGRES_COLUMNS).await);

    let indexes = "SELECT name AS line FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%'";
    let named = "SELECT indexname::text AS line FROM pg_indexes WHERE schemaname = 'public'
                 AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'";
    assert_eq!(sqlite_lines(&lite, indexes), postgres_lines(pg.url.expose_secret(), named).await);
}

#[tokio::test]
async fn every_reference_leads_an_index_and_cascades_as_meant() {
    let lite = TestStore::open(Backend::Sqlite).await;
    let sql = "SELECT t.name || '.' || f.\"from\" || ' ' || f.on_delete AS line
               FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";
    let references = sqlite_lines(&lite, sql);
    let leading: BTreeSet<String> = sqlite_lines(
        &lite,
        "SELECT t.name || '.' || c.name AS line FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
         WHERE t.type = 'table' AND c.seqno = 0 AND NOT i.partial AND c.name IS NOT NULL",
    )
    .into_iter()
    .collect();
    for reference in &references {
        let (column, on_delete) = reference.split_once(' ').unwrap();
        assert!(leading.contains(column), "{column} leads no index");
        let expect = match column {
            "apps.owner" | "certs.owner" => "NO ACTION",
            "versions.parent" => "SET NULL",
            _ => "CASCADE",
        };
        assert_eq!(on_delete, expect, "{column}");
    }
    assert!(references.len() >= 12, "{references:?}");

    let pg = TestStore::open(Backend::Postgres).await;
    let sql = "SELECT c.conrelid::regclass || '.' || a.attname || ' '
                      || CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END AS line
               FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
               WHERE c.contype = 'f'";
    assert_eq!(references, postgres_lines(pg.url.expose_secret(), sql).await);
}

#[tokio::test]
async fn migrations_go_up_and_down_and_up_again() {
    let lite = TestStore::open(Backend::Sqlite).await;
    let before = sqlite_lines(&lite, SQLITE_COLUMNS);
    let mut conn = SqliteConnection::establish(lite.file.as_ref().unwrap().to_str().unwrap()).unwrap();
    let steps = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE).unwrap();
    assert!(!steps.is_empty());
    for step in steps.iter().rev() {
        step.revert(&mut conn).unwrap();
    }
    assert_eq!(sqlite_lines(&lite, SQLITE_COLUMNS), [""; 0]);
    for step in &steps {
        step.run(&mut conn).unwrap();
    }
    assert_eq!(sqlite_lines(&lite, SQLITE_COLUMNS), before);

    let pg = TestStore::open(Backend::Postgres).await;
    let url = pg.url.expose_secret();
    let before = postgres_lines(url, POSTGRES_COLUMNS).await;
    let names = |steps: &[Box<dyn diesel::migration::Migration<diesel::pg::Pg>>]| {
        steps.iter().map(|step| step.name().to_string()).collect::<Vec<_>>()
    };
    let pg_steps = MigrationSource::<diesel::pg::Pg>::migrations(&POSTGRES).unwrap();
    assert_eq!(names(&pg_steps), steps.iter().map(|step| step.name().to_string()).collect::<Vec<_>>());
    let mut conn = postgres(url).await;
    for step in pg_steps.iter().rev() {
        conn.batch_execute(&sql_of(&step.name().to_string(), "down")).await.unwrap();
    }
    assert_eq!(postgres_lines(url, POSTGRES_COLUMNS).await, [""; 0]);
    for step in &pg_steps {
        conn.batch_execute(&sql_of(&step.name().to_string(), "up")).await.unwrap();
    }
    assert_eq!(postgres_lines(url, POSTGRES_COLUMNS).await, before);
}

fn sql_of(step: &str, direction: &str) -> String {
    let path = format!("{}/../../migrations/postgres/{step}/{direction}.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn many_may_open_a_new_postgres_database_at_once() {
    let url = postgres_database(false).await;
    let opens = (0..8).map(|_| Store::connect(StoreConfig::new(url.clone().into(), TEST_KEY)));
    for opened in futures::future::join_all(opens).await {
        opened.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn many_may_open_a_new_sqlite_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/deep/er/slipway.db", dir.path().display());
    let opens = (0..8).map(|_| Store::connect(StoreConfig::new(url.clone().into(), TEST_KEY)));
    for opened in futures::future::join_all(opens).await {
        opened.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn addresses_that_make_no_sense_are_refused_without_being_shown() {
    let bad = ["", "mysql://u:hunter2@h/d", "sqlite://", "sqlite::memory:", "sqlite:///proc/hunter2/x.db"];
    for url in bad {
        let error = Store::connect(StoreConfig::new(url.to_owned().into(), TEST_KEY)).await.err().expect(url);
        assert!(matches!(error, slipway_store::StoreError::Setup(_)), "{error:?}");
        assert!(url.starts_with("sqlite") || !error.to_string().contains("hunter2"), "{error}");
    }
    let away = "postgres://u:hunter2@127.0.0.1:1/d".to_owned();
    let error = Store::connect(StoreConfig::new(away.into(), TEST_KEY)).await.err().unwrap();
    assert!(error.retryable() && !error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn look_ups_that_must_be_fast_use_their_index() {
    let lite = TestStore::open(Backend::Sqlite).await;
    for (query, index) in [
        ("SELECT * FROM users WHERE key_hash = x'00'", "autoindex_users"),
        ("SELECT * FROM keys WHERE fingerprint = 'x'", "autoindex_keys"),
        ("SELECT * FROM apps WHERE name = 'x'", "autoindex_apps"),
        ("SELECT * FROM releases WHERE app = 'x' ORDER BY version DESC", "autoindex_releases"),
        ("SELECT * FROM builds WHERE app = 'x' ORDER BY created DESC", "builds_app_created"),
        ("SELECT * FROM releases WHERE state IN ('created', 'deploying') ORDER BY app, version", "releases_pending"),
        ("SELECT * FROM certs WHERE owner = 'x' ORDER BY name", "certs_owner"),
        ("SELECT * FROM certs_domains WHERE cert = 'x' ORDER BY domain", "certs_domains_cert"),
        ("SELECT * FROM log_lines WHERE app = 'x' ORDER BY number DESC", "log_lines_app"),
        ("SELECT count(*) FROM apps WHERE NOT (apps.is_deleting)", "apps_living"),
        (
            "SELECT apps.name FROM apps JOIN users ON apps.owner = users.id WHERE NOT (apps.is_deleting) ORDER BY apps.name LIMIT ?",
            "apps_living",
        ),
        (
            "SELECT * FROM settings WHERE settings.autoscale <> '{}' \
             AND app NOT IN (SELECT id FROM apps WHERE apps.is_deleting) ORDER BY app",
            "settings_autoscaled",
        ),
        ("SELECT * FROM apps WHERE apps.is_deleting ORDER BY id", "apps_deleting"),
        (
            "SELECT * FROM apps JOIN users ON apps.owner = users.id WHERE is_deleting = ? \
             AND (apps.owner = 'x' OR apps.id IN (SELECT app FROM perms WHERE user_id = 'x')) ORDER BY name",
            "MULTI-INDEX OR",
        ),
        ("SELECT * FROM apps WHERE desired_generation <> observed_generation", "apps_unsettled"),
    ] {
        let mut conn = SqliteConnection::establish(lite.file.as_ref().unwrap().to_str().unwrap()).unwrap();
        let plan: Vec<Plan> =
            diesel::RunQueryDsl::load(diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")), &mut conn).unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.detail).collect();
        assert!(plan[0].contains(index), "{query}: {plan:?}");
    }
}

#[derive(QueryableByName)]
struct Plan {
    #[diesel(sql_type = Text)]
    detail: String,
}
