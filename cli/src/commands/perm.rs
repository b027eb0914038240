//! `perms`. Source of calls and texts: drycc-v2.md §2.11 and §6.2.

use serde_json::json;
use slipway_client::segment;
use slipway_wire::drycc_v2::{Admin, Page, Perms};

use super::heading;
use crate::context::{Context, app_path};
use crate::error::Result;
use crate::print;

/// Lists who may work on an app, or who administers the platform.
pub async fn list(cx: &Context, admin: bool, limit: Option<u32>) -> Result {
    let api = cx.api()?;
    if admin {
        let answer = api.get(&format!("/v2/admin/perms/?limit={}", cx.limit(limit))).await?;
        return cx.show(&answer, || {
            let page: Page<Admin> = answer.json()?;
            print::line(heading("Administrators", page.results.len(), page.count))?;
            page.results.iter().try_for_each(|admin| print::line(&admin.username))
        });
    }
    let app = cx.app()?;
    let answer = api.get(&app_path(&app, "perms/")).await?;
    cx.show(&answer, || {
        let perms: Perms = answer.json()?;
        print::line(format_args!("=== {app}'s Users"))?;
        perms.users.iter().try_for_each(print::line)
    })
}

/// Grants access.
pub async fn create(cx: &Context, user: &str, admin: bool) -> Result {
    let api = cx.api()?;
    let (path, to) = place(cx, admin)?;
    let progress = cx.progress(&format!("Adding {user} to {to}..."))?;
    api.post(&path, &json!({"username": user})).await?;
    progress.done("done")
}

/// Revokes access.
pub async fn delete(cx: &Context, user: &str, admin: bool) -> Result {
    let api = cx.api()?;
    let (path, from) = place(cx, admin)?;
    let progress = cx.progress(&format!("Removing {user} from {from}..."))?;
    api.delete(&format!("{path}{}", segment(user))).await?;
    progress.done("done")
}

fn place(cx: &Context, admin: bool) -> Result<(String, String)> {
    if admin {
        return Ok(("/v2/admin/perms/".to_owned(), "system administrators".to_owned()));
    }
    let app = cx.app()?;
    Ok((app_path(&app, "perms/"), format!("{app} collaborators")))
}
