//! Routes of the dployr API whose port is not the one that the service is told to listen on. Source: `dployr-v1.md` §8.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_engine::{AppSpec, Engine};

use crate::dployr_v1::{get, post, send, status};
use crate::world::{Database, Reply, World, both};

/// An app `blog` that listens on 4000 and runs.
async fn blog(database: Database) -> World {
    let world = World::new(database).await;
    let made = json!({"name": "blog", "source": "image", "image": "example/blog:1", "port": 4000});
    assert_eq!(post(&world, "/v1/deployments", made).await.status, 201);
    status(&world, "/v1/deployments/blog", "completed").await;
    world
}

async fn route(world: &World, domain: &str, port: Option<Value>) -> Reply {
    let mut body = json!({"domain": domain, "service_id": "blog"});
    if let Some(port) = port {
        body["port"] = port;
    }
    post(world, "/v1/proxy/routes", body).await
}

/// What the engine was asked for last.
async fn spec(world: &World, is_wanted: impl Fn(&AppSpec) -> bool) -> AppSpec {
    let mut changes = world.engine.changes();
    loop {
        if let Some(spec) = world.engine.effects().into_iter().next_back().filter(&is_wanted) {
            return spec;
        }
        let waited = tokio::time::timeout(Duration::from_mins(1), changes.recv()).await;
        assert!(waited.is_ok(), "not asked for in time: {:?}", world.engine.effects().last());
    }
}

async fn ports(database: Database) {
    let world = blog(database).await;
    let made = route(&world, "Admin.Example.org", Some(json!(9090))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let mut body = made.json();
    for field in ["service_id", "created_at", "updated_at"] {
        assert!(body[field].is_string(), "{field}: {body}");
        body.as_object_mut().unwrap().remove(field);
    }
    let golden = json!({
        "id": "admin.example.org", "domain": "admin.example.org", "port": 9090, "upstream": "blog:9090",
        "template": "reverse_proxy", "status": "active",
    });
    assert_eq!(body, golden);
    assert_eq!(route(&world, "www.example.org", Some(json!(4000))).await.json()["port"], json!(4000));
    let asked = spec(&world, |spec| spec.route.hosts.len() == 3).await.route;
    assert_eq!(asked.ports, [("admin.example.org".to_owned(), 9090)].into(), "the service's own port is no other");

    // The same domain again replaces the route; a second time changes nothing.
    let again = route(&world, "admin.example.org", Some(json!(9091))).await;
    assert_eq!((again.status, &again.json()["port"]), (200, &json!(9091)));
    assert_eq!(again.json()["created_at"], made.json()["created_at"]);
    spec(&world, |spec| spec.route.ports.get("admin.example.org") == Some(&9091)).await;
    assert_eq!(route(&world, "admin.example.org", Some(json!(9091))).await.json(), again.json());
    let listed = get(&world, "/v1/proxy/routes").await.json();
    let listed: Vec<(&Value, &Value)> =
        listed["routes"].as_array().unwrap().iter().map(|route| (&route["domain"], &route["port"])).collect();
    let wanted = [("admin.example.org", 9091), ("www.example.org", 4000), ("blog.example.com", 4000)];
    for (domain, port) in wanted {
        assert!(listed.contains(&(&json!(domain), &json!(port))), "{domain}: {listed:?}");
    }
    assert_eq!(route(&world, "admin.example.org", None).await.json()["port"], json!(4000));
    spec(&world, |spec| spec.route.ports.is_empty()).await;

    for bad in [json!(0), json!(65_536), json!(-1), json!("http"), json!(9090.5), json!([9090])] {
        let reply = route(&world, "other.example.org", Some(bad.clone())).await;
        assert_eq!((reply.status, &reply.json()["error"]["details"]["field"]), (400, &json!("port")), "{bad}");
    }
    for port in 1..=16 {
        assert_eq!(route(&world, &format!("p{port}.example.org"), Some(json!(port))).await.status, 201);
    }
    let many = route(&world, "p17.example.org", Some(json!(17))).await;
    assert_eq!((many.status, &many.json()["error"]["details"]["field"]), (400, &json!("port")), "{many:?}");
    assert_eq!(route(&world, "www.example.org", Some(json!(17))).await.status, 400);
    assert_eq!(route(&world, "p17.example.org", Some(json!(16))).await.status, 201, "it is no other port");
    assert_eq!(send(&world, "owner", "DELETE", "/v1/proxy/routes/p17.example.org", None).await.status, 204);
}

both!(ports, routes_lead_to_ports_of_their_own);

async fn one_machine(database: Database) {
    let world = blog(database).await;
    assert_eq!(route(&world, "admin.example.org", Some(json!(9090))).await.status, 201);
    // As when what a cluster recorded is moved to one machine.
    world.engine.script_choosing_ports(true);
    let refused = route(&world, "other.example.org", Some(json!(9090))).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let error = &refused.json()["error"];
    assert_eq!((&error["code"], &error["details"]["field"]), (&json!("invalid_request"), &json!("port")));
    let issue = error["details"]["issue"].as_str().unwrap();
    assert!(issue.contains("listens on 4000") && issue.contains("one machine"), "{issue}");
    assert_eq!(route(&world, "other.example.org", Some(json!(4000))).await.status, 201);
    let routes = get(&world, "/v1/proxy/routes").await.json();
    let of = |domain: &str| {
        let found = routes["routes"].as_array().unwrap().iter().find(|route| route["domain"] == domain).unwrap();
        (found["port"].clone(), found["status"].clone())
    };
    assert_eq!(of("admin.example.org"), (json!(9090), json!("inactive")), "nothing answers there");
    assert_eq!(of("other.example.org"), (json!(4000), json!("active")));
}

both!(one_machine, other_ports_are_refused_on_one_machine);
