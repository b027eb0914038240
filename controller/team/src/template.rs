//! Templates: projects that are there to be taken, one file each. Source: `team-api.md` §4.9.
//!
//! Some are part of the platform ([`Templates::built_in`], the folder `templates` of this crate), operators may have more. A
//! file is JSON: `name`, `description`, `technologies`, `registries` (`name`, `type`, `details`, `description`, `icon`) and
//! `images` (`name`, `registryName`, `image`, `tag`, `config`). In `config` list items need no ids, plain texts stand for
//! items with a key alone, values may be numbers, and words may be written with hyphens. A picture of the same name, a
//! JPEG, may stand beside it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::container::check::{Faults, config_check};
use crate::container::{Effective, ImageConfig, ImageName, InstanceConfig};
use crate::name::{DESCRIPTION_MAX, name_check};
use crate::registry::{DetailsGiven, RegistryDetails, RegistryKind};

/// Longest identity of a template, in bytes.
const ID_MAX: usize = 64;
/// Largest picture, in bytes.
pub const PICTURE_MAX: usize = 1024 * 1024;
/// Most images of a template.
const IMAGES_MAX: usize = 50;

/// Why a file is no template: which one, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template {id:?} is not right: {reason}")]
pub struct TemplateError {
    /// The file's stem.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A registry that a template's images are in.
#[derive(Debug, Clone)]
pub struct TemplateRegistry {
    /// Its name; the team's registry of this name is taken, if it has one.
    pub name: String,
    /// Where it is.
    pub details: RegistryDetails,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
}

/// An image of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateImage {
    /// The registry's name.
    pub registry: String,
    /// Its name there.
    pub name: String,
    /// Its tag.
    pub tag: Option<String>,
    /// How its container is set up.
    pub config: ImageConfig,
}

/// A template.
#[derive(Debug, Clone)]
pub struct Template {
    /// The file's stem.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What it is made with.
    pub technologies: Vec<String>,
    /// The registries that its images are in.
    pub registries: Vec<TemplateRegistry>,
    /// Its images, in the order in which they start.
    pub images: Vec<TemplateImage>,
    /// A JPEG.
    pub picture: Option<Cow<'static, [u8]>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    name: String,
    description: Option<String>,
    #[serde(default)]
    technologies: Vec<String>,
    #[serde(default)]
    registries: Vec<FileRegistry>,
    images: Vec<FileImage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRegistry {
    name: String,
    r#type: String,
    #[serde(default)]
    details: FileDetails,
    description: Option<String>,
    icon: Option<String>,
}

/// Credentials have no place in a file that is there for everybody.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileDetails {
    url: Option<String>,
    image_name_prefix: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileImage {
    name: String,
    registry_name: String,
    image: String,
    tag: Option<String>,
    #[serde(default)]
    config: Map<String, Value>,
}

/// Whether a text may name a template: a file's stem, and nothing that leads elsewhere.
#[must_use]
pub fn is_template_id(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    (1..=ID_MAX).contains(&text.len())
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || b"-_.".contains(&byte))
        && !text.contains("..")
}

impl Template {
    /// Reads a file, whose stem is `id`, and checks it as it would be checked when what it makes is deployed.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(id: &str, text: &str) -> Result<Self, TemplateError> {
        let wrong = |reason: String| TemplateError { id: id.to_owned(), reason };
        if !is_template_id(id) {
            return Err(wrong("the file's name may have letters, digits, - _ and . alone".to_owned()));
        }
        let file: File = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let File { name, description, technologies, registries, images } = file;
        name_check("name", &name).map_err(|error| wrong(error.to_string()))?;
        if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_MAX) {
            return Err(wrong("the description is too long".to_owned()));
        }
        let registries = registries.into_iter().map(registry).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let names: BTreeSet<&str> = registries.iter().map(|registry| registry.name.as_str()).collect();
        if names.len() != registries.len() {
            return Err(wrong("two registries have the same name".to_owned()));
        }
        if images.is_empty() || images.len() > IMAGES_MAX {
            return Err(wrong(format!("there must be 1 to {IMAGES_MAX} images")));
        }
        let images = images.into_iter().map(|own| image(own, &names)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let containers: BTreeSet<&str> = images.iter().map(|image| image.config.name.as_str()).collect();
        if containers.len() != images.len() {
            return Err(wrong("two images have the same name".to_owned()));
        }
        Ok(Self { id: id.to_owned(), name, description, technologies, registries, images, picture: None })
    }

    /// The same with a picture.
    ///
    /// # Errors
    /// When it is no JPEG, or too large.
    pub fn with_picture(self, picture: impl Into<Cow<'static, [u8]>>) -> Result<Self, TemplateError> {
        let picture = picture.into();
        let reason = if picture.len() > PICTURE_MAX {
            "its picture is larger than 1 MiB"
        } else if !picture.starts_with(&[0xff, 0xd8, 0xff]) {
            "its picture is no JPEG"
        } else {
            return Ok(Self { picture: Some(picture), ..self });
        };
        Err(TemplateError { id: self.id, reason: reason.to_owned() })
    }
}

