"""Payouts: a valid bank file, written once, for exactly what is owed, and never twice."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
import sepaxml
from alembic import command
from alembic.config import Config
from lxml import etree
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.errors import LanterneError
from lanterne.programme import audit, erasure, exports, ledger, pay, payouts, statements
from lanterne.programme.exports import ExportError, Payer, Payment
from lanterne.programme.pay import Actor, NotByYou, NotYours, PayError
from lanterne.service.database import MIGRATIONS, Database

ANA, BEN = Actor("ana"), Actor("ben")
OLGA, OTTO = Actor("olga", operator=True), Actor("otto", operator=True)
IBAN, PAYER = "DE89 3704 0044 0532 0130 00", Payer("Studio Lanterne", "DE02120300000000202051")
_NS = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


def _valid(file):
    """By sepaxml's copy of the bank's schema."""
    folder = os.path.join(os.path.dirname(sepaxml.__file__), "schemas")
    tree = etree.fromstring(file.encode())
    etree.XMLSchema(etree.parse(os.path.join(folder, "pain.001.001.09.xsd"))).assertValid(tree)
    return tree


def _owe(session, person, amount, subject, currency="EUR"):
    pay.credit(session, OLGA, person, subject, amount, currency, "late", 1, 2)


@pytest.fixture
def session(database, clock):
    with database.session() as session:
        payouts.set_payee(session, ANA, "ana", "Ana Müller-Łęcka & Söhne", IBAN)
        _owe(session, "ana", 29167, "a")
        _owe(session, "ben", 500, "b")
        yield session


def test_the_bank_file_is_valid_and_says_who_gets_what(session):
    payout, left_out = payouts.make(session, OLGA, PAYER)
    tree = _valid(payout.file)

    def found(path):
        return [node.text for node in tree.findall(f".//{path}", _NS)]

    assert found("p:InstdAmt") == ["291.67"] and set(found("p:CtrlSum")) == {"291.67"} and set(found("p:NbOfTxs")) == {"1"}
    assert found("p:Cdtr/p:Nm") == ["Ana Muller-Lecka Sohne"] and found("p:CdtrAcct//p:IBAN") == [IBAN.replace(" ", "")]
    assert found("p:Dt") == ["2026-09-22"] and found("p:BICFI") == ["BYLADEM1001"]
    assert [(left.person_id, left.amount) for left in left_out] == [("ben", 500)] and "IBAN" in left_out[0].why


def test_nothing_is_paid_twice(session):
    payout, _ = payouts.make(session, OLGA, PAYER, key="november")
    assert pay.owed(session, OLGA, "ana") == {}
    assert payouts.make(session, OLGA, PAYER, key="november")[0].id == payout.id
    with pytest.raises(PayError, match="Nobody can be paid in EUR: ben: there is no IBAN"):
        payouts.make(session, OLGA, PAYER)
    _owe(session, "ana", 100, "c")
    second, _ = payouts.make(session, OLGA, PAYER)
    assert ">1.00<" in second.file and "291.67" not in second.file


def test_a_bank_file_is_exported_once_and_a_copy_says_that_it_is_one(session):
    payout, _ = payouts.make(session, OLGA, PAYER)
    with pytest.raises(PayError, match="not exported yet"):
        payouts.export(session, OLGA, payout.id, copy=True)
    assert payouts.export(session, OLGA, payout.id) == (f"{payout.id}.xml", payout.file)
    with pytest.raises(PayError, match=r"exported on 2026-09-21 by olga; .* a copy"):
        payouts.export(session, OLGA, payout.id)
    for number in (1, 2):
        name, copy = payouts.export(session, OLGA, payout.id, copy=True)
        assert name == f"{payout.id}-copy-{number}.xml" and f"<!-- Copy {number}. The original was exported on 2026-09-21" in copy
        assert [line for line in copy.splitlines() if not line.startswith("<!--")] == payout.file.splitlines()
        _valid(copy)
    assert audit.count(session, "pay.exported") == 1 and audit.count(session, "pay.copied") == 2


def test_what_the_bank_answers_moves_the_money_on_or_back(session):
    payouts.set_payee(session, BEN, "ben", "Ben", IBAN)
    payout, _ = payouts.make(session, OLGA, PAYER)
    with pytest.raises(PayError, match="not exported yet"):
        payouts.settle(session, OLGA, payout.id)
    payouts.export(session, OLGA, payout.id)
    payouts.bounce(session, OLGA, payout.id, "ben", "account closed")
    with pytest.raises(PayError, match="came back before"):
        payouts.bounce(session, OLGA, payout.id, "ben", "again")
    assert (payouts.settle(session, OLGA, payout.id), payouts.settle(session, OLGA, payout.id)) == (1, 0)
    assert ledger.balance(session, ledger.BANK) == {"EUR": -29167} and ledger.balance(session, ledger.IN_TRANSIT) == {}
    assert pay.owed(session, OLGA, "ben") == {"EUR": 500} and pay.owed(session, OLGA, "ana") == {}
    payouts.bounce(session, OLGA, payout.id, "ana", "recalled")
    assert ledger.balance(session, ledger.BANK) == {} and pay.owed(session, OLGA, "ana") == {"EUR": 29167}
    assert [payouts.state(session, line) for line in payouts.listed(session, OLGA)[0][1]] == ["came back", "came back"]
    with pytest.raises(PayError, match="was not paid"):
        payouts.bounce(session, OLGA, payout.id, "carl", "x")


def test_only_operators_pay_and_everybody_says_where_their_own_money_goes(session):
    payout, _ = payouts.make(session, OLGA, PAYER)
    for ask in (lambda: payouts.make(session, ANA, PAYER), lambda: payouts.export(session, ANA, payout.id),
                lambda: payouts.settle(session, ANA, payout.id), lambda: payouts.bounce(session, ANA, payout.id, "ana", "x"),
                lambda: payouts.set_payee(session, BEN, "ana", "Ben", IBAN), lambda: payouts.listed(session, ANA),
                lambda: erasure.forget(session, BEN, "ana")):
        with pytest.raises(NotYours):
            ask()


@pytest.mark.parametrize(
    "iban", ["", "DE89370400440532013001", "DE8937040044053201300", "XX00", "US00", "BR1800360305000010009795493C1", None]
)
def test_ibans_are_checked(session, iban):
    with pytest.raises(ExportError, match="IBAN"):
        payouts.set_payee(session, ANA, "ana", "Ana", iban)


def test_what_no_bank_takes_is_a_sentence(session):
    day = date(2026, 11, 26)
    good = Payment("Ana", "DE89370400440532013000", 1, "x", "y")
    for payer, payment, told in [
        (Payer("", IBAN), good, "bank's letters"), (Payer("Studio", "FR7630006000011234567890189", "no"), good, "not valid"),
        (Payer("Studio", "GB33BUKB20201555555555"), Payment("Ana", IBAN, 10**12, "x", "y"), "one transfer"),
        (PAYER, Payment("\N{SNOWMAN}", IBAN, 1, "x", "y"), "Latin letters"),
    ]:
        with pytest.raises(ExportError, match=told):
            exports.bank_file(payer, [payment], day)
    for wrong in ("2026-09-20", "2027-01-01", "soon"):
        with pytest.raises(PayError, match="day"):
            payouts.make(session, OLGA, PAYER, day=wrong)
    with pytest.raises(PayError, match="USD"):
        payouts.make(session, OLGA, PAYER, currency="USD")
    with pytest.raises(PayError, match="no payout"):
        payouts.export(session, OLGA, "payout_0")


def test_of_several_payouts_at_once_one_pays(either, clock):
    with either.session() as session:
        payouts.set_payee(session, ANA, "ana", "Ana", IBAN)
        _owe(session, "ana", 29167, "a")

    def one(number):
        try:
            with either.session() as session:
                return payouts.make(session, OLGA, PAYER, key=str(number))[0].id
        except PayError as refused:
            assert "nothing is owed" in str(refused)

    with ThreadPoolExecutor(4) as pool:
        made = [payout for payout in pool.map(one, range(4)) if payout]
    assert len(made) == 1
    with either.session() as session:
        assert ledger.balance(session, ledger.IN_TRANSIT) == {"EUR": -29167}


def test_the_database_itself_keeps_payouts(either, clock):
    with either.session() as session:
        payouts.set_payee(session, ANA, "ana", "Ana", IBAN)
        _owe(session, "ana", 29167, "a")
        payout, _ = payouts.make(session, OLGA, PAYER)
        payouts.export(session, OLGA, payout.id)
    for statement in (
        "UPDATE payouts SET file = 'x'", "UPDATE payouts SET exported_at = NULL", "UPDATE payouts SET exported_by = 'x'",
        "DELETE FROM payouts",
        "UPDATE payout_lines SET amount = 1", "DELETE FROM payout_lines",
    ):
        with pytest.raises(DBAPIError), either.engine.begin() as connection:
            connection.execute(text(statement))


def _last(session):
    return list(ledger.journal(session))[-1][0].id


def test_nobody_moves_their_own_money(session):
    """An operator who is also an artist cannot make what they were paid be owed again."""
    payouts.set_payee(session, OLGA, "olga", "Olga", IBAN)
    pay.credit(session, OTTO, "olga", "c", 700, "EUR", "late", 1, 2)
    given = _last(session)
    _, [ben, left] = payouts.make(session, OLGA, PAYER)
    assert ben.person_id == "ben" and (left.person_id, left.amount) == ("olga", 700) and "another operator" in left.why
    assert "olga" not in [line.person_id for _, lines in payouts.listed(session, OLGA) for line in lines]
    with pytest.raises(PayError, match="another operator"):
        payouts.make(session, OLGA, PAYER)
    _owe(session, "ana", 100, "d")
    payout, _ = payouts.make(session, OTTO, PAYER)
    line = session.get(payouts.PayoutLine, (payout.id, "olga"))
    payouts.export(session, OTTO, payout.id)
    assert payouts.settle(session, OLGA, payout.id) == 1 and payouts.state(session, line) == "on its way"
    with pytest.raises(NotByYou, match="another operator settles"):
        payouts.settle(session, OLGA, payout.id)
    assert payouts.settle(session, OTTO, payout.id) == 1 and payouts.state(session, line) == "paid"
    for what in (
        lambda: payouts.bounce(session, OLGA, payout.id, "olga", "closed"), lambda: payouts.reverse(session, OLGA, given, "mine"),
        lambda: payouts.reverse(session, OLGA, line.transaction_id, "mine"),
    ):
        with pytest.raises(NotByYou, match="another operator"):
            what()
    assert pay.owed(session, OTTO, "olga") == {} and payouts.state(session, line) == "paid"
    payouts.bounce(session, OTTO, payout.id, "olga", "closed")
    assert pay.owed(session, OTTO, "olga") == {"EUR": 700}


def test_whoever_set_an_iban_does_not_make_the_file_that_pays_to_it(session):
    """Else an operator could send somebody's money to an account of their own, alone. Also once the details are set anew."""
    payouts.set_payee(session, OLGA, "ben", "Ben", IBAN)
    _, [ben] = payouts.make(session, OLGA, PAYER)
    assert (ben.person_id, ben.amount) == ("ben", 500) and "whoever set their IBAN" in ben.why and "another operator" in ben.why
    assert [line.person_id for _, lines in payouts.listed(session, OLGA) for line in lines] == ["ana"]
    with pytest.raises(PayError, match=r"ben: whoever set their IBAN .* or they set it themselves"):
        payouts.make(session, OLGA, PAYER)
    assert pay.owed(session, OLGA, "ben") == {"EUR": 500}
    assert [line.person_id for line in _lines(session, payouts.make(session, OTTO, PAYER)[0])] == ["ben"]
    _owe(session, "ben", 100, "c")
    payouts.set_payee(session, BEN, "ben", "Ben", IBAN)
    assert [line.person_id for line in _lines(session, payouts.make(session, OLGA, PAYER)[0])] == ["ben"]
    told = [json.loads(data) for _, _, kind, data in audit.told(session, "ben") if kind == "pay.payee"]
    assert told == [{"person": "ben", "name": "Ben", "iban_ends": "3000", "by": by} for by in ("olga", "ben")]


