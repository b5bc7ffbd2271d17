"""The ledger: double entry, whole minor units, append-only.

A transaction's postings sum to zero in each currency. Debits are positive, credits negative. What was wrong is put right by a reversal.
The database holds the rules by itself (see the migration's guards): postings are written first, a transaction only if they balance, and
nothing after it; neither is ever changed or deleted.
"""

import re
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound
from lanterne.programme import audit, money
from lanterne.tables import Base, now

KINDS = ("asset", "liability", "equity", "income", "expense")
BANK, IN_TRANSIT = "asset:bank", "asset:in-transit"
WORK = ("hours", "bug", "feedback", "use")  # what a rate card may name: an hour, an accepted bug, feedback, a sanctioned public use
_ACCOUNT = re.compile(rf"({'|'.join(KINDS)})(:[A-Za-z0-9._@-]{{1,100}}){{1,3}}")
_PERSON = re.compile(r"[A-Za-z0-9._@-]{1,100}")


class LedgerError(LanterneError):
    """A posting, a transaction or a rate card that cannot be, in one sentence."""


class Missing(LedgerError, NotFound):
    """A transaction or a rate card that is not there."""


class Account(Base):
    """id: its kind and its name, such as expense:hours."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(unique=True)  # whom a liability:payable account is owed to
    opened_at: Mapped[int]


class Transaction(Base):
    """number: in order of writing. key: what makes repeating it safe. reverses: the transaction that it undoes."""

    __tablename__ = "transactions"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(unique=True)
    memo: Mapped[str]
    reverses: Mapped[str | None] = mapped_column(ForeignKey("transactions.id"), unique=True)
    created_at: Mapped[int]
    __table_args__ = ({"sqlite_autoincrement": True},)


class Posting(Base):
    __tablename__ = "postings"
    number: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id", deferrable=True, initially="DEFERRED"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    currency: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        Index("postings_of_account", "account_id", "number"),
        CheckConstraint(f"amount <> 0 AND amount BETWEEN -{money.LARGEST} AND {money.LARGEST}", name="posting_amount"),
        {"sqlite_autoincrement": True},
    )


class RateCard(Base):
    """What work is paid, in minor units, and how soon: a version of a card, never changed once it was published."""

    __tablename__ = "rate_cards"
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    currency: Mapped[str]
    rates: Mapped[dict] = mapped_column(JSON)  # {"hours": 3500, "bug": 5000, …}, for one hour, one bug, …
    decide_days: Mapped[int]  # within which a claim is decided
    pay_days: Mapped[int]  # within which what was accepted is paid
    published_by: Mapped[str]
    published_at: Mapped[int]


@dataclass(frozen=True)
class Leg:
    """One side of a transaction to be. amount: minor units, debits positive."""

    account: str
    amount: int
    currency: str


def person(person_id: str) -> str:
    """The id, if it can be one: opaque, without spaces. Raises LedgerError."""
    if not isinstance(person_id, str) or not _PERSON.fullmatch(person_id):
        raise LedgerError(f"The person {str(person_id)[:80]!r} cannot be used; give an id of at most 100 letters, digits and any of ._@-.")
    return person_id


def open_account(session: Session, account: str, person_id: str | None = None) -> str:
    """Open an account if it is not open. Raises LedgerError for a name that says no kind."""
    match = _ACCOUNT.fullmatch(account)
    if match is None:
        raise LedgerError(f"The account {account[:80]!r} cannot be used; give a kind and a name, such as expense:hours.")
    if session.get(Account, account) is None:
        session.execute(insert(Account).values(id=account, kind=match[1], person_id=person_id, opened_at=now()))
    return account


def payable(session: Session, person_id: str) -> str:
    """The account of what is owed to a person."""
    return open_account(session, f"liability:payable:{person(person_id)}", person_id)


def post(session: Session, key: str, legs: Sequence[Leg], memo: str, reverses: str | None = None) -> Transaction:
    """Write a transaction, and a line of the audit log, in the session's transaction. The same key and content give the same again.

    Raises LedgerError where it does not balance, where an account is not open, or where the key was used for something else.
    """
    audit.take_turn(session)
    sums = defaultdict(int)
    for leg in legs:
        if type(leg.amount) is not int or not 0 < abs(leg.amount) <= money.LARGEST:
            raise LedgerError(f"The amount {leg.amount!r} cannot be posted; give whole minor units from 1 to {money.LARGEST}.")
        if session.get(Account, leg.account) is None:
            raise LedgerError(f"The account {leg.account[:80]!r} is not open; open it first.")
        sums[money.currency(leg.currency)] += leg.amount
    for currency, left in sums.items():
        if left:
            raise LedgerError(f"The transaction does not balance: {money.written(left, currency)} are left over; it must sum to zero.")
    if len(legs) < 2:
        raise LedgerError(f"A transaction of {len(legs)} postings moves nothing; give two or more.")
    if found := session.scalar(select(Transaction).where(Transaction.key == key)):
        if (legs_of(session, found.id), found.memo, found.reverses) != (sorted(legs, key=_order), memo, reverses):
            raise LedgerError(f"The key {key!r} was used for another transaction, {found.id}; give another key.")
        return found
    transaction_id, at = f"tx_{secrets.token_hex(8)}", now()
    for leg in legs:
        session.execute(
            insert(Posting).values(transaction_id=transaction_id, account_id=leg.account, currency=leg.currency, amount=leg.amount)
        )
    transaction = Transaction(id=transaction_id, key=key, memo=memo, reverses=reverses, created_at=at)
    session.add(transaction)
    session.flush()
    audit.append(session, "ledger.posted", _told(transaction, legs), _whose(session, legs))
    return transaction


def reverse(session: Session, transaction_id: str, key: str, reason: str, by: str) -> Transaction:
    """Undo a transaction by its opposite. by: who does. Raises LedgerError where there is none, or where it was, or is, a reversal."""
    audit.take_turn(session)
    found = session.scalar(select(Transaction).where(Transaction.id == transaction_id))
    if found is None:
        raise Missing(f"There is no transaction {transaction_id[:80]!r}", "`lanterne ledger journal` shows them")
    if found.reverses:
        raise LedgerError(f"{transaction_id} is itself a reversal; post what is right instead.")
    if not reason.strip():
        raise LedgerError("A reversal needs a reason; say why.")
    before = session.scalar(select(Transaction).where(Transaction.reverses == transaction_id))
    if before is not None and before.key != key:
        raise LedgerError(f"{transaction_id} was reversed by {before.id} already.")
    opposite = [Leg(leg.account, -leg.amount, leg.currency) for leg in legs_of(session, transaction_id)]
    undone = post(session, key, opposite, reason, reverses=transaction_id)
    if before is None:
        told = {"id": undone.id, "reverses": transaction_id, "by": person(by), "reason": reason}
        audit.append(session, "ledger.reversed", told, _whose(session, opposite))
    return undone


def legs_of(session: Session, transaction_id: str) -> list[Leg]:
    """Sorted by account, currency and amount."""
    found = session.execute(
        select(Posting.account_id, Posting.amount, Posting.currency).where(Posting.transaction_id == transaction_id)
    )
    return sorted((Leg(*row) for row in found), key=_order)


def people_of(session: Session, legs: Sequence[Leg]) -> set[str]:
    """To whom what the legs are about is owed."""
    return {person_id for leg in legs if (person_id := session.get(Account, leg.account).person_id)}


def _whose(session: Session, legs: Sequence[Leg]) -> str | None:
    people = people_of(session, legs)
    return people.pop() if len(people) == 1 else None


def _order(leg: Leg) -> tuple:
    return leg.account, leg.currency, leg.amount


def balance(session: Session, account: str) -> dict[str, int]:
    """{currency: minor units}, without currencies that sum to zero."""
    rows = session.execute(
        select(Posting.currency, func.sum(Posting.amount)).where(Posting.account_id == account).group_by(Posting.currency)
    )
    return {currency: int(amount) for currency, amount in rows if amount}


def balances(session: Session) -> list[tuple[str, str, int]]:
    """(account, currency, minor units), for accounts with postings."""
    rows = session.execute(
        select(Posting.account_id, Posting.currency, func.sum(Posting.amount))
        .group_by(Posting.account_id, Posting.currency).order_by(Posting.account_id, Posting.currency)
    )
    return [(account, currency, int(amount)) for account, currency, amount in rows]


def journal(session: Session) -> Iterator[tuple[Transaction, list[Leg]]]:
    """Every transaction in the order of writing."""
    legs = defaultdict(list)
    for posting in session.scalars(select(Posting).order_by(Posting.number)):
        legs[posting.transaction_id].append(Leg(posting.account_id, posting.amount, posting.currency))
    for transaction in session.scalars(select(Transaction).order_by(Transaction.number)):
        yield transaction, legs[transaction.id]


def check(session: Session) -> int:
    """Hold every transaction against its line in the audit log. Returns how many; raises LedgerError for the first that differs."""
    logged = {data["id"]: (number, data) for number, data in audit.opened(session, "ledger.posted")}
    count = 0
    for transaction, legs in journal(session):
        number, data = logged.pop(transaction.id, (None, None))
        if data is not None and data != _told(transaction, legs):
            raise LedgerError(f"The transaction {transaction.id} was changed: line {number} of the audit log says something else.")
        count += 1
    if logged:
        transaction_id, (number, _) = next(iter(logged.items()))
        raise LedgerError(f"The transaction {transaction_id} is missing: line {number} of the audit log has it.")
    if (lines := audit.count(session, "ledger.posted")) != count:
        raise LedgerError(f"The ledger has {count} transactions and the audit log {lines}: some were written or taken out beside it.")
    return count


def _told(transaction: Transaction, legs: Sequence[Leg]) -> dict:
    return {
        "id": transaction.id, "key": transaction.key, "memo": transaction.memo, "reverses": transaction.reverses,
        "at": transaction.created_at, "legs": [asdict(leg) for leg in sorted(legs, key=_order)],
    }


def publish_rate_card(
    session: Session, name: str, currency: str, rates: dict[str, int], published_by: str, decide_days: int = 14, pay_days: int = 30
) -> RateCard:
    """The next version of a card. Work claimed under an earlier one stays under it. rates: minor units by kind of work.

    Raises LedgerError for a rate that is none.
    """
    audit.take_turn(session)
    if not _PERSON.fullmatch(name):
        raise LedgerError(f"The rate card's name {name[:80]!r} cannot be used; give letters, digits, '.', '_' or '-'.")
    money.currency(currency)
    if not rates:
        raise LedgerError(f"A rate card without rates pays nothing; give some of {', '.join(WORK)}.")
    for kind, rate in rates.items():
        if kind not in WORK:
            raise LedgerError(f"The work {kind!r} is unknown; give some of {', '.join(WORK)}.")
        if type(rate) is not int or not 0 < rate <= money.LARGEST // 1000:
            raise LedgerError(f"The rate {kind}={rate!r} cannot be used; give minor units from 1 to {money.LARGEST // 1000}.")
    for term, days in (("decide_days", decide_days), ("pay_days", pay_days)):
        if type(days) is not int or not 1 <= days <= 366:
            raise LedgerError(f"{term}={days!r} cannot be used; give whole days from 1 to 366.")
    version = (session.scalar(select(func.max(RateCard.version)).where(RateCard.name == name)) or 0) + 1
    card = RateCard(
        name=name, version=version, currency=currency, rates=dict(rates), decide_days=decide_days, pay_days=pay_days,
        published_by=person(published_by), published_at=now(),
    )
    session.add(card)
    session.flush()
    audit.append(session, "rate_card.published", {
        "name": name, "version": version, "currency": currency, "rates": rates, "decide_days": decide_days, "pay_days": pay_days,
        "by": published_by,
    })
    return card


def rate_card(session: Session, name: str, version: int | None = None) -> RateCard:
    """A version of a card, by default the latest. Raises LedgerError."""
    found = select(RateCard).where(RateCard.name == name).order_by(RateCard.version.desc()).limit(1)
    card = session.scalar(found if version is None else found.where(RateCard.version == version))
    if card is None:
        called = f"{name[:80]!r}" if version is None else f"{name[:80]!r}, version {version}"
        raise Missing(f"There is no rate card {called}", "`lanterne ledger card` publishes one", "an operator publishes one")
    return card
