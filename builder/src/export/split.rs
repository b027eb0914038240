//! Which layer a file of an app goes into.

use std::path::Path;

/// A layer of an app's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What package managers put there: it changes when a lock file changes.
    Dependencies,
    /// Everything else: it changes with each push.
    Code,
}

/// Directories in the root of an app that package managers own.
const INSTALLED: &[&str] = &[".slipway/python", ".venv", "vendor/bundle", ".heroku", ".bundle"];
/// A directory that a package manager owns wherever it is.
const INSTALLED_ANYWHERE: &str = "node_modules";

impl Part {
    /// Its name in names of files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dependencies => "dependencies",
            Self::Code => "code",
        }
    }

    /// The part that `path`, relative to the app's root, belongs to.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let is_installed = INSTALLED.iter().any(|root| path.starts_with(root))
            || path.components().any(|part| part.as_os_str() == INSTALLED_ANYWHERE);
        if is_installed { Self::Dependencies } else { Self::Code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_told_from_what_is_written() {
        for (path, part) in [
            ("app.py", Part::Code),
            (".slipway/python/lib/python3.11/site-packages/flask/app.py", Part::Dependencies),
            (".slipway", Part::Code),
            ("node_modules", Part::Dependencies),
            ("front/node_modules/react/index.js", Part::Dependencies),
            ("front/node_modules.js", Part::Code),
            ("vendor/bundle/ruby/x.rb", Part::Dependencies),
            ("vendor/ours.rb", Part::Code),
        ] {
            assert_eq!(Part::of(Path::new(path)), part, "{path}");
        }
    }
}