def _lines(session, payout):
    return next(lines for found, lines in payouts.listed(session, OLGA) if found.id == payout.id)


def test_details_of_before_it_was_kept_who_set_them_are_paid(tmp_path):
    database, config = Database(f"sqlite:///{tmp_path / 'service.db'}"), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0035")
        connection.execute(text("INSERT INTO payees VALUES ('ana', 'Ana', 'DE89370400440532013000', 1)"))
    database.migrate()
    with database.session() as session:
        assert session.get(payouts.Payee, "ana").set_by is None
        _owe(session, "ana", 100, "a")
        assert [line.person_id for line in _lines(session, payouts.make(session, OLGA, PAYER)[0])] == ["ana"]


def test_what_was_accepted_promised_or_paid_is_not_taken_back(session):
    ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga")
    pay.decide(session, OLGA, pay.claim(session, ANA, "bug", pay.today().isoformat(), subject="17").id)
    accepted = _last(session)
    pay.credit(session, pay.DEADLINE, "ana", "review:rev_1:request", 10, "EUR", "late", 1, 2)
    promised = _last(session)
    _owe(session, "ana", 300, "typed twice")
    mistake = _last(session)
    payout, _ = payouts.make(session, OLGA, PAYER)
    payouts.export(session, OLGA, payout.id)
    payouts.settle(session, OLGA, payout.id)
    paid, settled = session.get(payouts.PayoutLine, (payout.id, "ana")).transaction_id, _last(session)
    for transaction_id, told in [(accepted, "was accepted"), (promised, "promises"), (mistake, "paid out"), (paid, "part of payout_"),
                                 (settled, "part of payout_"), ("tx_0", "no transaction")]:
        with pytest.raises(LanterneError, match=told):
            payouts.reverse(session, OTTO, transaction_id, "why")
    payouts.bounce(session, OLGA, payout.id, "ana", "closed")
    before = pay.owed(session, OLGA, "ana")["EUR"]
    with pytest.raises(PayError, match="reason is empty"):
        payouts.reverse(session, OTTO, mistake, " ")
    undone = payouts.reverse(session, OTTO, mistake, "It was typed twice.")
    assert payouts.reverse(session, OTTO, mistake, "It was typed twice.").id == undone.id
    assert pay.owed(session, OLGA, "ana")["EUR"] == before - 300
    assert statements.of(session, ANA, "ana")[0].lines[-1].reason == "It was typed twice."
    last = [data for _, data in audit.opened(session, "ledger.reversed")][-1]
    assert last["reason"] == "It was typed twice." and [kind for _, _, kind, _ in audit.told_to(session, "ana")][-1] == "ledger.reversed"
