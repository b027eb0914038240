//! Apps.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use slipway_core::app::{App, Structure};
use slipway_core::deployment::DeploymentStatus;
use slipway_core::{AppId, AppName, ProjectId, UserId};

use crate::db::{on, paged};
use crate::platform_name::{NameOwner, platform_name_take};
use crate::schema::{
    app_users, apps, builds, configs, domains, dployr_deployments as deployments, releases, settings, tls, users,
};
use crate::types::{Row, UtcMicros, count, to_json, to_json_map};
use crate::{Db, Page, Paged, StoreError, UniqueOn};
use diesel::dsl::not;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

type AppRow = (String, String, String, String, String, i64, i64, String, bool, UtcMicros, UtcMicros);

macro_rules! columns {
    () => {
        (
            apps::id,
            apps::name,
            apps::owner,
            users::username,
            apps::structure,
            apps::desired_generation,
            apps::observed_generation,
            apps::restarts,
            apps::is_deleting,
            apps::created,
            apps::updated,
        )
    };
}

fn app(columns: AppRow) -> Result<App, StoreError> {
    let (id, name, owner, owner_name, structure, desired, observed, restarts, is_deleting, created, updated) = columns;
    let row = Row { table: "apps", id: &id };
    Ok(App {
        id: row.parse("id", &id)?,
        name: row.parse("name", &name)?,
        owner: row.parse("owner", &owner)?,
        owner_name: row.parse("owner_name", &owner_name)?,
        structure: row.json_map("structure", &structure)?,
        desired_generation: desired,
        observed_generation: observed,
        restarts: row.json("restarts", &restarts)?,
        is_deleting,
        created: created.utc(),
        updated: updated.utc(),
    })
}

/// What is needed to add an app.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// Its name; unique, also among apps that are being removed.
    pub name: AppName,
    /// Who owns it.
    pub owner: UserId,
    /// Wanted replicas by process type.
    pub structure: Structure,
    /// When it is created.
    pub created: DateTime<Utc>,
}

/// Adds an app.
pub async fn app_insert(db: &mut Db, new: &NewApp) -> Result<App, StoreError> {
    let id = AppId::generate().to_string();
    let created = UtcMicros::from(new.created);
    let structure = to_json_map(&new.structure)?;
    on!(db, |conn| diesel::insert_into(apps::table)
        .values((
            apps::id.eq(&id),
            apps::name.eq(new.name.as_str()),
            apps::owner.eq(new.owner.to_string()),
            apps::structure.eq(&structure),
            apps::desired_generation.eq(0_i64),
            apps::observed_generation.eq(0_i64),
            apps::restarts.eq("{}"),
            apps::is_deleting.eq(false),
            apps::created.eq(created),
            apps::updated.eq(created),
        ))
        .execute(conn)
        .await)?;
    let row = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::id.eq(&id))
        .select(columns!())
        .first(conn)
        .await)?;
    let app = app(row)?;
    if !platform_name_take(db, new.name.as_str(), NameOwner::App(app.id), new.created).await? {
        return Err(StoreError::Conflict { what: UniqueOn::AppName });
    }
    Ok(app)
}

/// The app of this name, unless it is being removed.
pub async fn app_by_name(db: &mut Db, name: &AppName) -> Result<Option<App>, StoreError> {
    let row: Option<AppRow> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::is_deleting.eq(false))
        .filter(apps::name.eq(name.as_str()))
        .select(columns!())
        .first(conn)
        .await
        .optional())?;
    row.map(app).transpose()
}

/// The app of this identity, also one that is being removed.
pub async fn app_by_id(db: &mut Db, id: AppId) -> Result<Option<App>, StoreError> {
    let row: Option<AppRow> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::id.eq(id.to_string()))
        .select(columns!())
        .first(conn)
        .await
        .optional())?;
    row.map(app).transpose()
}

/// Those of these apps that are not being removed, oldest first.
pub async fn apps_by_ids(db: &mut Db, ids: &[AppId]) -> Result<Vec<App>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<AppRow> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::is_deleting.eq(false))
        .filter(apps::id.eq_any(&ids))
        .order((apps::created, apps::id))
        .select(columns!())
        .load(conn)
        .await)?;
    rows.into_iter().map(app).collect()
}

/// All apps but those being removed, by name. Index: `apps_living`.
pub async fn apps_list(db: &mut Db, page: Page) -> Result<Paged<App>, StoreError> {
    paged!(
        db,
        page,
        apps::table.filter(not(apps::is_deleting)) =>
        apps::table.inner_join(users::table).filter(not(apps::is_deleting)),
        apps::name,
        columns!(),
        AppRow,
        app
    )
}

/// The apps that a user owns or was granted, but those being removed, by name.
pub async fn apps_list_visible(db: &mut Db, user: UserId, page: Page) -> Result<Paged<App>, StoreError> {
    paged!(
        db,
        page,
        apps::table.inner_join(users::table).filter(apps::is_deleting.eq(false)).filter(
            apps::owner.eq(user.to_string()).or(apps::id
                .eq_any(app_users::table.filter(app_users::user_id.eq(user.to_string())).select(app_users::app)))
        ),
        apps::name,
        columns!(),
        AppRow,
        app
    )
}

