"""Leaks as a server meets them: a relay over 30 addresses, a decoy, a foreign page, a published key; and innocent others."""

import base64
import re

import pytest
from serving import Server, until
from sqlalchemy import select
from test_access import join, open_cohort

from lanterne.programme import cohorts, leaks, people, release, report, review
from lanterne.programme.cohorts import Quotas
from lanterne.programme.identity import identity
from lanterne.programme.pay import Actor
from lanterne.service import access, drill, keys, revocation, watch
from lanterne.service.access import Wish
from lanterne.service.database import Database, Key, Video
from lanterne.service.provenance import number_of, traced
from lanterne.service.watch import Found


@pytest.fixture(scope="module")
def own(tiny_weights, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("watch") / "home", tiny_weights).start("--no-worker")
    yield server
    assert server.stop() == 0, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def database(own, monkeypatch):
    monkeypatch.setenv("LANTERNE_HOME", str(own.home))
    database = Database(f"sqlite:///{own.home / 'service.db'}")
    with database.session() as session:
        open_cohort(session, f"of{len(cohorts.listed(session))}")  # and with the first, an operator
    return database


@pytest.fixture
def ana(database, request):
    """An artist's two keys, as (id, text), in a cohort of the test's own."""
    name = re.sub(r"\W", "", request.node.name)[:40]
    with database.session() as session:
        open_cohort(session, f"c{name}", Quotas(100, 6000))
        person = join(session, f"c{name}", f"a{name}")
        return [access.make_key(session, person, f"c{name}", Wish(place)) for place in ("laptop", "studio")]


def alarm_of(database, key_id):
    with database.session() as session:
        return session.scalar(select(leaks.Alarm).where(leaks.Alarm.key_id == key_id).order_by(leaks.Alarm.score.desc()).limit(1))


def outbox(own):
    return "".join(path.read_text() for path in (own.home / "outbox").glob("*.eml"))


def test_a_relay_is_noticed_and_cut_and_nobody_else_is(own, database):
    outcome = drill.leak(database, f"http://127.0.0.1:{own.port}", seconds=240)
    print(f"\n{outcome.table()}")
    assert outcome.detected is not None and outcome.cut is not None
    assert outcome.innocent > 0 and outcome.collateral == 0
    until(lambda: "Drill: freeze: key_" in outbox(own))
    assert "This is a drill" in outbox(own)
    with database.session() as session:  # nothing of it is left to be taken for more
        assert not session.scalars(select(Key).where(Key.name == "drill")).all()
        drilled = [(alarm, verdict) for alarm, _, verdict in leaks.listed(session) if leaks.of_drill(alarm.person_id)]
        assert drilled and all(verdict.reasons.startswith("This was a drill") for _, verdict in drilled)
        told = report.make(session).told
    assert told["steps"]["drill.freeze"] == 1 and not any(kind.startswith("leak.") for kind in told["steps"])
    assert set(told["figures"]["access"]["alarms"].values()) == {0} and set(told["figures"]["access"]["alarms_decided"].values()) == {0}


def test_three_places_and_much_work_are_no_leak(own, database):
    outcome = drill.leak(database, f"http://127.0.0.1:{own.port}", addresses=3, seconds=3)
    assert (outcome.detected, outcome.cut, outcome.collateral) == (None, None, 0) and outcome.let_in > 0
    assert "never" in outcome.table()


@pytest.mark.parametrize("url, addresses, why", [
    ("https://127.0.0.1", 3, "not on this machine"), ("http://videos.example.org", 3, "not on this machine"), ("x", 3, "not on this"),
    ("http://127.0.0.1:9", 0, "addresses=0"), ("http://127.0.0.1:9", 3, "No server answers"),
])
def test_where_no_drill_can_be_held(database, url, addresses, why):
    with pytest.raises(drill.DrillError, match=why):
        drill.leak(database, url, addresses)
    with database.session() as session:
        assert not session.scalars(select(Key).where(Key.name == "drill")).all()


def test_a_decoy_opens_nothing_and_any_use_is_an_alarm(own, database):
    with database.session() as session:
        text = watch.make_decoy(session, "in the press kit", "decoy", "olga")
        key_id = keys.by_text(session, text).id
    with own.http(text) as http:
        answer = http.get("/v1/videos")
    with own.http("ltn_" + "0" * 30 + keys._checksum("0" * 30)) as http:
        assert answer.json() == http.get("/v1/videos").json() and answer.status_code == 401  # nothing tells it from junk
    until(lambda: alarm_of(database, key_id))
    assert alarm_of(database, key_id).step == "freeze"
    until(lambda: "a decoy" in outbox(own))
    with database.session() as session:
        [mail] = watch.letters(session, alarm_of(database, key_id))
    assert mail.subject == f"freeze: {key_id} of decoy, {alarm_of(database, key_id).id}"
    assert f"`lanterne leaks show {alarm_of(database, key_id).id}`" in mail.text


