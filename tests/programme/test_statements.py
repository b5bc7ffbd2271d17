"""Statements: they add up to the ledger whatever happened, and no cell of theirs is a formula."""

import csv
import io
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from lanterne.programme import exports, ledger, money, pay, payouts, statements
from lanterne.programme.pay import Actor, NotYours

ANA, BEN = Actor("ana"), Actor("ben")
OLGA, OTTO = Actor("olga", operator=True), Actor("otto", operator=True)
PAYER = exports.Payer("Studio", "DE02120300000000202051")
TODAY = "2026-09-21"
_TOLD = ("Known & <b>old</b>", "12.34", "2,012.34", "waiting for a decision")


def _live(session, clock, steps):
    """Some of a programme's life: (what, amount) for each step, a day each."""
    ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga")
    ledger.publish_rate_card(session, "abroad", "JPY", {"bug": 700}, "olga")
    payouts.set_payee(session, ANA, "ana", "Ana Müller-Łęcka", "DE89370400440532013000")
    reversed_ = set()
    for number, (what, amount) in enumerate(steps):
        clock.pass_days(1)
        entries = [case.entry.id for case in pay.cases(session, OLGA) if case.waiting and not case.disputes]
        if what in ("artists", "abroad"):
            pay.claim(session, ANA, "bug", pay.today().isoformat(), subject=str(number), card=what)
        elif what == "decide" and entries:
            claimed = pay.decide(session, OLGA, entries[0], amount * 7, f'=cmd|"/c calc"!A1 {number}')
            if claimed.accepted < claimed.claimed:
                pay.dispute(session, ANA, entries[0], "no")
                pay.decide(session, OTTO, entries[0], min(claimed.accepted + amount, claimed.claimed), "still")
        elif what == "credit":
            pay.credit(session, OLGA, "ana", f"late:{number}", amount + 1, "EUR", "late", 1, 2)
        elif what == "pay" and pay.owed(session, OLGA, "ana").get("EUR", 0) > 0:
            payout, _ = payouts.make(session, OLGA, PAYER)
            if amount > 50:
                payouts.bounce(session, OLGA, payout.id, "ana", "closed")
        elif what == "reverse":
            for posted, _ in list(ledger.journal(session)):
                if not posted.reverses and posted.id not in reversed_ and posted.memo.startswith("Accepted"):
                    ledger.reverse(session, posted.id, f"{posted.id}:undone", "entered wrongly", "olga")
                    reversed_.add(posted.id)
                    break


_WHAT = st.sampled_from(["artists", "abroad", "decide", "decide", "credit", "pay", "reverse"])
_STEPS = st.lists(st.tuples(_WHAT, st.integers(0, 99)), max_size=12)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, cuts=st.lists(st.integers(0, 14), min_size=2, max_size=2))
def test_statements_add_up_to_the_ledger(database, clock, steps, cuts):
    begin = clock.at
    with database.session() as session:
        _live(session, clock, steps)
        for whole in statements.of(session, ANA, "ana"):
            statements.checked(session, whole)
            owed = -ledger.balance(session, "liability:payable:ana").get(whole.currency, 0)
            assert whole.opening == 0 and whole.opening + sum(line.amount for line in whole.lines) == whole.closing == owed
            decided = sum(line.amount for line in whole.lines if line.claimed is not None)
            accepted = [case.accepted or 0 for case in pay.cases(session, OLGA) if case.entry.currency == whole.currency]
            assert decided == sum(accepted)
            first, second = sorted(begin + cut * 86400 for cut in cuts)
            parts = [
                next(part for part in statements.of(session, ANA, "ana", since, until) if part.currency == whole.currency)
                for since, until in ((0, first), (first, second), (second, clock.at + 1))
            ]
            assert [part.closing for part in parts[:2]] == [part.opening for part in parts[1:]]
            assert sum((part.lines for part in parts), ()) == whole.lines and parts[-1].closing == whole.closing
            rows = list(csv.DictReader(io.StringIO(statements.as_csv(whole), newline="")))
            assert sum(money.read(row["Amount"].lstrip("-"), whole.currency) * (-1 if row["Amount"].startswith("-") else 1)
                       for row in rows[:-1]) == whole.closing
            words = [row[name] for row in rows for name in ("What", "Reason", "Decided by", "Reference")]
            assert not any(word.startswith(("=", "+", "@", "|")) for word in words)
        session.rollback()


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.said, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.said.append(data.strip())


