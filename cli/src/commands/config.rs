//! `config`. Source of calls and texts: drycc-v2.md §2.4 and §6.2.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value, json};
use slipway_client::Answer;
use slipway_wire::drycc_v2::{Config, Page, Release};

use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{dotenv, input, print, private, program};

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
        if oneline {
            let line = render(&config.values).trim_end_matches('\n').replace('\n', " ");
            return if line.is_empty() { Ok(()) } else { print::line(line) };
        }
        if diff {
            return print::part(render(&config.values));
        }
        show(&app, &config)
    })
}

/// Lines `NAME=value`, for upstream's client without the quotes that would let every value be read back.
fn render(values: &BTreeMap<String, String>) -> String {
    if !program::current().is_upstream() {
        return dotenv::render(values);
    }
    values.iter().fold(String::new(), |text, (name, value)| text + name + "=" + value + "\n")
}

fn show(app: &str, config: &Config) -> Result {
    print::line(format_args!("=== {app} Config"))?;
    if program::current().is_upstream() {
        // Lines of a value after its first are as they are.
        let widest = config.values.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        let show = |(name, value)| print::line(format_args!("{name:widest$}      {value}"));
        return config.values.iter().try_for_each(show);
    }
    print::table::pairs(config.values.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

/// Sets environment variables.
pub async fn set(cx: &Context, words: &[String]) -> Result {
    let mut values = Map::new();
    for word in words {
        let (name, value) = pair(word)?;
        let value = if name == "SSH_KEY" { ssh_key(value)? } else { value.to_owned() };
        values.insert(name.to_owned(), value.into());
    }
    change(cx, "Creating config...", values).await
}

/// A private key for builds, which travels encoded since it has line ends. Source: drycc-v2.md §6.2.
fn ssh_key(value: &str) -> Result<String> {
    let path = Path::new(value);
    let text = if path.is_file() { read(path)? } else { value.to_owned() };
    let base64 = &base64::engine::general_purpose::STANDARD;
    if text.contains("PRIVATE KEY") {
        return Ok(base64.encode(text));
    }
    // As `config:pull` writes it.
    match base64.decode(&text) {
        Ok(decoded) if String::from_utf8_lossy(&decoded).contains("PRIVATE KEY") => Ok(text),
        _ => Err(Error::new("Could not parse SSH private key")
            .hint("SSH_KEY is the text of a private key that begins with -----BEGIN, or the path of its file")),
    }
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
    let config: Config = answer.json()?;
    let release = if program::current().is_upstream() {
        // It tells the release where the controller has it among the values only (drycc-v2.md §2.4).
        config.values.get("WORKFLOW_RELEASE").cloned()
    } else {
        newest(&api, &app).await.map(|version| format!("v{version}"))
    };
    progress.done(&release.map_or_else(|| "done".to_owned(), |release| format!("done, {release}")))?;
    print::line("")?;
    show(&app, &config)
}

/// The number of the newest release; for information only, so that any failure is nothing.
async fn newest(api: &Api, app: &str) -> Option<u32> {
    let answer = api.get(&app_path(app, "releases/?limit=1")).await.ok()?;
    answer.json::<Page<Release>>().ok()?.results.first().map(|release| release.version)
}

/// Writes environment variables to a file; for upstream's client, to stdout when that is a pipe or a file.
pub async fn pull(cx: &Context, path: &Path, interactive: bool, overwrite: bool) -> Result {
    if program::current().is_upstream() && !std::io::stdout().is_terminal() {
        let answer = fetch(&cx.api()?, &cx.app()?).await?;
        return cx.show(&answer, || print::part(render(&answer.json::<Config>()?.values)));
    }
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
                    let answer = print::ask(&format!("{name}: overwrite {old} with {value}? (y/N) "))?;
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
    private::write(path, render(&values).as_bytes())?;
    cx.show(&answer, || print::line(format_args!("Wrote {} to {}.", variables(values.len()), path.display())))
}

/// Sets the environment variables of a file; for upstream's client, those on stdin where it has some.
pub async fn push(cx: &Context, path: Option<&Path>) -> Result {
    let piped = match path {
        None if program::current().is_upstream() && !std::io::stdin().is_terminal() => input::text(Path::new("-"))?,
        _ => String::new(),
    };
    let path = path.unwrap_or(Path::new(".env"));
    let values = if piped.is_empty() { parse(path)? } else { parse_text(&piped, Path::new("stdin"))? };
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
    parse_text(&read(path)?, path)
}

fn parse_text(text: &str, path: &Path) -> Result<BTreeMap<String, String>> {
    if program::current().is_upstream() {
        return parse_lines(text);
    }
    dotenv::parse(text).map_err(|error| Error::caused(path.display().to_string(), &error))
}

/// Reads lines `NAME=value` as upstream's client does: what stands behind `=` is the value, quotes and blanks included.
fn parse_lines(text: &str) -> Result<BTreeMap<String, String>> {
    let lines = text.split('\n').map(|line| line.trim_matches('\r'));
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| pair(line).map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect()
}

/// The halves of `NAME=value`.
fn pair(word: &str) -> Result<(&str, &str)> {
    word.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Error::new(format!("'{word}' does not match the pattern 'key=var', ex: MODE=test")))
}

fn read(path: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| Error::unreadable(path, &error);
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > FILE_MAX_BYTES {
        return Err(Error::new(format!("{} is larger than {FILE_MAX_BYTES} bytes", path.display())));
    }
    fs::read_to_string(path).map_err(cannot)
}
