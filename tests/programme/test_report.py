"""The transparency report: counted from the log alone, repeatable from it, and silent about the few."""

import json
import re
import shutil
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from lanterne.programme import audit, feedback, figures, leaks, ledger, pay, payouts, release, report, review
from lanterne.programme.audit import AuditError, Signer
from lanterne.programme.exports import Payer
from lanterne.programme.leaks import Seen
from lanterne.programme.pay import Actor
from lanterne.programme.report import ReportError
from lanterne.service.database import Database

OLGA, OTTO = (Actor(name, operator=True) for name in ("olga", "otto"))
RITA, RON, RUTH = (Actor(name, reviewer=True) for name in ("rita", "ron", "ruth"))
ARTISTS = [Actor(f"artist{number}") for number in range(12)]
PAYER = Payer("Studio Lanterne", "DE02120300000000202051")
GROUNDS = {"1": "Shows a real person without their consent.", "2.1": "Sells something."}


def _look(session, by, asked, approve, **given):
    review.claim(session, by, asked)
    reasons = {} if approve else {"ground": "1", "explanation": "That is the mayor.", "times": [(1, 2.5)]}
    review.look(session, by, asked, approve, **reasons | given)


def _gate(session, clock):
    """12 requests: 5 approved after 2 hours, 3 and 1 refused after 6, 3 never looked at. 3 appeals, of which 2 succeed."""
    review.publish_policy(session, OLGA, "What may be shown.", GROUNDS, sample_percent=0, credit=1000, currency="EUR")
    asked = [review.request(session, artist, "v", sha256(artist.person_id.encode()).hexdigest(), 8).id for artist in ARTISTS]
    clock.pass_days(2 / 24)
    for one, artist in zip(asked[:5], ARTISTS, strict=False):
        _look(session, RITA, one, True)
        release.release(session, artist, one, sha256(artist.person_id.encode()).hexdigest())
    clock.pass_days(4 / 24)
    for one in asked[5:9]:
        ground = {"ground": "2.1"} if one == asked[8] else {}
        _look(session, RITA, one, False, **ground)
        _look(session, RON, one, False, **ground)
    for number in (5, 6, 7):
        review.appeal(session, ARTISTS[number], asked[number], "It is not the mayor.")
    clock.pass_days(1)
    for number in (5, 6, 7):
        _look(session, RUTH, asked[number], number < 7, explanation="Looked at again.")
    clock.pass_days(10)
    review.escalate(session)
    for one, artist in zip(asked[:4], ARTISTS, strict=False):  # and of the released, 4 taken down, of which 3 come back and 1 waits
        release.take_down(session, OLGA, one, "1", "Somebody asked us.")
        review.appeal(session, artist, one, "They meant another.")
    for one in asked[:3]:
        _look(session, RUTH, one, True, explanation="They did.")


def _pay(session, clock):
    """12 claims of 70.00, of which 4 are taken down to 50.00, and one of these is raised again; all is paid, that of one too late."""
    ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000}, "olga", decide_days=14, pay_days=30)
    entries = [pay.claim(session, artist, "hours", pay.today().isoformat(), hours=2).id for artist in ARTISTS]
    clock.pass_days(3)
    for number, entry in enumerate(entries):
        pay.decide(session, OLGA, entry, *([5000, "Half an hour was a break."] if number < 4 else []))
    pay.dispute(session, ARTISTS[0], entries[0], "It was not.")
    pay.decide(session, OTTO, entries[0])
    for artist in ARTISTS[:-1]:
        payouts.set_payee(session, artist, artist.person_id, "A name", "DE89370400440532013000")
    payouts.make(session, OLGA, PAYER)
    clock.pass_days(60)
    payouts.set_payee(session, ARTISTS[-1], ARTISTS[-1].person_id, "A name", "DE89370400440532013000")
    payouts.make(session, OLGA, PAYER)


@pytest.fixture(scope="module")
def season(migrated, stopped_clock, tmp_path_factory):
    """A home with what happened, and when it ended: made once, to be copied."""
    home, clock = tmp_path_factory.mktemp("season"), stopped_clock()
    shutil.copy(migrated, home / "service.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANTERNE_HOME", str(home))
        for module in (audit, ledger, pay, payouts, release, review):
            patch.setattr(module, "now", clock)
        with Database(f"sqlite:///{home / 'service.db'}").session() as session:
            _gate(session, clock)
            _pay(session, clock)
    return home, clock.at


