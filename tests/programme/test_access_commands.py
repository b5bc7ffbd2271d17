"""The commands of access, as an operator runs them."""

import io
import sys

import pytest

from lanterne.programme import audit, leaks
from lanterne.service.database import Database
from lanterne.service.settings import Settings


@pytest.fixture
def opened(lanterne, tmp_path):
    """A cohort with an operator, as far as an invitation."""
    (tmp_path / "terms.txt").write_text("Be kind. We pay.")
    assert lanterne("people", "add", "Olga", "olga@example.org", "--role", "operator", "--id", "olga", "--by", "olga") == "olga"
    lanterne("ledger", "card", "artists", "--by", "olga", "--rate", "hours=35.00")
    terms = ["--terms", str(tmp_path / "terms.txt"), "--ends", "2099-01-01", "--videos", "20", "--seconds", "300", "--by", "olga"]
    assert "Hours: 35.00 EUR" in lanterne("cohort", "open", "spring", *terms)
    return terms


def test_from_the_first_operator_to_an_invitation(lanterne, opened, home, monkeypatch):
    assert "Be kind." in lanterne("cohort", "show", "spring")
    said = lanterne("invite", "send", "spring", "ana@example.org", "--by", "olga", LANTERNE_PUBLIC_URL="https://videos.example.org/")
    invitation, link = said.split()
    assert link.startswith("https://videos.example.org/programme/invitations/")
    [letter] = (home / "outbox").glob("*.eml")
    assert "35.00 EUR" in letter.read_text()
    assert "open until" in lanterne("invite", "list")
    lanterne("invite", "withdraw", invitation, "--by", "olga")
    assert "withdrawn" in lanterne("invite", "list")
    assert "spring  terms 1  0 members  until 2099-01-01" in lanterne("cohort", "list")
    assert "terms version 2" in lanterne("cohort", "terms", "spring", *opened)
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\n"))
    lanterne("people", "password", "olga")
    roles = ("people", "roles", "olga", "--role", "operator", "--role", "reviewer", "--by", "olga", "--reason")
    assert "for a reason" in lanterne(*roles, " ", code=2)
    lanterne(*roles, "Rita is ill.")
    assert "Rita is ill." in lanterne("audit", "list", "--person", "olga")
    assert "olga  Olga  olga@example.org  operator reviewer  open" in lanterne("people", "list")


def test_what_cannot_be_is_one_sentence(lanterne, opened, tmp_path):
    for arguments, why in (
        (["invite", "send", "autumn", "ana@example.org", "--by", "olga"], "no cohort 'autumn'"),
        (["invite", "send", "spring", "ana", "--by", "olga"], "'ana' cannot be used"),
        (["invite", "send", "spring", "ana@example.org", "--by", "ana"], "no person 'ana'"),
        (["cohort", "open", "spring", *opened], "already"),
        (["cohort", "terms", "spring", "--terms", str(tmp_path / "none"), *opened[2:]], "cannot be read"),
        (["people", "add", "Ben", "ben@example.org", "--role", "king", "--by", "olga"], "no role 'king'"),
    ):
        said = lanterne(*arguments, code=2)
        assert said.startswith("Error: ") and why in said and said.count("\n") == 0


def test_cuts_tell_what_they_cut_and_whom(lanterne, opened, home):
    text = lanterne("keys", "create", "--name", "laptop", "--owner", "ana", "--network", "192.0.2.0/24")
    key_id = lanterne("keys", "list").split()[0]
    assert lanterne("keys", "rotate", key_id, "--hours", "1") not in ("", text)
    assert "no person 'ana'" in lanterne("revoke", "key", key_id, "--by", "ana", "--reason", "found", code=2)
    assert lanterne("revoke", "key", key_id, "--by", "olga", "--reason", "found") == "1 key was revoked, and 0 videos were stopped."
    assert "no key" in lanterne("revoke", "key", key_id, "--by", "olga", "--reason", "found", code=2)
    lanterne("people", "add", "Otto", "otto@example.org", "--role", "operator", "--id", "otto", "--by", "olga")
    lanterne("revoke", "person", "otto", "--by", "olga", "--reason", "He left.")
    [letter] = (home / "outbox").glob("*.eml")
    assert "otto@example.org" in letter.read_text() and "He left." in letter.read_text()
    assert "reason" in lanterne("revoke", "cohort", "spring", "--by", "olga", "--reason", " ", code=2)
    assert lanterne("revoke", "cohort", "spring", "--by", "olga", "--reason", "It is over.").startswith("0 keys")
    assert "closed" in lanterne("cohort", "list")
    assert "networks cannot be read" in lanterne("keys", "create", "--name", "x", "--network", "here", code=2)


