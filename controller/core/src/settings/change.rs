//! Changes of settings. Source: `drycc-v2.md` §2.10.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{AppSettings, Autoscale};
use crate::app::REPLICAS_MAX;
use crate::network::{NETWORK_MAX, network_parse};
use crate::{Error, ProcessType, Result};

/// What clients call the list of addresses that may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListName {
    /// Until 2020.
    Whitelist,
    /// Since then.
    Allowlist,
}

impl ListName {
    /// The name in paths, fields and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whitelist => "whitelist",
            Self::Allowlist => "allowlist",
        }
    }
}

/// The field that holds the addresses of the list's own requests.
const ADDRESSES: &str = "addresses";

/// What shall be changed; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Whether requests get a maintenance page.
    pub maintenance: Option<bool>,
    /// Whether requests reach the app at all.
    pub routable: Option<bool>,
    /// The whole new allow list, and what the client calls it.
    pub allowlist: Option<(ListName, Vec<String>)>,
    /// By process type: `{"min", "max", "cpu_percent"}` sets, null removes.
    pub autoscale: BTreeMap<String, Value>,
    /// By key: a text sets, null removes.
    pub label: BTreeMap<String, Value>,
}

/// The settings after a change. Owner and times are the caller's to set.
///
/// # Errors
/// `Invalid` by field, `Unprocessable` for an unset of nothing, `Rejected` for numbers
/// that cannot be followed.
pub fn settings_apply(previous: &AppSettings, change: &SettingsChange) -> Result<AppSettings> {
    let SettingsChange { maintenance, routable, allowlist, autoscale, label } = change;
    let mut next = previous.clone();
    next.maintenance = maintenance.unwrap_or(previous.maintenance);
    next.routable = routable.unwrap_or(previous.routable);
    if let Some((name, allowlist)) = allowlist {
        next.allowlist = addresses_check(allowlist, name.as_str())?.into_iter().collect();
    }
    for (key, value) in autoscale {
        autoscale_change(&mut next.autoscale, key, value)?;
    }
    for (key, value) in label {
        label_change(&mut next.label, key, value)?;
    }
    Ok(next)
}

/// The allow list with more entries, in order; `None` when it has them all.
///
/// # Errors
/// `Invalid` under `addresses`.
pub fn allowlist_add(previous: &[String], addresses: &[String]) -> Result<Option<Vec<String>>> {
    let before: BTreeSet<String> = previous.iter().cloned().collect();
    let mut after = before.clone();
    after.extend(addresses_check(addresses, ADDRESSES)?);
    Ok((after != before).then(|| after.into_iter().collect()))
}

/// The allow list without some entries. `list` is what the list is called in messages.
///
/// # Errors
/// `Invalid` under `addresses`, `Unprocessable` when it lacks one.
pub fn allowlist_remove(previous: &[String], addresses: &[String], list: ListName) -> Result<Vec<String>> {
    let gone = addresses_check(addresses, ADDRESSES)?;
    let before: BTreeSet<String> = previous.iter().cloned().collect();
    let missing: Vec<String> = gone.difference(&before).map(|address| format!("'{address}'")).collect();
    if !missing.is_empty() {
        let text = format!("addresses {{{}}} does not exist in {}", missing.join(", "), list.as_str());
        return Err(Error::Unprocessable(text));
    }
    Ok(before.difference(&gone).cloned().collect())
}

fn addresses_check(addresses: &[String], field: &str) -> Result<BTreeSet<String>> {
    let check = |address: &String| {
        let address = address.trim();
        if address.chars().count() > NETWORK_MAX {
            let text = format!("Ensure this field has no more than {NETWORK_MAX} characters.");
            return Err(Error::invalid(field, text));
        }
        if network_parse(address).is_none() {
            return Err(Error::invalid(field, format!("The address {address} is not valid")));
        }
        Ok(address.to_owned())
    };
    addresses.iter().map(check).collect()
}

fn autoscale_change(map: &mut BTreeMap<ProcessType, Autoscale>, key: &str, value: &Value) -> Result<()> {
    let process_type = ProcessType::new(key);
    if value.is_null() {
        let was_there = process_type.is_ok_and(|process_type| map.remove(&process_type).is_some());
        return if was_there { Ok(()) } else { Err(missing(key, "autoscale")) };
    }
    let process_type = process_type.map_err(|error| Error::invalid("autoscale", error.to_string()))?;
    let number = |name: &str| {
        let invalid = |reason: String| Error::invalid("autoscale", format!("could not validate {value}: {reason}"));
        let Some(map) = value.as_object() else { return Err(invalid(format!("{value} is not of type 'object'"))) };
        let found = map.get(name).ok_or_else(|| invalid(format!("'{name}' is a required property")))?;
        found.as_i64().ok_or_else(|| invalid(format!("{found} is not of type 'integer'")))
    };
    let (min, max, cpu_percent) = (number("min")?, number("max")?, number("cpu_percent")?);
    let rule = |text: &str| Error::Rejected(text.to_owned());
    if min < 1 {
        return Err(rule("min replicas needs to be 1 or higher"));
    }
    if max < min {
        return Err(rule("max replicas can not be smaller than min replicas"));
    }
    let max = u32::try_from(max).ok().filter(|max| *max <= REPLICAS_MAX);
    let max = max.ok_or_else(|| Error::Rejected(format!("max replicas can not be higher than {REPLICAS_MAX}")))?;
    let cpu_percent = u32::try_from(cpu_percent).ok().filter(|percent| *percent >= 1);
    let cpu_percent = cpu_percent.ok_or_else(|| rule("cpu percent needs to be 1 or higher"))?;
    let min = u32::try_from(min).unwrap_or(max);
    map.insert(process_type, Autoscale { min, max, cpu_percent });
    Ok(())
}

