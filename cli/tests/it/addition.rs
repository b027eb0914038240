//! What Drycc added in 2020 and this controller has not: asked of a scripted controller that has it. Source:
//! drycc-v2.md §2.13 and §6.3.

use serde_json::{Value, json};

use crate::person::Person;

const TIME: &str = "2026-11-21T05:00:00Z";

fn page(items: &[Value]) -> String {
    json!({"count": items.len(), "next": null, "previous": null, "results": items}).to_string()
}

#[test]
fn timeouts() {
    let person = Person::new();
    let config = json!({
        "uuid": "c-1", "owner": "bob", "app": "foo", "values": {}, "memory": {}, "cpu": {}, "tags": {}, "registry": {},
        "healthcheck": {}, "termination_grace_period": {"web": 60}, "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/config/", 200, &config.to_string());
    person.server.on("POST /v2/apps/foo/config/", 201, &config.to_string());
    person.run("timeouts -a foo").ok("=== foo Timeouts (sec)\nweb     60\n");
    person.asked();
    person.run("timeouts:set web=60 -a foo").ok("Applying timeouts... done\n\n=== foo Timeouts (sec)\nweb     60\n");
    person.run("timeouts:unset web -a foo").ok("Applying timeouts... done\n\n=== foo Timeouts (sec)\nweb     60\n");
    assert_eq!(
        person.asked(),
        [
            "GET /v2/apps/foo/config/",
            r#"POST /v2/apps/foo/config/ {"termination_grace_period":{"web":"60"}}"#,
            "GET /v2/apps/foo/config/",
            r#"POST /v2/apps/foo/config/ {"termination_grace_period":{"web":null}}"#,
        ]
    );
}

#[test]
fn volumes() {
    let person = Person::new();
    let volume = json!({
        "uuid": "v-1", "name": "data", "owner": "bob", "app": "foo", "size": "500M", "path": {"web": "/data"},
        "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/volumes/?limit=100", 200, &page(std::slice::from_ref(&volume)));
    person.server.on("POST /v2/apps/foo/volumes/", 201, &volume.to_string());
    person.server.on("PATCH /v2/apps/foo/volumes/data/path/", 200, &volume.to_string());
    person.server.on("DELETE /v2/apps/foo/volumes/data/", 204, "");
    person.run("volumes -a foo").ok("=== foo volumes\n--- data\t500M\nweb\t\t/data\n");
    person.asked();
    person.run("volumes:create data 500M -a foo").ok("Creating data to foo... done\n");
    person.run("volumes:mount data web=/data -a foo").ok("Mounting volume... done\n");
    person.run("volumes:unmount data web -a foo").ok("Unmounting volume... done\n");
    person.run("volumes:delete data -a foo").ok("Deleting data from foo... done\n");
    assert_eq!(
        person.asked(),
        [
            r#"POST /v2/apps/foo/volumes/ {"name":"data","size":"500M"}"#,
            r#"PATCH /v2/apps/foo/volumes/data/path/ {"path":{"web":"/data"}}"#,
            r#"PATCH /v2/apps/foo/volumes/data/path/ {"path":{"web":null}}"#,
            "DELETE /v2/apps/foo/volumes/data/",
        ]
    );
}

#[test]
fn resources() {
    let person = Person::new();
    let resource = json!({
        "uuid": "r-1", "name": "db", "owner": "bob", "app": "foo", "plan": "mysql:small", "data": {"host": "db.local"},
        "status": "Ready", "binding": "Ready", "options": {}, "created": TIME, "updated": TIME,
    });
    person.server.on("GET /v2/apps/foo/resources/?limit=100", 200, &page(std::slice::from_ref(&resource)));
    person.server.on("POST /v2/apps/foo/resources/", 201, &resource.to_string());
    person.server.on("GET /v2/apps/foo/resources/db/", 200, &resource.to_string());
    person.server.on("PUT /v2/apps/foo/resources/db/", 200, &resource.to_string());
    person.server.on("PATCH /v2/apps/foo/resources/db/binding/", 200, &resource.to_string());
    person.server.on("DELETE /v2/apps/foo/resources/db/", 204, "");
    person.run("resources -a foo").ok("=== foo resources\ndb     mysql:small\n");
    person
        .run("resources:describe db -a foo")
        .ok("=== foo resource db\nplan:        mysql:small\nstatus:      Ready\nbinding:     Ready\n\nhost:        db.local\n");
    person.asked();
    person.run("resources:create mysql:small db charset=utf8mb4 -a foo").ok("Creating db to foo... done\n");
    person.run("resources:update mysql:small db -a foo").ok("Updating db to foo... done\n");
    person.run("resources:bind db -a foo").ok("Binding resource... done\n");
    person.run("resources:unbind db -a foo").ok("Unbinding resource... done\n");
    person.run("resources:destroy db -a foo").ok("Deleting db from foo... done\n");
    assert_eq!(
        person.asked(),
        [
            r#"POST /v2/apps/foo/resources/ {"name":"db","options":{"charset":"utf8mb4"},"plan":"mysql:small"}"#,
            r#"PUT /v2/apps/foo/resources/db/ {"options":{},"plan":"mysql:small"}"#,
            r#"PATCH /v2/apps/foo/resources/db/binding/ {"bind_action":"bind"}"#,
            r#"PATCH /v2/apps/foo/resources/db/binding/ {"bind_action":"unbind"}"#,
            "DELETE /v2/apps/foo/resources/db/",
        ]
    );
}

#[test]
fn certificates_that_the_platform_gets_by_itself() {
    let person = Person::new();
    for is_on in [true, false] {
        let tls = json!({
            "uuid": "t", "app": "foo", "owner": "bob", "https_enforced": null, "certs_auto_enabled": is_on,
            "created": TIME, "updated": TIME,
        });
        person.server.on("GET /v2/apps/foo/tls/", 200, &tls.to_string());
        person.server.on("POST /v2/apps/foo/tls/", 201, &tls.to_string());
        person.run("tls -a foo").ok(&format!("=== foo TLS\nHTTPS Enforced: not set\nCerts Auto Enabled: {is_on}\n"));
        person.asked();
        let verb = if is_on { "enable" } else { "disable" };
        let said = if is_on { "Enabling" } else { "Disabling" };
        person.run(&format!("tls:auto:{verb} -a foo")).ok(&format!("{said} certs-auto requests for foo... done\n"));
        let post = format!("POST /v2/apps/foo/tls/ {{\"certs_auto_enabled\":{is_on}}}");
        assert_eq!(person.asked(), ["GET /v2/apps/foo/tls/", &post]);
    }
}
