"""What artists say: theirs to change and withdraw, paid once, judged by nobody in their own matter, and of videos that they may see."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.errors import LanterneError
from lanterne.programme import audit, feedback, ledger, pay
from lanterne.programme.feedback import FeedbackError, Seen
from lanterne.programme.pay import Actor, NotYours

ANA, BEN = Actor("ana"), Actor("ben")
OLGA, OTTO = Actor("olga", operator=True), Actor("otto", operator=True)


def seen(name="a", maker="ana", prompt="a lake at dawn", **given):
    return Seen(**{
        "video_id": f"video_{name}", "maker_id": maker, "sha256": name.encode().hex().rjust(64, "0"), "seconds": 8.0, "prompt": prompt,
        "negative_prompt": "", "seed": 7, "model": "lanterne-1", "settings": {"steps": 14}, "public": False,
    } | given)


@pytest.fixture
def session(database):
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000, "feedback": 1500}, "olga")
        yield session


def test_feedback_has_a_rating_tags_notes_in_time_and_place_and_versions(session):
    note = {"from": 1, "to": 2.5, "words": "It jumps here.", "region": {"x": 0.5, "y": 0, "w": 0.5, "h": 1}}
    said = feedback.say(session, ANA, seen(), rating=4, tags=["flicker", "flicker"], notes=[note], words="Nearly.")
    assert said.content == {"rating": 4, "tags": ["flicker"], "notes": [note], "words": "Nearly."} and said.state == "open"
    feedback.revise(session, ANA, said.remark.id, feedback.feedback(8, 5, [], [], "Good after all."))
    feedback.revise(session, ANA, said.remark.id, feedback.feedback(8, 5, [], [], "Good after all."))  # nothing new
    after = feedback.get(session, said.remark.id)
    assert len(after.versions) == 2 and after.content["rating"] == 5 and "Nearly." in after.versions[0].content
    assert feedback.withdraw(session, ANA, said.remark.id).state == "withdrawn"
    with pytest.raises(FeedbackError, match="withdrawn"):
        feedback.revise(session, ANA, said.remark.id, feedback.feedback(8, 1, [], [], ""))
    with pytest.raises(FeedbackError, match="withdrawn and cannot become accepted"):
        feedback.decide(session, OLGA, said.remark.id, "accepted")


@pytest.mark.parametrize(("given", "said"), [
    ({}, "says nothing"),
    ({"rating": 6}, "rating=6 cannot be given; give a whole number from 1 to 5"),
    ({"rating": True}, "rating=True"),
    ({"tags": ["nice"]}, "'nice' is not in version 1 of the vocabulary"),
    ({"notes": [{"from": 1, "to": 8.1}]}, r"\[1, 8.1\] is not in the video; give from and to within 8 seconds"),
    ({"notes": [{"from": 3, "to": 1}]}, "not in the video"),
    ({"notes": [{"from": float("nan"), "to": 1}]}, "not in the video"),
    ({"notes": [{"from": 0, "to": 1, "region": {"x": 0.6, "y": 0, "w": 0.5, "h": 1}}]}, "not in the frame"),
    ({"notes": [{"from": 0, "to": 1}] * 101}, "101 notes and may be 100"),
    ({"words": "a\x00b"}, "letters that cannot be shown"),
    ({"words": "a" * 10_001}, "at most 10000 letters"),
])
def test_what_cannot_be_said_is_refused_in_a_sentence(session, given, said):
    with pytest.raises(LanterneError, match=said):
        feedback.say(session, ANA, seen(), **given)
    assert feedback.listed(session) == []


def test_a_video_is_spoken_of_by_who_may_see_it(session):
    with pytest.raises(NotYours, match="among those that you may see"):
        feedback.say(session, BEN, seen(), rating=1)
    feedback.say(session, BEN, seen("public", public=True), rating=1)
    pair = (seen("x", "olga"), seen("y", "olga"))
    for video in pair:
        with pytest.raises(NotYours):
            feedback.say(session, BEN, video, rating=1)
    with pytest.raises(NotYours):
        feedback.ask(session, OLGA, "ben", seen(), pair[0])  # ana's own is not for olga to show
    with pytest.raises(NotYours, match="not an operator"):
        feedback.ask(session, ANA, "ben", seen(), seen("b"))
    feedback.ask(session, OLGA, "ben", *pair)
    assert feedback.say(session, BEN, pair[0], rating=1).remark.video_id == "video_x"
    with pytest.raises(NotYours):
        feedback.say(session, ANA, pair[0], rating=1)


def test_a_preference_is_blind_and_sides_are_by_chance(session):
    sides = set()
    for number in range(40):
        made = feedback.ask(session, ANA, "ana", seen(f"{number}a"), seen(f"{number}b"))
        sides.add(made.left_id[-1])
    assert sides == {"a", "b"} and len(feedback.comparisons(session, ANA)) == 40
    said = feedback.prefer(session, ANA, made.id, "left", "It moves.")
    assert len(feedback.comparisons(session, ANA)) == 39
    for comparison_id, by, error in ((made.id, ANA, FeedbackError), (made.id, BEN, NotYours), ("cmp_none", ANA, NotYours)):
        with pytest.raises(error):
            feedback.prefer(session, by, comparison_id, "right", "No.")
    feedback.revise(session, ANA, said.remark.id, feedback.preference("equal", "On second thought."))
    with pytest.raises(LanterneError, match="reason is empty"):
        feedback.preference("left", " ")
    with pytest.raises(FeedbackError, match="'both' is unknown"):
        feedback.preference("both", "x")
    with pytest.raises(FeedbackError, match="different prompts"):
        feedback.ask(session, ANA, "ana", seen("p"), seen("q", prompt="another"))
    with pytest.raises(FeedbackError, match="same bytes"):
        feedback.ask(session, ANA, "ana", seen("p"), seen("p"))


def test_a_bug_is_public_with_credit_and_paid_once(session):
    said = feedback.report_bug(session, ANA, "Loops jump", "At the seam, with my prompt.", "name", seen())
    other = feedback.report_bug(session, BEN, "No sound", "None at all.", "pseudonym")
    with pytest.raises(FeedbackError, match="open and cannot become fixed; give one of confirmed, declined"):
        feedback.decide(session, OLGA, said.remark.id, "fixed")
    with pytest.raises(NotYours, match="not an operator"):
        feedback.decide(session, BEN, said.remark.id, "confirmed")
    feedback.decide(session, OLGA, said.remark.id, "confirmed")
    feedback.decide(session, OLGA, said.remark.id, "fixed")
    with pytest.raises(LanterneError, match="reason is empty"):
        feedback.decide(session, OLGA, other.remark.id, "declined", " ")
    feedback.decide(session, OLGA, other.remark.id, "declined", "It is a silent film.")
    first, second = sorted(feedback.public_bugs(session, {"ana": "Ana Müller", "ben": "Ben"}), key=lambda bug: bug["title"])
    assert (first["title"], first["state"], first["credit"]) == ("Loops jump", "fixed", "Ana Müller")
    assert second["credit"].startswith("artist-") and "Ben" not in str(second) and second["reason"] == "It is a silent film."
    assert "my prompt" not in str(first)
    [case] = pay.cases(session, OLGA, "ana")
    assert (case.entry.kind, case.entry.subject, case.accepted) == ("bug", said.remark.id, 5000)
    with pytest.raises(pay.PayError, match="claimed before"):
        pay.claim(session, ANA, "bug", pay.today().isoformat(), subject=said.remark.id)
    assert pay.owed(session, ANA, "ana") == {"EUR": 5000} and pay.owed(session, BEN, "ben") == {}
    audit.verify(session, audit.Signer().verifier)


def test_what_its_author_claimed_already_is_not_paid_again(session):
    said = feedback.say(session, ANA, seen(), rating=3)
    pay.claim(session, ANA, "feedback", pay.today().isoformat(), subject=said.remark.id)
    feedback.decide(session, OLGA, said.remark.id, "accepted")
    assert pay.owed(session, ANA, "ana") == {"EUR": 1500} and len(pay.cases(session, OLGA, "ana")) == 1


def test_who_declined_does_not_decide_on_the_contest(session):
    said = feedback.say(session, ANA, seen(), rating=3)
    remark_id = said.remark.id
    with pytest.raises(FeedbackError, match="is open; what was declined"):
        feedback.contest(session, ANA, remark_id, "But.")
    feedback.decide(session, OLGA, remark_id, "declined", "It says too little.")
    with pytest.raises(NotYours, match="among yours"):
        feedback.contest(session, BEN, remark_id, "But.")
    feedback.contest(session, ANA, remark_id, "It says all.")
    with pytest.raises(NotYours, match="somebody else does"):
        feedback.decide(session, OLGA, remark_id, "accepted")
    feedback.decide(session, OTTO, remark_id, "declined", "Too little indeed.")
    with pytest.raises(FeedbackError, match="contested once"):
        feedback.contest(session, ANA, remark_id, "Again.")


def test_nobody_decides_on_their_own_words(session):
    said = feedback.say(session, OLGA, seen(maker="olga"), rating=5)
    with pytest.raises(NotYours, match="your own"):
        feedback.decide(session, OLGA, said.remark.id, "accepted")


@pytest.mark.parametrize("statement", [
    "UPDATE remark_versions SET content = '{}'",
    "DELETE FROM remark_versions",
    "UPDATE remarks SET person_id = 'ben'",
    "INSERT INTO remark_verdicts VALUES ('{id}', 2, 'ana', 'accepted', '', 'ana', 1)",
    "INSERT INTO remark_verdicts VALUES ('{id}', 2, 'ana', 'declined', ' ', 'otto', 1)",
    "UPDATE remark_verdicts SET reason = ''",
    "UPDATE remark_videos SET prompt = 'another'",
])
def test_the_database_refuses_by_itself(either, statement):
    with either.session() as session:
        said = feedback.say(session, ANA, seen(), rating=1, words="mine")
        feedback.decide(session, OLGA, said.remark.id, "declined", "Because.")
    with pytest.raises(DBAPIError), either.session() as session:
        session.execute(text(statement.format(id=said.remark.id)) if "{id}" in statement else text(statement))
    with either.session() as session:
        assert feedback.get(session, said.remark.id).content["words"] == "mine"


def test_words_can_be_erased_on_both_databases(either):
    with either.session() as session:
        said = feedback.say(session, ANA, seen(prompt="canary prompt"), rating=1, words="canary words")
        feedback.decide(session, OLGA, said.remark.id, "declined", "Because.")
        feedback.contest(session, ANA, said.remark.id, "canary contest")
        feedback.erase(session, "ana")
    with either.session() as session:
        rows = " ".join(str(row) for table in ("remarks", "remark_versions", "remark_verdicts", "remark_videos")
                        for row in session.execute(text(f"SELECT * FROM {table}")))
        assert "canary" not in rows and "Because." in rows
        assert feedback.get(session, said.remark.id).content == {}
