//! Every command against a real controller: what it prints and how it ends, when it works and when it is refused. The
//! names of the tests that end in `_of_upstream` hold what upstream's acceptance suite asserts (drycc-v2.md §6.5).
//!
//! In a transcript `$` is a command, `!` a line of stderr, `=` an exit code other than 0.

use std::fmt::Write as _;

use slipway_service::testing::{Behaviour, TestCertificate};

use crate::person::Person;
use crate::platform::Platform;

/// A platform with its administrator bob and the user ann.
struct World {
    platform: Platform,
    bob: Person,
    ann: Person,
}

/// Words as a shell makes them, where nothing but single quotes is special.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            if is_new {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
            is_new = false;
            continue;
        }
        for c in piece.chars() {
            if c == ' ' {
                is_new = true;
            } else {
                if is_new {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push(c);
                is_new = false;
            }
        }
    }
    words
}

impl World {
    fn new() -> Self {
        let world = Self { platform: Platform::start(), bob: Person::stranger(), ann: Person::stranger() };
        for (person, name) in [(&world.bob, "bob"), (&world.ann, "ann")] {
            let register =
                ["register", &world.platform.url, "--username", name, "--password", "pw", "--email", "x@y.z"];
            let run = person.run_with(&register, "");
            assert_eq!(run.code, 0, "{run:?}");
        }
        world
    }

    /// Runs the lines as one person and writes down what happens.
    fn as_one(&self, person: &Person, lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            let words = words(&line.replace("URL", &self.platform.url));
            let run = person.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), "");
            writeln!(text, "$ {line}").unwrap();
            text.push_str(&run.stdout);
            if !run.stdout.is_empty() && !run.stdout.ends_with('\n') {
                text.push('\n');
            }
            for said in run.stderr.lines() {
                writeln!(text, "{}", format!("! {said}").trim_end()).unwrap();
            }
            if run.code != 0 {
                writeln!(text, "= {}", run.code).unwrap();
            }
        }
        let text = text.replace(&self.platform.url, "URL");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn bob(&self, lines: &[&str]) -> String {
        self.as_one(&self.bob, lines)
    }

    fn ann(&self, lines: &[&str]) -> String {
        self.as_one(&self.ann, lines)
    }

    /// Bob's app foo, without a build.
    fn with_app(self) -> Self {
        self.bob(&["create foo"]);
        self
    }

    /// Bob's app foo, with a build.
    fn with_build(self) -> Self {
        let world = self.with_app();
        let said = world.bob(&["pull example/foo:1 -p 'web: ./serve' -a foo"]);
        assert!(said.ends_with("done"), "{said}");
        world
    }
}

