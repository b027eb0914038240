//! Configurations, builds, and the releases that join them.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use slipway_core::build::{Build, Procfile};
use slipway_core::release::summary::summary_initial;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::{BuildId, ConfigId, ProcessType, ReleaseId, ReleaseVersion};
use slipway_store::{self as store, Db, NewConfig, NewRelease};
use uuid::Uuid;

use super::apply::Failure;
use super::config_read::config_read;
use super::homes::{Home, Homes, NOT_MERGED, OTHER_DOER, doer};
use super::people::People;
use super::report::{Kind, Report};
use super::table::{RowRef, Tables};

/// Longest reference of an image, in bytes.
const IMAGE_MAX: usize = 2048;
/// How the local store's slugs are named. The old platform had no such thing, and none may be claimed by its name.
const OWN_SLUG: &str = "slug@";

/// Configurations and builds that releases may refer to: each with the app it belongs to.
#[derive(Debug, Default)]
pub(crate) struct Built {
    configs: HashMap<Uuid, Uuid>,
    builds: HashMap<Uuid, Uuid>,
}

/// What is shown of a row that has no name of its own.
fn label(home: &Home, id: Uuid) -> String {
    format!("{} {id}", home.name)
}

/// The app of a row, or the reason is in the report.
fn home_of<'h>(row: RowRef<'_>, kind: Kind, homes: &'h Homes, report: &mut Report) -> Option<(&'h Home, Uuid)> {
    let found = homes.of(row).and_then(|home| Ok((home, row.uuid("uuid")?)));
    found.map_err(|reason| report.refused(kind, row.get("uuid").unwrap_or("(no identity)"), reason)).ok()
}

/// Notes a row of an app that was here before the import.
fn note_old(kind: Kind, label: &str, is_present: bool, report: &mut Report) {
    if is_present {
        report.existing(kind);
    } else {
        report.refused(kind, label, NOT_MERGED);
    }
}

/// Takes over configurations and builds.
pub(crate) async fn configs_and_builds(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    homes: &Homes,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<Built, Failure> {
    report.mention(Kind::Configs);
    report.mention(Kind::Builds);
    let mut built = Built::default();
    for row in tables.rows("api_config") {
        let Some((home, id)) = home_of(row, Kind::Configs, homes, report) else { continue };
        let shown = label(home, id);
        let present = store::config_by_id(db, ConfigId::from_uuid(id)).await?;
        if !home.is_new {
            note_old(Kind::Configs, &shown, present.is_some_and(|config| config.app == home.id), report);
            continue;
        }
        if present.is_some() {
            report.refused(Kind::Configs, &shown, "its identity is taken");
            continue;
        }
        let (owner, owner_name, is_doer) = doer(row, people, home);
        match config_read(row, ConfigId::from_uuid(id), home.id, owner, owner_name, now) {
            Err(reason) => report.refused(Kind::Configs, &shown, reason),
            Ok((config, notes)) => {
                store::config_restore(db, &config).await?;
                built.configs.insert(id, home.id.uuid());
                report.imported(Kind::Configs);
                for (what, note) in notes {
                    report.changed(Kind::Configs, &format!("{shown}: {what}"), note);
                }
                if !is_doer {
                    report.changed(Kind::Configs, &shown, OTHER_DOER);
                }
            }
        }
    }
    for row in tables.rows("api_build") {
        let Some((home, id)) = home_of(row, Kind::Builds, homes, report) else { continue };
        let shown = label(home, id);
        let present = store::build_by_id(db, BuildId::from_uuid(id)).await?;
        if !home.is_new {
            note_old(Kind::Builds, &shown, present.is_some_and(|build| build.app == home.id), report);
            continue;
        }
        if present.is_some() {
            report.refused(Kind::Builds, &shown, "its identity is taken");
            continue;
        }
        match build_read(row, id, people, home, now) {
            Err(reason) => report.refused(Kind::Builds, &shown, reason),
            Ok((build, notes)) => {
                store::build_restore(db, &build).await?;
                built.builds.insert(id, home.id.uuid());
                report.imported(Kind::Builds);
                for note in notes {
                    report.changed(Kind::Builds, &shown, note);
                }
            }
        }
    }
    Ok(built)
}

fn build_read(
    row: RowRef<'_>,
    id: Uuid,
    people: &People,
    home: &Home,
    now: DateTime<Utc>,
) -> Result<(Build, Vec<&'static str>), String> {
    let mut notes = Vec::new();
    let image = row.text("image")?.trim();
    if image.is_empty() || image.len() > IMAGE_MAX || image.chars().any(char::is_control) {
        return Err(format!("image is empty, longer than {IMAGE_MAX} bytes, or holds control characters"));
    }
    if image.starts_with(OWN_SLUG) {
        return Err("image names a slug of this platform, which no other can have made".to_owned());
    }
    let sha = row.get("sha").unwrap_or_default();
    if sha.len() > 40 || !sha.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("sha is not the hash of a commit".to_owned());
    }
    let mut procfile = Procfile::new();
    for (name, command) in row.map("procfile")? {
        match (ProcessType::new(name), command.as_str().filter(|text| !text.trim().is_empty() && !text.contains('\0')))
        {
            (Ok(process_type), Some(command)) => {
                procfile.insert(process_type, command.to_owned());
            }
            (Ok(_), None) => notes.push("a process type has no command: left out"),
            (Err(_), _) => notes.push("a process type has a name that is not allowed here: left out"),
        }
    }
    let (owner, owner_name, is_doer) = doer(row, people, home);
    if !is_doer {
        notes.push(OTHER_DOER);
    }
    if row.map("sidecarfile").is_ok_and(|sidecars| !sidecars.is_empty()) {
        notes.push("sidecars do not exist here: left out");
    }
    let build = Build {
        id: BuildId::from_uuid(id),
        app: home.id,
        owner,
        owner_name: owner_name.clone(),
        image: image.to_owned(),
        pinned: None,
        sha: sha.to_owned(),
        procfile,
        dockerfile: row.get("dockerfile").unwrap_or_default().to_owned(),
        stack: row.get("stack").unwrap_or_default().chars().take(64).collect(),
        created: row.time("created")?.unwrap_or(now),
    };
    Ok((build, notes))
}

