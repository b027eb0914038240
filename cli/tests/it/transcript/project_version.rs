use super::World;

#[test]
fn versions() {
    let world = World::acme();
    world.bob(&["projects:create rail --versioned", "projects:create shop"]);
    shows!(world.bob(&[
        "versions:list rail",
        "versions:info rail",
        "versions:create rail 1.0.0 --changelog First",
        "versions:create rail 1.0.0",
        "versions:create rail next --rolling",
        "versions:create shop 1.0.0",
        "versions:increase rail 1.0.0 1.1.0",
        "versions:increase rail 1.0.0 1.2.0",
        "versions:increase rail next 2",
        "versions:list rail --filter 1.",
        "versions:list none",
        "versions:info rail",
        "versions:info rail 1.1.0",
        "versions:info rail none",
        "versions:default rail 1.1.0",
        "versions:default rail none",
        "versions:update rail 1.1.0 --name 1.1.1 --changelog Mended",
        "versions:update rail 1.0.0 --name 0",
        "versions:list rail",
        "versions:destroy rail next",
        "versions:destroy rail next --confirm=next",
        "versions:destroy rail 1.0.0 --confirm=1.0.0",
        "versions:list rail",
    ]), @r##"
    $ versions:list rail
    === rail Versions (*=default)
    $ versions:info rail
    ! Error: project rail has no version
    !
    ! hint: make one with `slipway versions:create rail NAME`
    = 1
    $ versions:create rail 1.0.0 --changelog First
    Creating version 1.0.0 of rail... done
    $ versions:create rail 1.0.0
    Creating version 1.0.0 of rail...
    ! Error: name taken
    = 1
    $ versions:create rail next --rolling
    Creating version next of rail... done
    $ versions:create shop 1.0.0
    Creating version 1.0.0 of shop...
    ! Error: The project has no versions.
    = 1
    $ versions:increase rail 1.0.0 1.1.0
    Creating version 1.1.0 of rail after 1.0.0... done
    $ versions:increase rail 1.0.0 1.2.0
    Creating version 1.2.0 of rail after 1.0.0...
    ! Error: The next version is made already.
    = 1
    $ versions:increase rail next 2
    Creating version 2 of rail after next...
    ! Error: Only versions of the incremental kind are increased.
    = 1
    $ versions:list rail --filter 1.
    === rail Versions (*=default)
    *1.0.0	incremental	First
    1.1.0	incremental
    $ versions:list none
    ! Error: there is no project none
    !
    ! hint: `slipway projects` lists them
    = 1
    $ versions:info rail
    === rail 1.0.0 Version
    type                  incremental
    default               yes
    changelog             First
    can be changed        no
    can be increased      no
    id                    [uuid]
    === Images
    === Deployments
    $ versions:info rail 1.1.0
    === rail 1.1.0 Version
    type                  incremental
    default               no
    changelog
    can be changed        yes
    can be increased      yes
    id                    [uuid]
    === Images
    === Deployments
    $ versions:info rail none
    ! Error: there is no version none
    !
    ! hint: `slipway versions:list rail` lists them
    = 1
    $ versions:default rail 1.1.0
    Making 1.1.0 the default version of rail... done
    $ versions:default rail none
    ! Error: there is no version none
    !
    ! hint: `slipway versions:list rail` lists them
    = 1
    $ versions:update rail 1.1.0 --name 1.1.1 --changelog Mended
    Updating version 1.1.0 of rail... done
    $ versions:update rail 1.0.0 --name 0
    Updating version 1.0.0 of rail...
    ! Error: The version cannot be changed any more.
    = 1
    $ versions:list rail
    === rail Versions (*=default)
    1.0.0	incremental	First
    next	rolling
    *1.1.1	incremental	Mended
    $ versions:destroy rail next
    ! Error: destroying next must be confirmed
    !
    ! hint: pass --confirm=next
    = 1
    $ versions:destroy rail next --confirm=next
    Destroying version next of rail... done
    $ versions:destroy rail 1.0.0 --confirm=1.0.0
    Destroying version 1.0.0 of rail...
    ! Error: The version cannot be deleted.
    = 1
    $ versions:list rail
    === rail Versions (*=default)
    1.0.0	incremental	First
    *1.1.1	incremental	Mended
    "##);
}
