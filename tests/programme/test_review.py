"""The review gate: nothing is public without an approval of exactly these bytes, nobody judges themselves or twice, silence is paid for."""

import os
import shutil
from collections import Counter
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gate import add_video, delete_video, path_of
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from lanterne.errors import LanterneError
from lanterne.programme import audit, pay, release, review
from lanterne.programme.pay import Actor, NotYours, PayError
from lanterne.programme.review import ReviewError
from lanterne.service import releasing
from lanterne.service.database import Database
from lanterne.service.deployment import Deployment
from lanterne.service.files import Store
from lanterne.service.settings import Settings

ANA, BEN, OLGA = Actor("ana"), Actor("ben"), Actor("olga", operator=True)
RITA, RON, RUTH, ANA_REVIEWS = (Actor(name, reviewer=True) for name in ("rita", "ron", "ruth", "ana"))
OTTO_REVIEWS = Actor("otto", operator=True, reviewer=True)
GROUNDS = {"1": "Shows a real person without their consent.", "2.1": "Sells something."}
BYTES, COPY = sha256(b"a video").hexdigest(), sha256(b"a video, with its approval").hexdigest()
_DAY = 86400


def _policy(session, **given):
    return review.publish_policy(
        session, OLGA, "What may be shown.", GROUNDS, **{"sample_percent": 0, "credit": 1000, "currency": "EUR"} | given
    )


def _look(session, by, request_id, approve, **given):
    review.claim(session, by, request_id)
    reasons = {} if approve else {"ground": "1", "explanation": "That is the mayor.", "times": [(1, 2.5)]}
    return review.look(session, by, request_id, approve, **reasons | given)


@pytest.fixture
def session(database, clock):
    with database.session() as session:
        _policy(session)
        yield session


@pytest.fixture
def asked(session):
    return review.request(session, ANA, "video_1", BYTES, 8).id


def _refuse(session, request_id):
    _look(session, RITA, request_id, False)
    _look(session, RON, request_id, False)


def test_an_approval_opens_the_public_to_these_bytes_alone(session, asked):
    other = sha256(b"the same, encoded again").hexdigest()
    with pytest.raises(ReviewError, match=r"waiting and not approved; wait for the decision, which is due by 2026-"):
        release.release(session, ANA, asked, BYTES)
    _look(session, RITA, asked, True)
    with pytest.raises(ReviewError, match="not the bytes"):
        release.release(session, ANA, asked, other)
    with pytest.raises(NotYours):
        release.release(session, BEN, asked, BYTES)
    with pytest.raises(ReviewError, match="not released"):
        release.publish(session, asked, COPY)
    release.release(session, ANA, asked, BYTES)
    assert not release.is_public(session, BYTES) and not release.is_public(session, COPY)  # nobody has signed a copy yet
    release.publish(session, asked, COPY)
    assert release.is_public(session, COPY) and not release.is_public(session, BYTES) and not release.is_public(session, other)
    assert release.publish(session, asked, other).sha256 == COPY
    with pytest.raises(ReviewError, match="waiting"):
        release.release(session, ANA, review.request(session, ANA, "video_1", other, 8).id, other)
    release.take_down(session, ANA, asked)
    assert not release.is_public(session, COPY)
    with pytest.raises(ReviewError, match="taken down"):
        release.publish(session, asked, COPY)
    with pytest.raises(ReviewError, match="taken down"):
        release.release(session, ANA, asked, BYTES)


def test_a_refusal_takes_two_who_do_not_know_of_each_other(session, asked):
    _look(session, RITA, asked, False)
    assert review.state(session, ANA, asked) == "waiting" and release.reasons(session, ANA, asked) == []
    [task] = review.queue(session, RON)
    assert set(vars(task)) == {"request_id", "video_id", "sha256", "policy", "due_at", "appeal", "takedown"} and task.appeal is None
    assert review.queue(session, RITA) == []
    _look(session, RON, asked, True)
    assert review.state(session, ANA, asked) == "approved"


