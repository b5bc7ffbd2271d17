"""Databases that 0.2.0 left behind come to this version with all that was in them: on SQLite and Postgres, and by way of a backup.

0.2.0 had revisions 0001, 0002 and, in its last commits, 0010 right after them; 0003 was put between these later. Its chain is built again
from the files of today, which are the same but for that one line.
"""

import json
import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Boolean, Float, Integer, MetaData, select, text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, ledger, review
from lanterne.service import backup, keys
from lanterne.service.database import MIGRATIONS, Database, File, Key, Video, Worker
from lanterne.service.settings import Settings

ENDS = ("0002", "0010")


@pytest.fixture
def old_chain(tmp_path) -> Path:
    folder = tmp_path / "chain"
    (folder / "versions").mkdir(parents=True)
    shutil.copy(MIGRATIONS / "env.py", folder)
    for path in (MIGRATIONS / "versions").glob("*.py"):
        if path.name.startswith(("0001", "0002", "0010")):
            (folder / "versions" / path.name).write_text(path.read_text().replace('down_revision = "0003"', 'down_revision = "0002"'))
    return folder


def made_by_the_old_version(url: str, chain: Path, end: str) -> tuple[Database, dict]:
    """A database with rows in all of its tables, and what is in them."""
    database, config = Database(url), Config()
    config.set_main_option("script_location", str(chain))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, end)
    tables = MetaData()
    tables.reflect(database.engine)
    with database.engine.begin() as connection:
        for table in tables.sorted_tables:
            if table.name in BY_HAND:
                continue
            for number in (1, 2):
                connection.execute(table.insert().values({column.name: _value(column, number) for column in table.columns}))
    if end == "0010":
        with database.session() as session:
            ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500}, "olga")
            accounts = ledger.open_account(session, "expense:hours"), ledger.payable(session, "ana")
            ledger.post(session, "first", [ledger.Leg(accounts[0], 7000, "EUR"), ledger.Leg(accounts[1], -7000, "EUR")], "Hours of March")
            audit.append(session, "test", {"of": "ana"}, "ana")
    kept = contents(database, tables)
    empty = {name for name, rows in kept.items() if not rows} - {"alembic_version"}
    assert not empty, empty
    return database, kept


BY_HAND = {
    "alembic_version", "audit_head", "audit_log", "audit_openings", "accounts", "transactions", "postings", "rate_cards",
}


def _value(column, number: int):
    if column.name == "webhook_id":
        return "id1"
    if isinstance(column.type, Boolean):
        return number == 2
    if isinstance(column.type, Integer):
        return 1_790_000_000 + number if column.name.endswith("_at") else number
    if isinstance(column.type, Float):
        return number + 0.5
    if isinstance(column.type, JSON) or column.name in ("scopes", "plan", "data"):
        return ["videos:read"] if column.name == "scopes" else {"seconds": number, "steps": 10, "words": "é 雪"}
    return f"{column.name}{number}"


def contents(database: Database, tables: MetaData) -> dict:
    """{table: rows}, of these tables and columns."""
    with database.engine.connect() as connection:
        return {
            table.name: sorted(json.dumps(dict(row._mapping), sort_keys=True, default=repr) for row in connection.execute(select(table)))
            for table in tables.sorted_tables
        }


def is_kept(database: Database, kept: dict, end: str) -> None:
    database.check()
    now = MetaData()
    now.reflect(database.engine)
    found = contents(database, now)
    for name, rows in kept.items():
        if name == "alembic_version":
            continue
        columns = set(json.loads(rows[0]))
        cut = sorted(json.dumps({key: value for key, value in json.loads(row).items() if key in columns}, sort_keys=True)
                     for row in found[name])
        assert cut == [json.dumps(json.loads(row), sort_keys=True) for row in rows], name
    with database.session() as session:  # and today's program reads it
        for kind in (Key, Video, File, Worker):
            assert len(session.scalars(select(kind)).all()) == 2
        assert [key.decoy for key in session.scalars(select(Key))] == [False, False]
        assert {video.claim for video in session.scalars(select(Video))} == {None}
        audit.append(session, "test", {"of": "ben"}, "ben")
        audit.verify(session, audit.Signer().verifier)
        if end == "0010":
            assert ledger.balance(session, "liability:payable:ana") == {"EUR": -7000}
        keys.insert(session, "new", "ana", ["videos:read"], None, keys.Quota())


@pytest.mark.parametrize("end", ENDS)
def test_everything_is_kept_on_sqlite(tmp_path, old_chain, end):
    database, kept = made_by_the_old_version(f"sqlite:///{tmp_path / 'service.db'}", old_chain, end)
    database.migrate()
    is_kept(database, kept, end)


@pytest.mark.parametrize("end", ENDS)
def test_everything_is_kept_on_postgres(postgres, old_chain, end):
    database, kept = made_by_the_old_version(postgres.database(), old_chain, end)
    database.migrate()
    is_kept(database, kept, end)
    database.engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_takedowns_of_before_are_numbered_and_kept(tmp_path, request, kind):
    url = f"sqlite:///{tmp_path / 'service.db'}" if kind == "sqlite" else request.getfixturevalue("postgres").database()
    database, config = Database(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0034")
        for statement in (
            "INSERT INTO policies VALUES (1, 'words', '{}', 5, 183, 0, 'credit', 1, 'EUR', 'olga', 0)",
            "INSERT INTO release_requests VALUES ('rev_1', 'v', 'abc', 8, 'ana', 1, false, 0, 0)",
            "INSERT INTO review_looks VALUES ('rev_1', 'first', 'ana', 'rita', 'approve', NULL, '', '[]', 0)",
            "INSERT INTO releases VALUES ('rev_1', 'abc', 0)",
            "INSERT INTO publications VALUES ('rev_1', 'def', NULL, 0)",
            "INSERT INTO takedowns VALUES ('rev_1', 'olga', '1', 'The mayor wrote to us.', 7)",
        ):
            connection.execute(text(statement))
    database.migrate()
    database.check()
    with database.session() as session:
        made = review.file_of(session, "rev_1").takedown
        assert (made.number, made.taken_by, made.explanation, made.taken_at) == (1, "olga", "The mayor wrote to us.", 7)
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text("DELETE FROM takedowns"))
    database.engine.dispose()


@pytest.mark.parametrize("end", ENDS)
def test_and_by_way_of_a_backup_of_what_was_not_brought_up_to_date(tmp_path, home, monkeypatch, old_chain, end):
    home.mkdir()
    database, kept = made_by_the_old_version(f"sqlite:///{home / 'service.db'}", old_chain, end)
    database.engine.dispose()
    shutil.copy(home / "service.db", home / "jobs.db")  # any database will do: its contents are DBOS's
    keys.server_secret()
    backup.backup(Settings(), tmp_path / "old.tar")
    monkeypatch.setenv("LANTERNE_HOME", str(tmp_path / "another"))
    backup.restore(tmp_path / "old.tar")
    restored = Database(f"sqlite:///{tmp_path / 'another' / 'service.db'}")
    restored.migrate()
    kept["workers"] = [json.dumps(json.loads(row) | {"alive_until": 0}, sort_keys=True) for row in kept["workers"]]
    is_kept(restored, kept, end)
