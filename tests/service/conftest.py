"""A server, keys and clients for the tests of the service."""

import re

import pytest
from argon2 import PasswordHasher
from inside import Inside
from serving import QUICK, SMALL, Server

from lanterne.programme import people


@pytest.fixture
def name(request):
    """A name of each test's own."""
    return re.sub(r"\W", "", request.node.name).replace("test_", "")[:50]


@pytest.fixture(scope="session")
def server(tiny_weights, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("shared") / "home", tiny_weights, queued_per_owner=50, webhooks_to_private="true").start()
    yield server
    assert server.stop() == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="session")
def key(server):
    return server.lanterne("keys", "create", "--name", "tests")


@pytest.fixture(scope="session")
def stranger(server):
    """Another owner's key."""
    return server.lanterne("keys", "create", "--name", "tests", "--owner", "stranger")


@pytest.fixture
def client(server, key):
    with server.openai(key, max_retries=0) as client:
        yield client


@pytest.fixture
def http(server, key):
    with server.http(key) as client:
        yield client


@pytest.fixture(scope="session")
def finished(server, key):
    """A video of two seconds that is there, for tests that only read it."""
    with server.openai(key) as client:
        return client.videos.create_and_poll(
            prompt="a lake at dawn", seconds="2", size=SMALL, extra_body=QUICK | {"seed": 1}, poll_interval_ms=100
        )


@pytest.fixture(scope="session")
def _inside(tmp_path_factory):
    home = tmp_path_factory.mktemp("inside") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANTERNE_HOME", str(home))
        return Inside(home)


@pytest.fixture
def inside(_inside, monkeypatch):
    """The application in this process, one for all tests: they name their people apart."""
    monkeypatch.setenv("LANTERNE_HOME", str(_inside.home))
    monkeypatch.setattr(people, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return _inside


@pytest.fixture(scope="session")
def postgres():
    from grounds import Postgres

    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3():
    from grounds import S3

    with pytest.MonkeyPatch.context() as patch:
        for name, value in S3.CREDENTIALS.items():
            patch.setenv(name, value)
        server = S3()
        yield server
        server.stop()


@pytest.fixture
def bucket(s3):
    """Settings of a deployment whose files lie in a bucket."""
    return s3.settings()
