//! Users.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use slipway_core::user::User;
use slipway_core::{UserId, Username};

use crate::db::{on, paged};
use crate::schema::users;
use crate::types::{Row, UtcMicros, can_be_stored, count, text};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::ExposeSecret;

diesel::define_sql_function! {
    /// A text in lower-case letters; those beyond ASCII as the database likes.
    #[sql_name = "lower"]
    fn lower_case(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// A row of `users` but for the hashes.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    number: i64,
    id: String,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    is_superuser: bool,
    is_active: bool,
    key_generation: i64,
    last_login: Option<UtcMicros>,
    date_joined: UtcMicros,
}

impl UserRow {
    pub(crate) fn user(self) -> Result<User, StoreError> {
        let row = Row { table: "users", id: &self.id };
        Ok(User {
            id: row.parse("id", &self.id)?,
            number: self.number,
            username: row.parse("username", &self.username)?,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            is_superuser: self.is_superuser,
            is_active: self.is_active,
            key_generation: self.key_generation,
            last_login: self.last_login.map(UtcMicros::utc),
            date_joined: self.date_joined.utc(),
        })
    }
}

async fn insert(db: &mut Db, new: &NewUser, is_superuser: bool) -> Result<User, StoreError> {
    let row: UserRow = on!(db, |conn| diesel::insert_into(users::table)
        .values((
            users::id.eq(UserId::generate().to_string()),
            users::username.eq(new.username.as_str()),
            users::email.eq(text(&new.email)),
            users::first_name.eq(text(&new.first_name)),
            users::last_name.eq(text(&new.last_name)),
            users::password_hash.eq(new.password_hash.expose_secret()),
            users::is_superuser.eq(is_superuser),
            users::is_active.eq(true),
            users::key_generation.eq(0_i64),
            users::date_joined.eq(UtcMicros::from(new.date_joined)),
        ))
        .returning(UserRow::as_returning())
        .get_result(conn)
        .await)?;
    row.user()
}

/// What is needed to add a user.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name to log in with; unique.
    pub username: Username,
    /// E-mail address, possibly empty.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name, possibly empty.
    pub last_name: String,
    /// The hash of the password, as a PHC string.
    pub password_hash: SecretString,
    /// Whether the user is an administrator.
    pub is_superuser: bool,
    /// When the user registered.
    pub date_joined: DateTime<Utc>,
}

/// Adds a user.
pub async fn user_insert(db: &mut Db, new: &NewUser) -> Result<User, StoreError> {
    insert(db, new, new.is_superuser).await
}

/// Adds a user, as an administrator if there is no user yet, whatever `new` says.
pub async fn user_insert_first_admin(db: &mut Db, new: &NewUser) -> Result<User, StoreError> {
    // Writers come one at a time: nobody can register between the question and the answer.
    let is_first = user_count(db).await? == 0;
    insert(db, new, is_first || new.is_superuser).await
}

/// The user of this name.
pub async fn user_by_name(db: &mut Db, name: &Username) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on!(db, |conn| users::table
        .filter(users::username.eq(name.as_str()))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}

/// The user of this name and the hash of the password.
pub async fn user_credentials(db: &mut Db, name: &Username) -> Result<Option<(User, SecretString)>, StoreError> {
    let row: Option<(UserRow, String)> = on!(db, |conn| users::table
        .filter(users::username.eq(name.as_str()))
        .select((UserRow::as_select(), users::password_hash))
        .first(conn)
        .await
        .optional())?;
    row.map(|(row, hash)| Ok((row.user()?, SecretString::from(hash)))).transpose()
}

/// The active users with this e-mail address, letters compared without their case, and the hashes of their passwords;
/// the oldest first, at most `limit`. Index: `users_email`.
pub async fn users_credentials_by_email(
    db: &mut Db,
    email: &str,
    limit: u32,
) -> Result<Vec<(User, SecretString)>, StoreError> {
    if !can_be_stored(email) {
        return Ok(Vec::new());
    }
    let rows: Vec<(UserRow, String)> = on!(db, |conn| users::table
        .filter(lower_case(users::email).eq(email.to_ascii_lowercase()))
        .filter(users::is_active)
        .order(users::number)
        .limit(i64::from(limit))
        .select((UserRow::as_select(), users::password_hash))
        .load(conn)
        .await)?;
    rows.into_iter().map(|(row, hash)| Ok((row.user()?, SecretString::from(hash)))).collect()
}

/// The hash of the password of this user.
pub async fn user_password_hash(db: &mut Db, id: UserId) -> Result<Option<SecretString>, StoreError> {
    let hash: Option<String> = on!(db, |conn| users::table
        .filter(users::id.eq(id.to_string()))
        .select(users::password_hash)
        .first(conn)
        .await
        .optional())?;
    Ok(hash.map(SecretString::from))
}

