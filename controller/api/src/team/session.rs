//! Log-ins of browsers, and whether the platform works: calls without credentials.

use http::{HeaderValue, Method, StatusCode, header};
use poem::Response;
use secrecy::{ExposeSecret, SecretString};
use slipway_service::{BrowserSession, SESSION_LIFETIME};
use slipway_wire::team as wire;

use super::auth::{COOKIE, cookie};
use super::body::Body;
use crate::call::{Answer, Call, Failure, empty, ok};
use crate::handler;
use crate::route::{Access, Generation, Route};

pub(super) fn routes() -> Vec<Route> {
    let public = |method, pattern, operation, handler| {
        Route::new(Generation::Team, method, pattern, operation, Access::Public, handler)
    };
    vec![
        public(Method::GET, "/api/health", "team_health_read", handler!(health_read)),
        public(Method::POST, "/api/auth/login", "team_session_login", handler!(session_login)),
        public(Method::POST, "/api/auth/logout", "team_session_logout", handler!(session_logout)),
        public(Method::POST, "/api/auth/sign-up", "team_session_sign_up", handler!(session_sign_up)),
    ]
}

async fn health_read(call: Call) -> Answer {
    let last_migration = call.state.service.last_migration().await.ok().flatten();
    let status = if last_migration.is_some() { "operational" } else { "disrupted" };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ok(&wire::Health { status: status.to_owned(), version, last_migration })
}

/// A password in a body; it may be anything but missing.
fn password(body: &mut Body) -> SecretString {
    SecretString::from(body.text("password"))
}

async fn session_login(call: Call) -> Answer {
    let mut body = Body::read(&call)?;
    // The address is as good as the name.
    let name = if body.has("email") { body.text("email") } else { body.text("username") };
    let password = password(&mut body);
    let name = body.finish(name)?;
    let session = call.state.service.browser_login(&call.cx, &name, password).await?;
    logged_in(&call, &session)
}

async fn session_sign_up(call: Call) -> Answer {
    let mut body = Body::read(&call)?;
    let code = body.text("code");
    let password = password(&mut body);
    let code = body.finish(code)?;
    let user = call.state.service.sign_up(&call.cx, code.trim(), password).await?;
    let session = call.state.service.browser_session_create(&call.cx, &user).await?;
    logged_in(&call, &session)
}

async fn session_logout(call: Call) -> Answer {
    if let Some(cookie) = cookie(&call.headers) {
        call.state.service.browser_logout(cookie).await?;
    }
    let mut response = empty(StatusCode::NO_CONTENT)?;
    set_cookie(&call, &mut response, "", 0)?;
    Ok(response)
}

fn logged_in(call: &Call, session: &BrowserSession) -> Answer {
    let mut response = empty(StatusCode::NO_CONTENT)?;
    set_cookie(call, &mut response, session.cookie.expose_secret(), SESSION_LIFETIME.num_seconds())?;
    Ok(response)
}

fn set_cookie(call: &Call, response: &mut Response, value: &str, seconds: i64) -> Result<(), Failure> {
    cookie_set(call, response, (COOKIE, "/api"), value, seconds)
}

/// Sets a cookie, by its name and the path that it is sent to. Neither scripts nor other sites' forms can use it.
pub(super) fn cookie_set(
    call: &Call,
    response: &mut Response,
    (name, path): (&str, &str),
    value: &str,
    seconds: i64,
) -> Result<(), Failure> {
    let secure = if call.url.starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut cookie = HeaderValue::from_str(&cookie).map_err(slipway_core::Error::internal)?;
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}
