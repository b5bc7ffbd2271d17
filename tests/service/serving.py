"""A real server for tests: processes, sockets, files; only the weights are tiny."""

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import forks
import httpx2
import openai

from lanterne.programme import identity
from lanterne.service import keys, revocation

QUICK = {"num_inference_steps": 2}
SMALL = "256x144"


class Server:
    """`lanterne serve` in a home of its own. Nothing of it survives the test. fresh: nothing is there before the first start."""

    def __init__(self, home: Path, weights: Path, fresh: bool = False, **settings):
        self.home, self._fresh = home, fresh
        names = {f"LANTERNE_{name.upper()}": str(value) for name, value in settings.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LANTERNE_")}
        self.env = kept | names | {"LANTERNE_HOME": str(home), "LANTERNE_WEIGHTS": str(weights)}
        self.log = home.parent / f"{home.name}.log"
        self.process, self.port = None, 0

    def lanterne(self, *arguments: str) -> str:
        done = subprocess.run([forks.lanterne(), *arguments], env=self.env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, *arguments: str) -> "Server":
        if not self._fresh:
            _join(self.home)
        command = [sys.executable, "-m", "lanterne", "serve", "--port", str(self.port), *arguments]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert "listens on" in line, self.log.read_text()
        self.port = int(re.search(r":(\d+)/v1", line)[1])
        return self

    def worker(self, slot: str, home: Path | None = None, *within: str) -> subprocess.Popen:
        """home: of another machine. within: the command that brings it there."""
        _join(home or self.home)
        env = self.env | {"LANTERNE_HOME": str(home or self.home)}
        with self.log.open("a") as log:
            return subprocess.Popen([*within, sys.executable, "-m", "lanterne", "worker", "--slot", slot], env=env, stderr=log)

    def kept(self, job: str) -> list[str]:
        """A video's chunks, one entry each time that one was made and kept."""
        return re.findall(rf"(chunk-\S+) of {job} is kept", self.log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=300)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def worker_pid(self) -> int:
        lock = self.home / "worker-0.lock"
        return int(until(lambda: lock.exists() and lock.read_text()))

    def kill_worker(self) -> None:
        os.kill(self.worker_pid(), signal.SIGKILL)

    def openai(self, key: str, **options) -> openai.OpenAI:
        return openai.OpenAI(api_key=key, base_url=f"http://127.0.0.1:{self.port}/v1", **options)

    def http(self, key: str | None) -> httpx2.Client:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=300)


def _join(home: Path) -> None:
    """Give a home the signing keys, watermark and first manifests of one installation: files of two servers can then be the same bytes."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("provenance", "manifests"):
        if not (home / name).exists():
            (home / name).symlink_to(_installation() / name)


@cache
def _installation() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lanterne-installation-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    identity._make(folder / "provenance")
    (folder / "manifests").mkdir()
    return folder


def until(happens, seconds: float = 300):
    """What `happens` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


@contextmanager
def receiver(host: str = "127.0.0.1") -> Iterator[tuple[str, list, list]]:
    """A server for webhooks: its address; what it received, as (headers, body); statuses to answer with first, then 200."""
    received, statuses = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}/hook", received, statuses
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def new_key(database, name: str, owner: str, scopes: list[str], days: int | None = None, quota: keys.Quota | None = None) -> str:
    """A key's text, made beside the server."""
    with database.session() as session:
        return keys.insert(session, name, owner, scopes, keys.now() + days * 86400 if days else None, quota or keys.Quota())[1]


def revoke(database, key_id: str) -> None:
    with database.session() as session:
        revocation.revoke_key(session, key_id, "a test", "It was revoked by a test.")
