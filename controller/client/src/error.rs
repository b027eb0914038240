//! What can go wrong with a request.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// Why there is no usable answer. A source is never part of the text: walk [`std::error::Error::source`] to show it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The controller's address cannot be one.
    #[error("{url:?} is not a controller's address: {reason}")]
    Url {
        /// What was given, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that goes into a header holds characters that no header may hold.
    #[error("{0} holds characters that cannot be sent")]
    Header(String),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Setup {
        /// Why.
        source: reqwest::Error,
    },
    /// There was no connection.
    #[error("cannot connect to {url}")]
    Connect {
        /// The controller's address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to {url} broke")]
    Transport {
        /// The controller's address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// A WebSocket broke, or was none.
    #[error("the connection was closed: {0}")]
    Closed(String),
    /// The answer is longer than can be.
    #[error("the answer is longer than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// A successful answer that is not what it should be.
    #[error("the server sent an answer that cannot be read; is it a Slipway or Drycc controller?")]
    Decode {
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// The server refused.
    #[error("{0}")]
    Api(Box<ApiError>),
}

impl ClientError {
    /// The refusal, when this is one.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            Self::Url { .. }
            | Self::Header(_)
            | Self::Setup { .. }
            | Self::Connect { .. }
            | Self::Transport { .. }
            | Self::Closed(_)
            | Self::TooLong { .. }
            | Self::Decode { .. } => None,
        }
    }

    /// The status of the refusal, when this is one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.api().map(|error| error.status)
    }
}

/// An answer other than 2xx. Source: drycc-v2.md §1.6.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
    /// The text under `detail`, or the whole body when that is one JSON string (as of a 404).
    pub detail: Option<String>,
    /// Messages by field, of a 400.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Whose form the body has.
    pub family: Family,
}

/// The APIs of a controller, by the form of their refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `/v2`, and anything unknown: `{"detail": …}`, or messages by field. Source: drycc-v2.md §1.6.
    Drycc,
    /// `/v1` of dployr: `{"error": {"code", "message", "details"}}`. Source: dployr-v1.md §1.1.
    Dployr,
    /// `/api` of teams: `{"message", "property", "value", "error"}`. Source: team-api.md §1.6.
    Team,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body).into_owned();
        let mut detail = None;
        let mut fields = BTreeMap::new();
        let mut family = Family::Drycc;
        match serde_json::from_str(&body) {
            Ok(serde_json::Value::String(text)) => detail = Some(text),
            Ok(serde_json::Value::Object(map))
                if map.get("error").is_some_and(|error| error["message"].is_string()) =>
            {
                family = Family::Dployr;
                fields = issues(&map["error"]["details"]);
                // With fields the message says no more than that there are some.
                detail = map["error"]["message"].as_str().filter(|_| fields.is_empty()).map(str::to_owned);
            }
            Ok(serde_json::Value::Object(map))
                if map.get("message").is_some_and(serde_json::Value::is_string)
                    && map.keys().all(|name| TEAM_MEMBERS.contains(&name.as_str())) =>
            {
                family = Family::Team;
                detail = map["message"].as_str().map(str::to_owned);
            }
            Ok(serde_json::Value::Object(map)) => {
                for (name, value) in map {
                    let messages = messages(&value);
                    if name == "detail" && !messages.is_empty() {
                        detail = Some(messages.join("\n"));
                    } else if !messages.is_empty() {
                        fields.insert(name, messages);
                    }
                }
            }
            Ok(_) | Err(_) => {}
        }
        Self { status, headers, body, detail, fields, family }
    }

    /// The messages of a field; none when the server did not complain of it.
    #[must_use]
    pub fn field(&self, name: &str) -> &[String] {
        self.fields.get(name).map_or(&[], Vec::as_slice)
    }
}

/// What a refusal of the team API may hold.
const TEAM_MEMBERS: [&str; 5] = ["message", "property", "value", "error", "statusCode"];

/// The fields that are wrong, of the details of dployr's refusals: one by itself, or a list of them.
fn issues(details: &serde_json::Value) -> BTreeMap<String, Vec<String>> {
    let several = details["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in several.iter().chain([details]) {
        if let (Some(field), Some(issue)) = (one["field"].as_str(), one["issue"].as_str()) {
            fields.entry(field.to_owned()).or_default().push(issue.to_owned());
        }
    }
    fields
}

/// All texts in a value: servers nest lists and maps of messages as deep as their input was.
fn messages(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(items) => items.iter().flat_map(messages).collect(),
        serde_json::Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| messages(value).into_iter().map(move |text| format!("{key}: {text}")))
            .collect(),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => Vec::new(),
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(detail) = &self.detail {
            return f.write_str(detail);
        }
        let mut lines = self.fields.iter().flat_map(|(name, texts)| texts.iter().map(move |text| (name, text)));
        let Some((name, text)) = lines.next() else {
            return write!(f, "the server answered {}", self.status);
        };
        write!(f, "{name}: {text}")?;
        for (name, text) in lines {
            write!(f, "\n{name}: {text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_apart() {
        for (body, want) in [
            (r#""No App matches the given query.""#, "No App matches the given query."),
            (r#"{"detail":"Server Error"}"#, "Server Error"),
            (r#"{"id":["one","two"],"x":["y"]}"#, "id: one\nid: two\nx: y"),
            (r#"{"values":{"A":["bad"]}}"#, "values: A: bad"),
            ("<html>", "the server answered 400 Bad Request"),
            ("", "the server answered 400 Bad Request"),
            ("[1]", "the server answered 400 Bad Request"),
        ] {
            let error = ApiError::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body.as_bytes());
            assert_eq!(error.to_string(), want, "{body}");
        }
    }

    #[test]
    fn each_api_has_its_form() {
        let read = |body: &str| ApiError::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body.as_bytes());
        for (body, family, want) in [
            (r#"{"detail":"no"}"#, Family::Drycc, "no"),
            (r#"{"message":["This field is required."]}"#, Family::Drycc, "message: This field is required."),
            (r#"{"message":"no","other":["x"]}"#, Family::Drycc, "message: no\nother: x"),
            (r#"{"error":{"code":"conflict","message":"taken"}}"#, Family::Dployr, "taken"),
            (
                r#"{"error":{"code":"x","message":"rule","details":{"field":"url","issue":"bad"}}}"#,
                Family::Dployr,
                "url: bad",
            ),
            (
                r#"{"error":{"message":"rule","details":{"errors":[{"field":"a","issue":"1"},{"field":"b","issue":"2"}]}}}"#,
                Family::Dployr,
                "a: 1\nb: 2",
            ),
            (r#"{"message":"name taken","property":"name"}"#, Family::Team, "name taken"),
            (r#"{"message":"no","property":"id","value":[1],"error":"word"}"#, Family::Team, "no"),
        ] {
            let error = read(body);
            assert_eq!((error.family, error.to_string().as_str()), (family, want), "{body}");
        }
    }
}
