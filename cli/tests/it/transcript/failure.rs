//! Failures that the contract documents of the endpoints (drycc-v2.md §2) and that come of what somebody typed, as the
//! command that calls the endpoint tells them. Others are beside what succeeds, in the files of the commands.

use slipway_service::Registration;

use super::World;
use crate::person::Person;
use crate::platform::Platform;

#[test]
fn accounts_and_apps() {
    let world = World::new().with_app();
    shows!(world.ann(&["passwd --password wrong --new-password x", "passwd --password pw --new-password ''"]), @r##"
    $ passwd --password wrong --new-password x
    ! Error: Current password does not match
    = 1
    $ passwd --password pw --new-password ''
    ! Error: new_password is a required field
    = 1
    "##);
    shows!(world.bob(&[
        "create deis",
        "create -- -a",
        "create a.b",
        "create foo",
        "transfer nobody -a foo",
        "perms:create nobody -a foo",
        "users:disable bob",
    ]), @r##"
    $ create deis
    Creating Application...
    ! Error: deis is a reserved name.
    = 1
    $ create -- -a
    Creating Application...
    ! Error: App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.
    = 1
    $ create a.b
    Creating Application...
    ! Error: App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.
    = 1
    $ create foo
    Creating Application...
    ! Error: Application with this id already exists.
    !
    ! hint: choose another name, or none to be given one
    = 1
    $ transfer nobody -a foo
    Transferring foo to nobody...
    ! Error: No User matches the given query.
    = 1
    $ perms:create nobody -a foo
    Adding nobody to foo collaborators...
    ! Error: No User matches the given query.
    = 1
    $ users:disable bob
    Disabling user bob...
    ! Error: nobody can do that to themselves
    = 1
    "##);
}

#[test]
fn processes_and_limits() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "scale web=x -a foo",
        "scale web=-1 -a foo",
        "scale web=1.5 -a foo",
        "scale none=1 -a foo",
        "limits:set We_b=1G -a foo",
        "limits:set web=1X -a foo",
        "limits:set --cpu web=much -a foo",
        "limits:unset worker -a foo",
        "autoscale:set web --min 0 --max 2 --cpu-percent 50 -a foo",
        "autoscale:set web --min 3 --max 2 --cpu-percent 50 -a foo",
        "autoscale:unset worker -a foo",
        "healthchecks:unset liveness -a foo",
        "pull example/foo:2 -p 'web: ' -a foo",
        "pull example/foo:2 -p 'We_b: x' -a foo",
        "pull '' -a foo",
        "rollback v0 -a foo",
        "rollback v9 -a foo",
    ]), @r##"
    $ scale web=x -a foo
    ! Error: 'web=x' does not match the pattern 'type=num', ex: web=2
    = 1
    $ scale web=-1 -a foo
    ! Error: 'web=-1' does not match the pattern 'type=num', ex: web=2
    = 1
    $ scale web=1.5 -a foo
    ! Error: 'web=1.5' does not match the pattern 'type=num', ex: web=2
    = 1
    $ scale none=1 -a foo
    Scaling processes... but first, coffee!
    ! Error: Container type none does not exist in application
    !
    ! hint: `slipway ps` shows the process types, the Procfile defines them
    = 1
    $ limits:set We_b=1G -a foo
    ! Error: We_b=1G doesn't fit format type=#unit or type=# or type=#/#
    ! Examples: web=2G worker=500M db=1G/2G
    = 1
    $ limits:set web=1X -a foo
    Applying limits...
    ! Error: memory: Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G
    = 1
    $ limits:set --cpu web=much -a foo
    Applying limits...
    ! Error: cpu: CPU limit format: <value> or <value>/<value>, where value must be a numeric
    = 1
    $ limits:unset worker -a foo
    Applying limits...
    ! Error: Unable to process your request: worker does not exist under memory
    = 1
    $ autoscale:set web --min 0 --max 2 --cpu-percent 50 -a foo
    Applying autoscale settings for process type web on foo...
    ! Error: min replicas needs to be 1 or higher
    = 1
    $ autoscale:set web --min 3 --max 2 --cpu-percent 50 -a foo
    Applying autoscale settings for process type web on foo...
    ! Error: max replicas can not be smaller than min replicas
    = 1
    $ autoscale:unset worker -a foo
    Removing autoscale for process type worker on foo...
    ! Error: Unable to process your request: worker does not exist under autoscale
    = 1
    $ healthchecks:unset liveness -a foo
    Removing healthchecks...
    ! Error: Unable to process your request: livenessProbe does not exist under healthcheck
    = 1
    $ pull example/foo:2 -p 'web: ' -a foo
    ! Error: 'web:' is not in the form 'type: command', ex: 'web: ./serve'
    = 1
    $ pull example/foo:2 -p 'We_b: x' -a foo
    Creating build...
    ! Error: procfile: Process types can only contain lowercase alphanumeric characters
    = 1
    $ pull '' -a foo
    Creating build...
    ! Error: The given image is invalid
    = 1
    $ rollback v0 -a foo
    Rolling back to v0...
    ! Error: version cannot be below 0
    = 1
    $ rollback v9 -a foo
    Rolling back to v9...
    ! Error: Release matching query does not exist.
    = 1
    "##);
}

