use super::World;

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
