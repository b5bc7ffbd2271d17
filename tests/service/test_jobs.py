"""Kill drills: processes die at moments of chance, and every job ends in the bytes of an uninterrupted one.

Two kills on each database in the suite. A long drill: LANTERNE_KILLS=50 python -m pytest tests/service/test_jobs.py -k killed
"""

import json
import logging
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from serving import SMALL, Server, receiver, until
from sqlalchemy import func, select, update

from lanterne.generate import Engine, Progress
from lanterne.request import Request
from lanterne.service import jobs, webhooks, worker
from lanterne.service.database import Database, Delivery, Event, File, Video, Worker
from lanterne.service.deployment import Deployment
from lanterne.service.files import Store
from lanterne.service.settings import Settings

KILLS = int(os.environ.get("LANTERNE_KILLS", 2))
STEPS = 12 if "LANTERNE_KILLS" in os.environ else 4  # in the long form, a chunk takes long enough for kills in its midst
JOB = {"prompt": "a city at night", "seconds": "8", "size": SMALL, "num_inference_steps": STEPS, "seed": 2}


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request) -> dict:
    """Settings for a database of each kind."""
    return {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("postgres").database()}


@contextmanager
def _drill(home, weights, **settings):
    """A server and a client."""
    server = Server(home, weights, webhooks_to_private="true", **settings).start()
    try:
        with server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
            yield server, http
    finally:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def told():
    """The address of a receiver of webhooks, and what came there: ids of messages by their type and video."""
    with receiver() as (url, received, _):
        yield url, lambda kind: _ids(received, kind)


def _ids(received, kind):
    found = {}
    for headers, body in list(received):
        said = json.loads(body)
        if said["type"] == kind:
            found.setdefault(said["data"]["id"], []).append(headers["webhook-id"])
    return found


@pytest.fixture(scope="session")
def whole(server, key):
    """Bytes of the video that nothing interrupted."""
    with server.http(key) as http:
        made = http.post("/v1/videos", json=JOB).json()["id"]
        until(lambda: _ended(http, made), 1200)
        return http.get(f"/v1/videos/{made}/content").content


def _ended(http, job):
    return http.get(f"/v1/videos/{job}").json()["status"] in ("completed", "failed")


def test_a_killed_job_ends_in_the_same_bytes(ground, told, whole, tiny_weights, tmp_path):
    """SIGKILL of worker and server in turn. No chunk that was kept before a kill is made again, and each end is told: at least once,
    always under one id."""
    (url, ids), chance = told, random.Random(KILLS)
    with _drill(tmp_path / "own", tiny_weights, **ground) as (server, http):
        server.lanterne("webhooks", "add", url)
        kills, made = 0, []
        while kills < KILLS:
            made.append(http.post("/v1/videos", json=JOB).json()["id"])
            while kills < KILLS and not _ended(http, made[-1]):
                # Some while chunks are made, however long a process takes to start; some while it starts.
                more = len(server.kept(made[-1])) + (not kills or chance.random() < 0.5)
                until(lambda more=more: len(server.kept(made[-1])) >= more or _ended(http, made[-1]), 1200)
                time.sleep(chance.random() * (1 if kills < 3 else 5))
                old = server.worker_pid()
                if kills % 3 == 1:
                    server.kill()
                    server.start()
                else:
                    server.kill_worker()
                kills += 1
                until(lambda old=old: server.worker_pid() != old)
        for job in made:
            until(lambda job=job: _ended(http, job), 1200)
            assert http.get(f"/v1/videos/{job}").json()["status"] == "completed"
            assert http.get(f"/v1/videos/{job}/content").content == whole
            assert max(Counter(server.kept(job)).values()) == 1
        until(lambda: ids("video.completed").keys() >= set(made))
        messages = ids("video.completed")
        assert messages.keys() == set(made) and all(len(set(sent)) == 1 for sent in messages.values()) and not ids("video.failed")
        until(lambda: not any((server.home / "work").iterdir()))
    chunks, sent = sum(len(server.kept(job)) for job in made), sum(map(len, messages.values()))
    print(f"{kills} kills, {len(made)} videos, {chunks} chunks, {sent} messages")


