//! Deployments of the dployr API: one for each app that one was asked for.

mod request;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use slipway_core::app::Structure;
use slipway_core::config::SecretText;
use slipway_core::deployment::{Deployment, DeploymentRequest, DeploymentStatus, DeploymentWork};
use slipway_core::{AppId, AppName, BuildId, ProjectId, ReleaseId, Username};

use crate::db::on;
use crate::schema::{apps, dployr_claims as deployment_claims, dployr_deployments as deployments};
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, SealingKey, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable, Insertable)]
#[diesel(table_name = deployments)]
struct DeploymentRow {
    app: String,
    owner: String,
    project: Option<String>,
    request: String,
    credentials: Option<Vec<u8>>,
    status: String,
    error: String,
    work: String,
    attempt: i64,
    last_build: String,
    build: Option<String>,
    release: Option<String>,
    created: UtcMicros,
    updated: UtcMicros,
    finished: Option<UtcMicros>,
    exit_code: Option<i64>,
}

/// What is kept of the last good build.
#[derive(Default, Serialize, Deserialize)]
struct LastBuild {
    commit_hash: String,
    fingerprint: String,
    build: Option<String>,
}

impl DeploymentRow {
    fn deployment(self) -> Result<Deployment, StoreError> {
        let row = Row { table: "dployr_deployments", id: &self.app };
        let last: LastBuild = row.json("last_build", &self.last_build)?;
        Ok(Deployment {
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            project: self.project.map(|project| row.parse("project", &project)).transpose()?,
            request: request::read(row, &self.request)?,
            status: row.parse("status", &self.status)?,
            error: self.error,
            work: row.parse("work", &self.work)?,
            attempt: u32::try_from(self.attempt).map_err(|_| row.corrupt("attempt is out of range"))?,
            commit_hash: last.commit_hash,
            fingerprint: last.fingerprint,
            built: last.build.map(|build| row.parse("last_build", &build)).transpose()?,
            build: self.build.map(|build| row.parse("build", &build)).transpose()?,
            release: self.release.map(|release| row.parse("release", &release)).transpose()?,
            created: self.created.utc(),
            updated: self.updated.utc(),
            finished: self.finished.map(UtcMicros::utc),
            exit_code: match self.exit_code {
                Some(code) => Some(i32::try_from(code).map_err(|_| row.corrupt("exit_code is out of range"))?),
                None => None,
            },
        })
    }
}

fn seal(key: &SealingKey, app: &str, credentials: &SecretText) -> Result<Vec<u8>, StoreError> {
    key.seal(Row { table: "dployr_deployments", id: app }, "credentials", credentials.expose().as_bytes())
}

/// What is needed to ask for a deployment, for the first time or again.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// The app.
    pub app: AppId,
    /// Who asks.
    pub owner: Username,
    /// The project it is to be in.
    pub project: Option<ProjectId>,
    /// What is asked for.
    pub request: DeploymentRequest,
    /// `user:password` for the repository, if it wants one; encrypted at rest.
    pub credentials: Option<SecretText>,
    /// How far it is.
    pub status: DeploymentStatus,
    /// What is to be done.
    pub work: DeploymentWork,
    /// The release that was made for it already, if there is one.
    pub release: Option<ReleaseId>,
    /// When it is asked for.
    pub now: DateTime<Utc>,
}

