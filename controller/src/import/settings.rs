//! Settings, TLS, host names and grants of apps.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use slipway_core::ProcessType;
use slipway_core::app::REPLICAS_MAX;
use slipway_core::domain::{Domain, domain_parse};
use slipway_core::network::network_parse;
use slipway_core::settings::{AppSettings, Autoscale, Tls};
use slipway_store::{self as store, Db};
use uuid::Uuid;

use super::apply::Failure;
use super::certificates::Certificates;
use super::homes::{Home, Homes, NOT_MERGED, OTHER_DOER, doer};
use super::people::People;
use super::report::{Kind, Report};
use super::table::{RowRef, Tables};

/// Most bytes of a label's name or value.
const LABEL_MAX: usize = 4096;

/// Of each app the newest row of a table that keeps every state that ever was; the others are noted.
fn newest<'t, 'h>(
    tables: &'t Tables,
    table: &'static str,
    kind: Kind,
    homes: &'h Homes,
    report: &mut Report,
) -> Vec<(&'h Home, RowRef<'t>)> {
    report.mention(kind);
    let mut latest: BTreeMap<Uuid, (DateTime<Utc>, &Home, RowRef<'_>)> = BTreeMap::new();
    for row in tables.rows(table) {
        let found = homes
            .of(row)
            .and_then(|home| Ok((home, row.time("created")?.ok_or_else(|| "created is NULL".to_owned())?)));
        match found {
            Err(reason) => report.refused(kind, row.get("app_id").unwrap_or("(no app)"), reason),
            Ok((home, _)) if !home.is_new => report.existing(kind),
            Ok((home, created)) => {
                let older = match latest.get(&home.id.uuid()) {
                    Some((other, ..)) if *other > created => Some(home),
                    _ => latest.insert(home.id.uuid(), (created, home, row)).map(|(_, home, _)| home),
                };
                if let Some(home) = older {
                    report.refused(kind, home.name.as_str(), "an older state: only the newest is kept");
                }
            }
        }
    }
    latest.into_values().map(|(_, home, row)| (home, row)).collect()
}

/// Takes over settings.
pub(crate) async fn settings(
    db: &mut Db,
    tables: &Tables,
    homes: &Homes,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    for (home, row) in newest(tables, "api_appsettings", Kind::Settings, homes, report) {
        match settings_read(row, home, now) {
            Err(reason) => report.refused(Kind::Settings, home.name.as_str(), reason),
            Ok((settings, notes)) => {
                store::settings_update(db, &settings).await?;
                report.imported(Kind::Settings);
                for note in notes {
                    report.changed(Kind::Settings, home.name.as_str(), note);
                }
            }
        }
    }
    Ok(())
}

fn settings_read(row: RowRef<'_>, home: &Home, now: DateTime<Utc>) -> Result<(AppSettings, Vec<&'static str>), String> {
    let mut notes = Vec::new();
    let mut listed = row.list("whitelist")?;
    listed.extend(row.list("allowlist")?);
    let had_list = !listed.is_empty();
    let mut allowlist: Vec<String> =
        listed.iter().filter(|address| network_parse(address).is_some()).cloned().collect();
    if allowlist.len() < listed.len() {
        notes.push("an entry of the allow list is no address: left out");
    }
    allowlist.sort();
    allowlist.dedup();
    let mut is_routable = row.flag("routable")?.unwrap_or(true);
    if had_list && allowlist.is_empty() && is_routable {
        // An empty list allows everybody, which is the opposite of what was meant.
        is_routable = false;
        notes.push("no entry of the allow list could be kept: the app is not routable until it is set again");
    }
    let mut autoscale = BTreeMap::new();
    for (name, value) in row.map("autoscale")? {
        match (ProcessType::new(name), autoscale_read(&value)) {
            (Ok(process_type), Some(rule)) => {
                autoscale.insert(process_type, rule);
            }
            _ if value.is_null() => {}
            _ => notes.push("a rule of automatic scaling is not one: left out"),
        }
    }
    let mut label = BTreeMap::new();
    for (name, value) in row.map("label")? {
        let text = match value {
            Value::String(text) => text,
            Value::Null => continue,
            other => other.to_string(),
        };
        if name.len() > LABEL_MAX || text.len() > LABEL_MAX {
            notes.push("a label is too long: left out");
        } else {
            label.insert(name, text);
        }
    }
    let settings = AppSettings {
        app: home.id,
        owner: home.owner,
        owner_name: home.owner_name.clone(),
        maintenance: row.flag("maintenance")?.unwrap_or(false),
        routable: is_routable,
        allowlist,
        autoscale,
        label,
        created: home.created,
        updated: row.time("updated")?.unwrap_or(now),
    };
    Ok((settings, notes))
}

fn autoscale_read(value: &Value) -> Option<Autoscale> {
    let number = |key: &str| value.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok());
    let rule = Autoscale { min: number("min")?, max: number("max")?, cpu_percent: number("cpu_percent")? };
    let is_good = rule.min >= 1 && rule.max >= rule.min && rule.max <= REPLICAS_MAX && rule.cpu_percent >= 1;
    is_good.then_some(rule)
}

