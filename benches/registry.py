#!/usr/bin/env python3
"""Listing tags, side by side with crane and skopeo, on registries on loopback.

    cargo build --release && tests/services/install
    GOBIN=$PWD/target/services go install github.com/google/go-containerregistry/cmd/crane@v0.20.3
    python3 benches/registry.py [--binary PATH] [--runs N] [--dir DIR] [NAME…]

NAME is one of: many, tokens, large, million, slow. DIR should be on tmpfs
(default /dev/shm where it exists). Every figure is a median of interleaved runs,
printed as a ratio to its peer. What a peer is missing for is said and left out.
Later versions of crane ask no token server on loopback.
"""
import argparse
import asyncio
import atexit
import base64
import hashlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE.parent / "target/services"
REPOSITORIES, TAGS, LARGE = 32, 300, 20_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fill(root, name, count):
    """A repository in the layout that distribution keeps on a disk."""
    data = root / "docker/registry/v2"

    def blob(content):
        digest = hashlib.sha256(content).hexdigest()
        folder = data / f"blobs/sha256/{digest[:2]}/{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(content)
        return digest

    def link(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text(f"sha256:{manifest}")

    config = blob(b"{}")
    kind = "application/vnd.oci.image."
    manifest = blob(json.dumps({
        "schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "layers": [],
        "config": {"mediaType": kind + "config.v1+json", "digest": f"sha256:{config}", "size": 2},
    }).encode())
    repository = data / "repositories" / name
    link(repository / f"_manifests/revisions/sha256/{manifest}")
    for n in range(count):
        link(repository / f"_manifests/tags/v{n:05}/current")


class Registry:
    """distribution's registry, over a folder that is filled already."""

    def __init__(self, program, work, data, more=""):
        self.host = f"127.0.0.1:{free_port()}"
        config = work / f"config-{self.host.split(':')[1]}.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage:\n  filesystem: {{rootdirectory: {data}, maxthreads: 100}}\n"
            f"http:\n  addr: {self.host}\n{more}")
        self.child = subprocess.Popen([program, "serve", config], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL,
                                      env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
        # Also where a figure ends the script before its time.
        atexit.register(self.stop)
        address = tuple(self.host.split(":"))
        for _ in range(400):
            try:
                socket.create_connection(address).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("a registry did not start")

    def stop(self):
        self.child.kill()
        self.child.wait()


def serve(answer, ports=1):
    """Stand-ins in a thread: `answer(path, headers)` gives seconds to wait, a
    status, headers and a body. A TLS handshake is refused at once."""
    started, hosts = threading.Event(), []

    async def converse(reader, writer):
        try:
            while True:
                head = await read_head(reader)
                if head is None:
                    break
                lines = head.decode("latin-1").split("\r\n")
                path = lines[0].split(" ")[1]
                pairs = (line.partition(":") for line in lines[1:] if line)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                wait, status, more, body = answer(path, headers)
                if wait:
                    await asyncio.sleep(wait)
                extra = "".join(f"{name}: {value}\r\n" for name, value in more)
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
                             f"content-length: {len(body)}\r\n{extra}\r\n".encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def read_head(reader):
        first = await reader.read(1)
        if first in (b"", b"\x16"):
            return None
        return first + await reader.readuntil(b"\r\n\r\n")

    async def main():
        for _ in range(ports):
            server = await asyncio.start_server(converse, "127.0.0.1", 0)
            hosts.append("%s:%d" % server.sockets[0].getsockname())
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    started.wait()
    return hosts


class Token:
    """Signs what distribution's token authentication wants."""

    def __init__(self, work):
        self.key, certificate = work / "key.pem", work / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=token.test", "-keyout", self.key, "-out", certificate],
                       check=True, stderr=subprocess.DEVNULL)
        self.certificate = certificate
        self.chain = "".join(certificate.read_text().splitlines()[1:-1])
        self.made = {}
        self.host = serve(self.answer)[0]

    def answer(self, path, headers):
        if "authorization" not in headers:
            return 0, 401, [], b""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        name = query.get("scope", ["::"])[0].split(":")[1]
        # Made once: its making is nobody's figure.
        if name not in self.made:
            self.made[name] = self.sign(name)
        return 0, 200, [], json.dumps({"token": self.made[name], "expires_in": 3000}).encode()

    def sign(self, name):
        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
        now = int(time.time())
        text = part({"typ": "JWT", "alg": "RS256", "x5c": [self.chain]}) + b"." + part({
            "iss": "test", "sub": "u", "aud": "test", "exp": now + 3000, "nbf": now - 10, "iat": now,
            "jti": "1", "access": [{"type": "repository", "name": name, "actions": ["pull"]}]})
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text,
                                   capture_output=True, check=True).stdout
        return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def documents(folder, images):
    """ImageRepositories of these images."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "repositories.yaml").write_text("---\n".join(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\n"
        f"metadata: {{name: app-{n}, namespace: flux-system}}\nspec: {{image: {image}, interval: 5m}}\n"
        for n, image in enumerate(images)))


class Bench:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.home = work / "home"
        self.home.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "DOCKER_CONFIG": str(self.home)}
        self.crane = next((p for p in [PEERS / "crane", shutil.which("crane")] if p and pathlib.Path(p).exists()), None)
        self.skopeo = shutil.which("skopeo")

    def time(self, command, cwd=None):
        """Seconds and peak MiB; the command must succeed."""
        begin = time.perf_counter()
        child = subprocess.Popen([str(word) for word in command], cwd=cwd, env=self.env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        error = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"{command[0]} ended with {child.returncode}: {error.decode()[-500:]}")
        return seconds, usage.ru_maxrss / 1024

    def compare(self, name, folder, peers):
        """Medians of interleaved runs. A peer is a name, a command and a goal,
        the ratio of its time to ours, or ours to its where the goal is below 1."""
        ours, theirs = [], {peer: [] for peer, *_ in peers}
        for _ in range(self.args.runs):
            ours.append(self.time([self.args.binary, "scan", "--no-cache"], folder))
            for peer, command, _ in peers:
                theirs[peer].append(self.time(command)[0])
        own = statistics.median(seconds for seconds, _ in ours)
        peak = max(peak for _, peak in ours)
        print(f"{name:34} {own * 1000:8.1f} ms  peak {peak:.1f} MiB")
        for peer, _, goal in peers:
            other = statistics.median(theirs[peer])
            if goal <= 1:
                print(f"    {peer:30} {other * 1000:8.1f} ms  {own / other:.2f} of its time (goal {goal})")
            else:
                print(f"    {peer:30} {other * 1000:8.1f} ms  {other / own:.1f} x faster (goal {goal})")

    def peers(self, host, token):
        images = " ".join(f"{host}/acme/app{n}" for n in range(REPOSITORIES))
        peers = []
        if self.crane:
            one = f"for i in {images}; do {self.crane} ls $i; done"
            eight = f"printf '%s\\n' {images} | xargs -P8 -n1 {self.crane} ls"
            if not token:
                peers.append(("crane ls, one after the other", ["sh", "-c", one], 8))
            peers.append(("crane ls, xargs -P8", ["sh", "-c", eight], 1 if token else 4))
        if self.skopeo and not token:
            one = f"for i in {images}; do skopeo list-tags --tls-verify=false docker://$i; done"
            peers.append(("skopeo list-tags", ["sh", "-c", one], 12))
        return peers

    def many(self):
        data = self.work / "data"
        if not data.exists():
            for n in range(REPOSITORIES):
                fill(data, f"acme/app{n}", TAGS)
        registry = Registry(PEERS / "registry", self.work, data)
        folder = self.work / "many"
        documents(folder, [f"{registry.host}/acme/app{n}" for n in range(REPOSITORIES)])
        self.compare("32 x 300 tags, open", folder, self.peers(registry.host, False))
        registry.stop()

    def tokens(self):
        data = self.work / "data"
        if not data.exists():
            for n in range(REPOSITORIES):
                fill(data, f"acme/app{n}", TAGS)
        token = Token(self.work)
        registry = Registry(PEERS / "registry", self.work, data, (
            f"auth:\n  token: {{realm: 'http://{token.host}/token', service: test, issuer: test, "
            f"rootcertbundle: {token.certificate}}}\n"))
        auth = base64.b64encode(b"u:p").decode()
        (self.home / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
        folder = self.work / "tokens"
        documents(folder, [f"{registry.host}/acme/app{n}" for n in range(REPOSITORIES)])
        self.compare("32 x 300 tags, tokens", folder, self.peers(registry.host, True))
        registry.stop()

    def large(self):
        data = self.work / "large-data"
        fill(data, "acme/large", LARGE)
        for name, program, goal in [("one page", "/usr/bin/docker-registry", 0.6),
                                    ("Link pages", PEERS / "registry", 1)]:
            if not pathlib.Path(program).exists():
                print(f"20,000 tags, {name}: left out, there is no {program}")
                continue
            registry = Registry(program, self.work, data)
            folder = self.work / "large"
            documents(folder, [f"{registry.host}/acme/large"])
            peers = [("crane ls", [self.crane, "ls", f"{registry.host}/acme/large"], goal)] if self.crane else []
            self.compare(f"20,000 tags, {name}", folder, peers)
            registry.stop()

    def million(self):
        def answer(path, _headers):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
            page = int(query.get("last", ["0"])[0])
            tags = json.dumps({"name": "x", "tags": [f"v{n:07}-build" for n in range(page * 1000, page * 1000 + 1000)]})
            link = [("link", f'<?n=1000&last={page + 1}>; rel="next"')] if page < 999 else []
            return 0, 200, link, tags.encode()
        host = serve(answer)[0]
        folder = self.work / "million"
        documents(folder, [f"{host}/acme/app"])
        seconds, peak = self.time([self.args.binary, "scan", "--no-cache"], folder)
        print(f"{'1,000,000 tags':34} {seconds * 1000:8.1f} ms  peak {peak:.1f} MiB (goal 200 MB)")

    def slow(self):
        hosts = serve(lambda _path, _headers: (0.2, 200, [], b'{"name":"x","tags":["1"]}'), 32)
        folder = self.work / "slow"
        documents(folder, [f"{host}/acme/app" for host in hosts])
        runs = [self.time([self.args.binary, "scan", "--no-cache"], folder)[0] for _ in range(self.args.runs)]
        print(f"{'32 registries of 200 ms':34} {statistics.median(runs) * 1000:8.1f} ms  (goal 900)")


def main():
    names = ["many", "tokens", "large", "million", "slow"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--binary", default=HERE.parent / "target/release/flux-image", type=pathlib.Path)
    parser.add_argument("--runs", default=7, type=int)
    parser.add_argument("--dir", default="/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None)
    args = parser.parse_args()
    args.binary = args.binary.resolve()
    for name in set(args.names) - set(names):
        parser.error(f"no figure is called {name}")
    with tempfile.TemporaryDirectory(dir=args.dir) as work:
        bench = Bench(args, pathlib.Path(work))
        if not bench.crane:
            print("no crane: its figures are left out")
        for name in args.names or names:
            getattr(bench, name)()


main()