/// The user of this identity.
pub async fn user_by_id(db: &mut Db, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on!(db, |conn| users::table
        .filter(users::id.eq(id.to_string()))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}

/// The user whose token has this SHA-256. Index: `users_key_hash_key`.
pub async fn user_by_token_hash(db: &mut Db, hash: &[u8; 32]) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on!(db, |conn| users::table
        .filter(users::key_hash.eq(&hash[..]))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}

/// All users in the order in which they registered. Source: `drycc-v2.md` §1.7.
pub async fn users_list(db: &mut Db, page: Page) -> Result<Paged<User>, StoreError> {
    paged!(db, page, users::table, users::number, UserRow::as_select(), UserRow, UserRow::user)
}

/// How many users there are.
pub async fn user_count(db: &mut Db) -> Result<u64, StoreError> {
    let total: i64 = on!(db, |conn| users::table.count().get_result(conn).await)?;
    Ok(count(total))
}

/// Sets the hash of the password; false if there is no such user.
pub async fn user_update_password(db: &mut Db, id: UserId, password_hash: &SecretString) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(users::table.filter(users::id.eq(id.to_string())))
        .set(users::password_hash.eq(password_hash.expose_secret()))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Makes the user an administrator or takes that away; false if there is no such user.
pub async fn user_set_superuser(db: &mut Db, id: UserId, is_superuser: bool) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(users::table.filter(users::id.eq(id.to_string())))
        .set(users::is_superuser.eq(is_superuser))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Lets the user log in or not; false if there is no such user.
pub async fn user_set_active(db: &mut Db, id: UserId, is_active: bool) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(users::table.filter(users::id.eq(id.to_string())))
        .set(users::is_active.eq(is_active))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Notes a login.
pub async fn user_touch_login(db: &mut Db, id: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(users::table.filter(users::id.eq(id.to_string())))
        .set(users::last_login.eq(UtcMicros::from(now)))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Goes to the next `generation` of the key and stores the SHA-256 of the new one.
///
/// The caller derives the key from the generation it expects to come to, that of the row plus one; when another was
/// faster, nothing is changed and the answer is `None`.
pub async fn user_key_rotate(
    db: &mut Db,
    id: UserId,
    generation: i64,
    hash: &[u8; 32],
) -> Result<Option<i64>, StoreError> {
    let n = on!(db, |conn| diesel::update(
        users::table.filter(users::id.eq(id.to_string())).filter(users::key_generation.eq(generation - 1))
    )
    .set((users::key_generation.eq(generation), users::key_hash.eq(&hash[..])))
    .execute(conn)
    .await)?;
    Ok((n > 0).then_some(generation))
}

/// Stores the SHA-256 of the key without a new generation; false if there is no such user.
pub async fn user_set_key_hash(db: &mut Db, id: UserId, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(users::table.filter(users::id.eq(id.to_string())))
        .set(users::key_hash.eq(&hash[..]))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// The identities and key generations of all users.
pub async fn users_all_ids(db: &mut Db) -> Result<Vec<(UserId, i64)>, StoreError> {
    let rows: Vec<(String, i64)> =
        on!(db, |conn| users::table.order(users::number).select((users::id, users::key_generation)).load(conn).await)?;
    rows.into_iter()
        .map(|(id, generation)| Ok((Row { table: "users", id: &id }.parse("id", &id)?, generation)))
        .collect()
}

/// Removes the user with keys and grants; `StoreError::Reference` while apps are owned. False if there is no such user.
pub async fn user_delete(db: &mut Db, id: UserId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(users::table.filter(users::id.eq(id.to_string()))).execute(conn).await)?;
    Ok(n > 0)
}

/// The administrators in the order in which they registered, as [`users_list`].
pub async fn admins_list(db: &mut Db, page: Page) -> Result<Paged<User>, StoreError> {
    paged!(
        db,
        page,
        users::table.filter(users::is_superuser),
        users::number,
        UserRow::as_select(),
        UserRow,
        UserRow::user
    )
}

/// How many administrators there are.
pub async fn admin_count(db: &mut Db) -> Result<u64, StoreError> {
    let total: i64 = on!(db, |conn| users::table.filter(users::is_superuser).count().get_result(conn).await)?;
    Ok(count(total))
}

/// The name under which a user's doings are written down.
pub(crate) async fn user_name(db: &mut Db, id: UserId) -> Result<String, StoreError> {
    let name: Option<String> = on!(db, |conn| users::table
        .filter(users::id.eq(id.to_string()))
        .select(users::username)
        .first(conn)
        .await
        .optional())?;
    name.ok_or(StoreError::Reference)
}
