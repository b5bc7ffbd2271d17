"""People: accounts, what they may do, passwords, links to set one anew, and sessions of the studio, which die with the account.

An account is opened by an operator or by accepting an invitation, and closed, never deleted: decisions point to it. A session is no key to
the API, and a key is no session. Sessions and links are shown once and kept as a hash; passwords are kept as argon2id.
"""

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lanterne.errors import LanterneError, NotFound
from lanterne.programme import audit, ledger
from lanterne.programme.mail import Mail
from lanterne.tables import Base, now

ROLES = ("operator", "reviewer", "artist")
SESSION_DAYS = 14
SHORTEST, LONGEST = 10, 200  # characters of a password
LINK_HOURS, FIRST_LINK_HOURS = 1, 7 * 24  # for which a link sets a password: one that was forgotten, the first one
_LINKS = 3  # that somebody may ask for within an hour
_FREE = 5  # wrong passwords on end before there is a wait
_LONGEST_WAIT = 300  # seconds
_STRANGERS = 100_000  # addresses without an account, of which wrong passwords are counted
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"()\\]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class PeopleError(LanterneError):
    """An account, a password or a role that cannot be, in one sentence."""


class Missing(PeopleError, NotFound):
    """A person who is not there."""


class TooSoon(PeopleError):
    """After wrong passwords; seconds: until the next attempt."""

    def __init__(self, message: str, seconds: int):
        super().__init__(message)
        self.seconds = seconds


class UnknownLink(PeopleError):
    """A link that sets nobody's password."""


class Person(Base):
    """id: opaque; also the owner of their keys and videos, and whom the ledger owes. failures: wrong passwords on end."""

    __tablename__ = "people"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)  # in lower case
    name: Mapped[str]
    roles: Mapped[list]
    password: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[int | None]
    created_at: Mapped[int]
    closed_at: Mapped[int | None]


class WebSession(Base):
    __tablename__ = "web_sessions"
    hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[int]
    expires_at: Mapped[int]
    ended_at: Mapped[int | None]


class PasswordLink(Base):
    """A link that sets a password, once. hash: of its secret part."""

    __tablename__ = "password_links"
    hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[int]
    expires_at: Mapped[int]
    used_at: Mapped[int | None]


# Accounts.


def address(email: str) -> str:
    """An address as it is kept and compared. Raises PeopleError."""
    email = email.strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise PeopleError(f"The address {email[:80]!r} cannot be used; give one such as ana@example.org.")
    return email


def open_account(session: Session, name: str, email: str, roles: list[str], by: str, person_id: str | None = None) -> Person:
    """A new account; the very first is an operator's, who opens it themselves under an id that they choose. person_id: by default drawn
    by chance; one that is chosen must be an operator's choice, since it opens what is kept under it. Raises PeopleError."""
    first = session.scalar(select(Person.id).limit(1)) is None
    if not first:
        require(session, by, "operator")
    elif "operator" not in roles:
        raise PeopleError("There is no account yet, and the first must be an operator's: add --role operator.")
    elif by != person_id:  # or the log would name for ever somebody who never was
        raise PeopleError(f"There is no account yet that {by[:80]!r} could be; the first opens itself: give the same --id and --by.")
    return add(session, name, email, roles, by, person_id)


def add(session: Session, name: str, email: str, roles: list[str], by: str, person_id: str | None = None) -> Person:
    """An account that somebody was found to have a right to, such as by an invitation. Raises PeopleError."""
    audit.take_turn(session)
    name, email = name.strip(), address(email)
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise PeopleError(f"The name {name[:80]!r} cannot be used; give 1 to 80 characters that can be printed.")
    for role in roles:
        _known(role)
    person_id = ledger.person(person_id) if person_id else f"per_{secrets.token_hex(8)}"
    if session.get(Person, person_id) is not None:
        raise PeopleError(f"There is a person {person_id!r} already; choose another id.")
    if by_email(session, email) is not None:
        raise PeopleError(f"There is an account for {email} already; sign in with it.")
    person = Person(
        id=person_id, email=email, name=name, roles=sorted(set(roles)), password=None, failures=0, failed_at=None, created_at=now(),
        closed_at=None,
    )
    session.add(person)
    session.flush()
    audit.append(session, "person.added", {"person": person.id, "roles": person.roles, "by": by}, person.id)
    return person


def known(session: Session, person_id: str) -> Person:
    """An account, open or closed. Raises PeopleError."""
    person = session.get(Person, person_id, populate_existing=True)
    if person is None:
        raise Missing(f"There is no person {person_id[:80]!r}", "`lanterne people list` shows them")
    return person


def get(session: Session, person_id: str) -> Person:
    """An account that is open. Raises PeopleError."""
    person = known(session, person_id)
    if person.closed_at is not None:
        raise PeopleError(f"The account of {person.id} is closed; nothing can be done with it.")
    return person


