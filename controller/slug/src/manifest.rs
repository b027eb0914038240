//! How a slug is run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Stands for the directory the slug runs in, in [`SlugManifest::env`] and [`SlugManifest::path`].
pub const SLUG_PLACEHOLDER: &str = "{slug}";

/// How a slug is run; kept as `slipway.json` beside the tree, not in it.
///
/// Besides what is said here, scripts named `.profile.d/*.sh` in the slug are sourced by the app's shell, in order of
/// their names, before the command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlugManifest {
    /// Name of the stack it was built for, for example `buildpack`.
    #[serde(default)]
    pub stack: String,
    /// Name of the buildpack that made it, for example `Python`.
    #[serde(default)]
    pub buildpack: String,
    /// Command lines by process type: the Procfile over the buildpack's defaults.
    #[serde(default)]
    pub processes: BTreeMap<String, String>,
    /// Variables set by the buildpack, under the app's own config. `{slug}` in a value stands for the directory the
    /// slug runs in.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Directories put in front of `PATH`, first one first: `{slug}/.venv/bin`.
    #[serde(default)]
    pub path: Vec<String>,
}

impl SlugManifest {
    /// The environment with `{slug}` replaced by `slug_dir`, `PATH` not included.
    #[must_use]
    pub fn env_for(&self, slug_dir: &str) -> BTreeMap<String, String> {
        self.env.iter().map(|(name, value)| (name.clone(), value.replace(SLUG_PLACEHOLDER, slug_dir))).collect()
    }

    /// `base` with the slug's own directories in front, `{slug}` replaced by `slug_dir`.
    #[must_use]
    pub fn path_for(&self, slug_dir: &str, base: &str) -> String {
        let mut path = String::new();
        for dir in &self.path {
            path.push_str(&dir.replace(SLUG_PLACEHOLDER, slug_dir));
            path.push(':');
        }
        path.push_str(base);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_the_run_directory() {
        let manifest = SlugManifest {
            env: BTreeMap::from([("PYTHONPATH".to_owned(), "{slug}/lib:{slug}".to_owned())]),
            path: vec!["{slug}/.venv/bin".to_owned(), "{slug}/bin".to_owned()],
            ..SlugManifest::default()
        };
        assert_eq!(manifest.env_for("/run/a")["PYTHONPATH"], "/run/a/lib:/run/a");
        assert_eq!(manifest.path_for("/run/a", "/usr/bin"), "/run/a/.venv/bin:/run/a/bin:/usr/bin");
    }

    #[test]
    fn missing_fields_are_empty() {
        assert_eq!(serde_json::from_str::<SlugManifest>("{}").unwrap(), SlugManifest::default());
    }
}
