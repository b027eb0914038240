//! `volumes`. Source of calls: drycc-v2.md §2.13 and §6.3.

use serde_json::{Map, Value, json};
use slipway_client::segment;

use super::setting::{is_process_type, nulls};
use crate::api::Api;
use crate::args::volume::VolumeCommand;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// Runs a command about volumes.
pub async fn volume(cx: &Context, command: VolumeCommand) -> Result {
    match command {
        VolumeCommand::List(limit) => list(cx, limit.limit).await,
        VolumeCommand::Create { name, size } => create(cx, &name, &size).await,
        VolumeCommand::Expand { name, size } => expand(cx, &name, &size).await,
        VolumeCommand::Delete { name } => delete(cx, &name).await,
        VolumeCommand::Mount { name, mounts } => mount(cx, &name, "Mounting", directories(&mounts)?).await,
        VolumeCommand::Unmount { name, types } => mount(cx, &name, "Unmounting", nulls(&types)).await,
    }
}

async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let answer = api.get(&app_path(&app, &format!("volumes/?limit={}", cx.limit(limit)))).await?;
    cx.show(&answer, || {
        let page: Value = answer.json()?;
        let volumes = page["results"].as_array().map_or(&[][..], Vec::as_slice);
        if volumes.is_empty() {
            return print::line("Could not find any volume");
        }
        print::line(format_args!("=== {app} volumes"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for volume in volumes {
            print::line(format_args!("--- {}\t{}", text(&volume["name"]), text(&volume["size"])))?;
            for (process_type, path) in volume["path"].as_object().into_iter().flatten() {
                print::line(format_args!("{process_type}\t\t{}", text(path)))?;
            }
        }
        Ok(())
    })
}

/// `TYPE=PATH` words as a map.
fn directories(words: &[String]) -> Result<Map<String, Value>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((process_type, path)) if is_process_type(process_type) => Ok((process_type.to_owned(), path.into())),
        _ => Err(Error::new(format!("'{word}' does not match the pattern 'type=path', ex: web=/data"))),
    };
    words.iter().map(pair).collect()
}

async fn create(cx: &Context, name: &str, size: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Creating {name} to {app}..."))?;
    let answer = api.post(&app_path(&app, "volumes/"), &json!({"name": name, "size": size})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

async fn expand(cx: &Context, name: &str, size: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Expanding {name} to {size}..."))?;
    let answer = api.patch(&app_path(&app, &format!("volumes/{}/", segment(name))), &json!({"size": size})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

async fn delete(cx: &Context, name: &str) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("Deleting {name} from {app}..."))?;
    api.delete(&app_path(&app, &format!("volumes/{}/", segment(name)))).await?;
    progress.done("done")
}

async fn mount(cx: &Context, name: &str, doing: &str, path: Map<String, Value>) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let progress = cx.progress(&format!("{doing} volume..."))?;
    let answer =
        api.patch(&app_path(&app, &format!("volumes/{}/path/", segment(name))), &json!({"path": path})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

/// `VOLUME:PATH` words of `run --mount` as what is to be mounted. A volume that is not there is told of here: servers
/// that know no volumes would run the command without.
pub async fn mounts(api: &Api, app: &str, words: &[String]) -> Result<Map<String, Value>> {
    let mut mounts = Map::new();
    if words.is_empty() {
        return Ok(mounts);
    }
    let page: Value = api.get(&app_path(app, "volumes/")).await?.json()?;
    let known = page["results"].as_array().map_or(&[][..], Vec::as_slice);
    for word in words {
        let Some((name, path)) = word.split_once(':').filter(|(name, path)| !name.is_empty() && path.starts_with('/'))
        else {
            return Err(Error::new(format!("'{word}' does not match the pattern 'volume:path', ex: data:/data")));
        };
        if !known.iter().any(|volume| volume["name"] == name) {
            return Err(Error::new(format!("there is no volume {name}")).hint("`slipway volumes` lists them"));
        }
        mounts.insert(name.to_owned(), path.into());
    }
    Ok(mounts)
}
