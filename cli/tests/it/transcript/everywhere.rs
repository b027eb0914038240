//! What each command says of an app that is not there, or when nobody is logged in.

use std::fmt::Write as _;

use super::World;

#[test]
fn every_command_about_an_app_misses_an_app_that_is_not_there() {
    let world = World::new();
    let mut said = String::new();
    for command in [
        "apps:info",
        "apps:open",
        "apps:logs",
        "apps:watch",
        "apps:run true",
        "apps:destroy --confirm=none",
        "apps:transfer ann",
        "autoscale:list",
        "autoscale:set web --min=1 --max=2 --cpu-percent=50",
        "autoscale:unset web",
        "builds:list",
        "builds:create img",
        "builds:log",
        "builds:cancel",
        "config:list",
        "config:set A=1",
        "config:unset A",
        "config:edit",
        "config:pull",
        "domains:list",
        "domains:add a.b",
        "domains:remove a.b",
        "git:remote",
        "healthchecks:list",
        "healthchecks:set liveness tcpSocket 80",
        "healthchecks:unset liveness",
        "labels:list",
        "labels:set a=b",
        "labels:unset a",
        "limits:list",
        "limits:set web=1G",
        "limits:unset web",
        "maintenance:info",
        "maintenance:on",
        "maintenance:off",
        "perms:list",
        "perms:create ann",
        "perms:delete ann",
        "ps:list",
        "ps:scale web=1",
        "ps:stop web",
        "ps:start web",
        "ps:restart",
        "registry:list",
        "registry:set username=a",
        "registry:unset username",
        "releases:list",
        "releases:info v1",
        "releases:diff v1",
        "releases:rollback",
        "routing:info",
        "routing:enable",
        "routing:disable",
        "services:list",
        "services:add --type web --route /",
        "services:remove web",
        "tags:list",
        "tags:set a=b",
        "tags:unset a",
        "timeouts:list",
        "timeouts:set web=5",
        "timeouts:unset web",
        "tls:info",
        "tls:enable",
        "tls:disable",
        "tls:force:enable",
        "tls:force:disable",
        "tls:auto:enable",
        "tls:auto:disable",
        "volumes:list",
        "volumes:create data 1G",
        "volumes:delete data",
        "volumes:mount data web=/data",
        "volumes:unmount data web",
        "resources:list",
        "resources:create a:b db",
        "resources:describe db",
        "resources:update a:b db",
        "resources:destroy db",
        "resources:bind db",
        "resources:unbind db",
        "whitelist:list",
        "whitelist:add 192.0.2.1",
        "whitelist:remove 192.0.2.1",
    ] {
        let run = world.bob(&[&format!("-a none {command}")]);
        let lines: Vec<&str> = run.lines().filter(|line| line.starts_with("! ") || line.starts_with("= ")).collect();
        let is_usual =
            lines == ["! Error: No App matches the given query.", "! hint: `slipway apps` lists your apps", "= 1"];
        if !is_usual {
            writeln!(said, "{run}").unwrap();
        }
    }
    shows!(said, @r##"
    $ -a none apps:run true
    ! Running 'true'...
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ -a none git:remote
    ! Error: this folder is in no git repository
    !
    ! hint: make one with `git init`
    = 1
    "##);
}