/// Records what is asked for. Whoever worked on what was asked for before has lost its claim.
pub async fn deployment_put(db: &mut Db, new: &NewDeployment) -> Result<Deployment, StoreError> {
    let app = new.app.to_string();
    let before: Option<DeploymentRow> = on!(db, |conn| deployments::table.find(&app).first(conn).await.optional())?;
    let now = UtcMicros::from(new.now);
    let credentials = match &new.credentials {
        Some(credentials) => Some(seal(&db.key, &app, credentials)?),
        None => None,
    };
    let mut row = DeploymentRow {
        owner: new.owner.to_string(),
        project: new.project.map(|project| project.to_string()),
        request: request::write(&new.request)?,
        credentials,
        status: new.status.as_str().to_owned(),
        error: String::new(),
        work: new.work.as_str().to_owned(),
        attempt: 1,
        last_build: to_json(&LastBuild::default())?,
        build: None,
        release: new.release.map(|release| release.to_string()),
        created: now,
        updated: now,
        finished: (new.work == DeploymentWork::None).then_some(now),
        exit_code: None,
        app,
    };
    if let Some(before) = before {
        row.attempt = before.attempt + 1;
        row.created = before.created;
        row.last_build = before.last_build;
        row.build = before.build;
        row.release = row.release.or(before.release);
        let this = || deployments::table.find(&row.app);
        on!(db, |conn| diesel::delete(this()).execute(conn).await)?;
        let claim = || deployment_claims::table.find(&row.app);
        on!(db, |conn| diesel::delete(claim()).execute(conn).await)?;
    }
    on!(db, |conn| diesel::insert_into(deployments::table).values(&row).execute(conn).await)?;
    row.deployment()
}

