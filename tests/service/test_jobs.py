"""Kill drills: processes die at moments of chance, and every job ends in the bytes of an uninterrupted one.

Three kills in the suite. A long drill: LANTERNE_KILLS=60 python -m pytest tests/service/test_jobs.py; with
LANTERNE_DRILL_DATABASE=postgresql+psycopg://… on Postgres, in an empty database.
"""

import os
import random
import signal
import sqlite3
import time

import pytest
from serving import SMALL, Server, until

KILLS = int(os.environ.get("LANTERNE_KILLS", 3))
DATABASE = {"database_url": url} if (url := os.environ.get("LANTERNE_DRILL_DATABASE")) else {}
JOB = {"prompt": "a city at night", "seconds": "8", "size": SMALL, "num_inference_steps": 12, "seed": 2}


@pytest.fixture
def own_server(tiny_weights, tmp_path):
    server = Server(tmp_path / "own", tiny_weights, **DATABASE).start()
    yield server
    if server.process.poll() is None:
        server.stop()


def test_a_killed_job_ends_in_the_same_bytes(own_server):
    """SIGKILL of worker and server in turn. A chunk that was finished before a kill is never made again."""
    server, chance = own_server, random.Random(KILLS)
    with server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
        whole = http.post("/v1/videos", json=JOB).json()["id"]
        until(lambda: _ended(http, whole))
        whole_bytes = http.get(f"/v1/videos/{whole}/content").content
        kills, jobs = 0, []
        while kills < KILLS:
            jobs.append(http.post("/v1/videos", json=JOB).json()["id"])
            seen = {}
            while kills < KILLS and not _ended(http, jobs[-1]):
                until(lambda: _kept(server, jobs[-1]) or _ended(http, jobs[-1]))
                time.sleep(chance.random() * (1 if kills < 3 else 5))  # some while chunks are made, some while a process starts
                kept, old = _kept(server, jobs[-1]), server.worker_pid()
                assert all(kept.get(name, written) == written for name, written in seen.items())  # no chunk was made twice
                seen |= kept
                if kills % 3 == 2:
                    server.kill()
                    server.start()
                else:
                    server.kill_worker()
                kills += 1
                until(lambda old=old: server.worker_pid() != old)
        for job in jobs:
            until(lambda job=job: _ended(http, job), 120)
            assert http.get(f"/v1/videos/{job}").json()["status"] == "completed"
            assert http.get(f"/v1/videos/{job}/content").content == whole_bytes
        until(lambda: not any((server.home / "work").iterdir()))


def _ended(http, job):
    return http.get(f"/v1/videos/{job}").json()["status"] in ("completed", "failed")


def _kept(server, job):
    """When each finished chunk was written."""
    return {path.name: path.stat().st_mtime_ns for path in (server.home / "work" / job).glob("*/chunk-*.npy")}


def test_queued_jobs_outlive_the_server_and_keep_their_order(own_server):
    server = own_server
    with server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
        jobs = [http.post("/v1/videos", json=JOB | {"seconds": "1", "seed": seed}).json()["id"] for seed in range(5)]
        server.kill()
        server.start()
        for job in jobs:
            until(lambda job=job: _ended(http, job))
        done = [http.get(f"/v1/videos/{job}").json() for job in jobs]
        assert [video["status"] for video in done] == ["completed"] * 5
        assert [video["completed_at"] for video in done] == sorted(video["completed_at"] for video in done)


def test_a_worker_that_is_gone_for_good_is_succeeded_by_another(tiny_weights, tmp_path):
    """One dies for good, one only sleeps beyond its lease: it finds that it is not needed, and the video is made once."""
    server = Server(tmp_path / "own", tiny_weights, **DATABASE, lease_seconds=3).start("--no-worker")
    workers = {}
    try:
        with server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
            for ending in (signal.SIGKILL, signal.SIGSTOP):
                first, second = f"{ending.name}-first", f"{ending.name}-second"
                workers[first] = server.worker(first)
                job = http.post("/v1/videos", json=JOB | {"seconds": "12"}).json()["id"]
                kept = until(lambda job=job: _kept(server, job))
                workers[second] = server.worker(second)
                workers[first].send_signal(ending)
                until(lambda job=job, kept=kept: len(_kept(server, job)) > len(kept) + 2 or _ended(http, job))
                workers[first].send_signal(signal.SIGCONT)
                assert workers[first].wait(60) == (3 if ending is signal.SIGSTOP else -signal.SIGKILL)
                until(lambda job=job: _ended(http, job))
                assert http.get(f"/v1/videos/{job}").json()["status"] == "completed"
                workers[second].terminate()
                assert workers[second].wait(60) == 0
    finally:
        for process in workers.values():
            process.kill()
            process.wait()
        server.stop()


def test_a_video_that_never_reached_the_queue_is_found(own_server):
    """The server dies between writing the video down and putting it into the queue: here, by taking it out again."""
    server = own_server
    with server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
        server.kill_worker()  # nothing is taken from the queue until the next one is ready
        job = http.post("/v1/videos", json=JOB | {"seconds": "1"}).json()["id"]
        with sqlite3.connect(server.home / "jobs.db", timeout=30) as jobs:
            jobs.execute("DELETE FROM workflow_status WHERE workflow_uuid = ? AND status = 'ENQUEUED'", (job,))
        until(lambda: _ended(http, job))
        assert http.get(f"/v1/videos/{job}").json()["status"] == "completed"
