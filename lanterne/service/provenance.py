"""What every video of the server says of where it comes from: its watermark, its visible mark, its signed statement; and who made a copy.

The number in the watermark follows from the owner, the plan and what was given. So the same request of the same owner gives the same
bytes again, a copy is traced to its owner, and nothing more has to be kept. With a video's row, the trace is gone too.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lanterne.programme import consent, mark, watermark
from lanterne.programme.identity import identity
from lanterne.programme.signing import CREATED, EDITED, EXTENDED, Statement, first_here, sign
from lanterne.request import Request
from lanterne.service.database import Database, File, Manifest, Video
from lanterne.service.deployment import Deployment

GIVEN = ("image", "source", "history")  # the roles of what is given
_KEPT = 20_000  # manifests, of about 15 kB
_KINDS = {"edit": EDITED, "extend": EXTENDED}


class Marks:
    """The marks of one video."""

    def __init__(self, deployment: Deployment, video: Video, given: dict[str, File], parent: File | None, weights: str):
        self._who, self._settings, self._store = identity(), deployment.settings, deployment.store
        self._database, self._owner = deployment.database, video.owner
        self._size = (video.width, video.height)
        number = number_of(self._who.watermark_secret, video, list(given.values()))
        self._pattern = watermark.pattern(self._who.watermark_secret, number, *Request(**video.plan).native_size)
        # A parent that was deleted meanwhile cannot be named.
        self._statement = Statement(_KINDS[video.kind] if parent else CREATED, video.model, weights, number)
        self._parent, self._image = parent, given.get("image")

    def drawn(self, frames_THWC: np.ndarray) -> np.ndarray:
        frames = watermark.embed(frames_THWC, self._pattern)
        return mark.draw(frames, *self._size) if self._settings.visible_mark else frames

    def sign(self, path) -> None:
        """Sign the finished file in its place, with what its owner allows at this moment. Raises WriteError, SigningError."""
        with self._database.session() as session:
            training = consent.given(session, self._owner, "training") is not None
        parent = self._store.local(self._parent.sha256) if self._parent else None
        inputs = [self._store.local(self._image.sha256)] if self._image else []
        statement, first = replace(self._statement, training=training), partial(first_of_all, self._database)
        sign(path, statement, self._who, parent, inputs, self._settings.timestamp_url, first)


def first_of_all(database: Database, name: str, made: bytes) -> bytes:
    """The first manifest of a content among all workers' files: what the database has, or from now on what this home folder has."""
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[database.engine.dialect.name]
    kept = select(Manifest.manifest).where(Manifest.name == name)
    with database.session() as session:
        if (first := session.scalar(kept)) is not None:
            return first
    with database.session() as session:
        session.execute(insert(Manifest).values(name=name, manifest=first_here(name, made)).on_conflict_do_nothing())
        newest = select(func.max(Manifest.number)).scalar_subquery()
        session.execute(delete(Manifest).where(Manifest.number <= newest - _KEPT))
        return session.scalar(kept)


def number_of(secret: bytes, video: Video, given: list[File]) -> int:
    """The number in the watermark of a video that is made from these files."""
    files = {file.role: file.sha256 for file in given if file.role in GIVEN}
    return watermark.number_of(secret, json.dumps([video.owner, video.model, video.plan, files], sort_keys=True))


def parent(session: Session, video: Video, given: dict[str, File]) -> File | None:
    """The file of the video that this one is made from: what was uploaded, or the owner's own that has the latents it goes on from."""
    origin = given.get("source") or given.get("history")
    if origin is None or origin.media_type == "video/mp4":
        return origin
    holders = select(File.holder).where(File.role == "latents", File.sha256 == origin.sha256)
    query = select(File).join(Video, Video.id == File.holder).where(File.role == "video", Video.owner == video.owner)
    return session.scalar(query.where(File.holder.in_(holders)).order_by(Video.number).limit(1))


def traced(database: Database, number: int) -> Iterator[Video]:
    """The videos whose watermark has this number: one, or several where the same was asked for again."""
    secret = identity().watermark_secret
    with database.session() as session:
        given: dict[str, list[File]] = {}
        for file in session.scalars(select(File).where(File.role.in_(GIVEN))):
            given.setdefault(file.holder, []).append(file)
        for video in session.scalars(select(Video).order_by(Video.number)):
            if number_of(secret, video, given.get(video.id, [])) == number:
                yield video
