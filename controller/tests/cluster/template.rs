//! A template of two containers, from its use to its end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use slipway_cluster::workload::WorkloadSettings;
use slipway_cluster::workload::kubeconfig::{Reach, node_of};

use super::*;

/// Longest that anything is waited for.
const WAIT_MAX: Duration = Duration::from_mins(2);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Writes down each of its starts, and the password that it was given.
const DATABASE: &str = r#"trap 'exit 0' TERM
echo start >> /data/starts
echo "$DATABASE_PASSWORD" > /data/password
busybox httpd -f -p 3306 -h /data & wait
"#;
const WEB: &str = "trap 'exit 0' TERM\nbusybox httpd -f -p 80 -h /www & wait\n";
/// Shows what the database knows, if its password is the right one.
const PAGE: &str = r#"#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
address=$(busybox nslookup "$DATABASE_HOST" 2>/dev/null | busybox awk '/^Address: / { print $2; exit }')
read() {
    printf 'GET /%s HTTP/1.0\r\n\r\n' "$1" | busybox nc "$address" 3306 |
        busybox awk 'is_body { print } /^\r?$/ { is_body = 1 }'
}
[ "$(read password)" = "$DATABASE_PASSWORD" ] || { echo "$TITLE: no"; exit; }
echo "$TITLE: $(read starts | busybox wc -l) starts"
"#;

/// Builds an image of files, the first of which is what it runs, and sends it to the registry.
async fn image(name: &str, files: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let base = std::env::var("SLIPWAY_TEST_IMAGE").unwrap_or_else(|_| "127.0.0.1:5000/base/busybox:1".to_owned());
    let mut recipe = format!("FROM {base}\n");
    for (number, (path, text)) in files.iter().enumerate() {
        let file = dir.path().join(number.to_string());
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        recipe.extend(["COPY ", &number.to_string(), " ", path, "\n"]);
    }
    recipe.extend(["CMD [\"sh\", \"", files[0].0, "\"]\n"]);
    fs::write(dir.path().join("Dockerfile"), recipe).unwrap();
    let context = dir.path().to_str().unwrap();
    run("buildah", &["bud", "--isolation", "chroot", "--tls-verify=false", "-t", name, context], "").await;
    run("buildah", &["push", "--tls-verify=false", name], "").await;
    run("buildah", &["rmi", name], "").await;
}

impl Platform {
    /// Waits until a deployment has ended, and gives its log.
    async fn ended(&self, deployment: &str, wanted: &str) -> String {
        let start = Instant::now();
        loop {
            let status = self.expect("GET", deployment, None, 200).await["status"].clone();
            if status != "in-progress" || start.elapsed() > WAIT_MAX {
                let log = self.expect("GET", &format!("{deployment}/log?skip=0&take=100"), None, 200).await;
                assert_eq!(status, wanted, "{log}");
                return log.to_string();
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The page, once it is there.
async fn page(url: &str) -> String {
    let start = Instant::now();
    loop {
        let answer = reqwest::get(url).await;
        if let Ok(answer) = answer
            && answer.status() == 200
        {
            return answer.text().await.unwrap();
        }
        assert!(start.elapsed() < WAIT_MAX, "{url} does not answer");
        tokio::time::sleep(LOOK).await;
    }
}

fn template(registry: &str, tag: &str, class: &str) -> Value {
    json!({
        "name": "Blog", "registries": [{"name": "own", "type": "unchecked", "details": {"url": registry}}],
        "images": [{
            "name": "blog-db", "registryName": "own", "image": "team-template/db", "tag": tag,
            "config": {
                "ports": [{"internal": 3306}], "secrets": [{"key": "DATABASE_PASSWORD", "required": true}],
                "volumes": [{"name": "data", "path": "/data", "size": "1Gi", "type": "rwo", "class": class}],
            },
        }, {
            "name": "blog", "registryName": "own", "image": "team-template/web", "tag": tag,
            "config": {
                "ports": [{"internal": 80}], "secrets": [{"key": "DATABASE_PASSWORD", "required": true}],
                "environment": [{"key": "DATABASE_HOST", "value": "blog-db"}],
            },
        }],
    })
}

/// Needs `kubectl` and `buildah` beside the cluster, and its registry, which speaks plain HTTP: `SLIPWAY_TEST_REGISTRY`,
/// by default `127.0.0.1:5000`. `SLIPWAY_TEST_PREFIX` is what the namespace's name begins with, by default `team`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_template_comes_up_on_the_platforms_node_is_deployed_again_and_fails_with_a_reason() {
    let variable = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let registry = variable("SLIPWAY_TEST_REGISTRY", "127.0.0.1:5000");
    let tag = &uuid::Uuid::new_v4().simple().to_string()[..8];
    let prefix = format!("{}-{tag}", variable("SLIPWAY_TEST_PREFIX", "team"));
    image(&format!("{registry}/team-template/db:{tag}"), &[("/start", DATABASE)]).await;
    image(&format!("{registry}/team-template/web:{tag}"), &[("/start", WEB), ("/www/cgi-bin/page", PAGE)]).await;
    // The test makes the storage itself: a directory of the node, in a class of its own.
    let disk = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": prefix},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": prefix,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": format!("/tmp/{prefix}"), "type": "DirectoryOrCreate"},
        },
    });
    run("kubectl", &["apply", "-f", "-"], &disk.to_string()).await;

