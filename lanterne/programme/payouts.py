"""From what is owed to the bank: payees, payouts, and the bank file, which is written out once.

A payout moves all that is owed from the artists' accounts to "in transit" at the moment it is made, so that nothing can be paid twice; the
bank's answer moves it on (settled) or back (bounced).
"""

import secrets
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.programme import audit, exports, ledger
from lanterne.programme.exports import Payer, Payment
from lanterne.programme.ledger import BANK, IN_TRANSIT, Account, Leg, Transaction
from lanterne.programme.mail import Mail
from lanterne.programme.pay import RESERVED, Actor, Credit, Decision, Missing, NotByYou, PayError, day_of, text, today
from lanterne.programme.people import Person
from lanterne.tables import Base, now

_SETTLED = ":settled"


class Payee(Base):
    """Where a person's money goes. set_by: None where it was set before that was kept. Erased on its own."""

    __tablename__ = "payees"
    person_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    iban: Mapped[str]
    changed_at: Mapped[int]
    set_by: Mapped[str | None]


class Payout(Base):
    """file: the bank file as it was made, kept as bookkeeping must be. exported_at: when it was first written out."""

    __tablename__ = "payouts"
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    currency: Mapped[str]
    day: Mapped[str]  # on which the bank is to pay
    made_by: Mapped[str]
    made_at: Mapped[int]
    file: Mapped[str]
    exported_by: Mapped[str | None]
    exported_at: Mapped[int | None]
    copies: Mapped[int]


