//! Domains, certificates and who may come in.

use slipway_service::testing::TestCertificate;

use super::World;
use crate::platform::Platform;

#[test]
fn automatic_certificates() {
    let world = World::on(Platform::start_with(|config| config.has_certificate_issuer = true)).with_app();
    shows!(world.bob(&[
        "tls:auto:disable -a foo",
        "tls -a foo",
        "tls:auto:disable -a foo",
        "tls:enable -a foo",
        "tls:auto:enable -a foo",
        "tls:info -a foo",
        "--json tls -a foo",
    ]), @r##"
    $ tls:auto:disable -a foo
    Disabling certs-auto requests for foo... done
    $ tls -a foo
    === foo TLS
    HTTPS Enforced: not set
    Certs Auto Enabled: false
    $ tls:auto:disable -a foo
    Disabling certs-auto requests for foo...
    ! Error: bob changed nothing
    = 1
    $ tls:enable -a foo
    Enabling https-only requests for foo... done
    $ tls:auto:enable -a foo
    Enabling certs-auto requests for foo... done
    $ tls:info -a foo
    === foo TLS
    HTTPS Enforced: true
    Certs Auto Enabled: true
    $ --json tls -a foo
    {
      "app": "foo",
      "certs_auto_enabled": true,
      "created": "[time]",
      "https_enforced": true,
      "owner": "bob",
      "updated": "[time]",
      "uuid": "[uuid]"
    }
    "##);
}

#[test]
fn settings_of_apps() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "maintenance -a foo",
        "maintenance:on -a foo",
        "maintenance:on -a foo",
        "maintenance -a foo",
        "maintenance:off -a foo",
        "routing -a foo",
        "routing:disable -a foo",
        "routing -a foo",
        "routing:enable -a foo",
        "routing:enable -a foo",
        "labels -a foo",
        "labels:set team=a -a foo",
        "labels:set empty= -a foo",
        "labels:set x -a foo",
        "labels -a foo",
        "labels:unset team -a foo",
        "labels:unset not_exist -a foo",
        "autoscale -a foo",
        "autoscale:set web --min=1 --max=3 --cpu-percent=50 -a foo",
        "autoscale:set web --min=3 --max=1 --cpu-percent=50 -a foo",
        "autoscale -a foo",
        "autoscale:unset web -a foo",
        "autoscale:unset web -a foo",
        "whitelist -a foo",
        "whitelist:add 192.0.2.1,10.0.0.0/8 -a foo",
        "allowlist:add 192.0.2.1 -a foo",
        "whitelist:add here -a foo",
        "allowlist -a foo",
        "whitelist:remove 192.0.2.1 -a foo",
        "whitelist:remove 192.0.2.1 -a foo",
        "tls -a foo",
        "tls:enable -a foo",
        "tls:force:enable -a foo",
        "tls -a foo",
        "tls:force:disable -a foo",
        "tls:force:disable -a foo",
        "tls:force:enable -a foo",
        "tls:disable -a foo",
        "tls:disable -a foo",
        "tls:auto:enable -a foo",
        "tls:auto:disable -a foo",
        "tls -a foo",
        "services -a foo",
        "services:add --type web --route /api -a foo",
        "services -a foo",
        "services:remove web -a foo",
        "services:remove web -a foo",
        "resources -a foo",
        "resources:create mysql:small db -a foo",
        "resources:describe db -a foo",
    ]), @r##"
    $ maintenance -a foo
    Maintenance mode is off.
    $ maintenance:on -a foo
    Enabling maintenance mode for foo... done
    $ maintenance:on -a foo
    Enabling maintenance mode for foo...
    ! Error: bob changed nothing
    = 1
    $ maintenance -a foo
    Maintenance mode is on.
    $ maintenance:off -a foo
    Disabling maintenance mode for foo... done
    $ routing -a foo
    Routing is enabled.
    $ routing:disable -a foo
    Disabling routing for foo... done
    $ routing -a foo
    Routing is disabled.
    $ routing:enable -a foo
    Enabling routing for foo... done
    $ routing:enable -a foo
    Enabling routing for foo...
    ! Error: bob changed nothing
    = 1
    $ labels -a foo
    === foo Label
    No labels found.
    $ labels:set team=a -a foo
    Applying labels on foo... done
    $ labels:set empty= -a foo
    ! Error: empty= is invalid, Must be in format key=value
    ! Examples: team=web tier=front
    = 1
    $ labels:set x -a foo
    ! Error: x is invalid, Must be in format key=value
    ! Examples: team=web tier=front
    = 1
    $ labels -a foo
    === foo Label
    team:      a
    $ labels:unset team -a foo
    Removing labels on foo... done
    $ labels:unset not_exist -a foo
    Removing labels on foo...
    ! Error: Unable to process your request: not_exist does not exist under label
    = 1
    $ autoscale -a foo
    === foo Autoscale

    No autoscale rules found.
    $ autoscale:set web --min=1 --max=3 --cpu-percent=50 -a foo
    Applying autoscale settings for process type web on foo... done
    $ autoscale:set web --min=3 --max=1 --cpu-percent=50 -a foo
    Applying autoscale settings for process type web on foo...
    ! Error: max replicas can not be smaller than min replicas
    = 1
    $ autoscale -a foo
    === foo Autoscale

    --- web:
    Min Replicas: 1
    Max Replicas: 3
    CPU: 50%
    $ autoscale:unset web -a foo
    Removing autoscale for process type web on foo... done
    $ autoscale:unset web -a foo
    Removing autoscale for process type web on foo...
    ! Error: Unable to process your request: web does not exist under autoscale
    = 1
    $ whitelist -a foo
    === foo Whitelisted Addresses
    $ whitelist:add 192.0.2.1,10.0.0.0/8 -a foo
    Adding 192.0.2.1,10.0.0.0/8 to foo whitelist...
    done
    $ allowlist:add 192.0.2.1 -a foo
    Adding 192.0.2.1 to foo allowlist...
    ! Error: bob changed nothing
    = 1
    $ whitelist:add here -a foo
    Adding here to foo whitelist...
    ! Error: addresses: The address here is not valid
    = 1
    $ allowlist -a foo
    === foo Allowlisted Addresses
    10.0.0.0/8
    192.0.2.1
    $ whitelist:remove 192.0.2.1 -a foo
    Removing 192.0.2.1 from foo whitelist...
    done
    $ whitelist:remove 192.0.2.1 -a foo
    Removing 192.0.2.1 from foo whitelist...
    ! Error: Unable to process your request: addresses {'192.0.2.1'} does not exist in whitelist
    = 1
    $ tls -a foo
    === foo TLS
    HTTPS Enforced: not set
    Certs Auto Enabled: not set
    $ tls:enable -a foo
    Enabling https-only requests for foo... done
    $ tls:force:enable -a foo
    Enabling https-only requests for foo...
    ! Error: bob changed nothing
    = 1
    $ tls -a foo
    === foo TLS
    HTTPS Enforced: true
    Certs Auto Enabled: not set
    $ tls:force:disable -a foo
    Disabling https-only requests for foo... done
    $ tls:force:disable -a foo
    Disabling https-only requests for foo...
    ! Error: bob changed nothing
    = 1
    $ tls:force:enable -a foo
    Enabling https-only requests for foo... done
    $ tls:disable -a foo
    Disabling https-only requests for foo... done
    $ tls:disable -a foo
    Disabling https-only requests for foo...
    ! Error: bob changed nothing
    = 1
    $ tls:auto:enable -a foo
    Enabling certs-auto requests for foo...
    ! Error: certs_auto_enabled: This platform has no issuer of certificates: its operator sets one up, or you add your own.
    = 1
    $ tls:auto:disable -a foo
    Disabling certs-auto requests for foo... done
    $ tls -a foo
    === foo TLS
    HTTPS Enforced: false
    Certs Auto Enabled: false
    $ services -a foo
    === foo Services
    $ services:add --type web --route /api -a foo
    Adding web (/api) to foo... done
    $ services -a foo
    === foo Services
    web     /api
    $ services:remove web -a foo
    Removing web from foo... done
    $ services:remove web -a foo
    Removing web from foo...
    ! Error: No Service matches the given query.
    = 1
    $ resources -a foo
    Could not find any resources
    $ resources:create mysql:small db -a foo
    Creating db to foo...
    ! Error: There is no catalogue of resources on this platform: create the database or queue yourself, and give the app its address with `config:set`.
    = 1
    $ resources:describe db -a foo
    ! Error: No Resource matches the given query.
    = 1
    "##);
}

