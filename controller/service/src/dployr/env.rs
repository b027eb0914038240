//! Environment variables of services. Source: `dployr-v1.md` §9.2.

use std::collections::BTreeMap;

use serde_json::Value;
use slipway_core::authz::AppAction;
use slipway_core::{Error, ReleaseVersion, Result};

use super::DeploymentView;
use crate::{Cx, Service};

/// Longest name.
const KEY_MAX: usize = 255;
/// Longest value, in bytes.
const VALUE_MAX: usize = 64 * 1024;
/// Beginnings of names that are the platform's.
const INJECTED: [&str; 4] = ["DEIS_", "DRYCC_", "SLIPWAY_", "WORKFLOW_RELEASE"];

/// A variable that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvSet {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether it was not there before.
    pub is_new: bool,
    /// The release that has it; that before, when nothing changed.
    pub release: ReleaseVersion,
}

/// Whether a name is one that the platform sets.
pub(super) fn is_injected(key: &str) -> bool {
    key == "PORT" || INJECTED.iter().any(|prefix| key.starts_with(prefix))
}

/// Whether a name may be set.
pub(super) fn key_check(field: &str, key: &str) -> Result<()> {
    let mut bytes = key.bytes();
    let starts_well = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    if !starts_well || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || key.len() > KEY_MAX {
        let rule = format!("Names are of letters, digits and underscores, without a digit first, at most {KEY_MAX}.");
        return Err(Error::invalid(field, rule));
    }
    if is_injected(key) {
        return Err(Error::invalid(field, format!("{key} is set by the platform.")));
    }
    Ok(())
}

/// A value as text; `None` for null. Whole numbers have no decimals.
pub(super) fn value_text(field: &str, value: &Value) -> Result<Option<String>> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => (float as i64).to_string(),
            _ => number.to_string(),
        },
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::invalid(field, "Values are texts, numbers or booleans."));
        }
    };
    if text.len() > VALUE_MAX || text.contains('\0') {
        return Err(Error::invalid(field, format!("Values have at most {VALUE_MAX} bytes, and no NUL.")));
    }
    Ok(Some(text))
}

impl Service {
    /// The environment of a service, with what else is told of it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn env_list(&self, cx: &Cx, service: &str) -> Result<DeploymentView> {
        Ok(self.service_for(cx, service, AppAction::Use).await?.0)
    }

    /// Sets a variable; the same value again makes no release.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` by field.
    pub async fn env_set(&self, cx: &Cx, service: &str, key: &str, value: &Value) -> Result<EnvSet> {
        let (view, _) = self.service_for(cx, service, AppAction::Use).await?;
        key_check("key", key)?;
        let value = value_text("value", value)?;
        let value = value.ok_or_else(|| Error::invalid("value", "This field may not be null."))?;
        let has = |view: &DeploymentView| view.config.as_ref().is_some_and(|config| config.values.contains_key(key));
        let is_new = !has(&view);
        let values = BTreeMap::from([(key.to_owned(), Value::from(value.clone()))]);
        let made = self.values_record(cx, &view.app, values).await?;
        let release = made.or(view.release).ok_or_else(|| Error::internal("an app without a release"))?;
        Ok(EnvSet { key: key.to_owned(), value, is_new, release: release.version })
    }

    /// Unsets a variable.
    ///
    /// # Errors
    /// `NotFound`; `Missing` when it is not set.
    pub async fn env_unset(&self, cx: &Cx, service: &str, key: &str) -> Result<()> {
        let (view, _) = self.service_for(cx, service, AppAction::Use).await?;
        let has = view.config.as_ref().is_some_and(|config| config.values.contains_key(key));
        if !has || is_injected(key) {
            return Err(Error::Missing("There is no such variable.".to_owned()));
        }
        self.values_record(cx, &view.app, BTreeMap::from([(key.to_owned(), Value::Null)])).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_texts() {
        for (value, expect) in [
            (json!("x"), "x"),
            (json!(""), ""),
            (json!(3), "3"),
            (json!(3.0), "3"),
            (json!(1.5), "1.5"),
            (json!(true), "true"),
        ] {
            assert_eq!(value_text("value", &value).unwrap().as_deref(), Some(expect), "{value}");
        }
        assert_eq!(value_text("value", &json!(null)).unwrap(), None);
        for bad in [json!([]), json!({}), json!("a\0"), json!("x".repeat(VALUE_MAX + 1))] {
            assert!(value_text("value", &bad).is_err());
        }
        for bad in ["", "1A", "A-B", "PORT", "SLIPWAY_APP", "ä", &"A".repeat(256)] {
            assert!(key_check("key", bad).is_err(), "{bad}");
        }
        assert!(key_check("key", "_A1").is_ok());
    }
}
