//! The OpenAPI document of every route, and a page to read and try it.
//!
//! Paths, methods, variables and who may call come from the route table; what a route is for, what it reads and what
//! it answers come from [`operation`]. Tests hold every answer that they get against the document, so it cannot drift.

use std::sync::LazyLock;

use http::{HeaderValue, Method, StatusCode, header};
use poem::Response;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call, json_bytes, text};
use crate::handler;
use crate::route::{Access, Generation, Route, RouteTable};
use operation::{Answers, Operation};

mod deis_v1;
mod dployr_v1;
pub mod operation;
mod schema;
mod team;

/// The page may load its own two files and call its own host, nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static DOCUMENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| document(&RouteTable::new(crate::routes())).to_string().into_bytes());

/// The routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    let get = |pattern, operation, handler| {
        Route::new(Generation::Platform, Method::GET, pattern, operation, Access::Public, handler)
    };
    vec![
        get("/openapi.json", "platform_openapi_read", handler!(openapi_read)),
        get("/docs", "platform_docs_read", handler!(docs_read)),
        get("/docs/page.js", "platform_docs_script", handler!(docs_script)),
        get("/docs/page.css", "platform_docs_style", handler!(docs_style)),
    ]
}

async fn openapi_read(_call: Call) -> Answer {
    Ok(json_bytes(StatusCode::OK, DOCUMENT.clone()))
}

async fn docs_read(_call: Call) -> Answer {
    Ok(file(include_str!("openapi/page.html"), "text/html; charset=utf-8"))
}

async fn docs_script(_call: Call) -> Answer {
    Ok(file(include_str!("openapi/page.js"), "text/javascript; charset=utf-8"))
}

async fn docs_style(_call: Call) -> Answer {
    Ok(file(include_str!("openapi/page.css"), "text/css; charset=utf-8"))
}

fn file(body: &'static str, media_type: &'static str) -> Response {
    let mut response = text(body).set_content_type(media_type);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The OpenAPI 3.1 document of a table.
///
/// A route that [`operation::find`] does not know is listed without bodies; a test fails for it.
#[must_use]
pub fn document(table: &RouteTable) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in table.iter() {
        let item = paths.entry(path(route.pattern)).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(route.method.as_str().to_ascii_lowercase(), entry(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Slipway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The controller's HTTP APIs. Every path answers with and without a slash at its end. \
                            A known path answers 405 with `Allow` to other methods, an unknown one 404.",
        },
        "paths": paths,
        "components": {
            "schemas": schema::schemas(),
            "securitySchemes": {
                "token": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`token KEY`, where KEY is the answer of the log-in.",
                },
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "`/api`: a token made at `/api/tokens`, or the answer of the log-in. `/v1`: the `access_token` of the \
                                    log-in by e-mail address.",
                },
                "cookie": {
                    "type": "apiKey", "in": "cookie", "name": crate::team::auth::COOKIE,
                    "description": "A browser's log-in.",
                },
                "builder": {
                    "type": "apiKey", "in": "header", "name": "X-Slipway-Builder-Auth",
                    "description": "The key that the builder shares with the controller.",
                },
            },
        },
    })
}

/// A pattern as OpenAPI writes it.
#[must_use]
pub fn path(pattern: &str) -> String {
    pattern.replace("*}", "}")
}

fn variables(pattern: &str) -> impl Iterator<Item = &str> {
    pattern
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}').map(|name| name.trim_end_matches('*')))
}

fn entry(route: &Route) -> Value {
    let found = operation::find(route.operation);
    let mut parameters: Vec<Value> = variables(route.pattern)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": schema::variable(name)}))
        .collect();
    let mut entry = json!({ "operationId": route.operation, "responses": responses(route, found.as_ref()) });
    match route.access {
        Access::Public => entry["security"] = json!([]),
        Access::Optional => entry["security"] = json!([{}, {"token": []}]),
        Access::User => {
            entry["security"] = match route.generation {
                Generation::Team => json!([{"bearer": []}, {"cookie": []}, {"token": []}]),
                Generation::DeisV1 | Generation::DployrV1 => json!([{"token": []}, {"bearer": []}]),
                Generation::Platform | Generation::DryccV2 => json!([{"token": []}]),
            };
        }
        Access::Starter => entry["security"] = json!([{"bearer": []}, {"cookie": []}, {"token": []}]),
        Access::Builder => entry["security"] = json!([{"builder": []}]),
    }
    if let Some(operation) = found {
        entry["tags"] = json!([operation.tag]);
        entry["summary"] = json!(operation.summary);
        if let Some(body) = operation.body {
            let mut content = Map::new();
            let forms = ["application/x-www-form-urlencoded", "multipart/form-data"];
            let media_types = forms.into_iter().filter(|_| route.generation == Generation::DeisV1);
            for media_type in std::iter::once("application/json").chain(media_types) {
                content.insert(media_type.to_owned(), json!({ "schema": schema::reference(body) }));
            }
            entry["requestBody"] = json!({ "required": operation.is_body_required, "content": content });
        }
        if matches!(operation.answers, Answers::Page(_)) {
            let names =
                if route.generation == Generation::DeisV1 { ["page", "page_size"] } else { ["limit", "offset"] };
            parameters.extend(names.map(query));
        }
        parameters.extend(operation.query.iter().map(|name| query(name)));
    }
    if !parameters.is_empty() {
        entry["parameters"] = json!(parameters);
    }
    entry
}

fn query(name: &str) -> Value {
    json!({"name": name, "in": "query", "required": false, "schema": schema::query(name)})
}

