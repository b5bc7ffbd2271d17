"""Two workers on machines of their own, which are network namespaces here, with one Postgres and one bucket: one is cut off in the middle
of a video and comes back later. It needs root and iproute2: LANTERNE_NETWORKS=1 python -m pytest tests/service/test_networks.py, a larger
number to do it so many times.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest
from grounds import S3, Postgres
from serving import SMALL, Server, receiver, until
from sqlalchemy import func, select

from lanterne.service.database import Database, Event, Video, Worker

ROUNDS = int(os.environ.get("LANTERNE_NETWORKS", 0))
JOB = {"prompt": "a city at night", "size": SMALL, "num_inference_steps": 12, "seed": 2}

pytestmark = [
    pytest.mark.skipif(not ROUNDS, reason="set LANTERNE_NETWORKS=1 to run it; it needs root and takes minutes"),
    pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="making network namespaces needs iproute2's ip"),
]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=60)


class Network:
    """A bridge on this machine with an address, and namespaces that reach it and nothing else."""

    def __init__(self, *names: str):
        number = random.SystemRandom().randrange(1, 250)
        self._bridge, self._subnet = f"ltn{number}", f"10.213.{number}"
        self.host = f"{self._subnet}.1"
        self._names = {name: f"ltn{number}{name}" for name in names}

    def __enter__(self) -> "Network":
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self.host}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for number, name in enumerate(self._names.values(), 2):
                _ip("netns", "add", name)
                _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
                _ip("link", "set", name, "master", self._bridge, "up")
                _ip("-n", name, "link", "set", "lo", "up")
                _ip("-n", name, "addr", "add", f"{self._subnet}.{number}/24", "dev", "eth0")
                _ip("-n", name, "link", "set", "eth0", "up")
        except subprocess.CalledProcessError as error:
            self.__exit__()
            pytest.skip(f"this machine does not let us make networks: {error.stderr.decode().strip()}")
        return self

    def __exit__(self, *_) -> None:
        for command in (*(("netns", "del", name) for name in self._names.values()), ("link", "del", self._bridge)):
            subprocess.run(["ip", *command], capture_output=True, timeout=60)

    def within(self, name: str) -> tuple[str, ...]:
        """The command that runs another there."""
        return "ip", "netns", "exec", self._names[name]

    def cut(self, name: str) -> None:
        _ip("link", "set", self._names[name], "down")

    def mend(self, name: str) -> None:
        _ip("link", "set", self._names[name], "up")


@pytest.fixture(scope="module")
def network():
    with Network("a", "b") as network:
        yield network


@pytest.fixture(scope="module")
def grounds(network):
    """Settings of a deployment on the network, and the address of its database."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in S3.CREDENTIALS.items():
            patch.setenv(name, value)
        postgres, s3 = Postgres(network.host), S3(network.host)
        yield lambda: {"database_url": postgres.database(), **s3.settings(), "lease_seconds": 15, "webhooks_to_private": "true"}
        s3.stop()
        postgres.stop()


@pytest.mark.parametrize("asleep", [False, True])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_worker_that_is_cut_off_is_succeeded_and_does_no_harm(turn, asleep, network, grounds, tiny_weights, tmp_path):
    """asleep: it stands still, too, so that it cannot notice; when it goes on, everything is over and its connections are whole."""
    settings = grounds()
    server = Server(tmp_path / "web", tiny_weights, **settings).start("--no-worker")
    database, workers = Database(settings["database_url"]), {}
    chance = random.Random(turn)
    try:
        with receiver(network.host) as (url, received, _), server.http(server.lanterne("keys", "create", "--name", "drill")) as http:
            server.lanterne("webhooks", "add", url)
            for name in ("a", "b"):
                workers[name] = server.worker(name, tmp_path / name, *network.within(name))
            until(lambda: set(_slots(database).values()) == {"a", "b"})
            whole = _made(http, "6")
            job = http.post("/v1/videos", json=JOB | {"seconds": "6"}).json()["id"]
            until(lambda: server.kept(job))
            time.sleep(chance.random() * 2)
            cut = _slots(database)[_of(database, job).claim]
            before = set(server.kept(job))
            network.cut(cut)
            if asleep:
                workers[cut].send_signal(signal.SIGSTOP)
            until(lambda: _status(http, job) != "in_progress", 1200)
            assert _status(http, job) == "completed"
            over = _trace(database, job)
            network.mend(cut)
            if asleep:
                workers[cut].send_signal(signal.SIGCONT)
            assert workers[cut].wait(120) == 3  # it found that it was not needed
            print(f"{cut} was cut off after {len(before)} of {len(server.kept(job))} chunks")
            workers[cut] = server.worker(cut, tmp_path / cut, *network.within(cut))  # as whoever looks after it would
            until(lambda: set(_slots(database).values()) == {"a", "b"})
            assert _made(http, "1")
            assert _trace(database, job) == over and over[1] == 1
            assert http.get(f"/v1/videos/{job}/content").content == whole
            assert max(Counter(server.kept(job)).values()) == 1
            told = [headers["webhook-id"] for headers, body in received if json.loads(body)["data"]["id"] == job]
            assert len(set(told)) == 1
    finally:
        for name, process in workers.items():
            network.mend(name)
            process.kill()
            process.wait()
        server.stop()
        database.engine.dispose()


def _made(http, seconds: str) -> bytes:
    job = http.post("/v1/videos", json=JOB | {"seconds": seconds}).json()["id"]
    until(lambda: _status(http, job) == "completed", 1200)
    return http.get(f"/v1/videos/{job}/content").content


def _status(http, job: str) -> str:
    return http.get(f"/v1/videos/{job}").json()["status"]


def _of(database: Database, job: str) -> Video:
    with database.session() as session:
        return session.scalar(select(Video).where(Video.id == job))


def _slots(database: Database) -> dict[str, str]:
    """Slots by the token of who has them."""
    with database.session() as session:
        return {worker.token: worker.slot for worker in session.scalars(select(Worker)) if worker.token}


def _trace(database: Database, job: str) -> tuple:
    """All that a worker could still spoil: the row, how many ends were told, the last event."""
    with database.session() as session:
        video = session.scalar(select(Video).where(Video.id == job))
        ends = session.scalar(select(func.count()).select_from(Event).where(Event.video_id == job, Event.name == "completed"))
        last = session.scalar(select(func.max(Event.number)).where(Event.video_id == job))
    return (video.status, video.progress, video.completed_at, video.claim), ends, last
