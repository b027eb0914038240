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
    No health checks configured.
    $ -a foo healthchecks:set liveness httpGet 80 --path /healthz --headers X-A:b
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: Path="/healthz" Port=80 HTTPHeaders=[X-A=b]
    TCP Socket Probe: N/A

    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:set readiness httpGet 80
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: Path="/healthz" Port=80 HTTPHeaders=[X-A=b]
    TCP Socket Probe: N/A

    --- Readiness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: Path="/" Port=80 HTTPHeaders=[]
    TCP Socket Probe: N/A
    $ -a foo healthchecks:set liveness exec --type web -- test -f /x
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: Command=[test -f /x]
    HTTP GET Probe: N/A
    TCP Socket Probe: N/A

    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:set readiness exec --type web -- true
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: Command=[test -f /x]
    HTTP GET Probe: N/A
    TCP Socket Probe: N/A

    --- Readiness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: Command=[true]
    HTTP GET Probe: N/A
    TCP Socket Probe: N/A
    $ -a foo healthchecks:set liveness tcpSocket 80
    Applying livenessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: N/A
    TCP Socket Probe: Port=80

    --- Readiness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: Path="/" Port=80 HTTPHeaders=[]
    TCP Socket Probe: N/A
    $ -a foo healthchecks:set readiness tcpSocket 80 --failure-threshold=9
    Applying readinessProbe healthcheck... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: N/A
    HTTP GET Probe: N/A
    TCP Socket Probe: Port=80

    --- Readiness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 9
    Exec Probe: N/A
    HTTP GET Probe: N/A
    TCP Socket Probe: Port=80
    $ -a foo healthchecks:set liveness tcpSocket 80 --success-threshold=2
    Applying livenessProbe healthcheck...
    ! Error: healthcheck: livenessProbe successThreshold can only be 1
    = 1
    $ -a foo healthchecks:list --type web
    === foo Healthchecks

    web:
    --- Liveness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: Command=[test -f /x]
    HTTP GET Probe: N/A
    TCP Socket Probe: N/A

    --- Readiness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 3
    Exec Probe: Command=[true]
    HTTP GET Probe: N/A
    TCP Socket Probe: N/A
    $ -a foo healthchecks:unset liveness readiness --type web
    Removing healthchecks... done

    === foo Healthchecks

    web:
    --- Liveness
    No liveness probe configured.

    --- Readiness
    No readiness probe configured.
    $ -a foo healthchecks:unset liveness
    Removing healthchecks... done

    === foo Healthchecks

    web/cmd:
    --- Liveness
    No liveness probe configured.

    --- Readiness
    Initial Delay (seconds): 50
    Timeout (seconds): 50
    Period (seconds): 10
    Success Threshold: 1
    Failure Threshold: 9
    Exec Probe: N/A
    HTTP GET Probe: N/A
    TCP Socket Probe: Port=80
    $ -a foo healthchecks:unset liveness
    Removing healthchecks...
    ! Error: Unable to process your request: livenessProbe does not exist under healthcheck
    = 1
    "##);
}