#[test]
fn configuration() {
    let world = World::new().with_app();
    let long = format!("tags:set {}/disk=ssd -a foo", "a".repeat(254));
    shows!(world.bob(&[
        "config:set 1A=1 -a foo",
        "config:set PORT=http -a foo",
        "config:set PORT=65536 -a foo",
        "config:set HEALTHCHECK_TIMEOUT=long -a foo",
        "config:unset NONE -a foo",
        "registry:set username=bob -a foo",
        "registry:unset username -a foo",
        "tags:set _.example/disk=ssd -a foo",
        "-a foo tags:set -- -disk=ssd",
        "tags:set 'disk=s d' -a foo",
        "tags:unset disk -a foo",
        "labels:unset team -a foo",
    ]), @r##"
    $ config:set 1A=1 -a foo
    Creating config...
    ! Error: values: Config keys must start with a letter or underscore and only contain [A-z0-9_]
    = 1
    $ config:set PORT=http -a foo
    Creating config...
    ! Error: values: PORT can only be a numeric value
    = 1
    $ config:set PORT=65536 -a foo
    Creating config...
    ! Error: values: PORT needs to be between 1 and 65535
    = 1
    $ config:set HEALTHCHECK_TIMEOUT=long -a foo
    Creating config...
    ! Error: values: HEALTHCHECK_TIMEOUT can only be a numeric value
    = 1
    $ config:unset NONE -a foo
    Removing config...
    ! Error: Unable to process your request: NONE does not exist under values
    = 1
    $ registry:set username=bob -a foo
    Applying registry information...
    ! Error: PORT needs to be set in the config when using a private registry
    = 1
    $ registry:unset username -a foo
    Applying registry information...
    ! Error: Unable to process your request: username does not exist under registry
    = 1
    $ tags:set _.example/disk=ssd -a foo
    Applying tags...
    ! Error: tags: Tag key prefixes must be DNS subdomains.
    = 1
    $ -a foo tags:set -- -disk=ssd
    Applying tags...
    ! Error: tags: Tag keys must be alphanumeric or "-_.", and 1-63 characters.
    = 1
    $ tags:set 'disk=s d' -a foo
    Applying tags...
    ! Error: tags: Tag values must be alphanumeric or "-_.", and 1-63 characters.
    = 1
    $ tags:unset disk -a foo
    Applying tags...
    ! Error: Unable to process your request: disk does not exist under tags
    = 1
    $ labels:unset team -a foo
    Removing labels on foo...
    ! Error: Unable to process your request: team does not exist under label
    = 1
    "##);
    // In the lines of a transcript `URL` is the platform's address.
    for (value, want) in [
        ("http://", "HEALTHCHECK_URL is missing a URI path (such as /healthz). Without it no health check can be done"),
        (
            "/x?y",
            "HEALTHCHECK_URL can only be a URI path (such as /healthz) that does not contain other things such as query params",
        ),
    ] {
        let run = world.bob.run_with(&["config:set", &format!("HEALTHCHECK_URL={value}"), "-a", "foo"], "");
        run.fails(&format!("Error: values: {want}\n"));
    }
    assert!(world.bob(&[&long]).contains("Tag key prefixes must 253 characters or less."));
}

#[test]
fn routes_and_keys() {
    let world = World::new().with_app();
    let long = format!("domains:add {} -a foo", ["a".repeat(60).as_str(); 5].join("."));
    shows!(world.bob(&[
        "domains:add '*' -a foo",
        "domains:add a..b -a foo",
        "domains:add 1.2.3.4 -a foo",
        "domains:add www.example.com -a foo",
        "domains:add WWW.example.com. -a foo",
        "domains:remove none.example.com -a foo",
        "allowlist:add 1.2.3.4.5 -a foo",
        "allowlist:remove 1.2.3.4 -a foo",
        "certs:info none",
        "certs:attach none www.example.com",
        "keys:remove none",
    ]), @r##"
    $ domains:add '*' -a foo
    Adding * to foo...
    ! Error: Hostname can't only be a wildcard
    = 1
    $ domains:add a..b -a foo
    Adding a..b to foo...
    ! Error: Hostname does not look valid, could not convert to ACE a..b: a label is empty
    = 1
    $ domains:add 1.2.3.4 -a foo
    Adding 1.2.3.4 to foo...
    ! Error: Hostname does not look valid.
    = 1
    $ domains:add www.example.com -a foo
    Adding www.example.com to foo...
    ! Error: This is a reserved domain
    = 1
    $ domains:add WWW.example.com. -a foo
    Adding WWW.example.com. to foo...
    ! Error: This is a reserved domain
    = 1
    $ domains:remove none.example.com -a foo
    Removing none.example.com from foo...
    ! Error: No Domain matches the given query.
    = 1
    $ allowlist:add 1.2.3.4.5 -a foo
    Adding 1.2.3.4.5 to foo allowlist...
    ! Error: addresses: The address 1.2.3.4.5 is not valid
    = 1
    $ allowlist:remove 1.2.3.4 -a foo
    Removing 1.2.3.4 from foo allowlist...
    ! Error: Unable to process your request: addresses {'1.2.3.4'} does not exist in allowlist
    = 1
    $ certs:info none
    ! Error: No Certificate matches the given query.
    !
    ! hint: `slipway certs` lists your certificates
    = 1
    $ certs:attach none www.example.com
    Attaching certificate none to domain www.example.com...
    ! Error: No Certificate matches the given query.
    = 1
    $ keys:remove none
    Removing none SSH Key...
    ! Error: No Key matches the given query.
    !
    ! hint: `slipway keys` lists your keys
    = 1
    "##);
    assert!(world.bob(&[&long]).contains("Hostname must be 253 characters or less."));
    let key = |name: &str, last: char| {
        let text = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}{last} x\n", "A".repeat(42));
        std::fs::write(world.bob.work().join(name), text).unwrap();
    };
    key("a.pub", 'A');
    key("b.pub", 'E');
    shows!(world.bob(&["keys:add mine a.pub", "keys:add other a.pub", "keys:add mine b.pub"]), @r##"
    $ keys:add mine a.pub
    Uploading a.pub to slipway... done
    $ keys:add other a.pub
    Uploading a.pub to slipway...
    ! Error: Public Key is already in use
    = 1
    $ keys:add mine b.pub
    Uploading b.pub to slipway...
    ! Error: SSH Key with this id already exists.
    !
    ! hint: give the key another name with `slipway keys:add NAME FILE`; `slipway keys` lists yours
    = 1
    "##);
}

#[test]
fn what_the_platform_is_told_to_refuse() {
    let world = World::on(Platform::start_with(|config| config.is_missing_procfile_rejected = true)).with_build();
    shows!(world.bob(&["pull example/foo:2 -a foo"]), @r##"
    $ pull example/foo:2 -a foo
    Creating build...
    ! Error: Last deployment had a Procfile but is missing in this deploy. For a successful deployment provide a Procfile.
    = 1
    "##);
    let closed = Platform::start_with(|config| config.registration = Registration::Off);
    let run = Person::stranger().run_with(&["register", &closed.url, "--username", "eve", "--password", "pw"], "");
    run.fails(
        "Error: Registration is disabled\n\nhint: this platform lets only its administrators register users; ask one of \
         them\n",
    );
}