/// Which apps are wanted. What is `None` says nothing.
#[derive(Debug, Clone, Default)]
pub struct AppFilter {
    /// Those that this user owns or was granted.
    pub visible_to: Option<UserId>,
    /// Only this one.
    pub app: Option<AppId>,
    /// Those whose deployment is that far; an app for which none was asked has completed one when a release with a build
    /// succeeded, and else a pending one.
    pub status: Option<DeploymentStatus>,
    /// Those whose deployment is in this project.
    pub project: Option<ProjectId>,
}

/// The apps that fit, newest first, but for those that are being removed.
pub async fn apps_filter(db: &mut Db, filter: &AppFilter, page: Page) -> Result<Paged<App>, StoreError> {
    let user = filter.visible_to.map(|user| user.to_string());
    let is_everybody = user.is_none();
    let user = user.unwrap_or_default();
    let app_id = filter.app.map(|app| app.to_string());
    let (is_any_app, app_id) = (app_id.is_none(), app_id.unwrap_or_default());
    let project = filter.project.map(|project| project.to_string());
    let (is_any_project, project) = (project.is_none(), project.unwrap_or_default());
    let is_any_status = filter.status.is_none();
    let status = filter.status.map_or("", DeploymentStatus::as_str);
    let is_completed = filter.status == Some(DeploymentStatus::Completed);
    let is_pending = filter.status == Some(DeploymentStatus::Pending);
    let is_deployed = || {
        diesel::dsl::exists(
            releases::table
                .filter(releases::app.eq(apps::id))
                .filter(releases::build.is_not_null())
                .filter(releases::state.eq("succeeded")),
        )
    };
    let fits = || {
        apps::is_deleting
            .eq(false)
            .and(
                is_everybody
                    .into_sql::<Bool>()
                    .or(apps::owner.eq(&user))
                    .or(apps::id.eq_any(app_users::table.filter(app_users::user_id.eq(&user)).select(app_users::app))),
            )
            .and(is_any_app.into_sql::<Bool>().or(apps::id.eq(&app_id)))
            .and(is_any_project.into_sql::<Bool>().or(apps::id.eq_any(
                deployments::table.filter(deployments::project.assume_not_null().eq(&project)).select(deployments::app),
            )))
            .and(
                is_any_status
                    .into_sql::<Bool>()
                    .or(apps::id
                        .eq_any(deployments::table.filter(deployments::status.eq(status)).select(deployments::app)))
                    .or(not(apps::id.eq_any(deployments::table.select(deployments::app))).and(
                        is_completed
                            .into_sql::<Bool>()
                            .and(is_deployed())
                            .or(is_pending.into_sql::<Bool>().and(not(is_deployed()))),
                    )),
            )
    };
    paged!(
        db,
        page,
        apps::table.filter(fits()) => apps::table.inner_join(users::table).filter(fits()),
        (apps::created.desc(), apps::id.desc()),
        columns!(),
        AppRow,
        app
    )
}

/// The names of the apps that a user owns or was granted.
pub async fn apps_names_visible(db: &mut Db, user: UserId) -> Result<Vec<AppName>, StoreError> {
    let rows: Vec<(String, String)> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::is_deleting.eq(false))
        .filter(apps::owner.eq(user.to_string()).or(
            apps::id.eq_any(app_users::table.filter(app_users::user_id.eq(user.to_string())).select(app_users::app))
        ))
        .order(apps::name)
        .select((apps::id, apps::name))
        .load(conn)
        .await)?;
    rows.iter().map(|(id, name)| Row { table: "apps", id }.parse("name", name)).collect()
}

/// Sets the wanted replicas.
pub async fn app_update_structure(
    db: &mut Db,
    id: AppId,
    structure: &Structure,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let structure = to_json_map(structure)?;
    on!(db, |conn| diesel::update(apps::table.filter(apps::id.eq(id.to_string())))
        .set((apps::structure.eq(&structure), apps::updated.eq(UtcMicros::from(now))))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Goes to the next desired generation and gives it; `None` if there is no such app.
pub async fn app_bump_desired(db: &mut Db, id: AppId, now: DateTime<Utc>) -> Result<Option<i64>, StoreError> {
    on!(db, |conn| diesel::update(apps::table.filter(apps::id.eq(id.to_string())))
        .set((apps::desired_generation.eq(apps::desired_generation + 1), apps::updated.eq(UtcMicros::from(now)),))
        .returning(apps::desired_generation)
        .get_result(conn)
        .await
        .optional())
}

/// Notes that a generation was brought about; never goes back.
pub async fn app_set_observed(db: &mut Db, id: AppId, generation: i64) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(
        apps::table.filter(apps::id.eq(id.to_string())).filter(apps::observed_generation.lt(generation))
    )
    .set(apps::observed_generation.eq(generation))
    .execute(conn)
    .await)?;
    Ok(())
}

/// Notes that the engine was given what is wanted at a generation; never goes back.
pub async fn app_set_applied(db: &mut Db, id: AppId, generation: i64) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(
        apps::table.filter(apps::id.eq(id.to_string())).filter(apps::applied_generation.lt(generation))
    )
    .set(apps::applied_generation.eq(generation))
    .execute(conn)
    .await)?;
    Ok(())
}

