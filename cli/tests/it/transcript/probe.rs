//! Health checks.

use super::World;

#[test]
fn healthchecks_of_upstream() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "healthchecks -a foo",
        "-a foo healthchecks:set liveness httpGet 80 --path /healthz --headers X-A:b",
        "-a foo healthchecks:set readiness httpGet 80",
        "-a foo healthchecks:set liveness exec --type web -- test -f /x",
        "-a foo healthchecks:set readiness exec --type web -- true",
        "-a foo healthchecks:set liveness tcpSocket 80",
        "-a foo healthchecks:set readiness tcpSocket 80 --failure-threshold=9",
        "-a foo healthchecks:set liveness tcpSocket 80 --success-threshold=2",
        "-a foo healthchecks:list --type web",
        "-a foo healthchecks:unset liveness readiness --type web",
        "-a foo healthchecks:unset liveness",
        "-a foo healthchecks:unset liveness",
    ]), @r##"
    $ healthchecks -a foo
    === foo Healthchecks

    web/cmd:
    --- Liveness
    No liveness probe configured.
    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:set liveness httpGet 80 --path /healthz --headers X-A:b
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:set readiness httpGet 80
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set liveness exec --type web -- test -f /x
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    No readiness probe configured.

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set readiness exec --type web -- true
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50

    web/cmd:
    --- Liveness
    failureThreshold         3
    httpGet                  {"httpHeaders":[{"name":"X-A","value":"b"}],"path":"/healthz","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set liveness tcpSocket 80
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50

    web/cmd:
    --- Liveness
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    --- Readiness
    failureThreshold         3
    httpGet                  {"path":"/","port":80}
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:set readiness tcpSocket 80 --failure-threshold=9
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50

    web/cmd:
    --- Liveness
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    --- Readiness
    failureThreshold         9
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    $ -a foo healthchecks:set liveness tcpSocket 80 --success-threshold=2
    Applying livenessProbe healthcheck...
    ! Error: healthcheck: livenessProbe successThreshold can only be 1
    = 1
    $ -a foo healthchecks:list --type web
    === foo Healthchecks

    web:
    --- Liveness
    exec                     {"command":["test","-f","/x"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    --- Readiness
    exec                     {"command":["true"]}
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    timeoutSeconds           50
    $ -a foo healthchecks:unset liveness readiness --type web
    Removing healthchecks... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    failureThreshold         3
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    --- Readiness
    failureThreshold         9
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    $ -a foo healthchecks:unset liveness
    Removing healthchecks... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    No liveness probe configured.
    --- Readiness
    failureThreshold         9
    initialDelaySeconds      50
    periodSeconds            10
    successThreshold         1
    tcpSocket                {"port":80}
    timeoutSeconds           50
    $ -a foo healthchecks:unset liveness
    Removing healthchecks...
    ! Error: Unable to process your request: livenessProbe does not exist under healthcheck
    = 1
    "##);
}
