"""The audit log: whatever is changed in it is noticed and named; what is erased can no longer be read, and the rest still holds."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select, text

from lanterne.programme import audit, merkle
from lanterne.programme.audit import AuditError, Receipt

_GUARDED = ("audit_log", "audit_openings", "audit_head")


def _fill(database, count=9):
    with database.session() as session:
        return [audit.append(session, "pay.decided", {"amount": number, "name": "Ana Müller"}, f"p{number % 3}") for number in range(count)]


def _verify(database, receipts=()):
    with database.session() as session:
        return audit.verify(session, audit.Signer().verifier, receipts)


def _tamper(database, *statements):
    """As somebody does who may do anything to the file: without the guards."""
    with database.engine.begin() as connection:
        guards = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in guards:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.exec_driver_sql(statement)
        for _, sql in guards:
            connection.execute(text(sql))


def test_every_line_has_a_receipt_that_holds_alone(database):
    receipts, verifier = _fill(database), audit.Signer().verifier
    for number, receipt in enumerate(receipts):
        assert audit.check_receipt(Receipt.read(receipt.text()), verifier).size == number + 1
    with database.session() as session:
        for number in range(9):
            later = audit.receipt(session, number)
            assert audit.check_receipt(later, verifier).size == 9 and json.loads(later.data)["amount"] == number
    assert _verify(database, receipts) == (9, 0)


def test_a_receipt_tells_nobody_what_is_said_about_others(database):
    _fill(database)
    with database.session() as session:
        assert audit.receipt(session, 4, "p1").data and not audit.receipt(session, 4, "p2").data
        audit.check_receipt(audit.receipt(session, 4, "p2"), audit.Signer().verifier)
        assert [number for number, _, _, _ in audit.told(session, "p1")] == [1, 4, 7]


def test_the_key_is_in_the_backup(tmp_path, monkeypatch):
    from lanterne.service import backup, keys, server
    from lanterne.service.settings import Settings

    server.prepare(Settings())
    keys.server_secret()
    verifier = audit.Signer().verifier
    backup.backup(Settings(), tmp_path / "lanterne.tar")
    monkeypatch.setenv("LANTERNE_HOME", str(tmp_path / "other"))
    backup.restore(tmp_path / "lanterne.tar")
    assert audit.Signer().verifier == verifier


def test_a_receipt_holds_for_nothing_else(database):
    receipt, verifier = _fill(database)[4], audit.Signer().verifier
    changed = [
        replace(receipt, number=3), replace(receipt, leaf=receipt.leaf.replace("decided", "refused")), replace(receipt, proof=()),
        replace(receipt, data=receipt.data.replace("4", "5")), replace(receipt, salt="00" * 32), replace(receipt, salt="xyz"),
        replace(receipt, proof=("zz",)), replace(receipt, checkpoint=receipt.checkpoint.replace("\n5\n", "\n6\n")),
        replace(receipt, checkpoint=""), replace(receipt, salt=None), replace(receipt, data=None),
    ]
    for wrong in changed:
        with pytest.raises(AuditError):
            audit.check_receipt(wrong, verifier)
    for text_ in ("", "{}", "[]", "null", '{"number": 1}', receipt.text().replace('"number": 4', '"number": "4"'), "[" * 100000):
        with pytest.raises(AuditError, match="not a receipt"):
            Receipt.read(text_)


def test_checkpoints_have_the_form_others_read(database):
    """C2SP's signed notes: checked here from their description, with nothing of ours."""
    _fill(database)
    with database.session() as session:
        note = audit.checkpoint(session)
    body, _, signatures = note.partition("\n\n")
    origin, size, root = body.split("\n")
    dash, name, signature = signatures.strip().split(" ")
    vkey = audit.Signer().verifier.split("+", 2)
    assert (dash, name, origin, size) == ("—", origin, vkey[0], "9") and len(base64.b64decode(root)) == 32
    key, signed = base64.b64decode(vkey[2]), base64.b64decode(signature)
    assert key[0] == 1 and signed[:4].hex() == vkey[1]
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signed[4:], (body + "\n").encode())


def test_no_personal_data_is_in_the_lines_and_erasing_keeps_them_valid(database):
    receipts = _fill(database)
    with database.session() as session:
        kept = " ".join(session.scalars(select(audit.Line.leaf)))
        assert "Ana" not in kept and "amount" not in kept and "p1" not in kept
        assert audit.erase(session, "p1") == 3
    assert _verify(database, receipts) == (10, 3)
    with database.session() as session:
        assert audit.receipt(session, 1).data is None and audit.receipt(session, 2).data is not None
        # With the salt gone, a guess of the data cannot be held against the line.
        guess = merkle.sha256(receipts[1].data.encode()).hexdigest()
        assert guess not in kept
        audit.check_receipt(audit.receipt(session, 1), audit.Signer().verifier)


def _reforged(line):
    """What a forger without the key writes over line `line`: another leaf, and the root that belongs to it."""
    def statements(database):
        with database.session() as session:
            leaves = list(session.scalars(select(audit.Line.leaf).order_by(audit.Line.number)))
        leaves[line] = leaves[line].replace("decided", "refused")
        peaks = []
        for number, leaf in enumerate(leaves):
            peaks = merkle.grow(peaks, number, merkle.leaf_hash(leaf.encode()))
            yield f"UPDATE audit_log SET leaf = '{leaf}', root = '{merkle.root(peaks).hex()}' WHERE number = {number}"
        yield f"UPDATE audit_head SET peaks = '{json.dumps([peak.hex() for peak in peaks])}'"

    return statements


