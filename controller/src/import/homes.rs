//! Apps.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use slipway_core::app::{App, REPLICAS_MAX, Structure};
use slipway_core::{AppId, AppName, ProcessType, UserId, Username};
use slipway_store::{self as store, Db};
use uuid::Uuid;

use super::apply::{Failure, ImportOptions, event};
use super::people::{People, Person};
use super::report::{Kind, Report};
use super::table::{RowRef, Tables};

/// An app of the source that is an app here.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) id: AppId,
    pub(crate) name: AppName,
    pub(crate) owner: UserId,
    pub(crate) owner_name: Username,
    pub(crate) created: DateTime<Utc>,
    /// Whether this import added it. What belongs to an app that was here before is left alone.
    pub(crate) is_new: bool,
}

/// The apps by the identity that they have in the source, and here too.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    by_id: HashMap<Uuid, Home>,
}

impl Homes {
    /// The app that a row belongs to.
    pub(crate) fn of(&self, row: RowRef<'_>) -> Result<&Home, String> {
        self.by_id.get(&row.uuid("app_id")?).ok_or_else(|| "its app was not imported".to_owned())
    }

    /// The app of this identity.
    pub(crate) fn get(&self, id: Uuid) -> Option<&Home> {
        self.by_id.get(&id)
    }

    /// Those that this import added, by name.
    pub(crate) fn added(&self) -> Vec<&Home> {
        let mut homes: Vec<&Home> = self.by_id.values().filter(|home| home.is_new).collect();
        homes.sort_by(|one, other| one.name.cmp(&other.name));
        homes
    }
}

/// Why rows of an app that was imported before are not added to it.
pub(crate) const NOT_MERGED: &str = "its app was imported before; what came since is not merged";

/// Who did something: the person, or the app's owner in place of somebody who did not come over.
pub(crate) fn doer<'a>(row: RowRef<'_>, people: &'a People, home: &'a Home) -> (UserId, &'a Username, bool) {
    let person: Option<&Person> = row.number("owner_id").ok().and_then(|number| people.get(&number));
    person.map_or((home.owner, &home.owner_name, false), |person| (person.id, &person.name, true))
}

/// What is noted of a row whose doer did not come over.
pub(crate) const OTHER_DOER: &str = "whoever made it was not imported: recorded under the app's owner";

/// Takes over the apps.
pub(crate) async fn apps(
    db: &mut Db,
    tables: &Tables,
    people: &People,
    options: &ImportOptions,
    now: DateTime<Utc>,
    report: &mut Report,
) -> Result<Homes, Failure> {
    report.mention(Kind::Apps);
    let mut taken_ids = HashSet::new();
    let mut taken_names = HashMap::new();
    for (id, name) in store::apps_all_names(db).await? {
        taken_ids.insert(id);
        taken_names.insert(name, id);
    }
    let mut homes = Homes::default();
    for row in tables.rows("api_app") {
        let shown = row.get("id").unwrap_or("(no name)").to_owned();
        let (app, notes) = match app_read(row, people, options, now) {
            Err(reason) => {
                report.refused(Kind::Apps, &shown, reason);
                continue;
            }
            Ok(read) => read,
        };
        if taken_names.get(&app.name) == Some(&app.id) {
            let present = store::app_by_id(db, app.id).await?.filter(|app| !app.is_deleting);
            let is_twice = homes.by_id.contains_key(&app.id.uuid());
            match present.filter(|_| !is_twice) {
                Some(present) => {
                    report.existing(Kind::Apps);
                    homes.by_id.insert(app.id.uuid(), home(&present, false));
                }
                None => report.refused(Kind::Apps, &shown, "it is being destroyed here, or comes twice"),
            }
        } else if taken_names.contains_key(&app.name) {
            report.refused(Kind::Apps, &shown, "another app has this name here");
        } else if taken_ids.contains(&app.id) {
            report.refused(Kind::Apps, &shown, "an app of another name has this identity here");
        } else {
            store::app_restore(db, &app).await?;
            store::settings_insert(db, app.id, app.owner, app.created).await?;
            let after = json!({"name": app.name.as_str(), "owner": app.owner_name.as_str()});
            event(db, "app", &app.id.to_string(), app.name.as_str(), after, now).await?;
            taken_ids.insert(app.id);
            taken_names.insert(app.name.clone(), app.id);
            homes.by_id.insert(app.id.uuid(), home(&app, true));
            report.imported(Kind::Apps);
            for note in notes {
                report.changed(Kind::Apps, &shown, note);
            }
        }
    }
    Ok(homes)
}

fn home(app: &App, is_new: bool) -> Home {
    let App { id, name, owner, owner_name, created, .. } = app;
    Home { id: *id, name: name.clone(), owner: *owner, owner_name: owner_name.clone(), created: *created, is_new }
}

fn app_read(
    row: RowRef<'_>,
    people: &People,
    options: &ImportOptions,
    now: DateTime<Utc>,
) -> Result<(App, Vec<String>), String> {
    let id = AppId::from_uuid(row.uuid("uuid")?);
    let name = AppName::new(row.text("id")?).map_err(|error| format!("the name is not allowed here: {error}"))?;
    if options.reserved_names.iter().any(|reserved| reserved == name.as_str()) {
        return Err("the name is reserved here".to_owned());
    }
    let owner = people.get(&row.number("owner_id")?).ok_or("its owner was not imported")?;
    let mut notes = Vec::new();
    let structure = structure_read(&row.map("structure")?, options.is_stopped, &mut notes);
    let created = row.time("created")?.unwrap_or(now);
    let app = App {
        id,
        name,
        owner: owner.id,
        owner_name: owner.name.clone(),
        structure,
        // The reconciler's next pass over all apps takes it up; there is no change that anybody waits for.
        desired_generation: 0,
        observed_generation: 0,
        restarts: BTreeMap::new(),
        is_deleting: false,
        created,
        updated: row.time("updated")?.unwrap_or(created),
    };
    Ok((app, notes))
}

fn structure_read(map: &serde_json::Map<String, Value>, is_stopped: bool, notes: &mut Vec<String>) -> Structure {
    let mut structure = Structure::new();
    for (name, replicas) in map {
        let count = match replicas {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let count = count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count <= REPLICAS_MAX);
        match (ProcessType::new(name.as_str()), count) {
            (Ok(process_type), Some(count)) => {
                structure.insert(process_type, if is_stopped { 0 } else { count });
            }
            (Ok(_), None) => {
                notes.push(format!("the scale of a process type is not a number from 0 to {REPLICAS_MAX}: left out"));
            }
            (Err(_), _) => notes.push("a process type has a name that is not allowed here: left out".to_owned()),
        }
    }
    structure
}
