use proptest::prelude::*;
use serde_json::json;

use super::*;

fn service(annotations: &serde_json::Value) -> Service {
    serde_json::from_value(json!({
        "metadata": {
            "name": "blog", "namespace": "blog", "uid": "u-1", "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"heritage": "slipway", "app": "blog", "router.slipway.io/routable": "true"},
            "annotations": annotations,
        },
        "spec": {"clusterIP": "10.0.0.7", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
    }))
    .unwrap()
}

fn read(annotations: &serde_json::Value) -> (DesiredRoute, Vec<String>) {
    let reading = service_read(&service(annotations));
    (reading.route.unwrap(), reading.problems)
}

fn route(app: &str, created: i128, hosts: &[&str]) -> DesiredRoute {
    let (route, _) = read(&json!({}));
    DesiredRoute {
        app: AppName::new(app).unwrap(),
        namespace: app.to_owned(),
        created_nanos: created,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..route
    }
}

#[test]
fn a_service_is_read_as_the_contract_says() {
    let (route, problems) = read(&json!({
        "router.slipway.io/domains": "www.example.com,*.example.com,blog.apps.test",
        "router.slipway.io/certificates": "*.example.com:0123-cert,www.example.com:4567-cert",
        "router.slipway.io/certificates.auto": "false",
        "router.slipway.io/ssl.enforce": "true",
        "router.slipway.io/maintenance": "false",
        "router.slipway.io/whitelist": "10.0.0.0/8,2001:db8::/32",
        "router.slipway.io/generation": "12",
    }));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(route.hosts, ["*.example.com", "blog.apps.test", "www.example.com"]);
    assert_eq!(route.certificate_of("www.example.com"), Some("4567-cert"));
    assert_eq!(route.certificate_of("*.example.com"), Some("0123-cert"));
    assert_eq!(route.certificate_of("blog.apps.test"), None);
    assert!(route.is_https_enforced && !route.is_in_maintenance);
    assert_eq!(route.automatic_certificates, Some(false));
    let networks = vec![([10, 0, 0, 0].into(), 8), ("2001:db8::".parse().unwrap(), 32)];
    assert_eq!(route.allow_list, AllowList::Networks(networks));
    assert_eq!(route.cluster_ip, Some([10, 0, 0, 7].into()));
    assert_eq!(route.created_nanos, 1_767_323_045_000_000_000);
}

#[test]
fn nothing_but_the_contract_is_read() {
    let (route, problems) = read(&json!({"router.slipway.io/other": "x", "nginx.ingress.kubernetes.io/x": "y"}));
    assert_eq!((route.hosts.len(), problems.len(), route.automatic_certificates), (0, 0, None));
    assert_eq!(route.allow_list, AllowList::Everyone);
}

#[test]
fn what_cannot_be_read_is_left_out_and_told() {
    let (route, problems) = read(&json!({
        "router.slipway.io/domains": "ok.example.com, ,UPPER.example.com,a b,x/y,*.,1.2.3.4,\u{1b}[31m",
        "router.slipway.io/certificates": "ok.example.com:secret,ok.example.com,evil.example.com:../../x,:s,h:",
        "router.slipway.io/certificates.auto": "TRUE",
        "router.slipway.io/ssl.enforce": "yes",
        "router.slipway.io/maintenance": "1",
        "router.slipway.io/whitelist": "10.0.0.0/8,0.0.0.0/99,everyone",
    }));
    assert_eq!(route.hosts, ["ok.example.com"]);
    assert_eq!(route.certificates.len(), 1);
    assert_eq!(route.allow_list, AllowList::Networks(vec![([10, 0, 0, 0].into(), 8)]));
    assert!(!route.is_https_enforced && !route.is_in_maintenance);
    assert_eq!(route.automatic_certificates, None);
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn an_allow_list_that_names_nobody_lets_nobody_in() {
    for value in ["", " , ", "nonsense"] {
        let (route, problems) = read(&json!({"router.slipway.io/whitelist": value}));
        assert_eq!(route.allow_list, AllowList::Networks(Vec::new()), "{value}");
        assert!(!problems.is_empty());
    }
}

#[test]
fn paths_are_read_and_hostile_ones_left_out() {
    let (route, problems) = read(&json!({
        "router.slipway.io/paths": r#"[{"pattern":"/jobs","service":"blog-worker"},{"pattern":"/","service":"blog"}]"#,
    }));
    let shown: Vec<String> =
        route.paths.iter().map(|path| format!("{} {}", path.pattern.text(), path.service)).collect();
    assert_eq!(shown, ["/jobs blog-worker", "/ blog"]);
    assert!(problems.is_empty() && route.path_services().eq(["blog-worker"]));
    for value in [
        "/jobs",
        "{}",
        r#"[{"pattern":"(","service":"blog-worker"}]"#,
        r#"[{"pattern":"/","service":"database"}]"#,
        r#"[{"pattern":"/","service":"blogger"}]"#,
        r#"[{"pattern":"/","service":"blog-x/../y"}]"#,
    ] {
        let (route, problems) = read(&json!({"router.slipway.io/paths": value}));
        assert_eq!((route.paths.len(), problems.len()), (0, 1), "{value}: {problems:?}");
    }
    let many: Vec<_> = (0..=PATHS_MAX).map(|_| json!({"pattern": "/", "service": "blog"})).collect();
    let (route, problems) = read(&json!({"router.slipway.io/paths": json!(many).to_string()}));
    assert_eq!((route.paths.len(), problems.len()), (PATHS_MAX, 1));
}

#[test]
fn hosts_lead_to_the_ports_that_the_service_has_or_nowhere() {
    let read = |value: &str| {
        let mut service = service(&json!({
            "router.slipway.io/domains": "a.test,b.test,c.test",
            "router.slipway.io/ports": value,
        }));
        let port = |name: &str, number: i32| json!({"name": name, "port": number, "protocol": "TCP"});
        let ports = json!([port("http", 80), port("port-80", 8080), port("port-9090", 9090), port("port-9", 70_000)]);
        service.spec.as_mut().unwrap().ports = Some(serde_json::from_value(ports).unwrap());
        let reading = service_read(&service);
        let route = reading.route.unwrap();
        let to = |host: &String| format!("{host} {}", route.port_of(host).number);
        (route.hosts.iter().map(to).collect::<Vec<_>>().join(" "), reading.problems)
    };
    assert_eq!(read("b.test:9090,c.test:80"), ("a.test 80 b.test 9090 c.test 8080".to_owned(), Vec::new()));
    for bad in ["c.test", "c.test:", "c.test:0", "c.test:-1", "c.test:99999", "c.test:9091", "c.test:9", "c.test:x:80"]
    {
        let (hosts, problems) = read(bad);
        assert_eq!((hosts.as_str(), problems.len()), ("a.test 80 b.test 80", 1), "{bad}: {problems:?}");
    }
    for other in ["d.test:9090", ":9090", "x"] {
        let (hosts, problems) = read(other);
        assert_eq!((hosts.as_str(), problems.len()), ("a.test 80 b.test 80 c.test 80", 1), "{other}: {problems:?}");
    }
}

#[test]
fn services_that_are_not_to_be_routed_have_no_route() {
    for (pointer, value, is_problem) in [
        ("/metadata/labels/router.slipway.io~1routable", json!("false"), false),
        ("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"), false),
        ("/metadata/namespace", json!("other"), true),
        ("/metadata/labels/app", json!("other"), true),
        ("/metadata/name", json!("Not.An.App"), true),
        ("/spec/ports/0/name", json!("grpc"), true),
    ] {
        let mut body = serde_json::to_value(service(&json!({}))).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
        let reading = service_read(&serde_json::from_value(body).unwrap());
        assert!(reading.route.is_none(), "{pointer}");
        assert_eq!(!reading.problems.is_empty(), is_problem, "{pointer}: {:?}", reading.problems);
    }
}

#[test]
fn the_oldest_app_keeps_a_host() {
    let mut young = route("a-young", 20, &["www.example.com", "young.example.com"]);
    young.certificates = [("www.example.com".to_owned(), "s".to_owned())].into();
    let old = route("z-old", 10, &["www.example.com"]);
    let (routes, problems) = hosts_settle(vec![young, old]);
    let hosts: Vec<_> = routes.iter().map(|route| (route.namespace.as_str(), route.hosts.join(","))).collect();
    assert_eq!(hosts, [("a-young", "young.example.com".to_owned()), ("z-old", "www.example.com".to_owned())]);
    assert!(routes[0].certificates.is_empty(), "nor does it keep a certificate for it");
    let told = "www.example.com belongs to the app z-old, which is older.";
    assert_eq!(problems, [("a-young".to_owned(), told.to_owned())]);
}

#[test]
fn of_equally_old_apps_always_the_same_keeps_a_host() {
    let (a, b) = (route("a", 1, &["x.test"]), route("b", 1, &["x.test"]));
    assert_eq!(hosts_settle(vec![a.clone(), b.clone()]), hosts_settle(vec![b, a]));
}

#[test]
fn certificates_without_secret_are_left_out_and_told() {
    let (mut route, _) = read(&json!({
        "router.slipway.io/domains": "a.test,b.test",
        "router.slipway.io/certificates": "a.test:here,b.test:gone",
    }));
    let mut problems = Vec::new();
    certificates_settle(&mut route, |namespace, name| (namespace, name) == ("blog", "here"), &mut problems);
    assert_eq!(route.certificates.keys().collect::<Vec<_>>(), ["a.test"]);
    assert_eq!(problems, ["The certificate of b.test is missing: there is no TLS Secret gone."]);
}

proptest! {
    #[test]
    fn no_annotation_makes_it_panic(
        domains in "\\PC{0,60}|[*a-z.,:-]{0,60}", certificates in "\\PC{0,60}|[*a-z.,:-]{0,60}",
        whitelist in "\\PC{0,60}|[0-9a-f.:/,]{0,60}", flag in "\\PC{0,6}", ports in "\\PC{0,60}|[*a-z0-9.,:-]{0,60}",
    ) {
        let (route, _) = read(&json!({
            "router.slipway.io/domains": domains,
            "router.slipway.io/certificates": certificates,
            "router.slipway.io/whitelist": whitelist,
            "router.slipway.io/maintenance": flag,
            "router.slipway.io/ports": ports,
        }));
        prop_assert!(route.hosts.iter().all(|host| host.is_ascii() && !host.contains([',', ' ', ':'])));
        prop_assert!(matches!(route.allow_list, AllowList::Networks(_)));
    }
}
