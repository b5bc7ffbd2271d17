"""Forgetting: a person's words, name and IBAN are gone, and everything still adds up and verifies."""

from hashlib import sha256

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, erasure, ledger, pay, payouts, review, statements
from lanterne.programme.exports import Payer
from lanterne.programme.pay import Actor, NotYours, PayError

ANA, BEN, OLGA = Actor("ana"), Actor("ben"), Actor("olga", operator=True)
PAYER = Payer("Studio Lanterne", "DE02120300000000202051")


@pytest.fixture
def session(database, clock):
    with database.session() as session:
        payouts.set_payee(session, ANA, "ana", "Ana Müller-Łęcka", "DE89370400440532013000")
        pay.credit(session, OLGA, "ana", "a", 29167, "EUR", "late", 1, 2)
        yield session


def _refused_and_appealed(session) -> str:
    review.publish_policy(session, OLGA, "words", {"1": "A real person."}, sample_percent=0, credit=1, currency="EUR")
    asked = review.request(session, ANA, "v", sha256(b"v").hexdigest(), 8).id
    for name in ("rita", "ron"):
        review.claim(session, Actor(name, reviewer=True), asked)
        review.look(session, Actor(name, reviewer=True), asked, False, "1", "The mayor.", [(1, 2)])
    review.appeal(session, ANA, asked, "my own words")
    return asked


def test_a_person_can_be_forgotten_and_the_books_still_hold(session):
    ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga")
    entry = pay.claim(session, ANA, "bug", "2026-09-21", subject="https://ana.example/17", note="my own words", key="ana.example")
    with pytest.raises(PayError, match="still owed"):
        erasure.forget(session, ANA, "ana")
    pay.decide(session, OLGA, entry.id, 100, "Known.")
    pay.dispute(session, ANA, entry.id, "my own words")
    payout, _ = payouts.make(session, OLGA, PAYER)
    payouts.export(session, OLGA, payout.id)
    with pytest.raises(PayError, match="on its way"):
        erasure.forget(session, ANA, "ana")
    payouts.settle(session, OLGA, payout.id)
    with pytest.raises(PayError, match="waits for a decision"):
        erasure.forget(session, ANA, "ana")
    pay.decide(session, Actor("otto", operator=True), entry.id, 100, "Known indeed.")
    asked = _refused_and_appealed(session)
    with pytest.raises(PayError, match=f"waits for a decision on {asked}"):
        erasure.forget(session, ANA, "ana")
    review.claim(session, Actor("ruth", reviewer=True), asked)
    review.look(session, Actor("ruth", reviewer=True), asked, False, "1", "Still the mayor.", [(1, 2)])
    erased = erasure.forget(session, ANA, "ana")
    assert erased == 15
    assert audit.verify(session, audit.Signer().verifier)[1] == erased and ledger.check(session) == 4
    rest = " ".join(str(row) for table in ("work_entries", "pay_disputes", "payees", "review_appeals", "audit_openings", "audit_log")
                    for row in session.execute(text(f"SELECT * FROM {table}")))
    assert "my own words" not in rest and "DE89" not in rest and "Müller" not in rest and "ana.example" not in rest
    [statement] = statements.of(session, ANA, "ana")
    assert "ana.example" not in statements.as_csv(statement) and "erased:" in statements.as_csv(statement)


def test_others_cannot_have_somebody_forgotten(session):
    with pytest.raises(NotYours):
        erasure.forget(session, BEN, "ana")


@pytest.mark.parametrize("change", ["subject = 'another'", "key = 'another'", "subject = NULL"])
def test_what_work_was_about_is_erased_and_not_changed(either, clock, change):
    with either.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga")
        pay.claim(session, ANA, "bug", "2026-09-21", subject="17")
    with pytest.raises(DBAPIError, match="erased and not changed"), either.session() as session:
        session.execute(text(f"UPDATE work_entries SET {change}"))
    with either.session() as session:
        session.execute(text("UPDATE work_entries SET key = 'erased:1', subject = 'erased:2'"))
