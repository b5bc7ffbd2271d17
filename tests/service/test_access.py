"""Keys of artists: made under the terms that were accepted, with one quota, bound to networks, rotated."""

import asyncio

import pytest
from serving import new_key, revoke

from lanterne.errors import LanterneError
from lanterne.programme import audit, cohorts, ledger, people
from lanterne.programme.cohorts import CohortError, Quotas
from lanterne.service import access, keys
from lanterne.service.access import Wish
from lanterne.service.database import Database, Key, Video, now
from lanterne.service.errors import APIError

DAY = 86400


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    database.migrate()
    return database


def join(session, cohort, name):
    """A member, as an invitation leaves them behind; the password is not what this is about."""
    person = people.add(session, name, f"{name}@example.org", ["artist"], "olga", name)
    said = cohorts.offer(session, cohort)
    session.add(cohorts.Member(cohort_id=cohort, person_id=name, joined_at=now(), left_at=None))
    cohorts._write(session, said, name, None)
    return person.id


def open_cohort(session, name="spring", quotas=None, days=90):
    if session.get(people.Person, "olga") is None:
        people.open_account(session, "Olga", "olga@example.org", ["operator"], "olga", "olga")
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500}, "olga")
    return cohorts.open_cohort(session, name, "Be kind.", "artists", quotas or Quotas(3, 20, 30, 2), now() + days * DAY, "olga")


@pytest.fixture
def ana(database):
    with database.session() as session:
        open_cohort(session)
        return join(session, "spring", "ana")


def make(database, person="ana", cohort="spring", **wish):
    with database.session() as session:
        return access.make_key(session, person, cohort, Wish(**{"name": "laptop"} | wish))


def who(database, text, address="192.0.2.7", ring=None):
    return asyncio.run((ring or keys.Keyring(database, keys.server_secret())).caller(f"Bearer {text}", address))


def _ask(database, key_id, seconds):
    """What writing a video down does about limits."""
    with database.session() as session:
        video = Video(
            id=f"video_{now()}_{session.query(Video).count()}", owner="ana", key_id=key_id, kind="create", status="queued", prompt="a",
            model="m", width=16, height=16, seconds=seconds, plan={}, stopping=False, created_at=now(),
        )
        session.add(video)
        session.flush()
        keys.use(session, key_id, video.id, seconds)
    return video.id


def _finish(database):
    with database.session() as session:
        session.query(Video).update({"status": "completed"})


def test_a_key_has_the_quota_of_what_was_accepted_in_one_with_the_others(database, ana):
    (first, text), (second, _) = make(database), make(database)
    assert who(database, text).owner == "ana" and who(database, text).watched
    _ask(database, first, 8)
    _ask(database, second, 8)
    with pytest.raises(APIError, match="2 videos queued or in progress at once"):
        _ask(database, second, 1)
    _finish(database)
    with pytest.raises(APIError, match="2 of 3 videos and 16 of 20 seconds"):
        _ask(database, first, 8)
    _ask(database, second, 4)
    with pytest.raises(APIError, match="3 of 3 videos"):
        _ask(database, first, 1)
    with database.session() as session:
        audit.verify(session, audit.Signer().verifier)


def test_the_next_terms_change_the_quota_when_they_are_accepted(database, ana):
    key_id, _ = make(database)
    with database.session() as session:
        newer = cohorts.publish_terms(session, "spring", "More.", "artists", Quotas(9, 90), now() + 10 * DAY, "olga")
    with database.session() as session:
        assert session.get(Key, key_id).max_videos == 3
        access.accept_next(session, "spring", newer.sha256, "ana")
    with database.session() as session:
        key = session.get(Key, key_id)
        assert (key.max_videos, key.max_seconds, key.expires_at) == (9, 90, newer.ends_at)


def test_a_key_ends_with_the_cohort_at_the_latest(database, ana):
    with database.session() as session:
        ends_at = cohorts.offer(session, "spring").ends_at
    for days, expires_at in ((None, ends_at), (1000, ends_at), (5, now() + 5 * DAY)):
        key_id, _ = make(database, days=days)
        with database.session() as session:
            assert abs(session.get(Key, key_id).expires_at - expires_at) < 60


