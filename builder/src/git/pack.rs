//! Takes a pack from the client: streams it to an indexer in quarantine, and finds its end.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use git2::Indexer;
use openssl::sha::Sha1;
use tokio::sync::mpsc;

use super::connectivity::{self, ConnectivityError};
use super::quarantine::Quarantine;
use super::repository::GitError;
use super::stream::{Input, StreamError};

/// Most objects in one pack: the indexer sets memory aside by the number that the pack's head claims.
pub const OBJECTS_MAX: u32 = 10_000_000;

const HEAD: usize = 12;
const TRAILER: usize = 20;
/// How much is handed to the indexer at once: it maps the file anew each time.
const BATCH: usize = 1 << 20;

/// Why a pack is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The conversation ended.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// It is larger than allowed.
    #[error("the pack is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It is no pack, or is damaged.
    #[error("{0}")]
    Bad(String),
    /// It does not hold all that it needs.
    #[error(transparent)]
    Incomplete(#[from] ConnectivityError),
    /// A fault of ours.
    #[error("cannot store the pack")]
    Store {
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl From<GitError> for PackError {
    fn from(error: GitError) -> Self {
        Self::Bad(error.source.message().to_owned())
    }
}

/// Reads a pack to its end and indexes it into `quarantine`, every object's links checked.
///
/// A bad pack is read to its end as well, as far as that can be told, so that the client listens to the answer.
///
/// # Errors
/// [`PackError`]; the quarantine then holds nothing of use.
pub async fn receive(input: &mut Input, quarantine: Arc<Quarantine>, limit: u64) -> Result<(), PackError> {
    let Some(head) = input.exactly(HEAD).await? else {
        return Err(PackError::Bad("the pack is missing".to_owned()));
    };
    let mut end = End::default();
    end.update(&head);
    let count = match object_count(&head) {
        Ok(0) => {
            let trailer = input.exactly(TRAILER).await?.unwrap_or_default();
            end.update(&trailer);
            return if end.is_reached() { Ok(()) } else { Err(PackError::Bad("the pack's checksum is wrong".into())) };
        }
        Ok(count) => Ok(count),
        Err(reason) => Err(PackError::Bad(reason.to_owned())),
    };
    let (sender, receiver) = mpsc::channel(64);
    let indexing = match count {
        Ok(_) => Some(tokio::task::spawn_blocking(move || index(receiver, &quarantine))),
        Err(_) => None,
    };
    let mut total = head.len() as u64;
    // An indexer that has given up takes nothing more; what the client still sends is passed over.
    let _ = sender.send(head).await;
    while let Some(chunk) = input.chunk().await? {
        total += chunk.len() as u64;
        if total > limit {
            return Err(PackError::TooLarge { limit });
        }
        end.update(&chunk);
        if indexing.is_some() {
            let _ = sender.send(chunk).await;
        }
        if end.is_reached() {
            break;
        }
    }
    drop(sender);
    count?;
    match indexing {
        Some(task) => task.await.map_err(|source| PackError::Store { source: io::Error::other(source) })?,
        None => Ok(()),
    }
}

fn object_count(mut head: &[u8]) -> Result<u32, &'static str> {
    if head.get_u32() != 0x5041_434b {
        return Err("what was sent is not a pack");
    }
    if !matches!(head.get_u32(), 2 | 3) {
        return Err("the pack's version is not supported");
    }
    match head.get_u32() {
        count if count > OBJECTS_MAX => Err("the pack claims too many objects"),
        count => Ok(count),
    }
}

/// Finds the end of a pack: its last 20 bytes are the SHA-1 of all before them.
///
/// The protocol does not tell how long a pack is, and a client may keep the connection open behind it.
#[derive(Default)]
struct End {
    before: Sha1,
    last: Vec<u8>,
}

impl End {
    fn update(&mut self, bytes: &[u8]) {
        if bytes.len() >= TRAILER {
            self.before.update(&self.last);
            self.before.update(&bytes[..bytes.len() - TRAILER]);
            self.last.clear();
            self.last.extend_from_slice(&bytes[bytes.len() - TRAILER..]);
        } else {
            self.last.extend_from_slice(bytes);
            let excess = self.last.len().saturating_sub(TRAILER);
            self.before.update(&self.last[..excess]);
            self.last.drain(..excess);
        }
    }

    fn is_reached(&self) -> bool {
        self.last.len() == TRAILER && self.before.clone().finish() == *self.last
    }
}

/// The indexer's own check of links is not used: it holds every blob in memory, hashes each object once more, searches
/// the disk anew for each, and takes the commits that submodules point at for missing ones.
fn index(mut chunks: mpsc::Receiver<Bytes>, quarantine: &Quarantine) -> Result<(), PackError> {
    let known = quarantine.known_objects()?;
    let mut indexer = Indexer::new(Some(&known), &quarantine.pack_directory(), 0, false).map_err(bad)?;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(chunk) = chunks.blocking_recv() {
        batch.clear();
        batch.extend_from_slice(&chunk);
        while batch.len() < BATCH {
            match chunks.try_recv() {
                Ok(chunk) => batch.extend_from_slice(&chunk),
                Err(_) => break,
            }
        }
        indexer.write_all(&batch).map_err(|error| PackError::Bad(plain(&error.to_string())))?;
    }
    indexer.commit().map_err(bad)?;
    Ok(connectivity::check(quarantine)?)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn bad(error: git2::Error) -> PackError {
    PackError::Bad(plain(error.message()))
}

/// A reason on one line, without paths of this machine.
fn plain(message: &str) -> String {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.find('/') {
        Some(at) => format!("{}…", line[..at].trim_end_matches(['\'', ' ', '"'])),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_pack_is_cut() {
        let mut pack = b"PACK\0\0\0\x02\0\0\0\x01 some bytes of an object, long enough for several cuts".to_vec();
        pack.extend_from_slice(&openssl::sha::sha1(&pack));
        for size in 1..pack.len() {
            let mut end = End::default();
            let mut seen = 0;
            for chunk in pack.chunks(size) {
                assert!(!end.is_reached());
                end.update(chunk);
                seen += chunk.len();
            }
            assert!(end.is_reached(), "cut at {size}");
            assert_eq!(seen, pack.len());
        }
    }

    #[test]
    fn heads_are_checked() {
        assert_eq!(object_count(b"PACK\0\0\0\x02\0\0\0\x05"), Ok(5));
        assert!(object_count(b"PUCK\0\0\0\x02\0\0\0\x05").is_err());
        assert!(object_count(b"PACK\0\0\0\x04\0\0\0\x05").is_err());
        assert!(object_count(b"PACK\0\0\0\x02\xff\xff\xff\xff").is_err());
    }
}
