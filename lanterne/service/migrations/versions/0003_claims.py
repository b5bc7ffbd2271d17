"""Which process makes a video, and which holds a slot's lease: what a worker that was taken for dead still writes is refused."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.add_column("videos", sa.Column("claim", sa.String()))
    op.add_column("workers", sa.Column("token", sa.String()))
