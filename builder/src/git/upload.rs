//! The server's side of a fetch: what is there, what the client has, and the pack between the two.
//!
//! Source: git's Documentation/gitprotocol-pack, "Fetching Data From a Server", in its first version, which every
//! client speaks. Shallow clones and partial ones are not offered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use git2::{ObjectType, Odb, OdbLookupFlags, Oid, Repository};
use tokio::sync::mpsc;

use super::command::oid;
use super::packet::{self, Packet};
use super::repository::{self, GitError};
use super::stream::{Input, StreamError};

/// Most objects that a client may ask for at once.
const WANTS_MAX: usize = 10_000;
/// Most objects that a client may say it has.
const HAVES_MAX: usize = 1_000_000;
/// Most objects in common that make the pack smaller; the first ones are the newest.
const COMMON_MAX: usize = 1000;
/// How much of a pack is handed on at once.
const BATCH: usize = 64 << 10;
/// Threads that look for deltas in one pack.
const PACK_THREADS: u32 = 2;
/// The branches that `HEAD` may stand for, the best first.
const HEADS: [&str; 2] = ["refs/heads/main", "refs/heads/master"];

/// What a repository offers to who fetches.
#[derive(Debug, Default)]
pub struct Offer {
    refs: BTreeMap<String, Oid>,
    /// What annotated tags stand for, by the names of the refs.
    peeled: BTreeMap<String, Oid>,
}

impl Offer {
    /// Reads the refs of the repository at `path`; one that is not there yet is empty.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn read(path: &Path) -> Result<Self, GitError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let refs = repository::refs(path)?;
        let view =
            Repository::open_bare(path).map_err(|source| GitError { doing: "opening the repository", source })?;
        let mut peeled = BTreeMap::new();
        for (name, id) in refs.iter().filter(|(name, _)| name.starts_with("refs/tags/")) {
            let target = view.find_tag(*id).and_then(|tag| tag.into_object().peel(ObjectType::Any));
            // What is no annotated tag stands for itself.
            if let Ok(target) = target {
                peeled.insert(name.clone(), target.id());
            }
        }
        Ok(Self { refs, peeled })
    }

    /// What the server says first: `HEAD`, every ref, and what tags stand for.
    #[must_use]
    pub fn advertisement(&self) -> Bytes {
        let head = HEADS.iter().find_map(|name| Some((*name, self.refs.get(*name)?)));
        let symref = head.map(|(name, _)| format!(" symref=HEAD:{name}")).unwrap_or_default();
        let mut capabilities = Some(format!(
            "side-band-64k ofs-delta no-progress object-format=sha1 agent=slipway/{}{symref}",
            env!("CARGO_PKG_VERSION")
        ));
        let mut out = BytesMut::new();
        let mut line = |id: Oid, name: &str| {
            let line = match capabilities.take() {
                Some(capabilities) => format!("{id} {name}\0{capabilities}\n"),
                None => format!("{id} {name}\n"),
            };
            packet::put(&mut out, line.as_bytes());
        };
        if let Some((_, id)) = head {
            line(*id, "HEAD");
        }
        for (name, id) in &self.refs {
            line(*id, name);
            if let Some(target) = self.peeled.get(name) {
                line(*target, &format!("{name}^{{}}"));
            }
        }
        if self.refs.is_empty() {
            line(Oid::ZERO_SHA1, "capabilities^{}");
        }
        out.extend_from_slice(packet::FLUSH);
        out.freeze()
    }

    fn has(&self, id: Oid) -> bool {
        self.refs.values().any(|offered| *offered == id)
    }
}

/// Why a fetch is not served; the text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum WantError {
    /// The conversation ended.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The client asks for what is not offered.
    #[error("{0}")]
    Refused(String),
}

fn odd(reason: &str) -> WantError {
    WantError::Stream(StreamError::Protocol(reason.to_owned()))
}

/// What a client asks for.
#[derive(Debug, Default)]
pub struct Wants {
    /// The objects, all of them offered; never empty.
    pub ids: BTreeSet<Oid>,
    /// Whether the pack goes into side bands.
    pub has_side_band: bool,
}

