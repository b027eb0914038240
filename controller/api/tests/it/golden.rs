//! The body of every endpoint, as it goes over the wire. Identities, times and tokens are replaced by their kind.

use serde_json::{Value, json};

use crate::world::{Database, World, both};

/// Walks through the life of an app and compares every answer with what is kept in `snapshots/`.
pub async fn walk(database: Database) {
    let world = World::new(database).await;
    let mut step = 0;
    let mut check = async |method: &str, path: &str, user: &str, body: Value| {
        step += 1;
        let request = world.request(method, path);
        let request = match user {
            "" => request,
            "builder" => request.builder(),
            user => request.user(user),
        };
        let reply = if body.is_null() { request.send().await } else { request.json_body(&body).send().await };
        let name = format!(
            "{step:02}_{}_{}",
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
    };
    let none = Value::Null;

    check("GET", "/v2/slipway/", "owner", none.clone()).await;

    // Accounts.
    let carol = json!({"username": "carol", "password": "pw", "email": "carol@example.com", "first_name": "Carol"});
    check("POST", "/v2/auth/register/", "", carol.clone()).await;
    check("POST", "/v2/auth/register/", "", carol).await;
    check("POST", "/v2/auth/register/", "", json!({"username": "a b", "password": "pw", "email": "x"})).await;
    check("POST", "/v2/auth/login/", "", json!({"username": "carol", "password": "pw"})).await;
    check("POST", "/v2/auth/login/", "", json!({"username": "carol", "password": "wrong"})).await;
    check("GET", "/v2/auth/whoami/", "admin", none.clone()).await;
    check("POST", "/v2/auth/passwd/", "owner", json!({})).await;
    check("POST", "/v2/auth/passwd/", "owner", json!({"new_password": "new"})).await;
    check("POST", "/v2/auth/passwd/", "owner", json!({"new_password": "new", "password": "wrong"})).await;
    check("POST", "/v2/auth/passwd/", "owner", json!({"new_password": "new", "username": "admin"})).await;
    check("POST", "/v2/auth/passwd/", "admin", json!({"new_password": "new", "username": "carol"})).await;
    check("POST", "/v2/auth/tokens/", "admin", json!({"username": "carol"})).await;
    check("POST", "/v2/auth/tokens/", "owner", json!({"all": true})).await;
    check("DELETE", "/v2/auth/cancel/", "admin", json!({"username": "carol"})).await;
    check("GET", "/v2/users/?limit=1", "admin", none.clone()).await;
    check("GET", "/v2/admin/perms/", "admin", none.clone()).await;
    check("POST", "/v2/admin/perms/", "admin", json!({"username": "nobody"})).await;

    // Keys.
    let key = json!({"id": "laptop", "public": format!("{} me@laptop", World::public_key(1))});
    check("POST", "/v2/keys/", "owner", key).await;
    check("POST", "/v2/keys/", "owner", json!({"id": "laptop", "public": World::public_key(2)})).await;
    check("POST", "/v2/keys/", "owner", json!({"id": "other", "public": World::public_key(1)})).await;
    check("POST", "/v2/keys/", "owner", json!({"id": "other", "public": "ssh-rsa !!!"})).await;
    check("GET", "/v2/keys/", "owner", none.clone()).await;
    check("GET", "/v2/keys/laptop", "owner", none.clone()).await;
    check("GET", "/v2/keys/laptop", "stranger", none.clone()).await;

    // Apps.
    check("POST", "/v2/apps/", "owner", json!({"id": "blog"})).await;
    check("POST", "/v2/apps/", "owner", json!({"id": "blog"})).await;
    check("GET", "/v2/apps/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/domains/?limit=1", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/run/", "owner", json!({"command": "ls"})).await;
    check("POST", "/v2/apps/blog/run/", "owner", json!({})).await;
    check("POST", "/v2/apps/blog/scale/", "owner", json!({"web": 1})).await;
    check("GET", "/v2/apps/blog/build/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/builds/", "owner", none.clone()).await;

    // Configuration.
    check("GET", "/v2/apps/blog/config/", "owner", none.clone()).await;
    check(
        "POST",
        "/v2/apps/blog/config/",
        "owner",
        json!({"values": {"A": "1", "B": "x y"}, "memory": {"web": "64M"}}),
    )
    .await;
    check("POST", "/v2/apps/blog/config/", "owner", json!({"values": {"A": "1"}})).await;
    check("POST", "/v2/apps/blog/config/", "owner", json!({"values": {"NONE": null}})).await;
    check("POST", "/v2/apps/blog/config/", "owner", json!({"values": {"1": "x"}, "memory": {"web": "lots"}})).await;

    // Builds, releases, processes.
    let build = json!({"image": "example/app:1", "procfile": {"web": "run", "worker": "work"}});
    check("POST", "/v2/apps/blog/builds/", "owner", build).await;
    check("POST", "/v2/apps/blog/builds/", "owner", json!({"procfile": {"web": null}})).await;
    check("GET", "/v2/apps/blog/builds/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/build/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/builds/none/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/releases/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/releases/v1/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/releases/v9/", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/scale/", "owner", json!({"web": 2, "worker": "1"})).await;
    check("POST", "/v2/apps/blog/scale/", "owner", json!({"web": "many"})).await;
    check("POST", "/v2/apps/blog/scale/", "owner", json!({"web": -1})).await;
    check("POST", "/v2/apps/blog/scale/", "owner", json!({"none": 1})).await;
    check("GET", "/v2/apps/blog/pods/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/pods/worker/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/pods/web/none/", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/pods/worker/restart/", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/pods/none/restart/", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/run/", "owner", json!({"command": "ls"})).await;
    check("POST", "/v2/apps/blog/config/", "owner", json!({"values": {"A": "2"}})).await;
    check("POST", "/v2/apps/blog/releases/rollback/", "owner", none.clone()).await;
    for version in [json!(0), json!(1), json!(99), json!("x")] {
        check("POST", "/v2/apps/blog/releases/rollback/", "owner", json!({ "version": version })).await;
    }
    check("POST", "/v2/apps/blog/releases/rollback/", "owner", json!({"version": "3"})).await;

    // Collaborators.
    check("GET", "/v2/apps/blog/perms/", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/perms/", "owner", json!({"username": "collaborator"})).await;
    check("POST", "/v2/apps/blog/perms/", "owner", json!({"username": "nobody"})).await;
    check("GET", "/v2/apps/blog/perms/", "collaborator", none.clone()).await;
    check("DELETE", "/v2/apps/blog/", "collaborator", none.clone()).await;
    check("DELETE", "/v2/apps/blog/perms/collaborator", "collaborator", none.clone()).await;
    check("DELETE", "/v2/apps/blog/perms/collaborator", "owner", none.clone()).await;

    // The builder's hooks.
    check("GET", &format!("/v2/hooks/key/{}", world.fingerprint("owner").await), "builder", none.clone()).await;
    check("GET", "/v2/hooks/key/00:11", "builder", none.clone()).await;
    check("GET", "/v2/hooks/keys/blog", "builder", none.clone()).await;
    check("GET", "/v2/hooks/keys/blog/owner", "builder", none.clone()).await;
    check("GET", "/v2/hooks/keys/blog/admin", "builder", none.clone()).await;
    let receive = |user: &str, app: &str| json!({"receive_user": user, "receive_repo": app});
    check("POST", "/v2/hooks/access/", "builder", receive("owner", "blog")).await;
    check("POST", "/v2/hooks/access/", "builder", receive("stranger", "blog")).await;
    check("POST", "/v2/hooks/access/", "builder", receive("owner", "none")).await;
    check("POST", "/v2/hooks/config/", "builder", receive("owner", "blog")).await;
    check("GET", "/v2/hooks/apps/", "builder", none.clone()).await;
    let push = json!({
        "receive_user": "owner", "receive_repo": "blog", "image": "example/app:2", "sha": "0a1b2c3d",
        "procfile": {"web": "run"}, "dockerfile": "", "stack": "buildpack",
    });
    check("POST", "/v2/hooks/build/", "builder", push).await;
    check("GET", "/v2/hooks/releases/blog/v1/?wait=0", "builder", none.clone()).await;
    let log = json!({
        "receive_user": "owner", "receive_repo": "blog", "sha": "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
        "state": "succeeded", "log": "-----> building\n",
    });
    check("POST", "/v2/hooks/buildlog/", "builder", log).await;
    check("GET", "/v2/apps/blog/builds/logs/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/builds/log/?sha=0a1b2c3d", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/builds/log/?sha=ffffffff", "owner", none.clone()).await;

    // The end.
    check("GET", "/v2/apps/blog/logs?log_lines=5", "owner", none.clone()).await;
    check("DELETE", "/v2/auth/cancel/", "owner", none.clone()).await;
    check("POST", "/v2/apps/blog/", "owner", json!({"owner": "nobody"})).await;
    check("POST", "/v2/apps/blog/", "owner", json!({"owner": "stranger"})).await;
    check("GET", "/v2/apps/blog/", "owner", none.clone()).await;
    check("DELETE", "/v2/apps/blog/", "stranger", none.clone()).await;
    check("GET", "/v2/apps/blog/", "stranger", none.clone()).await;
    check("DELETE", "/v2/keys/laptop", "owner", none.clone()).await;
    check("DELETE", "/v2/auth/cancel/", "owner", none).await;
}

both!(walk, bodies_are_as_they_were);
