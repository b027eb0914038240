//! A Procfile and nothing else that is known: the repository holds what it runs.

use async_trait::async_trait;

use super::{Buildpack, Compile, Compiled};
use crate::build::BuildError;
use crate::build::source::Source;

/// The buildpack of last resort.
pub struct Procfile;

#[async_trait]
impl Buildpack for Procfile {
    fn id(&self) -> &'static str {
        "procfile"
    }

    fn name(&self) -> &'static str {
        "Procfile"
    }

    fn looks_for(&self) -> &'static str {
        "Procfile"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        source.has_file("Procfile").then(|| "Procfile".to_owned())
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        cx.step("Nothing to compile: the Procfile's commands run as they are").await;
        Ok(Compiled { procfile_hint: "web: ./server".to_owned(), ..Compiled::default() })
    }
}
