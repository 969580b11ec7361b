#!/usr/bin/env python3
"""What the function adds to `kustomize build`, and what a container costs.

    cargo build --release
    python3 benches/kustomize.py [--binary PATH] [--kustomize PATH] [--runs N] [--static PATH]

1,000 Deployments go through `kustomize build` with no function, with one that echoes,
and with ours, in interleaved runs; medians, and what ours adds to the one that
echoes. With `--static` (a static binary of flux-image) and a Docker engine, also the
time of `docker run` of the function's image, beside one of an image with an empty
static program.
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENV = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DOCKER_BUILDKIT": "0",
       **{key: value for key, value in os.environ.items() if key == "DOCKER_HOST"}}

FLUX = """apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata:
  {name: app%d, namespace: flux-system, annotations: {config.kubernetes.io/local-config: "true"}}
spec: {image: ghcr.io/acme/app%d}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  {name: app%d, namespace: flux-system, annotations: {config.kubernetes.io/local-config: "true"}}
spec: {imageRepositoryRef: {name: app%d}, policy: {semver: {range: '>=1.0.0'}}}
---
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: app-%d, labels: {app: app-%d}}
spec:
  replicas: 2
  selector: {matchLabels: {app: app-%d}}
  template:
    metadata: {labels: {app: app-%d}}
    spec:
      initContainers:
      - {name: wait, image: "docker.io/library/busybox:1.36"}
      containers:
      - name: app
        image: ghcr.io/acme/app%d:1.0.0
        env: [{name: MODE, value: fast}]
        resources: {limits: {memory: 128Mi}}
---
"""
POLICIES = 50


def tree(folder, function):
    """A kustomization of 1,000 Deployments whose transformer runs `function`."""
    folder.mkdir()
    numbers = range(1000)
    deployments = "".join(DEPLOYMENT % (n, n, n, n, n % POLICIES) for n in numbers)
    flux = "".join(FLUX % (n, n, n, n) for n in range(POLICIES))
    tags = ", ".join(f"1.{minor}.0" for minor in range(100))
    images = "".join(f"  - {{image: ghcr.io/acme/app{n}, tags: [{tags}]}}\n" for n in range(POLICIES))
    (folder / "deploy.yaml").write_text(deployments)
    (folder / "flux.yaml").write_text(flux)
    (folder / "tags.yaml").write_text(
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata:\n  name: tags\n"
        "  annotations: {config.kubernetes.io/local-config: \"true\"}\nspec:\n  repositories:\n" + images)
    listed = "resources: [deploy.yaml, flux.yaml, tags.yaml]\n"
    if function:
        listed += "transformers: [update.yaml]\n"
        (folder / "update.yaml").write_text(
            "apiVersion: flux-image.dev/v1alpha1\nkind: ImageUpdate\nmetadata:\n  name: update\n  annotations:\n"
            f"    config.kubernetes.io/function: |\n      exec: {{path: {function}}}\nspec: {{bind: Images}}\n")
    (folder / "kustomization.yaml").write_text(listed)


def timed(command, stdin=None):
    begin = time.perf_counter()
    output = subprocess.run([str(word) for word in command], env=ENV, input=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - begin
    if output.returncode:
        sys.exit(output.stderr.decode())
    return seconds, output.stdout


def builds(args, work):
    echo = work / "echo.sh"
    echo.write_text("#!/bin/sh\nexec cat\n")
    echo.chmod(0o755)
    functions = {"no function": None, "one that echoes": echo, "flux-image": args.binary}
    seconds = {name: [] for name in functions}
    for number, (name, function) in enumerate(functions.items()):
        tree(work / f"tree{number}", function)
    for _ in range(args.runs):
        for number, name in enumerate(functions):
            command = [args.kustomize, "build", "--enable-alpha-plugins", "--enable-exec",
                       work / f"tree{number}"]
            took, text = timed(command)
            wanted = 1000 if name == "flux-image" else 0
            if text.count(b":1.99.0\n") != wanted:
                sys.exit(f"{name}: {text.count(b':1.99.0')} images are updated")
            seconds[name].append(took)
    medians = {name: statistics.median(all) for name, all in seconds.items()}
    for name, middle in medians.items():
        print(f"kustomize build, {name:16} {middle * 1000:8.1f} ms")
    added = medians["flux-image"] / medians["one that echoes"] - 1
    print(f"the function adds {added * 100:.1f} % to a build with one that echoes (goal 10 %)")


def containers(args, work):
    context = work / "image"
    (context / "etc").mkdir(parents=True)
    shutil.copy(args.static, context / "flux-image")
    for name in ("passwd", "group"):
        shutil.copy(ROOT / "docker" / name, context / "etc" / name)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", context / "authorities")
    (context / "empty.rs").write_text("fn main() {}\n")
    subprocess.run(["rustc", "-O", "-C", "target-feature=+crt-static", "-o", context / "empty",
                    context / "empty.rs"], check=True)
    for name, body in {
        "empty": "COPY empty /flux-image\n",
        "ours": "COPY flux-image /flux-image\nCOPY authorities /etc/ssl/certs/ca-certificates.crt\n",
    }.items():
        (context / f"Dockerfile.{name}").write_text(
            f"FROM scratch\n{body}COPY etc /etc\nUSER nobody\nENTRYPOINT [\"/flux-image\"]\n")
        timed(["docker", "build", "-q", "-t", f"localhost/bench-{name}", "-f",
               context / f"Dockerfile.{name}", context])
    saved = subprocess.run("docker save localhost/bench-ours | gzip -9 | wc -c", shell=True,
                           env=ENV, check=True, capture_output=True).stdout
    print(f"image, compressed {int(saved) / 1e6:.2f} MB (goal 8)")
    stream = (ROOT / "tests/cases/fn/version-v1/in").read_bytes()
    run = ["docker", "run", "--rm", "-i", "--network", "none", "--user", "nobody"]
    seconds = {"empty": [], "ours": []}
    for _ in range(args.runs):
        for name in seconds:
            seconds[name].append(timed([*run, f"localhost/bench-{name}"], stream)[0])
    empty, ours = (statistics.median(seconds[name]) for name in ("empty", "ours"))
    print(f"docker run, an empty program {empty * 1000:.1f} ms, the function {ours * 1000:.1f} ms: "
          f"{(ours / empty - 1) * 100:+.1f} %")
    timed(["docker", "rmi", "-f", "localhost/bench-empty", "localhost/bench-ours"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target/release/flux-image", type=pathlib.Path)
    parser.add_argument("--kustomize", default=ROOT / "target/services/kustomize", type=pathlib.Path)
    parser.add_argument("--static", type=pathlib.Path)
    parser.add_argument("--runs", default=7, type=int)
    args = parser.parse_args()
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        work = pathlib.Path(folder)
        builds(args, work)
        if args.static:
            containers(args, work)


main()
