"""The routes of pay: an artist's work, what is owed and statements; for operators decisions, payouts and the ledger."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import BackgroundTasks, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from lanterne.programme import exports, ledger, pay, payouts, people, statements
from lanterne.programme.exports import Payer
from lanterne.service import pay_wire as wires
from lanterne.service import watch, wire
from lanterne.service.errors import APIError
from lanterne.service.signed_in import Anyone, House, Id, Operator, OperatorsFields, OwnFields, ruled

_NO_NULL = r"^[^\x00]*$"
_FORMS: dict[str, tuple[Callable, str]] = {
    "html": (statements.as_html, "text/html"), "pdf": (statements.as_pdf, "application/pdf"), "csv": (statements.as_csv, "text/csv"),
}
Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-[0-9]{2}$", description="Such as 2026-11; from the beginning by default.")]
Form = Annotated[Literal["html", "pdf", "csv"], Path()]
Currency = Annotated[str | None, Query(pattern=r"^[A-Z]{3}$", description="Which, where there are several.")]
Whose = Annotated[str | None, Query(max_length=100, pattern=_NO_NULL, description="Of this person alone.")]


# An artist's part ----------------------------------------------------------------------------------------------------------------


def list_work(house: House, actor: Anyone):
    """Your work, what was decided on it and why."""
    with ruled(house) as session:
        return wires.WorkList(data=[_work(case) for case in pay.cases(session, actor, actor.person_id)])


def claim_work(house: House, actor: Anyone, fields: OwnFields):
    """Claim work: hours of a day, a bug, feedback or a public use."""
    asked = wire.read(wires.ClaimWork, fields)
    with ruled(house) as session:
        day = asked.day or pay.today().isoformat()
        entry = pay.claim(
            session, actor, asked.kind, day, hours=asked.hours, subject=asked.about, note=asked.note, card=asked.card, key=asked.key
        )
        return _work(pay.case_of(session, entry.id))


def dispute_work(house: House, actor: Anyone, entry_id: Id, fields: OwnFields):
    """Say no to a decision on your work; somebody else then decides, and cannot make it worse."""
    asked = wire.read(wires.DisputeWork, fields)
    with ruled(house) as session:
        if entry_id not in {case.entry.id for case in pay.cases(session, actor, actor.person_id)}:
            raise APIError(404, "not_found", f"There is no work {entry_id[:80]!r} among yours; check the id.", "id")
        pay.dispute(session, actor, entry_id, asked.statement)
        return _work(pay.case_of(session, entry_id))


def owed(house: House, actor: Anyone):
    """What you are owed, and when it is due."""
    with ruled(house) as session:
        due = pay.due(session, actor, actor.person_id)
        late = pay.arrears(session, actor, actor.person_id)
        return wires.Owed(
            owed=pay.owed(session, actor, actor.person_id), next=[_late(one) for one in due if one not in late],
            late=[_late(one) for one in late],
        )


def rate_card(house: House, actor: Anyone, name: Annotated[str | None, Query(max_length=100, pattern=_NO_NULL)] = None):
    """What your work is paid, by the terms that you accepted, and how soon; or, by its name, what a card pays now."""
    with ruled(house) as session:
        return _card(ledger.rate_card(session, name) if name else pay.card_of(session, actor.person_id))


def read_payee(house: House, actor: Anyone):
    """Where your money goes."""
    with ruled(house) as session:
        found = session.get(payouts.Payee, actor.person_id)
    if found is None:
        raise APIError(404, "not_found", "It is not known where your money goes; give a name and an IBAN at POST /programme/payee.")
    return _payee(found)


def set_payee(house: House, actor: Anyone, fields: OwnFields):
    """Say where your money goes."""
    asked = wire.read(wires.SetPayee, fields)
    with ruled(house) as session:
        return _payee(payouts.set_payee(session, actor, actor.person_id, asked.name, asked.iban))


def list_statements(house: House, actor: Anyone, month: Month = None):
    """Your statements, one for each currency: what was claimed, accepted, why not more, and paid."""
    with ruled(house) as session:
        return _statements(session, actor, actor.person_id, month)


def statement_file(house: House, actor: Anyone, form: Form, month: Month = None, currency: Currency = None):
    """Your statement as a page, a PDF or a table."""
    with ruled(house) as session:
        return _file(session, actor, actor.person_id, form, month, currency)


# At the desk: work and what is owed ----------------------------------------------------------------------------------------------


def work_queue(house: House, actor: Operator, waiting: bool = True, person: Whose = None):
    """Work that waits for a decision, the earliest first; or all of it."""
    with ruled(house) as session:
        if person is not None:
            people.known(session, person)
        return wires.WorkList(data=[_work(case) for case in pay.cases(session, actor, person) if case.waiting or not waiting])


def decide_work(house: House, actor: Operator, entry_id: Id, fields: OperatorsFields):
    """Accept work, in whole or in part."""
    asked = wire.read(wires.DecideWork, fields)
    with ruled(house) as session:
        pay.decide(session, actor, entry_id, asked.accepted, asked.reason)
        return _work(pay.case_of(session, entry_id))


def arrears(house: House, actor: Operator):
    """What is late: decisions, answers to disputes, payments."""
    with ruled(house) as session:
        return wires.Arrears(data=[_late(one) for one in pay.arrears(session, actor)])


def give_credit(house: House, actor: Operator, fields: OperatorsFields):
    """Owe somebody what the terms promise for a deadline that was missed."""
    asked = wire.read(wires.GiveCredit, fields)
    with ruled(house) as session:
        people.known(session, asked.person_id)
        given = pay.credit(
            session, actor, asked.person_id, asked.subject, asked.amount, asked.currency, asked.because, asked.due_at,
            pay.now() if asked.missed_at is None else asked.missed_at,
        )
        return wires.CreditGiven(**{name: getattr(given, name) for name in wires.CreditGiven.model_fields})


def publish_card(house: House, actor: Operator, fields: OperatorsFields):
    """Publish a rate card, or its next version; work that was claimed before stays under its own."""
    asked = wire.read(wires.PublishCard, fields)
    with ruled(house) as session:
        return _card(ledger.publish_rate_card(
            session, asked.name, asked.currency, asked.rates, actor.person_id, asked.decide_days, asked.pay_days
        ))


def set_payee_of(house: House, actor: Operator, person_id: Id, background: BackgroundTasks, fields: OperatorsFields):
    """Say where somebody's money goes. They are told by mail, and another operator makes the payout that pays them."""
    asked = wire.read(wires.SetPayee, fields)
    with ruled(house) as session:
        people.known(session, person_id)
        payee = payouts.set_payee(session, actor, person_id, asked.name, asked.iban)
        answer, mails = _payee(payee), payouts.letters(session, payee)
    background.add_task(watch.send, house.settings.post, mails)
    return answer


