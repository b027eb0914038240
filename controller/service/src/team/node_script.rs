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
/// The same for PowerShell.
const DOCKER_POWERSHELL: &str = include_str!("node_script/docker.ps1");
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
                let url = literal(&url);
                format!(
                    "Invoke-WebRequest -UseBasicParsing -Uri {url} | Select-Object -ExpandProperty Content | Invoke-Expression"
                )
            }
            ScriptKind::Shell | ScriptKind::PowerShell => format!("curl -sSfL {url} | sh -"),
        };
        Ok(InstallView { command, script: self.script(&member.team, node, installer)?, expires: installer.expires })
    }

    fn script_url(&self, team: &Team, node: &Node) -> String {
        format!("{}/api/{}/nodes/{}/script", self.config().teams.public_url, team.slug, node.id)
    }

    fn script(&self, team: &Team, node: &Node, installer: &Installer) -> Result<String> {
        let url = format!("{}/join", self.script_url(team, node).trim_end_matches("/script"));
        let secret = self.installer_secret(installer)?;
        Ok(filled((installer.kind, installer.script), &url, secret.expose_secret(), installer.root_path.as_deref()))
    }
}

/// The script of a kind, with its values.
fn filled((kind, script): (NodeKind, ScriptKind), join_url: &str, secret: &str, root: Option<&str>) -> String {
    /// Puts a text into a script.
    type Quote = fn(&str) -> String;
    let (template, quote, root_default): (_, Quote, _) = match (kind, script) {
        (NodeKind::Kubernetes, _) => (KUBERNETES, quoted, ""),
        (NodeKind::Docker, ScriptKind::Shell) => (DOCKER, quoted, "/var/lib/slipway-node"),
        // The script finds a folder by itself.
        (NodeKind::Docker, ScriptKind::PowerShell) => (DOCKER_POWERSHELL, literal, ""),
    };
    // What users give comes last, so that nothing in it is filled in.
    template
        .replace("@JOIN_URL@", &quote(join_url))
        .replace("@SECRET@", &quote(secret))
        .replace("@ROOT_PATH@", &quote(root.unwrap_or(root_default)))
}

