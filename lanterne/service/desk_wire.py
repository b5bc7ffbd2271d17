"""What goes over the wire at the operators' desk about people, cohorts, invitations, keys and alarms. Times are UTC seconds."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from lanterne.programme.cohorts import INVITATION_DAYS, LARGEST_TEXT
from lanterne.service.access_wire import WHOLE, Alarm, Given, Key, Offer

_NO_NULL = r"^[^\x00]*$"
LATEST = 2**31 - 1  # UTC seconds that every database keeps
Role = Literal["operator", "reviewer", "artist"]
Id = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._@-]+$")]
Address = Annotated[str, Field(max_length=254, pattern=_NO_NULL)]
Reason = Annotated[str, Field(min_length=1, max_length=5000, pattern=_NO_NULL, description="Whom it is about reads it.")]


class OpenAccount(Given):
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=_NO_NULL)]
    email: Address
    roles: Annotated[list[Role], Field(max_length=3)]
    id: Id | None = Field(None, description="One that is easy to type; by default it is drawn by chance.")


class SetRoles(Given):
    roles: Annotated[list[Role], Field(max_length=3, description="All that they have from now on.")]
    reason: Reason


class GiveReason(Given):
    reason: Reason


class OfferTerms(Given):
    """What is agreed on; `card` stands for the rates that are in force when this is published."""

    text: Annotated[str, Field(min_length=1, max_length=LARGEST_TEXT, pattern=_NO_NULL)]
    videos: Annotated[int, Field(strict=True, ge=1, le=10**6, description="That a member may ask for in a period, with all keys."), WHOLE]
    seconds: Annotated[int, Field(strict=True, ge=1, le=10**8, description="And seconds of video."), WHOLE]
    days: Annotated[int, Field(strict=True, ge=1, le=366, description="Of that period; it moves with the time."), WHOLE] = 30
    at_once: Annotated[int, Field(strict=True, ge=1, le=1000, description="Videos queued and in progress."), WHOLE] = 3
    ends_at: Annotated[int, Field(strict=True, ge=0, le=LATEST), WHOLE]
    card: Id = "artists"


class OpenCohort(OfferTerms):
    name: Id


class Invite(Given):
    cohort: Id
    email: Address
    days: Annotated[int, Field(strict=True, ge=1, le=366, description="For which it can be accepted."), WHOLE] = INVITATION_DAYS


class DecideAlarm(Given):
    upheld: Annotated[bool, Field(strict=True, description="true: the key is revoked. false: it opens again.")]
    reasons: Reason


class MakeDecoy(Given):
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=_NO_NULL, description="Where it will lie.")]
    owner: Id = Field("decoy", description="Who is told when it is used, beside the operators.")


class Account(BaseModel):
    id: str
    name: str
    email: str
    roles: list[Role]
    cohorts: list[str]
    created_at: int
    closed_at: int | None


class Accounts(BaseModel):
    data: list[Account]


class CohortInForce(BaseModel):
    """offer: the terms in force."""

    name: str
    offer: Offer
    members: int
    opened_at: int
    closed_at: int | None


class Cohorts(BaseModel):
    data: list[CohortInForce]


class Sent(BaseModel):
    """link: works once; it is in the mail, too."""

    id: str
    link: str


class SentInvitation(BaseModel):
    id: str
    cohort: str
    email: str
    state: Literal["open", "accepted", "withdrawn", "expired"]
    created_at: int
    expires_at: int


class SentInvitations(BaseModel):
    data: list[SentInvitation]


class OwnedKey(Key):
    owner: str


class OwnedKeys(BaseModel):
    data: list[OwnedKey]


class Cut(BaseModel):
    """What ended: keys that were revoked, and videos that were queued or in progress."""

    keys: list[str]
    videos: list[str]


class RaisedAlarm(Alarm):
    """statement: what the artist says. decided_by: an operator."""

    person_id: str
    statement: str | None
    decided_by: str | None


class RaisedAlarms(BaseModel):
    data: list[RaisedAlarm]


class Forgotten(BaseModel):
    """lines: of the audit log, whose openings were erased."""

    lines: int
