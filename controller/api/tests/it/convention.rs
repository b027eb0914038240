//! What holds for every answer: headers, slashes, order of refusals, bodies, paging. Source: `drycc-v2.md` §1.

use http::Method;
use serde_json::{Value, json};
use slipway_api::route::{Access, Generation, Route, RouteTable};
use slipway_api::{Api, handler};

use crate::world::{Database, Reply, World};

/// Headers of every answer.
fn check_headers(reply: &Reply) {
    for (name, value) in [
        ("DEIS_API_VERSION", "2.3"),
        ("DRYCC_API_VERSION", "2.3"),
        ("DEIS_PLATFORM_VERSION", "2.3.0"),
        ("DRYCC_PLATFORM_VERSION", "2.3.0"),
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name} of {reply:?}");
    }
    assert!(reply.header("X-Request-Id").is_some_and(|id| !id.is_empty()));
}

async fn panics(_call: slipway_api::call::Call) -> slipway_api::call::Answer {
    panic!("the secret reason")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    for (status, method, path, user) in [
        (200, "GET", "/healthz", None),
        (200, "GET", "/readiness", None),
        (405, "POST", "/healthz", None),
        (401, "GET", "/v2/", None),
        (200, "GET", "/v2/", Some("owner")),
        (404, "GET", "/v3/", None),
        (404, "GET", "/v2/apps/none/", Some("owner")),
        (403, "GET", "/v2/apps/blog/", Some("stranger")),
        (405, "PUT", "/v2/apps/blog/", Some("owner")),
        (204, "GET", "/v2/apps/blog/logs?process_type=none", Some("owner")),
        (400, "POST", "/v2/keys/", Some("owner")),
    ] {
        let mut request = world.request(method, path);
        if let Some(user) = user {
            request = request.user(user);
        }
        let reply = request.send().await;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        check_headers(&reply);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_500_that_tells_nothing_and_leaves_the_rest_alone() {
    let world = World::new(Database::Sqlite).await;
    let route =
        Route::new(Generation::DryccV2, Method::GET, "/v2/panics", "test_panics", Access::Public, handler!(panics));
    let api = Api::new(RouteTable::new(vec![route]), world.state());
    let reply = world.request("GET", "/v2/panics/").send_to(&api).await;
    assert_eq!((reply.status, reply.body.as_str()), (500, r#"{"detail":"Server Error"}"#));
    check_headers(&reply);
    assert_eq!(world.request("GET", "/v2/panics/").send_to(&api).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn health() {
    let world = World::new(Database::Sqlite).await;
    for path in ["/healthz", "/healthz/", "/readiness"] {
        let reply = world.request("GET", path).send().await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "OK"), "{path}");
        let head = world.request("HEAD", path).send().await;
        assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("2")), "{path}");
        assert_eq!(world.request("POST", path).send().await.status, 405, "{path}");
    }
    let metrics = world.request("GET", "/metrics").send().await;
    assert!(metrics.body.contains("slipway_http_requests_total{operation=\"platform_health_check\""), "{metrics:?}");
    assert!(metrics.body.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_slashes_answer_alike_and_never_redirect() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    let routes = world.routes();
    for route in routes.iter().filter(|route| route.method == Method::GET && route.access != Access::Builder) {
        let path = route
            .pattern
            .replace("{app}", "blog")
            .replace("{user}", "owner")
            .replace("{key*}", "k")
            .replace("{cert}", "c")
            .replace("{version}", "v1")
            .replace("{build}", "x")
            .replace("{type}", "web")
            .replace("{ptype}", "web")
            .replace("{num}", "1")
            .replace("{pod}", "p")
            .replace("{resource}", "r");
        let with = world.request("GET", &format!("{path}/")).user("owner").send().await;
        let without = world.request("GET", &path).user("owner").send().await;
        assert_eq!(with.status, without.status, "{path}");
        assert!(!(300..400).contains(&with.status), "{path}");
        assert_ne!(with.body, r#"{"detail":"Not found."}"#, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_come_in_order() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    let check = async |user: Option<&str>, method: &str, path: &str, status: u16, body: &str| {
        let mut request = world.request(method, path);
        if let Some(user) = user {
            request = request.user(user);
        }
        let reply = request.send().await;
        assert_eq!((reply.status, reply.body.as_str()), (status, body), "{method} {path}");
        reply
    };
    let unknown = r#"{"detail":"Not found."}"#;
    let anonymous = r#"{"detail":"Authentication credentials were not provided."}"#;
    let reply = check(None, "PUT", "/v2/apps/none/", 401, anonymous).await;
    assert_eq!(reply.header("www-authenticate"), Some("Token"));
    let reply = check(Some("owner"), "PUT", "/v2/apps/none/", 405, r#"{"detail":"Method \"PUT\" not allowed."}"#).await;
    assert_eq!(reply.header("allow"), Some("GET, POST, DELETE, HEAD, OPTIONS"));
    check(Some("owner"), "GET", "/v2/apps/none/", 404, r#""No App matches the given query.""#).await;
    let forbidden = r#"{"detail":"You do not have permission to perform this action."}"#;
    check(Some("stranger"), "GET", "/v2/apps/blog/", 403, forbidden).await;
    // The URL comes before everything, and who may see the app before what the body says.
    check(None, "GET", "/v2/nothing/", 404, unknown).await;
    check(Some("owner"), "GET", "/v2/apps/BLOG/", 404, unknown).await;
    check(Some("owner"), "GET", "/v2/apps/blog/releases/2/", 404, unknown).await;
    for body in ["{", "{}", "[]"] {
        let reply = world.request("POST", "/v2/apps/blog/builds/").user("stranger").text_body(body).send().await;
        assert_eq!((reply.status, reply.body.as_str()), (403, forbidden), "{body}");
        let reply = world.request("POST", "/v2/apps/none/builds/").user("stranger").text_body(body).send().await;
        assert_eq!((reply.status, reply.body.as_str()), (404, "\"No App matches the given query.\""), "{body}");
        let reply = world.request("POST", "/v2/apps/blog/builds/").user("owner").text_body(body).send().await;
        assert_eq!(reply.status, 400, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_it_comes_before_what_the_body_says() {
    let world = World::new(Database::Sqlite).await;
    let app = world.app("owner", &["collaborator"]).await;
    for (method, path) in [
        ("POST", format!("/v2/apps/{app}/")),
        ("POST", format!("/v2/apps/{app}/perms/")),
        ("DELETE", format!("/v2/apps/{app}/whitelist/")),
        ("DELETE", format!("/v2/apps/{app}/allowlist/")),
    ] {
        for body in ["{", "[]", "{\"owner\": [], \"username\": [], \"addresses\": 1}"] {
            let status = async |user| world.request(method, &path).user(user).text_body(body).send().await.status;
            let (collaborator, owner) = (status("collaborator").await, status("owner").await);
            assert_eq!((collaborator, owner), (403, 400), "{method} {path} {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_refused_with_the_reason() {
    let world = World::new(Database::Sqlite).await;
    let check = async |value: &str, detail: &str| {
        let reply = world.request("GET", "/v2/").header("authorization", value).send().await;
        assert_eq!((reply.status, reply.json()["detail"].as_str()), (401, Some(detail)), "{value}");
        assert_eq!(reply.header("www-authenticate"), Some("Token"));
    };
    let none = "Authentication credentials were not provided.";
    check("Bearer abc", none).await;
    check("Basic abc", none).await;
    check("token", "Invalid token header. No credentials provided.").await;
    check("token a b", "Invalid token header. Token string should not contain spaces.").await;
    check("token 0123456789012345678901234567890123456789", "Invalid token.").await;
    check("token x", "Invalid token.").await;
    for scheme in ["token", "Token", "TOKEN"] {
        let value = format!("{scheme} {}", world.token("owner"));
        let reply = world.request("GET", "/v2/").header("authorization", &value).send().await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "{}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_is_known_by_its_key() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    let path = "/v2/hooks/apps/";
    for header in ["X-Slipway-Builder-Auth", "X-Drycc-Builder-Auth", "X-Deis-Builder-Auth"] {
        assert_eq!(world.request("GET", path).header(header, World::BUILDER_KEY).send().await.status, 200, "{header}");
        assert_eq!(world.request("GET", path).header(header, "wrong").send().await.status, 401, "{header}");
        let reply = world.request("GET", path).header(header, "wrong").user("admin").send().await;
        assert_eq!(reply.status, 403, "{header}");
    }
    assert_eq!(world.request("GET", path).send().await.status, 401);
    assert_eq!(world.request("GET", path).user("admin").send().await.status, 403);
    assert_eq!(world.request("GET", "/v2/apps/").builder().send().await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_leniently() {
    let world = World::new(Database::Sqlite).await;
    // No body is an empty map; fields nobody knows, and those that are only read, are passed over.
    let reply =
        world.request("POST", "/v2/apps/").user("owner").header("content-type", "application/json").send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let body = json!({"id": " blog ", "owner": "admin", "uuid": 1, "created": [], "zzz": {}});
    let reply = world.request("POST", "/v2/apps/").user("owner").json_body(&body).send().await;
    assert_eq!(
        (reply.status, reply.json()["id"].clone(), reply.json()["owner"].clone()),
        (201, json!("blog"), json!("owner"))
    );
    // Maps may arrive as text, numbers as text.
    let body = json!({"values": "{\"A\": 1.5, \"B\": true, \"C\": \"x\"}"});
    let reply = world.request("POST", "/v2/apps/blog/config/").user("owner").json_body(&body).send().await;
    assert_eq!(
        (reply.status, &reply.json()["values"]),
        (201, &json!({"A": "1.5", "B": "True", "C": "x"})),
        "{reply:?}"
    );
    assert_eq!((reply.header("X-Drycc-Release"), reply.header("X-Deis-Release")), (Some("2"), Some("2")));
    let body = json!({"username": " owner ", "password": "pw"});
    let reply = world.request("POST", "/v2/auth/login/").json_body(&body).send().await;
    assert_eq!(reply.json()["token"], json!(world.token("owner")));
    // A body that is no map, or no JSON, or something else.
    for (body, kind) in [("[]", "list"), ("\"x\"", "str"), ("1", "int")] {
        for path in ["/v2/apps/", "/v2/apps/blog/config/", "/v2/apps/blog/scale/", "/v2/keys/"] {
            let reply = world.request("POST", path).user("owner").text_body(body).send().await;
            let message = format!("Invalid data. Expected a dictionary, but got {kind}.");
            assert_eq!((reply.status, reply.json()), (400, json!({"non_field_errors": [message]})), "{path}");
        }
    }
    let reply = world.request("POST", "/v2/apps/").user("owner").text_body("{'a': 1}").send().await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["detail"].as_str().unwrap().starts_with("JSON parse error - "), "{reply:?}");
    let reply =
        world.request("POST", "/v2/apps/").user("owner").header("content-type", "text/plain").body("x").send().await;
    assert_eq!(
        (reply.status, reply.json()),
        (415, json!({"detail": "Unsupported media type \"text/plain\" in request."}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_refused_with_the_standard_messages() {
    let world = World::new(Database::Sqlite).await;
    let check = async |path: &str, body: Value, expect: Value| {
        let reply = world.request("POST", path).user("admin").json_body(&body).send().await;
        assert_eq!((reply.status, reply.json()), (400, expect), "{path} {body}");
    };
    let required = "This field is required.";
    check("/v2/auth/register/", json!({}), json!({"username": [required], "password": [required]})).await;
    check("/v2/auth/login/", json!({}), json!({"username": [required], "password": [required]})).await;
    check(
        "/v2/keys/",
        json!({"id": " ", "public": null}),
        json!({
            "id": ["This field may not be blank."], "public": ["This field may not be null."]
        }),
    )
    .await;
    check(
        "/v2/keys/",
        json!({"id": [], "public": true}),
        json!({
            "id": ["Not a valid string."], "public": ["Not a valid string."]
        }),
    )
    .await;
    check("/v2/keys/", json!({"id": "a\0b", "public": "x"}), json!({"id": ["Null characters are not allowed."]})).await;
    check(
        "/v2/keys/",
        json!({"id": "x".repeat(129), "public": World::public_key(1)}),
        json!({
            "id": ["Ensure this field has no more than 128 characters."]
        }),
    )
    .await;
    // Of two collisions both are told, whatever the database finds first.
    world.key("admin", "laptop").await;
    let public = world.request("GET", "/v2/keys/laptop").user("admin").send().await.json()["public"].clone();
    check(
        "/v2/keys/",
        json!({"id": "laptop", "public": public}),
        json!({"id": ["SSH Key with this id already exists."], "public": ["Public Key is already in use"]}),
    )
    .await;
    check("/v2/admin/perms/", json!({}), json!({"username": [required]})).await;
    let reply = world.request("POST", "/v2/hooks/config/").builder().json_body(&json!({})).send().await;
    assert_eq!((reply.status, reply.json()), (400, json!({"receive_user": [required], "receive_repo": [required]})));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged() {
    let world = World::new(Database::Sqlite).await;
    for name in ["a", "b", "c"] {
        world.named_app("owner", name).await;
    }
    let page = async |query: &str| {
        let reply = world
            .request("GET", &format!("/v2/apps/{query}"))
            .header("host", "example.com:81")
            .user("owner")
            .send()
            .await;
        assert_eq!(reply.status, 200, "{query}");
        reply.json()
    };
    let names = |page: &Value| -> Vec<String> {
        page["results"].as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = page("").await;
    assert_eq!(
        (names(&all), &all["count"], &all["next"], &all["previous"]),
        (vec!["a".into(), "b".into(), "c".into()], &json!(3), &json!(null), &json!(null))
    );
    let middle = page("?offset=1&limit=1&zzz=%26&aaa=1").await;
    assert_eq!(names(&middle), ["b"]);
    assert_eq!(middle["next"], json!("http://example.com:81/v2/apps/?aaa=1&limit=1&offset=2&zzz=%26"));
    assert_eq!(middle["previous"], json!("http://example.com:81/v2/apps/?aaa=1&limit=1&zzz=%26"));
    let beyond = page("?limit=1&offset=9").await;
    assert_eq!((names(&beyond).len(), &beyond["next"]), (0, &json!(null)));
    assert_eq!(beyond["previous"], json!("http://example.com:81/v2/apps/?limit=1&offset=8"));
    for nonsense in ["?limit=0", "?limit=-1", "?limit=x&offset=-3", "?limit=99999999999999999999", "?offset=x"] {
        assert_eq!(names(&page(nonsense).await).len(), 3, "{nonsense}");
    }
    let reply = world
        .request("GET", "/v2/apps/?limit=1")
        .header("x-forwarded-proto", "https")
        .header("host", "h")
        .user("owner")
        .send()
        .await;
    assert_eq!(reply.json()["next"], json!("https://h/v2/apps/?limit=1&offset=1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_read() {
    let world = World::new(Database::Sqlite).await;
    let reply = world
        .request("OPTIONS", "/v2/apps/")
        .header("origin", "http://ui.example.com")
        .header("access-control-request-method", "POST")
        .send()
        .await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some("*")));
    let allowed = reply.header("access-control-allow-headers");
    assert_eq!(allowed, Some("content-type, accept, origin, Authorization, Host"));
    let reply = world.request("GET", "/v2/").header("origin", "http://ui.example.com").send().await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (401, Some("*")));
    assert!(reply.header("access-control-expose-headers").unwrap().contains("DRYCC_API_VERSION"));
    assert_eq!(world.request("GET", "/v2/").send().await.header("access-control-allow-origin"), None);
    let reply = world.request("OPTIONS", "/v2/apps/").user("owner").send().await;
    assert_eq!((reply.status, reply.header("allow")), (200, Some("GET, POST, HEAD, OPTIONS")));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_ids_of_proxies_are_kept_if_harmless() {
    let world = World::new(Database::Sqlite).await;
    let id = async |given: &str| {
        let reply = world.request("GET", "/healthz").header("x-request-id", given).send().await;
        reply.header("x-request-id").map(str::to_owned)
    };
    assert_eq!(id("abc-1.2_3").await.as_deref(), Some("abc-1.2_3"));
    for bad in ["", "a b", "<script>", &"x".repeat(65)] {
        assert_ne!(id(bad).await.as_deref(), Some(bad));
    }
}
