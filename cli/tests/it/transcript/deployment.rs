use serde_json::{Value, json};

use super::World;

/// A team whose project shop has two images, the second with a secret.
fn shop() -> World {
    let mut world = World::shop("redis:7 acme/web:1");
    world.bob.set_env("SECRET", "hunter2");
    let needs = json!({"name": "web", "secrets": [{"key": "PASSWORD", "required": true}]});
    world.bob_has(&[("web.json", &needs.to_string())]);
    world.bob_does(&["images:config:set shop acme/web web.json"]);
    world
}

/// The deployments as the API gives them, newest first.
fn listed(world: &World) -> Vec<Value> {
    let run = world.bob.run("deployments --json");
    serde_json::from_str(&run.stdout).unwrap()
}

/// Containers start side by side: what is told of one may come before or after what is told of another.
fn in_order(transcript: &str) -> String {
    let is_of_one = |line: &&str| line.starts_with("container ") || line.ends_with(" is running.");
    let mut lines: Vec<&str> = transcript.lines().collect();
    lines.chunk_by_mut(|one, other| is_of_one(one) && is_of_one(other)).for_each(<[&str]>::sort_unstable);
    lines.join("\n")
}

#[test]
fn deployments() {
    let world = shop();
    shows!(in_order(&world.bob(&[
        "deployments",
        "deployments:create shop --node Platform --prefix live --note 'The first'",
        "deployments:create shop --node none --prefix live",
        "deployments:create shop --version none --node Platform --prefix live",
        "deployments:create none --node Platform --prefix live",
        "deployments:create shop --node Platform --prefix kube-system",
        "deployments",
        "deployments --project shop",
        "deployments --project none",
        "deployments:start live",
        "deployments:secrets:list live",
        "deployments:secrets:set live acme/web PASSWORD --from env:NONE",
        "deployments:secrets:set live acme/web PASSWORD --from env:SECRET",
        "deployments:secrets:set live redis EXTRA --from env:SECRET",
        "deployments:secrets:set live none PASSWORD --from env:SECRET",
        "deployments:secrets:list live",
        "deployments:secrets:unset live redis NONE",
        "deployments:secrets:unset live redis EXTRA",
        "deployments:update live -e MODE=live -e OLD=1 --note 'Since May'",
        "deployments:update live --unset OLD",
        "deployments:update live -e MODE",
        "deployments:start live",
        "deployments:info live",
        "deployments:log live",
        "deployments:log live --try 7",
        "deployments:log none",
        "deployments:start live --image none",
        "deployments:secrets:list live --json",
        "deployments:copy live --prefix test --note Copied",
        "deployments:copy live --prefix test --node none",
        "deployments",
        "deployments:remove test",
        "deployments:remove test",
        "deployments",
    ])), @r##"
    $ deployments
    === acme Deployments
    $ deployments:create shop --node Platform --prefix live --note 'The first'
    Preparing shop rolling as live on Platform... done, [uuid]
    $ deployments:create shop --node none --prefix live
    ! Error: there is no node none
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ deployments:create shop --version none --node Platform --prefix live
    ! Error: there is no version none
    !
    ! hint: `slipway versions:list shop` lists them
    = 1
    $ deployments:create none --node Platform --prefix live
    ! Error: there is no project none
    !
    ! hint: `slipway projects` lists them
    = 1
    $ deployments:create shop --node Platform --prefix kube-system
    Preparing shop rolling as kube-system on Platform...
    ! Error: prefix is a name that nobody may have
    = 1
    $ deployments
    === acme Deployments
    [uuid]	live	shop rolling	Platform	preparing
    $ deployments --project shop
    === acme Deployments
    [uuid]	live	shop rolling	Platform	preparing
    $ deployments --project none
    ! Error: there is no project none
    !
    ! hint: `slipway projects` lists them
    = 1
    $ deployments:start live
    Starting deployment live...
    ! Error: Required secrets have no value.
    = 1
    $ deployments:secrets:list live
    === live Secrets
    acme/web	PASSWORD	missing
    $ deployments:secrets:set live acme/web PASSWORD --from env:NONE
    ! Error: the environment variable NONE is not set, so there is no secret
    = 1
    $ deployments:secrets:set live acme/web PASSWORD --from env:SECRET
    Setting PASSWORD of acme/web... done
    $ deployments:secrets:set live redis EXTRA --from env:SECRET
    Setting EXTRA of redis... done
    $ deployments:secrets:set live none PASSWORD --from env:SECRET
    ! Error: there is no image none
    !
    ! hint: `slipway deployments:info live` lists them
    = 1
    $ deployments:secrets:list live
    === live Secrets
    redis	EXTRA	set
    acme/web	PASSWORD	set
    $ deployments:secrets:unset live redis NONE
    ! Error: there is no secret NONE
    = 1
    $ deployments:secrets:unset live redis EXTRA
    Unsetting EXTRA of redis... done
    $ deployments:update live -e MODE=live -e OLD=1 --note 'Since May'
    Updating deployment live... done
    $ deployments:update live --unset OLD
    Updating deployment live... done
    $ deployments:update live -e MODE
    ! Error: 'MODE' does not match the pattern 'key=value', ex: team=web
    = 1
    $ deployments:start live
    Starting deployment live... accepted
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying redis (registry.example.com/redis:7).
    Deploying web (registry.example.com/acme/web:1).
    container redis running
    container web running
    redis is running.
    web is running.
    deployment successful
    $ deployments:info live
    === live Deployment
    status       successful
    project      shop
    version      rolling
    node         Platform
    note         Since May
    tries        1
    token        none
    id           [uuid]
    updated      [time]
    === Containers
    redis	redis	7
    web	acme/web	1
    === Environment
    MODE      live
    $ deployments:log live
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying redis (registry.example.com/redis:7).
    Deploying web (registry.example.com/acme/web:1).
    container redis running
    container web running
    redis is running.
    web is running.
    deployment successful
    $ deployments:log live --try 7
    $ deployments:log none
    ! Error: there is no deployment none
    !
    ! hint: `slipway deployments` lists them
    = 1
    $ deployments:start live --image none
    ! Error: there is no image none
    !
    ! hint: `slipway deployments:info live` lists them
    = 1
    $ deployments:secrets:list live --json
    [
      {
        "image": "redis",
        "key": "EXTRA",
        "required": false,
        "set": false
      },
      {
        "image": "acme/web",
        "key": "PASSWORD",
        "required": true,
        "set": true
      }
    ]
    $ deployments:copy live --prefix test --note Copied
    Copying live to test... done, [uuid]
    $ deployments:copy live --prefix test --node none
    ! Error: there is no node none
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ deployments
    === acme Deployments
    [uuid]	test	shop rolling	Platform	preparing
    [uuid]	live	shop rolling	Platform	successful
    $ deployments:remove test
    Removing deployment test... done
    $ deployments:remove test
    ! Error: there is no deployment test
    !
    ! hint: `slipway deployments` lists them
    = 1
    $ deployments
    === acme Deployments
    [uuid]	live	shop rolling	Platform	successful
    "##);
    let kept = serde_json::to_string(&listed(&world)).unwrap();
    assert!(!kept.contains("hunter2"), "{kept}");
    let applied = world.platform.nodes.own().applied();
    assert!(applied.iter().any(|spec| spec.name() == "web" && spec.secrets.contains_key("PASSWORD")), "{applied:?}");
}

#[test]
fn a_deployment_that_fails_ends_with_1_and_may_be_tried_again() {
    let world = shop();
    world.platform.nodes.own().refuse("redis", "the quota is used up");
    let said = world.bob(&[
        "deployments:create shop --node Platform --prefix live",
        "deployments:secrets:set live acme/web PASSWORD --from env:SECRET",
        "deployments:start live",
        "deployments:log --follow live",
        "deployments:rollback live",
        "deployments:start live --image acme/web",
        "deployments:log live --try 2",
    ]);
    shows!(said, @r##"
    $ deployments:create shop --node Platform --prefix live
    Preparing shop rolling as live on Platform... done, [uuid]
    $ deployments:secrets:set live acme/web PASSWORD --from env:SECRET
    Setting PASSWORD of acme/web... done
    $ deployments:start live
    Starting deployment live... accepted
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying redis (registry.example.com/redis:7).
    redis: the quota is used up
    deployment failed
    ! Error: deployment live is failed
    !
    ! hint: `slipway deployments:log [uuid]` shows it again
    = 1
    $ deployments:log --follow live
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying redis (registry.example.com/redis:7).
    redis: the quota is used up
    deployment failed
    ! Error: deployment live is failed
    = 1
    $ deployments:rollback live
    ! Error: deployment live is failed, not obsolete
    !
    ! hint: only what another deployment took the place of can be gone back to: `slipway deployments`
    = 1
    $ deployments:start live --image acme/web
    Starting deployment live... accepted
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying web (registry.example.com/acme/web:1).
    container web running
    web is running.
    deployment successful
    $ deployments:log live --try 2
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying web (registry.example.com/acme/web:1).
    container web running
    web is running.
    deployment successful
    "##);
}

#[test]
fn going_back() {
    let world = World::acme();
    let said = world.bob(&[
        "projects:create rail --versioned",
        "registries:add ours --type unchecked --url registry.example.com",
        "versions:create rail 1.0.0",
        "images:add rail acme/api:1 --registry ours --version 1.0.0",
        "deployments:create rail --version 1.0.0 --node Platform --prefix live",
        "deployments:start live",
        "versions:increase rail 1.0.0 1.1.0",
        "deployments",
        "deployments:create rail --version 1.1.0 --node Platform --prefix live",
        "deployments:start live",
    ]);
    shows!(said, @r##"
    $ projects:create rail --versioned
    Creating project rail in acme... done
    $ registries:add ours --type unchecked --url registry.example.com
    Adding registry ours to acme... done
    $ versions:create rail 1.0.0
    Creating version 1.0.0 of rail... done
    $ images:add rail acme/api:1 --registry ours --version 1.0.0
    Adding acme/api:1 to rail 1.0.0... done
    $ deployments:create rail --version 1.0.0 --node Platform --prefix live
    Preparing rail 1.0.0 as live on Platform... done, [uuid]
    $ deployments:start live
    Starting deployment live... accepted
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying api (registry.example.com/acme/api:1).
    container api running
    api is running.
    deployment successful
    $ versions:increase rail 1.0.0 1.1.0
    Creating version 1.1.0 of rail after 1.0.0... done
    $ deployments
    === acme Deployments
    [uuid]	live	rail 1.1.0	Platform	preparing
    [uuid]	live	rail 1.0.0	Platform	successful
    $ deployments:create rail --version 1.1.0 --node Platform --prefix live
    Preparing rail 1.1.0 as live on Platform...
    ! Error: a deployment for this node and prefix is in preparation
    = 1
    $ deployments:start live
    ! Error: several deployments are meant by live
    !
    ! hint: name one by its id: `slipway deployments` lists them
    = 1
    "##);
    let list = listed(&world);
    let id = |status: &str| {
        let one = list.iter().find(|one| one["status"] == status).unwrap_or_else(|| panic!("{status}: {list:?}"));
        one["id"].as_str().unwrap().to_owned()
    };
    let said = world.bob(&[
        "deployments",
        &format!("deployments:start {} --detach", id("preparing")),
        &format!("deployments:log --follow {}", id("preparing")),
        "deployments",
        &format!("deployments:rollback {}", id("successful")),
        "deployments",
    ]);
    shows!(said, @r##"
    $ deployments
    === acme Deployments
    [uuid]	live	rail 1.1.0	Platform	preparing
    [uuid]	live	rail 1.0.0	Platform	successful
    $ deployments:start [uuid] --detach
    Starting deployment live... accepted
    ! `slipway deployments:log --follow [uuid]` shows what becomes of it.
    $ deployments:log --follow [uuid]
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying api (registry.example.com/acme/api:1).
    container api running
    api is running.
    deployment successful
    $ deployments
    === acme Deployments
    [uuid]	live	rail 1.1.0	Platform	successful
    [uuid]	live	rail 1.0.0	Platform	obsolete
    $ deployments:rollback [uuid]
    Starting deployment live... accepted
    Deployment started by bob@y.z.
    deployment in-progress
    Deploying api (registry.example.com/acme/api:1).
    container api running
    api is running.
    deployment successful
    $ deployments
    === acme Deployments
    [uuid]	live	rail 1.1.0	Platform	obsolete
    [uuid]	live	rail 1.0.0	Platform	successful
    "##);
}

#[test]
fn tokens() {
    let world = shop().with_deployment();
    shows!(world.bob(&[
        "deployments:token:create live pipeline --days 90",
        "deployments:info live",
        "deployments:token:create live pipeline --days 0",
        "deployments:token:revoke live",
        "deployments:token:revoke live",
        "deployments:token:create none ci",
    ]), @r##"
    $ deployments:token:create live pipeline --days 90
    token      [token]
    call       curl -X POST -H 'Authorization: Bearer [token]' 'https://slipway.example.com/api/acme/deployments/[uuid]/start'
    ! The token is shown this once.
    $ deployments:info live
    === live Deployment
    status       preparing
    project      shop
    version      rolling
    node         Platform
    note
    tries        0
    token        pipeline
    id           [uuid]
    updated      [time]
    === Containers
    redis	redis	7
    web	acme/web	1
    === Environment
    $ deployments:token:create live pipeline --days 0
    ! error: invalid value '0' for '--days <DAYS>': 0 is not in 1..=4294967295
    !
    ! For more information, try '--help'.
    = 2
    $ deployments:token:revoke live
    Revoking the token of live... done
    $ deployments:token:revoke live
    Revoking the token of live...
    ! Error: There is no such deploymentToken.
    = 1
    $ deployments:token:create none ci
    ! Error: there is no deployment none
    !
    ! hint: `slipway deployments` lists them
    = 1
    "##);
}
