//! Refusals and failures as dployr clients expect them. Source: `dployr-v1.md` §1.1.

use http::{HeaderValue, StatusCode, header};
use poem::Response;
use slipway_core::Error;
use slipway_core::error::FieldError;
use slipway_wire::dployr_v1::{ErrorBody, ErrorDetails, ErrorEnvelope, FieldIssue};

use crate::call::{Failure, json_bytes};
use crate::dispatch::allow;

/// Writes a failure as an answer, and into the log: everything for a bug, the status for a refusal.
pub fn render(failure: &Failure) -> Response {
    match failure {
        Failure::Domain(error) | Failure::Body(error) => domain(error),
        // Only routes of teams give it.
        Failure::Refused(refusal) => domain(&Error::internal(refusal)),
        Failure::UnknownUrl | Failure::NoSuchPage => refuse(StatusCode::NOT_FOUND, "There is no such resource."),
        Failure::MethodNotAllowed { method, allowed } => {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("{method} is not offered here."));
            response.headers_mut().insert(header::ALLOW, allow(allowed));
            response
        }
        Failure::OtherVersion { client, server } => {
            let text = format!("The client is made for version {client}, this is {server}.");
            refuse(StatusCode::METHOD_NOT_ALLOWED, &text)
        }
        Failure::NotJson(reason) => refuse(StatusCode::BAD_REQUEST, &format!("The body is not JSON: {reason}")),
        Failure::NotForm(reason) => refuse(StatusCode::BAD_REQUEST, &format!("The body is no form: {reason}")),
        Failure::UnsupportedMediaType(_) => {
            refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
        }
        Failure::TooLarge { limit } => {
            refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("The body is larger than {limit} bytes."))
        }
        Failure::Incomplete => refuse(StatusCode::BAD_REQUEST, "The body is incomplete."),
        Failure::Panic(reason) => {
            tracing::error!("the handler panicked: {reason}");
            envelope(StatusCode::INTERNAL_SERVER_ERROR, "Server Error", None)
        }
    }
}

fn domain(error: &Error) -> Response {
    let public = error.to_string();
    match error {
        Error::NotFound { .. } | Error::Missing(_) => refuse(StatusCode::NOT_FOUND, &public),
        Error::Conflict(_) => refuse(StatusCode::CONFLICT, &public),
        Error::Invalid(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
            tracing::info!("refused: bad fields {names:?}");
            envelope(StatusCode::BAD_REQUEST, "The request breaks a rule.", Some(details(fields)))
        }
        Error::Rejected(_) | Error::Unprocessable(_) => refuse(StatusCode::BAD_REQUEST, &public),
        Error::Unauthenticated(_) => {
            let mut response = refuse(StatusCode::UNAUTHORIZED, &public);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
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
            envelope(StatusCode::SERVICE_UNAVAILABLE, &public, None)
        }
        Error::Internal { context } => {
            tracing::error!("internal error: {context}");
            envelope(StatusCode::INTERNAL_SERVER_ERROR, &public, None)
        }
    }
}

fn details(fields: &[FieldError]) -> ErrorDetails {
    match fields {
        [one] => ErrorDetails {
            field: Some(one.field.clone()),
            issue: Some(one.messages.join(" ")),
            ..ErrorDetails::default()
        },
        several => ErrorDetails {
            errors: several
                .iter()
                .map(|field| FieldIssue { field: field.field.clone(), issue: field.messages.join(" ") })
                .collect(),
            ..ErrorDetails::default()
        },
    }
}

fn refuse(status: StatusCode, text: &str) -> Response {
    tracing::info!(http.status = status.as_u16(), "refused with {status}");
    envelope(status, text, None)
}

fn envelope(status: StatusCode, message: &str, details: Option<ErrorDetails>) -> Response {
    let error = ErrorBody { code: code(status).to_owned(), message: message.to_owned(), details };
    json_bytes(status, serde_json::to_vec(&ErrorEnvelope { error }).unwrap_or_default())
}

/// The word for a status.
fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        413 => "payload_too_large",
        415 => "unsupported_media_type",
        429 => "rate_limited",
        500 => "internal_error",
        503 => "unavailable",
        _ => "invalid_request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(failure: Failure, status: u16, body: &str) {
        let mut response = render(&failure);
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.take_body().into_string().await.unwrap(), body);
    }

    #[tokio::test]
    async fn refusals_have_an_envelope() {
        check(Failure::UnknownUrl, 404, r#"{"error":{"code":"not_found","message":"There is no such resource."}}"#)
            .await;
        check(
            Failure::Body(Error::invalid("email", "bad")),
            400,
            r#"{"error":{"code":"invalid_request","message":"The request breaks a rule.","details":{"field":"email","issue":"bad"}}}"#,
        )
        .await;
        let two = ["a", "b"].map(|field| FieldError { field: field.to_owned(), messages: vec!["bad".to_owned()] });
        check(
            Failure::Body(Error::Invalid(two.to_vec())),
            400,
            r#"{"error":{"code":"invalid_request","message":"The request breaks a rule.","details":{"errors":[{"field":"a","issue":"bad"},{"field":"b","issue":"bad"}]}}}"#,
        )
        .await;
        check(
            Failure::Domain(Error::internal("stack")),
            500,
            r#"{"error":{"code":"internal_error","message":"Server Error"}}"#,
        )
        .await;
        let refused = render(&Failure::Domain(Error::Unauthenticated(String::new())));
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
}
