"""Server-sent events: what happens to a video, told while it happens and told again from any point on (Last-Event-ID)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from anyio import to_thread
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lanterne.service.database import Database, Event, Video, now

PAUSE = 0.25  # seconds between looks into the database, one look for all who listen
BREATH = 15  # seconds of silence after which a comment is sent, so that nobody in between closes the connection
LAST = ("completed", "failed", "deleted")


def note(session: Session, video_id: str, name: str, data: dict) -> None:
    """Write an event down, in the transaction of what it tells of."""
    session.add(Event(video_id=video_id, name=name, data=data, created_at=now()))


class Feed:
    """Wakes listeners when there is something new; one query serves them all."""

    def __init__(self, database: Database):
        self._database = database
        self._newest, self._listeners = 0, 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task | None = None

    async def listen(self, video_id: str, owner: str, after: int) -> AsyncIterator[str]:
        """Events of a video after the one numbered `after`, as text, until it ends."""
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        told = None
        try:
            while True:
                seen = self._newest
                found, there, ahead = await to_thread.run_sync(self._events, video_id, owner, after)
                for event in found:
                    after = event.number
                    yield f"id: {event.number}\nevent: {event.name}\ndata: {json.dumps(event.data | {'at': event.created_at})}\n\n"
                    if event.name in LAST:
                        return
                if ahead is not None and ahead != told:
                    told = ahead
                    yield f"event: position\ndata: {json.dumps({'ahead': ahead})}\n\n"
                if not there:
                    yield f"event: deleted\ndata: {json.dumps({'at': now()})}\n\n"
                    return
                if not found and not await self._news(seen):
                    yield ": still here\n\n"
        finally:
            self._listeners -= 1

    def _events(self, video_id: str, owner: str, after: int) -> tuple[list[Event], bool, int | None]:
        """New events; whether the video is there; for one that waits, how many came before it and are not over."""
        with self._database.session() as session:
            # The status first: when it says that the video has ended, the event that says so is there, too.
            number, status = session.execute(
                select(Video.number, Video.status).where(Video.id == video_id, Video.owner == owner)
            ).one_or_none() or (0, None)
            found = list(session.scalars(select(Event).where(Event.video_id == video_id, Event.number > after).order_by(Event.number)))
            ahead = None
            if status == "queued":
                before = select(func.count()).select_from(Video).where(Video.status.in_(("queued", "in_progress")), Video.number < number)
                ahead = session.scalar(before)
        if status in ("completed", "failed") and not any(event.name in LAST for event in found):
            # The end was seen before: tell it again instead of waiting for what will not come.
            found.append(Event(number=after, name=status, data={}, created_at=now()))
        return found, status is not None, ahead

    async def _news(self, seen: int) -> bool:
        """Wait for anything new; False when BREATH passes without."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self._newest > seen), BREATH)
            except TimeoutError:
                return False
        return True

    async def _look(self) -> None:
        while self._listeners:
            newest = self._newest
            with suppress(SQLAlchemyError):  # a database that does not answer is asked again
                newest = await to_thread.run_sync(self._number)
            if newest != self._newest:
                async with self._changed:
                    self._newest = newest
                    self._changed.notify_all()
            await asyncio.sleep(PAUSE)

    def _number(self) -> int:
        with self._database.session() as session:
            return session.scalar(select(func.max(Event.number))) or 0
