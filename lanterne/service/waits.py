"""How long videos will wait: from the queue as it stands, and from what lately completed videos really took.

One look at the queue serves everybody who asks within a second or so; with ten thousand videos in it, too.
"""

import asyncio
import time
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass

from anyio import to_thread
from sqlalchemy import func, select

from lanterne.service.database import Database, Video, Worker, now

_AGE = 1.0  # seconds that a look serves
_SHARE = 0.05  # of the time, at most, that goes into looking
_LATELY = 20  # completed videos whose times are taken for those to come
_SECONDS = Video.plan["seconds"].as_float()
_STEPS = Video.plan["steps"].as_integer()
WORK = _SECONDS * _STEPS  # of a whole video


@dataclass(frozen=True)
class Wait:
    """Of a queued video: how many are likely to be made before it, and in about how many seconds it begins; None where nothing was
    measured yet, or no worker is alive."""

    ahead: int
    seconds: int | None


@dataclass(frozen=True)
class _Look:
    at: float
    running: int
    left: float  # work left of those that run
    waiting: dict[str, list[int]]  # owner: numbers of the videos that wait, rising
    sums: dict[str, list[float]]  # owner: the work of the first of them, of the first two, …; from 0 on
    pace: float | None  # seconds per unit of work
    workers: int

    def wait(self, owner: str, number: int) -> Wait:
        """Owners take turns by chance, each with the same: until somebody's n-th video begins, others have had about n turns each."""
        own = bisect_left(self.waiting.get(owner, ()), number)
        ahead, work = self.running + own, self.left + (self.sums[owner][own] if own else 0)
        for other, numbers in self.waiting.items():
            if other != owner:
                turns = min(len(numbers), own + 1)
                ahead, work = ahead + turns, work + self.sums[other][turns]
        if not self.workers:
            return Wait(ahead, None)
        if not ahead:
            return Wait(0, 0)
        return Wait(ahead, None if self.pace is None else round(work * self.pace / self.workers))


class Outlook:
    """Work is counted in seconds of video times steps."""

    def __init__(self, database: Database):
        self._database = database
        self._look: _Look | None = None
        self._takes = 0.0
        self._looking = asyncio.Lock()

    async def wait(self, owner: str, number: int) -> Wait:
        """Of the queued video with this number. Raises SQLAlchemyError."""
        async with self._looking:
            if self._look is None or time.monotonic() - self._look.at > max(_AGE, self._takes / _SHARE):
                self._look = await to_thread.run_sync(self._take_look)
        return self._look.wait(owner, number)

    def seconds_left(self, work: float) -> float | None:
        """What so much work takes, by the last look; None where nothing was measured."""
        return work * self._look.pace if self._look and self._look.pace else None

    def _take_look(self) -> _Look:
        began = time.monotonic()
        with self._database.session() as session:
            active = session.execute(
                select(Video.number, Video.owner, Video.status, Video.progress, _SECONDS, _STEPS)
                .where(Video.status.in_(("queued", "in_progress"))).order_by(Video.number)
            ).all()
            lately = session.execute(
                select(Video.completed_at - Video.started_at, _SECONDS, Video.seconds, _STEPS)
                .where(Video.status == "completed", Video.completed_at >= Video.started_at)
                .order_by(Video.number.desc()).limit(_LATELY)
            ).all()
            workers = session.scalar(select(func.count()).select_from(Worker).where(Worker.alive_until >= now()))
        waiting, sums = defaultdict(list), defaultdict(lambda: [0.0])
        running, left = 0, 0.0
        for number, owner, status, progress, seconds, steps in active:
            if status == "in_progress":
                running, left = running + 1, left + seconds * steps * (100 - progress) / 100
            else:
                waiting[owner].append(number)
                sums[owner].append(sums[owner][-1] + seconds * steps)
        took = sum(took for took, *_ in lately)
        work = sum(min(asked, made) * steps for _, asked, made, steps in lately)  # one that was cut made less than was asked
        self._takes = time.monotonic() - began
        return _Look(time.monotonic(), running, left, dict(waiting), dict(sums), took / work if work else None, workers)
