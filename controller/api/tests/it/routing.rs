//! What domains and settings do beside their answers.

use serde_json::json;

use crate::world::{Database, World, both};

/// Of many who want one name at the same time one gets it.
async fn one_domain_never_has_two_apps(database: Database) {
    let world = World::new(database).await;
    let mut apps = Vec::new();
    for number in 0..6 {
        let name = format!("racer-{number}");
        world.named_app("owner", &name).await;
        apps.push(name);
    }
    for round in 0..4 {
        // The same name in several spellings.
        let domain = |number: usize| match number % 3 {
            0 => format!("r{round}.bücher.example"),
            1 => format!("R{round}.xn--bcher-kva.example."),
            _ => format!("r{round}.xn--bcher-kva.example"),
        };
        let wants = apps.iter().enumerate().map(|(number, app)| {
            let body = json!({"domain": domain(number)});
            let request = world.request("POST", &format!("/v2/apps/{app}/domains/")).user("owner").json_body(&body);
            request.send()
        });
        let replies = futures::future::join_all(wants).await;
        let won = replies.iter().filter(|reply| reply.status == 201).count();
        assert_eq!(won, 1, "{replies:?}");
        for lost in replies.iter().filter(|reply| reply.status != 201) {
            assert_eq!(lost.status, 400, "{lost:?}");
            assert_eq!(lost.json()["domain"][0], json!("Domain is already in use by another application"));
        }
    }
    let mut total = 0;
    for app in &apps {
        let list = world.request("GET", &format!("/v2/apps/{app}/domains/")).user("owner").send().await.json();
        // One is the app's own name.
        total += list["count"].as_u64().unwrap() - 1;
    }
    assert_eq!(total, 4);
}

both!(one_domain_never_has_two_apps, one_domain_never_has_two_apps_);

/// When a request is answered the engine has been asked for what it says.
async fn the_engine_follows_before_the_answer(database: Database) {
    let world = World::with(database, |config| config.has_certificate_issuer = true).await;
    let app = world.app("owner", &[]).await;
    let id = world.request("GET", &format!("/v2/apps/{app}/")).user("owner").send().await.json()["uuid"].clone();
    let id: slipway_core::AppId = id.as_str().unwrap().parse().unwrap();
    let route = || world.engine.applied(id).unwrap().route;
    let post = async |what: &str, body: serde_json::Value| {
        let reply =
            world.request("POST", &format!("/v2/apps/{app}/{what}/")).user("owner").json_body(&body).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
    };
    post("domains", json!({"domain": "*.Example.org"})).await;
    assert_eq!(route().hosts, ["*.example.org".to_owned(), format!("{app}.example.com")]);
    post("tls", json!({"https_enforced": true})).await;
    assert!(route().is_https_enforced);
    assert_eq!(route().automatic_certificates, None);
    post("tls", json!({"certs_auto_enabled": false})).await;
    assert_eq!((route().automatic_certificates, route().is_https_enforced), (Some(false), true));
    post("tls", json!({"certs_auto_enabled": true})).await;
    assert_eq!(route().automatic_certificates, Some(true));
    post("settings", json!({"maintenance": true, "routable": false})).await;
    assert!(route().is_in_maintenance && !route().is_routable);
    post("whitelist", json!({"addresses": ["10.1.2.3/8"]})).await;
    assert_eq!(route().allow_list, [("10.1.2.3".parse().unwrap(), 8)]);
    let reply = world.request("DELETE", &format!("/v2/apps/{app}/domains/*.example.org")).user("owner").send().await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(route().hosts, [format!("{app}.example.com")]);
    // None of it is a release.
    let releases = world.request("GET", &format!("/v2/apps/{app}/releases/")).user("owner").send().await.json();
    assert_eq!(releases["count"], json!(2));
}

both!(the_engine_follows_before_the_answer, the_engine_follows_before_the_answer_);

/// A name may be taken away in any form in which it could be added.
async fn domains_are_found_in_every_form(database: Database) {
    let world = World::new(database).await;
    world.named_app("owner", "blog").await;
    // A letter and a mark, an ideographic full stop, an upper-case letter, percent codes of all of them.
    let forms =
        ["bu\u{308}cher.example", "b\u{fc}cher\u{3002}example", "B\u{dc}CHER.example.", "xn--bcher-kva.example"];
    for added in forms {
        for removed in forms {
            let body = json!({ "domain": added });
            let reply = world.request("POST", "/v2/apps/blog/domains/").user("owner").json_body(&body).send().await;
            assert_eq!((reply.status, &reply.json()["domain"]), (201, &json!("xn--bcher-kva.example")), "{added}");
            let encoded: Vec<String> = removed.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let path = format!("/v2/apps/blog/domains/{}", encoded.concat());
            assert_eq!(world.request("DELETE", &path).user("owner").send().await.status, 204, "{added} as {removed}");
        }
    }
}

both!(domains_are_found_in_every_form, domains_are_found_in_every_form_);
