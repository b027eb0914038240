use super::World;

#[test]
fn the_record_of_a_team() {
    let world = World::acme();
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
