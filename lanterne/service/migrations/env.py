"""Alembic's way in: `database.migrate` brings the connection."""

from alembic import context

from lanterne.programme import (  # noqa: F401 (their tables)
    audit,
    cohorts,
    consent,
    datasets,
    feedback,
    leaks,
    ledger,
    passkeys,
    pay,
    payouts,
    people,
    release,
    review,
)
from lanterne.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
