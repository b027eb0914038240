#!/bin/sh
# Joins the cluster of kubectl's current context to Slipway: makes an account with the rights that containers of teams
# take, and tells Slipway how the cluster is reached. SLIPWAY_SERVER names the API server where its address is another
# one from outside.
set -eu

join_url=@JOIN_URL@
secret=@SECRET@
namespace=slipway-node

fail() {
    echo "slipway: $1" >&2
    exit 1
}
command -v kubectl >/dev/null || fail "kubectl is not installed"
command -v curl >/dev/null || fail "curl is not installed"

kubectl apply -f - <<'MANIFEST'
apiVersion: v1
kind: Namespace
metadata:
  name: slipway-node
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: slipway-node
  namespace: slipway-node
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: slipway-node
rules:
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get, create, patch, delete]
  - apiGroups: [""]
    resources: [configmaps, secrets, persistentvolumeclaims]
    verbs: [get, create, patch, delete]
  - apiGroups: [""]
    resources: [services]
    verbs: [get, list, create, patch, delete]
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, watch]
  - apiGroups: [""]
    resources: [pods/log]
    verbs: [get]
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, list, create, patch, delete]
  - apiGroups: [networking.k8s.io]
    resources: [ingresses]
    verbs: [get, create, patch, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: slipway-node
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: slipway-node
subjects:
  - kind: ServiceAccount
    name: slipway-node
    namespace: slipway-node
---
apiVersion: v1
kind: Secret
metadata:
  name: slipway-node-token
  namespace: slipway-node
  annotations:
    kubernetes.io/service-account.name: slipway-node
type: kubernetes.io/service-account-token
MANIFEST

read_secret() {
    kubectl -n "$namespace" get secret slipway-node-token -o "jsonpath={.data.$1}"
}
tries=0
token=
while [ -z "$token" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 30 ] || fail "the cluster made no token"
    token=$(read_secret token)
    [ -n "$token" ] || sleep 1
done
authority=$(read_secret 'ca\.crt')
server=${SLIPWAY_SERVER:-$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')}
case $server in
    *[!A-Za-z0-9.:/_~%\[\]-]*) fail "the address of the API server is not one: $server" ;;
esac

# By standard input, since arguments are for all to see.
printf '{"secret":"%s","server":"%s","certificateAuthority":"%s","token":"%s"}' "$secret" "$server" "$authority" "$token" |
    curl -sS --fail-with-body -X POST -H 'content-type: application/json' --data-binary @- "$join_url" ||
    fail "Slipway did not take the cluster"
echo "slipway: the cluster has joined"
