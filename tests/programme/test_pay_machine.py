"""Whatever people do in whatever order, honest or not, the ledger balances and stays, nobody decides on themselves, is paid twice or
to an account that who pays has set, and nobody sees another's statement. `LANTERNE_STEPS=10000` takes so many steps (`make drills`)."""

import os
import shutil
from collections import Counter
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from lanterne.errors import LanterneError
from lanterne.programme import audit, erasure, exports, ledger, pay, payouts, statements
from lanterne.programme.pay import Actor, NotYours
from lanterne.service.database import Database

STEPS, EACH = int(os.environ.get("LANTERNE_STEPS", "400")), 50
PEOPLE = ("ana", "ben", "olga", "otto")  # the last two are operators, who also work
IBAN, PAYER = "DE89370400440532013000", exports.Payer("Studio", "DE02120300000000202051")
_TAKEN = Counter()  # which steps were really taken, and not refused
_people = st.sampled_from(PEOPLE)
_mostly_operators = st.sampled_from(("olga", "otto", "olga", "otto", *PEOPLE))
_reasons = st.sampled_from(["known before", "known before", " ", ""])
_amounts = st.sampled_from([None, None, None, None, 0, 1, 500, 3000, -1, 12.5, float("nan"), 10**30, True])

_POSTINGS = "SELECT number, transaction_id, account_id, currency, amount FROM postings ORDER BY number"
_UNBALANCED = """
SELECT t.id FROM transactions t LEFT JOIN postings p ON p.transaction_id = t.id GROUP BY t.id, p.currency
HAVING COUNT(p.number) < 2 OR SUM(p.amount) <> 0
"""
_EARNED = """
SELECT person_id, SUM(amount) FROM (
    SELECT person_id, MAX(accepted) AS amount FROM pay_decisions GROUP BY entry_id, person_id
    UNION ALL SELECT person_id, amount FROM credits
) AS earned GROUP BY person_id
"""
_PAID = """
SELECT person_id, SUM(amount) FROM payout_lines
WHERE transaction_id NOT IN (SELECT reverses FROM transactions WHERE reverses IS NOT NULL) GROUP BY person_id
"""


def actor(person: str) -> Actor:
    return Actor(person, operator=person in ("olga", "otto"))


