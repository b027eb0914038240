//! What a caller has left, in headers of every answer. Source: `dployr-v1.md` §1.2.

use http::HeaderValue;
use poem::Response;
use slipway_core::Error;
use slipway_service::Rate;

use super::error;
use crate::call::Failure;

const LIMIT: &str = "x-ratelimit-limit";
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

/// Adds the headers.
pub fn tell(rate: &Rate, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(rate.limit));
    headers.insert(REMAINING, HeaderValue::from(rate.remaining));
    headers.insert(RESET, HeaderValue::from(rate.reset_secs));
}

/// Whether an answer has the headers.
#[must_use]
pub fn is_told(response: &Response) -> bool {
    response.headers().contains_key(LIMIT)
}

/// The answer to one request too many.
#[must_use]
pub fn refusal(rate: &Rate) -> Response {
    let retry_after_secs = rate.retry_after_secs.unwrap_or(1);
    error::render(&Failure::Domain(Error::Throttled { retry_after_secs }))
}
