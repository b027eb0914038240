use super::World;

const DEPLOY: &str = "deploy --git https://1.1.1.1/blog.git --branch main --runtime nodejs --run-cmd 'node .' -a foo";

#[test]
fn a_repository_elsewhere() {
    let world = World::new();
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            world.platform.build_next("-----> Node.js app detected\n-----> Done\n", Ok("example/foo:1"));
            world.platform.build_next(" !     No package.json\n", Err("The build failed."));
        });
        world.bob(&[DEPLOY, &format!("{DEPLOY} --force-rebuild"), "releases -a foo"])
    });
    shows!(said, @r##"
    $ deploy --git https://1.1.1.1/blog.git --branch main --runtime nodejs --run-cmd 'node .' -a foo
    Deploying https://1.1.1.1/blog.git to foo... accepted, [ulid]
    -----> Node.js app detected
    -----> Done
    foo v3 runs at http://foo.example.com
    $ deploy --git https://1.1.1.1/blog.git --branch main --runtime nodejs --run-cmd 'node .' -a foo --force-rebuild
    Deploying https://1.1.1.1/blog.git to foo... accepted, [ulid]
     !     No package.json
    ! Error: the deployment failed: The build failed.
    !
    ! hint: `slipway builds:log -a foo` and `slipway logs -a foo` say more
    = 1
    $ releases -a foo
    === foo Releases
    v3	[time]	bob deployed 1b34f2c
    v2	[time]	bob added PORT
    v1	[time]	bob created initial release
    "##);
}

#[test]
fn nobody_has_to_wait() {
    let world = World::new();
    shows!(world.bob(&[&format!("{DEPLOY} --detach"), "deploy --git https://ann@1.1.1.1/x --runtime go -d -a bar"]), @r##"
    $ deploy --git https://1.1.1.1/blog.git --branch main --runtime nodejs --run-cmd 'node .' -a foo --detach
    Deploying https://1.1.1.1/blog.git to foo... accepted, [ulid]
    ! `slipway watch -a foo` shows what becomes of it.
    $ deploy --git https://ann@1.1.1.1/x --runtime go -d -a bar
    Deploying https://1.1.1.1/x to bar... accepted, [ulid]
    ! `slipway watch -a bar` shows what becomes of it.
    "##);
}

#[test]
fn what_is_refused() {
    let world = World::new().with_app();
    shows!(world.bob(&[
        "deploy --git https://127.0.0.1/x.git --runtime go -a foo",
        "deploy --git https://ann:hunter2@1.1.1.1/x --runtime go -a foo",
        "deploy --git file:///etc --runtime go -a foo",
        "deploy --git https://1.1.1.1/x.git --branch=--upload-pack=x --runtime go -a foo",
        "deploy --git https://1.1.1.1/x.git --runtime cobol --type none --working-dir ../x -a foo",
        "deploy --git https://1.1.1.1/x.git -a foo",
        "deploy --git https://1.1.1.1/x.git --runtime nodejs --version lts -a foo",
        "deploy --git https://1.1.1.1/x.git --runtime nodejs -e A -a foo",
        "deploy --git git@1.1.1.1:x.git --runtime nodejs --password-from env:HOME -a foo",
        "deploy --git https://1.1.1.1/x.git --port 0 -a foo",
        "deploy",
    ]), @r##"
    $ deploy --git https://127.0.0.1/x.git --runtime go -a foo
    Deploying https://127.0.0.1/x.git to foo...
    ! Error: remote: The address is private; the operator can allow such with SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1.
    = 1
    $ deploy --git https://ann:hunter2@1.1.1.1/x --runtime go -a foo
    ! Error: the address holds a password, which others on this machine can read
    !
    ! hint: pass `--git https://1.1.1.1/x` with --password-from env:NAME, file:PATH or ask; with ssh:// a deploy key needs no password; and replace this password, which your shell may have kept
    = 1
    $ deploy --git file:///etc --runtime go -a foo
    Deploying file:///etc to foo...
    ! Error: remote: Repositories are fetched by https and ssh only.
    = 1
    $ deploy --git https://1.1.1.1/x.git --branch=--upload-pack=x --runtime go -a foo
    Deploying https://1.1.1.1/x.git to foo...
    ! Error: branch: That is no name of a branch.
    = 1
    $ deploy --git https://1.1.1.1/x.git --runtime cobol --type none --working-dir ../x -a foo
    Deploying https://1.1.1.1/x.git to foo...
    ! Error: runtime: Unsupported runtime
    ! type: It is one of web, worker, static, job.
    ! working_dir: The path must not hold '..'.
    = 1
    $ deploy --git https://1.1.1.1/x.git -a foo
    Deploying https://1.1.1.1/x.git to foo...
    ! Error: runtime: This field is required.
    = 1
    $ deploy --git https://1.1.1.1/x.git --runtime nodejs --version lts -a foo
    Deploying https://1.1.1.1/x.git to foo...
    ! Error: version: Give up to three numbers with dots between.
    = 1
    $ deploy --git https://1.1.1.1/x.git --runtime nodejs -e A -a foo
    ! Error: 'A' does not match the pattern 'key=value', ex: team=web
    = 1
    $ deploy --git git@1.1.1.1:x.git --runtime nodejs --password-from env:HOME -a foo
    ! Error: a password goes with an https:// address only
    !
    ! hint: with ssh:// keys are used
    = 1
    $ deploy --git https://1.1.1.1/x.git --port 0 -a foo
    ! error: invalid value '0' for '--port <PORT>': 0 is not in 1..=65535
    !
    ! For more information, try '--help'.
    = 2
    $ deploy
    ! error: the following required arguments were not provided:
    !   --git <URL>
    !
    ! Usage: slipway deploy --git <URL>
    !
    ! For more information, try '--help'.
    = 2
    "##);
    shows!(world.ann(&[DEPLOY]), @r##"
    $ deploy --git https://1.1.1.1/blog.git --branch main --runtime nodejs --run-cmd 'node .' -a foo
    Deploying https://1.1.1.1/blog.git to foo...
    ! Error: The name foo is taken.
    = 1
    "##);
}
