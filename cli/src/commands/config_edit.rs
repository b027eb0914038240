//! `config:edit`: Slipway's own.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use slipway_wire::drycc_v2::Config;

use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{dotenv, print, settings};

/// Lets the user change a text in an editor; what was saved.
pub fn in_editor(text: &str, suffix: &str) -> Result<String> {
    let words = settings::editor();
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::new("it is not known which editor to use").hint("set EDITOR, for example to nano"));
    };
    let cannot = |error: std::io::Error| Error::caused("cannot write a file for the editor", &error);
    // Readable by nobody else: it holds secrets. Gone when this ends.
    let mut file = tempfile::Builder::new().prefix("slipway-config-").suffix(suffix).tempfile().map_err(cannot)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(cannot)?;
    let status = Command::new(program)
        .args(arguments)
        .arg(file.path())
        .stdin(Stdio::inherit())
        .status()
        .map_err(|error| Error::caused(format!("cannot start the editor {program}"), &error).hint("set EDITOR"))?;
    if !status.success() {
        return Err(Error::new(format!("the editor failed ({status}); nothing was changed")));
    }
    // By name: an editor may have put another file in its place.
    std::fs::read_to_string(file.path()).map_err(|error| Error::caused("cannot read the file", &error))
}

/// Lets the user change all environment variables in an editor, and makes one release of what changed.
pub async fn edit(cx: &Context) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let config: Config = api.get(&app_path(&app, "config/")).await?.json()?;
    let text = format!(
        "# Environment variables of {app}: change, add and remove lines, save, and leave the editor.\n{}",
        dotenv::render(&config.values)
    );
    let edited = in_editor(&text, ".env")?;
    let edited =
        dotenv::parse(&edited).map_err(|error| Error::caused("nothing was changed: what was saved", &error))?;
    let mut values: Map<String, Value> = edited
        .iter()
        .filter(|(name, value)| config.values.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    values.extend(
        config.values.keys().filter(|name| !edited.contains_key(*name)).map(|name| (name.clone(), Value::Null)),
    );
    if values.is_empty() {
        print::note("Nothing was changed.");
        return Ok(());
    }
    let names: Vec<String> = values
        .iter()
        .map(|(name, value)| match (value.is_null(), config.values.contains_key(name)) {
            (true, _) => format!("- {name}"),
            (false, true) => format!("~ {name}"),
            (false, false) => format!("+ {name}"),
        })
        .collect();
    let progress = cx.progress("Creating config...")?;
    let answer = api.post(&app_path(&app, "config/"), &json!({"values": values})).await?;
    progress.done("done")?;
    cx.show(&answer, || names.iter().try_for_each(print::line))
}
