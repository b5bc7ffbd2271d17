"""Server-sent events: what happens to a video, told while it happens and told again from any point on (Last-Event-ID).

One look into the database, four times a second, serves everybody who listens; an event is read and written out once for all of them.
"""

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import asdict
from itertools import chain

from anyio import to_thread
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lanterne.service.database import Database, Event, Key, Video, now
from lanterne.service.errors import APIError
from lanterne.service.keys import Caller, open_keys
from lanterne.service.waits import Outlook, Wait

PAUSE = 0.25  # seconds between looks into the database
BREATH = 15  # seconds of silence after which a comment is sent, so that nobody in between closes the connection
LAST = ("completed", "failed", "deleted")
RETRY = "retry: 2000\n\n"  # milliseconds until a player or browser connects again, to the server's successor
_UNSURE = 10  # seconds in which an event may still appear under a lower number than one that was seen (on Postgres)
_BEHIND = 2000  # events that a slow listener may be behind before it has to connect again
_STREAMS = 200  # that an owner may have open
_log = logging.getLogger("lanterne.web")


def note(session: Session, video_id: str, name: str, data: dict) -> None:
    """Write an event down, in the transaction of what it tells of."""
    session.add(Event(video_id=video_id, name=name, data=data, created_at=now()))


class _Listener:
    """Somebody's open stream. What arrives is (number, name, text); a name of "" is the end of the stream and not of the video."""

    def __init__(self, caller: Caller, video_id: str):
        self.caller, self.video_id = caller, video_id
        self.arrived: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
        self.place: tuple[str, int] | None = None  # owner and number of a video that waits
        self.told: Wait | None = None

    def hand(self, number: int, name: str, text: str) -> None:
        if name not in ("queued", "position"):
            self.place = None
        if self.arrived.qsize() < _BEHIND:
            self.arrived.put_nowait((number, name, text))
        else:
            self.end(RETRY)

    def end(self, text: str = "") -> None:
        while not self.arrived.empty():
            self.arrived.get_nowait()
        self.arrived.put_nowait((0, "", text))