impl Wants {
    /// Reads the client's list up to its flush; `None` if it wants nothing.
    ///
    /// # Errors
    /// [`WantError`].
    pub async fn read(input: &mut Input, offer: &Offer) -> Result<Option<Self>, WantError> {
        let mut wants = Self::default();
        loop {
            let line = match input.packet().await? {
                Some(Packet::Data(line)) => line,
                Some(Packet::Flush) | None if wants.ids.is_empty() => return Ok(None),
                Some(Packet::Flush) => return Ok(Some(wants)),
                None => return Err(odd("the list of wants has no end")),
            };
            let line = packet::trimmed(&line);
            if line.starts_with(b"shallow ") || line.starts_with(b"deepen") {
                return Err(WantError::Refused("shallow clones are not supported; leave out --depth".to_owned()));
            }
            let want = line.strip_prefix(b"want ").ok_or_else(|| odd("a want was expected"))?;
            let (id, capabilities) = want.split_at_checked(40).ok_or_else(|| odd("a want needs an object id"))?;
            let id = oid(id).ok_or_else(|| odd("a want needs an object id"))?;
            if wants.ids.is_empty() {
                wants.has_side_band = capabilities.split(|byte| *byte == b' ').any(|word| word == b"side-band-64k");
            }
            if !offer.has(id) {
                return Err(WantError::Refused(format!("upload-pack: not our ref {id}")));
            }
            if wants.ids.len() == WANTS_MAX {
                return Err(odd("too many wants"));
            }
            wants.ids.insert(id);
        }
    }
}

/// What is said between the wants and the pack.
#[derive(Debug, Default)]
pub struct Haves {
    /// What both sides have.
    pub common: Vec<Oid>,
    count: usize,
}

impl Haves {
    /// Reads what the client has, up to its next flush or its end; tells what to answer, and whether it is the end.
    ///
    /// Without `multi_ack` the first object in common is acknowledged, and it is the last word.
    ///
    /// # Errors
    /// [`WantError`].
    pub async fn read(&mut self, input: &mut Input, path: &Path) -> Result<(Bytes, bool), WantError> {
        let mut said = Vec::new();
        let is_done = loop {
            match input.packet().await? {
                Some(Packet::Flush) => break false,
                Some(Packet::Data(line)) if packet::trimmed(&line) == b"done" => break true,
                Some(Packet::Data(line)) => {
                    let id = packet::trimmed(&line).strip_prefix(b"have ").and_then(oid);
                    said.push(id.ok_or_else(|| odd("a have was expected"))?);
                    self.count += 1;
                    if self.count > HAVES_MAX {
                        return Err(odd("too many haves"));
                    }
                }
                None => return Err(StreamError::Gone.into()),
            }
        };
        let was_common = !self.common.is_empty();
        let path = path.to_owned();
        let found = tokio::task::spawn_blocking(move || common(&path, said)).await;
        // An object that cannot be looked up makes the pack larger, no more.
        self.common.extend(found.ok().and_then(Result::ok).unwrap_or_default());
        self.common.truncate(COMMON_MAX);
        let mut out = BytesMut::new();
        match self.common.first() {
            Some(_) if was_common => {}
            Some(id) => packet::put(&mut out, format!("ACK {id}\n").as_bytes()),
            None => packet::put(&mut out, b"NAK\n"),
        }
        Ok((out.freeze(), is_done))
    }
}

fn common(path: &Path, ids: Vec<Oid>) -> Result<Vec<Oid>, git2::Error> {
    if ids.is_empty() {
        return Ok(ids);
    }
    let repository = Repository::open_bare(path)?;
    let odb: Odb<'_> = repository.odb()?;
    let is_commit = |id: &Oid| {
        odb.exists_ext(*id, OdbLookupFlags::NO_REFRESH)
            && odb.read_header(*id).is_ok_and(|(_, kind)| kind == ObjectType::Commit)
    };
    Ok(ids.into_iter().filter(is_commit).collect())
}

