"""Accounts: who may open, change and close them; passwords and sessions."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, people
from lanterne.programme.passkeys import Passkey
from lanterne.programme.people import PeopleError


@pytest.fixture
def clock(clock, monkeypatch):
    monkeypatch.setattr(people, "now", clock)
    return clock


def person(database, name, roles, by="olga", **options):
    with database.session() as session:
        return people.open_account(session, name, f"{name}@example.org", roles, by, name, **options)


@pytest.fixture
def olga(database):
    return person(database, "olga", ["operator"], "olga")


def _sign_in(database, email, password):
    with database.session() as session:
        return people.sign_in(session, email, password)


def _who(database, text):
    with database.session() as session:
        found = people.who(session, text)
        return found and found.id


def _set(database, who, password):
    with database.session() as session:
        people.set_password(session, who, password)


def test_the_first_account_is_an_operators_and_opens_the_others(database):
    with pytest.raises(PeopleError, match="first must be an operator's"):
        person(database, "ana", ["artist"], "ana")
    with pytest.raises(PeopleError, match="the same --id and --by"):
        person(database, "olga", ["operator"], "nobody")
    person(database, "olga", ["operator"], "olga")
    person(database, "ana", ["artist"])
    for by, why in (("ana", "does not have the role operator"), ("nobody", "no person")):
        with pytest.raises(PeopleError, match=why):
            person(database, "ben", ["artist"], by)
    with pytest.raises(PeopleError, match=r"account for ana@example\.org already"), database.session() as session:
        people.open_account(session, "Ana", " ANA@example.org", ["artist"], "olga")
    with pytest.raises(PeopleError, match="no role 'king'"):
        person(database, "ben", ["king"])
    with database.session() as session:
        assert {found.id for found in people.listed(session)} == {"olga", "ana"}
        audit.verify(session, audit.Signer().verifier)
        assert [kind for _, _, kind, _ in audit.told(session, "ana")] == ["person.added"]


@pytest.mark.parametrize(
    "email", ["", "ana", "ana@", "@example.org", "a b@example.org", "ana@example", "x" * 300 + "@example.org", "a\n@b.org"]
)
def test_what_is_no_address_is_refused(database, olga, email):
    with pytest.raises(PeopleError, match="cannot be used"), database.session() as session:
        people.open_account(session, "Ana", email, ["artist"], "olga")


def test_a_password_opens_a_session_and_is_nowhere_kept(database, olga, tmp_path):
    _set(database, "olga", "correct horse")
    assert _sign_in(database, "olga@example.org", "wrong horse!") is None
    assert _sign_in(database, "nobody@example.org", "correct horse") is None
    assert _sign_in(database, "no address", "correct horse") is None
    session = _sign_in(database, "Olga@Example.org", "correct horse")
    assert _who(database, session) == "olga" and _who(database, session + "x") is None and _who(database, None) is None
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert b"correct horse" not in kept and session.encode() not in kept and b"$argon2id$" in kept
    with database.session() as opened:
        people.sign_out(opened, session)
    assert _who(database, session) is None
    for bad in ("short", "x" * 201):
        with pytest.raises(PeopleError, match="10 to 200"):
            _set(database, "olga", bad)


def test_waiting_after_wrong_passwords_does_not_tell_who_has_an_account(database, olga, clock):
    _set(database, "olga", "correct horse")

    def answers(email):
        found = []
        for _ in range(8):
            try:
                found.append(_sign_in(database, email, "wrong horse!"))
            except people.TooSoon as error:
                found.append(str(error))
                clock.at += error.seconds
        return found

    known = answers("olga@example.org")
    assert len(set(known)) > 2 and known == answers("No.one@example.org") == answers("none at all")
    assert _sign_in(database, "else@example.org", "wrong horse!") is None  # another is another matter


def test_sessions_end_with_time_the_password_and_the_account(database, olga, clock):
    _set(database, "olga", "correct horse")
    person(database, "otto", ["operator"])
    first = _sign_in(database, "olga@example.org", "correct horse")
    clock.pass_days(people.SESSION_DAYS)
    assert _who(database, first) is None
    second = _sign_in(database, "olga@example.org", "correct horse")
    _set(database, "olga", "another horse")
    assert _who(database, second) is None
    third = _sign_in(database, "olga@example.org", "another horse")
    with database.session() as session:
        people.close(session, "olga", "otto", "she left")
    assert _who(database, third) is None and _sign_in(database, "olga@example.org", "another horse") is None
    with pytest.raises(PeopleError, match="closed"):
        _set(database, "olga", "another horse")
    with pytest.raises(DBAPIError, match="the account is closed"), database.engine.begin() as connection:
        connection.execute(text("UPDATE people SET closed_at = NULL"))


def test_wrong_passwords_make_wait_and_longer_each_time(database, olga, clock):
    _set(database, "olga", "correct horse")
    for _ in range(5):
        assert _sign_in(database, "olga@example.org", "wrong horse!") is None
    with pytest.raises(PeopleError, match=r"5 wrong passwords on end; try again in 1 second\."):
        _sign_in(database, "olga@example.org", "correct horse")
    clock.at += 1
    assert _sign_in(database, "olga@example.org", "wrong horse!") is None
    with pytest.raises(PeopleError, match="in 2 seconds"):
        _sign_in(database, "olga@example.org", "correct horse")
    clock.at += 2
    assert _sign_in(database, "olga@example.org", "correct horse")
    assert _sign_in(database, "olga@example.org", "wrong horse!") is None  # and the count begins anew


def test_an_operator_is_left(database, olga):
    person(database, "otto", ["operator", "reviewer"])
    with database.session() as session:
        with pytest.raises(PeopleError, match="for a reason"):
            people.set_roles(session, "olga", ["reviewer"], "otto", " ")
        assert people.set_roles(session, "olga", ["reviewer"], "otto", "She asked.").roles == ["reviewer"]
        told = [data for _, data in audit.opened(session, "person.roles")]
        assert told == [{"person": "olga", "before": ["operator"], "roles": ["reviewer"], "by": "otto", "reason": "She asked."}]
    for change in (
        lambda session: people.set_roles(session, "otto", ["artist"], "otto", "enough"),
        lambda session: people.close(session, "otto", "otto", "enough"),
    ):
        with pytest.raises(PeopleError, match="last operator"), database.session() as session:
            change(session)
    with pytest.raises(PeopleError, match="for a reason"), database.session() as session:
        people.close(session, "olga", "otto", " ")


def test_a_link_works_once_and_a_passkeys_count_only_rises_says_the_database(either):
    person(either, "olga", ["operator"], "olga")
    with either.session() as session:
        secret = people.make_link(session, "olga", 1)
        session.add(Passkey(id="k", person_id="olga", name="laptop", public_key="x", uses=7, added_at=1, used_at=None))
    with either.session() as session:
        people.use_link(session, secret, "correct horse")
    with pytest.raises(PeopleError, match="was used before"), either.session() as session:
        people.use_link(session, secret, "battery staple")
    for statement in (
        "UPDATE password_links SET used_at = NULL", "UPDATE password_links SET expires_at = expires_at + 1",
        "UPDATE passkeys SET uses = 6", "UPDATE passkeys SET public_key = 'y'",
    ):
        with pytest.raises(DBAPIError), either.session() as session:
            session.execute(text(statement))
    with either.session() as session:
        session.execute(text("UPDATE passkeys SET uses = 4294967295"))
