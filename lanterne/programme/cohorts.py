"""Cohorts: groups of artists under the same terms, pay, quotas and end date, which an invitation shows before it is accepted.

Terms have versions, each whole and never changed: the text, the version of the ledger's rate card, the quotas, the end. What somebody
accepted is kept word for word beside its hash, and only the version that is in force can be accepted. An invitation is a link that works
once, for a time.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256

from sqlalchemy import ForeignKey, ForeignKeyConstraint, UniqueConstraint, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound
from lanterne.programme import audit, ledger, money, people
from lanterne.programme.mail import Mail
from lanterne.programme.people import Person
from lanterne.tables import Base, now

DAY = 86400  # seconds
INVITATION_DAYS = 14
LARGEST_TEXT = 100_000  # characters of terms


class CohortError(LanterneError):
    """A cohort, an invitation or an acceptance that cannot be, in one sentence."""


class Missing(CohortError, NotFound):
    """A cohort or an invitation that is not there."""


class UnknownInvitation(CohortError):
    """A link that leads to no invitation."""


class Cohort(Base):
    __tablename__ = "cohorts"
    id: Mapped[str] = mapped_column(primary_key=True)
    opened_at: Mapped[int]
    opened_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    closed_at: Mapped[int | None]


class Terms(Base):
    """A version of a cohort's terms. document: canonical JSON of all that is agreed on, the rates included; sha256: its hash, in hex."""

    __tablename__ = "terms"
    cohort_id: Mapped[str] = mapped_column(ForeignKey("cohorts.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    ends_at: Mapped[int]
    published_by: Mapped[str]
    published_at: Mapped[int]
    __table_args__ = (UniqueConstraint("cohort_id", "version", "sha256", name="terms_as_accepted"),)


class Invitation(Base):
    """hash: of the link's secret part. used_at: when it was accepted."""

    __tablename__ = "invitations"
    id: Mapped[str] = mapped_column(primary_key=True)
    cohort_id: Mapped[str] = mapped_column(ForeignKey("cohorts.id"), index=True)
    email: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[str]
    created_at: Mapped[int]
    expires_at: Mapped[int]
    used_at: Mapped[int | None]
    withdrawn_at: Mapped[int | None]


class Acceptance(Base):
    """That somebody agreed to a version. sha256: of the document that they were shown, which `terms` keeps for ever."""

    __tablename__ = "acceptances"
    cohort_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    sha256: Mapped[str]
    accepted_at: Mapped[int]
    invitation_id: Mapped[str | None] = mapped_column(ForeignKey("invitations.id"), unique=True)
    __table_args__ = (
        ForeignKeyConstraint(["cohort_id", "version", "sha256"], ["terms.cohort_id", "terms.version", "terms.sha256"]),
    )


class Member(Base):
    """left_at: since when somebody is not in the cohort any more."""

    __tablename__ = "members"
    cohort_id: Mapped[str] = mapped_column(ForeignKey("cohorts.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True, index=True)
    joined_at: Mapped[int]
    left_at: Mapped[int | None]


@dataclass(frozen=True)
class Quotas:
    """What a member may ask for within any `days` on end, with all of their keys together, and have under way at once."""

    videos: int
    seconds: int
    days: int = 30
    at_once: int = 3


@dataclass(frozen=True)
class Offer:
    """What is agreed on, and the hash that an acceptance names."""

    cohort: str
    version: int
    sha256: str
    document: dict

    @classmethod
    def of(cls, terms: Terms) -> "Offer":
        return cls(terms.cohort_id, terms.version, terms.sha256, json.loads(terms.document))

    @property
    def quotas(self) -> Quotas:
        return Quotas(**self.document["quotas"])

    @property
    def ends_at(self) -> int:
        return self.document["ends_at"]

    def text(self) -> str:
        """For a person to read: the terms, the pay, the quotas, the end."""
        from lanterne.programme.pay import NAMES, day_of

        card = self.document["rate_card"]
        rates = [f"  {NAMES[kind]}: {money.written(rate, card['currency'])}" for kind, rate in sorted(card["rates"].items())]
        quotas = self.quotas
        return "\n".join([
            f"{self.cohort}, terms version {self.version}", "", self.document["text"], "",
            f"Pay, by the rate card {card['name']}, version {card['version']}:", *rates,
            f"  decided within {card['decide_days']} days, paid within {card['pay_days']} days after.", "",
            f"You may ask for {quotas.videos} videos and {quotas.seconds} seconds of video within any {quotas.days} days, and have "
            f"{quotas.at_once} under way at once.", *self._of_review(),
            f"The cohort ends on {day_of(self.ends_at)}.", "", f"SHA-256 of these terms: {self.sha256}",
        ])

    def _of_review(self) -> list[str]:
        """What is promised about releases; terms from before there was a policy promise nothing."""
        said = self.document.get("review")
        if not said:
            return []
        instead = "it may be shown" if said["remedy"] == "release" else f"you are owed {money.written(said['credit'], said['currency'])}"
        return [
            f"Whether a video may be shown to the public is decided within {said['decide_days']} days (review policy, version "
            f"{said['version']}); if nobody has by then, {instead}. A refusal can be appealed against for {said['appeal_days']} days."
        ]


# Cohorts and terms.


def open_cohort(session: Session, name: str, text: str, card: str, quotas: Quotas, ends_at: int, by: str) -> Offer:
    """A new cohort with version 1 of its terms. Raises CohortError, PeopleError, LedgerError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    ledger.person(name)  # the same letters as an id's
    if session.get(Cohort, name) is not None:
        raise CohortError(f"There is a cohort {name!r} already; publish its next terms, or choose another name.")
    session.add(Cohort(id=name, opened_at=now(), opened_by=by, closed_at=None))
    session.flush()
    audit.append(session, "cohort.opened", {"cohort": name, "by": by})
    return publish_terms(session, name, text, card, quotas, ends_at, by)


def publish_terms(session: Session, name: str, text: str, card: str, quotas: Quotas, ends_at: int, by: str) -> Offer:
    """The next version. Who accepted an earlier one stays under it until they accept this. Raises CohortError, PeopleError, LedgerError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    cohort = get(session, name)
    text = text.strip()
    if not 0 < len(text) <= LARGEST_TEXT or "\x00" in text:
        raise CohortError(f"The terms have {len(text)} characters; give 1 to {LARGEST_TEXT}.")
    for what, amount, most in (
        ("videos", quotas.videos, 10**6), ("seconds", quotas.seconds, 10**8), ("days", quotas.days, 366), ("at_once", quotas.at_once, 1000),
    ):
        if type(amount) is not int or not 1 <= amount <= most:
            raise CohortError(f"{what}={amount!r} cannot be used; give a whole number from 1 to {most}.")
    if ends_at <= now():
        raise CohortError("The cohort would end before it begins; give a day to come.")
    rates = ledger.rate_card(session, card)
    version = (session.scalar(select(func.max(Terms.version)).where(Terms.cohort_id == cohort.id)) or 0) + 1
    document = json.dumps({
        "cohort": cohort.id, "version": version, "text": text, "quotas": asdict(quotas), "ends_at": ends_at,
        "rate_card": {
            "name": rates.name, "version": rates.version, "currency": rates.currency, "rates": rates.rates,
            "decide_days": rates.decide_days, "pay_days": rates.pay_days,
        },
        "review": _review_in_force(session),
    }, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    terms = Terms(
        cohort_id=cohort.id, version=version, document=document, sha256=sha256(document.encode()).hexdigest(), ends_at=ends_at,
        published_by=by, published_at=now(),
    )
    session.add(terms)
    session.flush()
    audit.append(session, "terms.published", {"cohort": cohort.id, "version": version, "sha256": terms.sha256, "by": by})
    return Offer.of(terms)


def _review_in_force(session: Session) -> dict | None:
    """What the policy of the time promises to whoever asks for a release; None before there is a policy."""
    from lanterne.programme.review import Policy

    policy = session.scalar(select(Policy).order_by(Policy.version.desc()).limit(1))
    names = ("version", "decide_days", "appeal_days", "remedy", "credit", "currency")
    return {name: getattr(policy, name) for name in names} if policy else None


def get(session: Session, name: str) -> Cohort:
    """A cohort that is open. Raises CohortError."""
    cohort = session.get(Cohort, name, populate_existing=True)
    if cohort is None:
        raise Missing(f"There is no cohort {name[:80]!r}", "`lanterne cohort list` shows them")
    if cohort.closed_at is not None:
        raise CohortError(f"The cohort {cohort.id} is closed.")
    return cohort


def listed(session: Session) -> list[tuple[Cohort, Offer, int]]:
    """Every cohort with the terms in force and its number of members."""
    rows = []
    for cohort in session.scalars(select(Cohort).order_by(Cohort.opened_at, Cohort.id)):
        count = select(func.count()).select_from(Member).where(Member.cohort_id == cohort.id, Member.left_at.is_(None))
        rows.append((cohort, offer(session, cohort.id), session.scalar(count)))
    return rows


def offer(session: Session, name: str) -> Offer:
    """The terms in force."""
    return Offer.of(session.scalar(select(Terms).where(Terms.cohort_id == name).order_by(Terms.version.desc()).limit(1)))


def accepted(session: Session, name: str, person_id: str) -> Offer:
    """What a member accepted last. Raises CohortError for who is not in the cohort, or whose cohort is over."""
    cohort = get(session, name)
    member = session.get(Member, (cohort.id, person_id), populate_existing=True)
    if member is None or member.left_at is not None:
        raise CohortError(f"You are not in the cohort {cohort.id}; accept an invitation to it first.")
    said = _accepted_last(session, cohort.id, person_id)
    if said.ends_at <= now():
        raise CohortError(f"The cohort {cohort.id} has ended, by the terms that you accepted.")
    return said


def cards(session: Session, person_id: str) -> dict[str, int]:
    """{rate card: version} that somebody accepted last in the cohorts that they are in, also after a cohort's end: its work is still
    claimed."""
    found = {}
    for name in of(session, person_id):
        card = _accepted_last(session, name, person_id).document["rate_card"]
        found[card["name"]] = max(card["version"], found.get(card["name"], 0))
    return found


def _accepted_last(session: Session, name: str, person_id: str) -> Offer:
    found = select(Terms).join(
        Acceptance, (Acceptance.cohort_id == Terms.cohort_id) & (Acceptance.version == Terms.version)
    ).where(Acceptance.cohort_id == name, Acceptance.person_id == person_id).order_by(Terms.version.desc()).limit(1)
    return Offer.of(session.scalar(found))


def of(session: Session, person_id: str) -> list[str]:
    """The cohorts that somebody is in."""
    mine = select(Member.cohort_id).join(Cohort).where(
        Member.person_id == person_id, Member.left_at.is_(None), Cohort.closed_at.is_(None)
    )
    return list(session.scalars(mine.order_by(Member.cohort_id)))


def leave(session: Session, name: str, person_id: str) -> None:
    """Somebody is not in the cohort any more; what they accepted stays on record."""
    session.execute(
        update(Member).where(Member.cohort_id == name, Member.person_id == person_id, Member.left_at.is_(None)).values(left_at=now())
    )


def close(session: Session, name: str, by: str, reason: str) -> None:
    """The cohort is over for all; open invitations to it lead nowhere. Raises CohortError, PeopleError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    cohort = get(session, name)
    if not reason.strip():
        raise CohortError("A cohort is closed for a reason, which its members read; give one.")
    cohort.closed_at = now()
    session.flush()
    audit.append(session, "cohort.closed", {"cohort": cohort.id, "by": by, "reason": reason})


# Invitations.


def invite(session: Session, name: str, email: str, by: str, days: int = INVITATION_DAYS) -> tuple[Invitation, str]:
    """An invitation, and the secret part of its link, which is kept nowhere. Raises CohortError, PeopleError."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    # In hexadecimal: `lanterne invite` takes it as an argument, and one that began with a dash would be read as an option.
    cohort, email, secret, at = get(session, name), people.address(email), secrets.token_hex(24), now()
    if type(days) is not int or not 1 <= days <= 366:
        raise CohortError(f"days={days!r} cannot be used; give whole days from 1 to 366.")
    if offer(session, cohort.id).ends_at <= at:
        raise CohortError(f"The cohort {cohort.id} has ended; publish terms with another end first.")
    invitation = Invitation(
        id=f"inv_{secrets.token_hex(6)}", cohort_id=cohort.id, email=email, hash=_hash(secret), invited_by=by, created_at=at,
        expires_at=at + days * DAY, used_at=None, withdrawn_at=None,
    )
    session.add(invitation)
    session.flush()
    audit.append(session, "invitation.made", {"invitation": invitation.id, "cohort": cohort.id, "by": by})
    return invitation, secret


def withdraw(session: Session, invitation_id: str, by: str) -> None:
    """Raises CohortError where it was accepted or withdrawn before."""
    audit.take_turn(session)
    people.require(session, by, "operator")
    open_ = (Invitation.id == invitation_id, Invitation.used_at.is_(None), Invitation.withdrawn_at.is_(None))
    if not session.execute(update(Invitation).where(*open_).values(withdrawn_at=now())).rowcount:
        raise Missing(f"There is no open invitation {invitation_id[:80]!r}", "`lanterne invite list` shows them")
    audit.append(session, "invitation.withdrawn", {"invitation": invitation_id, "by": by})


def invitations(session: Session) -> list[Invitation]:
    return list(session.scalars(select(Invitation).order_by(Invitation.created_at, Invitation.id)))


def mail(session: Session, invitation: Invitation, link: str) -> Mail:
    """The letter of an invitation: terms and pay first, the link after them."""
    from lanterne.programme.pay import day_of

    text = (
        f"You are invited to {invitation.cohort_id}. These are the terms and what is paid; nothing is agreed on before you accept them.\n\n"
        f"{offer(session, invitation.cohort_id).text()}\n\n"
        f"To accept, open this link in a browser until {day_of(invitation.expires_at)}, read the terms there, and give your name and a "
        f"password. It works once, and it is for you alone:\n\n{link}\n"
    )
    return Mail(invitation.email, f"An invitation to {invitation.cohort_id}", text)


def look(session: Session, secret: str) -> tuple[Invitation, Offer]:
    """What an open invitation offers. Raises CohortError that says why it is not open."""
    invitation = session.scalar(select(Invitation).where(Invitation.hash == _hash(secret)).execution_options(populate_existing=True))
    if invitation is None:
        raise UnknownInvitation("This link leads to no invitation: a letter of it is wrong or missing; copy it whole out of the mail.")
    if invitation.used_at is not None:
        raise CohortError("This invitation was accepted before, and works once; sign in instead.")
    if invitation.withdrawn_at is not None:
        raise CohortError("This invitation was withdrawn; ask who sent it.")
    if invitation.expires_at <= now():
        raise CohortError("This invitation has expired; ask who sent it for another.")
    get(session, invitation.cohort_id)
    said = offer(session, invitation.cohort_id)
    if said.ends_at <= now():
        raise CohortError(f"The cohort {said.cohort} has ended; this invitation leads nowhere any more.")
    return invitation, said


def accept(session: Session, secret: str, digest: str, name: str, password: str) -> tuple[Person, audit.Receipt] | None:
    """Accept exactly the terms whose hash is given: the account, unless the address has one and this is its password, the membership and
    the acceptance, all or nothing. Returns a receipt of the log, too; None for the wrong password of an account, and commit that, so that
    it is counted. Raises CohortError, PeopleError."""
    audit.take_turn(session)  # from here on this invitation is nobody else's
    invitation, said = look(session, secret)
    _must_be_in_force(said, digest)
    person = people.by_email(session, invitation.email)
    if person is None:
        person = people.add(session, name, invitation.email, ["artist"], f"invitation {invitation.id}")
        people.set_password(session, person.id, password)
    else:
        people.get(session, person.id)
        if people.proven(session, invitation.email, password) is None:
            return None
    spent = update(Invitation).where(Invitation.id == invitation.id, Invitation.used_at.is_(None)).values(used_at=now())
    if not session.execute(spent).rowcount:
        raise CohortError("This invitation was accepted before, and works once; sign in instead.")
    member = session.get(Member, (said.cohort, person.id))
    if member is None:
        session.add(Member(cohort_id=said.cohort, person_id=person.id, joined_at=now(), left_at=None))
    else:
        member.left_at = None
    if "artist" not in person.roles:
        person.roles = sorted({*person.roles, "artist"})
    return person, _write(session, said, person.id, invitation.id)


def accept_next(session: Session, name: str, digest: str, person_id: str) -> audit.Receipt:
    """A member accepts a later version. Raises CohortError."""
    audit.take_turn(session)
    accepted(session, name, person_id)
    said = offer(session, name)
    _must_be_in_force(said, digest)
    return _write(session, said, person_id, None)


def _must_be_in_force(said: Offer, digest: str) -> None:
    if digest != said.sha256:
        raise CohortError(
            f"What you accept is not what is in force: that is version {said.version} of the terms of {said.cohort}, whose SHA-256 begins "
            f"with {said.sha256[:12]}; read it and accept that."
        )


def _write(session: Session, said: Offer, person_id: str, invitation_id: str | None) -> audit.Receipt:
    session.flush()
    if session.get(Acceptance, (said.cohort, said.version, person_id)) is None:
        session.add(
            Acceptance(
                cohort_id=said.cohort, version=said.version, person_id=person_id, sha256=said.sha256, accepted_at=now(),
                invitation_id=invitation_id,
            )
        )
        session.flush()
    return audit.append(session, "terms.accepted", {
        "cohort": said.cohort, "version": said.version, "sha256": said.sha256, "person": person_id, "invitation": invitation_id,
    }, person_id)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
