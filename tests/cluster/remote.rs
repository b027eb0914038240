//! Deployments of repositories that are not the platform's, through the dployr API.

use serde_json::json;
use slipway_tests::{GitHttp, Repo, SERVER};

use crate::installed::{Installed, variable};

#[test]
#[ignore = "wants the platform in a cluster"]
fn a_repository_elsewhere_becomes_an_app_that_answers() {
    let platform = Installed::find();
    let user = platform.user("dora");
    // On one machine apps are reached at its loopback; a pod's is its own.
    let server = SERVER.replace("127.0.0.1", "0.0.0.0");
    let repo = Repo::with(&[("requirements.txt", ""), ("server.py", &server), ("text", "one")]);
    let remote = GitHttp::serve_at(&repo, &variable("SLIPWAY_TEST_HOST"));
    let app = platform.app(&user, "remote");
    let deploy = || {
        let done = app.deploys(&json!({
            "name": app.name, "source": "remote", "runtime": "python", "remote": remote.url(), "branch": "main",
            "run_cmd": "exec python3 server.py",
        }));
        assert_eq!(done["remote"]["commit_hash"], json!(repo.head()), "{done}");
    };
    deploy();
    platform.answers(&app.name, "text=one");
    repo.change("text", "two");
    deploy();
    platform.answers(&app.name, "text=two");

    let instances = app.v1("GET", &format!("/v1/instances?service_id={}", app.name), None);
    let id = instances["instances"][0]["id"].as_str().unwrap();
    let (status, metrics) = user.api("GET", &format!("/v1/instances/{id}/metrics"), None);
    if platform.kubectl(&["get", "--raw", "/apis/metrics.k8s.io"]).code == 0 {
        assert!(status == 200 && metrics.contains("metrics-server"), "{status} {metrics}");
    } else {
        assert!(status == 503 && metrics.contains("the cluster serves no metrics"), "{status} {metrics}");
    }
}