@pytest.fixture
def statement(database, clock):
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000, "hours": 3500}, "olga")
        payouts.set_payee(session, ANA, "ana", "Ana Müller-Łęcka", "DE89370400440532013000")
        entry = pay.claim(session, ANA, "bug", TODAY, subject="<script>alert(1)</script> ж 漢 " + "x" * 150)
        pay.decide(session, OLGA, entry.id, 1234, "Known & <b>old</b>")
        for number in range(40):
            pay.decide(session, OLGA, pay.claim(session, ANA, "bug", TODAY, subject=f"bug {number}").id)
        pay.claim(session, ANA, "hours", TODAY, hours="1:30")
        [statement] = statements.of(session, ANA, "ana")
        return statement


def test_html_says_it_all_and_runs_nothing(statement):
    page = _Text()
    page.feed(statements.as_html(statement))
    said = " ".join(page.said)
    assert not {"script", "b"} & page.tags
    for told in ("Ana Müller-Łęcka", "<script>alert(1)</script> ж 漢", *_TOLD, "Hours, 2026-09-21, 1:30 h"):
        assert told in said, told


def test_pdf_says_the_same_over_several_pages(statement):
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(statements.as_pdf(statement))).pages]
    said = " ".join(" ".join(pages).split())
    assert len(pages) > 2 and pages[1].count("Claimed")
    for told in ("Statement of Ana Müller-Łęcka", "alert(1)", "ж", *_TOLD, f"1 / {len(pages)}"):
        assert told in said, told
    assert said.count("decided by olga") == 41


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\r1", "\n1", "|cmd", "%0", "＝1", "＠x"])
def test_formulas_are_disarmed(cell):
    assert statements.safe_cell(cell) == f"'{cell}" and statements.safe_cell("a=1") == "a=1" and statements.safe_cell("") == ""


def test_nobody_sees_anothers(database, clock):
    with database.session() as session:
        _live(session, clock, [("credit", 5)])
        with pytest.raises(NotYours):
            statements.of(session, BEN, "ana")
        assert statements.of(session, BEN, "ben") == [] and statements.of(session, OLGA, "ana") == statements.of(session, ANA, "ana")


def _bean_check(text, tmp_path):
    path = tmp_path / "ledger.beancount"
    path.write_text(text)
    command = Path(sys.executable).parent / "bean-check"
    return subprocess.run([command, path], capture_output=True, text=True, timeout=120)


def test_bean_check_accepts_the_whole_ledger_and_finds_a_changed_cent(database, clock, tmp_path):
    with database.session() as session:
        life = "artists 0 decide 50 abroad 0 decide 3 credit 98 pay 3 credit 20 pay 90 reverse 0".split()
        _live(session, clock, list(zip(life[::2], map(int, life[1::2]), strict=True)))
        for person in ("Ana", "a.na", "a-na", "42", "_", "-"):
            pay.credit(session, OLGA, person, f'"{person}"\\', 5, "KWD", "x", 1, 2)
        text = exports.beancount(session)
        accounts = {account for account, _, _ in ledger.balances(session)}
    good = _bean_check(text, tmp_path)
    opened = [line.partition(" open ")[2] for line in text.splitlines() if " open " in line]
    assert (good.returncode, good.stderr) == (0, "") and len(set(opened)) == len(opened) == len(accounts)
    for before, after in [
        ("  Expenses:Credits  0.99 EUR", "  Expenses:Credits  0.98 EUR"),  # a posting
        ("balance Expenses:Credits  1.20", "balance Expenses:Credits  1.21"),
    ]:
        assert before in text and _bean_check(text.replace(before, after), tmp_path).returncode != 0


def test_an_empty_ledger_is_a_valid_file(database, tmp_path):
    with database.session() as session:
        assert _bean_check(exports.beancount(session), tmp_path).returncode == 0
