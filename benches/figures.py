#!/usr/bin/env python3
"""The figures of flux-image, side by side with their peers.

    cargo build --release
    python3 benches/figures.py [--binary PATH] [--runs N] [--dir DIR] [NAME…]

NAME is one of: update, fn, start. DIR should be on tmpfs (default /dev/shm where
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


def update(binary, work, runs):
    """An update of 4,400 markers in 10,000 files against `cp -r`; a second run,
    which changes nothing, against grep for the token."""
    pristine = work / "tree"
    subprocess.run([sys.executable, HERE / "gen_repo.py", pristine, "2000"],
                   check=True, stdout=subprocess.DEVNULL)
    policies = f"{pristine}.policies.yaml"
    copies, firsts, seconds, greps, automated = [], [], [], [], []
    for _ in range(runs):
        target = work / "copy"
        shutil.rmtree(target, ignore_errors=True)
        copies.append(Run(["cp", "-r", pristine, target]))
        firsts.append(Run([binary, "update", target, "--policies", policies]))
        seconds.append(Run([binary, "update", target, "--policies", policies]))
        greps.append(Run(["grep", "-rlF", '"$imagepolicy"', target]))
        # The same by an automation, with a message of all changes.
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(pristine, target)
        (target / "automation.yaml").write_text(AUTOMATION)
        automated.append(Run(
            [binary, "update", "--policies", policies, "--message-file", work / "message"],
            cwd=target))
    show("update, 4,400 changes", firsts, "cp -r", copies, "1.5")
    show("update, automation, message", automated, "cp -r", copies, "none")
    show("update, nothing to change", seconds, "grep -rlF", greps, "5")


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
    print(f"{'fn, ResourceList':28} {seconds * 1000:8.1f} ms  {size / 1e6 / seconds:.1f} MB/s (goal 40)  "
          f"cat {median(peers) * 1000:.1f} ms  peak {peak / size:.2f} × input (goal 3)")


def start(binary, _work, runs):
    """Starting: `--version` against `true`."""
    ours, peers = [], []
    for _ in range(runs * 3):
        ours.append(Run([binary, "--version"]))
        peers.append(Run(["true"]))
    show("--version", ours, "true", peers, "5 ms")
    print(f"{'binary':28} {os.path.getsize(binary) / 1e6:8.2f} MB (goal 8)")


BENCHMARKS = {"update": update, "fn": function, "start": start}


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
