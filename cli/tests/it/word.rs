//! Words with an `=` in them, and lists of what they set: what upstream's client takes, refuses and prints, as its own
//! tests have it.

use serde_json::{Value, json};

use crate::person::Person;

const TIME: &str = "2014-01-01T00:00:00UTC";

fn config(part: &Value) -> String {
    let mut config = json!({"uuid": "c", "owner": "bob", "app": "foo", "values": {}, "created": TIME, "updated": TIME});
    for (field, value) in part.as_object().unwrap() {
        config[field] = value.clone();
    }
    config.to_string()
}

#[test]
fn words_that_are_taken_and_refused() {
    let person = Person::new();
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&json!({"termination_grace_period": {}})));
    person.server.on("POST /v2/apps/foo/config/", 201, &config(&json!({})));
    let settings = json!({
        "uuid": "s", "app": "foo", "owner": "bob", "maintenance": false, "routable": true, "whitelist": [],
        "autoscale": {}, "label": {}, "created": TIME, "updated": TIME,
    });
    person.server.on("POST /v2/apps/foo/settings/", 201, &settings.to_string());
    let limit = "doesn't fit format type=#unit or type=# or type=#/#\nExamples: web=2G worker=500M db=1G/2G";
    let pair = "is invalid, Must be in format key=value\nExamples: ";
    for (command, good, bad, form) in [
        (
            "limits:set",
            &["web=2G", "web=0.1", "web=.2/.4", "web1=200m/400m", "web-server1=2G"][..],
            &["=1", "web=", "1=", "web-=2G", "-web=2G", "Web=2G", "web"][..],
            limit.to_owned(),
        ),
        (
            "tags:set",
            &["foo=bar", "test=1"],
            &["test", "test=1=2", "test=", "=test"],
            format!("{pair}disk=ssd zone=eu-1"),
        ),
        ("labels:set", &["team=a"], &["only_key", "a=b=c", "a=", "=a"], format!("{pair}team=web tier=front")),
        (
            "registry:set",
            &["username=bob", "password=a=b="],
            &["username", "=bob", "password="],
            "is invalid. Must be in format key=value\nExamples: username=bob password=s3cret".to_owned(),
        ),
        (
            "timeouts:set",
            &["web=30", "web-1=0"],
            &["web=", "web=1m", "web=-1", "Web=1", "web"],
            "doesn't fit format type=#\nExamples: web=30 worker=300".to_owned(),
        ),
    ] {
        for word in good {
            let run = person.run_with(&["-a", "foo", command, word], "");
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{command} {word}: {run:?}");
        }
        person.asked();
        for word in bad {
            // What looks like an option comes behind what ends options.
            let run = person.run_with(&["-a", "foo", command, "--", "web=1", word], "");
            assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{command} {word}");
            assert!(run.stderr.ends_with(&format!("{form}\n")), "{command} {word}: {run:?}");
            assert!(run.stderr.starts_with(&format!("Error: {word} ")), "{command} {word}: {run:?}");
            assert!(person.asked().is_empty(), "{command} {word}: nothing is asked for before all words are good");
        }
    }
}

#[test]
fn lists_of_limits() {
    let person = Person::new();
    let limits = json!({
        "memory": {"web": "2G", "db": "1000M/1500M"}, "cpu": {"web": "2", "worker": "1", "db": "500m/2000m"},
    });
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&limits));
    insta::assert_snapshot!(person.run("limits:list -a foo").stdout, @r##"
    === foo Limits

    --- Memory
    db      1000M/1500M
    web     2G

    --- CPU
    db         500m/2000m
    web        2
    worker     1
    "##);
}

#[test]
fn lists_of_health_checks() {
    let person = Person::new();
    let probe = json!({
        "initialDelaySeconds": 50, "timeoutSeconds": 50, "periodSeconds": 10, "failureThreshold": 3,
        "successThreshold": 1, "httpGet": {"port": 80, "path": "/"},
    });
    let all = json!({
        "exec": {"command": ["echo", "hi"]}, "tcpSocket": {"port": 80},
        "httpGet": {"port": 80, "httpHeaders": [{"name": "X-DEIS-IS", "value": "AWESOME"}, {"name": "B", "value": "c"}]},
    });
    let checks = json!({"healthcheck": {
        "web/cmd": {"livenessProbe": probe}, "web": {"livenessProbe": {}, "readinessProbe": all},
    }});
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&checks));
    insta::assert_snapshot!(person.run("healthchecks:list -a foo").stdout, @r##"
    === foo Healthchecks

    web:
    --- Liveness
    Initial Delay (seconds): 0
    Timeout (seconds): 0
    Period (seconds): 0
    Success Threshold: 0
    Failure Threshold: 0
    Exec Probe: N/A
    HTTP GET Probe: N/A
    TCP Socket Probe: N/A

    --- Readiness
    Initial Delay (seconds): 0
    Timeout (seconds): 0
    Period (seconds): 0
    Success Threshold: 0
    Failure Threshold: 0
    Exec Probe: Command=[echo hi]
    HTTP GET Probe: Path="" Port=80 HTTPHeaders=[X-DEIS-IS=AWESOME B=c]
    TCP Socket Probe: Port=80

    web/cmd:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: Path="/" Port=80 HTTPHeaders=[]
    TCP Socket Probe: N/A

    --- Readiness
    No readiness probe configured.
    "##);
    insta::assert_snapshot!(person.run("healthchecks:list -a foo --type=web/cmd").stdout, @r##"
    === foo Healthchecks

    web/cmd:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: Path="/" Port=80 HTTPHeaders=[]
    TCP Socket Probe: N/A

    --- Readiness
    No readiness probe configured.
    "##);
    insta::assert_snapshot!(person.run("healthchecks:list -a foo --type none").stdout, @r##"
    === foo Healthchecks

    none:
    --- Liveness
    No liveness probe configured.

    --- Readiness
    No readiness probe configured.
    "##);
    person.server.on("POST /v2/apps/foo/config/", 201, &config(&checks));
    let run = person.run("healthchecks:set liveness httpGet 80 -a foo");
    let (first, rest) = run.stdout.split_once("\n\n").unwrap();
    assert_eq!(first, "Applying livenessProbe healthcheck... done");
    assert_eq!(rest, person.run("healthchecks:list -a foo --type=web/cmd").stdout, "those of that type only");
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&json!({"healthcheck": {}})));
    person.run("healthchecks -a foo").ok("=== foo Healthchecks\nNo health checks configured.\n");
}

