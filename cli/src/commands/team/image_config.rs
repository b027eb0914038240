//! `images:config`: how containers of an image run, as JSON or YAML. Source: team-api.md §4.4.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::image::{find, path};
use super::project::VersionFound;
use super::{Team, text};
use crate::args::team::image::ImageConfigCommand;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{editor, input, print};

/// How a configuration is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
}

impl Form {
    fn new(is_yaml: bool) -> Self {
        if is_yaml { Self::Yaml } else { Self::Json }
    }

    /// The form that a file's name tells.
    fn of(file: &Path) -> Self {
        let end = file.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        Self::new(end == "yaml" || end == "yml")
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Json => ".json",
            Self::Yaml => ".yaml",
        }
    }

    fn write(self, config: &Value) -> Result<String> {
        match self {
            Self::Json => serde_json::to_string_pretty(config)
                .map(|text| text + "\n")
                .map_err(|error| Error::caused("cannot write JSON", &error)),
            Self::Yaml => serde_saphyr::to_string(config).map_err(|error| Error::caused("cannot write YAML", &error)),
        }
    }

    /// The members of a configuration; `what` it is, and what became of it, stands before what is wrong.
    fn read(self, content: &str, what: &str) -> Result<Map<String, Value>> {
        let (name, example) = match self {
            Self::Json => ("JSON", "{\"expose\": \"expose\"}"),
            Self::Yaml => ("YAML", "expose: expose"),
        };
        let not_it = |error: &dyn std::error::Error| Error::caused(format!("{what}: it is not {name}"), error);
        let value: Value = match self {
            Self::Json => serde_json::from_str(content).map_err(|error| not_it(&error))?,
            Self::Yaml => {
                // Of YAML 1.2: the country code `no` is no boolean.
                let options = serde_saphyr::options! { strict_booleans: true };
                serde_saphyr::from_str_with_options(content, options).map_err(|error| not_it(&error))?
            }
        };
        match value {
            Value::Object(map) => Ok(map),
            _ => {
                Err(Error::new(format!("{what}: it is {name}, but no object")).hint(format!("it looks like {example}")))
            }
        }
    }
}

/// Runs a command about how containers of an image run.
pub async fn config(cx: &Context, team: &Team, command: ImageConfigCommand) -> Result {
    match command {
        ImageConfigCommand::Get { of, image, yaml } => {
            let (_, image) = find(team, &of, &image).await?;
            print::line(Form::new(yaml).write(&image["config"])?.trim_end())
        }
        ImageConfigCommand::Set { of, image, file, yaml } => {
            let form = if yaml { Form::Yaml } else { Form::of(&file) };
            let change = form.read(&input::text(&file)?, &format!("{} cannot be used", file.display()))?;
            let (of, image) = find(team, &of, &image).await?;
            patch(cx, team, &of, &image, change).await
        }
        ImageConfigCommand::Edit { of, image, yaml } => {
            let form = Form::new(yaml);
            let (of, image) = find(team, &of, &image).await?;
            let old = &image["config"];
            editor::edit(&form.write(old)?, form.suffix(), async |edited| {
                let edited = form.read(edited, "nothing was changed: what was saved")?;
                let mut change: Map<String, Value> = edited
                    .iter()
                    .filter(|(name, value)| old.get(name.as_str()) != Some(*value))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                let gone = old.as_object().into_iter().flatten().map(|(name, _)| name);
                let gone = gone.filter(|name| !edited.contains_key(*name));
                change.extend(gone.map(|name| (name.clone(), Value::Null)));
                if change.is_empty() {
                    print::note("Nothing was changed.");
                    return Ok(());
                }
                patch(cx, team, &of, &image, change).await
            })
            .await
        }
    }
}

async fn patch(cx: &Context, team: &Team, of: &VersionFound, image: &Value, change: Map<String, Value>) -> Result {
    let text = format!("Configuring {}...", text(image, "name"));
    cx.work(&text, team.api.patch(&path(team, of, image), &json!({"config": change}))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn a_configuration_is_an_object() {
        assert_eq!(Form::Json.read("{\"a\": 1}", "x").unwrap()["a"], 1);
        for bad in ["", "[]", "{", "a: b"] {
            assert!(Form::Json.read(bad, "x").is_err(), "{bad}");
        }
        let yaml = "a: 1\nb:\n  - {c: \"on\"}\n  - no\n";
        assert_eq!(Value::from(Form::Yaml.read(yaml, "x").unwrap()), json!({"a": 1, "b": [{"c": "on"}, "no"]}));
        for bad in ["", "- a", "a", "a: [", "a: 1\na: 2", "a: 1\n---\nb: 2", "a: *b", "{[1]: 2}"] {
            assert!(Form::Yaml.read(bad, "x").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn aliases_cannot_multiply_without_end() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let one = format!("*a{}", level - 1);
            writeln!(bomb, "a{level}: &a{level} [{}]", [one.as_str(); 10].join(", ")).unwrap();
        }
        assert!(Form::Yaml.read(&bomb, "x").is_err());
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let config = json!({
            "texts": ["", " ", "yes", "no", "on", "null", "~", "1", "1.0", "0x1f", "1e3", "true", "-", "- a", "a: b", "# a", "a #b",
                "'", "\"", "\\", "two\nlines", "two\n", "\n", " a ", "\t", "ü", "\u{0}", "\u{7f}", "{", "[", "*a", "&a", "!a", "%a",
                "@a", "`a", "2026-01-01", "12:30:45", "<<", "=", "...", "---", ".inf", ".nan"],
            "numbers": [0, -1, 1.5, 9_007_199_254_740_993_u64, -1e-9], "bools": [true, false], "none": null,
            "empty": {"list": [], "map": {}}, "": {"1": {"yes": [[1, [2]], {"a": [{"b": "c"}]}]}},
        });
        for form in [Form::Json, Form::Yaml] {
            let text = form.write(&config).unwrap();
            assert_eq!(Value::from(form.read(&text, "x").unwrap()), config, "{text}");
        }
    }

    #[test]
    fn forms_are_told_by_names() {
        for (name, want) in [
            ("web.yaml", Form::Yaml),
            ("a/web.YML", Form::Yaml),
            ("web.json", Form::Json),
            ("web", Form::Json),
            ("-", Form::Json),
        ] {
            assert_eq!(Form::of(Path::new(name)), want, "{name}");
        }
    }
}
