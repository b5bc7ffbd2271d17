"""Where a deleted video stood in its owner's list, as long as the event that tells of its end is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade():
    op.add_column("events", sa.Column("owner", sa.String()))
    op.add_column("events", sa.Column("place", sa.Integer()))
