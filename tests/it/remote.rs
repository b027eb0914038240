//! Deployments of repositories elsewhere: over HTTP and SSH, hostile ones, and when the plug is pulled.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_tests::{GitHttp, Platform, Repo, User, eventually};

/// Repositories of these tests are on this machine.
const PRIVATE: [(&str, &str); 1] = [("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1")];

fn call(user: &User, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let (status, text) = user.api(method, path, body.map(|body| body.to_string()).as_deref().map(str::as_bytes));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A request for a deployment of the server of the tests, which needs no build.
fn request(name: &str, remote: &str) -> Value {
    json!({
        "name": name, "source": "remote", "runtime": "python", "remote": remote, "branch": "main",
        "run_cmd": "exec python3 server.py", "env": {"BUILDPACK_URL": "procfile"},
    })
}

fn deploy(user: &User, body: Value) -> Value {
    let (status, made) = call(user, "POST", "/v1/deployments", Some(body));
    assert_eq!(status, 201, "{made}");
    made
}

/// Waits for the end of a deployment.
fn ended(user: &User, name: &str) -> Value {
    eventually(&format!("{name} is at its end"), Duration::from_mins(3), || {
        let (status, found) = call(user, "GET", &format!("/v1/deployments/{name}"), None);
        assert_eq!(status, 200, "{found}");
        matches!(found["status"].as_str(), Some("completed" | "failed")).then_some(found)
    })
}

#[test]
fn over_http_with_metrics_of_what_runs() {
    let platform = Platform::start_with(&[], &PRIVATE);
    let user = platform.user("ada");
    let repo = Repo::server("one");
    let server = GitHttp::serve(&repo);
    deploy(&user, request("site", &server.url()));
    let done = ended(&user, "site");
    assert_eq!((&done["status"], &done["remote"]["commit_hash"]), (&json!("completed"), &json!(repo.head())), "{done}");
    platform.answers("site", "text=one");

    let (_, instances) = call(&user, "GET", "/v1/instances?service_id=site", None);
    let id = instances["instances"][0]["id"].as_str().unwrap_or_else(|| panic!("{instances}"));
    let (status, metrics) = call(&user, "GET", &format!("/v1/instances/{id}/metrics"), None);
    assert_eq!(status, 200, "{metrics}");
    assert!(matches!(metrics["source"].as_str(), Some("process" | "cgroup")), "{metrics}");
    assert!(metrics["memory"]["used_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{metrics}");
    assert!(metrics["processes"]["summary"]["total"].as_u64().is_some_and(|count| count >= 1), "{metrics}");
    assert!(metrics["disks"][0]["total_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{metrics}");
    let place = &instances["instances"][0];
    assert_eq!((&place["address"], &place["os"]), (&json!("127.0.0.1"), &json!("linux")), "{place}");
    eventually("its use of the processor was looked at twice", Duration::from_mins(3), || {
        let (_, metrics) = call(&user, "GET", &format!("/v1/instances/{id}/metrics"), None);
        metrics["cpu"]["usage_millicores"].as_u64()
    });
    // The first user is an administrator, who sees the machine.
    let (_, nodes) = call(&user, "GET", "/v1/instances?kind=node", None);
    let node = nodes["instances"][0]["id"].as_str().unwrap_or_else(|| panic!("{nodes}"));
    let (status, metrics) = call(&user, "GET", &format!("/v1/instances/{node}/metrics"), None);
    assert!(status == 200 && metrics["memory"]["used_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{metrics}");
    let other = platform.user("bob");
    assert_eq!(call(&other, "GET", &format!("/v1/instances/{node}/metrics"), None).0, 404);

    // The same commit once more is not built again; another is.
    deploy(&user, request("site", &server.url()));
    ended(&user, "site");
    repo.change("text", "two");
    deploy(&user, request("site", &server.url()));
    let done = ended(&user, "site");
    assert_eq!(done["remote"]["commit_hash"], json!(repo.head()), "{done}");
    platform.answers("site", "text=two");
}

#[test]
fn over_ssh_with_a_key_of_its_own() {
    let platform = Platform::start_with(&[], &PRIVATE);
    let user = platform.user("ada");
    // The platform's own SSH server has the repository.
    let repo = Repo::server("one");
    user.deploy(&repo, "origin");
    let remote = format!("ssh://git@{}/origin.git", platform.endpoints().ssh);
    let made = deploy(&user, request("copy", &remote));
    let key = made["remote"]["deploy_key"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert!(key.starts_with("ssh-ed25519 "), "{key}");
    let failed = ended(&user, "copy");
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("Add it there, then deploy again: ssh-ed25519 "), "{failed}");

    let (status, added) = call(&user, "POST", "/v2/keys/", Some(json!({"id": "copy", "public": key})));
    assert_eq!(status, 201, "{added}");
    let again = deploy(&user, request("copy", &remote));
    assert_eq!(again["remote"]["deploy_key"], json!(key), "it keeps its key");
    let done = ended(&user, "copy");
    assert_eq!((&done["status"], &done["remote"]["commit_hash"]), (&json!("completed"), &json!(repo.head())), "{done}");
    platform.answers("copy", "text=one");
    assert!(!platform.log().contains("PRIVATE KEY"), "a key was logged");

    // A host that has another key than before is not believed.
    let known = platform.data().join("builder/known_hosts");
    let text = std::fs::read_to_string(&known).unwrap();
    let other = key.split(' ').nth(1).unwrap();
    std::fs::write(&known, format!("{} ssh-ed25519 {other}\n", text.split(' ').next().unwrap())).unwrap();
    let mut body = request("copy", &remote);
    body["force_rebuild"] = json!(true);
    deploy(&user, body);
    let failed = ended(&user, "copy");
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("another key than before")), "{failed}");
    platform.answers("copy", "text=one");
}

#[test]
fn hostile_ones() {
    let limits = [PRIVATE[0], ("SLIPWAY_PACK_MAX_BYTES", "1048576")];
    let platform = Platform::start_with(&[], &limits);
    let user = platform.user("ada");
    let repo = Repo::server("one");
    let server = GitHttp::serve(&repo);
    let touched = repo.file("touched");
    for (field, remote, branch) in [
        ("branch", server.url(), format!("--upload-pack=touch {}", touched.display())),
        ("remote", format!("--upload-pack=touch {}", touched.display()), "main".to_owned()),
        ("remote", repo.path().display().to_string(), "main".to_owned()),
        ("remote", format!("file://{}", repo.path().display()), "main".to_owned()),
        ("remote", format!("ext::touch {}", touched.display()), "main".to_owned()),
    ] {
        let mut body = request("bad", &remote);
        body["branch"] = json!(branch);
        let (status, refused) = call(&user, "POST", "/v1/deployments", Some(body));
        assert_eq!((status, &refused["error"]["details"]["field"]), (400, &json!(field)), "{remote}: {refused}");
    }
    assert!(!touched.exists() && server.seen() == 0);
    deploy(&user, request("none", &format!("{}-that-is-not-there", server.url())));
    assert_eq!(ended(&user, "none")["status"], "failed");
    let mut body = request("branch", &server.url());
    body["branch"] = json!("nothing");
    deploy(&user, body);
    let failed = ended(&user, "branch");
    assert!(failed["error"].as_str().unwrap().contains("no branch 'nothing'"), "{failed}");

    // More than may be fetched, of what cannot be made smaller.
    let mut noise = vec![0_u8; 3 << 20];
    openssl::rand::rand_bytes(&mut noise).unwrap();
    std::fs::write(repo.file("noise"), noise).unwrap();
    repo.commit("Large");
    deploy(&user, request("large", &server.url()));
    let failed = ended(&user, "large");
    assert!(failed["error"].as_str().unwrap().contains("larger than the limit"), "{failed}");
}

#[test]
fn private_addresses_unless_allowed() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let repo = Repo::server("one");
    let server = GitHttp::serve(&repo);
    for remote in [
        server.url(),
        server.url().replace("http:", "https:"),
        format!("ssh://git@{}/origin.git", platform.endpoints().ssh),
        "git@localhost:repo".to_owned(),
    ] {
        let (status, refused) = call(&user, "POST", "/v1/deployments", Some(request("bad", &remote)));
        assert_eq!((status, &refused["error"]["details"]["field"]), (400, &json!("remote")), "{remote}: {refused}");
    }
    assert_eq!(server.seen(), 0);
}

#[test]
fn kill_9_while_it_is_fetched() {
    let mut platform = Platform::start_with(&[], &PRIVATE);
    let user = platform.user("ada");
    let repo = Repo::server("one");
    let server = GitHttp::serve(&repo);
    server.shut(true);
    deploy(&user, request("site", &server.url()));
    eventually("the repository is asked for", Duration::from_mins(3), || (server.seen() > 0).then_some(()));
    platform.kill();
    server.shut(false);
    platform.launch();
    let done = ended(&user, "site");
    assert_eq!(done["status"], "completed", "{done}");
    platform.answers("site", "text=one");
    assert_eq!(user.releases("site").iter().filter(|release| release["build"].is_string()).count(), 1);
}

#[test]
fn jobs_run_once_and_end_as_their_command_does() {
    let platform = Platform::start_with(&[], &PRIVATE);
    let user = platform.user("ada");
    let repo = Repo::server("one");
    let server = GitHttp::serve(&repo);
    let job = |name: &str, command: &str| {
        let mut body = request(name, &server.url());
        (body["type"], body["run_cmd"]) = (json!("job"), json!(command));
        deploy(&user, body);
        ended(&user, name)
    };
    let good = job("good", "echo the job says $WORKFLOW_RELEASE");
    assert_eq!(good["status"], "completed", "{good}");
    let (_, state) = call(&user, "GET", "/v1/services/good/status", None);
    assert_eq!((&state["status"], &state["health"]), (&json!("stopped"), &json!("healthy")), "{state}");
    let bad = job("bad", "exit 3");
    assert_eq!((&bad["status"], &bad["error"]), (&json!("failed"), &json!("The job ended with exit code 3.")), "{bad}");
    let (_, state) = call(&user, "GET", "/v1/services/bad/status", None);
    assert_eq!((&state["status"], &state["health"]), (&json!("failed"), &json!("degraded")), "{state}");
    assert_eq!(state["exit_code"], json!(3));
    let said = || user.cli(&["logs", "-a", "good", "-n", "500"]).ok().stdout.matches("the job says").count();
    let first = eventually("the log has it", Duration::from_mins(3), || Some(said()).filter(|count| *count > 0));
    assert_eq!(call(&user, "POST", "/v1/services/good/start", Some(json!({}))).0, 200);
    eventually("it runs once more", Duration::from_mins(3), || (said() > first).then_some(()));
    assert_eq!(ended(&user, "good")["status"], "completed");
}
