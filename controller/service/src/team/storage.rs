//! Storages of teams. Source: `team-api.md` §3.14 and §4.11.

use secrecy::{ExposeSecret, SecretString};
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::audit::MASK;
use slipway_team::storage::Storage;
use slipway_team::{Error, Member, Result, Stamp, StorageId};

use super::registry::about_check;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Longest address or key, in characters.
const TEXT_MAX: usize = 2048;

/// A storage as a request has it.
#[derive(Debug, Clone)]
pub struct StorageGiven {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// Where it is.
    pub url: String,
    /// The public half of the key.
    pub access_key: Option<String>,
    /// The secret half; nothing, or what stands for a secret in answers, leaves it as it is.
    pub secret_key: Option<SecretString>,
}

/// A storage, and whether it is used.
#[derive(Debug, Clone)]
pub struct StorageView {
    /// The storage.
    pub storage: Storage,
    /// Whether the configuration of an image or an instance names it.
    pub is_in_use: bool,
}

impl StorageGiven {
    fn check(&self) -> Result<()> {
        about_check(&self.name, self.description.as_deref(), self.icon.as_deref())?;
        let text = |property: &str, text: Option<&str>| {
            let is_good = text.is_none_or(|text| {
                text.chars().count() <= TEXT_MAX && !text.chars().any(|c| c.is_control() || c.is_whitespace())
            });
            if is_good {
                Ok(())
            } else {
                Err(Error::invalid(property, format!("{property} holds blanks, or is too long")))
            }
        };
        text("accessKey", self.access_key.as_deref())?;
        text("secretKey", self.secret_key.as_ref().map(ExposeSecret::expose_secret))?;
        if !is_endpoint(&self.url) {
            return Err(Error::invalid("url", "url must be a host or an http or https URL"));
        }
        Ok(())
    }

    /// The secret that is to be kept.
    fn secret(&self, old: Option<&Storage>) -> Option<SecretString> {
        let given = self.secret_key.as_ref().filter(|key| !key.expose_secret().is_empty());
        match given {
            Some(key) if key.expose_secret() != MASK => Some(key.clone()),
            // Only for the same place and the same key, so that nobody can have it sent to another.
            _ => old
                .filter(|old| old.url == self.url && (self.access_key.is_none() || old.access_key == self.access_key))
                .and_then(|old| old.secret_key.clone()),
        }
    }
}

/// Whether text is the address of a storage, with or without scheme.
fn is_endpoint(text: &str) -> bool {
    if text.chars().count() > TEXT_MAX || text.is_empty() {
        return false;
    }
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    url::Url::parse(&whole).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn name_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::StorageName } => Error::taken("name").into(),
        other => other.into(),
    }
}

async fn name_free(db: &mut store::Db, storage: &Storage) -> std::result::Result<(), Fail> {
    let others = store::storages_list(db, storage.team).await?;
    if others.iter().any(|other| other.name == storage.name && other.id != storage.id) {
        return Err(Error::taken("name").into());
    }
    Ok(())
}

impl Service {
    /// The storages of the member's team, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn storages_list(&self, member: &Member) -> Result<Vec<Storage>> {
        Ok(store::storages_list(&mut self.read().await?, member.team.id).await.stored()?)
    }

    /// A storage of the member's team.
    ///
    /// # Errors
    /// 404 `storage`.
    pub async fn storage_get(&self, member: &Member, id: StorageId) -> Result<StorageView> {
        let mut db = self.read().await?;
        let storage = store::storage_by_id(&mut db, member.team.id, id).await.stored()?;
        let storage = storage.ok_or_else(|| Error::not_found("storage"))?;
        let is_in_use = store::storages_in_use(&mut db, &[id]).await.stored()?.contains(&id);
        Ok(StorageView { storage, is_in_use })
    }

    /// Adds a storage.
    ///
    /// # Errors
    /// 400 by member; 409 `name`.
    pub async fn storage_create(&self, cx: &Cx, member: &Member, given: StorageGiven) -> Result<StorageView> {
        given.check()?;
        let secret_key = given.secret(None);
        let StorageGiven { name, description, icon, url, access_key, secret_key: _ } = given;
        let storage = Storage {
            id: StorageId::generate(),
            team: member.team.id,
            name,
            description,
            icon,
            url,
            access_key: access_key.filter(|key| !key.is_empty()),
            secret_key,
            stamp: Stamp::new(member.user, cx.now),
        };
        write!(self, |db| {
            name_free(db, &storage).await?;
            store::storage_insert(db, &storage).await.map_err(name_taken)?;
            Ok::<_, Fail>(())
        })?;
        Ok(StorageView { storage, is_in_use: false })
    }

    /// Replaces a storage. Keys that are missing stay as they are.
    ///
    /// # Errors
    /// As [`Service::storage_create`]; 404 `storage`.
    pub async fn storage_update(&self, cx: &Cx, member: &Member, id: StorageId, given: StorageGiven) -> Result<()> {
        let StorageView { storage: old, .. } = self.storage_get(member, id).await?;
        given.check()?;
        let secret_key = given.secret(Some(&old));
        let StorageGiven { name, description, icon, url, access_key, secret_key: _ } = given;
        let storage = Storage {
            name,
            description,
            icon,
            url,
            access_key: access_key.or(old.access_key).filter(|key| !key.is_empty()),
            secret_key,
            stamp: Stamp { updated: cx.now, updated_by: member.user, ..old.stamp },
            ..old
        };
        write!(self, |db| {
            name_free(db, &storage).await?;
            if !store::storage_update(db, &storage).await.map_err(name_taken)? {
                return Err(Error::not_found("storage").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes a storage that no configuration names.
    ///
    /// # Errors
    /// 404 `storage`; 412 `id` while it is used.
    pub async fn storage_delete(&self, member: &Member, id: StorageId) -> Result<()> {
        let team = member.team.id;
        write!(self, |db| {
            if store::storage_by_id(db, team, id).await?.is_none() {
                return Err(Error::not_found("storage").into());
            }
            if store::storages_in_use(db, &[id]).await?.contains(&id) {
                let refusal = Error::precondition("id", "Configurations of containers use the storage.");
                return Err(refusal.value(id.to_string()).into());
            }
            store::storage_delete(db, team, id).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_hosts_or_urls() {
        for good in ["s3.example.com", "localhost:9000", "https://s3.example.com/path", "http://10.0.0.1:9000"] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in ["", "ftp://x", "https://", "a b", "https://user:secret@x", "javascript:alert(1)"] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
