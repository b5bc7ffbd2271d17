"""Cohorts: terms and pay are seen before they are accepted, and what was accepted stays as it was."""

import hashlib
import threading
from email import message_from_bytes
from email.policy import default

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, cohorts, erasure, ledger, pay, people, review
from lanterne.programme.cohorts import CohortError, Quotas
from lanterne.programme.ledger import LedgerError
from lanterne.programme.mail import MailError, Post
from lanterne.programme.pay import Actor, PayError

PASSWORD = "correct horse"
QUOTAS = Quotas(videos=20, seconds=300)


@pytest.fixture
def clock(clock, monkeypatch):
    for module in (people, cohorts):
        monkeypatch.setattr(module, "now", clock)
    return clock


def _open(database, at):
    with database.session() as session:
        people.open_account(session, "Olga", "olga@example.org", ["operator"], "olga", "olga")
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500, "bug": 5000}, "olga")
        return cohorts.open_cohort(session, "spring", "Be kind. We pay.", "artists", QUOTAS, at + 90 * 86400, "olga")


@pytest.fixture
def spring(database, clock):
    return _open(database, clock.at)


def invite(database, email="ana@example.org", days=14):
    with database.session() as session:
        return cohorts.invite(session, "spring", email, "olga", days)


def accept(database, secret, digest, password=PASSWORD):
    with database.session() as session:
        return cohorts.accept(session, secret, digest, "Ana", password)


def next_terms(database, clock, text="Be kind. We pay more."):
    with database.session() as session:
        return cohorts.publish_terms(session, "spring", text, "artists", Quotas(40, 600), clock.at + 90 * 86400, "olga")


def test_terms_and_pay_are_shown_before_and_kept_word_for_word_after(database, spring, clock):
    invitation, secret = invite(database)
    with database.session() as session:
        _, said = cohorts.look(session, secret)
        letter = cohorts.mail(session, invitation, f"https://example.org/{secret}").text
    shown = said.text()
    assert all(part in shown for part in ("Be kind. We pay.", "Hours: 35.00 EUR", "20 videos and 300 seconds", said.sha256))
    assert letter.index("35.00 EUR") < letter.index(secret)
    person, receipt = accept(database, secret, said.sha256)
    with database.engine.connect() as connection:
        kept = connection.execute(text(
            "SELECT t.document, a.sha256 FROM acceptances a JOIN terms t ON t.cohort_id = a.cohort_id AND t.version = a.version"
        )).one()
    assert hashlib.sha256(kept.document.encode()).hexdigest() == kept.sha256 == said.sha256
    audit.check_receipt(receipt, audit.Signer().verifier)
    assert said.sha256 in receipt.data
    with database.session() as session:
        assert cohorts.accepted(session, "spring", person.id).quotas == QUOTAS and cohorts.of(session, person.id) == ["spring"]
        audit.verify(session, audit.Signer().verifier, [receipt])
        assert people.sign_in(session, "ana@example.org", PASSWORD)


def test_terms_say_what_is_owed_when_nobody_decides_in_time(database, spring, clock):
    assert spring.document["review"] is None and "public" not in spring.text()
    with database.session() as session:
        olga = Actor("olga", operator=True)
        review.publish_policy(session, olga, "Be fair.", {"1": "No news."}, decide_days=3, credit=2000, currency="EUR")
    said = next_terms(database, clock).text()
    assert "decided within 3 days (review policy, version 1); if nobody has by then, you are owed 20.00 EUR" in said
    with database.session() as session:
        review.publish_policy(session, olga, "Be quick.", {"1": "No news."}, decide_days=2, remedy="release")
    assert "within 2 days (review policy, version 2); if nobody has by then, it may be shown" in next_terms(database, clock).text()


