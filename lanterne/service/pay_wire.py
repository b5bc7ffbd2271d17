"""What goes over the wire about work, pay and the ledger. Money is whole minor units with its currency, times are UTC seconds."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from lanterne.programme.money import LARGEST
from lanterne.service.access_wire import WHOLE, Given

_NO_NULL = r"^[^\x00]*$"
LATEST = 2**31 - 1  # UTC seconds that every database keeps
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="Such as 2026-11-25.")]
Kind = Literal["hours", "bug", "feedback", "use"]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
Amount = Annotated[int, Field(strict=True, ge=1, le=LARGEST, description="In minor units, such as cents."), WHOLE]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_NULL)]
Words = Annotated[str, Field(max_length=2000, pattern=_NO_NULL)]
PersonId = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._@-]+$")]
RepeatSafely = Annotated[
    str | None, Field(min_length=1, max_length=200, pattern=_NO_NULL, description="The same key gives the same again, and nothing twice.")
]


# Bodies.


class ClaimWork(Given):
    kind: Kind
    day: Day | None = Field(None, description="When; today by default.")
    hours: (
        Annotated[float, Field(strict=True, gt=0, le=24)] | Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4}|:[0-5][0-9])?$")] | None
    ) = Field(None, description='For hours alone: how many, such as 1.5 or "1:30".')
    about: Word | None = Field(None, description="For all others: which bug, feedback or use.")
    note: Words = ""
    card: Word | None = Field(None, description="The rate card; by default what your terms name.")
    key: RepeatSafely = None


class DisputeWork(Given):
    statement: Annotated[str, Field(min_length=1, max_length=4000, pattern=_NO_NULL)]


class DecideWork(Given):
    accepted: Annotated[
        Annotated[int, Field(strict=True, ge=0, le=LARGEST), WHOLE] | None, Field(description="In all, minor units; as claimed by default.")
    ] = None
    reason: Words = Field("", description="Needed where it is less than was claimed; the artist reads it.")


class GiveCredit(Given):
    person_id: PersonId
    subject: Word = Field(description="Which deadline, such as answer:17; each is made good once.")
    amount: Amount
    currency: Currency = "EUR"
    because: Annotated[str, Field(min_length=1, max_length=2000, pattern=_NO_NULL)]
    due_at: Annotated[int, Field(strict=True, ge=0, le=LATEST), WHOLE]
    missed_at: Annotated[int, Field(strict=True, ge=0, le=LATEST), WHOLE] | None = Field(None, description="When it was done, or now.")


class PublishCard(Given):
    name: PersonId
    rates: dict[Kind, Annotated[int, Field(strict=True, ge=1, le=LARGEST // 1000), WHOLE]] = Field(
        min_length=1, description="Minor units for an hour, an accepted bug, feedback, a public use."
    )
    currency: Currency = "EUR"
    decide_days: Annotated[int, Field(strict=True, ge=1, le=366), WHOLE] = 14
    pay_days: Annotated[int, Field(strict=True, ge=1, le=366), WHOLE] = 30


class SetPayee(Given):
    name: Annotated[str, Field(min_length=1, max_length=70, pattern=_NO_NULL)]
    iban: Annotated[str, Field(min_length=5, max_length=50, pattern=_NO_NULL)]


class MakePayout(Given):
    day: Day | None = Field(None, description="On which the bank pays; tomorrow by default.")
    key: RepeatSafely = None


class ExportPayout(Given):
    copy_: Annotated[bool, Field(alias="copy", strict=True, description="For a bank that has not had the first; it says so.")] = False


class BouncePayout(Given):
    person_id: PersonId
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=_NO_NULL)]


class ReverseTransaction(Given):
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=_NO_NULL)]


# Answers.


class WorkDecision(BaseModel):
    number: int
    accepted: int
    reason: str
    decided_by: str
    decided_at: int
    pay_by: int
    disputed: str | None


class Work(BaseModel):
    """due_at: by when it is decided, or a dispute answered. accepted: in all; null until it is decided."""

    id: str
    person_id: str
    kind: Kind
    day: str
    minutes: int | None
    about: str | None
    note: str
    card: str
    card_version: int
    currency: str
    claimed: int
    accepted: int | None
    state: str
    claimed_at: int
    due_at: int | None
    decisions: list[WorkDecision]


class WorkList(BaseModel):
    data: list[Work]


class Due(BaseModel):
    person_id: str
    what: Literal["decision", "answer to a dispute", "payment"]
    subject: str
    amount: int
    currency: str
    due_at: int


class Arrears(BaseModel):
    data: list[Due]


class Owed(BaseModel):
    """owed: minor units by currency. next: what falls due, the soonest first. late: what should have been done by now."""

    owed: dict[str, int]
    next: list[Due]
    late: list[Due]


class RateCard(BaseModel):
    name: str
    version: int
    currency: str
    rates: dict[str, int]
    decide_days: int
    pay_days: int
    published_at: int


class Payee(BaseModel):
    """set_by: who said so; null where it was set before that was kept."""

    person_id: str
    name: str
    iban: str
    changed_at: int
    set_by: str | None


class PayStatementLine(BaseModel):
    at: int
    what: str
    amount: int
    reference: str
    claimed: int | None
    accepted: int | None
    reason: str
    decided_by: str


class PayStatement(BaseModel):
    """opening and lines come to closing, which is the ledger's. waiting: what is not decided yet."""

    person_id: str
    currency: str
    since: int
    until: int
    opening: int
    lines: list[PayStatementLine]
    closing: int
    waiting: list[Work]


class PayStatements(BaseModel):
    data: list[PayStatement]


class CreditGiven(BaseModel):
    subject: str
    person_id: str
    amount: int
    currency: str
    because: str
    due_at: int
    missed_at: int
    pay_by: int


class PayoutLine(BaseModel):
    person_id: str
    amount: int
    state: Literal["on its way", "paid", "came back"]


class LeftOut(BaseModel):
    person_id: str
    amount: int
    why: str


class Payout(BaseModel):
    """left_out: who is owed and was not paid, told when it is made."""

    id: str
    day: str
    currency: str
    made_by: str
    made_at: int
    exported_at: int | None
    exported_by: str | None
    copies: int
    lines: list[PayoutLine]
    left_out: list[LeftOut] = []


class Payouts(BaseModel):
    data: list[Payout]


class Balance(BaseModel):
    """amount: debits positive, credits negative."""

    account: str
    currency: str
    amount: int


class Balances(BaseModel):
    data: list[Balance]


class Transaction(BaseModel):
    id: str
    memo: str
    reverses: str | None
    created_at: int
    legs: list[Balance]


class Journal(BaseModel):
    data: list[Transaction]
