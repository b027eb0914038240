use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::builtin::endpoint::endpoints;

fn service(name: &str, annotations: &Value) -> Arc<Service> {
    let body = json!({
        "metadata": {
            "name": name, "namespace": name, "uid": Uuid::from_u128(u128::from(name.as_bytes()[0])).to_string(),
            "labels": {"heritage": "slipway", "app": name, "router.slipway.io/routable": "true"},
            "annotations": annotations,
        },
        "spec": {"clusterIP": "10.0.0.7", "ports": [{"name": "http", "port": 80}]},
    });
    Arc::new(serde_json::from_value(body).unwrap())
}

fn slice(name: &str, endpoints: &Value) -> Arc<DynamicObject> {
    slice_of(name, name, endpoints)
}

fn slice_of(name: &str, service: &str, endpoints: &Value) -> Arc<DynamicObject> {
    let body = json!({
        "metadata": {"name": "x", "namespace": name, "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": 5000}],
        "endpoints": endpoints,
    });
    Arc::new(serde_json::from_value(body).unwrap())
}

/// Pods by address, each with the address as its UID.
fn ready(addresses: &[&str]) -> Value {
    let pod = |address: &&str| {
        json!({
            "addresses": [address],
            "conditions": {"ready": true},
            "targetRef": {"name": format!("pod-{address}"), "uid": address},
        })
    };
    addresses.iter().map(pod).collect()
}

fn secret(chain: &str) -> Arc<Secret> {
    use k8s_openapi::ByteString;
    let data = [("tls.crt", chain), ("tls.key", "key")];
    let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).into();
    Arc::new(Secret { data: Some(data), ..Secret::default() })
}

fn inputs(services: Vec<Arc<Service>>, slices: &[Arc<DynamicObject>]) -> Inputs {
    let endpoints = endpoints(slices);
    Inputs { services, secrets: HashMap::new(), default_certificate: DefaultCertificate::SelfSigned, endpoints }
}

fn domains(hosts: &str) -> Value {
    json!({"router.slipway.io/domains": hosts})
}

#[test]
fn requests_go_to_the_ready_pods() {
    let made = Tables::default().make(&inputs(
        vec![service("blog", &domains("blog.test"))],
        &[slice("blog", &ready(&["10.1.0.1", "10.1.0.2"]))],
    ));
    let route = made.table.find("blog.test").unwrap();
    let backends: Vec<_> = route.backends.iter().map(|one| format!("{} {}", one.name, one.addr)).collect();
    assert_eq!(backends, ["pod-10.1.0.1 10.1.0.1:5000", "pod-10.1.0.2 10.1.0.2:5000"]);
    assert_eq!(made.names[&route.app].as_str(), "blog");
    assert!(made.problems.is_empty() && made.routes == 1);
}

#[test]
fn an_app_without_ready_pods_says_why() {
    let unready = json!([{"addresses": ["10.1.0.1"], "conditions": {"ready": false}}]);
    let ending = json!([{"addresses": ["10.1.0.1"], "conditions": {"ready": false, "terminating": true}}]);
    for (slices, idle) in [
        (vec![], IdleReason::ScaledToZero),
        (vec![slice("blog", &json!(null))], IdleReason::ScaledToZero),
        (vec![slice("blog", &unready)], IdleReason::Starting),
        (vec![slice("blog", &ending)], IdleReason::ScaledToZero),
    ] {
        let made = Tables::default().make(&inputs(vec![service("blog", &domains("blog.test"))], &slices));
        let route = made.table.find("blog.test").unwrap();
        assert!(route.backends.is_empty());
        assert_eq!(route.idle, idle);
    }
}

