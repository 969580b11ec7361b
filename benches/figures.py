#!/usr/bin/env python3
"""The figures of flux-image, side by side with their peers.

    cargo build --release
    python3 benches/figures.py [--binary PATH] [--runs N] [--dir DIR] [NAME…]

NAME is one of: update, automations, bindings, calls, fn, insight, start. DIR should be on tmpfs (default /dev/shm where
it exists). Every figure is a median of interleaved runs, printed as a ratio to
its peer, with the peak memory that the kernel reports for the process.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


class Run:
    """Seconds and peak KiB of one process."""

    def __init__(self, command, stdin=None, codes=(0,), cwd=None):
        source = open(stdin, "rb") if stdin else subprocess.DEVNULL
        begin = time.perf_counter()
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd)
        _, status, usage = os.wait4(child.pid, 0)
        self.seconds = time.perf_counter() - begin
        self.peak = usage.ru_maxrss
        code = os.waitstatus_to_exitcode(status)
        child.returncode = code
        if code not in codes:
            sys.exit(f"{command[0]} ended with {code}")


def median(runs):
    return statistics.median(run.seconds for run in runs)


def show(name, runs, peer_name, peers, goal):
    ours, theirs = median(runs), median(peers)
    peak = max(run.peak for run in runs) / 1024
    print(f"{name:28} {ours * 1000:8.1f} ms  {peer_name} {theirs * 1000:.1f} ms  "
          f"ratio {ours / theirs:.2f} (goal {goal})  peak {peak:.1f} MiB")


AUTOMATION = """apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  interval: 1h
  sourceRef: {kind: GitRepository, name: fleet}
  git:
    commit:
      author: {email: bot@acme.example}
      messageTemplate: |
        {{ range $file, $_ := .Changed.FileChanges }}- {{ $file }}
        {{ end }}
        {{ range $object, $changes := .Changed.Objects }}- {{ $object.Kind }} {{ $object.Name }}
        {{ range $changes }}  {{ .OldValue | regexReplaceAll ".*:" "" }} -> {{ .NewValue }}
        {{ end }}{{ end }}
    push: {branch: "updates/{{ isoWeek }}"}
  update: {path: ., strategy: Setters}
"""


def tree_of(work):
    """A tree of 10,000 files with 4,400 markers that are outdated, and its policies."""
    pristine = work / "tree"
    if not pristine.exists():
        subprocess.run([sys.executable, HERE / "gen_repo.py", pristine, "2000"],
                       check=True, stdout=subprocess.DEVNULL)
    return pristine, pathlib.Path(f"{pristine}.policies.yaml")


def fresh(pristine, work):
    """A copy of a tree, which nobody has edited."""
    target = work / "copy"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(pristine, target)
    return target


def update(binary, work, runs):
    """An update of 4,400 markers in 10,000 files against `cp -r`; a second run,
    which changes nothing, against grep for the token."""
    pristine, policies = tree_of(work)
    copies, firsts, seconds, greps, automated, told = [], [], [], [], [], []
    by_automation = [binary, "update", "--policies", policies]
    for _ in range(runs):
        target = work / "copy"
        shutil.rmtree(target, ignore_errors=True)
        copies.append(Run(["cp", "-r", pristine, target]))
        firsts.append(Run([binary, "update", target, "--policies", policies]))
        seconds.append(Run([binary, "update", target, "--policies", policies]))
        greps.append(Run(["grep", "-rlF", '"$imagepolicy"', target]))
        for results, more in [(automated, []), (told, ["--message-file", work / "message"])]:
            target = fresh(pristine, work)
            (target / "automation.yaml").write_text(AUTOMATION)
            results.append(Run(by_automation + more, cwd=target))
    show("update, by PATH", firsts, "cp -r", copies, "1.0, peak 32")
    show("update, by automation", automated, "cp -r", copies, "1.1")
    show("the same, with a message", told, "cp -r", copies, "none")
    show("update, nothing to change", seconds, "grep -rlF", greps, "2")


def automations(binary, work, runs):
    """40 automations, of disjoint paths and of one, against one automation."""
    pristine, policies = tree_of(work)

    def many(paths):
        texts = [AUTOMATION.replace("name: all", f"name: a{number:02}").replace("path: .", f"path: {path}")
                 for number, path in enumerate(paths)]
        return "---\n".join(texts)

    kinds = {"one": AUTOMATION, "disjoint": many(f"team-{n:02}" for n in range(40)), "same": many(["."] * 40)}
    results = {kind: [] for kind in kinds}
    for _ in range(runs):
        for kind, text in kinds.items():
            target = fresh(pristine, work)
            (target / "automation.yaml").write_text(text)
            results[kind].append(Run([binary, "update", "--policies", policies], cwd=target))
    show("40 automations, disjoint", results["disjoint"], "one", results["one"], "1.2")
    show("40 automations, one path", results["same"], "one", results["one"], "1.2")


IF_NOT_PRESENT = """---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: pinned, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app-00000}
  policy: {semver: {range: ">=1.0.0"}}
  digestReflectionPolicy: IfNotPresent
status:
  latestRef: {name: ghcr.io/example/app-00000, tag: 1.0.0}