/// What a route may answer, by status. 500 is not among it: that would be a bug.
fn responses(route: &Route, operation: Option<&Operation>) -> Value {
    let mut responses = Map::new();
    let mut content_by_type = None;
    let mut add = |status: u16, description: &str, content: Option<(&str, Value)>| {
        let mut response = json!({ "description": description });
        if let Some((media_type, schema)) = content {
            response["content"] = json!({ media_type: { "schema": schema } });
        }
        responses.insert(status.to_string(), response);
    };
    match operation.map(|operation| operation.answers) {
        Some(Answers::Json(status, name)) => add(status, "Done.", Some(("application/json", schema::reference(name)))),
        Some(Answers::JsonOrText(status, name, media_type)) => {
            let mut both = Map::new();
            both.insert("application/json".to_owned(), json!({ "schema": schema::reference(name) }));
            both.insert(media_type.to_owned(), json!({ "schema": { "type": "string" } }));
            content_by_type = Some((status, both));
        }
        Some(Answers::List(name)) => {
            let items = json!({"type": "array", "items": schema::reference(name)});
            add(200, "Done.", Some(("application/json", items)));
        }
        Some(Answers::Page(name)) => add(200, "A page of the list.", Some(("application/json", schema::page(name)))),
        Some(Answers::Text(media_type)) => add(200, "Done.", Some((media_type, json!({"type": "string"})))),
        Some(Answers::Empty(status)) => add(status, "Done.", None),
        Some(Answers::Never) => {}
        None => add(200, "Done.", None),
    }
    let mut statuses: Vec<u16> = operation.map_or(Vec::new(), |operation| operation.also.to_vec());
    match route.access {
        Access::Public | Access::Optional => {}
        Access::User if route.generation == Generation::Team => statuses.push(403),
        Access::User => statuses.push(401),
        // The older generation knows no such tokens.
        Access::Starter if route.pattern.contains("{teamSlug}") => statuses.extend([401, 403]),
        Access::Starter => statuses.push(403),
        Access::Builder => statuses.extend([401, 403]),
    }
    if route.pattern.contains("{app}") {
        statuses.push(404);
        // To most of 1.x an app that the caller may not use is not there. Source: `deis-v1.md` §1.1.
        if route.generation != Generation::DeisV1 {
            statuses.push(403);
        }
    }
    if route.generation == Generation::Team {
        if route.pattern.contains("Id}") {
            // An identity may have the wrong form, or be nobody's.
            statuses.extend([400, 404]);
        }
    } else if route.pattern.contains('{') {
        statuses.push(404);
    }
    if !matches!(route.method, Method::GET | Method::HEAD) {
        // Any body is read whole before it is known whether anybody wants it.
        statuses.extend([400, 413]);
    }
    if operation.is_some_and(|operation| operation.body.is_some()) {
        statuses.push(415);
    }
    if route.generation != Generation::Platform {
        statuses.push(503);
    }
    if route.generation == Generation::DeisV1 {
        // Of clients that are made for another major version.
        statuses.push(405);
        if matches!(operation.map(|operation| operation.answers), Some(Answers::Page(_))) {
            statuses.push(404);
        }
    }
    if route.generation == Generation::DployrV1 {
        statuses.push(429);
    }
    let bare = operation.map_or(&[][..], |operation| operation.bare);
    let usual = match route.generation {
        Generation::Team => Some("TeamRefusal"),
        Generation::DployrV1 => Some("Envelope"),
        Generation::Platform | Generation::DryccV2 | Generation::DeisV1 => None,
    };
    let own = operation.and_then(|operation| operation.refusal).or(usual);
    for status in statuses {
        if let (200 | 201, Some(Answers::Json(_, name))) = (status, operation.map(|operation| operation.answers)) {
            // Made, or there already.
            add(status, "Done.", Some(("application/json", schema::reference(name))));
            continue;
        }
        let (description, name) = refusal(status);
        match name.map(|name| own.unwrap_or(name)).filter(|_| !bare.contains(&status)) {
            Some(name) => add(status, description, Some(("application/json", schema::reference(name)))),
            None => add(status, description, None),
        }
    }
    if operation.is_some_and(|operation| operation.is_page) {
        for content in responses.values_mut().filter_map(|response| response.get_mut("content")) {
            content["text/html"] = json!({ "schema": { "type": "string" } });
        }
    }
    if let Some((status, both)) = content_by_type {
        responses.insert(status.to_string(), json!({ "description": "Done.", "content": both }));
    }
    Value::Object(responses)
}

/// What a status means, and its body.
const fn refusal(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        204 => ("There is nothing.", None),
        400 => ("The request breaks a rule; the body says which, by field where it can.", Some("BadRequest")),
        401 => ("No credentials, or bad ones.", Some("Detail")),
        403 => ("The caller may not do this.", Some("Detail")),
        404 => ("There is no such thing.", Some("NotFound")),
        405 => ("The client is made for another major version.", Some("OtherVersion")),
        409 => ("It does not go with what is there or under way.", Some("Detail")),
        412 => ("The present state does not allow it.", Some("Detail")),
        413 => ("The body is too large.", Some("Detail")),
        415 => ("The body is not JSON.", Some("Detail")),
        422 => ("It cannot be done to what is there.", Some("Detail")),
        423 => ("Nobody does that to themselves.", None),
        429 => ("Too often; `Retry-After` says when to try again.", Some("Detail")),
        503 => ("It cannot be done now.", Some("Detail")),
        _ => ("Refused.", Some("Detail")),
    }
}
