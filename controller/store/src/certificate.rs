//! Certificates, their keys, and the domains they are served for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use slipway_core::certificate::{AttachedCertificate, Certificate, CertificateFacts};
use slipway_core::config::SecretText;
use slipway_core::{AppId, CertificateId, UserId};

use crate::SealingKey;
use crate::db::{on, paged};
use crate::schema::{certs, certs_domains, domains, users};
use crate::types::{Row, UtcMicros, can_be_stored, count, text, to_json};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable)]
struct CertificateRow {
    number: i64,
    id: String,
    owner: String,
    owner_name: String,
    name: String,
    common_name: Option<String>,
    san: String,
    fingerprint: String,
    issuer: String,
    subject: String,
    starts: UtcMicros,
    expires: UtcMicros,
    created: UtcMicros,
    updated: UtcMicros,
}

macro_rules! columns {
    () => {
        (
            certs::number,
            certs::id,
            certs::owner,
            users::username,
            certs::name,
            certs::common_name,
            certs::san,
            certs::fingerprint,
            certs::issuer,
            certs::subject,
            certs::starts,
            certs::expires,
            certs::created,
            certs::updated,
        )
    };
}

impl CertificateRow {
    /// The certificate, its domains left to be filled in.
    fn certificate(self) -> Result<Certificate, StoreError> {
        let row = Row { table: "certs", id: &self.id };
        Ok(Certificate {
            id: row.parse("id", &self.id)?,
            number: self.number,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            name: self.name,
            facts: CertificateFacts {
                common_name: self.common_name,
                san: row.json("san", &self.san)?,
                fingerprint: self.fingerprint,
                issuer: self.issuer,
                subject: self.subject,
                starts: self.starts.utc(),
                expires: self.expires.utc(),
            },
            domains: Vec::new(),
            created: self.created.utc(),
            updated: self.updated.utc(),
        })
    }
}

/// Fills in the domains of certificates with one query.
async fn domains_fill(db: &mut Db, certificates: &mut [Certificate]) -> Result<(), StoreError> {
    let ids: Vec<String> = certificates.iter().map(|certificate| certificate.id.to_string()).collect();
    let rows: Vec<(String, String)> = on!(db, |conn| certs_domains::table
        .filter(certs_domains::cert.eq_any(&ids))
        .order(certs_domains::domain)
        .select((certs_domains::cert, certs_domains::domain))
        .load(conn)
        .await)?;
    let mut by_certificate: HashMap<String, Vec<String>> = HashMap::new();
    for (certificate, domain) in rows {
        by_certificate.entry(certificate).or_default().push(domain);
    }
    for (certificate, id) in certificates.iter_mut().zip(&ids) {
        certificate.domains = by_certificate.remove(id).unwrap_or_default();
    }
    Ok(())
}

/// What is needed to add a certificate.
#[derive(Debug, Clone)]
pub struct NewCertificate {
    /// Whose it is.
    pub owner: UserId,
    /// The name; unique on the platform.
    pub name: String,
    /// What it says of itself.
    pub facts: CertificateFacts,
    /// The chain in PEM, leaf first.
    pub chain_pem: String,
    /// The private key in PEM; encrypted at rest.
    pub key_pem: SecretText,
    /// When it is added.
    pub created: DateTime<Utc>,
}

/// Adds a certificate.
pub async fn certificate_insert(db: &mut Db, new: &NewCertificate) -> Result<Certificate, StoreError> {
    let id = CertificateId::generate().to_string();
    let NewCertificate { owner, name, facts, chain_pem, key_pem, created } = new;
    let CertificateFacts { common_name, san, fingerprint, issuer, subject, starts, expires } = facts;
    let created = UtcMicros::from(*created);
    let san: Vec<String> = san.iter().map(|name| text(name)).collect();
    let sealed = db.key.seal(Row { table: "certs", id: &id }, "key", key_pem.expose().as_bytes())?;
    on!(db, |conn| diesel::insert_into(certs::table)
        .values((
            certs::id.eq(&id),
            certs::owner.eq(owner.to_string()),
            certs::name.eq(text(name)),
            certs::chain.eq(text(chain_pem)),
            certs::sealed_key.eq(&sealed),
            certs::common_name.eq(common_name.as_deref().map(text)),
            certs::san.eq(to_json(&san)?),
            certs::fingerprint.eq(text(fingerprint)),
            certs::issuer.eq(text(issuer)),
            certs::subject.eq(text(subject)),
            certs::starts.eq(UtcMicros::from(*starts)),
            certs::expires.eq(UtcMicros::from(*expires)),
            certs::created.eq(created),
            certs::updated.eq(created),
        ))
        .execute(conn)
        .await)?;
    let row: CertificateRow = on!(db, |conn| certs::table
        .inner_join(users::table)
        .filter(certs::id.eq(&id))
        .select(columns!())
        .first(conn)
        .await)?;
    row.certificate()
}

/// The certificates of a user by name. Index: `certs_owner`.
pub async fn certificates_list(db: &mut Db, owner: UserId, page: Page) -> Result<Paged<Certificate>, StoreError> {
    let listed: Result<Paged<Certificate>, StoreError> = paged!(
        db,
        page,
        certs::table.inner_join(users::table).filter(certs::owner.eq(owner.to_string())),
        certs::name,
        columns!(),
        CertificateRow,
        CertificateRow::certificate
    );
    let mut listed = listed?;
    domains_fill(db, &mut listed.items).await?;
    Ok(listed)
}