def list_statements_of(house: House, actor: Operator, person_id: Id, month: Month = None):
    """Somebody's statements, one for each currency."""
    with ruled(house) as session:
        people.known(session, person_id)
        return _statements(session, actor, person_id, month)


def statement_file_of(house: House, actor: Operator, person_id: Id, form: Form, month: Month = None, currency: Currency = None):
    """Somebody's statement as a page, a PDF or a table."""
    with ruled(house) as session:
        people.known(session, person_id)
        return _file(session, actor, person_id, form, month, currency)


# At the desk: payouts and the ledger ---------------------------------------------------------------------------------------------


def list_payouts(house: House, actor: Operator):
    """Payouts, and whom they paid."""
    with ruled(house) as session:
        return wires.Payouts(data=[_payout(session, made, lines) for made, lines in payouts.listed(session, actor)])


def make_payout(house: House, actor: Operator, fields: OperatorsFields):
    """Pay everybody what they are owed, but yourself and whose IBAN you set; the bank's file is then to be exported."""
    asked, settings = wire.read(wires.MakePayout, fields), house.settings
    if not (settings.payer_name and settings.payer_iban):
        raise APIError(409, "no_payer", "It is not known who pays; set payer_name and payer_iban in the server's settings.")
    with ruled(house) as session:
        payer = Payer(settings.payer_name, settings.payer_iban, settings.payer_bic)
        made, left_out = payouts.make(session, actor, payer, day=asked.day, key=asked.key)
        lines = next(lines for payout, lines in payouts.listed(session, actor) if payout.id == made.id)
        answer = _payout(session, made, lines)
    answer.left_out = [wires.LeftOut(person_id=one.person_id, amount=one.amount, why=one.why) for one in left_out]
    return answer


