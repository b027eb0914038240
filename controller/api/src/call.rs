//! One request on its way through: what handlers see, and what they answer.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, header};
use poem::web::websocket::WebSocket;
use poem::{Body, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use slipway_core::Error;
use slipway_service::Cx;

use crate::State;
use crate::fields::Fields;
use crate::form;
use crate::path::Params;

/// What a handler gives back.
pub type Answer = Result<Response, Failure>;

/// A handler.
pub type Handler = fn(Call) -> BoxFuture<'static, Answer>;

/// A request whose route, caller and body are known.
pub struct Call {
    /// What all requests share.
    pub state: Arc<State>,
    /// Who asks, and when.
    pub cx: Cx,
    /// The method, `HEAD` included.
    pub method: Method,
    /// The path as it came.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The variables of the path.
    pub params: Params,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Scheme, host and path as the client sees them, for links.
    pub url: String,
    /// The body.
    pub content: Content,
    /// The WebSocket that the request asks for, if it does.
    pub websocket: Option<Box<WebSocket>>,
}

/// A request's body, read whole.
#[derive(Debug, Default)]
pub struct Content {
    /// The bytes.
    pub bytes: Bytes,
    /// `Content-Type`, if sent.
    pub media_type: Option<String>,
    /// Whether forms are read beside JSON.
    pub is_form_read: bool,
}

/// Why there is no good answer. Each generation renders it in its own way.
#[derive(Debug)]
pub enum Failure {
    /// A use case refused or failed.
    Domain(Error),
    /// A rule of teams forbids it.
    Refused(Box<slipway_team::Refusal>),
    /// The body's fields break rules. Kept apart because whether the caller may see the app at all comes first.
    Body(Error),
    /// No route has this path.
    UnknownUrl,
    /// The list has no page of that number.
    NoSuchPage,
    /// The path is known, the method is not.
    MethodNotAllowed {
        /// What was tried.
        method: Method,
        /// What there is.
        allowed: Vec<Method>,
    },
    /// The client is made for another major version of the API.
    OtherVersion {
        /// The client's version.
        client: String,
        /// Ours.
        server: &'static str,
    },
    /// The body is not JSON. The text is the parser's.
    NotJson(String),
    /// The body is not the form that it says to be. The text is the parser's.
    NotForm(String),
    /// The body is of a kind that nobody reads.
    UnsupportedMediaType(String),
    /// The body is larger than the route takes.
    TooLarge {
        /// What it takes, in bytes.
        limit: usize,
    },
    /// The body did not come whole: the client stopped sending or was too slow.
    Incomplete,
    /// The handler panicked. The text is for the log.
    Panic(String),
}

impl Failure {
    /// Whether it was found while reading the body, before the use case was asked.
    #[must_use]
    pub const fn is_about_body(&self) -> bool {
        match self {
            Self::Body(_) | Self::NotJson(_) | Self::NotForm(_) | Self::UnsupportedMediaType(_) => true,
            Self::Domain(_)
            | Self::Refused(_)
            | Self::UnknownUrl
            | Self::NoSuchPage
            | Self::MethodNotAllowed { .. }
            | Self::OtherVersion { .. }
            | Self::TooLarge { .. }
            | Self::Incomplete
            | Self::Panic(_) => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

impl From<slipway_team::Error> for Failure {
    fn from(error: slipway_team::Error) -> Self {
        match error {
            slipway_team::Error::Refused(refusal) => Self::Refused(refusal),
            slipway_team::Error::Core(error) => Self::Domain(error),
        }
    }
}

impl Call {
    /// A variable of the path; every handler asks only for those of its own pattern.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }

    /// A value of the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body's fields; no body has none.
    ///
    /// # Errors
    /// The body is not JSON (nor a form, where those are read), or not a map.
    pub fn fields(&self) -> Result<Fields, Failure> {
        Fields::new(self.content.value()?).map_err(Failure::Body)
    }

    /// The items of a body that is a list.
    ///
    /// # Errors
    /// The body is not JSON, or no list.
    pub fn items(&self) -> Result<Vec<Value>, Failure> {
        match self.content.value()? {
            Value::Array(items) => Ok(items),
            _ => Err(Failure::Body(Error::invalid("body", "The body must be a list."))),
        }
    }
}

impl Content {
    fn value(&self) -> Result<Value, Failure> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(Map::new()));
        }
        let media_type = self.media_type.as_deref().unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "" => self.json().or_else(|failure| self.untyped_form().map(Value::Object).ok_or(failure)),
            "application/json" => self.json(),
            "application/x-www-form-urlencoded" if self.is_form_read => {
                Ok(Value::Object(form::urlencoded(&self.bytes)))
            }
            "multipart/form-data" if self.is_form_read => {
                form::multipart(&self.bytes, media_type).map(Value::Object).map_err(Failure::NotForm)
            }
            essence if essence.starts_with("application/") && essence.ends_with("+json") => self.json(),
            _ => Err(Failure::UnsupportedMediaType(media_type.to_owned())),
        }
    }

    fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.bytes).map_err(|error| Failure::NotJson(error.to_string()))
    }

    /// A body that does not say what it is and is no JSON, if it may be a form.
    fn untyped_form(&self) -> Option<Map<String, Value>> {
        let is_like_form = self.bytes.contains(&b'=') && !self.bytes.starts_with(b"{") && !self.bytes.starts_with(b"[");
        (self.is_form_read && is_like_form).then(|| form::urlencoded(&self.bytes))
    }
}