/// The generation that the engine was given last, as far as it was noted; 0 for none.
pub async fn app_applied(db: &mut Db, id: AppId) -> Result<i64, StoreError> {
    let applied: Option<i64> = on!(db, |conn| apps::table
        .filter(apps::id.eq(id.to_string()))
        .select(apps::applied_generation)
        .first(conn)
        .await
        .optional())?;
    Ok(applied.unwrap_or(0))
}

/// Sets the restart counters by process type (an empty key for all types).
pub async fn app_set_restarts(
    db: &mut Db,
    id: AppId,
    restarts: &BTreeMap<String, i64>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let restarts = to_json(restarts)?;
    on!(db, |conn| diesel::update(apps::table.filter(apps::id.eq(id.to_string())))
        .set((apps::restarts.eq(&restarts), apps::updated.eq(UtcMicros::from(now))))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Marks the app as to be removed and goes to the next desired generation; false if it was marked before or is not there. The name stays taken until `app_delete`.
pub async fn app_mark_deleting(db: &mut Db, id: AppId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(
        apps::table.filter(apps::id.eq(id.to_string())).filter(apps::is_deleting.eq(false))
    )
    .set((
        apps::is_deleting.eq(true),
        apps::desired_generation.eq(apps::desired_generation + 1),
        apps::updated.eq(UtcMicros::from(now)),
    ))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// The apps that are being removed. Index: `apps_deleting`.
pub async fn apps_deleting(db: &mut Db) -> Result<Vec<App>, StoreError> {
    let rows: Vec<AppRow> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::is_deleting)
        .order(apps::id)
        .select(columns!())
        .load(conn)
        .await)?;
    rows.into_iter().map(app).collect()
}

/// Removes the app and all that belongs to it; false if there is no such app.
pub async fn app_delete(db: &mut Db, id: AppId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(apps::table.filter(apps::id.eq(id.to_string()))).execute(conn).await)?;
    Ok(n > 0)
}

/// Gives the app, and what its owner owns in it, to another user.
pub async fn app_transfer(db: &mut Db, id: AppId, to: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (app, to_id) = (id.to_string(), to.to_string());
    let from: Option<String> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::id.eq(&app))
        .select(apps::owner)
        .first(conn)
        .await
        .optional())?;
    let to_name: Option<String> =
        on!(db, |conn| users::table.filter(users::id.eq(&to_id)).select(users::username).first(conn).await.optional())?;
    let (Some(from), Some(to_name)) = (from, to_name) else { return Err(StoreError::Reference) };
    on!(db, |conn| diesel::update(apps::table.filter(apps::id.eq(&app)))
        .set((apps::owner.eq(&to_id), apps::updated.eq(UtcMicros::from(now))))
        .execute(conn)
        .await)?;
    macro_rules! hand_over {
        ($($table:ident),*) => {$(
            on!(db, |conn| diesel::update($table::table.filter($table::app.eq(&app)).filter($table::owner.eq(&from)))
                .set(($table::owner.eq(&to_id), $table::owner_name.eq(&to_name)))
                .execute(conn)
                .await)?;
        )*};
    }
    hand_over!(builds, configs, releases, domains, settings, tls);
    Ok(())
}

/// Identity and name of every app, those being removed too.
pub async fn apps_all_names(db: &mut Db) -> Result<Vec<(AppId, AppName)>, StoreError> {
    let rows: Vec<(String, String)> =
        on!(db, |conn| apps::table.order(apps::id).select((apps::id, apps::name)).load(conn).await)?;
    rows.iter()
        .map(|(id, name)| {
            let row = Row { table: "apps", id };
            Ok((row.parse("id", id)?, row.parse("name", name)?))
        })
        .collect()
}

/// The apps whose desired generation is not yet observed, those being removed too. Index: `apps_unsettled`.
pub async fn apps_unsettled(db: &mut Db) -> Result<Vec<App>, StoreError> {
    let rows: Vec<AppRow> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::desired_generation.ne(apps::observed_generation))
        .order(apps::id)
        .select(columns!())
        .load(conn)
        .await)?;
    rows.into_iter().map(app).collect()
}

/// The apps that have a build, but those being removed: what must run after a start.
pub async fn apps_with_builds(db: &mut Db) -> Result<Vec<App>, StoreError> {
    let rows: Vec<AppRow> = on!(db, |conn| apps::table
        .inner_join(users::table)
        .filter(apps::is_deleting.eq(false))
        .filter(apps::id.eq_any(builds::table.select(builds::app)))
        .order(apps::id)
        .select(columns!())
        .load(conn)
        .await)?;
    rows.into_iter().map(app).collect()
}

/// How many apps a user owns, those being removed too.
pub async fn apps_count_by_owner(db: &mut Db, owner: UserId) -> Result<u64, StoreError> {
    let total: i64 =
        on!(db, |conn| apps::table.filter(apps::owner.eq(owner.to_string())).count().get_result(conn).await)?;
    Ok(count(total))
}
