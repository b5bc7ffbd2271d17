"""Keys: what they look like, what is kept of them, whom they let in."""

import asyncio
import secrets
import stat

import pytest
from serving import new_key, revoke

from lanterne.errors import LanterneError
from lanterne.service import keys
from lanterne.service.database import Database, Use
from lanterne.service.errors import APIError


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    database.migrate()
    return database


def test_a_key_carries_its_checksum():
    text = keys.new_text()
    assert len(text) == 40 and text.startswith("ltn_") and keys.looks_right(text)
    for place in range(4, 40):
        other = "1" if text[place] == "0" else "0"
        assert not keys.looks_right(text[:place] + other + text[place + 1 :])
    for junk in ("", "ltn_", "sk-" + text[4:], text + "0", text[:-1] + "é", text[:-1]):
        assert not keys.looks_right(junk)


def test_the_text_is_nowhere_kept_and_the_secret_is_the_users_alone(database, tmp_path, home):
    text = new_key(database, "laptop", "me", ["videos:read"])
    kept = b"".join(path.read_bytes() for path in [*tmp_path.glob("service.db*"), home / "server-secret"])
    assert text.encode() not in kept and text[4:34].encode() not in kept
    assert stat.S_IMODE((home / "server-secret").stat().st_mode) == 0o600
    assert keys.server_secret() == keys.server_secret()


def who(database, authorization, secret=None):
    return asyncio.run(keys.Keyring(database, secret or keys.server_secret()).caller(authorization))


def test_who_is_asking(database):
    text = new_key(database, "laptop", "me", ["videos:read"])
    caller = who(database, f"bearer  {text}")
    assert (caller.owner, caller.scopes) == ("me", ("videos:read",))
    with pytest.raises(APIError, match="videos:write"):
        caller.require("videos:write")
    with pytest.raises(APIError, match="unknown or was revoked"):
        who(database, f"Bearer {text}", b"another server's secret")


def test_revoked_and_expired_keys_let_nobody_in(database, monkeypatch):
    text = new_key(database, "laptop", "me", ["videos:read"])
    [key] = keys.listed(database)
    revoke(database, key.id)
    with pytest.raises(APIError, match="revoked"):
        who(database, f"Bearer {text}")
    with pytest.raises(LanterneError, match="no key"):
        revoke(database, key.id)
    short = new_key(database, "laptop", "me", ["videos:read"], days=1)
    monkeypatch.setattr(keys, "now", lambda: key.created_at + 2 * 86400)
    with pytest.raises(APIError, match="expired"):
        who(database, f"Bearer {short}")


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer ", "Bearer sk-123", "Bearer ltn_" + "0" * 36])
def test_junk_never_reaches_the_database(tmp_path, header):
    with pytest.raises(APIError) as refused:
        who(Database(f"sqlite:///{tmp_path / 'empty.db'}"), header)  # it has no tables, and would fail if it were asked
    assert refused.value.status == 401


def test_an_unknown_scope_is_refused(database):
    with pytest.raises(LanterneError, match="videos:read, videos:write"):
        new_key(database, "laptop", "me", ["everything"])


def test_a_revoked_key_is_believed_for_less_than_a_second(database):
    async def watch():
        ring = keys.Keyring(database, keys.server_secret())
        caller = await ring.caller(f"Bearer {text}")
        revoke(database, caller.key_id)
        while await ring.still_opens(caller):
            await asyncio.sleep(0.01)

    text = new_key(database, "laptop", "me", ["videos:read"])
    assert keys._BELIEVED < 1
    asyncio.run(asyncio.wait_for(watch(), 60))


def _use(database, key, seconds, video=None):
    with database.session() as session:
        keys.use(session, key.id, video or f"video_{secrets.token_hex(8)}", seconds)


def test_a_quota_moves_with_the_time(database, monkeypatch):
    new_key(database, "laptop", "me", ["videos:write"], quota=keys.Quota(videos=3, seconds=20, days=2))
    [key] = keys.listed(database)
    clock = [keys.now()]
    monkeypatch.setattr(keys, "now", lambda: clock[0])
    _use(database, key, 10, "video_a")
    clock[0] += 3600
    _use(database, key, 8)
    with pytest.raises(APIError, match="2 of 3 videos and 18 of 20 seconds in 2 days") as refused:
        _use(database, key, 4)
    assert refused.value.status == 429 and refused.value.headers["retry-after"] == str(2 * 86400 - 3600)
    with pytest.raises(APIError) as refused:  # both have to leave
        _use(database, key, 15)
    assert refused.value.headers["retry-after"] == str(2 * 86400)
    with pytest.raises(APIError, match="over the 20") as refused:
        _use(database, key, 21)
    assert refused.value.status == 400
    _use(database, key, 1)
    with pytest.raises(APIError, match="3 of 3 videos"):
        _use(database, key, 1)
    clock[0] += int(2 * 86400 - 3600) - 1
    with pytest.raises(APIError) as refused:
        _use(database, key, 4)
    assert refused.value.headers["retry-after"] == "1"
    clock[0] += 1
    _use(database, key, 4)  # exactly when it was told
    assert keys.quota_text(database, key) == "3 of 3 videos and 13 of 20 seconds in 2 days"


def test_what_this_server_failed_to_make_counts_for_nothing(database):
    new_key(database, "laptop", "me", ["videos:write"], quota=keys.Quota(videos=1))
    [key] = keys.listed(database)
    _use(database, key, 4, "video_a")
    with database.session() as session:
        keys.give_back(session, "video_a")
    _use(database, key, 4)


def test_a_key_without_a_quota_is_not_counted(database):
    new_key(database, "laptop", "me", ["videos:write"])
    [key] = keys.listed(database)
    _use(database, key, 1000)
    with database.session() as session:
        assert session.query(Use).count() == 0
    assert keys.quota_text(database, key) == ""


def test_a_key_revoked_during_an_upload_queues_nothing(database):
    new_key(database, "laptop", "me", ["videos:write"])
    [key] = keys.listed(database)
    revoke(database, key.id)
    with pytest.raises(APIError, match="revoked"):
        _use(database, key, 1)
