use super::World;

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