/// Compares with an inline snapshot, without what differs from run to run.
macro_rules! shows {
    ($text:expr, @$want:literal) => {
        insta::with_settings!({filters => vec![
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC", "[time in UTC]"),
            (r"\bfoo-[0-9a-f]{7}\b", "foo-[short uuid]"),
            (r"deployed [0-9a-f]{7} which", "deployed [short uuid] which"),
            (r"done in \d+s", "done in [n]s"),
            (r"([0-9A-F]{2}:){31}[0-9A-F]{2}", "[fingerprint]"),
            (r"[0-9A-F]{2}:[0-9A-F]{2}\[\.\.\.\][0-9A-F]{2}:[0-9A-F]{2}", "[short fingerprint]"),
        ]}, {
            insta::assert_snapshot!($text, @$want);
        });
    };
}

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
    Email:             x@y.z
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
    ! Error: Not found.
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
    Destroying mine... done in [n]s
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
    ]), @r##"
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
    Destroying bar... done in [n]s
    $ destroy -a bar --confirm=bar
    Destroying bar...
    ! Error: No App matches the given query.
    !
    ! hint: `slipway apps` lists your apps
    = 1
    "##);
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
    build:
    config:    [uuid]
    owner:     bob
    created:   [time]
    summary:   bob created initial release
    state:     succeeded
    updated:   [time]
    uuid:      [uuid]
    $ releases:info v9 -a foo
    ! Error: No Release matches the given query.
    = 1
    $ ps -a foo
    === foo Processes
    --- web:
    foo-web-v2-00001 up (v2)
    $ scale web=3 -a foo
    Scaling processes... but first, coffee! done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00001 up (v2)
    foo-web-v2-00002 up (v2)
    foo-web-v2-00003 up (v2)
    $ scale web=0 -a foo
    Scaling processes... but first, coffee! done in [n]s
    === foo Processes
    $ scale web=1 -a foo
    Scaling processes... but first, coffee! done in [n]s
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
    Restarting processes... but first, coffee! done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00005 up (v2)
    $ restart web -a foo
    Restarting processes... but first, coffee! done in [n]s
    === foo Processes
    --- web:
    foo-web-v2-00006 up (v2)
    $ restart foo-web-1 -a foo
    Restarting processes... but first, coffee!
    ! Error: Could not find any processes to restart
    !
    ! hint: `slipway ps` lists them
    = 1
    $ restart none -a foo
    Restarting processes... but first, coffee!
    ! Error: Could not find any processes to restart
    !
    ! hint: `slipway ps` lists them
    = 1
    $ ps:stop web -a foo
    Stopping processes... but first, coffee! done in [n]s
    === foo Processes
    $ ps:start web -a foo
    Starting processes... but first, coffee! done in [n]s
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
    build:     [uuid]
    config:    [uuid]
    owner:     bob
    created:   [time]
    summary:   bob deployed [short uuid] which failed
    state:     failed
    updated:   [time]
    uuid:      [uuid]
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
    = 1
    $ version --all
    Slipway CLI Version:          0.1.0
    Slipway CLI API Version:      2.3
    Controller API Version:       2.3
    $ shortcuts
    create              apps:create
    destroy             apps:destroy
    info                apps:info
    open                apps:open
    logs                apps:logs
    run                 apps:run
    transfer            apps:transfer
    register            auth:register
    login               auth:login
    logout              auth:logout
    passwd              auth:passwd
    whoami              auth:whoami
    cancel              auth:cancel
    regenerate          auth:regenerate
    pull                builds:create
    rollback            releases:rollback
    scale               ps:scale
    restart             ps:restart
    sharing             perms:list
    sharing:list        perms:list
    sharing:add         perms:create
    sharing:remove      perms:delete
    perms:add           perms:create
    perms:remove        perms:delete
    auth:token          auth:regenerate
    "##);
}

