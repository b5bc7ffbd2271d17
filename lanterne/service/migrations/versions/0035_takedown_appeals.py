"""Takedowns by operators can be appealed against: what was overturned can be taken down anew, so takedowns are
numbered."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard, unguard

revision = "0035"
down_revision = "0034"

_OVERTURNED = (
    "(EXISTS (SELECT 1 FROM review_looks l WHERE l.request_id = t.request_id AND l.stage = 'takedown ' || t.number "
    "AND l.verdict = 'approve') OR EXISTS (SELECT 1 FROM review_escalations e WHERE e.request_id = t.request_id "
    "AND e.what = 'takedown ' || t.number AND e.remedy = 'release'))"
)
_STANDS = f"SELECT 1 FROM takedowns t WHERE t.request_id = NEW.request_id AND NOT {_OVERTURNED}"


def upgrade():
    unguard("publications", "released")
    op.rename_table("takedowns", "takedowns_before")
    op.create_table(
        "takedowns",
        sa.Column("request_id", sa.String(), sa.ForeignKey("releases.request_id"), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("taken_by", sa.String(), nullable=False),
        sa.Column("ground", sa.String()),
        sa.Column("explanation", sa.String(), nullable=False),
        sa.Column("taken_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "number", name="takedowns_numbered"),
    )
    columns = "taken_by, ground, explanation, taken_at"
    op.execute(f"INSERT INTO takedowns (request_id, number, {columns}) SELECT request_id, 1, {columns} FROM takedowns_before")
    op.drop_table("takedowns_before")
    if op.get_bind().dialect.name == "postgresql":
        for name in ("stays", "kept"):  # the triggers went with the table
            op.execute(f"DROP FUNCTION takedowns_{name}()")
    append_only("takedowns", ["request_id, number"])
    guard(
        "takedowns", "standing", "INSERT", "it is taken down already",
        f"EXISTS ({_STANDS} AND (t.ground IS NULL OR NEW.ground IS NOT NULL))",
    )
    guard(
        "publications", "released", "INSERT", "only what is released is shown",
        f"NOT EXISTS (SELECT 1 FROM releases WHERE request_id = NEW.request_id) OR EXISTS ({_STANDS})",
    )
    op.create_table(
        "takedown_appeals",
        sa.Column("request_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("opened_at", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["request_id", "number"], ["takedowns.request_id", "takedowns.number"]),
    )
    append_only("takedown_appeals", ["request_id, number"], "request_id, number, opened_at, due_at")
    guard(
        "takedown_appeals", "words", "UPDATE OF words", "an appeal can be erased and not changed",
        "NEW.words <> '' AND NEW.words <> OLD.words",
    )
    guard(
        "takedown_appeals", "by_operator", "INSERT", "only a takedown by an operator is appealed against",
        f"NOT EXISTS ({_STANDS} AND t.number = NEW.number AND t.ground IS NOT NULL) OR EXISTS ({_STANDS} AND t.ground IS NULL)",
    )
    _looks()


def _looks():
    unguard("review_looks", "order")

    def said(stage, verdict):
        return f"EXISTS (SELECT 1 FROM review_looks WHERE request_id = NEW.request_id AND stage = '{stage}' AND verdict = '{verdict}')"

    appealed = "SELECT 1 FROM takedown_appeals a WHERE a.request_id = NEW.request_id AND NEW.stage = 'takedown ' || a.number"
    guard(
        "review_looks", "order", "INSERT", "this look is not the next one",
        f"NOT (NEW.stage = 'first' OR NEW.stage = 'second' AND {said('first', 'refuse')} "
        f"OR NEW.stage = 'blind' AND {said('first', 'approve')} "
        "OR NEW.stage = 'appeal' AND EXISTS (SELECT 1 FROM review_appeals WHERE request_id = NEW.request_id) "
        f"OR EXISTS ({appealed}) AND NOT EXISTS ({_STANDS} AND t.ground IS NULL))",
    )
    guard(
        "review_looks", "another", "INSERT", "an appeal goes to somebody else than who took it down",
        "EXISTS (SELECT 1 FROM takedowns t WHERE t.request_id = NEW.request_id AND t.taken_by = NEW.reviewer "
        "AND NEW.stage = 'takedown ' || t.number)",
    )
    guard(
        "review_looks", "answer", "INSERT", "an answer to an appeal takes reasons",
        "NEW.stage LIKE 'takedown %' AND length(trim(NEW.explanation)) = 0",
    )
