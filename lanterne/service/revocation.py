"""Cutting an access off, within a second and nothing else: one key, one person, or one cohort.

What a key opens is looked up anew less than a second after it was last (keys.Keyring, events.Feed, downloads.Download), so that requests,
streams and downloads end with the row that is written here. Videos that it asked for end in the same transaction; a worker sees that at
its next step. Sessions end with the person. Each cut leaves a line in the audit log, and whom it is about is told why.
"""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from lanterne.errors import NotFound
from lanterne.programme import audit, cohorts, people
from lanterne.programme.mail import Mail
from lanterne.service.database import Key, Video, now
from lanterne.service.keys import ROLES
from lanterne.service.videos import ACTIVE, end

CONTEST = "If you think that this is wrong, answer this mail: somebody else than who decided it will look at it."


@dataclass(frozen=True)
class Cut:
    """What was cut: ids of keys and of videos that ended; and the letters about it, to be sent once it is written down."""

    keys: tuple[str, ...]
    videos: tuple[str, ...]
    mails: tuple[Mail, ...]


def revoke_key(session: Session, key_id: str, by: str, reason: str) -> Cut:
    """by: an operator, the key's owner, or what found it published. Raises NotFound where there is no such key in use."""
    audit.take_turn(session)
    key_ids = _revoke(session, Key.id == key_id)
    if not key_ids:
        raise NotFound(f"There is no key {key_id[:80]!r} in use", "`lanterne keys list` shows them")
    key = session.get(Key, key_id, populate_existing=True)
    video_ids = _end_videos(session, "revoked", "It was stopped when the key that asked for it was revoked.", Video.key_id == key_id)
    audit.append(session, "key.revoked", {"key": key_id, "by": by, "reason": reason, "videos": len(video_ids)}, key.owner)
    letter = _letter(session, key.owner, f"Your key {key.name} was revoked", reason) if by != key.owner else ()
    return Cut(key_ids, video_ids, letter)


def revoke_role_keys(session: Session, person_id: str) -> None:
    """When a password is set anew, since whoever knew the old one may have made them. Keys of artists stay: they open no role's routes."""
    audit.take_turn(session)
    in_use = session.execute(select(Key.id, Key.scopes).where(Key.owner == person_id, Key.revoked_at.is_(None))).all()
    for key_id, scopes in in_use:
        if set(scopes) & set(ROLES):
            revoke_key(session, key_id, person_id, "The password of its owner was set anew.")


def revoke_person(session: Session, person_id: str, by: str, reason: str) -> Cut:
    """Close an account with all that it opened: keys, sessions, places in cohorts, videos under way. What they made stays theirs.

    Raises PeopleError.
    """
    people.close(session, person_id, by, reason)
    for name in cohorts.of(session, person_id):
        cohorts.leave(session, name, person_id)
    key_ids = _revoke(session, Key.owner == person_id)
    video_ids = _end_videos(session, "revoked", "It was stopped when its owner's account was closed.", Video.owner == person_id)
    audit.append(session, "person.cut", {"person": person_id, "by": by, "keys": len(key_ids), "videos": len(video_ids)}, person_id)
    return Cut(key_ids, video_ids, _letter(session, person_id, "Your account was closed", reason))


def revoke_cohort(session: Session, name: str, by: str, reason: str) -> Cut:
    """Close a cohort with all of its keys. Its members keep their accounts, their videos, and what other cohorts gave them.

    Raises CohortError, PeopleError.
    """
    members = session.scalars(select(cohorts.Member.person_id).where(cohorts.Member.cohort_id == name, cohorts.Member.left_at.is_(None)))
    letters = [letter for person_id in members.all() for letter in _letter(session, person_id, f"The cohort {name} was closed", reason)]
    cohorts.close(session, name, by, reason)
    key_ids = _revoke(session, Key.cohort_id == name)
    video_ids = _end_videos(
        session, "revoked", f"It was stopped when the cohort {name} was closed.",
        Video.key_id.in_(select(Key.id).where(Key.cohort_id == name)),
    )
    audit.append(session, "cohort.cut", {"cohort": name, "by": by, "keys": len(key_ids), "videos": len(video_ids)})
    return Cut(key_ids, video_ids, tuple(letters))


def freeze(session: Session, key_id: str) -> tuple[str, ...]:
    """A key that looks leaked opens nothing until somebody decides; videos that it has under way end. Their ids."""
    session.execute(update(Key).where(Key.id == key_id, Key.frozen_at.is_(None)).values(frozen_at=now()))
    said = "It was stopped when the key that asked for it was frozen, since it looks as if others had it; its owner can contest that."
    return _end_videos(session, "key_frozen", said, Video.key_id == key_id)


def thaw(session: Session, key_id: str) -> None:
    """A key opens again what it did, unthrottled."""
    session.execute(update(Key).where(Key.id == key_id).values(frozen_at=None, throttled_at=None))


def _revoke(session: Session, which) -> tuple[str, ...]:
    """Keys first: who is writing a video down with one of them now has locked it, so that its video is found below."""
    done = session.execute(update(Key).where(which, Key.revoked_at.is_(None)).values(revoked_at=now()).returning(Key.id))
    return tuple(done.scalars())


def _end_videos(session: Session, code: str, said: str, which) -> tuple[str, ...]:
    found = session.scalars(select(Video.id).where(which, Video.status.in_(ACTIVE)).order_by(Video.number)).all()
    return tuple(video_id for video_id in found if end(session, video_id, code, said))


def _letter(session: Session, person_id: str, subject: str, reason: str) -> tuple[Mail, ...]:
    """To who has an account; other owners of keys are names that an operator chose."""
    person = session.get(people.Person, person_id)
    return (Mail(person.email, subject, f"{subject}. The reason:\n\n{reason}\n\n{CONTEST}\n"),) if person else ()