def export_payout(house: House, actor: Operator, payout_id: Id, fields: OperatorsFields):
    """The bank's file of a payout (SEPA pain.001), once; after that a copy that says so."""
    asked = wire.read(wires.ExportPayout, fields)
    with ruled(house) as session:
        name, content = payouts.export(session, actor, payout_id, asked.copy_)
    return _download(content, "application/xml", name)


def settle_payout(house: House, actor: Operator, payout_id: Id):
    """The bank has paid a payout."""
    with ruled(house) as session:
        payouts.settle(session, actor, payout_id)
        return next(_payout(session, made, lines) for made, lines in payouts.listed(session, actor) if made.id == payout_id)


def bounce_payout(house: House, actor: Operator, payout_id: Id, fields: OperatorsFields):
    """The bank has sent one person's money back; it is owed again."""
    asked = wire.read(wires.BouncePayout, fields)
    with ruled(house) as session:
        payouts.bounce(session, actor, payout_id, asked.person_id, asked.reason)
        return next(_payout(session, made, lines) for made, lines in payouts.listed(session, actor) if made.id == payout_id)


def balances(house: House, actor: Operator):
    """Every account of the ledger with what is on it."""
    with ruled(house) as session:
        return wires.Balances(data=[_balance(*one) for one in ledger.balances(session)])


def journal(house: House, actor: Operator):
    """Every transaction of the ledger, in the order of writing."""
    with ruled(house) as session:
        return wires.Journal(data=[_transaction(*one) for one in ledger.journal(session)])


def beancount(house: House, actor: Operator):
    """The whole ledger as a beancount file."""
    with ruled(house) as session:
        return _download(exports.beancount(session), "text/plain", "ledger.beancount")


def reverse(house: House, actor: Operator, transaction_id: Id, fields: OperatorsFields):
    """Undo a transaction that was entered by mistake. What was accepted, promised or paid stands."""
    asked = wire.read(wires.ReverseTransaction, fields)
    with ruled(house) as session:
        undone = payouts.reverse(session, actor, transaction_id, asked.reason)
        return _transaction(undone, ledger.legs_of(session, undone.id))


ROUTES = [
    ("GET", "/programme/work", list_work, wires.WorkList),
    ("POST", "/programme/work", claim_work, wires.Work),
    ("POST", "/programme/work/{id}/dispute", dispute_work, wires.Work),
    ("GET", "/programme/owed", owed, wires.Owed),
    ("GET", "/programme/rate-card", rate_card, wires.RateCard),
    ("GET", "/programme/payee", read_payee, wires.Payee),
    ("POST", "/programme/payee", set_payee, wires.Payee),
    ("GET", "/programme/statements", list_statements, wires.PayStatements),
    ("GET", "/programme/statements/{form}", statement_file, None),
    ("GET", "/programme/desk/work", work_queue, wires.WorkList),
    ("POST", "/programme/desk/work/{id}/decide", decide_work, wires.Work),
    ("GET", "/programme/desk/arrears", arrears, wires.Arrears),
    ("POST", "/programme/desk/credits", give_credit, wires.CreditGiven),
    ("POST", "/programme/desk/rate-cards", publish_card, wires.RateCard),
    ("POST", "/programme/desk/people/{id}/payee", set_payee_of, wires.Payee),
    ("GET", "/programme/desk/people/{id}/statements", list_statements_of, wires.PayStatements),
    ("GET", "/programme/desk/people/{id}/statements/{form}", statement_file_of, None),
    ("GET", "/programme/desk/payouts", list_payouts, wires.Payouts),
    ("POST", "/programme/desk/payouts", make_payout, wires.Payout),
    ("POST", "/programme/desk/payouts/{id}/export", export_payout, None),
    ("POST", "/programme/desk/payouts/{id}/settle", settle_payout, wires.Payout),
    ("POST", "/programme/desk/payouts/{id}/bounce", bounce_payout, wires.Payout),
    ("GET", "/programme/desk/ledger", balances, wires.Balances),
    ("GET", "/programme/desk/ledger/journal", journal, wires.Journal),
    ("GET", "/programme/desk/ledger/beancount", beancount, None),
    ("POST", "/programme/desk/ledger/{id}/reverse", reverse, wires.Transaction),
]
OPEN = ()
BODIES = {
    "claim_work": wires.ClaimWork, "dispute_work": wires.DisputeWork, "set_payee": wires.SetPayee, "decide_work": wires.DecideWork,
    "give_credit": wires.GiveCredit, "publish_card": wires.PublishCard, "set_payee_of": wires.SetPayee, "make_payout": wires.MakePayout,
    "export_payout": wires.ExportPayout, "bounce_payout": wires.BouncePayout, "reverse": wires.ReverseTransaction,
}


