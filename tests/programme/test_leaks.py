"""Signs of a leak: scored and explained, told to the artist as to the operator, contested and decided by somebody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, leaks, people
from lanterne.programme.leaks import Glimpse, LeakError, Seen, Work

SPREAD = Seen(networks=tuple(f"198.{number}.100.0/24" for number in range(11)), agents=("a/1", "b/1", "c/1", "d/1"))


@pytest.fixture
def clock(clock, monkeypatch):
    for module in (people, leaks):
        monkeypatch.setattr(module, "now", clock)
    return clock


@pytest.fixture(autouse=True)
def olga(request):
    for name in {"database", "either"} & set(request.fixturenames):
        with request.getfixturevalue(name).session() as session:
            people.open_account(session, "Olga", "olga@example.org", ["operator"], "olga", "olga")
            people.open_account(session, "Otto", "otto@example.org", ["operator", "artist"], "olga", "otto")


def assess(database, seen=SPREAD, key="key_a", person="ana"):
    with database.session() as session:
        return leaks.assess(session, key, person, seen)


def look(database, key="key_a", **more):
    with database.session() as session:
        return leaks.seen(session, key, Work(**more), decoy=False)


@pytest.mark.parametrize("seen, step", [
    (Seen(), None),
    (Seen(networks=("a", "b", "c"), agents=("a", "b", "c"), peak=10, work=Work(9)), None),  # home, phone, studio; and much work
    (Seen(networks=tuple("abcdef"), peak=10), None),  # on the way
    (Seen(networks=tuple(f"80.187.{number}.0/24" for number in range(9))), None),  # a phone on a train, of one provider
    (Seen(networks=("a", "b", "c", "d", "e"), agents=("a", "b", "c", "d")), None),  # and a VPN
    (Seen(countries=("AT", "CH", "DE", "IT")), None),
    (Seen(work=Work(40, 9.0)), None),
    (Seen(work=Work(60, 1.0, 0.95, 0.3)), None),  # a list of prompts and a night for it
    (Seen(networks=tuple("abcdefg")), "notify"),
    (Seen(networks=tuple("abcdef"), countries=("AT", "CH", "DE", "IT")), "notify"),
    (Seen(sites=("a.example",)), "notify"),
    (Seen(copies=("https://a.example",)), "notify"),
    (Seen(peak=30, work=Work(60, 2.0, 0.95, 0.3)), "throttle"),  # a front end that relays from one address
    (Seen(networks=tuple("abcdef"), copies=("https://a.example",)), "throttle"),
    (Seen(networks=tuple("abcdefghi")), "throttle"),
    (SPREAD, "freeze"),
    (Seen(sites=("a.example", "b.example"), peak=40), "freeze"),
    (Seen(decoy=True), "freeze"),
])
def test_what_leads_to_which_step(seen, step):
    assert leaks.step_of(leaks.score(leaks.signals(seen))) == step


@given(st.builds(
    Seen, networks=st.lists(st.text(max_size=3), max_size=30).map(tuple), agents=st.lists(st.text(max_size=3), max_size=30).map(tuple),
    sites=st.lists(st.text(max_size=3), max_size=3).map(tuple), countries=st.lists(st.text(max_size=2), max_size=9).map(tuple),
    copies=st.lists(st.text(max_size=3), max_size=3).map(tuple), peak=st.integers(0, 500), decoy=st.booleans(),
    work=st.builds(Work, st.integers(0, 5000), st.floats(0, 100), st.floats(0, 1), st.floats(0, 1)),
))
def test_every_point_is_explained_and_more_evidence_never_weighs_less(seen):
    found = leaks.signals(seen)
    assert 0 <= leaks.score(found) <= 100 and all(signal.words.endswith(".") and signal.score > 0 for signal in found)
    more = Work(seen.work.videos + 1, seen.work.usual, min(1, seen.work.variety + 0.1), seen.work.usual_variety)
    wider = Seen(
        (*seen.networks, "x"), (*seen.agents, "x"), (*seen.sites, "x"), (*seen.countries, "x"), (*seen.copies, "x"), seen.peak + 1, more,
        seen.decoy,
    )
    assert leaks.score(leaks.signals(wider)) >= leaks.score(found)


@pytest.mark.parametrize("address, network", [
    ("192.0.2.77", "192.0.2.0/24"), ("::ffff:192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), (None, "unknown"),
    ("testclient", "unknown"),
])
def test_of_an_address_its_network_is_kept(address, network):
    assert leaks.network_of(address) == network


def test_what_is_seen_adds_up_within_the_hour_and_is_forgotten_after_a_week(either, clock):
    for _ in range(2):
        with either.session() as session:
            leaks.record(session, [
                Glimpse("key_a", "192.0.2.0/24", "a/1", "", 3, 2), Glimpse("key_a", "198.51.100.0/24", "a/1", "x.example", 1, 5),
                Glimpse("key_b", "203.0.113.0/24", "b/1", "", 1, 1),
            ])
    seen = look(either, videos=4, usual=2.0)
    assert seen == Seen(("192.0.2.0/24", "198.51.100.0/24"), ("a/1",), ("x.example",), peak=5, work=Work(4, 2.0))
    with either.engine.connect() as connection:
        assert connection.execute(text("SELECT SUM(requests) FROM sightings WHERE key_id = 'key_a'")).scalar() == 8
    clock.at += 3600
    assert look(either).networks == ()
    clock.pass_days(8)
    with either.session() as session:
        leaks.record(session, [])
    with either.engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM sightings")).scalar() == 0


def test_steps_go_up_and_each_is_taken_once_a_day(database, clock):
    assert assess(database, Seen()) is None
    assert assess(database, Seen(networks=tuple("abcdefg"))).step == "notify"
    assert assess(database, Seen(networks=tuple("abcdefgh"))) is None
    frozen = assess(database)
    assert frozen.step == "freeze" and assess(database) is None
    said = leaks.words(frozen)
    assert "11 networks" in said and "198.3.100.0/24" in said and "It opens nothing now" in said
    assert assess(database, key="key_b").step == "freeze"  # another key is another matter
    clock.pass_days(1.1)
    assert assess(database, Seen(networks=tuple("abcdefg"))).step == "notify"
    with database.session() as session:
        audit.verify(session, audit.Signer().verifier)
        kinds = [kind for _, _, kind, _ in audit.told(session, "ana")]
    assert kinds == ["leak.notify", "leak.freeze", "leak.freeze", "leak.notify"]


def test_the_artist_sees_the_evidence_contests_it_and_somebody_else_decides(database, clock):
    with database.session() as session:
        leaks.record(session, [Glimpse("key_a", network, "a/1", "", 1, 1) for network in SPREAD.networks])
    alarm = assess(database, look(database))
    with database.session() as session:
        [(seen, _, _)] = leaks.listed(session, "ana")
        assert seen.signals == alarm.signals and leaks.listed(session, "ben") == []
        for person, statement, why in (("ben", "no", "key of yours"), ("ana", " ", "characters"), ("ana", "x" * 5001, "5001")):
            with pytest.raises(LeakError, match=why):
                leaks.contest(session, alarm.id, person, statement)
        leaks.contest(session, alarm.id, "ana", "I was on a train.")
        with pytest.raises(LeakError, match="before"):
            leaks.contest(session, alarm.id, "ana", "Really.")
        for by, reasons, why in (("ana", "mine", "no person"), ("olga", " ", "with reasons")):
            with pytest.raises((LeakError, people.PeopleError), match=why):
                leaks.decide(session, alarm.id, False, by, reasons)
    clock.at += 5
    with database.session() as session:
        leaks.decide(session, alarm.id, False, "olga", "The train's networks.")
    assert look(database).networks == ()  # what was seen before counts no more
    with pytest.raises(LeakError, match="decided before"), database.session() as session:
        leaks.decide(session, alarm.id, True, "olga", "No, after all.")
    clock.at += 5
    assert assess(database).step == "freeze"  # and what comes after, does


def test_nobody_decides_on_an_alarm_about_their_own_key(database):
    alarm = assess(database, person="otto")
    with pytest.raises(LeakError, match="another operator"), database.session() as session:
        leaks.decide(session, alarm.id, False, "otto", "It is fine.")
    for statement, why in (
        (f"INSERT INTO verdicts VALUES ('{alarm.id}', 'otto', 0, 'fine', 'otto', 0)", "verdict_not_on_oneself"),
        ("UPDATE alarms SET score = 0", "append-only"), ("DELETE FROM alarms", "append-only"),
    ):
        with pytest.raises(DBAPIError, match=why), database.engine.begin() as connection:
            connection.execute(text(statement))


def test_what_was_upheld_unheard_is_contested_once_and_another_decides(either):
    alarm = assess(either)
    with either.session() as session:
        leaks.decide(session, alarm.id, True, "olga", "It looks so.")
        leaks.contest(session, alarm.id, "ana", "I was on a train.")
    for by, why in (("olga", "another operator"), ("ana", "no person")):
        with pytest.raises((LeakError, people.PeopleError), match=why), either.session() as session:
            leaks.decide(session, alarm.id, False, by, "Still.")
    statement = f"INSERT INTO second_verdicts VALUES ('{alarm.id}', 'ana', true, 'so', 'olga', 0)"
    with pytest.raises(DBAPIError, match="somebody else decides"), either.engine.begin() as connection:
        connection.execute(text(statement))
    with either.session() as session:
        leaks.decide(session, alarm.id, False, "otto", "She was.")
        [(_, _, verdict)] = leaks.listed(session, "ana")
        assert (verdict.upheld, verdict.decider) == (False, "otto")
    with pytest.raises(LeakError, match="before"), either.session() as session:
        leaks.contest(session, alarm.id, "ana", "Again.")
    with pytest.raises(LeakError, match="decided before"), either.session() as session:
        leaks.decide(session, alarm.id, True, "olga", "No.")
    with pytest.raises(DBAPIError, match="append-only"), either.engine.begin() as connection:
        connection.execute(text(f"UPDATE alarms SET signals = '[{'7' * 5000}]'"))


def test_countries_are_those_of_the_registries_and_private_networks_have_none(database):
    assert leaks.countries_of(["8.8.8.0/24", "80.187.3.0/24", "80.187.4.0/24", "192.168.0.0/24", "unknown", "2001:67c::/48"]) == (
        "DE", "IE", "US"
    )
    with database.session() as session:
        leaks.record(session, [
            Glimpse("key_a", network, "a/1", "", 1, 1) for network in ("8.8.8.0/24", "80.187.3.0/24", "1.0.16.0/24", "2001:67c::/48")
        ])
    seen = look(database)
    assert seen.countries == ("DE", "IE", "JP", "US")
    assert any("registered in 4 countries" in signal.words and signal.evidence == seen.countries for signal in leaks.signals(seen))


def test_how_unlike_prompts_are():
    alike = [f"a lighthouse in a storm, waves, slow pan, take {number}" for number in range(9)]
    unlike = ["red dunes", "my cat at night", "a city of glass", "old ships burning", "two dancers", "snow over Kyoto"]
    assert leaks.variety(alike) < 0.25 and leaks.variety(unlike) > 0.8
    assert leaks.variety([]) == leaks.variety(["one"]) == leaks.variety(["same", "same"]) == 0
    said = leaks.signals(Seen(work=Work(12, 9.0, leaks.variety(unlike), leaks.variety(alike))))
    assert [signal.name for signal in said] == ["variety"] and not any(word in said[0].words for word in ("cat", "dunes"))


def test_a_copy_in_public_speaks_against_a_key_for_a_month_and_until_that_was_contested(either, clock):
    with either.session() as session:
        leaks.find_copy(session, "key_a", "ana", "video_1", "https://free.example/1", "olga")
        for url, by, why in (("free.example", "olga", "address"), ("https://a b", "olga", "address"), ("https://a", "ana", "no person")):
            with pytest.raises((LeakError, people.PeopleError), match=why):
                leaks.find_copy(session, "key_a", "ana", "video_1", url, by)
    assert look(either).copies == ("https://free.example/1",) and look(either, "key_b").copies == ()
    alarm = assess(either, look(either))
    assert alarm.step == "notify" and "https://free.example/1" in leaks.words(alarm)
    clock.at += 5
    with either.session() as session:
        leaks.decide(session, alarm.id, False, "olga", "It is her own page.")
    assert look(either).copies == ()
    clock.at += 5
    with either.session() as session:
        leaks.find_copy(session, "key_a", "ana", "video_2", "https://free.example/2", "olga")
    clock.pass_days(29)
    assert look(either).copies == ("https://free.example/2",)
    clock.pass_days(2)
    assert look(either).copies == ()