class PayoutLine(Base):
    """One person's part of a payout."""

    __tablename__ = "payout_lines"
    payout_id: Mapped[str] = mapped_column(ForeignKey("payouts.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    transaction_id: Mapped[str] = mapped_column(ForeignKey("transactions.id"), unique=True)
    __table_args__ = (CheckConstraint("amount > 0", name="payout_amount"),)


@dataclass(frozen=True)
class LeftOut:
    """Somebody who is owed money and was not paid, and why."""

    person_id: str
    amount: int
    why: str


def set_payee(session: Session, by: Actor, person_id: str, name: str, iban: str) -> Payee:
    """Where to pay a person; they say so themselves, or an operator does. Raises PayError for an IBAN that cannot be."""
    by.require_sight_of(ledger.person(person_id))
    audit.take_turn(session)
    name, iban = text(name, "name", 70, needed=True), exports.checked_iban(iban)
    exports.sepa_text(name, "name")
    payee = session.merge(Payee(person_id=person_id, name=name, iban=iban, changed_at=now(), set_by=by.person_id))
    session.flush()
    audit.append(session, "pay.payee", {"person": person_id, "name": name, "iban_ends": iban[-4:], "by": by.person_id}, person_id)
    return payee


def letters(session: Session, payee: Payee) -> list[Mail]:
    """To whose money somebody else has said where to send, also when their account is closed: they are paid all the same."""
    person = session.get(Person, payee.person_id)
    if payee.set_by == payee.person_id or person is None:
        return []
    text = (
        f"{payee.set_by}, an operator, set where your money goes: to the account of {payee.name} whose IBAN ends in {payee.iban[-4:]}.\n\n"
        "If that is not your account, set your own at POST /programme/payee, and later payouts go there; or answer this mail: "
        f"somebody else than {payee.set_by} will look at it.\n"
    )
    return [Mail(person.email, "Where your money goes was changed", text)]


def make(
    session: Session, by: Actor, payer: Payer, currency: str = "EUR", day: str | None = None, key: str | None = None
) -> tuple[Payout, list[LeftOut]]:
    """Pay everybody all that they are owed in a currency, but for the operator's own and theirs whose IBAN the operator set, which another
    operator pays. day: on which the bank pays, tomorrow by default. The same key gives the same payout. Raises PayError where nobody can be
    paid."""
    audit.take_turn(session)
    by.require_operator()
    key = secrets.token_hex(8) if key is None else text(key, "key", 200, needed=True)
    if found := session.scalar(select(Payout).where(Payout.key == key)):
        return found, []
    if currency != "EUR":
        raise PayError(f"A SEPA file pays in EUR and not in {currency}; pay it by other means.")
    execution = _execution(day)
    payout_id, payments, lines, left_out = f"payout_{secrets.token_hex(8)}", [], [], []
    for account, owed_in, balance in ledger.balances(session):
        person_id = session.get(Account, account).person_id
        if person_id is None or owed_in != currency or balance >= 0:
            continue
        if person_id == by.person_id:
            left_out.append(LeftOut(person_id, -balance, "nobody makes the file that pays themselves; another operator's pays it"))
            continue
        payee = session.get(Payee, person_id)
        if payee is None:
            left_out.append(LeftOut(person_id, -balance, "there is no IBAN for them; they give theirs, or an operator does"))
            continue
        if payee.set_by == by.person_id:
            why = "whoever set their IBAN does not make the file that pays to it; another operator's pays it, or they set it themselves"
            left_out.append(LeftOut(person_id, -balance, why))
            continue
        legs = [Leg(account, -balance, currency), Leg(ledger.open_account(session, IN_TRANSIT), balance, currency)]
        posted = ledger.post(session, f"{payout_id}:{person_id}", legs, f"Payout {payout_id}")
        payments.append(Payment(payee.name, payee.iban, -balance, f"Lanterne {payout_id}", posted.id))
        lines.append(
            PayoutLine(payout_id=payout_id, person_id=person_id, amount=-balance, currency=currency, transaction_id=posted.id)
        )
    if not lines:
        why = f": {'; '.join(f'{left.person_id}: {left.why}' for left in left_out)}" if left_out else ""
        raise PayError(f"Nobody can be paid in {currency}{why or '; nothing is owed'}.")
    payout = Payout(
        id=payout_id, key=key, currency=currency, day=execution.isoformat(), made_by=by.person_id, made_at=now(),
        file=exports.bank_file(payer, payments, execution), exported_by=None, exported_at=None, copies=0,
    )
    session.add(payout)
    session.flush()
    session.add_all(lines)
    session.flush()
    for line in lines:
        told = {"payout": payout_id, "person": line.person_id, "amount": line.amount, "currency": currency, "by": by.person_id}
        audit.append(session, "pay.paid_out", told, line.person_id)
    return payout, left_out


def _execution(day: str | None) -> date:
    if day is None:
        return today() + timedelta(1)
    try:
        found = date.fromisoformat(day)
    except (ValueError, TypeError):
        raise PayError(f"The day {str(day)[:80]!r} cannot be read; give one such as {today()}.") from None
    if not today() <= found <= today() + timedelta(90):
        raise PayError(f"The bank cannot pay on {day}; give a day from today to 90 days from now.")
    return found


def export(session: Session, by: Actor, payout_id: str, copy: bool = False) -> tuple[str, str]:
    """(name, content) of the bank file. It is given out once; after that only as a copy that says so, with the same message id, by which
    banks refuse what they have had. Raises PayError for a second one that was not asked for as a copy."""
    audit.take_turn(session)
    by.require_operator()
    payout = _payout(session, payout_id)
    if payout.exported_at is None:
        if copy:
            raise PayError(f"The file of {payout_id} was not exported yet; export it first, then copies can be made.")
        session.execute(update(Payout).where(Payout.id == payout_id).values(exported_at=now(), exported_by=by.person_id))
        audit.append(session, "pay.exported", {"payout": payout_id, "by": by.person_id})
        return f"{payout_id}.xml", payout.file
    when = f"on {day_of(payout.exported_at)} by {payout.exported_by}"
    if not copy:
        raise PayError(f"The file of {payout_id} was exported {when}; if the bank has not had it, ask for a copy.")
    number = payout.copies + 1
    session.execute(update(Payout).where(Payout.id == payout_id).values(copies=number))
    audit.append(session, "pay.copied", {"payout": payout_id, "copy": number, "by": by.person_id})
    head, _, rest = payout.file.partition("\n")
    return f"{payout_id}-copy-{number}.xml", f"{head}\n<!-- Copy {number}. The original was exported {when}. -->\n{rest}"


def settle(session: Session, by: Actor, payout_id: str) -> int:
    """The bank has paid: all that did not bounce leaves "in transit", but for the operator's own, which another operator settles. Returns
    how many were settled now. Raises PayError, NotByYou where only their own is left."""
    audit.take_turn(session)
    by.require_operator()
    if _payout(session, payout_id).exported_at is None:
        raise PayError(f"The file of {payout_id} was not exported yet, so the bank cannot have paid it; export it first.")
    count, own = 0, False
    for line in session.scalars(select(PayoutLine).where(PayoutLine.payout_id == payout_id)):
        if state(session, line) != "on its way":
            continue
        if line.person_id == by.person_id:
            own = True
        else:
            legs = [Leg(IN_TRANSIT, line.amount, line.currency), Leg(ledger.open_account(session, BANK), -line.amount, line.currency)]
            ledger.post(session, _settled_key(line), legs, f"Settled {payout_id}")
            count += 1
    if own and not count:
        raise NotByYou(f"What is still on its way of {payout_id} is your own; another operator settles it.")
    return count


def bounce(session: Session, by: Actor, payout_id: str, person_id: str, reason: str) -> None:
    """The bank has sent one person's money back: it is owed again. Raises PayError where there is none, or it came back before;
    NotByYou for one's own."""
    audit.take_turn(session)
    by.require_operator()
    if by.person_id == person_id:
        raise NotByYou("Nobody says of their own payout that it came back; ask another operator.")
    line = session.get(PayoutLine, (payout_id, person_id))
    if line is None:
        raise Missing(f"{person_id[:80]!r} was not paid by {payout_id[:80]!r}", "`lanterne pay payouts` shows who was")
    reason = text(reason, "reason", 500, needed=True)
    if _reversal(session, line.transaction_id) is not None:
        raise PayError(f"What {payout_id} paid to {person_id} came back before.")
    if settled := _settlement(session, line):
        ledger.reverse(session, settled.id, f"{_settled_key(line)}:back", reason, by.person_id)
    ledger.reverse(session, line.transaction_id, f"{line.transaction_id}:back", reason, by.person_id)
    audit.append(session, "pay.bounced", {
        "payout": payout_id, "person": person_id, "amount": line.amount, "currency": line.currency, "reason": reason, "by": by.person_id,
    }, person_id)


def reverse(session: Session, by: Actor, transaction_id: str, reason: str) -> Transaction:
    """Undo a transaction that was entered by mistake; whom it was about reads the reason in their statement.

    Raises NotByYou for one's own; PayError for what was accepted or promised, which stands, for what was paid, and for payouts, which have
    their own way; LedgerError as the ledger does.
    """
    audit.take_turn(session)
    by.require_operator()
    if by.person_id in ledger.people_of(session, ledger.legs_of(session, transaction_id)):
        raise NotByYou(f"{transaction_id} is about your own money; ask another operator.")
    if made := session.scalar(select(Decision).where(Decision.transaction_id == transaction_id)):
        raise PayError(f"{transaction_id} is what was accepted of {made.entry_id}, which stands; only a dispute changes it, never to less.")
    given = session.scalar(select(Credit).where(Credit.transaction_id == transaction_id))
    if given and given.subject.startswith(RESERVED):
        raise PayError(f"{transaction_id} is what the policy promises for a missed deadline, {given.subject}, and stands.")
    if given and _paid_since(session, given):
        raise PayError(f"{transaction_id} was paid out to {given.person_id} already, and stands.")
    key = session.scalar(select(Transaction.key).where(Transaction.id == transaction_id)) or ""
    paid = PayoutLine.transaction_id.in_([transaction_id, key.removesuffix(_SETTLED)])
    if line := session.scalar(select(PayoutLine).where(paid)):
        raise PayError(f"{transaction_id} is part of {line.payout_id}; when the bank sends money back, enter that it bounced.")
    return ledger.reverse(session, transaction_id, f"{transaction_id}:reversed", text(reason, "reason", 500, needed=True), by.person_id)


def _paid_since(session: Session, given: Credit) -> bool:
    """A payout takes all that is owed, so any that came later and did not come back had this in it."""
    number = select(Transaction.number).where(Transaction.id == given.transaction_id).scalar_subquery()
    later = select(PayoutLine).join(Transaction, Transaction.id == PayoutLine.transaction_id).where(
        PayoutLine.person_id == given.person_id, PayoutLine.currency == given.currency, Transaction.number > number
    )
    return any(state(session, line) != "came back" for line in session.scalars(later))


def listed(session: Session, by: Actor) -> list[tuple[Payout, list[PayoutLine]]]:
    """Every payout with whom it paid. Raises NotYours."""
    by.require_operator()
    return [
        (payout, list(session.scalars(select(PayoutLine).where(PayoutLine.payout_id == payout.id).order_by(PayoutLine.person_id))))
        for payout in session.scalars(select(Payout).order_by(Payout.made_at, Payout.id))
    ]


def state(session: Session, line: PayoutLine) -> str:
    if _reversal(session, line.transaction_id) is not None:
        return "came back"
    return "on its way" if _settlement(session, line) is None else "paid"


def _payout(session: Session, payout_id: str) -> Payout:
    found = session.scalar(select(Payout).where(Payout.id == payout_id).execution_options(populate_existing=True))
    if found is None:
        raise Missing(f"There is no payout {payout_id[:80]!r}", "`lanterne pay payouts` shows them")
    return found


def _settled_key(line: PayoutLine) -> str:
    return f"{line.transaction_id}{_SETTLED}"  # it names nobody: the audit log keeps it when somebody is forgotten


def _settlement(session: Session, line: PayoutLine) -> Transaction | None:
    return session.scalar(select(Transaction).where(Transaction.key == _settled_key(line)))


def _reversal(session: Session, transaction_id: str) -> Transaction | None:
    return session.scalar(select(Transaction).where(Transaction.reverses == transaction_id))
