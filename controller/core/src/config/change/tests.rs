use chrono::Utc;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{AppId, ConfigId, UserId, Username};

fn empty() -> Config {
    Config {
        id: ConfigId::generate(),
        app: AppId::generate(),
        owner: UserId::generate(),
        owner_name: Username::new("bob").unwrap(),
        values: BTreeMap::new(),
        memory: BTreeMap::new(),
        cpu: BTreeMap::new(),
        tags: BTreeMap::new(),
        registry: BTreeMap::new(),
        healthcheck: BTreeMap::new(),
        termination_grace_period: BTreeMap::new(),
        lifecycle_post_start: BTreeMap::new(),
        lifecycle_pre_stop: BTreeMap::new(),
        mounts: BTreeMap::new(),
        created: Utc::now(),
    }
}

fn map(value: Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().collect(),
        other => panic!("not a map: {other}"),
    }
}

fn change(field: &str, value: Value) -> ConfigChange {
    let mut change = ConfigChange::default();
    let target = match field {
        "values" => &mut change.values,
        "memory" => &mut change.memory,
        "cpu" => &mut change.cpu,
        "tags" => &mut change.tags,
        "registry" => &mut change.registry,
        "healthcheck" => &mut change.healthcheck,
        "termination_grace_period" => &mut change.termination_grace_period,
        other => panic!("no field {other}"),
    };
    *target = map(value);
    change
}

fn values(config: &Config) -> Vec<(&str, &str)> {
    config.values.iter().map(|(key, value)| (key.as_str(), value.expose())).collect()
}

