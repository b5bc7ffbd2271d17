"""What artists allow to be done with their prompts, videos and words, beside what it takes to serve them: nothing, until they say so.

A consent is one person's, for one purpose, to the words that were shown: their hash is kept. It is given and withdrawn at any time; each is
a row that is never changed, and the last one counts. Who gave it to earlier words is not taken to agree to later ones: what is done with
theirs is what the words said that they were shown.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError
from lanterne.paths import secret
from lanterne.programme import audit, people
from lanterne.programme.pay import Actor, text
from lanterne.tables import Base, now

PURPOSES = ("training", "evaluation", "publicity")


class ConsentError(LanterneError):
    """A purpose, a text or a consent that cannot be, in one sentence."""


class ConsentText(Base):
    """What consent is asked for, in words; a version is never changed."""

    __tablename__ = "consent_texts"
    purpose: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str]
    sha256: Mapped[str]
    published_by: Mapped[str]
    published_at: Mapped[int]
    __table_args__ = (UniqueConstraint("purpose", "version", "sha256", name="consent_text_as_given"),)


class Consent(Base):
    """That somebody gave consent to these words, or withdrew the one that they had given to them."""

    __tablename__ = "consents"
    number: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]
    version: Mapped[int]
    sha256: Mapped[str]
    given: Mapped[bool]
    at: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(
            ["purpose", "version", "sha256"], ["consent_texts.purpose", "consent_texts.version", "consent_texts.sha256"]
        ),
        CheckConstraint(f"purpose IN {PURPOSES}", name="consent_purpose"),
        {"sqlite_autoincrement": True},
    )


@dataclass(frozen=True)
class Choice:
    """One purpose as a person sees it. given: the consent that counts now. asked: the words in force, if any were published."""

    purpose: str
    given: Consent | None
    asked: ConsentText | None


def publish(session: Session, by: Actor, purpose: str, words: str) -> ConsentText:
    """The next version of what is asked for. Raises ConsentError."""
    audit.take_turn(session)
    by.require_operator()
    purpose = known(purpose)
    words = text(words, "text", 100_000, needed=True)
    version = (session.scalar(select(func.max(ConsentText.version)).where(ConsentText.purpose == purpose)) or 0) + 1
    made = ConsentText(
        purpose=purpose, version=version, words=words, sha256=sha256(words.encode()).hexdigest(), published_by=by.person_id,
        published_at=now(),
    )
    session.add(made)
    session.flush()
    audit.append(session, "consent.published", {
        "purpose": purpose, "version": version, "sha256": made.sha256, "by": by.person_id,
    })
    return made


def known(purpose: str) -> str:
    if purpose not in PURPOSES:
        raise ConsentError(f"The purpose {purpose[:80]!r} is unknown; give one of {', '.join(PURPOSES)}.")
    return purpose


def in_force(session: Session, purpose: str) -> ConsentText | None:
    found = select(ConsentText).where(ConsentText.purpose == known(purpose)).order_by(ConsentText.version.desc()).limit(1)
    return session.scalar(found)


def give(session: Session, person_id: str, purpose: str, digest: str) -> Consent:
    """Give consent to exactly the words whose hash is given; again to the same gives the same. Raises ConsentError, PeopleError."""
    audit.take_turn(session)
    people.get(session, person_id)
    asked = in_force(session, purpose)
    if asked is None:
        raise ConsentError(f"Nobody has asked for consent to {purpose} yet; an operator publishes the words first.")
    if digest != asked.sha256:
        raise ConsentError(
            f"What you agree to is not what is asked for: that is version {asked.version} of {purpose}, whose SHA-256 begins with "
            f"{asked.sha256[:12]}; read it and agree to that."
        )
    before = given(session, person_id, purpose)
    if before is not None and before.version == asked.version:
        return before
    return _write(session, person_id, asked.purpose, asked.version, asked.sha256, True)


def withdraw(session: Session, person_id: str, purpose: str) -> Consent:
    """From now on nothing of theirs is used for it. `datasets.affected` says what was before. Raises ConsentError."""
    audit.take_turn(session)
    before = given(session, person_id, known(purpose))
    if before is None:
        raise ConsentError(f"There is no consent of {person_id[:80]} to {purpose}; there is nothing to withdraw.")
    return _write(session, person_id, before.purpose, before.version, before.sha256, False)


def withdraw_all(session: Session, person_id: str) -> None:
    for purpose in PURPOSES:
        if given(session, person_id, purpose) is not None:
            withdraw(session, person_id, purpose)


def _write(session: Session, person_id: str, purpose: str, version: int, digest: str, is_given: bool) -> Consent:
    made = Consent(person_id=person_id, purpose=purpose, version=version, sha256=digest, given=is_given, at=now())
    session.add(made)
    session.flush()
    audit.append(session, "consent.given" if is_given else "consent.withdrawn", {
        "person": person_id, "purpose": purpose, "version": version, "sha256": digest,
    }, person_id)
    return made


def given(session: Session, person_id: str, purpose: str) -> Consent | None:
    """The consent that counts now."""
    last = select(Consent).where(Consent.person_id == person_id, Consent.purpose == purpose).order_by(Consent.number.desc()).limit(1)
    found = session.scalar(last)
    return found if found is not None and found.given else None


def live(session: Session, purpose: str) -> dict[str, Consent]:
    """{person: the consent that counts now} of all who have one."""
    lasts = select(func.max(Consent.number)).where(Consent.purpose == known(purpose)).group_by(Consent.person_id)
    return {found.person_id: found for found in session.scalars(select(Consent).where(Consent.number.in_(lasts), Consent.given))}


def choices(session: Session, person_id: str) -> list[Choice]:
    return [Choice(purpose, given(session, person_id, purpose), in_force(session, purpose)) for purpose in PURPOSES]


def pseudonym(person_id: str, use: str, noun: str = "artist") -> str:
    """The same for the same person and use, and nobody's name; of two uses, nobody can tell that they are the same person."""
    return f"{noun}-{hmac.new(secret('server-secret'), f'{use}:{person_id}'.encode(), 'sha256').hexdigest()[:12]}"
