//! Records of running processes, by which the next start finds strays.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use slipway_core::AppId;
use uuid::Uuid;

use crate::group;
use crate::workdir::make_dir;

/// Variable that marks every process of an engine: `ENGINE/APP`. A record is written after the process exists; this
/// finds those in between, and those that left their process group.
pub(crate) const MARK: &str = "SLIPWAY_ENGINE";

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    app: String,
    pid: i32,
    group: i32,
    start: u64,
}

/// The directory of records.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    dir: PathBuf,
    engine: String,
}

/// A record on disk, removed when dropped.
#[derive(Debug)]
pub(crate) struct RecordGuard(PathBuf);

impl Drop for RecordGuard {
    fn drop(&mut self) {
        // A record that stays is harmless: the start time tells that its process is another one.
        let _ = fs::remove_file(&self.0);
    }
}

impl Records {
    /// Opens the records below `data`, and ends everything that an earlier engine on `data` left running. Blocks.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let dir = data.join("run");
        make_dir(&dir)?;
        let records = Self { dir, engine: engine_id(data)? };
        records.end_strays()?;
        Ok(records)
    }

    fn end_strays(&self) -> io::Result<()> {
        let mut ended = 0;
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let record = fs::read(&path).ok().and_then(|json| serde_json::from_slice::<Record>(&json).ok());
            if let Some(record) = record
                && group::stat(record.pid).is_some_and(|stat| stat.start == record.start)
            {
                group::signal(record.group, Signal::KILL);
                ended += 1;
            }
            fs::remove_file(&path)?;
        }
        ended += group::kill_marked(MARK, &self.engine)?;
        if ended > 0 {
            tracing::warn!(processes = ended, "ended processes that an earlier run left behind");
        }
        Ok(())
    }

    /// Value of the mark for processes of `app`.
    pub(crate) fn mark(&self, app: AppId) -> String {
        format!("{}/{app}", self.engine)
    }

    /// Value of the mark for a process of `app` that is talked to, and for what it starts.
    pub(crate) fn mark_of(&self, app: AppId, id: &str) -> String {
        format!("{}/{id}", self.mark(app))
    }

    /// Ends what is left of those with this mark. Blocks.
    pub(crate) fn end_marked(mark: &str) -> io::Result<()> {
        group::kill_marked(MARK, mark).map(drop)
    }

    /// Ends what is left of all apps, in whatever process group. Blocks.
    pub(crate) fn end_all(&self) -> io::Result<()> {
        group::kill_marked(MARK, &self.engine).map(drop)
    }

    /// Ends what is left of `app`, in whatever process group. Blocks.
    pub(crate) fn end_app(&self, app: AppId) -> io::Result<()> {
        group::kill_marked(MARK, &self.mark(app)).map(drop)
    }

    /// Records a process that leads its own group. Blocks until it is on disk.
    pub(crate) fn write(&self, app: AppId, pid: i32) -> io::Result<RecordGuard> {
        let Some(stat) = group::stat(pid) else { return Err(io::Error::other("the process is gone")) };
        let record = Record { app: app.to_string(), pid, group: pid, start: stat.start };
        let guard = RecordGuard(self.dir.join(format!("{pid}-{}.json", Uuid::new_v4().simple())));
        let mut file = File::create_new(&guard.0)?;
        file.write_all(&serde_json::to_vec(&record)?)?;
        file.sync_data()?;
        Ok(guard)
    }
}

/// The random name of the engine on `data`, made at its first start.
fn engine_id(data: &Path) -> io::Result<String> {
    let path = data.join("engine-id");
    match fs::read_to_string(&path) {
        Ok(text) if Uuid::parse_str(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = Uuid::new_v4().to_string();
            let tmp = data.join("engine-id.new");
            let mut file = File::create(&tmp)?;
            file.write_all(id.as_bytes())?;
            file.sync_all()?;
            fs::rename(&tmp, &path)?;
            File::open(data)?.sync_all()?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}
