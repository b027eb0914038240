use super::*;
use crate::render::shared::tests_support::{documents, paths, route, route_with_ports, writes};

fn settings() -> GatewaySettings {
    GatewaySettings {
        namespace: "slipway".to_owned(),
        name: "public".to_owned(),
        http_listener: "http".to_owned(),
        https_listener: Some("https".to_owned()),
        https_listener_port: 443,
        https_port: 443,
        domain: "apps.test".to_owned(),
        cluster_issuer: None,
        implementation: None,
        has_listener_sets: true,
        has_extension: false,
        instance: "slipway".to_owned(),
    }
}

fn limited() -> DesiredRoute {
    DesiredRoute { allow_list: AllowList::Networks(vec![([10, 0, 0, 0].into(), 8)]), ..route() }
}

fn backend(rendered: &Rendered) -> &Value {
    let route = rendered.objects.iter().find(|object| object.kind == Kind::HttpRoute).unwrap();
    &route.body["spec"]["rules"][0]["backendRefs"][0]["name"]
}

#[test]
fn an_ordinary_app() {
    insta::assert_snapshot!(documents(&render(&route(), &settings())));
}

#[test]
fn certificates_and_enforced_https() {
    let mut route = route();
    route.hosts = ["*.example.com", "blog.apps.test", "new.example.org", "www.example.com"].map(str::to_owned).into();
    route.certificates = [("*.example.com".to_owned(), "0123-cert".to_owned())].into();
    route.is_https_enforced = true;
    let settings = GatewaySettings { cluster_issuer: Some("letsencrypt".to_owned()), https_port: 8443, ..settings() };
    insta::assert_snapshot!(documents(&render(&route, &settings)));
}

#[test]
fn an_app_may_go_without_automatic_certificates() {
    let mut route = route();
    route.hosts = ["blog.apps.test", "www.example.com"].map(str::to_owned).into();
    route.is_https_enforced = true;
    let settings = GatewaySettings { cluster_issuer: Some("letsencrypt".to_owned()), ..settings() };
    let usual = render(&route, &settings);
    route.automatic_certificates = Some(true);
    assert_eq!(documents(&render(&route, &settings)), documents(&usual), "an issuer is there for every app");
    route.automatic_certificates = Some(false);
    let without = render(&route, &settings);
    insta::assert_snapshot!(documents(&without));
    assert_eq!(writes(&usual, &without), ["update HTTPRoute blog", "delete ListenerSet blog-auto"]);
}

#[test]
fn automatic_certificates_that_nobody_issues_are_told() {
    let route = DesiredRoute { automatic_certificates: Some(true), ..route() };
    let rendered = render(&route, &settings());
    let told = "The app wants automatic certificates, but there is no issuer (SLIPWAY_CLUSTER_ISSUER).";
    assert_eq!(rendered.problems, [told]);
}

#[test]
fn an_allow_list_with_envoy_gateway() {
    let settings = GatewaySettings {
        implementation: Some(GatewayImplementation::Envoy),
        has_extension: true,
        https_listener: None,
        ..settings()
    };
    insta::assert_snapshot!(documents(&render(&limited(), &settings)));
}

#[test]
fn an_allow_list_with_traefik() {
    let settings = GatewaySettings {
        implementation: Some(GatewayImplementation::Traefik),
        has_extension: true,
        https_listener: None,
        ..settings()
    };
    insta::assert_snapshot!(documents(&render(&limited(), &settings)));
}

#[test]
fn an_allow_list_that_cannot_be_enforced_closes_the_app() {
    let lacking = GatewaySettings { implementation: Some(GatewayImplementation::Envoy), ..settings() };
    for settings in [settings(), lacking] {
        let rendered = render(&limited(), &settings);
        assert_eq!(backend(&rendered), "slipway-nowhere");
        assert_eq!(rendered.problems.len(), 1, "{:?}", rendered.problems);
    }
    let nobody = DesiredRoute { allow_list: AllowList::Networks(Vec::new()), ..route() };
    assert_eq!(backend(&render(&nobody, &settings())), "slipway-nowhere");
}

#[test]
fn an_app_in_maintenance_leads_nowhere() {
    let route = DesiredRoute { is_in_maintenance: true, ..route() };
    let rendered = render(&route, &settings());
    assert_eq!(backend(&rendered), "slipway-nowhere");
    assert!(rendered.objects.iter().any(|object| object.kind == Kind::Service));
}

#[test]
fn without_listener_sets_certificates_of_apps_are_not_served_and_that_is_told() {
    let mut route = route();
    route.hosts = vec!["www.example.com".to_owned()];
    route.certificates = [("www.example.com".to_owned(), "0123-cert".to_owned())].into();
    let rendered = render(&route, &GatewaySettings { has_listener_sets: false, ..settings() });
    assert_eq!(rendered.objects.len(), 1);
    assert!(rendered.problems[0].starts_with("www.example.com is not served by HTTPS"), "{:?}", rendered.problems);
}

