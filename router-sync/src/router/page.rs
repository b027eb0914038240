//! What the router says by itself: one short page per situation, as HTML, JSON or plain text.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use slipway_engine::route::IdleReason;

use super::body::Body;

/// Why the router answers instead of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    HostMissing,
    HostInvalid,
    MethodRefused,
    UriTooLong,
    NoApp,
    NotAllowed,
    Maintenance,
    Idle(IdleReason),
    /// No process accepts a connection.
    Refused,
    /// No process accepted a connection in time.
    ConnectTimeout,
    Overloaded,
    /// The process closed the connection before it answered.
    BackendClosed,
    /// The process answered with something that is no HTTP.
    BadResponse,
    FirstByteTimeout,
    /// The client stopped in the middle of its request.
    RequestTimeout,
    /// The request's body is broken.
    RequestBroken,
}

struct Text {
    status: StatusCode,
    /// The word in the access line.
    code: &'static str,
    title: &'static str,
    detail: &'static str,
}

impl Reason {
    fn text(self) -> Text {
        let text = |status, code, title, detail| Text { status, code, title, detail };
        match self {
            Self::HostMissing => text(
                StatusCode::BAD_REQUEST,
                "host-missing",
                "Host missing",
                "The request does not say which host it is for.",
            ),
            Self::HostInvalid => text(
                StatusCode::BAD_REQUEST,
                "host-invalid",
                "Host invalid",
                "The host that the request names is not a valid host name.",
            ),
            Self::MethodRefused => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-refused",
                "Method not allowed",
                "This method is not passed on to apps.",
            ),
            Self::UriTooLong => {
                text(StatusCode::URI_TOO_LONG, "uri-too-long", "URI too long", "The path and query are too long.")
            }
            Self::NoApp => text(
                StatusCode::NOT_FOUND,
                "no-app",
                "No app here",
                "Check the spelling; if the app is yours, check its domains.",
            ),
            Self::NotAllowed => text(
                StatusCode::FORBIDDEN,
                "not-allowed",
                "Not allowed",
                "This app does not take requests from your address.",
            ),
            Self::Maintenance => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "maintenance",
                "Under maintenance",
                "This app is being worked on. Please come back later.",
            ),
            Self::Idle(IdleReason::NotDeployed) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not-deployed",
                "Nothing deployed yet",
                "This app exists, but nothing was deployed to it. If it is yours: git push slipway main",
            ),
            Self::Idle(IdleReason::ScaledToZero) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "no-processes",
                "No web processes",
                "This app has no process that answers requests. If it is yours: slipway ps:scale web=1",
            ),
            Self::Idle(IdleReason::Starting) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "starting",
                "Starting",
                "This app is starting. Please try again in a moment.",
            ),
            Self::Idle(IdleReason::Crashed) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "crashed",
                "App crashed",
                "This app ended by itself. If it is yours, look at its log: slipway logs",
            ),
            Self::Refused => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "connection-refused",
                "App does not answer",
                "No process of this app accepts connections. If it is yours, look at its log: slipway logs",
            ),
            Self::ConnectTimeout => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "connect-timeout",
                "App does not answer",
                "No process of this app accepted a connection in time. If it is yours, look at its log: slipway logs",
            ),
            Self::Overloaded => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "App overloaded",
                "Too many requests wait for this app. Please try again in a moment.",
            ),
            Self::BackendClosed => text(
                StatusCode::BAD_GATEWAY,
                "backend-closed",
                "App closed the connection",
                "The app closed the connection without an answer. If it is yours, look at its log: slipway logs",
            ),
            Self::BadResponse => text(
                StatusCode::BAD_GATEWAY,
                "bad-response",
                "Invalid answer",
                "The app's answer is not valid HTTP. If it is yours, look at its log: slipway logs",
            ),
            Self::FirstByteTimeout => text(
                StatusCode::GATEWAY_TIMEOUT,
                "first-byte-timeout",
                "App took too long",
                "The app did not answer in time. If it is yours, look at its log: slipway logs",
            ),
            Self::RequestTimeout => text(
                StatusCode::REQUEST_TIMEOUT,
                "request-timeout",
                "Request timed out",
                "The rest of the request did not arrive in time.",
            ),
            Self::RequestBroken => text(
                StatusCode::BAD_REQUEST,
                "request-broken",
                "Request broken",
                "The body of the request is not valid HTTP or ended early.",
            ),
        }
    }

    /// The word for the access line.
    pub(super) fn code(self) -> &'static str {
        self.text().code
    }

    fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::Idle(IdleReason::Starting) | Self::Refused | Self::ConnectTimeout | Self::Overloaded => Some("1"),
            Self::Maintenance => Some("60"),
            _ => None,
        }
    }
}

/// The page for `reason`. `host` is shown where it helps; `request_id` always.
pub(super) fn page(
    reason: Reason,
    accept: Option<&HeaderValue>,
    host: &str,
    request_id: &HeaderValue,
) -> Response<Body> {
    let text = reason.text();
    let id = request_id.to_str().unwrap_or("-");
    let detail = if reason == Reason::NoApp && !host.is_empty() {
        format!("There is no app at {host}. {}", text.detail)
    } else {
        text.detail.to_owned()
    };
    let status = text.status.as_u16();
    let (kind, body) = match format(accept) {
        Format::Html => (
            "text/html; charset=utf-8",
            format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
                 <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>\
                 body{{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1rem;color:#223}}\
                 h1{{font-size:1.6rem;margin:0}}small{{color:#667}}\
                 @media(prefers-color-scheme:dark){{body{{background:#171a21;color:#dde}}small{{color:#99a}}}}\
                 </style></head><body><h1>{title}</h1><p>{detail}</p>\
                 <p><small>{status} · request {id}</small></p></body></html>\n",
                title = escaped_html(text.title),
                detail = escaped_html(&detail),
                id = escaped_html(id),
            ),
        ),
        Format::Json => (
            "application/json",
            format!(
                "{{\"status\":{status},\"error\":\"{}\",\"detail\":\"{}\",\"request_id\":\"{}\"}}\n",
                text.code,
                escaped_json(&detail),
                escaped_json(id)
            ),
        ),
        Format::Text => ("text/plain; charset=utf-8", format!("{}\n{detail}\nRequest {id}\n", text.title)),
    };
    let mut response = Response::new(Body::page(body));
    *response.status_mut() = text.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    if let Some(seconds) = reason.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    response
}

enum Format {
    Html,
    Json,
    Text,
}

/// The first of our formats that the client names; plain text for those who name none (curl).
fn format(accept: Option<&HeaderValue>) -> Format {
    let accepted = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
    for kind in accepted.split(',') {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml") {
            return Format::Html;
        }
        if kind.eq_ignore_ascii_case("text/plain") {
            return Format::Text;
        }
        if kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json") {
            return Format::Json;
        }
    }
    Format::Text
}

fn escaped_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn escaped_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_is_text_on_the_page() {
        assert_eq!(escaped_html("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
        assert_eq!(escaped_json("a\"b\\c\n"), "a\\\"b\\\\c ");
    }

    #[test]
    fn the_format_follows_accept() {
        let format_of = |accept: &'static str| match format(Some(&HeaderValue::from_static(accept))) {
            Format::Html => "html",
            Format::Json => "json",
            Format::Text => "text",
        };
        assert_eq!(format_of("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"), "html");
        assert_eq!(format_of("application/json"), "json");
        assert_eq!(format_of("application/vnd.api+json, text/html"), "json");
        assert_eq!(format_of("*/*"), "text");
        assert_eq!(format_of("image/png"), "text");
    }
}
