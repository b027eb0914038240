use super::World;

#[test]
fn projects() {
    let world = World::acme();
    shows!(world.bob(&[
        "projects",
        "projects:create shop --description 'The shop'",
        "projects:create shop",
        "projects:create rail --versioned",
        "projects",
        "projects:info shop",
        "projects:info rail",
        "projects:info shopp",
        "projects:update shop --name store --changelog 'All new'",
        "projects:update store --name rail",
        "projects:info store",
        "projects:convert store",
        "projects:convert none",
        "projects:info store --json",
        "projects:destroy store",
        "projects:destroy store --confirm=shop",
        "projects:destroy store --confirm=store",
        "projects:destroy store --confirm=store",
        "projects",
    ]), @r##"
    $ projects
    === acme Projects
    $ projects:create shop --description 'The shop'
    Creating project shop in acme... done
    $ projects:create shop
    Creating project shop in acme...
    ! Error: name taken
    = 1
    $ projects:create rail --versioned
    Creating project rail in acme... done
    $ projects
    === acme Projects
    shop	versionless	The shop
    rail	versioned
    $ projects:info shop
    === shop Project
    type             versionless
    description      The shop
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    *rolling	rolling
    $ projects:info rail
    === rail Project
    type             versioned
    description
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    $ projects:info shopp
    ! Error: there is no project shopp
    !
    ! hint: did you mean `shop`? `slipway projects` lists them
    = 1
    $ projects:update shop --name store --changelog 'All new'
    Updating project shop... done
    $ projects:update store --name rail
    Updating project store...
    ! Error: name taken
    = 1
    $ projects:info store
    === store Project
    type             versionless
    description      The shop
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    *rolling	rolling	All new
    $ projects:convert store
    Giving project store versions... done
    $ projects:convert none
    ! Error: there is no project none
    !
    ! hint: `slipway projects` lists them
    = 1
    $ projects:info store --json
    {
      "audit": {
        "createdAt": "[time]",
        "createdBy": "[uuid]",
        "updatedAt": "[time]",
        "updatedBy": "[uuid]"
      },
      "deletable": true,
      "description": "The shop",
      "id": "[uuid]",
      "name": "store",
      "type": "versioned",
      "versions": [
        {
          "audit": {
            "createdAt": "[time]",
            "createdBy": "[uuid]",
            "updatedAt": "[time]",
            "updatedBy": "[uuid]"
          },
          "changelog": "All new",
          "default": true,
          "id": "[uuid]",
          "increasable": false,
          "name": "rolling",
          "type": "rolling"
        }
      ]
    }
    $ projects:destroy store
    ! Error: destroying store must be confirmed
    !
    ! hint: pass --confirm=store
    = 1
    $ projects:destroy store --confirm=shop
    ! Error: project store does not match confirm shop, aborting.
    = 1
    $ projects:destroy store --confirm=store
    Destroying project store... done
    $ projects:destroy store --confirm=store
    ! Error: there is no project store
    !
    ! hint: `slipway projects` lists them
    = 1
    $ projects
    === acme Projects
    rail	versioned
    "##);
}
