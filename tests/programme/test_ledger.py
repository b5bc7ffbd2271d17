"""The ledger: it balances and stays as it was, whether one asks the code or the database."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lanterne.programme import audit, ledger, money
from lanterne.programme.ledger import LedgerError, Leg


def _post(database, key="k", amount=500, currency="EUR", memo="two hours"):
    with database.session() as session:
        expense, owed = ledger.open_account(session, "expense:hours"), ledger.payable(session, "ana")
        return ledger.post(session, key, [Leg(expense, amount, currency), Leg(owed, -amount, currency)], memo)


def _sql(database, *statements):
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_transaction_is_there_once_and_adds_up(either):
    first = _post(either)
    assert _post(either).id == first.id
    with either.session() as session:
        assert ledger.balance(session, "liability:payable:ana") == {"EUR": -500}
        assert ledger.balances(session) == [("expense:hours", "EUR", 500), ("liability:payable:ana", "EUR", -500)]
        assert ledger.check(session) == 1
        assert audit.verify(session, audit.Signer().verifier) == (1, 0)
    with pytest.raises(LedgerError, match="another transaction"):
        _post(either, amount=501)
    with pytest.raises(LedgerError, match="another transaction"):
        _post(either, memo="three hours")


@pytest.mark.parametrize(
    "legs, told",
    [
        ([("expense:hours", 500, "EUR"), ("asset:bank", -499, "EUR")], "0.01 EUR are left over"),
        ([("expense:hours", 500, "EUR"), ("asset:bank", -500, "USD")], "500"),
        ([("expense:hours", 5.0, "EUR"), ("asset:bank", -5.0, "EUR")], "whole minor units"),
        ([("expense:hours", float("nan"), "EUR"), ("asset:bank", -5, "EUR")], "whole minor units"),
        ([("expense:hours", True, "EUR"), ("asset:bank", -1, "EUR")], "whole minor units"),
        ([("expense:hours", 0, "EUR"), ("asset:bank", 0, "EUR")], "whole minor units"),
        ([("expense:hours", 10**13, "EUR"), ("asset:bank", -(10**13), "EUR")], "whole minor units"),
        ([("expense:nothing", 5, "EUR"), ("asset:bank", -5, "EUR")], "not open"),
        ([("expense:hours", 5, "ABC"), ("asset:bank", -5, "ABC")], "ISO 4217"),
        ([], "moves nothing"),
    ],
)
def test_what_cannot_be_posted_is_a_sentence_and_leaves_nothing(database, legs, told):
    with pytest.raises((LedgerError, money.MoneyError), match="balance" if told == "500" else told), database.session() as session:
        ledger.open_account(session, "expense:hours")
        ledger.open_account(session, ledger.BANK)
        ledger.post(session, "k", [Leg(*leg) for leg in legs], "memo")
    with database.session() as session:
        assert ledger.balances(session) == [] and list(ledger.journal(session)) == [] and audit.count(session, "ledger.posted") == 0


def test_the_database_itself_refuses_what_does_not_balance(either):
    _post(either)
    tx = "INSERT INTO transactions (id, key, memo, created_at) VALUES ('tx_b', 'b', 'm', 0)"
    leg = "INSERT INTO postings (transaction_id, account_id, currency, amount) VALUES ('{}', 'expense:hours', '{}', {})"
    refused = [
        [tx],  # without postings
        [leg.format("tx_b", "EUR", 5), tx],  # with one
        [leg.format("tx_b", "EUR", 5), leg.format("tx_b", "EUR", -4), tx],
        [leg.format("tx_b", "EUR", 5), leg.format("tx_b", "USD", -5), tx],
        [leg.format("tx_b", "EUR", 5), leg.format("tx_b", "EUR", -5)],  # postings that belong to no transaction
        [leg.format("tx_b", "EUR", 5), leg.format("tx_b", "EUR", -5), tx, leg.format("tx_b", "EUR", 5), leg.format("tx_b", "EUR", -5)],
        [leg.format("tx_b", "EUR", 0)],
        [leg.format("tx_b", "EUR", 10**13)],
    ]
    for statements in refused:
        with pytest.raises(DBAPIError):
            _sql(either, *statements)
    with either.session() as session:
        assert ledger.balance(session, "expense:hours") == {"EUR": 500}
    _sql(either, leg.format("tx_b", "EUR", 5), leg.format("tx_b", "EUR", -5), tx)  # what balances is let in
    with either.session() as session, pytest.raises(LedgerError, match="beside it"):  # and is not in the log
        ledger.check(session)


def test_the_database_itself_keeps_every_row_as_it_was(either):
    posted = _post(either)
    with either.session() as session:
        ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500}, "olga")
    statements = [
        "UPDATE postings SET amount = amount + 1", "UPDATE transactions SET memo = 'x'", "UPDATE accounts SET kind = 'income'",
        "UPDATE rate_cards SET version = 7", "UPDATE audit_log SET leaf = 'x'", "UPDATE audit_openings SET data = 'x'",
        "UPDATE audit_head SET size = 0", "DELETE FROM postings", "DELETE FROM transactions", "DELETE FROM accounts",
        "DELETE FROM rate_cards", "DELETE FROM audit_log", "DELETE FROM audit_head",
        f"INSERT INTO postings (transaction_id, account_id, currency, amount) VALUES ('{posted.id}', 'expense:hours', 'EUR', 5)",
        "INSERT INTO audit_log (number, leaf, root, signature) VALUES (17, 'x', 'x', 'x')",
        "INSERT INTO audit_head (id, size, peaks) VALUES (2, 0, '[]')",
    ]
    if either.engine.dialect.name == "sqlite":
        statements += [
            "INSERT OR REPLACE INTO postings (number, transaction_id, account_id, currency, amount) "
            "VALUES (1, 'y', 'expense:hours', 'EUR', 5)",
            "INSERT OR REPLACE INTO transactions (number, id, key, memo, created_at) VALUES (9, 'x', 'k', 'm', 0)",
            f"INSERT OR REPLACE INTO transactions (number, id, key, memo, created_at) VALUES (9, '{posted.id}', 'b', 'm', 0)",
            "INSERT OR REPLACE INTO accounts (id, kind, opened_at) VALUES ('expense:hours', 'asset', 0)",
            "INSERT OR REPLACE INTO audit_log (number, leaf, root, signature) VALUES (0, 'x', 'x', 'x')",
        ]
    else:
        statements += [f"TRUNCATE {table} CASCADE" for table in ("postings", "transactions", "audit_log", "accounts")]
    for statement in statements:
        with pytest.raises(DBAPIError):
            _sql(either, statement)
    with either.session() as session:
        assert ledger.check(session) == 1
        assert audit.verify(session, audit.Signer().verifier) == (2, 0)


def test_a_reversal_undoes_and_is_not_undone(database):
    posted = _post(database)
    with database.session() as session:
        undone = ledger.reverse(session, posted.id, "r", "entered twice", "olga")
        assert ledger.reverse(session, posted.id, "r", "entered twice", "olga").id == undone.id
        assert ledger.balance(session, "expense:hours") == {}
    for transaction_id, told in ((posted.id, "was reversed"), (undone.id, "itself a reversal"), ("tx_0", "no transaction")):
        with pytest.raises(LedgerError, match=told), database.session() as session:
            ledger.reverse(session, transaction_id, "s", "why", "olga")
    with pytest.raises(LedgerError, match="reason"), database.session() as session:
        ledger.reverse(session, posted.id, "t", " ", "olga")


def test_rate_cards_have_versions(database):
    with database.session() as session:
        first = ledger.publish_rate_card(session, "artists", "EUR", {"hours": 3500}, "olga")
        second = ledger.publish_rate_card(session, "artists", "EUR", {"hours": 4000, "bug": 100}, "olga", decide_days=7)
        assert (first.version, second.version) == (1, 2)
        assert ledger.rate_card(session, "artists").rates == {"hours": 4000, "bug": 100}
        assert ledger.rate_card(session, "artists", 1).rates == {"hours": 3500}
    wrong = [
        ("artists", "EUR", {"sleep": 1}), ("artists", "EUR", {"hours": -1}), ("artists", "EUR", {"hours": 0.5}), ("artists", "EUR", {}),
        ("artists", "ZZZ", {"hours": 1}), ("a b", "EUR", {"hours": 1}), ("artists", "EUR", {"hours": True}),
        ("artists", "eur", {"hours": 1}),
    ]
    for name, currency, rates in wrong:
        with pytest.raises((LedgerError, money.MoneyError)), database.session() as session:
            ledger.publish_rate_card(session, name, currency, rates, "olga")
    with pytest.raises(LedgerError, match="version 3"), database.session() as session:
        ledger.rate_card(session, "artists", 3)


def test_amounts_are_read_and_written():
    assert [money.read("12.50", "EUR"), money.read("12", "JPY"), money.read("0.005", "KWD")] == [1250, 12, 5]
    assert (money.written(-123450, "EUR"), money.written(1234, "JPY"), money.plain(5, "KWD")) == ("-1,234.50 EUR", "1,234 JPY", "0.005")
    for wrong in ("", "abc", "NaN", "Infinity", "-1", "1.005", "1e30", "1_0x"):
        with pytest.raises(money.MoneyError):
            money.read(wrong, "EUR")
