"""The routes of one's own account: passwords, links that set one, passkeys, and keys for programs that act in one's role."""

import logging
from datetime import UTC, datetime

from fastapi import BackgroundTasks, Request
from sqlalchemy.exc import SQLAlchemyError

from lanterne.errors import LanterneError
from lanterne.programme import passkeys, people
from lanterne.programme.mail import Mail
from lanterne.service import access, pages, revocation, wire
from lanterne.service import account_wire as wires
from lanterne.service.access_wire import NewKey, Signed
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError
from lanterne.service.signed_in import House, Id, OpenFields, OwnFields, Token, Who, ruled, signed

_ON_ITS_WAY = "If there is an account for this address, a link to set its password is on its way to it."
_log = logging.getLogger("lanterne.accounts")


def change_password(house: House, who: Who, background: BackgroundTasks, fields: OwnFields):
    """Change your own password; your other sessions end."""
    asked = wire.read(wires.ChangePassword, fields)
    with ruled(house) as session:
        done = people.change_password(session, who, asked.current, asked.password)
        text = people.begin_session(session, who) if done else None
    if text is None:
        raise APIError(403, "wrong_password", "This is not your password of now; check it.", "current")
    _tell(house, background, who, "Your password was changed")
    return signed(house, who, text)


def ask_for_link(house: House, background: BackgroundTasks, fields: OpenFields):
    """Ask for a link that sets a forgotten password; the answer does not tell whether there is an account."""
    asked = wire.read(wires.AskForLink, fields)
    background.add_task(_send_link, house, asked.email)  # after the answer, so that not even its time tells
    return wires.Said(said=_ON_ITS_WAY)


def read_link(request: Request, house: House, token: Token):
    """Whose password a link sets, and until when."""
    if pages.wanted(request):
        return _link_page(house, token)
    with ruled(house) as session:
        link = people.look_at_link(session, token)
        return wires.PasswordLink(email=people.get(session, link.person_id).email, expires_at=link.expires_at)


def use_link(request: Request, house: House, token: Token, background: BackgroundTasks, fields: pages.Posted):
    """Set the password that a link is for, once; every session ends, and every key for programs in a role."""
    if not pages.wanted(request):
        asked = wire.read(wires.SetPassword, fields)
        return Signed(person_id=_set_password(house, token, asked.password, background)[0])
    [password] = pages.texts(fields, ["password"])
    try:
        _, email = _set_password(house, token, password, background)
    except APIError as error:
        return _link_page(house, token, error)
    return pages.page("Your password is set", email=email, set=True)


def _set_password(house: Deployment, token: str, password: str, background: BackgroundTasks) -> tuple[str, str]:
    """Whose it is, and their address."""
    with ruled(house) as session:
        person = people.use_link(session, token, password)
        person_id, email = person.id, person.email
        revocation.revoke_role_keys(session, person_id)
    _tell(house, background, person_id, "Your password was changed")
    return person_id, email


def _link_page(house: Deployment, token: str, error: APIError | None = None):
    try:
        with ruled(house) as session:
            link = people.look_at_link(session, token)
            email = people.get(session, link.person_id).email
    except APIError as closed:
        return pages.page("Set your password", closed)
    return pages.page(
        "Set your password", error, email=email, until=f"{datetime.fromtimestamp(link.expires_at, UTC):%Y-%m-%d %H:%M} UTC",
        shortest=people.SHORTEST, longest=people.LONGEST,
    )


def begin_passkey(house: House, who: Who):
    """Begin to add a passkey: what a browser passes to navigator.credentials.create."""
    with ruled(house) as session:
        return wires.Options(options=passkeys.begin_adding(session, _site(house), who))


def add_passkey(house: House, who: Who, background: BackgroundTasks, fields: OwnFields):
    """Add a passkey, by the answer of a device."""
    asked = wire.read(wires.AddPasskey, fields)
    credential = asked.credential.model_dump()
    with ruled(house) as session:
        challenge = passkeys.spend(session, credential, who)
    with ruled(house) as session:
        passkey = passkeys.add(session, _site(house), who, credential, challenge, asked.name)
    _tell(house, background, who, "A passkey was added to your account")
    return _passkey(passkey)


def list_passkeys(house: House, who: Who):
    """Your passkeys."""
    with ruled(house) as session:
        return wires.Passkeys(data=[_passkey(passkey) for passkey in passkeys.listed(session, who)])


def remove_passkey(house: House, who: Who, passkey_id: Id):
    """Remove a passkey; your other sessions end, since they may have begun with it."""
    with ruled(house) as session:
        if passkey_id not in {passkey.id for passkey in passkeys.listed(session, who)}:
            raise APIError(404, "not_found", f"There is no passkey {passkey_id[:80]!r} among yours; check the id.", "id")
        passkeys.remove(session, who, passkey_id)
        text = people.begin_session(session, who)
    return signed(house, who, text)


