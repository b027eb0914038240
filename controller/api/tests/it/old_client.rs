//! What the command lines of Deis 2.18 and Drycc 2020 send, word for word, and what they must find in the answers.
//! Source: `drycc-v2.md` §1.7, §1.8, §2.0 and §6.

use serde_json::{Value, json};

use crate::world::{Database, Reply, World, both};

/// Whether a client with API 2.3 goes on without a warning: majors equal, minor not less as text.
fn is_version_good(reply: &Reply, family: &str) -> bool {
    let header = format!("{family}_API_VERSION");
    let Some((major, minor)) = reply.header(&header).and_then(|version| version.split_once('.')) else { return false };
    major == "2" && minor >= "3"
}

async fn session(database: Database) {
    for (family, agent) in [("DEIS", "Deis Client v2.18.0"), ("DRYCC", "Drycc Client v1.1.0")] {
        let world = World::bare(database, "example.com").await;
        world.engine.script_run("echo hi", Ok((0, "hi\n".to_owned())));
        let mut token = String::new();
        let send = async |token: &str, method: &str, path: &str, body: Value| {
            let call =
                world.request(method, path).header("user-agent", agent).header("content-type", "application/json");
            let call = if token.is_empty() { call } else { call.header("authorization", &format!("token {token}")) };
            let reply = if body.is_null() { call.send().await } else { call.body(body.to_string()).send().await };
            assert!(is_version_good(&reply, family), "{method} {path}: {reply:?}");
            reply
        };
        // It looks whether somebody is there who knows nobody.
        assert_eq!(send("", "GET", "/v2/", Value::Null).await.status, 401);
        let new = json!({"username": "bob", "password": "pw", "email": "bob@example.com"});
        assert_eq!(send("", "POST", "/v2/auth/register/", new).await.status, 201);
        let login = send("", "POST", "/v2/auth/login/", json!({"username": "bob", "password": "pw"})).await;
        token.push_str(login.json()["token"].as_str().unwrap());

        let build = json!({"image": "deis/example-go", "procfile": {"web": "./app"}});
        let probe = json!({"initialDelaySeconds": 50, "timeoutSeconds": 50, "periodSeconds": 10, "successThreshold": 1,
                           "failureThreshold": 3, "httpGet": {"path": "/", "port": 80}});
        let none = Value::Null;
        let steps = [
            ("GET", "/v2/auth/whoami/", none.clone(), 200),
            ("POST", "/v2/apps/", none.clone(), 201),
            ("POST", "/v2/apps/", json!({"id": "foo"}), 201),
            ("GET", "/v2/apps/?limit=100", none.clone(), 200),
            ("GET", "/v2/apps/foo/", none.clone(), 200),
            ("GET", "/v2/apps/foo/domains/?limit=1", none.clone(), 200),
            ("POST", "/v2/apps/foo/builds/", build, 201),
            ("GET", "/v2/apps/foo/builds/?limit=100", none.clone(), 200),
            ("POST", "/v2/apps/foo/config/", json!({"values": {"A": "1"}}), 201),
            ("GET", "/v2/apps/foo/config/", none.clone(), 200),
            ("POST", "/v2/apps/foo/config/", json!({"memory": {"web": "1G"}}), 201),
            ("POST", "/v2/apps/foo/config/", json!({"cpu": {"web": "500m"}}), 201),
            ("POST", "/v2/apps/foo/config/", json!({"healthcheck": {"web/cmd": {"livenessProbe": probe}}}), 201),
            ("POST", "/v2/apps/foo/config/", json!({"healthcheck": {"web/cmd": {"livenessProbe": null}}}), 201),
            ("POST", "/v2/apps/foo/config/", json!({"values": {"A": null}}), 201),
            ("POST", "/v2/apps/foo/config/", json!({"values": {"A": null}}), 422),
            ("POST", "/v2/apps/foo/scale/", json!({"web": 2}), 204),
            ("GET", "/v2/apps/foo/pods/", none.clone(), 200),
            ("POST", "/v2/apps/foo/pods/restart/", none.clone(), 200),
            ("POST", "/v2/apps/foo/pods/web/restart/", none.clone(), 200),
            ("GET", "/v2/apps/foo/logs?log_lines=50", none.clone(), 200),
            ("POST", "/v2/apps/foo/run", json!({"command": "echo hi"}), 200),
            ("GET", "/v2/apps/foo/releases/?limit=100", none.clone(), 200),
            ("POST", "/v2/apps/foo/releases/rollback/", none.clone(), 201),
            ("POST", "/v2/apps/foo/releases/rollback/", json!({"version": 2}), 201),
            ("POST", "/v2/apps/foo/domains/", json!({"domain": "a.b"}), 201),
            ("DELETE", "/v2/apps/foo/domains/a.b", none.clone(), 204),
            ("POST", "/v2/apps/foo/tls/", json!({"https_enforced": true}), 201),
            ("POST", "/v2/apps/foo/settings/", json!({"maintenance": true}), 201),
            ("POST", "/v2/apps/foo/settings/", json!({"routable": false}), 201),
            ("POST", "/v2/apps/foo/settings/", json!({"label": {"k": "v"}}), 201),
            ("POST", "/v2/apps/foo/whitelist/", json!({"addresses": ["1.2.3.4"]}), 201),
            ("DELETE", "/v2/apps/foo/whitelist/", json!({"addresses": ["1.2.3.4"]}), 204),
            ("GET", "/v2/users/?limit=100", none.clone(), 200),
            ("GET", "/healthz", none.clone(), 200),
            ("DELETE", "/v2/apps/foo/", none.clone(), 204),
            ("GET", "/v2/apps/foo/", none.clone(), 404),
        ];
        for (method, path, body, status) in steps {
            let reply = send(&token, method, path, body.clone()).await;
            assert_eq!(reply.status, status, "{method} {path} {body}: {reply:?}");
            // A body of these that is no map breaks the client's parser; a missing app's is a bare text.
            match status {
                400 | 409 | 422 => assert!(reply.json().is_object(), "{path}: {reply:?}"),
                404 => assert_eq!(reply.body, "\"No App matches the given query.\""),
                _ => {}
            }
            if path.contains("/pods/") && method == "GET" {
                assert!(reply.json()["results"].is_array() && reply.json()["count"].is_number(), "{reply:?}");
            }
        }
        assert_eq!(send(&token, "POST", "/v2/auth/tokens/", json!({"all": true})).await.body, "\"\"");
        assert_eq!(send(&token, "GET", "/v2/apps/", Value::Null).await.status, 401);
    }
}

both!(session, the_old_command_lines_work);