#[test]
fn a_backend_lives_as_long_as_its_pod_does() {
    let mut tables = Tables::default();
    let mut make = |services: &[&str], pods: &Value| {
        let services = services.iter().map(|name| service(name, &domains(&format!("{name}.test")))).collect();
        tables.make(&inputs(services, &[slice("blog", pods)]))
    };
    let backends = |made: &Made| made.table.find("blog.test").unwrap().backends.clone();
    let is_same = |one: &[Arc<Backend>], other: &[Arc<Backend>]| {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
    };

    let first = make(&["blog"], &ready(&["10.1.0.1"]));
    let old = backends(&first);
    let second = make(&["blog", "other"], &ready(&["10.1.0.1"]));
    assert!(is_same(&backends(&second), &old) && second.drained.is_empty());
    // A pod that comes leaves the others alone.
    let third = make(&["blog"], &ready(&["10.1.0.1", "10.1.0.2"]));
    let (both, new) = (backends(&third), backends(&third)[1..].to_vec());
    assert!(is_same(&both[..1], &old) && third.drained.is_empty());
    let fourth = make(&["blog"], &ready(&["10.1.0.2"]));
    assert!(is_same(&backends(&fourth), &new) && is_same(&fourth.drained, &old));
    // An address that is given out again is another pod's.
    let again = json!([{"addresses": ["10.1.0.2"], "targetRef": {"name": "pod-10.1.0.2", "uid": "another"}}]);
    let fifth = make(&["blog"], &again);
    assert!(!is_same(&backends(&fifth), &new) && is_same(&fifth.drained, &new));
    let sixth = make(&["blog"], &ready(&[]));
    assert!(backends(&sixth).is_empty() && is_same(&sixth.drained, &backends(&fifth)));
    let seventh = make(&["blog"], &ready(&["10.1.0.3"]));
    let eighth = make(&[], &ready(&["10.1.0.3"]));
    assert!(is_same(&eighth.drained, &backends(&seventh)));
}

#[test]
fn a_pod_that_nobody_names_goes_by_the_apps_name() {
    let pods = json!([{"addresses": ["10.1.0.1"]}]);
    let made = Tables::default().make(&inputs(vec![service("blog", &domains("a.test"))], &[slice("blog", &pods)]));
    assert_eq!(made.table.find("a.test").unwrap().backends[0].name, "blog");
}

#[test]
fn certificates_come_from_their_secrets() {
    let annotations = json!({
        "router.slipway.io/domains": "a.test,b.test,c.test",
        "router.slipway.io/certificates": "a.test:one,b.test:one,c.test:gone",
    });
    let mut inputs = inputs(vec![service("blog", &annotations)], &[]);
    inputs.secrets.insert(("blog".to_owned(), "one".to_owned()), secret("chain"));
    inputs.default_certificate = DefaultCertificate::Given(secret("default"));
    let made = Tables::default().make(&inputs);
    let hosts: Vec<_> = made.table.certificates.iter().map(|c| (c.chain_pem.as_str(), c.hosts.join(","))).collect();
    assert_eq!(hosts, [("chain", "a.test,b.test".to_owned()), ("default", ANY_HOST.to_owned())]);
    assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
    inputs.default_certificate = DefaultCertificate::Missing;
    assert_eq!(Tables::default().make(&inputs).problems.len(), 2);
}

#[test]
fn automatic_certificates_that_it_cannot_get_are_told() {
    for (wanted, told) in [("false", 0), ("true", 1)] {
        let annotations =
            json!({"router.slipway.io/domains": "www.example.com", "router.slipway.io/certificates.auto": wanted});
        let made = Tables::default().make(&inputs(vec![service("blog", &annotations)], &[]));
        assert_eq!((made.routes, made.problems.len()), (1, told), "{wanted}: {:?}", made.problems);
    }
}

#[test]
fn secrets_of_other_namespaces_are_out_of_reach() {
    let annotations = json!({"router.slipway.io/domains": "a.test", "router.slipway.io/certificates": "a.test:one"});
    let mut inputs = inputs(vec![service("blog", &annotations)], &[]);
    inputs.secrets.insert(("other".to_owned(), "one".to_owned()), secret("chain"));
    assert!(Tables::default().make(&inputs).table.certificates.is_empty());
}

#[test]
fn an_allow_list_that_names_nobody_lets_nobody_in() {
    let annotations = json!({"router.slipway.io/domains": "a.test", "router.slipway.io/whitelist": "nonsense"});
    let made = Tables::default().make(&inputs(vec![service("blog", &annotations)], &[]));
    assert_eq!(made.table.find("a.test").unwrap().allow_list, [NOBODY]);
}

