"""Keys to the API: `ltn_`, 30 characters of chance, 6 of their checksum. Shown once; kept as an HMAC under the server's secret.
A key may have a quota: so many videos, or seconds of video, within any so many days on end. Keys of one pool share it: those of an artist
in a cohort, and a key with its successors. A key may be bound to networks, be throttled and be frozen.

The checksum (CRC32, as GitHub's tokens have it) lets junk be refused before the database is asked, and scanners be sure of a find.
"""

import hmac
import ipaddress
import secrets
import string
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zlib import crc32

from sqlalchemy import Select, bindparam, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError, NotFound
from lanterne.paths import secret
from lanterne.programme import people
from lanterne.service.database import Database, Key, Reader, Use, Video, now
from lanterne.service.errors import APIError, invalid

PREFIX, RANDOM, CHECK = "ltn_", 30, 6
ROLES = {"review": "reviewer", "admin": "operator"}  # scopes that act in a role, and which: a key with one is worth what its owner is
SCOPES = ("videos:read", "videos:write", "metrics", *ROLES)
_BELIEVED = 0.25  # seconds for which a key that was looked up is not looked up again
_MOST = 10_000  # keys remembered
_DAY = 86400
_SPACING = 2.0  # seconds between requests with a key that is throttled
LONGEST_OVERLAP = 168  # hours for which a key and its successor both open
_NETWORKS = 20  # that a key may be bound to
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


@dataclass(frozen=True)
class Caller:
    """Who is asking, by the key that was shown."""

    key_id: str
    owner: str
    scopes: tuple[str, ...]
    hash: str = field(repr=False)  # of the key, under which it is looked up again
    watched: bool = False  # whether it is looked for signs of a leak
    decoy: bool = False  # opens nothing; that it was shown is an alarm
    throttled: bool = False

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise APIError(403, "missing_scope", f"This key does not have the scope {scope}; use one that has it.")


def new_text() -> str:
    body = "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM))
    return PREFIX + body + _checksum(body)


def looks_right(text: str) -> bool:
    """Whether this can be a key at all; nothing is asked of the database."""
    body, check = text[len(PREFIX) : -CHECK], text[-CHECK:]
    return text.startswith(PREFIX) and len(text) == len(PREFIX) + RANDOM + CHECK and text.isascii() and check == _checksum(body)


def _checksum(body: str) -> str:
    value, digits = crc32(body.encode()), ""
    for _ in range(CHECK):
        value, digit = divmod(value, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def server_secret() -> bytes:
    return secret("server-secret")


def _hash(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), "sha256").hexdigest()


@dataclass(frozen=True)
class Quota:
    """What a key may ask for within any `days` on end; None is no limit."""

    videos: int | None = None
    seconds: int | None = None
    days: int = 30
    at_once: int | None = None


def insert(
    session: Session, name: str, owner: str, scopes: list[str], expires_at: int | None, quota: Quota, networks: list[str] | None = None,
    **more,
) -> tuple[str, str]:
    """A new key's id and text. networks: such as 192.0.2.0/24. more: cohort_id, pool, decoy. Raises LanterneError for an unknown scope, a
    role's that the owner does not have, a name or owner that cannot be printed, or what is no network."""
    for noun, given in (("name", name), ("owner", owner)):
        if not given.isprintable():
            raise LanterneError(f"The {noun} {given[:80]!r} cannot be used; give characters that can be printed.")
    for scope in scopes:
        if scope not in SCOPES:
            raise LanterneError(f"There is no scope {scope!r}; give some of {', '.join(SCOPES)}.")
        if scope in ROLES:
            people.require(session, owner, ROLES[scope])
    text, key_id = new_text(), f"key_{secrets.token_hex(6)}"
    limited = quota.videos is not None or quota.seconds is not None
    session.add(
        Key(
            id=key_id, owner=owner, name=name, hash=_hash(text, server_secret()), scopes=sorted(set(scopes)), created_at=now(),
            expires_at=expires_at, revoked_at=None, max_videos=quota.videos, max_seconds=quota.seconds,
            period_days=quota.days if limited else None, max_active=quota.at_once, networks=_networks(networks), **more,
        )
    )
    session.flush()
    return key_id, text


def rotate(session: Session, key_id: str, hours: int = 24) -> tuple[str, str]:
    """A successor with the same rights, for as long as the key was made for; both open for so many hours, with one quota. Returns its id
    and text. Raises LanterneError for a key that is not in use."""
    if type(hours) is not int or not 0 <= hours <= LONGEST_OVERLAP:
        raise LanterneError(f"hours={hours!r} cannot be used; give whole hours from 0 to {LONGEST_OVERLAP}.")
    key, at = session.get(Key, key_id, with_for_update=True, populate_existing=True), now()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= at):
        raise NotFound(f"There is no key {key_id[:80]!r} in use", "`lanterne keys list` shows them")
    if key.frozen_at is not None:
        raise LanterneError(f"The key {key.id} is frozen, and has no successor before that is decided; contest it.")
    made = Quota(key.max_videos, key.max_seconds, key.period_days or 30, key.max_active)
    # One that is on its way out already was made for longer than it will now last.
    expires_at = key.expires_at and max(key.expires_at, at + (key.expires_at - key.created_at))
    key.pool = key.pool or key.id
    successor = insert(
        session, key.name, key.owner, key.scopes, expires_at, made, key.networks, pool=key.pool, cohort_id=key.cohort_id, decoy=False
    )
    key.expires_at = min(key.expires_at or at + hours * 3600, at + hours * 3600)
    return successor