def test_a_key_in_somebodys_page_is_told_and_a_lifted_alarm_opens_again(own, database, ana):
    (key_id, text), (_, other) = ana
    with own.http(text) as http:
        http.get("/v1/models", headers={"origin": f"http://127.0.0.1:{own.port}"})  # our own pages are no sign
        http.get("/v1/models", headers={"origin": "https://free.example"})
        until(lambda: alarm_of(database, key_id))
        assert alarm_of(database, key_id).step == "notify"
        until(lambda: "free.example" in outbox(own))
        http.get("/v1/models", headers={"referer": "https://more.example/page"})
        until(lambda: alarm_of(database, key_id).step == "throttle")
        until(lambda: http.get("/v1/models").status_code == 429)
        with own.http(other) as innocent:
            assert [innocent.get("/v1/models").status_code for _ in range(3)] == [200] * 3
        with database.session() as session:
            watch.lift(session, alarm_of(database, key_id).id, "olga", "They are her own pages.")
        until(lambda: [http.get("/v1/models").status_code for _ in range(3)] == [200] * 3)
    with database.session() as session:
        notified = next(alarm for alarm, *_ in leaks.listed(session) if alarm.key_id == key_id and alarm.step == "notify")
        watch.uphold(session, notified.id, "olga", "They were not.")
        assert session.get(Key, key_id).revoked_at is not None


def test_a_published_key_is_revoked_at_once_and_what_is_none_is_said(own, database, ana):
    (_, text), (_, other) = ana
    found = [Found(text, "lanterne", "https://example.org/x"), Found("ltn_junk", "lanterne", ""), Found(text, "lanterne", "")]
    with database.session() as session:
        answers, mails = watch.report(session, found)
    assert [answer["label"] for answer in answers] == ["true_positive", "false_positive", "true_positive"]
    assert len(mails) == 1 and "https://example.org/x" in mails[0].text and text not in mails[0].text
    with own.http(text) as http, own.http(other) as innocent:
        until(lambda: http.get("/v1/models").status_code == 401)
        assert innocent.get("/v1/models").status_code == 200


def test_a_copy_in_public_raises_an_alarm_unless_the_video_is_released(own, database, ana, monkeypatch):
    (key_id, text), (other, _) = ana
    with own.http(text) as http:
        made = [http.post("/v1/videos", json={"prompt": prompt, "seconds": "1", "seed": 7}).json()["id"] for prompt in ("dunes", "snow")]
    with database.session() as session:
        mine = session.scalars(select(Video).where(Video.id.in_(made)).order_by(Video.number)).all()
        numbers = [number_of(identity().watermark_secret, video, []) for video in mine]
        keys.insert(session, "clerk", "olga", ["admin"], None, keys.Quota())
        artist = mine[0].owner
        policy = review.publish_policy(session, Actor("olga", operator=True), "words", {"1": "A real person."}, credit=1, currency="EUR")
        asked = review.Request(
            id="asked", video_id=made[1], sha256="ab" * 32, seconds=1.0, artist_id=artist, policy=policy.version, sampled=False,
            requested_at=1, due_at=2,
        )
        session.add(asked)
        session.flush()
        session.add(review.Look(
            request_id="asked", stage="first", artist_id=artist, reviewer="rita", verdict="approve", ground=None, explanation="", times=[],
            looked_at=1,
        ))
        session.flush()
        session.add(release.Release(request_id="asked", sha256="ab" * 32, released_at=1))
    with database.session() as session:
        assert list(traced(database, 1)) == []
        for number, public in zip(numbers, (False, True), strict=True):
            [one], mails = watch.report_copy(session, list(traced(database, number)), "https://free.example/1", "olga")
            assert one.public == public and len(mails) == len(one.alarms) == (not public)
            assert public or (one.alarms[0].key_id, one.alarms[0].step) == (key_id, "notify")
        with pytest.raises(people.PeopleError):
            watch.report_copy(session, list(traced(database, numbers[0])), "https://free.example/1", artist)
    with database.session() as session:
        revocation.revoke_key(session, key_id, "olga", "It leaked.")
    with database.session() as session:  # the key is over: whatever else the artist has may be what others know
        [one], _ = watch.report_copy(session, list(traced(database, numbers[0])), "https://free.example/2", "olga")
        assert [alarm.key_id for alarm in one.alarms] == [other]


def test_an_operator_reports_a_copy_over_http(own, database, ana):
    (key_id, text), _ = ana
    with own.http(text) as http:
        video_id = http.post("/v1/videos", json={"prompt": "a pier", "seconds": "1", "seed": 7}).json()["id"]
    with database.session() as session:
        number = number_of(identity().watermark_secret, session.scalar(select(Video).where(Video.id == video_id)), [])
        clerk = keys.insert(session, "clerk", "olga", ["admin"], None, keys.Quota())[1]
    body = {"watermark": f"{number:010x}", "url": "https://free.example/pier"}
    with own.http(clerk) as http:
        [seen] = http.post("/programme/desk/copies", json=body).json()["data"]
        assert seen["id"] == video_id and not seen["released"]
        assert alarm_of(database, key_id).signals[0]["evidence"] == ["https://free.example/pier"]
        assert http.post("/programme/desk/copies", json=body | {"watermark": "0" * 10}).json() == {"data": []}
        for wrong in ({"watermark": "x"}, {"url": "free.example"}):
            assert http.post("/programme/desk/copies", json=body | wrong).status_code == 400
    with own.http(text) as http:
        assert http.post("/programme/desk/copies", json=body).status_code == 403
    until(lambda: "free.example/pier" in outbox(own))


def test_signatures_are_githubs():
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = generate_private_key(SECP256R1())
    known = {"k1": private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()}
    signature = base64.b64encode(private.sign(b"[]", ECDSA(SHA256()))).decode()
    assert watch.signed(b"[]", "k1", signature, known)
    for body, key_id, said in ((b"[ ]", "k1", signature), (b"[]", "k2", signature), (b"[]", None, signature), (b"[]", "k1", None),
                               (b"[]", "k1", "é"), (b"[]", "k1", "AAAA")):
        assert not watch.signed(body, key_id, said, known)
    assert not watch.signed(b"[]", "k1", signature, {"k1": "no key"})
