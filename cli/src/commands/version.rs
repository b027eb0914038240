//! `version` and `shortcuts`.

use std::collections::BTreeMap;

use serde_json::json;
use slipway_client::API_VERSION;

use crate::api::server_version;
use crate::context::{Context, api_anonymous};
use crate::error::{Error, Result};
use crate::spelling::SHORTCUTS;
use crate::{print, program};

/// Prints this program's version, and with `all` the API versions of both sides.
pub async fn version(cx: &Context, all: bool) -> Result {
    let ours = env!("CARGO_PKG_VERSION");
    if !all {
        return if cx.is_json {
            print::json(&json!({"slipway": ours, "api": API_VERSION}))
        } else {
            print::line(program::current().version())
        };
    }
    let controller = cx
        .settings
        .controller()
        .ok_or_else(|| Error::new("it is not known which controller to ask").hint("log in with `slipway login URL`"))?;
    let is_verified = cx.settings.profile().is_none_or(|profile| profile.ssl_verify);
    let answer = api_anonymous(controller, is_verified)?.get("/healthz").await?;
    let theirs = server_version(&answer.headers).unwrap_or("unknown");
    if cx.is_json {
        return print::json(&json!({"slipway": ours, "api": API_VERSION, "controller_api": theirs}));
    }
    // Both of upstream's clients say so.
    let title = if program::current().is_upstream() { "Workflow" } else { "Slipway" };
    print::table::pairs_apart(
        1,
        [
            (format!("{title} CLI Version:").as_str(), ours.to_owned()),
            (format!("{title} CLI API Version:").as_str(), API_VERSION.to_owned()),
            (format!("{title} Controller API Version:").as_str(), theirs.to_owned()),
        ],
    )
}

/// Lists shortcuts and what they stand for.
pub fn shortcuts(cx: &Context) -> Result {
    let all: BTreeMap<&str, String> = SHORTCUTS.iter().map(|(name, long)| (*name, long.join(":"))).collect();
    if cx.is_json {
        return print::json(&json!(all));
    }
    all.iter().try_for_each(|(name, long)| print::line(format_args!("{name} -> {long}")))
}
