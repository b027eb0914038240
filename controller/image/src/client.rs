//! Clients of registries, kept from one question to the next.
//!
//! Whoever makes one has the machine's trust store read, which takes more CPU than all the rest of a question. A client
//! keeps the first credentials that it is given for a registry, and the tokens that it got for them: it never serves two
//! who may not see the same.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oci_client::client::Client;
use oci_client::errors::OciDistributionError;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use slipway_egress::Proxy;
use tokio::sync::Mutex;

use crate::name::Login;

/// Most clients that are kept; each holds the machine's trust store, about a MiB.
const KEPT_MAX: usize = 8;
/// How long a client is kept: the trust store may change meanwhile.
const AGE_MAX: Duration = Duration::from_mins(10);
/// Questions that a client is asked: it keeps a token for every repository.
const USES_MAX: usize = 1000;

/// Who asks, and on which way. Those who are equal share a client.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    /// The registry; `None` for any public one without credentials.
    registry: Option<String>,
    /// Whether it is asked directly, wherever it is.
    is_trusted: bool,
    /// The user, and the digest of the password.
    login: Option<(String, [u8; 32])>,
}

impl Asker {
    pub(crate) fn new(registry: &str, is_trusted: bool, login: Option<&Login>) -> Self {
        let login = login
            .map(|login| (login.username.clone(), Sha256::digest(login.password.expose_secret().as_bytes()).into()));
        let is_anybody = !is_trusted && login.is_none();
        Self { registry: (!is_anybody).then(|| registry.to_owned()), is_trusted, login }
    }
}

/// A client, with the way out that it is allowed.
pub(crate) struct Kept {
    pub(crate) client: Client,
    pub(crate) _proxy: Option<Proxy>,
}

/// The clients that are kept.
#[derive(Default)]
pub(crate) struct Clients {
    /// The one that was asked last comes last.
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    asker: Asker,
    kept: Arc<Kept>,
    made: Instant,
    uses: usize,
}

impl fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl Clients {
    /// The client of `asker`; `make` makes one when there is none.
    pub(crate) async fn get<F>(&self, asker: Asker, make: F) -> Result<Arc<Kept>, OciDistributionError>
    where
        F: AsyncFnOnce() -> Result<Kept, OciDistributionError>,
    {
        // Held while one is made, so that many who come at once make one.
        let mut entries = self.entries.lock().await;
        entries.retain(|entry| entry.made.elapsed() < AGE_MAX && entry.uses < USES_MAX);
        let mut entry = match entries.iter().position(|entry| entry.asker == asker) {
            Some(at) => entries.remove(at),
            None => Entry { asker, kept: Arc::new(make().await?), made: Instant::now(), uses: 0 },
        };
        entry.uses += 1;
        let kept = Arc::clone(&entry.kept);
        if entries.len() >= KEPT_MAX {
            entries.remove(0);
        }
        entries.push(entry);
        Ok(kept)
    }

    /// Keeps a client no more, since what its credentials or tokens are worth may be another by the next question.
    pub(crate) async fn forget(&self, kept: &Arc<Kept>) {
        self.entries.lock().await.retain(|entry| !Arc::ptr_eq(&entry.kept, kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(username: &str, password: &str) -> Login {
        Login::new(None, username, password)
    }

    async fn get(clients: &Clients, asker: Asker) -> (Arc<Kept>, bool) {
        let mut is_new = false;
        let made = clients.get(asker, async || {
            is_new = true;
            Ok(Kept { client: Client::default(), _proxy: None })
        });
        (made.await.unwrap(), is_new)
    }

    #[tokio::test]
    async fn only_equals_share_a_client() {
        let clients = Clients::default();
        let all = [
            Asker::new("a.example", false, None),
            Asker::new("a.example", true, None),
            Asker::new("b.example", true, None),
            Asker::new("a.example", false, Some(&login("bob", "one"))),
            Asker::new("a.example", false, Some(&login("bob", "two"))),
            Asker::new("a.example", false, Some(&login("eve", "one"))),
            Asker::new("b.example", false, Some(&login("bob", "one"))),
        ];
        for is_new in [true, false] {
            for asker in &all {
                assert_eq!(get(&clients, asker.clone()).await.1, is_new);
            }
        }
        // Without credentials all public registries are the same.
        assert!(!get(&clients, Asker::new("c.example", false, None)).await.1);
    }

    #[tokio::test]
    async fn clients_are_few_and_not_for_ever() {
        let clients = Clients::default();
        let asker = |number: usize| Asker::new(&format!("{number}.example"), true, None);
        for number in 0..=KEPT_MAX {
            get(&clients, asker(number)).await;
            get(&clients, asker(1)).await;
        }
        assert_eq!(clients.entries.lock().await.len(), KEPT_MAX);
        assert!(!get(&clients, asker(1)).await.1, "it was asked again and again");
        let (first, is_new) = get(&clients, asker(0)).await;
        assert!(is_new, "it was asked longest ago");
        clients.forget(&first).await;
        assert!(get(&clients, asker(0)).await.1);
        let mut new = 0;
        for _ in 0..=USES_MAX {
            new += usize::from(get(&clients, asker(99)).await.1);
        }
        assert_eq!(new, 2);
    }
}
