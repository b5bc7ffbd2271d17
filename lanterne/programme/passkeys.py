"""Passkeys: somebody's own devices open a session without a password, by signing a challenge (W3C Web Authentication, level 3).

Only public keys are kept. A challenge is kept as a hash, in the database, since several web processes answer; it is spent by the first
answer, right or wrong, and lasts for minutes. The device must have made sure who holds it, and the browser must have been at this site.
"""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from sqlalchemy import BigInteger, ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.programme import audit, people
from lanterne.programme.people import PeopleError
from lanterne.tables import Base, now

MINUTES = 5  # for which a challenge lasts
MOST = 20  # passkeys of a person
_PORTS = {"http": 80, "https": 443}  # that browsers leave out of an origin


class PasskeyError(PeopleError):
    """A passkey or a challenge that does not hold, in one sentence."""


class Passkey(Base):
    """id: the credential's, base64url. uses: the device's own count, which only rises; 0 where it keeps none."""

    __tablename__ = "passkeys"
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    name: Mapped[str]
    public_key: Mapped[str]  # base64url of COSE
    uses: Mapped[int] = mapped_column(BigInteger)
    added_at: Mapped[int]
    used_at: Mapped[int | None]


class Challenge(Base):
    """person_id: who would add a passkey; None: somebody who would sign in."""

    __tablename__ = "passkey_challenges"
    hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    expires_at: Mapped[int] = mapped_column(index=True)


@dataclass(frozen=True)
class Site:
    """Where passkeys are for: the host that devices remember, and the origin that browsers are at."""

    host: str
    origin: str

    @classmethod
    def at(cls, url: str) -> "Site":
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port and parts.port != _PORTS.get(parts.scheme) else ""
        return cls(parts.hostname, f"{parts.scheme}://{parts.hostname}{port}")


# Adding.


def begin_adding(session: Session, site: Site, person_id: str) -> dict:
    """What a browser passes to navigator.credentials.create. Raises PeopleError."""
    import webauthn
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    person = people.get(session, person_id)
    options = webauthn.generate_registration_options(
        rp_id=site.host, rp_name="Lanterne", user_id=sha256(person.id.encode()).digest(), user_name=person.email,
        user_display_name=person.name, challenge=_new_challenge(session, person.id), timeout=MINUTES * 60_000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(passkey.id)) for passkey in listed(session, person.id)
        ],
    )
    return json.loads(webauthn.options_to_json(options))


def add(session: Session, site: Site, person_id: str, credential: dict, challenge: bytes, name: str) -> Passkey:
    """A device answered; challenge: as `spend` gave it. Raises PasskeyError, PeopleError."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url

    audit.take_turn(session)
    person, name = people.get(session, person_id), name.strip()
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise PasskeyError(f"The name {name[:80]!r} cannot be used; give 1 to 80 characters that can be printed.")
    if session.scalar(select(func.count()).select_from(Passkey).where(Passkey.person_id == person.id)) >= MOST:
        raise PasskeyError(f"You have {MOST} passkeys, which is all that you may have; remove one first.")
    try:
        found = webauthn.verify_registration_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=site.host, expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # the answer is bytes from outside: whatever a parser of theirs trips over is wrong with them
        raise _refused(error) from None
    passkey = Passkey(
        id=bytes_to_base64url(found.credential_id), person_id=person.id, name=name, uses=found.sign_count, added_at=now(), used_at=None,
        public_key=bytes_to_base64url(found.credential_public_key),
    )
    if session.get(Passkey, passkey.id) is not None:
        raise PasskeyError("This passkey was added before; sign in with it.")
    session.add(passkey)
    session.flush()
    audit.append(session, "passkey.added", {"person": person.id, "passkey": passkey.id}, person.id)
    return passkey


def listed(session: Session, person_id: str) -> list[Passkey]:
    return list(session.scalars(select(Passkey).where(Passkey.person_id == person_id).order_by(Passkey.added_at, Passkey.id)))


def remove(session: Session, person_id: str, passkey_id: str) -> None:
    """It opens nothing more, and every session of the person's ends: it may have begun with it. Raises PasskeyError."""
    audit.take_turn(session)
    if not session.execute(delete(Passkey).where(Passkey.id == passkey_id, Passkey.person_id == person_id)).rowcount:
        raise PasskeyError(f"There is no passkey {passkey_id[:80]!r} among yours; check the id.")
    people.end_sessions(session, person_id)
    audit.append(session, "passkey.removed", {"person": person_id, "passkey": passkey_id}, person_id)


# Signing in.


def begin_signing_in(session: Session, site: Site) -> dict:
    """What a browser passes to navigator.credentials.get. It names nobody: the device knows whose account it opens."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=site.host, challenge=_new_challenge(session, None), timeout=MINUTES * 60_000,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return json.loads(webauthn.options_to_json(options))


def sign_in(session: Session, site: Site, credential: dict, challenge: bytes) -> tuple[str, str]:
    """Whose passkey it is, and a session's text; challenge: as `spend` gave it. Raises PasskeyError."""
    import webauthn
    from webauthn.helpers import base64url_to_bytes

    passkey = session.get(Passkey, str(credential.get("id")), with_for_update=True, populate_existing=True)
    person = passkey and session.get(people.Person, passkey.person_id, populate_existing=True)
    if person is None or person.closed_at is not None:
        raise PasskeyError("This passkey opens no account here; sign in with the password, and add it then.")
    try:
        found = webauthn.verify_authentication_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=site.host, expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key), credential_current_sign_count=passkey.uses,
            require_user_verification=True,
        )
    except Exception as error:  # the answer is bytes from outside: whatever a parser of theirs trips over is wrong with them
        raise _refused(error) from None
    passkey.uses, passkey.used_at = found.new_sign_count, now()
    return person.id, people.begin_session(session, person.id)


# Challenges.


def spend(session: Session, credential: dict, person_id: str | None = None) -> bytes:
    """The challenge that a device's answer is to, which nobody can answer again: commit before the answer is looked at. Raises
    PasskeyError where it was not given, to this person, within its minutes, or was answered before."""
    from webauthn.helpers import base64url_to_bytes

    try:
        told = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        challenge = base64url_to_bytes(told["challenge"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _refused(error) from None
    whose = Challenge.person_id.is_(None) if person_id is None else Challenge.person_id == person_id
    spent = delete(Challenge).where(Challenge.hash == _hash(challenge), whose).returning(Challenge.expires_at)
    expires_at = session.scalar(spent)
    if expires_at is None or expires_at <= now():
        raise PasskeyError("This is no answer to a challenge that is open: it was answered before, or too late; begin again.")
    return challenge


def _new_challenge(session: Session, person_id: str | None) -> bytes:
    challenge, at = secrets.token_bytes(32), now()
    session.execute(delete(Challenge).where(Challenge.expires_at <= at))
    session.add(Challenge(hash=_hash(challenge), person_id=person_id, expires_at=at + MINUTES * 60))
    return challenge


def _hash(challenge: bytes) -> str:
    return sha256(challenge).hexdigest()


def _refused(error: Exception) -> PasskeyError:
    said = str(error)[:200].rstrip(".").encode("ascii", "backslashreplace").decode() or type(error).__name__
    return PasskeyError(f"The device's answer does not hold ({said}); begin again.")
