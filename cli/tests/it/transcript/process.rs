//! Builds, releases, processes and what they say.

use slipway_service::testing::Behaviour;

use super::World;

#[test]
fn builds_releases_and_processes() {
    let world = World::new().with_app();
    world.platform.engine.script_run("echo hi", Ok((0, "hi\n".to_owned())));
    world.platform.engine.script_run("false", Ok((1, String::new())));
    shows!(world.bob(&[
        "ps -a foo",
        "scale web=1 -a foo",
        "run -a foo -- echo hi",
        "rollback -a foo",
        "builds -a foo",
        "pull '' -a foo",
        "pull example/foo:1 -p web -a foo",
        "pull example/foo:1 -p 'web: ./serve' -a foo",
        "builds -a foo",
        "releases -a foo",
        "releases:info v1 -a foo",
        "releases:info v9 -a foo",
        "ps -a foo",
        "scale web=3 -a foo",
        "scale web=0 -a foo",
        "scale web=1 -a foo",
        "scale none=1 -a foo",
        "scale web=-1 -a foo",
        "restart -a foo",
        "restart web -a foo",
        "restart foo-web-1 -a foo",
        "restart none -a foo",
        "ps:stop web -a foo",
        "ps:start web -a foo",
        "ps:stop none -a foo",
        "run -a foo -- echo hi",
        "run -a foo -- false",
        "run --mount data:/data -a foo -- echo hi",
        "pull example/foo:2 -p 'web: ./serve' -a foo",
        "rollback -a foo",
        "rollback v1 -a foo",
        "rollback v2 -a foo",
        "rollback v99 -a foo",
        "releases -l 2 -a foo",
        "builds:log -a foo",
    ]), @r##"
    $ ps -a foo
    === foo Processes
    $ scale web=1 -a foo
    Scaling processes... but first, coffee!
    ! Error: No build associated with this release
    !
    ! hint: push something first: `git push slipway main`
    = 1
    $ run -a foo -- echo hi
    ! Running 'echo hi'...
    ! Error: No build associated with this release to run this command
    !
    ! hint: push something first: `git push slipway main`
    = 1
    $ rollback -a foo
    Rolling back one release...
    ! Error: version cannot be below 0
    = 1
    $ builds -a foo
    === foo Builds
    $ pull '' -a foo
    Creating build...
    ! Error: The given image is invalid
    = 1
    $ pull example/foo:1 -p web -a foo
    ! Error: 'web' is not in the form 'type: command', ex: 'web: ./serve'
    = 1
    $ pull example/foo:1 -p 'web: ./serve' -a foo
    Creating build... done
    $ builds -a foo
    === foo Builds
    [uuid] [time]
    $ releases -a foo
    === foo Releases
    v2	[time]	bob deployed example/foo:1
    v1	[time]	bob created initial release
    $ releases:info v1 -a foo
    === foo Release v1
    config:   [uuid]
    owner:    bob
    created:  [time]
    summary:  bob created initial release
    updated:  [time]
    uuid:     [uuid]
    state:    succeeded
    $ releases:info v9 -a foo
    ! Error: No Release matches the given query.
    = 1
    $ ps -a foo
    === foo Processes
    --- web:
    foo-web-v2-00001 up (v2)
    $ scale web=3 -a foo
    Scaling processes... but first, coffee!
    done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00001 up (v2)
    foo-web-v2-00002 up (v2)
    foo-web-v2-00003 up (v2)
    $ scale web=0 -a foo
    Scaling processes... but first, coffee!
    done in [n]s
    === foo Processes
    $ scale web=1 -a foo
    Scaling processes... but first, coffee!
    done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00004 up (v2)
    $ scale none=1 -a foo
    Scaling processes... but first, coffee!
    ! Error: Container type none does not exist in application
    !
    ! hint: `slipway ps` shows the process types, the Procfile defines them
    = 1
    $ scale web=-1 -a foo
    ! Error: 'web=-1' does not match the pattern 'type=num', ex: web=2
    = 1
    $ restart -a foo
    Restarting processes... but first, coffee!
    done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00005 up (v2)
    $ restart web -a foo
    Restarting processes... but first, coffee!
    done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00006 up (v2)
    $ restart foo-web-1 -a foo
    Restarting processes... but first, coffee!
    Could not find any processes to restart
    $ restart none -a foo
    Restarting processes... but first, coffee!
    Could not find any processes to restart
    $ ps:stop web -a foo
    Stopping processes... but first, coffee!
    done in [n]s
    === foo Processes
    $ ps:start web -a foo
    Starting processes... but first, coffee!
    done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00007 up (v2)
    $ ps:stop none -a foo
    Stopping processes... but first, coffee!
    ! Error: Container type none does not exist in application
    !
    ! hint: `slipway ps` shows the process types, the Procfile defines them
    = 1
    $ run -a foo -- echo hi
    hi
    ! Running 'echo hi'...
    $ run -a foo -- false
    ! Running 'false'...
    = 1
    $ run --mount data:/data -a foo -- echo hi
    ! Running 'echo hi'...
    ! Error: there is no volume data
    !
    ! hint: `slipway volumes` lists them
    = 1
    $ pull example/foo:2 -p 'web: ./serve' -a foo
    Creating build... done
    $ rollback -a foo
    Rolling back one release... done, v4
    $ rollback v1 -a foo
    Rolling back to v1...
    ! Error: Cannot roll back to initial release.
    = 1
    $ rollback v2 -a foo
    Rolling back to v2... done, v5
    $ rollback v99 -a foo
    Rolling back to v99...
    ! Error: Release matching query does not exist.
    = 1
    $ releases -l 2 -a foo
    === foo Releases (2 of 5)
    v5	[time]	bob rolled back to v2
    v4	[time]	bob rolled back to v2
    $ builds:log -a foo
    ! Error: No Build matches the given query.
    = 1
    "##);
}

#[test]
fn failed_deploys_and_logs() {
    let world = World::new().with_build();
    let why = "the image cannot be pulled".to_owned();
    world.platform.engine.script_artifact("example/foo:bad", Behaviour::Failing(why));
    shows!(world.bob(&[
        "pull example/foo:bad -p 'web: ./serve' -a foo",
        "releases -a foo",
        "releases:info v3 -a foo",
        "ps -a foo",
        "logs -n 3 -a foo",
        "logs -a none",
        "logs -n 0 -a foo",
        "open -a none",
        "ps:exec none -a foo -- true",
        "version --all",
        "shortcuts",
    ]), @r##"
    $ pull example/foo:bad -p 'web: ./serve' -a foo
    Creating build...
    ! Error: (app::deploy): There was a problem deploying v3. Rolling back process types to release v2.
    ! the image cannot be pulled
    !
    ! hint: `slipway logs` shows what the processes said, `slipway releases` what runs now
    = 1
    $ releases -a foo
    === foo Releases
    v3	[time]	bob deployed [short uuid] which failed
    v2	[time]	bob deployed example/foo:1
    v1	[time]	bob created initial release
    $ releases:info v3 -a foo
    === foo Release v3
    build:    [uuid]
    config:   [uuid]
    owner:    bob
    created:  [time]
    summary:  bob deployed [short uuid] which failed
    updated:  [time]
    uuid:     [uuid]
    state:    failed
    exception: (app::deploy): There was a problem deploying v3. Rolling back process types to release v2.
               the image cannot be pulled
    $ ps -a foo
    === foo Processes
    --- web:
    foo-web-v2-00001 up (v2)
    $ logs -n 3 -a foo
    [time] slipway[controller]: INFO bob deployed example/foo:bad
    [time] slipway[controller]: ERROR (app::deploy): There was a problem deploying v3. Rolling back process types to release v2.
    [time] slipway[controller]: ERROR the image cannot be pulled
    $ logs -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ logs -n 0 -a foo
    ! error: invalid value '0' for '--lines <LINES>': 0 is not in 1..=4294967295
    !
    ! For more information, try '--help'.
    = 2
    $ open -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ ps:exec none -a foo -- true
    ! Error: process none does not exist
    !
    ! hint: `slipway ps` lists the processes
    = 1
    $ version --all
    Slipway CLI Version:            0.1.0
    Slipway CLI API Version:        2.3
    Slipway Controller API Version: 2.3
    $ shortcuts
    auth:token -> auth:regenerate
    cancel -> auth:cancel
    create -> apps:create
    destroy -> apps:destroy
    info -> apps:info
    login -> auth:login
    logout -> auth:logout
    logs -> apps:logs
    open -> apps:open
    passwd -> auth:passwd
    perms:add -> perms:create
    perms:remove -> perms:delete
    pull -> builds:create
    regenerate -> auth:regenerate
    register -> auth:register
    restart -> ps:restart
    rollback -> releases:rollback
    run -> apps:run
    scale -> ps:scale
    sharing -> perms:list
    sharing:add -> perms:create
    sharing:list -> perms:list
    sharing:remove -> perms:delete
    transfer -> apps:transfer
    watch -> apps:watch
    whoami -> auth:whoami
    "##);
}
