"""A cut reaches everything that was open, and nobody else: with a real server and its worker, while requests, streams, downloads and jobs
of the one who is cut and of innocent others are under way.

LANTERNE_CUTS=20 cuts so often, each kind in turn, and prints how long it took until each was dead.
"""

import os
import threading
import time
from contextlib import ExitStack

import httpx2
import pytest
from serving import SMALL, Server, until
from test_access import join, open_cohort

from lanterne.programme import audit, people
from lanterne.programme.cohorts import Quotas
from lanterne.service import access, keys, revocation
from lanterne.service.access import Wish
from lanterne.service.database import Database, File, Video, now

TRIES = int(os.environ.get("LANTERNE_CUTS", "1"))
BIG = 64 * 2**20  # a file that no socket's buffers hold
LONG = {"prompt": "dunes", "seconds": "60", "size": SMALL, "num_inference_steps": 90}
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def own(tiny_weights, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("cut") / "home", tiny_weights, queued_per_owner=1000).start()
    yield server
    assert server.stop() == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def database(own, monkeypatch):
    """The server's, with its secrets."""
    monkeypatch.setenv("LANTERNE_HOME", str(own.home))
    return Database(f"sqlite:///{own.home / 'service.db'}")


class Watched:
    """Somebody with a key, and all that it has open: a request after the other, a download, an event stream. `ended` says when each did."""

    def __init__(self, own, database, text, owner, waiting: str, film: str):
        self.text, self.owner, self.film, self.waiting = text, owner, film, waiting
        self.own, self.ended, self.failures, self.answers = own, {}, 0, 0
        self._leave = threading.Event()
        self._ready = threading.Barrier(4)
        self._threads = [threading.Thread(target=self._run, args=(name, what)) for name, what in (
            ("requests", self._ask), ("download", self._download), ("stream", self._listen),
        )]
        for thread in self._threads:
            thread.start()
        self._ready.wait(120)

    def _run(self, name, what):
        with self.own.http(self.text) as http:
            what(http)
        if not self._leave.is_set():
            self.ended[name] = time.monotonic()

    def _ask(self, http):
        assert http.get("/v1/models").status_code == 200
        self._ready.wait(120)
        while not self._leave.is_set():
            if http.get("/v1/models").status_code != 200:
                self.failures += 1
                return
            self.answers += 1

    def _download(self, http):
        with http.stream("GET", f"/v1/videos/{self.film}/content") as answer:
            pieces, got = answer.iter_raw(2**14), 0
            next(pieces)
            self._ready.wait(120)
            try:
                for piece in pieces:
                    got += len(piece)
                    if self._leave.wait(0.002):
                        return
            except httpx2.RemoteProtocolError:
                self.failures += 1

    def _listen(self, http):
        with http.stream("GET", f"/v1/videos/{self.waiting}/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            self._ready.wait(120)
            try:
                for _ in lines:
                    if self._leave.is_set():
                        return
            except httpx2.ReadTimeout:
                return
            if not self._leave.is_set():
                self.failures += 1

    @property
    def dead(self) -> bool:
        return set(self.ended) == {"requests", "download", "stream"}

    def leave(self):
        self._leave.set()


@pytest.fixture
def watch(own, database):
    """Makes a Watched of a key: with a film of its owner's, and a video of another owner's key that waits for a worker for ever."""
    with ExitStack() as stack:
        def begin(key_id, text, owner, name):
            film, waiting = f"video_film_{name}", f"video_waits_{name}"
            digest = (name.encode().hex() + "0" * 64)[:64]
            path = own.home / "files" / digest[:2] / digest
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(BIG)
            with database.session() as session:
                row = {
                    "owner": owner, "kind": "create", "prompt": "a", "model": "lanterne", "width": 256, "height": 144, "seconds": 4,
                    "plan": {"seconds": 4, "steps": 10}, "stopping": False, "created_at": now() + 10**6,
                }
                session.add(Video(id=film, status="completed", progress=100, completed_at=now(), **row))
                # A stream that is open on a finished video would end by itself; this one waits, asked for by no key.
                session.add(Video(id=waiting, status="queued", **row))
                session.add(File(holder=film, role="video", sha256=digest, bytes=BIG, media_type="video/mp4"))
            watched = Watched(own, database, text, owner, waiting, film)
            stack.callback(path.unlink, missing_ok=True)
            stack.callback(watched.leave)
            return watched
        yield begin


def _jobs(own, text):
    """A video in progress and one that waits behind it."""
    with own.http(text) as http:
        running, waiting = (http.post("/v1/videos", json=LONG).json()["id"] for _ in range(2))
        until(lambda: http.get(f"/v1/videos/{running}").json()["status"] == "in_progress")
    return running, waiting


@pytest.mark.parametrize("number", range(TRIES))
def test_a_cut_reaches_all_that_is_its_own_and_nothing_else(own, database, watch, number):
    kind = ("key", "person", "cohort")[number % 3] if TRIES > 1 else "key"
    tag = f"{number:04}"
    quotas = Quotas(100, 6000, 30, 50)
    with database.session() as session:
        for cohort in (f"spring{tag}", f"autumn{tag}"):
            open_cohort(session, cohort, quotas)
        ana, ben = join(session, f"spring{tag}", f"ana{tag}"), join(session, f"spring{tag}", f"ben{tag}")
        session.add(access.cohorts.Member(cohort_id=f"autumn{tag}", person_id=ana, joined_at=now(), left_at=None))
        access.cohorts._write(session, access.cohorts.offer(session, f"autumn{tag}"), ana, None)
        people.set_password(session, ana, PASSWORD)
        made = {
            "leaked": access.make_key(session, ana, f"spring{tag}", Wish("leaked")),
            "second": access.make_key(session, ana, f"spring{tag}", Wish("second")),
            "elsewhere": access.make_key(session, ana, f"autumn{tag}", Wish("elsewhere")),
            "ben": access.make_key(session, ben, f"spring{tag}", Wish("ben")),
            "outsider": keys.insert(session, "outsider", f"outsider{tag}", ["videos:read", "videos:write"], None, keys.Quota()),
        }
    owners = {"leaked": ana, "second": ana, "elsewhere": ana, "ben": ben, "outsider": f"outsider{tag}"}
    with database.session() as session:
        web_session = people.sign_in(session, f"{ana}@example.org", PASSWORD)
    running, waiting = _jobs(own, made["leaked"][1])
    with own.http(made["outsider"][1]) as http:
        others = http.post("/v1/videos", json=LONG | {"seconds": "1", "num_inference_steps": 2}).json()["id"]
    watched = {name: watch(*made[name], owners[name], f"{name[:3]}{tag}") for name in made}
    cut = {"key": {"leaked"}, "person": {"leaked", "second", "elsewhere"}, "cohort": {"leaked", "second", "ben"}}[kind]

    work = own.home / "work" / running
    assert work.exists()
    began = time.monotonic()
    with database.session() as session:
        if kind == "key":
            done = revocation.revoke_key(session, made["leaked"][0], "olga", "It was found in public.")
        elif kind == "person":
            done = revocation.revoke_person(session, ana, "olga", "It was found in public.")
        else:
            done = revocation.revoke_cohort(session, f"spring{tag}", "olga", "It was found in public.")
    written = time.monotonic()
    assert {running, waiting} <= set(done.videos) and set(done.keys) == {made[name][0] for name in cut}
    assert len(done.mails) == (2 if kind == "cohort" else 1)
    until(lambda: not work.exists())  # the worker has let go of it
    job = time.monotonic()
    until(lambda: all(watched[name].dead for name in cut))
    with database.session() as session:
        for video_id in (running, waiting):
            video = session.query(Video).filter_by(id=video_id).one()
            assert (video.status, video.error_code) == ("failed", "revoked")
        assert (people.who(session, web_session) is None) == (kind == "person")
        audit.verify(session, audit.Signer().verifier)
    with own.http(made["outsider"][1]) as http:  # which then makes what waited
        until(lambda: http.get(f"/v1/videos/{others}").json()["status"] == "completed")
    innocent = [one for name, one in watched.items() if name not in cut]
    asked = {name: one.answers for name, one in watched.items()}
    until(lambda: all(one.answers > asked[name] for name, one in watched.items() if name not in cut))
    assert sum(one.failures for one in innocent) == 0 and not any(one.ended for one in innocent)
    took = {what: max(watched[name].ended[what] - written for name in cut) for what in ("requests", "download", "stream")}
    said = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in (took | {"job": job - written}).items())
    print(f"\ncut of one {kind}, written in {written - began:.2f} s; after that: {said}; "
          f"innocent failures 0 of {sum(one.answers for one in innocent)}")
