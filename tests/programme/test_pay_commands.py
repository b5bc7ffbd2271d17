"""The commands of pay and audit, as an operator runs them: from a rate card to a statement, a bank file and a receipt.

They run in this process: a new one for each would take most of the time for imports.
"""

import pytest


@pytest.fixture
def opened(lanterne):
    """Accounts of two operators and an artist."""
    lanterne("people", "add", "Olga", "olga@example.org", "--role", "operator", "--id", "olga", "--by", "olga")
    lanterne("people", "add", "Ana", "ana@example.org", "--role", "artist", "--id", "ana", "--by", "olga")
    lanterne("people", "add", "Otto", "otto@example.org", "--role", "operator", "--id", "otto", "--by", "olga")


def test_from_the_rate_card_to_the_bank_and_the_receipt(lanterne, opened, home, tmp_path):
    lanterne("ledger", "card", "artists", "--by", "olga", "--rate", "hours=35.00", "--rate", "bug=50")
    entry = lanterne("pay", "claim", "ana", "hours", "--hours", "1:30", "--note", "loops").split()[0]
    own = lanterne("pay", "claim", "olga", "hours", "--hours", "1").split()[0]
    assert "your own" in lanterne("pay", "decide", own, "--by", "olga", code=2)
    assert "35.00 EUR" in lanterne("pay", "decide", own, "--by", "otto")
    assert "reason is empty" in lanterne("pay", "decide", entry, "--by", "olga", "--accept", "40", code=2)
    assert "40.00 EUR" in lanterne("pay", "decide", entry, "--by", "olga", "--accept", "40", "--reason", "Half an hour was a break.")
    assert "Half an hour was a break." in lanterne("pay", "entries", "ana")
    lanterne("pay", "dispute", entry, "It was no break.", "--by", "ana")
    again = lanterne("pay", "decide", entry, "--by", "otto", "--accept", "40", "--reason", "It was.")
    assert again == "40.00 EUR, nothing more to be paid"
    none = lanterne("pay", "claim", "ana", "hours", "--hours", "1").split()[0]
    refused = lanterne("pay", "decide", none, "--by", "olga", "--accept", "0", "--reason", "It was a holiday.")
    assert refused == "0.00 EUR, nothing to be paid"
    lanterne("pay", "payee", "ana", "--by", "olga", "--name", "Ana", "--iban", "DE89370400440532013000")
    [told] = [mail.read_text() for mail in (home / "outbox").glob("*.eml")]
    assert "To: ana@example.org" in told and "olga, an operator, set where" in told and "ends in 3000" in told and "DE89" not in told
    assert "payer_iban" in lanterne("pay", "payout", "--by", "olga", code=2)
    payer = {"LANTERNE_PAYER_NAME": "Studio", "LANTERNE_PAYER_IBAN": "DE02120300000000202051"}
    assert "ana: whoever set their IBAN does not make the file" in lanterne("pay", "payout", "--by", "olga", code=2, **payer)
    payout = lanterne("pay", "payout", "--by", "otto", **payer).splitlines()[-1]
    lanterne("pay", "export", payout, "--by", "olga", "--folder", str(tmp_path))
    assert "<InstdAmt" in (tmp_path / f"{payout}.xml").read_text()
    assert "was exported on" in lanterne("pay", "export", payout, "--by", "olga", "--folder", str(tmp_path), code=2)
    lanterne("pay", "statement", "ana", "--format", "pdf", "-o", str(tmp_path / "ana.pdf"))
    assert (tmp_path / "ana.pdf").read_bytes().startswith(b"%PDF-")
    lanterne("audit", "receipt", "1", "-o", str(tmp_path / "receipt.json"))
    key = lanterne("audit", "key")
    assert "transactions are as they were logged" in lanterne("audit", "verify", str(tmp_path / "receipt.json"), "--key", key)
    elsewhere = {"LANTERNE_HOME": str(tmp_path / "elsewhere")}  # an artist's machine
    assert "Line 1 is in the log" in lanterne("audit", "check", str(tmp_path / "receipt.json"), "--key", key, **elsewhere)
    assert "not an audit log's public key" in lanterne("audit", "check", str(tmp_path / "receipt.json"), "--key", "x", code=2, **elsewhere)
    wrong = tmp_path / "wrong.json"
    for text, told in (
        ('{"first": 1, "second": "", "proof": []}', "not a proof"), ('{"first": "", "second": "", "proof": 7}', "not a proof"),
        ('{"first": "", "second": "", "proof": [1]}', "not a proof"), ("[[1]]", "not a receipt"), ("7", "not a receipt"),
    ):
        wrong.write_text(text)
        said = lanterne("audit", "check", str(wrong), "--key", key, code=2, **elsewhere)
        assert told in said and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("pay", "claim", "ana", "hours", "--hours", "25"), "no person 'ana'"), (("pay", "statement", "ana"), "no person 'ana'"),
        (("pay", "entries", "ana"), "no person 'ana'"), (("audit", "receipt", "0"), "no line 0"),
        (("audit", "verify", "none.json"), "none.json cannot be read"), (("audit", "checkpoint"), "empty"),
        (("ledger", "card", "x", "--by", "olga", "--rate", "hours"), "hours=35.00"),
        (("pay", "decide", "x", "--by", "a b"), "no person 'a b'"),
    ],
)
def test_what_cannot_be_is_one_sentence(lanterne, arguments, told):
    said = lanterne(*arguments, code=2)
    assert told in said and len(said.splitlines()) == 1


