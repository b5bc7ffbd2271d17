"""What is seen of keys, alarms, contests and verdicts."""

import sqlalchemy as sa
from alembic import op

from lanterne.service.migrations.guards import append_only, keep

revision = "0022"
down_revision = "0021"


def upgrade():
    op.create_table(
        "sightings",
        sa.Column("key_id", sa.String(), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("network", sa.String(), primary_key=True),
        sa.Column("agent", sa.String(), primary_key=True),
        sa.Column("site", sa.String(), primary_key=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Integer(), nullable=False),
    )
    op.create_index("ix_sightings_last_at", "sightings", ["last_at"])
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("raised_at", sa.Integer(), nullable=False),
    )
    op.create_index("ix_alarms_key_id", "alarms", ["key_id"])
    op.create_index("ix_alarms_person_id", "alarms", ["person_id"])
    append_only("alarms", ["id"])
    op.create_table(
        "contests",
        sa.Column("alarm_id", sa.String(), sa.ForeignKey("alarms.id"), primary_key=True),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("opened_at", sa.Integer(), nullable=False),
    )
    keep("contests")
    op.create_table(
        "verdicts",
        sa.Column("alarm_id", sa.String(), sa.ForeignKey("alarms.id"), primary_key=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("upheld", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.Column("decider", sa.String(), nullable=False),
        sa.Column("decided_at", sa.Integer(), nullable=False),
        sa.CheckConstraint("decider <> person_id", name="verdict_not_on_oneself"),
        sa.CheckConstraint("length(trim(reasons)) > 0", name="verdict_reasons"),
    )
    append_only("verdicts", ["alarm_id"])
