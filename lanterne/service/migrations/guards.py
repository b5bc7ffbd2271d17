"""Triggers that refuse what must not be done to a table, the same on SQLite and on Postgres.

A later migration that rebuilds a guarded table (Alembic's batch mode on SQLite) must put its guards up again.
"""

from collections.abc import Sequence

from alembic import op


def guard(table: str, name: str, when: str, message: str, condition: str = "1 = 1", first: str = "") -> None:
    """Refuse `when` ("INSERT", "UPDATE", "UPDATE OF column, column", "DELETE") for rows of which `condition`, in SQL about OLD and NEW,
    is true. first: what Postgres does before it looks."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    result = "OLD" if when == "DELETE" else "NEW"
    op.execute(
        f"CREATE FUNCTION {table}_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {first} "
        f"IF {condition} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {result}; END $$"
    )
    op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_{name}()")


def unguard(table: str, name: str) -> None:
    """Take a guard away, for another to come in its place."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {table}_{name}")
        return
    op.execute(f"DROP TRIGGER {table}_{name} ON {table}")
    op.execute(f"DROP FUNCTION {table}_{name}()")


def append_only(table: str, uniques: Sequence[str], columns: str = "") -> None:
    """Rows are written once: no update (of these columns, or of any), no delete, no replacing. uniques: each "column" or "column, column"
    that is unique, since SQLite's INSERT OR REPLACE takes a row away without asking the trigger on DELETE."""
    guard(table, "stays", f"UPDATE OF {columns}" if columns else "UPDATE", f"{table} is append-only")
    keep(table)
    if op.get_bind().dialect.name == "sqlite":
        for number, unique in enumerate(uniques):
            same = " AND ".join(f"{column} = NEW.{column}" for column in unique.split(", "))
            guard(table, f"once_{number}", "INSERT", f"{table} has this row", f"EXISTS (SELECT 1 FROM {table} WHERE {same})")


def keep(table: str) -> None:
    """No row is deleted, nor all of them at once."""
    guard(table, "kept", "DELETE", f"{table} is append-only")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()")
