//! Nodes of teams.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use slipway_team::node::{Access, EngineTls, Node, NodeKeys, NodeKind};
use slipway_team::{NodeId, Stamp, TeamId};

use super::stamp;
use crate::db::on;
use crate::schema::{deployments, nodes, teams};
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, StoreError};

const TABLE: &str = "nodes";
const ACCESS: &str = "sealed_access";
const SECRET_KEY: &str = "sealed_secret_key";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = nodes, treat_none_as_null = true)]
struct NodeRow {
    id: String,
    team: String,
    name: String,
    description: Option<String>,
    icon: Option<String>,
    kind: String,
    access: String,
    sealed_access: Option<Vec<u8>>,
    public_key: Option<String>,
    sealed_secret_key: Option<Vec<u8>>,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

/// How a node is reached, in a word, and what of it is secret.
fn access_write(access: &Access) -> Result<(&'static str, Option<String>), StoreError> {
    Ok(match access {
        Access::None => ("none", None),
        Access::Platform => ("platform", None),
        Access::Kubeconfig(config) => ("kubeconfig", Some(config.expose_secret().to_owned())),
        Access::Engine { address, tls } => {
            let parts =
                |tls: &EngineTls| (tls.authority.clone(), tls.certificate.clone(), tls.key.expose_secret().to_owned());
            let tls = tls.as_ref().map(parts);
            ("engine", Some(to_json(&(address, tls))?))
        }
    })
}

fn access_read(row: Row<'_>, access: &str, secret: Option<String>) -> Result<Access, StoreError> {
    match (access, secret) {
        ("none", None) => Ok(Access::None),
        ("platform", None) => Ok(Access::Platform),
        ("kubeconfig", Some(config)) => Ok(Access::Kubeconfig(SecretString::from(config))),
        ("engine", Some(json)) => {
            let (address, tls): (String, Option<(String, String, String)>) = row.json(ACCESS, &json)?;
            let tls = tls.map(|(authority, certificate, key)| EngineTls { authority, certificate, key: key.into() });
            Ok(Access::Engine { address, tls })
        }
        _ => Err(row.corrupt("access does not parse")),
    }
}

impl NodeRow {
    fn new(db: &Db, node: &Node) -> Result<Self, StoreError> {
        let Node { id, team, name, description, icon, kind, access, keys, stamp } = node;
        let id = id.to_string();
        let row = Row { table: TABLE, id: &id };
        let (access, secret) = access_write(access)?;
        let seal = |column: &str, plain: &str| db.key.seal(row, column, plain.as_bytes());
        let secret_key = keys.as_ref().map(|keys| seal(SECRET_KEY, keys.secret.expose_secret())).transpose()?;
        Ok(Self {
            sealed_access: secret.map(|secret| seal(ACCESS, &secret)).transpose()?,
            sealed_secret_key: secret_key,
            team: team.to_string(),
            name: text(name),
            description: description.as_deref().map(text),
            icon: icon.as_deref().map(text),
            kind: kind.as_str().to_owned(),
            access: access.to_owned(),
            public_key: keys.as_ref().map(|keys| keys.public.clone()),
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
            id,
        })
    }

