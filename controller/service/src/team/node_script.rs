//! Scripts by which nodes join, and what they tell. Source: `team-api.md` §3.9 and §4.6.
//!
//! A script is text for anybody who has its address, for ten minutes. It holds a secret that is good for one thing: to say
//! how its node is reached.

use chrono::{DateTime, Utc};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use slipway_store as store;
use slipway_team::node::{Access, EngineTls, INSTALLER_LIFETIME, Installer, Node, NodeKind, NodeStatus, ScriptKind};
use slipway_team::{Error, Member, NodeId, Refusal, Refused, Result, Team};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::node::own_check;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// What a cluster runs, with the names in capitals to be filled in.
const KUBERNETES: &str = include_str!("node_script/kubernetes.sh");
/// What a machine with a container engine runs.
const DOCKER: &str = include_str!("node_script/docker.sh");
/// Longest path or address in a script.
const TEXT_MAX: usize = 255;

/// A script as a request wants it.
#[derive(Debug, Clone)]
pub struct ScriptGiven {
    /// What is to join.
    pub kind: NodeKind,
    /// What the script is written for.
    pub script: ScriptKind,
    /// Where a container engine keeps files.
    pub root_path: Option<String>,
    /// Whom certificates are asked for by.
    pub acme_email: Option<String>,
}

/// A script as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallView {
    /// What people run to run it.
    pub command: String,
    /// The script.
    pub script: String,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
}

/// What a script tells of its node.
#[derive(Debug, Clone)]
pub enum Joining {
    /// A cluster, by the address of its API server.
    Kubernetes {
        /// `https` address.
        server: String,
        /// Who signed its certificate, as PEM in base64.
        authority: String,
        /// The token of an account, in base64.
        token: SecretString,
    },
    /// A container engine.
    Docker {
        /// `tcp` address.
        address: String,
        /// Certificates.
        tls: EngineTls,
    },
}

fn not_active() -> Error {
    Refusal::new(Refused::Unauthorized, "installer", "There is no such script, or it is not good any more.").into()
}

impl Service {
    /// Makes a script by which a node joins. The one that is there is given again, if it is of the same kind.
    ///
    /// # Errors
    /// 400 by member; 404 `node`; 409 `id` when the node is connected; 412 `id` for the platform's own.
    pub async fn node_script_create(
        &self,
        cx: &Cx,
        member: &Member,
        id: NodeId,
        given: ScriptGiven,
    ) -> Result<InstallView> {
        let node = self.node_find(member, id).await?;
        own_check(&node)?;
        let ScriptGiven { kind, script, root_path, acme_email } = given;
        for (property, text) in [("rootPath", &root_path), ("dagentTraefik.acmeEmail", &acme_email)] {
            let is_good = |text: &String| text.len() <= TEXT_MAX && !text.chars().any(char::is_control);
            if !text.as_ref().is_none_or(is_good) {
                return Err(Error::invalid(property, format!("{property} is too long, or not one line")));
            }
        }
        if kind == NodeKind::Docker && script == ScriptKind::PowerShell {
            return Err(Error::invalid("scriptType", "container engines join by a shell script"));
        }
        if self.node_live(&node).status != NodeStatus::Unreachable {
            return Err(Error::conflict("id", "The node is connected already.").value(id.to_string()).into());
        }
        let expires = cx.now + INSTALLER_LIFETIME;
        let new = Installer { node: id, id: Uuid::new_v4(), kind, script, root_path, acme_email, expires };
        let now = cx.now;
        let installer = write!(self, |db| {
            let old = store::node_installer_live(db, id, now).await?;
            if let Some(old) = old.filter(|old| (old.kind, old.script) == (new.kind, new.script)) {
                return Ok(old);
            }
            let node = store::node_by_id(db, node.team, id).await?.ok_or_else(|| Error::not_found("node"))?;
            store::node_installer_put(db, &new).await?;
            if matches!(node.access, Access::None) {
                store::node_update(db, &Node { kind, ..node }).await?;
            }
            Ok::<_, Fail>(new)
        })?;
        self.install_view(member, &node, &installer)
    }

