use super::World;

#[test]
fn tokens() {
    let mut world = World::new();
    shows!(world.bob(&[
        "tokens",
        "tokens:create pipeline --days 90",
        "tokens:create pipeline",
        "tokens:create ''",
        "tokens:create other --days 0",
        "tokens:create for-ever",
        "tokens",
        "tokens --json",
        "tokens:remove pipelin",
        "tokens:remove pipeline",
        "tokens:remove pipeline",
        "tokens",
    ]), @r##"
    $ tokens
    === Tokens
    $ tokens:create pipeline --days 90
    [token]
    ! The token is shown this once. SLIPWAY_TOKEN takes it, for commands about teams.
    $ tokens:create pipeline
    ! Error: name taken
    = 1
    $ tokens:create ''
    ! Error: name must not be empty
    = 1
    $ tokens:create other --days 0
    ! error: invalid value '0' for '--days <DAYS>': 0 is not in 1..=4294967295
    !
    ! For more information, try '--help'.
    = 2
    $ tokens:create for-ever
    [token]
    ! The token is shown this once. SLIPWAY_TOKEN takes it, for commands about teams.
    $ tokens
    === Tokens
    pipeline	[time]	[time]
    for-ever	[time]	never
    $ tokens --json
    [
      {
        "createdAt": "[time]",
        "expiresAt": "[time]",
        "id": "[uuid]",
        "name": "pipeline"
      },
      {
        "createdAt": "[time]",
        "expiresAt": null,
        "id": "[uuid]",
        "name": "for-ever"
      }
    ]
    $ tokens:remove pipelin
    ! Error: there is no token pipelin
    !
    ! hint: did you mean `pipeline`? `slipway tokens` lists them
    = 1
    $ tokens:remove pipeline
    Removing token pipeline... done
    $ tokens:remove pipeline
    ! Error: there is no token pipeline
    !
    ! hint: `slipway tokens` lists them
    = 1
    $ tokens
    === Tokens
    for-ever	[time]	never
    "##);
    let made = world.bob.run("tokens:create robot");
    assert_eq!(made.code, 0, "{made:?}");
    world.ann.set_env("SLIPWAY_TOKEN", made.stdout.trim());
    let listed = world.ann.run("tokens");
    assert!(listed.code == 0 && listed.stdout.contains("robot"), "the token is bob's: {listed:?}");
    let teams = world.ann.run("teams:create Robots");
    assert!(teams.code == 0 && world.bob.run("teams").stdout.contains("robots"), "it makes teams: {teams:?}");
    shows!(world.bob(&["tokens:remove robot"]), @r##"
    $ tokens:remove robot
    Removing token robot... done
    "##);
    shows!(world.ann(&["tokens", "tokens:create x", "tokens:remove x"]), @r##"
    $ tokens
    ! Error: Invalid token.
    !
    ! hint: log in again with `slipway login URL`
    = 1
    $ tokens:create x
    ! Error: Invalid token.
    !
    ! hint: log in again with `slipway login URL`
    = 1
    $ tokens:remove x
    ! Error: Invalid token.
    !
    ! hint: log in again with `slipway login URL`
    = 1
    "##);
}
