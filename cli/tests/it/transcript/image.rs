use super::World;

#[test]
fn images() {
    let mut world = World::shop("");
    world.bob_has(&[
        ("web.json", r#"{"expose": "expose", "ports": [{"internal": 8080}]}"#),
        ("bad.json", "expose: none"),
        ("web.yaml", "ports:\n  - internal: 9090\n"),
        ("web.txt", "{user: 1000}\n"),
        ("bad.yml", "- expose: none\n"),
    ]);
    world.bob.set_env("EDITOR", r#"sed -i -e s/"tty":.false/"tty":true/ -e s/1000/2000/"#);
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
        "images:config:set shop web web.yaml",
        "images:config:apply shop web web.txt --yaml",
        "images:config:set shop web bad.yml",
        "images:config:get shop web --yaml",
        "images:config:get shop web --yaml --json",
        "images:config:edit shop web --yaml",
        "images:config:edit shop web --yaml",
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
    $ images:config:set shop web web.yaml
    Configuring web... done
    $ images:config:apply shop web web.txt --yaml
    Configuring web... done
    $ images:config:set shop web bad.yml
    ! Error: bad.yml cannot be used: it is YAML, but no object
    !
    ! hint: it looks like expose: expose
    = 1
    $ images:config:get shop web --yaml
    annotations: null
    args: null
    capabilities: null
    commands: null
    configContainer: null
    customHeaders: null
    deploymentStrategy: recreate
    dockerLabels: null
    environment: null
    expose: expose
    extraLBAnnotations: null
    healthCheckConfig: null
    initContainers: null
    labels: null
    logConfig: null
    name: web
    networkMode: bridge
    networks: null
    portRanges: null
    ports:
    - external: null
      id: [uuid]
      internal: 9090
    proxyHeaders: false
    resourceConfig: null
    restartPolicy: "no"
    routing: null
    secrets: null
    storage: null
    tty: true
    useLoadBalancer: false
    user: 1000
    volumes: null
    $ images:config:get shop web --yaml --json
    ! error: the argument '--yaml' cannot be used with '--json'
    !
    ! Usage: slipway images config get --yaml <PROJECT> <IMAGE>
    !
    ! For more information, try '--help'.
    = 2
    $ images:config:edit shop web --yaml
    Configuring web... done
    $ images:config:edit shop web --yaml
    ! Nothing was changed.
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
              "internal": 9090
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
          "user": 2000,
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
