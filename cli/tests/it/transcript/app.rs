//! Apps and their git remotes.

use super::World;

#[test]
fn apps() {
    let world = World::new();
    world.bob.git_init();
    shows!(world.bob(&[
        "apps",
        "create foo",
        "create foo",
        "create Foo_1",
        "create bar --no-remote -b https://example.com/pack.git",
        "apps",
        "apps:list --limit=1",
        "info",
        "info -a none",
        "--json open",
        "git:remote",
        "git:remote -a none",
        "git:remote -a bar",
        "git:remote -a bar -r second",
        "git:remove -a bar -r slipway",
        "git:remove -a bar -r second",
        "config -a bar",
        "apps:transfer nobody",
        "apps:transfer ann",
        "destroy -a bar",
        "destroy -a bar --confirm=foo",
        "destroy -a bar --confirm=bar",
        "destroy -a bar --confirm=bar",
    ]), @r#"
    $ apps
    === Apps
    $ create foo
    Creating Application... done, created foo
    Git remote slipway successfully created for app foo.
    $ create foo
    Creating Application...
    ! Error: Application with this id already exists.
    !
    ! hint: choose another name, or none to be given one
    = 1
    $ create Foo_1
    Creating Application...
    ! Error: App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.
    = 1
    $ create bar --no-remote -b https://example.com/pack.git
    Creating Application... done, created bar
    $ apps
    === Apps
    bar
    foo
    $ apps:list --limit=1
    === Apps (1 of 2)
    bar
    $ info
    === foo Application
    updated:  [time]
    uuid:     [uuid]
    created:  [time]
    url:      http://foo.example.com
    owner:    bob
    id:       foo

    === foo Processes

    === foo Domains
    foo

    === foo Label
    No labels found.

    $ info -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ --json open
    {
      "url": "http://foo.example.com"
    }
    $ git:remote
    Remote slipway already exists and is correctly configured for app foo.
    $ git:remote -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ git:remote -a bar
    ! Error: Remote slipway already exists: ssh://git@builder.example.com:2222/foo.git
    !
    ! hint: replace it with `slipway git:remote -f -r slipway -a bar`, or give another name with -r
    = 1
    $ git:remote -a bar -r second
    Git remote second successfully created for app bar.
    $ git:remove -a bar -r slipway
    ! Error: no git remote slipway leads to app bar
    = 1
    $ git:remove -a bar -r second
    Git remotes for app bar removed: second.
    $ config -a bar
    === bar Config
    BUILDPACK_URL      https://example.com/pack.git
    $ apps:transfer nobody
    Transferring foo to nobody...
    ! Error: No User matches the given query.
    = 1
    $ apps:transfer ann
    Transferring foo to ann... done
    $ destroy -a bar
    ! Error: destroying bar must be confirmed
    !
    ! hint: pass --confirm=bar
    = 1
    $ destroy -a bar --confirm=foo
    ! Error: App bar does not match confirm foo, aborting.
    = 1
    $ destroy -a bar --confirm=bar
    Destroying bar...
    done in [n]s
    $ destroy -a bar --confirm=bar
    Destroying bar...
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    "#);
    shows!(world.ann(&["apps", "apps:transfer bob -a foo", "info -a foo", "destroy -a foo --confirm=foo"]), @r##"
    $ apps
    === Apps
    foo
    $ apps:transfer bob -a foo
    Transferring foo to bob... done
    $ info -a foo
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ destroy -a foo --confirm=foo
    Destroying foo...
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    "##);
}
