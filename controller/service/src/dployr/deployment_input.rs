//! What a request says of a deployment, not yet checked, and what it makes of one that is there.

use std::collections::BTreeMap;

use serde_json::Value;
use slipway_core::config::SecretText;
use slipway_core::deployment::{DeploymentRequest, DeploymentSource, DeploymentType, PORT_DEFAULT};

/// A field of a request: absent, null, or with a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is emptied.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

impl Patch<String> {
    fn apply(self, to: &mut String) {
        match self {
            Self::Keep => {}
            Self::Clear => to.clear(),
            Self::Set(text) => text.trim().clone_into(to),
        }
    }
}

/// What a request says. Source: `dployr-v1.md` §4.1.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is that of the request")]
pub struct DeploymentInput {
    pub name: Patch<String>,
    pub description: Patch<String>,
    pub kind: Patch<String>,
    pub source: Patch<String>,
    pub runtime: Patch<String>,
    pub version: Patch<String>,
    pub remote: Patch<SecretText>,
    pub branch: Patch<String>,
    pub commit_hash: Patch<String>,
    pub build_cmd: Patch<String>,
    pub run_cmd: Patch<String>,
    pub port: Patch<i64>,
    pub working_dir: Patch<String>,
    pub static_dir: Patch<String>,
    pub image: Patch<String>,
    pub domain: Patch<String>,
    pub health_check: Patch<String>,
    pub project: Patch<String>,
    /// Values to set; null unsets.
    pub env: BTreeMap<String, Value>,
    /// As `env`, never shown.
    pub secrets: BTreeMap<String, Value>,
    pub is_rebuild_forced: bool,
}

/// A request with what is wrong with it so far.
pub(super) struct Draft {
    pub(super) request: DeploymentRequest,
    /// The address of the repository as it came, if it came.
    pub(super) remote: Option<SecretText>,
    pub(super) errors: Vec<(&'static str, String)>,
}

/// What is asked for when nothing is said.
pub(super) fn request_empty() -> DeploymentRequest {
    DeploymentRequest {
        description: String::new(),
        kind: DeploymentType::Web,
        source: DeploymentSource::Remote,
        runtime: String::new(),
        version: String::new(),
        remote: String::new(),
        branch: String::new(),
        commit_hash: String::new(),
        build_cmd: String::new(),
        run_cmd: String::new(),
        port: PORT_DEFAULT,
        working_dir: String::new(),
        static_dir: String::new(),
        image: String::new(),
        domain: String::new(),
        health_check: String::new(),
        secrets: Vec::new(),
        deploy_key: String::new(),
        is_rebuild_forced: false,
    }
}

/// What becomes of `base` by `input`.
pub(super) fn request_apply(base: DeploymentRequest, input: &DeploymentInput) -> Draft {
    let mut draft = Draft { request: base, remote: None, errors: Vec::new() };
    let request = &mut draft.request;
    let input = input.clone();
    input.description.apply(&mut request.description);
    input.runtime.apply(&mut request.runtime);
    input.version.apply(&mut request.version);
    input.branch.apply(&mut request.branch);
    input.commit_hash.apply(&mut request.commit_hash);
    input.build_cmd.apply(&mut request.build_cmd);
    input.run_cmd.apply(&mut request.run_cmd);
    input.working_dir.apply(&mut request.working_dir);
    input.static_dir.apply(&mut request.static_dir);
    input.image.apply(&mut request.image);
    input.domain.apply(&mut request.domain);
    input.health_check.apply(&mut request.health_check);
    request.is_rebuild_forced = input.is_rebuild_forced;
    match input.remote {
        Patch::Keep => {}
        Patch::Clear => request.remote.clear(),
        Patch::Set(remote) => draft.remote = Some(remote),
    }
    match input.kind {
        Patch::Keep => {}
        Patch::Clear => request.kind = DeploymentType::Web,
        Patch::Set(word) => match word.parse() {
            Ok(kind) => request.kind = kind,
            Err(_) => draft.errors.push(("type", "It is one of web, worker, static, job.".to_owned())),
        },
    }
    match input.source {
        Patch::Keep | Patch::Clear => {}
        Patch::Set(word) => match word.parse() {
            Ok(source) => request.source = source,
            Err(_) => draft.errors.push(("source", "It is either remote or image.".to_owned())),
        },
    }
    match input.port {
        Patch::Keep => {}
        Patch::Clear => request.port = PORT_DEFAULT,
        Patch::Set(port) => match u16::try_from(port) {
            Ok(port) if port > 0 => request.port = port,
            _ => draft.errors.push(("port", "It is a number from 1 to 65535.".to_owned())),
        },
    }
    for name in input.secrets.keys() {
        if !request.secrets.contains(name) {
            request.secrets.push(name.clone());
        }
    }
    // A value that is given openly is open from then on.
    request.secrets.retain(|name| !input.env.contains_key(name));
    request.secrets.sort();
    draft
}
