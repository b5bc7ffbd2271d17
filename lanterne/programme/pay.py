"""What artists are paid for, from the claim to what is owed.

A claim is made under a version of a rate card and decided by somebody else within the card's days. Accepting less than was claimed takes a
reason; who is told so can dispute it, and then yet another person decides, who cannot make it worse. What is accepted is posted to the
ledger in the same transaction, and so is what an artist gets for a deadline that was missed.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound
from lanterne.programme import audit, cohorts, ledger, money
from lanterne.programme.ledger import Leg, RateCard
from lanterne.tables import Base, now

DAY = 86400  # seconds
OLDEST = 366  # days that a claim may look back
RESERVED = "review:"  # how the subjects of credits begin that deadlines give by themselves
NAMES = {"hours": "Hours", "bug": "Accepted bug", "feedback": "Feedback", "use": "Public use"}


class PayError(LanterneError):
    """A claim, a decision or a payment that cannot be, in one sentence."""


class Missing(PayError, NotFound):
    """An entry, a payout or a payment that is not there."""


class NotYours(PayError):
    """Something of somebody else's, or for operators alone."""


class NotByYou(NotYours):
    """What somebody else may do, since this person has a part in it."""


@dataclass(frozen=True)
class Actor:
    """Who is asking, as whoever let them in knows them. operator: may decide and pay, and see everybody's. reviewer: may look at
    videos that wait for their release."""

    person_id: str
    operator: bool = False
    reviewer: bool = False

    def require_operator(self) -> None:
        if not self.operator:
            raise NotYours(f"{self.person_id} is not an operator; ask one.")

    def require_reviewer(self) -> None:
        if not self.reviewer:
            raise NotYours(f"{self.person_id} is not a reviewer; ask an operator.")

    def require_sight_of(self, person_id: str) -> None:
        if not self.operator and self.person_id != person_id:
            raise NotYours(f"What {person_id[:80]!r} earned is for them and for operators; ask for your own.")


DEADLINE = Actor("system:deadline", operator=True)  # nobody's id: it has a colon


class Entry(Base):
    """Work as it was claimed. units: minutes of the kind "hours", else 1. subject: which bug, feedback or use; one is claimed once."""

    __tablename__ = "work_entries"
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(index=True)
    key: Mapped[str]
    kind: Mapped[str]
    day: Mapped[str]  # 2026-11-25
    units: Mapped[int]
    subject: Mapped[str | None]
    note: Mapped[str]  # the person's own words; blank once they were erased
    card: Mapped[str]
    card_version: Mapped[int]
    currency: Mapped[str]
    claimed: Mapped[int] = mapped_column(BigInteger)
    claimed_at: Mapped[int]
    due_at: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["card", "card_version"], ["rate_cards.name", "rate_cards.version"]),
        UniqueConstraint("person_id", "key", name="work_entry_key"),
        UniqueConstraint("person_id", "kind", "subject", name="work_entry_subject"),
        UniqueConstraint("id", "person_id", "claimed", "currency", name="work_entry_as_decided"),
        CheckConstraint("claimed > 0 AND units > 0 AND (kind <> 'hours' OR units <= 1440)", name="work_entry_amounts"),
    )


class Decision(Base):
    """number: 1, and one more after each dispute. accepted: in all, not in addition. pay_by: when it is to be paid."""

    __tablename__ = "pay_decisions"
    entry_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str]
    claimed: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    accepted: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    decider: Mapped[str]
    decided_at: Mapped[int]
    pay_by: Mapped[int]
    transaction_id: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"), unique=True)
    __table_args__ = (
        ForeignKeyConstraint(
            ["entry_id", "person_id", "claimed", "currency"],
            ["work_entries.id", "work_entries.person_id", "work_entries.claimed", "work_entries.currency"],
        ),
        UniqueConstraint("entry_id", "decider", name="pay_decision_by_another"),
        CheckConstraint("decider <> person_id", name="pay_decision_not_on_oneself"),
        CheckConstraint("accepted BETWEEN 0 AND claimed", name="pay_decision_amount"),
        CheckConstraint("accepted = claimed OR length(trim(reason)) > 0", name="pay_decision_reason"),
    )