def _networks(given: list[str] | None) -> list[str] | None:
    if not given:
        return None
    if len(given) > _NETWORKS:
        raise LanterneError(f"A key may be bound to {_NETWORKS} networks, and these are {len(given)}; give wider ones.")
    try:
        return sorted({str(ipaddress.ip_network(text.strip(), strict=False)) for text in given})
    except ValueError as error:
        raise LanterneError(f"The networks cannot be read: {error}; give some such as 192.0.2.0/24.") from None


def _inside(address: str | None, networks: list[str]) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ipaddress.ip_network(network) for network in networks)


def listed(database: Database) -> list[Key]:
    with database.session() as session:
        return list(session.scalars(select(Key).order_by(Key.created_at, Key.id)))


def used(database: Database, key: Key) -> tuple[int, int]:
    """Videos and seconds of video that a key with a quota asked for within its period."""
    with database.session() as session:
        since = now() - key.period_days * _DAY
        return session.execute(
            select(func.count(), func.coalesce(func.sum(Use.seconds), 0)).where(Use.key_id == _pool(key), Use.created_at > since)
        ).one()


def _pool(key: Key) -> str:
    """Under which name what a key asks for is counted."""
    return key.pool or key.id


# Quotas ---------------------------------------------------------------------------------------------------------------------------


