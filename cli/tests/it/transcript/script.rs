//! What scripts for upstream's client do, by its name: each line as they take it apart.

use super::World;

/// Somebody who has logged in by the name of upstream's client.
fn world() -> World {
    let world = World::new();
    let said = world.deis(&world.ann, &["login URL --username=ann --password=pw"]);
    assert!(said.contains("Logged in as ann"), "{said}");
    world
}

#[test]
fn accounts_of_scripts() {
    let world = World::new();
    shows!(world.deis(&world.ann, &[
        "auth:whoami",
        "auth:register URL --username=ann --password=x --email=a@y.z",
        "auth:login URL --username=ann --password=bad",
        "auth:login URL --username ann --password pw --ssl-verify false",
        "ann | login URL --password=pw",
        "auth:whoami",
        "auth:whoami --all",
        "auth:passwd --password=bad --new-password=x",
        "auth:passwd --password=pw --new-password=new",
        "no | auth:cancel",
        "perms:list --admin",
        "auth:cancel --username=bob --yes",
    ]), @r#"
    $ auth:whoami
    ! Error: Client configuration file not found at: [HOME]/.deis/client.json
    ! Are you logged in? Use 'deis login' or 'deis register' to get started.
    = 1
    $ auth:register URL --username=ann --password=x --email=a@y.z
    ! Registration failed: Error: A user with that username already exists.
    = 1
    $ auth:login URL --username=ann --password=bad
    ! Error: Unable to log in with provided credentials.
    = 1
    $ auth:login URL --username ann --password pw --ssl-verify false
    Logged in as ann
    Configuration file written to [HOME]/.deis/client.json
    $ ann | login URL --password=pw
    username: Logged in as ann
    Configuration file written to [HOME]/.deis/client.json
    $ auth:whoami
    You are ann at URL
    $ auth:whoami --all
    ID: 2
    Username: ann
    Email: ann@y.z
    First Name:
    Last Name:
    Last Login: [time]
    Is Superuser: false
    Is Staff: false
    Is Active: true
    Date Joined: [time]
    $ auth:passwd --password=bad --new-password=x
    ! Password change failed: Error: Unauthorized: Missing or Invalid Token
    = 1
    $ auth:passwd --password=pw --new-password=new
    Password change succeeded.
    $ no | auth:cancel
    cancel account ann at URL? (y/N):
    ! Account not changed
    $ perms:list --admin
    ! Error: You do not have permission to perform this action.
    = 1
    $ auth:cancel --username=bob --yes
    ! Error: You do not have permission to perform this action.
    = 1
    "#);
    shows!(world.deis(&world.bob, &[
        "auth:login URL --username=bob --password=pw",
        "auth:register URL --username=eve --password=pw --email= --login=false",
        "perms:create eve --admin",
        "perms:list --admin -l 1",
        "perms:delete eve --admin",
        "auth:regenerate -u eve",
        "y | auth:cancel --username=eve",
        "auth:cancel --username=eve --yes",
        "auth:cancel --username=bob --password=pw --yes",
        "apps",
    ]), @r#"
    $ auth:login URL --username=bob --password=pw
    Logged in as bob
    Configuration file written to [HOME]/.deis/client.json
    $ auth:register URL --username=eve --password=pw --email= --login=false
    Registered eve
    $ perms:create eve --admin
    Adding eve to system administrators... done
    $ perms:list --admin -l 1
    === Administrators (1 of 2)
    bob
    $ perms:delete eve --admin
    Removing eve from system administrators... done
    $ auth:regenerate -u eve
    Token Regenerated
    $ y | auth:cancel --username=eve
    cancel account eve at URL? (y/N): Account cancelled
    $ auth:cancel --username=eve --yes
    ! Error: "No User matches the given query."
    = 1
    $ auth:cancel --username=bob --password=pw --yes
    Account cancelled
    $ apps
    ! Error: Client configuration file not found at: [HOME]/.deis/client.json
    ! Are you logged in? Use 'deis login' or 'deis register' to get started.
    = 1
    "#);
}

#[test]
fn apps_of_scripts() {
    let world = world();
    world.ann.git_init();
    shows!(world.deis(&world.ann, &[
        "apps:create foo",
        "apps:create foo",
        "apps:create bar",
        "apps:create baz --no-remote",
        "apps:list",
        "apps:list -l 2",
        "apps:list -l 0",
        "apps:info",
        "git:remote",
        "git:remote -a bar",
        "git:remote --force --app=bar",
        "git:remote -a none -r other",
        "domains:list",
        "domains:add www.example.org",
        "domains:add www.example.org",
        "domains:add a_b.c",
        "domains:remove www.example.org",
        "domains:remove www.example.org",
        "git:remove",
        "git:remove",
        "git:remote -a bar",
        "logs -a none",
        "perms:create bob -a bar",
        "perms:list -a bar",
        "sharing:remove bob -a bar",
        "perms:create nobody -a bar",
        "destroy -a baz",
        "nope | destroy -a baz",
        "baz | destroy -a baz",
        "apps:destroy --confirm=bar",
        "apps:destroy --app=foo --confirm=foo",
        "apps:destroy --app=foo --confirm=foo",
    ]), @r#"
    $ apps:create foo
    Creating Application... done, created foo
    Git remote deis successfully created for app foo.
    $ apps:create foo
    Creating Application...
    ! Error: Application with this id already exists.
    = 1
    $ apps:create bar
    Creating Application... done, created bar
    ! Error: A git remote with the name deis already exists. To overwrite this remote run:
    ! deis git:remote --force --remote deis --app bar
    = 1
    $ apps:create baz --no-remote
    Creating Application... done, created baz
    If you want to add a git remote for this app later, use `deis git:remote -a baz`
    $ apps:list
    === Apps
    bar
    baz
    foo
    $ apps:list -l 2
    === Apps (2 of 3)
    bar
    baz
    $ apps:list -l 0
    === Apps
    bar
    baz
    foo
    $ apps:info
    === foo Application
    updated:  [time]
    uuid:     [uuid]
    created:  [time]
    url:      foo.example.com
    owner:    ann
    id:       foo

    === foo Processes

    === foo Domains
    foo

    === foo Label
    No labels found.

    $ git:remote
    Remote deis already exists and is correctly configured for app foo.
    $ git:remote -a bar
    ! Error: Remote deis already exists, please run 'deis git:remote -f' to overwrite
    ! Existing remote URL: ssh://git@builder.example.com:2222/foo.git
    ! When forced, will overwrite with: ssh://git@builder.example.com:2222/bar.git
    = 1
    $ git:remote --force --app=bar
    Deleting git remote deis.
    Git remote deis successfully created for app bar.
    $ git:remote -a none -r other
    Git remote other successfully created for app none.
    $ domains:list
    === bar Domains
    bar
    $ domains:add www.example.org
    Adding www.example.org to bar... done
    $ domains:add www.example.org
    Adding www.example.org to bar...
    ! Error: Domain is already in use by another application
    = 1
    $ domains:add a_b.c
    Adding a_b.c to bar...
    ! Error: Unknown Error (400): {"domain":["Hostname does not look valid, could not convert to ACE a_b.c: it holds a character or a label that no host name may have"]}
    = 1
    $ domains:remove www.example.org
    Removing www.example.org from bar... done
    $ domains:remove www.example.org
    Removing www.example.org from bar...
    ! Error: "No Domain matches the given query."
    = 1
    $ git:remove
    Git remotes for app bar removed.
    $ git:remove
    ! Error: Could not find remote matching app in 'git remote -v'
    = 1
    $ git:remote -a bar
    Git remote deis successfully created for app bar.
    $ logs -a none
    ! Error: There are currently no log messages. Please check the following things:
    ! 1) "No App matches the given query."
    = 1
    $ perms:create bob -a bar
    Adding bob to bar collaborators... done
    $ perms:list -a bar
    === bar's Users
    bob
    $ sharing:remove bob -a bar
    Removing bob from bar collaborators... done
    $ perms:create nobody -a bar
    Adding nobody to bar collaborators...
    ! Error: "No User matches the given query."
    = 1
    $ destroy -a baz
     !    WARNING: Potentially Destructive Action
     !    This command will destroy the application: baz
     !    To proceed, type "baz" or re-run this command with --confirm=baz

    >
    ! Error: App baz does not match confirm , aborting.
    = 1
    $ nope | destroy -a baz
     !    WARNING: Potentially Destructive Action
     !    This command will destroy the application: baz
     !    To proceed, type "baz" or re-run this command with --confirm=baz

    >
    ! Error: App baz does not match confirm nope, aborting.
    = 1
    $ baz | destroy -a baz
     !    WARNING: Potentially Destructive Action
     !    This command will destroy the application: baz
     !    To proceed, type "baz" or re-run this command with --confirm=baz

    > Destroying baz...
    done in [n]s
    $ apps:destroy --confirm=bar
    Destroying bar...
    done in [n]s
    Git remotes for app bar removed.
    $ apps:destroy --app=foo --confirm=foo
    Destroying foo...
    done in [n]s
    $ apps:destroy --app=foo --confirm=foo
    Destroying foo...
    ! Error: "No App matches the given query."
    = 1
    "#);
}

#[test]
fn builds_and_configuration_of_scripts() {
    let world = world();
    let file = |name: &str, text: &str| std::fs::write(world.ann.work().join(name), text).unwrap();
    file(".env", "# from a file\r\nBLANKS=a b\r\n\r\nQUOTES=\"c\" # d\r\n");
    file("bad.env", "BLANKS=a b\nc\n");
    file("id", "-----BEGIN RSA PRIVATE KEY-----\n");
    shows!(world.deis(&world.ann, &[
        "apps:create foo --no-remote",
        "builds:create example/foo:1 --procfile='web: \"./serve 1\"' --app=foo",
        "deis | builds:create",
        "config:list -a foo --oneline",
        "config:set A=1 B='two words' -a foo",
        "config:set B='two words' -a foo",
        "config:set B -a foo",
        "config:list --oneline -a foo",
        "config:list --diff -a foo",
        "config:unset A -a foo",
        "config:unset A -a foo",
        "config:push -a foo",
        "config:push -p bad.env -a foo",
        "config:push -p none.env -a foo",
        "C='piped' | config:push --app=foo",
        "config:pull -a foo",
        "config:unset B BLANKS QUOTES C -a foo",
        "config:set SSH_KEY=none -a foo",
        "config:set SSH_KEY=id -a foo",
        "config:set SSH_KEY=LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo= -a foo",
        "pull example/foo:none -a foo -p web",
    ]), @r#"
    $ apps:create foo --no-remote
    Creating Application... done, created foo
    If you want to add a git remote for this app later, use `deis git:remote -a foo`
    $ builds:create example/foo:1 --procfile='web: "./serve 1"' --app=foo
    Creating build... done
    $ deis | builds:create
    ! error: the following required arguments were not provided:
    !   <IMAGE>
    !
    ! Usage: deis builds create <IMAGE>
    !
    ! For more information, try '--help'.
    = 1
    $ config:list -a foo --oneline
    $ config:set A=1 B='two words' -a foo
    Creating config... done

    === foo Config
    A      1
    B      two words
    $ config:set B='two words' -a foo
    Creating config...
    ! Error: Unknown Error (409): {"detail":"ann changed nothing - release stopped"}
    = 1
    $ config:set B -a foo
    ! Error: 'B' does not match the pattern 'key=var', ex: MODE=test
    = 1
    $ config:list --oneline -a foo
    A=1 B=two words
    $ config:list --diff -a foo
    A=1
    B=two words
    $ config:unset A -a foo
    Removing config... done

    === foo Config
    B      two words
    $ config:unset A -a foo
    Removing config...
    ! Error: Unable to process your request: A does not exist under values
    = 1
    $ config:push -a foo
    Creating config... done

    === foo Config
    B           two words
    BLANKS      a b
    QUOTES      "c" # d
    $ config:push -p bad.env -a foo
    ! Error: 'c' does not match the pattern 'key=var', ex: MODE=test
    = 1
    $ config:push -p none.env -a foo
    ! Error: open none.env: no such file or directory
    = 1
    $ C='piped' | config:push --app=foo
    Creating config... done

    === foo Config
    B           two words
    BLANKS      a b
    C           piped
    QUOTES      "c" # d
    $ config:pull -a foo
    B=two words
    BLANKS=a b
    C=piped
    QUOTES="c" # d
    $ config:unset B BLANKS QUOTES C -a foo
    Removing config... done

    === foo Config
    $ config:set SSH_KEY=none -a foo
    ! Error: Could not parse SSH private key
    = 1
    $ config:set SSH_KEY=id -a foo
    Creating config... done

    === foo Config
    SSH_KEY      LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo=
    $ config:set SSH_KEY=LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo= -a foo
    Creating config...
    ! Error: Unknown Error (409): {"detail":"ann changed nothing - release stopped"}
    = 1
    $ pull example/foo:none -a foo -p web
    ! Error: 'web' is not in the form 'type: command', ex: 'web: ./serve'
    = 1
    "#);
    let multi = "This is\na\nmultiline string.";
    let run = world.ann.run_as("deis", &["config:set", &format!("LINES={multi}"), "A=1", "-a", "foo"]);
    let shown = format!("A            1\nLINES        {multi}\nSSH_KEY      ");
    assert!(run.stdout.contains(&shown), "{run:?}");
}

#[test]
fn keys_and_certificates_of_scripts() {
    let world = world();
    let ssh = world.ann.home().join(".ssh");
    std::fs::create_dir(&ssh).unwrap();
    let key = |tail: &str| format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{tail}");
    std::fs::write(ssh.join("a.pub"), key("NzPFRTMmKsuyo7Ry2mrQ6jw0xAdDWLEZc+DnGkHFbyN ann@laptop")).unwrap();
    std::fs::write(ssh.join("id_b.pub"), key("BLKNcAYZ7tWZKoFGpUSxxyPNHu5ABtW4ZkqhJS6GBXr")).unwrap();
    std::fs::write(world.ann.work().join("bad"), "ssh-ed25519").unwrap();
    std::fs::write(world.ann.work().join("swapped.key"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    shows!(world.deis(&world.ann, &[
        "keys:list",
        "1 | keys:add",
        "2 | keys:add other-key",
        "x | keys:add",
        "3 | keys:add",
        "keys:add bad",
        "keys:add a none.pub",
        "keys:list",
        "keys:list --limit=1",
        "keys:remove other-key",
        "keys:remove other-key",
        "certs:list",
        "certs:info none",
        "certs:add www none.crt none.key",
        "certs:add www swapped.key swapped.crt",
        "certs:attach none www.example.org",
        "certs:remove none",
    ]), @r#"
    $ keys:list
    === ann Keys
    $ 1 | keys:add
    Found the following SSH public keys:
    1) a.pub ann@laptop
    2) id_b.pub id_b
    0) Enter path to pubfile (or use keys:add <key_path>)
    Which would you like to use with Deis? Uploading a.pub to deis... done
    $ 2 | keys:add other-key
    Found the following SSH public keys:
    1) a.pub ann@laptop
    2) id_b.pub id_b
    0) Enter path to pubfile (or use keys:add <key_path>)
    Which would you like to use with Deis? Uploading id_b.pub to deis... done
    $ x | keys:add
    Found the following SSH public keys:
    1) a.pub ann@laptop
    2) id_b.pub id_b
    0) Enter path to pubfile (or use keys:add <key_path>)
    Which would you like to use with Deis?
    ! Error: x is not a valid integer
    = 1
    $ 3 | keys:add
    Found the following SSH public keys:
    1) a.pub ann@laptop
    2) id_b.pub id_b
    0) Enter path to pubfile (or use keys:add <key_path>)
    Which would you like to use with Deis?
    ! Error: 3 is not a valid option
    = 1
    $ keys:add bad
    ! Error: bad is not a valid ssh key
    = 1
    $ keys:add a none.pub
    ! Error: open none.pub: no such file or directory
    = 1
    $ keys:list
    === ann Keys
    other-key  ssh-ed25519 AAAA...kqhJS6GBXr
    ann@laptop ssh-ed25519 AAAA...ann@laptop
    $ keys:list --limit=1
    === ann Keys (1 of 2)
    other-key ssh-ed25519 AAAA...kqhJS6GBXr
    $ keys:remove other-key
    Removing other-key SSH Key... done
    $ keys:remove other-key
    Removing other-key SSH Key...
    ! Error: "No Key matches the given query."
    = 1
    $ certs:list
    No certs
    $ certs:info none
    ! Error: "No Certificate matches the given query."
    = 1
    $ certs:add www none.crt none.key
    ! Error: open none.crt: no such file or directory
    = 1
    $ certs:add www swapped.key swapped.crt
    ! Error: Could not load certificate
    = 1
    $ certs:attach none www.example.org
    Attaching certificate none to domain www.example.org...
    ! Error: "No Certificate matches the given query."
    = 1
    $ certs:remove none
    Removing none...
    ! Error: "No Certificate matches the given query."
    = 1
    "#);
}
