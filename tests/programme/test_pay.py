"""Pay: absurd claims, decisions on oneself, reductions without a reason and late answers are what it is held against."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, ledger, pay
from lanterne.programme.pay import Actor, NotYours, PayError

ANA, BEN = Actor("ana"), Actor("ben")
OLGA, OTTO, ANA_AS_OPERATOR = Actor("olga", operator=True), Actor("otto", operator=True), Actor("ana", operator=True)
TODAY = "2026-09-21"


@pytest.fixture
def session(database, clock):
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000, "use": 20000}, "olga", 14, 30)
        ledger.publish_rate_card(session, "tokyo", "JPY", {"hours": 5001}, "olga")
        yield session


def _owed(session, person="ana"):
    return pay.owed(session, OLGA, person).get("EUR", 0)


@pytest.mark.parametrize(
    "hours",
    ["NaN", float("nan"), "Infinity", -1, 0, "0", 25, "24:01", "1e9", "", "abc", "1:7", "1:60", "-1:30", "1.2345", True, None, "²", [2]],
)
def test_hours_that_nobody_works_are_a_sentence(session, hours):
    with pytest.raises(PayError) as refused:
        pay.claim(session, ANA, "hours", TODAY, hours=hours)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


@pytest.mark.parametrize("day", ["2026-09-23", "2025-09-01", "2026-02-30", "yesterday", "", None, 20260921, "1e3"])
def test_days_that_cannot_be_claimed_are_a_sentence(session, day):
    with pytest.raises(PayError, match="day"):
        pay.claim(session, ANA, "hours", day, hours=1)


def test_a_day_has_24_hours_over_all_claims(session):
    pay.claim(session, ANA, "hours", TODAY, hours="13:30")
    pay.claim(session, BEN, "hours", TODAY, hours=24)
    with pytest.raises(PayError, match="10:31 hours on 2026-09-21 are over the 24 that a day has, with 13:30 claimed before"):
        pay.claim(session, ANA, "hours", TODAY, hours="10:31")
    pay.claim(session, ANA, "hours", TODAY, hours="10:30")
    pay.claim(session, ANA, "hours", "2026-09-20", hours=8)


def test_amounts_are_whole_and_their_parts_are_the_artists(session):
    assert pay.claim(session, ANA, "hours", TODAY, hours="2:20").claimed == 8167  # 81.666…
    assert pay.claim(session, ANA, "hours", TODAY, hours="0:01", card="tokyo").claimed == 84  # yen have no parts
    assert pay.claim(session, ANA, "bug", TODAY, subject="17").claimed == 5000


def test_other_claims_that_cannot_be(session):
    pay.claim(session, ANA, "bug", TODAY, subject="17")
    pay.claim(session, BEN, "bug", TODAY, subject="17")
    wrong = [
        ("bug", {"subject": "17"}, "claimed before"), ("bug", {}, "what it is about"), ("bug", {"hours": 1}, "what it is about"),
        ("hours", {"subject": "17"}, "number of hours"), ("hours", {"hours": 1, "subject": "17"}, "number of hours"),
        ("sleep", {"hours": 1}, "unknown"), ("feedback", {"subject": "1"}, "pays nothing for feedback"), ("bug", {"subject": " "}, "empty"),
        ("bug", {"subject": "x" * 300}, "at most 200"), ("bug", {"subject": "a\0b"}, "cannot be shown"), ("bug", {"subject": 17}, "text"),
        ("bug", {"subject": "18", "note": "\ud800"}, "cannot be shown"), ("bug", {"subject": "18", "card": "none"}, "no rate card"),
    ]
    for kind, given, told in wrong:
        with pytest.raises((PayError, ledger.LedgerError), match=told):
            pay.claim(session, ANA, kind, TODAY, **given)
    for person in ("", "a b", "x" * 101, "ana\n"):
        with pytest.raises(ledger.LedgerError, match="person"):
            pay.claim(session, Actor(person), "bug", TODAY, subject="18")


def test_repeating_a_claim_with_its_key_is_safe(session):
    first = pay.claim(session, ANA, "hours", TODAY, hours=2, key="k")
    assert pay.claim(session, ANA, "hours", TODAY, hours="2:00", key="k").id == first.id
    with pytest.raises(PayError, match="another claim"):
        pay.claim(session, ANA, "hours", TODAY, hours=3, key="k")
    assert pay.claim(session, BEN, "hours", TODAY, hours=3, key="k").id != first.id


def test_work_is_paid_by_the_card_of_its_time(session):
    first = pay.claim(session, ANA, "bug", TODAY, subject="1")
    ledger.publish_rate_card(session, "artists", "EUR", {"bug": 9000}, "olga", 7, 7)
    second = pay.claim(session, ANA, "bug", TODAY, subject="2")
    assert [(entry.claimed, entry.card_version, entry.due_at - entry.claimed_at) for entry in (first, second)] == [
        (5000, 1, 14 * 86400), (9000, 2, 7 * 86400)
    ]


def test_a_decision_is_by_somebody_else_and_less_takes_a_reason(session):
    entry = pay.claim(session, ANA, "bug", TODAY, subject="17")
    for decider, accepted, reason, told in [
        (ANA_AS_OPERATOR, None, "", "your own"), (ANA, None, "", "not an operator"), (BEN, None, "", "not an operator"),
        (OLGA, 4999, "", "reason is empty"), (OLGA, 4999, " \n", "reason is empty"), (OLGA, 5001, "", "5000"), (OLGA, -1, "x", "from 0"),
        (OLGA, 12.5, "x", "minor units"), (OLGA, float("nan"), "x", "minor units"), (OLGA, True, "x", "minor units"),
    ]:
        with pytest.raises(PayError, match=told):
            pay.decide(session, decider, entry.id, accepted, reason)
    assert _owed(session) == 0
    made = pay.decide(session, OLGA, entry.id, 3000, "Half of it was known.")
    assert (made.accepted, made.pay_by - made.decided_at) == (3000, 30 * 86400) and _owed(session) == 3000
    with pytest.raises(PayError, match="only a dispute"):
        pay.decide(session, OTTO, entry.id)
    with pytest.raises(PayError, match="no entry"):
        pay.decide(session, OLGA, "work_0")


def test_a_dispute_goes_to_somebody_else_and_makes_nothing_worse(session):
    entry = pay.claim(session, ANA, "bug", TODAY, subject="17")
    with pytest.raises(PayError, match="nothing to dispute yet"):
        pay.dispute(session, ANA, entry.id, "why so long")
    pay.decide(session, OLGA, entry.id, 3000, "Half of it was known.")
    for by, statement, told in ((BEN, "no", "not yours"), (OLGA, "no", "not yours"), (ANA, " ", "empty")):
        with pytest.raises(PayError, match=told):
            pay.dispute(session, by, entry.id, statement)
    opened = pay.dispute(session, ANA, entry.id, "No half of it was.")
    assert opened.due_at - opened.opened_at == 14 * 86400
    with pytest.raises(NotYours, match="somebody else"):
        pay.decide(session, OLGA, entry.id)
    with pytest.raises(PayError, match="accepted before"):
        pay.decide(session, OTTO, entry.id, 2999, "worse")
    pay.decide(session, OTTO, entry.id, 5000)
    assert _owed(session) == 5000
    with pytest.raises(PayError, match="as claimed"):
        pay.dispute(session, ANA, entry.id, "more")
    [case] = pay.cases(session, ANA, "ana")
    assert [decision.accepted for decision in case.decisions] == [3000, 5000] and case.state == "accepted"


def test_a_refusal_upheld_posts_nothing(session):
    entry = pay.claim(session, ANA, "bug", TODAY, subject="17")
    pay.decide(session, OLGA, entry.id, 0, "Not a bug.")
    pay.dispute(session, ANA, entry.id, "It is.")
    made = pay.decide(session, OTTO, entry.id, 0, "It is described in the manual.")
    assert made.transaction_id is None and _owed(session) == 0 and pay.cases(session, OLGA)[0].state == "refused"


def test_the_database_itself_holds_the_rules(either, clock):
    with either.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000}, "olga")
        entry = pay.claim(session, ANA, "bug", TODAY, subject="17", note="mine")
        pay.decide(session, OLGA, entry.id, 3000, "Half of it was known.")
        pay.dispute(session, ANA, entry.id, "No.")
        pay.credit(session, OLGA, "ana", "late:1", 500, "EUR", "late", 1, 2)
    row = (
        "INSERT INTO pay_decisions (entry_id, number, person_id, claimed, currency, accepted, reason, decider, decided_at, pay_by) "
        "VALUES ('{}', {}, '{}', {}, 'EUR', {}, '{}', '{}', 0, 0)"
    )
    for statement in [
        row.format(entry.id, 2, "ana", 5000, 5000, "", "ana"),  # by oneself
        row.format(entry.id, 2, "ben", 5000, 5000, "", "ana"),  # as if it were another's
        row.format(entry.id, 2, "ana", 5000, 5000, "", "olga"),  # by the first decider
        row.format(entry.id, 2, "ana", 5000, 4000, " ", "otto"),  # less without a reason
        row.format(entry.id, 2, "ana", 9000, 9000, "", "otto"),  # another claim
        row.format(entry.id, 2, "ana", 5000, 2000, "x", "otto"),  # worse than before
        row.format(entry.id, 2, "ana", 5000, 5001, "x", "otto"),  # more than was claimed
        row.format(entry.id, 3, "ana", 5000, 5000, "", "otto"),  # without a dispute
        "UPDATE pay_decisions SET reason = 'x'", "DELETE FROM pay_decisions", "DELETE FROM pay_disputes",
        "UPDATE work_entries SET claimed = 1", "UPDATE work_entries SET note = 'x'",
        "UPDATE pay_disputes SET statement = 'x'", "DELETE FROM work_entries",
        "UPDATE credits SET amount = 1", "DELETE FROM credits", "UPDATE pay_disputes SET due_at = 0",
    ]:
        with pytest.raises(DBAPIError), either.engine.begin() as connection:
            connection.execute(text(statement))
    with either.engine.begin() as connection:  # what is right is let in
        connection.execute(text(row.format(entry.id, 2, "ana", 5000, 5000, "", "otto")))


def test_a_missed_deadline_is_made_good_once(session, clock):
    given = pay.credit(session, OLGA, "ana", "late:1", 1000, "EUR", "nine days instead of five", clock.at - 9, clock.at)
    assert pay.credit(session, OTTO, "ana", "late:1", 1000, "EUR", "again", clock.at - 9, clock.at).given_by == given.given_by == "olga"
    assert _owed(session) == 1000
    for by, person, subject, amount, due, told in [
        (OLGA, "ana", "late:2", 1000, clock.at, "was kept"), (OLGA, "olga", "late:2", 1000, 1, "themselves"),
        (ANA, "ben", "late:2", 1000, 1, "not an operator"), (OLGA, "ana", "late:1", 2000, 1, "already"),
        (OLGA, "ana", "late:2", -5, 1, "minor units"), (OLGA, "ana", "", 5, 1, "empty"),
    ]:
        with pytest.raises(PayError, match=told):
            pay.credit(session, by, person, subject, amount, "EUR", "late", due, clock.at)


def test_what_is_late_is_told_and_the_oldest_debt_is_paid_first(session, clock):
    first, second, third = (pay.claim(session, ANA, "bug", TODAY, subject=name) for name in ("1", "2", "3"))
    assert pay.arrears(session, OLGA) == []
    pay.decide(session, OLGA, first.id)
    clock.pass_days(1)
    pay.decide(session, OLGA, second.id, 3000, "known")
    pay.dispute(session, ANA, second.id, "no")
    clock.pass_days(15)
    late = [(arrear.what, arrear.subject, arrear.amount) for arrear in pay.arrears(session, OLGA)]
    assert late == [("decision", third.id, 5000), ("answer to a dispute", second.id, 2000)]
    clock.pass_days(20)
    legs = [ledger.Leg("liability:payable:ana", 6000, "EUR"), ledger.Leg(ledger.open_account(session, ledger.BANK), -6000, "EUR")]
    ledger.post(session, "paid by hand", legs, "by hand")
    late = {(arrear.what, arrear.subject, arrear.amount) for arrear in pay.arrears(session, ANA, "ana")}
    assert late == {("decision", third.id, 5000), ("answer to a dispute", second.id, 2000), ("payment", second.id, 2000)}


def test_nobody_sees_what_another_earned(session):
    pay.claim(session, ANA, "bug", TODAY, subject="17")
    for ask in (lambda: pay.cases(session, BEN, "ana"), lambda: pay.cases(session, BEN), lambda: pay.owed(session, BEN, "ana"),
                lambda: pay.arrears(session, BEN), lambda: pay.arrears(session, BEN, "ana")):
        with pytest.raises(NotYours):
            ask()
    assert len(pay.cases(session, ANA, "ana")) == len(pay.cases(session, OLGA)) == 1 and pay.cases(session, BEN, "ben") == []


def test_every_step_is_in_the_audit_log(session):
    entry = pay.claim(session, ANA, "bug", TODAY, subject="17")
    pay.decide(session, OLGA, entry.id, 0, "Not a bug.")
    pay.dispute(session, ANA, entry.id, "It is.")
    pay.decide(session, OTTO, entry.id)
    kinds = [kind for _, _, kind, _ in audit.told(session, "ana")]
    assert kinds == ["pay.claimed", "pay.decided", "pay.disputed", "ledger.posted", "pay.decided"]
    [_, (_, second)] = audit.opened(session, "pay.decided")
    assert (second["accepted"], second["decider"]) == (5000, "otto")
