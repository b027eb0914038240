//! What a command that fails says, and the exit code it leaves.

mod upstream;

use std::io;
use std::path::Path;

use slipway_cause::chain;
use slipway_client::{ApiError, ClientError, Family, StatusCode};

use crate::{connection, program, settings};

/// Why a command ends early.
#[derive(Debug)]
pub enum Error {
    /// Something failed: `Error: <text>` on stderr, then what to do next. Exit code 1.
    Failed {
        /// What failed and why.
        text: String,
        /// What to do next; possibly empty.
        hint: String,
        /// The status of the server's answer, when that is what failed.
        status: Option<StatusCode>,
    },
    /// Ends with the exit code of a process that ran in the platform; everything was said already.
    Exit(i32),
    /// Whoever read the output has enough. Exit code 0.
    BrokenPipe,
}

/// What commands return.
pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// An error without advice.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Failed { text: text.into(), hint: String::new(), status: None }
    }

    /// An error with an underlying cause.
    pub fn caused(text: impl Into<String>, source: &dyn std::error::Error) -> Self {
        Self::new(format!("{}: {}", text.into(), chain(source)))
    }

    /// A file that cannot be read. Scripts of upstream's look for the words of its client.
    pub fn unreadable(file: &Path, source: &io::Error) -> Self {
        if !program::current().is_upstream() {
            return Self::caused(format!("cannot read {}", file.display()), source);
        }
        let reason = source.to_string().to_ascii_lowercase();
        let reason = reason.split_once(" (os error").map_or(reason.as_str(), |(reason, _)| reason);
        Self::new(format!("open {}: {reason}", file.display()))
    }

    /// Says what to do next, unless something was said already.
    #[must_use]
    pub fn hint(mut self, advice: impl Into<String>) -> Self {
        if let Self::Failed { hint, .. } = &mut self
            && hint.is_empty()
        {
            *hint = advice.into();
        }
        self
    }

    /// Says what to do next, instead of what was said already.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Self::Failed { hint, .. } = &mut self {
            *hint = advice.into();
        }
        self
    }

    /// The status of the server's answer, when that is what failed.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Failed { status, .. } => *status,
            Self::Exit(_) | Self::BrokenPipe => None,
        }
    }

    /// Whether the error's text has this in it.
    pub fn says(&self, part: &str) -> bool {
        matches!(self, Self::Failed { text, .. } if text.contains(part))
    }

    /// Whether the server says that something is not there.
    pub fn is_missing(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether the server says that there is no such app.
    pub fn is_missing_app(&self) -> bool {
        matches!(self, Self::Failed { text, status: Some(StatusCode::NOT_FOUND), .. } if text.trim_start_matches('"').starts_with("No App"))
    }
}

/// An error while writing to stdout; reading and writing files is reported with the file's name instead.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::new(format!("cannot write the output: {error}"))
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Api(api) => from_api(api),
            ClientError::Connect { url, .. } => connection::failed(url, &error),
            ClientError::Transport { .. } => Self::new(chain(&error)).hint(
                "the controller may have been restarted: what was asked for may still happen; look with `slipway releases`, or try again",
            ),
            ClientError::Url { .. } => {
                Self::new(error.to_string()).hint("an address looks like http://127.0.0.1:8000 or https://slipway.example.com")
            }
            ClientError::TooLong { .. } | ClientError::Decode { .. } => Self::new(chain(&error))
                .hint("`slipway whoami` shows which address was asked, `slipway doctor` whether a controller is there"),
            ClientError::Setup { .. } => Self::new(chain(&error)).hint(match settings::variable("SSL_CERT_FILE") {
                Some(file) => format!("SSL_CERT_FILE names {file}, which must hold certificates in the form of PEM"),
                None => String::new(),
            }),
            ClientError::Header(_) | ClientError::Closed(_) => Self::new(chain(&error)),
        }
    }
}