    fn node(self, db: &Db) -> Result<Node, StoreError> {
        let row = Row { table: TABLE, id: &self.id };
        let open = |column: &str, sealed: Vec<u8>| -> Result<String, StoreError> {
            let plain = db.key.open(row, column, &sealed)?;
            String::from_utf8(plain).map_err(|_| row.corrupt(format_args!("{column} is not text")))
        };
        let secret = self.sealed_access.map(|sealed| open(ACCESS, sealed)).transpose()?;
        let keys = match (self.public_key, self.sealed_secret_key) {
            (Some(public), Some(sealed)) => {
                Some(NodeKeys { public, secret: SecretString::from(open(SECRET_KEY, sealed)?) })
            }
            (None, None) => None,
            _ => return Err(row.corrupt("half a pair of keys")),
        };
        Ok(Node {
            id: row.parse("id", &self.id)?,
            team: row.parse("team", &self.team)?,
            kind: NodeKind::parse(&self.kind).ok_or_else(|| row.corrupt("kind does not parse"))?,
            access: access_read(row, &self.access, secret)?,
            keys,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
            description: self.description,
            icon: self.icon,
        })
    }
}

/// Adds a node; `Conflict` on its name.
pub async fn node_insert(db: &mut Db, node: &Node) -> Result<(), StoreError> {
    let row = NodeRow::new(db, node)?;
    on!(db, |conn| diesel::insert_into(nodes::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of a node but its identity and its team; `Conflict` on its name. False if its team has it no more.
pub async fn node_update(db: &mut Db, node: &Node) -> Result<bool, StoreError> {
    let row = NodeRow::new(db, node)?;
    let n = on!(db, |conn| diesel::update(
        nodes::table.filter(nodes::id.eq(node.id.to_string())).filter(nodes::team.eq(node.team.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Removes a node; `Reference` while a deployment is on it, false if the team has none of this identity.
pub async fn node_delete(db: &mut Db, team: TeamId, id: NodeId) -> Result<bool, StoreError> {
    if node_by_id(db, team, id).await?.is_none() {
        return Ok(false);
    }
    if node_is_used(db, id).await? {
        return Err(StoreError::Reference);
    }
    let n = on!(db, |conn| diesel::delete(
        nodes::table.filter(nodes::id.eq(id.to_string())).filter(nodes::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A node of the team.
pub async fn node_by_id(db: &mut Db, team: TeamId, id: NodeId) -> Result<Option<Node>, StoreError> {
    let row: Option<NodeRow> = on!(db, |conn| nodes::table
        .filter(nodes::id.eq(id.to_string()))
        .filter(nodes::team.eq(team.to_string()))
        .select(NodeRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.node(db)).transpose()
}

/// The team's nodes, oldest first. Index: `nodes_team_name_key`.
pub async fn nodes_list(db: &mut Db, team: TeamId) -> Result<Vec<Node>, StoreError> {
    let rows: Vec<NodeRow> = on!(db, |conn| nodes::table
        .filter(nodes::team.eq(team.to_string()))
        .order((nodes::created, nodes::id))
        .select(NodeRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.node(db)).collect()
}

/// The nodes of all teams that have a way of their own to be reached by, neither the platform's nor none.
pub async fn nodes_joined(db: &mut Db) -> Result<Vec<Node>, StoreError> {
    let rows: Vec<NodeRow> = on!(db, |conn| nodes::table
        .filter(nodes::access.eq_any(["kubeconfig", "engine"]))
        .order((nodes::created, nodes::id))
        .select(NodeRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.node(db)).collect()
}

/// Whether a deployment is on the node. Index: `deployments_node`.
pub async fn node_is_used(db: &mut Db, id: NodeId) -> Result<bool, StoreError> {
    let found: Option<String> = on!(db, |conn| deployments::table
        .filter(deployments::node.eq(id.to_string()))
        .select(deployments::id)
        .first(conn)
        .await
        .optional())?;
    Ok(found.is_some())
}

/// Teams that lack the platform's own node, with when and by whom they were made.
pub async fn teams_without_platform_node(db: &mut Db) -> Result<Vec<(TeamId, Stamp)>, StoreError> {
    let own = nodes::table.filter(nodes::access.eq("platform")).select(nodes::team);
    let rows: Vec<(String, UtcMicros, String)> = on!(db, |conn| teams::table
        .filter(teams::id.ne_all(own))
        .order((teams::created, teams::id))
        .select((teams::id, teams::created, teams::created_by))
        .load(conn)
        .await)?;
    let one = |(id, created, by): (String, UtcMicros, String)| {
        let row = Row { table: "teams", id: &id };
        Ok((row.parse("id", &id)?, stamp(row, (created, &by), (created, &by))?))
    };
    rows.into_iter().map(one).collect()
}

/// Says what the platform's own nodes are: an installation may have moved to a cluster.
pub async fn platform_nodes_kind_set(db: &mut Db, kind: &str) -> Result<(), StoreError> {
    let other = nodes::table.filter(nodes::access.eq("platform")).filter(nodes::kind.ne(kind));
    on!(db, |conn| diesel::update(other).set(nodes::kind.eq(kind)).execute(conn).await)?;
    Ok(())
}

/// A node, whichever team's: for calls that show by other means that they may.
pub async fn node_of_any_team(db: &mut Db, id: NodeId) -> Result<Option<Node>, StoreError> {
    let row: Option<NodeRow> = on!(db, |conn| nodes::table
        .filter(nodes::id.eq(id.to_string()))
        .select(NodeRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.node(db)).transpose()
}
