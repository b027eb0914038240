//! `config`. Source of calls and texts: drycc-v2.md §2.4 and §6.2.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value, json};
use slipway_client::Answer;
use slipway_wire::drycc_v2::{Config, Page, Release};

use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{dotenv, print, private};

/// No `.env` file is longer; what is longer is another file.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

async fn fetch(api: &Api, app: &str) -> Result<Answer> {
    api.get(&app_path(app, "config/")).await
}

/// Lists environment variables.
pub async fn list(cx: &Context, oneline: bool, diff: bool) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let answer = fetch(&api, &app).await?;
    cx.show(&answer, || {
        let config: Config = answer.json()?;
        if diff {
            return print::part(dotenv::render(&config.values));
        }
        if oneline {
            return print::line(dotenv::render(&config.values).trim_end().replace('\n', " "));
        }
        show(&app, &config)
    })
}

fn show(app: &str, config: &Config) -> Result {
    print::line(format_args!("=== {app} Config"))?;
    print::table::pairs(config.values.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

/// Sets environment variables.
pub async fn set(cx: &Context, words: &[String]) -> Result {
    let mut values = Map::new();
    for word in words {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Error::new(format!("'{word}' does not match the pattern 'key=var', ex: MODE=test")));
        };
        let value = if name == "SSH_KEY" { ssh_key(value)? } else { value.to_owned() };
        values.insert(name.to_owned(), value.into());
    }
    change(cx, "Creating config...", values).await
}

/// A private key for builds, which travels encoded since it has line ends. Source: drycc-v2.md §6.2.
fn ssh_key(value: &str) -> Result<String> {
    let path = Path::new(value);
    let text = if path.is_file() { read(path)? } else { value.to_owned() };
    if text.contains("PRIVATE KEY") {
        return Ok(base64::engine::general_purpose::STANDARD.encode(text));
    }
    Ok(text)
}

/// Removes environment variables.
pub async fn unset(cx: &Context, names: &[String]) -> Result {
    let values = names.iter().map(|name| (name.clone(), Value::Null)).collect();
    change(cx, "Removing config...", values).await
}

async fn change(cx: &Context, text: &str, values: Map<String, Value>) -> Result {
    let api = cx.api()?;
    let app = cx.app()?;
    let progress = cx.progress(text)?;
    let answer = api.post(&app_path(&app, "config/"), &json!({"values": values})).await?;
    if cx.is_json {
        return cx.show(&answer, || Ok(()));
    }
    let done = match newest(&api, &app).await {
        Some(version) => format!("done, v{version}"),
        None => "done".to_owned(),
    };
    progress.done(&done)?;
    print::line("")?;
    show(&app, &answer.json()?)
}

/// The number of the newest release; for information only, so that any failure is nothing.
async fn newest(api: &Api, app: &str) -> Option<u32> {
    let answer = api.get(&app_path(app, "releases/?limit=1")).await.ok()?;
    answer.json::<Page<Release>>().ok()?.results.first().map(|release| release.version)
}

/// Writes environment variables to a file.
pub async fn pull(cx: &Context, path: &Path, interactive: bool, overwrite: bool) -> Result {
    let is_there = path.exists();
    if is_there && !interactive && !overwrite {
        return Err(Error::new(format!("{} already exists", path.display()))
            .hint("pass -o to overwrite it, or -i to be asked about each variable that differs"));
    }
    let answer = fetch(&cx.api()?, &cx.app()?).await?;
    let mut values = answer.json::<Config>()?.values;
    if is_there && interactive {
        let mut kept = parse(path)?;
        for (name, value) in std::mem::take(&mut values) {
            let is_wanted = match kept.get(&name) {
                Some(old) if *old != value => {
                    let answer =
                        print::ask(&format!("{name} is {old} in the file and {value} in the app. Overwrite? (y/N) "))?;
                    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
                }
                _ => true,
            };
            if is_wanted {
                kept.insert(name, value);
            }
        }
        values = kept;
    }
    // The file holds secrets as often as not.
    private::write(path, dotenv::render(&values).as_bytes())?;
    cx.show(&answer, || print::line(format_args!("Wrote {} to {}.", variables(values.len()), path.display())))
}

/// Sets the environment variables of a file.
pub async fn push(cx: &Context, path: &Path) -> Result {
    let values = parse(path)?;
    if values.is_empty() {
        return Err(Error::new(format!("{} has no variable", path.display())));
    }
    let values = values.into_iter().map(|(name, value)| (name, value.into())).collect();
    change(cx, "Creating config...", values).await
}

fn variables(count: usize) -> String {
    if count == 1 { "1 variable".to_owned() } else { format!("{count} variables") }
}

fn parse(path: &Path) -> Result<BTreeMap<String, String>> {
    dotenv::parse(&read(path)?).map_err(|error| Error::caused(path.display().to_string(), &error))
}

fn read(path: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| Error::caused(format!("cannot read {}", path.display()), &error);
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > FILE_MAX_BYTES {
        return Err(Error::new(format!("{} is larger than {FILE_MAX_BYTES} bytes", path.display())));
    }
    fs::read_to_string(path).map_err(cannot)
}