/// Says a refusal in the words of upstream's client where the server's own are no better. Source: drycc-v2.md §1.7.
fn from_api(api: &ApiError) -> Error {
    let detail = api.detail.clone().unwrap_or_default();
    let (text, hint) = match api.status {
        StatusCode::UNAUTHORIZED if detail.contains("password") => (detail, String::new()),
        // What a registry says of its own log-in; bad tokens of ours are 403 there.
        StatusCode::UNAUTHORIZED if api.family == Family::Team => (detail, String::new()),
        StatusCode::UNAUTHORIZED => {
            ("Unauthorized: Missing or Invalid Token".to_owned(), "log in again with `slipway login URL`".to_owned())
        }
        StatusCode::FORBIDDEN => {
            let text = "You do not have permission to perform this action.";
            let text = if detail.is_empty() { text.to_owned() } else { detail };
            let hint = match api.family {
                Family::Team if text.contains("oken") || text.contains("credentials") => {
                    "log in again with `slipway login URL`"
                }
                Family::Team => "`slipway teams` lists your teams and what you are in each; `--team` names one",
                Family::Drycc | Family::Dployr => {
                    "`slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`"
                }
            };
            (text, hint.to_owned())
        }
        StatusCode::METHOD_NOT_ALLOWED => (
            "Method Not Allowed".to_owned(),
            "this controller may be older than this client; compare them with `slipway version --all`".to_owned(),
        ),
        StatusCode::UNPROCESSABLE_ENTITY => (format!("Unable to process your request: {api}"), String::new()),
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = api.headers.get("retry-after").and_then(|seconds| seconds.to_str().ok());
            let hint = seconds.map(|seconds| format!("try again in {seconds} s")).unwrap_or_default();
            (if detail.is_empty() { "there were too many requests".to_owned() } else { detail }, hint)
        }
        StatusCode::LOCKED if detail.is_empty() => ("nobody can do that to themselves".to_owned(), String::new()),
        StatusCode::INTERNAL_SERVER_ERROR => (
            "Internal Server Error".to_owned(),
            api.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map_or_else(
                || "the controller's log says more".to_owned(),
                |id| format!("the controller's log says more under request id {id}"),
            ),
        ),
        status if status.is_redirection() => {
            let to = api.headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or("another address");
            (format!("the controller redirects to {to}"), "log in with that address: `slipway login URL`".to_owned())
        }
        _ => bad_request(api),
    };
    let text = if program::current().is_upstream() && api.family == Family::Drycc && !api.status.is_redirection() {
        upstream::text(api)
    } else {
        text
    };
    Error::Failed { text, hint, status: Some(api.status) }
}

fn bad_request(api: &ApiError) -> (String, String) {
    for (field, message, text) in [
        ("password", "This field may not be blank.", "A Password is required"),
        ("key", "This field may not be blank.", "A key is required"),
        ("id", "This field may not be blank.", "An id is required"),
        ("image", "This field may not be blank.", "The given image is invalid"),
    ] {
        if api.field(field).iter().any(|said| said == message) {
            return (text.to_owned(), String::new());
        }
    }
    let detail = api.detail.as_deref().unwrap_or_default();
    if detail.contains("still has applications assigned") {
        let hint = "`slipway apps` lists them; give them away with `slipway apps:transfer` or remove them with `slipway apps:destroy`";
        return (detail.to_owned(), hint.to_owned());
    }
    if detail.is_empty() && api.fields.is_empty() {
        let body = api.body.trim();
        // A page of a proxy in between is of no use to anybody who reads a terminal.
        let body = if body.starts_with('<') || body.is_empty() { String::new() } else { format!(": {body}") };
        return (format!("Unknown Error ({}){body}", api.status.as_u16()), String::new());
    }
    // A name in front of the message only where the message does not make sense without.
    let spoken =
        ["id", "username", "password", "public", "key", "email", "non_field_errors", "domain", "name", "certificate"];
    let mut lines: Vec<String> = detail.lines().map(str::to_owned).collect();
    for (field, messages) in &api.fields {
        for message in messages {
            let is_bare = message.starts_with("This field") || message.starts_with("Ensure this field");
            if spoken.contains(&field.as_str()) && !is_bare {
                lines.push(message.clone());
            } else {
                lines.push(format!("{field}: {message}"));
            }
        }
    }
    // For old clients servers give the old rule beside the one that holds (§2.2).
    if lines.iter().any(|line| line.starts_with("App name must start with")) {
        lines.retain(|line| !line.starts_with("App name can only contain"));
    }
    lines.dedup();
    let text = lines.join("\n").replace("\\n", "\n");
    let hint = match () {
        () if text.contains("Unable to log in") => {
            "check the name and the password; `slipway register URL` makes an account"
        }
        () if text.contains("No build associated") => "push something first: `git push slipway main`",
        () if text.contains("Application with this id already exists") => {
            "choose another name, or none to be given one"
        }
        () if text.contains("SSH Key with this id already exists") => {
            "give the key another name with `slipway keys:add NAME FILE`; `slipway keys` lists yours"
        }
        () if text.contains("There was a problem deploying") || text.contains("app::deploy") => {
            "`slipway logs` shows what the processes said, `slipway releases` what runs now"
        }
        () if text.contains("does not exist in application") => {
            "`slipway ps` shows the process types, the Procfile defines them"
        }
        () => "",
    };
    (text, hint.to_owned())
}
