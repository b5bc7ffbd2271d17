"""Copies found in public, the first manifests of what was signed; and the columns that databases of 0.2.0 may lack.

The last commits of 0.2.0 went from 0002 straight to 0010, and 0003 was put between them later: a database that was at 0010 by then never
got its columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0030"


def upgrade():
    op.create_table(
        "copies",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("video_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("found_by", sa.String(), nullable=False),
        sa.Column("found_at", sa.Integer(), nullable=False),
    )
    op.create_index("ix_copies_key_id", "copies", ["key_id"])
    op.create_index("ix_copies_person_id", "copies", ["person_id"])
    op.create_table(
        "manifests",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    for table, column in (("videos", "claim"), ("workers", "token")):
        if column not in {found["name"] for found in sa.inspect(op.get_bind()).get_columns(table)}:
            op.add_column(table, sa.Column(column, sa.String()))
