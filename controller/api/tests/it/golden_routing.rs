//! The body of every endpoint about where and how apps are reached, as in [`super::golden`].

use serde_json::{Value, json};

use crate::world::{Database, World, both};

pub async fn walk(database: Database) {
    let world = World::new(database).await;
    world.named_app("owner", "blog").await;
    world.named_app("other", "shop").await;
    let reply =
        world.request("POST", "/v2/apps/blog/perms/").user("owner").json_body(&json!({"username": "collaborator"}));
    assert_eq!(reply.send().await.status, 201);
    let mut step = 0;
    let mut check = async |method: &str, path: &str, user: &str, body: Value| {
        step += 1;
        let request = world.request(method, path).user(user);
        let reply = if body.is_null() { request.send().await } else { request.json_body(&body).send().await };
        let name = format!(
            "routing_{step:02}_{}_{}",
            method.to_lowercase(),
            path.trim_matches('/').replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        );
        insta::with_settings!({
            filters => World::redactions(),
            prepend_module_to_snapshot => false,
            description => format!("{method} {path} as {user}: {body}"),
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, reply.render());
        });
    };
    let none = Value::Null;

    // Domains.
    let domains = "/v2/apps/blog/domains/";
    check("POST", domains, "owner", json!({"domain": "WWW.Example.org."})).await;
    check("POST", domains, "collaborator", json!({"domain": "*.bücher.example"})).await;
    check("GET", domains, "owner", none.clone()).await;
    for bad in [
        json!({}),
        json!({"domain": ""}),
        json!({"domain": "*"}),
        json!({"domain": "a_b.example.org"}),
        json!({"domain": "10.0.0.1"}),
        json!({"domain": vec!["a".repeat(60); 5].join(".")}),
        json!({"domain": "www.example.org"}),
        json!({"domain": "WWW.example.org"}),
        json!({"domain": "shop"}),
        json!({"domain": "new.example.com"}),
        json!({"domain": "*.example.com"}),
        json!({"domain": "slipway"}),
    ] {
        check("POST", domains, "owner", bad).await;
    }
    check("POST", "/v2/apps/shop/domains/", "other", json!({"domain": "www.example.org"})).await;
    check("DELETE", "/v2/apps/blog/domains/www.example.org", "collaborator", none.clone()).await;
    check("DELETE", "/v2/apps/shop/domains/www.example.org", "other", none.clone()).await;
    check("DELETE", "/v2/apps/blog/domains/www.example.org", "owner", none.clone()).await;
    check("DELETE", "/v2/apps/blog/domains/www.example.org", "owner", none.clone()).await;
    check("DELETE", "/v2/apps/blog/domains/*.b%C3%BCcher.example", "owner", none.clone()).await;
    check("DELETE", "/v2/apps/blog/domains/blog", "owner", none.clone()).await;
    check("POST", "/v2/apps/shop/domains/", "other", json!({"domain": "blog"})).await;
    check("POST", domains, "owner", json!({"domain": "blog"})).await;
    check("GET", domains, "owner", none.clone()).await;

    // TLS.
    let tls = "/v2/apps/blog/tls/";
    check("GET", tls, "owner", none.clone()).await;
    check("POST", tls, "collaborator", json!({"https_enforced": false})).await;
    check("POST", tls, "owner", json!({"https_enforced": "false"})).await;
    check("POST", tls, "owner", json!({"https_enforced": "maybe"})).await;
    check("POST", tls, "owner", json!({"https_enforced": true})).await;
    check("GET", tls, "owner", none.clone()).await;
    check("POST", tls, "owner", json!({"https_enforced": null})).await;
    check("POST", tls, "owner", json!({})).await;

    // Settings.
    let settings = "/v2/apps/blog/settings/";
    check("GET", settings, "owner", none.clone()).await;
    check("POST", settings, "owner", json!({})).await;
    check("POST", settings, "owner", json!({"maintenance": true})).await;
    check("POST", settings, "owner", json!({"maintenance": true})).await;
    check("POST", settings, "owner", json!({"maintenance": false, "routable": false})).await;
    check("POST", settings, "owner", json!({"routable": "sometimes"})).await;
    check("POST", settings, "owner", json!({"label": {"team": "a", "git_repo": "https://x"}})).await;
    check("POST", settings, "owner", json!({"label": {"team": null}})).await;
    check("POST", settings, "owner", json!({"label": {"team": null}})).await;
    check("POST", settings, "owner", json!({"autoscale": {"web": {"min": 1, "max": 3, "cpu_percent": 50}}})).await;
    check("POST", settings, "owner", json!({"autoscale": {"web": {"min": 1}}})).await;
    check("POST", settings, "owner", json!({"autoscale": {"web": {"min": 0, "max": 3, "cpu_percent": 50}}})).await;
    check("POST", settings, "owner", json!({"autoscale": {"web": {"min": 4, "max": 3, "cpu_percent": 50}}})).await;
    check("POST", settings, "owner", json!({"autoscale": {"worker": null}})).await;
    check("POST", settings, "owner", json!({"autoscale": {"web": null}})).await;
    check("POST", settings, "owner", json!({"whitelist": ["::1", "10.1.2.3/8"]})).await;
    check("POST", settings, "owner", json!({"allowlist": ["300.1.1.1"]})).await;
    check("POST", settings, "stranger", json!({"allowlist": []})).await;

    // The allow list.
    for path in ["/v2/apps/blog/whitelist/", "/v2/apps/blog/allowlist/"] {
        check("GET", path, "collaborator", none.clone()).await;
        check("POST", path, "collaborator", json!({"addresses": ["192.168.0.1", "::1"]})).await;
        check("POST", path, "owner", json!({"addresses": ["192.168.0.1"]})).await;
        check("POST", path, "owner", json!({"addresses": ["nope"]})).await;
        check("POST", path, "owner", json!({"addresses": "10.0.0.1"})).await;
        check("POST", path, "owner", json!({})).await;
        check("DELETE", path, "collaborator", json!({"addresses": ["192.168.0.1"]})).await;
        check("DELETE", path, "owner", json!({"addresses": ["9.9.9.9", "192.168.0.1", "8.8.8.8"]})).await;
        check("DELETE", path, "owner", json!({"addresses": ["192.168.0.1"]})).await;
    }
    check("GET", "/v2/apps/blog/releases/", "owner", none.clone()).await;
    check("GET", "/v2/apps/blog/logs?log_lines=8", "owner", none).await;
}

both!(walk, bodies_about_routes_are_as_they_were);
