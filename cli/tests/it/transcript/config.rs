//! Variables, limits and the other parts of a configuration.

use super::World;

#[test]
fn configuration() {
    let world = World::new().with_build();
    world.platform.engine.script_node_labels(vec![[("disk".to_owned(), "ssd".to_owned())].into()]);
    shows!(world.bob(&[
        "config -a foo",
        "config:set A=1 'GREETING=hello there' -a foo",
        "config:set A=1 -a foo",
        "config:set 1A=x -a foo",
        "config:set PORT=x -a foo",
        "config:set NAME=grüße -a foo",
        "config --oneline -a foo",
        "config:unset A -a foo",
        "config:unset A -a foo",
        "config:pull -a foo",
        "config:pull -a foo",
        "config:push -a foo",
        "config:push -p none -a foo",
        "tags:set disk=tape -a foo",
        "tags:set disk=ssd -a foo",
        "tags -a foo",
        "tags:unset disk -a foo",
        "tags:unset disk -a foo",
        "registry:set username=bob password=secret -a foo",
        "config:set PORT=8080 -a foo",
        "registry:set username=bob password=secret -a foo",
        "registry -a foo",
        "registry:unset username password -a foo",
        "registry:unset username -a foo",
        "timeouts -a foo",
        "timeouts:set web=5 worker=60 -a foo",
        "timeouts:set web=5 -a foo",
        "timeouts:set web=soon -a foo",
        "timeouts:unset web -a foo",
        "timeouts:unset web -a foo",
    ]), @r##"
    $ config -a foo
    === foo Config
    $ config:set A=1 'GREETING=hello there' -a foo
    Creating config... done, v3

    === foo Config
    A             1
    GREETING      hello there
    $ config:set A=1 -a foo
    Creating config...
    ! Error: bob changed nothing - release stopped
    = 1
    $ config:set 1A=x -a foo
    Creating config...
    ! Error: values: Config keys must start with a letter or underscore and only contain [A-z0-9_]
    = 1
    $ config:set PORT=x -a foo
    Creating config...
    ! Error: values: PORT can only be a numeric value
    = 1
    $ config:set NAME=grüße -a foo
    Creating config... done, v4

    === foo Config
    A             1
    GREETING      hello there
    NAME          grüße
    $ config --oneline -a foo
    A=1 GREETING="hello there" NAME="grüße"
    $ config:unset A -a foo
    Removing config... done, v5

    === foo Config
    GREETING      hello there
    NAME          grüße
    $ config:unset A -a foo
    Removing config...
    ! Error: Unable to process your request: A does not exist under values
    = 1
    $ config:pull -a foo
    Wrote 2 variables to .env.
    $ config:pull -a foo
    ! Error: .env already exists
    !
    ! hint: pass -o to overwrite it, or -i to be asked about each variable that differs
    = 1
    $ config:push -a foo
    Creating config...
    ! Error: bob changed nothing - release stopped
    = 1
    $ config:push -p none -a foo
    ! Error: cannot read none: No such file or directory (os error 2)
    = 1
    $ tags:set disk=tape -a foo
    Applying tags...
    ! Error: No nodes matched the provided labels: disk=tape
    = 1
    $ tags:set disk=ssd -a foo
    Applying tags... done

    === foo Tags
    disk     ssd
    $ tags -a foo
    === foo Tags
    disk     ssd
    $ tags:unset disk -a foo
    Applying tags... done

    === foo Tags
    $ tags:unset disk -a foo
    Applying tags...
    ! Error: Unable to process your request: disk does not exist under tags
    = 1
    $ registry:set username=bob password=secret -a foo
    Applying registry information...
    ! Error: PORT needs to be set in the config when using a private registry
    = 1
    $ config:set PORT=8080 -a foo
    Creating config... done, v8

    === foo Config
    GREETING      hello there
    NAME          grüße
    PORT          8080
    $ registry:set username=bob password=secret -a foo
    Applying registry information... done

    === foo Registry
    password     secret
    username     bob
    $ registry -a foo
    === foo Registry
    password     secret
    username     bob
    $ registry:unset username password -a foo
    Applying registry information... done

    === foo Registry
    $ registry:unset username -a foo
    Applying registry information...
    ! Error: Unable to process your request: username does not exist under registry
    = 1
    $ timeouts -a foo
    === foo Timeouts (sec)
    default (30 sec) or controlled by env KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS
    $ timeouts:set web=5 worker=60 -a foo
    Applying timeouts... done

    === foo Timeouts (sec)
    web        5
    worker     60
    $ timeouts:set web=5 -a foo
    Applying timeouts...
    ! Error: bob changed nothing - release stopped
    = 1
    $ timeouts:set web=soon -a foo
    ! Error: web=soon doesn't fit format type=#
    ! Examples: web=30 worker=300
    = 1
    $ timeouts:unset web -a foo
    Applying timeouts... done

    === foo Timeouts (sec)
    worker     60
    $ timeouts:unset web -a foo
    Applying timeouts...
    ! Error: Unable to process your request: web does not exist under termination_grace_period
    = 1
    "##);
}

#[test]
fn limits_of_upstream() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "limits -a foo",
        "limits:set web=64M -a foo",
        "limits:set web=0/100M -a foo",
        "limits:set web=50M/100M -a foo",
        "limits:set --cpu web=500m -a foo",
        "limits:set --cpu web=x -a foo",
        "limits:set web=many -a foo",
        "limits:unset web -a foo",
        "limits:unset --cpu web -a foo",
        "limits:unset --cpu web -a foo",
    ]), @r##"
    $ limits -a foo
    === foo Limits

    --- Memory
    Unlimited

    --- CPU
    Unlimited
    $ limits:set web=64M -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web     64M

    --- CPU
    Unlimited
    $ limits:set web=0/100M -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web     0/100M

    --- CPU
    Unlimited
    $ limits:set web=50M/100M -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web     50M/100M

    --- CPU
    Unlimited
    $ limits:set --cpu web=500m -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    web     50M/100M

    --- CPU
    web     500m
    $ limits:set --cpu web=x -a foo
    Applying limits...
    ! Error: cpu: CPU limit format: <value> or <value>/<value>, where value must be a numeric
    = 1
    $ limits:set web=many -a foo
    Applying limits...
    ! Error: memory: Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G
    = 1
    $ limits:unset web -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    Unlimited

    --- CPU
    web     500m
    $ limits:unset --cpu web -a foo
    Applying limits... done

    === foo Limits

    --- Memory
    Unlimited

    --- CPU
    Unlimited
    $ limits:unset --cpu web -a foo
    Applying limits...
    ! Error: Unable to process your request: web does not exist under cpu
    = 1
    "##);
}
