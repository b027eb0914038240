//! Log-ins of browsers at an OpenID Connect provider: they end with the same cookie as those by password.

use http::{HeaderValue, Method, StatusCode, header};
use poem::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use slipway_service::{OidcBegun, OidcReturn, SESSION_LIFETIME};

use super::auth::{COOKIE, cookie_value};
use super::session::cookie_set;
use super::{error, route};
use crate::call::{Answer, Call, Failure, empty, ok};
use crate::handler;
use crate::route::{Access, Generation, Route};

/// What binds a log-in under way to the browser that began it.
const BROWSER: &str = "slipway_oidc";
/// Where that cookie is sent.
const BROWSER_PATH: &str = "/api/auth/oidc";

pub(super) fn routes() -> Vec<Route> {
    let public = |pattern, operation, handler| {
        Route::new(Generation::Team, Method::GET, pattern, operation, Access::Public, handler)
    };
    vec![
        public("/api/auth/oidc", "team_oidc_begin", handler!(oidc_begin)),
        public("/api/auth/oidc/callback", "team_oidc_finish", handler!(oidc_finish)),
        route(Method::POST, "/api/auth/oidc/link", "team_oidc_link", handler!(oidc_link)),
    ]
}

async fn oidc_begin(call: Call) -> Answer {
    let begun = match call.state.service.oidc_begin(&call.cx, call.query("return")).await {
        Ok(begun) => begun,
        Err(error) => return page(&call, error.into()),
    };
    let mut response = found(begun.url.expose_secret())?;
    browser_set(&call, &mut response, &begun)?;
    Ok(response)
}

/// Not by `GET`: another site could link its visitor's account to an identity of its own.
async fn oidc_link(call: Call) -> Answer {
    let begun = call.state.service.oidc_link(&call.cx, call.query("return")).await?;
    let mut response = ok(&json!({ "url": begun.url.expose_secret() }))?;
    browser_set(&call, &mut response, &begun)?;
    Ok(response)
}

async fn oidc_finish(call: Call) -> Answer {
    let text = |name: &str| SecretString::from(call.query(name).unwrap_or_default());
    let given = OidcReturn {
        cookie: cookie_value(&call.headers, BROWSER).map(SecretString::from),
        state: text("state"),
        code: match call.query("error") {
            Some(error) => Err(error.to_owned()),
            None => Ok(text("code")),
        },
    };
    let mut response = match call.state.service.oidc_finish(&call.cx, given).await {
        Ok((session, path)) => {
            let mut response = found(&path)?;
            let seconds = SESSION_LIFETIME.num_seconds();
            cookie_set(&call, &mut response, (COOKIE, "/api"), session.cookie.expose_secret(), seconds)?;
            response
        }
        Err(error) => page(&call, error.into())?,
    };
    cookie_set(&call, &mut response, (BROWSER, BROWSER_PATH), "", 0)?;
    Ok(response)
}

fn browser_set(call: &Call, response: &mut Response, begun: &OidcBegun) -> Result<(), Failure> {
    cookie_set(call, response, (BROWSER, BROWSER_PATH), begun.cookie.expose_secret(), begun.seconds)
}

/// Sends the browser on. What is in addresses of a log-in is nobody else's business.
fn found(location: &str) -> Answer {
    let mut response = empty(StatusCode::FOUND)?;
    let location = HeaderValue::from_str(location).map_err(slipway_core::Error::internal)?;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// A failure as a page for people who are there with a browser, else as everywhere.
fn page(call: &Call, failure: Failure) -> Answer {
    let is_browser = call.headers.get_all(header::ACCEPT).iter().any(|value| {
        value.to_str().is_ok_and(|value| value.split(',').any(|kind| kind.trim().starts_with("text/html")))
    });
    let message = match &failure {
        Failure::Refused(refusal) => refusal.message.clone(),
        Failure::Domain(error) => error.to_string(),
        _ => return Err(failure),
    };
    let mut response = error::render(&failure);
    if is_browser {
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Log-in failed</title>\n\
             <h1>Log-in failed</h1>\n<p>{}</p>\n<p><a href=\"/api/auth/oidc\">Try again</a></p>\n</html>\n",
            escaped(&message)
        );
        response.set_body(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        );
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
