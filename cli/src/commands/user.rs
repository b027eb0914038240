//! `users`. Source of calls and texts: drycc-v2.md §2.1, §2.11, §6.2 and §6.3.

use serde_json::json;
use slipway_client::segment;
use slipway_wire::drycc_v2::{Page, User};

use super::heading;
use crate::context::Context;
use crate::error::Result;
use crate::print;

/// Lists all users.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let answer = cx.api()?.get(&format!("/v2/users/?limit={}", cx.limit(limit))).await?;
    cx.show(&answer, || {
        let page: Page<User> = answer.json()?;
        print::line(heading("Users (*=admin)", page.results.len(), page.count))?;
        page.results.iter().try_for_each(|user| {
            let mark = if user.is_superuser { "*" } else { "" };
            print::line(format_args!("{mark}{}", user.username))
        })
    })
}

/// Lets a user in (`enable`) or no longer (`disable`).
pub async fn switch(cx: &Context, username: &str, action: &str) -> Result {
    let api = cx.api()?;
    let doing = if action == "enable" { "Enabling" } else { "Disabling" };
    let progress = cx.progress(&format!("{doing} user {username}..."))?;
    api.patch(&format!("/v2/users/{}/{action}/", segment(username)), &json!({})).await?;
    progress.done("done")
}