def _work(case: pay.Case) -> wires.Work:
    entry, said = case.entry, {dispute.number: dispute.statement for dispute in case.disputes}
    return wires.Work(
        id=entry.id, person_id=entry.person_id, kind=entry.kind, day=entry.day, minutes=entry.units if entry.kind == "hours" else None,
        about=entry.subject, note=entry.note, card=entry.card, card_version=entry.card_version, currency=entry.currency,
        claimed=entry.claimed, accepted=case.accepted, state=case.state, claimed_at=entry.claimed_at,
        due_at=case.due_at if case.waiting else None,
        decisions=[
            wires.WorkDecision(
                number=made.number, accepted=made.accepted, reason=made.reason, decided_by=made.decider, decided_at=made.decided_at,
                pay_by=made.pay_by, disputed=said.get(made.number),
            )
            for made in case.decisions
        ],
    )


def _late(one: pay.Arrear) -> wires.Due:
    return wires.Due(
        person_id=one.person_id, what=one.what, subject=one.subject, amount=one.amount, currency=one.currency, due_at=one.due_at
    )


def _card(card: ledger.RateCard) -> wires.RateCard:
    return wires.RateCard(**{name: getattr(card, name) for name in wires.RateCard.model_fields})


def _payee(payee: payouts.Payee) -> wires.Payee:
    return wires.Payee(**{name: getattr(payee, name) for name in wires.Payee.model_fields})


def _statements(session: Session, actor: pay.Actor, person_id: str, month: str | None) -> wires.PayStatements:
    found = statements.of(session, actor, person_id, *statements.month(month))
    return wires.PayStatements(data=[
        wires.PayStatement(
            person_id=told.person_id, currency=told.currency, since=told.since, until=told.until, opening=told.opening,
            closing=told.closing, waiting=[_work(case) for case in told.waiting],
            lines=[
                wires.PayStatementLine(
                    at=line.at, what=line.what, amount=line.amount, reference=line.reference, claimed=line.claimed, accepted=line.accepted,
                    reason=line.reason, decided_by=line.decider,
                )
                for line in told.lines
            ],
        )
        for told in found
    ])


def _file(session: Session, actor: pay.Actor, person_id: str, form: str, month: str | None, currency: str | None) -> Response:
    written, kind = _FORMS[form]
    told = statements.one(session, actor, person_id, month, currency)
    return _download(written(told), kind, f"statement-{month or 'all'}-{told.currency}.{form}")


def _download(content: str | bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(content, media_type=kind, headers=headers)


def _payout(session: Session, made: payouts.Payout, lines: list[payouts.PayoutLine]) -> wires.Payout:
    return wires.Payout(
        id=made.id, day=made.day, currency=made.currency, made_by=made.made_by, made_at=made.made_at, exported_at=made.exported_at,
        exported_by=made.exported_by, copies=made.copies,
        lines=[wires.PayoutLine(person_id=line.person_id, amount=line.amount, state=payouts.state(session, line)) for line in lines],
    )


def _balance(account: str, currency: str, amount: int) -> wires.Balance:
    return wires.Balance(account=account, currency=currency, amount=amount)


def _transaction(transaction: ledger.Transaction, legs: list[ledger.Leg]) -> wires.Transaction:
    return wires.Transaction(
        id=transaction.id, memo=transaction.memo, reverses=transaction.reverses, created_at=transaction.created_at,
        legs=[_balance(leg.account, leg.currency, leg.amount) for leg in legs],
    )
