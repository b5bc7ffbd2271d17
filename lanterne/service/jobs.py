"""What a worker does, as DBOS workflows: a video is a workflow and each of its chunks a step, recorded when it is done.

Every step can be done twice with the same outcome, because a process may die between doing it and recording it. A step never raises
for what can be expected: it returns how the video goes on, and the workflow's record stays readable by every later version.
The decorators only enter these functions under their names; nothing runs before a worker starts DBOS.
"""

import logging
import os
import secrets
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

from dbos import DBOS
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.generate import Engine, Progress
from lanterne.service import metrics, provenance, webhooks
from lanterne.service.database import File, Video, Worker, now
from lanterne.service.deployment import Deployment, home_name
from lanterne.service.errors import without_home
from lanterne.service.events import note
from lanterne.service.files import StoreError
from lanterne.service.holding import forget_chunks, hold
from lanterne.service.making import Making
from lanterne.service.queue import delivery_options
from lanterne.service.videos import ACTIVE, SEGMENT, end

GOES_ON, STOPS = "goes on", "stops"
_log = logging.getLogger("lanterne.worker")


class Bench:
    """The models in memory, and the videos that this process has open. Lost with the process, and made anew from what is kept."""

    def __init__(self, deployment: Deployment, engine: Engine):
        self.deployment, self.engine = deployment, engine
        self.leaving = threading.Event()  # the process ends: no further chunk is begun
        self.busy = threading.Lock()  # held while a chunk is being made
        # This process's own: on its slot while it holds the lease, on a video while it makes it.
        self.token = f"{home_name()}-{secrets.token_hex(16)}"
        self.began, self.stepped = time.monotonic(), False  # when the chunk that is being made was begun; whether a step of it is done
        self._open: dict[str, Making] = {}
        self._began: dict[str, tuple[float, float]] = {}  # when this process first made a step of a video, and how much was done then

    def making(self, video_id: str) -> Making | None:
        """The video on its way, taken up where it was left; None when it is not to be made any more."""
        if video_id in self._open:
            return self._open[video_id]
        if not self._claim(video_id):
            return None
        with self.deployment.database.session() as session:
            video = session.scalar(select(Video).where(Video.id == video_id, Video.status == "in_progress"))
            roles = select(File).where(File.holder == video_id, File.role.in_(provenance.GIVEN))
            given = {file.role: file for file in session.scalars(roles)}
            parent = provenance.parent(session, video, given) if video else None
        if video is None:
            return None
        making = Making(
            self.deployment, self.engine, video, given, parent,
            on_step=lambda at: self._progress(video_id, at), stopped=lambda: not self._wanted(video_id),
            hold=lambda role, path: self._keep(video_id, role, path),
        )
        self._open[video_id] = making
        return making

    def lay_aside(self, video_id: str) -> None:
        """Let go of what is open of a video. Its finished chunks stay until it is over, for whoever takes it up again."""
        self._began.pop(video_id, None)
        making = self._open.pop(video_id, None)
        if making:
            making.close()
        with suppress(SQLAlchemyError), self.deployment.database.session() as session:
            if not session.scalar(select(Video.id).where(Video.id == video_id, Video.status.in_(ACTIVE))):
                shutil.rmtree(self.deployment.work(video_id), ignore_errors=True)
                forget_chunks(session, self.deployment, video_id)

    def end(self, reason: str) -> None:
        """Another has what this process held: it slept, or did not reach the database, for longer than its lease. Its successor asks DBOS
        what is still its own."""
        _log.error("this worker ends: %s", reason)
        os._exit(3)

    def take(self, session: Session, video_id: str) -> bool:
        """Lock the row of a video that this process makes, for the transaction in which something is written about it. False where the
        video is over or gone; where another has it now, this process ends and nothing is written."""
        mine = update(Video).where(Video.id == video_id, Video.status == "in_progress", Video.claim == self.token)
        if session.execute(mine.values(claim=self.token)).rowcount:
            return True
        if session.scalar(select(Video.id).where(Video.id == video_id, Video.status == "in_progress")):
            self.end(f"another has {video_id}")
        return False

    def _claim(self, video_id: str) -> bool:
        """Make the video this process's, whoever had it. Only who holds the lease may: it is taken away before a video is given on, and
        its row stays locked until the claim is there, so that a claim is never older than what it replaces."""
        with self.deployment.database.session() as session:
            slot = self.deployment.settings.worker
            if not session.execute(update(Worker).where(Worker.slot == slot, Worker.token == self.token).values(token=self.token)).rowcount:
                self.end("its lease was taken away")
            claims = update(Video).where(Video.id == video_id, Video.status == "in_progress").values(claim=self.token)
            return bool(session.execute(claims).rowcount)

    def _keep(self, video_id: str, role: str, path: Path) -> None:
        """A finished chunk: from here on nobody makes it again."""
        self.deployment.store.send_ahead(path)
        with self.deployment.database.session() as session:
            taken = self.take(session, video_id)
            if taken:
                hold(session, self.deployment, video_id, {role: (path, "application/x-npy")})
                if self.stepped:  # and not given, as the chunks of a video that goes on are
                    metrics.count_chunk(session, time.monotonic() - self.began)
        if taken:
            _log.info("%s of %s is kept", role, video_id)

    def _wanted(self, video_id: str) -> bool:
        """One small read a step: the row is gone (deleted), has ended (cancelled), is another's, is to be cut, or the video goes on."""
        with self.deployment.database.session() as session:
            query = select(Video.claim, Video.stopping).where(Video.id == video_id, Video.status == "in_progress")
            claim, stopping = session.execute(query).one_or_none() or (self.token, True)
        if claim != self.token:
            self.end(f"another has {video_id}")
        return not stopping

    def _progress(self, video_id: str, at: Progress) -> None:
        """Steps done of all, at most 99: 100 is for when the file is there."""
        self.stepped = True
        done = (at.chunk * at.num_steps + at.step + 1) / (at.num_chunks * at.num_steps)
        percent = min(99, int(100 * done))
        with self.deployment.database.session() as session:
            rises = update(Video).where(
                Video.id == video_id, Video.status == "in_progress", Video.claim == self.token, Video.progress < percent
            )
            if session.execute(rises.values(progress=percent)).rowcount:
                note(session, video_id, "progress", {
                    "progress": percent, "chunk": at.chunk + 1, "chunks": at.num_chunks, "step": at.step + 1, "steps": at.num_steps,
                    "seconds_left": self._seconds_left(video_id, done),
                })

    def _seconds_left(self, video_id: str, done: float) -> int | None:
        """An estimate from what this process has done of the video; None at its first step."""
        began, before = self._began.setdefault(video_id, (time.monotonic(), done))
        return round((time.monotonic() - began) / (done - before) * (1 - done)) if done > before else None


