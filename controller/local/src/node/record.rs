//! What is kept on disk of a container of a team: all that it takes to start it again.
//!
//! Variables are among it, secrets too, as with every engine; the files are the platform's own user's alone.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use slipway_core::{AppId, VolumeId};

use crate::workdir::make_dir;

/// A directory that a container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptVolume {
    /// Its identity.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Where it is mounted; nowhere when the configuration does not have it any more. Its files stay.
    pub(crate) path: Option<String>,
}

/// A container of a team.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What the engine runs it as.
    pub(crate) app: String,
    pub(crate) team: String,
    pub(crate) prefix: String,
    pub(crate) name: String,
    /// As the deployment named it.
    pub(crate) image: String,
    /// By digest.
    pub(crate) pinned: String,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) secret_keys: Vec<String>,
    /// `cmd` for the image's own entry point, `web` for a line that takes its place.
    pub(crate) process_type: String,
    pub(crate) line: Option<String>,
    /// The command as it is told.
    pub(crate) command: String,
    pub(crate) is_routed: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) volumes: Vec<KeptVolume>,
    pub(crate) memory: Option<u64>,
    pub(crate) cpu_millis: Option<u64>,
    pub(crate) created_at: String,
    /// The start that it was made by.
    pub(crate) started_at: String,
    /// Counts everything that was wanted.
    pub(crate) generation: i64,
    /// Counts deployments.
    pub(crate) version: u32,
    pub(crate) restarts: i64,
    pub(crate) is_running: bool,
    /// Whether only its volumes are left.
    pub(crate) is_deleted: bool,
}

impl fmt::Debug for Record {
    /// Without its variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("prefix", &self.prefix).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Record {
    pub(crate) fn app(&self) -> Option<AppId> {
        self.app.parse().ok()
    }

    pub(crate) fn created_at(&self) -> DateTime<Utc> {
        self.created_at.parse().unwrap_or_default()
    }
}

/// A time as it is kept.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A volume of that name among those that there were, or a new one.
pub(crate) fn volume_id(known: &[KeptVolume], name: &str) -> String {
    let known = known.iter().find(|volume| volume.name == name).map(|volume| volume.id.clone());
    known.unwrap_or_else(|| VolumeId::generate().to_string())
}

/// The directory of all records.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// Opens the one below `data`. Blocks.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let dir = data.join("containers-of-teams");
        make_dir(&dir)?;
        Ok(Self { dir })
    }

    /// A dot is in neither name.
    fn path(&self, prefix: &str, name: &str) -> PathBuf {
        self.dir.join(format!("{prefix}.{name}.json"))
    }

    /// Blocks.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let path = self.path(&record.prefix, &record.name);
        let new = path.with_extension("json.new");
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    }

    /// Blocks.
    pub(crate) fn remove(&self, record: &Record) -> io::Result<()> {
        match fs::remove_file(self.path(&record.prefix, &record.name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// All of them, by prefix and name. What cannot be read is passed over, and told. Blocks.
    pub(crate) fn all(&self) -> io::Result<Vec<Record>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match fs::read(&path).map(|json| serde_json::from_slice::<Record>(&json)) {
                Ok(Ok(record)) => all.push(record),
                Ok(Err(error)) => tracing::warn!(path = %path.display(), %error, "a container's record is broken"),
                Err(error) => tracing::warn!(path = %path.display(), %error, "a container's record cannot be read"),
            }
        }
        all.sort_by(|one, two| (&one.prefix, &one.name).cmp(&(&two.prefix, &two.name)));
        Ok(all)
    }
}
