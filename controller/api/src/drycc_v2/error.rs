//! Refusals and failures as `/v2` clients expect them. Source: `drycc-v2.md` §1.6.

use http::{HeaderValue, StatusCode, header};
use poem::Response;
use serde_json::Value;
use slipway_core::Error;

use crate::call::{Failure, json_bytes};
use crate::dispatch::allow;
use crate::refusal::{bad_fields, detail, refuse};

/// Writes a failure as an answer, and into the log: everything for a bug, the kind and the fields for a refusal. What
/// users sent is not logged, because it may be a secret.
pub fn render(failure: &Failure) -> Response {
    match failure {
        Failure::Domain(error) | Failure::Body(error) => domain(error),
        // Only routes of teams give it.
        Failure::Refused(refusal) => domain(&Error::internal(refusal)),
        Failure::UnknownUrl | Failure::NoSuchPage => refuse(StatusCode::NOT_FOUND, "Not found."),
        Failure::MethodNotAllowed { method, allowed } => {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."));
            response.headers_mut().insert(header::ALLOW, allow(allowed));
            response
        }
        Failure::OtherVersion { client, server } => {
            let text = format!("The client is made for version {client}, this is {server}.");
            refuse(StatusCode::METHOD_NOT_ALLOWED, &text)
        }
        Failure::NotJson(reason) => refuse(StatusCode::BAD_REQUEST, &format!("JSON parse error - {reason}")),
        Failure::NotForm(reason) => refuse(StatusCode::BAD_REQUEST, &format!("Form parse error - {reason}")),
        Failure::UnsupportedMediaType(media_type) => {
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("Unsupported media type \"{media_type}\" in request."))
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

fn domain(error: &Error) -> Response {
    let public = error.to_string();
    match error {
        Error::NotFound { .. } => {
            tracing::info!("refused: {public}");
            json_bytes(StatusCode::NOT_FOUND, Value::String(public).to_string().into_bytes())
        }
        Error::Missing(_) => refuse(StatusCode::NOT_FOUND, &public),
        Error::Conflict(_) => refuse(StatusCode::CONFLICT, &public),
        Error::Invalid(fields) => bad_fields(fields, str::to_owned),
        Error::Rejected(_) | Error::DeployFailed(_) => refuse(StatusCode::BAD_REQUEST, &public),
        Error::Unprocessable(_) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &public),
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

    async fn check(error: Error, status: u16, body: &str) {
        let mut response = render(&Failure::Domain(error));
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.take_body().into_string().await.unwrap(), body);
    }

    #[tokio::test]
    async fn each_error_has_its_status_and_body() {
        check(Error::not_found(Kind::App), 404, r#""No App matches the given query.""#).await;
        check(Error::Missing("x".to_owned()), 404, r#"{"detail":"x"}"#).await;
        check(Error::Conflict("x".to_owned()), 409, r#"{"detail":"x"}"#).await;
        check(Error::invalid("id", "bad"), 400, r#"{"id":["bad"]}"#).await;
        check(Error::Rejected("x".to_owned()), 400, r#"{"detail":"x"}"#).await;
        check(Error::DeployFailed("x".to_owned()), 400, r#"{"detail":"x"}"#).await;
        check(Error::Unprocessable("x".to_owned()), 422, r#"{"detail":"x"}"#).await;
        check(Error::Unauthenticated("x".to_owned()), 401, r#"{"detail":"x"}"#).await;
        let forbidden = r#"{"detail":"You do not have permission to perform this action."}"#;
        check(Error::forbidden(), 403, forbidden).await;
        let throttled = r#"{"detail":"Request was throttled. Expected available in 7 seconds."}"#;
        check(Error::Throttled { retry_after_secs: 7 }, 429, throttled).await;
        let away = Error::Unavailable { public: "away".to_owned(), context: "host db refused".to_owned() };
        check(away, 503, r#"{"detail":"away"}"#).await;
        check(Error::internal("stack"), 500, r#"{"detail":"Server Error"}"#).await;
    }

    #[tokio::test]
    async fn messages_about_one_field_stand_together() {
        let mut error = Error::invalid("id", "one");
        if let Error::Invalid(fields) = &mut error {
            fields.push(slipway_core::error::FieldError { field: "id".to_owned(), messages: vec!["two".to_owned()] });
        }
        check(error, 400, r#"{"id":["one","two"]}"#).await;
    }

    #[test]
    fn headers_that_belong_to_a_status_are_there() {
        let header = |error: Error, name: &str| render(&Failure::Domain(error)).header(name).map(str::to_owned);
        assert_eq!(header(Error::Unauthenticated(String::new()), "www-authenticate").as_deref(), Some("Token"));
        assert_eq!(header(Error::Throttled { retry_after_secs: 7 }, "retry-after").as_deref(), Some("7"));
    }
}