#[test]
fn configuration() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "config -a foo",
        "config:set A=1 'GREETING=hello there' -a foo",
        "config:set A=1 -a foo",
        "config:set 1A=x -a foo",
        "config:set PORT=x -a foo",
        "config:set NAME=grüße -a foo",
        "config --oneline -a foo",
        "config:unset A -a foo",
        "config:unset A -a foo",
        "config:pull -a foo",
        "config:pull -a foo",
        "config:push -a foo",
        "config:push -p none -a foo",
        "tags:set disk=ssd -a foo",
        "tags -a foo",
        "tags:unset disk -a foo",
        "registry:set username=bob password=secret -a foo",
        "config:set PORT=8080 -a foo",
        "registry:set username=bob password=secret -a foo",
        "registry -a foo",
        "registry:unset username password -a foo",
        "registry:unset username -a foo",
        "timeouts -a foo",
        "timeouts:set web=5 -a foo",
    ]), @r##"
    $ config -a foo
    === foo Config
    $ config:set A=1 'GREETING=hello there' -a foo
    Creating config... done, v3

    === foo Config
    A             1
    GREETING      hello there
    $ config:set A=1 -a foo
    Creating config...
    ! Error: bob changed nothing - release stopped
    = 1
    $ config:set 1A=x -a foo
    Creating config...
    ! Error: values: Config keys must start with a letter or underscore and only contain [A-z0-9_]
    = 1
    $ config:set PORT=x -a foo
    Creating config...
    ! Error: values: PORT can only be a numeric value
    = 1
    $ config:set NAME=grüße -a foo
    Creating config... done, v4

    === foo Config
    A             1
    GREETING      hello there
    NAME          grüße
    $ config --oneline -a foo
    A=1 GREETING="hello there" NAME="grüße"
    $ config:unset A -a foo
    Removing config... done, v5

    === foo Config
    GREETING      hello there
    NAME          grüße
    $ config:unset A -a foo
    Removing config...
    ! Error: Unable to process your request: A does not exist under values
    = 1
    $ config:pull -a foo
    Wrote 2 variables to .env.
    $ config:pull -a foo
    ! Error: .env already exists
    !
    ! hint: pass -o to overwrite it, or -i to be asked about each variable that differs
    = 1
    $ config:push -a foo
    Creating config...
    ! Error: bob changed nothing - release stopped
    = 1
    $ config:push -p none -a foo
    ! Error: cannot read none: No such file or directory (os error 2)
    = 1
    $ tags:set disk=ssd -a foo
    Applying tags...
    ! Error: No nodes matched the provided labels: disk=ssd
    = 1
    $ tags -a foo
    === foo Tags
    $ tags:unset disk -a foo
    Removing tags...
    ! Error: Unable to process your request: disk does not exist under tags
    = 1
    $ registry:set username=bob password=secret -a foo
    Applying registry information...
    ! Error: PORT needs to be set in the config when using a private registry
    = 1
    $ config:set PORT=8080 -a foo
    Creating config... done, v6

    === foo Config
    GREETING      hello there
    NAME          grüße
    PORT          8080
    $ registry:set username=bob password=secret -a foo
    Applying registry information... done

    === foo Registry
    password      secret
    username      bob
    $ registry -a foo
    === foo Registry
    password      secret
    username      bob
    $ registry:unset username password -a foo
    Removing registry information... done

    === foo Registry
    $ registry:unset username -a foo
    Removing registry information...
    ! Error: Unable to process your request: username does not exist under registry
    = 1
    $ timeouts -a foo
    ! Error: this controller has no timeouts by process type
    !
    ! hint: `slipway config:set KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS=60` sets one for all processes of an app
    = 1
    $ timeouts:set web=5 -a foo
    ! Error: this controller has no timeouts by process type
    !
    ! hint: `slipway config:set KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS=60` sets one for all processes of an app
    = 1
    "##);
}

#[test]
fn limits_of_upstream() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "limits -a foo",
        "limits:set web=64M -a foo",
        "limits:set web=0/100M -a foo",
        "limits:set web=50M/100M -a foo",
        "limits:set --cpu web=500m -a foo",
        "limits:set --cpu web=x -a foo",
        "limits:set web=many -a foo",
        "limits:unset web -a foo",
        "limits:unset --cpu web -a foo",
        "limits:unset --cpu web -a foo",
    ]), @r##"
    $ limits -a foo
    === foo Limits

    --- Memory
    Unlimited

    --- CPU
    Unlimited
    $ limits:set web=64M -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web      64M

    --- CPU
    Unlimited
    $ limits:set web=0/100M -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web      0/100M

    --- CPU
    Unlimited
    $ limits:set web=50M/100M -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web      50M/100M

    --- CPU
    Unlimited
    $ limits:set --cpu web=500m -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web      50M/100M

    --- CPU
    web      500m
    $ limits:set --cpu web=x -a foo
    Applying limits...
    ! Error: cpu: CPU limit format: <value> or <value>/<value>, where value must be a numeric
    = 1
    $ limits:set web=many -a foo
    Applying limits...
    ! Error: memory: Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G
    = 1
    $ limits:unset web -a foo
    Removing limits... done

    === foo Limits

    --- Memory
    Unlimited

    --- CPU
    web      500m
    $ limits:unset --cpu web -a foo
    Removing limits... done

    === foo Limits

    --- Memory
    Unlimited

    --- CPU
    Unlimited
    $ limits:unset --cpu web -a foo
    Removing limits...
    ! Error: Unable to process your request: web does not exist under cpu
    = 1
    "##);
}

