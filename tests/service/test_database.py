"""The database: its migrations make exactly the tables that the models name, and what cannot be used is told in a sentence."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select

from lanterne.service.database import Base, Database, DatabaseError, Worker


@pytest.fixture
def database(tmp_path):
    return Database(f"sqlite:///{tmp_path / 'service.db'}")


def test_migrations_lead_to_the_models(database):
    database.migrate()
    database.migrate()
    database.check()
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_session_commits_whole_or_not_at_all(database):
    database.migrate()
    with pytest.raises(RuntimeError), database.session() as session:
        session.add(Worker(slot="a", alive_until=1))
        session.flush()
        raise RuntimeError
    with database.session() as session:
        assert session.get(Worker, "a") is None


def test_it_is_safe_against_power_cuts(database):
    with database.engine.connect() as connection:
        settings = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert settings == ["wal", 2, 1]


def test_what_cannot_be_used_is_a_sentence(database, tmp_path):
    with pytest.raises(DatabaseError, match="version None"):
        database.check()
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        Database(f"sqlite:///{tmp_path / 'broken.db'}").migrate()


def test_writers_of_one_process_take_turns_and_an_error_gives_the_turn_back(database):
    database.migrate()

    def write(number):
        with suppress(ZeroDivisionError), database.session() as session:
            session.add(Worker(slot=f"worker-{number}", alive_until=0))
            session.flush()
            assert number % 5 or 1 / 0

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(Worker)) == 32