#[test]
fn domains_and_certificates() {
    let world = World::new().with_app();
    let folder = world.bob.work();
    for (name, TestCertificate { certificate, key }) in
        [("a", TestCertificate::new(&["www.example.org"]).unwrap()), ("b", TestCertificate::new(&["x.y"]).unwrap())]
    {
        std::fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }
    shows!(world.bob(&[
        "domains -a foo",
        "domains:add www.example.org -a foo",
        "domains:add www.example.org -a foo",
        "domains:add '*' -a foo",
        "domains:add a_b.c -a foo",
        "domains -l 1 -a foo",
        "certs",
        "certs:add www a.crt a.key",
        "certs:add www a.crt a.key",
        "certs:add WWW_1 a.crt a.key",
        "certs:add swapped a.crt b.key",
        "certs:add none none.crt a.key",
        "certs",
        "certs:info www",
        "certs:info none",
        "certs:attach www none",
        "certs:attach none www.example.org",
        "certs:attach www www.example.org",
        "certs:attach www www.example.org",
        "certs -l 1",
        "certs:detach www www.example.org",
        "certs:detach www www.example.org",
        "certs:remove www",
        "certs:remove www",
        "domains:remove www.example.org -a foo",
        "domains:remove www.example.org -a foo",
    ]), @r#"
    $ domains -a foo
    === foo Domains
    foo
    $ domains:add www.example.org -a foo
    Adding www.example.org to foo... done
    $ domains:add www.example.org -a foo
    Adding www.example.org to foo...
    ! Error: Domain is already in use by another application
    = 1
    $ domains:add '*' -a foo
    Adding * to foo...
    ! Error: Hostname can't only be a wildcard
    = 1
    $ domains:add a_b.c -a foo
    Adding a_b.c to foo...
    ! Error: Hostname does not look valid, could not convert to ACE a_b.c: it holds a character or a label that no host name may have
    = 1
    $ domains -l 1 -a foo
    === foo Domains (1 of 2)
    foo
    $ certs
    No certs
    $ certs:add www a.crt a.key
    Adding SSL endpoint... done
    $ certs:add www a.crt a.key
    Adding SSL endpoint...
    ! Error: certificate with this name already exists.
    = 1
    $ certs:add WWW_1 a.crt a.key
    Adding SSL endpoint...
    ! Error: Can only contain a-z (lowercase), 0-9 and hyphens
    = 1
    $ certs:add swapped a.crt b.key
    Adding SSL endpoint...
    ! Error: Could not load private key: it does not belong to the certificate
    = 1
    $ certs:add none none.crt a.key
    ! Error: cannot read none.crt: No such file or directory (os error 2)
    = 1
    $ certs
    Name	Common Name	SubjectAltName	Expires	Fingerprint	Domains	Updated	Created
    www	www.example.org	www.example.org	[time]	[short fingerprint]		[time]	[time]
    $ certs:info www
    === www Certificate
    Common Name(s):     www.example.org
    Expires At:         [time]
    Starts At:          [time]
    Fingerprint:        [fingerprint]
    Subject Alt Name:   www.example.org
    Issuer:             /CN=www.example.org
    Subject:            /CN=www.example.org

    Connected Domains:  No connected domains
    Owner:              bob
    Created:            [time]
    Updated:            [time]
    $ certs:info none
    ! Error: No Certificate matches the given query.
    !
    ! hint: `slipway certs` lists your certificates
    = 1
    $ certs:attach www none
    Attaching certificate www to domain none...
    ! Error: No Domain matches the given query.
    = 1
    $ certs:attach none www.example.org
    Attaching certificate none to domain www.example.org...
    ! Error: No Certificate matches the given query.
    = 1
    $ certs:attach www www.example.org
    Attaching certificate www to domain www.example.org... done
    $ certs:attach www www.example.org
    Attaching certificate www to domain www.example.org...
    ! Error: Domain already has a certificate attached to it
    = 1
    $ certs -l 1
    Name	Common Name	SubjectAltName	Expires	Fingerprint	Domains	Updated	Created
    www	www.example.org	www.example.org	[time]	[short fingerprint]	www.example.org	[time]	[time]
    $ certs:detach www www.example.org
    Detaching certificate www from domain www.example.org... done
    $ certs:detach www www.example.org
    Detaching certificate www from domain www.example.org...
    ! Error: No Domain matches the given query.
    = 1
    $ certs:remove www
    Removing www... done
    $ certs:remove www
    Removing www...
    ! Error: No Certificate matches the given query.
    !
    ! hint: `slipway certs` lists your certificates
    = 1
    $ domains:remove www.example.org -a foo
    Removing www.example.org from foo... done
    $ domains:remove www.example.org -a foo
    Removing www.example.org from foo...
    ! Error: No Domain matches the given query.
    = 1
    "#);
}
