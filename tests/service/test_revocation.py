"""A cut reaches everything that was open, and nobody else: with a real server and two workers, while requests, streams, downloads, links
and jobs of the one who is cut and of innocent others are under way.

LANTERNE_CUTS=200 cuts so often, a key, a person and a cohort in turn, and prints how long it took until each thing was dead, counted from
the moment at which the cut was ordered. Clients are plain sockets with small buffers: what a client's own system took before the cut is the
client's.
"""

import asyncio
import math
import os
import socket
import statistics
import threading
import time
from collections import defaultdict
from contextlib import aclosing, asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from serving import SMALL, Server, until
from sqlalchemy import select
from test_access import join, open_cohort

from lanterne.programme import audit, people
from lanterne.programme.cohorts import Quotas
from lanterne.service import access, keys, revocation
from lanterne.service.access import Wish
from lanterne.service.database import Database, File, Video, now

TRIES = int(os.environ.get("LANTERNE_CUTS", "3"))
BIG = 64 * 2**20  # a file that no socket's buffers hold
DIGEST = "b1" * 32
LONG = {"prompt": "dunes", "seconds": "60", "size": SMALL, "num_inference_steps": 90}
PASSWORD = "correct horse"
THINGS = ("requests", "event stream", "download", "link", "link's download")


@pytest.fixture(scope="module")
def own(tiny_weights, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("cut") / "home", tiny_weights, queued_per_owner=1000).start()
    second = server.worker("worker-1")
    path = server.home / "files" / DIGEST[:2] / DIGEST
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(BIG)
    yield server
    second.terminate()
    second.wait(300)
    assert server.stop() == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def database(own, monkeypatch):
    """The server's, with its secrets."""
    monkeypatch.setenv("LANTERNE_HOME", str(own.home))
    return Database(f"sqlite:///{own.home / 'service.db'}")


class Client:
    """Somebody with a key, and all that it has open. `ended` says when each of THINGS did; who is innocent begins again what came to its
    end, and anything else is a failure."""

    def __init__(self, own, database, key, owner: str, name: str):
        (self.key_id, self.text), self.owner, self.port = key, owner, own.port
        self.film, self.waiting = f"video_film_{name}", f"video_waits_{name}"
        with database.session() as session:
            row = {
                "owner": owner, "kind": "create", "prompt": "a", "model": "lanterne", "width": 256, "height": 144, "seconds": 4,
                "plan": {"seconds": 4, "steps": 10}, "stopping": False, "created_at": now() + 10**6,
            }
            session.add(Video(id=self.film, status="completed", progress=100, completed_at=now(), **row))
            # A stream that is open on a finished video would end by itself; this one waits for ever, asked for by no key.
            session.add(Video(id=self.waiting, status="queued", **row))
            session.add(File(holder=self.film, role="video", sha256=DIGEST, bytes=BIG, media_type="video/mp4"))
        with own.http(self.text) as http:
            place = urlsplit(http.post(f"/v1/videos/{self.film}/link").json()["url"])
        self.link = f"{place.path}?{place.query}"
        self.ended: dict[str, float] = {}
        self.begun, self.answers, self._left = set(), 0, False
        self._tasks = set()  # held here, since a loop holds only what is ready to run

    def open(self, loop) -> "Client":
        whats = (self._ask("/v1/models"), self._listen(), self._download(f"/v1/videos/{self.film}/content"), self._ask(self.link),
                 self._download(self.link))
        for thing, what in zip(THINGS, whats, strict=True):
            asyncio.run_coroutine_threadsafe(self._run(thing, what), loop)
        until(lambda: self.begun | set(self.ended) == set(THINGS))
        assert not self.ended, self.ended
        return self

    def leave(self) -> None:
        self._left = True

    async def _run(self, thing: str, what) -> None:
        self._tasks.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):
            async with aclosing(what):
                async for _ in what:
                    self.begun.add(thing)
                    if self._left:
                        return
        self.ended[thing] = time.monotonic()

    @asynccontextmanager
    async def _connect(self, path: str):
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=plain, limit=2**16)
        who = "" if path == self.link else f"authorization: Bearer {self.text}\r\n"
        try:
            yield reader, writer, f"GET {path} HTTP/1.1\r\nhost: x\r\n{who}".encode()
        finally:
            writer.close()

    async def _ask(self, path: str):
        async with self._connect(path) as (reader, writer, request):
            while True:
                writer.write(request + b"range: bytes=0-99\r\n\r\n")
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
                if head[9:12] not in (b"200", b"206"):
                    return
                self.answers += 1
                yield
                await asyncio.sleep(0.02)

    async def _listen(self):
        async with self._connect(f"/v1/videos/{self.waiting}/events") as (reader, writer, request):
            writer.write(request + b"connection: close\r\n\r\n")
            while await reader.read(2**12):
                yield

    async def _download(self, path: str):
        while True:
            async with self._connect(path) as (reader, writer, request):
                writer.write(request + b"\r\n")
                head, got = await reader.readuntil(b"\r\n\r\n"), 0
                assert head.startswith(b"HTTP/1.1 200")
                while got < BIG:
                    if not (piece := await reader.read(2**16)):
                        return
                    got += len(piece)
                    yield
                    await asyncio.sleep(0.02)  # some 3 MB a second


