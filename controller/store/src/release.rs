//! Releases.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use slipway_core::release::{Release, ReleaseState};
use slipway_core::{AppId, BuildId, ConfigId, ReleaseId, ReleaseVersion, UserId};

use crate::db::{on, paged};
use crate::schema::releases;
use crate::types::{Row, UtcMicros, text};
use crate::user::user_name;
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// The states of a release that is still on its way.
const PENDING: [&str; 2] = [ReleaseState::Created.as_str(), ReleaseState::Deploying.as_str()];

#[derive(Queryable, Insertable)]
#[diesel(table_name = releases)]
struct ReleaseRow {
    id: String,
    app: String,
    owner: String,
    owner_name: String,
    version: i64,
    summary: String,
    config: String,
    build: Option<String>,
    state: String,
    exception: String,
    deadline: Option<UtcMicros>,
    created: UtcMicros,
    updated: UtcMicros,
}

impl ReleaseRow {
    fn release(self) -> Result<Release, StoreError> {
        let row = Row { table: "releases", id: &self.id };
        Ok(Release {
            id: row.parse("id", &self.id)?,
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            version: u32::try_from(self.version)
                .map(ReleaseVersion)
                .map_err(|_| row.corrupt("version is out of range"))?,
            summary: self.summary,
            config: row.parse("config", &self.config)?,
            build: self.build.map(|build| row.parse("build", &build)).transpose()?,
            state: row.parse("state", &self.state)?,
            exception: self.exception,
            deadline: self.deadline.map(UtcMicros::utc),
            created: self.created.utc(),
            updated: self.updated.utc(),
        })
    }
}

#[derive(QueryableByName)]
struct ImageRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    image: String,
}

/// A release counts while fewer than so many of its app are newer, while it is pending, and while it is the last that
/// succeeded.
const IMAGES_IN_USE: &str = "\
    SELECT DISTINCT COALESCE(builds.pinned, builds.image) AS image FROM builds JOIN ( \
        SELECT build, state, \
            ROW_NUMBER() OVER (PARTITION BY app ORDER BY version DESC) AS place, \
            ROW_NUMBER() OVER (PARTITION BY app, state ORDER BY version DESC) AS place_in_state \
        FROM releases WHERE build IS NOT NULL \
    ) AS ranked ON ranked.build = builds.id \
    WHERE place <= PER_APP OR state IN ('created', 'deploying') OR (state = 'succeeded' AND place_in_state = 1) \
    ORDER BY image";

/// What is needed to add a release; its number is given by the store.
#[derive(Debug, Clone)]
pub struct NewRelease {
    /// The app.
    pub app: AppId,
    /// Who made it.
    pub owner: UserId,
    /// What it changed, in a sentence.
    pub summary: String,
    /// The configuration it runs with.
    pub config: ConfigId,
    /// The build it runs, if there is one yet.
    pub build: Option<BuildId>,
    /// `Created`, or `Succeeded` without a build.
    pub state: ReleaseState,
    /// When it is made.
    pub created: DateTime<Utc>,
}

/// A change of a release's state.
#[derive(Debug, Clone)]
pub struct ReleaseChange<'a> {
    /// The new state.
    pub to: ReleaseState,
    /// Why it failed; empty otherwise.
    pub exception: &'a str,
    /// When its deploy must be over; `None` leaves what is stored.
    pub deadline: Option<DateTime<Utc>>,
    /// When it changes.
    pub now: DateTime<Utc>,
}

/// Adds a release under the next number of its app. Numbers are never used twice, failed releases keep theirs.
pub async fn release_insert(db: &mut Db, new: &NewRelease) -> Result<Release, StoreError> {
    let last: Option<i64> = on!(db, |conn| releases::table
        .filter(releases::app.eq(new.app.to_string()))
        .select(diesel::dsl::max(releases::version))
        .first(conn)
        .await)?;
    let row = ReleaseRow {
        id: ReleaseId::generate().to_string(),
        app: new.app.to_string(),
        owner: new.owner.to_string(),
        owner_name: user_name(db, new.owner).await?,
        version: last.unwrap_or(0) + 1,
        summary: text(&new.summary),
        config: new.config.to_string(),
        build: new.build.map(|build| build.to_string()),
        state: new.state.as_str().to_owned(),
        exception: String::new(),
        deadline: None,
        created: new.created.into(),
        updated: new.created.into(),
    };
    on!(db, |conn| diesel::insert_into(releases::table).values(&row).execute(conn).await)?;
    row.release()
}

