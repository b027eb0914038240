//! The world outside of the platform, as tests of teams want it: mail that is kept, and hosts that answer as told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::ExposeSecret;

use crate::{Mail, Mailer, WebAnswer, WebCall, WebClient, WebError};

/// Keeps mail.
#[derive(Default)]
pub struct FakeMailer {
    sent: Mutex<Vec<Mail>>,
}

impl FakeMailer {
    /// What was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Mail> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Mailer for FakeMailer {
    async fn send(&self, mail: &Mail) -> Result<(), String> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
        Ok(())
    }
}

/// A call that was made: method, address, the header `Authorization`, the body.
pub type SeenCall = (String, String, Option<String>, String);

/// Hosts that answer as told; all others cannot be reached.
#[derive(Default)]
pub struct FakeWeb {
    answers: Mutex<HashMap<String, Vec<Result<WebAnswer, WebError>>>>,
    calls: Mutex<Vec<SeenCall>>,
}

impl FakeWeb {
    /// From now on `url` (without its query) answers so; of several answers each is given once, the last for ever.
    pub fn answer(&self, url: &str, status: u16, body: &str) {
        self.answer_with(url, Ok(WebAnswer { status, authenticate: None, body: Bytes::from(body.to_owned()) }));
    }

    /// The same for any answer, or none.
    pub fn answer_with(&self, url: &str, answer: Result<WebAnswer, WebError>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.entry(url.to_owned()).or_default().push(answer);
    }

    /// What was called, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<SeenCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl WebClient for FakeWeb {
    async fn send(&self, call: WebCall) -> Result<WebAnswer, WebError> {
        let url = call.url.expose_secret().to_owned();
        let authorization = call.authorization.map(|value| value.expose_secret().to_owned());
        let body = call.body.map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
        let seen = (call.method.to_string(), url.clone(), authorization, body);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let bare = url.split('?').next().unwrap_or_default();
        match answers.get_mut(bare) {
            None => Err(WebError::Unreachable),
            Some(several) if several.len() > 1 => several.remove(0),
            Some(one) => one.first().cloned().unwrap_or(Err(WebError::Unreachable)),
        }
    }
}