#[test]
fn hosts_lead_to_ports_of_their_own_with_every_path() {
    let annotations = json!({
        "router.slipway.io/domains": "admin.test,blog.test",
        "router.slipway.io/ports": "admin.test:9090",
        "router.slipway.io/paths": r#"[{"pattern":"/jobs","service":"blog-worker"}]"#,
    });
    let with_ports = |ports: &Value| {
        let mut service = Arc::into_inner(service("blog", &annotations)).unwrap();
        service.spec.as_mut().unwrap().ports = Some(serde_json::from_value(ports.clone()).unwrap());
        Arc::new(service)
    };
    let ports = json!([{"name": "http", "port": 80}, {"name": "port-9090", "port": 9090}]);
    let both = |pods: &Value| {
        let mut slice = DynamicObject::clone(&slice("blog", pods));
        slice.data["ports"] = json!([
            {"name": "port-9090", "port": 9090}, {"name": "http", "port": 5000}, {"name": "metrics", "port": 1}
        ]);
        Arc::new(slice)
    };
    let mut tables = Tables::default();
    let made = tables.make(&inputs(vec![with_ports(&ports)], &[both(&ready(&["10.1.0.1"]))]));
    let to = |made: &Made, host: &str, path: &str| {
        let backends = made.table.find_path(host, path).map(|route| route.backends.clone());
        backends.map(|backends| backends.iter().map(|one| one.addr.to_string()).collect::<Vec<_>>().join(" "))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(to(&made, "blog.test", "/"), text("10.1.0.1:5000"));
    assert_eq!(to(&made, "admin.test", "/"), text("10.1.0.1:9090"));
    assert_eq!(to(&made, "blog.test", "/jobs"), text(""));
    assert_eq!(to(&made, "admin.test", "/jobs"), text("10.1.0.1:9090"));
    assert_eq!((made.routes, made.problems.len()), (1, 0), "{:?}", made.problems);
    let again = tables.make(&inputs(vec![with_ports(&ports)], &[both(&ready(&[]))]));
    assert_eq!(again.drained.len(), 2, "requests at each port are waited for");
    let lacking = Tables::default().make(&inputs(vec![service("blog", &annotations)], &[both(&ready(&["10.1.0.1"]))]));
    assert_eq!((to(&lacking, "admin.test", "/"), lacking.problems.len()), (None, 1), "{:?}", lacking.problems);
    assert_eq!(to(&lacking, "blog.test", "/"), text("10.1.0.1:5000"));
}

#[test]
fn paths_lead_to_the_pods_of_other_services() {
    let annotations = json!({
        "router.slipway.io/domains": "blog.test",
        "router.slipway.io/paths":
            r#"[{"pattern":"/jobs","service":"blog-worker"},{"pattern":"/same","service":"blog"}]"#,
        "router.slipway.io/whitelist": "10.0.0.0/8",
    });
    let slices = [
        slice("blog", &ready(&["10.1.0.1"])),
        slice_of("blog", "blog-worker", &ready(&["10.1.0.2"])),
        slice_of("blog", "database", &ready(&["10.1.0.3"])),
    ];
    let mut tables = Tables::default();
    let made = tables.make(&inputs(vec![service("blog", &annotations)], &slices));
    let to = |path: &str| {
        let route = made.table.find_path("blog.test", path).unwrap();
        assert_eq!(route.allow_list.len(), 1, "what holds for the app holds for every path");
        route.backends.iter().map(|one| one.addr.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (to("/jobs/1"), to("/same"), to("/")),
        (vec!["10.1.0.2".to_owned()], vec!["10.1.0.1".to_owned()], vec!["10.1.0.1".to_owned()],)
    );
    let own = made.table.find("blog.test").unwrap();
    let same = made.table.find_path("blog.test", "/same").unwrap();
    assert!(Arc::ptr_eq(&own.backends[0], &same.backends[0]), "a pod's requests are counted in one place");
    let again = tables.make(&inputs(vec![service("blog", &annotations)], &slices[..1]));
    assert_eq!(again.drained.len(), 1);
    assert!(again.table.find_path("blog.test", "/jobs").unwrap().backends.is_empty());
}