/// The release of this identity.
pub async fn release_by_id(db: &mut Db, id: ReleaseId) -> Result<Option<Release>, StoreError> {
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table.find(id.to_string()).first(conn).await.optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// The release of this number.
pub async fn release_by_version(
    db: &mut Db,
    app: AppId,
    version: ReleaseVersion,
) -> Result<Option<Release>, StoreError> {
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .filter(releases::version.eq(i64::from(version.0)))
        .first(conn)
        .await
        .optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// The releases of an app, newest first. Index: `releases_app_version_key`.
pub async fn releases_list(db: &mut Db, app: AppId, page: Page) -> Result<Paged<Release>, StoreError> {
    paged!(
        db,
        page,
        releases::table.filter(releases::app.eq(app.to_string())),
        releases::version.desc(),
        releases::all_columns,
        ReleaseRow,
        ReleaseRow::release
    )
}

/// The newest release of an app, whatever its state.
pub async fn release_latest(db: &mut Db, app: AppId) -> Result<Option<Release>, StoreError> {
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .order(releases::version.desc())
        .first(conn)
        .await
        .optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// The newest release that is not `Failed`, `Canceled` or `Superseded`: what is or should be running.
pub async fn release_latest_good(db: &mut Db, app: AppId) -> Result<Option<Release>, StoreError> {
    let bad = [ReleaseState::Failed, ReleaseState::Canceled, ReleaseState::Superseded].map(ReleaseState::as_str);
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .filter(releases::state.ne_all(bad))
        .order(releases::version.desc())
        .first(conn)
        .await
        .optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// The newest release of each of these apps that is not `Failed`, `Canceled` or `Superseded`.
pub async fn releases_latest_good(db: &mut Db, apps: &[AppId]) -> Result<Vec<Release>, StoreError> {
    let bad = [ReleaseState::Failed, ReleaseState::Canceled, ReleaseState::Superseded].map(ReleaseState::as_str);
    let apps: Vec<String> = apps.iter().map(ToString::to_string).collect();
    let newest: Vec<(String, Option<i64>)> = on!(db, |conn| releases::table
        .filter(releases::app.eq_any(&apps))
        .filter(releases::state.ne_all(bad))
        .group_by(releases::app)
        .select((releases::app, diesel::dsl::max(releases::version)))
        .load(conn)
        .await)?;
    let newest: HashMap<String, i64> = newest.into_iter().filter_map(|(app, version)| Some((app, version?))).collect();
    let versions: BTreeSet<i64> = newest.values().copied().collect();
    let rows: Vec<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq_any(&apps))
        .filter(releases::version.eq_any(&versions))
        .load(conn)
        .await)?;
    let is_newest = |row: &ReleaseRow| newest.get(&row.app) == Some(&row.version);
    rows.into_iter().filter(is_newest).map(ReleaseRow::release).collect()
}

/// The newest release of an app with this build, whatever its state.
pub async fn release_latest_of_build(db: &mut Db, app: AppId, build: BuildId) -> Result<Option<Release>, StoreError> {
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .filter(releases::build.eq(build.to_string()))
        .order(releases::version.desc())
        .first(conn)
        .await
        .optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// The newest release that is `Succeeded`.
pub async fn release_latest_succeeded(db: &mut Db, app: AppId) -> Result<Option<Release>, StoreError> {
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .filter(releases::state.eq(ReleaseState::Succeeded.as_str()))
        .order(releases::version.desc())
        .first(conn)
        .await
        .optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// The newest `Succeeded` release before this number.
pub async fn release_succeeded_before(
    db: &mut Db,
    app: AppId,
    version: ReleaseVersion,
) -> Result<Option<Release>, StoreError> {
    let row: Option<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .filter(releases::state.eq(ReleaseState::Succeeded.as_str()))
        .filter(releases::version.lt(i64::from(version.0)))
        .order(releases::version.desc())
        .first(conn)
        .await
        .optional())?;
    row.map(ReleaseRow::release).transpose()
}

/// All releases that are `Created` or `Deploying`, by app and number. Index: `releases_pending`.
pub async fn releases_pending(db: &mut Db) -> Result<Vec<Release>, StoreError> {
    let rows: Vec<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::state.eq_any(PENDING))
        .order((releases::app, releases::version))
        .load(conn)
        .await)?;
    rows.into_iter().map(ReleaseRow::release).collect()
}

/// The releases of one app that are `Created` or `Deploying`, by number.
pub async fn releases_pending_by_app(db: &mut Db, app: AppId) -> Result<Vec<Release>, StoreError> {
    let rows: Vec<ReleaseRow> = on!(db, |conn| releases::table
        .filter(releases::app.eq(app.to_string()))
        .filter(releases::state.eq_any(PENDING))
        .order(releases::version)
        .load(conn)
        .await)?;
    rows.into_iter().map(ReleaseRow::release).collect()
}

/// Changes the state if it is one of `from`; whether it did.
pub async fn release_set_state(
    db: &mut Db,
    id: ReleaseId,
    from: &[ReleaseState],
    change: &ReleaseChange<'_>,
) -> Result<bool, StoreError> {
    let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
    let now = UtcMicros::from(change.now);
    let these = || releases::table.filter(releases::id.eq(id.to_string())).filter(releases::state.eq_any(from.clone()));
    let (to, exception) = (change.to.as_str(), text(change.exception));
    let n = if let Some(deadline) = change.deadline.map(UtcMicros::from) {
        on!(db, |conn| diesel::update(these())
            .set((
                releases::state.eq(to),
                releases::exception.eq(&exception),
                releases::deadline.eq(deadline),
                releases::updated.eq(now),
            ))
            .execute(conn)
            .await)?
    } else {
        on!(db, |conn| diesel::update(these())
            .set((releases::state.eq(to), releases::exception.eq(&exception), releases::updated.eq(now)))
            .execute(conn)
            .await)?
    };
    Ok(n > 0)
}

/// Replaces the sentence that says what a release changed; false if there is no such release.
pub async fn release_set_summary(db: &mut Db, id: ReleaseId, summary: &str) -> Result<bool, StoreError> {
    let this = || releases::table.filter(releases::id.eq(id.to_string()));
    let n = on!(db, |conn| diesel::update(this()).set(releases::summary.eq(text(summary))).execute(conn).await)?;
    Ok(n > 0)
}

/// Marks pending releases before this number as `Superseded`; how many there were.
pub async fn releases_supersede_before(
    db: &mut Db,
    app: AppId,
    version: ReleaseVersion,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let n = on!(db, |conn| diesel::update(
        releases::table
            .filter(releases::app.eq(app.to_string()))
            .filter(releases::version.lt(i64::from(version.0)))
            .filter(releases::state.eq_any(PENDING))
    )
    .set((releases::state.eq(ReleaseState::Superseded.as_str()), releases::updated.eq(UtcMicros::from(now))))
    .execute(conn)
    .await)?;
    Ok(u64::try_from(n).unwrap_or(u64::MAX))
}

/// The images of the builds of the last `per_app` releases of every app, of what is pending, and of the last that succeeded: what the store of slugs must keep.
pub async fn release_images_in_use(db: &mut Db, per_app: u32) -> Result<Vec<String>, StoreError> {
    // One window per app; both databases know the same SQL, and diesel's own form of it would not be shorter.
    let query = diesel::sql_query(IMAGES_IN_USE.replace("PER_APP", &per_app.to_string()));
    let rows: Vec<ImageRow> = on!(db, |conn| query.load(conn).await)?;
    Ok(rows.into_iter().map(|row| row.image).collect())
}
