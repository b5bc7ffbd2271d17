"""Keys of artists: pools, cohorts, networks, throttled and frozen ones, decoys; and which key asked for a video."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade():
    for name, kind in (
        ("max_active", sa.Integer()), ("pool", sa.String()), ("cohort_id", sa.String()), ("networks", sa.JSON()),
        ("throttled_at", sa.Integer()), ("frozen_at", sa.Integer()),
    ):
        op.add_column("keys", sa.Column(name, kind))
    op.add_column("keys", sa.Column("decoy", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_keys_cohort_id", "keys", ["cohort_id"])
    op.add_column("videos", sa.Column("key_id", sa.String()))
    op.create_index("ix_videos_key_id", "videos", ["key_id"])
