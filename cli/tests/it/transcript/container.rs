use std::io::{BufRead as _, BufReader};

use slipway_engine::workload::{ContainerCommand, WorkloadNode as _};

use super::World;

#[test]
fn containers() {
    let world = World::shop("redis:7 web:1").with_deployment();
    world.bob_does(&["deployments:start live"]);
    shows!(world.bob(&[
        "nodes:containers:list Platform",
        "nodes:containers:list Platform --prefix other",
        "nodes:containers:list none",
        "nodes:logs Platform web --prefix live",
        "nodes:logs Platform live-redis --since 1d -n 5",
        "nodes:logs Platform web --tail 1 --json",
        "nodes:logs Platform web --since 2100-01-01T00:00:00Z",
        "nodes:logs Platform none --prefix live",
        "nodes:logs Platform web -n 1001",
        "nodes:logs none web",
        "deployments:logs live",
        "deployments:logs live redis -n 1",
        "deployments:logs live none",
        "deployments:logs none",
        "nodes:containers:stop Platform web --prefix live",
        "nodes:logs Platform web --follow",
        "nodes:containers:list Platform --prefix live",
        "nodes:containers:start Platform web --prefix live",
        "nodes:containers:restart Platform web --prefix live",
        "nodes:containers:restart Platform none --prefix live",
        "nodes:containers:restart Platform web",
        "nodes:containers:stop Platform redis --prefix live",
        "nodes:containers:remove Platform web --prefix live",
        "deployments:logs live --follow",
        "nodes:containers:remove Platform web --prefix live",
        "nodes:containers:clear Platform live",
        "nodes:containers:clear Platform live --confirm=other",
        "nodes:containers:clear Platform live --confirm=live",
        "nodes:containers:list Platform",
        "deployments:logs live",
    ]), @r##"
    $ nodes:containers:list Platform
    === Platform Containers
    live	redis	registry.example.com/redis:7	running	Started
    live	web	registry.example.com/web:1	running	Started
    $ nodes:containers:list Platform --prefix other
    === Platform Containers
    $ nodes:containers:list none
    ! Error: there is no node none
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ nodes:logs Platform web --prefix live
    [time] Platform[web]: web says hello
    $ nodes:logs Platform live-redis --since 1d -n 5
    [time] Platform[live-redis]: redis says hello
    $ nodes:logs Platform web --tail 1 --json
    {"container":"web","log":"web says hello","time":"[time]"}
    $ nodes:logs Platform web --since [time]
    ! There are currently no log messages.
    $ nodes:logs Platform none --prefix live
    ! Error: There is no such container.
    = 1
    $ nodes:logs Platform web -n 1001
    ! Error: take must be a whole number from 1 to 1000
    = 1
    $ nodes:logs none web
    ! Error: there is no node none
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ deployments:logs live
    [time] live[redis]: redis says hello
    [time] live[web]: web says hello
    $ deployments:logs live redis -n 1
    [time] live[redis]: redis says hello
    $ deployments:logs live none
    ! Error: there is no image none
    !
    ! hint: `slipway deployments:info live` lists them
    = 1
    $ deployments:logs none
    ! Error: there is no deployment none
    !
    ! hint: `slipway deployments` lists them
    = 1
    $ nodes:containers:stop Platform web --prefix live
    Stopping web... done
    $ nodes:logs Platform web --follow
    [time] Platform[web]: web says hello
    ! !    web has ended.
    $ nodes:containers:list Platform --prefix live
    === Platform Containers
    live	redis	registry.example.com/redis:7	running	Started
    live	web	registry.example.com/web:1	exited	Started
    $ nodes:containers:start Platform web --prefix live
    Starting web... done
    $ nodes:containers:restart Platform web --prefix live
    Restarting web... done
    $ nodes:containers:restart Platform none --prefix live
    Restarting none...
    ! Error: There is no such container.
    = 1
    $ nodes:containers:restart Platform web
    Restarting web... done
    $ nodes:containers:stop Platform redis --prefix live
    Stopping redis... done
    $ nodes:containers:remove Platform web --prefix live
    Removing web... done
    $ deployments:logs live --follow
    [time] live[redis]: redis says hello
    ! !    There is no container web.
    ! !    redis has ended.
    $ nodes:containers:remove Platform web --prefix live
    Removing web...
    ! Error: There is no such container.
    = 1
    $ nodes:containers:clear Platform live
    ! Error: destroying live must be confirmed
    !
    ! hint: pass --confirm=live
    = 1
    $ nodes:containers:clear Platform live --confirm=other
    ! Error: containers with the prefix live does not match confirm other, aborting.
    = 1
    $ nodes:containers:clear Platform live --confirm=live
    Removing all of live... done
    $ nodes:containers:list Platform
    === Platform Containers
    $ deployments:logs live
    ! !    There is no container redis.
    ! !    There is no container web.
    ! Error: There is no such container.
    = 1
    "##);
    world.platform.nodes.own().away(true);
    shows!(world.bob(&["nodes:containers:list Platform", "nodes:logs Platform web --prefix live --follow"]), @r##"
    $ nodes:containers:list Platform
    ! Error: the fake node is away
    = 1
    $ nodes:logs Platform web --prefix live --follow
    ! Error: the fake node is away
    = 1
    "##);
}

#[test]
fn containers_are_followed_until_they_end() {
    let world = World::shop("redis:7 web:1");
    world.bob_does(&["deployments:create shop --node Platform --prefix live", "deployments:start live"]);
    let node = world.platform.nodes.own();
    let mut child = world.bob.begin("deployments:logs live --follow");
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = || out.next().unwrap().split_once(' ').unwrap().1.to_owned();
    let mut told = [next(), next()];
    told.sort();
    assert_eq!(told, ["live[redis]: redis says hello", "live[web]: web says hello"]);
    while node.followers() < 2 {
        std::thread::yield_now();
    }
    node.write("web", "one\u{1b}[2J");
    assert_eq!(next(), "live[web]: one[2J");
    let stop = |name| {
        let stopping = node.command("live", name, ContainerCommand::Stop);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(stopping).unwrap();
    };
    stop("web");
    node.write("redis", "two");
    assert_eq!(next(), "live[redis]: two");
    stop("redis");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "!    web has ended.\n!    redis has ended.\n");
}