class Feed:
    def __init__(self, database: Database, outlook: Outlook):
        self._database, self._outlook = database, outlook
        self._listeners: dict[str, set[_Listener]] = defaultdict(set)  # by video
        self._seen: dict[int, float] = {}  # events of the last seconds, and when they were seen
        self._floor = 0  # all up to this number were seen
        self._task: asyncio.Task | None = None
        self._ready = asyncio.Event()
        self._leaving = False

    def make_room(self, caller: Caller) -> None:
        """Raises APIError where an owner has as many streams open as he may."""
        open_ = sum(listener.caller.owner == caller.owner for listener in chain(*self._listeners.values()))
        if open_ >= _STREAMS:
            raise APIError(429, "too_many_streams", f"You have {open_} event streams open and may have {_STREAMS}; close some.")

    async def listen(self, caller: Caller, video_id: str, after: int) -> AsyncIterator[str]:
        """Events of a video after the one numbered `after`, as text, until it ends, the caller's key does, or the server leaves."""
        listener = _Listener(caller, video_id)
        self._listeners[video_id].add(listener)
        try:
            if self._leaving:
                listener.end(RETRY)
            if self._task is None or self._task.done():
                self._ready.clear()
                self._task = asyncio.create_task(self._look())
            await self._ready.wait()  # from here on nothing is missed: what is not read now arrives
            known = {after}
            while True:
                for number, name, text in await to_thread.run_sync(self._kept, listener, max(known)):
                    known.add(number)
                    yield text
                    if name in LAST:
                        return
                async for name, text in self._arrivals(listener, known):
                    yield text
                    if name in ("", *LAST):
                        return
                yield ": still here\n\n"  # and looks again whether anything was missed
        finally:
            self._listeners[video_id].discard(listener)
            if not self._listeners[video_id]:
                del self._listeners[video_id]

    def leave(self) -> None:
        """The server ends: so do all streams, with a word on when to come again."""
        self._leaving = True
        for listener in chain(*self._listeners.values()):
            listener.end(RETRY)

    async def _arrivals(self, listener: _Listener, known: set[int]) -> AsyncIterator[tuple[str, str]]:
        """(name, text), until BREATH passes without any."""
        while True:
            try:
                async with asyncio.timeout(BREATH):
                    number, name, text = await listener.arrived.get()
            except TimeoutError:
                return
            if not number or number not in known:
                known.add(number)
                yield name, text

    def _kept(self, listener: _Listener, after: int) -> list[tuple[int, str, str]]:
        """Events that are there already."""
        with self._database.session() as session:
            # The status first: when it says that the video has ended, the event that says so is there, too.
            video = session.execute(
                select(Video.number, Video.status).where(Video.id == listener.video_id, Video.owner == listener.caller.owner)
            ).one_or_none()
            query = select(Event).where(Event.video_id == listener.video_id, Event.number > after).order_by(Event.number)
            found = [_written(event) for event in session.scalars(query)]
        if video is None:
            return [*found, (after, "deleted", _text("deleted", {"at": now()}))]
        listener.place = (listener.caller.owner, video.number) if video.status == "queued" else None
        if video.status in LAST and not any(name in LAST for _, name, _ in found):
            # The end was seen before: tell it again instead of waiting for what will not come.
            found.append((after, video.status, _text(video.status, {"at": now()}, after)))
        return found

    async def _look(self) -> None:
        rounds = 0
        while self._listeners:
            try:
                found = await to_thread.run_sync(self._new, not self._ready.is_set())
                for video_id, *event in found:
                    for listener in self._listeners.get(video_id, ()):
                        listener.hand(*event)
                self._ready.set()
                await self._shut_out()
                if rounds % 4 == 0:
                    await self._tell_places()
            except SQLAlchemyError as error:  # a database that does not answer is asked again
                _log.warning("the database failed, and event streams wait for it: %s", error)
            rounds += 1
            await asyncio.sleep(PAUSE)
        self._seen.clear()

    def _new(self, first: bool) -> list[tuple[str, int, str, str]]:
        """What was not seen yet, of videos that somebody listens to. The first look only takes note of how far things are."""
        at = time.monotonic()
        with self._database.session() as session:
            if first:
                newest = session.scalar(select(func.max(Event.number))) or 0
                self._floor, self._seen = max(0, newest - 100), {}
            rows = session.execute(select(Event.number, Event.video_id).where(Event.number > self._floor)).all()
            unseen = [(number, video_id) for number, video_id in rows if number not in self._seen]
            self._seen |= {number: at for number, _ in unseen}
            wanted = [] if first else [number for number, video_id in unseen if video_id in self._listeners]
            found = session.scalars(select(Event).where(Event.number.in_(wanted)).order_by(Event.number)).all() if wanted else []
        for number in [number for number, seen in self._seen.items() if seen < at - _UNSURE]:
            del self._seen[number]
            self._floor = max(self._floor, number)
        return [(event.video_id, *_written(event)) for event in found]

    async def _shut_out(self) -> None:
        """End the streams of keys that were revoked or frozen, or have expired."""
        keys = {listener.caller.key_id for listener in chain(*self._listeners.values())}
        if gone := await to_thread.run_sync(self._gone, keys):
            for listener in chain(*self._listeners.values()):
                if listener.caller.key_id in gone:
                    listener.end()

    def _gone(self, key_ids: set[str]) -> set[str]:
        with self._database.session() as session:
            open_ = select(Key.id).where(Key.id.in_(key_ids), *open_keys(now()))
            return key_ids - set(session.scalars(open_))

    async def _tell_places(self) -> None:
        """How many are ahead of a video that waits; told without an id, since it is only true now."""
        for listener in list(chain(*self._listeners.values())):
            if listener.place:
                wait = await self._outlook.wait(*listener.place)
                if listener.place and (listener.told is None or listener.told.ahead != wait.ahead):
                    listener.told = wait
                    listener.hand(0, "position", _text("position", asdict(wait)))


def _written(event: Event) -> tuple[int, str, str]:
    return event.number, event.name, _text(event.name, event.data | {"at": event.created_at}, event.number)


def _text(name: str, data: dict, number: int = 0) -> str:
    return (f"id: {number}\n" if number else "") + f"event: {name}\ndata: {json.dumps(data)}\n\n"
