//! Answers as upstream's own command line reads them: everything below `data`, names in camel case. It says who it is in
//! `User-Agent`; everybody else gets the documented form. Source: `dployr-v1.md` §1.

use http::{HeaderMap, header};
use poem::{Body, Response};
use serde_json::{Map, Value, json};

/// How its `User-Agent` begins.
const CLIENT: &str = "dployr-cli/";
/// What holds names of a user's choosing, which stay as they are.
const VERBATIM: [&str; 3] = ["env", "env_vars", "payload"];
/// Where a list is, by the name of what is in it.
const LISTS: [&str; 7] = ["deployments", "services", "instances", "routes", "projects", "webhooks", "deliveries"];

/// Whether a request is of that client.
#[must_use]
pub fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(CLIENT.as_bytes()))
}

/// Puts an answer into the form that the client reads. What is no JSON object (a log, nothing at all) stays.
pub async fn adapt(path: &str, mut response: Response) -> Response {
    let is_json = response.content_type().is_some_and(|media| media.starts_with("application/json"));
    if !is_json {
        return response;
    }
    let Ok(bytes) = response.take_body().into_bytes().await else { return response };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(body)) => {
            let body = wrap(path, body).to_string();
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.set_body(Body::from_string(body));
        }
        _ => response.set_body(Body::from_bytes(bytes)),
    }
    response
}

fn wrap(path: &str, mut body: Map<String, Value>) -> Value {
    if body.contains_key("error") && body.get("error").is_some_and(Value::is_object) && !body.contains_key("id") {
        body.insert("success".to_owned(), Value::Bool(false));
        return Value::Object(body);
    }
    body.remove("success");
    if let Some(items) = LISTS.iter().find_map(|name| body.remove(*name)) {
        body.insert("items".to_owned(), items);
        return json!({"success": true, "data": camel(Value::Object(body))});
    }
    let data = camel(Value::Object(body));
    // `/v1/services/x` is a service; `/v1/services/x/status` something else.
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let data = match parts.as_slice() {
        ["v1", "deployments"] | ["v1", "deployments", _] => json!({"deployment": data}),
        ["v1", "services", _] => json!({"service": data}),
        _ => data,
    };
    json!({"success": true, "data": data})
}

/// The value with names in camel case.
fn camel(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(camel).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| {
                let value = if VERBATIM.contains(&name.as_str()) { value } else { camel(value) };
                (camel_name(&name), value)
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut letters = word.chars();
        let start: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        text + &start + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(path: &str, body: Value) -> Value {
        let Value::Object(body) = body else { panic!("{body}") };
        wrap(path, body)
    }

    #[test]
    fn data_is_where_the_client_looks() {
        let deployment = json!({"id": "1", "user_id": "2", "error": null, "success": true, "env_vars": {"A_B": "c"}});
        assert_eq!(
            wrapped("/v1/deployments", deployment),
            json!({"success": true, "data": {"deployment": {
                "id": "1", "userId": "2", "error": null, "envVars": {"A_B": "c"},
            }}})
        );
        assert_eq!(
            wrapped("/v1/services/", json!({"services": [{"run_cmd": "x"}], "total": 1})),
            json!({"success": true, "data": {"items": [{"runCmd": "x"}], "total": 1}})
        );
        let named = |path: &str| wrapped(path, json!({"a": 1}))["data"].clone();
        assert_eq!(named("/v1/services/blog"), json!({"service": {"a": 1}}));
        assert_eq!(named("/v1/services/blog/status"), json!({"a": 1}));
        assert_eq!(named("/v1/instances/x"), json!({"a": 1}));
        assert_eq!(
            wrapped("/v1/deployments/x", json!({"error": {"code": "not_found", "message": "no"}})),
            json!({"success": false, "error": {"code": "not_found", "message": "no"}})
        );
    }

    #[test]
    fn only_that_client_is_adapted_to() {
        let of = |agent: &'static str| {
            is_wanted(&HeaderMap::from_iter([(header::USER_AGENT, http::HeaderValue::from_static(agent))]))
        };
        assert!(of("dployr-cli/1.2.0"));
        assert!(!of("curl/8 dployr-cli/1"));
        assert!(!is_wanted(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_no_object_stays() {
        let log = Response::builder().content_type("application/json").body("[1]");
        assert_eq!(adapt("/v1/services/x/logs", log).await.into_body().into_string().await.unwrap(), "[1]");
        let stream = Response::builder().content_type("application/x-ndjson").body("{\"a_b\":1}\n");
        let text = adapt("/v1/services/x/logs", stream).await.into_body().into_string().await.unwrap();
        assert_eq!(text, "{\"a_b\":1}\n");
    }
}