/// Writes a pack of all that `wants` name and who has `common` lacks to `chunks`, until nobody takes them.
///
/// # Errors
/// [`GitError`]; also when `is_canceled` is set meanwhile.
pub fn pack(
    path: &Path,
    wants: &BTreeSet<Oid>,
    common: &[Oid],
    chunks: &mpsc::Sender<Bytes>,
    is_canceled: &AtomicBool,
) -> Result<(), GitError> {
    let fail = |source| GitError { doing: "making a pack", source };
    let repository = Repository::open_bare(path).map_err(fail)?;
    let mut builder = repository.packbuilder().map_err(fail)?;
    builder.set_threads(PACK_THREADS);
    builder.set_progress_callback(|_, _, _| !is_canceled.load(Ordering::Relaxed)).map_err(fail)?;
    let mut walk = repository.revwalk().map_err(fail)?;
    for id in wants {
        let mut object = repository.find_object(*id, None).map_err(fail)?;
        while let Some(tag) = object.as_tag() {
            builder.insert_object(tag.id(), None).map_err(fail)?;
            object = tag.target().map_err(fail)?;
        }
        match object.kind() {
            Some(ObjectType::Commit) => walk.push(object.id()).map_err(fail)?,
            _ => builder.insert_recursive(object.id(), None).map_err(fail)?,
        }
    }
    for id in common {
        walk.hide(*id).map_err(fail)?;
    }
    builder.insert_walk(&mut walk).map_err(fail)?;
    let mut batch = BytesMut::with_capacity(BATCH);
    builder
        .foreach(|bytes| {
            batch.extend_from_slice(bytes);
            batch.len() < BATCH || chunks.blocking_send(batch.split().freeze()).is_ok()
        })
        .map_err(fail)?;
    // Nobody there to take the rest is not our fault.
    let _ = chunks.blocking_send(batch.freeze());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";

    fn offer(names: &[&str]) -> Offer {
        let id = Oid::from_str(A).unwrap();
        let refs = names.iter().map(|name| ((*name).to_owned(), id)).collect();
        Offer { refs, peeled: BTreeMap::new() }
    }

    async fn read(lines: &[&str]) -> Result<Option<Wants>, WantError> {
        let (sender, receiver) = mpsc::channel(10);
        for line in lines {
            let mut out = BytesMut::new();
            packet::put(&mut out, line.as_bytes());
            sender.try_send(if line.is_empty() { Bytes::from_static(packet::FLUSH) } else { out.freeze() }).unwrap();
        }
        drop(sender);
        let mut input = Input::new(receiver, Duration::from_secs(10));
        Wants::read(&mut input, &offer(&["refs/heads/main"])).await
    }

    #[test]
    fn head_stands_for_the_branch_that_deploys() {
        let text = |names: &[&str]| String::from_utf8_lossy(&offer(names).advertisement()).into_owned();
        assert!(text(&[]).contains("capabilities^{}\0side-band-64k"));
        assert!(!text(&["refs/heads/x"]).contains("HEAD"));
        let both = text(&["refs/heads/main", "refs/heads/master"]);
        assert!(both.contains("HEAD\0") && both.contains("symref=HEAD:refs/heads/main"), "{both}");
        assert!(text(&["refs/heads/master"]).contains("symref=HEAD:refs/heads/master\n"));
    }

    #[tokio::test]
    async fn wants_are_read() {
        let wants = read(&[&format!("want {A} ofs-delta side-band-64k\n"), &format!("want {A}\n"), ""]).await;
        let wants = wants.unwrap().unwrap();
        assert!(wants.has_side_band && wants.ids.len() == 1);
        let wants = read(&[&format!("want {A}"), ""]).await.unwrap().unwrap();
        assert!(!wants.has_side_band);
        assert!(read(&[""]).await.unwrap().is_none());
        assert!(read(&[]).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn bad_wants_are_refused() {
        let (wanted, other) = (format!("want {A}"), format!("want {}", A.replace('1', "2")));
        for (lines, words) in [
            (&["have x"][..], "a want was expected"),
            (&["want x"], "a want needs an object id"),
            (&[&wanted], "has no end"),
            (&[&wanted, "deepen 1", ""], "leave out --depth"),
            (&[&other, ""], "not our ref 2222"),
        ] {
            let error = read(lines).await.unwrap_err().to_string();
            assert!(error.contains(words), "{lines:?}: {error}");
        }
    }
}
