//! Host names of apps.

use chrono::{DateTime, Utc};
use slipway_core::domain::Domain;
use slipway_core::{AppId, UserId};

use crate::db::{on, paged};
use crate::schema::domains;
use crate::types::{Row, UtcMicros, can_be_stored, text};
use crate::user::user_name;
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable, Insertable)]
#[diesel(table_name = domains)]
struct DomainRow {
    domain: String,
    app: String,
    owner: String,
    owner_name: String,
    created: UtcMicros,
    updated: UtcMicros,
    port: Option<i32>,
}

impl DomainRow {
    fn domain(self) -> Result<Domain, StoreError> {
        let row = Row { table: "domains", id: &self.domain };
        Ok(Domain {
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            created: self.created.utc(),
            updated: self.updated.utc(),
            port: self.port.map(|port| port_read(row, port)).transpose()?,
            domain: self.domain,
        })
    }
}

fn port_read(row: Row<'_>, port: i32) -> Result<u16, StoreError> {
    let number = u16::try_from(port).ok().filter(|number| *number > 0);
    number.ok_or_else(|| row.corrupt("port is no port"))
}

/// What is needed to add a domain.
#[derive(Debug, Clone)]
pub struct NewDomain {
    /// The app that answers.
    pub app: AppId,
    /// Who adds it.
    pub owner: UserId,
    /// The name in lower case; unique on the platform.
    pub domain: String,
    /// When it is added.
    pub created: DateTime<Utc>,
}

/// Adds a domain, which leads to the port that the app's processes are told to listen on.
pub async fn domain_insert(db: &mut Db, new: &NewDomain) -> Result<Domain, StoreError> {
    let row = DomainRow {
        domain: text(&new.domain),
        app: new.app.to_string(),
        owner: new.owner.to_string(),
        owner_name: user_name(db, new.owner).await?,
        created: new.created.into(),
        updated: new.created.into(),
        port: None,
    };
    on!(db, |conn| diesel::insert_into(domains::table).values(&row).execute(conn).await)?;
    row.domain()
}

/// The domains of an app by name.
pub async fn domains_list(db: &mut Db, app: AppId, page: Page) -> Result<Paged<Domain>, StoreError> {
    paged!(
        db,
        page,
        domains::table.filter(domains::app.eq(app.to_string())),
        domains::domain,
        domains::all_columns,
        DomainRow,
        DomainRow::domain
    )
}

/// The host names of an app, sorted, each with the port that it leads to if that is one of its own. Index: `domains_app`.
pub async fn domains_by_app(db: &mut Db, app: AppId) -> Result<Vec<(String, Option<u16>)>, StoreError> {
    let rows: Vec<(String, Option<i32>)> = on!(db, |conn| domains::table
        .filter(domains::app.eq(app.to_string()))
        .order(domains::domain)
        .select((domains::domain, domains::port))
        .load(conn)
        .await)?;
    let read = |(domain, port): (String, Option<i32>)| {
        let row = Row { table: "domains", id: &domain };
        let port = port.map(|port| port_read(row, port)).transpose()?;
        Ok((domain, port))
    };
    rows.into_iter().map(read).collect()
}

/// The domains of all apps, for the route table.
pub async fn domains_all(db: &mut Db) -> Result<Vec<Domain>, StoreError> {
    let rows: Vec<DomainRow> = on!(db, |conn| domains::table.order(domains::domain).load(conn).await)?;
    rows.into_iter().map(DomainRow::domain).collect()
}

/// The domains of these apps, newest first.
pub async fn domains_by_apps(db: &mut Db, apps: &[AppId], page: Page) -> Result<Paged<Domain>, StoreError> {
    let ids: Vec<String> = apps.iter().map(ToString::to_string).collect();
    paged!(
        db,
        page,
        domains::table.filter(domains::app.eq_any(&ids)),
        (domains::created.desc(), domains::domain),
        domains::all_columns,
        DomainRow,
        DomainRow::domain
    )
}

/// The domain of this name.
pub async fn domain_by_name(db: &mut Db, domain: &str) -> Result<Option<Domain>, StoreError> {
    if !can_be_stored(domain) {
        return Ok(None);
    }
    let row: Option<DomainRow> = on!(db, |conn| domains::table.find(domain).first(conn).await.optional())?;
    row.map(DomainRow::domain).transpose()
}

/// Lets a domain of an app lead to another port, `None` for the one that its processes are told to listen on; the domain
/// as it is then. None if the app has none of this name.
pub async fn domain_port_set(
    db: &mut Db,
    app: AppId,
    domain: &str,
    port: Option<u16>,
    now: DateTime<Utc>,
) -> Result<Option<Domain>, StoreError> {
    if !can_be_stored(domain) {
        return Ok(None);
    }
    let updated = UtcMicros::from(now);
    let row: Option<DomainRow> =
        on!(db, |conn| diesel::update(domains::table.find(domain).filter(domains::app.eq(app.to_string())))
            .set((domains::port.eq(port.map(i32::from)), domains::updated.eq(updated)))
            .returning(domains::all_columns)
            .get_result(conn)
            .await
            .optional())?;
    row.map(DomainRow::domain).transpose()
}

/// Removes a domain of an app; false if it has none of this name.
pub async fn domain_delete(db: &mut Db, app: AppId, domain: &str) -> Result<bool, StoreError> {
    if !can_be_stored(domain) {
        return Ok(false);
    }
    let n = on!(db, |conn| diesel::delete(domains::table.find(domain).filter(domains::app.eq(app.to_string())))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}