#[test]
fn healthchecks_of_upstream() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "healthchecks -a foo",
        "-a foo healthchecks:set liveness httpGet 80 --path /healthz --headers X-A:b",
        "-a foo healthchecks:set readiness httpGet 80",
        "-a foo healthchecks:set liveness exec --type web -- test -f /x",
        "-a foo healthchecks:set readiness exec --type web -- true",
        "-a foo healthchecks:set liveness tcpSocket 80",
        "-a foo healthchecks:set readiness tcpSocket 80 --failure-threshold=9",
        "-a foo healthchecks:set liveness tcpSocket 80 --success-threshold=2",
        "-a foo healthchecks:list --type web",
        "-a foo healthchecks:unset liveness readiness --type web",
        "-a foo healthchecks:unset liveness",
        "-a foo healthchecks:unset liveness",
    ]), @r##"
    $ healthchecks -a foo
    === foo Healthchecks

    web/cmd:
    --- Liveness
    No liveness probe configured.
    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:set liveness httpGet 80 --path /healthz --headers X-A:b
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:set readiness httpGet 80
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set liveness exec --type web -- test -f /x
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    No readiness probe configured.

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set readiness exec --type web -- true
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set liveness tcpSocket 80
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50

    web/cmd:
    --- Liveness
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set readiness tcpSocket 80 --failure-threshold=9
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50

    web/cmd:
    --- Liveness
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    --- Readiness
    failureThreshold         9
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    $ -a foo healthchecks:set liveness tcpSocket 80 --success-threshold=2
    Applying livenessProbe healthcheck...
    ! Error: healthcheck: livenessProbe successThreshold can only be 1
    = 1
    $ -a foo healthchecks:list --type web
    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:unset liveness readiness --type web
    Removing healthchecks... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    --- Readiness
    failureThreshold         9
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    $ -a foo healthchecks:unset liveness
    Removing healthchecks... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    No liveness probe configured.
    --- Readiness
    failureThreshold         9
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    $ -a foo healthchecks:unset liveness
    Removing healthchecks...
    ! Error: Unable to process your request: livenessProbe does not exist under healthcheck
    = 1
    "##);
}

