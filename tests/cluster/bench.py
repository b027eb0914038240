"""Measures what is promised for clusters, on the platform that tests/cluster/run installed. Prints ratios and sizes.

usage: bench.py SLIPWAY_BINARY     (the variables of tests/cluster/run say where the platform is)

  BENCH_APPS   apps of the memory measurement (default 200)
  BENCH_ROUNDS changes that are timed (default 5)
"""
import concurrent.futures
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

SLIPWAY = sys.argv[1]
HOME = tempfile.mkdtemp(prefix="slipway-bench-")
ENV = dict(os.environ, HOME=HOME, XDG_CONFIG_HOME=HOME, GIT_CONFIG_GLOBAL="/dev/null", KUBECONFIG=os.environ["SLIPWAY_TEST_KUBECONFIG"])
API = "http://" + os.environ["SLIPWAY_TEST_API"]
IMAGE = os.environ["SLIPWAY_TEST_REGISTRY"] + "/base/busybox:1"
SERVE = "web: echo ok >/tmp/index.html; httpd -f -p $PORT -h /tmp & trap 'kill $!; exit 0' TERM; wait"
NAME = f"bench-{int(time.time()) % 1000000}"
failed = []


def run(*argv, check=True, cwd=None, quiet=True):
    result = subprocess.run(argv, env=ENV, cwd=cwd, text=True, capture_output=quiet)
    if check and result.returncode != 0:
        sys.exit(f"{' '.join(argv)}: {result.stdout}{result.stderr}")
    return result.stdout


def slipway(*argv, **options):
    return run(SLIPWAY, *argv, **options)


def kubectl(*argv, **options):
    return run("kubectl", *argv, **options)


def tell(what, value, limit, unit=""):
    fine = value <= limit
    print(f"{what}: {value:.2f}{unit} (at most {limit}{unit}){'' if fine else '  MISSED'}", flush=True)
    if not fine:
        failed.append(what)


def app(name):
    slipway("create", name, "--no-remote")
    slipway("config:set", "PORT=8000", "-a", name)
    slipway("pull", IMAGE, "-a", name, "--procfile", SERVE)


def changes():
    """A change of the configuration, and kubectl doing the same to a copy of the Deployment."""
    app(NAME)
    found = json.loads(kubectl("-n", NAME, "get", "deployment", f"{NAME}-web", "-o", "json"))
    labels = {"bench": "copy"}
    spec = found["spec"]
    spec["selector"] = {"matchLabels": labels}
    spec["template"]["metadata"] = {"labels": labels}
    copy = {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "copy", "namespace": NAME}, "spec": spec}
    path = os.path.join(HOME, "copy.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(copy, file)
    kubectl("apply", "-f", path)
    kubectl("-n", NAME, "rollout", "status", "deployment/copy", "--timeout=60s")
    ours, theirs = [], []
    for number in range(int(os.environ.get("BENCH_ROUNDS", "5"))):
        # One after the other, so that neither has the machine's better minute.
        start = time.monotonic()
        slipway("config:set", f"NUMBER={number}", "-a", NAME)
        ours.append(time.monotonic() - start)
        start = time.monotonic()
        kubectl("-n", NAME, "set", "env", "deployment/copy", f"NUMBER={number}")
        kubectl("-n", NAME, "rollout", "status", "deployment/copy", "--timeout=60s")
        theirs.append(time.monotonic() - start)
    kubectl("-n", NAME, "delete", "deployment", "copy")
    slipway("destroy", "-a", NAME, f"--confirm={NAME}", check=False)
    print(f"config:set {statistics.median(ours):.2f} s, kubectl {statistics.median(theirs):.2f} s")
    tell("config change / kubectl set env and rollout status", statistics.median(ours) / statistics.median(theirs), 1.3)


def started():
    """The start of a team's deployment of ten images, and kubectl doing the same from the same objects."""
    team, images = f"b{NAME[6:]}", 10
    slipway("teams:create", f"Team {NAME}", "--slug", team)
    ENV["SLIPWAY_TEAM"] = team
    registry, path = os.environ["SLIPWAY_TEST_REGISTRY"], os.path.join(HOME, "image.json")
    slipway("registries:add", "lab", "--type", "unchecked", "--url", registry)
    slipway("projects:create", "ten")
    slipway("images:add", "ten", *[IMAGE.removeprefix(registry + "/")] * images, "--registry", "lab")
    for number, image in enumerate(json.loads(slipway("images:list", "ten", "--json"))):
        config = {"name": f"part-{number}", "ports": [{"internal": 8000}], "commands": [{"key": "httpd"}],
                  "args": [{"key": word} for word in ("-f", "-p", "8000")]}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        slipway("images:config:set", "ten", image["id"], path)
    node = next(node["name"] for node in json.loads(slipway("nodes:list", "--json")) if node["name"] == "Platform")
    ours, theirs = [], []
    for number in range(int(os.environ.get("BENCH_ROUNDS", "5"))):
        prefix, copy = f"{NAME}-t{number}", f"{NAME}-c{number}"
        slipway("deployments:create", "ten", "--node", node, "--prefix", prefix)
        start = time.monotonic()
        slipway("deployments:start", prefix)
        ours.append(time.monotonic() - start)
        objects = json.loads(kubectl("-n", prefix, "get", "configmap,secret,service,deployment", "-l",
                                     "app.kubernetes.io/managed-by", "-o", "json"))["items"]
        for item in objects:
            kept = ("name", "labels", "annotations")
            item["metadata"] = {key: value for key, value in item["metadata"].items() if key in kept}
            item.pop("status", None)
            for field in ("clusterIP", "clusterIPs"):
                item.get("spec", {}).pop(field, None)
        deployments = [item["metadata"]["name"] for item in objects if item["kind"] == "Deployment"]
        if len(deployments) != images:
            sys.exit(f"{len(deployments)} Deployments instead of {images} in {prefix}")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, file)
        start = time.monotonic()
        kubectl("create", "namespace", copy)
        kubectl("-n", copy, "apply", "-f", path)
        for name in deployments:
            kubectl("-n", copy, "rollout", "status", f"deployment/{name}", "--timeout=60s")
        theirs.append(time.monotonic() - start)
        kubectl("delete", "namespace", copy)
        slipway("nodes:containers:clear", node, prefix, "--confirm", prefix)
        slipway("deployments:remove", prefix)
    print(f"deployments:start {statistics.median(ours):.2f} s, kubectl {statistics.median(theirs):.2f} s")
    tell("start of ten images / kubectl apply and rollout status", statistics.median(ours) / statistics.median(theirs), 1.3)


