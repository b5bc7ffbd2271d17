"""A server, keys and clients for the tests of the service."""

import pytest
from serving import QUICK, SMALL, Server


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