def test_an_artist_does_it_all_at_the_command_line(lanterne, opened, tmp_path, monkeypatch):
    def typed(text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    def digest(shown):
        return shown.rpartition(" ")[2]

    link = lanterne("invite", "send", "spring", "ana@example.org", "--by", "olga").split()[1]
    assert link.rpartition("/")[2].isalnum()  # never begins with a dash: it would be read as an option
    shown = lanterne("invite", "show", link)
    assert shown.startswith("For ana@example.org, until ") and "Be kind." in shown and "35.00 EUR" in shown
    assert "no invitation" in lanterne("invite", "show", link[:-1], code=2)
    typed("correct horse\n")
    assert "not what is in force" in lanterne("invite", "accept", link, "--sha256", "0" * 64, "--name", "Ana", code=2)
    typed("correct horse\n")
    kept = tmp_path / "receipt.json"
    ana = lanterne("invite", "accept", link.rpartition("/")[2], "--sha256", digest(shown), "--name", "Ana", "-o", str(kept))
    assert ana in lanterne("people", "list")
    receipt = audit.Receipt.read(kept.read_text())
    assert audit.check_receipt(receipt, lanterne("audit", "key")).size == receipt.number + 1
    assert "accepted before" in lanterne("invite", "show", link, code=2)

    again = lanterne("invite", "send", "spring", "ana@example.org", "--by", "olga").split()[1]
    typed("wrong horse\n")
    assert "not its password" in lanterne("invite", "accept", again, "--sha256", digest(shown), "--name", "Ana", code=2)
    typed("correct horse\n")
    assert lanterne("invite", "accept", again, "--sha256", digest(shown), "--name", "Ana").startswith(ana)

    text = lanterne("keys", "make", "--cohort", "spring", "--name", "laptop", "--by", ana)
    assert text.startswith("ltn_") and "0 of 20 videos" in lanterne("keys", "list", "--by", ana)
    assert "cannot be given" in lanterne("keys", "make", "--cohort", "spring", "--name", "x", "--scope", "admin", "--by", ana, code=2)
    assert "not in the cohort" in lanterne("keys", "make", "--cohort", "spring", "--name", "x", "--by", "olga", code=2)
    assert lanterne("keys", "list", "--by", "olga") == "" and "no person" in lanterne("keys", "list", "--by", "ben", code=2)
    key_id = lanterne("keys", "list", "--by", ana).split()[0]
    assert "among yours" in lanterne("keys", "rotate", key_id, "--by", "olga", code=2)
    assert "among yours" in lanterne("keys", "revoke", key_id, "--by", "olga", code=2)

    following = lanterne("cohort", "terms", "spring", *opened[:4], "--videos", "7", *opened[6:])
    assert "not what is in force" in lanterne("cohort", "accept", "spring", "--sha256", digest(shown), "--by", ana, code=2)
    assert audit.Receipt.read(lanterne("cohort", "accept", "spring", "--sha256", digest(following), "--by", ana))
    assert "0 of 7 videos" in lanterne("keys", "list", "--by", ana)
    assert lanterne("keys", "rotate", key_id, "--by", ana) not in ("", text)
    lanterne("keys", "revoke", key_id, "--by", ana)
    assert "revoked" in lanterne("keys", "list", "--by", ana)

    with Database(Settings.load().database).session() as session:
        session.add(leaks.Alarm(id="alarm_1", key_id=key_id, person_id=ana, step="freeze", score=90, signals=[], raised_at=1))
    assert "about a key of yours" in lanterne("leaks", "contest", "alarm_1", "It was I.", "--by", "olga", code=2)
    lanterne("leaks", "contest", "alarm_1", "It was I, in a train.", "--by", ana)
    assert "The artist says: It was I, in a train." in lanterne("leaks", "show", "alarm_1")
    assert "contested" in lanterne("leaks", "list")
    assert "before" in lanterne("leaks", "contest", "alarm_1", "Again.", "--by", ana, code=2)


def test_who_is_forgotten_is_in_no_mail_of_the_outbox_that_is_to_them(lanterne, opened, home):
    for name in ("ana", "ben"):
        lanterne("people", "add", name.title(), f"{name}@example.org", "--role", "artist", "--id", name, "--by", "olga")
        lanterne("invite", "send", "spring", f"{name}@example.org", "--by", "olga")
    lanterne("revoke", "person", "ana", "--by", "olga", "--reason", "She left.")
    lanterne("pay", "forget", "ana", "--by", "olga")
    assert ["To: ben@example.org" in path.read_text() for path in (home / "outbox").glob("*.eml")] == [True]