@pytest.fixture
def session(season, home, clock, monkeypatch):
    shutil.copytree(season[0], home)
    clock.at = season[1]
    for module in (feedback, leaks, report):
        monkeypatch.setattr(module, "now", clock)
    with Database(f"sqlite:///{home / 'service.db'}").session() as session:
        yield session


def _figures(session, *period):
    return report.make(session, *period).told["figures"]


def test_what_happened_at_the_gate_is_counted(session):
    told = _figures(session)["review"]
    assert told["requests"] == 12 and told["released"] == 5 and told["appeals"] == 3 and told["waiting"] == 3
    assert told["decisions"] == {"approved": 5, "refused": 4, "released since nobody answered in time": 0}
    assert told["median_hours_to_decision"] == 2 and told["median_hours_to_answer"] == 24
    assert told["deadlines_missed"] == 3 and told["remedies"] == {"credit": 3, "release": 0}
    assert told["second_reviewers"] == {"agreed": 4, "disagreed": 0}
    assert told["takedown_appeals"] == 4 and told["takedown_appeals_answered"] == {"overturned": 3, "upheld": 0}
    assert told["taken_down"] == {"by the artist": 0, "by an operator": 4} and told["takedowns_overturned_share"] == 1


def test_what_is_about_one_is_held_back_and_so_is_what_would_tell_it(session):
    """One of four refusals is on the ground 2.1, one of three appeals failed: with the totals, the rest would tell them."""
    told = _figures(session)
    assert told["review"]["refusals_by_ground"] == dict.fromkeys(
        ("1: Shows a real person without their consent.", "2.1: Sells something."), "withheld"
    )
    assert told["review"]["appeals_answered"] == {"overturned": "withheld", "upheld": "withheld"}
    assert told["review"]["overturned_share"] == "withheld"
    assert told["pay"]["raised"] == {"EUR": "withheld"} and told["pay"]["paid_late"] == {"EUR": "withheld"}


def test_what_was_paid_is_counted(session):
    told = _figures(session)["pay"]
    assert told["claims"] == 12 and told["claimed"] == {"EUR": 84000} and told["reduced"] == {"EUR": 8000}
    assert list(told["claims_decided"].values()) == [8, 4]
    assert told["accepted"] == {"EUR": 78000} and told["disputes"] == 1 and told["median_days_to_decision"] == 3
    assert told["credited"] == {"EUR": 3000} and told["paid"] == {"EUR": 81000} and told["owed"] == {} and told["overdue"] == {}
    assert told["decisions"] == {"in time": 13, "late": 0} and told["work_accepted"]["hours"] == 12


def test_a_period_has_what_happened_in_it(session, clock):
    begin = report.make(session).told["since"]
    early = _figures(session, begin, begin + 86400)["review"]
    assert early["requests"] == 12 and early["deadlines_missed"] == 0 and early["decisions"]["refused"] == 4
    later = _figures(session, begin + 2 * 86400)["review"]
    assert later["requests"] == 0 and later["median_hours_to_decision"] is None and later["deadlines_missed"] == 3
    with pytest.raises(ReportError, match="no time of this log"):
        report.make(session, clock.at + 86400)


def test_what_is_owed_and_late_is_told(database, clock, monkeypatch):
    monkeypatch.setattr(report, "now", clock)
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga", decide_days=2, pay_days=2)
        for number, artist in enumerate(ARTISTS[:8]):
            entry = pay.claim(session, artist, "bug", pay.today().isoformat(), subject=f"{number}")
            if number < 4:
                pay.decide(session, OLGA, entry.id)
        clock.pass_days(5)
        told = _figures(session)["pay"]
        assert told["owed"] == told["overdue"] == {"EUR": 20000}
        assert told["decisions"] == {"in time": 4, "late": 4}