fn label_change(map: &mut BTreeMap<String, String>, key: &str, value: &Value) -> Result<()> {
    let text = match value {
        Value::Null => {
            return map.remove(key).map(|_| ()).ok_or_else(|| missing(key, "label"));
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Error::invalid("label", "Not a valid string."));
        }
    };
    if key.is_empty() {
        return Err(Error::invalid("label", "This field may not be blank."));
    }
    map.insert(key.to_owned(), text);
    Ok(())
}

fn missing(key: &str, field: &str) -> Error {
    let shown: String = key.chars().take(100).collect();
    Error::Unprocessable(format!("{shown} does not exist under {field}"))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::json;

    use super::*;
    use crate::{AppId, UserId, Username};

    fn settings() -> AppSettings {
        AppSettings {
            app: AppId::generate(),
            owner: UserId::generate(),
            owner_name: Username::new("bob").unwrap(),
            maintenance: false,
            routable: true,
            allowlist: vec!["10.0.0.0/8".to_owned()],
            autoscale: [(ProcessType::web(), Autoscale { min: 1, max: 2, cpu_percent: 50 })].into(),
            label: [("team".to_owned(), "a".to_owned())].into(),
            created: Utc::now(),
            updated: Utc::now(),
        }
    }

    fn map(value: &Value) -> BTreeMap<String, Value> {
        value.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn absent_fields_stay() {
        let before = settings();
        assert_eq!(settings_apply(&before, &SettingsChange::default()).unwrap(), before);
        for (name, field) in [(ListName::Whitelist, "whitelist"), (ListName::Allowlist, "allowlist")] {
            let allowlist = Some((name, vec!["x".to_owned()]));
            let error =
                settings_apply(&before, &SettingsChange { allowlist, ..SettingsChange::default() }).unwrap_err();
            assert_eq!(error.to_string(), format!("{field}: The address x is not valid"));
        }
        let change = SettingsChange { maintenance: Some(true), ..SettingsChange::default() };
        let after = settings_apply(&before, &change).unwrap();
        assert_eq!(after, AppSettings { maintenance: true, ..before });
    }

    #[test]
    fn null_removes_and_an_absent_key_is_told() {
        let before = settings();
        let change = SettingsChange {
            autoscale: map(&json!({"web": null, "worker": {"min": 1, "max": 1, "cpu_percent": 1, "more": true}})),
            label: map(&json!({"team": null, "n": 1})),
            ..SettingsChange::default()
        };
        let after = settings_apply(&before, &change).unwrap();
        assert_eq!(after.autoscale.keys().map(ProcessType::as_str).collect::<Vec<_>>(), ["worker"]);
        assert_eq!(after.label, [("n".to_owned(), "1".to_owned())].into());
        for (field, text) in [
            ("autoscale", "none does not exist under autoscale"),
            ("autoscale", "No! does not exist under autoscale"),
            ("label", "none does not exist under label"),
        ] {
            let gone = map(&json!({ (text.split(' ').next().unwrap()): null }));
            let change = match field {
                "label" => SettingsChange { label: gone, ..SettingsChange::default() },
                _ => SettingsChange { autoscale: gone, ..SettingsChange::default() },
            };
            let error = settings_apply(&before, &change).unwrap_err();
            assert!(matches!(&error, Error::Unprocessable(got) if got == text), "{error:?}");
        }
    }

    #[test]
    fn autoscale_rules() {
        for (value, expect) in [
            (json!({"min": 0, "max": 1, "cpu_percent": 5}), "min replicas needs to be 1 or higher"),
            (json!({"min": 3, "max": 2, "cpu_percent": 5}), "max replicas can not be smaller than min replicas"),
            (json!({"min": 1, "max": 1001, "cpu_percent": 5}), "max replicas can not be higher than 1000"),
            (json!({"min": 1, "max": 2, "cpu_percent": 0}), "cpu percent needs to be 1 or higher"),
            (
                json!({"min": 1, "max": 2}),
                r#"autoscale: could not validate {"max":2,"min":1}: 'cpu_percent' is a required property"#,
            ),
            (
                json!({"min": "1", "max": 2, "cpu_percent": 3}),
                r#"autoscale: could not validate {"cpu_percent":3,"max":2,"min":"1"}: "1" is not of type 'integer'"#,
            ),
            (json!([]), "autoscale: could not validate []: [] is not of type 'object'"),
        ] {
            let change = SettingsChange { autoscale: map(&json!({ "web": value })), ..SettingsChange::default() };
            assert_eq!(settings_apply(&settings(), &change).unwrap_err().to_string(), expect);
        }
    }

    #[test]
    fn the_allow_list_is_a_sorted_set() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let list = texts(&["2.2.2.2"]);
        assert_eq!(
            allowlist_add(&list, &texts(&["::1", "1.1.1.1/8"])).unwrap().unwrap(),
            ["1.1.1.1/8", "2.2.2.2", "::1"]
        );
        assert_eq!(allowlist_add(&list, &list).unwrap(), None);
        assert_eq!(
            allowlist_add(&list, &texts(&["x"])).unwrap_err().to_string(),
            "addresses: The address x is not valid"
        );
        assert!(allowlist_remove(&list, &list, ListName::Whitelist).unwrap().is_empty());
        assert_eq!(
            allowlist_remove(&list, &texts(&["3.3.3.3", "1.1.1.1", "2.2.2.2"]), ListName::Whitelist)
                .unwrap_err()
                .to_string(),
            "addresses {'1.1.1.1', '3.3.3.3'} does not exist in whitelist"
        );
    }
}
