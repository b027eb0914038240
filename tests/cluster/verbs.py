"""Compares what the platform's roles allow with what its parts asked of the API server.

usage: verbs.py ROLES LOG      ROLES: `kubectl get clusterroles,roles -A -l app.kubernetes.io/part-of=slipway -o json`
                               LOG: what recorder.py wrote

Fails when a role allows what was never used and is not excused below, and when something was asked that no role allows.
"""
import json
import sys
from urllib.parse import parse_qs, urlsplit

# (part, group, resource, verb): needed where the suite's cluster cannot show it.
ELSEWHERE = {
    ("controller", "", "pods/attach", "create"): "servers from 1.35 on ask for it when a WebSocket is opened, besides get",
    ("controller", "", "pods/exec", "create"): "servers from 1.35 on ask for it when a WebSocket is opened, besides get",
    ("controller", "metrics.k8s.io", "pods", "get"): "a lab serves no metrics",
    ("controller", "metrics.k8s.io", "nodes", "get"): "a lab serves no metrics",
} | {
    ("controller", group, resource, verb): "containers of teams, which the tests of controller/cluster run"
    for group, resource in (("", "configmaps"), ("networking.k8s.io", "ingresses"))
    for verb in ("get", "create", "patch", "delete")
}


def granted(roles):
    for role in roles["items"]:
        part = role["metadata"]["labels"]["app.kubernetes.io/component"]
        for rule in role.get("rules") or ():
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        yield part, group, resource, verb


def used(lines):
    applied = set()
    for line in lines:
        request = json.loads(line)
        who = request["who"] or ""
        url = urlsplit(request["path"])
        steps = [step for step in url.path.split("/") if step]
        query = parse_qs(url.query)
        if steps[:1] == ["api"] and len(steps) > 2:
            group, steps = "", steps[2:]
        elif steps[:1] == ["apis"] and len(steps) > 3:
            group, steps = steps[1], steps[3:]
        else:
            continue  # discovery, which everybody may read
        if steps[0] == "namespaces" and len(steps) > 2:
            steps = steps[2:]
        resource, name = steps[0], steps[1] if len(steps) > 1 else None
        if len(steps) > 2:
            resource += "/" + steps[2]
        part = who.rsplit("-", 1)[-1]
        method = request["method"]
        if method == "GET":
            is_watch = query.get("watch", ["0"])[0] in ("1", "true")
            verb = "get" if name else "watch" if is_watch else "list"
        else:
            verb = {"POST": "create", "PUT": "update", "PATCH": "patch",
                    "DELETE": "delete" if name else "deletecollection"}[method]
        yield part, group, resource, verb
        # Applying what is not there needs the right to create.
        if verb == "patch" and "apply-patch" in request["type"] and (part, url.path) not in applied:
            applied.add((part, url.path))
            yield part, group, resource, "create"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        allowed = set(granted(json.load(file)))
    with open(sys.argv[2], encoding="utf-8") as file:
        asked = set(used(file))
    if not asked:
        sys.exit("verbs: nothing was recorded")
    unused = sorted(allowed - asked - set(ELSEWHERE))
    missing = sorted(asked - allowed)
    for part, group, resource, verb in unused:
        print(f"verbs: {part} may {verb} {resource} ({group or 'core'}), and never did")
    for part, group, resource, verb in missing:
        print(f"verbs: {part} asked to {verb} {resource} ({group or 'core'}), which no role allows")
    # An excuse that is not true any more is none.
    stale = sorted(set(ELSEWHERE) - (allowed - asked))
    for part, group, resource, verb in stale:
        print(f"verbs: {part} need not be excused: {verb} {resource} ({group or 'core'})")
    if unused or missing or stale:
        sys.exit(1)
    print(f"verbs: all {len(allowed)} rights of the platform's roles were used, but for the {len(ELSEWHERE)} excused")


if __name__ == "__main__":
    main()
