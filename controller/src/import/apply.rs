//! Writes what was read into the platform's own database, in one transaction.

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};
use slipway_core::event::EventOutcome;
use slipway_store::{self as store, Db, NewEvent, Store, StoreError};

use super::report::{Kind, Report};
use super::table::Tables;
use super::{certificates, homes, people, releases, settings};

/// How an import is done.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Do everything, keep nothing.
    pub is_dry_run: bool,
    /// Have all apps come over scaled to nothing, so that none runs in both places.
    pub is_stopped: bool,
    /// Domain under which this platform's apps answer.
    pub platform_domain: String,
    /// Names that no app may have here.
    pub reserved_names: Vec<String>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The source.
    #[error(transparent)]
    Source(#[from] super::SourceError),
    /// This platform's own database.
    #[error("cannot write to the platform's database")]
    Store(#[from] StoreError),
}

/// Takes over everything that can be, or undoes it all.
///
/// # Errors
/// [`Failure`]; nothing is kept then.
pub(crate) async fn apply(
    store: &Store,
    tables: &Tables,
    options: &ImportOptions,
    now: DateTime<Utc>,
) -> Result<Report, Failure> {
    let now = now.trunc_subsecs(6);
    let mut transaction = store.transaction().await?;
    let mut report = Report { dry_run: options.is_dry_run, ..Report::default() };
    match write_all(transaction.db(), tables, options, now, &mut report).await {
        Ok(()) if options.is_dry_run => transaction.rollback().await,
        Ok(()) => transaction.commit().await?,
        Err(failure) => {
            transaction.rollback().await;
            return Err(failure);
        }
    }
    Ok(report)
}

async fn write_all(
    db: &mut Db,
    tables: &Tables,
    options: &ImportOptions,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    let people = people::users(db, tables, report).await?;
    people::tokens(tables, report);
    people::keys(db, tables, &people, now, report).await?;
    let homes = homes::apps(db, tables, &people, options, now, report).await?;
    let built = releases::configs_and_builds(db, tables, &people, &homes, now, report).await?;
    releases::releases(db, tables, &people, &homes, &built, now, report).await?;
    settings::settings(db, tables, &homes, now, report).await?;
    settings::tls(db, tables, &homes, now, report).await?;
    let certificates = certificates::certificates(db, tables, &people, now, report).await?;
    let attached = settings::Attached { platform_domain: &options.platform_domain, certificates: &certificates };
    settings::domains(db, tables, &people, &homes, &attached, now, report).await?;
    settings::perms(db, tables, &people, &homes, now, report).await?;
    left_out(tables, report);
    remarks(tables, options, report);
    let after = json!(
        report
            .kinds
            .iter()
            .map(|(kind, tally)| (kind.to_string(), tally.imported))
            .collect::<std::collections::BTreeMap<_, _>>()
    );
    event(db, "platform", "", "deis", after, now).await
}

/// Puts an entry into the record of who did what.
pub(crate) async fn event(
    db: &mut Db,
    kind: &str,
    id: &str,
    name: &str,
    after: Value,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let entry = NewEvent {
        actor: "system".to_owned(),
        action: "import".to_owned(),
        kind: kind.to_owned(),
        subject_id: id.to_owned(),
        subject_name: name.to_owned(),
        before: Value::Null,
        after,
        outcome: EventOutcome::Done,
        created: now,
    };
    store::event_insert(db, &entry).await?;
    Ok(())
}

/// Kinds of rows that have no place here.
fn left_out(tables: &Tables, report: &mut Report) {
    for (kind, table, reason) in [
        (Kind::Pushes, "api_push", "the log of old pushes is not kept here"),
        (Kind::Services, "api_service", "further services of an app do not exist here"),
        (Kind::Volumes, "api_volume", "volumes do not exist here; copy what is on them yourself"),
        (
            Kind::Resources,
            "api_resource",
            "service instances do not exist here; their addresses are in the apps' configs",
        ),
    ] {
        // These came and went between versions; a source without them is not worth a word.
        if tables.count(table) > 0 {
            report.refused_all(kind, tables.count(table), reason);
        }
    }
}

fn remarks(tables: &Tables, options: &ImportOptions, report: &mut Report) {
    if report.count_imported(Kind::Users) > 0 {
        report.remarks.push(
            "Passwords are the old ones. Tokens are new: everybody logs in once more, command lines and scripts too."
                .to_owned(),
        );
    }
    let is_from_source = |row: &super::table::RowRef<'_>| row.get("sha").is_some_and(|sha| !sha.is_empty());
    if report.count_imported(Kind::Builds) > 0 && tables.rows("api_build").any(|row| is_from_source(&row)) {
        report.remarks.push(
            "What was built from a git push (slugs and images) is not in the database. The releases are there, but \
             such an app runs only after its repository is pushed here again; scale and config apply then."
                .to_owned(),
        );
    }
    if tables.rows("api_build").any(|row| !is_from_source(&row)) && report.count_imported(Kind::Builds) > 0 {
        report
            .remarks
            .push("Apps deployed from an image run as soon as this platform's engine can fetch that image.".to_owned());
    }
    if options.is_stopped && report.count_imported(Kind::Apps) > 0 {
        report
            .remarks
            .push("All imported apps are scaled to nothing: bring them up with `slipway ps:scale`.".to_owned());
    }
}
