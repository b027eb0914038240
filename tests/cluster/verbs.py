"""Compares what the platform's roles allow with what its parts asked of the API server.

usage: verbs.py ROLES LOG      ROLES: `kubectl get clusterroles,roles -A -l app.kubernetes.io/part-of=slipway -o json`
                               LOG: what recorder.py wrote

Fails when a role allows what was never used, and when something was asked that no role allows. There are no exceptions: what
only other clusters need, the chart allows on those alone.
"""
import json
import sys
from urllib.parse import parse_qs, urlsplit


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
    unused = sorted(allowed - asked)
    missing = sorted(asked - allowed)
    for part, group, resource, verb in unused:
        print(f"verbs: {part} may {verb} {resource} ({group or 'core'}), and never did")
    for part, group, resource, verb in missing:
        print(f"verbs: {part} asked to {verb} {resource} ({group or 'core'}), which no role allows")
    if unused or missing:
        sys.exit(1)
    print(f"verbs: all {len(allowed)} rights of the platform's roles were used")


if __name__ == "__main__":
    main()
