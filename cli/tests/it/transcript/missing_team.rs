use std::fmt::Write as _;

use super::World;
use crate::person::Person;

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
        "registries:update x --name y",
        "registries:remove x",
        "storages:list",
        "storages:add x y",
        "storages:info x",
        "storages:update x --name y",
        "storages:remove x",
        "notifications:list",
        "notifications:add x --type slack --url-from -",
        "notifications:info x",
        "notifications:update x --name y",
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
        "images:config:edit x y --yaml",
        "images:remove x y",
        "deployments:list",
        "deployments:create x --node y --prefix z",
        "deployments:info x",
        "deployments:update x --note y",
        "deployments:start x",
        "deployments:rollback x",
        "deployments:log x",
        "deployments:logs x",
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
        "nodes:join x --docker y",
        "nodes:disconnect x",
        "nodes:audit x",
        "nodes:logs x y",
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
        let nobody = Person::stranger().run(command);
        assert!(
            nobody.code == 1 && nobody.stderr.starts_with("Error: you are not logged in\n"),
            "{command}: {nobody:?}"
        );
    }
    assert_eq!(said, "");
}

#[test]
fn a_change_says_what_it_can_change() {
    let world = World::acme();
    shows!(world.bob(&[
        "teams:update",
        "projects:update shop",
        "versions:update shop 1.0.0",
        "deployments:update live",
        "nodes:update Platform",
        "registries:update ours",
        "storages:update files",
        "notifications:update ops",
    ]), @r##"
    $ teams:update
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--slug <SLUG>>
    !
    ! Usage: slipway teams update <--name <NAME>|--slug <SLUG>>
    !
    ! For more information, try '--help'.
    = 2
    $ projects:update shop
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--description <TEXT>|--changelog <TEXT>>
    !
    ! Usage: slipway projects update <--name <NAME>|--description <TEXT>|--changelog <TEXT>> <PROJECT>
    !
    ! For more information, try '--help'.
    = 2
    $ versions:update shop 1.0.0
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--changelog <TEXT>>
    !
    ! Usage: slipway versions update <--name <NAME>|--changelog <TEXT>> <PROJECT> <VERSION>
    !
    ! For more information, try '--help'.
    = 2
    $ deployments:update live
    ! error: the following required arguments were not provided:
    !   <--note <TEXT>|--prefix <PREFIX>|--env <NAME=VALUE>|--unset <NAME>>
    !
    ! Usage: slipway deployments update <--note <TEXT>|--prefix <PREFIX>|--env <NAME=VALUE>|--unset <NAME>> <DEPLOYMENT>
    !
    ! For more information, try '--help'.
    = 2
    $ nodes:update Platform
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--description <TEXT>>
    !
    ! Usage: slipway nodes update <--name <NAME>|--description <TEXT>> <NODE>
    !
    ! For more information, try '--help'.
    = 2
    $ registries:update ours
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--public|--url <HOST>|--prefix <PREFIX>|--namespace <KIND>|--api-url <HOST>|--user <NAME>|--token-from <SOURCE>|--description <TEXT>>
    !
    ! Usage: slipway registries update <--name <NAME>|--public|--url <HOST>|--prefix <PREFIX>|--namespace <KIND>|--api-url <HOST>|--user <NAME>|--token-from <SOURCE>|--description <TEXT>> <REGISTRY>
    !
    ! For more information, try '--help'.
    = 2
    $ storages:update files
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--url <URL>|--access-key <KEY>|--secret-key-from <SOURCE>|--description <TEXT>>
    !
    ! Usage: slipway storages update <--name <NAME>|--url <URL>|--access-key <KEY>|--secret-key-from <SOURCE>|--description <TEXT>> <STORAGE>
    !
    ! For more information, try '--help'.
    = 2
    $ notifications:update ops
    ! error: the following required arguments were not provided:
    !   <--name <NAME>|--url-from <SOURCE>|--event <EVENT>|--active <BOOL>>
    !
    ! Usage: slipway notifications update <--name <NAME>|--url-from <SOURCE>|--event <EVENT>|--active <BOOL>> <NOTIFICATION>
    !
    ! For more information, try '--help'.
    = 2
    "##);
}
