//! Every short spelling of a command.

use super::World;

#[test]
fn shortcuts() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "auth",
        "apps",
        "watch --wait -a foo",
        "sharing:add ann -a foo",
        "sharing:list -a foo",
        "sharing:remove ann -a foo",
        "perms:add ann -a foo",
        "sharing -a foo",
        "perms:remove ann -a foo",
        "transfer ann -a foo",
        "allowlist:list -a foo",
        "allowlist:add 192.0.2.1 -a foo",
        "allowlist:list -a foo",
        "allowlist:remove 192.0.2.1 -a foo",
        "passwd --password pw --new-password new",
        "regenerate -u ann",
        "auth:token",
        "login URL --username bob --password new",
        "cancel --yes",
    ]), @r##"
    $ auth
    You are bob at URL
    $ apps
    === Apps
    foo
    $ watch --wait -a foo
    release v1 succeeded: bob created initial release
    release v2 succeeded: bob deployed example/foo:1
    process foo-web-v2-00001 up (v2)
    $ sharing:add ann -a foo
    Adding ann to foo collaborators... done
    $ sharing:list -a foo
    === foo's Users
    ann
    $ sharing:remove ann -a foo
    Removing ann from foo collaborators... done
    $ perms:add ann -a foo
    Adding ann to foo collaborators... done
    $ sharing -a foo
    === foo's Users
    ann
    $ perms:remove ann -a foo
    Removing ann from foo collaborators... done
    $ transfer ann -a foo
    Transferring foo to ann... done
    $ allowlist:list -a foo
    === foo Allowlisted Addresses
    $ allowlist:add 192.0.2.1 -a foo
    Adding 192.0.2.1 to foo allowlist...
    done
    $ allowlist:list -a foo
    === foo Allowlisted Addresses
    192.0.2.1
    $ allowlist:remove 192.0.2.1 -a foo
    Removing 192.0.2.1 from foo allowlist...
    done
    $ passwd --password pw --new-password new
    Password change succeeded.
    $ regenerate -u ann
    Token Regenerated
    $ auth:token
    Token Regenerated
    ! You are logged out: log in again with `slipway login URL`.
    $ login URL --username bob --password new
    Logged in as bob
    Configuration file written to [HOME]/.config/slipway/client.json
    $ cancel --yes
    Account cancelled
    "##);
}

#[test]
fn users_in_and_out() {
    let world = World::new();
    shows!(world.bob(&[
        "users:disable ann",
        "users:disable bob",
        "users:disable nobody",
        "users:enable nobody",
    ]), @r##"
    $ users:disable ann
    Disabling user ann... done
    $ users:disable bob
    Disabling user bob...
    ! Error: nobody can do that to themselves
    = 1
    $ users:disable nobody
    Disabling user nobody...
    ! Error: No User matches the given query.
    = 1
    $ users:enable nobody
    Enabling user nobody...
    ! Error: No User matches the given query.
    = 1
    "##);
    shows!(world.ann(&["apps", "login URL --username ann --password pw", "users:enable ann"]), @r##"
    $ apps
    ! Error: Unauthorized: Missing or Invalid Token
    !
    ! hint: log in again with `slipway login URL`
    = 1
    $ login URL --username ann --password pw
    ! Error: Unable to log in with provided credentials.
    !
    ! hint: check the name and the password; `slipway register URL` makes an account
    = 1
    $ users:enable ann
    Enabling user ann...
    ! Error: Unauthorized: Missing or Invalid Token
    !
    ! hint: log in again with `slipway login URL`
    = 1
    "##);
    shows!(world.bob(&["users:enable ann"]), @r##"
    $ users:enable ann
    Enabling user ann... done
    "##);
    shows!(world.ann(&["apps", "register URL --username carl --password pw --email c@y.z", "users:enable ann"]), @r##"
    $ apps
    === Apps
    $ register URL --username carl --password pw --email c@y.z
    Registered carl
    Logged in as carl
    Configuration file written to [HOME]/.config/slipway/client.json
    $ users:enable ann
    Enabling user ann...
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    "##);
}