def test_what_artists_said_and_what_became_of_it(session):
    for number, artist in enumerate(ARTISTS[:7]):
        said = feedback.report_bug(session, artist, f"bug {number}", "words", "pseudonym").remark.id
        feedback.decide(session, OLGA, said, *(["confirmed"] if number < 4 else ["declined", "It was meant so."]), card="artists")
    told = _figures(session)["voice"]
    assert told["bugs"] == 7 and told["bugs_decided"] == {"confirmed": 4, "fixed": 0, "declined": 3} and told["feedback"] == 0


def test_leaks_are_counted_with_how_fast_they_were_cut(session, clock):
    for number, artist in enumerate(ARTISTS[:4]):
        key = f"key_{number}"
        leaks.assess(session, key, artist.person_id, Seen(sites=("example.org",)))
        clock.at += 20
        alarm = leaks.assess(session, key, artist.person_id, Seen(sites=("example.org",), decoy=True))
        audit.append(session, "leak.upheld", {"alarm": alarm.id, "by": "olga", "reasons": "x"}, artist.person_id)
        audit.append(session, "key.revoked", {"key": key, "by": "olga", "reason": "x", "videos": 1}, artist.person_id)
    told = _figures(session)["access"]
    assert told["alarms"] == {"the artist was told": 4, "the key was slowed down": 0, "the key was frozen": 4}
    assert told["signs"] == {"decoy": 4, "sites": 8} and told["median_seconds_to_freeze"] == 20 and told["videos_stopped"] == 4
    assert told["keys_revoked"] == {"by their owner": 0, "found published": 0, "after an alarm": 4, "by an operator": 0}


_PEOPLE = st.lists(st.sampled_from("abcdef"), max_size=6)


@given(st.dictionaries(st.sampled_from("12345"), _PEOPLE, max_size=5))
def test_what_the_rest_of_a_whole_tells_is_about_no_few(cells):
    """Who knows the whole learns of what is held back only its sum: that of several parts and people, or of all."""
    told = figures.parts(cells)
    hidden = [name for name, value in told.items() if value == "withheld"]
    people = {person for name in hidden for person in cells[name]}
    assert not hidden or len(hidden) == len(cells) or (len(hidden) > 1 and len(people) >= figures.LEAST)
    for name in set(cells) - set(hidden):
        assert told[name] == len(cells[name]) and not figures.few(cells[name])


def test_of_one_person_alone_nothing_is_told_but_what_the_open_log_says(database):
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"bug": 5000}, "olga")
        pay.decide(session, OLGA, pay.claim(session, ARTISTS[0], "bug", pay.today().isoformat(), subject="17").id)
        made = report.make(session)
    told = made.told["figures"]["pay"]
    assert told["claims"] == 1 and told["claims_decided"] == dict.fromkeys(told["claims_decided"], "withheld")
    assert {told[name] for name in ("claimed", "accepted", "reduced", "raised", "owed", "overdue", "paid_late")} == {"withheld"}
    assert "50.00" not in made.html()


@pytest.mark.parametrize("cells, shown", [
    ({"a": ["x", "y", "z"], "b": []}, {"a": 3, "b": 0}),
    ({"a": ["x", "x", "x", "y"], "b": []}, {"a": "withheld", "b": "withheld"}),
    ({"a": ["x"], "b": ["p", "q", "r"], "c": ["s", "t", "u", "v"]}, {"a": "withheld", "b": "withheld", "c": 4}),
    ({"a": ["x", "y"], "b": ["z", "w"], "c": ["p", "q", "r"]}, {"a": "withheld", "b": "withheld", "c": 3}),
    ({"a": ["x"], "b": ["x"], "c": ["p", "q", "r"]}, dict.fromkeys("abc", "withheld")),
    ({"a": [None], "b": [None, None]}, {"a": 1, "b": 2}),
])
def test_parts_of_a_whole_give_nobody_away(cells, shown):
    assert figures.parts(cells) == shown


def test_the_same_log_gives_the_same_report_also_after_it_grew(session, clock):
    made = report.make(session)
    clock.pass_days(1)
    audit.append(session, "review.requested", {"request": "rev_x"}, "ana")
    assert report.check(session, made.json()) == made.told
    forged = json.loads(made.json())
    forged["figures"]["review"]["deadlines_missed"] = 0
    forged["figures"]["pay"]["claims"] = 13
    with pytest.raises(ReportError, match=r"for review.deadlines_missed, pay.claims: the report was changed"):
        report.check(session, json.dumps(forged))
    forged = json.loads(made.json())
    forged["log"]["root"] = "0" * 64
    with pytest.raises(ReportError, match="another log"):
        report.check(session, json.dumps(forged))
    forged["log"]["size"] = 10_000
    with pytest.raises(AuditError, match="not the 10000"):
        report.check(session, json.dumps(forged))


