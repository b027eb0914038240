//! `services`. Source of calls and texts: drycc-v2.md §2.13 and §6.3.

use std::collections::BTreeMap;

use serde_json::json;
use slipway_wire::drycc_v2::Services;

use crate::context::{Context, app_path};
use crate::error::Result;
use crate::print;

/// Lists the paths of an app's process types.
pub async fn list(cx: &Context) -> Result {
    let app = cx.app()?;
    let answer = cx.api()?.get(&app_path(&app, "services/")).await?;
    cx.show(&answer, || {
        let services: Services = answer.json()?;
        print::line(format_args!("=== {app} Services"))?;
        let routes: BTreeMap<&str, &str> = services
            .services
            .iter()
            .map(|service| (service.procfile_type.as_str(), service.path_pattern.as_str()))
            .collect();
        print::table::pairs_apart(5, routes.into_iter().map(|(name, routes)| (name, routes.to_owned())))
    })
}

/// Sends requests for some paths to processes of a type.
pub async fn add(cx: &Context, process_type: &str, route: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Adding {process_type} ({route}) to {app}..."))?;
    let body = json!({"procfile_type": process_type, "path_pattern": route});
    api.post(&app_path(&app, "services/"), &body).await?;
    progress.done("done")
}

/// Sends them to the usual processes again.
pub async fn remove(cx: &Context, process_type: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Removing {process_type} from {app}..."))?;
    api.delete_with(&app_path(&app, "services/"), &json!({"procfile_type": process_type})).await?;
    progress.done("done")
}