#[test]
fn settings_of_apps() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "maintenance -a foo",
        "maintenance:on -a foo",
        "maintenance:on -a foo",
        "maintenance -a foo",
        "maintenance:off -a foo",
        "routing -a foo",
        "routing:disable -a foo",
        "routing -a foo",
        "routing:enable -a foo",
        "routing:enable -a foo",
        "labels -a foo",
        "labels:set team=a empty= -a foo",
        "labels:set x -a foo",
        "labels -a foo",
        "labels:unset team -a foo",
        "labels:unset not_exist -a foo",
        "autoscale -a foo",
        "autoscale:set web --min=1 --max=3 --cpu-percent=50 -a foo",
        "autoscale:set web --min=3 --max=1 --cpu-percent=50 -a foo",
        "autoscale -a foo",
        "autoscale:unset web -a foo",
        "autoscale:unset web -a foo",
        "whitelist -a foo",
        "whitelist:add 192.0.2.1,10.0.0.0/8 -a foo",
        "allowlist:add 192.0.2.1 -a foo",
        "whitelist:add here -a foo",
        "allowlist -a foo",
        "whitelist:remove 192.0.2.1 -a foo",
        "whitelist:remove 192.0.2.1 -a foo",
        "tls -a foo",
        "tls:enable -a foo",
        "tls:force:enable -a foo",
        "tls -a foo",
        "tls:force:disable -a foo",
        "tls:auto:enable -a foo",
        "services -a foo",
        "services:add --type web --route /api -a foo",
        "services -a foo",
        "services:remove web -a foo",
        "services:remove web -a foo",
        "volumes -a foo",
        "volumes:create data 500M -a foo",
        "resources -a foo",
        "resources:create mysql:small db -a foo",
        "resources:describe db -a foo",
    ]), @r##"
    $ maintenance -a foo
    Maintenance mode is off.
    $ maintenance:on -a foo
    Enabling maintenance mode for foo... done
    $ maintenance:on -a foo
    Enabling maintenance mode for foo...
    ! Error: bob changed nothing
    = 1
    $ maintenance -a foo
    Maintenance mode is on.
    $ maintenance:off -a foo
    Disabling maintenance mode for foo... done
    $ routing -a foo
    Routing is enabled.
    $ routing:disable -a foo
    Disabling routing for foo... done
    $ routing -a foo
    Routing is disabled.
    $ routing:enable -a foo
    Enabling routing for foo... done
    $ routing:enable -a foo
    Enabling routing for foo...
    ! Error: bob changed nothing
    = 1
    $ labels -a foo
    === foo Label
    No labels found.
    $ labels:set team=a empty= -a foo
    Applying labels on foo... done
    $ labels:set x -a foo
    ! Error: 'x' does not match the pattern 'key=value', ex: team=web
    = 1
    $ labels -a foo
    === foo Label
    empty
    team       a
    $ labels:unset team -a foo
    Removing labels on foo... done
    $ labels:unset not_exist -a foo
    Removing labels on foo...
    ! Error: Unable to process your request: not_exist does not exist under label
    = 1
    $ autoscale -a foo
    === foo Autoscale
    No autoscale rules found.
    $ autoscale:set web --min=1 --max=3 --cpu-percent=50 -a foo
    Applying autoscale settings for process type web on foo... done
    $ autoscale:set web --min=3 --max=1 --cpu-percent=50 -a foo
    Applying autoscale settings for process type web on foo...
    ! Error: max replicas can not be smaller than min replicas
    = 1
    $ autoscale -a foo
    === foo Autoscale

    --- web:
    Min Replicas: 1
    Max Replicas: 3
    CPU: 50%
    $ autoscale:unset web -a foo
    Removing autoscale settings for process type web on foo... done
    $ autoscale:unset web -a foo
    Removing autoscale settings for process type web on foo...
    ! Error: Unable to process your request: web does not exist under autoscale
    = 1
    $ whitelist -a foo
    === foo Whitelisted Addresses
    $ whitelist:add 192.0.2.1,10.0.0.0/8 -a foo
    Adding 192.0.2.1,10.0.0.0/8 to foo whitelist... done
    $ allowlist:add 192.0.2.1 -a foo
    Adding 192.0.2.1 to foo whitelist...
    ! Error: bob changed nothing
    = 1
    $ whitelist:add here -a foo
    Adding here to foo whitelist...
    ! Error: addresses: The address here is not valid
    = 1
    $ allowlist -a foo
    === foo Whitelisted Addresses
    10.0.0.0/8
    192.0.2.1
    $ whitelist:remove 192.0.2.1 -a foo
    Removing 192.0.2.1 from foo whitelist... done
    $ whitelist:remove 192.0.2.1 -a foo
    Removing 192.0.2.1 from foo whitelist...
    ! Error: Unable to process your request: addresses {'192.0.2.1'} does not exist in whitelist
    = 1
    $ tls -a foo
    === foo TLS
    HTTPS Enforced: not set
    $ tls:enable -a foo
    Enabling https-only requests for foo... done
    $ tls:force:enable -a foo
    Enabling https-only requests for foo...
    ! Error: bob changed nothing
    = 1
    $ tls -a foo
    === foo TLS
    HTTPS Enforced: true
    $ tls:force:disable -a foo
    Disabling https-only requests for foo... done
    $ tls:auto:enable -a foo
    ! Error: this controller does not get certificates by itself
    !
    ! hint: add one with `slipway certs:add`, and attach it with `slipway certs:attach`
    = 1
    $ services -a foo
    === foo Services
    $ services:add --type web --route /api -a foo
    Adding web (/api) to foo... done
    $ services -a foo
    === foo Services
    web: /api
    $ services:remove web -a foo
    Removing web from foo... done
    $ services:remove web -a foo
    Removing web from foo...
    ! Error: No Service matches the given query.
    = 1
    $ volumes -a foo
    === foo Volumes
    $ volumes:create data 500M -a foo
    Creating data to foo...
    ! Error: Volumes cannot be mounted on this platform: keep files in an object store or a database, and give the app its address with `config:set`.
    = 1
    $ resources -a foo
    === foo Resources
    $ resources:create mysql:small db -a foo
    Creating db to foo...
    ! Error: There is no catalogue of resources on this platform: create the database or queue yourself, and give the app its address with `config:set`.
    = 1
    $ resources:describe db -a foo
    ! Error: No Resource matches the given query.
    = 1
    "##);
}

