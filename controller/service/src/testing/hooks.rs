//! Whoever deploy hooks call.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::{HookCall, HookSender};

/// Takes the calls of deploy hooks and answers as it was told to: 200 unless something else is scripted.
#[derive(Debug, Default)]
pub struct FakeHooks {
    calls: Mutex<Vec<HookCall>>,
    answers: Mutex<VecDeque<Result<u16, String>>>,
}

impl FakeHooks {
    /// The answers to the next calls.
    pub fn script(&self, answers: impl IntoIterator<Item = Result<u16, String>>) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<HookCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl HookSender for FakeHooks {
    async fn send(&self, call: &HookCall) -> Result<u16, String> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Ok(200))
    }
}
