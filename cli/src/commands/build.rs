//! `builds`. Source of calls and texts: drycc-v2.md §2.5 and §6.2; logs of pushes are Slipway's own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_client::segment;
use slipway_wire::drycc_v2::{Build, BuildLog, Page};

use super::heading;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// Lists builds.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let answer = api.get(&app_path(&app, &format!("builds/?limit={}", cx.limit(limit)))).await?;
    cx.show(&answer, || {
        let page: Page<Build> = answer.json()?;
        print::line(heading(&format!("{app} Builds"), page.results.len(), page.count))?;
        page.results.iter().try_for_each(|build| print::line(format_args!("{} {}", build.uuid, build.created)))
    })
}

/// Deploys an image.
pub async fn create(cx: &Context, image: &str, procfile: Option<&str>) -> Result {
    let mut body = json!({"image": image, "stack": "container"});
    if let Some(text) = procfile {
        body["procfile"] = Value::Object(procfile_parse(text)?);
    }
    let api = cx.api()?;
    let path = app_path(&cx.app()?, "builds/");
    let progress = cx.progress("Creating build...")?;
    let answer = api.post(&path, &body).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

/// Shows the log of a push.
pub async fn log(cx: &Context, sha: Option<&str>) -> Result {
    let api = cx.api()?;
    let query = sha.map(|sha| format!("?sha={}", segment(sha))).unwrap_or_default();
    let answer = api.get(&app_path(&cx.app()?, &format!("builds/log{query}"))).await?;
    let text = String::from_utf8_lossy(&answer.body);
    if cx.is_json {
        return print::json(&json!({"log": text}));
    }
    if text.trim().is_empty() {
        print::note("There is nothing in this build's log yet: it is kept when the build has ended.");
    }
    text.lines().try_for_each(print::log::log_line)
}

/// Ends a build that is under way.
pub async fn cancel(cx: &Context, sha: Option<&str>) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let progress = cx.progress(&format!("Canceling the build of {app}..."))?;
    let body = sha.map_or_else(|| json!({}), |sha| json!({"sha": sha}));
    let answer = api.post(&app_path(&app, "builds/cancel/"), &body).await?;
    let log: BuildLog = answer.json()?;
    if log.state != "canceled" {
        drop(progress);
        return Err(Error::new(format!("the build was over before: it has {}", log.state))
            .hint("`slipway releases` shows what came of it, `slipway rollback` goes back"));
    }
    progress.done(&format!("done, {}", log.sha.chars().take(7).collect::<String>()))?;
    cx.show(&answer, || Ok(()))
}

/// Lines `type: command`, as in a Procfile and as in the YAML that upstream's client takes; JSON is YAML too.
fn procfile_parse(text: &str) -> Result<Map<String, Value>> {
    let mut types = Map::new();
    if let Ok(all) = serde_json::from_str::<BTreeMap<String, String>>(text)
        && !all.is_empty()
    {
        types.extend(all.into_iter().map(|(name, command)| (name, command.into())));
        return Ok(types);
    }
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((name, command)) =
            line.split_once(':').filter(|(name, command)| !name.trim().is_empty() && !command.trim().is_empty())
        else {
            return Err(Error::new(format!("'{line}' is not in the form 'type: command', ex: 'web: ./serve'")));
        };
        types.insert(unquoted(name.trim()), unquoted(command.trim()).into());
    }
    if types.is_empty() {
        return Err(Error::new("the procfile has no process type").hint("pass lines of the form 'type: command'"));
    }
    Ok(types)
}

/// A word or line of YAML that may stand in quotes.
fn unquoted(text: &str) -> String {
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''))
        && !inner.replace("''", "").contains('\'')
    {
        return inner.replace("''", "'");
    }
    // Of what YAML has in double quotes, JSON has what is in use.
    match serde_json::from_str(text) {
        Ok(Value::String(inner)) => inner,
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procfiles_are_lines() {
        let types = procfile_parse("web: ./serve --port 1:2\r\n# c\n\nworker: x").unwrap();
        assert_eq!(types["web"], "./serve --port 1:2");
        assert_eq!(types.len(), 2);
        let quoted = "\"web\": \"a \\\"b\\\" c\"\nworker: 'it''s'\nother: 'a' 'b'\nlast: \"a\" \"b\"";
        let types = procfile_parse(quoted).unwrap();
        for (name, command) in [("web", "a \"b\" c"), ("worker", "it's"), ("other", "'a' 'b'"), ("last", "\"a\" \"b\"")]
        {
            assert_eq!(types[name], command);
        }
        assert_eq!(procfile_parse(r#"{"web": "./serve"}"#).unwrap()["web"], "./serve");
        for text in ["", "web", "web:", ": x"] {
            assert!(procfile_parse(text).is_err(), "{text:?}");
        }
    }
}
