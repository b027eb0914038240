//! Users, their keys and what they may do.

use super::World;

#[test]
fn accounts() {
    let world = World::new();
    shows!(world.bob(&[
        "whoami",
        "whoami --all",
        "users",
        "users -l 1",
        "register URL --username bob --password x --email x@y.z",
        "register URL --username 'b b' --password x --email x@y.z",
        "auth:passwd --password wrong --new-password new",
        "auth:passwd --password pw --new-password new",
        "auth:passwd --username ann --new-password pw2",
        "auth:passwd --username nobody --new-password x",
        "logout",
        "whoami",
        "apps",
        "login URL --username bob --password pw",
        "login URL --username bob --password new",
        "auth:regenerate -u ann",
        "auth:regenerate -u nobody",
        "auth:regenerate",
        "whoami",
    ]), @r##"
    $ whoami
    You are bob at URL
    $ whoami --all
    === User
    ID:                1
    Username:          bob
    Email:             bob@y.z
    First Name:
    Last Name:
    Last Login:        [time]
    Is Superuser:      true
    Is Staff:          true
    Is Active:         true
    Date Joined:       [time]
    $ users
    === Users (*=admin)
    *bob
    ann
    $ users -l 1
    === Users (*=admin) (1 of 2)
    *bob
    $ register URL --username bob --password x --email x@y.z
    ! Error: A user with that username already exists.
    = 1
    $ register URL --username 'b b' --password x --email x@y.z
    ! Error: Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.
    = 1
    $ auth:passwd --password wrong --new-password new
    Password change succeeded.
    $ auth:passwd --password pw --new-password new
    Password change succeeded.
    $ auth:passwd --username ann --new-password pw2
    Password change succeeded.
    $ auth:passwd --username nobody --new-password x
    ! Error: No User matches the given query.
    = 1
    $ logout
    Logged out
    $ whoami
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ apps
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ login URL --username bob --password pw
    ! Error: Unable to log in with provided credentials.
    !
    ! hint: check the name and the password; `slipway register URL` makes an account
    = 1
    $ login URL --username bob --password new
    Logged in as bob
    Configuration file written to [HOME]/.config/slipway/client.json
    $ auth:regenerate -u ann
    Token Regenerated
    $ auth:regenerate -u nobody
    ! Error: No User matches the given query.
    = 1
    $ auth:regenerate
    Token Regenerated
    ! You are logged out: log in again with `slipway login URL`.
    $ whoami
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    "##);
    shows!(world.ann(&[
        "apps",
        "login URL --username ann --password pw2",
        "users",
        "users:disable bob",
        "auth:regenerate --all",
        "auth:passwd --username bob --new-password x",
        "create mine",
        "auth:cancel",
        "auth:cancel --yes",
        "destroy -a mine --confirm=mine",
        "auth:cancel --yes",
        "whoami",
    ]), @r##"
    $ apps
    ! Error: Unauthorized: Missing or Invalid Token
    !
    ! hint: log in again with `slipway login URL`
    = 1
    $ login URL --username ann --password pw2
    Logged in as ann
    Configuration file written to [HOME]/.config/slipway/client.json
    $ users
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ users:disable bob
    Disabling user bob...
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ auth:regenerate --all
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ auth:passwd --username bob --new-password x
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ create mine
    Creating Application... done, created mine
    $ auth:cancel
    ! Error: cancelling the account ann must be confirmed
    !
    ! hint: pass --yes
    = 1
    $ auth:cancel --yes
    ! Error: ann still has applications assigned. Delete or transfer ownership
    !
    ! hint: `slipway apps` lists them; give them away with `slipway apps:transfer` or remove them with `slipway apps:destroy`
    = 1
    $ destroy -a mine --confirm=mine
    Destroying mine...
    done in [n]s
    $ auth:cancel --yes
    Account cancelled
    $ whoami
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    "##);
}

#[test]
fn keys_and_access() {
    let world = World::new().with_app();
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH bob@laptop\n";
    world.bob_has(&[("id.pub", public), ("bad.pub", "ssh-ed25519 !!!? x\n")]);
    shows!(world.bob(&[
        "keys",
        "keys:add id.pub",
        "keys:add again id.pub",
        "keys:add bad.pub",
        "keys",
        "keys:remove bob@laptop",
        "keys:remove bob@laptop",
        "perms -a foo",
        "perms:create ann -a foo",
        "perms:create nobody -a foo",
        "perms:list -a foo",
        "sharing -a foo",
        "perms:list --admin",
        "perms:create ann --admin",
        "perms:delete ann --admin",
        "perms:delete nobody --admin",
    ]), @r#"
    $ keys
    === bob Keys
    $ keys:add id.pub
    Uploading id.pub to slipway... done
    $ keys:add again id.pub
    Uploading id.pub to slipway...
    ! Error: Public Key is already in use
    = 1
    $ keys:add bad.pub
    Uploading bad.pub to slipway...
    ! Error: Key contains invalid base64 chars
    = 1
    $ keys
    === bob Keys
    bob@laptop ssh-ed25519 AAAA...bob@laptop
    $ keys:remove bob@laptop
    Removing bob@laptop SSH Key... done
    $ keys:remove bob@laptop
    Removing bob@laptop SSH Key...
    ! Error: No Key matches the given query.
    !
    ! hint: `slipway keys` lists your keys
    = 1
    $ perms -a foo
    === foo's Users
    $ perms:create ann -a foo
    Adding ann to foo collaborators... done
    $ perms:create nobody -a foo
    Adding nobody to foo collaborators...
    ! Error: No User matches the given query.
    = 1
    $ perms:list -a foo
    === foo's Users
    ann
    $ sharing -a foo
    === foo's Users
    ann
    $ perms:list --admin
    === Administrators
    bob
    $ perms:create ann --admin
    Adding ann to system administrators... done
    $ perms:delete ann --admin
    Removing ann from system administrators... done
    $ perms:delete nobody --admin
    Removing nobody from system administrators...
    ! Error: No User matches the given query.
    = 1
    "#);
    shows!(world.ann(&[
        "apps",
        "perms:create bob -a foo",
        "apps:transfer ann -a foo",
        "destroy -a foo --confirm=foo",
        "perms:list --admin",
        "sharing:remove ann -a foo",
        "info -a foo",
        "perms:delete ann -a foo",
    ]), @r##"
    $ apps
    === Apps
    foo
    $ perms:create bob -a foo
    Adding bob to foo collaborators...
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ apps:transfer ann -a foo
    Transferring foo to ann...
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
    $ perms:list --admin
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ sharing:remove ann -a foo
    Removing ann from foo collaborators... done
    $ info -a foo
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    $ perms:delete ann -a foo
    Removing ann from foo collaborators...
    ! Error: You do not have permission to perform this action.
    !
    ! hint: `slipway whoami` shows who you are; the app's owner can grant access with `slipway perms:create`
    = 1
    "##);
}
