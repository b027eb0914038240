//! Requests from pages of other origins. Source: `drycc-v2.md` §1.3,
//! `deis-v1.md` §1.
//!
//! Any origin may read the API: callers are known by a token in a header, which a foreign page does not have, and
//! never by a cookie.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::Response;

const ALLOWED_HEADERS: &str = "content-type, accept, origin, Authorization, Host";
const ALLOWED_METHODS: &str = "DELETE, GET, OPTIONS, PATCH, POST, PUT";
const EXPOSED_HEADERS: &str = "DEIS_API_VERSION, DEIS_PLATFORM_VERSION, DRYCC_API_VERSION, DRYCC_PLATFORM_VERSION, X_DEIS_API_VERSION, \
     X_DEIS_PLATFORM_VERSION, X_DEIS_VERSION, X_DEIS_RELEASE, Deis-Release, X-Deis-Release, X-Drycc-Release, X-Request-Id";

/// The answer to a browser that asks before it sends the real request.
#[must_use]
pub fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let is_preflight = method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    is_preflight.then(|| {
        Response::builder()
            .status(StatusCode::OK)
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS)
            .header(header::ACCESS_CONTROL_MAX_AGE, "86400")
            .header(header::CONTENT_LENGTH, "0")
            .finish()
    })
}

/// Lets the page read the answer.
pub fn allow(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
}