#[test]
fn domains_and_certificates() {
    let world = World::new().with_app();
    let folder = world.bob.work();
    for (name, TestCertificate { certificate, key }) in
        [("a", TestCertificate::new(&["www.example.org"]).unwrap()), ("b", TestCertificate::new(&["x.y"]).unwrap())]
    {
        std::fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }
    shows!(world.bob(&[
        "domains -a foo",
        "domains:add www.example.org -a foo",
        "domains:add www.example.org -a foo",
        "domains:add '*' -a foo",
        "domains:add a_b.c -a foo",
        "domains -l 1 -a foo",
        "certs",
        "certs:add www a.crt a.key",
        "certs:add www a.crt a.key",
        "certs:add WWW_1 a.crt a.key",
        "certs:add swapped a.crt b.key",
        "certs:add none none.crt a.key",
        "certs",
        "certs:info www",
        "certs:info none",
        "certs:attach www none",
        "certs:attach none www.example.org",
        "certs:attach www www.example.org",
        "certs:attach www www.example.org",
        "certs -l 1",
        "certs:detach www www.example.org",
        "certs:detach www www.example.org",
        "certs:remove www",
        "certs:remove www",
        "domains:remove www.example.org -a foo",
        "domains:remove www.example.org -a foo",
    ]), @r##"
    $ domains -a foo
    === foo Domains
    foo
    $ domains:add www.example.org -a foo
    Adding www.example.org to foo... done
    $ domains:add www.example.org -a foo
    Adding www.example.org to foo...
    ! Error: Domain is already in use by another application
    = 1
    $ domains:add '*' -a foo
    Adding * to foo...
    ! Error: Hostname can't only be a wildcard
    = 1
    $ domains:add a_b.c -a foo
    Adding a_b.c to foo...
    ! Error: Hostname does not look valid, could not convert to ACE a_b.c: it holds a character or a label that no host name may have
    = 1
    $ domains -l 1 -a foo
    === foo Domains (1 of 2)
    foo
    $ certs
    No certs
    $ certs:add www a.crt a.key
    Adding SSL endpoint... done
    $ certs:add www a.crt a.key
    Adding SSL endpoint...
    ! Error: certificate with this name already exists.
    = 1
    $ certs:add WWW_1 a.crt a.key
    Adding SSL endpoint...
    ! Error: Can only contain a-z (lowercase), 0-9 and hyphens
    = 1
    $ certs:add swapped a.crt b.key
    Adding SSL endpoint...
    ! Error: Could not load private key: it does not belong to the certificate
    = 1
    $ certs:add none none.crt a.key
    ! Error: cannot read none.crt: No such file or directory (os error 2)
    = 1
    $ certs
    Name	Common Name	SubjectAltName	Expires	Fingerprint	Domains	Updated	Created
    www	www.example.org	www.example.org	[time]	[short fingerprint]		[time]	[time]
    $ certs:info www
    === www Certificate
    Common Name:            www.example.org
    Expires At:             [time]
    Starts At:              [time]
    Fingerprint:            [fingerprint]
    Subject Alt Name:       www.example.org
    Issuer:                 /CN=www.example.org
    Subject:                /CN=www.example.org
    Connected Domains:      No connected domains
    Owner:                  bob
    Created:                [time]
    Updated:                [time]
    $ certs:info none
    ! Error: No Certificate matches the given query.
    !
    ! hint: `slipway certs` lists your certificates
    = 1
    $ certs:attach www none
    Attaching certificate www to domain none...
    ! Error: No Domain matches the given query.
    = 1
    $ certs:attach none www.example.org
    Attaching certificate none to domain www.example.org...
    ! Error: No Certificate matches the given query.
    = 1
    $ certs:attach www www.example.org
    Attaching certificate www to domain www.example.org... done
    $ certs:attach www www.example.org
    Attaching certificate www to domain www.example.org...
    ! Error: Domain already has a certificate attached to it
    = 1
    $ certs -l 1
    Name	Common Name	SubjectAltName	Expires	Fingerprint	Domains	Updated	Created
    www	www.example.org	www.example.org	[time]	[short fingerprint]	www.example.org	[time]	[time]
    $ certs:detach www www.example.org
    Detaching certificate www from domain www.example.org... done
    $ certs:detach www www.example.org
    Detaching certificate www from domain www.example.org...
    ! Error: No Domain matches the given query.
    = 1
    $ certs:remove www
    Removing www... done
    $ certs:remove www
    Removing www...
    ! Error: No Certificate matches the given query.
    !
    ! hint: `slipway certs` lists your certificates
    = 1
    $ domains:remove www.example.org -a foo
    Removing www.example.org from foo... done
    $ domains:remove www.example.org -a foo
    Removing www.example.org from foo...
    ! Error: No Domain matches the given query.
    = 1
    "##);
}

#[test]
fn keys_and_access() {
    let world = World::new().with_app();
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH bob@laptop\n";
    std::fs::write(world.bob.work().join("id.pub"), public).unwrap();
    std::fs::write(world.bob.work().join("bad.pub"), "ssh-ed25519 !!!? x\n").unwrap();
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
    ]), @r##"
    $ keys
    === Your Keys
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
    "##);
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