bench: Bench = None  # set by the worker before DBOS starts


@DBOS.workflow(name="make_video", max_recovery_attempts=1000)
def make_video(video_id: str) -> None:
    """From queued to completed or failed."""
    try:
        chunks = begin(video_id)
        for index in range(chunks):
            if make_chunk(video_id, index) == STOPS:
                break
        if chunks:
            finish(video_id)
    finally:
        bench.lay_aside(video_id)


@DBOS.step(name="begin")
def begin(video_id: str) -> int:
    """Mark the video as in progress; returns its number of chunks, 0 when there is nothing to do."""
    return _trying(video_id, lambda: _begin(video_id)) or 0


def _begin(video_id: str) -> int:
    with bench.deployment.database.session() as session:
        starts = update(Video).where(Video.id == video_id, Video.status == "queued").values(status="in_progress", started_at=now())
        if session.execute(starts).rowcount:
            note(session, video_id, "in_progress", {})
    making = bench.making(video_id)
    return len(making.spans) if making else 0


@DBOS.step(name="make_chunk")
def make_chunk(video_id: str, index: int) -> str:
    """Make one chunk, after those that this process has not seen are read again; they are kept, so that they cost little."""
    with bench.busy:
        if not bench.leaving.is_set():
            return _trying(video_id, lambda: _advance(video_id, index)) or STOPS
    threading.Event().wait()  # the process ends now, which waits for the lock alone, and the step is done by its successor


