//! Taking over what another platform kept: `slipway-controller import`.
//!
//! A [`Source`] is read whole into tables, which then are written to the platform's own database in one transaction.
//! What came over and what did not is told by kind of row in a [`Report`]; nothing is passed over in silence. This is
//! a tool of the operator, who has the database and its keys: it asks nobody's leave, and talks to the store itself.

mod apply;
mod certificates;
mod config_read;
mod dump;
mod homes;
mod layout;
mod people;
mod releases;
mod report;
mod settings;
mod source;
mod sql;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use slipway_service::{Clock, SystemClock};
use slipway_store::{Store, StoreConfig};

pub use apply::{Failure, ImportOptions};
pub use report::{Kind, Named, Report, Tally};
pub use source::Source;
pub use table::SourceError;

use crate::config::Config;
use crate::run::{StartError, sealing_key, service_config};
use crate::telemetry;

/// The variable that names the database to import from.
const URL_VARIABLE: &str = "SLIPWAY_IMPORT_DEIS_URL";
/// Longest file with an address.
const URL_MAX_BYTES: u64 = 64 * 1024;

/// Arguments of `slipway-controller import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// A dump of the database of Deis Workflow or Drycc, as `pg_dump` writes it; `-` is standard input.
    #[arg(long, value_name = "DUMP")]
    from_deis: Option<PathBuf>,
    /// A file that holds the address of the database itself, `postgres://…`. Without it and without a dump, the
    /// address is in the variable `SLIPWAY_IMPORT_DEIS_URL`.
    #[arg(long, value_name = "FILE", conflicts_with = "from_deis")]
    from_deis_url_file: Option<PathBuf>,
    /// Tells what would be done, and keeps nothing.
    #[arg(long)]
    dry_run: bool,
    /// Has all apps come over scaled to nothing, so that none runs in two places at once.
    #[arg(long)]
    stopped: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

impl ImportArguments {
    /// Imports, and prints the report.
    ///
    /// # Errors
    /// Why nothing was imported.
    pub async fn run(self) -> anyhow::Result<()> {
        let config = Config::from_env()?;
        telemetry::start(&config.telemetry)?;
        let source = self.source()?;
        let key = sealing_key(config.secrets.sealing_key.expose_secret()).ok_or(StartError::SealingKey)?;
        let store = Store::connect(StoreConfig::new(config.database_url.clone(), key)).await?;
        let options = ImportOptions {
            is_dry_run: self.dry_run,
            is_stopped: self.stopped,
            platform_domain: config.domain.clone(),
            reserved_names: service_config(&config).reserved_names,
        };
        let report = import(&store, source, &options).await?;
        let text = if self.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { report.to_string() };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print the report")
    }

    fn source(&self) -> anyhow::Result<Source> {
        if let Some(path) = &self.from_deis {
            let is_address = path.to_str().is_some_and(|text| text.starts_with("postgres") && text.contains("://"));
            anyhow::ensure!(
                !is_address,
                "the address of a database holds a password, and arguments are seen by everybody on this machine: \
                 put it into a file and name that with --from-deis-url-file, or into the variable {URL_VARIABLE}"
            );
            return Ok(if path == Path::new("-") { Source::Stdin } else { Source::File(path.clone()) });
        }
        let url = match &self.from_deis_url_file {
            Some(path) => url_read(path)?,
            None => std::env::var(URL_VARIABLE).ok().filter(|url| !url.trim().is_empty()).with_context(|| {
                format!(
                    "nothing to import from: give --from-deis DUMP, --from-deis-url-file FILE, or set {URL_VARIABLE}"
                )
            })?,
        };
        Ok(Source::Database(SecretString::from(url.trim())))
    }
}

fn url_read(path: &Path) -> anyhow::Result<String> {
    let read = || {
        let file = std::fs::File::open(path)?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(file, URL_MAX_BYTES), &mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Takes over what is in `source`, or tells what would be.
///
/// Rows that are here already are left alone, so that the same import may be done twice.
///
/// # Errors
/// [`Failure`]; nothing is kept then.
pub async fn import(store: &Store, source: Source, options: &ImportOptions) -> Result<Report, Failure> {
    let tables = source.read().await?;
    apply::apply(store, &tables, options, SystemClock.now()).await
}