@pytest.mark.parametrize("change", [
    {"since": 2**52}, {"until": -1}, {"until": "now"}, {"log": None}, {"log": {"size": 1}}, {"figures": []}, {"shape": 2}, {"erased": True},
])
def test_what_is_no_report_is_said_so(session, change):
    with pytest.raises(ReportError, match="not a transparency report"):
        report.check(session, json.dumps(report.make(session).told | change))


def test_the_lines_alone_check_it_without_the_server(session):
    made, key = report.make(session), Signer().verifier
    assert report.check_lines(made.json(), made.log(), key) == made.told
    assert "artist1" not in made.log() and "mayor" not in made.log()
    with pytest.raises(ReportError, match="are not the log"):
        report.check_lines(made.json(), made.log().replace("review.looked", "review.hooked", 1), key)
    forged = json.loads(made.json())
    forged["steps"]["review.late"] = 0
    with pytest.raises(ReportError, match="steps"):
        report.check_lines(json.dumps(forged), made.log(), key)
    del forged["steps"]
    with pytest.raises(ReportError, match="steps"):
        report.check_lines(json.dumps(forged), made.log(), key)
    with pytest.raises(AuditError, match="not an audit log's public key"):
        report.check_lines(made.json(), made.log(), "x")


@pytest.mark.parametrize("changed, told", [
    ("UPDATE audit_openings SET data = replace(data, 'refuse', 'approve')", "says something else"),
    ("UPDATE audit_log SET leaf = replace(leaf, 'review.late', 'review.last')", "was changed"),
])
def test_a_log_that_was_changed_gives_no_report(session, changed, told):
    for trigger in session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
        session.execute(text(f'DROP TRIGGER "{trigger}"'))  # as who may change the file can
    session.execute(text(changed))
    with pytest.raises(AuditError, match=told):
        report.make(session)


def test_what_was_erased_is_counted_as_such(session):
    before = report.make(session)
    erased = audit.erase(session, "artist4")
    told = _figures(session)
    assert told["privacy"]["erasures"] == 1 and told["privacy"]["unreadable"] == told["privacy"]["lines_erased"] == erased
    assert told["review"]["requests"] == 12 and told["review"]["decisions"]["approved"] == 4
    with pytest.raises(ReportError, match=f"the contents of {erased} lines were erased since"):
        report.check(session, before.json())


def test_it_names_nobody(session):
    made = report.make(session)
    for words in (made.json(), made.html(), made.log()):
        assert not re.search(r"artist\d|olga|rita|\bron\b|mayor|DE89|(rev|work)_[0-9a-f]{16}", words)


def test_the_command_writes_it_and_checks_it(lanterne, tmp_path):
    assert "nothing to read yet" in lanterne("report", "-o", str(tmp_path / "x"), code=2)
    lanterne("people", "add", "Olga", "olga@example.org", "--role", "operator", "--id", "olga", "--by", "olga")
    assert "from 1 line of the log" in lanterne("report", "-o", str(tmp_path / "r"))
    made, key = tmp_path / "r" / "report.json", lanterne("audit", "key")
    assert "figure by figure" in lanterne("report", "--check", str(made))
    log = ("--log", str(tmp_path / "r" / "log.jsonl"), "--key", key)
    assert "has the steps" in lanterne("report", "--check", str(made), *log, LANTERNE_HOME=str(tmp_path / "elsewhere"))
    assert "not a transparency report" in lanterne("report", "--check", str(tmp_path / "r" / "log.jsonl"), code=2)
    assert "give both" in lanterne("report", "--check", str(made), "--key", key, code=2)
    said = lanterne("report", "--from", "2020-02-01", "--to", "2020-01-01", code=2)
    assert "to 1 January 2020 is no time of this log" in said  # the last day, as it was given
