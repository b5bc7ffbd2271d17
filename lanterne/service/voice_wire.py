"""What goes over the wire of feedback, consent and data sets: bodies in JSON, and answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from lanterne.programme.feedback import CREDITS, MOST_NOTES, TAGS
from lanterne.service.access_wire import Given, Sha256
from lanterne.service.wire import Number

Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Seconds = Annotated[float, Field(strict=True, ge=0)]
Rating = Annotated[int, Field(ge=1, le=5), Number]
Tags = Annotated[list[Literal[TAGS]], Field(max_length=len(TAGS))]
_NO_NULL = r"^[^\x00]*$"


def _words(most: int) -> type:
    return Annotated[str, Field(min_length=1, max_length=most, pattern=_NO_NULL)]


class Region(Given):
    """Shares of the frame's width and height, from its upper left corner."""

    x: Share
    y: Share
    w: Share
    h: Share


class TimedNote(Given):
    """What there is to say from one second of the video to another, about all of the picture or a part of it."""

    start: Annotated[Seconds, Field(alias="from")]
    end: Annotated[Seconds, Field(alias="to")]
    words: Annotated[str, Field(max_length=2000, pattern=_NO_NULL)] = ""
    region: Region | None = None


Notes = Annotated[list[TimedNote], Field(max_length=MOST_NOTES)]


class GiveFeedback(Given):
    rating: Rating | None = None
    tags: Tags = Field(default_factory=list)
    notes: Notes = Field(default_factory=list)
    words: Annotated[str, Field(max_length=10_000, pattern=_NO_NULL)] = ""


class ReportBug(Given):
    """title: is public, with its state and the credit. words, video_id: are for operators."""

    title: _words(200)
    words: _words(10_000)
    credit: Literal[CREDITS] = "pseudonym"
    video_id: _words(200) | None = None


class ChangeRemark(Given):
    """What is given changes, if the remark's kind has it; the rest stays."""

    rating: Rating | None = None
    tags: Tags = Field(default_factory=list)
    notes: Notes = Field(default_factory=list)
    words: Annotated[str, Field(max_length=10_000, pattern=_NO_NULL)] = ""
    title: _words(200) = ""
    credit: Literal[CREDITS] = "pseudonym"
    choice: Literal["left", "right", "equal"] = "equal"


class Compare(Given):
    """person_id: who is asked; oneself without it."""

    video_ids: Annotated[list[_words(200)], Field(min_length=2, max_length=2)]
    person_id: _words(100) | None = None


class AnswerComparison(Given):
    choice: Literal["left", "right", "equal"]
    words: Annotated[_words(4000), Field(description="Why.")]


class ContestRemark(Given):
    words: _words(4000)


class DecideRemark(Given):
    """A bug is confirmed, fixed or declined; feedback and preferences are accepted or declined."""

    state: Literal["accepted", "confirmed", "fixed", "declined"]
    reason: Annotated[str, Field(max_length=4000, pattern=_NO_NULL, description="Why, if it is declined; its author reads it.")] = ""
    card: Annotated[_words(200) | None, Field(description="The rate card that pays for it; by default what its author accepted.")] = None


class GiveConsent(Given):
    sha256: Sha256


class PublishConsent(Given):
    purpose: Literal["training", "evaluation", "publicity"]
    words: _words(100_000)


class ExportDataset(Given):
    kind: Literal["preferences", "feedback"]
    purpose: Literal["training", "evaluation", "publicity"] = "training"
    licence: _words(2000) | None = None


class RegisterModel(Given):
    sha256: Annotated[Sha256, Field(description="Of the file of weights.")]
    name: _words(200)


class RemarkVerdict(BaseModel):
    """decider: a pseudonym; nobody where its author opened it again."""

    state: str
    reason: str
    decider: str | None
    decided_at: int


class Remark(BaseModel):
    """content: by kind; versions: how often it was written."""

    id: str
    kind: Literal["feedback", "bug", "preference"]
    author: str
    video_id: str | None
    comparison_id: str | None
    state: Literal["open", "confirmed", "fixed", "accepted", "declined", "withdrawn"]
    content: dict
    versions: int
    said_at: int
    changed_at: int
    verdicts: list[RemarkVerdict]


class Remarks(BaseModel):
    data: list[Remark]


class Bug(BaseModel):
    id: str
    title: str
    state: Literal["open", "confirmed", "fixed", "declined"]
    reason: str
    credit: str
    reported_at: int


class Bugs(BaseModel):
    data: list[Bug]


class Comparison(BaseModel):
    """left, right: where the two videos are; neither says which it is."""

    id: str
    prompt: str
    negative_prompt: str
    left: str
    right: str
    asked_at: int


class Comparisons(BaseModel):
    data: list[Comparison]


class DatasetModel(BaseModel):
    sha256: str
    name: str
    registered_at: int


class DatasetRelease(BaseModel):
    id: str
    kind: str
    purpose: str
    records: int
    sha256: str
    licence: str
    exported_at: int
    models: list[DatasetModel]


class DatasetReleases(BaseModel):
    data: list[DatasetRelease]


class Dataset(BaseModel):
    """Two files, to be written under their names: the records as JSON Lines, and their description in Croissant."""

    release: DatasetRelease
    data_name: str
    data: str
    croissant: str


class AffectedRelease(BaseModel):
    """records: how many of the release have something of yours."""

    release: str
    kind: str
    records: int
    models: list[DatasetModel]


class ConsentText(BaseModel):
    purpose: str
    version: int
    words: str
    sha256: str
    published_at: int


class Consent(BaseModel):
    """given: whether you consent now, and since when to which words. asked: the words in force. affected: what was made with yours."""

    purpose: str
    given: bool
    version: int | None
    since: int | None
    asked: ConsentText | None
    affected: list[AffectedRelease]


class Consents(BaseModel):
    data: list[Consent]