def begin_sign_in(house: House):
    """Begin to sign in with a passkey: what a browser passes to navigator.credentials.get."""
    with ruled(house) as session:
        return wires.Options(options=passkeys.begin_signing_in(session, _site(house)))


def sign_in_by_passkey(house: House, fields: OpenFields):
    """Begin a session with a passkey, by the answer of a device; it is in a cookie."""
    asked = wire.read(wires.SignInByPasskey, fields)
    credential = asked.credential.model_dump()
    try:
        with house.database.session() as session:
            challenge = passkeys.spend(session, credential)
        with house.database.session() as session:
            person_id, text = passkeys.sign_in(session, _site(house), credential, challenge)
    except passkeys.PasskeyError as error:
        raise APIError(401, "passkey_refused", str(error)) from None
    return signed(house, person_id, text)


def make_role_key(house: House, who: Who, fields: OwnFields):
    """Make a key for programs that act in your role, while you have it. It is shown once."""
    asked = wire.read(wires.MakeRoleKey, fields)
    wish = access.Wish(asked.name, tuple(asked.scopes), asked.days, tuple(asked.networks))
    with ruled(house) as session:
        key_id, text = access.make_role_key(session, who, wish)
    return NewKey(id=key_id, key=text)


ROUTES = [
    ("POST", "/programme/password", change_password, Signed),
    ("POST", "/programme/password-links", ask_for_link, wires.Said),
    ("GET", "/programme/password-links/{token}", read_link, wires.PasswordLink),
    ("POST", "/programme/password-links/{token}", use_link, Signed),
    ("GET", "/programme/passkeys", list_passkeys, wires.Passkeys),
    ("POST", "/programme/passkeys", add_passkey, wires.Passkey),
    ("POST", "/programme/passkeys/challenge", begin_passkey, wires.Options),
    ("DELETE", "/programme/passkeys/{id}", remove_passkey, Signed),
    ("POST", "/programme/session/challenge", begin_sign_in, wires.Options),
    ("POST", "/programme/session/passkey", sign_in_by_passkey, Signed),
    ("POST", "/programme/role-keys", make_role_key, NewKey),
]
OPEN = ("ask_for_link", "read_link", "use_link", "begin_sign_in", "sign_in_by_passkey")  # to whoever has the link or the device
BODIES = {
    "change_password": wires.ChangePassword, "ask_for_link": wires.AskForLink, "use_link": wires.SetPassword,
    "add_passkey": wires.AddPasskey, "sign_in_by_passkey": wires.SignInByPasskey, "make_role_key": wires.MakeRoleKey,
}


def send_link(house: Deployment, person_id: str) -> None:
    """Mail somebody a link with which they set their first password, or another."""
    with house.database.session() as session:
        link = people.make_link(session, person_id, people.FIRST_LINK_HOURS)
        mail = people.link_mail(people.get(session, person_id), _link(house, link), people.FIRST_LINK_HOURS)
    post(house, mail)


def _send_link(house: Deployment, email: str) -> None:
    try:
        with house.database.session() as session:
            found = people.ask_for_link(session, email)
    except SQLAlchemyError as error:
        _log.error("the database failed, and a link was not sent: %s", error)
        return
    if found:
        person, secret = found
        post(house, people.link_mail(person, _link(house, secret), people.LINK_HOURS))


def _link(house: Deployment, secret: str) -> str:
    return f"{house.settings.base}/programme/password-links/{secret}"


def _tell(house: Deployment, background: BackgroundTasks, person_id: str, subject: str) -> None:
    """So that somebody notices what others do in their name."""
    with house.database.session() as session:
        email = people.get(session, person_id).email
    text = f"{subject}. If that was not you, ask for a link to set your password, look at your passkeys, and tell an operator.\n"
    background.add_task(post, house, Mail(email, subject, text))


def post(house: Deployment, mail: Mail) -> None:
    """After the answer: what does not leave is in the outbox, and the log says so."""
    try:
        house.settings.post.send(mail)
    except LanterneError as error:
        _log.error("%s", error)


def _site(house: Deployment) -> passkeys.Site:
    """Without an address of its own, the server is at this machine's: browsers take no other name without TLS."""
    return passkeys.Site.at(house.settings.public_url or f"http://localhost:{house.settings.port}")


def _passkey(passkey: passkeys.Passkey) -> wires.Passkey:
    return wires.Passkey(id=passkey.id, name=passkey.name, added_at=passkey.added_at, used_at=passkey.used_at)