def test_a_rotated_key_and_its_successor_share_rights_and_quota(database, ana, monkeypatch):
    key_id, old = make(database, networks=("192.0.2.0/24",))
    _ask(database, key_id, 4)
    with database.session() as session:
        successor, new = access.rotate(session, "ana", key_id, 2)
    assert who(database, old).key_id == key_id and who(database, new).key_id == successor
    _ask(database, successor, 4)
    _finish(database)
    with pytest.raises(APIError, match="2 of 3 videos and 8 of 20"):
        _ask(database, successor, 20)
    clock = keys.now() + 2 * 3600
    monkeypatch.setattr(keys, "now", lambda: clock)
    with pytest.raises(APIError, match="expired"):
        who(database, old)
    assert who(database, new).key_id == successor
    with pytest.raises(APIError, match="may not be used from 198"):
        who(database, new, "198.51.100.1")
    with pytest.raises(LanterneError, match="in use"), database.session() as session:
        access.rotate(session, "ana", key_id, 2)
    with pytest.raises(LanterneError, match="0 to 168"), database.session() as session:
        access.rotate(session, "ana", successor, 169)


def test_a_key_without_a_quota_is_rotated_too(database):
    new_key(database, "laptop", "me", ["videos:read"])
    with database.session() as session:
        _, text = keys.rotate(session, keys.listed(database)[0].id, 0)
    assert who(database, text).owner == "me" and not who(database, text).watched


@pytest.mark.parametrize("address, lets_in", [
    ("192.0.2.255", True), ("::ffff:192.0.2.1", True), ("2001:db8::5", True), ("192.0.3.1", False), ("2001:db9::5", False), (None, False),
    ("unix", False),
])
def test_networks(database, ana, address, lets_in):
    _, text = make(database, networks=("192.0.2.9/24", "2001:db8::/32"))
    if lets_in:
        assert who(database, text, address).owner == "ana"
    else:
        with pytest.raises(APIError) as refused:
            who(database, text, address)
        assert (refused.value.status, refused.value.code) == (403, "wrong_network")
        assert "192.0.2.0" not in str(refused.value)  # who found the key is not told from where it works


def test_a_throttled_key_is_let_in_now_and_then_and_a_frozen_one_not(database, ana):
    key_id, text = make(database)
    _, other = make(database)
    with database.session() as session:
        session.get(Key, key_id).throttled_at = now()
    ring = keys.Keyring(database, keys.server_secret())
    caller = who(database, text, ring=ring)
    ring.pace(caller)
    with pytest.raises(APIError) as refused:
        ring.pace(caller)
    assert refused.value.status == 429 and refused.value.headers["retry-after"] == "2"
    for _ in range(3):
        ring.pace(who(database, other, ring=ring))
    with database.session() as session:
        session.get(Key, key_id).frozen_at = now()
    with pytest.raises(APIError) as refused:
        who(database, text)
    assert (refused.value.status, refused.value.code) == (403, "key_frozen")
    with pytest.raises(LanterneError, match="is frozen"), database.session() as session:
        access.rotate(session, "ana", key_id, 2)
    with pytest.raises(APIError, match="frozen"):
        _ask(database, key_id, 1)


@pytest.mark.parametrize("wish, why", [
    ({"scopes": ("metrics",)}, "'metrics' cannot be given"), ({"scopes": ()}, "opens nothing"), ({"name": " "}, "name"),
    ({"days": 0}, "days=0"), ({"networks": ("here",)}, "networks cannot be read"), ({"networks": ("10.0.0.0/8",) * 21}, "21"),
    ({"cohort": "autumn"}, "no cohort"), ({"person": "ben"}, "no person"),
])
def test_what_cannot_be_made(database, ana, wish, why):
    with pytest.raises(LanterneError, match=why):
        make(database, **wish)


def test_only_members_make_keys_and_not_without_end(database, ana):
    with database.session() as session:
        people.add(session, "Ben", "ben@example.org", ["artist"], "olga", "ben")
    with pytest.raises(CohortError, match="not in the cohort"):
        make(database, "ben")
    made = [make(database) for _ in range(access.MOST_KEYS)]
    with pytest.raises(LanterneError, match="10 keys in use"):
        make(database)
    revoke(database, made[0][0])
    make(database)
    with pytest.raises(LanterneError, match="among yours"), database.session() as session:
        access.rotate(session, "ben", made[1][0], 2)