@pytest.mark.parametrize(
    "statements, told",
    [
        (["UPDATE audit_log SET leaf = replace(leaf, 'decided', 'refused') WHERE number = 4"], "Line 4 was changed"),
        (["UPDATE audit_log SET root = replace(root, 'a', 'b') WHERE number IN (6, 5)"], "Line 5 was changed"),
        (["UPDATE audit_log SET signature = (SELECT signature FROM audit_log WHERE number = 1) WHERE number = 2"], "Line 2 was changed"),
        (["UPDATE audit_log SET signature = 'junk' WHERE number = 7"], "Line 7 was changed"),
        (["UPDATE audit_openings SET data = replace(data, '3', '4') WHERE number = 3"], "Line 3 says something else"),
        (["DELETE FROM audit_openings WHERE number = 3"], "missing, and only 0 were erased: the first is 3"),
        (["DELETE FROM audit_openings WHERE number = 3", "DELETE FROM audit_log WHERE number = 3"], "Line 3 is missing"),
        (["DELETE FROM audit_openings WHERE number = 8", "DELETE FROM audit_log WHERE number = 8"], "Line 8 is missing"),
        (
            ["UPDATE audit_log SET number = 99 WHERE number = 2", "UPDATE audit_log SET number = 2 WHERE number = 3",
             "UPDATE audit_log SET number = 3 WHERE number = 99"], "Line 2 was changed"
        ),
        (["INSERT INTO audit_log SELECT 9, leaf, root, signature FROM audit_log WHERE number = 8"], "Line 9 was changed"),
        (_reforged(4), "Line 4 was changed: its checkpoint is not signed"),
    ],
)
def test_the_first_line_that_was_tampered_with_is_named(database, statements, told):
    _fill(database)
    with database.engine.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys=OFF"))
    _tamper(database, *(statements(database) if callable(statements) else statements))
    with pytest.raises(AuditError, match=told):
        _verify(database)


def test_a_whole_new_log_is_given_away_by_receipts_and_checkpoints(database, tmp_path):
    """Even one written with the key, which no check of the log alone can tell."""
    from lanterne.service.database import Database

    receipts = _fill(database)
    forged = Database(f"sqlite:///{tmp_path / 'forged.db'}")
    forged.migrate()
    _fill(forged, 4)
    assert _verify(forged) == (4, 0)
    with pytest.raises(AuditError, match="Line 4 is missing"):
        _verify(forged, receipts[8:])
    _fill(forged, 12)
    with pytest.raises(AuditError, match="another log"):
        _verify(forged, receipts[:1])
    with database.session() as session, forged.session() as other:
        good = audit.consistency(session, receipts[2].checkpoint)
        assert [point.size for point in audit.check_consistency(good, audit.Signer().verifier)] == [3, 9]
        bad = audit.consistency(other, receipts[2].checkpoint)
        with pytest.raises(AuditError, match="does not go on"):
            audit.check_consistency(bad, audit.Signer().verifier)


def test_another_key_is_noticed(database, home):
    receipts, verifier = _fill(database, 2), audit.Signer().verifier
    (home / "audit-key").unlink()
    assert audit.Signer().verifier != verifier
    with pytest.raises(AuditError, match="Line 0 was changed"):
        _verify(database)
    with pytest.raises(AuditError, match="public key"):
        audit.check_receipt(receipts[0], audit.Signer().verifier)
    with database.session() as session:
        assert audit.verify(session, verifier, receipts) == (2, 0)
    for wrong in ("", "a+b+c", verifier[:-4] + "AAA=", verifier.replace("+", "-")):
        with pytest.raises(AuditError, match="public key"):
            audit.check_receipt(receipts[0], wrong)


def test_appends_take_turns(either):
    """Eight at once, each also reading before: no line is lost, doubled or out of order."""
    def one(number):
        with either.session() as session:
            session.scalar(select(audit.Head.size))
            return audit.append(session, "test", {"number": number})

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(one, range(40)))
    assert sorted(receipt.number for receipt in receipts) == list(range(40))
    assert _verify(either, receipts) == (40, 0)


def test_a_line_is_there_only_if_what_it_records_is(database):
    with pytest.raises(RuntimeError), database.session() as session:
        audit.append(session, "test", {})
        raise RuntimeError
    assert _verify(database) == (0, 0)
    with database.session() as session, pytest.raises(AuditError, match="empty"):
        audit.checkpoint(session)
    with database.session() as session, pytest.raises(AuditError, match="no line 0"):
        audit.receipt(session, 0)


@pytest.mark.parametrize("key", ["", "typo", "lanterne+0+AAAA"])
def test_a_key_that_is_none_is_no_sign_of_a_changed_line(database, key):
    with database.session() as session:
        audit.append(session, "test", {})
        with pytest.raises(AuditError, match="not an audit log's public key"):
            audit.verify(session, key)