class Dispute(Base):
    """What a person says against a decision."""

    __tablename__ = "pay_disputes"
    entry_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # of the decision
    statement: Mapped[str]  # the person's own words; blank once they were erased
    opened_at: Mapped[int]
    due_at: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["entry_id", "number"], ["pay_decisions.entry_id", "pay_decisions.number"]),)


class Credit(Base):
    """What a person gets because a deadline was missed. subject: which deadline; each is paid for once."""

    __tablename__ = "credits"
    subject: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    because: Mapped[str]
    due_at: Mapped[int]
    missed_at: Mapped[int]
    pay_by: Mapped[int]
    given_by: Mapped[str]
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"), unique=True)
    __table_args__ = (
        CheckConstraint("given_by <> person_id", name="credit_not_to_oneself"),
        CheckConstraint("amount > 0 AND missed_at > due_at", name="credit_missed"),
    )


@dataclass
class Case:
    """An entry with all that was said about it, in order."""

    entry: Entry
    decisions: list[Decision] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """For a decision: the first, or one on a dispute."""
        return len(self.disputes) == len(self.decisions)

    @property
    def due_at(self) -> int:
        return self.disputes[-1].due_at if self.disputes else self.entry.due_at

    @property
    def accepted(self) -> int | None:
        return self.decisions[-1].accepted if self.decisions else None

    @property
    def state(self) -> str:
        if self.waiting:
            return "disputed" if self.disputes else "waiting for a decision"
        return "accepted" if self.accepted == self.entry.claimed else "refused" if not self.accepted else "accepted in part"


@dataclass(frozen=True)
class Arrear:
    """Something to be done, and by when. what: "decision", "answer to a dispute" or "payment"."""

    person_id: str
    what: str
    subject: str
    amount: int
    currency: str
    due_at: int


# Claims.


