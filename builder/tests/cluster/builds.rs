//! From source to an app that answers.

use crate::lab::Lab;

/// What the log says was new: number of parts.
fn new_parts(log: &str) -> &str {
    log.lines().find(|line| line.contains("parts were new")).unwrap_or_else(|| panic!("{log}")).trim()
}

#[tokio::test]
async fn python_is_built_from_the_cache_and_sends_only_what_changed() {
    let Some(lab) = Lab::open("python", |_| {}).await else { return };
    let (built, log) = lab.built(lab.fixture("python"), &[("GREETING", "Good day")]).await;
    assert!(log.contains("-----> Python app detected"), "{log}");
    assert!(built.image.contains("@sha256:") && built.dockerfile.is_empty() && built.stack == "buildpack");
    // Config, start, dependencies, code; the base's layers are mounted.
    assert!(new_parts(&log).starts_with("4 of "), "{log}");
    assert!(lab.answer(&built).await.starts_with("Hello from Python"));
    lab.settled().await;

    let source = lab.fixture("python");
    std::fs::write(source.join("new.txt"), "one file").unwrap();
    let (changed, log) = lab.built(source, &[]).await;
    assert_ne!(changed.image, built.image);
    // Config and code.
    assert!(new_parts(&log).starts_with("2 of "), "{log}");
    lab.close().await;
}

#[tokio::test]
async fn node_is_built_and_runs() {
    let Some(lab) = Lab::open("node", |_| {}).await else { return };
    let (built, log) = lab.built(lab.fixture("node"), &[]).await;
    assert!(log.contains("Node.js app detected"), "{log}");
    assert!(lab.answer(&built).await.starts_with("Hello from Node.js (built: true)"));
    lab.close().await;
}

#[tokio::test]
async fn a_profile_script_and_static_files_work_in_the_image() {
    let Some(lab) = Lab::open("profile", |_| {}).await else { return };
    let server = "import http.server, os, socketserver\n\
        class H(http.server.BaseHTTPRequestHandler):\n\
        \x20   def do_GET(self):\n\
        \x20       self.send_response(200); self.end_headers()\n\
        \x20       self.wfile.write(' '.join([os.environ['FROM_PROFILE'], os.getcwd(), os.environ['HOME']]).encode())\n\
        socketserver.TCPServer(('', int(os.environ['PORT'])), H).serve_forever()\n";
    let source = lab.source(&[
        ("Procfile", "web: python3 \"serve.py\"\n"),
        ("serve.py", server),
        (".profile.d/a.sh", "export FROM_PROFILE=set\n"),
    ]);
    let (built, _) = lab.built(source, &[]).await;
    assert_eq!(lab.answer(&built).await, "set /app /app");
    let (built, log) = lab.built(lab.fixture("static"), &[]).await;
    assert!(log.contains("Static"), "{log}");
    assert!(lab.answer(&built).await.contains('<'));
    lab.close().await;
}
