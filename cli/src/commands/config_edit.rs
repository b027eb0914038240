//! `config:edit`: Slipway's own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_wire::drycc_v2::Config;

use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{dotenv, editor, print};

type Values = BTreeMap<String, String>;

/// Lets the user change all environment variables in an editor, and makes one release of what changed.
pub async fn edit(cx: &Context) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let path = app_path(&app, "config/");
    let values = async || Ok::<Values, Error>(api.get(&path).await?.json::<Config>()?.values);
    let old = values().await?;
    let text = format!(
        "# Environment variables of {app}: change, add and remove lines, save, and leave the editor.\n{}",
        dotenv::render(&old)
    );
    let mut seen = old.clone();
    editor::edit(&text, ".env", async |edited| {
        let edited =
            dotenv::parse(edited).map_err(|error| Error::caused("nothing was changed: what was saved", &error))?;
        let changed = changed(&old, &edited);
        if changed.is_empty() {
            print::note("Nothing was changed.");
            return Ok(());
        }
        let now = values().await?;
        let theirs: Vec<&str> = changed
            .iter()
            .copied()
            .filter(|name| now.get(*name) != seen.get(*name) && now.get(*name) != edited.get(*name))
            .collect();
        if !theirs.is_empty() {
            let error =
                Error::new(format!("somebody else changed {} meanwhile; nothing was changed", theirs.join(", ")))
                    .hint(format!("`slipway config -a {app}` shows what is there now; to save again replaces it"));
            seen = now;
            return Err(error);
        }
        let values: Map<String, Value> =
            changed.iter().map(|name| ((*name).to_owned(), json!(edited.get(*name)))).collect();
        let progress = cx.progress("Creating config...")?;
        let answer = api.post(&path, &json!({"values": values})).await?;
        progress.done("done")?;
        cx.show(&answer, || {
            changed.iter().try_for_each(|name| {
                let sign = match (old.contains_key(*name), edited.contains_key(*name)) {
                    (_, false) => '-',
                    (true, true) => '~',
                    (false, true) => '+',
                };
                print::line(format_args!("{sign} {name}"))
            })
        })
    })
    .await
}

/// The names of variables that are not the same in both, sorted.
fn changed<'a>(old: &'a Values, new: &'a Values) -> Vec<&'a str> {
    let mut names: Vec<&str> =
        old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}
