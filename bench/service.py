"""The server under load, with the embedded model: how fast it stops, what clients cost a running video, ten thousand queued videos.

`python -m bench.service [stop|clients|queue]`. Everything runs in processes of its own, and the load's own processor time is told.
"""

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2

TRIES = 20
CLIENTS, STREAMS = 200, 50
WINDOW, PAIRS = 10, 12  # seconds with load and without, taking turns
RUSH = 2  # first seconds of a turn, in which all of them connect: their times are told apart
QUEUED = 10_000
PROMPT = {"prompt": "ocean waves at sunset, slow pan right", "size": "256x144"}


class Server:
    """`lanterne serve` in a home of its own, without a worker unless one is asked for."""

    def __init__(self, home: Path, **settings):
        names = {f"LANTERNE_{name.upper()}": str(value) for name, value in settings.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LANTERNE_")}
        self.home, self.env = home, kept | names | {"LANTERNE_HOME": str(home)}
        self.key = self._lanterne("keys", "create", "--name", "bench").strip()

    def _lanterne(self, *arguments: str) -> str:
        return subprocess.run([sys.executable, "-m", "lanterne", *arguments], env=self.env, capture_output=True, text=True).stdout

    @contextmanager
    def running(self, *arguments: str) -> Iterator[httpx2.Client]:
        command = [sys.executable, "-m", "lanterne", "serve", "--port", "0", *arguments]
        with (self.home / "log").open("a") as log:
            self.process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            self.port = int(re.search(r":(\d+)/v1", self.process.stdout.readline())[1])
            base, headers = f"http://127.0.0.1:{self.port}", {"authorization": f"Bearer {self.key}"}
            with httpx2.Client(base_url=base, headers=headers, timeout=60) as http:
                yield http
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.process.communicate()

    @contextmanager
    def watched_worker(self) -> Iterator["Passes"]:
        """See watched_worker.py."""
        passes = Passes(self.home / "passes")
        with (self.home / "log").open("a") as log:
            worker = subprocess.Popen([sys.executable, "-m", "bench.watched_worker", str(passes.path)], env=self.env, stderr=log)
        try:
            yield passes
            assert worker.poll() is None, (self.home / "log").read_text()[-4000:]
        finally:
            worker.terminate()
            worker.wait()


class Passes:
    def __init__(self, path: Path):
        self.path = path
        path.touch()

    def all(self) -> list[tuple[float, float]]:
        """(begin, end) of each pass through the transformer so far."""
        return [tuple(map(float, line.split())) for line in self.path.read_text().splitlines() if line.count(" ") == 1]


# How fast it stops ----------------------------------------------------------------------------------------------------------------


def stop_table() -> str:
    """A long video is cancelled, or deleted, at a moment of chance; then whether the network begins another pass, and until when the
    one under way goes on."""
    lines = ["| | tries | passes begun after the answer | the last pass ends after, ms | a pass takes, ms |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        with server.running("--no-worker") as http, server.watched_worker() as passes:
            stops = {
                "POST …/cancel": lambda video: http.post(f"/v1/videos/{video}/cancel"),
                "DELETE": lambda video: http.delete(f"/v1/videos/{video}"),
            }
            for name, stop in stops.items():
                later, left = [], []
                for _ in range(TRIES):
                    begun, ends = _stopped(http, passes, stop)
                    later.append(begun)
                    left.append(ends)
                takes = statistics.median(end - begin for begin, end in passes.all())
                lines.append(
                    f"| {name} | {TRIES} | {sum(later)} in all, {max(later)} at most | {_ms(statistics.median(left))} median, "
                    f"{_ms(max(left))} at most | {_ms(takes)} |"
                )
    return "\n".join(lines)


def _stopped(http: httpx2.Client, passes: Passes, stop) -> tuple[int, float]:
    """(passes begun after the answer, seconds from the answer to the end of the last pass; 0 where none was under way)."""
    before = len(passes.all())
    video = _long(http)
    _until(lambda: len(passes.all()) > before)
    time.sleep(random.uniform(0, 4))
    assert stop(video).status_code == 200
    answered = time.monotonic()
    # The next video's first pass would count as this one's: none is asked for until a pass would long have been over.
    time.sleep(2 + 3 * max(end - begin for begin, end in passes.all()))
    late = [begin for begin, _ in passes.all() if begin > answered]
    return len(late), max(0.0, passes.all()[-1][1] - answered)


# Clients ---------------------------------------------------------------------------------------------------------------------------


def clients_table() -> str:
    """One long video is made; clients come for a while and go for a while, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), queued_per_owner=CLIENTS + 1)
        with server.running("--no-worker") as http, server.watched_worker() as passes:
            rows = [_measure_clients(server, http, passes, pause) for pause in (1.0, None)]
    head = ["clients", "GET p50, ms", "GET p99 (while they connect), ms", "GETs a second", "events a second", "video's speed over alone",
            "cores: web, clients"]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def _measure_clients(server: Server, http: httpx2.Client, passes: Passes, pause: float | None) -> str:
    videos = [_long(http) for _ in range(CLIENTS)]
    ratios, took, rush, events, cpu_web, cpu_clients = [], [], [], 0, 0.0, 0.0
    for turn in range(PAIRS):
        if http.get(f"/v1/videos/{videos[0]}").json()["progress"] > 65:  # the rest is not long enough for a pair
            http.delete(f"/v1/videos/{videos.pop(0)}")
            videos.append(_long(http))
        _until(lambda: http.get(f"/v1/videos/{videos[0]}").json()["progress"] > 0)
        plan = {
            "port": server.port, "key": server.key, "pause": pause, "seconds": WINDOW, "polled": videos, "heard": videos[:1] * STREAMS,
        }
        speeds = {}
        for loaded in (True, False) if turn % 2 else (False, True):
            web, began = _cpu(server.process.pid), time.monotonic()
            if loaded:
                done = subprocess.run(
                    [sys.executable, "-m", "bench.pollers"], input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True
                )
                seen = json.loads(done.stdout)
                for at, seconds in seen["took"]:
                    (took if at > RUSH else rush).append(seconds)
                events += seen["events"]
                cpu_clients, cpu_web = cpu_clients + seen["cpu"], cpu_web + _cpu(server.process.pid) - web
            else:
                time.sleep(WINDOW)
            ended = time.monotonic()
            speeds[loaded] = sum(began < end <= ended for _, end in passes.all()) / (ended - began)
        ratios.append(speeds[True] / speeds[False])
    for video in reversed(videos):
        http.delete(f"/v1/videos/{video}")
    spent, counted = PAIRS * WINDOW, PAIRS * (WINDOW - RUSH)
    name = f"{CLIENTS} poll {'each second' if pause else 'as the server says'}, {STREAMS} listen"
    return (
        f"| {name} | {_ms(_quantile(took, 0.5))} | {_ms(_quantile(took, 0.99))} ({_ms(_quantile(rush, 0.99))}) | "
        f"{len(took) / counted:.0f} | {events / spent:.0f} | "
        f"{statistics.median(ratios):.2f} (median of {PAIRS} pairs, {min(ratios):.2f} to {max(ratios):.2f}) | "
        f"{cpu_web / spent:.2f}, {cpu_clients / spent:.2f} |"
    )


def _long(http: httpx2.Client) -> str:
    return http.post("/v1/videos", json=PROMPT | {"seconds": "60"}).json()["id"]


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Ten thousand queued videos --------------------------------------------------------------------------------------------------------


def queue_table() -> str:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), queued_per_owner=2 * QUEUED)
        rows = {}
        with server.running("--no-worker") as http:
            rows["create, the first"] = [_create(http)[1] for _ in range(100)]
            with ThreadPoolExecutor(8) as pool:
                made = [video for video, _ in pool.map(lambda _: _create(http), range(QUEUED - 200))]
            rows["create, the last"] = [_create(http)[1] for _ in range(100)]
            chosen = random.Random(1).sample(made, 300)
            rows["get"] = [_took(lambda name=name: http.get(f"/v1/videos/{name}")) for name in chosen[:100]]
            rows["list, the newest 100"] = [_took(lambda: http.get("/v1/videos?limit=100")) for _ in range(100)]
            rows["list, 100 from anywhere"] = [
                _took(lambda name=name: http.get(f"/v1/videos?limit=100&after={name}")) for name in chosen[100:200]
            ]
            rows["cancel"] = [_took(lambda name=name: http.post(f"/v1/videos/{name}/cancel")) for name in chosen[200:]]
        starts = [_restart(server) for _ in range(3)]
    lines = [f"| with {QUEUED:,} queued | p50, ms | p99, ms |", "|---|---|---|"]
    lines += [f"| {name} | {_ms(_quantile(took, 0.5))} | {_ms(_quantile(took, 0.99))} |" for name, took in rows.items()]
    answer, ready, begun = (statistics.median(row[at] for row in starts) for at in range(3))
    return "\n".join(lines) + (
        f"\n\nStarted again with them: the first answer after {answer:.1f} s, the worker ready after {ready:.1f} s, the first video in "
        f"progress after {begun:.1f} s (medians of {len(starts)})."
    )


def _restart(server: Server) -> tuple[float, float, float]:
    log = server.home / "log"
    known = log.stat().st_size
    began = time.monotonic()
    with server.running() as http:
        assert http.get("/healthz").status_code == 200
        answer = time.monotonic() - began
        _until(lambda: "is ready" in log.read_text()[known:])
        ready = time.monotonic() - began
        _until(lambda: any(video["status"] == "in_progress" for video in http.get("/v1/videos?order=asc&limit=20").json()["data"]))
        return answer, ready, time.monotonic() - began


def _create(http: httpx2.Client) -> tuple[str, float]:
    began = time.perf_counter()
    answer = http.post("/v1/videos", json=PROMPT)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"], time.perf_counter() - began


def _took(ask) -> float:
    began = time.perf_counter()
    assert ask().status_code == 200
    return time.perf_counter() - began


def _until(happens) -> None:
    deadline = time.monotonic() + 120
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}" if seconds >= 0.01 else f"{1000 * seconds:.1f}"


def report() -> str:
    """What docs/performance.md has of the server."""
    return f"""With the embedded model, on SQLite; web process, worker and clients share the machine (`python -m bench.service`).

{stop_table()}

The clients hold plain sockets in a process of their own. With and without them the same long video is made, in turns of {WINDOW} s; its
speed is counted in passes through the transformer, a step's being one. In the first {RUSH} s of each turn all connect at once; their p99
stands by itself.

{clients_table()}

{queue_table()}"""


TABLES = {"stop": stop_table, "clients": clients_table, "queue": queue_table}


if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        print(TABLES[name](), end="\n\n", flush=True)
