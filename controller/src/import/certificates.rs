//! Certificates with their private keys.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use slipway_core::CertificateId;
use slipway_service::{certificate_name_check, certificate_parse};
use slipway_store::{self as store, Db, NewCertificate};

use super::apply::Failure;
use super::people::{People, Person};
use super::report::{Kind, Report};
use super::table::{RowRef, Tables};

/// The certificates of the source that are here, by their number there.
pub(crate) type Certificates = HashMap<i64, CertificateId>;

/// Takes over the certificates; domains are attached to them with the domains.
pub(crate) async fn certificates(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<Certificates, Failure> {
    report.mention(Kind::Certificates);
    let mut certificates = Certificates::new();
    for row in tables.rows("api_certificate") {
        let shown = row.get("name").unwrap_or("(no name)");
        let (number, person, new, warnings) = match certificate_read(row, people, now) {
            Err(reason) => {
                report.refused(Kind::Certificates, shown, reason);
                continue;
            }
            Ok(read) => read,
        };
        match store::certificate_of_anybody(db, &new.name).await? {
            Some((id, owner, fingerprint)) if owner == new.owner && fingerprint == new.facts.fingerprint => {
                certificates.insert(number, id);
                report.existing(Kind::Certificates);
            }
            Some(_) => report.refused(Kind::Certificates, shown, "another certificate has this name here"),
            None if person.was_imported_before => {
                let reason = "its owner was imported before, and does not have it here any more";
                report.refused(Kind::Certificates, shown, reason);
            }
            None => {
                certificates.insert(number, store::certificate_insert(db, &new).await?.id);
                report.imported(Kind::Certificates);
                for warning in warnings {
                    report.changed(Kind::Certificates, shown, format!("beware: it {warning}"));
                }
            }
        }
    }
    Ok(certificates)
}

fn certificate_read<'p>(
    row: RowRef<'_>,
    people: &'p People,
    now: DateTime<Utc>,
) -> Result<(i64, &'p Person, NewCertificate, Vec<String>), String> {
    let number = row.number("id")?;
    let person = people.get(&row.number("owner_id")?).ok_or("its owner was not imported")?;
    let name = row.text("name")?;
    certificate_name_check(name)?;
    let parsed = certificate_parse(row.text("certificate")?, row.text("key")?)
        .map_err(|messages| messages.into_iter().map(|(_, message)| message).collect::<Vec<_>>().join("; "))?;
    let new = NewCertificate {
        owner: person.id,
        name: name.to_owned(),
        facts: parsed.facts,
        chain_pem: parsed.chain_pem,
        key_pem: parsed.key_pem,
        created: row.time("created")?.unwrap_or(now),
    };
    Ok((number, person, new, parsed.warnings))
}
