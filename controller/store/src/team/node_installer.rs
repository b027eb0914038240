//! Scripts by which nodes join.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::NodeId;
use slipway_team::node::{Installer, NodeKind, ScriptKind};

use crate::db::on;
use crate::schema::node_installers;
use crate::types::{Row, UtcMicros, text};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = node_installers)]
struct InstallerRow {
    node: String,
    id: String,
    kind: String,
    script_kind: String,
    root_path: Option<String>,
    acme_email: Option<String>,
    expires: UtcMicros,
}

impl InstallerRow {
    fn installer(self) -> Result<Installer, StoreError> {
        let row = Row { table: "node_installers", id: &self.node };
        Ok(Installer {
            node: row.parse("node", &self.node)?,
            id: self.id.parse().map_err(|_| row.corrupt("id does not parse"))?,
            kind: NodeKind::parse(&self.kind).ok_or_else(|| row.corrupt("kind does not parse"))?,
            script: self.script_kind.parse::<ScriptKind>().map_err(|_| row.corrupt("script_kind does not parse"))?,
            root_path: self.root_path,
            acme_email: self.acme_email,
            expires: self.expires.utc(),
        })
    }
}

/// Makes this the script of its node.
pub async fn node_installer_put(db: &mut Db, installer: &Installer) -> Result<(), StoreError> {
    let Installer { node, id, kind, script, root_path, acme_email, expires } = installer;
    node_installer_delete(db, *node).await?;
    let row = InstallerRow {
        node: node.to_string(),
        id: id.to_string(),
        kind: kind.as_str().to_owned(),
        script_kind: script.as_str().to_owned(),
        root_path: root_path.as_deref().map(text),
        acme_email: acme_email.as_deref().map(text),
        expires: (*expires).into(),
    };
    on!(db, |conn| diesel::insert_into(node_installers::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Removes the script of a node; false if there is none.
pub async fn node_installer_delete(db: &mut Db, node: NodeId) -> Result<bool, StoreError> {
    let own = node_installers::table.filter(node_installers::node.eq(node.to_string()));
    let n = on!(db, |conn| diesel::delete(own).execute(conn).await)?;
    Ok(n > 0)
}

/// The script of a node, if it is good at this time.
pub async fn node_installer_live(
    db: &mut Db,
    node: NodeId,
    now: DateTime<Utc>,
) -> Result<Option<Installer>, StoreError> {
    let row: Option<InstallerRow> = on!(db, |conn| node_installers::table
        .filter(node_installers::node.eq(node.to_string()))
        .filter(node_installers::expires.gt(UtcMicros::from(now)))
        .select(InstallerRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(InstallerRow::installer).transpose()
}
