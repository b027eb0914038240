use super::team::acme;

#[test]
fn projects() {
    let world = acme();
    shows!(world.bob(&[
        "projects",
        "projects:create shop --description 'The shop'",
        "projects:create shop",
        "projects:create rail --versioned",
        "projects",
        "projects:info shop",
        "projects:info rail",
        "projects:info shopp",
        "projects:update shop --name store --changelog 'All new'",
        "projects:update store --name rail",
        "projects:info store",
        "projects:convert store",
        "projects:convert none",
        "projects:info store --json",
        "projects:destroy store",
        "projects:destroy store --confirm=shop",
        "projects:destroy store --confirm=store",
        "projects:destroy store --confirm=store",
        "projects",
    ]), @r##"
    $ projects
    === acme Projects
    $ projects:create shop --description 'The shop'
    Creating project shop in acme... done
    $ projects:create shop
    Creating project shop in acme...
    ! Error: name taken
    = 1
    $ projects:create rail --versioned
    Creating project rail in acme... done
    $ projects
    === acme Projects
    shop	versionless	The shop
    rail	versioned
    $ projects:info shop
    === shop Project
    type             versionless
    description      The shop
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    *rolling	rolling
    $ projects:info rail
    === rail Project
    type             versioned
    description
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    $ projects:info shopp
    ! Error: there is no project shopp
    !
    ! hint: did you mean `shop`? `slipway projects` lists them
    = 1
    $ projects:update shop --name store --changelog 'All new'
    Updating project shop... done
    $ projects:update store --name rail
    Updating project store...
    ! Error: name taken
    = 1
    $ projects:info store
    === store Project
    type             versionless
    description      The shop
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    *rolling	rolling	All new
    $ projects:convert store
    Giving project store versions... done
    $ projects:convert none
    ! Error: there is no project none
    !
    ! hint: `slipway projects` lists them
    = 1
    $ projects:info store --json
    {
      "audit": {
        "createdAt": "[time]",
        "createdBy": "[uuid]",
        "updatedAt": "[time]",
        "updatedBy": "[uuid]"
      },
      "deletable": true,
      "description": "The shop",
      "id": "[uuid]",
      "name": "store",
      "type": "versioned",
      "versions": [
        {
          "audit": {
            "createdAt": "[time]",
            "createdBy": "[uuid]",
            "updatedAt": "[time]",
            "updatedBy": "[uuid]"
          },
          "changelog": "All new",
          "default": true,
          "id": "[uuid]",
          "increasable": false,
          "name": "rolling",
          "type": "rolling"
        }
      ]
    }
    $ projects:destroy store
    ! Error: destroying store must be confirmed
    !
    ! hint: pass --confirm=store
    = 1
    $ projects:destroy store --confirm=shop
    ! Error: project store does not match confirm shop, aborting.
    = 1
    $ projects:destroy store --confirm=store
    Destroying project store... done
    $ projects:destroy store --confirm=store
    ! Error: there is no project store
    !
    ! hint: `slipway projects` lists them
    = 1
    $ projects
    === acme Projects
    rail	versioned
    "##);
}

#[test]
fn versions() {
    let world = acme();
    world.bob(&["projects:create rail --versioned", "projects:create shop"]);
    shows!(world.bob(&[
        "versions:list rail",
        "versions:info rail",
        "versions:create rail 1.0.0 --changelog First",
        "versions:create rail 1.0.0",
        "versions:create rail next --rolling",
        "versions:create shop 1.0.0",
        "versions:increase rail 1.0.0 1.1.0",
        "versions:increase rail 1.0.0 1.2.0",
        "versions:increase rail next 2",
        "versions:list rail --filter 1.",
        "versions:list none",
        "versions:info rail",
        "versions:info rail 1.1.0",
        "versions:info rail none",
        "versions:default rail 1.1.0",
        "versions:default rail none",
        "versions:update rail 1.1.0 --name 1.1.1 --changelog Mended",
        "versions:update rail 1.0.0 --name 0",
        "versions:list rail",
        "versions:destroy rail next",
        "versions:destroy rail next --confirm=next",
        "versions:destroy rail 1.0.0 --confirm=1.0.0",
        "versions:list rail",
    ]), @r##"
    $ versions:list rail
    === rail Versions (*=default)
    $ versions:info rail
    ! Error: project rail has no version
    !
    ! hint: make one with `slipway versions:create rail NAME`
    = 1
    $ versions:create rail 1.0.0 --changelog First
    Creating version 1.0.0 of rail... done
    $ versions:create rail 1.0.0
    Creating version 1.0.0 of rail...
    ! Error: name taken
    = 1
    $ versions:create rail next --rolling
    Creating version next of rail... done
    $ versions:create shop 1.0.0
    Creating version 1.0.0 of shop...
    ! Error: The project has no versions.
    = 1
    $ versions:increase rail 1.0.0 1.1.0
    Creating version 1.1.0 of rail after 1.0.0... done
    $ versions:increase rail 1.0.0 1.2.0
    Creating version 1.2.0 of rail after 1.0.0...
    ! Error: The next version is made already.
    = 1
    $ versions:increase rail next 2
    Creating version 2 of rail after next...
    ! Error: Only versions of the incremental kind are increased.
    = 1
    $ versions:list rail --filter 1.
    === rail Versions (*=default)
    *1.0.0	incremental	First
    1.1.0	incremental
    $ versions:list none
    ! Error: there is no project none
    !
    ! hint: `slipway projects` lists them
    = 1
    $ versions:info rail
    === rail 1.0.0 Version
    type                  incremental
    default               yes
    changelog             First
    can be changed        no
    can be increased      no
    id                    [uuid]
    === Images
    === Deployments
    $ versions:info rail 1.1.0
    === rail 1.1.0 Version
    type                  incremental
    default               no
    changelog
    can be changed        yes
    can be increased      yes
    id                    [uuid]
    === Images
    === Deployments
    $ versions:info rail none
    ! Error: there is no version none
    !
    ! hint: `slipway versions:list rail` lists them
    = 1
    $ versions:default rail 1.1.0
    Making 1.1.0 the default version of rail... done
    $ versions:default rail none
    ! Error: there is no version none
    !
    ! hint: `slipway versions:list rail` lists them
    = 1
    $ versions:update rail 1.1.0 --name 1.1.1 --changelog Mended
    Updating version 1.1.0 of rail... done
    $ versions:update rail 1.0.0 --name 0
    Updating version 1.0.0 of rail...
    ! Error: The version cannot be changed any more.
    = 1
    $ versions:list rail
    === rail Versions (*=default)
    1.0.0	incremental	First
    next	rolling
    *1.1.1	incremental	Mended
    $ versions:destroy rail next
    ! Error: destroying next must be confirmed
    !
    ! hint: pass --confirm=next
    = 1
    $ versions:destroy rail next --confirm=next
    Destroying version next of rail... done
    $ versions:destroy rail 1.0.0 --confirm=1.0.0
    Destroying version 1.0.0 of rail...
    ! Error: The version cannot be deleted.
    = 1
    $ versions:list rail
    === rail Versions (*=default)
    1.0.0	incremental	First
    *1.1.1	incremental	Mended
    "##);
}

#[test]
fn images() {
    let mut world = acme();
    world.bob(&["projects:create shop", "registries:add ours --type unchecked --url registry.example.com"]);
    std::fs::write(world.bob.work().join("web.json"), r#"{"expose": "expose", "ports": [{"internal": 8080}]}"#)
        .unwrap();
    std::fs::write(world.bob.work().join("bad.json"), "expose: none").unwrap();
    world.bob.set_env("EDITOR", r#"sed -i -e s/"tty":.false/"tty":true/"#);
    shows!(world.bob(&[
        "images:list shop",
        "images:list shop --version none",
        "images:add shop web:1 redis:7 --registry ours",
        "images:add shop web --registry none",
        "images:add shop web",
        "images:list shop",
        "images:tag shop web 2",
        "images:tag shop none 2",
        "images:order shop redis",
        "images:order shop redis redis",
        "images:order shop none",
        "images:list shop",
        "images:config:set shop web web.json",
        "images:config:set shop web bad.json",
        "images:config:set shop web none.json",
        "images:config:get shop web",
        "images:config:get shop none",
        "images:config:edit shop web",
        "images:config:edit shop web",
        "images:config:edit shop none",
        "images:remove shop redis",
        "images:remove shop redis",
        "images:list shop --json",
    ]), @r##"
    $ images:list shop
    === shop rolling Images
    $ images:list shop --version none
    ! Error: there is no version none
    !
    ! hint: `slipway versions:list shop` lists them
    = 1
    $ images:add shop web:1 redis:7 --registry ours
    Adding web:1, redis:7 to shop rolling... done
    $ images:add shop web --registry none
    ! Error: there is no registry none
    !
    ! hint: `slipway registries` lists them
    = 1
    $ images:add shop web
    ! error: the following required arguments were not provided:
    !   --registry <REGISTRY>
    !
    ! Usage: slipway images add --registry <REGISTRY> <PROJECT> <IMAGE>...
    !
    ! For more information, try '--help'.
    = 2
    $ images:list shop
    === shop rolling Images
    web	1	ours	web
    redis	7	ours	redis
    $ images:tag shop web 2
    Setting web to 2... done
    $ images:tag shop none 2
    ! Error: there is no image none
    !
    ! hint: `slipway images:list shop` lists them
    = 1
    $ images:order shop redis
    Ordering the images of shop rolling... done
    $ images:order shop redis redis
    ! Error: redis is named twice
    = 1
    $ images:order shop none
    ! Error: there is no image none
    !
    ! hint: `slipway images:list shop` lists them
    = 1
    $ images:list shop
    === shop rolling Images
    redis	7	ours	redis
    web	2	ours	web
    $ images:config:set shop web web.json
    Configuring web... done
    $ images:config:set shop web bad.json
    ! Error: bad.json cannot be used: it is not JSON: expected value at line 1 column 1
    = 1
    $ images:config:set shop web none.json
    ! Error: cannot read none.json: No such file or directory (os error 2)
    = 1
    $ images:config:get shop web
    {
      "annotations": null,
      "args": null,
      "capabilities": null,
      "commands": null,
      "configContainer": null,
      "customHeaders": null,
      "deploymentStrategy": "recreate",
      "dockerLabels": null,
      "environment": null,
      "expose": "expose",
      "extraLBAnnotations": null,
      "healthCheckConfig": null,
      "initContainers": null,
      "labels": null,
      "logConfig": null,
      "name": "web",
      "networkMode": "bridge",
      "networks": null,
      "portRanges": null,
      "ports": [
        {
          "external": null,
          "id": "[uuid]",
          "internal": 8080
        }
      ],
      "proxyHeaders": false,
      "resourceConfig": null,
      "restartPolicy": "no",
      "routing": null,
      "secrets": null,
      "storage": null,
      "tty": false,
      "useLoadBalancer": false,
      "user": -1,
      "volumes": null
    }
    $ images:config:get shop none
    ! Error: there is no image none
    !
    ! hint: `slipway images:list shop` lists them
    = 1
    $ images:config:edit shop web
    Configuring web... done
    $ images:config:edit shop web
    ! Nothing was changed.
    $ images:config:edit shop none
    ! Error: there is no image none
    !
    ! hint: `slipway images:list shop` lists them
    = 1
    $ images:remove shop redis
    Removing redis from shop rolling... done
    $ images:remove shop redis
    ! Error: there is no image redis
    !
    ! hint: `slipway images:list shop` lists them
    = 1
    $ images:list shop --json
    [
      {
        "config": {
          "annotations": null,
          "args": null,
          "capabilities": null,
          "commands": null,
          "configContainer": null,
          "customHeaders": null,
          "deploymentStrategy": "recreate",
          "dockerLabels": null,
          "environment": null,
          "expose": "expose",
          "extraLBAnnotations": null,
          "healthCheckConfig": null,
          "initContainers": null,
          "labels": null,
          "logConfig": null,
          "name": "web",
          "networkMode": "bridge",
          "networks": null,
          "portRanges": null,
          "ports": [
            {
              "external": null,
              "id": "[uuid]",
              "internal": 8080
            }
          ],
          "proxyHeaders": false,
          "resourceConfig": null,
          "restartPolicy": "no",
          "routing": null,
          "secrets": null,
          "storage": null,
          "tty": true,
          "useLoadBalancer": false,
          "user": -1,
          "volumes": null
        },
        "createdAt": "[time]",
        "id": "[uuid]",
        "name": "web",
        "order": 1,
        "registry": {
          "id": "[uuid]",
          "name": "ours",
          "type": "unchecked"
        },
        "tag": "2"
      }
    ]
    "##);
}
