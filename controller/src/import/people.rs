//! Accounts and their SSH keys.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use openssl::sha::sha256;
use secrecy::SecretString;
use slipway_core::key::Key;
use slipway_core::user::User;
use slipway_core::{KeyId, UserId, Username};
use slipway_service::{DjangoHash, public_key_parse};
use slipway_store::{self as store, Db};
use uuid::{Builder, Uuid};

use super::apply::Failure;
use super::report::{Kind, Report};
use super::table::{RowRef, Tables};

/// Stands for a password that nobody has; Django marks such accounts with the same sign.
const NO_PASSWORD: &str = "!";
/// The account that the old platform keeps for callers without a name.
const ANONYMOUS: &str = "AnonymousUser";
/// Longest label of a key. Source: `drycc-v2.md` §2.12.
const LABEL_MAX: usize = 128;
/// Longest e-mail address and name that are kept, in characters: more than Django holds.
const TEXT_MAX: usize = 254;

/// A user of the source who is a user here.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: Username,
    /// Whether an earlier import brought the account: what was removed here since must not come back.
    pub(crate) was_imported_before: bool,
}

/// The users of the source by their number there.
pub(crate) type People = HashMap<i64, Person>;

/// Takes over the accounts.
pub(crate) async fn users(db: &mut Db, tables: &Tables, report: &mut Report) -> Result<People, Failure> {
    report.mention(Kind::Users);
    let mut rows: Vec<RowRef<'_>> = tables.rows("auth_user").collect();
    // Numbers are given anew, in the old order.
    rows.sort_by_key(|row| row.number("id").unwrap_or(i64::MAX));
    let mut people = People::new();
    for row in rows {
        let shown = row.get("username").unwrap_or("(no name)");
        match user_read(row) {
            Err(reason) => report.refused(Kind::Users, shown, reason),
            Ok((number, read)) => {
                let name = read.user.username.clone();
                if let Some(present) = store::user_by_name(db, &name).await? {
                    let was_imported_before = present.id == read.user.id;
                    people.insert(number, Person { id: present.id, name, was_imported_before });
                    report.existing(Kind::Users);
                    continue;
                }
                store::user_restore(db, &read.user, &read.password_hash).await?;
                report.imported(Kind::Users);
                for note in read.notes {
                    report.changed(Kind::Users, shown, note);
                }
                people.insert(number, Person { id: read.user.id, name, was_imported_before: false });
            }
        }
    }
    Ok(people)
}

struct ReadUser {
    user: User,
    password_hash: SecretString,
    notes: Vec<&'static str>,
}

fn user_read(row: RowRef<'_>) -> Result<(i64, ReadUser), String> {
    let number = row.number("id")?;
    let name = row.text("username")?;
    if name == ANONYMOUS {
        return Err("the old platform's account for callers without a name".to_owned());
    }
    let username = Username::new(name).map_err(|error| format!("the name is not allowed here: {error}"))?;
    let date_joined = row.time("date_joined")?.ok_or("date_joined is NULL")?;
    let mut notes = Vec::new();
    let password_hash = password_read(row.get("password").unwrap_or_default()).unwrap_or_else(|| {
        notes
            .push("has no password that can be checked here (directory or other login): an administrator must set one");
        SecretString::from(NO_PASSWORD)
    });
    let text = |column: &str| row.get(column).unwrap_or_default().chars().take(TEXT_MAX).collect::<String>();
    let user = User {
        id: user_id(number, name, date_joined),
        number: 0,
        username,
        email: text("email"),
        first_name: text("first_name"),
        last_name: text("last_name"),
        is_superuser: row.flag("is_superuser")?.unwrap_or(false),
        is_active: row.flag("is_active")?.unwrap_or(false),
        key_generation: 0,
        last_login: row.time("last_login")?,
        date_joined,
    };
    Ok((number, ReadUser { user, password_hash, notes }))
}

/// A hash that can be checked at login.
fn password_read(hash: &str) -> Option<SecretString> {
    DjangoHash::parse(hash).map(|_| SecretString::from(hash))
}

/// An identity that is the same at every import of the same account.
fn user_id(number: i64, name: &str, joined: DateTime<Utc>) -> UserId {
    let seed = format!("slipway imported user\0{number}\0{name}\0{}", joined.timestamp_micros());
    UserId::from_uuid(uuid_from(&seed))
}

/// A UUID (version 8) made from a text.
fn uuid_from(seed: &str) -> Uuid {
    let digest = sha256(seed.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Says of tokens that they cannot come over.
pub(crate) fn tokens(tables: &Tables, report: &mut Report) {
    report.refused_all(
        Kind::Tokens,
        tables.count("authtoken_token"),
        "tokens are derived under this platform's own key: everybody logs in once more, with the old password",
    );
}

/// Takes over SSH keys.
pub(crate) async fn keys(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    report.mention(Kind::Keys);
    for row in tables.rows("api_key") {
        let shown = row.get("id").unwrap_or("(no label)");
        let (key, person) = match key_read(row, people, now) {
            Err(reason) => {
                report.refused(Kind::Keys, shown, reason);
                continue;
            }
            Ok(read) => read,
        };
        match store::key_by_fingerprint(db, &key.fingerprint).await? {
            Some(present) if present.owner == key.owner => report.existing(Kind::Keys),
            Some(_) => report.refused(Kind::Keys, shown, "the same key belongs to another user here"),
            None if person.was_imported_before => {
                report.refused(Kind::Keys, shown, "its owner was imported before, and does not have it here any more");
            }
            None if store::key_label_is_taken(db, &key.id).await? => {
                report.refused(Kind::Keys, shown, "another key has this label here");
            }
            None => {
                store::key_restore(db, &key).await?;
                report.imported(Kind::Keys);
            }
        }
    }
    Ok(())
}

fn key_read<'p>(row: RowRef<'_>, people: &'p People, now: DateTime<Utc>) -> Result<(Key, &'p Person), String> {
    let person = people.get(&row.number("owner_id")?).ok_or("its owner was not imported")?;
    let label = row.text("id")?.trim();
    if label.is_empty() || label.chars().count() > LABEL_MAX || label.chars().any(char::is_control) {
        return Err(format!("the label must have 1 to {LABEL_MAX} characters, none of them a control character"));
    }
    let parsed = public_key_parse(row.text("public")?)?;
    let created = row.time("created")?.unwrap_or(now);
    let key = Key {
        uuid: KeyId::generate(),
        id: label.to_owned(),
        owner: person.id,
        owner_name: person.name.clone(),
        public: parsed.public,
        fingerprint: parsed.fingerprint,
        created,
        updated: row.time("updated")?.unwrap_or(created),
    };
    Ok((key, person))
}
