"""A person's statement: what was claimed, what was accepted and why not more, what was paid; as HTML, PDF and CSV.

It is read off the ledger, so it adds up to it: opening balance and lines come to the closing balance, which is the ledger's.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lanterne.programme import ledger, money, pay
from lanterne.programme.ledger import Posting, Transaction
from lanterne.programme.pay import NAMES, Actor, Case, Credit, Decision, Entry, PayError, day_of
from lanterne.programme.payouts import Payee, PayoutLine
from lanterne.tables import now

_TEMPLATE = Path(__file__).parent / "statement.html"
_CONTEST = "Where less was accepted than you claimed, you can dispute it; somebody else then decides."
_COLUMNS = ("Date", "What", "Claimed", "Accepted", "Reason", "Decided by", "Amount", "Currency", "Reference")
_FORMULA = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Line:
    """amount: minor units, what is owed to the person grows by it. claimed, accepted: of the whole entry, where the line is about one."""

    at: int
    what: str
    amount: int
    reference: str
    claimed: int | None = None
    accepted: int | None = None
    reason: str = ""
    decider: str = ""


@dataclass(frozen=True)
class Statement:
    """One person, one currency, [since, until) in UTC seconds. opening, closing: owed to the person then. waiting: cases without a
    decision, whenever they were claimed."""

    person_id: str
    name: str
    currency: str
    since: int
    until: int
    opening: int
    lines: tuple[Line, ...]
    closing: int
    waiting: tuple[Case, ...]
    made_at: int

    @property
    def earned(self) -> int:
        return sum(line.amount for line in self.lines if line.amount > 0)

    @property
    def paid(self) -> int:
        return -sum(line.amount for line in self.lines if line.amount < 0)


def of(session: Session, by: Actor, person_id: str, since: int = 0, until: int | None = None) -> list[Statement]:
    """A person's statements, one for each currency. Raises NotYours for somebody else's."""
    by.require_sight_of(person_id)
    until = now() + 1 if until is None else until
    cases = pay.cases(session, by, person_id)
    lines = _lines(session, person_id, cases)
    payee = session.get(Payee, person_id)
    currencies = sorted({currency for currency, _ in lines} | {case.entry.currency for case in cases})
    return [
        Statement(
            person_id=person_id, name=payee.name if payee else person_id, currency=currency, since=since, until=until,
            opening=sum(line.amount for of_, line in lines if of_ == currency and line.at < since),
            lines=tuple(line for of_, line in lines if of_ == currency and since <= line.at < until),
            closing=sum(line.amount for of_, line in lines if of_ == currency and line.at < until),
            waiting=tuple(case for case in cases if case.waiting and case.entry.currency == currency), made_at=now(),
        )
        for currency in currencies
    ]


def one(session: Session, by: Actor, person_id: str, of_month: str | None = None, currency: str | None = None) -> Statement:
    """The statement to hand out, of a month or from the beginning. Raises PayError where there is none or, without a currency, several;
    NotYours."""
    since, until = month(of_month)
    found = [told for told in of(session, by, person_id, since, until) if currency in (None, told.currency)]
    if len(found) > 1:
        raise PayError(f"{person_id} has statements in {' and '.join(told.currency for told in found)}; give one of these currencies.")
    if not found:
        raise PayError(f"There is nothing for {person_id}{f' in {currency}' if currency else ''} yet.")
    if until is None:
        checked(session, found[0])
    return found[0]


def month(text: str | None) -> tuple[int, int | None]:
    """[since, until) of 2026-11, in UTC seconds; of all time without one. Raises PayError."""
    if text is None:
        return 0, None
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    except ValueError:
        raise PayError(f"The month {text[:80]!r} cannot be read; give one such as 2026-11.") from None
    return int(first.timestamp()), int(after.timestamp())


def _lines(session: Session, person_id: str, cases: Sequence[Case]) -> list[tuple[str, Line]]:
    """(currency, line), in order of time: the postings to the person's account, and decisions that accepted nothing."""
    decided = {made.transaction_id: (case, made) for case in cases for made in case.decisions if made.transaction_id}
    credits = {given.transaction_id: given for given in session.scalars(select(Credit).where(Credit.person_id == person_id))}
    payouts = {line.transaction_id: line for line in session.scalars(select(PayoutLine).where(PayoutLine.person_id == person_id))}
    found = [
        (case.entry.currency, _decision(case, made, 0))
        for case in cases for made in case.decisions if made.transaction_id is None
    ]
    rows = session.execute(
        select(Posting.amount, Posting.currency, Transaction).join(Transaction, Transaction.id == Posting.transaction_id)
        .where(Posting.account_id == f"liability:payable:{person_id}").order_by(Posting.number)
    )
    for amount, currency, posted in rows:
        if posted.id in decided:
            line = _decision(*decided[posted.id], -amount)
        elif given := credits.get(posted.id):
            line = Line(posted.created_at, f"Deadline missed: {given.subject}", -amount, given.subject, reason=given.because)
        elif paid := payouts.get(posted.id):
            line = Line(posted.created_at, "Paid out", -amount, paid.payout_id)
        elif posted.reverses in payouts:
            line = Line(posted.created_at, "Came back from the bank", -amount, payouts[posted.reverses].payout_id, reason=posted.memo)
        elif posted.reverses:
            line = Line(posted.created_at, f"Reversal of {posted.reverses}", -amount, posted.id, reason=posted.memo)
        else:
            line = Line(posted.created_at, posted.memo, -amount, posted.id)
        found.append((currency, line))
    return sorted(found, key=lambda entry: entry[1].at)