def uploaded():
    """Bytes that were sent to the registry so far."""
    total = 0
    with open(os.environ["SLIPWAY_TEST_REGISTRY_LOG"], encoding="utf-8") as file:
        for line in file:
            request = json.loads(line)
            if request["method"] in ("PUT", "PATCH", "POST"):
                total += request["bytes"]
    return total


def layers():
    """What the second push of an app sends, when one small file was changed and a large one was not."""
    name = f"{NAME}-layers"
    repo = tempfile.mkdtemp(prefix="slipway-bench-repo-")
    for file, text in (("Procfile", "web: exec python3 -m http.server $PORT\n"), ("requirements.txt", "flask\n"),
                       ("small.txt", "one\n")):
        with open(os.path.join(repo, file), "w", encoding="utf-8") as out:
            out.write(text)
    git = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "-C", repo)
    run(*git, "init", "-q", "-b", "main")
    run(*git, "add", "-A")
    run(*git, "commit", "-q", "-m", "First")
    slipway("create", name, "--no-remote")
    slipway("git:remote", "-a", name, cwd=repo)
    before = uploaded()
    run(*git, "push", "slipway", "main")
    first = uploaded() - before
    with open(os.path.join(repo, "small.txt"), "w", encoding="utf-8") as out:
        out.write("two\n")
    run(*git, "commit", "-q", "-a", "-m", "Second")
    before = uploaded()
    run(*git, "push", "slipway", "main")
    second = uploaded() - before
    slipway("destroy", "-a", name, f"--confirm={name}", check=False)
    print(f"first push sent {first / 1024:.0f} KiB to the registry, a change of one file {second / 1024:.0f} KiB")
    tell("bytes of a one-file change / of the first push", second / first, 0.25)


def resident():
    """Largest resident memory of the controllers, in MiB."""
    largest = 0
    for path in glob.glob("/proc/[0-9]*/status"):
        try:
            if "slipway-controller" in os.readlink(os.path.dirname(path) + "/exe"):
                with open(path, encoding="utf-8") as file:
                    fields = dict(line.split(":", 1) for line in file if ":" in line)
                largest = max(largest, int(fields["VmRSS"].split()[0]) / 1024)
        except OSError:
            continue
    return largest


def memory():
    count = int(os.environ.get("BENCH_APPS", "200"))

    def one(number):
        name = f"{NAME}-m{number}"
        app(name)
        # So that they fit on one node.
        slipway("ps:scale", "web=0", "-a", name, check=False)
        return name

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        names = list(pool.map(one, range(count)))
        peak = resident()
        list(pool.map(lambda name: slipway("destroy", "-a", name, f"--confirm={name}", check=False), names))
    tell(f"memory of a controller with {count} apps", peak, 96, " MiB")


def main():
    slipway("register", API, "--username", NAME, "--password", NAME, "--email", f"{NAME}@example.com")
    key = os.path.join(HOME, "id_ed25519")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    slipway("keys:add", NAME, key + ".pub")
    ENV["GIT_SSH_COMMAND"] = (f"ssh -i {key} -o IdentitiesOnly=yes -o BatchMode=yes "
                              f"-o UserKnownHostsFile={HOME}/known -o StrictHostKeyChecking=accept-new")
    changes()
    started()
    if "SLIPWAY_TEST_REGISTRY_LOG" in os.environ:
        layers()
        memory()
    else:
        print("Not in the lab: what is sent to the registry and the controller's memory are not seen.")
    if failed:
        sys.exit(f"missed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
