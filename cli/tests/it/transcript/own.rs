//! Commands that are Slipway's own.

use super::World;

#[test]
fn looking_after_an_app() {
    let mut world = World::new().with_build();
    let folder = world.bob.home().join(".ssh");
    std::fs::create_dir(&folder).unwrap();
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH bob@laptop\n";
    std::fs::write(folder.join("laptop.pub"), public).unwrap();
    world.bob.set_env("EDITOR", "sed -i -e s/^A=.*/A=2/");
    world.platform.push_logged(
        "foo",
        "bob",
        "1b34f2c0000000000000000000000000000000aa",
        "-----> Python app detected\n",
    );
    shows!(world.bob(&[
        "builds:log -a foo",
        "builds:log 1b34f2c -a foo",
        "builds:log ffff -a foo",
        "builds log -a none",
        "builds:cancel -a foo",
        "builds:cancel zzz -a foo",
        "config:set A=1 -a foo",
        "config:edit -a foo",
        "config:edit -a none",
        "releases:diff v2 v4 -a foo",
        "releases:diff v3 v4 --values -a foo",
        "releases:diff v9 -a foo",
        "watch --wait -a foo",
        "apps:watch --wait -a none",
        "ps:exec foo-web-v4-00003 -a foo -- cat /etc/hosts",
        "ps:exec foo-web-v2-00001 -a foo -- true",
        "config:pull -o -a foo",
        "config:set A=3 -a foo",
        "config:push -a foo",
        "doctor -a foo",
        "keys:add ../.ssh/laptop.pub",
        "doctor -a foo",
        "completions tcsh",
    ]), @r##"
    $ builds:log -a foo
    -----> Python app detected
    $ builds:log 1b34f2c -a foo
    -----> Python app detected
    $ builds:log ffff -a foo
    ! Error: No Build matches the given query.
    = 1
    $ builds log -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ builds:cancel -a foo
    Canceling the build of foo...
    ! Error: No build of foo is under way
    = 1
    $ builds:cancel zzz -a foo
    Canceling the build of foo...
    ! Error: sha: Enter a commit's hash in hexadecimal digits.
    = 1
    $ config:set A=1 -a foo
    Creating config... done, v3

    === foo Config
    A      1
    $ config:edit -a foo
    Creating config... done
    ~ A
    $ config:edit -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ releases:diff v2 v4 -a foo
    === foo v2 to v4
    --- Config
    + A
    $ releases:diff v3 v4 --values -a foo
    === foo v3 to v4
    --- Config
    ~ A: 1 -> 2
    $ releases:diff v9 -a foo
    ! Error: No Release matches the given query.
    !
    ! hint: foo has no v9: `slipway releases -a foo` lists the releases
    = 1
    $ watch --wait -a foo
    release v1 succeeded: bob created initial release
    release v2 succeeded: bob deployed example/foo:1
    release v3 succeeded: bob added A
    release v4 succeeded: bob changed A
    process foo-web-v4-00003 up (v4)
    $ apps:watch --wait -a none
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    $ ps:exec foo-web-v4-00003 -a foo -- cat /etc/hosts
    ! cat /etc/hosts on none
    = 7
    $ ps:exec foo-web-v2-00001 -a foo -- true
    ! Error: process foo-web-v2-00001 does not exist
    !
    ! hint: `slipway ps` lists the processes
    = 1
    $ config:pull -o -a foo
    Wrote 1 variable to .env.
    $ config:set A=3 -a foo
    Creating config... done, v5

    === foo Config
    A      3
    $ config:push -a foo
    Creating config... done, v6

    === foo Config
    A      2
    $ doctor -a foo
    ok  endpoint    URL answers
    ok  versions    the controller's API is 2.3, this client's 2.3
    ok  clock       [n] s from the controller's
    ok  token       of bob
    !!  key         no SSH key is known of you, so you cannot push
                    add one with `slipway keys:add`
    --  git remote  this folder is not in a git repository
    ! Error: 1 of 6 checks found something to mend
    = 1
    $ keys:add ../.ssh/laptop.pub
    Uploading laptop.pub to slipway... done
    $ doctor -a foo
    ok  endpoint    URL answers
    ok  versions    the controller's API is 2.3, this client's 2.3
    ok  clock       [n] s from the controller's
    ok  token       of bob
    ok  key         [HOME]/.ssh/laptop.pub is known
    --  git remote  this folder is not in a git repository
    $ completions tcsh
    ! error: invalid value 'tcsh' for '<SHELL>'
    !   [possible values: bash, elvish, fish, powershell, zsh]
    !
    !   tip: a similar value exists: 'zsh'
    !
    ! For more information, try '--help'.
    = 2
    "##);
}

#[test]
fn nobody_is_logged_in() {
    let world = World::new();
    shows!(world.bob(&["logout", "logout", "keys", "certs", "doctor", "version", "version --all", "shortcuts -x", "completions"]), @r##"
    $ logout
    Logged out
    $ logout
    Logged out
    $ keys
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ certs
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ doctor
    !!  endpoint    it is not known which controller to ask
                    log in with `slipway login URL`
    --  versions    not looked at without a controller
    --  clock       not looked at without a controller
    --  token       not looked at without a controller
    --  key         not looked at without a controller
    --  git remote  not looked at without a controller
    ! Error: 1 of 6 checks found something to mend
    = 1
    $ version
    slipway 0.1.0
    $ version --all
    ! Error: it is not known which controller to ask
    !
    ! hint: log in with `slipway login URL`
    = 1
    $ shortcuts -x
    ! error: unexpected argument '-x' found
    !
    ! Usage: slipway shortcuts list [OPTIONS]
    !
    ! For more information, try '--help'.
    = 2
    $ completions
    ! error: the following required arguments were not provided:
    !   <SHELL>
    !
    ! Usage: slipway completions <SHELL>
    !
    ! For more information, try '--help'.
    = 2
    "##);
}
