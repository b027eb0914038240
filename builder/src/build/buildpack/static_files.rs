//! A site of static files, served by the platform's own small server (see [`crate::build::static_server`]).

use async_trait::async_trait;

use super::{Buildpack, Compile, Compiled, shell_quote};
use crate::build::BuildError;
use crate::build::source::Source;
use crate::build::static_server::SiteConfig;

/// Static files: `static.json`, `index.html`, or `public/index.html`.
pub struct StaticFiles;

#[async_trait]
impl Buildpack for StaticFiles {
    fn id(&self) -> &'static str {
        "static"
    }

    fn name(&self) -> &'static str {
        "Static"
    }

    fn looks_for(&self) -> &'static str {
        "static.json, index.html or public/index.html"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        ["static.json", "index.html", "public/index.html"]
            .into_iter()
            .find(|file| source.has_file(file))
            .map(str::to_owned)
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        let config = match cx.source.text("static.json")? {
            Some(text) => SiteConfig::parse(&text).map_err(BuildError::Failed)?,
            None => SiteConfig::default(),
        };
        let root = match &config.root {
            Some(root) => root.clone(),
            None if cx.source.has_file("public/index.html") && !cx.source.has_file("index.html") => "public".to_owned(),
            None => ".".to_owned(),
        };
        if root != "." && !cx.source.has_dir(root.trim_end_matches('/')) {
            return Err(BuildError::Failed(format!(
                "static.json: 'root' names {root}, which is no directory of the repository"
            )));
        }
        let Some(server) = cx.static_server else {
            return Err(BuildError::Unavailable(
                "this platform has no server for static files; add a Procfile".to_owned(),
            ));
        };
        cx.step(&format!("Serving the files of {}", if root == "." { "the repository" } else { &root })).await;
        Ok(Compiled::default().web(format!("{server} {}", shell_quote(&root))))
    }
}
