//! Domains, settings and the parts of a configuration: what is asked for and shown.

use serde_json::{Value, json};

use crate::person::Person;

const TIME: &str = "2026-11-21T05:00:00Z";

fn settings() -> String {
    json!({
        "uuid": "s-1", "app": "foo", "owner": "bob", "maintenance": false, "routable": true, "whitelist": ["1.2.3.4"],
        "autoscale": {"web": {"min": 1, "max": 3, "cpu_percent": 50}}, "label": {"team": "a"},
        "created": TIME, "updated": TIME,
    })
    .to_string()
}

#[test]
fn domains() {
    let person = Person::new();
    let domain = json!({"owner": "bob", "created": TIME, "updated": TIME, "app": "foo", "domain": "*.a.b"});
    let page = json!({"count": 1, "next": null, "previous": null, "results": [domain]}).to_string();
    person.server.on("GET /v2/apps/foo/domains/?limit=100", 200, &page);
    person.run("domains -a foo").ok("=== foo Domains\n*.a.b\n");
    person.server.on("POST /v2/apps/foo/domains/", 201, &domain.to_string());
    person.run("domains:add *.a.b -a foo").ok("Adding *.a.b to foo... done\n");
    person.server.on("DELETE /v2/apps/foo/domains/%2A.a.b", 204, "");
    person.server.on("DELETE /v2/apps/foo/domains/*.a.b", 204, "");
    person.run("domains:remove *.a.b -a foo").ok("Removing *.a.b from foo... done\n");
    assert_eq!(person.asked()[1], r#"POST /v2/apps/foo/domains/ {"domain":"*.a.b"}"#);
    person.server.on("POST /v2/apps/foo/domains/", 400, r#"{"domain":["Hostname does not look valid."]}"#);
    assert!(person.run("domains:add 1.2.3.4 -a foo").stderr.contains("Hostname does not look valid."));
}

#[test]
fn services() {
    let person = Person::new();
    let list = json!({"services": [{"procfile_type": "worker", "path_pattern": "/jobs,/tasks"}]}).to_string();
    person.server.on("GET /v2/apps/foo/services/", 200, &list);
    person.run("services -a foo").ok("=== foo Services\nworker     /jobs,/tasks\n");
    person.server.on("POST /v2/apps/foo/services/", 201, "");
    person.run("services:add --type worker --route /jobs -a foo").ok("Adding worker (/jobs) to foo... done\n");
    person.server.on("DELETE /v2/apps/foo/services/", 204, "");
    person.run("services:remove worker -a foo").ok("Removing worker from foo... done\n");
    assert_eq!(
        person.asked()[1..],
        [
            r#"POST /v2/apps/foo/services/ {"path_pattern":"/jobs","procfile_type":"worker"}"#,
            r#"DELETE /v2/apps/foo/services/ {"procfile_type":"worker"}"#,
        ]
    );
}

#[test]
fn switches() {
    let person = Person::new();
    let tls = |enforced: Value| {
        json!({"uuid": "t", "app": "foo", "owner": "bob", "https_enforced": enforced, "created": TIME, "updated": TIME})
            .to_string()
    };
    for (enforced, said) in [(json!(null), "not set"), (json!(true), "true"), (json!(false), "false")] {
        person.server.on("GET /v2/apps/foo/tls/", 200, &tls(enforced));
        person.run("tls -a foo").ok(&format!("=== foo TLS\nHTTPS Enforced: {said}\n"));
    }
    person.asked();
    person.server.on("POST /v2/apps/foo/tls/", 201, &tls(json!(true)));
    person.server.on("GET /v2/apps/foo/settings/", 200, &settings());
    person.server.on("POST /v2/apps/foo/settings/", 201, &settings());
    for (command, asked, said) in [
        ("tls:enable", r#"tls/ {"https_enforced":true}"#, "Enabling https-only requests for foo... done"),
        ("tls:disable", r#"tls/ {"https_enforced":false}"#, "Disabling https-only requests for foo... done"),
        ("maintenance:on", r#"settings/ {"maintenance":true}"#, "Enabling maintenance mode for foo... done"),
        ("maintenance:off", r#"settings/ {"maintenance":false}"#, "Disabling maintenance mode for foo... done"),
        ("routing:enable", r#"settings/ {"routable":true}"#, "Enabling routing for foo... done"),
        ("routing:disable", r#"settings/ {"routable":false}"#, "Disabling routing for foo... done"),
        ("labels:set a=b c=d", r#"settings/ {"label":{"a":"b","c":"d"}}"#, "Applying labels on foo... done"),
        ("labels:unset a", r#"settings/ {"label":{"a":null}}"#, "Removing labels on foo... done"),
        (
            "autoscale:set web --min=1 --max 3 --cpu-percent 50",
            r#"settings/ {"autoscale":{"web":{"cpu_percent":50,"max":3,"min":1}}}"#,
            "Applying autoscale settings for process type web on foo... done",
        ),
        (
            "autoscale:unset web",
            r#"settings/ {"autoscale":{"web":null}}"#,
            "Removing autoscale for process type web on foo... done",
        ),
    ] {
        person.run(&format!("{command} -a foo")).ok(&format!("{said}\n"));
        assert_eq!(person.asked(), [format!("POST /v2/apps/foo/{asked}")], "{command}");
    }
    person.run("maintenance -a foo").ok("Maintenance mode is off.\n");
    person.run("routing -a foo").ok("Routing is enabled.\n");
    person.run("labels -a foo").ok("=== foo Label\nteam:      a\n");
    person.run("autoscale -a foo").ok("=== foo Autoscale\n\n--- web:\nMin Replicas: 1\nMax Replicas: 3\nCPU: 50%\n");
}

#[test]
fn allow_lists_under_both_names() {
    let person = Person::new();
    for (name, title) in [("whitelist", "Whitelisted"), ("allowlist", "Allowlisted")] {
        let path = format!("/v2/apps/foo/{name}/");
        person.server.on(&format!("GET {path}"), 200, r#"{"addresses":["1.2.3.4","0.0.0.0/0"]}"#);
        person.server.on(&format!("POST {path}"), 201, r#"{"addresses":["1.2.3.4","::1"]}"#);
        person.server.on(&format!("DELETE {path}"), 204, "");
        person.run(&format!("{name} -a foo")).ok(&format!("=== foo {title} Addresses\n1.2.3.4\n0.0.0.0/0\n"));
        person
            .run(&format!("{name}:add 1.2.3.4,::1 -a foo"))
            .ok(&format!("Adding 1.2.3.4,::1 to foo {name}...\ndone\n"));
        person
            .run(&format!("{name}:remove 1.2.3.4 -a foo"))
            .ok(&format!("Removing 1.2.3.4 from foo {name}...\ndone\n"));
        assert_eq!(
            person.asked(),
            [
                format!("GET {path}"),
                format!(r#"POST {path} {{"addresses":["1.2.3.4","::1"]}}"#),
                format!(r#"DELETE {path} {{"addresses":["1.2.3.4"]}}"#),
            ]
        );
    }
    person.run("whitelist:add , -a foo").fails("Error: no address was given\n");
}

#[test]
fn parts_of_the_configuration() {
    let person = Person::new();
    let config = json!({
        "uuid": "c-1", "owner": "bob", "app": "foo", "values": {}, "memory": {"web": "0/100M"}, "cpu": {},
        "tags": {"disk": "ssd"}, "registry": {"username": "bob"},
        "healthcheck": {"web/cmd": {"livenessProbe": {"timeoutSeconds": 50}}}, "created": TIME, "updated": TIME,
    })
    .to_string();
    person.server.on("GET /v2/apps/foo/config/", 200, &config);
    person.server.on("POST /v2/apps/foo/config/", 201, &config);
    let limits = "=== foo Limits\n\n--- Memory\nweb     0/100M\n\n--- CPU\nUnlimited\n";
    person.run("limits -a foo").ok(limits);
    person.run("tags -a foo").ok("=== foo Tags\ndisk     ssd\n");
    person.run("registry -a foo").ok("=== foo Registry\nusername     bob\n");
    let checks = "=== foo Healthchecks\n\nweb/cmd:\n--- Liveness\nInitial Delay (seconds): 0\nTimeout (seconds): 50\n\
                  Period (seconds): 0\nSuccess Threshold: 0\nFailure Threshold: 0\nExec Probe: N/A\nHTTP GET Probe: N/A\n\
                  TCP Socket Probe: N/A\n\n--- Readiness\nNo readiness probe configured.\n";
    person.run("healthchecks -a foo").ok(checks);
    person.asked();
    for (command, body, said) in [
        ("limits:set web=0/100M", r#"{"memory":{"web":"0/100M"}}"#, "Applying limits... done\n"),
        ("limits:set --cpu web=500m", r#"{"cpu":{"web":"500m"}}"#, "Applying limits... done\n"),
        ("limits:unset web --memory", r#"{"memory":{"web":null}}"#, "Applying limits... done\n"),
        ("tags:set disk=ssd", r#"{"tags":{"disk":"ssd"}}"#, "Applying tags... done\n"),
        ("registry:set username=bob", r#"{"registry":{"username":"bob"}}"#, "Applying registry information... done\n"),
        ("registry:unset username", r#"{"registry":{"username":null}}"#, "Applying registry information... done\n"),
        (
            "healthchecks:set liveness httpGet 80 --headers A:b",
            r#"{"healthcheck":{"web/cmd":{"livenessProbe":{"failureThreshold":3,"httpGet":{"httpHeaders":[{"name":"A","value":"b"}],"path":"/","port":80},"initialDelaySeconds":50,"periodSeconds":10,"successThreshold":1,"timeoutSeconds":50}}}}"#,
            "Applying livenessProbe healthcheck... done\n",
        ),
        (
            "healthchecks:set readiness exec --type worker --timeout-seconds 5 -- test -f /x",
            r#"{"healthcheck":{"worker":{"readinessProbe":{"exec":{"command":["test","-f","/x"]},"failureThreshold":3,"initialDelaySeconds":50,"periodSeconds":10,"successThreshold":1,"timeoutSeconds":5}}}}"#,
            "Applying readinessProbe healthcheck... done\n",
        ),
        (
            "healthchecks:unset liveness readiness",
            r#"{"healthcheck":{"web/cmd":{"livenessProbe":null,"readinessProbe":null}}}"#,
            "Removing healthchecks... done\n",
        ),
    ] {
        let words: Vec<&str> = ["-a", "foo"].into_iter().chain(command.split_whitespace()).collect();
        let run = person.run_with(&words, "");
        assert!(run.code == 0 && run.stdout.starts_with(said), "{command}: {run:?}");
        assert_eq!(person.asked(), [format!("POST /v2/apps/foo/config/ {body}")], "{command}");
    }
    assert_eq!(person.run("-a foo healthchecks:set liveness tcpSocket x").stderr, "Error: 'x' is not a port\n");
}
