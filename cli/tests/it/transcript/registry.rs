use super::World;

#[test]
fn registries() {
    let world = World::acme_with("TOKEN", "hunter2");
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
