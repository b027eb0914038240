//! The OpenAPI document: complete, kept, and true. Its truth is tested by every other test here, because each answer
//! that they get goes through [`check`].

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use http::Method;
use serde_json::{Map, Value, json};
use slipway_api::openapi::{document, operation, path};
use slipway_api::route::{Access, Generation, RouteTable};

use crate::world::{Database, Reply, World};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document(&table()));

/// What every answer so far was: operation and status.
static SEEN: Mutex<BTreeSet<(String, u16)>> = Mutex::new(BTreeSet::new());

/// The statuses that operations have answered with, in all tests of this process so far.
pub fn seen() -> BTreeSet<(String, u16)> {
    SEEN.lock().unwrap().clone()
}

/// The statuses that the document foresees of every operation.
pub fn foreseen() -> BTreeSet<(String, u16)> {
    let items = DOCUMENT["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    items
        .flat_map(|entry| {
            let operation = entry["operationId"].as_str().unwrap();
            let statuses = entry["responses"].as_object().unwrap().keys();
            statuses.map(move |status| (operation.to_owned(), status.parse().unwrap()))
        })
        .collect()
}

fn table() -> RouteTable {
    RouteTable::new(slipway_api::routes())
}

/// Fails unless the document foresees this answer: its status, its media type, its body.
pub fn check(table: &RouteTable, method: &Method, uri_path: &str, reply: &Reply) {
    let Some((group, _)) = table.find(uri_path) else { return };
    let Some(route) = group.routes.iter().find(|route| route.method == *method) else { return };
    if operation::find(route.operation).is_none() {
        // The test below says so once.
        return;
    }
    SEEN.lock().unwrap().insert((route.operation.to_owned(), reply.status));
    let entry = &DOCUMENT["paths"][path(route.pattern)][method.as_str().to_ascii_lowercase()];
    let context = format!("{method} {uri_path}: {reply:?}");
    let response = &entry["responses"][reply.status.to_string()];
    assert!(response.is_object(), "the document of {} does not know this status: {context}", route.operation);
    let Some(content) = response["content"].as_object() else {
        assert!(reply.body.is_empty(), "the document says that there is no body: {context}");
        return;
    };
    let sent = reply.header("content-type").unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default();
    let schema = content.get(essence).unwrap_or_else(|| panic!("the document does not know this type: {context}"));
    if essence == "application/json" {
        validate(&schema["schema"], &reply.json(), "body").unwrap_or_else(|reason| panic!("{reason}: {context}"));
    }
}

/// Whether a value fits a schema, for the part of JSON Schema that the document uses.
fn validate(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(schema) = schema.as_object() else { return Err(format!("{at}: no schema")) };
    for (keyword, expect) in schema {
        match keyword.as_str() {
            "$ref" => {
                let name = expect.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
                validate(&DOCUMENT["components"]["schemas"][name], value, at)?;
            }
            "anyOf" => {
                let tried: Vec<_> =
                    expect.as_array().unwrap().iter().map(|schema| validate(schema, value, at)).collect();
                if tried.iter().all(Result::is_err) {
                    return Err(format!("{at}: none fits: {tried:?}"));
                }
            }
            "type" => {
                let kinds = expect.as_array().cloned().unwrap_or_else(|| vec![expect.clone()]);
                let is_kind = |kind: &Value| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("unknown type {other}"),
                };
                if !kinds.iter().any(is_kind) {
                    return Err(format!("{at}: {value} is not {expect}"));
                }
            }
            "enum" => {
                if !expect.as_array().unwrap().contains(value) {
                    return Err(format!("{at}: {value} is not one of {expect}"));
                }
            }
            "required" => {
                for name in expect.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        return Err(format!("{at}: {name} is missing"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(expect, item, &format!("{at}[{index}]"))?;
                }
            }
            "properties" => {
                for (name, schema) in expect.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        validate(schema, field, &format!("{at}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let empty = Map::new();
                let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
                let others = value.as_object().into_iter().flatten().filter(|(name, _)| !known.contains_key(*name));
                for (name, field) in others {
                    if expect == &json!(false) {
                        return Err(format!("{at}: {name} is unknown"));
                    }
                    validate(expect, field, &format!("{at}.{name}"))?;
                }
            }
            "format" if value.is_string() => {
                let text = value.as_str().unwrap();
                let is_good = match expect.as_str().unwrap() {
                    // Whole seconds, or milliseconds.
                    "date-time" => {
                        (text.len() == 20 || (text.len() == 24 && text.as_bytes()[19] == b'.'))
                            && text.as_bytes()[10] == b'T'
                            && text.ends_with('Z')
                    }
                    "uuid" => text.len() == 36 && text.matches('-').count() == 4,
                    _ => true,
                };
                if !is_good {
                    return Err(format!("{at}: {value} is no {expect}"));
                }
            }
            "maxLength" => {
                if value.as_str().is_some_and(|text| text.len() as u64 > expect.as_u64().unwrap()) {
                    return Err(format!("{at}: {value} is longer than {expect}"));
                }
            }
            "minimum" => {
                if value.as_i64().is_some_and(|number| number < expect.as_i64().unwrap()) {
                    return Err(format!("{at}: {value} is less than {expect}"));
                }
            }
            // Patterns and lengths of requests are tried by `tests/support/schemathesis`.
            "pattern" | "minLength" | "maximum" | "default" | "format" => {}
            other => panic!("{at}: the checker does not know {other}"),
        }
    }
    Ok(())
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let user = json!({"$ref": "#/components/schemas/Perms"});
    validate(&user, &json!({"users": ["a"]}), "x").unwrap();
    for (bad, reason) in [
        (json!({"users": [1]}), "x.users[0]: 1 is not \"string\""),
        (json!({"users": "a"}), "x.users: \"a\" is not \"array\""),
        (json!({}), "x: \"users\" is missing"),
        (json!({"users": [], "more": 1}), "x: more is unknown"),
    ] {
        assert_eq!(validate(&user, &bad, "x").unwrap_err(), reason);
    }
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let rows: BTreeSet<(String, String, String)> = table()
        .iter()
        .map(|route| (path(route.pattern), route.method.as_str().to_lowercase(), route.operation.to_owned()))
        .collect();
    let mut listed = BTreeSet::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, entry) in item.as_object().unwrap() {
            listed.insert((path.clone(), method.clone(), entry["operationId"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(listed, rows);
    for route in table().iter() {
        assert!(
            operation::find(route.operation).is_some(),
            "{route:?}: say in openapi/operation.rs what it is for, what it reads and what it answers"
        );
        let entry = &DOCUMENT["paths"][path(route.pattern)][route.method.as_str().to_lowercase()];
        assert_eq!(entry["security"] == json!([]), route.access == Access::Public, "{route:?}");
        // Tokens in bodies may be bad ones, too.
        let is_login = ["deis_v1_user_login", "dployr_v1_login_refresh"].contains(&route.operation);
        let is_closed = matches!(route.access, Access::User | Access::Builder);
        let refused = if route.generation == Generation::Team { "403" } else { "401" };
        assert!(!is_closed || entry["responses"].get(refused).is_some(), "{route:?}");
        assert!(
            is_closed || is_login || route.generation == Generation::Team || entry["responses"].get("401").is_none()
        );
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let text = DOCUMENT.to_string();
    let referred: BTreeSet<&str> =
        text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let named: BTreeSet<&str> =
        DOCUMENT["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(referred, named);
}

#[test]
fn the_document_is_as_it_was() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&*DOCUMENT).unwrap());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_and_the_page_needs_nothing_from_elsewhere() {
    let world = World::new(Database::Sqlite).await;
    let served = world.request("GET", "/openapi.json").send().await;
    assert_eq!(served.json(), *DOCUMENT);
    for (path, media_type) in [
        ("/docs/", "text/html; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
        ("/docs/page.css", "text/css; charset=utf-8"),
    ] {
        let reply = world.request("GET", path).send().await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(media_type)), "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        for elsewhere in ["http://", "https://", "src=\"//", "innerHTML", "onclick"] {
            assert!(!reply.body.contains(elsewhere), "{path} has {elsewhere}");
        }
    }
}