def test_queued_jobs_outlive_the_server_and_keep_their_order(tiny_weights, tmp_path):
    """Also one that never reached the queue, because the server died after it wrote the video down: here, by taking it out again."""
    with _drill(tmp_path / "own", tiny_weights, lease_seconds=3) as (server, http):
        made = [http.post("/v1/videos", json=JOB | {"seconds": "1", "seed": seed}).json()["id"] for seed in range(5)]
        server.kill()
        with sqlite3.connect(server.home / "jobs.db", timeout=30) as queue:
            lost = queue.execute("DELETE FROM workflow_status WHERE workflow_uuid = ? AND status = 'ENQUEUED'", (made[-1],))
            assert lost.rowcount == 1
        server.start()
        for job in made:
            until(lambda job=job: _ended(http, job), 1200)
        done = [http.get(f"/v1/videos/{job}").json() for job in made]
        assert [video["status"] for video in done] == ["completed"] * 5
        assert [video["completed_at"] for video in done] == sorted(video["completed_at"] for video in done)


@pytest.mark.parametrize(("machines", "ending"), [(1, signal.SIGSTOP), (2, signal.SIGKILL)])
def test_a_worker_that_is_gone_for_good_is_succeeded_by_another(ending, machines, tiny_weights, tmp_path, request, told, whole):
    """One dies for good, one only sleeps beyond its lease: it finds that it is not needed, and the video is made once. On two machines, the
    successor has nothing but Postgres and the bucket, and goes on from the last finished chunk all the same."""
    apart = {}
    if machines == 2:
        apart = {"database_url": request.getfixturevalue("postgres").database(), **request.getfixturevalue("bucket")}
    server = Server(tmp_path / "own", tiny_weights, **apart, lease_seconds=3, webhooks_to_private="true").start("--no-worker")
    url, ids = told
    server.lanterne("webhooks", "add", url)
    first = second = None
    try:
        with server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
            first = server.worker("first")
            job = http.post("/v1/videos", json=JOB).json()["id"]
            until(lambda: server.kept(job))
            second = server.worker("second", tmp_path / "other" if machines == 2 else server.home)
            first.send_signal(ending)
            before = set(server.kept(job))
            until(lambda: len(server.kept(job)) > len(before) + 2 or _ended(http, job))
            first.send_signal(signal.SIGCONT)
            assert first.wait(60) == (3 if ending is signal.SIGSTOP else -signal.SIGKILL)
            until(lambda: _ended(http, job), 1200)
            assert http.get(f"/v1/videos/{job}/content").content == whole
            assert max(Counter(server.kept(job)).values()) == 1
            assert len(until(lambda: ids("video.completed"))[job]) == 1
            second.terminate()
            assert second.wait(60) == 0
    finally:
        for process in (first, second):
            if process:
                process.kill()
                process.wait()
        server.stop()


class Ended(BaseException):
    """In the place of a process's end."""


@pytest.fixture
def benches(home, tmp_path, tiny_weights, ground, monkeypatch):
    """Two workers that share a database and a store and have the lease on their slots, in one process that is not ended."""

    def stop(code):
        raise Ended

    monkeypatch.setattr(jobs.os, "_exit", stop)
    url = ground.get("database_url", f"sqlite:///{tmp_path / 'service.db'}")
    Database(url).migrate()
    engine, found = Engine.load(tiny_weights), []
    for slot in ("a", "b"):
        found.append(jobs.Bench(Deployment(Settings(worker=slot, lease_seconds=3600), Database(url), Store(home / "files")), engine))
        worker._enlist(found[-1])
    yield found
    for bench in found:
        bench.deployment.database.engine.dispose()


