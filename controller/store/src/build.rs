//! Builds.

use chrono::{DateTime, Utc};
use slipway_core::build::{Build, Procfile};
use slipway_core::{AppId, BuildId, UserId};

use crate::db::{on, paged};
use crate::schema::builds;
use crate::types::{Row, UtcMicros, text, to_json_map};
use crate::user::user_name;
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable, Insertable)]
#[diesel(table_name = builds)]
struct BuildRow {
    id: String,
    app: String,
    owner: String,
    owner_name: String,
    image: String,
    sha: String,
    procfile: String,
    dockerfile: String,
    stack: String,
    created: UtcMicros,
    pinned: Option<String>,
}

impl BuildRow {
    fn build(self) -> Result<Build, StoreError> {
        let row = Row { table: "builds", id: &self.id };
        Ok(Build {
            id: row.parse("id", &self.id)?,
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            image: self.image,
            pinned: self.pinned,
            sha: self.sha,
            procfile: row.json_map("procfile", &self.procfile)?,
            dockerfile: self.dockerfile,
            stack: self.stack,
            created: self.created.utc(),
        })
    }
}

/// What is needed to add a build. The fields mean what they mean in `Build`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is that of `Build`")]
pub struct NewBuild {
    pub app: AppId,
    pub owner: UserId,
    pub image: String,
    pub pinned: Option<String>,
    pub sha: String,
    pub procfile: Procfile,
    pub dockerfile: String,
    pub stack: String,
    pub created: DateTime<Utc>,
}

/// Adds a build.
pub async fn build_insert(db: &mut Db, new: &NewBuild) -> Result<Build, StoreError> {
    let row = BuildRow {
        id: BuildId::generate().to_string(),
        app: new.app.to_string(),
        owner: new.owner.to_string(),
        owner_name: user_name(db, new.owner).await?,
        image: text(&new.image),
        sha: text(&new.sha),
        procfile: to_json_map(&new.procfile)?,
        dockerfile: text(&new.dockerfile),
        stack: text(&new.stack),
        created: new.created.into(),
        pinned: new.pinned.as_deref().map(text),
    };
    on!(db, |conn| diesel::insert_into(builds::table).values(&row).execute(conn).await)?;
    row.build()
}

/// The build of this identity.
pub async fn build_by_id(db: &mut Db, id: BuildId) -> Result<Option<Build>, StoreError> {
    let row: Option<BuildRow> = on!(db, |conn| builds::table.find(id.to_string()).first(conn).await.optional())?;
    row.map(BuildRow::build).transpose()
}

/// The builds of these identities.
pub async fn builds_by_ids(db: &mut Db, ids: &[BuildId]) -> Result<Vec<Build>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<BuildRow> = on!(db, |conn| builds::table.filter(builds::id.eq_any(&ids)).load(conn).await)?;
    rows.into_iter().map(BuildRow::build).collect()
}

/// The builds of an app, newest first. Index: `builds_app_created`.
pub async fn builds_list(db: &mut Db, app: AppId, page: Page) -> Result<Paged<Build>, StoreError> {
    paged!(
        db,
        page,
        builds::table.filter(builds::app.eq(app.to_string())),
        (builds::created.desc(), builds::id.desc()),
        builds::all_columns,
        BuildRow,
        BuildRow::build
    )
}

/// The newest build of an app.
pub async fn build_latest(db: &mut Db, app: AppId) -> Result<Option<Build>, StoreError> {
    let row: Option<BuildRow> = on!(db, |conn| builds::table
        .filter(builds::app.eq(app.to_string()))
        .order((builds::created.desc(), builds::id.desc()))
        .first(conn)
        .await
        .optional())?;
    row.map(BuildRow::build).transpose()
}
