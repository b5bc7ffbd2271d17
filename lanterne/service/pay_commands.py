"""`lanterne ledger`, `pay` and `audit`: for the operator at the server's machine; --by says who that is.

Help must answer at once, so all that they need is imported when they run.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lanterne.errors import LanterneError, counted, writing

ledger_app = typer.Typer(help="Accounts, transactions and rate cards.", no_args_is_help=True)
pay_app = typer.Typer(help="Claims, decisions, payouts and statements.", no_args_is_help=True)
audit_app = typer.Typer(help="The log of every decision, and proofs that it was not changed.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who does this: the id of an operator, as `lanterne people list` shows it.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file. \\[default: show it]", show_default=False)]


def _session():
    from lanterne.paths import make_home
    from lanterne.service.database import Database
    from lanterne.service.settings import Settings

    make_home()
    database = Database(Settings.load().database)
    database.migrate()
    return database.session()


def _operator(session, by: str):
    """Who acts, if there is such an operator. Raises PeopleError."""
    from lanterne.programme import people
    from lanterne.programme.pay import Actor

    return Actor(people.require(session, by, "operator").id, operator=True)


def _reader():
    """Whoever may read the database at the server's machine; they decide nothing."""
    from lanterne.programme.pay import Actor

    return Actor("reader", operator=True)


def _put(content: str | bytes, output: Path | None) -> None:
    if isinstance(content, str):
        content = content.encode()
    if output is None:
        sys.stdout.buffer.write(content)
        return
    with writing(output):
        output.write_bytes(content)


