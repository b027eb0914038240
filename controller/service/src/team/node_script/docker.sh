#!/bin/sh
# Joins the Docker or Podman of this machine to Slipway: makes certificates, has a container pass on to the engine's
# socket what comes with one of them, and tells Slipway how the engine is reached. SLIPWAY_ADDRESS names this machine as
# Slipway reaches it (default: its first address), SLIPWAY_PORT the port (default 2376).
set -eu

join_url=@JOIN_URL@
secret=@SECRET@
root=@ROOT_PATH@
image=docker.io/alpine/socat:1.8.0.3

fail() {
    echo "slipway: $1" >&2
    exit 1
}
command -v curl >/dev/null || fail "curl is not installed"
command -v openssl >/dev/null || fail "openssl is not installed"
if command -v docker >/dev/null; then
    engine=docker
    socket=${SLIPWAY_SOCKET:-/var/run/docker.sock}
elif command -v podman >/dev/null; then
    engine=podman
    socket=${SLIPWAY_SOCKET:-/run/podman/podman.sock}
else
    fail "neither docker nor podman is installed"
fi
[ -S "$socket" ] || fail "there is no socket at $socket"
port=${SLIPWAY_PORT:-2376}
address=${SLIPWAY_ADDRESS:-$(hostname -I 2>/dev/null | cut -d ' ' -f 1)}
[ -n "$address" ] || fail "the address of this machine is not known: set SLIPWAY_ADDRESS"
case $address in
    *[!A-Za-z0-9.:-]*) fail "the address of this machine is not one: $address" ;;
    *[!0-9.]*) name="DNS:$address" ;;
    *) name="IP:$address" ;;
esac

umask 077
mkdir -p "$root/tls"
cd "$root/tls"
openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj /CN=slipway-node-ca -keyout ca-key.pem -out ca.pem 2>/dev/null
certificate() {
    openssl req -newkey rsa:3072 -nodes -subj "/CN=slipway-node-$1" -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$2" "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 -extfile "$1.ext" \
        -out "$1.pem" 2>/dev/null
}
certificate server "$name" serverAuth
certificate client DNS:slipway clientAuth
rm -f ca-key.pem ./*.csr ./*.ext

"$engine" rm -f slipway-node >/dev/null 2>&1 || true
"$engine" run -d --name slipway-node --restart always -p "$port:2376" \
    -v "$socket:/engine.sock" -v "$root/tls/server.pem:/server.pem:ro" -v "$root/tls/server-key.pem:/server-key.pem:ro" \
    -v "$root/tls/ca.pem:/ca.pem:ro" "$image" \
    OPENSSL-LISTEN:2376,fork,reuseaddr,cert=/server.pem,key=/server-key.pem,cafile=/ca.pem,verify=1 \
    UNIX-CONNECT:/engine.sock >/dev/null

line() {
    awk '{ printf "%s\\n", $0 }' "$1"
}
# By standard input, since arguments are for all to see.
printf '{"secret":"%s","address":"tcp://%s:%s","certificateAuthority":"%s","certificate":"%s","clientKey":"%s"}' \
    "$secret" "$address" "$port" "$(line ca.pem)" "$(line client.pem)" "$(line client-key.pem)" |
    curl -sS --fail-with-body -X POST -H 'content-type: application/json' --data-binary @- "$join_url" ||
    fail "Slipway did not take the engine"
rm -f client-key.pem
echo "slipway: the engine has joined"
