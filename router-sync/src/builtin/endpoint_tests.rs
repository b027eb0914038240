use serde_json::json;

use super::*;

fn object(name: &str, namespace: &str, service: Option<&str>, data: [(&str, Value); 2]) -> Arc<DynamicObject> {
    let labels = service.map(|service| json!({LABEL_SERVICE: service}));
    let mut body = json!({"metadata": {"name": name, "namespace": namespace, "labels": labels}});
    for (key, value) in data.into_iter().filter(|(_, value)| !value.is_null()) {
        body[key] = value;
    }
    Arc::new(serde_json::from_value(body).unwrap())
}

fn slice(service: &str, ports: Value, endpoints: Value) -> Arc<DynamicObject> {
    object("x", service, Some(service), [("ports", ports), ("endpoints", endpoints)])
}

fn subsets(name: &str, subsets: Value) -> Arc<DynamicObject> {
    object(name, "blog", None, [("subsets", subsets), ("endpoints", Value::Null)])
}

fn http(port: u16) -> Value {
    json!([{"name": "metrics", "port": 9}, {"name": "http", "port": port, "protocol": "TCP"}])
}

fn addresses(objects: &[Arc<DynamicObject>]) -> Vec<String> {
    let all = endpoints(objects);
    let mut addresses: Vec<_> =
        all.get(&blog()).into_iter().flat_map(|one| one.at("http", None)).map(|one| one.addr.to_string()).collect();
    addresses.sort();
    addresses
}

/// The app's own Service.
fn blog() -> (String, String) {
    ("blog".to_owned(), "blog".to_owned())
}

#[test]
fn each_slice_has_its_own_port() {
    let pod = |ip: &str, name: &str| json!([{"addresses": [ip], "targetRef": {"name": name, "uid": name}}]);
    let slices = [slice("blog", http(8080), pod("10.1.0.1", "old")), slice("blog", http(5000), pod("10.1.0.2", "new"))];
    assert_eq!(addresses(&slices), ["10.1.0.1:8080", "10.1.0.2:5000"]);
    let all = endpoints(&slices);
    let names: Vec<_> = all[&blog()].at("http", None).map(|one| one.pod.as_str()).collect();
    assert_eq!(names, ["old", "new"]);
}

#[test]
fn only_what_is_ready_and_stays_takes_requests() {
    let endpoint =
        |last: u8, conditions: Value| json!({"addresses": [format!("10.1.0.{last}")], "conditions": conditions});
    let check = |conditions: Value, is_used: bool, has_unready: bool| {
        let found = endpoints(&[slice("blog", http(80), json!([endpoint(1, conditions.clone())]))]);
        let found = &found[&blog()];
        assert_eq!((found.at("http", None).count() == 1, found.has_unready), (is_used, has_unready), "{conditions}");
    };
    check(json!({"ready": true}), true, false);
    check(json!({}), true, false);
    check(json!({"ready": null}), true, false);
    check(json!({"ready": false}), false, true);
    check(json!({"ready": false, "serving": true, "terminating": true}), false, false);
    check(json!({"ready": true, "terminating": true}), false, false);
}

#[test]
fn what_is_told_twice_counts_once() {
    let pods = json!([{"addresses": ["10.1.0.1"], "targetRef": {"name": "a", "uid": "1"}}]);
    let slices = [slice("blog", http(80), pods.clone()), slice("blog", http(80), pods)];
    assert_eq!(addresses(&slices), ["10.1.0.1:80"]);
}

#[test]
fn of_two_families_that_of_the_service_is_taken() {
    let pod = |ip: &str| json!([{"addresses": [ip], "targetRef": {"name": "a", "uid": "1"}}]);
    let slices = [slice("blog", http(80), pod("10.1.0.1")), slice("blog", http(80), pod("fd00::1"))];
    let all = endpoints(&slices);
    let of = |ip: &str| all[&blog()].at("http", Some(ip.parse().unwrap())).map(|one| one.addr).collect::<Vec<_>>();
    assert_eq!(of("10.0.0.7"), ["10.1.0.1:80".parse().unwrap()]);
    assert_eq!(of("fd00::7"), ["[fd00::1]:80".parse().unwrap()]);
}

#[test]
fn endpoints_stand_in_for_slices() {
    let pods = json!([
        {
            "addresses": [{"ip": "10.1.0.1", "targetRef": {"name": "a", "uid": "1"}}],
            "notReadyAddresses": [{"ip": "10.1.0.2"}],
            "ports": http(8080),
        },
        {"addresses": [{"ip": "10.1.0.3"}], "ports": http(5000)},
    ]);
    let found = [subsets("blog", pods.clone())];
    assert_eq!(addresses(&found), ["10.1.0.1:8080", "10.1.0.3:5000"]);
    assert!(endpoints(&found)[&blog()].has_unready);
    assert!(!endpoints(&[subsets("other", pods)]).contains_key(&blog()));
}

#[test]
fn what_makes_no_sense_is_left_out() {
    let pods = json!([{"addresses": ["10.1.0.1"]}]);
    for slice in [
        slice("blog", json!([{"name": "http", "port": 70_000}]), pods.clone()),
        slice("blog", json!([{"name": "http", "port": 0}]), pods.clone()),
        slice("blog", json!([{"name": "http", "port": "80"}]), pods.clone()),
        slice("blog", json!([{"name": "other", "port": 80}]), pods.clone()),
        slice("blog", json!(null), pods.clone()),
        slice("blog", http(80), json!([{"addresses": ["example.com", 7, null]}, 3, {"addresses": "10.1.0.1"}])),
        slice("blog", http(80), json!("none")),
        object("x", "blog", Some("other"), [("ports", http(80)), ("endpoints", pods.clone())]),
        object("x", "blog", None, [("ports", http(80)), ("endpoints", pods)]),
        subsets("blog", json!([{"addresses": [{"ip": 7}], "ports": http(80)}, null])),
    ] {
        assert!(addresses(&[Arc::clone(&slice)]).is_empty(), "{slice:?}");
    }
}
