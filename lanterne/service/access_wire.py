"""What goes over the wire between a person's browser and the programme: bodies in JSON, and answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lanterne.programme.leaks import LONGEST_STATEMENT
from lanterne.programme.people import LONGEST, SHORTEST
from lanterne.service.keys import LONGEST_OVERLAP

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of the terms that were shown.")]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00]*$")]
Secret = Annotated[str, Field(min_length=SHORTEST, max_length=LONGEST, pattern=r"^[^\x00]*$")]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # in JSON, 4.0 is a whole number, too


WHOLE = BeforeValidator(_whole)  # stands after the limits of a number, or the document would not have them


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AcceptInvitation(Given):
    sha256: Sha256
    name: Name
    password: Secret


class AcceptTerms(Given):
    sha256: Sha256


class SignIn(Given):
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00]*$")]
    password: Annotated[str, Field(max_length=LONGEST, pattern=r"^[^\x00]*$")]


class MakeKey(Given):
    cohort: Name
    name: Name
    scopes: Annotated[list[Literal["videos:read", "videos:write"]], Field(min_length=1)] = ["videos:read", "videos:write"]
    days: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=3660), WHOLE] | None, Field(description="Until it expires; by default the cohort's end.")
    ] = None
    networks: Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=20, description="Such as 192.0.2.0/24.")] = []


class RotateKey(Given):
    hours: Annotated[int, Field(strict=True, ge=0, le=LONGEST_OVERLAP, description="For which the old key goes on opening."), WHOLE] = 24


class ContestAlarm(Given):
    statement: Annotated[str, Field(min_length=1, max_length=LONGEST_STATEMENT, pattern=r"^[^\x00]*$")]


class Offer(BaseModel):
    """Terms, pay, quotas and end; `text` says the same for people."""

    cohort: str
    version: int
    sha256: str
    document: dict
    text: str


class Invitation(BaseModel):
    email: str
    expires_at: int
    offer: Offer


class Accepted(BaseModel):
    """receipt: proves that the acceptance is in the audit log; keep it."""

    person_id: str
    receipt: str


class Signed(BaseModel):
    person_id: str


class Key(BaseModel):
    id: str
    name: str
    cohort: str | None
    scopes: list[str]
    state: Literal["in use", "expired", "throttled", "frozen", "revoked"]
    expires_at: int | None
    networks: list[str]
    used: Annotated[str, Field(description="What was asked for of the quota, which is one for all keys of a cohort.")]


class Membership(BaseModel):
    """next: terms that are in force and were not accepted yet."""

    accepted: Offer
    next: Offer | None


class Me(BaseModel):
    person_id: str
    name: str
    email: str
    roles: list[str]
    cohorts: list[Membership]
    keys: list[Key]


class NewKey(BaseModel):
    """key: shown once."""

    id: str
    key: str


class Signal(BaseModel):
    name: str
    score: int
    words: str
    evidence: list[str]


class Verdict(BaseModel):
    upheld: bool
    reasons: str
    decided_at: int


class Alarm(BaseModel):
    id: str
    key_id: str
    step: Literal["notify", "throttle", "freeze"]
    score: int
    signals: list[Signal]
    raised_at: int
    contested_at: int | None
    verdict: Verdict | None


class Alarms(BaseModel):
    data: list[Alarm]


class LeakedKey(BaseModel):
    """A text that may be a key, as GitHub's secret scanning reports it; what else a scanner says is not read."""

    token: Annotated[str, Field(max_length=1000)]
    type: Annotated[str, Field(max_length=200)] = "lanterne"
    url: Annotated[str, Field(max_length=2000)] = ""
    source: Annotated[str, Field(max_length=200)] = ""


class Label(BaseModel):
    token_hash: str
    token_type: str
    label: Literal["true_positive", "false_positive"]


