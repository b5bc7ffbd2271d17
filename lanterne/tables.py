"""What all tables have in common, those of the service and those of the programme: one base, one clock."""

import time

from sqlalchemy import JSON
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    type_annotation_map = {dict: JSON, list: JSON}  # noqa: RUF012 (SQLAlchemy's name for it)


def now() -> int:
    """UTC seconds."""
    return int(time.time())
