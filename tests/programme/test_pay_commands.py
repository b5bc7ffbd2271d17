"""The commands of pay and audit, as an operator runs them: from a rate card to a statement, a bank file and a receipt.

They run in this process: a new one for each would take most of the time for imports.
"""

import pytest


def test_from_the_rate_card_to_the_bank_and_the_receipt(lanterne, tmp_path):
    lanterne("ledger", "card", "artists", "--by", "olga", "--rate", "hours=35.00", "--rate", "bug=50")
    entry = lanterne("pay", "claim", "ana", "hours", "--hours", "1:30", "--note", "loops").split()[0]
    assert "your own" in lanterne("pay", "decide", entry, "--by", "ana", code=2)
    assert "reason is empty" in lanterne("pay", "decide", entry, "--by", "olga", "--accept", "40", code=2)
    assert "40.00 EUR" in lanterne("pay", "decide", entry, "--by", "olga", "--accept", "40", "--reason", "Half an hour was a break.")
    assert "Half an hour was a break." in lanterne("pay", "entries", "ana")
    lanterne("pay", "payee", "ana", "--by", "olga", "--name", "Ana", "--iban", "DE89370400440532013000")
    assert "payer_iban" in lanterne("pay", "payout", "--by", "olga", code=2)
    payer = {"LANTERNE_PAYER_NAME": "Studio", "LANTERNE_PAYER_IBAN": "DE02120300000000202051"}
    payout = lanterne("pay", "payout", "--by", "olga", **payer)
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


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("pay", "claim", "ana", "hours", "--hours", "25"), "no rate card"), (("pay", "statement", "ana"), "nothing for ana"),
        (("pay", "statement", "ana", "--month", "2026-13"), "cannot be read"), (("audit", "receipt", "0"), "no line 0"),
        (("audit", "verify", "none.json"), "none.json cannot be read"), (("audit", "checkpoint"), "empty"),
        (("ledger", "card", "x", "--by", "olga", "--rate", "hours"), "hours=35.00"), (("pay", "decide", "x", "--by", "a b"), "person"),
    ],
)
def test_what_cannot_be_is_one_sentence(lanterne, arguments, told):
    said = lanterne(*arguments, code=2)
    assert told in said and len(said.splitlines()) == 1
