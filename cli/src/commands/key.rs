//! `keys`. Source of calls and texts: drycc-v2.md §2.12 and §6.2.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use slipway_client::segment;
use slipway_wire::drycc_v2::{Key, Page};

use super::heading;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{print, program, settings};

/// No public key is longer; what is longer is another file.
const KEY_MAX_BYTES: u64 = 64 * 1024;

/// Lists keys.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let answer = cx.api()?.get(&format!("/v2/keys/?limit={}", cx.limit(limit))).await?;
    cx.show(&answer, || {
        let page: Page<Key> = answer.json()?;
        let logged_in = cx.settings.session()?.username;
        let owner = match page.results.first() {
            _ if !logged_in.is_empty() => logged_in.as_str(),
            first => first.map_or("Your", |key| key.owner.as_str()),
        };
        print::line(heading(&format!("{owner} Keys"), page.results.len(), page.count))?;
        let widest = page.results.iter().map(|key| key.id.chars().count()).max().unwrap_or(0);
        let show = |key: &Key| print::line(format_args!("{:widest$} {}", key.id, short(&key.public)));
        page.results.iter().try_for_each(show)
    })
}

/// The first 16 and last 10 characters of a key, as upstream's client shows it.
fn short(public: &str) -> String {
    let chars: Vec<char> = public.chars().collect();
    if chars.len() < 16 {
        return public.to_owned();
    }
    chars[..16].iter().chain(&['.', '.', '.']).chain(&chars[chars.len() - 10..]).collect()
}

/// Adds a key.
pub async fn add(cx: &Context, words: &[String]) -> Result {
    let api = cx.api()?;
    let (name, file) = match words {
        [] => (None, choose()?),
        // One word may be either: what is no file names one of ~/.ssh.
        [name] if program::current().is_upstream() && !Path::new(name).exists() => (Some(name.clone()), choose()?),
        [file] => (None, PathBuf::from(file)),
        [name, file, ..] => (Some(name.clone()), PathBuf::from(file)),
    };
    let public = read(&file)?;
    let file_name = file_name(&file);
    let name = name.unwrap_or_else(|| name_of(&public, &file_name));
    let progress = cx.progress(&format!("Uploading {file_name} to {}...", program::current().name()))?;
    let answer = api.post("/v2/keys/", &json!({"id": name, "public": public})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

fn file_name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What a key is called when nobody says: as its comment, else as its file.
fn name_of(public: &str, file_name: &str) -> String {
    let comment = public.splitn(3, ' ').nth(2).map(str::trim).filter(|comment| !comment.is_empty());
    let stem =
        if program::current().is_upstream() { file_name.split('.').next() } else { file_name.strip_suffix(".pub") };
    comment.or(stem).unwrap_or(file_name).to_owned()
}

/// What a file is in place of a public key; for upstream's client always the same.
fn or_upstreams(what: &str) -> &str {
    if program::current().is_upstream() { "not a valid ssh key" } else { what }
}

fn read(file: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| {
        Error::unreadable(file, &error)
            .hint("make a key with `ssh-keygen -t ed25519`, and add the file that ends in .pub")
    };
    let size = fs::metadata(file).map_err(cannot)?.len();
    let text = if size > KEY_MAX_BYTES { Vec::new() } else { fs::read(file).map_err(cannot)? };
    let text = String::from_utf8_lossy(&text);
    if text.contains("PRIVATE KEY") {
        // Never sent: whoever has it can push as this user.
        return Err(Error::new(format!("{} is {}", file.display(), or_upstreams("a private key")))
            .hint(format!("add the public one: {}.pub", file.display())));
    }
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.split_whitespace().count() < 2 {
        return Err(Error::new(format!("{} is {}", file.display(), or_upstreams("not a public key")))
            .hint("a public key is one line: its type, its text, a comment"));
    }
    Ok(line.to_owned())
}

/// The public key in `~/.ssh`; asks when there are several.
fn choose() -> Result<PathBuf> {
    let dir = settings::home()?.join(".ssh");
    let mut files: Vec<PathBuf> = fs::read_dir(&dir)
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
                .filter(|path| read(path).is_ok())
                .collect()
        })
        .unwrap_or_default();
    files.sort();
    if program::current().is_upstream() {
        return choose_by_number(&files);
    }
    if files.is_empty() {
        return Err(Error::new(format!("there is no public key in {}", dir.display()))
            .hint("make one with `ssh-keygen -t ed25519`, or name a file: `slipway keys:add FILE`"));
    }
    if !print::can_ask() {
        if files.len() == 1 {
            return Ok(files.remove(0));
        }
        return Err(Error::new(format!("there are {} public keys in {}", files.len(), dir.display()))
            .hint("name one: `slipway keys:add FILE`"));
    }
    print::note("Found the following SSH public keys:");
    for (number, file) in files.iter().enumerate() {
        print::note(format_args!("{}) {}", number + 1, file.display()));
    }
    print::note("0) Enter path to pubfile (or use keys:add <key_path>)");
    let answer = print::ask(&format!("Which would you like to use with {}? ", program::current().title()))?;
    match answer.parse::<usize>() {
        Ok(0) => Ok(PathBuf::from(print::ask("Enter the path to the pubkey file: ")?)),
        Ok(number) if number <= files.len() => Ok(files.swap_remove(number - 1)),
        _ => Err(Error::new(format!("{answer} is not a number from 0 to {}", files.len()))),
    }
}

/// The same as upstream's client has it: scripts write the number to stdin.
fn choose_by_number(files: &[PathBuf]) -> Result<PathBuf> {
    print::line("Found the following SSH public keys:")?;
    for (at, file) in files.iter().enumerate() {
        let file_name = file_name(file);
        print::line(format_args!("{}) {file_name} {}", at + 1, name_of(&read(file)?, &file_name)))?;
    }
    print::line("0) Enter path to pubfile (or use keys:add <key_path>)")?;
    let answer = print::ask(&format!("Which would you like to use with {}? ", program::current().title()))?;
    match answer.parse::<i64>() {
        Ok(0) => Ok(PathBuf::from(print::ask("Enter the path to the pubkey file: ")?)),
        Ok(number) => usize::try_from(number)
            .ok()
            .and_then(|number| files.get(number.checked_sub(1)?).cloned())
            .ok_or_else(|| Error::new(format!("{number} is not a valid option"))),
        Err(_) => Err(Error::new(format!("{answer} is not a valid integer"))),
    }
}

/// Removes a key.
pub async fn remove(cx: &Context, name: &str) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(&format!("Removing {name} SSH Key..."))?;
    api.delete(&format!("/v2/keys/{}", segment(name)))
        .await
        .map_err(|error| error.hint("`slipway keys` lists your keys"))?;
    progress.done("done")
}