@pytest.fixture
def loop():
    """Of all clients, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(_end_others(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=30)


def _job(own, text: str) -> str:
    with own.http(text) as http:
        return http.post("/v1/videos", json=LONG).json()["id"]


def _status(database, video_id: str) -> str:
    with database.session() as session:
        return session.scalar(select(Video.status).where(Video.id == video_id))


def _soon(happens) -> float:
    """When it had happened, to the hundredth of a second."""
    deadline = time.monotonic() + 300
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic()


def _cut_one(own, database, loop, kind: str, tag: str) -> tuple[dict[str, float], list[Client]]:
    """Seconds from the order until each was dead, the longest of all keys that are cut; and who was beside them and is innocent."""
    with database.session() as session:
        for cohort in (f"spring{tag}", f"autumn{tag}"):
            open_cohort(session, cohort, Quotas(100, 6000, 30, 50))
        ana, ben = join(session, f"spring{tag}", f"ana{tag}"), join(session, f"spring{tag}", f"ben{tag}")
        session.add(access.cohorts.Member(cohort_id=f"autumn{tag}", person_id=ana, joined_at=now(), left_at=None))
        access.cohorts._write(session, access.cohorts.offer(session, f"autumn{tag}"), ana, None)
        people.set_password(session, ana, PASSWORD)
        web_session = people.sign_in(session, f"{ana}@example.org", PASSWORD)
        made = {
            "leaked": (access.make_key(session, ana, f"spring{tag}", Wish("leaked")), ana),
            "elsewhere": (access.make_key(session, ana, f"autumn{tag}", Wish("elsewhere")), ana),
            "ben": (access.make_key(session, ben, f"spring{tag}", Wish("ben")), ben),
        }
    cut = {"key": {"leaked"}, "person": {"leaked", "elsewhere"}, "cohort": {"leaked", "ben"}}[kind]
    clients = {name: Client(own, database, key, owner, f"{name}{tag}").open(loop) for name, (key, owner) in made.items()}
    running, queued = (_job(own, clients["leaked"].text) for _ in range(2))
    until(lambda: _status(database, running) == "in_progress")
    work = own.home / "work" / running
    until(work.exists)
    ordered = time.monotonic()
    with database.session() as session:
        if kind == "key":
            done = revocation.revoke_key(session, clients["leaked"].key_id, "olga", "It was found in public.")
        elif kind == "person":
            done = revocation.revoke_person(session, ana, "olga", "It was found in public.")
        else:
            done = revocation.revoke_cohort(session, f"spring{tag}", "olga", "It was found in public.")
    took = {"the order is written": time.monotonic() - ordered}
    took["running job"] = _soon(lambda: not work.exists()) - ordered  # the worker has let go of it
    assert {running, queued} <= set(done.videos) and set(done.keys) == {clients[name].key_id for name in cut}
    assert len(done.mails) == (2 if kind == "cohort" else 1)
    until(lambda: all(set(clients[name].ended) == set(THINGS) for name in cut))
    for thing in THINGS:
        took[thing] = max(clients[name].ended[thing] for name in cut) - ordered
    with database.session() as session:
        for video_id in (running, queued):
            video = session.query(Video).filter_by(id=video_id).one()
            assert (video.status, video.error_code) == ("failed", "revoked")
        assert session.query(Video).filter_by(id=queued).one().started_at is None
        assert (people.who(session, web_session) is None) == (kind == "person")
    return took, [client for name, client in clients.items() if name not in cut]


def test_a_cut_reaches_all_that_is_its_own_and_nothing_else(own, database, loop):
    innocent = []
    for number in range(3):
        with database.session() as session:
            key = keys.insert(session, "outsider", f"outsider{number}", ["videos:read", "videos:write"], None, keys.Quota())
        innocent.append(Client(own, database, key, f"outsider{number}", f"outsider{number}").open(loop))
    job = _job(own, innocent[0].text)
    until(lambda: _status(database, job) == "in_progress")
    took, answers, jobs, began = defaultdict(list), 0, 1, time.monotonic()
    for number in range(TRIES):
        kind = ("key", "person", "cohort")[number % 3]
        seconds, beside = _cut_one(own, database, loop, kind, f"{number:04}")
        print(f"cut {number + 1} of one {kind}: " + ", ".join(f"{thing} {value:.2f} s" for thing, value in seconds.items()), flush=True)
        for thing, value in seconds.items():
            took[thing].append((value, kind))
        asked = {client: client.answers for client in [*innocent, *beside]}
        until(lambda asked=asked: all(client.answers > before + 2 for client, before in asked.items()))
        assert not any(client.ended for client in asked), [client.ended for client in asked]
        answers += sum(client.answers for client in beside)
        for client in beside:
            client.leave()
        if (status := _status(database, job)) != "in_progress":
            assert status == "completed"
            job, jobs = _job(own, innocent[0].text), jobs + 1
            until(lambda job=job: _status(database, job) == "in_progress")
    answers += sum(client.answers for client in innocent)
    for client in innocent:
        client.leave()
    with database.session() as session:
        audit.verify(session, audit.Signer().verifier)
    print(f"\n{TRIES} cuts in {time.monotonic() - began:.0f} s; innocent others: {answers} requests, {jobs} jobs, failures 0")
    print("| seconds from the order | p50 | p99 | longest | of a key, a person, a cohort: p50 |\n|---|---|---|---|---|")
    for thing, values in took.items():
        all_ = sorted(value for value, _ in values)
        of = ", ".join(
            f"{statistics.median([value for value, kind in values if kind == which] or [0]):.2f}" for which in ("key", "person", "cohort")
        )
        print(f"| {thing} | {statistics.median(all_):.2f} | {all_[math.ceil(0.99 * len(all_)) - 1]:.2f} | {all_[-1]:.2f} | {of} |")