    let dir = tempfile::tempdir().unwrap();
    let templates = dir.path().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("blog.json"), template(&registry, tag, &prefix).to_string()).unwrap();
    let mut config = config(dir.path());
    config.teams.templates = Some(templates);
    let reach = Reach { is_private_allowed: true, trusted: Vec::new() };
    let text = fs::read_to_string(kubeconfig()).unwrap();
    let node = node_of(&text, &reach, WorkloadSettings::default()).await.unwrap();
    let platform = Platform::start(config, Some(Arc::new(node))).await;
    let nodes = platform.expect("GET", "acme/nodes", None, 200).await;
    assert_eq!((&nodes[0]["name"], &nodes[0]["status"]), (&json!("Platform"), &json!("connected")));

    let wanted = json!({"id": "blog", "teamSlug": "acme", "name": "Blog", "type": "versionless"});
    let project = platform.expect("POST", "templates", Some(wanted), 201).await;
    let project = format!("acme/projects/{}", project["id"].as_str().unwrap());
    let version = platform.expect("GET", &project, None, 200).await["versions"][0]["id"].clone();
    let wanted = json!({"versionId": version, "nodeId": nodes[0]["id"], "prefix": prefix});
    let made = platform.expect("POST", "acme/deployments", Some(wanted), 201).await;
    let deployment = format!("acme/deployments/{}", made["id"].as_str().unwrap());
    let title = json!({"environment": [{"key": "TITLE", "value": "A blog"}]});
    platform.expect("PATCH", &deployment, Some(title), 204).await;
    let start = format!("{deployment}/start");
    let refused = platform.expect("POST", &start, Some(json!({})), 412).await;
    assert_eq!(refused["property"], "instanceIds");
    let details = platform.expect("GET", &deployment, None, 200).await;
    for instance in details["instances"].as_array().unwrap() {
        let mut secret = instance["image"]["config"]["secrets"][0].clone();
        secret["value"] = json!("hunter2");
        let path = format!("{deployment}/instances/{}", instance["id"].as_str().unwrap());
        platform.expect("PATCH", &path, Some(json!({"config": {"secrets": [secret]}})), 204).await;
    }
    platform.expect("POST", &start, Some(json!({})), 204).await;
    platform.ended(&deployment, "successful").await;
    let jsonpath = "-ojsonpath={.spec.clusterIP}";
    let address = run("kubectl", &["-n", &prefix, "get", "service", "blog", jsonpath], "").await;
    let url = format!("http://{address}/cgi-bin/page");
    assert_eq!(page(&url).await, "A blog: 1 starts\n");

    // Once more: new containers, on what the volume has.
    platform.expect("POST", &start, Some(json!({})), 204).await;
    let log = platform.ended(&deployment, "successful").await;
    assert!(!log.contains("hunter2"), "{log}");
    assert_eq!(page(&url).await, "A blog: 2 starts\n");

    let images = format!("{project}/versions/{}/images", version.as_str().unwrap());
    let web = platform.expect("GET", &images, None, 200).await[1]["id"].clone();
    let image = format!("{images}/{}", web.as_str().unwrap());
    platform.expect("PATCH", &image, Some(json!({"tag": "none"})), 204).await;
    platform.expect("POST", &start, Some(json!({})), 204).await;
    let log = platform.ended(&deployment, "failed").await;
    assert!(log.contains("blog does not come up") && log.contains("ImagePull"), "{log}");

    let own = format!("acme/nodes/{}", nodes[0]["id"].as_str().unwrap());
    platform.expect("DELETE", &format!("{own}/{prefix}/containers"), None, 204).await;
    platform.expect("DELETE", &deployment, None, 204).await;
    platform.stop().await;
    run("kubectl", &["wait", "--for=delete", "--timeout=120s", &format!("namespace/{prefix}")], "").await;
    run("kubectl", &["delete", "persistentvolume", &prefix], "").await;
    // Where the node is this machine, the directory goes, too.
    let _gone = fs::remove_dir_all(format!("/tmp/{prefix}"));
}
