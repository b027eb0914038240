# Joins the Docker or Podman of this machine to Slipway: makes certificates, has a container pass on to the engine's
# socket what comes with one of them, and tells Slipway how the engine is reached. SLIPWAY_ADDRESS names this machine as
# Slipway reaches it (default: its first address), SLIPWAY_PORT the port (default 2376), SLIPWAY_SOCKET the engine's
# socket. Works with Windows PowerShell 5.1 and with PowerShell 7.
& {
    # It may be evaluated in somebody's own session: nothing of it stays there, and nothing here ends that.
    Set-StrictMode -Version 2.0
    $ErrorActionPreference = 'Stop'

    $joinUrl = @JOIN_URL@
    $secret = @SECRET@
    $root = @ROOT_PATH@
    $image = 'docker.io/alpine/socat:1.8.0.3'
    $onWindows = [Environment]::OSVersion.Platform -eq 'Win32NT'

    function Find-Program([string] $Name) {
        Get-Command $Name -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1 |
            ForEach-Object { $_.Path }
    }

    function Invoke-Program([string] $Program, [string[]] $Arguments) {
        # What programs say on stderr is no failure; their exit code is.
        $ErrorActionPreference = 'Continue'
        $said = & $Program @Arguments 2>&1
        if ($LASTEXITCODE -ne 0) {
            throw "slipway: $Program failed: $said"
        }
    }

    $openssl = Find-Program 'openssl'
    if (-not $openssl -and $onWindows) {
        # Git for Windows brings one.
        $openssl = Join-Path $env:ProgramFiles 'Git\usr\bin\openssl.exe'
        if (-not (Test-Path -LiteralPath $openssl)) { $openssl = $null }
    }
    if (-not $openssl) { throw 'slipway: openssl is not installed' }
    $engine = Find-Program 'docker'
    $socket = '/var/run/docker.sock'
    if (-not $engine) {
        $engine = Find-Program 'podman'
        $socket = '/run/podman/podman.sock'
    }
    if (-not $engine) { throw 'slipway: neither docker nor podman is installed' }
    if ($env:SLIPWAY_SOCKET) { $socket = $env:SLIPWAY_SOCKET }
    # On Windows it is in the engine's own machine.
    if (-not $onWindows -and -not (Test-Path -LiteralPath $socket)) { throw "slipway: there is no socket at $socket" }

    $port = if ($env:SLIPWAY_PORT) { $env:SLIPWAY_PORT } else { '2376' }
    if ($port -notmatch '\A[0-9]{1,5}\z') { throw "slipway: the port is none: $port" }
    $address = $env:SLIPWAY_ADDRESS
    if (-not $address) {
        $address = [Net.Dns]::GetHostAddresses([Net.Dns]::GetHostName()) |
            Where-Object { $_.AddressFamily -eq 'InterNetwork' -and -not [Net.IPAddress]::IsLoopback($_) } |
            Select-Object -First 1 | ForEach-Object { $_.ToString() }
    }
    if (-not $address) { throw 'slipway: the address of this machine is not known: set SLIPWAY_ADDRESS' }
    if ($address -notmatch '\A[A-Za-z0-9.:-]+\z') { throw "slipway: the address of this machine is not one: $address" }
    $subject = if ($address -match '\A[0-9.]+\z') { "IP:$address" } else { "DNS:$address" }

    if (-not $root) { $root = Join-Path ([Environment]::GetFolderPath('LocalApplicationData')) 'slipway-node' }
    $tls = [IO.Directory]::CreateDirectory([IO.Path]::Combine($root, 'tls')).FullName
    if ($onWindows) {
        $user = [Security.Principal.WindowsIdentity]::GetCurrent().Name
        $rights = @("${user}:(OI)(CI)F", '*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F')
        Invoke-Program 'icacls.exe' (@($tls, '/inheritance:r', '/grant:r') + $rights)
    } else {
        Invoke-Program 'chmod' @('700', $tls)
    }

    function New-Certificate([string] $Name, [string] $Subject, [string] $Usage) {
        Invoke-Program $openssl @('req', '-newkey', 'rsa:3072', '-nodes', '-subj', "/CN=slipway-node-$Name",
            '-keyout', "$Name-key.pem", '-out', "$Name.csr")
        $extensions = "subjectAltName=$Subject`nextendedKeyUsage=$Usage`n"
        [IO.File]::WriteAllText([IO.Path]::Combine($tls, "$Name.ext"), $extensions)
        Invoke-Program $openssl @('x509', '-req', '-in', "$Name.csr", '-CA', 'ca.pem', '-CAkey', 'ca-key.pem',
            '-CAcreateserial', '-days', '3650', '-extfile', "$Name.ext", '-out', "$Name.pem")
    }

    Push-Location -LiteralPath $tls
    try {
        Invoke-Program $openssl @('req', '-x509', '-newkey', 'rsa:3072', '-nodes', '-days', '3650',
            '-subj', '/CN=slipway-node-ca', '-keyout', 'ca-key.pem', '-out', 'ca.pem')
        New-Certificate 'server' $subject 'serverAuth'
        New-Certificate 'client' 'DNS:slipway' 'clientAuth'

        # One of an earlier run.
        try { Invoke-Program $engine @('rm', '-f', 'slipway-node') } catch { $null = $_ }
        Invoke-Program $engine @('run', '-d', '--name', 'slipway-node', '--restart', 'always', '-p', "${port}:2376",
            '-v', "${socket}:/engine.sock",
            '-v', "$([IO.Path]::Combine($tls, 'server.pem')):/server.pem:ro",
            '-v', "$([IO.Path]::Combine($tls, 'server-key.pem')):/server-key.pem:ro",
            '-v', "$([IO.Path]::Combine($tls, 'ca.pem')):/ca.pem:ro",
            $image,
            'OPENSSL-LISTEN:2376,fork,reuseaddr,cert=/server.pem,key=/server-key.pem,cafile=/ca.pem,verify=1',
            'UNIX-CONNECT:/engine.sock')

        $read = { param([string] $Name) [IO.File]::ReadAllText([IO.Path]::Combine($tls, $Name)) }
        $body = ConvertTo-Json -Compress -InputObject @{
            secret = $secret
            address = "tcp://${address}:$port"
            certificateAuthority = & $read 'ca.pem'
            certificate = & $read 'client.pem'
            clientKey = & $read 'client-key.pem'
        }
        # Older systems would not offer it by themselves.
        [Net.ServicePointManager]::SecurityProtocol =
            [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        $null = Invoke-RestMethod -UseBasicParsing -Method Post -Uri $joinUrl -ContentType 'application/json' -Body $body
    } finally {
        foreach ($name in 'ca-key.pem', 'client-key.pem', 'ca.srl', 'server.csr', 'client.csr', 'server.ext', 'client.ext') {
            Remove-Item -LiteralPath ([IO.Path]::Combine($tls, $name)) -Force -ErrorAction SilentlyContinue
        }
        Pop-Location
    }
    'slipway: the engine has joined'
}
