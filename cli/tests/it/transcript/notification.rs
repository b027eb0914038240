use super::World;

#[test]
fn notifications() {
    let url = "https://hooks.example.com/services/T1/B1/hunter2";
    let world = World::acme_with("SLACK", url);
    for (status, body) in [(200, "ok"), (500, "no")] {
        world.platform.web.answer(url, status, body);
    }
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
