"""Looking for leaked keys while requests are answered: what is seen is gathered in memory, and judged twice a second.

Only keys of artists and decoys are watched; the keys that an operator makes for themselves are not. What a judgement asks for is done in
the transaction that writes it down.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from anyio import to_thread
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from lanterne.errors import LanterneError
from lanterne.programme import audit, leaks, people
from lanterne.programme.leaks import Alarm, Glimpse, Work
from lanterne.programme.mail import Mail, Post
from lanterne.programme.release import Release, down
from lanterne.programme.review import Request
from lanterne.service import keys, revocation
from lanterne.service.database import Database, Key, Video, now
from lanterne.service.keys import Caller

PAUSE = 0.5  # seconds between judgements
_MOST = 10_000  # kinds of requests remembered between two of them
_LONGEST = 200  # characters of a user agent or a site
_BEFORE = 7 * 86400  # seconds that are looked back for what is usual
_log = logging.getLogger("lanterne.watch")


class Watch:
    def __init__(self, database: Database, post: Post, own_sites: Sequence[str] = ()):
        self._database, self._post, self._own_sites = database, post, set(own_sites)
        self._seen: dict[tuple[str, str, str, str], list[int]] = {}  # key, network, agent, site: requests, peak
        self._under_way: dict[str, int] = {}
        self._task: asyncio.Task | None = None

    def begin(self, caller: Caller, request: HTTPConnection) -> None:
        """A request with a watched key; `end` is called when it is over."""
        under_way = self._under_way[caller.key_id] = self._under_way.get(caller.key_id, 0) + 1
        client = request.client.host if request.client else None
        agent = request.headers.get("user-agent", "none")[:_LONGEST].replace("\x00", "")
        kind = (caller.key_id, leaks.network_of(client), agent, self._foreign(request))
        if len(self._seen) < _MOST or kind in self._seen:
            counts = self._seen.setdefault(kind, [0, 0])
            counts[0], counts[1] = counts[0] + 1, max(counts[1], under_way)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._judge())

    def end(self, key_id: str) -> None:
        self._under_way[key_id] -= 1
        if not self._under_way[key_id]:
            del self._under_way[key_id]

    def _foreign(self, request: HTTPConnection) -> str:
        """The other site whose page made this request, or nothing."""
        said = request.headers.get("origin") or request.headers.get("referer") or ""
        try:
            site = (urlsplit(said).hostname or "")[:_LONGEST]
            own = urlsplit(f"//{request.headers.get('host', '')}").hostname
        except ValueError:
            return ""
        return "" if site == own or site in self._own_sites else site.replace("\x00", "")

    async def _judge(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            if not self._seen:
                return
            taken, self._seen = self._seen, {}
            glimpses = [Glimpse(*kind, *counts) for kind, counts in taken.items()]
            try:
                mails = await to_thread.run_sync(self._write, glimpses)
            except SQLAlchemyError as error:  # nothing of it is lost while the database does not answer
                _log.warning("the database failed, and the watch waits for it: %s", error)
                for kind, (requests, peak) in taken.items():
                    counts = self._seen.setdefault(kind, [0, 0])
                    counts[0], counts[1] = counts[0] + requests, max(counts[1], peak)
            except Exception:  # the watch goes on with what comes next
                _log.exception("the watch failed")
            else:
                if mails:
                    await to_thread.run_sync(send, self._post, mails)

    def _write(self, glimpses: list[Glimpse]) -> list[Mail]:
        mails = []
        with self._database.session() as session:
            leaks.record(session, glimpses)
            for key_id in sorted({glimpse.key_id for glimpse in glimpses}):
                key = session.get(Key, key_id)
                if key is not None and key.revoked_at is None and (alarm := judge(session, key)) is not None:
                    mails += letters(session, alarm)
                    _log.warning("%s: %s points, %s", key_id, alarm.score, alarm.step)
        return mails


def judge(session: Session, key: Key) -> Alarm | None:
    """Take the step that is due about a key, if one is."""
    alarm = leaks.assess(session, key.id, key.owner, leaks.seen(session, key.id, _work(session, key), key.decoy))
    if alarm is not None and alarm.step == "throttle":
        session.execute(update(Key).where(Key.id == key.id).values(throttled_at=now()))
    if alarm is not None and alarm.step == "freeze":
        revocation.freeze(session, key.id)
    return alarm


def _work(session: Session, key: Key) -> Work:
    """What a key was asked for within the hour, and what its owner's keys, in one with it, were in the week before."""
    at = now()
    lately = select(Video.prompt).where(Video.key_id == key.id, Video.created_at > at - 3600).order_by(Video.number.desc())
    prompts = session.scalars(lately).all()
    if len(prompts) < leaks.LEAST_COMPARED:
        return Work(len(prompts))  # as few as that are no sign, whatever was before
    together = select(Key.id).where(func.coalesce(Key.pool, Key.id) == (key.pool or key.id))
    before = Video.key_id.in_(together), Video.created_at <= at - 3600, Video.created_at > at - _BEFORE
    videos, hours = session.execute(
        select(func.count(), func.count(func.distinct(Video.created_at // 3600))).where(*before)
    ).one()
    some = min(len(prompts), videos, leaks.MOST_COMPARED)  # as many of both: among more there are more like each other
    usual = videos / hours if hours else 0.0
    if some < leaks.LEAST_COMPARED:
        return Work(len(prompts), usual)
    earlier = session.scalars(select(Video.prompt).where(*before).order_by(Video.number.desc()).limit(some)).all()
    return Work(len(prompts), usual, leaks.variety(prompts[:some]), leaks.variety(earlier))


def letters(session: Session, alarm: Alarm) -> list[Mail]:
    """To the artist, what the operators see, too; to the operators when something was done, and what they can do now."""
    artist = session.get(people.Person, alarm.person_id)
    how = (
        f"If you think that this is wrong, contest the alarm {alarm.id}: answer this mail, or send a `statement`, signed in, to "
        f"POST /programme/alarms/{alarm.id}/contest. Somebody who is not you decides then."
    )
    found = [Mail(artist.email, "Your key may have leaked", f"{leaks.words(alarm)}\n\n{how}\n")] if artist else []
    if alarm.step != "notify":
        whose = f"{artist.name} ({artist.id})" if artist else alarm.person_id
        subject, text = f"{alarm.step}: {alarm.key_id} of {whose}, {alarm.id}", f"{leaks.words(alarm)}\n\n{_to_do(alarm, whose)}\n"
        operators = [one for one in people.listed(session) if one.closed_at is None and "operator" in one.roles]
        found += [Mail(one.email, subject, text) for one in operators]
        if leaks.of_drill(alarm.person_id):
            found = [Mail(mail.to, f"Drill: {mail.subject}", mail.text) for mail in found]
    return found


def _to_do(alarm: Alarm, whose: str) -> str:
    if leaks.of_drill(alarm.person_id):
        return "This is a drill (`lanterne drill leak`): the key is nobody's and is taken away at its end. There is nothing to do."
    return (
        f"This is the alarm {alarm.id}, about a key of {whose}. `lanterne leaks show {alarm.id}` shows it, and what was said against it; "
        f"`lanterne leaks lift {alarm.id} --by … --reason …` opens the key again, and `uphold` instead revokes it."
    )


def send(post: Post, mails: Sequence[Mail]) -> None:
    for mail in mails:
        try:
            post.send(mail)
        except LanterneError as error:
            _log.error("%s", error)


# What operators decide.


def lift(session: Session, alarm_id: str, by: str, reasons: str) -> list[Mail]:
    """The alarm was wrong: the key opens again, and what was seen before counts no more. One that was revoked meanwhile stays so, and its
    owner makes another. Raises LeakError, PeopleError."""
    alarm = leaks.decide(session, alarm_id, False, by, reasons)
    revocation.thaw(session, alarm.key_id)
    revoked = session.scalar(select(Key.id).where(Key.id == alarm.key_id, Key.revoked_at.is_not(None))) is not None
    said = "The alarm about your key was wrong; make another key, since this one was revoked" if revoked else "Your key opens again"
    return _verdict(session, alarm, said, reasons)


def uphold(session: Session, alarm_id: str, by: str, reasons: str) -> list[Mail]:
    """The alarm was right: the key is revoked. Raises LeakError, PeopleError."""
    alarm = leaks.decide(session, alarm_id, True, by, reasons)
    if session.scalar(select(Key.id).where(Key.id == alarm.key_id, Key.revoked_at.is_(None))) is not None:
        revocation.revoke_key(session, alarm.key_id, by, reasons)
    return _verdict(session, alarm, "Your key was revoked", reasons)


def _verdict(session: Session, alarm: Alarm, subject: str, reasons: str) -> list[Mail]:
    artist = session.get(people.Person, alarm.person_id)
    return [Mail(artist.email, subject, f"{subject}. The reasons:\n\n{reasons}\n")] if artist else []


def make_decoy(session: Session, name: str, owner: str, by: str) -> str:
    """A key that nobody has a right to, to be left where a thief looks. It opens nothing; any use is an alarm about `owner`'s things.
    Raises LanterneError, PeopleError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    key_id, text = keys.insert(session, name, owner, list(keys.SCOPES[:2]), None, keys.Quota(), decoy=True)
    audit.append(session, "key.decoy", {"key": key_id, "owner": owner, "by": by}, owner)
    return text


# Copies in public.


@dataclass(frozen=True)
class Traced:
    """A video that a copy in public was made from. public: it may be there. alarms: what was raised about its owner's keys."""

    video: Video
    public: bool
    alarms: tuple[Alarm, ...] = ()


def report_copy(session: Session, videos: Sequence[Video], url: str, by: str) -> tuple[list[Traced], list[Mail]]:
    """Videos of which a copy was found there. About each that is not released, its key is judged, or whatever keys its owner has now.
    Raises LeakError, PeopleError."""
    people.require(session, by, "operator")
    found, mails = [], []
    for video in videos:
        if _released(session, video.id):
            found.append(Traced(video, True))
            continue
        alarms = []
        for key in _keys_behind(session, video):
            leaks.find_copy(session, key.id, key.owner, video.id, url, by)
            if (alarm := judge(session, key)) is not None:
                alarms.append(alarm)
                mails += letters(session, alarm)
        found.append(Traced(video, False, tuple(alarms)))
    return found, mails


def _released(session: Session, video_id: str) -> bool:
    released = select(Release.request_id).join(Request, Request.id == Release.request_id).where(Request.video_id == video_id)
    return session.scalar(released.where(Release.request_id.not_in(down())).limit(1)) is not None


def _keys_behind(session: Session, video: Video) -> list[Key]:
    """The artist's key that asked for a video; when that is over, those that the artist has now."""
    in_use = select(Key).where(Key.owner == video.owner, Key.cohort_id.is_not(None), Key.revoked_at.is_(None)).order_by(Key.id)
    found = list(session.scalars(in_use))
    return [key for key in found if key.id == video.key_id] or found


# Keys that were found published, in the form of GitHub's secret scanning partners.


@dataclass(frozen=True)
class Found:
    """A text that may be a key, and where it was."""

    token: str
    type: str
    url: str


def report(session: Session, found: Sequence[Found]) -> tuple[list[dict], list[Mail]]:
    """Revoke what is a key, whoever says so: who shows its text has it. What each was, in the order given; and letters to the owners."""
    answers, mails = [], []
    for one in found:
        key = keys.by_text(session, one.token)
        if key is not None and key.revoked_at is None:
            cut = revocation.revoke_key(session, key.id, "secret scanning", f"It was found published: {one.url or 'no address was given'}.")
            mails += cut.mails
        answers.append({
            "token_hash": base64.b64encode(sha256(one.token.encode(errors="replace")).digest()).decode(), "token_type": one.type,
            "label": "true_positive" if key is not None else "false_positive",
        })
    return answers, mails


def signed(body: bytes, key_id: str | None, signature: str | None, public_keys: dict[str, str]) -> bool:
    """Whether one of these public keys, {id: PEM}, signed the body: ECDSA with SHA-256, base64, as GitHub does."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if key_id not in public_keys or signature is None:
        return False
    try:
        load_pem_public_key(public_keys[key_id].encode()).verify(base64.b64decode(signature, validate=True), body, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