/// Text as an expression of `PowerShell`'s, in ASCII: what else there is would be read by one version as UTF-8 and by
/// another in the code page of the system, and typographic quotes end texts there as plain ones do.
fn literal(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii() && !c.is_ascii_control();
    let mut out = "'".to_owned();
    let mut units = [0; 2];
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            c if is_plain(c) => out.push(c),
            c => {
                let codes = c.encode_utf16(&mut units).iter().map(|unit| format!("' + [char]0x{unit:04x} + '"));
                out.extend(codes);
            }
        }
    }
    out.push('\'');
    if text.chars().all(is_plain) { out } else { format!("({out})") }
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

    /// Reads what [`literal`] wrote as `PowerShell` would: texts in any single quotes, doubled within, and characters by
    /// their code, joined by plus signs. What comes after it, too.
    fn read_literal(script: &str) -> (String, &str) {
        const QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];
        let (is_joined, mut rest) = script.strip_prefix('(').map_or((false, script), |rest| (true, rest));
        let mut units: Vec<u16> = Vec::new();
        loop {
            if let Some(code) = rest.strip_prefix("[char]0x") {
                units.push(u16::from_str_radix(&code[..4], 16).unwrap());
                rest = &code[4..];
            } else {
                let mut chars = rest.chars();
                assert!(QUOTES.contains(&chars.next().unwrap()), "{rest}");
                loop {
                    let c = chars.next().unwrap();
                    if QUOTES.contains(&c) {
                        rest = chars.as_str();
                        if !rest.starts_with(QUOTES) {
                            break;
                        }
                        chars.next();
                    }
                    units.extend(c.encode_utf16(&mut [0; 2]).iter());
                }
            }
            match rest.strip_prefix(" + ") {
                Some(more) if is_joined => rest = more,
                _ => break,
            }
        }
        if is_joined {
            rest = rest.strip_prefix(')').unwrap();
        }
        (String::from_utf16(&units).unwrap(), rest)
    }

    const HOSTILE: [&str; 8] = [
        "C:\\Program Files\\node",
        "it's; $(Remove-Item x) `n \"$env:X\" # @SECRET@ @ROOT_PATH@",
        "'+(Remove-Item x)+'",
        "\u{2019}; Remove-Item x; \u{2018}",
        "\u{201a}\u{201b}''",
        "ünïcödé \u{1f4a9} \u{92}",
        "')",
        "\t\r\n\u{7f}",
    ];

    #[test]
    fn texts_of_powershell_stay_texts() {
        assert_eq!((literal(""), literal("a b")), ("''".to_owned(), "'a b'".to_owned()));
        assert_eq!(literal("it's \u{2019}"), "('it''s ' + [char]0x2019 + '')");
        for text in HOSTILE {
            assert_eq!(read_literal(&literal(text)), (text.to_owned(), ""), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_of_powershell_stays_a_text(text in "[\\PC'\u{2018}-\u{201b}\\\\$`\"()+\u{0}-\u{20}]{0,40}") {
            let script = literal(&text);
            proptest::prop_assert!(script.is_ascii());
            proptest::prop_assert_eq!(read_literal(&script), (text, ""));
        }
    }

    /// Whether texts end, and brackets close what they open, as `PowerShell` reads a script: with `#` for comments, `'` for
    /// texts, and `"` for those with a backtick before what is not meant and `$(` before an expression.
    fn is_balanced(script: &str) -> bool {
        let mut open: Vec<char> = Vec::new();
        let mut chars = script.chars().peekable();
        let (mut before, mut is_whole) = ('\n', true);
        while let Some(c) = chars.next() {
            if open.last() == Some(&'"') {
                match c {
                    '`' => drop(chars.next()),
                    '"' => drop(open.pop()),
                    '$' if chars.next_if_eq(&'(').is_some() => open.push('('),
                    _ => {}
                }
            } else {
                match c {
                    '#' if before.is_whitespace() => while chars.next_if(|c| *c != '\n').is_some() {},
                    '\'' => is_whole &= chars.by_ref().any(|c| c == '\''),
                    '"' | '(' | '[' | '{' => open.push(c),
                    ')' | ']' | '}' => {
                        let begins = match c {
                            ')' => '(',
                            ']' => '[',
                            _ => '{',
                        };
                        if open.pop() != Some(begins) {
                            return false;
                        }
                    }
                    _ => {}
                }
            }
            before = c;
        }
        is_whole && open.is_empty()
    }

    /// Variables of `PowerShell`'s own, which cannot be set in some version or other.
    const READ_ONLY: [&str; 9] =
        ["iswindows", "islinux", "ismacos", "iscoreclr", "host", "home", "pid", "error", "true"];

    #[test]
    fn the_script_of_powershell_is_whole_whatever_it_is_filled_with() {
        for broken in ["'", "\"", "{", "( ]", "}", "\"$(\"", "'a' '"] {
            assert!(!is_balanced(broken), "{broken}");
        }
        let kind = (NodeKind::Docker, ScriptKind::PowerShell);
        for root in HOSTILE {
            let script = filled(kind, "https://x/join", "5ec2e7", Some(root));
            assert!(script.is_ascii() && is_balanced(&script), "{script}");
            let (_, after) = script.split_once("$root = ").unwrap();
            let (read, after) = read_literal(after);
            assert_eq!((read.as_str(), after.starts_with("\n    $image = ")), (root, true), "{script}");
        }
        for line in DOCKER_POWERSHELL.lines() {
            let set = line.trim_start().strip_prefix('$').and_then(|rest| rest.split_once(" = "));
            if let Some((name, _)) = set {
                assert!(!READ_ONLY.contains(&name.to_ascii_lowercase().as_str()), "{line}");
            }
        }
    }

    #[test]
    fn all_of_a_script_is_filled_in() {
        for kind in [NodeKind::Docker, NodeKind::Kubernetes] {
            for script in [ScriptKind::Shell, ScriptKind::PowerShell] {
                let script = filled((kind, script), "https://x/join", "5ec2e7", None);
                for name in ["@JOIN_URL@", "@SECRET@", "@ROOT_PATH@"] {
                    assert!(!script.contains(name), "{name}: {script}");
                }
                assert!(script.contains("'https://x/join'") && script.contains("'5ec2e7'"), "{script}");
            }
        }
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