#[test]
fn many_hosts_are_spread_over_objects_within_their_limits() {
    let mut route = route();
    route.hosts = (0..150).map(|index| format!("h{index:03}.example.com")).collect();
    route.certificates = [("*.example.com".to_owned(), "0123-cert".to_owned())].into();
    route.is_https_enforced = true;
    let rendered = render(&route, &settings());
    assert_eq!(rendered.problems, Vec::<String>::new());
    let of = |kind| rendered.objects.iter().filter(move |object| object.kind == kind);
    let mut hosts = Vec::new();
    for object in of(Kind::HttpRoute).filter(|object| !object.name.contains("redirect")) {
        let names = object.body["spec"]["hostnames"].as_array().unwrap();
        assert!(names.len() <= HOSTS_PER_ROUTE);
        hosts.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
        // Every host of the route is served by one of its parents.
        let parents = object.body["spec"]["parentRefs"].as_array().unwrap();
        let served: Vec<&Value> = of(Kind::ListenerSet)
            .filter(|set| parents.iter().any(|parent| parent["name"] == set.name))
            .flat_map(|set| set.body["spec"]["listeners"].as_array().unwrap())
            .map(|listener| &listener["hostname"])
            .collect();
        assert!(names.iter().all(|name| served.contains(&name)), "{}", object.name);
    }
    assert_eq!(hosts, route.hosts);
    let listeners: Vec<usize> =
        of(Kind::ListenerSet).map(|object| object.body["spec"]["listeners"].as_array().unwrap().len()).collect();
    assert_eq!(listeners, [64, 64, 22]);
    let mut names: Vec<(Kind, &String)> = rendered.objects.iter().map(|object| (object.kind, &object.name)).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "no two objects have one name");
}

#[test]
fn paths_lead_to_other_services() {
    let mut route = route();
    route.paths = paths(&[("/v\\d+/jobs", "blog-worker"), ("/jobs", "blog-worker"), ("/", "blog")]);
    insta::assert_snapshot!(documents(&render(&route, &settings())));
    route.is_in_maintenance = true;
    assert!(!documents(&render(&route, &settings())).contains("worker"));
}

#[test]
fn hosts_lead_to_ports_of_their_own_with_every_path() {
    let mut route = route_with_ports();
    route.certificates = [("admin.example.com".to_owned(), "0123-cert".to_owned())].into();
    let usual = render(&route, &settings());
    insta::assert_snapshot!(documents(&usual));
    route.is_https_enforced = true;
    let names = |rendered: &Rendered| {
        let routes = rendered.objects.iter().filter(|object| object.kind == Kind::HttpRoute);
        routes.map(|object| object.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&render(&route, &settings())),
        ["blog-redirect", "blog", "blog-port-80-redirect", "blog-port-9090-redirect", "blog-port-9090"]
    );
    route.is_in_maintenance = true;
    let closed = render(&route, &settings());
    let leads = |text: &str| documents(&closed).contains(text);
    assert!(leads("slipway-nowhere") && !leads("\"port\": 9090"), "no port goes past what closes the app");
    (route.is_https_enforced, route.is_in_maintenance) = (false, false);
    route.ports.clear();
    let writes = writes(&usual, &render(&route, &settings()));
    assert_eq!(writes, ["update HTTPRoute blog", "delete HTTPRoute blog-port-80", "delete HTTPRoute blog-port-9090"]);
}

#[test]
fn paths_beyond_the_limits_are_told() {
    let mut route = route();
    let long = format!("/{}", "a".repeat(PATH_MAX));
    let names: Vec<(String, String)> = (0..20).map(|n| (format!("/p{n}"), format!("blog-t{}", n % 17))).collect();
    let mut all: Vec<(&str, &str)> = names.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
    all.push((&long, "blog-t14"));
    route.paths = paths(&all);
    let rendered = render(&route, &settings());
    let rules = rendered.objects[0].body["spec"]["rules"].as_array().unwrap().clone();
    assert_eq!((rules.len(), rendered.problems.len()), (RULES_PER_ROUTE, 6), "{:?}", rendered.problems);
    let many: Vec<String> = (0..200).map(|n| format!("/p{n}")).collect();
    route.paths = paths(&many.iter().map(|path| (path.as_str(), "blog-t")).collect::<Vec<_>>());
    let rendered = render(&route, &settings());
    let rules = rendered.objects[0].body["spec"]["rules"].as_array().unwrap().clone();
    let matches: Vec<usize> = rules.iter().map(|rule| rule["matches"].as_array().unwrap().len()).collect();
    assert_eq!((matches, rendered.problems.len()), (vec![64, 63, 1], 73));
}