def _advance(video_id: str, index: int) -> str:
    making = bench.making(video_id)
    bench.began, bench.stepped = time.monotonic(), False
    if making is None or not making.advance(index + 1):
        return STOPS
    segments = {role: (path, SEGMENT) for role, (path, _) in making.segments.items() if path.exists()}
    for path, _ in segments.values():
        bench.deployment.store.send_ahead(path)
    with bench.deployment.database.session() as session:
        if bench.take(session, video_id):
            kept = set(session.scalars(select(File.role).where(File.holder == video_id)))
            new = {role: file for role, file in segments.items() if role not in kept}
            hold(session, bench.deployment, video_id, new, {role: seconds for role, (_, seconds) in making.segments.items()})
            note(session, video_id, "chunk", {
                "chunk": index + 1, "chunks": len(making.spans), "seconds": making.new_seconds, "preview": making.preview(),
            })
    return GOES_ON


@DBOS.step(name="finish")
def finish(video_id: str) -> None:
    """Put the files into the store and say that the video is there, in one transaction; or that it could not be finished."""
    _trying(video_id, lambda: _finish(video_id))


def _finish(video_id: str) -> None:
    database, settings = bench.deployment.database, bench.deployment.settings
    making = bench.making(video_id)
    if making is None:  # completed before and not recorded, cancelled, or deleted
        return
    if not making.advance(len(making.spans)):  # nothing to do, or every chunk to be read again by a successor
        if not _is_cut(video_id):
            return
        making.read_kept()
        if not making.new_seconds:
            with database.session() as session:
                if bench.take(session, video_id):
                    end(session, video_id, "cancelled", "It was cancelled by its owner before anything was finished.")
            return
    files = making.finish()
    for path, _ in files.values():
        bench.deployment.store.send_ahead(path)
    with database.session() as session:
        if not bench.take(session, video_id):
            return
        at = now()
        session.execute(
            update(Video).where(Video.id == video_id).values(
                status="completed", progress=100, completed_at=at, seconds=making.seconds,
                expires_at=at + settings.keep_days * 86400 if settings.keep_days else None,
            )
        )
        hold(session, bench.deployment, video_id, files)
        forget_chunks(session, bench.deployment, video_id)
        metrics.count_completed(session, making.new_seconds, at - making.video.started_at)
        note(session, video_id, "completed", {"progress": 100})
        webhooks.announce(session, video_id, "video.completed")


def _is_cut(video_id: str) -> bool:
    with bench.deployment.database.session() as session:
        return bool(session.scalar(select(Video.stopping).where(Video.id == video_id, Video.status == "in_progress")))


def _trying(video_id: str, work):
    """Do the work; what goes wrong ends the video with a sentence for its owner, and None is returned. A database or a store that
    does not answer is waited for: the video has done nothing wrong, and its chunks are kept."""
    pause = 1
    while True:
        try:
            try:
                return work()
            except (SQLAlchemyError, StoreError):
                raise
            except Exception as error:
                code, message = _told(video_id, error)
            with bench.deployment.database.session() as session:
                if bench.take(session, video_id):
                    end(session, video_id, code, message)
            return None
        except (SQLAlchemyError, StoreError) as error:
            _log.error("the database or the store failed, and the video %s waits for it: %s", video_id, error)
            bench.lay_aside(video_id)
            time.sleep(pause)
            pause = min(60, 2 * pause)


def _told(video_id: str, error: Exception) -> tuple[str, str]:
    """The code and the sentence that a failed video shows."""
    if isinstance(error, LanterneError):
        return "generation_failed", without_home(error)
    if isinstance(error, MemoryError):
        return "out_of_memory", "There was not enough memory; ask for a smaller video."
    _log.error("video %s failed", video_id, exc_info=error)
    return "internal_error", "It failed through a fault of this server, which wrote the details to its log."


@DBOS.workflow(name="deliver", max_recovery_attempts=1000)
def deliver(delivery_id: str, attempt: int) -> None:
    """One attempt to send a message; the next, if it takes one, is a workflow of its own that waits outside of the worker's threads."""
    delay = send(delivery_id, attempt)
    if delay is not None:
        DBOS.enqueue_workflow_with_options(delivery_options(delivery_id, attempt + 1, delay), delivery_id, attempt + 1)


@DBOS.step(name="send", retries_allowed=True, max_attempts=30)  # for a database that does not answer; a refusal is no exception
def send(delivery_id: str, attempt: int) -> float | None:
    return webhooks.attempt(bench.deployment.database, bench.deployment.settings, delivery_id, attempt)
