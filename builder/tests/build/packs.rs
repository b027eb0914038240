//! Each built-in buildpack whose tool is installed builds its fixture, twice.

use std::fs;
use std::path::Path;

use slipway_builder::BuildError;
use slipway_builder::build::static_server::{Site, SiteConfig, serve};

use crate::lab::{Lab, installed};

#[tokio::test(flavor = "multi_thread")]
async fn python_with_packages() {
    let lab = Lab::new();
    let (built, log) = lab.built(lab.fixture("python"), &[]).await;
    for part in
        ["-----> Python app detected", "-----> Using Python 3.", "       ", "Running: pip install", "Slug size: "]
    {
        assert!(log.contains(part), "no {part:?} in:\n{log}");
    }
    assert_eq!(built.stack, "buildpack");
    assert_eq!(built.dockerfile, "");
    assert_eq!(built.procfile.keys().collect::<Vec<_>>(), ["web"]);
    let answer = lab.answer(&built, &[("GREETING", "Ahoy")]);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Ahoy from Python"), "{answer}");
    assert!(!lab.tree(&built).join(".git").exists());
    let script = fs::read_to_string(lab.tree(&built).join(".slipway/python/bin/gunicorn")).unwrap();
    assert!(!script.contains(lab.dir.path().to_str().unwrap()), "{script}");

    let (built, log) = lab.built(lab.fixture("python"), &[]).await;
    assert!(log.contains("Restored the installed packages from the cache"), "{log}");
    assert!(!log.contains("Running: pip install"), "{log}");
    assert!(lab.answer(&built, &[]).contains("Hello from Python"));

    // A damaged cache never fails a build.
    truncate_files(&lab.cache().join("venv/tree/lib"));
    truncate_files(&lab.cache().join("pip"));
    let (built, log) = lab.built(lab.fixture("python"), &[]).await;
    assert!(log.contains("Running: pip install"), "{log}");
    assert!(lab.answer(&built, &[]).contains("Hello from Python"));

    // Other requirements are installed, not restored.
    let source = lab.fixture("python");
    fs::write(source.join("requirements.txt"), "flask==3.1.0\ngunicorn==23.0.0\nitsdangerous==2.2.0\n").unwrap();
    let (_, log) = lab.built(source, &[]).await;
    assert!(log.contains("Running: pip install"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_versions_that_are_not_there() {
    let lab = Lab::new();
    let source = lab.fixture("python");
    fs::write(source.join(".python-version"), "3.99\n").unwrap();
    let (text, _) = lab.failed(source, &[]).await;
    assert!(text.starts_with(".python-version asks for Python 3.99, which is not installed"), "{text}");
    assert!(text.contains("available: 3."), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_packages_that_are_not_there() {
    let lab = Lab::new();
    let source = lab.source(&[("requirements.txt", "no such package !!\n"), ("Procfile", "web: x")]);
    let (text, log) = lab.failed(source, &[]).await;
    assert!(text.contains("pip install -r requirements.txt failed (exit code 1)"), "{text}");
    assert!(log.contains("       ") && log.contains("no such package"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_project_with_a_default_command() {
    let lab = Lab::new();
    let app = fs::read_to_string(lab.fixture("python").join("app.py")).unwrap();
    let project =
        "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = [\"flask==3.1.0\", \"gunicorn==23.0.0\"]\n";
    let source = lab.source(&[("pyproject.toml", project), ("app.py", &app)]);
    let (built, log) = lab.built(source, &[]).await;
    assert!(log.contains("Default types for buildpack -> web"), "{log}");
    assert_eq!(built.procfile["web"], "gunicorn app:app --bind 0.0.0.0:$PORT");
    assert!(lab.answer(&built, &[]).contains("Hello from Python"));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_with_packages() {
    let lab = Lab::new();
    let (built, log) = lab.built(lab.fixture("node"), &[]).await;
    for part in ["-----> Node.js app detected", "Running: npm ci", "built with a development package"] {
        assert!(log.contains(part), "no {part:?} in:\n{log}");
    }
    let answer = lab.answer(&built, &[("GREETING", "Moin")]);
    assert!(answer.contains("Moin from Node.js (built: true)"), "{answer}");
    let modules = lab.tree(&built).join("node_modules");
    assert!(modules.join("express").is_dir());
    assert!(!modules.join("is-number").exists(), "development packages are gone");

    let (built, log) = lab.built(lab.fixture("node"), &[]).await;
    assert!(log.contains("Restored node_modules from the cache") && !log.contains("Running: npm ci"), "{log}");
    assert!(log.contains("built with a development package"), "{log}");
    assert!(lab.answer(&built, &[]).contains("Hello from Node.js"));

    // With the kept tree gone and the downloads damaged, npm still installs.
    fs::remove_dir_all(lab.cache().join("node-modules/tree")).unwrap();
    truncate_files(&lab.cache().join("npm"));
    let (built, log) = lab.built(lab.fixture("node"), &[]).await;
    assert!(log.contains("Running: npm ci"), "{log}");
    assert!(lab.answer(&built, &[]).contains("Hello from Node.js"));
}

/// With pnpm installed or fetched by npm.
#[tokio::test(flavor = "multi_thread")]
async fn node_with_pnpm() {
    let lab = Lab::new();
    let package = r#"{"name":"x","version":"1.0.0","private":true,"packageManager":"pnpm@9.15.0",
        "scripts":{"start":"node -e 1","build":"node -e 'require(`is-number`)'"},
        "dependencies":{"ms":"2.1.3"},"devDependencies":{"is-number":"7.0.0"}}"#;
    let files = [("package.json", package), ("pnpm-lock.yaml", PNPM_LOCK)];
    let (built, log) = lab.built(lab.source(&files), &[]).await;
    assert!(log.contains("Running: pnpm install --frozen-lockfile"), "{log}");
    assert!(!log.contains("npm warn"), "{log}");
    let modules = lab.tree(&built).join("node_modules");
    assert!(modules.join("ms/package.json").is_file() && !modules.join("is-number").exists());
    let (_, log) = lab.built(lab.source(&files), &[]).await;
    assert!(log.contains("Restored node_modules from the cache"), "{log}");
}

const PNPM_LOCK: &str = "lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      ms:
        specifier: 2.1.3
        version: 2.1.3
    devDependencies:
      is-number:
        specifier: 7.0.0
        version: 7.0.0

packages:

  is-number@7.0.0:
    resolution: {integrity: sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==}
    engines: {node: '>=0.12.0'}

  ms@2.1.3:
    resolution: {integrity: sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==}

snapshots:

  is-number@7.0.0: {}

  ms@2.1.3: {}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_build_shows_the_tools_own_words() {
    let lab = Lab::new();
    let (text, log) = lab.failed(lab.fixture("failing-build"), &[]).await;
    assert_eq!(text, "npm run build failed (exit code 3); see its output above");
    assert!(log.contains("       front.js:12: the bracket is never closed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn go_with_the_standard_library() {
    if !installed("go") {
        let lab = Lab::new();
        let (result, _) = lab.build(lab.fixture("go"), &[]).await;
        assert!(matches!(result, Err(BuildError::Unavailable(text)) if text.contains("Go is not installed")));
        return;
    }
    let lab = Lab::new();
    let (built, log) = lab.built(lab.fixture("go"), &[]).await;
    assert!(log.contains("-----> Go app detected") && log.contains("bin/go-fixture"), "{log}");
    assert_eq!(built.procfile["web"], "bin/go-fixture");
    assert!(lab.answer(&built, &[("GREETING", "Salve")]).contains("Salve from Go"));
    let (built, log) = lab.built(lab.fixture("go"), &[]).await;
    assert!(log.contains("Using the modules and packages in the cache"), "{log}");
    assert!(lab.answer(&built, &[]).contains("Hello from Go"));

    let source = lab.fixture("go");
    fs::write(source.join("main.go"), "package main\n\nfunc main() { missing() }\n").unwrap();
    let (text, log) = lab.failed(source, &[]).await;
    assert!(text.starts_with("go build failed"), "{text}");
    assert_eq!(log.matches("undefined: missing").count(), 1, "the app's own mistakes are not tried twice:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_without_dependencies() {
    let lab = Lab::new();
    let (built, log) = lab.built(lab.fixture("rust"), &[]).await;
    assert!(log.contains("-----> Rust app detected") && log.contains("cargo build --release --locked"), "{log}");
    assert!(lab.answer(&built, &[("GREETING", "Hej")]).contains("Hej from Rust"));
    let (_, log) = lab.built(lab.fixture("rust"), &[]).await;
    assert!(log.contains("Using the compiled dependencies in the cache"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ruby() {
    let lab = Lab::new();
    let (result, log) = lab.build(lab.fixture("ruby"), &[]).await;
    assert!(log.contains("-----> Ruby app detected"), "{log}");
    match result {
        Ok(built) => assert!(lab.answer(&built, &[("GREETING", "Salut")]).contains("Salut from Ruby")),
        Err(BuildError::Unavailable(text)) => {
            assert!(!installed("ruby") || !installed("bundle"));
            assert!(text.contains("is not installed on this machine: apt-get install ruby"), "{text}");
        }
        Err(error) => panic!("{error:?}\n{log}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procfile_alone() {
    let lab = Lab::new();
    let (built, log) = lab.built(lab.fixture("procfile"), &[]).await;
    assert!(log.contains("Procfile declares types     -> web, worker"), "{log}");
    assert_eq!(built.procfile.len(), 2);
    assert!(lab.answer(&built, &[("GREETING", "Hi")]).contains("Hi from a Procfile"));
    assert!(lab.manifest(&built).processes == built.procfile);
    // The crashing app builds as well: it fails when it is released.
    let (built, _) = lab.built(lab.fixture("crash"), &[]).await;
    assert!(built.procfile["web"].contains("exit 7"));
}

#[tokio::test(flavor = "multi_thread")]
async fn static_files() {
    let lab = Lab::new();
    let (built, log) = lab.built(lab.fixture("static"), &[]).await;
    assert!(log.contains("-----> Static app detected"), "{log}");
    assert_eq!(built.procfile["web"], r#"exec "$SLIPWAY_BIN" static-server ."#);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Site::new(&lab.tree(&built), SiteConfig::default()).unwrap();
    let server = tokio::spawn(serve(listener, site, std::future::pending()));
    let get = |path: &'static str| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    assert!(get("/").await.contains("<html"));
    assert!(get("/style.css").await.contains("text/css"));
    let missing = get("/../../../../etc/passwd").await;
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("nothing at this address"), "{missing}");
    server.abort();

    let source = lab.source(&[("static.json", r#"{"root":"dist it"}"#), ("dist it/index.html", "x")]);
    let (built, _) = lab.built(source, &[]).await;
    assert_eq!(built.procfile["web"], r#"exec "$SLIPWAY_BIN" static-server 'dist it'"#);
    let (text, _) = lab.failed(lab.source(&[("static.json", r#"{"root":"gone"}"#)]), &[]).await;
    assert!(text.contains("static.json: 'root' names gone"), "{text}");
}

fn truncate_files(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            truncate_files(&entry.path());
        } else if entry.file_type().unwrap().is_file() {
            fs::write(entry.path(), "damaged").unwrap();
        }
    }
}
