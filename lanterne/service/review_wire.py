"""What goes over the wire between the gate and artists, reviewers, operators and the public: bodies in JSON, and answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from lanterne.programme.review import LONGEST_EXPLANATION, MOST_TIMES
from lanterne.service.access_wire import Given
from lanterne.service.wire import Number

_NO_NULL = r"^[^\x00]*$"
Second = Annotated[float, Field(ge=0, le=86400), Number]
Times = Annotated[
    list[Annotated[list[Second], Field(min_length=2, max_length=2)]],
    Field(max_length=MOST_TIMES, description="From and to, in seconds of the video."),
]
Stage = Annotated[str, Field(description="first, second, blind, appeal, or such as `takedown 1` on the appeal against that takedown.")]
State = Literal["waiting", "approved", "refused", "appealed", "withdrawn", "public", "taken down", "takedown appealed"]


class AskRelease(Given):
    video_id: Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_NULL)]


class AppealRefusal(Given):
    words: Annotated[str, Field(min_length=1, max_length=4000, pattern=_NO_NULL)]


class Publish(Given):
    title: Annotated[str, Field(max_length=200, pattern=_NO_NULL, description="Shown beside the video; by default nothing is.")] = ""
    credit: Annotated[str, Field(max_length=80, pattern=_NO_NULL, description="A name or pseudonym; by default none.")] = ""
    with_prompt: Annotated[bool, Field(strict=True, description="Show the video's prompt, too.")] = False


class TakeDown(Given):
    ground: Annotated[str | None, Field(max_length=20, pattern=_NO_NULL, description="For operators: a number of the policy.")] = None
    explanation: Annotated[str, Field(max_length=LONGEST_EXPLANATION, pattern=_NO_NULL)] = ""


class GiveLook(Given):
    verdict: Literal["approve", "refuse"]
    ground: Annotated[str | None, Field(max_length=20, pattern=_NO_NULL, description="For a refusal: a number of the policy.")] = None
    explanation: Annotated[str, Field(max_length=LONGEST_EXPLANATION, pattern=_NO_NULL)] = ""
    times: Annotated[Times, Field(default_factory=list)]


class PublishPolicy(Given):
    words: Annotated[str, Field(min_length=1, max_length=100_000, pattern=_NO_NULL)]
    grounds: Annotated[dict[str, str], Field(min_length=1, max_length=100, description="Each a number, such as 2.1, and a text.")]
    decide_days: Annotated[int, Field(ge=1, le=60), Number] = 5
    appeal_days: Annotated[int, Field(ge=183, le=3660), Number] = 183
    sample_percent: Annotated[int, Field(ge=0, le=100), Number] = 10
    remedy: Literal["credit", "release"]
    credit: Annotated[int | None, Field(ge=1, description="Minor units, for the remedy credit."), Number] = None
    currency: Annotated[str | None, Field(max_length=3, description="ISO 4217.")] = None


class Policy(BaseModel):
    version: int
    words: str
    grounds: dict[str, str]
    decide_days: int
    appeal_days: int
    sample_percent: int
    remedy: str
    credit: int | None
    currency: str | None
    published_at: int


class Reason(BaseModel):
    """One reviewer's statement, in the fields of the DSA transparency database, with times and a pseudonym."""

    puid: str
    incompatible_content_ground: str
    incompatible_content_explanation: str
    decision_facts: str
    application_date: str
    times: list[list[float]]
    reviewer: str
    statement: Annotated[dict[str, Any], Field(description="All fields of the database.")]


class Removal(BaseModel):
    """Why an operator took a release down, in the fields of the DSA transparency database; with the day on which it was overturned, if it
    was."""

    puid: str
    incompatible_content_ground: str
    incompatible_content_explanation: str
    decision_facts: str
    application_date: str
    statement: Annotated[dict[str, Any], Field(description="All fields of the database.")]


class Request(BaseModel):
    """due_at: by when the next decision is due, while one is. appeal_until: while a refusal, or a takedown by an operator, can be appealed
    against. reasons: of a refusal, and of who upheld a takedown."""

    id: str
    video_id: str
    sha256: Annotated[str, Field(description="Of the bytes that the request is about.")]
    policy: int
    state: State
    requested_at: int
    due_at: int | None
    appeal_until: int | None
    reasons: list[Reason]
    takedown: Annotated[Removal | None, Field(description="By an operator; an artist's own takedown needs no reasons.")]
    public_sha256: Annotated[str | None, Field(description="Of the copy that the public is shown, with the approval signed into it.")]


class OwnedRequest(Request):
    """stalled: somebody is to decide, and no reviewer may: all have looked at it, took it down, or asked for it."""

    artist_id: str
    stalled: bool


class Requests(BaseModel):
    data: list[Request]


class AllRequests(BaseModel):
    data: list[OwnedRequest]


class Task(BaseModel):
    """What is to be looked at. appeal: the artist's words, where it is one. takedown: what the appeal is against, if that is a takedown; to
    approve is then to overturn it, and the video is the copy that was public."""

    request_id: str
    sha256: str
    policy: int
    due_at: int
    appeal: str | None
    takedown: str | None


class Tasks(BaseModel):
    data: list[Task]


class Looked(BaseModel):
    request_id: str
    stage: Stage
    verdict: Literal["approve", "refuse"]


class Late(BaseModel):
    request_id: str
    what: Annotated[str, Field(description="request, appeal, or such as `takedown 1` for the appeal against that takedown.")]
    remedy: str


class Escalated(BaseModel):
    data: list[Late]


class Statements(BaseModel):
    """As `POST /api/v1/statements` of the DSA transparency database takes them, 100 at once."""

    statements: list[dict[str, Any]]


class PublicVideo(BaseModel):
    """A video that was released. sha256: of what is served here; approved_sha256: of the file it is a signed copy of."""

    id: str
    title: str
    prompt: str
    credit: str
    seconds: float
    sha256: str
    approved_sha256: str
    released_at: int


class PublicVideos(BaseModel):
    data: list[PublicVideo]
    last_id: str | None
    has_more: bool
