//! SSH public keys. Source: `drycc-v2.md` §2.12.

use serde_json::{Value, json};
use slipway_core::error::{FieldError, Kind};
use slipway_core::key::Key;
use slipway_core::{Error, Result};
use slipway_store as store;

use crate::audit::{Subject, event};
use crate::public_key::public_key_parse;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Page, PageQuery, Service};

/// Longest label of a key, in characters.
const LABEL_MAX: usize = 128;

impl Service {
    /// Adds a key of the caller.
    ///
    /// # Errors
    /// `Invalid` under `id` or `public`.
    pub async fn key_create(&self, cx: &Cx, id: &str, public: &str) -> Result<Key> {
        let (owner, _, _) = cx.user()?;
        let id = id.trim();
        let mut fields = Vec::new();
        if let Err(message) = label_check(id) {
            fields.push(FieldError { field: "id".to_owned(), messages: vec![message] });
        }
        let parsed = match public_key_parse(public) {
            Ok(parsed) => Some(parsed),
            Err(message) => {
                fields.push(FieldError { field: "public".to_owned(), messages: vec![message] });
                None
            }
        };
        let Some(parsed) = parsed.filter(|_| fields.is_empty()) else { return Err(Error::Invalid(fields)) };
        let new = store::NewKey {
            id: id.to_owned(),
            owner,
            public: parsed.public,
            fingerprint: parsed.fingerprint,
            created: cx.now,
        };
        let key = write!(self, |db| {
            // Asked for, because of two collisions each database tells another one.
            let mut taken = Vec::new();
            if store::key_id_exists(db, &new.id).await? {
                taken.push(("id", "SSH Key with this id already exists."));
            }
            if store::key_by_fingerprint(db, &new.fingerprint).await?.is_some() {
                taken.push(("public", "Public Key is already in use"));
            }
            if !taken.is_empty() {
                let field = |(field, message): (&str, &str)| FieldError {
                    field: field.to_owned(),
                    messages: vec![message.to_owned()],
                };
                return Err(Error::Invalid(taken.into_iter().map(field).collect()).into());
            }
            let key = store::key_insert(db, &new).await?;
            let after = json!({"fingerprint": key.fingerprint});
            store::event_insert(db, &event(cx, "create", subject(&key), Value::Null, after)).await?;
            Ok::<_, Fail>(key)
        })?;
        Ok(key)
    }

    /// The caller's keys.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn keys_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<Key>> {
        let (owner, _, _) = cx.user()?;
        store::keys_list(&mut self.read().await?, owner, page.into()).await.stored().map(Page::from)
    }

    /// A key of the caller by its label.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn key_get(&self, cx: &Cx, id: &str) -> Result<Key> {
        let (owner, _, _) = cx.user()?;
        let key = store::key_by_id(&mut self.read().await?, owner, id.trim()).await.stored()?;
        key.ok_or_else(|| Error::not_found(Kind::Key))
    }

    /// Removes a key of the caller.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn key_delete(&self, cx: &Cx, id: &str) -> Result<()> {
        let key = self.key_get(cx, id).await?;
        write!(self, |db| {
            if !store::key_delete(db, key.owner, &key.id).await? {
                return Err(Error::not_found(Kind::Key).into());
            }
            let before = json!({"fingerprint": key.fingerprint});
            store::event_insert(db, &event(cx, "delete", subject(&key), before, Value::Null)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

fn subject(key: &Key) -> Subject<'static> {
    Subject { kind: "key", id: key.uuid.to_string(), name: key.id.clone() }
}

fn label_check(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if id.chars().count() > LABEL_MAX {
        return Err(format!("Ensure this field has no more than {LABEL_MAX} characters."));
    }
    if id.chars().any(char::is_control) {
        return Err("Control characters are not allowed.".to_owned());
    }
    Ok(())
}
