//! `resources`. Source of calls: drycc-v2.md §2.13 and §6.3.

use serde_json::{Value, json};
use slipway_client::segment;

use super::heading;
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
        print::line(heading(&format!("{app} Resources"), items.len(), page["count"].as_u64().unwrap_or_default()))?;
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        print::table::rows(&items.iter().map(|item| vec![text(item, "name"), text(item, "plan")]).collect::<Vec<_>>())
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
        for field in ["plan", "status", "binding"] {
            if !resource[field].is_null() {
                print::line(format_args!("{:9} {}", format!("{field}:"), text(&resource[field])))?;
            }
        }
        let data = resource["data"].as_object().into_iter().flatten();
        print::table::pairs(data.map(|(key, value)| (key.as_str(), text(value))))
    })
}

async fn update(cx: &Context, plan: &str, name: &str, options: &[String]) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let body = json!({"plan": plan, "options": pairs(options)?});
    let progress = cx.progress(&format!("Updating {name} of {app}..."))?;
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
