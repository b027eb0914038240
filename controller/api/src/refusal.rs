//! Bodies of refusals that Deis 1.x and 2.x have in common.

use http::StatusCode;
use poem::Response;
use serde_json::{Map, Value, json};
use slipway_core::error::FieldError;

use crate::call::json_bytes;

/// An answer with `detail` that is no fault of ours. What users sent is not logged, because it may be a secret.
pub(crate) fn refuse(status: StatusCode, text: &str) -> Response {
    tracing::info!(http.status = status.as_u16(), "refused with {status}");
    detail(status, text)
}

/// An answer with `detail`.
pub(crate) fn detail(status: StatusCode, text: &str) -> Response {
    json_bytes(status, json!({ "detail": text }).to_string().into_bytes())
}

/// 400 with lists of messages by field; `message` may say them in other words.
pub(crate) fn bad_fields(fields: &[FieldError], message: impl Fn(&str) -> String) -> Response {
    let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
    tracing::info!("refused: bad fields {names:?}");
    let mut body = Map::new();
    for field in fields {
        let messages = body.entry(field.field.clone()).or_insert_with(|| json!([]));
        if let Value::Array(messages) = messages {
            messages.extend(field.messages.iter().map(|text| Value::String(message(text))));
        }
    }
    json_bytes(StatusCode::BAD_REQUEST, Value::Object(body).to_string().into_bytes())
}