"""


def bindings(binary, work, runs):
    """An `IfNotPresent` policy, `--bind images`, and both, against the plain run."""
    pristine, policies = tree_of(work)
    pinned = work / "pinned.yaml"
    pinned.write_text(policies.read_text() + IF_NOT_PRESENT)
    kinds = {"plain": [policies], "IfNotPresent": [pinned], "images": [policies, "--bind", "images"],
             "both": [pinned, "--bind", "images"]}
    results = {kind: [] for kind in kinds}
    for _ in range(runs):
        for kind, more in kinds.items():
            target = fresh(pristine, work)
            # With two policies on a repository some images are an error, which is said.
            run = Run([binary, "update", target, "--policies", *more], codes=(0, 2))
            results[kind].append(run)
    for kind, goal in [("IfNotPresent", "1.3"), ("images", "1.6"), ("both", "1.7")]:
        show(f"update, {kind}", results[kind], "plain", results["plain"], goal)


def calls(binary, work, _runs):
    """System calls of an update of 10,000 files, as strace counts them."""
    pristine, policies = tree_of(work)
    if not shutil.which("strace"):
        print("SKIPPED calls: no strace")
        return
    counts = work / "calls"
    subprocess.run(["strace", "-f", "-c", "-o", counts, binary, "update", fresh(pristine, work),
                    "--policies", policies], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = [line.split() for line in counts.read_text().splitlines()]
    rows = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
    stats = sum(rows.get(name, 0) for name in ("statx", "newfstatat", "fstat", "lstat"))
    print(f"{'stat, 10,000 files':28} {stats} (goal 25000)  write {rows.get('write')}  "
          f"all {rows.get('total')}")


def item(index, marked):
    marker = f' # {{"$imagepolicy": "flux-system:app-{index % 500:05}"}}' if marked else ""
    return f"""- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: app-{index}
    namespace: team-{index % 40}
    annotations:
      config.kubernetes.io/index: '0'
      config.kubernetes.io/path: 'team-{index % 40}/app-{index}.yaml'
    labels: {{app: app-{index}, tier: backend}}
  spec:
    replicas: 2
    # how many may be gone at once
    strategy:
      rollingUpdate:
        maxUnavailable: 1
    template:
      spec:
        containers:
        - name: app
          image: ghcr.io/example/app-{index % 500:05}:1.0.{index % 30}{marker}
          args: ["--listen=:8080", '--log=json', --name=app-{index}]
          env:
          - name: POD_NAME
            valueFrom:
              fieldRef:
                fieldPath: metadata.name
          - name: MESSAGE
            value: "a longer text with \\"quotes\\" in it, and some more words"
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits:
              memory: 512Mi
"""


def policy(index):
    return f"""- apiVersion: image.toolkit.fluxcd.io/v1
  kind: ImagePolicy
  metadata:
    name: app-{index:05}
    namespace: flux-system
  spec:
    imageRepositoryRef:
      name: app-{index:05}
    policy:
      semver:
        range: '>=1.0.0'
  status:
    latestRef:
      name: ghcr.io/example/app-{index:05}
      tag: 2.{index}.0
"""


def function(binary, work, runs):
    """A ResourceList of 50 MB, one item in twenty marked, against `cat`."""
    path = work / "list.yaml"
    with open(path, "w") as out:
        out.write("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n")
        for index in range(500):
            out.write(policy(index))
        index = 0
        while out.tell() < 50_000_000:
            out.write(item(index, index % 20 == 0))
            index += 1
    size = path.stat().st_size
    ours, peers = [], []
    for _ in range(runs):
        ours.append(Run([binary, "fn"], stdin=path))
        peers.append(Run(["cat"], stdin=path))
    seconds, peak = median(ours), max(run.peak for run in ours) * 1024
    print(f"{'fn, ResourceList':28} {seconds * 1000:8.1f} ms  {size / 1e6 / seconds:.1f} MB/s (goal 100)  "
          f"cat {median(peers) * 1000:.1f} ms  peak {peak / size:.2f} × input (goal 1.5)")


def insight(binary, work, runs):
    """`lint` and `coverage` of 10,000 files against an update by automation that changes
    nothing."""
    pristine, policies = tree_of(work)
    target = fresh(pristine, work)
    (target / "automation.yaml").write_text(AUTOMATION)
    command = [binary, "update", "--policies", policies]
    Run(command, cwd=target)
    updates, lints, coverages = [], [], []
    for _ in range(runs):
        updates.append(Run(command, cwd=target))
        lints.append(Run([binary, "lint", "--offline", "--policies", policies], codes=(0, 1), cwd=target))
        coverages.append(Run([binary, "coverage", "--offline", "--policies", policies], cwd=target))
    show("lint", lints, "update, no change", updates, "1.5")
    show("coverage", coverages, "update, no change", updates, "2")


def start(binary, _work, runs):
    """Starting: `--version` against `true`."""
    ours, peers = [], []
    for _ in range(runs * 3):
        ours.append(Run([binary, "--version"]))
        peers.append(Run(["true"]))
    show("--version", ours, "true", peers, "5 ms")
    print(f"{'binary':28} {os.path.getsize(binary) / 1e6:8.2f} MB (goal 16)")


BENCHMARKS = {"update": update, "automations": automations, "bindings": bindings, "calls": calls,
              "fn": function, "insight": insight, "start": start}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default=HERE.parent / "target/release/flux-image")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--dir", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []])
    options = parser.parse_args()
    binary = pathlib.Path(options.binary).resolve()
    with tempfile.TemporaryDirectory(dir=options.dir) as work:
        for name in options.names or BENCHMARKS:
            BENCHMARKS[name](binary, pathlib.Path(work), options.runs)


if __name__ == "__main__":
    main()
