//! `ps`. Source of calls and texts: drycc-v2.md §2.3 and §6.2.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_client::{Answer, segment};
use slipway_wire::drycc_v2::{Pod, Pods};

use super::session::{self, Talk};
use super::setting::is_process_type;
use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::program::{self, Program};
use crate::{print, settings};

/// The processes of an app.
pub async fn fetch(api: &Api, app: &str) -> Result<Answer> {
    api.get(&app_path(app, "pods/")).await
}

/// Lists processes by type.
pub async fn list(cx: &Context) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let answer = fetch(&api, &app).await?;
    cx.show(&answer, || show(&app, &answer.json()?))
}

/// Shows processes by type.
pub fn show(app: &str, pods: &Pods) -> Result {
    print::line(format_args!("=== {app} Processes"))?;
    let mut types: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in &pods.results {
        types.entry(&pod.process_type).or_default().push(pod);
    }
    for (name, mut pods) in types {
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        // Source: drycc-v2.md §6.2, `ps:list` of Drycc 2021.
        let state = if program::current() == Program::Drycc { " (started)" } else { "" };
        print::line(format_args!("--- {name}{state}:"))?;
        for pod in pods {
            print::line(format_args!("{} {} ({})", pod.name, pod.state, pod.release))?;
        }
    }
    Ok(())
}

/// Scales process types.
pub async fn scale(cx: &Context, types: &[String]) -> Result {
    let mut wanted = Map::new();
    for word in types {
        let parsed = word.split_once('=').and_then(|(name, count)| {
            let count: u32 = count.parse().ok()?;
            is_process_type(name).then(|| (name.to_owned(), Value::from(count)))
        });
        let Some((name, count)) = parsed else {
            return Err(Error::new(format!("'{word}' does not match the pattern 'type=num', ex: web=2")));
        };
        wanted.insert(name, count);
    }
    let api = cx.api()?;
    let app = cx.app()?;
    let progress = cx.progress_below(&format!("Scaling processes... but first, {}!", settings::drink()))?;
    api.post(&app_path(&app, "scale/"), &wanted).await?;
    progress.done_in()?;
    let answer = fetch(&api, &app).await?;
    cx.show(&answer, || show(&app, &answer.json()?))
}

/// Stops (`stop`) or starts (`start`) process types.
pub async fn switch(cx: &Context, types: &[String], action: &str) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let doing = if action == "stop" { "Stopping" } else { "Starting" };
    let progress = cx.progress_below(&format!("{doing} processes... but first, {}!", settings::drink()))?;
    api.post(&app_path(&app, &format!("{action}/")), &json!({"types": types})).await?;
    progress.done_in()?;
    let answer = fetch(&api, &app).await?;
    cx.show(&answer, || show(&app, &answer.json()?))
}

/// Restarts all processes, those of one type, or one.
pub async fn restart(cx: &Context, target: Option<&str>) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let path = match target {
        Some(target) => app_path(&app, &format!("pods/{}/restart/", place(&api, &app, target).await?)),
        None => app_path(&app, "pods/restart/"),
    };
    let progress = cx.progress_below(&format!("Restarting processes... but first, {}!", settings::drink()))?;
    let answer = api.post_empty(&path).await.map_err(|error| match (&error, target) {
        (Error::Failed { text, .. }, Some(target))
            if text.contains("does not exist in application") || text == "Pod not found in application" =>
        {
            Error::new(format!("Could not find process type {target} in app {app}")).hint("`slipway ps` lists them")
        }
        _ => error,
    })?;
    let pods: Vec<Pod> = answer.json()?;
    if pods.is_empty() {
        // Scripts restart what may run no process, and look for this on stdout (drycc-v2.md §6.5).
        progress.done("Could not find any processes to restart")?;
        return cx.show(&answer, || Ok(()));
    }
    progress.done_in()?;
    cx.show(&answer, || {
        let count = pods.len() as u64;
        show(&app, &Pods { results: pods, count })
    })
}

/// Where processes are below `pods/`: a type, or a type and a process' name, which may lack the app's. A name that no
/// process has is left to the controller. Source: drycc-v2.md §2.0 and §2.3.
async fn place(api: &Api, app: &str, target: &str) -> Result<String> {
    if target.contains('-') {
        let pods: Pods = fetch(api, app).await?.json()?;
        let is_it = |pod: &&Pod| pod.name == target || pod.name.strip_prefix(app) == Some(&format!("-{target}"));
        if let Some(pod) = pods.results.iter().find(is_it) {
            return Ok(format!("{}/{}", segment(&pod.process_type), segment(&pod.name)));
        }
    }
    Ok(segment(target))
}

/// Runs a command inside of a process, or of one of those of a type, and ends with its exit code.
pub async fn exec(cx: &Context, target: &str, command: &[String], talk: Talk) -> Result {
    let app = cx.app()?;
    let one = one_of(&cx.api()?, &app, target).await?;
    let path = app_path(&app, &format!("pods/{}/exec/", segment(one.as_deref().unwrap_or(target))));
    let ended = session::talk(cx, &path, json!(command), talk).await;
    ended.map_err(
        |error| if error.says("does not exist") { error.hint("`slipway ps` lists the processes") } else { error },
    )
}

/// The name of a process of the type `target`, one that is up if there is one; `None` for what is no type.
async fn one_of(api: &Api, app: &str, target: &str) -> Result<Option<String>> {
    let pods: Pods = fetch(api, app).await?.json()?;
    let is_named = |pod: &Pod| pod.name == target;
    if pods.results.iter().any(is_named) {
        return Ok(None);
    }
    let mut all = pods.results.into_iter().filter(|pod| pod.process_type == target);
    let first = all.next();
    Ok(match first {
        Some(pod) if pod.state != "up" => Some(all.find(|other| other.state == "up").unwrap_or(pod).name),
        first => first.map(|pod| pod.name),
    })
}
