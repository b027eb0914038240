use super::World;

#[test]
fn nodes() {
    let world = World::acme();
    shows!(world.bob(&[
        "nodes",
        "nodes:add cellar --description 'The machine in the cellar'",
        "nodes:add cellar",
        "nodes",
        "nodes:info cellar",
        "nodes:info celar",
        "nodes:update cellar --name attic --description Up",
        "nodes:update cellar --name attic",
        "nodes:info attic",
        "nodes:update Platform --name mine",
        "nodes:disconnect attic",
        "nodes:audit attic",
        "nodes:script attic --type bicycle",
        "nodes:script attic --type docker --powershell",
        "nodes:script Platform --type k8s",
        "nodes:script attic --type docker --discard",
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
    Invoke-WebRequest -UseBasicParsing -Uri 'https://slipway.example.com/api/acme/nodes/[uuid]/script' | Select-Object -ExpandProperty Content | Invoke-Expression
    ! Run this on the node until [time]:
    $ nodes:script Platform --type k8s
    ! Error: there is no node Platform
    !
    ! hint: `slipway nodes` lists them
    = 1
    $ nodes:script attic --type docker --discard
    Discarding the script of attic... done
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
fn nodes_join_by_what_reaches_them() {
    let world = World::acme();
    world.bob_does(&["nodes:add cellar", "nodes:add attic", "nodes:add shed"]);
    let certificate = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    world.bob_has(&[
        ("cellar.yaml", "the cellar's kubeconfig"),
        ("bad.yaml", "refused"),
        ("ca.pem", certificate),
        ("cert.pem", certificate),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
    ]);
    shows!(world.bob(&[
        "nodes:join cellar",
        "nodes:join cellar --kubeconfig none.yaml",
        "nodes:join cellar --kubeconfig bad.yaml",
        "nodes:join celar --kubeconfig cellar.yaml",
        "nodes:join cellar --kubeconfig cellar.yaml",
        "nodes:join Platform --kubeconfig cellar.yaml",
        "nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem",
        "nodes:join attic --kubeconfig cellar.yaml --docker tcp://attic.example.com:2376",
        "nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert key.pem --tls-key cert.pem",
        "nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert cellar.yaml --tls-key key.pem",
        "nodes:join attic --docker attic --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem",
        "nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem",
        "nodes",
    ]), @r##"
    $ nodes:join cellar
    ! error: the following required arguments were not provided:
    !   <--kubeconfig <FILE>|--docker <ADDRESS>>
    !
    ! Usage: slipway nodes join <--kubeconfig <FILE>|--docker <ADDRESS>> <NODE>
    !
    ! For more information, try '--help'.
    = 2
    $ nodes:join cellar --kubeconfig none.yaml
    ! Error: cannot read none.yaml: No such file or directory (os error 2)
    = 1
    $ nodes:join cellar --kubeconfig bad.yaml
    Joining cellar...
    ! Error: it is refused
    = 1
    $ nodes:join celar --kubeconfig cellar.yaml
    ! Error: there is no node celar
    !
    ! hint: did you mean `cellar`? `slipway nodes` lists them
    = 1
    $ nodes:join cellar --kubeconfig cellar.yaml
    Joining cellar... done
    $ nodes:join Platform --kubeconfig cellar.yaml
    Joining Platform...
    ! Error: The node is what the platform itself runs on.
    = 1
    $ nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem
    ! error: the following required arguments were not provided:
    !   --tls-key <FILE>
    !   --tls-cert <FILE>
    !
    ! Usage: slipway nodes join --tls-ca <FILE> --tls-key <FILE> --tls-cert <FILE> <--kubeconfig <FILE>|--docker <ADDRESS>> <NODE>
    !
    ! For more information, try '--help'.
    = 2
    $ nodes:join attic --kubeconfig cellar.yaml --docker tcp://attic.example.com:2376
    ! error: the argument '--kubeconfig <FILE>' cannot be used with '--docker <ADDRESS>'
    !
    ! Usage: slipway nodes join <--kubeconfig <FILE>|--docker <ADDRESS>> <NODE>
    !
    ! For more information, try '--help'.
    = 2
    $ nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert key.pem --tls-key cert.pem
    ! Error: key.pem holds a private key
    !
    ! hint: the key is of --tls-key alone
    = 1
    $ nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert cellar.yaml --tls-key key.pem
    ! Error: cellar.yaml is not in PEM form
    !
    ! hint: a PEM file is text that begins with -----BEGIN; `openssl x509 -inform der -in FILE` makes one of a DER file
    = 1
    $ nodes:join attic --docker attic --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem
    Joining attic... done
    $ nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem
    Joining attic... done
    $ nodes
    === acme Nodes
    Platform	k8s	connected	Kubernetes v1.33.2
    cellar	k8s	connected	Kubernetes v1.33.2
    attic	docker	connected	Kubernetes v1.33.2
    shed	docker	unreachable
    "##);
    let piped = world.bob.run_with(&["nodes:join", "shed", "--kubeconfig", "-"], "the shed's kubeconfig");
    assert_eq!((piped.code, piped.stdout.as_str()), (0, "Joining shed... done\n"), "{piped:?}");
    let info = world.bob.run("nodes:info shed");
    assert!(info.stdout.contains("connected") && info.stdout.contains("installed        yes"), "{info:?}");
}

#[test]
fn a_script_joins_a_node() {
    let world = World::acme();
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
