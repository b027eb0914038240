//! One app: a supervisor that compares what is wanted with what runs, and its members, one process each.

pub(crate) mod health;
pub(crate) mod member;
pub(crate) mod release;
pub(crate) mod status;
pub(crate) mod supervisor;

use std::path::PathBuf;

use slipway_core::AppId;
use tokio::sync::broadcast;

use crate::config::LocalConfig;
use crate::image::Images;
use crate::journal::Journals;
use crate::port::Ports;
use crate::record::Records;
use crate::registry::Registry;
use crate::usage::Usage;
use crate::volume::Volumes;
use std::sync::Arc;

/// What all apps of an engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: LocalConfig,
    pub(crate) records: Records,
    pub(crate) ports: Ports,
    pub(crate) journals: Arc<Journals>,
    pub(crate) registry: Registry,
    pub(crate) usage: Arc<Usage>,
    /// Images and what runs them.
    pub(crate) images: Images,
    pub(crate) volumes: Volumes,
    pub(crate) http: reqwest::Client,
    pub(crate) changes: broadcast::Sender<AppId>,
}

impl Shared {
    /// Where copies of the app's slugs are.
    pub(crate) fn app_dir(&self, app: AppId) -> PathBuf {
        self.config.data.join("apps").join(app.to_string())
    }
}

/// A short random name that nobody has to type: five lower-case letters and digits.
pub(crate) fn suffix() -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = uuid::Uuid::new_v4();
    random.as_bytes().iter().take(5).map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
}
