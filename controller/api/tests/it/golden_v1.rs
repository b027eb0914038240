//! The body of every endpoint of `/v1`, as in [`super::golden`].

use serde_json::{Value, json};

use crate::world::{Database, World, both};

/// One request: method, path, who asks, body.
type Step = (&'static str, String, &'static str, Value);

fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |method: &'static str, path: &str, user: &'static str, body: Value| {
        steps.push((method, path.to_owned(), user, body));
    };
    let none = Value::Null;

    // Accounts.
    step("GET", "/v1/", "", none.clone());
    step("GET", "/v1/", "owner", none.clone());
    let carol = json!({"username": "carol", "password": "pw", "email": "carol@example.com", "first_name": "Carol"});
    step("POST", "/v1/auth/register/", "", carol.clone());
    step("POST", "/v1/auth/register/", "", carol);
    step("POST", "/v1/auth/register/", "", json!({}));
    let bad = json!({"username": "x".repeat(31), "password": "", "email": "x", "last_name": "x".repeat(31)});
    step("POST", "/v1/auth/register/", "", bad);
    step("POST", "/v1/auth/login/", "", json!({"username": "carol", "password": "pw"}));
    step("POST", "/v1/auth/login/", "", json!({"username": "carol", "password": "wrong"}));
    step("POST", "/v1/auth/login/", "", json!({"username": "carol"}));
    step("POST", "/v1/auth/passwd/", "owner", json!({}));
    step("POST", "/v1/auth/passwd/", "owner", json!({"new_password": "new", "password": "wrong"}));
    step("POST", "/v1/auth/passwd/", "owner", json!({"new_password": "pw", "password": "pw"}));
    step("POST", "/v1/auth/passwd/", "owner", json!({"new_password": "new", "username": "admin"}));
    step("POST", "/v1/auth/passwd/", "admin", json!({"new_password": "new", "username": "carol"}));
    step("POST", "/v1/auth/tokens/", "admin", json!({"username": "carol"}));
    step("POST", "/v1/auth/tokens/", "owner", json!({"all": true}));
    step("DELETE", "/v1/auth/cancel/", "owner", json!({"username": "carol"}));
    step("DELETE", "/v1/auth/cancel/", "admin", json!({"username": "carol"}));
    step("GET", "/v1/admin/perms/", "admin", none.clone());
    step("GET", "/v1/admin/perms/", "owner", none.clone());
    step("POST", "/v1/admin/perms", "admin", json!({"username": "nobody"}));
    step("POST", "/v1/admin/perms", "admin", json!({"username": "other"}));
    step("DELETE", "/v1/admin/perms/other", "admin", none.clone());

    // Keys.
    let key = json!({"id": "me@laptop", "public": format!("{} me@laptop", World::public_key(1))});
    step("POST", "/v1/keys/", "owner", key);
    step("POST", "/v1/keys/", "owner", json!({"id": "me@laptop", "public": World::public_key(2)}));
    step("POST", "/v1/keys/", "stranger", json!({"id": "other", "public": World::public_key(1)}));
    step("POST", "/v1/keys/", "owner", json!({"id": "other", "public": "ssh-rsa !!!"}));
    step("GET", "/v1/keys/", "owner", none.clone());
    step("GET", "/v1/keys/me%40laptop/", "owner", none.clone());
    step("GET", "/v1/keys/me@laptop", "stranger", none.clone());
    step("DELETE", "/v1/keys/me@laptop", "owner", none.clone());

    // Apps.
    step("POST", "/v1/apps/", "owner", json!({"id": "blog"}));
    step("POST", "/v1/apps/", "owner", json!({"id": "blog"}));
    step("POST", "/v1/apps/", "owner", json!({"id": "Bad_Name"}));
    step("POST", "/v1/apps/", "owner", json!({"id": "deis"}));
    step("GET", "/v1/apps", "owner", none.clone());
    step("GET", "/v1/apps/blog", "owner", none.clone());
    step("GET", "/v1/apps/blog", "stranger", none.clone());
    step("GET", "/v1/apps/none", "owner", none.clone());
    step("PUT", "/v1/apps/blog", "owner", none.clone());
    step("POST", "/v1/apps/blog/run/", "owner", json!({"command": "ls"}));
    step("POST", "/v1/apps/blog/run/", "owner", json!({}));
    step("POST", "/v1/apps/blog/scale/", "owner", json!({"web": 1}));
    step("POST", "/v1/apps/blog/scale/", "owner", json!({"web": "many"}));
    step("GET", "/v1/apps/blog/containers/", "owner", none.clone());

    // Configuration.
    let config = "/v1/apps/blog/config/";
    step("GET", config, "owner", none.clone());
    let all = json!({"values": {"A": "1", "B": 2}, "memory": {"web": "64m"}, "cpu": {"web": 1024, "worker": "100"}});
    step("POST", config, "owner", all);
    step("POST", config, "owner", json!({"values": {"A": "1"}}));
    step("POST", config, "owner", json!({"values": {"NONE": null, "B": null}, "cpu": {"worker": null}}));
    for bad in [
        json!({"values": {"1": "x"}, "memory": {"web": "lots"}, "cpu": {"web": 1025}, "tags": {"a-b": "x"}}),
        json!({"memory": {"Web": "1M"}, "cpu": {"web": "x"}, "tags": {"disk": "s s d"}}),
        json!({"values": "{"}),
        json!({"values": null}),
        json!({"tags": {"disk": "none"}}),
    ] {
        step("POST", config, "owner", bad);
    }

    // Builds, releases, containers.
    let builds = "/v1/apps/blog/builds/";
    let build = json!({"image": "example/app:1", "procfile": "{\"web\": \"run\", \"worker\": \"work\"}"});
    step("POST", builds, "owner", build);
    step("POST", builds, "owner", json!({}));
    step("POST", builds, "owner", json!({"image": "x".repeat(257)}));
    step("DELETE", builds, "owner", none.clone());
    step("GET", builds, "owner", none.clone());
    step("GET", "/v1/apps/blog/builds/none/", "owner", none.clone());
    step("GET", "/v1/apps/blog/releases/?page_size=2", "owner", none.clone());
    step("GET", "/v1/apps/blog/releases/v1/", "owner", none.clone());
    step("GET", "/v1/apps/blog/releases/v9/", "owner", none.clone());
    step("GET", "/v1/apps/blog/releases/1/", "owner", none.clone());
    step("POST", "/v1/apps/blog/scale/", "owner", json!({"web": 2, "worker": "1"}));
    step("POST", "/v1/apps/blog/scale/", "owner", json!({"web": -1}));
    step("POST", "/v1/apps/blog/scale/", "owner", json!({"none": 1}));
    step("GET", "/v1/apps/blog/containers/web/", "owner", none.clone());
    step("GET", "/v1/apps/blog/containers/none/", "owner", none.clone());
    step("GET", "/v1/apps/blog/containers/web/2/", "owner", none.clone());
    step("GET", "/v1/apps/blog/containers/web/3/", "owner", none.clone());
    step("POST", "/v1/apps/blog/containers/worker/restart/", "owner", none.clone());
    step("POST", "/v1/apps/blog/containers/none/restart/", "owner", none.clone());
    step("POST", "/v1/apps/blog/containers/worker/1/restart/", "owner", none.clone());
    step("POST", "/v1/apps/blog/containers/worker/9/restart/", "owner", none.clone());
    step("POST", "/v1/apps/blog/containers/restart/", "owner", none.clone());
    step("POST", "/v1/apps/blog/run/", "owner", json!({"command": "ls"}));
    step("POST", "/v1/apps/blog/releases/rollback/", "owner", none.clone());
    for version in [json!(0), json!(99), json!("x"), json!("5"), json!(1)] {
        step("POST", "/v1/apps/blog/releases/rollback/", "owner", json!({ "version": version }));
    }

    // Domains.
    let domains = "/v1/apps/blog/domains/";
    step("POST", domains, "owner", json!({"domain": "www.example.org"}));
    for bad in ["", "www.example.org", "*.example.org", "WWW.example.org", "a_b.example.org", "localhost", "a.b"] {
        step("POST", domains, "owner", json!({"domain": bad}));
    }
    step("GET", domains, "owner", none.clone());
    step("DELETE", "/v1/apps/blog/domains/blog", "owner", none.clone());
    step("DELETE", "/v1/apps/blog/domains/www.example.org", "owner", none.clone());
    step("DELETE", "/v1/apps/blog/domains/www.example.org", "owner", none.clone());

    // Collaborators.
    let perms = "/v1/apps/blog/perms/";
    step("GET", perms, "owner", none.clone());
    step("POST", perms, "owner", json!({"username": "collaborator"}));
    step("POST", perms, "owner", json!({"username": "nobody"}));
    step("POST", perms, "owner", json!({}));
    step("GET", perms, "collaborator", none.clone());
    step("GET", perms, "stranger", none.clone());
    step("GET", "/v1/apps/none/perms/", "stranger", none.clone());
    step("POST", "/v1/apps/blog/perms/collaborator", "owner", none.clone());
    step("DELETE", "/v1/apps/blog/perms/collaborator", "owner", none.clone());

    // The builder's hooks.
    let push = json!({
        "receive_user": "owner", "receive_repo": "blog", "sha": "0a1b2c3d", "fingerprint": "00:11",
        "ssh_connection": "10.0.0.1 1 10.0.0.2 2", "ssh_original_command": "git-receive-pack '/blog.git'",
    });
    step("POST", "/v1/hooks/push", "builder", push.clone());
    step("POST", "/v1/hooks/push", "", push.clone());
    step("POST", "/v1/hooks/push", "owner", push);
    let built = json!({
        "receive_user": "owner", "receive_repo": "blog", "image": "example/app:2", "sha": "0a1b2c3d4e",
        "procfile": {"web": "run"}, "dockerfile": "",
    });
    step("POST", "/v1/hooks/build", "builder", built);
    step("POST", "/v1/hooks/config", "builder", json!({"receive_user": "owner", "receive_repo": "blog"}));
    step("POST", "/v1/hooks/config", "builder", json!({"receive_user": "stranger", "receive_repo": "blog"}));
    step("POST", "/v1/hooks/config", "builder", json!({}));

    // The end.
    step("GET", "/v1/apps/blog/logs/?log_lines=2", "owner", none.clone());
    step("DELETE", "/v1/auth/cancel/", "owner", none.clone());
    step("POST", "/v1/apps/blog/", "owner", json!({"owner": "nobody"}));
    step("POST", "/v1/apps/blog/", "owner", json!({"owner": "stranger"}));
    step("DELETE", "/v1/apps/blog/", "owner", none.clone());
    step("DELETE", "/v1/apps/blog/", "stranger", none);
    steps
}

pub async fn walk(database: Database) {
    let world = World::new(database).await;
    for (number, (method, path, user, body)) in steps().into_iter().enumerate() {
        let request = world.request(method, &path).header("host", "deis.example.com");
        let request = match user {
            "" => request,
            "builder" => request.header("x-deis-builder-auth", World::BUILDER_KEY),
            user => request.user(user),
        };
        let reply = if body.is_null() { request.send().await } else { request.json_body(&body).send().await };
        let name = format!(
            "v1_{:03}_{}_{}",
            number + 1,
            method.to_lowercase(),
            path.trim_matches('/').replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        );
        insta::with_settings!({
            filters => World::redactions(),
            prepend_module_to_snapshot => false,
            description => format!("{method} {path} as {}: {body}", if user.is_empty() { "nobody" } else { user }),
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, reply.render());
        });
    }
}

both!(walk, bodies_of_v1_are_as_they_were);
