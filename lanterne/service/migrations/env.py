"""Alembic's way in: `database.migrate` brings the connection."""

from alembic import context

from lanterne.service import dossier  # noqa: F401 (the tables of all parts of the programme)
from lanterne.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
