//! What a source is built with.
//!
//! First one that applies:
//! 1. config value `BUILDPACK_URL`: that buildpack (several are divided by blanks or commas);
//! 2. the stack: config value `SLIPWAY_STACK` or `DRYCC_STACK`, else `stack` of `app.json`, else `container` when there
//!    is a `Dockerfile`, else `buildpack`. `container` means the Dockerfile;
//! 3. `buildpacks` of `app.json`, in their order; the last one says how the app starts;
//! 4. the first built-in buildpack that recognises the source, see [`buildpack::ALL`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use slipway_core::config::SecretText;
use url::Url;

use super::buildpack::{self, Buildpack};
use super::source::Source;
use super::{BuildError, clone};

/// Most buildpacks of one app.
const PACKS_MAX: usize = 10;

/// What to build with.
pub enum Plan {
    /// The Dockerfile.
    Dockerfile,
    /// Buildpacks, one after the other. Not empty.
    Buildpacks(Vec<Pack>),
}

/// One buildpack.
pub enum Pack {
    /// A built-in one that recognised the source by a file, or was named.
    BuiltIn {
        /// Which.
        pack: &'static dyn Buildpack,
        /// The file it was recognised by; `None` when it was named.
        evidence: Option<String>,
    },
    /// One that the operator put on this machine.
    Installed {
        /// Its name.
        name: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// One to fetch.
    Remote {
        /// Its repository.
        url: Url,
        /// Branch or tag.
        branch: Option<String>,
    },
}

/// The parts of `app.json` that choose how to build.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AppJson {
    stack: Option<String>,
    buildpacks: Option<Vec<AppJsonPack>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AppJsonPack {
    Named { url: String },
    Bare(String),
}

/// Decides what `source` is built with. `installed` are the buildpacks of this machine, by name.
///
/// # Errors
/// [`BuildError::Failed`] naming the setting or file that is wrong, or listing what is recognised.
pub fn choose(
    source: &Source,
    env: &BTreeMap<String, SecretText>,
    installed: &BTreeMap<String, PathBuf>,
) -> Result<Plan, BuildError> {
    // Named by the user and shown back in messages, so it is no secret.
    let setting =
        |name: &str| env.get(name).map(|value| value.expose().trim().to_owned()).filter(|text| !text.is_empty());
    if let Some(names) = setting("BUILDPACK_URL") {
        let names = names.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty());
        return packs(names, installed);
    }
    let app_json = match source.text("app.json")? {
        Some(text) => {
            serde_json::from_str::<AppJson>(&text).map_err(|error| BuildError::Failed(format!("app.json: {error}")))?
        }
        None => AppJson::default(),
    };
    let stack = setting("SLIPWAY_STACK")
        .map(|stack| ("SLIPWAY_STACK", stack))
        .or_else(|| setting("DRYCC_STACK").map(|stack| ("DRYCC_STACK", stack)))
        .or_else(|| app_json.stack.clone().map(|stack| ("app.json: 'stack'", stack)));
    let has_dockerfile = source.has_file("Dockerfile");
    let is_container = match &stack {
        Some((_, stack)) if stack == "container" => true,
        Some((_, stack)) if stack == "buildpack" || stack.starts_with("heroku-") => false,
        Some((from, stack)) => {
            let shown: String = stack.chars().take(40).flat_map(char::escape_default).collect();
            return Err(BuildError::Failed(format!(
                "{from}: unknown stack '{shown}'; there are buildpack and container"
            )));
        }
        None => has_dockerfile,
    };
    if is_container {
        return if has_dockerfile {
            Ok(Plan::Dockerfile)
        } else {
            Err(BuildError::Failed(
                "the stack is container, but there is no Dockerfile in the root of the repository".to_owned(),
            ))
        };
    }
    if let Some(listed) = app_json.buildpacks.filter(|list| !list.is_empty()) {
        let names = listed.iter().map(|pack| match pack {
            AppJsonPack::Named { url } | AppJsonPack::Bare(url) => url.as_str(),
        });
        return packs(names, installed);
    }
    detect(source)
}

fn packs<'a>(names: impl Iterator<Item = &'a str>, installed: &BTreeMap<String, PathBuf>) -> Result<Plan, BuildError> {
    let mut packs = Vec::new();
    for name in names {
        if packs.len() == PACKS_MAX {
            return Err(BuildError::Failed(format!("an app can have at most {PACKS_MAX} buildpacks")));
        }
        packs.push(if let Some(dir) = installed.get(name) {
            Pack::Installed { name: name.to_owned(), dir: dir.clone() }
        } else if let Some(pack) = buildpack::by_id(name) {
            Pack::BuiltIn { pack, evidence: None }
        } else {
            let (url, branch) = clone::check_url(name)?;
            Pack::Remote { url, branch }
        });
    }
    if packs.is_empty() {
        return Err(BuildError::Failed("BUILDPACK_URL: no buildpack is named".to_owned()));
    }
    Ok(Plan::Buildpacks(packs))
}