#[test]
fn names_and_texts_of_upstream() {
    let world = World::new().with_app();
    let deis = world.ann.home().join(".deis");
    std::fs::create_dir_all(&deis).unwrap();
    std::fs::copy(world.ann.profile(), deis.join("client.json")).unwrap();
    let deis = |args: &[&str]| world.ann.run_as("deis", args);
    // stderr exactly, quotes included.
    for (args, what) in [
        (&["config", "-a", "none"][..], "App"),
        (&["certs:info", "none"], "Certificate"),
        (&["releases:info", "v9", "-a", "mine"], "Release"),
        (&["domains:remove", "none.example.com", "-a", "mine"], "Domain"),
    ] {
        deis(&["create", "mine"]);
        deis(args).fails(&format!("Error: \"No {what} matches the given query.\"\n"));
    }
    deis(&["create", "mine"]).fails("Error: Application with this id already exists.\n");
    deis(&["info", "-a", "foo"]).fails("Error: You do not have permission to perform this action.\n");
    let is_time =
        |text: &str| text.ends_with('Z') && text.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c));
    let info = deis(&["apps:info", "-a", "mine"]);
    for field in ["created: ", "updated: "] {
        let line = info.stdout.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        assert!(is_time(line.trim()), "{line}");
    }
    let releases = deis(&["releases", "-a", "mine"]);
    let first: Vec<&str> = releases.stdout.lines().nth(1).unwrap().split('\t').collect();
    assert!(first[0] == "v1" && is_time(first[1]) && first[2] == "ann created initial release", "{first:?}");
    let unset = deis(&["labels:unset", "not_exist", "-a", "mine"]);
    assert!(unset.code == 1 && unset.stderr.contains("not_exist does not exist"), "{unset:?}");
    let multi = "one\ntwo\r\n  thrëe 日本 ";
    assert_eq!(deis(&["config:set", &format!("TEXT={multi}"), "B= c ", "-a", "mine"]).code, 0);
    let list = deis(&["config:list", "-a", "mine", "--json"]);
    let config: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(config["values"]["TEXT"], multi);
    std::fs::write(world.ann.work().join(".env"), "ONE=1\r\nTWO=zwei drei\r\n").unwrap();
    assert_eq!(deis(&["config:push", "-a", "mine"]).code, 0);
    let list = deis(&["config:list", "-a", "mine", "--json"]);
    let config: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!((&config["values"]["ONE"], &config["values"]["TWO"]), (&"1".into(), &"zwei drei".into()));
    for wrong in [&["frobnicate"][..], &["ps:scale"], &["apps", "--none"]] {
        assert_eq!(deis(wrong).code, 1, "{wrong:?}");
    }
}