def test_reasons_have_the_fields_of_the_dsa_and_time_codes(session, asked):
    _refuse(session, asked)
    first, second = release.reasons(session, ANA, asked)
    assert first["times"] == [[1, 2.5]] and first["incompatible_content_ground"].startswith("1: Shows a real person")
    assert first["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT" and "CONTENT_TYPE_SYNTHETIC_MEDIA" in first["content_type"]
    assert first["application_date"] == "2026-09-21" and first["puid"] != second["puid"] and first["automated_detection"] == "No"
    assert first["reviewer"] != second["reviewer"] and "rita" not in str(first)
    with pytest.raises(NotYours):
        release.reasons(session, BEN, asked)
    with pytest.raises(NotYours):
        review.state(session, BEN, asked)


def test_an_appeal_goes_to_somebody_else_and_says_why(session, asked, clock):
    with pytest.raises(ReviewError, match="it is waiting"):
        review.appeal(session, ANA, asked, "no")
    _refuse(session, asked)
    with pytest.raises(NotYours):
        review.appeal(session, BEN, asked, "no")
    clock.pass_days(183)
    review.appeal(session, ANA, asked, "It is a statue.")
    assert review.state(session, ANA, asked) == "appealed"
    assert [task.appeal for task in review.queue(session, RUTH)] == ["It is a statue."]
    for reviewer in (RITA, RON, ANA_REVIEWS):
        assert review.queue(session, reviewer) == []
        with pytest.raises(NotYours):
            review.claim(session, reviewer, asked)
    with pytest.raises(pay.PayError, match="explanation is empty"):
        _look(session, RUTH, asked, True)
    review.look(session, RUTH, asked, True, explanation="It is a statue indeed.")
    assert review.state(session, ANA, asked) == "approved"
    release.release(session, ANA, asked, BYTES)


def test_appeals_end_after_half_a_year_and_after_one(session, clock):
    late, upheld = (review.request(session, ANA, "v", sha256(name).hexdigest(), 8).id for name in (b"1", b"2"))
    for request_id in (late, upheld):
        _refuse(session, request_id)
    review.appeal(session, ANA, upheld, "no")
    _look(session, RUTH, upheld, False)
    with pytest.raises(ReviewError, match="after an appeal"):
        review.appeal(session, ANA, upheld, "still no")
    assert len(release.reasons(session, ANA, upheld)) == 3
    clock.pass_days(183.1)
    with pytest.raises(ReviewError, match="until 2027-03"):
        review.appeal(session, ANA, late, "no")


def test_claims_are_leases(session, asked, clock):
    for by in (ANA, OLGA):
        with pytest.raises(NotYours, match="not a reviewer"):
            review.claim(session, by, asked)
    with pytest.raises(ReviewError, match="not claimed"):
        review.look(session, RITA, asked, True)
    review.claim(session, RITA, asked)
    review.claim(session, RITA, asked)
    assert review.queue(session, RON) == [] and len(review.queue(session, RITA)) == 1
    with pytest.raises(ReviewError, match="is being looked at"):
        review.claim(session, RON, asked)
    clock.at += review.LEASE
    with pytest.raises(ReviewError, match="lease is over"):
        review.look(session, RITA, asked, True)
    review.claim(session, RON, asked)
    review.look(session, RON, asked, True)


@pytest.mark.parametrize(
    "given, told",
    [
        ({"ground": "9"}, "give one of 1, 2.1"), ({"ground": None}, "give one of"), ({"explanation": " "}, "explanation is empty"),
        ({"times": []}, "time codes"), ({"times": [(3, 2)]}, "time code"), ({"times": [(0, 8.5)]}, "within 8 seconds"),
        ({"times": [(float("nan"), 2)]}, "time code"), ({"times": [(1,)]}, "time code"), ({"times": [(-1, 1)]}, "time code"),
    ],
)
def test_a_refusal_without_reasons_is_none(session, asked, given, told):
    with pytest.raises(LanterneError, match=told):
        _look(session, RITA, asked, False, **given)


def test_silence_is_paid_for_once_and_the_request_goes_on(session, asked, clock):
    assert review.escalate(session) == []
    clock.pass_days(5.1)
    assert [late.what for late in review.escalate(session)] == ["request"] and review.escalate(session) == []
    assert pay.owed(session, ANA, "ana") == {"EUR": 1000} and review.state(session, ANA, asked) == "waiting"
    _refuse(session, asked)
    review.appeal(session, ANA, asked, "no")
    clock.pass_days(5.1)
    assert [late.what for late in review.escalate(session)] == ["appeal"]
    assert pay.owed(session, ANA, "ana") == {"EUR": 2000} and len(review.file_of(session, asked).escalations) == 2


def test_one_remedy_that_fails_leaves_the_others_theirs(session, asked, clock, caplog):
    with pytest.raises(PayError, match="made good by themselves"):
        pay.credit(session, OLGA, "ana", f"review:{asked}:request", 1, "EUR", "late", 1, 2)
    pay.credit(session, pay.DEADLINE, "ana", f"review:{asked}:request", 1, "EUR", "late", 1, 2)  # as one could be made by hand once
    other = review.request(session, ANA, "v", sha256(b"2").hexdigest(), 8).id
    clock.pass_days(5.1)
    assert [late.request_id for late in review.escalate(session)] == [other] and asked in caplog.text
    assert pay.owed(session, ANA, "ana") == {"EUR": 1001} and not review.file_of(session, asked).escalations
    assert review.escalate(session) == [] and audit.verify(session, audit.Signer().verifier)


def test_silence_releases_where_the_policy_says_so(session, clock):
    _policy(session, remedy="release")
    asked = review.request(session, ANA, "v", sha256(b"2").hexdigest(), 8).id
    _look(session, RITA, asked, False)
    clock.pass_days(5.1)
    review.escalate(session)
    release.release(session, ANA, asked, sha256(b"2").hexdigest())
    assert review.queue(session, RON) == [] and pay.owed(session, ANA, "ana") == {}


def test_a_share_of_approvals_is_looked_at_blindly_and_agreement_is_told(session):
    _policy(session, sample_percent=100)
    asked = review.request(session, ANA, "v", sha256(b"2").hexdigest(), 8).id
    [task] = review.queue(session, RITA)
    _look(session, RITA, asked, True)
    assert review.state(session, ANA, asked) == "approved" and review.queue(session, RITA) == []
    assert review.queue(session, RON) == [task]  # the same as it was for the first
    _look(session, RON, asked, False)
    assert review.state(session, ANA, asked) == "approved" and review.queue(session, RUTH) == []
    assert review.file_of(session, asked).looks["blind"].verdict == "refuse"


def test_takedowns_by_operators_have_a_ground(session, asked):
    _look(session, RITA, asked, True)
    with pytest.raises(ReviewError, match="not public"):
        release.take_down(session, ANA, asked)
    release.release(session, ANA, asked, BYTES)
    with pytest.raises(NotYours):
        release.take_down(session, BEN, asked)
    with pytest.raises(ReviewError, match="'9' is not in version 1"):
        release.take_down(session, OLGA, asked, "9", "x")
    with pytest.raises(ReviewError, match="ground of version 1 of the policy must be given; give one of 1"):
        release.take_down(session, OLGA, asked, explanation="x")
    with pytest.raises(pay.PayError, match="empty"):
        release.take_down(session, OLGA, asked, "1", "")
    release.take_down(session, OLGA, asked, "1", "The mayor wrote to us.")
    with pytest.raises(ReviewError, match="not public"):
        release.take_down(session, OLGA, asked, "1", "The mayor wrote to us.")


@pytest.fixture
def down(session, asked):
    """A request that Rita approved, and that an operator, who reviews, too, took down."""
    _look(session, RITA, asked, True)
    release.release(session, ANA, asked, BYTES)
    release.publish(session, asked, COPY)
    release.take_down(session, OTTO_REVIEWS, asked, "1", "The mayor wrote to us.")
    return asked


def test_a_takedown_is_appealed_against_to_somebody_else_and_ends(session, down, clock):
    with pytest.raises(NotYours):
        review.appeal(session, BEN, down, "no")
    assert review.queue(session, RON) == [] and release.appeal_until(session, review.file_of(session, down))
    clock.pass_days(183)
    review.appeal(session, ANA, down, "It is a statue.")
    with pytest.raises(ReviewError, match="an operator, and was appealed against"):
        review.appeal(session, ANA, down, "no")
    assert release.state(session, review.file_of(session, down)) == "takedown appealed"
    for reviewer in (RITA, ANA_REVIEWS, OTTO_REVIEWS):  # who has looked, whose it is, who took it down
        assert review.queue(session, reviewer) == []
        with pytest.raises(NotYours):
            review.claim(session, reviewer, down)
    [task] = review.queue(session, RON)
    assert (task.appeal, task.takedown) == ("It is a statue.", "1: The mayor wrote to us.")
    with pytest.raises(pay.PayError, match="explanation is empty"):
        _look(session, RON, down, True)
    assert not release.is_public(session, COPY)
    review.look(session, RON, down, True, explanation="It is a statue indeed.")
    assert release.is_public(session, COPY) and release.state(session, review.file_of(session, down)) == "public"
    [said] = release.statements(session, OLGA)
    assert said["end_date_visibility_restriction"] == "2027-03-23" and "overturned it on 2027-03-23" in said["decision_facts"]
    release.take_down(session, OLGA, down, "2.1", "It sells the statue.")  # another reason, another takedown
    assert [said["puid"] for said in release.statements(session, OLGA)] == [f"{down}-takedown", f"{down}-takedown-2"]
    review.appeal(session, ANA, down, "It does not.")
    assert review.queue(session, RON) == []
    _look(session, RUTH, down, False)
    assert not release.is_public(session, COPY) and release.state(session, review.file_of(session, down)) == "taken down"
    [upheld] = release.reasons(session, ANA, down)
    assert upheld["times"] == [[1, 2.5]] and upheld["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert "upheld it" in release.takedown(session, ANA, down)["decision_facts"]
    with pytest.raises(ReviewError, match="was appealed against"):
        review.appeal(session, ANA, down, "It does not.")


def test_what_its_artist_ended_no_appeal_brings_back(session, down):
    review.appeal(session, ANA, down, "no")
    review.claim(session, RON, down)
    release.take_down(session, ANA, down)
    with pytest.raises(NotYours):
        review.look(session, RON, down, True, explanation="yes")
    assert not release.is_public(session, COPY) and release.over(session) == [down] and not review.file_of(session, down).waits
    for what in (lambda: review.appeal(session, ANA, down, "no"), lambda: release.take_down(session, OLGA, down, "1", "x"),
                 lambda: release.take_down(session, ANA, down)):
        with pytest.raises(ReviewError, match=r"its artist|not public"):
            what()


def test_a_takedown_is_over_when_it_can_be_appealed_against_no_more(session, down, clock):
    assert release.over(session) == []
    clock.pass_days(183.1)
    assert release.over(session) == [down]
    with pytest.raises(ReviewError, match="until 2027-03"):
        review.appeal(session, ANA, down, "no")


@pytest.mark.parametrize("remedy", review.REMEDIES)
def test_silence_about_a_takedown_has_the_policys_remedy(session, clock, remedy):
    _policy(session, remedy=remedy)
    asked = review.request(session, ANA, "v", BYTES, 8).id
    _look(session, RITA, asked, True)
    release.release(session, ANA, asked, BYTES)
    release.publish(session, asked, COPY)
    release.take_down(session, OLGA, asked, "1", "The mayor wrote to us.")
    review.appeal(session, ANA, asked, "no")
    clock.pass_days(5.1)
    assert [late.what for late in review.escalate(session)] == ["takedown 1"] and review.escalate(session) == []
    assert release.is_public(session, COPY) == (remedy == "release") != bool(review.queue(session, RON))
    assert pay.owed(session, ANA, "ana") == ({"EUR": 1000} if remedy == "credit" else {})
    assert ("end_date_visibility_restriction" in release.takedown(session, ANA, asked)) == (remedy == "release")


def test_what_cannot_be_asked_or_published_is_a_sentence(session):
    for digest, seconds in ((BYTES.upper(), 8), ("abc", 8), (None, 8), (BYTES, 0), (BYTES, float("nan")), (BYTES, -1)):
        with pytest.raises(ReviewError):
            review.request(session, ANA, "v", digest, seconds)
    for given in ({"appeal_days": 182}, {"remedy": "none"}, {"credit": None}, {"credit": -1}, {"decide_days": 0}, {"sample_percent": 101}):
        with pytest.raises(ReviewError):
            _policy(session, **given)
    with pytest.raises(ReviewError, match="grounds"):
        review.publish_policy(session, OLGA, "words", {})
    with pytest.raises(NotYours):
        review.publish_policy(session, ANA, "words", GROUNDS)


def test_the_database_itself_guards_the_gate(either, clock):
    with either.session() as session:
        _policy(session)
        asked = review.request(session, ANA, "v", BYTES, 8).id
        _look(session, RITA, asked, False)
    look = (
        "INSERT INTO review_looks (request_id, stage, artist_id, reviewer, verdict, ground, explanation, times, looked_at) "
        "VALUES ('{}', '{}', '{}', '{}', '{}', '1', '{}', '[]', 0)"
    )
    for statement in [
        f"INSERT INTO releases (request_id, sha256, released_at) VALUES ('{asked}', '{BYTES}', 0)",  # not approved
        look.format(asked, "second", "ana", "rita", "refuse", "x"),  # by the first
        look.format(asked, "second", "ana", "ana", "approve", "x"),  # by the artist
        look.format(asked, "second", "ben", "ana", "approve", "x"),  # as if it were another's
        look.format(asked, "second", "ana", "ron", "refuse", " "),  # without reasons
        look.format(asked, "appeal", "ana", "ron", "approve", "x"),  # without an appeal
        look.format(asked, "blind", "ana", "ron", "approve", "x"),  # of a refusal
        look.format(asked, "third", "ana", "ron", "approve", "x"),
        f"INSERT INTO review_appeals (request_id, words, opened_at, due_at) VALUES ('{asked}', 'x', 0, 0)",  # not refused yet
        "UPDATE review_looks SET verdict = 'approve'", "DELETE FROM review_looks", "UPDATE release_requests SET sha256 = 'x'",
        "UPDATE policies SET words = 'x'", "DELETE FROM policies",
    ]:
        with pytest.raises(DBAPIError), either.engine.begin() as connection:
            connection.execute(text(statement))
    with either.session() as session:
        _look(session, RON, asked, True)
        release.release(session, ANA, asked, BYTES)
        release.publish(session, asked, COPY)
    takedown = "INSERT INTO takedowns (request_id, number, taken_by, ground, explanation, taken_at) VALUES ('{}', {}, '{}', {}, 'x', 0)"
    opened = "INSERT INTO takedown_appeals (request_id, number, words, opened_at, due_at) VALUES ('{}', {}, 'x', 0, 0)"
    for statement in ["DELETE FROM releases", opened.format(asked, 1)]:  # not taken down yet
        with pytest.raises(DBAPIError), either.engine.begin() as connection:
            connection.execute(text(statement))
    with either.session() as session:
        release.take_down(session, OLGA, asked, "1", "The mayor wrote to us.")
    for statement in [
        takedown.format(asked, 2, "olga", "'1'"),  # while one stands
        look.format(asked, "takedown 1", "ana", "ruth", "approve", "x"),  # without an appeal
        "UPDATE takedowns SET ground = NULL", "DELETE FROM takedowns",
    ]:
        with pytest.raises(DBAPIError), either.engine.begin() as connection:
            connection.execute(text(statement))
    with either.session() as session:
        review.appeal(session, ANA, asked, "no")
    for statement in [
        look.format(asked, "takedown 1", "ana", "olga", "approve", "x"),  # by who took it down
        look.format(asked, "takedown 1", "ana", "ana", "approve", "x"),
        look.format(asked, "takedown 1", "ana", "rita", "approve", "x"),  # by who has looked
        look.format(asked, "takedown 1", "ana", "ruth", "approve", " "),  # without reasons
        look.format(asked, "takedown 2", "ana", "ruth", "approve", "x"),
        "UPDATE takedown_appeals SET words = 'y'", "DELETE FROM takedown_appeals",
    ]:
        with pytest.raises(DBAPIError), either.engine.begin() as connection:
            connection.execute(text(statement))
    with either.session() as session:
        _look(session, RUTH, asked, True, explanation="It is a statue.")
        assert release.is_public(session, COPY)
        release.take_down(session, ANA, asked)
    for statement in [takedown.format(asked, 3, "olga", "'1'"), takedown.format(asked, 3, "ana", "NULL"), opened.format(asked, 2)]:
        with pytest.raises(DBAPIError), either.engine.begin() as connection:  # what its artist ended has ended
            connection.execute(text(statement))


# Whatever people do in whatever order.

STEPS, EACH = int(os.environ.get("LANTERNE_STEPS", "300")), 50
PEOPLE = ("ana", "rita", "ron", "ruth", "rosa", "olga", "otto")
OPERATORS, REVIEWERS = ("olga", "otto"), ("rita", "ron", "ruth", "rosa", "otto")  # otto does both
FILMS = {f"{person}{number}": person for person in ("ana", "rita") for number in range(3)} | {f"old{number}": "ana" for number in range(4)}
_TAKEN = Counter()
_people, _numbers = st.sampled_from((*["artist"] * 5, *PEOPLE)), st.integers(0, 9)  # "artist": whoever it belongs to
_seldom = st.sampled_from([False] * 7 + [True])
_reviewers = st.sampled_from((*REVIEWERS, *REVIEWERS, *PEOPLE))
_VERDICTS = "SELECT request_id, stage, reviewer, verdict FROM review_looks ORDER BY rowid"


def actor(person: str) -> Actor:
    return Actor(person, operator=person in OPERATORS, reviewer=person in REVIEWERS)


class Gate(RuleBasedStateMachine):
    migrated = clock = None  # set by the test
    fixed = None  # a request that steps are about

    @initialize(remedy=st.sampled_from(review.REMEDIES), sample=st.sampled_from([0, 100]))
    def open(self, remedy, sample):
        self.folder = TemporaryDirectory()
        shutil.copy(self.migrated, f"{self.folder.name}/service.db")
        self.database = Database(f"sqlite:///{self.folder.name}/service.db")
        event.listen(self.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.house = Deployment(Settings(), self.database, Store(Path(self.folder.name) / "files"))
        self.ids, self.public, self.seen, self.touched = [], {}, [], None  # public: request: SHA-256 of its copy
        self.copies, self.down = {}, {}  # of all that was ever public; what an operator took down, and who did
        with self.database.session() as session:
            _policy(session, remedy=remedy, sample_percent=sample)
        for video, owner in FILMS.items():
            add_video(self.house, video, owner)
        for number in range(4):  # one approved, one refused, one that nobody has looked at, and one to be shown beside the first
            self.ids.append(releasing.ask(self.house, ANA, f"old{number}").id)
        with self.database.session() as session:
            _look(session, RITA, self.ids[0], True)
            _refuse(session, self.ids[1])
            _look(session, RITA, self.ids[3], True)
        self.show("artist", 0, False)

    def _try(self, name, what):
        try:
            found = what()
        except LanterneError as refused:
            assert str(refused).endswith(".")
            return None
        _TAKEN[name] += 1
        return found

    def _file(self, number, by=None, fits=lambda file: True):
        """(a request, who is meant by `by`). Mostly one that fits, if there is any: most steps would find nothing to act on."""
        with self.database.session() as session:
            files = review.files(session)
        if self.fixed:
            files = [file for file in files if file.request.id == self.fixed]
        found = [file for file in files if fits(file)] if number < 8 else []
        file = (found or files)[number % len(found or files)]
        self.touched = file.request.id
        return file, file.request.artist_id if by == "artist" else by

    @rule(person=st.sampled_from(["ana", "rita"]), number=st.integers(0, 2))
    def ask(self, person, number):
        if (made := self._try("ask", lambda: releasing.ask(self.house, actor(person), f"{person}{number}"))) and made.id not in self.ids:
            self.ids.append(made.id)

    @rule(by=_reviewers, number=_numbers, approve=st.booleans(), explanation=st.sampled_from(["because", "because", ""]),
          claims=st.sampled_from([True, True, False]))
    def look(self, by, number, approve, explanation, claims):
        file, by = self._file(number, by, lambda file: file.next_stage)
        if claims:
            self._try("claim", lambda: releasing.claim(self.house, actor(by), file.request.id))
        given = {"ground": "1", "times": [(1, 2)], "explanation": explanation}
        if made := self._try("look", lambda: releasing.look(self.house, actor(by), file.request.id, approve, **given)):
            assert by != file.request.artist_id and all(by != other.reviewer for other in file.looks.values())
            assert made.stage == file.next_stage and (approve or explanation) and self._there(file)
            _TAKEN["takedown answered" if review.about_takedown(made.stage) else made.stage] += 1
            if review.about_takedown(made.stage):
                assert explanation and by != self.down[file.request.id]
                if approve:
                    self._back(file.request.id)

    @rule(by=_people, number=_numbers)
    def appeal(self, by, number):
        file, by = self._file(number, by, lambda file: file.appealable_since)
        if made := self._try("appeal", lambda: releasing.appeal(self.house, actor(by), file.request.id, "no")):
            assert by == file.request.artist_id and self._there(file)
            if isinstance(made, review.TakedownAppeal):
                _TAKEN["takedown appealed"] += 1
                assert file.request.id in self.down and made.number not in file.takedown_appeals
            else:
                assert file.state == "refused"

    @rule(days=st.sampled_from([1, 1, 6]), by=_reviewers, operator=st.sampled_from(OPERATORS), number=_numbers, approve=st.booleans(),
          ends=st.sampled_from([False] * 5 + [True]))
    def contest(self, days, by, operator, number, approve, ends):
        """Of one video: a takedown by an operator, the appeal against it, and sooner or later an answer, unless its artist ends it
        meanwhile. Steps by chance seldom come to all of it."""
        if not (known := list(self.copies)):
            return
        self.fixed = known[number % len(known)]
        self.take_down(operator, number)
        self.appeal("artist", number)
        if ends:
            self.take_down("artist", number)
        else:
            self.wait(days)
        self.look(by, number, approve, "because", True)
        self.fixed = None

    @rule(by=_people, number=_numbers, prompt=st.booleans())
    def show(self, by, number, prompt):
        file, by = self._file(number, by, lambda file: file.state == "approved" and file.request.id not in self.public)
        if made := self._try("release", lambda: releasing.publish(self.house, actor(by), file.request.id, release.Wishes(), prompt)):
            assert by == file.request.artist_id and file.state == "approved"
            assert file.request.id in self.public or self._there(file)
            for shown in (self.public, self.copies):
                assert shown.setdefault(file.request.id, made.sha256) == made.sha256

    @rule(by=_people, number=_numbers)
    def take_down(self, by, number):
        file, by = self._file(number, by, lambda file: file.request.id in self.public)
        if made := self._try("take down", lambda: releasing.take_down(self.house, actor(by), file.request.id, "1", "because")):
            artist = by == file.request.artist_id
            assert file.request.id in self.public or (artist and file.request.id in self.down)
            assert (artist or by in OPERATORS) and (made.ground is None) == artist
            self.public.pop(file.request.id, None)
            self.down.pop(file.request.id, None)
            if not artist:
                self.down[file.request.id] = by

    def _back(self, request_id):
        """An appeal overturned its takedown: the very copy that was public is again."""
        del self.down[request_id]
        self.public[request_id] = self.copies[request_id]

    @rule(by=_people, number=_numbers, really=_seldom)
    def withdraw(self, by, number, really):
        file, by = self._file(number, by)

        def what():
            with self.database.session() as session:
                return release.withdraw(session, actor(by), file.request.id)

        if really and self._try("withdraw", what):
            assert by == file.request.artist_id and file.request.id not in self.public

    @rule(number=_numbers, harm=st.sampled_from(["delete", "change"]), really=_seldom)
    def harm(self, number, harm, really):
        """Artists delete, disks fail."""
        file, _ = self._file(number)
        if not really or not self._kept(file.request.sha256):
            return
        _TAKEN[harm] += 1
        if harm == "delete":
            delete_video(self.house, file.request.video_id)
        else:
            path_of(self.house, file.request.sha256).write_bytes(b"something else")

    def _there(self, file) -> bool:
        """Whether what is to be decided about is there: the file that was asked about, or the copy of it that was taken down."""
        return self._kept(self.copies[file.request.id] if file.request.id in self.down else file.request.sha256)

    def _kept(self, digest) -> bool:
        path = path_of(self.house, digest)
        return path.exists() and sha256(path.read_bytes()).hexdigest() == digest

    @rule(days=st.sampled_from([0.01, 0.01, 1, 1, 6]))
    def wait(self, days):
        self.clock.pass_days(days)
        with self.database.session() as session:
            late = [file for file in review.late(session) if file.contested]
            ended = [file.request.id for file in late if review.policy(session).remedy == "release"]
        releasing.look_after(self.house)
        for request_id in ended:
            self._back(request_id)
        _TAKEN["takedown late"] += len(late)
        self.touched = None

    @invariant()
    def holds(self):
        if not hasattr(self, "database"):
            return
        _TAKEN["all"] += 1
        with self.database.session() as session:
            files = review.files(session)
            listed, _ = release.page(session, 100)
            assert {shown.request.id: shown.sha256 for shown in listed} == self.public
            for file in files:
                looks = file.looks
                if file.request.id in (self.touched, *(self.ids if self.touched is None else ())):
                    self._public_as_it_should_be(session, file)
                assert len({look.reviewer for look in looks.values()}) == len(looks)
                assert (file.takedown is not None and file.takedown.ground is not None) == (file.request.id in self.down)
                if file.state in ("refused", "appealed"):
                    assert looks["first"].verdict == looks["second"].verdict == "refuse"
            late = sum(len(file.escalations) for file in files)
            _TAKEN["late"] = max(_TAKEN["late"], late)
            owed = sum(pay.owed(session, OLGA, person).get("EUR", 0) for person in PEOPLE)
            remedies = {escalation.remedy for file in files for escalation in file.escalations.values()}
            assert owed == (0 if remedies == {"release"} else 1000 * late)
            seen = [tuple(row) for row in session.execute(text(_VERDICTS))]
        assert seen[: len(self.seen)] == self.seen
        self.seen = seen

    def _public_as_it_should_be(self, session, file):
        """What the routes' functions serve: the copy, if it is public, and nothing else under any name."""
        copy, found = self.public.get(file.request.id), releasing.public_file(self.house, file.request.id)
        assert (found and found[0].sha256) == copy and not release.is_public(session, file.request.sha256)
        if copy:
            assert release.is_public(session, copy) and sha256(found[1].read_bytes()).hexdigest() == copy
            assert file.state == "approved" and release.shown(session, file.request.id).approved == file.request.sha256

    def teardown(self):
        if hasattr(self, "database"):
            self.touched = None  # all of them
            self.holds()
            with self.database.session() as session:
                audit.verify(session, audit.Signer().verifier)
            self.database.engine.dispose()
            self.folder.cleanup()


def test_no_order_of_steps_opens_the_gate(migrated, clock):
    Gate.migrated, Gate.clock = migrated, clock
    _TAKEN.clear()
    run_state_machine_as_test(Gate, settings=settings(
        max_examples=STEPS // EACH * 5 // 4, stateful_step_count=EACH, deadline=None, derandomize=STEPS < 10_000, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    ))
    print(dict(_TAKEN))
    if STEPS < 10_000:
        return
    assert _TAKEN["all"] >= STEPS
    needed = {
        "ask", "claim", "first", "second", "blind", "appeal", "release", "take down", "late", "withdraw", "delete", "change",
        "takedown appealed", "takedown answered", "takedown late",
    }
    assert needed <= set(_TAKEN), f"never taken: {needed - set(_TAKEN)}"
