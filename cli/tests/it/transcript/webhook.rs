use slipway_service::HookCall;

use super::World;
use crate::person::Person;

#[test]
fn webhooks() {
    let mut world = World::new();
    world.bob.set_env("HOOK_SECRET", "s3cret");
    world.platform.hooks.script([Ok(200), Ok(500)]);
    shows!(world.bob(&[
        "webhooks",
        "webhooks:create https://1.1.1.1/hook -e deployment.finished,deployment.failed --secret-from env:HOOK_SECRET",
        "webhooks:create https://1.1.1.2/all",
        "webhooks:create https://127.0.0.1/",
        "webhooks:create ftp://1.1.1.1/",
        "webhooks:create https://1.1.1.1/ -e deployment.none",
        "webhooks:create https://1.1.1.1/ --secret-from hunter2",
        "webhooks:create https://1.1.1.1/ --secret-from env:NONE",
        "webhooks:create https://1.1.1.1/ --secret-from file:none",
        "webhooks:create https://1.1.1.1/ --secret-from -",
        "webhooks:create https://1.1.1.1/ --secret-from ask",
        "webhooks:info https://1.1.1.1/hook",
        "webhooks:test https://1.1.1.1/hook",
        "webhooks:test https://1.1.1.1/hook",
        "webhooks:test https://1.1.1.2/all --no-wait",
        "webhooks:test https://none/",
        "webhooks:test 01JCXV2M8Q5K3T7R9W1Z4B6D8F",
        "webhooks:deliveries https://1.1.1.1/hook -l 1",
        "webhooks:replay https://1.1.1.1/hook none",
        "webhooks",
        "webhooks -l 1",
        "webhooks:remove https://1.1.1.2/all",
        "webhooks:remove https://1.1.1.2/all",
        "webhooks delete none",
    ]), @r##"
    $ webhooks
    === Webhooks
    $ webhooks:create https://1.1.1.1/hook -e deployment.finished,deployment.failed --secret-from env:HOOK_SECRET
    Adding webhook https://1.1.1.1/hook... done, [ulid]
    $ webhooks:create https://1.1.1.2/all
    Adding webhook https://1.1.1.2/all... done, [ulid]
    $ webhooks:create https://127.0.0.1/
    Adding webhook https://127.0.0.1/...
    ! Error: url: The address is private; the operator can allow such with SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1.
    = 1
    $ webhooks:create ftp://1.1.1.1/
    Adding webhook ftp://1.1.1.1/...
    ! Error: url: Give an address that begins with http:// or https://.
    = 1
    $ webhooks:create https://1.1.1.1/ -e deployment.none
    Adding webhook https://1.1.1.1/...
    ! Error: events: There is no event 'deployment.none'.
    = 1
    $ webhooks:create https://1.1.1.1/ --secret-from hunter2
    ! error: invalid value 'hunter2' for '--secret-from <SOURCE>': say where the secret is: - (stdin), env:NAME, file:PATH, or ask
    !
    ! For more information, try '--help'.
    = 2
    $ webhooks:create https://1.1.1.1/ --secret-from env:NONE
    ! Error: the environment variable NONE is not set, so there is no secret
    = 1
    $ webhooks:create https://1.1.1.1/ --secret-from file:none
    ! Error: cannot read the secret from none: No such file or directory (os error 2)
    = 1
    $ webhooks:create https://1.1.1.1/ --secret-from -
    ! Error: there is no secret on stdin
    = 1
    $ webhooks:create https://1.1.1.1/ --secret-from ask
    ! Error: a secret is needed, and there is no terminal to ask for it
    !
    ! hint: say where it is: - (stdin), env:NAME or file:PATH
    = 1
    $ webhooks:info https://1.1.1.1/hook
    === [ulid] Webhook
    url                https://1.1.1.1/hook
    events             deployment.finished
                       deployment.failed
    active             yes
    signed             yes
    last delivery      none
    created            [time]
    updated            [time]
    $ webhooks:test https://1.1.1.1/hook
    Testing webhook [ulid]... done, HTTP 200
    $ webhooks:test https://1.1.1.1/hook
    Testing webhook [ulid]...
    ! Error: the webhook did not take it: it answered 500; it is tried again at [time]
    !
    ! hint: `slipway webhooks:deliveries [ulid]` shows all tries
    = 1
    $ webhooks:test https://1.1.1.2/all --no-wait
    Testing webhook [ulid]... asked for, [ulid]
    $ webhooks:test https://none/
    ! Error: no webhook has the address https://none/
    !
    ! hint: `slipway webhooks` lists them
    = 1
    $ webhooks:test [ulid]
    Testing webhook [ulid]...
    ! Error: No Webhook matches the given query.
    = 1
    $ webhooks:deliveries https://1.1.1.1/hook -l 1
    === [ulid] Deliveries (1 of 2)
    [ulid]	[time]	webhook.test	pending	1 try	it answered 500
    $ webhooks:replay https://1.1.1.1/hook none
    Sending none again...
    ! Error: There is no such delivery.
    = 1
    $ webhooks
    === Webhooks
    [ulid]	https://1.1.1.2/all	deployment.created,deployment.started,+17	delivered
    [ulid]	https://1.1.1.1/hook	deployment.finished,deployment.failed	pending
    $ webhooks -l 1
    === Webhooks (1 of 2)
    [ulid]	https://1.1.1.2/all	deployment.created,deployment.started,+17	delivered
    $ webhooks:remove https://1.1.1.2/all
    Removing webhook [ulid]... done
    $ webhooks:remove https://1.1.1.2/all
    ! Error: no webhook has the address https://1.1.1.2/all
    !
    ! hint: `slipway webhooks` lists them
    = 1
    $ webhooks delete none
    Removing webhook none...
    ! Error: No Webhook matches the given query.
    = 1
    "##);
    let calls = world.platform.hooks.calls();
    let is_test = |call: &HookCall| call.headers.contains(&("x-dployr-event", "webhook.test".to_owned()));
    assert!(calls.len() == 3 && calls.iter().all(is_test), "{calls:?}");
    let is_signed = |call: &HookCall| call.headers.iter().any(|(name, _)| *name == "x-dployr-signature");
    assert!(is_signed(&calls[0]) && !is_signed(&calls[2]), "{calls:?}");
    let list = world.bob(&["webhooks:deliveries https://1.1.1.1/hook --json"]);
    let list: serde_json::Value = serde_json::from_str(list.split_once('\n').unwrap().1).unwrap();
    let oldest = list["deliveries"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    shows!(world.bob(&[&format!("webhooks:replay https://1.1.1.1/hook {oldest}")]), @r##"
    $ webhooks:replay https://1.1.1.1/hook [ulid]
    Sending [ulid] again... done, HTTP 200
    "##);
    shows!(world.ann(&["webhooks", "webhooks:info https://1.1.1.1/hook"]), @r##"
    $ webhooks
    === Webhooks
    $ webhooks:info https://1.1.1.1/hook
    ! Error: no webhook has the address https://1.1.1.1/hook
    !
    ! hint: `slipway webhooks` lists them
    = 1
    "##);
}

#[test]
fn two_webhooks_of_one_address_are_named_by_id() {
    let world = World::new();
    shows!(world.bob(&[
        "webhooks:create https://1.1.1.1/",
        "webhooks:create https://1.1.1.1",
        "webhooks:info https://1.1.1.1",
    ]), @r##"
    $ webhooks:create https://1.1.1.1/
    Adding webhook https://1.1.1.1/... done, [ulid]
    $ webhooks:create https://1.1.1.1
    Adding webhook https://1.1.1.1... done, [ulid]
    $ webhooks:info https://1.1.1.1
    ! Error: several webhooks have the address https://1.1.1.1
    !
    ! hint: name one by its id: `slipway webhooks`
    = 1
    "##);
}

#[test]
fn nobody_has_webhooks_or_teams() {
    let world = World::new();
    shows!(world.as_one(&Person::stranger(), &["webhooks", "webhooks:deliveries none", "teams", "teams:create x"]), @r##"
    $ webhooks
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ webhooks:deliveries none
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ teams
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    $ teams:create x
    ! Error: you are not logged in
    !
    ! hint: log in with `slipway login URL`, or make an account with `slipway register URL`
    = 1
    "##);
}
