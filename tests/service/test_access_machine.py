"""Whatever operators, artists and thieves do in whatever order: a key opens exactly as long as nothing that it hangs on was cut, sessions
die with accounts, an invitation lets one person in, and nothing is accepted but what was in force.

LANTERNE_STEPS=10000 takes so many steps.
"""

import os
import shutil
from collections import Counter
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, select, text
from test_access import open_cohort

from lanterne.errors import LanterneError
from lanterne.programme import audit, cohorts, leaks, people
from lanterne.programme.cohorts import Quotas
from lanterne.service import access, keys, revocation, watch
from lanterne.service.access import Wish
from lanterne.service.database import Database, Key, now

STEPS, EACH = int(os.environ.get("LANTERNE_STEPS", "160")), 40
COHORTS = ("spring", "autumn")
PASSWORD = "correct horse"
_TAKEN = Counter()  # which steps were really taken, and not refused
_cohort, _number = st.sampled_from(COHORTS), st.integers(0, 99)
_operators = st.sampled_from(("olga", "olga", "olga", "otto", "ana"))


class Access(RuleBasedStateMachine):
    empty = None  # a migrated file, set by the test

    @initialize()
    def open(self):
        self.folder = TemporaryDirectory()
        shutil.copy(self.empty, f"{self.folder.name}/service.db")
        self.database = Database(f"sqlite:///{self.folder.name}/service.db")
        event.listen(self.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        with self.database.session() as session:
            for name in COHORTS:
                open_cohort(session, name, Quotas(50, 500))
            people.open_account(session, "Otto", "otto@example.org", ["operator"], "olga", "otto")
        self.links, self.sessions, self.closed, self.over = [], {}, set(), set()
        self.alive: dict[str, tuple[str, str, str]] = {}  # text of what should open: key, person, cohort
        self.frozen: dict[str, tuple[str, str, str]] = {}
        self.dead: set[str] = set()
        for number, name in enumerate(COHORTS * 2):  # two artists in both
            self.invite(name, "ab"[number // 2], "olga")
            self.accept(number, "in force", PASSWORD)
            self.make_key(number // 2, name)

    def _try(self, what):
        """What it returned, or None where it was refused, with a sentence; a refusal leaves nothing."""
        try:
            with self.database.session() as session:
                return what(session)
        except LanterneError as refused:
            assert str(refused).endswith(".")

    def _pick(self, among, number):
        return list(among)[number % len(among)] if among else None

    def _forget(self, which):
        """These keys are to open nothing from now on."""
        for found in (self.alive, self.frozen):
            for key in [key for key, about in found.items() if which(about)]:
                self.dead.add(key)
                del found[key]

    @rule(name=_cohort, person=st.sampled_from("abc"), by=_operators)
    def invite(self, name, person, by):
        if made := self._try(lambda session: cohorts.invite(session, name, f"{person}@example.org", by)):
            assert by != "ana" and name not in self.over
            self.links.append([made[1], name, f"{person}@example.org", False])

    @rule(
        number=_number, which=st.sampled_from(["in force", "in force", "before", "junk"]),
        password=st.sampled_from([PASSWORD, PASSWORD, PASSWORD, "x" * 12]),
    )
    def accept(self, number, which, password):
        if (link := self._pick(self.links, number)) is None:
            return
        secret, name, email, used = link
        with self.database.session() as session:
            hashes = session.scalars(
                select(cohorts.Terms.sha256).where(cohorts.Terms.cohort_id == name).order_by(cohorts.Terms.version)
            ).all()
        digest = {"in force": hashes[-1], "before": hashes[0], "junk": "0" * 64}[which]
        if done := self._try(lambda session: cohorts.accept(session, secret, digest, email[0], password)):
            assert not used and digest == hashes[-1] and name not in self.over and done[0].id not in self.closed
            link[3] = True
            _TAKEN["accept"] += 1

    @rule(name=_cohort, by=_operators)
    def publish(self, name, by):
        self._try(lambda session: cohorts.publish_terms(session, name, "More.", "artists", Quotas(60, 600), now() + 86400, by))

    def _people(self):
        with self.database.session() as session:
            return [person.id for person in people.listed(session) if "operator" not in person.roles]

    @rule(number=_number, name=_cohort)
    def make_key(self, number, name):
        if (person := self._pick(self._people(), number)) is None:
            return
        if made := self._try(lambda session: access.make_key(session, person, name, Wish("laptop"))):
            assert person not in self.closed and name not in self.over
            self.alive[made[1]] = made[0], person, name
            _TAKEN["make"] += 1

    @rule(number=_number, stranger=st.booleans())
    def rotate(self, number, stranger):
        if (key := self._pick(self.alive, number)) is None:
            return
        key_id, person, name = self.alive[key]
        made = self._try(lambda session: access.rotate(session, "otto" if stranger else person, key_id, 0))
        if made:
            assert not stranger
            _TAKEN["rotate"] += 1
            self.dead.add(key)
            del self.alive[key]
            self.alive[made[1]] = made[0], person, name

    @rule(number=_number)
    def leak(self, number):
        if (key := self._pick(self.alive, number)) is None:
            return
        with self.database.session() as session:
            row = session.get(Key, self.alive[key][0])
            leaks.record(session, [leaks.Glimpse(row.id, f"198.{part}.100.0/24", "a", "", 1, 1) for part in range(12)])
            alarm = watch.judge(session, row)
        if alarm is not None:  # what was lifted within this very second counts no more
            self.frozen[key] = self.alive.pop(key)
            _TAKEN["freeze"] += 1

    @rule(number=_number, lift=st.booleans(), by=_operators)
    def decide(self, number, lift, by):
        with self.database.session() as session:
            alarm = self._pick([alarm.id for alarm, _, verdict in leaks.listed(session) if verdict is None], number)
            key_id = alarm and session.get(leaks.Alarm, alarm).key_id
        if alarm is None or self._try(lambda session: (watch.lift if lift else watch.uphold)(session, alarm, by, "Because.")) is None:
            return
        assert by != "ana"
        _TAKEN["lift" if lift else "uphold"] += 1
        if not lift:
            return self._forget(lambda about: about[0] == key_id)
        for key in [key for key, about in self.frozen.items() if about[0] == key_id]:
            self.alive[key] = self.frozen.pop(key)

    @rule(number=_number)
    def publish_a_key(self, number):
        if key := self._pick(self.alive | self.frozen, number):
            self._try(lambda session: watch.report(session, [watch.Found(key, "x", "")]))
            key_id = (self.alive | self.frozen)[key][0]
            self._forget(lambda about: about[0] == key_id)
            _TAKEN["published"] += 1

    @rule(number=_number, right=st.booleans())
    def sign_in(self, number, right):
        if (person := self._pick(self._people(), number)) is None:
            return
        with self.database.session() as session:
            email = session.get(people.Person, person).email
        if opened := self._try(lambda session: people.sign_in(session, email, PASSWORD if right else "wrong")):
            assert right and person not in self.closed
            self.sessions[opened] = person
            _TAKEN["sign in"] += 1

    @rule(number=_number, by=_operators)
    def cut_a_person(self, number, by):
        if number % 4 or (person := self._pick(self._people(), number // 4)) is None:
            return
        if self._try(lambda session: revocation.revoke_person(session, person, by, "Because.")):
            assert by != "ana" and person not in self.closed
            self.closed.add(person)
            _TAKEN["person"] += 1
            self._forget(lambda about: about[1] == person)

    @rule(name=_cohort, by=_operators, really=st.integers(0, 9))
    def cut_a_cohort(self, name, by, really):
        if not really and self._try(lambda session: revocation.revoke_cohort(session, name, by, "Because.")):
            self.over.add(name)
            _TAKEN["cohort"] += 1
            self._forget(lambda about: about[2] == name)

    @invariant()
    def holds(self):
        if not hasattr(self, "database"):
            return
        with self.database.session() as session:
            for state, found in (("alive", self.alive), ("frozen", self.frozen), ("dead", self.dead)):
                for key in found:
                    row = keys.by_text(session, key)
                    opens = session.scalar(select(Key.id).where(Key.id == row.id, *keys.open_keys(now()))) is not None
                    assert opens == (state == "alive"), (row.id, state)
            for opened, person in self.sessions.items():
                assert (people.who(session, opened) is None) == (person in self.closed)
            wrong = "SELECT COUNT(*) FROM acceptances a JOIN terms t USING (cohort_id, version) WHERE a.sha256 <> t.sha256"
            assert session.scalar(text(wrong)) == 0
            used = session.scalar(text("SELECT COUNT(*) FROM invitations WHERE used_at IS NOT NULL"))
            assert used == sum(link[3] for link in self.links)

    def teardown(self):
        if hasattr(self, "database"):
            with self.database.session() as session:
                audit.verify(session, audit.Signer().verifier)
            self.database.engine.dispose()
            self.folder.cleanup()


def test_no_order_of_steps_opens_what_was_cut_or_cuts_what_was_not(tmp_path, monkeypatch):
    from argon2 import PasswordHasher

    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", lambda: quick)
    Access.empty = tmp_path / "empty.db"
    database = Database(f"sqlite:///{Access.empty}")
    database.migrate()
    database.engine.dispose()
    _TAKEN.clear()
    run_state_machine_as_test(Access, settings=settings(
        max_examples=max(1, STEPS // EACH), stateful_step_count=EACH, deadline=None, derandomize=STEPS < 10_000,
        suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate],
    ))
    print(dict(_TAKEN))
    needed = {"accept", "make", "freeze", "published"}
    if STEPS >= 10_000:
        needed |= {"rotate", "sign in", "person", "cohort", "lift", "uphold"}
    assert needed <= set(_TAKEN), f"never taken: {needed - set(_TAKEN)}"
