//! Which file answers which path.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The parts of a `static.json` that are followed; others are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SiteConfig {
    /// The directory with the files, below the slug. Default: where `index.html` is.
    pub root: Option<String>,
    /// Whether `/about` is answered from `about.html`. Default: no.
    pub clean_urls: bool,
    /// The file for paths that are not there, below the root. Default: `404.html`.
    pub error_page: Option<String>,
    /// Files by path pattern. Only `"/**"` is followed: its file answers every path that is not there.
    pub routes: std::collections::BTreeMap<String, String>,
}

impl SiteConfig {
    /// Reads a `static.json`.
    ///
    /// # Errors
    /// What is wrong with it, naming the file and the field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = serde_json::from_str(text).map_err(|error| format!("static.json: {error}"))?;
        let is_inside = |path: &str| plain_parts(path.trim_end_matches('/')).is_some();
        if config.root.as_deref().is_some_and(|root| root != "." && (root.is_empty() || !is_inside(root))) {
            return Err("static.json: 'root' must be a directory inside the repository".to_owned());
        }
        if config.error_page.as_deref().is_some_and(|page| !is_inside(page.trim_start_matches('/'))) {
            return Err("static.json: 'error_page' must be a file inside the root".to_owned());
        }
        if config.routes.values().any(|file| !is_inside(file.trim_start_matches('/'))) {
            return Err("static.json: 'routes' must name files inside the root".to_owned());
        }
        Ok(config)
    }
}

/// What a request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// This file.
    File(PathBuf),
    /// This file, with status 404.
    Missing(Option<PathBuf>),
    /// The same path with a slash at its end.
    Redirect(String),
}

/// A directory that is served.
#[derive(Debug, Clone)]
pub struct Site {
    root: PathBuf,
    config: SiteConfig,
}

/// Files in the root that belong to the platform and not to the site.
const HIDDEN: &[&str] = &["static.json", "Procfile", "app.json"];

impl Site {
    /// The site of the files below `root`.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(root: &Path, config: SiteConfig) -> std::io::Result<Self> {
        let root = fs::canonicalize(root)?;
        if !root.is_dir() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotADirectory, "the root is no directory"));
        }
        Ok(Self { root, config })
    }

    /// What answers `path`, which is still percent-encoded.
    #[must_use]
    pub fn find(&self, path: &str) -> Found {
        let Some(parts) = decode(path).as_deref().and_then(plain_parts).map(|parts| parts.join("/")) else {
            return self.missing();
        };
        if HIDDEN.contains(&parts.as_str()) {
            return self.missing();
        }
        let here = self.root.join(&parts);
        if let Some(file) = self.file(&here) {
            return if path.ends_with('/') { self.missing() } else { Found::File(file) };
        }
        if here.is_dir()
            && self.contains(&here)
            && let Some(index) = self.file(&here.join("index.html"))
        {
            // Only one slash in front: two would name another host.
            let trimmed = path.trim_start_matches('/');
            return if path.ends_with('/') || trimmed.is_empty() {
                Found::File(index)
            } else {
                Found::Redirect(format!("/{trimmed}/"))
            };
        }
        if self.config.clean_urls
            && !parts.is_empty()
            && !path.ends_with('/')
            && let Some(file) = self.file(&self.root.join(format!("{parts}.html")))
        {
            return Found::File(file);
        }
        self.missing()
    }

    fn missing(&self) -> Found {
        let inner = |name: &String| self.file(&self.root.join(name.trim_start_matches('/')));
        if let Some(file) = self.config.routes.get("/**").and_then(inner) {
            return Found::File(file);
        }
        let page = self.config.error_page.as_ref().and_then(inner);
        Found::Missing(page.or_else(|| self.file(&self.root.join("404.html"))))
    }

    /// The real path of a regular file below the root. A link that leads out of it counts as absent.
    fn file(&self, path: &Path) -> Option<PathBuf> {
        let path = fs::canonicalize(path).ok()?;
        let is_shown = path.strip_prefix(&self.root).ok()?.to_str().is_some_and(|below| plain_parts(below).is_some());
        (is_shown && path.is_file()).then_some(path)
    }

    fn contains(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| path.starts_with(&self.root))
    }
}

/// The parts of a path that names something shown: no `..`, no hidden names but `.well-known`.
fn plain_parts(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_plain = |part: &&str| (!part.starts_with('.') || *part == ".well-known") && !part.contains(['\0', '\\']);
    (!path.starts_with("../") && parts.iter().all(is_plain)).then_some(parts)
}

/// Decodes percent-encoding; `None` when the result is no text.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn site(config: &str) -> (tempfile::TempDir, Site) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir_all(root.join(".well-known")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        for file in [
            "index.html",
            "about.html",
            "sub/index.html",
            ".env",
            ".git/config",
            "a b.txt",
            "Procfile",
            ".well-known/x",
        ] {
            fs::write(root.join(file), file).unwrap();
        }
        fs::write(dir.path().join("secret"), "").unwrap();
        symlink("../secret", root.join("link")).unwrap();
        symlink("about.html", root.join("inner")).unwrap();
        symlink(".env", root.join("env")).unwrap();
        let site = Site::new(&root, SiteConfig::parse(config).unwrap()).unwrap();
        (dir, site)
    }

    #[test]
    fn paths_find_their_files_and_nothing_else() {
        let (_dir, site) = site("{}");
        let file = |name: &str| Found::File(site.root.join(name));
        for (path, expect) in [
            ("/", file("index.html")),
            ("//", file("index.html")),
            ("/about.html", file("about.html")),
            ("/inner", file("about.html")),
            ("/a%20b.txt", file("a b.txt")),
            ("/sub/", file("sub/index.html")),
            ("/.well-known/x", file(".well-known/x")),
            ("/sub", Found::Redirect("/sub/".to_owned())),
            ("//sub", Found::Redirect("/sub/".to_owned())),
        ] {
            assert_eq!(site.find(path), expect, "{path}");
        }
        for path in [
            "/about",
            "/about.html/",
            "/link",
            "/env",
            "/.env",
            "/%2eenv",
            "/.git/config",
            "/../secret",
            "/%2e%2e/secret",
            "/sub/..%2f..%2fsecret",
            "/Procfile",
            "/empty",
            "/empty/",
            "/a%00b",
            "/%",
            "/%zz",
            "/%ff",
            "/sub\\x",
        ] {
            assert_eq!(site.find(path), Found::Missing(None), "{path}");
        }
    }

    #[test]
    fn settings_are_followed() {
        let (_dir, clean) = site(r#"{"clean_urls":true,"error_page":"/about.html"}"#);
        assert_eq!(clean.find("/about"), Found::File(clean.root.join("about.html")));
        assert_eq!(clean.find("/nope"), Found::Missing(Some(clean.root.join("about.html"))));
        let (_dir, single) = site(r#"{"routes":{"/**":"index.html"}}"#);
        assert_eq!(single.find("/deep/link"), Found::File(single.root.join("index.html")));
        for bad in [
            "[",
            r#"{"root":"../x"}"#,
            r#"{"root":""}"#,
            r#"{"error_page":"../x"}"#,
            r#"{"routes":{"/**":"../x"}}"#,
            r#"{"clean_urls":1}"#,
        ] {
            assert!(SiteConfig::parse(bad).unwrap_err().starts_with("static.json: "), "{bad}");
        }
    }
}
