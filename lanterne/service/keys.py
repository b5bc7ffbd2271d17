"""Keys to the API: `ltn_`, 30 characters of chance, 6 of their checksum. Shown once; kept as an HMAC under the server's secret.

The checksum (CRC32, as GitHub's tokens have it) lets junk be refused before the database is asked, and scanners be sure of a find.
"""

import hmac
import secrets
import string
from dataclasses import dataclass
from zlib import crc32

from sqlalchemy import select, update

from lanterne.errors import LanterneError
from lanterne.paths import secret
from lanterne.service.database import Database, Key, now
from lanterne.service.errors import APIError

PREFIX, RANDOM, CHECK = "ltn_", 30, 6
SCOPES = ("videos:read", "videos:write", "metrics")
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


@dataclass(frozen=True)
class Caller:
    """Who is asking, by the key that was shown."""

    key_id: str
    owner: str
    scopes: tuple[str, ...]

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise APIError(403, "missing_scope", f"This key does not have the scope {scope}; use one that has it.")


def new_text() -> str:
    body = "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM))
    return PREFIX + body + _checksum(body)


def looks_right(text: str) -> bool:
    """Whether this can be a key at all; nothing is asked of the database."""
    body, check = text[len(PREFIX) : -CHECK], text[-CHECK:]
    return text.startswith(PREFIX) and len(text) == len(PREFIX) + RANDOM + CHECK and text.isascii() and check == _checksum(body)


def _checksum(body: str) -> str:
    value, digits = crc32(body.encode()), ""
    for _ in range(CHECK):
        value, digit = divmod(value, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def server_secret() -> bytes:
    return secret("server-secret")


def _hash(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), "sha256").hexdigest()


def create(database: Database, name: str, owner: str, scopes: list[str], days: int | None = None) -> str:
    """A new key's text, which nobody can look up again. Raises LanterneError for an unknown scope."""
    for scope in scopes:
        if scope not in SCOPES:
            raise LanterneError(f"There is no scope {scope!r}; give some of {', '.join(SCOPES)}.")
    text, at = new_text(), now()
    with database.session() as session:
        session.add(
            Key(
                id=f"key_{secrets.token_hex(6)}", owner=owner, name=name, hash=_hash(text, server_secret()), scopes=sorted(set(scopes)),
                created_at=at, expires_at=at + days * 86400 if days else None, revoked_at=None,
            )
        )
    return text


def listed(database: Database) -> list[Key]:
    with database.session() as session:
        return list(session.scalars(select(Key).order_by(Key.created_at, Key.id)))


def revoke(database: Database, key_id: str) -> None:
    """Raises LanterneError where there is no such key in use."""
    with database.session() as session:
        done = session.execute(update(Key).where(Key.id == key_id, Key.revoked_at.is_(None)).values(revoked_at=now()))
        if not done.rowcount:
            raise LanterneError(f"There is no key {key_id!r} in use; `lanterne keys list` shows them.")


def caller(database: Database, secret: bytes, authorization: str | None) -> Caller:
    """Who shows this Authorization header. Raises APIError 401."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise _unauthorised("There is no key in this request; send `Authorization: Bearer ltn_…`.")
    text = text.strip()
    if not looks_right(text):
        raise _unauthorised("This is not a key of this server, or a letter of it is wrong; `lanterne keys create` makes one.")
    with database.session() as session:
        key = session.scalar(select(Key).where(Key.hash == _hash(text, secret)))
    if key is None or key.revoked_at is not None:
        raise _unauthorised("This key is unknown or was revoked; ask for another.")
    if key.expires_at is not None and key.expires_at <= now():
        raise _unauthorised("This key has expired; ask for another.")
    return Caller(key.id, key.owner, tuple(key.scopes))


def _unauthorised(message: str) -> APIError:
    return APIError(401, "invalid_api_key", message, headers={"www-authenticate": "Bearer"})
