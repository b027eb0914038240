use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::render::shared::tests_support::{documents, paths as sample_paths, route, route_with_ports, writes};

fn settings(controller: IngressController) -> IngressSettings {
    IngressSettings {
        class: Some("public".to_owned()),
        controller,
        domain: "apps.test".to_owned(),
        cluster_issuer: None,
        https_port: 443,
        has_middlewares: true,
        instance: "slipway".to_owned(),
    }
}

#[test]
fn an_ordinary_app_behind_nginx() {
    insta::assert_snapshot!(documents(&render(&route(), &settings(IngressController::Nginx))));
}

#[test]
fn everything_at_once_behind_nginx() {
    let mut route = route();
    route.hosts = ["*.example.com", "blog.apps.test", "new.example.org", "www.example.com"].map(str::to_owned).into();
    route.certificates = [("*.example.com".to_owned(), "0123-cert".to_owned())].into();
    route.is_https_enforced = true;
    route.allow_list = AllowList::Networks(vec![([10, 0, 0, 0].into(), 8), ("2001:db8::".parse().unwrap(), 32)]);
    let settings =
        IngressSettings { cluster_issuer: Some("letsencrypt".to_owned()), ..settings(IngressController::Nginx) };
    insta::assert_snapshot!(documents(&render(&route, &settings)));
}

#[test]
fn an_app_may_go_without_automatic_certificates() {
    let mut route = route();
    route.hosts = ["blog.apps.test", "www.example.com"].map(str::to_owned).into();
    let issuer = Some("letsencrypt".to_owned());
    let settings = IngressSettings { cluster_issuer: issuer, ..settings(IngressController::Nginx) };
    let usual = render(&route, &settings);
    route.automatic_certificates = Some(true);
    assert_eq!(documents(&render(&route, &settings)), documents(&usual), "an issuer is there for every app");
    route.automatic_certificates = Some(false);
    let without = render(&route, &settings);
    insta::assert_snapshot!(documents(&without));
    assert_eq!(writes(&usual, &without), ["update Ingress blog", "delete Ingress blog-auto"]);
    assert_eq!(writes(&without, &usual), ["update Ingress blog", "create Ingress blog-auto"]);
}

#[test]
fn hosts_lead_to_ports_of_their_own_with_every_path() {
    let mut route = route_with_ports();
    let settings = settings(IngressController::Nginx);
    let usual = render(&route, &settings);
    insta::assert_snapshot!(documents(&usual));
    route.is_in_maintenance = true;
    assert!(!documents(&render(&route, &settings)).contains("port-"), "no port goes past what closes the app");
    (route.is_in_maintenance, route.ports) = (false, BTreeMap::new());
    assert_eq!(writes(&usual, &render(&route, &settings)), ["update Ingress blog"]);
}

#[test]
fn automatic_certificates_that_nobody_issues_are_told() {
    let mut route = route();
    route.hosts = ["blog.apps.test", "www.example.com"].map(str::to_owned).into();
    for (wanted, problems) in [(None, 0), (Some(false), 0), (Some(true), 1)] {
        route.automatic_certificates = wanted;
        let rendered = render(&route, &settings(IngressController::Nginx));
        assert_eq!((rendered.objects.len(), rendered.problems.len()), (1, problems), "{wanted:?}");
    }
}

#[test]
fn everything_at_once_behind_traefik() {
    let mut route = route();
    route.certificates = [("blog.apps.test".to_owned(), "0123-cert".to_owned())].into();
    route.is_https_enforced = true;
    route.allow_list = AllowList::Networks(vec![([10, 0, 0, 0].into(), 8)]);
    let settings = IngressSettings { https_port: 8443, class: None, ..settings(IngressController::Traefik) };
    insta::assert_snapshot!(documents(&render(&route, &settings)));
}

#[test]
fn paths_lead_to_other_services() {
    let mut route = route();
    route.paths = sample_paths(&[("/v\\d+/jobs", "blog-worker"), ("/jobs", "blog-worker"), ("/", "blog")]);
    insta::assert_snapshot!("nginx_paths", documents(&render(&route, &settings(IngressController::Nginx))));
    insta::assert_snapshot!("traefik_paths", documents(&render(&route, &settings(IngressController::Traefik))));
    let other = render(&route, &settings(IngressController::Other));
    assert_eq!(other.problems.len(), 3, "{:?}", other.problems);
    route.is_in_maintenance = true;
    let closed = documents(&render(&route, &settings(IngressController::Nginx)));
    assert!(!closed.contains("worker") && !closed.contains("use-regex"), "{closed}");
}