/// Changes what is told of a deployment, and nothing of how far it is.
pub async fn deployment_describe(
    db: &mut Db,
    app: AppId,
    described: &DeploymentRequest,
    project: Option<ProjectId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let request = request::write(described)?;
    on!(db, |conn| diesel::update(deployments::table.find(app.to_string()))
        .set((
            deployments::request.eq(&request),
            deployments::project.eq(project.map(|project| project.to_string())),
            deployments::updated.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// The deployment of an app.
pub async fn deployment_by_app(db: &mut Db, app: AppId) -> Result<Option<Deployment>, StoreError> {
    let row: Option<DeploymentRow> =
        on!(db, |conn| deployments::table.find(app.to_string()).first(conn).await.optional())?;
    row.map(DeploymentRow::deployment).transpose()
}

/// The deployments of these apps.
pub async fn deployments_by_apps(db: &mut Db, apps: &[AppId]) -> Result<Vec<Deployment>, StoreError> {
    let apps: Vec<String> = apps.iter().map(ToString::to_string).collect();
    let rows: Vec<DeploymentRow> =
        on!(db, |conn| deployments::table.filter(deployments::app.eq_any(&apps)).load(conn).await)?;
    rows.into_iter().map(DeploymentRow::deployment).collect()
}

/// `user:password` for the repository of an app's deployment, if it has one.
pub async fn deployment_credentials(db: &mut Db, app: AppId) -> Result<Option<SecretText>, StoreError> {
    let app = app.to_string();
    let sealed: Option<Option<Vec<u8>>> =
        on!(db, |conn| deployments::table.find(&app).select(deployments::credentials).first(conn).await.optional())?;
    let Some(sealed) = sealed.flatten() else { return Ok(None) };
    let place = Row { table: "dployr_deployments", id: &app };
    let plain = db.key.open(place, "credentials", &sealed)?;
    let plain = String::from_utf8(plain).map_err(|_| place.corrupt("credentials are no text"))?;
    Ok(Some(SecretText::new(plain)))
}

/// The deployment that waits longest for a builder: nobody claimed it, or whoever did has not been heard of in time.
/// Also how often it was claimed. Index: `dployr_deployments_work`.
pub async fn deployment_unclaimed(db: &mut Db, now: DateTime<Utc>) -> Result<Option<(Deployment, u32)>, StoreError> {
    let now = UtcMicros::from(now);
    let row: Option<DeploymentRow> = on!(db, |conn| deployments::table
        .filter(deployments::work.eq(DeploymentWork::Build.as_str()))
        .filter(
            deployments::app
                .ne_all(deployment_claims::table.filter(deployment_claims::due.ge(now)).select(deployment_claims::app))
        )
        .order((deployments::updated, deployments::app))
        .first(conn)
        .await
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    let claims: Option<i64> = on!(db, |conn| deployment_claims::table
        .find(&row.app)
        .select(deployment_claims::claims)
        .first(conn)
        .await
        .optional())?;
    let claims = u32::try_from(claims.unwrap_or(0)).unwrap_or(u32::MAX);
    Ok(Some((row.deployment()?, claims)))
}

/// Hands a deployment to a builder, which is known by `claim` until `due`.
pub async fn deployment_claim(db: &mut Db, app: AppId, claim: &str, due: DateTime<Utc>) -> Result<(), StoreError> {
    let (app, due) = (app.to_string(), UtcMicros::from(due));
    on!(db, |conn| diesel::insert_into(deployment_claims::table)
        .values((
            deployment_claims::app.eq(&app),
            deployment_claims::claim.eq(claim),
            deployment_claims::due.eq(due),
            deployment_claims::claims.eq(1_i64),
        ))
        .on_conflict(deployment_claims::app)
        .do_update()
        .set((
            deployment_claims::claim.eq(claim),
            deployment_claims::due.eq(due),
            deployment_claims::claims.eq(deployment_claims::claims + 1),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Notes that somebody works on a deployment.
pub async fn deployment_begin(db: &mut Db, app: AppId, now: DateTime<Utc>) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(deployments::table.find(app.to_string()))
        .set((
            deployments::status.eq(DeploymentStatus::InProgress.as_str()),
            deployments::updated.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Goes from one sort of work to the next, if it is still the same request's; false when it is not.
pub async fn deployment_work_set(
    db: &mut Db,
    app: AppId,
    attempt: u32,
    (from, to): (DeploymentWork, DeploymentWork),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let this = || {
        deployments::table
            .find(app.to_string())
            .filter(deployments::attempt.eq(i64::from(attempt)))
            .filter(deployments::work.eq(from.as_str()))
    };
    let n = on!(db, |conn| diesel::update(this())
        .set((
            deployments::work.eq(to.as_str()),
            deployments::status.eq(DeploymentStatus::InProgress.as_str()),
            deployments::finished.eq(None::<UtcMicros>),
            deployments::updated.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Gives the holder of a claim more time; false when it is another's by now.
pub async fn deployment_claim_renew(
    db: &mut Db,
    app: AppId,
    claim: &str,
    due: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let this = || deployment_claims::table.find(app.to_string()).filter(deployment_claims::claim.eq(claim));
    let n = on!(db, |conn| diesel::update(this())
        .set(deployment_claims::due.eq(UtcMicros::from(due)))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Whether `claim` is the last that was given for an app's deployment, though its work may be done.
pub async fn deployment_is_claim(db: &mut Db, app: AppId, claim: &str) -> Result<bool, StoreError> {
    let these = || deployment_claims::table.find(app.to_string()).filter(deployment_claims::claim.eq(claim));
    let n: i64 = on!(db, |conn| these().count().get_result(conn).await)?;
    Ok(n > 0)
}

/// Records that a build was made for a deployment, and that a release of it is on its way.
#[derive(Debug, Clone)]
pub struct DeploymentBuilt<'a> {
    /// The app.
    pub app: AppId,
    /// The build.
    pub build: BuildId,
    /// The release.
    pub release: ReleaseId,
    /// The whole hash of the commit, or empty.
    pub commit_hash: &'a str,
    /// Stands for what it was built of, or empty.
    pub fingerprint: &'a str,
    /// When.
    pub now: DateTime<Utc>,
}

/// See [`DeploymentBuilt`].
pub async fn deployment_built(db: &mut Db, built: &DeploymentBuilt<'_>) -> Result<(), StoreError> {
    let last_build = to_json(&LastBuild {
        commit_hash: text(built.commit_hash),
        fingerprint: text(built.fingerprint),
        build: Some(built.build.to_string()),
    })?;
    on!(db, |conn| diesel::update(deployments::table.find(built.app.to_string()))
        .set((
            deployments::status.eq(DeploymentStatus::InProgress.as_str()),
            deployments::work.eq(DeploymentWork::Rollout.as_str()),
            deployments::build.eq(Some(built.build.to_string())),
            deployments::release.eq(Some(built.release.to_string())),
            deployments::last_build.eq(&last_build),
            deployments::updated.eq(UtcMicros::from(built.now)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Follows another release, which took over from the one that a deployment was rolled out by.
pub async fn deployment_follow(
    db: &mut Db,
    app: AppId,
    release: ReleaseId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(deployments::table.find(app.to_string()))
        .set((deployments::release.eq(Some(release.to_string())), deployments::updated.eq(UtcMicros::from(now)),))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Records how a deployment ended: with an error, or without.
pub async fn deployment_finish(db: &mut Db, app: AppId, error: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let status = if error.is_empty() { DeploymentStatus::Completed } else { DeploymentStatus::Failed };
    on!(db, |conn| diesel::update(deployments::table.find(app.to_string()))
        .set((
            deployments::status.eq(status.as_str()),
            deployments::work.eq(DeploymentWork::None.as_str()),
            deployments::error.eq(text(error)),
            deployments::updated.eq(UtcMicros::from(now)),
            deployments::finished.eq(Some(UtcMicros::from(now))),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Records what the command of a job ended with.
pub async fn deployment_exit(db: &mut Db, app: AppId, exit_code: i32) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(deployments::table.find(app.to_string()))
        .set(deployments::exit_code.eq(Some(i64::from(exit_code))))
        .execute(conn)
        .await)?;
    Ok(())
}

/// An app that was deployed through the dployr API, as far as it takes to ask it how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedApp {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// How many processes are wanted of each type.
    pub structure: Structure,
    /// What was asked for.
    pub request: DeploymentRequest,
}

/// At most `limit` apps that were deployed through the dployr API and are not being removed, in the order of their
/// identities, from the one behind `after` on.
pub async fn deployed_apps(db: &mut Db, after: Option<AppId>, limit: u32) -> Result<Vec<DeployedApp>, StoreError> {
    let after = after.map(|app| app.to_string()).unwrap_or_default();
    let rows: Vec<(String, String, String, String)> = on!(db, |conn| deployments::table
        .inner_join(apps::table)
        .filter(apps::id.gt(&after))
        .filter(apps::is_deleting.eq(false))
        .order(apps::id)
        .limit(i64::from(limit))
        .select((apps::id, apps::name, apps::structure, deployments::request))
        .load(conn)
        .await)?;
    let app = |(id, name, structure, request): (String, String, String, String)| {
        let row = Row { table: "dployr_deployments", id: &id };
        Ok(DeployedApp {
            app: row.parse("app", &id)?,
            name: row.parse("name", &name)?,
            structure: row.json_map("structure", &structure)?,
            request: request::read(row, &request)?,
        })
    };
    rows.into_iter().map(app).collect()
}

/// The deployments of which something of this sort is to be done, longest waiting first. Index: `dployr_deployments_work`.
pub async fn deployments_by_work(db: &mut Db, work: DeploymentWork, limit: u32) -> Result<Vec<Deployment>, StoreError> {
    let rows: Vec<DeploymentRow> = on!(db, |conn| deployments::table
        .filter(deployments::work.eq(work.as_str()))
        .order((deployments::updated, deployments::app))
        .limit(i64::from(limit))
        .load(conn)
        .await)?;
    rows.into_iter().map(DeploymentRow::deployment).collect()
}

/// How many deployments wait for a builder or are with one.
pub async fn deployments_building(db: &mut Db) -> Result<u64, StoreError> {
    let these = || deployments::table.filter(deployments::work.eq(DeploymentWork::Build.as_str()));
    let total: i64 = on!(db, |conn| these().count().get_result(conn).await)?;
    Ok(crate::types::count(total))
}