def _decision(case: Case, made: Decision, amount: int) -> Line:
    what = _about(case.entry) + (" (after a dispute)" if made.number > 1 else "")
    return Line(made.decided_at, what, amount, case.entry.id, made.claimed, made.accepted, made.reason, made.decider)


def _about(entry: Entry) -> str:
    about = f"{entry.units // 60}:{entry.units % 60:02} h" if entry.kind == "hours" else entry.subject
    return f"{NAMES[entry.kind]}, {entry.day}, {about}"


def as_csv(statement: Statement) -> str:
    """Opening, lines and closing. Amounts are plain numbers; text that a spreadsheet would take for a formula is disarmed."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    currency = statement.currency

    def plain(amount: int | None) -> str:
        return "" if amount is None else money.plain(amount, currency)

    write(_COLUMNS)
    write([day_of(statement.since) if statement.since else "", "Opening balance", "", "", "", "", plain(statement.opening), currency, ""])
    for line in statement.lines:
        write([
            day_of(line.at), safe_cell(line.what), plain(line.claimed), plain(line.accepted), safe_cell(line.reason),
            safe_cell(line.decider), plain(line.amount), currency, safe_cell(line.reference),
        ])
    write([day_of(statement.until - 1), "Closing balance", "", "", "", "", plain(statement.closing), currency, ""])
    return out.getvalue()


def safe_cell(text: str) -> str:
    """With an apostrophe before what spreadsheets take for a formula, also behind blanks and in full-width letters."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n")) else text


def as_html(statement: Statement) -> str:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text()).render(statement=statement, **_told(statement))


def _told(statement: Statement) -> dict:
    """What HTML and PDF say in the same words."""

    def amount(minor: int | None) -> str:
        return "" if minor is None else money.written(minor, statement.currency).removesuffix(f" {statement.currency}")

    begin = f"from {day_of(statement.since)} " if statement.since else ""
    return {
        "amount": amount, "day": day_of, "about": _about, "contest": _CONTEST, "period": f"{begin}until {day_of(statement.until - 1)}",
        "totals": [
            ("Owed before", statement.opening), ("Earned", statement.earned), ("Paid", -statement.paid), ("Owed now", statement.closing),
        ],
    }


def as_pdf(statement: Statement) -> bytes:
    """A4, as many pages as it takes."""
    from lanterne.programme import paper

    return paper.statement(statement, **_told(statement))


def checked(session: Session, statement: Statement) -> None:
    """Raises LedgerError where a statement until now does not come to what the ledger says."""
    owed = -ledger.balance(session, f"liability:payable:{statement.person_id}").get(statement.currency, 0)
    if statement.closing != owed or statement.opening + sum(line.amount for line in statement.lines) != statement.closing:
        raise ledger.LedgerError(
            f"The statement of {statement.person_id} comes to {money.written(statement.closing, statement.currency)} and the ledger to "
            f"{money.written(owed, statement.currency)}; have an operator verify the audit log."
        )
