//! Scaling. Source: `drycc-v2.md` §2.2.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_core::app::{App, REPLICAS_MAX, Structure};
use slipway_core::authz::AppAction;
use slipway_core::build::Build;
use slipway_core::release::rollback::NO_BUILD;
use slipway_core::structure::is_known;
use slipway_core::{Error, ProcessType, Result};
use slipway_store as store;

use crate::audit::{app_subject, event};
use crate::deploy::Settled;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

impl Service {
    /// Sets how many processes of each named type run, and waits until they do. Values are as in the request.
    ///
    /// # Errors
    /// `Rejected` without build or for a bad value, `Missing` for an unknown type, `Unavailable` when they do not come up
    /// (the structure is then as before).
    pub async fn app_scale(&self, cx: &Cx, app: &str, wanted: &BTreeMap<String, Value>) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (_, user, _) = cx.user()?;
        let mut db = self.read().await?;
        let build = match store::release_latest_good(&mut db, app.id).await.stored()?.and_then(|release| release.build)
        {
            Some(id) => store::build_by_id(&mut db, id).await.stored()?,
            None => None,
        };
        drop(db);
        let build = build.ok_or_else(|| Error::Rejected(NO_BUILD.to_owned()))?;
        let wanted = structure_check(&build, wanted)?;
        let changed = write!(self, |db| {
            let Some(current) = store::app_by_id(db, app.id).await? else { return Ok(None) };
            let before = current.structure;
            let mut after = before.clone();
            after.extend(wanted.clone());
            // Who asks for processes does not mean them to stay stopped.
            let mut is_started = false;
            for (process_type, _) in wanted.iter().filter(|(_, replicas)| **replicas > 0) {
                is_started |= store::stop_delete(db, app.id, process_type).await?;
            }
            if after == before && !is_started {
                return Ok(None);
            }
            store::app_update_structure(db, app.id, &after, cx.now).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let entry = event(cx, "scale", app_subject(&app), shape(&before), shape(&after));
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(generation.map(|generation| (generation, before, after)))
        })?;
        let Some((generation, before, after)) = changed else { return Ok(()) };
        let shown: Vec<String> =
            wanted.iter().map(|(process_type, replicas)| format!("{process_type}={replicas}")).collect();
        self.app_log(app.id, format!("INFO {user} scaled pods {}", shown.join(" ")));
        self.signals().desired(app.id);
        let reason = match self.settled_wait(&app, generation).await? {
            Settled::Done => return Ok(()),
            Settled::Failed(reason) => reason,
            Settled::TimedOut => "the processes did not become ready in time".to_owned(),
        };
        self.structure_restore(cx, &app, &before, &after).await?;
        Err(Error::Unavailable { public: format!("(scale): {reason}"), context: reason })
    }

    /// Puts the numbers back that were before, unless somebody else scaled since.
    async fn structure_restore(&self, cx: &Cx, app: &App, before: &Structure, after: &Structure) -> Result<()> {
        let now = self.now();
        write!(self, |db| {
            let current = store::app_by_id(db, app.id).await?;
            if current.is_some_and(|current| current.structure == *after) {
                store::app_update_structure(db, app.id, before, now).await?;
                store::app_bump_desired(db, app.id, now).await?;
                let entry = event(cx, "scale", app_subject(app), shape(after), shape(before));
                store::event_insert(db, &entry).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().desired(app.id);
        Ok(())
    }
}

/// A structure for the record.
pub(crate) fn shape(structure: &Structure) -> Value {
    json!({"structure": structure.iter().map(|(key, value)| (key.to_string(), Value::from(*value))).collect::<serde_json::Map<_, _>>()})
}

/// First every number, then every type, as old servers do.
fn structure_check(build: &Build, wanted: &BTreeMap<String, Value>) -> Result<Structure> {
    let numbers = wanted
        .iter()
        .map(|(name, value)| Ok((name, replicas_parse(value)?)))
        .collect::<Result<Vec<(&String, u32)>>>()?;
    let mut structure = Structure::new();
    for (name, replicas) in numbers {
        let shown: String = name.chars().take(100).collect();
        let missing = || Error::Missing(format!("Container type {shown} does not exist in application"));
        let process_type = ProcessType::new(name.as_str()).map_err(|_| missing())?;
        if !is_known(build, &process_type) {
            return Err(missing());
        }
        structure.insert(process_type, replicas);
    }
    Ok(structure)
}

/// The replicas asked for. Source: `drycc-v2.md` §2.2.
fn replicas_parse(value: &Value) -> Result<u32> {
    let invalid = |reason: String| Error::Rejected(format!("Invalid scaling format: {reason}"));
    let not_a_number = |shown: &str| invalid(format!("invalid literal for int() with base 10: '{shown}'"));
    let number: i128 = match value {
        Value::String(text) => {
            text.trim().parse().map_err(|_| not_a_number(&text.chars().take(40).collect::<String>()))?
        }
        Value::Number(number) => number.to_string().parse().map_err(|_| not_a_number(&number.to_string()))?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(invalid("the number of processes must be an integer".to_owned()));
        }
    };
    if number < 0 {
        return Err(invalid("['Must be greater than or equal to zero']".to_owned()));
    }
    u32::try_from(number)
        .ok()
        .filter(|replicas| *replicas <= REPLICAS_MAX)
        .ok_or_else(|| invalid(format!("['Must be at most {REPLICAS_MAX}']")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (value, expect) in [
            (json!(3), Ok(3)),
            (json!("2"), Ok(2)),
            (json!(0), Ok(0)),
            (json!("x"), Err("Invalid scaling format: invalid literal for int() with base 10: 'x'")),
            (json!(1.9), Err("Invalid scaling format: invalid literal for int() with base 10: '1.9'")),
            (json!(-1), Err("Invalid scaling format: ['Must be greater than or equal to zero']")),
            (json!("-5"), Err("Invalid scaling format: ['Must be greater than or equal to zero']")),
            (json!(1001), Err("Invalid scaling format: ['Must be at most 1000']")),
            (json!(null), Err("Invalid scaling format: the number of processes must be an integer")),
            (json!([1]), Err("Invalid scaling format: the number of processes must be an integer")),
        ] {
            let got = replicas_parse(&value).map_err(|error| error.to_string());
            assert_eq!(got, expect.map_err(str::to_owned), "{value}");
        }
    }
}