/// Takes over how plain HTTP is treated.
pub(crate) async fn tls(
    db: &mut Db,
    tables: &Tables,
    homes: &Homes,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    for (home, row) in newest(tables, "api_tls", Kind::Tls, homes, report) {
        let read = row
            .flag("https_enforced")
            .and_then(|enforced| Ok((enforced, row.flag("certs_auto_enabled")?, row.time("updated")?)));
        match read {
            Err(reason) => report.refused(Kind::Tls, home.name.as_str(), reason),
            Ok((enforced, automatic, updated)) => {
                if enforced.is_some() || automatic.is_some() {
                    let tls = Tls {
                        app: home.id,
                        owner: home.owner,
                        owner_name: home.owner_name.clone(),
                        https_enforced: enforced,
                        certs_auto_enabled: automatic,
                        created: home.created,
                        updated: updated.unwrap_or(now),
                    };
                    store::tls_update(db, &tls).await?;
                }
                report.imported(Kind::Tls);
                if enforced == Some(true) {
                    report.changed(
                        Kind::Tls,
                        home.name.as_str(),
                        "HTTPS is enforced: see that all its domains have certificates",
                    );
                }
                if automatic == Some(true) {
                    report.changed(
                        Kind::Tls,
                        home.name.as_str(),
                        "automatic certificates are wanted: they come where SLIPWAY_CLUSTER_ISSUER names an issuer",
                    );
                }
            }
        }
    }
    Ok(())
}

/// What host names are checked against and attached to.
pub(crate) struct Attached<'a> {
    /// Domain under which this platform's apps answer.
    pub(crate) platform_domain: &'a str,
    /// The certificates that came over.
    pub(crate) certificates: &'a Certificates,
}

/// Takes over host names.
pub(crate) async fn domains(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    homes: &Homes,
    attached: &Attached<'_>,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    report.mention(Kind::Domains);
    let mut rows: Vec<RowRef<'_>> = tables.rows("api_domain").collect();
    // An app's own name first, so that no other app gets it.
    rows.sort_by_key(|row| !homes.of(*row).is_ok_and(|home| row.get("domain") == Some(home.name.as_str())));
    for row in rows {
        let shown = row.get("domain").unwrap_or("(no name)");
        let (home, name) = match domain_of(row, homes, attached.platform_domain) {
            Err(reason) => {
                report.refused(Kind::Domains, shown, reason);
                continue;
            }
            Ok(found) => found,
        };
        match store::domain_by_name(db, &name).await? {
            Some(present) if present.app == home.id => report.existing(Kind::Domains),
            Some(_) => report.refused(Kind::Domains, shown, "another app has it here"),
            None if !home.is_new => report.refused(Kind::Domains, shown, NOT_MERGED),
            None => {
                let times = row.time("created").and_then(|created| Ok((created, row.time("updated")?)));
                let (created, updated) = match times {
                    Err(reason) => {
                        report.refused(Kind::Domains, shown, reason);
                        continue;
                    }
                    Ok((created, updated)) => (created.unwrap_or(now), updated),
                };
                let (owner, owner_name, is_doer) = doer(row, people, home);
                let domain = Domain {
                    app: home.id,
                    owner,
                    owner_name: owner_name.clone(),
                    domain: name,
                    port: None,
                    created,
                    updated: updated.unwrap_or(created),
                };
                store::domain_restore(db, &domain).await?;
                report.imported(Kind::Domains);
                if !is_doer {
                    report.changed(Kind::Domains, shown, OTHER_DOER);
                }
                if row.get("certificate_id").is_some() {
                    let number = row.number("certificate_id").ok();
                    match number.and_then(|number| attached.certificates.get(&number)) {
                        Some(id) => store::certificate_attach(db, *id, &domain.domain).await?,
                        None => report.changed(Kind::Domains, shown, "its certificate was not imported: not attached"),
                    }
                }
            }
        }
    }
    Ok(())
}

fn domain_of<'h>(row: RowRef<'_>, homes: &'h Homes, platform_domain: &str) -> Result<(&'h Home, String), String> {
    let home = homes.of(row)?;
    let name = domain_parse(row.text("domain")?.trim())?;
    let is_ours = name.strip_suffix(platform_domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if is_ours {
        return Err(format!("names below {platform_domain} belong to the apps of those names here"));
    }
    Ok((home, name))
}

/// Takes over grants to use an app.
pub(crate) async fn perms(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    homes: &Homes,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<(), Failure> {
    report.mention(Kind::Perms);
    let app_types: HashSet<&str> = tables
        .rows("django_content_type")
        .filter(|row| row.get("app_label") == Some("api") && row.get("model") == Some("app"))
        .filter_map(|row| row.get("id"))
        .collect();
    let uses: HashMap<&str, &str> = tables
        .rows("auth_permission")
        .filter(|row| row.get("codename") == Some("use_app"))
        .filter_map(|row| Some((row.get("id")?, row.get("content_type_id")?)))
        .collect();
    for row in tables.rows("guardian_userobjectpermission") {
        let read = || -> Result<_, String> {
            let (kind, permission) = (row.text("content_type_id")?, row.text("permission_id")?);
            if !app_types.contains(kind) || uses.get(permission) != Some(&kind) {
                return Err("it is not the right to use an app".to_owned());
            }
            let home = homes.get(row.uuid("object_pk")?).ok_or("its app was not imported")?;
            let person = people.get(&row.number("user_id")?).ok_or("its user was not imported")?;
            Ok((home, person))
        };
        let (home, person) = match read() {
            Err(reason) => {
                report.refused(Kind::Perms, row.get("object_pk").unwrap_or("(no object)"), reason);
                continue;
            }
            Ok(found) => found,
        };
        if store::perm_is_collaborator(db, home.id, person.id).await? {
            report.existing(Kind::Perms);
        } else if home.is_new {
            store::perm_grant(db, home.id, person.id, now).await?;
            report.imported(Kind::Perms);
        } else {
            report.refused(Kind::Perms, &format!("{} on {}", person.name, home.name), NOT_MERGED);
        }
    }
    report.refused_all(
        Kind::Perms,
        tables.count("guardian_groupobjectpermission"),
        "rights of groups: there are no groups here",
    );
    Ok(())
}
