//! A server of git repositories over HTTP: git's own, behind a small front.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use crate::Repo;

/// Serves the repositories below a directory until the test ends.
pub struct GitHttp {
    address: SocketAddr,
    gate: Arc<Gate>,
}

/// Holds requests back while it is shut.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_shut: bool,
    /// Requests that came in.
    seen: usize,
}

impl GitHttp {
    /// Serves `repo` as `/repo` on loopback.
    #[must_use]
    pub fn serve(repo: &Repo) -> Self {
        Self::serve_at(repo, "127.0.0.1")
    }

    /// As [`Self::serve`], at another address of this machine.
    #[must_use]
    pub fn serve_at(repo: &Repo, host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::<Gate>::default();
        let (root, kept) = (repo.path().join(".git"), Arc::clone(&gate));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, gate) = (root.clone(), Arc::clone(&kept));
                std::thread::spawn(move || {
                    // A client that goes away has its reasons.
                    let _ = answer(stream, &root, &gate);
                });
            }
        });
        Self { address, gate }
    }

    /// The address of the repository.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/repo", self.address)
    }

    /// How many requests came in so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.gate.state.lock().unwrap().seen
    }

    /// Holds answers back from now on, or lets them go.
    pub fn shut(&self, is_shut: bool) {
        self.gate.state.lock().unwrap().is_shut = is_shut;
        self.gate.changed.notify_all();
    }
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.seen += 1;
        while state.is_shut {
            state = self.changed.wait(state).unwrap();
        }
    }
}

fn answer(stream: TcpStream, root: &Path, gate: &Gate) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (mut length, mut media_type) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "content-type" => value.trim().clone_into(&mut media_type),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    gate.pass();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let output = backend(root, &method, path, query, &media_type, &body)?;
    let end = output.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(output.len());
    let (head, rest) = output.split_at(end);
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let headers: String =
        head.lines().filter(|line| !line.starts_with("Status:")).fold(String::new(), |text, line| text + line + "\r\n");
    let rest = rest.get(4..).unwrap_or_default();
    let mut stream = stream;
    stream.write_all(
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", rest.len()).as_bytes(),
    )?;
    stream.write_all(rest)
}

/// What git's own server says to a request. Source: `git-http-backend(1)`.
fn backend(
    root: &Path,
    method: &str,
    path: &str,
    query: &str,
    media_type: &str,
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let translated: PathBuf = root.join(path.trim_start_matches("/repo").trim_start_matches('/'));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_TRANSLATED", translated)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", media_type)
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(body)?;
    }
    Ok(child.wait_with_output()?.stdout)
}
