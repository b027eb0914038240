//! What the builder's hooks are sent.

use std::time::Duration;

use serde_json::Value;
use slipway_service::{BuildLogState, HookBuildLog, NewBuild};

use super::{SHA_MAX, build_fields, finish};
use crate::call::{Call, Failure};
use crate::fields::{self, Fields};

/// Longest time that a request for progress waits.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Who pushes to which app.
pub struct Receive {
    /// The user.
    pub user: String,
    /// The app.
    pub app: String,
}

fn receive_fields(fields: &mut Fields) -> Receive {
    Receive { user: fields.text("receive_user"), app: fields.text("receive_repo") }
}

/// Body of `hooks/config/` and `hooks/access/`.
pub fn receive(call: &Call) -> Result<Receive, Failure> {
    let mut fields = call.fields()?;
    let receive = receive_fields(&mut fields);
    finish(fields, receive)
}

/// Body of `hooks/build/`: and whether to wait for the rollout.
pub fn hook_build(call: &Call) -> Result<(Receive, NewBuild, bool), Failure> {
    let mut fields = call.fields()?;
    let receive = receive_fields(&mut fields);
    let new = build_fields(&mut fields);
    let is_waiting = fields.boolean_or("wait", true);
    finish(fields, (receive, new, is_waiting))
}

/// Body of `hooks/buildlog/`. What a compiler printed may hold anything, so NUL is replaced rather than refused.
pub fn hook_build_log(call: &Call) -> Result<(Receive, HookBuildLog), Failure> {
    let mut fields = call.fields()?;
    let receive = receive_fields(&mut fields);
    let sha = fields.text("sha");
    fields.limit("sha", &sha, SHA_MAX);
    let state = match fields.text("state").as_str() {
        "succeeded" => BuildLogState::Succeeded,
        "canceled" => BuildLogState::Canceled,
        "failed" => BuildLogState::Failed,
        other => {
            if !fields.is_wrong("state") {
                fields.fail("state", format!("\"{other}\" is not a valid choice."));
            }
            BuildLogState::Failed
        }
    };
    let log = match fields.take("log") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.contains('\0') => text.replace('\0', "\u{fffd}"),
        Some(Value::String(text)) => text,
        Some(_) => {
            fields.fail("log", fields::NOT_TEXT);
            String::new()
        }
    };
    let build = match fields.text_or_empty("build") {
        text if text.is_empty() => None,
        text => {
            let build = text.parse().ok();
            if build.is_none() {
                fields.fail("build", format!("\"{text}\" is not a valid UUID."));
            }
            build
        }
    };
    finish(fields, (receive, HookBuildLog { sha, state, log, build }))
}

/// Body of `hooks/builds/`.
pub fn hook_build_begin(call: &Call) -> Result<(Receive, String), Failure> {
    let mut fields = call.fields()?;
    let receive = receive_fields(&mut fields);
    let sha = fields.text("sha");
    fields.limit("sha", &sha, SHA_MAX);
    finish(fields, (receive, sha))
}

/// `wait` of `hooks/releases/`: seconds, at most thirty, none by default.
#[must_use]
pub fn wait(call: &Call) -> Duration {
    let secs = call.query("wait").and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    Duration::from_secs(secs).min(WAIT_MAX)
}