fn detect(source: &Source) -> Result<Plan, BuildError> {
    for pack in buildpack::ALL {
        if let Some(evidence) = pack.detect(source) {
            return Ok(Plan::Buildpacks(vec![Pack::BuiltIn { pack: *pack, evidence: Some(evidence) }]));
        }
    }
    let known: Vec<String> =
        buildpack::ALL.iter().map(|pack| format!("         {:<9} {}", pack.name(), pack.looks_for())).collect();
    Err(BuildError::Failed(format!(
        "No buildpack recognises this app. In the root of the repository these are looked for:\n\
         {:9}Container Dockerfile\n{}\n\
         {:9}Commit one of them, or name a buildpack: config:set BUILDPACK_URL=https://…",
        "",
        known.join("\n"),
        ""
    )))
}

/// Files of other built-in buildpacks that `source` has as well; for a hint.
#[must_use]
pub fn also_present(source: &Source, chosen: &str) -> Vec<(&'static str, String)> {
    let others =
        buildpack::ALL.iter().filter(|pack| pack.id() != chosen && !matches!(pack.id(), "static" | "procfile"));
    others.filter_map(|pack| Some((pack.id(), pack.detect(source)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(files: &[(&str, &str)], env: &[(&str, &str)]) -> String {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new(*value))).collect();
        let installed = BTreeMap::from([("ours".to_owned(), PathBuf::from("/packs/ours"))]);
        match choose(&Source::new(root.path().to_owned()), &env, &installed) {
            Ok(Plan::Dockerfile) => "container".to_owned(),
            Ok(Plan::Buildpacks(packs)) => {
                let names = packs.iter().map(|pack| match pack {
                    Pack::BuiltIn { pack, .. } => pack.id().to_owned(),
                    Pack::Installed { name, .. } => name.clone(),
                    Pack::Remote { url, .. } => url.to_string(),
                });
                names.collect::<Vec<_>>().join("+")
            }
            Err(BuildError::Failed(text)) => format!("failed: {text}"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_first_that_applies_wins() {
        const DOCKERFILE: (&str, &str) = ("Dockerfile", "");
        const PROCFILE: (&str, &str) = ("Procfile", "web: x");
        const NODE: (&str, &str) = ("package.json", "{}");
        const PYTHON: (&str, &str) = ("requirements.txt", "");
        for (files, env, expect) in [
            (&[PROCFILE][..], &[][..], "procfile"),
            (&[PROCFILE, NODE], &[], "node"),
            (&[PROCFILE, NODE, PYTHON], &[], "python"),
            (&[("Gemfile", ""), NODE], &[], "ruby"),
            (&[("Cargo.toml", "")], &[], "rust"),
            (&[("go.mod", "")], &[], "go"),
            (&[("index.html", "")], &[], "static"),
            (&[DOCKERFILE, NODE], &[], "container"),
            (&[DOCKERFILE, NODE], &[("SLIPWAY_STACK", "buildpack")], "node"),
            (&[DOCKERFILE, NODE], &[("DRYCC_STACK", "buildpack")], "node"),
            (&[DOCKERFILE, NODE, ("app.json", r#"{"stack":"buildpack"}"#)], &[], "node"),
            (&[DOCKERFILE, NODE], &[("BUILDPACK_URL", "heroku/python")], "python"),
            (&[NODE], &[("BUILDPACK_URL", "ours")], "ours"),
            (
                &[NODE, ("app.json", r#"{"buildpacks":[{"url":"heroku/nodejs"},"https://example.org/x"]}"#)],
                &[],
                "node+https://example.org/x",
            ),
        ] {
            assert_eq!(check(files, env), expect, "{files:?} {env:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (files, env, expect) in [
            (&[][..], &[][..], "No buildpack recognises"),
            (&[("x", "")], &[("SLIPWAY_STACK", "container")], "no Dockerfile"),
            (&[("x", "")], &[("SLIPWAY_STACK", "cobol")], "SLIPWAY_STACK: unknown stack 'cobol'"),
            (&[("x", "")], &[("BUILDPACK_URL", "http://x/")], "BUILDPACK_URL: only https"),
            (&[("x", "")], &[("BUILDPACK_URL", ",")], "BUILDPACK_URL"),
            (&[("app.json", "[")], &[], "app.json: "),
            (&[("app.json", r#"{"buildpacks":3}"#)], &[], "app.json: "),
        ] {
            let got = check(files, env);
            assert!(got.starts_with("failed: ") && got.contains(expect), "{got}");
        }
    }
}
