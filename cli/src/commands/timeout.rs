//! `timeouts`: how long processes of a type may take to stop. Source of calls: drycc-v2.md §2.4 and §6.3.

use serde_json::{Map, Value, json};

use super::setting::{is_process_type, nulls, pairs_of};
use crate::api::Api;
use crate::args::runtime::TimeoutCommand;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// What the configuration calls it.
const FIELD: &str = "termination_grace_period";

/// Runs a command about timeouts.
pub async fn timeout(cx: &Context, command: TimeoutCommand) -> Result {
    match command {
        TimeoutCommand::List => list(cx).await,
        TimeoutCommand::Set { timeouts } => change(cx, pairs_of(&timeouts, is_timeout, FORM)?).await,
        TimeoutCommand::Unset { types } => change(cx, nulls(&types)).await,
    }
}

const FORM: &str = "doesn't fit format type=#\nExamples: web=30 worker=300";

fn is_timeout(process_type: &str, seconds: &str) -> bool {
    is_process_type(process_type) && !seconds.is_empty() && seconds.bytes().all(|b| b.is_ascii_digit())
}

/// The configuration, of a controller that has timeouts in it: others would take what they do not know for nothing.
async fn fetch(api: &Api, app: &str) -> Result<slipway_client::Answer> {
    let answer = api.get(&app_path(app, "config/")).await?;
    if answer.json::<Value>()?.get(FIELD).is_some() {
        return Ok(answer);
    }
    Err(Error::new("this controller has no timeouts by process type").hint(
        "`slipway config:set KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS=60` sets one for all processes of an app",
    ))
}

async fn list(cx: &Context) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let answer = fetch(&api, &app).await?;
    cx.show(&answer, || show(&app, &answer.json()?))
}

async fn change(cx: &Context, map: Map<String, Value>) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    fetch(&api, &app).await?;
    let progress = cx.progress("Applying timeouts...")?;
    let answer = api.post(&app_path(&app, "config/"), &json!({FIELD: map})).await?;
    progress.done("done")?;
    cx.show(&answer, || {
        print::line("")?;
        show(&app, &answer.json()?)
    })
}

fn show(app: &str, config: &Value) -> Result {
    print::line(format_args!("=== {app} Timeouts (sec)"))?;
    if config[FIELD].as_object().is_none_or(Map::is_empty) {
        return print::line("default (30 sec) or controlled by env KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS");
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let timeouts = config[FIELD].as_object().into_iter().flatten();
    print::table::pairs_apart(5, timeouts.map(|(process_type, seconds)| (process_type.as_str(), text(seconds))))
}