def claim(
    session: Session, by: Actor, kind: str, day: str, *, hours=None, subject: str | None = None, note: str = "", card: str | None = None,
    key: str | None = None,
) -> Entry:
    """Claim work of one's own. hours (a number, or "1:20") for the kind "hours", subject for all others. card: see card_of. The same key
    gives the same entry.

    Raises PayError for what cannot have been, LedgerError where there is no such rate card.
    """
    audit.take_turn(session)
    ledger.person(by.person_id)
    if kind not in ledger.WORK:
        raise PayError(f"The work {kind!r} is unknown; give one of {', '.join(ledger.WORK)}.")
    rates = card_of(session, by.person_id, card)
    if kind not in rates.rates:
        raise PayError(f"The rate card {rates.name!r} pays nothing for {kind}; it names {', '.join(sorted(rates.rates))}.")
    if (kind == "hours") != (hours is not None) or (kind == "hours") == (subject is not None):
        raise PayError("Hours are claimed with a number of hours and nothing else, all other work with what it is about.")
    units = _minutes(hours) if kind == "hours" else 1
    values = {
        "kind": kind, "day": _day(day).isoformat(), "units": units, "note": text(note, "note", 2000),
        "subject": None if subject is None else text(subject, "subject", 200, needed=True), "card": rates.name,
    }
    key = secrets.token_hex(8) if key is None else text(key, "key", 200, needed=True)
    if found := session.scalar(select(Entry).where(Entry.person_id == by.person_id, Entry.key == key)):
        if any(getattr(found, name) != value for name, value in values.items()):
            raise PayError(f"The key {key!r} was used for another claim, {found.id}; give another key.")
        return found
    _refuse_twice(session, by.person_id, values)
    # Parts of a minor unit are the artist's.
    claimed = -(-rates.rates[kind] * units // 60) if kind == "hours" else rates.rates[kind]
    at = now()
    entry = Entry(
        id=f"work_{secrets.token_hex(8)}", person_id=by.person_id, key=key, card_version=rates.version, currency=rates.currency,
        claimed=claimed, claimed_at=at, due_at=at + rates.decide_days * DAY, **values,
    )
    session.add(entry)
    session.flush()
    told = {"entry": entry.id, "person": by.person_id, "claimed": claimed, "currency": entry.currency, "due_at": entry.due_at}
    audit.append(session, "pay.claimed", told | values | {"card_version": rates.version}, by.person_id)
    return entry


def card_of(session: Session, person_id: str, name: str | None = None) -> RateCard:
    """What a person's work is paid by: of somebody in a cohort the card and version that they accepted, of others the latest. name: which
    card; by default the accepted one, or "artists". Raises PayError for one that they did not accept, LedgerError for an unknown one."""
    agreed = cohorts.cards(session, person_id)
    if not agreed:
        return ledger.rate_card(session, "artists" if name is None else name)
    if name is None:
        name = next(iter(agreed)) if len(agreed) == 1 else "artists"
    if name not in agreed:
        ledger.rate_card(session, name)
        known = ", ".join(sorted(agreed))
        raise PayError(f"The rate card {name[:80]!r} is not in the terms that {person_id} accepted; give one of theirs: {known}.")
    return ledger.rate_card(session, name, agreed[name])


def _refuse_twice(session: Session, person_id: str, values: dict) -> None:
    same = select(func.sum(Entry.units)).where(Entry.person_id == person_id, Entry.kind == values["kind"])
    if values["kind"] == "hours":
        before = session.scalar(same.where(Entry.day == values["day"])) or 0
        if before + values["units"] > 24 * 60:
            raise PayError(
                f"{_clock(values['units'])} hours on {values['day']} are over the 24 that a day has, with {_clock(before)} claimed before; "
                "give what was worked on that day."
            )
    elif session.scalar(same.where(Entry.subject == values["subject"])):
        raise PayError(f"The {values['kind']} {values['subject'][:80]!r} was claimed before; each is paid once.")


def _minutes(hours) -> int:
    """A number of hours, or "1:20". Raises PayError."""
    whole, colon, minutes = str(hours).strip().partition(":")
    try:
        if isinstance(hours, bool):
            raise InvalidOperation
        number = Decimal(whole) * 60
        if colon:
            if not (whole.isdigit() and minutes.isdigit() and len(minutes) == 2 and int(minutes) < 60):
                raise InvalidOperation
            number += int(minutes)
    except ArithmeticError:  # Decimal's, for what is no number or beyond all bounds
        raise PayError(f"hours={str(hours)[:80]!r} cannot be read; give a number such as 1.5, or 1:30.") from None
    if not number.is_finite() or not 0 < number <= 24 * 60:
        raise PayError(f"hours={str(hours)[:80]!r} cannot be worked in a day; give more than 0 and at most 24.")
    if number != int(number):
        raise PayError(f"hours={str(hours)[:80]!r} is finer than a minute; give hours and minutes, such as 1:20.")
    return int(number)


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _day(day: str) -> date:
    try:
        found = date.fromisoformat(day)
    except (ValueError, TypeError):
        raise PayError(f"The day {str(day)[:80]!r} cannot be read; give one such as {today()}.") from None
    ahead = datetime.fromtimestamp(now() + 14 * 3600, UTC).date()  # where the day begins first
    if not today() - timedelta(OLDEST) <= found <= ahead:
        raise PayError(f"The day {day} cannot be claimed; give one of the past {OLDEST} days, and none to come.")
    return found


def today() -> date:
    return datetime.fromtimestamp(now(), UTC).date()


def text(value: str, name: str, limit: int, needed: bool = False) -> str:
    """What somebody wrote, without blanks around it. Raises PayError for what cannot be kept or shown."""
    if not isinstance(value, str) or len(value) > limit:
        raise PayError(f"The {name} is not a text of at most {limit} letters; give a shorter one.")
    value = value.strip()
    if any((letter < " " and letter not in "\n\t") or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in value):
        raise PayError(f"The {name} has letters that cannot be shown; leave them out.")
    if needed and not value:
        raise PayError(f"The {name} is empty; say it in a few words.")
    return value


# Decisions and disputes.


def decide(session: Session, by: Actor, entry_id: str, accepted: int | None = None, reason: str = "") -> Decision:
    """Accept a claim, or less of it with a reason. accepted: minor units in all; as claimed by default.

    Raises NotYours for one's own entry or without being an operator, PayError for what may not be decided.
    """
    audit.take_turn(session)
    by.require_operator()
    case = case_of(session, entry_id)
    entry, before = case.entry, case.accepted or 0
    if by.person_id == entry.person_id:
        raise NotByYou(f"{entry_id} is your own; somebody else decides on it.")
    if any(by.person_id == decision.decider for decision in case.decisions) and case.waiting:
        raise NotByYou(f"You decided on {entry_id} before; a dispute goes to somebody else.")
    if not case.waiting:
        raise PayError(f"{entry_id} was decided on; only a dispute by {entry.person_id} opens it again.")
    accepted = entry.claimed if accepted is None else accepted
    if type(accepted) is not int or not before <= accepted <= entry.claimed:
        raise PayError(
            f"accepted={accepted!r} cannot be; give minor units from {before}{' (accepted before)' if before else ''} to {entry.claimed} "
            f"({money.written(entry.claimed, entry.currency)}, as claimed)."
        )
    reason = text(reason, "reason", 2000, needed=accepted < entry.claimed)
    at, transaction = now(), None
    card = ledger.rate_card(session, entry.card, entry.card_version)
    number = len(case.decisions) + 1
    if accepted > before:
        legs = _owe(session, f"expense:{entry.kind}", entry.person_id, accepted - before, entry.currency)
        transaction = ledger.post(session, f"decision:{entry_id}:{number}", legs, f"{NAMES[entry.kind]}, {entry.day}").id
    decision = Decision(
        entry_id=entry_id, number=number, person_id=entry.person_id, claimed=entry.claimed, currency=entry.currency, accepted=accepted,
        reason=reason, decider=by.person_id, decided_at=at, pay_by=at + card.pay_days * DAY, transaction_id=transaction,
    )
    session.add(decision)
    session.flush()
    audit.append(session, "pay.decided", {
        "entry": entry_id, "number": number, "person": entry.person_id, "claimed": entry.claimed, "accepted": accepted,
        "currency": entry.currency, "reason": reason, "decider": by.person_id, "transaction": transaction,
    }, entry.person_id)
    return decision


def dispute(session: Session, by: Actor, entry_id: str, statement: str) -> Dispute:
    """Say no to a reduction of one's own claim; somebody else then decides, within the card's days. Raises PayError, NotYours."""
    audit.take_turn(session)
    case = case_of(session, entry_id)
    if by.person_id != case.entry.person_id:
        raise NotYours(f"{entry_id} is not yours; only who claimed it can dispute what was decided.")
    if case.waiting:
        raise PayError(f"{entry_id} waits for a decision until {day_of(case.due_at)}; there is nothing to dispute yet.")
    if case.accepted == case.entry.claimed:
        raise PayError(f"{entry_id} was accepted as claimed; there is nothing to dispute.")
    at = now()
    opened = Dispute(
        entry_id=entry_id, number=len(case.decisions), statement=text(statement, "statement", 4000, needed=True), opened_at=at,
        due_at=at + ledger.rate_card(session, case.entry.card, case.entry.card_version).decide_days * DAY,
    )
    session.add(opened)
    session.flush()
    audit.append(session, "pay.disputed", {"entry": entry_id, "number": opened.number, "statement": opened.statement}, by.person_id)
    return opened


def credit(
    session: Session, by: Actor, person_id: str, subject: str, amount: int, currency: str, because: str, due_at: int, missed_at: int,
    pay_days: int = 30,
) -> Credit:
    """Owe a person what the terms promise for a deadline missed. due_at, missed_at: UTC seconds. One subject is paid once: asked again,
    it gives the credit that is there. Raises PayError where the deadline was kept, NotYours to oneself."""
    audit.take_turn(session)
    by.require_operator()
    subject = text(subject, "subject", 200, needed=True)
    if by.person_id == person_id:
        raise NotByYou("Nobody gives a credit to themselves; ask another operator.")
    if subject.startswith(RESERVED) and by != DEADLINE:
        raise PayError(f"The subject {subject[:80]!r} is for deadlines of reviews, which are made good by themselves; give another.")
    if missed_at <= due_at:
        raise PayError(f"The deadline of {subject!r} was {day_of(due_at)} and was kept; there is nothing to make good.")
    if type(amount) is not int or not 0 < amount <= money.LARGEST:
        raise PayError(f"The amount {amount!r} cannot be credited; give minor units from 1 to {money.LARGEST}.")
    because = text(because, "reason", 2000, needed=True)
    if found := session.get(Credit, subject):
        if (found.person_id, found.amount, found.currency) != (person_id, amount, currency):
            raise PayError(f"{subject!r} was made good with {money.written(found.amount, found.currency)} already.")
        return found
    legs = _owe(session, "expense:credits", person_id, amount, currency)
    posted = ledger.post(session, f"credit:{subject}", legs, f"Deadline missed: {subject}")
    given = Credit(
        subject=subject, person_id=person_id, amount=amount, currency=currency, because=because, due_at=due_at, missed_at=missed_at,
        pay_by=now() + pay_days * DAY, given_by=by.person_id, transaction_id=posted.id,
    )
    session.add(given)
    session.flush()
    audit.append(session, "pay.credited", {
        "subject": subject, "person": person_id, "amount": amount, "currency": currency, "because": because, "due_at": due_at,
        "missed_at": missed_at, "pay_by": given.pay_by, "by": by.person_id, "transaction": posted.id,
    }, person_id)
    return given


def _owe(session: Session, expense: str, person_id: str, amount: int, currency: str) -> list[Leg]:
    owed = ledger.payable(session, person_id)
    return [Leg(ledger.open_account(session, expense), amount, currency), Leg(owed, -amount, currency)]


# What there is.


def cases(session: Session, by: Actor, person_id: str | None = None) -> list[Case]:
    """A person's entries, or for operators everybody's, in order of claiming. Raises NotYours."""
    by.require_operator() if person_id is None else by.require_sight_of(person_id)
    return _cases(session, Entry.person_id == person_id if person_id else None)


def case_of(session: Session, entry_id: str) -> Case:
    """An entry, for who was found to have sight of it. Raises PayError where there is none."""
    found = _cases(session, Entry.id == entry_id)
    if not found:
        raise Missing(f"There is no entry {entry_id[:80]!r}", "`lanterne pay entries` shows them")
    return found[0]


def _cases(session: Session, which) -> list[Case]:
    wanted = select(Entry).order_by(Entry.claimed_at, Entry.id)
    found = {entry.id: Case(entry) for entry in session.scalars(wanted if which is None else wanted.where(which))}
    for kind, name in ((Decision, "decisions"), (Dispute, "disputes")):
        said = select(kind).order_by(kind.entry_id, kind.number)
        for row in session.scalars(said if which is None else said.join(Entry, Entry.id == kind.entry_id).where(which)):
            getattr(found[row.entry_id], name).append(row)
    return list(found.values())


def owed(session: Session, by: Actor, person_id: str) -> dict[str, int]:
    """{currency: minor units} still to be paid out. Raises NotYours."""
    by.require_sight_of(person_id)
    return {currency: -amount for currency, amount in ledger.balance(session, f"liability:payable:{person_id}").items()}


def arrears(session: Session, by: Actor, person_id: str | None = None) -> list[Arrear]:
    """What is late, of a person or, for operators, of all. Raises NotYours."""
    return [arrear for arrear in due(session, by, person_id) if arrear.due_at < now()]


def due(session: Session, by: Actor, person_id: str | None = None) -> list[Arrear]:
    """What is still to be done, the soonest first: decisions, answers to disputes, payments (the oldest debt counts as paid first). Raises
    NotYours."""
    open_ = [
        Arrear(case.entry.person_id, "answer to a dispute" if case.disputes else "decision", case.entry.id,
               case.entry.claimed - (case.accepted or 0), case.entry.currency, case.due_at)
        for case in cases(session, by, person_id) if case.waiting
    ]
    debts = defaultdict(list)
    for debt in _debts(session):
        if person_id in (None, debt.person_id):
            debts[debt.person_id, debt.currency].append(debt)
    for (debtor, currency), those in debts.items():
        left = -ledger.balance(session, f"liability:payable:{debtor}").get(currency, 0)
        for debt in sorted(those, key=lambda debt: debt.due_at, reverse=True):  # the latest are the unpaid ones
            amount = max(0, min(left, debt.amount))
            left -= amount
            if amount:
                open_.append(Arrear(debtor, "payment", debt.subject, amount, currency, debt.due_at))
    return sorted(open_, key=lambda arrear: (arrear.due_at, arrear.subject))


def _debts(session: Session) -> Iterator[Arrear]:
    before = defaultdict(int)
    for made in session.scalars(select(Decision).order_by(Decision.entry_id, Decision.number)):
        if made.transaction_id:
            yield Arrear(made.person_id, "payment", made.entry_id, made.accepted - before[made.entry_id], made.currency, made.pay_by)
        before[made.entry_id] = made.accepted
    for given in session.scalars(select(Credit)):
        yield Arrear(given.person_id, "payment", given.subject, given.amount, given.currency, given.pay_by)


def day_of(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
