"""The worker process: loads the model once, takes videos from the queue one at a time, and looks after what others left lying.

DBOS recovers the workflows of its own executor id when it starts, so each worker has a slot whose name stays its own. A slot whose
lease lapsed belongs to a worker that died for good; whoever notices takes its workflows over.
"""

import faulthandler
import fcntl
import logging
import os
import shutil
import signal
import threading
import time

from dbos import DBOS, DBOSConfig
from dbos import error as dbos_error
from sqlalchemy import delete, select, update

from lanterne.errors import LanterneError, writing
from lanterne.generate import Engine
from lanterne.paths import home
from lanterne.service import jobs, keeping, queue, releasing, webhooks
from lanterne.service.database import Event, File, Repeat, Video, Worker, attentive, now
from lanterne.service.deployment import Deployment, home_name
from lanterne.service.files import STALE
from lanterne.service.holding import CHUNK, erase, forget_chunks
from lanterne.service.settings import Settings
from lanterne.service.videos import ACTIVE, end

POLL = 0.3  # seconds between DBOS's looks into the queue
_LOOK_AFTER = 10  # seconds between looks for what was left lying
_RELEASES_AFTER = 60  # seconds between looks for deadlines of the review that passed
_TIDY_AFTER = 1800  # seconds between looks through the whole store
_GRACE = 30  # seconds that a chunk may still take when the process is asked to end
_REPEAT_DAYS = 7  # an Idempotency-Key is remembered for so long
_log = logging.getLogger("lanterne.worker")


def work(settings: Settings, with_parent: bool = False) -> None:
    """Work until SIGTERM or Ctrl-C. with_parent: end, too, when standard input closes, which is when the parent process is gone."""
    if with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    slot = _take_slot(settings.worker)
    deployment = Deployment.of(settings)
    deployment.database.check()
    deployment.store.check()
    engine = Engine.load(settings.weights)
    bench = jobs.bench = jobs.Bench(deployment, engine)
    DBOS(config=DBOSConfig(
        name=queue.APPLICATION, system_database_url=attentive(settings.jobs_database), application_version=queue.VERSION,
        executor_id=settings.worker, console_log_level="WARNING", log_level="WARNING", enable_otlp=False,
    ))
    _enlist(bench)
    logging.getLogger("dbos").addFilter(_is_news)
    DBOS.launch()
    owners = settings.running_per_owner
    DBOS.register_queue(
        queue.VIDEOS, worker_concurrency=1, partition_concurrency=owners, polling_interval_sec=POLL, on_conflict="always_update"
    )
    DBOS.register_queue(queue.WEBHOOKS, worker_concurrency=8, polling_interval_sec=POLL, on_conflict="always_update")
    faulthandler.register(signal.SIGUSR1)  # writes what every thread does, for a worker that seems to hang
    leave = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave.set())
    _log.info("worker %s is ready", settings.worker)
    caretaker = Caretaker(bench, queue.Queue(settings.jobs_database))
    while not leave.wait(1):
        caretaker.look()
    bench.leaving.set()
    if not bench.busy.acquire(timeout=_GRACE):
        _log.warning("the chunk in progress takes too long; it will be made again")
    _log.info("worker %s leaves", settings.worker)
    logging.shutdown()
    del slot
    os._exit(0)  # threads that wait for their next step are not waited for: their work is recorded


