"""Keys of people: what a member of a cohort may make, under which of its terms; and what acts in somebody's role."""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.programme import audit, cohorts, people
from lanterne.programme.cohorts import Offer
from lanterne.service import keys
from lanterne.service.database import Key, now

SCOPES = ("videos:read", "videos:write")  # that an artist may give to a key
MOST_KEYS = 10  # in use at once, in a cohort
_DAY = 86400


@dataclass(frozen=True)
class Wish:
    """What an artist asks for. networks: none is from anywhere."""

    name: str
    scopes: tuple[str, ...] = SCOPES
    days: int | None = None
    networks: tuple[str, ...] = ()


def make_key(session: Session, person_id: str, cohort: str, wish: Wish) -> tuple[str, str]:
    """A key's id and its text, shown once. It has the quota of the terms that the person accepted, in one with their other keys there, and
    ends with the cohort at the latest. Raises CohortError, PeopleError, LanterneError."""
    audit.take_turn(session)
    people.get(session, person_id)
    said = cohorts.accepted(session, cohort, person_id)
    for scope in wish.scopes:
        if scope not in SCOPES:
            raise LanterneError(f"The scope {scope[:80]!r} cannot be given to a key of yours; give some of {', '.join(SCOPES)}.")
    if not wish.scopes:
        raise LanterneError(f"A key without a scope opens nothing; give some of {', '.join(SCOPES)}.")
    name = _name(wish)
    if wish.days is not None and not 1 <= wish.days <= 3660:
        raise LanterneError(f"days={wish.days} cannot be used; give 1 to 3660, or leave it out.")
    in_use = select(func.count()).where(Key.owner == person_id, Key.cohort_id == cohort, *keys.open_keys(now()))
    if session.scalar(in_use) >= MOST_KEYS:
        raise LanterneError(f"You have {MOST_KEYS} keys in use in {cohort}, which is all that you may have; revoke one first.")
    expires_at = min(said.ends_at, now() + wish.days * _DAY) if wish.days else said.ends_at
    key_id, text = keys.insert(
        session, name, person_id, list(wish.scopes), expires_at, _quota(said), list(wish.networks), cohort_id=cohort,
        pool=pool(cohort, person_id), decoy=False,
    )
    audit.append(session, "key.made", {"key": key_id, "cohort": cohort, "terms": said.version, "person": person_id}, person_id)
    return key_id, text


def make_role_key(session: Session, person_id: str, wish: Wish) -> tuple[str, str]:
    """A key's id and its text, shown once, for programs that act in a person's role. Raises PeopleError without the role, LanterneError."""
    audit.take_turn(session)
    name = _name(wish)
    if not wish.scopes or not set(wish.scopes) <= set(keys.ROLES):
        raise LanterneError(f"The scopes {' '.join(wish.scopes)[:80]!r} are none of a role; give some of {', '.join(keys.ROLES)}.")
    if wish.days is None or not 1 <= wish.days <= 366:
        raise LanterneError(f"days={wish.days} cannot be used; give 1 to 366.")
    in_use = session.scalars(select(Key).where(Key.owner == person_id, Key.cohort_id.is_(None), *keys.open_keys(now())))
    if sum(_of_role(key) for key in in_use) >= MOST_KEYS:
        raise LanterneError(f"You have {MOST_KEYS} keys of a role in use, which is all that you may have; revoke one first.")
    key_id, text = keys.insert(
        session, name, person_id, list(wish.scopes), now() + wish.days * _DAY, keys.Quota(), list(wish.networks), decoy=False
    )
    audit.append(session, "key.made", {"key": key_id, "scopes": sorted(wish.scopes), "person": person_id}, person_id)
    return key_id, text


def _name(wish: Wish) -> str:
    if not 0 < len(wish.name.strip()) <= 80 or not wish.name.isprintable():
        raise LanterneError(f"The name {wish.name[:80]!r} cannot be used; give 1 to 80 characters that can be printed.")
    return wish.name.strip()


def _of_role(key: Key) -> bool:
    return bool(set(key.scopes) & set(keys.ROLES))


def rotate(session: Session, person_id: str, key_id: str, hours: int) -> tuple[str, str]:
    """A successor of one's own key. Raises LanterneError."""
    audit.take_turn(session)
    key = own(session, person_id, key_id)
    said = cohorts.accepted(session, key.cohort_id, person_id) if key.cohort_id else None
    successor_id, text = keys.rotate(session, key_id, hours)
    if said:
        successor = session.get(Key, successor_id)
        successor.expires_at = min(successor.expires_at or said.ends_at, said.ends_at)
    audit.append(session, "key.rotated", {"key": key_id, "successor": successor_id, "hours": hours, "person": person_id}, person_id)
    return successor_id, text


def own(session: Session, person_id: str, key_id: str) -> Key:
    """A key that a person made. Raises LanterneError, the same for what is not there and what is somebody else's."""
    key = session.scalar(select(Key).where(Key.id == key_id, Key.owner == person_id))
    if key is None or not (key.cohort_id or _of_role(key)):
        raise LanterneError(f"There is no key {key_id[:80]!r} among yours; check the id.")
    return key


def keys_of(session: Session, person_id: str) -> list[Key]:
    return list(session.scalars(select(Key).where(Key.owner == person_id).order_by(Key.created_at, Key.id)))


def accept_next(session: Session, cohort: str, digest: str, person_id: str) -> audit.Receipt:
    """Accept a cohort's next terms: keys that are there have the new quota from now on. Raises CohortError."""
    receipt = cohorts.accept_next(session, cohort, digest, person_id)
    said = cohorts.accepted(session, cohort, person_id)
    quota, mine = _quota(said), (Key.pool == pool(cohort, person_id), Key.revoked_at.is_(None))
    session.execute(
        update(Key).where(*mine).values(
            max_videos=quota.videos, max_seconds=quota.seconds, period_days=quota.days, max_active=quota.at_once
        )
    )
    session.execute(update(Key).where(*mine, Key.expires_at > said.ends_at).values(expires_at=said.ends_at))
    return receipt


def pool(cohort: str, person_id: str) -> str:
    return f"{cohort}/{person_id}"  # neither may hold a stroke


def _quota(said: Offer) -> keys.Quota:
    return keys.Quota(said.quotas.videos, said.quotas.seconds, said.quotas.days, said.quotas.at_once)