fn registry(file: FileRegistry) -> Result<TemplateRegistry, String> {
    let FileRegistry { name, r#type, details, description, icon } = file;
    name_check("name", &name).map_err(|error| format!("registry {name:?}: {error}"))?;
    let kind: RegistryKind = r#type.parse().map_err(|_| format!("registry {name:?}: {type:?} is no kind"))?;
    let given = DetailsGiven {
        url: details.url,
        image_prefix: details.image_name_prefix,
        namespace: None,
        api_url: None,
        user: None,
        token: None,
        is_public: Some(true),
    };
    let details = RegistryDetails::new(kind, given, None).map_err(|error| format!("registry {name:?}: {error}"))?;
    Ok(TemplateRegistry { name, details, description, icon })
}

fn image(file: FileImage, registries: &BTreeSet<&str>) -> Result<TemplateImage, String> {
    let FileImage { name, registry_name, image, tag, config } = file;
    let wrong = |reason: &str| format!("image {name:?}: {reason}");
    if !registries.contains(registry_name.as_str()) {
        return Err(wrong("its registry is none of the file's"));
    }
    let reference = tag.as_ref().map_or_else(|| image.clone(), |tag| format!("{image}:{tag}"));
    let reference = ImageName::parse("image", &reference).map_err(|error| wrong(&error.to_string()))?;
    if let Some(member) = config.keys().find(|member| !is_member(member)) {
        return Err(wrong(&format!("{member:?} is no member of a configuration")));
    }
    let config = ImageConfig::bare(&name).patch(&config_usual(config)).map_err(|error| wrong(&error.to_string()))?;
    let mut faults = Faults::default();
    config_check("config", &Effective::of(&config, &InstanceConfig::default()), &mut faults);
    faults.into_result().map_err(|error| wrong(&error.to_string()))?;
    Ok(TemplateImage { registry: registry_name, name: reference.name, tag: reference.tag, config })
}

/// Whether a configuration has a member of this name.
fn is_member(name: &str) -> bool {
    let whole = serde_json::to_value(ImageConfig::bare("x")).unwrap_or_default();
    whole.get(name).is_some()
}

/// A configuration in the forms that requests have.
fn config_usual(config: Map<String, Value>) -> Map<String, Value> {
    let usual = |(member, value): (String, Value)| {
        let value = match (member.as_str(), value) {
            ("expose" | "restartPolicy" | "networkMode" | "deploymentStrategy", Value::String(word)) => {
                Value::String(camel(&word))
            }
            (_, Value::Array(items)) => Value::Array(items.into_iter().map(item_usual).collect()),
            ("annotations" | "labels" | "logConfig", Value::Object(groups)) => Value::Object(lists_usual(groups)),
            (_, value) => value,
        };
        (member, value)
    };
    config.into_iter().map(usual).collect()
}

fn lists_usual(map: Map<String, Value>) -> Map<String, Value> {
    let usual = |(member, value): (String, Value)| match value {
        Value::Array(items) => (member, Value::Array(items.into_iter().map(item_usual).collect())),
        value => (member, value),
    };
    map.into_iter().map(usual).collect()
}

/// An item of a list: a text is a key, the lists in it are lists of the same sort, and `value` is a text.
fn item_usual(item: Value) -> Value {
    match item {
        Value::String(key) => json!({ "key": key }),
        Value::Object(map) => {
            let mut map = lists_usual(map);
            match map.get("value") {
                Some(Value::Number(number)) => drop(map.insert("value".to_owned(), Value::String(number.to_string()))),
                Some(Value::Bool(flag)) => drop(map.insert("value".to_owned(), Value::String(flag.to_string()))),
                _ => {}
            }
            Value::Object(map)
        }
        other => other,
    }
}

/// `unless-stopped` as `unlessStopped`.
fn camel(word: &str) -> String {
    let mut parts = word.split('-');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        whole.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        whole.push_str(letters.as_str());
    }
    whole
}

/// All templates there are, by their identities.
#[derive(Debug, Clone, Default)]
pub struct Templates(BTreeMap<String, Template>);

/// The files that are part of the platform: stem, text, picture.
macro_rules! built_in {
    ($($id:literal),+ $(,)?) => {
        &[$((
            $id,
            include_str!(concat!("../templates/", $id, ".json")),
            include_bytes!(concat!("../templates/", $id, ".jpg")),
        )),+]
    };
}

const BUILT_IN: &[(&str, &str, &[u8])] = built_in![
    "drupal",
    "ghost",
    "gitea",
    "grafana",
    "miniflux",
    "minecraft",
    "nextcloud",
    "uptime-kuma",
    "vaultwarden",
    "wordpress",
];

impl Templates {
    /// Those that are part of the platform.
    ///
    /// # Errors
    /// None: a test reads them all.
    pub fn built_in() -> Result<Self, TemplateError> {
        let mut all = Self::default();
        for (id, text, picture) in BUILT_IN {
            all.add(Template::parse(id, text)?.with_picture(*picture)?);
        }
        Ok(all)
    }

    /// Adds one, in place of another with its identity.
    pub fn add(&mut self, template: Template) {
        self.0.insert(template.id.clone(), template);
    }

    /// All, by their identities.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.values()
    }

    /// The template of this identity.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Template> {
        self.0.get(id)
    }
}

#[cfg(test)]
mod tests;