def test_who_acts_is_an_operator_with_an_open_account(lanterne, opened):
    lanterne("ledger", "card", "artists", "--by", "olga", "--rate", "hours=35.00")
    entry = lanterne("pay", "claim", "ana", "hours", "--hours", "1").split()[0]
    lanterne("revoke", "person", "otto", "--by", "olga", "--reason", "He left.")
    acts = (
        ("ledger", "card", "artists", "--rate", "hours=1"), ("ledger", "reverse", "tx_1", "--reason", "x"), ("pay", "decide", entry),
        ("pay", "credit", "ana", "x", "1", "--because", "late", "--due", "2026-01-01"), ("pay", "export", "payout_1"),
        ("pay", "payee", "ana", "--name", "Ana", "--iban", "DE89370400440532013000"), ("pay", "settle", "payout_1"),
        ("pay", "bounce", "payout_1", "ana", "--reason", "x"), ("pay", "forget", "ana"), ("people", "reset", "ana"),
    )
    for by, told in (("nobody", "no person 'nobody'"), ("ana", "does not have the role operator"), ("otto", "of otto is closed")):
        for command in acts:
            said = lanterne(*command, "--by", by, code=2)
            assert told in said and len(said.splitlines()) == 1
    assert "nothing for otto yet" in lanterne("pay", "statement", "otto", code=2)
    assert "cannot be read" in lanterne("pay", "statement", "ana", "--month", "2026-13", code=2)
    for command in (("pay", "claim", "ben", "hours", "--hours", "1"), ("pay", "dispute", entry, "no", "--by", "ben")):
        assert "no person 'ben'" in lanterne(*command, code=2)
    assert "25" in lanterne("pay", "claim", "ana", "hours", "--hours", "25", code=2)
    assert "cannot be read" in lanterne("pay", "claim", "ana", "hours", "--hours", "1e999999", code=2)


def test_a_link_to_set_a_password_is_mailed_and_shown(lanterne, opened, home):
    link = lanterne("people", "reset", "ana", "--by", "olga", LANTERNE_PUBLIC_URL="https://videos.example.org")
    assert link.startswith("https://videos.example.org/programme/password-links/")
    [letter] = (home / "outbox").glob("*.eml")
    assert "To: ana@example.org" in letter.read_text()