/// The one message about `field`.
fn message(field: &str, value: &Value) -> String {
    match change_apply(&empty(), &change(field, value.clone())) {
        Err(Error::Invalid(fields)) => {
            assert_eq!(fields.len(), 1);
            assert_eq!(fields[0].field, field);
            assert_eq!(fields[0].messages.len(), 1);
            fields[0].messages[0].clone()
        }
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn values_are_kept_as_text() {
    let change = change("values", json!({"A": "1 2\n3", "_b": 1.5, "C": true, "D": 7, "E": ["x"], "F": "", "G": "ü"}));
    let next = change_apply(&empty(), &change).unwrap();
    let expect = [("A", "1 2\n3"), ("C", "True"), ("D", "7"), ("E", "[\"x\"]"), ("F", ""), ("G", "ü"), ("_b", "1.5")];
    assert_eq!(values(&next), expect);
}

#[test]
fn null_unsets_and_unsetting_nothing_is_refused() {
    let first = change_apply(&empty(), &change("values", json!({"A": "1", "B": "2"}))).unwrap();
    let second = change_apply(&first, &change("values", json!({"A": null, "C": "3"}))).unwrap();
    assert_eq!(values(&second), [("B", "2"), ("C", "3")]);
    for field in ["values", "memory", "cpu", "tags", "registry", "healthcheck"] {
        let error = change_apply(&second, &change(field, json!({"x!": null}))).unwrap_err();
        assert!(matches!(&error, Error::Unprocessable(text) if *text == format!("x! does not exist under {field}")));
    }
}

#[test]
fn bad_values_have_the_texts_of_the_contract() {
    for (field, value, expect) in [
        ("values", json!({"1A": "x"}), KEY_RULE),
        ("values", json!({"A\n": "x"}), KEY_RULE),
        ("values", json!({"": "x"}), KEY_RULE),
        ("values", json!({"A-B": "x"}), KEY_RULE),
        ("values", json!({"PORT": "x"}), "PORT can only be a numeric value"),
        ("values", json!({"PORT": "0"}), "PORT needs to be between 1 and 65535"),
        ("values", json!({"PORT": 65536}), "PORT needs to be between 1 and 65535"),
        ("values", json!({"A": "x\u{0}y"}), "A holds a NUL character, which no environment can"),
        ("values", json!({"A": "x".repeat(1 << 20)}), "A is larger than 131070 bytes"),
        (
            "values",
            json!({"HEALTHCHECK_URL": "http://x"}),
            "HEALTHCHECK_URL is missing a URI path (such as /healthz). Without it no health check can be done",
        ),
        (
            "values",
            json!({"HEALTHCHECK_URL": "/x?y"}),
            "HEALTHCHECK_URL can only be a URI path (such as /healthz) that does not contain other things such as query params",
        ),
        ("values", json!({"HEALTHCHECK_TIMEOUT": "x"}), "HEALTHCHECK_TIMEOUT can only be a numeric value"),
        ("memory", json!({"web": "1T"}), MEMORY_RULE),
        ("memory", json!({"Web": "1G"}), PROCESS_TYPE_RULE),
        ("memory", json!({"web": ["1G"]}), MEMORY_RULE),
        ("cpu", json!({"web": "x"}), CPU_RULE),
        ("cpu", json!({"w_b": "1"}), PROCESS_TYPE_RULE),
        ("tags", json!({"a b": "x"}), TAG_KEY_RULE),
        ("tags", json!({"/a": "x"}), TAG_PREFIX_RULE),
        ("tags", json!({"a_b/c": "x"}), TAG_PREFIX_RULE),
        ("tags", json!({(format!("{}/c", "a".repeat(254))): "x"}), TAG_PREFIX_LENGTH_RULE),
        ("tags", json!({"a": "x y"}), TAG_VALUE_RULE),
        ("tags", json!({"a": "x".repeat(64)}), TAG_VALUE_RULE),
        ("registry", json!({"user name": "x"}), KEY_RULE),
        ("healthcheck", json!({"livenessProbe": {"tcpSocket": {"port": 1}}}), PROBE_NAME_RULE),
        ("healthcheck", json!({"web": {"other": {}}}), PROBE_NAME_RULE),
        ("healthcheck", json!({"web/worker": {}}), PROCESS_TYPE_RULE),
        ("healthcheck", json!({"web": 1}), "could not validate 1: the probes of a process type are a map"),
        (
            "healthcheck",
            json!({"web": {"livenessProbe": {"successThreshold": 2}}}),
            "livenessProbe successThreshold can only be 1",
        ),
    ] {
        assert_eq!(message(field, &value), expect);
    }
}

#[test]
fn several_bad_fields_are_all_named() {
    let mut both = change("memory", json!({"web": "x"}));
    both.cpu = map(json!({"web": "x"}));
    let Err(Error::Invalid(fields)) = change_apply(&empty(), &both) else { panic!("accepted") };
    let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(names, ["memory", "cpu"]);
}

#[test]
fn a_private_registry_needs_a_port() {
    let mut change = change("registry", json!({"Username": "bob", "password": "x"}));
    let error = change_apply(&empty(), &change).unwrap_err();
    assert!(matches!(error, Error::Rejected(text) if text.starts_with("PORT needs to be set in the config")));
    change.values = map(json!({"PORT": 80}));
    let next = change_apply(&empty(), &change).unwrap();
    assert_eq!(next.registry.keys().collect::<Vec<_>>(), ["password", "username"]);
}

#[test]
fn probes_are_merged_one_by_one() {
    let tcp = |port: u16| json!({"tcpSocket": {"port": port}});
    let first = change("healthcheck", json!({"web": {"livenessProbe": tcp(1), "readinessProbe": tcp(2)}}));
    let first = change_apply(&empty(), &first).unwrap();
    let second = change_apply(&first, &change("healthcheck", json!({"web": {"livenessProbe": null}}))).unwrap();
    assert_eq!(second.healthcheck["web"], json!({"readinessProbe": tcp(2)}));
    let gone = change("healthcheck", json!({"web": {"livenessProbe": null}}));
    assert!(matches!(
        change_apply(&second, &gone),
        Err(Error::Unprocessable(text)) if text == "livenessProbe does not exist under healthcheck"
    ));
    let last = change_apply(&second, &change("healthcheck", json!({"web": {"readinessProbe": null}}))).unwrap();
    assert!(last.healthcheck.is_empty());
}

#[test]
fn old_healthcheck_variables_become_probes_and_vanish() {
    let change = change("values", json!({"HEALTHCHECK_URL": "/up", "HEALTHCHECK_TIMEOUT": "7", "A": "1"}));
    let next = change_apply(&empty(), &change).unwrap();
    assert_eq!(values(&next), [("A", "1")]);
    let probe = &next.healthcheck[WEB_CMD]["readinessProbe"];
    assert_eq!(probe["httpGet"], json!({"path": "/up"}));
    assert_eq!(probe["timeoutSeconds"], json!(7));
    assert_eq!(probe["initialDelaySeconds"], json!(50));
}

#[test]
fn all_values_together_are_limited() {
    let many: serde_json::Map<String, Value> =
        (0..10).map(|number| (format!("K{number}"), json!("x".repeat(110_000)))).collect();
    assert_eq!(
        message("values", &Value::Object(many)),
        format!("All values together are larger than {VARIABLES_MAX_BYTES} bytes")
    );
}

#[test]
fn grace_periods() {
    let field = "termination_grace_period";
    let next = change_apply(&empty(), &change(field, json!({"web": 60, "worker": "0", "cron": "3600"}))).unwrap();
    let written: Vec<&str> = next.termination_grace_period.values().map(String::as_str).collect();
    assert_eq!(written, ["3600", "60", "0"]);
    let next = change_apply(&next, &change(field, json!({"web": null}))).unwrap();
    assert_eq!(next.termination_grace_period.len(), 2);
    let missing = change_apply(&next, &change(field, json!({"web": null}))).unwrap_err();
    assert_eq!(missing.to_string(), "web does not exist under termination_grace_period");
    for bad in
        [json!(""), json!("1s"), json!(-1), json!(1.5), json!("+1"), json!(" 1"), json!(true), json!([1]), json!("١")]
    {
        assert_eq!(message(field, &json!({"web": bad})), GRACE_RULE, "{bad}");
    }
    for large in [json!(3601), json!("99999999999999999999")] {
        let range = "Termination Grace Period is not in allowed range: 0~3600";
        assert_eq!(message(field, &json!({"web": large})), range);
    }
    assert_eq!(message(field, &json!({"No!": 1})), PROCESS_TYPE_RULE);
}

proptest! {
    /// Whatever is asked for: no panic, and what is accepted can be unset again, which leaves what was there.
    #[test]
    fn setting_then_unsetting_leaves_nothing(keys in proptest::collection::btree_set("[A-Z_][A-Z0-9_]{0,5}", 0..5), text in "\\PC{0,20}") {
        let set: BTreeMap<String, Value> = keys.iter()
            .filter(|key| *key != "PORT" && !key.starts_with("HEALTHCHECK_"))
            .map(|key| (key.clone(), json!(text))).collect();
        let unset: BTreeMap<String, Value> = set.keys().map(|key| (key.clone(), Value::Null)).collect();
        let base = empty();
        let next = change_apply(&base, &ConfigChange { values: set.clone(), ..ConfigChange::default() }).unwrap();
        prop_assert_eq!(next.values.len(), set.len());
        let back = change_apply(&next, &ConfigChange { values: unset, ..ConfigChange::default() }).unwrap();
        prop_assert_eq!(back, base);
    }

    #[test]
    fn nothing_panics(key in "\\PC{0,10}", text in "\\PC{0,30}", field in 0_usize..6) {
        let field = ["values", "memory", "cpu", "tags", "registry", "healthcheck"][field];
        let mut map = serde_json::Map::new();
        map.insert(key, json!(text));
        let _ = change_apply(&empty(), &change(field, Value::Object(map)));
    }
}