def test_a_worker_that_lost_its_lease_writes_nothing_more(benches, monkeypatch, caplog):
    """`a` is overtaken between two of its steps, and knows nothing of it: every write of its own is refused, `b` goes on from the chunk
    that `a` finished, and the video ends once."""
    caplog.set_level(logging.INFO, "lanterne")
    a, b = benches
    database = a.deployment.database
    webhook_id, _ = webhooks.add(database, Settings(webhooks_to_private=True), "me", "http://127.0.0.1:9/hook")
    plan = asdict(Request(prompt="a lake", seconds=3, seed=1, steps=2))
    video = Video(
        id="video_x", owner="me", kind="create", status="in_progress", prompt="a lake", model="lanterne", width=256, height=144, seconds=3,
        plan=plan, stopping=False, created_at=0, started_at=0,
    )
    with database.session() as session:
        session.add(video)
    of_a = a.making("video_x")
    assert of_a.advance(1)
    with database.session() as session:  # what another worker does first when it takes a silent one's videos over
        session.execute(update(Worker).where(Worker.slot == "a").values(token=None))
    of_b = b.making("video_x")
    assert of_b.advance(2)
    kept, before = _rows(database)
    assert [record.getMessage().split("-")[2][:4] for record in caplog.records if "is kept" in record.getMessage()] == ["0000", "0001"]

    spoiled = of_a.run._folder / "spoiled"
    spoiled.write_bytes(b"spoiled")
    monkeypatch.setattr(jobs, "bench", a)
    for write in (
        lambda: of_a.advance(2),
        lambda: a._keep("video_x", of_a.run._role(1), spoiled),
        lambda: jobs._trying("video_x", lambda: 1 / 0),
        lambda: a._claim("video_x"),
        lambda: worker._renew(a),
    ):
        with pytest.raises(Ended):
            write()
    a._progress("video_x", Progress(2, 3, 1, 2))
    jobs._finish("video_x")
    assert _rows(database) == (kept, before)

    monkeypatch.setattr(jobs, "bench", b)
    jobs._finish("video_x")
    monkeypatch.setattr(jobs, "bench", a)
    jobs._finish("video_x")  # over: nothing to do, and nothing to end for
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(Event).where(Event.name == "completed")) == 1
        assert session.scalar(select(func.count()).select_from(Delivery).where(Delivery.webhook_id == webhook_id)) == 1
        roles = set(session.scalars(select(File.role).where(File.holder == "video_x")))
    assert roles == {"video", "thumbnail", "spritesheet", "latents"}
    b.lay_aside("video_x")


def _rows(database):
    with database.session() as session:
        files = session.execute(select(File.role, File.sha256).order_by(File.role)).all()
        events = session.scalar(select(func.count()).select_from(Event))
        return files, (session.execute(select(Video.status, Video.progress, Video.claim)).all(), events)


def test_a_worker_that_leaves_does_not_wait_for_a_chunk_that_was_not_begun(benches, monkeypatch):
    """The next step may get the lock before the worker does, which then leaves at once all the same."""
    asked, bench = threading.Event(), benches[0]
    monkeypatch.setattr(jobs, "bench", bench)
    monkeypatch.setattr(bench, "leaving", SimpleNamespace(is_set=lambda: asked.set() or True))
    step = threading.Thread(target=jobs.make_chunk.__wrapped__, args=("video_x", 0), daemon=True)
    step.start()
    assert asked.wait(60)  # the step has the lock
    assert bench.busy.acquire(timeout=60)
    assert step.is_alive()  # and is left undone, for the successor


def test_a_slot_that_another_machine_has_is_refused(benches):
    a, b = benches
    b.deployment.settings.worker = "a"
    worker._enlist(b)  # the same home, whose lock says that its predecessor is gone
    with pytest.raises(Ended):
        worker._renew(a)
    b.token = f"elsewhere-{b.token}"
    worker._enlist(b)
    with pytest.raises(worker.LanterneError, match="A worker on another computer has the slot 'a'"):
        worker._enlist(a)
