use std::fmt::Write as _;

use super::World;

/// Bob's team acme, which ann is in.
pub fn acme() -> World {
    let world = World::new();
    let said = world.bob(&["teams:create 'Acme Corp' --slug acme", "teams:invite ann@y.z"]);
    assert!(!said.contains("= "), "{said}");
    let said = world.ann(&["teams:accept acme"]);
    assert!(!said.contains("= "), "{said}");
    world
}

#[test]
fn teams() {
    let world = World::new();
    shows!(world.bob(&[
        "teams",
        "teams:info",
        "teams:create 'Acme Corp' --slug acme",
        "teams:create 'Acme Corp'",
        "teams:create Second --slug acme",
        "teams:create Second --slug nodes",
        "teams:create Second --slug S",
        "teams:create Second",
        "teams",
        "teams --team acme",
        "teams:info",
        "teams:info --team second",
        "teams:info --team 'Acme Corp'",
        "teams:info --team secund",
        "teams:switch second",
        "teams:switch none",
        "teams",
        "teams:update",
        "teams:update --slug third --name Third",
        "teams:info",
        "teams:destroy",
        "teams:destroy --confirm=second",
        "teams:destroy --confirm=third",
        "teams:info",
        "teams:leave",
        "teams --json",
    ]), @r##"
    $ teams
    === Teams (*=active)
    $ teams:info
    ! Error: it is not clear which team is meant
    !
    ! hint: name it with --team TEAM, or for all commands with `slipway teams:switch TEAM`; `slipway teams` lists yours, `slipway teams:create NAME` makes one
    = 1
    $ teams:create 'Acme Corp' --slug acme
    Creating team Acme Corp... done, acme
    $ teams:create 'Acme Corp'
    Creating team Acme Corp...
    ! Error: name taken
    = 1
    $ teams:create Second --slug acme
    Creating team Second...
    ! Error: slug taken
    = 1
    $ teams:create Second --slug nodes
    Creating team Second...
    ! Error: slug is reserved
    = 1
    $ teams:create Second --slug S
    Creating team Second...
    ! Error: slug must have 3 to 16 characters
    = 1
    $ teams:create Second
    Creating team Second... done, second
    $ teams
    === Teams (*=active)
    *acme	Acme Corp	owner
    second	Second	owner
    $ teams --team acme
    === Teams (*=active)
    *acme	Acme Corp	owner
    second	Second	owner
    $ teams:info
    === acme Team
    name             Acme Corp
    id               [uuid]
    users            1
    projects         0
    versions         0
    deployments      0
    nodes            1
    $ teams:info --team second
    === second Team
    name             Second
    id               [uuid]
    users            1
    projects         0
    versions         0
    deployments      0
    nodes            1
    $ teams:info --team 'Acme Corp'
    === acme Team
    name             Acme Corp
    id               [uuid]
    users            1
    projects         0
    versions         0
    deployments      0
    nodes            1
    $ teams:info --team secund
    ! Error: there is no team secund
    !
    ! hint: did you mean `second`? `slipway teams` lists them
    = 1
    $ teams:switch second
    Switching to second... done
    $ teams:switch none
    ! Error: there is no team none
    !
    ! hint: `slipway teams` lists them
    = 1
    $ teams
    === Teams (*=active)
    acme	Acme Corp	owner
    *second	Second	owner
    $ teams:update
    ! Error: there is nothing to change
    !
    ! hint: pass --name NAME or --slug SLUG
    = 1
    $ teams:update --slug third --name Third
    Updating team second... done
    $ teams:info
    === third Team
    name             Third
    id               [uuid]
    users            1
    projects         0
    versions         0
    deployments      0
    nodes            1
    $ teams:destroy
    ! Error: destroying third must be confirmed
    !
    ! hint: pass --confirm=third
    = 1
    $ teams:destroy --confirm=second
    ! Error: team third does not match confirm second, aborting.
    = 1
    $ teams:destroy --confirm=third
    Destroying team third... done
    $ teams:info
    === acme Team
    name             Acme Corp
    id               [uuid]
    users            1
    projects         0
    versions         0
    deployments      0
    nodes            1
    $ teams:leave
    Leaving acme...
    ! Error: The only owner of a team cannot leave it.
    = 1
    $ teams --json
    {
      "activeTeamId": "[uuid]",
      "invitations": [],
      "teams": [
        {
          "id": "[uuid]",
          "name": "Acme Corp",
          "role": "owner",
          "slug": "acme"
        }
      ],
      "user": {
        "id": "[uuid]",
        "name": "bob@y.z"
      }
    }
    "##);
}

#[test]
fn members() {
    let world = World::new();
    world.bob(&["teams:create 'Acme Corp' --slug acme"]);
    shows!(world.bob(&[
        "teams:members",
        "teams:invite ann@y.z",
        "teams:invite ann@y.z",
        "teams:invite eve@y.z --first-name Eve --last-name Lee",
        "teams:invite nobody",
        "teams:reinvite eve@y.z",
        "teams:members",
        "teams:members --json",
    ]), @r##"
    $ teams:members
    === acme Members
    bob@y.z	bob@y.z	owner	verified
    $ teams:invite ann@y.z
    Inviting ann@y.z to acme... done
    $ teams:invite ann@y.z
    Inviting ann@y.z to acme...
    ! Error: The user is a member already, or invited.
    = 1
    $ teams:invite eve@y.z --first-name Eve --last-name Lee
    Inviting eve@y.z to acme... done
    $ teams:invite nobody
    Inviting nobody to acme...
    ! Error: email must be an e-mail address
    = 1
    $ teams:reinvite eve@y.z
    Inviting eve@y.z to acme again... done
    $ teams:members
    === acme Members
    bob@y.z	bob@y.z	owner	verified
    ann@y.z	ann@y.z	user	pending
    eve@y.z	Eve Lee	user	pending
    $ teams:members --json
    {
      "id": "[uuid]",
      "name": "Acme Corp",
      "slug": "acme",
      "statistics": {
        "deployments": 0,
        "nodes": 1,
        "products": 0,
        "projects": 0,
        "users": 3,
        "versions": 0
      },
      "users": [
        {
          "email": "bob@y.z",
          "id": "[uuid]",
          "lastLogin": "[time]",
          "name": "bob@y.z",
          "role": "owner",
          "status": "verified"
        },
        {
          "email": "ann@y.z",
          "id": "[uuid]",
          "lastLogin": "[time]",
          "name": "ann@y.z",
          "role": "user",
          "status": "pending"
        },
        {
          "email": "eve@y.z",
          "id": "[uuid]",
          "lastLogin": null,
          "name": "Eve Lee",
          "role": "user",
          "status": "pending"
        }
      ]
    }
    "##);
    shows!(world.ann(&[
        "teams",
        "teams:info --team acme",
        "teams:accept none",
        "teams:accept acme",
        "teams:accept acme",
        "teams:members",
        "teams:invite x@y.z",
        "teams:update --name Mine",
        "teams:destroy --confirm=acme",
    ]), @r##"
    $ teams
    === Teams (*=active)
    === Invitations
    acme	Acme Corp
    $ teams:info --team acme
    ! Error: there is no team acme
    !
    ! hint: `slipway teams` lists them
    = 1
    $ teams:accept none
    ! Error: there is no invitation of none
    !
    ! hint: `slipway teams` lists them
    = 1
    $ teams:accept acme
    Joining acme... done
    $ teams:accept acme
    ! Error: there is no invitation of acme
    !
    ! hint: `slipway teams` lists them
    = 1
    $ teams:members
    === acme Members
    bob@y.z	bob@y.z	owner	verified
    ann@y.z	ann@y.z	user	verified
    eve@y.z	Eve Lee	user	pending
    $ teams:invite x@y.z
    Inviting x@y.z to acme...
    ! Error: This takes the role admin.
    !
    ! hint: `slipway teams` lists your teams and what you are in each; `--team` names one
    = 1
    $ teams:update --name Mine
    Updating team acme...
    ! Error: This takes the role admin.
    !
    ! hint: `slipway teams` lists your teams and what you are in each; `--team` names one
    = 1
    $ teams:destroy --confirm=acme
    Destroying team acme...
    ! Error: This takes the role owner.
    !
    ! hint: `slipway teams` lists your teams and what you are in each; `--team` names one
    = 1
    "##);
    shows!(world.bob(&[
        "teams:role ann@y.z admin",
        "teams:role ann@y.z king",
        "teams:role none admin",
        "teams:role eve@y.z admin",
        "teams:remove eve@y.z",
        "teams:members",
        "teams:remove ann@y.z",
        "teams:invite ann@y.z",
        "teams:leave",
    ]), @r##"
    $ teams:role ann@y.z admin
    Making ann@y.z admin of acme... done
    $ teams:role ann@y.z king
    Making ann@y.z king of acme...
    ! Error: role is not one of the known words
    = 1
    $ teams:role none admin
    ! Error: there is no member none
    !
    ! hint: `slipway teams:members` lists them
    = 1
    $ teams:role eve@y.z admin
    Making eve@y.z admin of acme...
    ! Error: There is no such user in the team.
    = 1
    $ teams:remove eve@y.z
    Removing eve@y.z from acme... done
    $ teams:members
    === acme Members
    bob@y.z	bob@y.z	owner	verified
    ann@y.z	ann@y.z	admin	verified
    $ teams:remove ann@y.z
    Removing ann@y.z from acme... done
    $ teams:invite ann@y.z
    Inviting ann@y.z to acme... done
    $ teams:leave
    Leaving acme...
    ! Error: The only owner of a team cannot leave it.
    = 1
    "##);
    shows!(world.ann(&["registries --team acme", "teams:decline acme", "teams:decline acme", "teams"]), @r##"
    $ registries --team acme
    ! Error: there is no team acme
    !
    ! hint: `slipway teams` lists them
    = 1
    $ teams:decline acme
    Declining the invitation of acme... done
    $ teams:decline acme
    ! Error: there is no invitation of acme
    !
    ! hint: `slipway teams` lists them
    = 1
    $ teams
    === Teams (*=active)
    "##);
}

#[test]
fn the_team_is_of_the_flag_then_of_the_environment_then_of_the_profile() {
    let mut world = World::new();
    world.bob(&["teams:create One --slug one", "teams:create Two --slug two", "teams:switch one"]);
    shows!(world.bob(&["registries", "registries --team two", "storages --team two"]), @r##"
    $ registries
    === one Registries
    Docker Hub Library	hub	hub.docker.com
    $ registries --team two
    === two Registries
    Docker Hub Library	hub	hub.docker.com
    $ storages --team two
    === two Storages
    "##);
    world.bob.set_env("SLIPWAY_TEAM", "two");
    shows!(world.bob(&["storages", "storages --team one", "teams:switch one", "teams:leave --team none"]), @r##"
    $ storages
    === two Storages
    $ storages --team one
    === one Storages
    $ teams:switch one
    Switching to one... done
    ! !    SLIPWAY_TEAM is set, and goes before what was just chosen.
    $ teams:leave --team none
    ! Error: there is no team none
    !
    ! hint: did you mean `one`? `slipway teams` lists them
    = 1
    "##);
    world.bob.set_env("SLIPWAY_TEAM", "three");
    shows!(world.bob(&["storages"]), @r##"
    $ storages
    ! Error: there is no team three
    !
    ! hint: `slipway teams` lists them
    = 1
    "##);
}

#[test]
fn registries() {
    let mut world = acme();
    world.bob.set_env("TOKEN", "hunter2");
    for host in ["registry.example.com", "other.example.com"] {
        world.platform.web.answer(&format!("https://{host}/v2/"), 200, "{}");
    }
    world.platform.web.answer("https://closed.example.com/v2/", 401, "{}");
    shows!(world.bob(&[
        "registries",
        "registries:add ours --type v2 --url registry.example.com --user ci --token-from env:TOKEN --description CI",
        "registries:add ours --type v2 --url registry.example.com",
        "registries:add x --type v2 --url closed.example.com",
        "registries:add x --type v2 --url away.example.com",
        "registries:add x --type none",
        "registries:add x --type v2",
        "registries:add x --type v2 --url registry.example.com --token-from hunter2",
        "registries:add local --type unchecked --url registry.local:5000",
        "registries",
        "registries:info ours",
        "registries:info our",
        "registries:update ours --name theirs",
        "registries:info theirs",
        "registries:update theirs --url other.example.com --public",
        "registries:info theirs",
        "registries:update local --name theirs",
        "registries:remove theirs",
        "registries:remove theirs",
        "registries:list --json --team none",
    ]), @r##"
    $ registries
    === acme Registries
    Docker Hub Library	hub	hub.docker.com
    $ registries:add ours --type v2 --url registry.example.com --user ci --token-from env:TOKEN --description CI
    Adding registry ours to acme... done
    $ registries:add ours --type v2 --url registry.example.com
    Adding registry ours to acme...
    ! Error: name taken
    = 1
    $ registries:add x --type v2 --url closed.example.com
    Adding registry x to acme...
    ! Error: The registry refuses the credentials.
    = 1
    $ registries:add x --type v2 --url away.example.com
    Adding registry x to acme...
    ! Error: The registry cannot be asked: the host cannot be reached.
    = 1
    $ registries:add x --type none
    Adding registry x to acme...
    ! Error: type is not one of the known words
    = 1
    $ registries:add x --type v2
    Adding registry x to acme...
    ! Error: url is missing
    = 1
    $ registries:add x --type v2 --url registry.example.com --token-from hunter2
    ! error: invalid value 'hunter2' for '--token-from <SOURCE>': say where the secret is: - (stdin), env:NAME, file:PATH, or ask
    !
    ! For more information, try '--help'.
    = 2
    $ registries:add local --type unchecked --url registry.local:5000
    Adding registry local to acme... done
    $ registries
    === acme Registries
    Docker Hub Library	hub	hub.docker.com
    ours	v2	registry.example.com
    local	unchecked	registry.local:5000
    $ registries:info ours
    === ours Registry
    type             v2
    host             registry.example.com
    login            ci
    in use           no
    description      CI
    id               [uuid]
    created          [time]
    updated          [time]
    $ registries:info our
    ! Error: there is no registry our
    !
    ! hint: did you mean `ours`? `slipway registries` lists them
    = 1
    $ registries:update ours --name theirs
    Updating registry ours... done
    $ registries:info theirs
    === theirs Registry
    type             v2
    host             registry.example.com
    login            ci
    in use           no
    description      CI
    id               [uuid]
    created          [time]
    updated          [time]
    $ registries:update theirs --url other.example.com --public
    Updating registry theirs... done
    $ registries:info theirs
    === theirs Registry
    type             v2
    host             other.example.com
    login            none
    in use           no
    description      CI
    id               [uuid]
    created          [time]
    updated          [time]
    $ registries:update local --name theirs
    Updating registry local...
    ! Error: name taken
    = 1
    $ registries:remove theirs
    Removing registry theirs from acme... done
    $ registries:remove theirs
    ! Error: there is no registry theirs
    !
    ! hint: `slipway registries` lists them
    = 1
    $ registries:list --json --team none
    ! Error: there is no team none
    !
    ! hint: `slipway teams` lists them
    = 1
    "##);
    let said = world
        .bob(&["registries:add ours --type v2 --url registry.example.com --user ci --token-from env:TOKEN --json"]);
    assert!(!said.contains("hunter2") && said.contains("\"public\": false"), "{said}");
    shows!(world.ann(&["registries --team acme", "teams:leave --team acme", "teams"]), @r##"
    $ registries --team acme
    === acme Registries
    Docker Hub Library	hub	hub.docker.com
    local	unchecked	registry.local:5000
    ours	v2	registry.example.com
    $ teams:leave --team acme
    Leaving acme... done
    $ teams
    === Teams (*=active)
    "##);
}

#[test]
fn storages_and_notifications() {
    let mut world = acme();
    world.bob.set_env("KEY", "hunter2");
    world.bob.set_env("SLACK", "https://hooks.example.com/services/T1/B1/hunter2");
    world.platform.web.answer("https://hooks.example.com/services/T1/B1/hunter2", 200, "ok");
    world.platform.web.answer("https://hooks.example.com/services/T1/B1/hunter2", 500, "no");
    shows!(world.bob(&[
        "storages",
        "storages:add files https://s3.example.com --access-key AK --secret-key-from env:KEY",
        "storages:add files https://s3.example.com",
        "storages:add x ''",
        "storages",
        "storages:info files",
        "storages:update files --name old --description 'of last year'",
        "storages:info old",
        "storages:info files",
        "storages:remove old",
        "storages:remove old",
    ]), @r##"
    $ storages
    === acme Storages
    $ storages:add files https://s3.example.com --access-key AK --secret-key-from env:KEY
    Adding storage files to acme... done
    $ storages:add files https://s3.example.com
    Adding storage files to acme...
    ! Error: name taken
    = 1
    $ storages:add x ''
    Adding storage x to acme...
    ! Error: url must be a host or an http or https URL
    = 1
    $ storages
    === acme Storages
    files	https://s3.example.com
    $ storages:info files
    === files Storage
    url             https://s3.example.com
    access key      AK
    secret key      set
    in use          no
    id              [uuid]
    $ storages:update files --name old --description 'of last year'
    Updating storage files... done
    $ storages:info old
    === old Storage
    url             https://s3.example.com
    access key      AK
    secret key      set
    in use          no
    id              [uuid]
    $ storages:info files
    ! Error: there is no storage files
    !
    ! hint: `slipway storages` lists them
    = 1
    $ storages:remove old
    Removing storage old from acme... done
    $ storages:remove old
    ! Error: there is no storage old
    !
    ! hint: `slipway storages` lists them
    = 1
    "##);
    shows!(world.bob(&[
        "notifications",
        "notifications:add ops --type slack --url-from env:SLACK",
        "notifications:add ops --type slack --url-from env:SLACK",
        "notifications:add x --type irc --url-from env:SLACK",
        "notifications:add x --type slack --url-from env:SLACK -e none",
        "notifications:add x --type slack",
        "notifications",
        "notifications:info ops",
        "notifications:test ops",
        "notifications:test ops",
        "notifications:update ops --active false --name quiet -e node-added",
        "notifications:info quiet",
        "notifications:test none",
        "notifications:remove quiet",
        "notifications:remove quiet",
    ]), @r##"
    $ notifications
    === acme Notifications
    $ notifications:add ops --type slack --url-from env:SLACK
    Adding notification ops to acme... done
    $ notifications:add ops --type slack --url-from env:SLACK
    Adding notification ops to acme...
    ! Error: name taken
    = 1
    $ notifications:add x --type irc --url-from env:SLACK
    Adding notification x to acme...
    ! Error: type is not one of the known words
    = 1
    $ notifications:add x --type slack --url-from env:SLACK -e none
    Adding notification x to acme...
    ! Error: enabledEvents must hold known words only
    = 1
    $ notifications:add x --type slack
    ! error: the following required arguments were not provided:
    !   --url-from <SOURCE>
    !
    ! Usage: slipway notifications add --type <TYPE> --url-from <SOURCE> <NAME>
    !
    ! For more information, try '--help'.
    = 2
    $ notifications
    === acme Notifications
    ops	slack	hooks.example.com	active
    $ notifications:info ops
    === ops Notification
    type         slack
    host         hooks.example.com
    active       yes
    events       deployment-created
                 version-created
                 node-added
                 user-invited
    made by      bob@y.z
    id           [uuid]
    $ notifications:test ops
    Testing notification ops... done
    $ notifications:test ops
    Testing notification ops...
    ! Error: The webhook did not take the message: it answered with the status 500.
    = 1
    $ notifications:update ops --active false --name quiet -e node-added
    Updating notification ops... done
    $ notifications:info quiet
    === quiet Notification
    type         slack
    host         hooks.example.com
    active       no
    events       node-added
    made by      bob@y.z
    id           [uuid]
    $ notifications:test none
    ! Error: there is no notification none
    !
    ! hint: `slipway notifications` lists them
    = 1
    $ notifications:remove quiet
    Removing notification quiet from acme... done
    $ notifications:remove quiet
    ! Error: there is no notification quiet
    !
    ! hint: `slipway notifications` lists them
    = 1
    "##);
}

#[test]
fn the_record_of_a_team() {
    let world = acme();
    world.bob(&["storages:add files https://s3.example.com"]);
    shows!(world.bob(&[
        "audit",
        "audit -l 1",
        "audit --filter storages",
        "audit --until 1d",
        "audit --since yesterday",
        "audit --team none",
    ]), @r##"
    $ audit
    === acme Audit
    [time]	bob@y.z	POST	/api/acme/storages
    [time]	bob@y.z	POST	/api/teams/[uuid]/users
    $ audit -l 1
    === acme Audit (1 of 2)
    [time]	bob@y.z	POST	/api/acme/storages
    $ audit --filter storages
    === acme Audit
    [time]	bob@y.z	POST	/api/acme/storages
    $ audit --until 1d
    === acme Audit
    $ audit --since yesterday
    ! error: invalid value 'yesterday' for '--since <TIME>': say how long ago (30s, 10m, 2h, 1d), or a time such as [time]
    !
    ! For more information, try '--help'.
    = 2
    $ audit --team none
    ! Error: there is no team none
    !
    ! hint: `slipway teams` lists them
    = 1
    "##);
    shows!(world.ann(&["audit --filter none"]), @r##"
    $ audit --filter none
    === acme Audit
    "##);
}

#[test]
fn every_command_about_a_team_misses_a_team_that_is_not_there() {
    let world = World::new();
    let mut said = String::new();
    for command in [
        "teams:info",
        "teams:update --name x",
        "teams:destroy --confirm=x",
        "teams:leave",
        "teams:members",
        "teams:invite a@b.c",
        "teams:reinvite a@b.c",
        "teams:role a@b.c user",
        "teams:remove a@b.c",
        "registries:list",
        "registries:add x --type hub",
        "registries:info x",
        "registries:update x",
        "registries:remove x",
        "storages:list",
        "storages:add x y",
        "storages:info x",
        "storages:update x",
        "storages:remove x",
        "notifications:list",
        "notifications:add x --type slack --url-from -",
        "notifications:info x",
        "notifications:update x",
        "notifications:test x",
        "notifications:remove x",
        "audit",
        "projects:list",
        "projects:create x",
        "projects:info x",
        "projects:update x --name y",
        "projects:convert x",
        "projects:destroy x --confirm=x",
        "versions:list x",
        "versions:create x y",
        "versions:info x",
        "versions:update x y --name z",
        "versions:default x y",
        "versions:increase x y z",
        "versions:destroy x y --confirm=y",
        "images:list x",
        "images:add x y --registry z",
        "images:tag x y z",
        "images:order x y",
        "images:config:get x y",
        "images:config:edit x y",
        "images:remove x y",
        "deployments:list",
        "deployments:create x --node y --prefix z",
        "deployments:info x",
        "deployments:update x --note y",
        "deployments:start x",
        "deployments:rollback x",
        "deployments:log x",
        "deployments:copy x --prefix y",
        "deployments:secrets:list x",
        "deployments:secrets:unset x y z",
        "deployments:token:create x y",
        "deployments:token:revoke x",
        "deployments:remove x",
        "nodes:list",
        "nodes:add x",
        "nodes:info x",
        "nodes:update x --name y",
        "nodes:script x --type docker",
        "nodes:disconnect x",
        "nodes:audit x",
        "nodes:containers:list x",
        "nodes:containers:start x y",
        "nodes:containers:stop x y",
        "nodes:containers:restart x y",
        "nodes:containers:remove x y",
        "nodes:containers:clear x y --confirm=y",
        "nodes:remove x",
        "templates:list",
        "templates:use x y",
    ] {
        let run = world.bob(&[&format!("{command} --team none")]);
        let lines: Vec<&str> = run.lines().skip(1).collect();
        if lines != ["! Error: there is no team none", "!", "! hint: `slipway teams` lists them", "= 1"] {
            writeln!(said, "{run}").unwrap();
        }
        let nobody = crate::person::Person::stranger().run(command);
        assert!(
            nobody.code == 1 && nobody.stderr.starts_with("Error: you are not logged in\n"),
            "{command}: {nobody:?}"
        );
    }
    assert_eq!(said, "");
}