def test_an_invitation_works_once_within_its_time(database, spring, clock, tmp_path):
    _, secret = invite(database)
    accept(database, secret, spring.sha256)
    with pytest.raises(CohortError, match="accepted before"):
        accept(database, secret, spring.sha256)
    withdrawn, second = invite(database, "ben@example.org")
    with database.session() as session:
        cohorts.withdraw(session, withdrawn.id, "olga")
    with pytest.raises(CohortError, match="withdrawn"):
        accept(database, second, spring.sha256)
    _, third = invite(database, "cleo@example.org", days=3)
    clock.pass_days(3)
    with pytest.raises(CohortError, match="expired"):
        accept(database, third, spring.sha256)
    with pytest.raises(CohortError, match="no invitation"):
        accept(database, third[:-1], spring.sha256)
    with database.session() as session:
        assert [person.email for person in people.listed(session)] == ["olga@example.org", "ana@example.org"]  # nothing of the others
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert secret.encode() not in kept


def test_only_the_terms_in_force_are_accepted(database, spring, clock):
    _, secret = invite(database)
    newer = next_terms(database, clock)
    with pytest.raises(CohortError, match="that is version 2"):
        accept(database, secret, spring.sha256)
    with database.session() as session:
        assert len(people.listed(session)) == 1
    person, _ = accept(database, secret, newer.sha256)
    last = next_terms(database, clock, "Be kind. We pay even more.")
    with database.session() as session:
        assert cohorts.accepted(session, "spring", person.id).version == 2  # until they accept the next
        cohorts.accept_next(session, "spring", last.sha256, person.id)
        assert cohorts.accepted(session, "spring", person.id).version == 3
    with pytest.raises(CohortError, match="version 3"), database.session() as session:
        cohorts.accept_next(session, "spring", newer.sha256, person.id)


def test_who_has_an_account_brings_its_password(database, spring):
    _, first = invite(database)
    accept(database, first, spring.sha256)
    _, second = invite(database)
    assert accept(database, second, spring.sha256, "not her password") is None
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT failures FROM people WHERE email = 'ana@example.org'")).scalar() == 1
    accept(database, second, spring.sha256)


def test_two_who_accept_at_once_are_one(either):
    spring, results = _open(either, cohorts.now()), []
    _, secret = invite(either)

    def run():
        try:
            results.append(accept(either, secret, spring.sha256))
        except CohortError as refused:
            results.append(str(refused))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [one for one in results if isinstance(one, str)]
    assert len(results) - len(refused) == 1 and all("before" in one for one in refused)


def test_what_was_agreed_on_cannot_be_changed_behind_its_back(either):
    spring = _open(either, cohorts.now())
    _, secret = invite(either)
    accept(either, secret, spring.sha256)
    with either.session() as session:
        cohorts.publish_terms(session, "spring", "Another text.", "artists", QUOTAS, cohorts.now() + 86400, "olga")
    for statement, why in (
        ("UPDATE terms SET document = ''", "append-only"), ("DELETE FROM terms", "append-only"), ("DELETE FROM acceptances", "append-only"),
        ("UPDATE acceptances SET version = 2", "append-only"), ("UPDATE invitations SET used_at = NULL", "used once"),
        ("DELETE FROM people", "append-only"), ("DELETE FROM members", "append-only"),
        ("INSERT INTO acceptances (cohort_id, version, person_id, sha256, accepted_at) SELECT cohort_id, 1, 'olga', sha256, 0 FROM terms "
         "WHERE version = 1", "not in force"),
        ("INSERT INTO acceptances (cohort_id, version, person_id, sha256, accepted_at) VALUES ('spring', 2, 'olga', 'x', 0)",
         "(?i)foreign"),
    ):
        with pytest.raises(DBAPIError, match=why), either.engine.begin() as connection:
            connection.execute(text(statement))


def test_who_is_forgotten_leaves_no_name_and_no_address(either):
    spring, before = _open(either, cohorts.now()), "ana@example.org"
    person, _ = accept(either, invite(either)[1], spring.sha256)
    by = Actor("olga", operator=True)
    with pytest.raises(people.PeopleError, match="is open"), either.session() as session:
        erasure.forget(session, by, person.id)
    with either.session() as session:
        people.close(session, person.id, "olga", "She asked for it.")
        erasure.forget(session, by, person.id)
    with either.engine.connect() as connection:
        kept = [str(connection.execute(text(f"SELECT * FROM {table}")).all()) for table in ("people", "invitations", "audit_openings")]
    assert not any(before in rows or "'Ana'" in rows for rows in kept)
    with either.session() as session:
        audit.verify(session, audit.Signer().verifier)


