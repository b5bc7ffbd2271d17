"""What leaves the ledger in other programs' forms: a SEPA credit transfer for the bank, and a beancount file for bookkeepers."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from lanterne.errors import LanterneError
from lanterne.programme import ledger, money

_SCHEMA = "pain.001.001.09"
_LARGEST = 99_999_999_999  # cents: what a SEPA credit transfer can carry
_SEPA_LETTERS = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


class ExportError(LanterneError):
    """Something that a bank or a bookkeeper would not take, in one sentence."""


@dataclass(frozen=True)
class Payer:
    """Whose account pays. bic: of their bank, needed where the IBAN does not tell it."""

    name: str
    iban: str
    bic: str | None = None


@dataclass(frozen=True)
class Payment:
    """reference: comes back on the bank's statement, at most 35 letters."""

    name: str
    iban: str
    amount: int
    description: str
    reference: str


def checked_iban(iban: str) -> str:
    """The IBAN without blanks. Raises ExportError for one that cannot be, or that SEPA does not reach."""
    import schwifty
    from schwifty.exceptions import SchwiftyException

    try:
        found = schwifty.IBAN(str(iban), validate_bban=True)
    except (SchwiftyException, ValueError):
        raise ExportError(f"The IBAN {str(iban)[:40]!r} is wrong: a letter or digit of it cannot be; copy it again.") from None
    if not found.in_sepa_zone:
        raise ExportError(f"The IBAN {found.formatted} is of a country that SEPA does not reach; give an account within SEPA.")
    return str(found)


def sepa_text(text: str, name: str) -> str:
    """In the letters that every SEPA bank takes: "Ana Müller" becomes "Ana Muller". Raises ExportError where nothing is left."""
    from text_unidecode import unidecode

    plain = " ".join(_SEPA_LETTERS.sub(" ", unidecode(text)).split())
    if not plain:
        raise ExportError(f"The {name} {text[:40]!r} cannot be written in a bank's letters; write it in Latin letters.")
    return plain


def bank_file(payer: Payer, payments: Sequence[Payment], day: date) -> str:
    """A SEPA credit transfer (pain.001) that is valid by its schema. Raises ExportError for what no bank would take."""
    import schwifty
    import sepaxml
    from lxml import etree

    iban = checked_iban(payer.iban)
    bic = payer.bic or schwifty.IBAN(iban).bic
    if bic is None:
        raise ExportError(f"The payer's bank cannot be told from the IBAN {iban}; give its BIC, too.")
    for payment in payments:
        if not 0 < payment.amount <= _LARGEST:
            raise ExportError(f"{money.written(payment.amount, 'EUR')} cannot be paid in one transfer; SEPA carries 999,999,999.99 EUR.")
    config = {"name": sepa_text(payer.name, "payer's name")[:70], "IBAN": iban, "BIC": str(bic), "batch": True, "currency": "EUR"}
    transfer = sepaxml.SepaTransfer(config, schema=_SCHEMA, clean=True)
    for payment in payments:
        transfer.add_payment({
            "name": sepa_text(payment.name, "name")[:70], "IBAN": payment.iban, "amount": payment.amount, "execution_date": day,
            "description": payment.description, "endtoend_id": payment.reference,
        })
    file = transfer.export(validate=False, pretty_print=True)
    schema = etree.XMLSchema(etree.parse(os.path.join(os.path.dirname(sepaxml.__file__), "schemas", f"{_SCHEMA}.xsd")))
    if not schema.validate(etree.fromstring(file)):
        raise ExportError(f"The bank file is not valid: {schema.error_log[0].message}; check the payer's and the payees' data.")
    return file.decode()


def beancount(session: Session) -> str:
    """The whole ledger. Ends with the balances that it must come to, so that `bean-check` finds what was changed in between."""
    kinds = {"asset": "Assets", "liability": "Liabilities", "equity": "Equity", "income": "Income", "expense": "Expenses"}
    journal = list(ledger.journal(session))
    names = {leg.account for _, legs in journal for leg in legs}
    accounts = {name: ":".join([kinds[name.partition(":")[0]], *map(_component, name.split(":")[1:])]) for name in sorted(names)}
    lines = ['option "title" "Lanterne: artists\' pay"', ""]
    if not journal:
        return "\n".join(lines)
    begin, end = _date(journal[0][0].created_at), max(_date(transaction.created_at) for transaction, _ in journal) + timedelta(1)
    lines += [f"{begin} open {accounts[name]}" for name in sorted(names)]
    for transaction, legs in journal:
        lines += ["", f"{_date(transaction.created_at)} * {_quoted(transaction.memo)}", f"  id: {_quoted(transaction.id)}"]
        if transaction.reverses:
            lines.append(f"  reverses: {_quoted(transaction.reverses)}")
        lines += [f"  {accounts[leg.account]}  {money.plain(leg.amount, leg.currency)} {leg.currency}" for leg in legs]
    lines.append("")
    for account, currency, amount in ledger.balances(session):
        lines.append(f"{end} balance {accounts[account]}  {money.plain(amount, currency)} ~ 0 {currency}")
    return "\n".join([*lines, ""])


def _component(name: str) -> str:
    """A part of an account's name as beancount takes it. Two names never become one: what had to be changed carries a hash."""
    plain = re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9]", "-", name)).lstrip("-")
    plain = plain[:1].upper() + plain[1:]
    unchanged = plain[:1].lower() + plain[1:] == name
    return plain if unchanged else f"{plain or 'X'}--{sha256(name.encode()).hexdigest()[:12]}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _date(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