class Caretaker:
    """Small duties, done beside the work; each can be done by several workers at once without harm."""

    def __init__(self, bench: jobs.Bench, outlet: queue.Queue):
        self._bench, self._deployment, self._queue = bench, bench.deployment, outlet
        self._next = self._next_releases = self._next_tidy = 0.0
        self._silent: dict[str, int] = {}  # slots whose lease had lapsed at the last look

    def look(self) -> None:
        duties = [lambda: _renew(self._bench), self._send]
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + min(_LOOK_AFTER, self._deployment.settings.lease_seconds)
            duties += [self._requeue, self._take_over, self._expire, self._tidy]
        if time.monotonic() >= self._next_releases:
            self._next_releases = time.monotonic() + _RELEASES_AFTER
            duties.append(lambda: releasing.look_after(self._deployment))
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + _TIDY_AFTER
            duties.append(self._tidy_store)
        for duty in duties:
            try:
                duty()
            except Exception:  # a full disk or a locked database must not end the worker; the duty comes round again
                _log.exception("a duty of the worker failed and will be tried again")

    def _send(self) -> None:
        for delivery_id in webhooks.unsent(self._deployment.database):
            self._queue.deliver(delivery_id)

    def _requeue(self) -> None:
        """Videos that were written down and did not reach the queue, because a process died in between; and those whose job is over."""
        database = self._deployment.database
        with database.session() as session:
            waiting = select(Video.id, Video.owner, Video.number).where(Video.status.in_(ACTIVE), Video.created_at < now() - 2)
            found = {video_id: (owner, number) for video_id, owner, number in session.execute(waiting)}
        unknown, over = self._queue.lost(list(found))
        for video_id in unknown:
            self._queue.put(video_id, *found[video_id])
        for video_id in over:
            with database.session() as session:
                end(session, video_id, "internal_error", "It failed through a fault of this server, which wrote the details to its log.")

    def _take_over(self) -> None:
        with self._deployment.database.session() as session:
            silent = dict(session.execute(select(Worker.slot, Worker.alive_until).where(Worker.alive_until < now())).all())
        # Seen silent twice, without a word in between: a clock that jumped makes nobody dead.
        dead, self._silent = [slot for slot in silent if self._silent.get(slot) == silent[slot]], silent
        for slot in dead:
            with self._deployment.database.session() as session:
                lapsed = (Worker.slot == slot, Worker.alive_until == silent[slot])
                # Its lease is taken away first: should it wake up, it can claim nothing of what others now have.
                if not session.execute(update(Worker).where(*lapsed).values(token=None)).rowcount:
                    continue
            _log.warning("worker %s is gone; its videos are taken over", slot)
            DBOS._recover_pending_workflows([slot])  # DBOS has no public name for it outside of its paid service
            with self._deployment.database.session() as session:
                session.execute(delete(Worker).where(*lapsed, Worker.token.is_(None)))

    def _expire(self) -> None:
        keeping.expire(self._deployment)
        keeping.keep_within_budget(self._deployment)
        with self._deployment.database.session() as session:
            session.execute(delete(Event).where(Event.name == "deleted", Event.created_at < now() - 3600))
            session.execute(delete(Repeat).where(Repeat.created_at < now() - _REPEAT_DAYS * 86400))

    def _tidy(self) -> None:
        """What crashes left on the disk: work folders of videos that are over, and of releases."""
        with self._deployment.database.session() as session:
            active = set(session.scalars(select(Video.id).where(Video.status.in_(ACTIVE))))
        for folder in (home() / "work").glob("video_*"):
            if folder.name not in active and folder.stat().st_mtime < time.time() - _LOOK_AFTER:
                shutil.rmtree(folder, ignore_errors=True)
        for folder in (home() / "work").glob("release-*"):
            if folder.stat().st_mtime < time.time() - STALE:
                shutil.rmtree(folder, ignore_errors=True)

    def _tidy_store(self) -> None:
        """What crashes left in the store: chunks of videos that are over, bytes that nobody holds, what is half received."""
        deployment = self._deployment
        found = deployment.store.names()
        with deployment.database.session() as session:
            over = ~select(Video.id).where(Video.id == File.holder, Video.status.in_(ACTIVE)).exists()
            for video_id in session.scalars(select(File.holder).where(File.role.startswith(CHUNK), over).distinct()).all():
                forget_chunks(session, deployment, video_id)
            held = set(session.scalars(select(File.sha256)))
        erase(deployment, set(found) - held)
        deployment.store.sweep()


def _enlist(bench: jobs.Bench) -> None:
    """Take the lease on this worker's slot, from its predecessor if there was one. One that had the same home is dead, since the slot is
    locked there. Raises LanterneError where another machine's lives."""
    slot = bench.deployment.settings.worker
    with bench.deployment.database.session() as session:
        lease = session.get(Worker, slot, with_for_update=True)
        if lease and lease.token and lease.alive_until >= now() and not lease.token.startswith(home_name()):
            raise LanterneError(f"A worker on another computer has the slot {slot!r}; give this one another, such as --slot worker-1.")
        session.merge(Worker(slot=slot, alive_until=_until(bench), token=bench.token))


def _renew(bench: jobs.Bench) -> None:
    """Even a lease that has lapsed, as long as nobody took it away: a clock ends nobody who is only slow, or whose database was."""
    slot = bench.deployment.settings.worker
    with bench.deployment.database.session() as session:
        mine = update(Worker).where(Worker.slot == slot, Worker.token == bench.token)
        renewed = session.execute(mine.values(alive_until=_until(bench))).rowcount
    if not renewed:
        bench.end("its lease was taken away")


def _until(bench: jobs.Bench) -> int:
    return now() + bench.deployment.settings.lease_seconds


def _take_slot(name: str):
    """A lock that lives as long as this process: two workers of one slot would make the same videos. Waits for a predecessor's end."""
    path = home() / f"{name}.lock"
    with writing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("a")
    for _ in range(100):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file
        except BlockingIOError:
            time.sleep(0.1)
    raise LanterneError(f"Another worker has the slot {name!r} on this computer; give this one another, such as --slot worker-1.")


def _is_news(record: logging.LogRecord) -> bool:
    """Not what DBOS says of a video that was taken out of the queue in the very moment in which it was begun: its job ends in order."""
    return not (record.exc_info and isinstance(record.exc_info[1], dbos_error.DBOSAwaitedWorkflowCancelledError))


def _end_with_parent() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock this thread would still hold when the interpreter ends
        pass
    os._exit(1)  # the parent left without a word; its successor waits for this slot
