use serde_json::{Value, json};

use super::*;

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
    let body = json!({
        "metadata": {"name": "x", "namespace": name, "labels": {LABEL_SERVICE: name}},
        "endpoints": endpoints,
    });
    Arc::new(serde_json::from_value(body).unwrap())
}

fn ready(addresses: &[&str]) -> Value {
    addresses.iter().map(|address| json!({"addresses": [address], "conditions": {"ready": true}})).collect()
}

fn secret(chain: &str) -> Arc<Secret> {
    use k8s_openapi::ByteString;
    let data = [("tls.crt", chain), ("tls.key", "key")];
    let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).into();
    Arc::new(Secret { data: Some(data), ..Secret::default() })
}

fn inputs(services: Vec<Arc<Service>>, slices: Vec<Arc<DynamicObject>>) -> Inputs {
    Inputs { services, secrets: HashMap::new(), default_certificate: DefaultCertificate::SelfSigned, slices }
}

fn domains(hosts: &str) -> Value {
    json!({"router.slipway.io/domains": hosts})
}

#[test]
fn requests_go_to_the_service() {
    let made = Tables::default().make(&inputs(
        vec![service("blog", &domains("blog.test"))],
        vec![slice("blog", &ready(&["10.1.0.1", "10.1.0.2"]))],
    ));
    let route = made.table.find("blog.test").unwrap();
    assert_eq!(route.backends.len(), 1);
    assert_eq!(route.backends[0].addr, "10.0.0.7:80".parse().unwrap());
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
        let made = Tables::default().make(&inputs(vec![service("blog", &domains("blog.test"))], slices));
        let route = made.table.find("blog.test").unwrap();
        assert!(route.backends.is_empty());
        assert_eq!(route.idle, idle);
    }
}

#[test]
fn a_backend_lives_as_long_as_its_pods_do() {
    let mut tables = Tables::default();
    let mut make = |services: &[&str], pods: &[&str]| {
        let services = services.iter().map(|name| service(name, &domains(&format!("{name}.test")))).collect();
        tables.make(&inputs(services, vec![slice("blog", &ready(pods))]))
    };
    let backend = |made: &Made| Arc::clone(&made.table.find("blog.test").unwrap().backends[0]);
    let first = make(&["blog"], &["10.1.0.1"]);
    let second = make(&["blog", "other"], &["10.1.0.1"]);
    assert!(Arc::ptr_eq(&backend(&first), &backend(&second)) && second.drained.is_empty());
    let third = make(&["blog"], &["10.1.0.2"]);
    assert!(!Arc::ptr_eq(&backend(&second), &backend(&third)));
    assert!(Arc::ptr_eq(&third.drained[0], &backend(&second)));
    let fourth = make(&["blog"], &[]);
    assert!(Arc::ptr_eq(&fourth.drained[0], &backend(&third)));
    let fifth = make(&["blog"], &["10.1.0.3"]);
    let sixth = make(&[], &["10.1.0.3"]);
    assert!(Arc::ptr_eq(&sixth.drained[0], &backend(&fifth)));
}

#[test]
fn certificates_come_from_their_secrets() {
    let annotations = json!({
        "router.slipway.io/domains": "a.test,b.test,c.test",
        "router.slipway.io/certificates": "a.test:one,b.test:one,c.test:gone",
    });
    let mut inputs = inputs(vec![service("blog", &annotations)], Vec::new());
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
fn secrets_of_other_namespaces_are_out_of_reach() {
    let annotations = json!({"router.slipway.io/domains": "a.test", "router.slipway.io/certificates": "a.test:one"});
    let mut inputs = inputs(vec![service("blog", &annotations)], Vec::new());
    inputs.secrets.insert(("other".to_owned(), "one".to_owned()), secret("chain"));
    assert!(Tables::default().make(&inputs).table.certificates.is_empty());
}

#[test]
fn an_allow_list_that_names_nobody_lets_nobody_in() {
    let annotations = json!({"router.slipway.io/domains": "a.test", "router.slipway.io/whitelist": "nonsense"});
    let made = Tables::default().make(&inputs(vec![service("blog", &annotations)], Vec::new()));
    assert_eq!(made.table.find("a.test").unwrap().allow_list, [NOBODY]);
}