def by_email(session: Session, email: str) -> Person | None:
    return session.scalar(select(Person).where(Person.email == address(email)))


def require(session: Session, person_id: str, role: str) -> Person:
    """Raises PeopleError where the person is not there or does not have the role."""
    person = get(session, person_id)
    if role not in person.roles:
        raise PeopleError(f"{person.id} does not have the role {role}; ask somebody who has.")
    return person


def listed(session: Session) -> list[Person]:
    return list(session.scalars(select(Person).order_by(Person.created_at, Person.id)))


def set_roles(session: Session, person_id: str, roles: list[str], by: str, reason: str) -> Person:
    """Raises PeopleError without a reason, or where no operator would be left."""
    audit.take_turn(session)
    require(session, by, "operator")
    person = get(session, person_id)
    if not reason.strip():
        raise PeopleError("Roles are changed for a reason, which the person concerned can read; give one.")
    for role in roles:
        _known(role)
    if "operator" in person.roles and "operator" not in roles:
        _must_not_be_last(session, person)
    before, person.roles = person.roles, sorted(set(roles))
    session.flush()
    audit.append(session, "person.roles", {
        "person": person.id, "before": before, "roles": person.roles, "by": by, "reason": reason,
    }, person.id)
    return person


def close(session: Session, person_id: str, by: str, reason: str) -> Person:
    """Close an account: its sessions end, its password opens nothing. Raises PeopleError where no operator would be left."""
    audit.take_turn(session)
    require(session, by, "operator")
    person = get(session, person_id)
    if not reason.strip():
        raise PeopleError("An account is closed for a reason, which its owner reads; give one.")
    if "operator" in person.roles:
        _must_not_be_last(session, person)
    person.closed_at, person.password = now(), None
    end_sessions(session, person.id)
    session.flush()
    audit.append(session, "person.closed", {"person": person.id, "by": by, "reason": reason}, person.id)
    return person


def _known(role: str) -> None:
    if role not in ROLES:
        raise PeopleError(f"There is no role {role[:80]!r}; give some of {', '.join(ROLES)}.")


def _must_not_be_last(session: Session, person: Person) -> None:
    others = session.scalars(select(Person).where(Person.closed_at.is_(None), Person.id != person.id))
    if not any("operator" in other.roles for other in others):
        raise PeopleError(f"{person.id} is the last operator; make somebody else one first.")


# Passwords.


def set_password(session: Session, person_id: str, password: str) -> None:
    """Every session of theirs ends, and every link to set it. Raises PeopleError."""
    check_password(password)
    person = get(session, person_id)
    person.password, person.failures, person.failed_at = _hasher().hash(password), 0, None
    end_sessions(session, person.id)
    session.execute(update(PasswordLink).where(PasswordLink.person_id == person.id, PasswordLink.used_at.is_(None)).values(used_at=now()))
    session.flush()
    audit.append(session, "person.password", {"person": person.id}, person.id)


def check_password(password: str) -> None:
    """Raises PeopleError for one that cannot be set; it is never shown."""
    if not SHORTEST <= len(password) <= LONGEST:
        count = f"{len(password)} character{'' if len(password) == 1 else 's'}"
        raise PeopleError(f"The password has {count}; give {SHORTEST} to {LONGEST}.")


def change_password(session: Session, person_id: str, current: str | None, password: str) -> bool:
    """By the person, who knows the one of now, if there is one; False where that is wrong, and commit in either case, so that it is
    counted. Raises TooSoon, PeopleError."""
    person = get(session, person_id)
    if person.password is not None and proven(session, person.email, current or "") is None:
        return False
    set_password(session, person_id, password)
    return True


def proven(session: Session, email: str, password: str) -> Person | None:
    """Who signs in, or None; who it was not is written down, so commit in either case. Takes as long for addresses without an account.

    Raises TooSoon while somebody must wait after wrong passwords.
    """
    try:
        person = by_email(session, email)
    except PeopleError:
        person = None
    tried = person or _stranger(email)
    if (wait := _wait(tried)) > 0:
        again = f"{wait} second{'' if wait == 1 else 's'}"
        raise TooSoon(f"There were {tried.failures} wrong passwords on end; try again in {again}.", wait)
    right = _verify(person.password if person and person.closed_at is None else None, password)
    if person is None or not right:
        tried.failures, tried.failed_at = tried.failures + 1, now()
        return None
    person.failures, person.failed_at = 0, None
    return person


@dataclass
class _Stranger:
    """An address without an account: who tries it must wait as for one that has one, or the wait would tell which have."""

    failures: int = 0
    failed_at: int | None = None


_strangers: OrderedDict[str, _Stranger] = OrderedDict()  # by the hash of the address; of this process, the oldest go first
_strangers_lock = Lock()


