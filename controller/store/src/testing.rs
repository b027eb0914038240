//! Databases for tests: each test gets its own, on the database it asks for.
//!
//! SQLite is a file in a temporary directory. PostgreSQL is one private server per test process, started from the
//! system's `initdb` and `postgres`, in which each test's database is a copy of one that holds the tables. With
//! `SLIPWAY_TEST_POSTGRES_URL` (an address without a database, as `postgres://user@host:port`) that server is used.
//! If there is none and none can be started, tests fail and say what to install: they are never passed over.
#![expect(clippy::expect_used, clippy::panic, reason = "a test without a database has failed")]

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use secrecy::{ExposeSecret, SecretString};

use crate::{SealingKey, Store, StoreConfig, postgres};

/// The key of every test's database.
pub const TEST_KEY: SealingKey = SealingKey::from_bytes([7; 32]);

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database of the private server.
    Postgres,
}

/// A store with a database of its own.
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// Where its database is, for a second store on the same one.
    pub url: SecretString,
    /// The SQLite file, if it is one.
    pub file: Option<PathBuf>,
    _dir: Option<tempfile::TempDir>,
}

impl TestStore {
    /// Makes a new database with all tables and opens it.
    ///
    /// # Panics
    /// If that does not work; the message says what is missing.
    pub async fn open(backend: Backend) -> Self {
        let (url, dir, file) = match backend {
            Backend::Sqlite => {
                let dir = tempfile::tempdir().expect("a temporary directory");
                let file = dir.path().join("slipway.db");
                (format!("sqlite://{}", file.display()), Some(dir), Some(file))
            }
            Backend::Postgres => (postgres_database(true).await, None, None),
        };
        let url = SecretString::from(url);
        let store = Store::connect(StoreConfig::new(url.clone(), TEST_KEY)).await.expect("the test's database opens");
        Self { store, url, file, _dir: dir }
    }
}

/// The server's address without a database.
static SERVER: OnceLock<String> = OnceLock::new();
/// The database that tests' databases are copied from.
static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Makes a database, with the tables or empty, and gives its address.
///
/// # Panics
/// If there is no PostgreSQL and none can be started.
pub async fn postgres_database(with_tables: bool) -> String {
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start_server).clone())
        .await
        .expect("PostgreSQL for tests starts");
    let template = if with_tables {
        let template = TEMPLATE
            .get_or_init(|| async {
                let name = format!("slipway_{}_template", std::process::id());
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                let url = SecretString::from(format!("{server}/{name}"));
                let store = Store::connect(StoreConfig::new(url, TEST_KEY)).await.expect("the tables are made");
                drop(store);
                name
            })
            .await;
        format!(" TEMPLATE {template}")
    } else {
        String::new()
    };
    let name = format!("slipway_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    execute(&server, &format!("CREATE DATABASE {name}{template}")).await;
    format!("{server}/{name}")
}

/// Removes a database that [`postgres_database`] made, with all connections to it.
///
/// # Panics
/// If it is not there.
pub async fn postgres_drop(url: &SecretString) {
    let (server, name) = url.expose_secret().rsplit_once('/').expect("the address of a database");
    execute(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

/// Runs a statement in the server's own database. Copying waits until nobody is on the template any more.
async fn execute(server: &str, sql: &str) {
    let target = postgres::Target::new(&format!("{server}/postgres")).expect("the test server's address");
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let mut conn = target.connect().await.expect("the test server answers");
        match conn.batch_execute(sql).await {
            Ok(()) => return,
            Err(error) if error.to_string().contains("being accessed") && Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }
}

/// Starts the private server and waits until it answers.
fn start_server() -> String {
    if let Ok(url) = std::env::var("SLIPWAY_TEST_POSTGRES_URL") {
        return url.trim_end_matches('/').to_owned();
    }
    let bin = find_binaries();
    sweep();
    let dir = std::env::temp_dir().join(format!("slipway-test-postgres-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory for PostgreSQL");
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).expect("a private directory");
    // PostgreSQL refuses to run as root.
    let account = unprivileged();
    if let Some((uid, gid)) = account {
        chown(&dir, Some(uid), Some(gid)).expect("the directory changes hands");
    }
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(&dir).stdin(Stdio::null());
        if let Some((uid, gid)) = account {
            command.uid(uid).gid(gid);
        }
        command
    };
    let data = dir.join("data");
    let made = command(&bin.join("initdb"))
        .args(["--username=slipway", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
        .arg(&data)
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));

    // The server ends with this process however that ends: the kernel signals it when the thread that started it is
    // gone, and this thread stays as long as the process does.
    let log = std::fs::File::create(dir.join("log")).expect("a log file");
    let mut server = command(Path::new("setpriv"));
    server
        .args(["--pdeathsig", "INT", "--"])
        .arg(bin.join("postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&dir)
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off"])
        .args(["-c", "full_page_writes=off", "-c", "max_connections=400", "-c", "shared_buffers=64MB"])
        .stdout(log.try_clone().expect("a log file"))
        .stderr(log);
    let (started, is_started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let child = server.spawn();
        let _ = started.send(child.as_ref().map(std::process::Child::id).map_err(ToString::to_string));
        if let Ok(mut child) = child {
            let _ = child.wait();
        }
        loop {
            std::thread::park();
        }
    });
    is_started
        .recv()
        .expect("the thread reports")
        .unwrap_or_else(|error| panic!("cannot start postgres with setpriv (package util-linux): {error}"));

    let ready = bin.join("pg_isready");
    let deadline = Instant::now() + Duration::from_mins(2);
    while !Command::new(&ready).arg("-q").arg("-h").arg(&dir).status().is_ok_and(|status| status.success()) {
        assert!(
            Instant::now() < deadline,
            "PostgreSQL does not answer: {}",
            std::fs::read_to_string(dir.join("log")).unwrap_or_default()
        );
        std::thread::yield_now();
    }
    let host = dir.to_str().expect("a temporary directory with a plain name").replace('/', "%2F");
    format!("postgres://slipway@{host}")
}

/// Where `initdb` and `postgres` are.
fn find_binaries() -> PathBuf {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .collect();
    places.sort();
    places.reverse();
    places.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    places.into_iter().find(|dir| ["initdb", "postgres", "pg_isready"].iter().all(|name| dir.join(name).is_file())).expect(
        "these tests run on PostgreSQL too, and its server is not installed: `apt-get install postgresql` (Debian), \
         or set SLIPWAY_TEST_POSTGRES_URL to a server on which databases can be made",
    )
}

/// User and group to run the server as, when this is root.
fn unprivileged() -> Option<(u32, u32)> {
    let me = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").ok()?);
    if me != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|wanted| {
        let mut fields = accounts.lines().find(|line| line.split(':').next() == Some(wanted))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// Removes what earlier test processes left: they cannot tidy up when they have ended.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("slipway-test-postgres-")) else { continue };
        // The server may outlive its starter by a moment; it is over when its own pid file is gone.
        let is_running = Path::new("/proc").join(pid).exists() || entry.path().join("data/postmaster.pid").exists();
        if pid.bytes().all(|byte| byte.is_ascii_digit()) && !is_running {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
