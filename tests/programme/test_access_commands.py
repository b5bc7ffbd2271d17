"""The commands of access, as an operator runs them."""

import io
import sys

import pytest


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
    lanterne("people", "roles", "olga", "--role", "operator", "--role", "reviewer", "--by", "olga")
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
    assert lanterne("revoke", "key", key_id, "--by", "olga", "--reason", "found").startswith("1 keys were revoked")
    assert "no key" in lanterne("revoke", "key", key_id, "--by", "olga", "--reason", "found", code=2)
    lanterne("people", "add", "Otto", "otto@example.org", "--role", "operator", "--id", "otto", "--by", "olga")
    lanterne("revoke", "person", "otto", "--by", "olga", "--reason", "He left.")
    [letter] = (home / "outbox").glob("*.eml")
    assert "otto@example.org" in letter.read_text() and "He left." in letter.read_text()
    assert "reason" in lanterne("revoke", "cohort", "spring", "--by", "olga", "--reason", " ", code=2)
    assert lanterne("revoke", "cohort", "spring", "--by", "olga", "--reason", "It is over.").startswith("0 keys")
    assert "closed" in lanterne("cohort", "list")
    assert "networks cannot be read" in lanterne("keys", "create", "--name", "x", "--network", "here", code=2)
