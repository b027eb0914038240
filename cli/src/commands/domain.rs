//! `domains`. Source of calls and texts: drycc-v2.md §2.7 and §6.2.

use serde_json::json;
use slipway_client::segment;
use slipway_wire::drycc_v2::{Domain, Page};

use super::heading;
use crate::context::{Context, app_path};
use crate::error::Result;
use crate::print;

/// Lists the domains of an app.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, &format!("domains/?limit={}", cx.limit(limit)))).await?;
    cx.show(&answer, || {
        let page: Page<Domain> = answer.json()?;
        print::line(heading(&format!("{app} Domains"), page.results.len(), page.count))?;
        page.results.iter().try_for_each(|domain| print::line(&domain.domain))
    })
}

/// Lets an app answer under a domain.
pub async fn add(cx: &Context, domain: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Adding {domain} to {app}..."))?;
    let answer = api.post(&app_path(&app, "domains/"), &json!({"domain": domain})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

/// Takes a domain from an app.
pub async fn remove(cx: &Context, domain: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Removing {domain} from {app}..."))?;
    api.delete(&app_path(&app, &format!("domains/{}", segment(domain)))).await?;
    progress.done("done")
}