#[test]
fn lists_of_settings() {
    let person = Person::new();
    let settings = |autoscale: Value, label: Value| {
        json!({
            "uuid": "s", "app": "foo", "owner": "bob", "maintenance": false, "routable": true, "whitelist": [],
            "autoscale": autoscale, "label": label, "created": TIME, "updated": TIME,
        })
        .to_string()
    };
    let rule = json!({"min": 3, "max": 8, "cpu_percent": 40});
    let label = json!({"team": "bi", "git_repo": "https://example.com/sdk"});
    let some = settings(json!({"cmd": rule, "web": rule}), label);
    person.server.on("GET /v2/apps/foo/settings/", 200, &some);
    let rules = "Min Replicas: 3\nMax Replicas: 8\nCPU: 40%\n";
    person.run("autoscale -a foo").ok(&format!("=== foo Autoscale\n\n--- cmd:\n{rules}--- web:\n{rules}"));
    person.run("labels -a foo").ok("=== foo Label\ngit_repo:      https://example.com/sdk\nteam:          bi\n");
    person.server.on("GET /v2/apps/foo/settings/", 200, &settings(json!({}), json!({})));
    person.run("autoscale:list -a foo").ok("=== foo Autoscale\n\nNo autoscale rules found.\n");
    person.run("labels:list -a foo").ok("=== foo Label\nNo labels found.\n");
}

#[test]
fn lists_of_what_drycc_added() {
    let person = Person::new();
    let list = |items: Value| json!({"count": 2, "next": null, "previous": null, "results": items}).to_string();
    let resource = json!({
        "uuid": "r", "name": "redis", "owner": "bob", "app": "foo", "plan": "redis:1000", "status": "Ready",
        "binding": "Ready", "data": {"SENTINELPORT": "26379", "REDISPORT": 6379}, "options": {"metrics.enabled": true},
    });
    let other = json!({"name": "memcached", "plan": "memcached:custom"});
    person.server.on("GET /v2/apps/foo/resources/?limit=100", 200, &list(json!([resource, other])));
    insta::assert_snapshot!(person.run("resources -a foo").stdout, @r##"
    === foo resources
    redis         redis:1000
    memcached     memcached:custom
    "##);
    person.server.on("GET /v2/apps/foo/resources/redis/", 200, &resource.to_string());
    insta::assert_snapshot!(person.run("resources:describe redis -a foo").stdout, @r##"
    === foo resource redis
    plan:                redis:1000
    status:              Ready
    binding:             Ready

    REDISPORT:           6379
    SENTINELPORT:        26379

    metrics.enabled:     true
    "##);
    person.server.on("GET /v2/apps/foo/resources/?limit=5", 200, &list(json!([])));
    person.run("resources -l 5 -a foo").ok("Could not find any resources\n");
    person.server.on("GET /v2/apps/foo/volumes/?limit=5", 200, &list(json!([])));
    person.run("volumes -l 5 -a foo").ok("Could not find any volume\n");
    let services = json!({"services": [
        {"procfile_type": "webhooks", "path_pattern": "/notify,~ ^/users"}, {"procfile_type": "api", "path_pattern": "/api"},
    ]});
    person.server.on("GET /v2/apps/foo/services/", 200, &services.to_string());
    person.run("services -a foo").ok("=== foo Services\napi          /api\nwebhooks     /notify,~ ^/users\n");
    person.server.on("GET /v2/apps/foo/config/", 200, &config(&json!({"termination_grace_period": {}})));
    person.run("timeouts -a foo").ok(
        "=== foo Timeouts (sec)\ndefault (30 sec) or controlled by env KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS\n",
    );
}
