//! `resources`. Source of calls: drycc-v2.md §2.13 and §6.3.

use serde_json::{Value, json};
use slipway_client::segment;

use super::setting::pairs;
use crate::args::resource::ResourceCommand;
use crate::context::{Context, app_path};
use crate::error::Result;
use crate::print;

/// Runs a command about resources.
pub async fn resource(cx: &Context, command: ResourceCommand) -> Result {
    match command {
        ResourceCommand::List(limit) => list(cx, limit.limit).await,
        ResourceCommand::Create { plan, name, options } => create(cx, &plan, &name, &options).await,
        ResourceCommand::Describe { name } => describe(cx, &name).await,
        ResourceCommand::Update { plan, name, options } => update(cx, &plan, &name, &options).await,
        ResourceCommand::Destroy { name } => destroy(cx, &name).await,
        ResourceCommand::Bind { name } => bind(cx, &name, "bind", "Binding").await,
        ResourceCommand::Unbind { name } => bind(cx, &name, "unbind", "Unbinding").await,
    }
}

fn path(app: &str, name: &str, rest: &str) -> String {
    app_path(app, &format!("resources/{}/{rest}", segment(name)))
}

async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let answer = api.get(&app_path(&app, &format!("resources/?limit={}", cx.limit(limit)))).await?;
    cx.show(&answer, || {
        let page: Value = answer.json()?;
        let items = page["results"].as_array().map_or(&[][..], Vec::as_slice);
        if items.is_empty() {
            return print::line("Could not find any resources");
        }
        print::line(format_args!("=== {app} resources"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named: Vec<(String, String)> =
            items.iter().map(|item| (text(&item["name"]), text(&item["plan"]))).collect();
        print::table::pairs_apart(5, named.iter().map(|(name, plan)| (name.as_str(), plan.clone())))
    })
}

async fn create(cx: &Context, plan: &str, name: &str, options: &[String]) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let body = json!({"name": name, "plan": plan, "options": pairs(options)?});
    let progress = cx.progress(&format!("Creating {name} to {app}..."))?;
    let answer = api.post(&app_path(&app, "resources/"), &body).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

async fn describe(cx: &Context, name: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let answer = api.get(&path(&app, name, "")).await?;
    cx.show(&answer, || {
        let resource: Value = answer.json()?;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        print::line(format_args!("=== {app} resource {name}"))?;
        let map = |field: &str| -> Vec<(String, String)> {
            let pairs = resource[field].as_object().into_iter().flatten();
            pairs.map(|(key, value)| (format!("{key}:"), text(value))).collect()
        };
        let head: Vec<(String, String)> = ["plan", "status", "binding"]
            .iter()
            .filter(|field| !resource[**field].is_null())
            .map(|field| (format!("{field}:"), text(&resource[*field])))
            .collect();
        // What is below the other stands in the same column.
        let parts = [head, map("data"), map("options")];
        let width = |part: &[(String, String)]| part.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        let widest = parts.iter().map(|part| width(part)).max().unwrap_or(0).max("binding:".len());
        for (at, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            if at > 0 {
                print::line("")?;
            }
            let gap = widest + 5 - width(part);
            print::table::pairs_apart(gap, part.iter().map(|(key, value)| (key.as_str(), value.clone())))?;
        }
        Ok(())
    })
}

async fn update(cx: &Context, plan: &str, name: &str, options: &[String]) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let body = json!({"plan": plan, "options": pairs(options)?});
    let progress = cx.progress(&format!("Updating {name} to {app}..."))?;
    let answer = api.put(&path(&app, name, ""), &body).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

async fn destroy(cx: &Context, name: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Deleting {name} from {app}..."))?;
    api.delete(&path(&app, name, "")).await?;
    progress.done("done")
}

async fn bind(cx: &Context, name: &str, action: &str, doing: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("{doing} resource..."))?;
    let answer = api.patch(&path(&app, name, "binding/"), &json!({"bind_action": action})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}
