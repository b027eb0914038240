//! A git repository with an app in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Run;

/// A repository on branch `main` with one commit.
pub struct Repo {
    dir: tempfile::TempDir,
}

/// A web server that says what it is and which release it belongs to. It shows the variable `GREETING`. It listens when
/// there is the file that `BOOT_GATE` names.
pub const SERVER: &str = r#"import http.server, os, sys, time
while not os.path.exists(os.environ.get("BOOT_GATE", "/")): time.sleep(0.05)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: unbuffered they wait for each other's acknowledgement
    def do_GET(self):
        text = "text=%s release=%s greeting=%s pid=%d path=%s\n" % (
            open("text").read().strip(), os.environ.get("WORKFLOW_RELEASE"), os.environ.get("GREETING"),
            os.getpid(), self.path)
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, format, *args):
        print("served", self.path, flush=True)
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
print("listening", flush=True)
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

impl Repo {
    /// A repository with these files.
    #[must_use]
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self { dir: tempfile::Builder::new().prefix("slipway-repo-").tempdir().unwrap() };
        repo.run(&["init", "-q", "-b", "main"]);
        for (name, text) in files {
            repo.write(name, text);
        }
        repo.commit("First");
        repo
    }

    /// A copy of `tests/fixtures/apps/NAME`.
    #[must_use]
    pub fn fixture(name: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/apps").join(name);
        let repo = Self { dir: tempfile::Builder::new().prefix("slipway-repo-").tempdir().unwrap() };
        Run::of(Command::new("cp").arg("-r").arg(source.join(".")).arg(repo.path())).ok();
        repo.run(&["init", "-q", "-b", "main"]);
        repo.commit("First");
        repo
    }

    /// An app that needs no build: a Procfile and a small Python server with the standard library only. It answers
    /// with `text=TEXT`.
    #[must_use]
    pub fn server(text: &str) -> Self {
        Self::with(&[("Procfile", "web: exec python3 server.py\n"), ("server.py", SERVER), ("text", text)])
    }

    /// The work tree.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits all there is.
    pub fn commit(&self, message: &str) {
        self.run(&["add", "-A"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Writes a file and commits.
    pub fn change(&self, name: &str, text: &str) {
        self.write(name, text);
        self.commit(&format!("Change {name}"));
    }

    /// Adds `count` commits on branch `main`, each with a new version of one file: three objects a commit.
    pub fn add_history(&self, count: usize) {
        let parent = self.run(&["rev-parse", "main"]).stdout.trim().to_owned();
        let mut import = Command::new("git")
            .current_dir(self.path())
            .args(["fast-import", "--quiet", "--force"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        {
            let mut input = std::io::BufWriter::new(import.stdin.take().unwrap());
            for n in 0..count {
                let from = if n == 0 { format!("from {parent}\n") } else { String::new() };
                let text = format!("entry {n}\n");
                write!(
                    input,
                    "commit refs/heads/main\ncommitter T <t@example.com> {} +0000\ndata 1\nx\n{from}M 100644 inline history\ndata {}\n{text}\n",
                    1_700_000_000 + n,
                    text.len()
                )
                .unwrap();
            }
        }
        assert!(import.wait().unwrap().success());
        self.run(&["reset", "-q", "--hard", "main"]);
    }

    /// Runs git in the repository without any user's settings and asserts success.
    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(
            Command::new("git")
                .current_dir(self.path())
                .args(["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "gc.auto=0"])
                .args(args)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_SYSTEM", "/dev/null"),
        )
        .ok()
    }

    /// The commit at HEAD.
    #[must_use]
    pub fn head(&self) -> String {
        self.run(&["rev-parse", "HEAD"]).stdout.trim().to_owned()
    }

    /// A path below the work tree.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
