"""Keys with quotas and what was used of them; counts that only ever rise, for metrics."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    for name in ("max_videos", "max_seconds", "period_days"):
        op.add_column("keys", sa.Column(name, sa.Integer()))
    op.create_table(
        "uses",
        sa.Column("video_id", sa.String(), primary_key=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
    )
    op.create_index("uses_of_key", "uses", ["key_id", "created_at"])
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("label", sa.String(), primary_key=True),
        sa.Column("value", sa.Double(), nullable=False),
    )
    op.create_index("deliveries_by_attempts", "deliveries", ["attempts", "created_at"])