@pytest.mark.parametrize("change, why", [
    ({"text": " "}, "0 characters"), ({"quotas": Quotas(0, 10)}, "videos=0"), ({"quotas": Quotas(1, 10, at_once=0)}, "at_once=0"),
    ({"ends_at": 5}, "before it begins"), ({"card": "none"}, "no rate card 'none'"), ({"by": "nobody"}, "no person"),
])
def test_terms_that_cannot_be(database, spring, clock, change, why):
    given = {"text": "x", "card": "artists", "quotas": QUOTAS, "ends_at": clock.at + 86400, "by": "olga"} | change
    with pytest.raises((CohortError, people.PeopleError, ledger.LedgerError), match=why), database.session() as session:
        cohorts.publish_terms(session, "spring", **given)


def test_a_cohort_that_is_over_takes_nobody(database, spring, clock):
    _, secret = invite(database, days=300)
    person, _ = accept(database, invite(database, "ben@example.org")[1], spring.sha256)
    clock.pass_days(90)
    for what in (
        lambda session: cohorts.look(session, secret), lambda session: cohorts.accepted(session, "spring", person.id),
        lambda session: cohorts.invite(session, "spring", "x@example.org", "olga"),
    ):
        with pytest.raises(CohortError, match="has ended"), database.session() as session:
            what(session)
    with database.session() as session:
        cohorts.close(session, "spring", "olga", "the money is gone")
    with pytest.raises(CohortError, match="closed"), database.session() as session:
        cohorts.look(session, secret)
    with database.session() as session:
        assert cohorts.of(session, person.id) == []


def test_mail_goes_to_the_outbox_when_no_server_takes_it(tmp_path, database, spring):
    invitation, secret = invite(database, "ünal@example.org".encode("ascii", "ignore").decode())
    with database.session() as session:
        letter = cohorts.mail(session, invitation, secret)
    Post(tmp_path / "outbox").send(letter)
    [path] = (tmp_path / "outbox").glob("*.eml")
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert message["To"] == letter.to and secret in message.get_content() and path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(MailError, match="lies in"):
        Post(tmp_path / "outbox", host="127.0.0.1", port=9).send(letter)  # discard's port: nobody listens
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 2


def test_work_is_paid_by_the_card_that_was_accepted(database, spring, clock):
    """A newer version, or another card, counts once it was accepted."""
    day = pay.today().isoformat()
    _, secret = invite(database)
    person, _ = accept(database, secret, spring.sha256)
    ana = Actor(person.id)
    with database.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 100, "bug": 1}, "olga")
        ledger.publish_rate_card(session, "gold", "EUR", {"bug": 900000}, "olga")
        entry = pay.claim(session, ana, "bug", day, subject="1")
        assert (entry.card_version, entry.claimed) == (1, 5000)
        assert pay.claim(session, Actor("guest"), "bug", day, subject="1").claimed == 1
        assert pay.claim(session, Actor("guest"), "bug", day, subject="2", card="gold").claimed == 900000
        with pytest.raises(PayError, match="'gold' is not in the terms"):
            pay.claim(session, ana, "bug", day, subject="2", card="gold")
        with pytest.raises(LedgerError, match="no rate card 'none'"):
            pay.claim(session, ana, "bug", day, subject="2", card="none")
    said = next_terms(database, clock)
    with database.session() as session:
        assert pay.claim(session, ana, "bug", day, subject="3").claimed == 5000
        cohorts.accept_next(session, "spring", said.sha256, person.id)
        assert pay.claim(session, ana, "bug", day, subject="4").claimed == 1
    clock.pass_days(91)
    with database.session() as session:
        assert pay.claim(session, ana, "bug", day, subject="5").card_version == 2
