//! What is Slipway's own beside the contract: a release's configuration, processes that nobody waits for.

use serde_json::json;

use crate::world::{Database, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_each_release_is_told() {
    let world = World::new(Database::Sqlite).await;
    let app = world.app("owner", &[]).await;
    let path = format!("/v2/apps/{app}/config/");
    let newest = async || {
        let list = world.request("GET", &format!("/v2/apps/{app}/releases/?limit=1")).user("owner").send().await;
        list.json()["results"][0]["version"].clone()
    };
    let mut told = vec![(format!("v{}", newest().await), json!({}))];
    for value in ["one", "two"] {
        let body = json!({"values": {"A": value}});
        assert_eq!(world.request("POST", &path).user("owner").json_body(&body).send().await.status, 201);
        told.push((format!("v{}", newest().await), json!({"A": value})));
    }
    told.push((String::new(), json!({"A": "two"})));
    for (version, want) in told {
        let answer = world.request("GET", &format!("{path}?version={version}")).user("owner").send().await;
        assert_eq!((answer.status, answer.json()["values"].clone()), (200, want), "{version}");
    }
    for version in ["v99", "2", "x", "-1", "v99999999999"] {
        let answer = world.request("GET", &format!("{path}?version={version}")).user("owner").send().await;
        assert_eq!(answer.status, 404, "{version}");
    }
    let answer = world.request("GET", &format!("{path}?version=v1")).user("stranger").send().await;
    assert_eq!(answer.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_process_is_named_at_once() {
    let world = World::new(Database::Sqlite).await;
    let app = world.app("owner", &[]).await;
    let body = json!({"image": "example/app:1", "procfile": {"web": "run"}});
    let built = world.request("POST", &format!("/v2/apps/{app}/builds/")).user("owner").json_body(&body).send().await;
    assert_eq!(built.status, 201);
    let path = format!("/v2/apps/{app}/run");
    let body = json!({"command": "work", "detach": true});
    let answer = world.request("POST", &path).user("owner").json_body(&body).send().await;
    assert_eq!(answer.status, 200);
    let name = answer.json()["output"].as_str().unwrap().to_owned();
    assert!(name.starts_with(&format!("{app}-run-")), "{name}");
    assert_eq!(answer.json()["exit_code"], 0);
    let body = json!({"command": "work", "detach": "perhaps"});
    let answer = world.request("POST", &path).user("owner").json_body(&body).send().await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["detach"].is_array(), "{:?}", answer.json());
}