#[test]
fn patterns_that_nginx_would_misread_are_left_out() {
    for good in ["/jobs", "^/jobs$", "/a|/b", "/[a-z]+", "(?:/a|/b)", "/v\\d+/", "jobs?"] {
        assert_eq!(nginx_pattern(good), Some(format!("/{{0}}(?-i:{good})")), "{good}");
    }
    for bad in ["/a\";}", "/a b", "/(a+)+b", "/(a|b)*", "/(a){2}", "/a\\\\b", "/a\\n", "/a;", "/a#", "/\u{e4}", "/a'"] {
        assert_eq!(nginx_pattern(bad), None, "{bad}");
    }
}

#[test]
fn an_app_whose_process_type_is_nowhere_is_closed_all_the_same() {
    let mut route = route();
    route.app = slipway_core::AppName::new("slipway").unwrap();
    route.paths = sample_paths(&[("/x", "slipway-nowhere"), ("/y", "slipway-nowhere-2")]);
    route.is_in_maintenance = true;
    let rendered = render(&route, &settings(IngressController::Nginx));
    let service = rendered.objects.iter().find(|object| object.kind == Kind::Service).unwrap();
    assert_eq!(service.name, "slipway-nowhere-3");
}

#[test]
fn an_app_in_maintenance_leads_nowhere() {
    let mut route = route();
    route.is_in_maintenance = true;
    insta::assert_snapshot!(documents(&render(&route, &settings(IngressController::Traefik))));
}

#[test]
fn an_allow_list_that_cannot_be_enforced_closes_the_app() {
    let mut limited = route();
    limited.allow_list = AllowList::Networks(vec![([10, 0, 0, 0].into(), 8)]);
    limited.is_https_enforced = true;
    let mut nobody = route();
    nobody.allow_list = AllowList::Networks(Vec::new());
    let no_middlewares = IngressSettings { has_middlewares: false, ..settings(IngressController::Traefik) };
    for (route, settings, problems) in [
        (&limited, settings(IngressController::Other), 2),
        (&limited, no_middlewares, 2),
        (&nobody, settings(IngressController::Nginx), 0),
        (&nobody, settings(IngressController::Traefik), 0),
    ] {
        let rendered = render(route, &settings);
        let ingress = rendered.objects.iter().find(|object| object.kind == Kind::Ingress).unwrap();
        let backend = &ingress.body["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"];
        assert_eq!(backend, "slipway-nowhere", "{settings:?}");
        assert!(rendered.objects.iter().any(|object| object.kind == Kind::Service));
        assert_eq!(rendered.problems.len(), problems, "{:?}", rendered.problems);
    }
}

#[test]
fn an_app_without_hosts_has_no_objects() {
    let mut route = route();
    route.hosts.clear();
    assert_eq!(render(&route, &settings(IngressController::Nginx)), Rendered::default());
}

#[test]
fn an_app_that_is_named_like_the_service_without_endpoints_is_closed_all_the_same() {
    let mut route = route();
    route.app = slipway_core::AppName::new("slipway-nowhere").unwrap();
    route.is_in_maintenance = true;
    let rendered = render(&route, &settings(IngressController::Nginx));
    let service = rendered.objects.iter().find(|object| object.kind == Kind::Service).unwrap();
    assert_eq!(service.name, "slipway-nowhere-2");
}

/// Strictly, by the schemas that Kubernetes publishes: the API server of an old cluster lets unknown fields pass.
#[test]
fn objects_are_valid_by_the_published_schemas() {
    let mut route = route();
    route.hosts = ["*.example.com", "blog.apps.test", "new.example.org"].map(str::to_owned).into();
    route.certificates = [("*.example.com".to_owned(), "0123-cert".to_owned())].into();
    route.is_https_enforced = true;
    route.is_in_maintenance = true;
    let issuer = Some("letsencrypt".to_owned());
    let mut text = String::new();
    for controller in [IngressController::Nginx, IngressController::Traefik, IngressController::Other] {
        let settings = IngressSettings { cluster_issuer: issuer.clone(), ..settings(controller) };
        let mut rendered = render(&route, &settings);
        // Those of Traefik have no published schemas.
        rendered.objects.retain(|object| object.kind != Kind::Middleware);
        assert_eq!(rendered.objects.len(), 3);
        text.push_str(&documents(&rendered));
        text.push_str(&documents(&render(&route_with_ports(), &settings)));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/support/kubernetes-validate");
    let mut child =
        Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
