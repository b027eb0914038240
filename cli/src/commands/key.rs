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
        let owner = page.results.first().map_or("Your", |key| key.owner.as_str());
        print::line(heading(&format!("{owner} Keys"), page.results.len(), page.count))?;
        page.results.iter().try_for_each(|key| print::line(format_args!("{} {}", key.id, short(&key.public))))
    })
}

/// The first 16 and last 10 characters of a key, as upstream's client shows it.
fn short(public: &str) -> String {
    let chars: Vec<char> = public.chars().collect();
    if chars.len() <= 29 {
        return public.to_owned();
    }
    chars[..16].iter().chain(&['.', '.', '.']).chain(&chars[chars.len() - 10..]).collect()
}

/// Adds a key.
pub async fn add(cx: &Context, words: &[String]) -> Result {
    let api = cx.api()?;
    let (name, file) = match words {
        [] => (None, choose()?),
        [file] => (None, PathBuf::from(file)),
        [name, file, ..] => (Some(name.clone()), PathBuf::from(file)),
    };
    let public = read(&file)?;
    let file_name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let comment = public.splitn(3, ' ').nth(2).map(str::trim).filter(|comment| !comment.is_empty());
    let name = name
        .or(comment.map(str::to_owned))
        .unwrap_or_else(|| file_name.strip_suffix(".pub").unwrap_or(&file_name).to_owned());
    let progress = cx.progress(&format!("Uploading {file_name} to {}...", program::current().name()))?;
    let answer = api.post("/v2/keys/", &json!({"id": name, "public": public})).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

fn read(file: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| {
        Error::caused(format!("cannot read {}", file.display()), &error)
            .hint("make a key with `ssh-keygen -t ed25519`, and add the file that ends in .pub")
    };
    let size = fs::metadata(file).map_err(cannot)?.len();
    let text = if size > KEY_MAX_BYTES { Vec::new() } else { fs::read(file).map_err(cannot)? };
    let text = String::from_utf8_lossy(&text);
    if text.contains("PRIVATE KEY") {
        // Never sent: whoever has it can push as this user.
        return Err(Error::new(format!("{} is a private key", file.display()))
            .hint(format!("add the public one: {}.pub", file.display())));
    }
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.split_whitespace().count() < 2 {
        return Err(Error::new(format!("{} is not a public key", file.display()))
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

/// Removes a key.
pub async fn remove(cx: &Context, name: &str) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(&format!("Removing {name} SSH Key..."))?;
    api.delete(&format!("/v2/keys/{}", segment(name)))
        .await
        .map_err(|error| error.hint("`slipway keys` lists your keys"))?;
    progress.done("done")
}