/// An answer with a JSON body.
///
/// # Errors
/// `Internal` when the value cannot be written as JSON, which no wire type allows.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).map_err(Error::internal)?;
    Ok(json_bytes(status, body))
}

/// An answer with JSON already written.
#[must_use]
pub fn json_bytes(status: StatusCode, body: Vec<u8>) -> Response {
    Response::builder().status(status).content_type("application/json").body(body)
}

/// 200 with a JSON body.
///
/// # Errors
/// As [`json`].
pub fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}

/// 201 with a JSON body.
///
/// # Errors
/// As [`json`].
pub fn created(body: &impl Serialize) -> Answer {
    json(StatusCode::CREATED, body)
}

/// An answer without a body.
///
/// # Errors
/// None; handlers end with it.
pub fn empty(status: StatusCode) -> Answer {
    let mut response = Response::builder().status(status).finish();
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert(header::CONTENT_LENGTH, http::HeaderValue::from_static("0"));
    }
    Ok(response)
}

/// 200 with plain text.
#[must_use]
pub fn text(body: impl Into<Body>) -> Response {
    Response::builder().status(StatusCode::OK).content_type("text/plain; charset=utf-8").body(body)
}

/// The address of the client: the peer's, or the one that a proxy on this machine or a private network names.
///
/// A header of a peer on a public address is not believed, else log-in limits by address would be for nothing.
#[must_use]
pub fn remote(peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer?.to_canonical();
    let is_near = match peer {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    };
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .next_back()
        .and_then(|last| last.trim().parse::<IpAddr>().ok());
    Some(forwarded.filter(|_| is_near).map_or(peer, |address| address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(media_type: Option<&str>, body: &'static str) -> Content {
        Content {
            bytes: Bytes::from_static(body.as_bytes()),
            media_type: media_type.map(str::to_owned),
            is_form_read: false,
        }
    }

    #[test]
    fn no_body_is_an_empty_map() {
        for (media_type, body) in [(Some("application/json"), ""), (None, " \n"), (Some("text/plain"), "")] {
            assert_eq!(content(media_type, body).value().unwrap(), serde_json::json!({}));
        }
    }

    #[test]
    fn only_json_is_read() {
        for good in
            [None, Some("application/json; charset=utf-8"), Some("Application/JSON"), Some("application/x+json")]
        {
            assert!(content(good, "{}").value().is_ok(), "{good:?}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            assert!(matches!(content(Some(bad), "{}").value(), Err(Failure::UnsupportedMediaType(_))), "{bad}");
        }
        for bad in ["{", "{'a': 1}", "{\"a\": 1e999}", "nope", "{}{}"] {
            assert!(matches!(content(None, bad).value(), Err(Failure::NotJson(_))), "{bad}");
        }
    }

    #[test]
    fn forms_are_read_where_they_may_be() {
        let form = |media_type: Option<&str>, body| Content { is_form_read: true, ..content(media_type, body) };
        let expect = serde_json::json!({"a": "1"});
        for (media_type, body) in [
            (Some("application/x-www-form-urlencoded; charset=utf-8"), "a=1"),
            (
                Some("multipart/form-data; boundary=x"),
                "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n",
            ),
            (None, "a=1"),
            (None, "{\"a\": \"1\"}"),
        ] {
            assert_eq!(form(media_type, body).value().unwrap(), expect, "{media_type:?} {body}");
        }
        for body in ["{'a': '1=1'}", "[1=", "nothing"] {
            assert!(matches!(form(None, body).value(), Err(Failure::NotJson(_))), "{body}");
        }
        assert!(matches!(form(Some("multipart/form-data"), "x").value(), Err(Failure::NotForm(_))));
        assert!(matches!(content(None, "a=1").value(), Err(Failure::NotJson(_))));
    }

    #[test]
    fn forwarded_addresses_count_only_from_near_peers() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "9.9.9.9, 1.2.3.4".parse().unwrap());
        let check = |peer: &str, expect: &str| {
            assert_eq!(remote(Some(peer.parse().unwrap()), &headers), Some(expect.parse().unwrap()), "{peer}");
        };
        check("127.0.0.1", "1.2.3.4");
        check("::ffff:10.0.0.1", "1.2.3.4");
        check("5.6.7.8", "5.6.7.8");
        assert_eq!(remote(None, &headers), None);
    }
}
