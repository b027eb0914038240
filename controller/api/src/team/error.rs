//! Refusals and failures as clients of the team API expect them. Source: `team-api.md` §1.6.

use http::{HeaderValue, StatusCode, header};
use poem::Response;
use slipway_core::Error;
use slipway_core::error::FieldError;
use slipway_team::{Refusal, Refused};
use slipway_wire::team as wire;

use super::auth::auth_failure_status;
use crate::call::{Failure, json_bytes};
use crate::dispatch::allow;

/// Writes a failure as an answer, and into the log: everything for a bug, the status for a refusal.
pub fn render(failure: &Failure) -> Response {
    match failure {
        Failure::Refused(refusal) => {
            let Refusal { kind, message, property, value, code } = &**refusal;
            let body = wire::Refusal {
                message: message.clone(),
                property: property.clone(),
                value: value.clone(),
                error: code.map(str::to_owned),
            };
            refuse(status(*kind), &body)
        }
        Failure::Domain(error) | Failure::Body(error) => domain(error),
        Failure::UnknownUrl | Failure::NoSuchPage => refuse_text(StatusCode::NOT_FOUND, "There is no such resource."),
        Failure::MethodNotAllowed { method, allowed } => {
            let mut response = refuse_text(StatusCode::METHOD_NOT_ALLOWED, &format!("{method} is not offered here."));
            response.headers_mut().insert(header::ALLOW, allow(allowed));
            response
        }
        Failure::OtherVersion { client, server } => {
            let text = format!("The client is made for version {client}, this is {server}.");
            refuse_text(StatusCode::METHOD_NOT_ALLOWED, &text)
        }
        Failure::NotJson(reason) => refuse_text(StatusCode::BAD_REQUEST, &format!("The body is not JSON: {reason}")),
        Failure::NotForm(reason) => refuse_text(StatusCode::BAD_REQUEST, &format!("The body is no form: {reason}")),
        Failure::UnsupportedMediaType(_) => {
            refuse_text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
        }
        Failure::TooLarge { limit } => {
            refuse_text(StatusCode::PAYLOAD_TOO_LARGE, &format!("The body is larger than {limit} bytes."))
        }
        Failure::Incomplete => refuse_text(StatusCode::BAD_REQUEST, "The body is incomplete."),
        Failure::Panic(reason) => {
            tracing::error!("the handler panicked: {reason}");
            write(StatusCode::INTERNAL_SERVER_ERROR, &text("Server Error"))
        }
    }
}

const fn status(kind: Refused) -> StatusCode {
    match kind {
        Refused::Invalid => StatusCode::BAD_REQUEST,
        Refused::Unauthorized => StatusCode::UNAUTHORIZED,
        Refused::Forbidden => StatusCode::FORBIDDEN,
        Refused::NotFound => StatusCode::NOT_FOUND,
        Refused::Conflict => StatusCode::CONFLICT,
        Refused::Precondition => StatusCode::PRECONDITION_FAILED,
    }
}

fn domain(error: &Error) -> Response {
    let public = error.to_string();
    match error {
        Error::NotFound { .. } | Error::Missing(_) => refuse_text(StatusCode::NOT_FOUND, &public),
        Error::Conflict(_) => refuse_text(StatusCode::CONFLICT, &public),
        Error::Invalid(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
            tracing::info!("refused: bad fields {names:?}");
            write(StatusCode::BAD_REQUEST, &bad_fields(fields))
        }
        Error::Rejected(_) | Error::Unprocessable(_) => refuse_text(StatusCode::BAD_REQUEST, &public),
        Error::Unauthenticated(_) => refuse_text(auth_failure_status(), &public),
        Error::Forbidden(_) => refuse_text(StatusCode::FORBIDDEN, &public),
        Error::Throttled { retry_after_secs } => {
            let mut response = refuse_text(StatusCode::TOO_MANY_REQUESTS, &public);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_secs));
            response
        }
        Error::DeployFailed(_) => refuse_text(StatusCode::SERVICE_UNAVAILABLE, &public),
        Error::Unavailable { context, .. } => {
            tracing::warn!("unavailable: {context}");
            write(StatusCode::SERVICE_UNAVAILABLE, &text(&public))
        }
        Error::Internal { context } => {
            tracing::error!("internal error: {context}");
            write(StatusCode::INTERNAL_SERVER_ERROR, &text(&public))
        }
    }
}

/// All messages, with the first field that is at fault.
fn bad_fields(fields: &[FieldError]) -> wire::Refusal {
    let messages: Vec<String> = fields.iter().flat_map(|field| field.messages.iter().cloned()).collect();
    wire::Refusal {
        property: fields.first().map(|field| field.field.clone()).filter(|field| field != crate::fields::NON_FIELD),
        ..text(&messages.join("; "))
    }
}

fn text(message: &str) -> wire::Refusal {
    wire::Refusal { message: message.to_owned(), property: None, value: None, error: None }
}

fn refuse_text(status: StatusCode, message: &str) -> Response {
    refuse(status, &text(message))
}

fn refuse(status: StatusCode, body: &wire::Refusal) -> Response {
    tracing::info!(http.status = status.as_u16(), "refused with {status}");
    write(status, body)
}

fn write(status: StatusCode, body: &wire::Refusal) -> Response {
    json_bytes(status, serde_json::to_vec(body).unwrap_or_default())
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
    async fn refusals_name_what_is_at_fault() {
        check(slipway_team::Error::not_found("registry").into(), 404, {
            r#"{"message":"There is no such registry.","property":"registry"}"#
        })
        .await;
        check(slipway_team::Error::taken("name").into(), 409, r#"{"message":"name taken","property":"name"}"#).await;
        let refusal =
            slipway_team::Error::precondition("deploymentId", "There is one.").value("1").code("alreadyHavePreparing");
        check(slipway_team::Error::from(refusal).into(), 412, {
            r#"{"message":"There is one.","property":"deploymentId","value":"1","error":"alreadyHavePreparing"}"#
        })
        .await;
        let two =
            ["a", "b"].map(|field| FieldError { field: field.to_owned(), messages: vec![format!("{field} bad")] });
        check(Failure::Body(Error::Invalid(two.to_vec())), 400, r#"{"message":"a bad; b bad","property":"a"}"#).await;
        let refused = Error::Unauthenticated("Who are you?".to_owned());
        check(Failure::Domain(refused), 403, r#"{"message":"Who are you?"}"#).await;
        check(Failure::Domain(Error::internal("stack")), 500, r#"{"message":"Server Error"}"#).await;
    }
}