def use(session: Session, key_id: str, video_id: str, seconds: int) -> None:
    """Count a video against its key's quota, in the transaction that writes it down and has locked the owner's keys.

    Raises APIError: 429 with the time at which it fits again, 400 where it never does, 401 where the key was revoked since.
    """
    key = session.get(Key, key_id)
    _must_open(key)
    if key.max_active is not None:
        together = select(Key.id).where(func.coalesce(Key.pool, Key.id) == _pool(key))
        under_way = (Video.key_id.in_(together), Video.status.in_(("queued", "in_progress")), Video.id != video_id)
        if session.scalar(select(func.count()).select_from(Video).where(*under_way)) >= key.max_active:
            raise APIError(429, "too_many_videos", f"You may have {key.max_active} videos queued or in progress at once; wait for one.")
    if key.period_days is None:
        return
    pool = _pool(key)
    if key.max_seconds is not None and seconds > key.max_seconds:
        raise invalid(
            f"seconds={seconds} is over the {key.max_seconds} that this key may ask for in {_days(key)}; ask for fewer.", "seconds",
            "quota_exceeded",
        )
    at, period = now(), key.period_days * _DAY
    session.execute(delete(Use).where(Use.key_id == pool, Use.created_at <= at - period))
    uses = session.execute(select(Use.created_at, Use.seconds).where(Use.key_id == pool).order_by(Use.created_at)).all()
    if (free := _free_at(key, [tuple(row) for row in uses], seconds)) is not None:
        wait = max(1, free + period - at)
        when = datetime.fromtimestamp(at + wait, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise APIError(
            429, "quota_exceeded",
            f"This key has asked for {_amounts(key, len(uses), sum(row.seconds for row in uses))} in {_days(key)}; "
            f"this one fits again at {when}.", retry=wait <= 60, headers={"retry-after": str(wait)},
        )
    session.add(Use(video_id=video_id, key_id=pool, seconds=seconds, created_at=at))


def give_back(session: Session, video_id: str) -> None:
    """A video that was never begun, or that this server failed to make, counts for nothing."""
    session.execute(delete(Use).where(Use.video_id == video_id))


def _free_at(key: Key, uses: list[tuple[int, int]], seconds: int) -> int | None:
    """When the last use was made that must have left the period before `seconds` more fit; None where they fit now."""
    videos, total, freed = len(uses) + 1, sum(amount for _, amount in uses) + seconds, None
    for created_at, amount in uses:
        if _fits(key.max_videos, videos) and _fits(key.max_seconds, total):
            break
        videos, total, freed = videos - 1, total - amount, created_at
    return freed


def _fits(limit: int | None, amount: int) -> bool:
    return limit is None or amount <= limit


def _amounts(key: Key, videos: int, seconds: int) -> str:
    """Such as `3 of 5 videos and 12 of 60 seconds`."""
    said = [f"{count} of {limit} {noun}" for count, limit, noun in
            ((videos, key.max_videos, "videos"), (seconds, key.max_seconds, "seconds")) if limit is not None]
    return " and ".join(said)


def quota_text(database: Database, key: Key) -> str:
    """What was used of a key's quota, or nothing where it has none."""
    return f"{_amounts(key, *used(database, key))} in {_days(key)}" if key.period_days else ""


def _days(key: Key) -> str:
    return "1 day" if key.period_days == 1 else f"{key.period_days} days"


# Who is asking --------------------------------------------------------------------------------------------------------------------


class Keyring:
    """Looks keys up, and believes what it found for a moment: a revoked key is out within a second, streams and downloads included."""

    def __init__(self, database: Database, secret: bytes):
        self._reader, self._secret = Reader(database), secret
        self._found: dict[str, tuple[float, Key | None]] = {}  # hash: when it was looked up, and what was there
        self._free_at: dict[str, float] = {}  # of throttled keys: when the next request may come

    async def caller(self, authorization: str | None, address: str | None = None) -> Caller:
        """Who shows this Authorization header, from this address. Raises APIError: 401, 403 from where the key may not be used, or while it
        is frozen."""
        scheme, _, text = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _unauthorised("There is no key in this request; send `Authorization: Bearer ltn_…`.")
        text = text.strip()
        if not looks_right(text):
            raise _unauthorised("This is not a key of this server, or a letter of it is wrong; `lanterne keys create` makes one.")
        key = await self._look_up(_hash(text, self._secret))
        _must_open(key)
        if key.networks and not _inside(address, key.networks):
            raise APIError(403, "wrong_network", f"This key may not be used from {address}; use it from where it was made for.")
        return _caller(key)

    async def by_id(self, key_id: str) -> Caller:
        """Who has the key of this id, shown or not. Raises APIError 401, 403 while it is frozen."""
        key = await self._look_up(key_id, _BY_ID)
        _must_open(key)
        return _caller(key)

    def pace(self, caller: Caller) -> None:
        """Let a throttled key in now and then. Raises APIError 429."""
        if not caller.throttled:
            return
        at = time.monotonic()
        if at < self._free_at.get(caller.key_id, 0):
            raise APIError(
                429, "key_throttled",
                f"This key may ask once in {_SPACING:.0f} seconds, since it looks as if others had it, too; its owner can read why and "
                "contest it.", retry=True, headers={"retry-after": str(round(_SPACING))},
            )
        if len(self._free_at) >= _MOST:
            self._free_at.clear()
        self._free_at[caller.key_id] = at + _SPACING

    async def still_opens(self, caller: Caller) -> bool:
        """Whether the caller's key is neither revoked nor expired by now."""
        try:
            _must_open(await self._look_up(caller.hash))
        except APIError:
            return False
        except SQLAlchemyError:
            return True  # a database that does not answer revokes nothing
        return True

    async def _look_up(self, name: str, statement: Select | None = None):
        """The key of this hash, or of this id by _BY_ID; no id is a hash."""
        at = time.monotonic()
        before = self._found.get(name)
        if before and at - before[0] < _BELIEVED:
            return before[1]
        key = await self._reader.row(_BY_HASH if statement is None else statement, name=name)
        if len(self._found) >= _MOST:
            self._found.clear()
        self._found[name] = at, key
        return key


_KEY = select(
    Key.id, Key.owner, Key.scopes, Key.expires_at, Key.revoked_at, Key.networks, Key.cohort_id, Key.decoy, Key.throttled_at, Key.frozen_at,
    Key.hash,
)
_BY_HASH, _BY_ID = _KEY.where(Key.hash == bindparam("name")), _KEY.where(Key.id == bindparam("name"))


def _caller(key) -> Caller:
    watched = key.cohort_id is not None or key.decoy
    return Caller(key.id, key.owner, tuple(key.scopes), key.hash, watched, key.decoy, key.throttled_at is not None)


def open_keys(at: int):
    """Conditions of keys that open something now."""
    return Key.revoked_at.is_(None), Key.frozen_at.is_(None), Key.expires_at.is_(None) | (Key.expires_at > at)


def by_text(session: Session, text: str) -> Key | None:
    """The key of this text, whether it still opens anything or not."""
    return session.scalar(select(Key).where(Key.hash == _hash(text, server_secret()))) if looks_right(text) else None


def _must_open(key) -> None:
    if key is None or key.revoked_at is not None:
        raise unknown()
    if key.expires_at is not None and key.expires_at <= now():
        raise _unauthorised("This key has expired; ask for another.")
    if key.frozen_at is not None:
        raise APIError(
            403, "key_frozen", "This key is frozen, since it looks as if others had it, too; its owner can read why and contest it."
        )


def unknown() -> APIError:
    """The answer to a key that was never given to anybody."""
    return _unauthorised("This key is unknown or was revoked; ask for another.")


def _unauthorised(message: str) -> APIError:
    return APIError(401, "invalid_api_key", message, headers={"www-authenticate": "Bearer"})
