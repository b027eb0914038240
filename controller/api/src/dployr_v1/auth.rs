//! Log-in by e-mail address, with tokens that end. Source: `dployr-v1.md` §3.

use http::{HeaderValue, StatusCode, header};
use poem::Response;
use secrecy::ExposeSecret;
use slipway_service::{ACCESS_SECS, TokenPair};
use slipway_wire::dployr_v1 as wire;

use super::from_wire;
use crate::call::{Answer, Call, empty, ok};
use crate::v1;

pub(super) async fn login_begin(call: &Call) -> Answer {
    let (email, password) = from_wire::login(call)?;
    pair(&call.state.service.login_begin(&call.cx, &email, password).await?)
}

pub(super) async fn login_refresh(call: Call) -> Answer {
    let token = from_wire::refresh(&call)?;
    pair(&call.state.service.login_refresh(&call.cx, &token).await?)
}

/// Ends the log-in of the access token. A token of the other kind is of none.
pub(super) async fn login_end(call: Call) -> Answer {
    if let Some(Ok(token)) = v1::bearer(&call.headers) {
        call.state.service.login_end(&call.cx, token).await?;
    }
    empty(StatusCode::NO_CONTENT)
}

fn pair(pair: &TokenPair) -> Answer {
    let body = wire::TokenPair {
        access_token: pair.access.expose_secret().to_owned(),
        refresh_token: pair.refresh.expose_secret().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: ACCESS_SECS,
    };
    let mut response: Response = ok(&body)?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
