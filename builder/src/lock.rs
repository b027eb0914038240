//! One push an app at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use slipway_core::AppId;

/// The apps that are being pushed to, in this process.
#[derive(Debug, Clone, Default)]
pub struct PushLocks(Arc<Mutex<HashSet<AppId>>>);

/// The right to push to an app, given back when dropped: it cannot outlive the session that holds it.
#[derive(Debug)]
pub struct PushLock {
    locks: PushLocks,
    app: AppId,
}

impl PushLocks {
    /// Takes the lock of an app; `None` while another push holds it.
    #[must_use]
    pub fn try_lock(&self, app: AppId) -> Option<PushLock> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(app);
        is_free.then(|| PushLock { locks: self.clone(), app })
    }
}

impl Drop for PushLock {
    fn drop(&mut self) {
        self.locks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.app);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_again_when_dropped() {
        let locks = PushLocks::default();
        let app = AppId::generate();
        let lock = locks.try_lock(app).unwrap();
        assert!(locks.try_lock(app).is_none());
        assert!(locks.try_lock(AppId::generate()).is_some());
        drop(lock);
        assert!(locks.try_lock(app).is_some());
    }
}