/// The certificate of this name, if it is the user's.
pub async fn certificate_by_name(db: &mut Db, owner: UserId, name: &str) -> Result<Option<Certificate>, StoreError> {
    if !can_be_stored(name) {
        return Ok(None);
    }
    let row: Option<CertificateRow> = on!(db, |conn| certs::table
        .inner_join(users::table)
        .filter(certs::owner.eq(owner.to_string()))
        .filter(certs::name.eq(name))
        .select(columns!())
        .first(conn)
        .await
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    let mut certificate = row.certificate()?;
    domains_fill(db, std::slice::from_mut(&mut certificate)).await?;
    Ok(Some(certificate))
}

/// How many certificates a user has.
pub async fn certificates_count_by_owner(db: &mut Db, owner: UserId) -> Result<u64, StoreError> {
    let total: i64 =
        on!(db, |conn| certs::table.filter(certs::owner.eq(owner.to_string())).count().get_result(conn).await)?;
    Ok(count(total))
}

/// The certificates served for some domain that end before a time, those that ended included, first end first.
pub async fn certificates_expiring(db: &mut Db, before: DateTime<Utc>) -> Result<Vec<Certificate>, StoreError> {
    let in_use = certs_domains::table.select(certs_domains::cert);
    let rows: Vec<CertificateRow> = on!(db, |conn| certs::table
        .inner_join(users::table)
        .filter(certs::expires.lt(UtcMicros::from(before)))
        .filter(certs::id.eq_any(in_use))
        .order((certs::expires, certs::name))
        .select(columns!())
        .load(conn)
        .await)?;
    let mut certificates = rows.into_iter().map(CertificateRow::certificate).collect::<Result<Vec<_>, StoreError>>()?;
    domains_fill(db, &mut certificates).await?;
    Ok(certificates)
}

/// When the first certificate that is served for some domain ends.
pub async fn certificates_first_end(db: &mut Db) -> Result<Option<DateTime<Utc>>, StoreError> {
    let in_use = certs_domains::table.select(certs_domains::cert);
    let end: Option<UtcMicros> = on!(db, |conn| certs::table
        .filter(certs::id.eq_any(in_use))
        .select(diesel::dsl::min(certs::expires))
        .first(conn)
        .await)?;
    Ok(end.map(UtcMicros::utc))
}

/// Removes a certificate, and takes it from its domains; false if it is not there.
pub async fn certificate_delete(db: &mut Db, id: CertificateId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(certs::table.filter(certs::id.eq(id.to_string()))).execute(conn).await)?;
    Ok(n > 0)
}

/// Has a certificate served for a domain, which must have none.
pub async fn certificate_attach(db: &mut Db, id: CertificateId, domain: &str) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(certs_domains::table)
        .values((certs_domains::domain.eq(text(domain)), certs_domains::cert.eq(id.to_string())))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Takes a certificate from a domain; false if the domain does not have it.
pub async fn certificate_detach(db: &mut Db, id: CertificateId, domain: &str) -> Result<bool, StoreError> {
    if !can_be_stored(domain) {
        return Ok(false);
    }
    let n = on!(db, |conn| diesel::delete(
        certs_domains::table.filter(certs_domains::domain.eq(domain)).filter(certs_domains::cert.eq(id.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Whether a domain has a certificate, whosever.
pub async fn domain_has_certificate(db: &mut Db, domain: &str) -> Result<bool, StoreError> {
    if !can_be_stored(domain) {
        return Ok(false);
    }
    let total: i64 =
        on!(db, |conn| certs_domains::table.filter(certs_domains::domain.eq(domain)).count().get_result(conn).await)?;
    Ok(total > 0)
}

/// The apps for whose domains a certificate is served, each once.
pub async fn certificate_apps(db: &mut Db, id: CertificateId) -> Result<Vec<AppId>, StoreError> {
    let rows: Vec<String> = on!(db, |conn| certs_domains::table
        .inner_join(domains::table)
        .filter(certs_domains::cert.eq(id.to_string()))
        .order(domains::app)
        .select(domains::app)
        .distinct()
        .load(conn)
        .await)?;
    rows.iter().map(|app| Row { table: "domains", id: app }.parse("app", app)).collect()
}

/// The certificates that are served for the domains of an app, with their keys, by name.
pub async fn certificates_by_app(db: &mut Db, app: AppId) -> Result<Vec<AttachedCertificate>, StoreError> {
    let links: Vec<(String, String)> = on!(db, |conn| certs_domains::table
        .inner_join(domains::table)
        .filter(domains::app.eq(app.to_string()))
        .order(certs_domains::domain)
        .select((certs_domains::cert, certs_domains::domain))
        .load(conn)
        .await)?;
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&String> = links.iter().map(|(certificate, _)| certificate).collect();
    let rows: Vec<(String, String, Vec<u8>)> = on!(db, |conn| certs::table
        .filter(certs::id.eq_any(&ids))
        .order(certs::name)
        .select((certs::id, certs::chain, certs::sealed_key))
        .load(conn)
        .await)?;
    rows.into_iter()
        .map(|(id, chain_pem, sealed)| {
            let key_pem = key_open(&db.key, &id, &sealed)?;
            let domains = links.iter().filter(|(certificate, _)| *certificate == id).map(|(_, domain)| domain.clone());
            Ok(AttachedCertificate { domains: domains.collect(), chain_pem, key_pem })
        })
        .collect()
}

fn key_open(key: &SealingKey, id: &str, sealed: &[u8]) -> Result<SecretText, StoreError> {
    let row = Row { table: "certs", id };
    let plain = key.open(row, "key", sealed)?;
    // The error would hold the bytes.
    String::from_utf8(plain).map(SecretText::new).map_err(|_| row.corrupt("key is not text"))
}
