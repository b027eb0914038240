//! Refusals and failures as Deis 1.x clients expect them. Source: `deis-v1.md` §1.1.

use http::{HeaderValue, StatusCode, header};
use poem::Response;
use serde_json::json;
use slipway_core::Error;
use slipway_service::{APP_NAME_RULE_OLD, APP_NAME_TAKEN, USERNAME_TAKEN};

use crate::call::{Failure, json_bytes};
use crate::dispatch::allow;
use crate::fields;
use crate::refusal::{bad_fields, detail, refuse};

/// Texts of the use cases, which are those of 2.x, and the ones that 1.x clients know.
const TEXTS: [(&str, &str); 7] = [
    (fields::BLANK, fields::REQUIRED),
    (fields::NULL, fields::REQUIRED),
    (APP_NAME_RULE_OLD, "App IDs can only contain [a-z0-9-]"),
    (APP_NAME_TAKEN, "App with this Id already exists."),
    (USERNAME_TAKEN, "User with this Username already exists."),
    ("Invalid token.", "Invalid token"),
    ("User inactive or deleted.", "User inactive or deleted"),
];

fn text(text: &str) -> String {
    TEXTS.iter().find(|(new, _)| *new == text).map_or(text, |(_, old)| old).to_owned()
}

/// Writes a failure as an answer, and into the log: everything for a bug, the kind and the fields for a refusal.
pub fn render(failure: &Failure) -> Response {
    match failure {
        Failure::Domain(error) | Failure::Body(error) => domain(error),
        // Only routes of teams give it.
        Failure::Refused(refusal) => domain(&Error::internal(refusal)),
        Failure::UnknownUrl | Failure::NoSuchPage => not_found(),
        Failure::MethodNotAllowed { method, allowed } => {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("Method '{method}' not allowed."));
            response.headers_mut().insert(header::ALLOW, allow(allowed));
            response
        }
        Failure::OtherVersion { client, server } => {
            let text =
                format!("Client and server versions do not match. Client version: {client} Server version: {server}");
            tracing::info!("refused a client of another version");
            json_bytes(StatusCode::METHOD_NOT_ALLOWED, json!({ "error": text }).to_string().into_bytes())
        }
        Failure::NotJson(reason) => refuse(StatusCode::BAD_REQUEST, &format!("JSON parse error - {reason}")),
        Failure::NotForm(reason) => refuse(StatusCode::BAD_REQUEST, &format!("Multipart form parse error - {reason}")),
        Failure::UnsupportedMediaType(media_type) => {
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("Unsupported media type '{media_type}' in request."))
        }
        Failure::TooLarge { limit } => {
            refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("Request body is larger than {limit} bytes."))
        }
        Failure::Incomplete => refuse(StatusCode::BAD_REQUEST, "Request body is incomplete."),
        Failure::Panic(reason) => {
            tracing::error!("the handler panicked: {reason}");
            detail(StatusCode::INTERNAL_SERVER_ERROR, "Server Error")
        }
    }
}

fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "Not found")
}

fn domain(error: &Error) -> Response {
    let public = text(&error.to_string());
    match error {
        Error::NotFound { .. } => not_found(),
        Error::Conflict(_) => refuse(StatusCode::CONFLICT, &public),
        Error::Invalid(fields) => bad_fields(fields, text),
        Error::Missing(_) | Error::Rejected(_) | Error::Unprocessable(_) => refuse(StatusCode::BAD_REQUEST, &public),
        Error::Unauthenticated(_) => {
            let mut response = refuse(StatusCode::UNAUTHORIZED, &public);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
            response
        }
        Error::Forbidden(_) => refuse(StatusCode::FORBIDDEN, &public),
        Error::Throttled { retry_after_secs } => {
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, &public);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_secs));
            response
        }
        Error::DeployFailed(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, &public),
        Error::Unavailable { context, .. } => {
            tracing::warn!("unavailable: {context}");
            detail(StatusCode::SERVICE_UNAVAILABLE, &public)
        }
        Error::Internal { context } => {
            tracing::error!("internal error: {context}");
            detail(StatusCode::INTERNAL_SERVER_ERROR, &public)
        }
    }
}

#[cfg(test)]
mod tests {
    use slipway_core::error::Kind;

    use super::*;

    async fn check(failure: Failure, status: u16, body: &str) {
        let mut response = render(&failure);
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.take_body().into_string().await.unwrap(), body);
    }

    #[tokio::test]
    async fn each_failure_has_its_status_and_body() {
        check(Failure::UnknownUrl, 404, r#"{"detail":"Not found"}"#).await;
        check(Failure::NoSuchPage, 404, r#"{"detail":"Not found"}"#).await;
        let put = Failure::MethodNotAllowed { method: http::Method::PUT, allowed: vec![http::Method::GET] };
        check(put, 405, r#"{"detail":"Method 'PUT' not allowed."}"#).await;
        let other = Failure::OtherVersion { client: "2.0".to_owned(), server: "1.0" };
        let text = r#"{"error":"Client and server versions do not match. Client version: 2.0 Server version: 1.0"}"#;
        check(other, 405, text).await;
        check(
            Failure::UnsupportedMediaType("text/plain".to_owned()),
            415,
            r#"{"detail":"Unsupported media type 'text/plain' in request."}"#,
        )
        .await;
        for (error, status, body) in [
            (Error::not_found(Kind::App), 404, r#"{"detail":"Not found"}"#),
            (Error::Missing("x".to_owned()), 400, r#"{"detail":"x"}"#),
            (Error::Conflict("x".to_owned()), 409, r#"{"detail":"x"}"#),
            (Error::invalid("id", APP_NAME_TAKEN), 400, r#"{"id":["App with this Id already exists."]}"#),
            (Error::invalid("id", fields::BLANK), 400, r#"{"id":["This field is required."]}"#),
            (Error::Rejected("x".to_owned()), 400, r#"{"detail":"x"}"#),
            (Error::Unprocessable("x".to_owned()), 400, r#"{"detail":"x"}"#),
            (Error::Unauthenticated("Invalid token.".to_owned()), 401, r#"{"detail":"Invalid token"}"#),
            (Error::forbidden(), 403, r#"{"detail":"You do not have permission to perform this action."}"#),
            (Error::DeployFailed("x".to_owned()), 503, r#"{"detail":"x"}"#),
            (Error::internal("stack"), 500, r#"{"detail":"Server Error"}"#),
        ] {
            check(Failure::Domain(error), status, body).await;
        }
    }
}
