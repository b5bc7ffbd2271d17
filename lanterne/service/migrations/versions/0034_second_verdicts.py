"""What an alarm was based on can be erased; one that was upheld before its artist spoke is decided again, by another person."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, guard, unguard

revision = "0034"
down_revision = "0033"


def upgrade():
    unguard("alarms", "stays")
    guard("alarms", "stays", "UPDATE OF id, key_id, person_id, step, score, raised_at", "alarms is append-only")
    guard(
        "alarms", "blanked", "UPDATE OF signals", "alarms is append-only: what they are based on can be erased alone",
        "length(CAST(NEW.signals AS VARCHAR)) >= length(CAST(OLD.signals AS VARCHAR)) AND CAST(NEW.signals AS VARCHAR) "
        "<> CAST(OLD.signals AS VARCHAR)",
    )
    op.create_table(
        "second_verdicts",
        sa.Column("alarm_id", sa.String(), sa.ForeignKey("verdicts.alarm_id"), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("upheld", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.Column("decider", sa.String(), nullable=False),
        sa.Column("decided_at", sa.Integer(), nullable=False),
        sa.CheckConstraint("decider <> person_id", name="second_verdict_not_on_oneself"),
        sa.CheckConstraint("length(trim(reasons)) > 0", name="second_verdict_reasons"),
    )
    append_only("second_verdicts", ["alarm_id"])
    guard(
        "second_verdicts", "by_another", "INSERT", "somebody else decides than who did first",
        "EXISTS (SELECT 1 FROM verdicts WHERE alarm_id = NEW.alarm_id AND decider = NEW.decider)",
    )