def _stranger(email: str) -> _Stranger:
    name = sha256(email.strip().lower().encode(errors="replace")).hexdigest()
    with _strangers_lock:
        found = _strangers.setdefault(name, _Stranger())
        _strangers.move_to_end(name)
        if len(_strangers) > _STRANGERS:
            _strangers.popitem(last=False)
        return found


def _wait(person: Person | _Stranger) -> int:
    """Seconds, doubling with each wrong password."""
    if person.failures < _FREE:
        return 0
    return person.failed_at + min(_LONGEST_WAIT, 2 ** min(person.failures - _FREE, 20)) - now()


def _hasher():
    from argon2 import PasswordHasher

    return PasswordHasher()


def _verify(kept: str | None, password: str) -> bool:
    from argon2.exceptions import VerificationError

    hasher = _hasher()
    if kept is None or len(password) > LONGEST:
        hasher.hash(password[:LONGEST])  # as much work as the check of a real one
        return False
    try:
        return hasher.verify(kept, password)
    except VerificationError:
        return False


# Links that set a password.


def ask_for_link(session: Session, email: str) -> tuple[Person, str] | None:
    """Who is to get a link, and its secret part; None where there is no open account, or where it got several within the hour. Whoever
    asks is not told which."""
    try:
        person = by_email(session, email)
    except PeopleError:
        return None
    if person is None or person.closed_at is not None:
        return None
    audit.take_turn(session)  # two that ask at once are counted one after the other
    lately = (PasswordLink.person_id == person.id, PasswordLink.created_at > now() - 3600)
    if session.scalar(select(func.count()).select_from(PasswordLink).where(*lately)) >= _LINKS:
        return None
    return person, make_link(session, person.id, LINK_HOURS)


def make_link(session: Session, person_id: str, hours: int) -> str:
    """The secret part of a link with which somebody sets their password. Raises PeopleError."""
    person, secret, at = get(session, person_id), secrets.token_urlsafe(32), now()
    session.execute(delete(PasswordLink).where(PasswordLink.expires_at < at - 86400))
    session.add(
        PasswordLink(hash=_hash(secret), person_id=person.id, created_at=at, expires_at=at + hours * 3600, used_at=None)
    )
    session.flush()
    return secret


def look_at_link(session: Session, secret: str) -> PasswordLink:
    """A link that still sets a password. Raises PeopleError that says why it does not."""
    link = session.get(PasswordLink, _hash(secret), populate_existing=True)
    if link is None:
        raise UnknownLink("This link sets no password: it is old, or a letter of it is wrong; copy it whole out of the mail.")
    if link.used_at is not None:
        raise PeopleError("This link was used before, or the password was changed since; ask for another.")
    if link.expires_at <= now():
        raise PeopleError("This link has expired; ask for another.")
    get(session, link.person_id)
    return link


def use_link(session: Session, secret: str, password: str) -> Person:
    """Set the password that a link is for; all sessions end. Raises PeopleError."""
    audit.take_turn(session)  # from here on this link is nobody else's
    link = look_at_link(session, secret)
    set_password(session, link.person_id, password)
    return get(session, link.person_id)


def link_mail(person: Person, link: str, hours: int) -> Mail:
    """The letter with a link; it says nothing that whoever asked would not know, but the link."""
    text = (
        f"Open this link in a browser to set the password of your account, within {hours} {'hour' if hours == 1 else 'hours'} and once:"
        f"\n\n{link}\n\n"
        "Every session of yours ends then. If you did not ask for it, do nothing: your password stays as it is.\n"
    )
    return Mail(person.email, "Set your password", text)


# Sessions.


def sign_in(session: Session, email: str, password: str) -> str | None:
    """A new session's text, for a cookie; None for a wrong address or password, and commit in either case. Raises PeopleError."""
    person = proven(session, email, password)
    return begin_session(session, person.id) if person else None


def begin_session(session: Session, person_id: str) -> str:
    """A session's text, for who was found to be that person."""
    text, at = secrets.token_urlsafe(32), now()
    session.add(
        WebSession(hash=_hash(text), person_id=person_id, created_at=at, expires_at=at + SESSION_DAYS * 86400, ended_at=None)
    )
    return text


def who(session: Session, text: str | None) -> Person | None:
    """Whose session this is, while it and the account last."""
    if not text:
        return None
    found = select(Person).join(WebSession, WebSession.person_id == Person.id).where(
        WebSession.hash == _hash(text), WebSession.ended_at.is_(None), WebSession.expires_at > now(), Person.closed_at.is_(None)
    )
    return session.scalar(found.execution_options(populate_existing=True))


def sign_out(session: Session, text: str) -> None:
    session.execute(update(WebSession).where(WebSession.hash == _hash(text), WebSession.ended_at.is_(None)).values(ended_at=now()))


def end_sessions(session: Session, person_id: str) -> None:
    session.execute(
        update(WebSession).where(WebSession.person_id == person_id, WebSession.ended_at.is_(None)).values(ended_at=now())
    )


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()  # 256 bits of chance need no key and no salt