class Programme(RuleBasedStateMachine):
    migrated = None  # set by the test

    @initialize(lived=st.sampled_from([True, True, False]))
    def open(self, lived):
        self.folder = TemporaryDirectory()
        shutil.copy(self.migrated, f"{self.folder.name}/service.db")
        self.database = Database(f"sqlite:///{self.folder.name}/service.db")
        event.listen(self.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.seen, self.day, self.counter = [], pay.today().isoformat(), 1
        with self.database.session() as session:
            ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000}, "olga")
            for person in PEOPLE[:3]:  # olga, who is an operator, too
                payouts.set_payee(session, actor(person), person, person, IBAN)
            self.set_by = {person: person for person in PEOPLE[:3]}  # who said last where a person's money goes
            if lived:
                self._live(session)

    def _live(self, session):
        """Some honest history, for there to be something to break."""
        whole, part, disputed, _ = (pay.claim(session, actor("ana"), "bug", self.day, subject=f"old {number}") for number in range(4))
        pay.decide(session, actor("olga"), whole.id)
        pay.decide(session, actor("olga"), part.id, 3000, "known before")
        pay.decide(session, actor("otto"), disputed.id, 0, "known before")
        pay.dispute(session, actor("ana"), disputed.id, "no")
        pay.credit(session, actor("olga"), "ben", "late:old", 500, "EUR", "late", 1, 2)
        pay.credit(session, actor("otto"), "olga", "late:olga", 700, "EUR", "late", 1, 2)
        payouts.make(session, actor("olga"), PAYER, key=str(self.counter))
        pay.decide(session, actor("otto"), pay.claim(session, actor("ben"), "hours", self.day, hours=2).id)

    def _try(self, name, what):
        """Whether it was let through; what is refused is refused with a sentence, and leaves nothing."""
        try:
            with self.database.session() as session:
                what(session)
        except LanterneError as refused:
            assert str(refused).endswith(".") and len(str(refused)) < 1000
            return False
        _TAKEN[name] += 1
        return True

    def _entry(self, number, which=lambda case: True):
        with self.database.session() as session:
            cases = pay.cases(session, actor("olga"))
        cases = [case for case in cases if which(case)] or cases
        return cases[number % len(cases)] if cases else None

    @rule(person=_people, hours=st.sampled_from([1, "2:20", 0.5, 24, 25, -1, float("nan"), float("inf")]))
    def claim_hours(self, person, hours):
        self._try("hours", lambda session: pay.claim(session, actor(person), "hours", self.day, hours=hours))

    @rule(person=_people, subject=st.integers(0, 5), again=st.booleans())
    def claim_bug(self, person, subject, again):
        key = f"{person}{subject}" if again else None
        self._try("bug", lambda session: pay.claim(session, actor(person), "bug", self.day, subject=str(subject), key=key))

    @rule(number=st.integers(0, 99), by=_mostly_operators, accepted=_amounts, reason=_reasons)
    def decide(self, number, by, accepted, reason):
        if (case := self._entry(number, lambda case: case.waiting)) is None:
            return
        if self._try("decide", lambda session: pay.decide(session, actor(by), case.entry.id, accepted, reason)):
            assert by != case.entry.person_id and by in ("olga", "otto") and case.waiting
            assert by not in [decision.decider for decision in case.decisions]
            assert accepted is None or accepted == case.entry.claimed or reason.strip()

    @rule(number=st.integers(0, 99), by=st.sampled_from(("artist", "artist", *PEOPLE)))
    def dispute(self, number, by):
        case = self._entry(number, lambda case: case.decisions and case.accepted < case.entry.claimed)
        by = case.entry.person_id if case and by == "artist" else by
        if case and self._try("dispute", lambda session: pay.dispute(session, actor(by), case.entry.id, "no")):
            assert by == case.entry.person_id and case.accepted < case.entry.claimed

    @rule(by=_mostly_operators, person=_people, deadline=st.integers(0, 5), amount=st.sampled_from([1, 500, 6000, 0, -1, 12.5, None]),
          late=st.integers(-1, 1))
    def credit(self, by, person, deadline, amount, late):
        def what(session):
            pay.credit(session, actor(by), person, f"late:{deadline}", amount, "EUR", "late", 100, 100 + late)

        if self._try("credit", what):
            assert by != person and late > 0

    @rule(by=_mostly_operators, person=_people)
    def set_payee(self, by, person):
        if self._try("set payee", lambda session: payouts.set_payee(session, actor(by), person, person, IBAN)):
            assert by == person or by in ("olga", "otto")
            self.set_by[person] = by

    @rule(by=_mostly_operators, again=st.booleans())
    def pay_out(self, by, again):
        before = self._owed()
        self.counter += not again
        made = []
        if self._try("pay out", lambda session: made.append(payouts.make(session, actor(by), PAYER, key=str(self.counter)))):
            [(payout, left_out)] = made
            with self.database.session() as session:
                lines = next(lines for found, lines in payouts.listed(session, actor("olga")) if found.id == payout.id)
            if before != self._owed():  # it was made now, and not found again by its key
                assert by not in [line.person_id for line in lines] + [self.set_by[line.person_id] for line in lines]
                unpaid = {person for person in before if person == by or self.set_by.get(person) in (by, None)}
                assert {left.person_id for left in left_out} == unpaid
                assert {line.person_id: line.amount for line in lines} | {left.person_id: left.amount for left in left_out} == before

    @rule(number=st.integers(0, 9), by=st.sampled_from(("olga", "otto")))
    def pay_to_own_iban(self, number, by):
        """Never lets an operator send what somebody else is owed to an IBAN of the operator's, alone."""
        before = self._owed()
        if others := sorted(before.keys() - {by}):
            person = others[number % len(others)]
            self.set_payee(by, person)
            self.pay_out(by, False)
            assert self._owed()[person] == before[person]
            _TAKEN["own iban"] += 1

    @rule(number=st.integers(0, 9), by=_mostly_operators, copy=st.booleans())
    def export(self, number, by, copy):
        if payout := self._payout(number):
            exported = payout.exported_at is not None
            if self._try("export", lambda session: payouts.export(session, actor(by), payout.id, copy)):
                assert exported == copy

    @rule(number=st.integers(0, 9), by=_mostly_operators)
    def settle(self, number, by):
        if payout := self._payout(number):
            before = self._own(by, payout)
            self._try("settle", lambda session: payouts.settle(session, actor(by), payout.id))
            assert self._own(by, payout) == before

    @rule(number=st.integers(0, 9), by=_mostly_operators, person=_people)
    def bounce(self, number, by, person):
        payout = self._payout(number)
        if payout and self._try("bounce", lambda session: payouts.bounce(session, actor(by), payout.id, person, "closed")):
            assert by != person

    @rule(number=st.integers(0, 9), by=st.sampled_from(("olga", "otto")), how=st.sampled_from(("bounce", "settle", "reverse")))
    def move_own_money(self, number, by, how):
        """Never lets an operator who is also an artist change what they are owed, or what of it was paid."""
        payout, before = self._payout(number), self._owed()
        if how == "reverse":
            with self.database.session() as session:
                own = [posted.id for posted, legs in ledger.journal(session) if by in ledger.people_of(session, legs)]
            for transaction_id in own:
                assert not self._try("own", lambda session, it=transaction_id: payouts.reverse(session, actor(by), it, "mine"))
                _TAKEN["own money"] += 1
        elif payout and how == "bounce":
            assert not self._try("own", lambda session: payouts.bounce(session, actor(by), payout.id, by, "mine"))
            _TAKEN["own money"] += bool(self._own(by, payout))
        elif payout:
            lines = self._own(by, payout)
            self._try("export", lambda session: payouts.export(session, actor(by), payout.id))
            self._try("settle", lambda session: payouts.settle(session, actor(by), payout.id))
            assert self._own(by, payout) == lines
            _TAKEN["own money"] += bool(lines)
        assert self._owed() == before

    @rule(number=st.integers(0, 99), by=_mostly_operators)
    def reverse(self, number, by):
        """What was accepted or paid is not taken back by anybody."""
        with self.database.session() as session:
            credited = set(session.scalars(select(pay.Credit.transaction_id)))
            posted = [posted.id for posted, _ in ledger.journal(session) if posted.id not in credited]
        if posted:
            taken = posted[number % len(posted)]
            assert not self._try("reverse", lambda session: payouts.reverse(session, actor(by), taken, "typed twice"))

    def _own(self, person, payout):
        """How a person's part of a payout stands."""
        with self.database.session() as session:
            line = session.get(payouts.PayoutLine, (payout.id, person))
            return line and payouts.state(session, line)

    @rule(statement=st.sampled_from([
        "UPDATE postings SET amount = amount * 2", "DELETE FROM postings", "UPDATE transactions SET memo = ''", "DELETE FROM transactions",
        "UPDATE pay_decisions SET accepted = claimed", "DELETE FROM credits", "UPDATE work_entries SET claimed = claimed + 1",
        "UPDATE payouts SET file = ''", "DELETE FROM audit_log", "UPDATE payout_lines SET amount = 1",
        "INSERT INTO transactions (id, key, memo, created_at) VALUES ('x', 'x', 'x', 0)",
        "INSERT INTO postings (transaction_id, account_id, currency, amount) "
        "SELECT transaction_id, account_id, currency, amount FROM postings",
    ]))
    def go_behind(self, statement):
        """Straight to the database: refused, or there is nothing yet that it could change."""
        try:
            with self.database.engine.begin() as connection:
                assert not connection.execute(text(statement)).rowcount
        except DBAPIError:
            _TAKEN["behind"] += 1

    @rule(person=_people, by=_people)
    def look(self, person, by):
        with self.database.session() as session:
            if not actor(by).operator and by != person:
                for ask in (statements.of, pay.cases, pay.owed, pay.arrears):
                    with pytest.raises(NotYours):
                        ask(session, actor(by), person)
            else:
                for told in statements.of(session, actor(by), person):
                    statements.checked(session, told)

    @rule(person=_people)
    def forget(self, person):
        if self._try("forget", lambda session: erasure.forget(session, actor(person), person)):
            self.set_by.pop(person, None)

    def _owed(self):
        with self.database.session() as session:
            owed = {person: pay.owed(session, actor("olga"), person).get("EUR", 0) for person in PEOPLE}
        return {person: amount for person, amount in owed.items() if amount}

    def _payout(self, number):
        with self.database.session() as session:
            made = payouts.listed(session, actor("olga"))
        return made[number % len(made)][0] if made else None

    @invariant()
    def holds(self):
        if not hasattr(self, "database"):
            return
        _TAKEN["all"] += 1
        with self.database.engine.connect() as connection:
            rows = connection.execute(text(_POSTINGS)).all()
            bad = connection.execute(text(_UNBALANCED)).all()
            own = connection.execute(text("SELECT COUNT(*) FROM pay_decisions WHERE decider = person_id")).scalar()
            earned, paid = (dict(connection.execute(text(query)).all()) for query in (_EARNED, _PAID))
        assert sum(row.amount for row in rows) == 0 and not bad
        assert rows[: len(self.seen)] == self.seen
        assert own == 0
        assert all(amount <= earned.get(person, 0) for person, amount in paid.items())
        owed = self._owed()
        assert all(earned.get(person, 0) == paid.get(person, 0) + owed.get(person, 0) for person in PEOPLE)
        self.seen = rows

    def teardown(self):
        if hasattr(self, "database"):
            with self.database.session() as session:
                audit.verify(session, audit.Signer().verifier)
                ledger.check(session)
            self.database.engine.dispose()
            self.folder.cleanup()


def test_no_order_of_steps_breaks_the_books(migrated):
    Programme.migrated = migrated
    _TAKEN.clear()
    run_state_machine_as_test(Programme, settings=settings(
        max_examples=STEPS // EACH * 5 // 4, stateful_step_count=EACH, deadline=None, derandomize=STEPS < 10_000,
        suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate],  # shrinking so many steps takes many minutes
    ))
    print(dict(_TAKEN))
    if STEPS < 10_000:
        return
    assert _TAKEN["all"] >= STEPS
    needed = {"hours", "bug", "decide", "credit", "pay out", "behind", "dispute", "export", "settle", "bounce", "forget", "own money",
              "set payee", "own iban"}
    assert needed <= set(_TAKEN), f"never taken: {needed - set(_TAKEN)}"
