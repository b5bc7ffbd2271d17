"""The routes of the audit log: what anybody may have, what somebody learns about themselves, and what operators check."""

import base64
from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from lanterne.programme import audit, ledger
from lanterne.service import wire
from lanterne.service.access_wire import Given
from lanterne.service.errors import APIError
from lanterne.service.signed_in import House, OpenFields, Operator, OperatorsFields, Who, ruled

_MOST = 100_000  # lines in one answer, of about 150 bytes each
_TEXT = Annotated[str, Field(min_length=1, max_length=200_000, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="The line's; the first is 0.")]
Whose = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$", description="Only those about this person.")]

First = Annotated[int, Query(alias="from", ge=0, le=2**31 - 1, description="The first line's number.")]
Limit = Annotated[int, Query(ge=1, le=_MOST, description="Lines at most.")]


class ProveConsistency(Given):
    checkpoint: Annotated[_TEXT, Field(description="That you kept.")]


class CheckReceipt(Given):
    receipt: Annotated[_TEXT, Field(description="Its whole text.")]


class VerifyLog(Given):
    receipts: Annotated[list[_TEXT], Field(default_factory=list, max_length=1000, description="That the log must hold.")]


class Consistency(BaseModel):
    """That the log of `second` begins with that of `first`; proof: hashes in hex."""

    first: str
    second: str
    proof: list[str]


class Checked(BaseModel):
    """number: the line's. size: of the log that the receipt's checkpoint signs."""

    number: int
    size: int


class Line(BaseModel):
    """data: canonical JSON of what it is about; null where it was erased, or is told elsewhere."""

    number: int
    at: int
    kind: str
    data: str | None


class Lines(BaseModel):
    data: list[Line]


class Receipt(BaseModel):
    """receipt: its text, which holds by itself; keep it as it is."""

    receipt: str


class Verified(BaseModel):
    """lines: that hold; erased: how many of them on request; transactions: of the ledger that are as they were logged."""

    lines: int
    erased: int
    transactions: int


def audit_key(house: House):
    """The log's public key, with which receipts and checkpoints are checked."""
    with ruled(house):
        return PlainTextResponse(f"{audit.Signer().verifier}\n")


def checkpoint(house: House):
    """The log's latest signed checkpoint; keep some, and nobody can write the log anew unnoticed."""
    with ruled(house) as session:
        return PlainTextResponse(audit.checkpoint(session), headers={"cache-control": "no-store"})


def audit_log(house: House, start: First = 0, limit: Limit = _MOST):
    """The log's lines as they are hashed, one on each line of the answer; they hold nothing about anybody.

    `x-lanterne-checkpoint`, in base64, signs the log up to the last line of this answer. No lines: the log ends before `from`.
    """
    with ruled(house) as session:
        leaves, signed = audit.leaves(session, start, limit)
    headers = {"cache-control": "no-store"}
    if signed is not None:
        headers["x-lanterne-checkpoint"] = base64.b64encode(signed.encode()).decode()
    return Response("".join(f"{leaf}\n" for leaf in leaves), media_type="application/jsonl", headers=headers)


def prove_consistency(house: House, fields: OpenFields):
    """Prove that the log of now begins with that of a checkpoint that you kept."""
    asked = wire.read(ProveConsistency, fields)
    with ruled(house) as session:
        return Consistency(**asdict(audit.consistency(session, asked.checkpoint)))


def check_receipt(house: House, fields: OpenFields):
    """Check a receipt by itself, with this log's key."""
    asked = wire.read(CheckReceipt, fields)
    with ruled(house):
        receipt = audit.Receipt.read(asked.receipt)
        return Checked(number=receipt.number, size=audit.check_receipt(receipt, audit.Signer().verifier).size)


def own_lines(house: House, who: Who):
    """What the log says about you."""
    with ruled(house) as session:
        return Lines(data=[Line(number=number, at=at, kind=kind, data=data) for number, at, kind, data in audit.told_to(session, who)])


def own_receipt(house: House, who: Who, number: Number):
    """A receipt for a line about you."""
    with ruled(house) as session:
        if number not in {line for line, *_ in audit.told(session, who)}:
            raise APIError(404, "not_found", f"There is no line {number} about you; GET /programme/audit/lines has yours.", "number")
        return Receipt(receipt=audit.receipt(session, number, who).text())


def all_lines(house: House, actor: Operator, person: Whose = None):
    """Lines of the log, and what they are about unless it was erased."""
    with ruled(house) as session:
        return Lines(data=[Line(number=number, at=at, kind=kind, data=data) for number, at, kind, data in audit.told(session, person)])


def any_receipt(house: House, actor: Operator, number: Number):
    """A receipt for any line."""
    with ruled(house) as session:
        return Receipt(receipt=audit.receipt(session, number).text())


def verify_log(house: House, actor: Operator, fields: OperatorsFields):
    """Check every line, signature and the given receipts, and the ledger against the log."""
    asked = wire.read(VerifyLog, fields)
    with ruled(house) as session:
        lines, erased = audit.verify(session, audit.Signer().verifier, map(audit.Receipt.read, asked.receipts))
        return Verified(lines=lines, erased=erased, transactions=ledger.check(session))


ROUTES = [
    ("GET", "/programme/audit/key", audit_key, None),
    ("GET", "/programme/audit/checkpoint", checkpoint, None),
    ("GET", "/programme/audit/log", audit_log, None),
    ("POST", "/programme/audit/consistency", prove_consistency, Consistency),
    ("POST", "/programme/audit/check", check_receipt, Checked),
    ("GET", "/programme/audit/lines", own_lines, Lines),
    ("GET", "/programme/audit/lines/{number}", own_receipt, Receipt),
    ("GET", "/programme/desk/audit/lines", all_lines, Lines),
    ("GET", "/programme/desk/audit/lines/{number}", any_receipt, Receipt),
    ("POST", "/programme/desk/audit/verify", verify_log, Verified),
]
OPEN = ("audit_key", "checkpoint", "audit_log", "prove_consistency", "check_receipt")  # they tell nothing about anybody
BODIES = {"prove_consistency": ProveConsistency, "check_receipt": CheckReceipt, "verify_log": VerifyLog}
