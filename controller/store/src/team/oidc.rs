//! Log-ins at an OpenID Connect provider, and who is who there.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::UserId;
use slipway_core::user::User;

use crate::db::on;
use crate::schema::{oidc_identities, oidc_logins, proven_emails, users};
use crate::types::{Row, UtcMicros, text, to_json};
use crate::user::UserRow;
use crate::{Db, StoreError};

const TABLE: &str = "oidc_logins";
const COLUMN: &str = "sealed_secrets";

/// A log-in that is under way at a provider.
#[derive(Debug)]
pub struct OidcLogin {
    /// The SHA-256 of the cookie of the browser that began it.
    pub browser: [u8; 32],
    /// What the identity token must repeat.
    pub nonce: SecretString,
    /// What proves to the provider that the code was asked for here.
    pub verifier: SecretString,
    /// The path to go to afterwards.
    pub return_to: String,
    /// The account that is to be linked, if that is what was begun.
    pub link: Option<UserId>,
}

/// Keeps a log-in until `expires`, by the SHA-256 of its state; forgets those that are over, and the oldest beyond `most`.
pub async fn oidc_login_insert(
    db: &mut Db,
    hash: &[u8; 32],
    login: &OidcLogin,
    (now, expires): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::delete(oidc_logins::table.filter(oidc_logins::expires.le(UtcMicros::from(now))))
        .execute(conn)
        .await)?;
    let oldest: Option<UtcMicros> = on!(db, |conn| oidc_logins::table
        .order(oidc_logins::expires.desc())
        .offset(most - 1)
        .select(oidc_logins::expires)
        .first(conn)
        .await
        .optional())?;
    if let Some(oldest) = oldest {
        on!(db, |conn| diesel::delete(oidc_logins::table.filter(oidc_logins::expires.le(oldest))).execute(conn).await)?;
    }
    let plain = to_json(&[login.nonce.expose_secret(), login.verifier.expose_secret()])?;
    let sealed = db.key.seal(Row { table: TABLE, id: &name(hash) }, COLUMN, plain.as_bytes())?;
    on!(db, |conn| diesel::insert_into(oidc_logins::table)
        .values((
            oidc_logins::hash.eq(&hash[..]),
            oidc_logins::browser.eq(&login.browser[..]),
            oidc_logins::sealed_secrets.eq(&sealed),
            oidc_logins::return_to.eq(text(&login.return_to)),
            oidc_logins::user_id.eq(login.link.map(|id| id.to_string())),
            oidc_logins::expires.eq(UtcMicros::from(expires)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Takes a log-in, if it is not over. It is there once.
pub async fn oidc_login_take(
    db: &mut Db,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<OidcLogin>, StoreError> {
    type Found = (Vec<u8>, Vec<u8>, String, Option<String>, UtcMicros);
    let found: Option<Found> =
        on!(db, |conn| diesel::delete(oidc_logins::table.filter(oidc_logins::hash.eq(&hash[..])))
            .returning((
                oidc_logins::browser,
                oidc_logins::sealed_secrets,
                oidc_logins::return_to,
                oidc_logins::user_id,
                oidc_logins::expires,
            ))
            .get_result(conn)
            .await
            .optional())?;
    let Some((browser, sealed, return_to, link, expires)) = found else { return Ok(None) };
    if expires.utc() <= now {
        return Ok(None);
    }
    let id = name(hash);
    let row = Row { table: TABLE, id: &id };
    let plain = db.key.open(row, COLUMN, &sealed)?;
    let [nonce, verifier]: [String; 2] =
        serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_secrets do not parse"))?;
    Ok(Some(OidcLogin {
        browser: browser.try_into().map_err(|_| row.corrupt("browser is no SHA-256"))?,
        nonce: SecretString::from(nonce),
        verifier: SecretString::from(verifier),
        return_to,
        link: link.map(|link| row.parse("user_id", &link)).transpose()?,
    }))
}

/// The account of a subject of a provider.
pub async fn user_by_oidc_identity(db: &mut Db, issuer: &str, subject: &str) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on!(db, |conn| oidc_identities::table
        .inner_join(users::table)
        .filter(oidc_identities::issuer.eq(issuer))
        .filter(oidc_identities::subject.eq(text(subject)))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}

/// Makes a subject of a provider an account's.
pub async fn oidc_identity_insert(
    db: &mut Db,
    (issuer, subject): (&str, &str),
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(oidc_identities::table)
        .values((
            oidc_identities::issuer.eq(issuer),
            oidc_identities::subject.eq(text(subject)),
            oidc_identities::user_id.eq(user.to_string()),
            oidc_identities::created.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Notes that an account was made for the owner of an address, so that nobody else was ever let in.
pub async fn proven_email_set(db: &mut Db, user: UserId, email: &str) -> Result<(), StoreError> {
    let id = user.to_string();
    on!(db, |conn| diesel::delete(proven_emails::table.filter(proven_emails::user_id.eq(&id))).execute(conn).await)?;
    on!(db, |conn| diesel::insert_into(proven_emails::table)
        .values((proven_emails::user_id.eq(&id), proven_emails::email.eq(text(email))))
        .execute(conn)
        .await)?;
    Ok(())
}

/// The address for whose owner an account was made.
pub async fn proven_email(db: &mut Db, user: UserId) -> Result<Option<String>, StoreError> {
    Ok(on!(db, |conn| proven_emails::table
        .filter(proven_emails::user_id.eq(user.to_string()))
        .select(proven_emails::email)
        .first(conn)
        .await
        .optional())?)
}

/// A log-in's name where secrets are sealed for it.
fn name(hash: &[u8; 32]) -> String {
    openssl::base64::encode_block(hash)
}
