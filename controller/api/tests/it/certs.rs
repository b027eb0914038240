//! The body of every answer of `certs/`, as it goes over the wire. Source: `drycc-v2.md` §2.8.

use serde_json::{Value, json};
use slipway_service::testing::{TestCertificate, TestKey};

use crate::world::{Database, World, both};

pub async fn walk(database: Database) {
    let world = World::new(database).await;
    let mut step = 0;
    let mut check = async |method: &str, path: &str, user: &str, body: Value| {
        step += 1;
        let request = world.request(method, path);
        let request = if user.is_empty() { request } else { request.user(user) };
        let reply = if body.is_null() { request.send().await } else { request.json_body(&body).send().await };
        let place = path.trim_matches('/').replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let mut filters = World::redactions();
        filters.push((r#""fingerprint": "([0-9A-F]{2}:){31}[0-9A-F]{2}""#, r#""fingerprint": "[sha-256]""#));
        // A refused insertion takes a number on PostgreSQL only.
        filters.push((r#""id": \d+"#, r#""id": "[number]""#));
        insta::with_settings!({
            filters => filters,
            prepend_module_to_snapshot => false,
            // The body would hold a key, another at each run.
            description => format!("{method} {path} as {}", if user.is_empty() { "nobody" } else { user }),
            omit_expression => true,
        }, {
            insta::assert_snapshot!(format!("certs_{step:02}_{}_{place}", method.to_lowercase()), reply.render());
        });
    };
    let none = Value::Null;
    let new =
        |name: &str, made: &TestCertificate| json!({"name": name, "certificate": made.certificate, "key": made.key});
    let made = TestCertificate::new(&["www.example.com", "*.example.org"]).unwrap();
    let other = TestCertificate::with(TestKey::Rsa(2048), &[], 0, 1).unwrap();
    world.named_app("owner", "blog").await;
    world.named_app("other", "shop").await;

    check("POST", "/v2/certs/", "", new("www", &made)).await;
    check("GET", "/v2/certs/", "owner", none.clone()).await;
    check("POST", "/v2/certs/", "owner", new("www", &made)).await;
    check("POST", "/v2/certs/", "other", new("www", &made)).await;
    check("POST", "/v2/certs", "owner", new("plain", &other)).await;
    check("POST", "/v2/certs/", "owner", new("Bad_Name", &made)).await;
    check("POST", "/v2/certs/", "owner", json!({})).await;
    check("POST", "/v2/certs/", "owner", json!({"name": "", "certificate": "", "key": ""})).await;
    check("POST", "/v2/certs/", "owner", json!({"name": "a", "certificate": ["x"], "key": null})).await;
    check("POST", "/v2/certs/", "owner", json!({"name": "a", "certificate": "x", "key": "y"})).await;
    let swapped = TestCertificate { certificate: made.key.clone(), key: made.certificate.clone() };
    check("POST", "/v2/certs/", "owner", new("swapped", &swapped)).await;
    let mixed = TestCertificate { certificate: made.certificate.clone(), key: other.key.clone() };
    check("POST", "/v2/certs/", "owner", new("mixed", &mixed)).await;

    check("GET", "/v2/certs/?limit=1", "owner", none.clone()).await;
    check("GET", "/v2/certs/www", "owner", none.clone()).await;
    check("GET", "/v2/certs/www/", "admin", none.clone()).await;
    check("GET", "/v2/certs/none", "owner", none.clone()).await;
    check("PUT", "/v2/certs/www", "owner", json!({})).await;
    check("PATCH", "/v2/certs/", "owner", json!({})).await;

    check("POST", "/v2/certs/www/domain/", "owner", json!({})).await;
    check("POST", "/v2/certs/www/domain/", "owner", json!({"domain": 7})).await;
    check("POST", "/v2/certs/www/domain/", "owner", json!({"domain": "none.example.com"})).await;
    check("POST", "/v2/certs/www/domain/", "owner", json!({"domain": "shop"})).await;
    check("POST", "/v2/certs/none/domain/", "owner", json!({"domain": "blog"})).await;
    check("POST", "/v2/certs/www/domain/", "stranger", json!({"domain": "blog"})).await;
    check("POST", "/v2/certs/www/domain/", "owner", json!({"domain": "blog"})).await;
    check("POST", "/v2/certs/www/domain/", "owner", json!({"domain": "blog"})).await;
    check("POST", "/v2/certs/plain/domain/blog/", "owner", none.clone()).await;
    check("GET", "/v2/certs/www", "owner", none.clone()).await;
    check("DELETE", "/v2/certs/plain/domain/blog", "owner", none.clone()).await;
    check("DELETE", "/v2/certs/www/domain/blog", "stranger", none.clone()).await;
    check("DELETE", "/v2/certs/www/domain/blog/", "owner", none.clone()).await;
    check("DELETE", "/v2/certs/www/domain/blog", "owner", none.clone()).await;
    check("POST", "/v2/certs/plain/domain/blog", "owner", none.clone()).await;
    check("GET", "/v2/certs", "owner", none.clone()).await;

    check("DELETE", "/v2/certs/plain/", "stranger", none.clone()).await;
    check("DELETE", "/v2/certs/plain/", "owner", none.clone()).await;
    check("DELETE", "/v2/certs/plain/", "owner", none.clone()).await;
    check("POST", "/v2/certs/www/domain/blog", "owner", none.clone()).await;
    check("GET", "/v2/certs/", "owner", none).await;
}

both!(walk, bodies_are_as_they_were);

/// Certificates and keys go in and never come out: not in an answer, not in the audit trail.
#[tokio::test(flavor = "multi_thread")]
async fn neither_certificate_nor_key_is_ever_in_an_answer() {
    let world = World::new(Database::Sqlite).await;
    let made = TestCertificate::new(&["www.example.com"]).unwrap();
    let body = json!({"name": "www", "certificate": made.certificate, "key": made.key});
    let added = world.request("POST", "/v2/certs/").user("owner").json_body(&body).send().await;
    assert_eq!(added.status, 201, "{added:?}");
    let secrets = [made.key.lines().nth(1).unwrap(), made.certificate.lines().nth(1).unwrap(), "BEGIN"];
    let again = world.request("POST", "/v2/certs/").user("owner").json_body(&body).send().await;
    let broken = json!({"name": "x", "certificate": made.certificate, "key": made.key.replacen('M', "!", 1)});
    let refused = world.request("POST", "/v2/certs/").user("owner").json_body(&broken).send().await;
    assert_eq!((again.status, refused.status), (400, 400));
    let read = world.request("GET", "/v2/certs/www").user("owner").send().await;
    let listed = world.request("GET", "/v2/certs/").user("owner").send().await;
    for reply in [added, again, refused, read, listed] {
        for secret in secrets {
            assert!(!reply.body.contains(secret), "{reply:?}");
        }
    }
}