    /// Makes the script of a node worthless.
    ///
    /// # Errors
    /// 404 `node`; 404 `installer` when there is none.
    pub async fn node_script_delete(&self, cx: &Cx, member: &Member, id: NodeId) -> Result<()> {
        self.node_find(member, id).await?;
        let now = cx.now;
        write!(self, |db| {
            let live = store::node_installer_live(db, id, now).await?;
            store::node_installer_delete(db, id).await?;
            live.map(|_| ()).ok_or_else(|| Error::not_found("installer"))?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// The script of a node, for whoever knows its address. With a slug, of that team's.
    ///
    /// # Errors
    /// 401 without one; the same for nodes that are not there.
    pub async fn node_script_read(&self, id: NodeId, slug: Option<&str>) -> Result<String> {
        let (team, node, installer) = self.installer(id, slug).await?;
        self.script(&team, &node, &installer)
    }

    /// Takes what a script tells of its node, which joins with it.
    ///
    /// # Errors
    /// 401 unless the secret is that of the node's script; 400 when the node cannot be used.
    pub async fn node_script_join(
        &self,
        id: NodeId,
        slug: Option<&str>,
        secret: &SecretString,
        joining: Joining,
    ) -> Result<()> {
        let (_, node, installer) = self.installer(id, slug).await?;
        let own = self.installer_secret(&installer)?;
        if !bool::from(own.expose_secret().as_bytes().ct_eq(secret.expose_secret().as_bytes())) {
            return Err(not_active());
        }
        let (kind, property, access) = match joining {
            Joining::Kubernetes { server, authority, token } => {
                (NodeKind::Kubernetes, "server", Access::Kubeconfig(kubeconfig(&server, &authority, &token)?))
            }
            Joining::Docker { address, tls } => {
                (NodeKind::Docker, "address", Access::Engine { address, tls: Some(tls) })
            }
        };
        if kind != installer.kind {
            return Err(Error::invalid("type", "the script was made for another kind of node"));
        }
        self.node_joined(Node { kind, access, ..node }, property).await?;
        Ok(())
    }

    async fn installer(&self, id: NodeId, slug: Option<&str>) -> Result<(Team, Node, Installer)> {
        let mut db = self.read().await?;
        let installer = store::node_installer_live(&mut db, id, self.now()).await.stored()?.ok_or_else(not_active)?;
        let node = store::node_of_any_team(&mut db, id).await.stored()?.ok_or_else(not_active)?;
        let team = store::team_by_id(&mut db, node.team).await.stored()?.ok_or_else(not_active)?;
        if slug.is_some_and(|slug| slug != team.slug.as_str()) {
            return Err(not_active());
        }
        Ok((team, node, installer))
    }

    /// What the platform knows a script's run by.
    fn installer_secret(&self, installer: &Installer) -> Result<SecretString> {
        let key = self.config().server_key.expose_secret().as_bytes();
        let sign = || {
            let key = PKey::hmac(key)?;
            let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
            signer.update(b"node-installer:")?;
            signer.update(installer.id.as_bytes())?;
            signer.sign_to_vec()
        };
        let bytes: std::result::Result<Vec<u8>, openssl::error::ErrorStack> = sign();
        Ok(SecretString::from(hex::encode(bytes.map_err(slipway_core::Error::internal)?)))
    }

    /// A script as it is told to a member.
    pub(super) fn install_view(&self, member: &Member, node: &Node, installer: &Installer) -> Result<InstallView> {
        let url = self.script_url(&member.team, node);
        let command = match installer.script {
            // A cluster's script is always one for a shell.
            ScriptKind::PowerShell if installer.kind == NodeKind::Docker => {
                format!("Invoke-WebRequest -Uri {url} -Method GET | Select-Object -Expand Content | Invoke-Expression")
            }
            ScriptKind::Shell | ScriptKind::PowerShell => format!("curl -sSfL {url} | sh -"),
        };
        Ok(InstallView { command, script: self.script(&member.team, node, installer)?, expires: installer.expires })
    }

    fn script_url(&self, team: &Team, node: &Node) -> String {
        format!("{}/api/{}/nodes/{}/script", self.config().teams.public_url, team.slug, node.id)
    }

    fn script(&self, team: &Team, node: &Node, installer: &Installer) -> Result<String> {
        let template = match installer.kind {
            NodeKind::Kubernetes => KUBERNETES,
            NodeKind::Docker => DOCKER,
        };
        let secret = self.installer_secret(installer)?;
        let root = installer.root_path.as_deref().unwrap_or("/var/lib/slipway-node");
        Ok(template
            .replace("@JOIN_URL@", &quoted(&self.script_url(team, node).replace("/script", "/join")))
            .replace("@SECRET@", &quoted(secret.expose_secret()))
            .replace("@ROOT_PATH@", &quoted(root)))
    }
}

/// Text as one word of a shell's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What a cluster is reached by, as its own tools have it. JSON is YAML.
fn kubeconfig(server: &str, authority: &str, token: &SecretString) -> Result<SecretString> {
    use base64::Engine as _;

    let token = base64::engine::general_purpose::STANDARD
        .decode(token.expose_secret())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Error::invalid("token", "token is not text in base64"))?;
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "node",
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": "node"}}],
        "clusters": [{"name": "node", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "node", "user": {"token": token}}],
    });
    Ok(SecretString::from(config.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell_are_one_word() {
        assert_eq!(quoted("it's; $(rm) `x`"), r"'it'\''s; $(rm) `x`'");
    }

    #[test]
    fn a_kubeconfig_cannot_be_broken_out_of() {
        let made = kubeconfig("https://x\"}, \"y", "Y2E=", &SecretString::from("dG9rZW4=")).unwrap();
        let read: serde_json::Value = serde_json::from_str(made.expose_secret()).unwrap();
        assert_eq!(read["clusters"][0]["cluster"]["server"], "https://x\"}, \"y");
        assert_eq!(read["users"][0]["user"]["token"], "token");
        assert!(kubeconfig("x", "y", &SecretString::from("%")).is_err());
    }
}