/// Takes over the releases, under their old numbers.
pub(crate) async fn releases(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    homes: &Homes,
    built: &Built,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    report.mention(Kind::Releases);
    let mut numbers: HashSet<(Uuid, u32)> = HashSet::new();
    for row in tables.rows("api_release") {
        let Some((home, id)) = home_of(row, Kind::Releases, homes, report) else { continue };
        let shown = format!("{} v{}", home.name, row.get("version").unwrap_or("?"));
        let present = store::release_by_id(db, ReleaseId::from_uuid(id)).await?;
        if !home.is_new {
            note_old(Kind::Releases, &shown, present.is_some_and(|release| release.app == home.id), report);
            continue;
        }
        if present.is_some() {
            report.refused(Kind::Releases, &shown, "its identity is taken");
            continue;
        }
        match release_read(row, id, people, home, built, now) {
            Err(reason) => report.refused(Kind::Releases, &shown, reason),
            Ok((release, _)) if !numbers.insert((home.id.uuid(), release.version.0)) => {
                report.refused(Kind::Releases, &shown, "its number comes twice");
            }
            Ok((release, is_doer)) => {
                store::release_restore(db, &release).await?;
                report.imported(Kind::Releases);
                if !is_doer {
                    report.changed(Kind::Releases, &shown, OTHER_DOER);
                }
            }
        }
    }
    for home in homes.added() {
        if store::release_latest_good(db, home.id).await?.is_none() {
            first_release(db, home, now).await?;
            report.changed(Kind::Apps, home.name.as_str(), "none of its releases came over: it has a new, empty one");
        }
    }
    Ok(())
}

fn release_read(
    row: RowRef<'_>,
    id: Uuid,
    people: &People,
    home: &Home,
    built: &Built,
    now: DateTime<Utc>,
) -> Result<(Release, bool), String> {
    let version = u32::try_from(row.number("version")?)
        .ok()
        .filter(|version| (1..=i32::MAX.unsigned_abs()).contains(version))
        .ok_or("version is out of range")?;
    let app = home.id.uuid();
    let config = row.uuid("config_id")?;
    if built.configs.get(&config) != Some(&app) {
        return Err("its configuration was not imported, or belongs to another app".to_owned());
    }
    let build = row.get("build_id").map(|_| row.uuid("build_id")).transpose()?;
    if build.is_some_and(|build| built.builds.get(&build) != Some(&app)) {
        return Err("its build was not imported, or belongs to another app".to_owned());
    }
    let (owner, owner_name, is_doer) = doer(row, people, home);
    let created = row.time("created")?.unwrap_or(now);
    let is_failed = row.flag("failed")?.unwrap_or(false);
    let release = Release {
        id: ReleaseId::from_uuid(id),
        app: home.id,
        owner,
        owner_name: owner_name.clone(),
        version: ReleaseVersion(version),
        summary: row.get("summary").unwrap_or_default().to_owned(),
        config: ConfigId::from_uuid(config),
        build: build.map(BuildId::from_uuid),
        // The old platform recorded a release when its deploy was over, and marked those that failed.
        state: if is_failed { ReleaseState::Failed } else { ReleaseState::Succeeded },
        exception: row.get("exception").filter(|_| is_failed).unwrap_or_default().to_owned(),
        deadline: None,
        created,
        updated: row.time("updated")?.unwrap_or(created),
    };
    Ok((release, is_doer))
}

/// Gives an app a configuration and a release to begin with: every app has both.
async fn first_release(db: &mut Db, home: &Home, now: DateTime<Utc>) -> Result<(), Failure> {
    let config = NewConfig::empty(home.id, home.owner, now);
    let config = store::config_insert(db, &config).await?;
    let release = NewRelease {
        app: home.id,
        owner: home.owner,
        summary: summary_initial(&home.owner_name),
        config: config.id,
        build: None,
        state: ReleaseState::Succeeded,
        created: now,
    };
    store::release_insert(db, &release).await?;
    Ok(())
}
