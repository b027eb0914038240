use super::World;

#[test]
fn containers() {
    let world = World::shop("redis:7 web:1").with_deployment();
    world.bob_does(&["deployments:start live"]);
    shows!(world.bob(&[
        "nodes:containers:list Platform",
        "nodes:containers:list Platform --prefix other",
        "nodes:containers:list none",
        "nodes:containers:stop Platform web --prefix live",
        "nodes:containers:list Platform --prefix live",
        "nodes:containers:start Platform web --prefix live",
        "nodes:containers:restart Platform web --prefix live",
        "nodes:containers:restart Platform none --prefix live",
        "nodes:containers:restart Platform web",
        "nodes:containers:remove Platform web --prefix live",
        "nodes:containers:remove Platform web --prefix live",
        "nodes:containers:clear Platform live",
        "nodes:containers:clear Platform live --confirm=other",
        "nodes:containers:clear Platform live --confirm=live",
        "nodes:containers:list Platform",
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
    $ nodes:containers:stop Platform web --prefix live
    Stopping web... done
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
    $ nodes:containers:remove Platform web --prefix live
    Removing web... done
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
    "##);
    world.platform.nodes.own().away(true);
    shows!(world.bob(&["nodes:containers:list Platform"]), @r##"
    $ nodes:containers:list Platform
    ! Error: the fake node is away
    = 1
    "##);
}