def _seconds(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise LanterneError(f"The day {day[:80]!r} cannot be read; give one such as 2026-11-25.") from None


# lanterne ledger


@ledger_app.command()
def balances():
    """Every account with what is on it; debits positive, credits negative."""
    from lanterne.programme import ledger, money

    with _session() as session:
        for account, currency, amount in ledger.balances(session):
            typer.echo(f"{money.written(amount, currency):>20}  {account}")


@ledger_app.command()
def journal():
    """Every transaction in the order of writing."""
    from lanterne.programme import ledger, money
    from lanterne.programme.pay import day_of

    with _session() as session:
        for transaction, legs in ledger.journal(session):
            undone = f"  reverses {transaction.reverses}" if transaction.reverses else ""
            typer.echo(f"{day_of(transaction.created_at)}  {transaction.id}  {transaction.memo}{undone}")
            for leg in legs:
                typer.echo(f"{money.written(leg.amount, leg.currency):>20}  {leg.account}")


@ledger_app.command()
def beancount(output: Output = None):
    """The whole ledger as a beancount file."""
    from lanterne.programme import exports

    with _session() as session:
        _put(exports.beancount(session), output)


@ledger_app.command()
def card(
    name: Annotated[str, typer.Argument(help="The card's name, such as artists.")],
    by: By,
    rate: Annotated[list[str], typer.Option(help="hours=35.00, bug=50, feedback=15 or use=200; repeat for several.")],
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
    decide_days: Annotated[int, typer.Option(help="Days within which claims are decided.")] = 14,
    pay_days: Annotated[int, typer.Option(help="Days within which what was accepted is paid.")] = 30,
):
    """Publish a rate card, or its next version; work claimed before stays under the version of its time."""
    from lanterne.programme import ledger, money

    rates = {}
    for text in rate:
        kind, equals, amount = text.partition("=")
        if not equals:
            raise LanterneError(f"The rate {text[:80]!r} cannot be read; give one such as hours=35.00.")
        rates[kind] = money.read(amount, money.currency(currency))
    with _session() as session:
        operator = _operator(session, by)
        published = ledger.publish_rate_card(session, name, currency, rates, operator.person_id, decide_days, pay_days)
        typer.echo(f"{published.name}, version {published.version}")


@ledger_app.command()
def reverse(
    transaction: Annotated[str, typer.Argument(help="The transaction's id, as `lanterne ledger journal` shows it.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger.")],
):
    """Undo a transaction that was entered by mistake. What was accepted, promised or paid stands."""
    from lanterne.programme import payouts

    with _session() as session:
        typer.echo(payouts.reverse(session, _operator(session, by), transaction, reason).id)


# lanterne pay


@pay_app.command()
def claim(
    person: Annotated[str, typer.Argument(help="Whose work it is.")],
    kind: Annotated[str, typer.Argument(help="hours, bug, feedback or use.")],
    day: Annotated[str | None, typer.Option(help="When. \\[default: today]", show_default=False)] = None,
    hours: Annotated[str | None, typer.Option(help="For hours: how many, such as 1.5 or 1:30.", show_default=False)] = None,
    about: Annotated[str | None, typer.Option(help="For all others: which bug, feedback or use.", show_default=False)] = None,
    note: Annotated[str, typer.Option(help="A word about it.")] = "",
    card: Annotated[str | None, typer.Option(help="The rate card. \\[default: what their terms name]", show_default=False)] = None,
    key: Annotated[str | None, typer.Option(help="Makes repeating the command safe.", show_default=False)] = None,
):
    """Enter work in a person's name."""
    from lanterne.programme import money, pay, people

    with _session() as session:
        people.known(session, person)
        day = day or pay.today().isoformat()
        entry = pay.claim(session, pay.Actor(person), kind, day, hours=hours, subject=about, note=note, card=card, key=key)
        typer.echo(f"{entry.id}  {money.written(entry.claimed, entry.currency)}, to be decided by {pay.day_of(entry.due_at)}")


@pay_app.command()
def entries(
    person: Annotated[str | None, typer.Argument(help="Whose. \\[default: everybody's]", show_default=False)] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what waits for a decision.")] = False,
):
    """Claims, what was decided on them and why."""
    from lanterne.programme import money, pay, people

    with _session() as session:
        if person is not None:
            people.known(session, person)
        for case in pay.cases(session, _reader(), person):
            if waiting and not case.waiting:
                continue
            entry = case.entry
            typer.echo(
                f"{entry.id}  {entry.person_id}  {entry.kind} {entry.day}  {money.written(entry.claimed, entry.currency)}  {case.state}"
                + (f", due {pay.day_of(case.due_at)}" if case.waiting else "")
            )
            for decision in case.decisions:
                told = f"{money.written(decision.accepted, decision.currency)} by {decision.decider}"
                typer.echo(f"    {told}{f': {decision.reason}' if decision.reason else ''}")
                for dispute in case.disputes:
                    if dispute.number == decision.number:
                        typer.echo(f"    disputed: {dispute.statement}")


@pay_app.command()
def decide(
    entry: str,
    by: By,
    accept: Annotated[str | None, typer.Option(help="How much in all, such as 12.50. \\[default: as claimed]", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="Why, if it is less than was claimed. The artist reads it.")] = "",
):
    """Accept a claim, in whole or in part."""
    from lanterne.programme import money, pay

    with _session() as session:
        operator, currency = _operator(session, by), pay.case_of(session, entry).entry.currency
        decision = pay.decide(session, operator, entry, None if accept is None else money.read(accept, currency), reason)
        nothing = "nothing more to be paid" if decision.accepted else "nothing to be paid"
        due = f"to be paid by {pay.day_of(decision.pay_by)}" if decision.transaction_id else nothing
        typer.echo(f"{money.written(decision.accepted, decision.currency)}, {due}")


@pay_app.command()
def dispute(entry: str, by: Annotated[str, typer.Option("--by", help="The artist.")], statement: str):
    """Enter an artist's no to a decision; somebody else then decides. A closed account keeps this right."""
    from lanterne.programme import pay, people

    with _session() as session:
        people.known(session, by)
        typer.echo(f"to be answered by {pay.day_of(pay.dispute(session, pay.Actor(by), entry, statement).due_at)}")


@pay_app.command()
def credit(
    person: str,
    subject: Annotated[str, typer.Argument(help="Which deadline, such as answer:17; each is made good once.")],
    amount: str,
    by: By,
    because: Annotated[str, typer.Option(help="What was late. The artist reads it.")],
    due: Annotated[str, typer.Option(help="The day it was due.")],
    missed: Annotated[str | None, typer.Option(help="The day it was done. \\[default: today]", show_default=False)] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
):
    """Owe a person what the terms promise for a deadline that was missed."""
    from lanterne.programme import money, pay, people

    with _session() as session:
        people.known(session, person)
        done, owed = _seconds(missed) if missed else pay.now(), money.read(amount, money.currency(currency))
        pay.credit(session, _operator(session, by), person, subject, owed, currency, because, _seconds(due), done)


@pay_app.command()
def arrears():
    """What is late: decisions, answers to disputes, payments. Ends with 1 if anything is."""
    from lanterne.programme import money, pay

    with _session() as session:
        late = pay.arrears(session, _reader())
        for arrear in late:
            typer.echo(
                f"{arrear.person_id}  {arrear.what}  {arrear.subject}  {money.written(arrear.amount, arrear.currency)}, "
                f"due {pay.day_of(arrear.due_at)}"
            )
    raise typer.Exit(1 if late else 0)


@pay_app.command()
def payee(person: str, by: By, name: Annotated[str, typer.Option()], iban: Annotated[str, typer.Option()]):
    """Where a person's money goes. They are told by mail, and another operator makes the file that pays them."""
    from lanterne.programme import payouts, people
    from lanterne.service.settings import Settings

    with _session() as session:
        people.known(session, person)
        mails = payouts.letters(session, payouts.set_payee(session, _operator(session, by), person, name, iban))
    for mail in mails:
        Settings.load().post.send(mail)


@pay_app.command()
def payout(
    by: By,
    day: Annotated[str | None, typer.Option(help="On which the bank pays. \\[default: tomorrow]", show_default=False)] = None,
    key: Annotated[str | None, typer.Option(help="Makes repeating the command safe.", show_default=False)] = None,
):
    """Pay everybody what they are owed, but oneself and whose IBAN one set: makes the bank file, which `lanterne pay export` writes out."""
    from lanterne.programme import money, payouts
    from lanterne.programme.exports import Payer
    from lanterne.service.settings import Settings

    settings = Settings.load()
    if not (settings.payer_name and settings.payer_iban):
        raise LanterneError("It is not known who pays; set payer_name and payer_iban in settings.toml, or LANTERNE_PAYER_NAME and …_IBAN.")
    with _session() as session:
        payer = Payer(settings.payer_name, settings.payer_iban, settings.payer_bic)
        made, left_out = payouts.make(session, _operator(session, by), payer, day=day, key=key)
        for left in left_out:
            typer.echo(f"{left.person_id} is left out with {money.written(left.amount, made.currency)}: {left.why}.", err=True)
        typer.echo(made.id)


@pay_app.command(name="payouts")
def list_payouts():
    """Payouts, and whom they paid."""
    from lanterne.programme import money, payouts
    from lanterne.programme.pay import day_of

    with _session() as session:
        for made, lines in payouts.listed(session, _reader()):
            exported = f"exported {day_of(made.exported_at)} by {made.exported_by}" if made.exported_at else "not exported yet"
            typer.echo(f"{made.id}  for {made.day}, {exported}")
            for line in lines:
                typer.echo(f"{money.written(line.amount, line.currency):>20}  {line.person_id}  {payouts.state(session, line)}")


@pay_app.command()
def export(
    payout: str,
    by: By,
    copy: Annotated[bool, typer.Option("--copy", help="A second one, for a bank that has not had the first; it says so.")] = False,
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
):
    """Write a payout's bank file (SEPA pain.001), once."""
    from lanterne.programme import payouts

    with _session() as session:
        name, content = payouts.export(session, _operator(session, by), payout, copy)
        if (folder / name).exists():
            raise LanterneError(f"{folder / name} is there already; choose another folder.")
        with writing(folder / name), (folder / name).open("x", encoding="utf-8") as file:  # if this fails, it was not exported
            file.write(content)
    typer.echo(folder / name)


@pay_app.command()
def settle(payout: str, by: By):
    """The bank has paid a payout."""
    from lanterne.programme import payouts

    with _session() as session:
        typer.echo(f"{payouts.settle(session, _operator(session, by), payout)} settled")


@pay_app.command()
def bounce(payout: str, person: str, by: By, reason: Annotated[str, typer.Option(help="What the bank says.")]):
    """The bank has sent one person's money back; it is owed again."""
    from lanterne.programme import payouts

    with _session() as session:
        payouts.bounce(session, _operator(session, by), payout, person, reason)


@pay_app.command()
def statement(
    person: str,
    month: Annotated[str | None, typer.Option(help="Such as 2026-11. \\[default: from the beginning]", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", help="html, pdf or csv.")] = "html",
    currency: Annotated[str | None, typer.Option(help="Which, where there are several.", show_default=False)] = None,
    output: Output = None,
):
    """A person's statement."""
    from lanterne.programme import pay, people, statements

    forms = {"html": statements.as_html, "pdf": statements.as_pdf, "csv": statements.as_csv}
    if form not in forms:
        raise LanterneError(f"The format {form!r} is unknown; give one of {', '.join(forms)}.")
    with _session() as session:
        people.known(session, person)
        _put(forms[form](statements.one(session, pay.Actor(person), person, month, currency)), output)


@pay_app.command()
def forget(person: str, by: By):
    """Erase a person's IBAN, name, words, videos and keys; the ledger stays, under their id."""
    from lanterne.service import forgetting
    from lanterne.service.deployment import Deployment
    from lanterne.service.settings import Settings

    with _session() as session:
        emptied = forgetting.forget(Deployment.of(Settings.load()), session, _operator(session, by), person)
    typer.echo(f"{counted(emptied, 'line')} of the audit log {'was' if emptied == 1 else 'were'} emptied")


# lanterne audit


def _receipt(path: Path):
    from lanterne.programme.audit import Receipt

    return Receipt.read(_read(path))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LanterneError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}; check the name.") from None


@audit_app.command()
def verify(
    receipts: Annotated[list[Path] | None, typer.Argument(help="Receipts that the log must hold.", show_default=False)] = None,
    key: Annotated[str | None, typer.Option(help="The public key to check with. \\[default: this server's]", show_default=False)] = None,
):
    """Check every line, signature and the given receipts, and the ledger against the log; name the first line that was changed."""
    from lanterne.programme import audit, ledger

    with _session() as session:
        lines, erased = audit.verify(session, key or audit.Signer().verifier, map(_receipt, receipts or []))
        transactions = ledger.check(session)
    hold, are = ("holds" if lines == 1 else "hold"), ("is as it was" if transactions == 1 else "are as they were")
    typer.echo(
        f"{counted(lines, 'line')} {hold}, {erased} of them erased on request; {counted(transactions, 'transaction')} {are} logged."
    )


@audit_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A receipt, or what `lanterne audit consistency` wrote.")],
    key: Annotated[str, typer.Option(help="The log's public key, as `lanterne audit key` printed it.")],
):
    """Check a receipt or a proof by itself, without the server that it is from."""
    from lanterne.programme import audit

    text = _read(file)
    if (proof := audit.Consistency.read(text)) is not None:
        first, second = audit.check_consistency(proof, key)
        typer.echo(f"The log of {counted(second.size, 'line')} goes on from the one of {first.size}.")
        return
    receipt = audit.Receipt.read(text)
    signed = audit.check_receipt(receipt, key)
    typer.echo(f"Line {receipt.number} is in the log of {counted(signed.size, 'line')}: {receipt.data or receipt.leaf}")


@audit_app.command(name="receipt")
def write_receipt(number: Annotated[int, typer.Argument(help="The line's number.")], output: Output = None):
    """A receipt for a line, which holds by itself."""
    from lanterne.programme import audit

    with _session() as session:
        _put(audit.receipt(session, number).text(), output)


@audit_app.command(name="key")
def public_key():
    """The log's public key; publish it, so that receipts can be checked."""
    from lanterne.programme.audit import Signer

    typer.echo(Signer().verifier)


@audit_app.command()
def checkpoint(output: Output = None):
    """The latest signed checkpoint; keep some elsewhere, and nobody can write the log anew unnoticed."""
    from lanterne.programme import audit

    with _session() as session:
        _put(audit.checkpoint(session), output)


@audit_app.command()
def consistency(
    first: Annotated[Path, typer.Argument(help="A checkpoint that you kept.")],
    output: Output = None,
):
    """Proof that the log of now begins with the one of an earlier checkpoint."""
    import json
    from dataclasses import asdict

    from lanterne.programme import audit

    with _session() as session:
        _put(json.dumps(asdict(audit.consistency(session, _read(first))), indent=1, ensure_ascii=False) + "\n", output)


@audit_app.command(name="list")
def list_lines(person: Annotated[str | None, typer.Option(help="Only those about this person.", show_default=False)] = None):
    """Lines with their number, day and kind, and what they are about unless it was erased."""
    from lanterne.programme import audit
    from lanterne.programme.pay import day_of

    with _session() as session:
        for number, at, kind, data in audit.told(session, person):
            typer.echo(f"{number}  {day_of(at)}  {kind}  {data or '(erased)'}")
