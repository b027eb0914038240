use super::team::acme;

#[test]
fn nodes() {
    let world = acme();
    shows!(world.bob(&[
        "nodes",
        "nodes:add cellar --description 'The machine in the cellar'",
        "nodes:add cellar",
        "nodes",
        "nodes:info cellar",
        "nodes:info celar",
        "nodes:update cellar --name attic --description Up",
        "nodes:update cellar --name attic",
        "nodes:update attic",
        "nodes:info attic",
        "nodes:update Platform --name mine",
        "nodes:disconnect attic",
        "nodes:audit attic",
        "nodes:script attic --type bicycle",
        "nodes:script attic --type docker --powershell",
        "nodes:script Platform --type k8s",
        "nodes:script attic --type docker --discard",
        "nodes:remove attic",
        "nodes:remove attic",
        "nodes:remove Platform",
        "nodes",
    ]), @r##"
    $ nodes
    === acme Nodes
    Platform	k8s	connected	Kubernetes v1.33.2
    $ nodes:add cellar --description 'The machine in the cellar'
    Adding node cellar to acme... done
    $ nodes:add cellar
    Adding node cellar to acme...
    ! Error: name taken
    = 1
    $ nodes
    === acme Nodes
    Platform	k8s	connected	Kubernetes v1.33.2
    cellar	docker	unreachable
    $ nodes:info cellar
    === cellar Node
    type             docker
    status           unreachable
    version
    address
    description      The machine in the cellar
    installed        no
    in use           no
    id               [uuid]
    $ nodes:info celar
    ! Error: there is no node celar
    !
    ! hint: did you mean `cellar`? `slipway nodes` lists them
    = 1
    $ nodes:update cellar --name attic --description Up
    Updating node cellar... done
    $ nodes:update cellar --name attic
    ! Error: there is no node cellar
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ nodes:update attic
    Updating node attic... done
    $ nodes:info attic
    === attic Node
    type             docker
    status           unreachable
    version
    address
    description      Up
    installed        no
    in use           no
    id               [uuid]
    $ nodes:update Platform --name mine
    Updating node Platform... done
    $ nodes:disconnect attic
    Disconnecting attic... done
    $ nodes:audit attic
    === attic Audit
    $ nodes:script attic --type bicycle
    ! Error: type is not one of the known words
    = 1
    $ nodes:script attic --type docker --powershell
    ! Error: container engines join by a shell script
    = 1
    $ nodes:script Platform --type k8s
    ! Error: there is no node Platform
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ nodes:script attic --type docker --discard
    Discarding the script of attic...
    ! Error: There is no such installer.
    = 1
    $ nodes:remove attic
    Removing node attic from acme... done
    $ nodes:remove attic
    ! Error: there is no node attic
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ nodes:remove Platform
    ! Error: there is no node Platform
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ nodes
    === acme Nodes
    mine	k8s	connected	Kubernetes v1.33.2
    "##);
}

#[test]
fn a_script_joins_a_node() {
    let world = acme();
    world.bob(&["nodes:add cellar"]);
    let script = world.bob.run("nodes:script cellar --type docker --print");
    assert!(script.code == 0 && script.stdout.starts_with("#!/bin/sh\n"), "{script:?}");
    shows!(world.bob(&[
        "nodes:script cellar --type docker",
        "nodes:script cellar --type docker --discard",
        "nodes:script cellar --type docker --discard",
    ]), @r##"
    $ nodes:script cellar --type docker
    curl -sSfL https://slipway.example.com/api/acme/nodes/[uuid]/script | sh -
    ! Run this on the node until [time]:
    $ nodes:script cellar --type docker --discard
    Discarding the script of cellar... done
    $ nodes:script cellar --type docker --discard
    Discarding the script of cellar...
    ! Error: There is no such installer.
    = 1
    "##);
}

#[test]
fn containers() {
    let world = acme();
    let said = world.bob(&[
        "projects:create shop",
        "registries:add ours --type unchecked --url registry.example.com",
        "images:add shop redis:7 web:1 --registry ours",
        "deployments:create shop --node Platform --prefix live",
        "deployments:start live",
    ]);
    assert!(!said.contains("= "), "{said}");
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

#[test]
fn templates() {
    let world = acme();
    shows!(world.bob(&[
        "templates",
        "templates:use wordpress blog",
        "templates:use wordpress blog",
        "templates:use none other",
        "templates:use gitea code --versioned --description Ours",
        "templates:use gitea code2 --team none",
        "projects",
        "projects:info code",
        "images:list blog",
    ]), @r##"
    $ templates
    === Templates
    drupal	Drupal	Drupal,PHP,PostgreSQL
    ghost	Ghost	Ghost,Node.js,MySQL
    gitea	Gitea	Gitea,Go,SQLite
    grafana	Grafana with Prometheus	Grafana,Prometheus,Go
    minecraft	Minecraft server	Minecraft,Java
    miniflux	Miniflux	Miniflux,Go,PostgreSQL
    nextcloud	Nextcloud	Nextcloud,PHP,MariaDB,Redis
    uptime-kuma	Uptime Kuma	Uptime Kuma,Node.js,SQLite
    vaultwarden	Vaultwarden	Vaultwarden,Rust,SQLite
    wordpress	WordPress	WordPress,PHP,MariaDB
    $ templates:use wordpress blog
    Creating project blog in acme from wordpress... done
    $ templates:use wordpress blog
    Creating project blog in acme from wordpress...
    ! Error: name taken
    = 1
    $ templates:use none other
    Creating project other in acme from none...
    ! Error: There is no such template.
    = 1
    $ templates:use gitea code --versioned --description Ours
    Creating project code in acme from gitea... done
    $ templates:use gitea code2 --team none
    ! Error: there is no team none
    !
    ! hint: `slipway teams` lists them
    = 1
    $ projects
    === acme Projects
    blog	versionless
    code	versioned	Ours
    $ projects:info code
    === code Project
    type             versioned
    description      Ours
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    *1.0.0	incremental
    $ images:list blog
    === blog rolling Images
    mariadb	11.4	Docker Hub Library	wordpress-db
    wordpress	6.8-apache	Docker Hub Library	wordpress
    "##);
}
