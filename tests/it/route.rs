//! Where and how apps are reached, as seen by who calls them through the router.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_tests::{Platform, Repo, User};

/// What a host answers over plain HTTP: status, where it sends one, body.
fn ask(platform: &Platform, host: &str) -> (u16, Option<String>, String) {
    let response = reqwest::blocking::Client::builder()
        .timeout(Duration::from_mins(2))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .get(format!("http://{}/some/path?q=1", platform.endpoints().router))
        .header("Host", host)
        .send()
        .unwrap();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), location, response.text().unwrap())
}

fn status(platform: &Platform, host: &str) -> u16 {
    ask(platform, host).0
}

#[track_caller]
fn call(user: &User, method: &str, path: &str, body: &Value, expect: u16) {
    let text = body.to_string();
    let (status, answer) = user.api(method, path, Some(text.as_bytes()));
    assert_eq!(status, expect, "{method} {path} {body}: {answer}");
}

#[test]
fn domains_lead_to_their_app_from_the_answer_on() {
    let platform = Platform::start();
    let (user, other) = (platform.user("ada"), platform.user("bob"));
    user.deploy(&Repo::server("one"), "blog");
    other.deploy(&Repo::server("two"), "shop");
    let domains = "/v2/apps/blog/domains/";

    assert_eq!(status(&platform, "www.example.org"), 404);
    call(&user, "POST", domains, &json!({"domain": "WWW.Example.org."}), 201);
    for host in ["www.example.org", "WWW.EXAMPLE.ORG", "www.example.org:8080", "www.example.org."] {
        let (status, _, body) = ask(&platform, host);
        assert!(status == 200 && body.contains("text=one"), "{host}: {status} {body}");
    }
    assert_eq!(status(&platform, "example.org"), 404);

    // A wildcard covers one label, and an exact name of another app wins over it.
    call(&user, "POST", domains, &json!({"domain": "*.bücher.example"}), 201);
    assert!(ask(&platform, "a.xn--bcher-kva.example").2.contains("text=one"));
    assert_eq!(status(&platform, "xn--bcher-kva.example"), 404);
    assert_eq!(status(&platform, "b.a.xn--bcher-kva.example"), 404);
    call(&other, "POST", "/v2/apps/shop/domains/", &json!({"domain": "b.bücher.example"}), 201);
    assert!(ask(&platform, "b.xn--bcher-kva.example").2.contains("text=two"));
    assert!(ask(&platform, "a.xn--bcher-kva.example").2.contains("text=one"));

    // Nobody takes what is another's.
    for taken in ["www.example.org", "blog", "blog.localhost", "*.localhost"] {
        call(&other, "POST", "/v2/apps/shop/domains/", &json!({ "domain": taken }), 400);
    }
    assert!(ask(&platform, "blog.localhost").2.contains("text=one"));

    // A dotless name is below the platform's domain.
    call(&user, "POST", domains, &json!({"domain": "diary"}), 201);
    assert!(ask(&platform, "diary.localhost").2.contains("text=one"));

    call(&user, "DELETE", "/v2/apps/blog/domains/www.example.org", &json!({}), 204);
    assert_eq!(status(&platform, "www.example.org"), 404);
    call(&user, "DELETE", "/v2/apps/blog/domains/blog", &json!({}), 204);
    assert_eq!(status(&platform, "blog.localhost"), 404);
    assert_eq!(status(&platform, "diary.localhost"), 200);
    call(&other, "POST", "/v2/apps/shop/domains/", &json!({"domain": "www.example.org"}), 201);
    assert!(ask(&platform, "www.example.org").2.contains("text=two"));
}

#[test]
fn settings_are_in_effect_when_they_are_answered() {
    let mut platform = Platform::start();
    let user = platform.user("ada");
    user.deploy(&Repo::server("one"), "blog");
    let (settings, host) = ("/v2/apps/blog/settings/", "blog.localhost");
    assert_eq!(status(&platform, host), 200);

    call(&user, "POST", settings, &json!({"maintenance": true}), 201);
    let (code, _, page) = ask(&platform, host);
    assert!(code == 503 && page.to_lowercase().contains("maintenance"), "{code} {page}");
    // It outlives the platform.
    platform.kill();
    platform.launch();
    assert_eq!(status(&platform, host), 503);
    call(&user, "POST", settings, &json!({"maintenance": false}), 201);
    platform.answers("blog", "text=one");

    call(&user, "POST", settings, &json!({"routable": false}), 201);
    assert_eq!(status(&platform, host), 404);
    call(&user, "POST", settings, &json!({"routable": true}), 201);
    assert_eq!(status(&platform, host), 200);

    let list = "/v2/apps/blog/whitelist/";
    call(&user, "POST", list, &json!({"addresses": ["192.0.2.7/24", "2001:db8::1"]}), 201);
    assert_eq!(status(&platform, host), 403);
    call(&user, "POST", list, &json!({"addresses": ["127.9.9.9/8"]}), 201);
    assert_eq!(status(&platform, host), 200);
    call(&user, "DELETE", list, &json!({"addresses": ["127.9.9.9/8"]}), 204);
    assert_eq!(status(&platform, host), 403);
    call(&user, "DELETE", list, &json!({"addresses": ["192.0.2.7/24", "2001:db8::1"]}), 204);
    assert_eq!(status(&platform, host), 200);

    let tls = "/v2/apps/blog/tls/";
    call(&user, "POST", tls, &json!({"https_enforced": true}), 201);
    let (code, location, _) = ask(&platform, host);
    let port = platform.endpoints().router_tls.port();
    assert!(matches!(code, 301 | 307 | 308), "{code}");
    assert_eq!(location, Some(format!("https://blog.localhost:{port}/some/path?q=1")));
    call(&user, "POST", tls, &json!({"https_enforced": false}), 201);
    assert_eq!(status(&platform, host), 200);

    // Nobody issues certificates on one machine: an app may go without, and is told when it wants one.
    call(&user, "POST", tls, &json!({"certs_auto_enabled": true}), 400);
    call(&user, "POST", tls, &json!({"certs_auto_enabled": false}), 201);

    // None of it made a release, or a new process.
    user.cli(&["releases", "-a", "blog"]).ok().says("v2").never_says("v3");
}
