"""Who set where a person's money goes, so that the same operator does not make the file that pays there. Of rows of before it is not known,
and they are paid as before."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade():
    op.add_column("payees", sa.Column("set_by", sa.String()))
