"""Who holds which bytes of the store, and when bytes go that nobody holds any more.

Several may hold the same bytes, since they lie under what they are. Who takes bytes in and who removes them first lock these bytes until
the end of the transaction: nothing is removed that somebody is about to hold. On SQLite, one transaction writes at a time anyway.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import delete, event, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.service.database import Event, File
from lanterne.service.deployment import Deployment
from lanterne.service.files import sha256_of

CHUNK = "chunk-"  # how the roles of a running video's finished chunks begin
_SOME = 500  # names in one statement
_log = logging.getLogger("lanterne.store")
Given = dict[str, tuple[Path, str]]  # role: (file, media type)


def hold(session: Session, deployment: Deployment, holder: str, given: Given, seconds: dict[str, float] | None = None) -> None:
    """Take files into the store and remember who holds them, in place of what he held in these roles. Call it once in the transaction that
    creates the holder, or takes its row, and after it did. Raises WriteError, StoreError."""
    names = {role: sha256_of(path) for role, (path, _) in given.items()}
    if session.get_bind().dialect.name == "postgresql":
        _lock(session, names.values())
    for role, (path, media_type) in given.items():
        size = path.stat().st_size
        deployment.store.put(path, names[role])
        session.merge(
            File(holder=holder, role=role, sha256=names[role], bytes=size, media_type=media_type, seconds=(seconds or {}).get(role))
        )


def forget(session: Session, deployment: Deployment, holder: str) -> None:
    """Drop what a video or character held; bytes that nobody else holds leave the store."""
    _drop(session, deployment, File.holder == holder)
    session.execute(delete(Event).where(Event.video_id == holder))


def forget_chunks(session: Session, deployment: Deployment, video_id: str) -> None:
    """Drop the chunks of a video that is over: they are in its latents, or nobody goes on from them."""
    _drop(session, deployment, File.holder == video_id, File.role.startswith(CHUNK))


def erase(deployment: Deployment, names: Iterable[str]) -> None:
    """Remove those of these bytes that nobody holds. Raises StoreError."""
    names = sorted(set(names))
    for some in (names[start : start + _SOME] for start in range(0, len(names), _SOME)):
        with deployment.database.session() as session:
            if session.get_bind().dialect.name == "postgresql":
                _lock(session, some)
            else:
                session.execute(text("BEGIN IMMEDIATE"))
            held = set(session.scalars(select(File.sha256).where(File.sha256.in_(some))))
            deployment.store.remove(name for name in some if name not in held)


def _drop(session: Session, deployment: Deployment, *which) -> None:
    names = list(session.scalars(select(File.sha256).where(*which)))
    session.execute(delete(File).where(*which))
    # Once the database has really forgotten them, and not before.
    event.listen(session, "after_commit", lambda _: _erase_if_possible(deployment, names), once=True)


def _erase_if_possible(deployment: Deployment, names: list[str]) -> None:
    try:
        erase(deployment, names)
    except (LanterneError, SQLAlchemyError) as error:
        _log.error("bytes that nobody holds stay until a worker tidies: %s", error)


def _lock(session: Session, names: Iterable[str]) -> None:
    """Postgres' own locks, of whole numbers, all in one order, so that two who want the same never wait for each other."""
    for name in sorted(set(names)):
        session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(bytes.fromhex(name[:16]), signed=True))))
