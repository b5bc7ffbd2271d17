"""Keys: what they look like, what is kept of them, whom they let in."""

import stat

import pytest

from lanterne.errors import LanterneError
from lanterne.service import keys
from lanterne.service.database import Database
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
    text = keys.create(database, "laptop", "me", ["videos:read"])
    kept = b"".join(path.read_bytes() for path in [*tmp_path.glob("service.db*"), home / "server-secret"])
    assert text.encode() not in kept and text[4:34].encode() not in kept
    assert stat.S_IMODE((home / "server-secret").stat().st_mode) == 0o600
    assert keys.server_secret() == keys.server_secret()


def test_who_is_asking(database):
    text = keys.create(database, "laptop", "me", ["videos:read"])
    caller = keys.caller(database, keys.server_secret(), f"bearer  {text}")
    assert (caller.owner, caller.scopes) == ("me", ("videos:read",))
    with pytest.raises(APIError, match="videos:write"):
        caller.require("videos:write")
    with pytest.raises(APIError, match="unknown or was revoked"):
        keys.caller(database, b"another server's secret", f"Bearer {text}")


def test_revoked_and_expired_keys_let_nobody_in(database, monkeypatch):
    text = keys.create(database, "laptop", "me", ["videos:read"])
    [key] = keys.listed(database)
    keys.revoke(database, key.id)
    with pytest.raises(APIError, match="revoked"):
        keys.caller(database, keys.server_secret(), f"Bearer {text}")
    with pytest.raises(LanterneError, match="no key"):
        keys.revoke(database, key.id)
    short = keys.create(database, "laptop", "me", ["videos:read"], days=1)
    monkeypatch.setattr(keys, "now", lambda: key.created_at + 2 * 86400)
    with pytest.raises(APIError, match="expired"):
        keys.caller(database, keys.server_secret(), f"Bearer {short}")


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer ", "Bearer sk-123", "Bearer ltn_" + "0" * 36])
def test_junk_never_reaches_the_database(header):
    with pytest.raises(APIError) as refused:
        keys.caller(None, b"", header)  # a database that was asked would fail otherwise
    assert refused.value.status == 401


def test_an_unknown_scope_is_refused(database):
    with pytest.raises(LanterneError, match="videos:read, videos:write"):
        keys.create(database, "laptop", "me", ["everything"])
