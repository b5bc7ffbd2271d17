"""What goes over the wire about copies that were found in public."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class FoundCopy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    watermark: Annotated[str, Field(pattern="^[0-9a-f]{10}$", description="The number in the copy's invisible watermark.")]
    url: Annotated[str, Field(pattern=r"^https?://[!-~]{1,2000}$", description="Where the copy is.")]


class TracedVideo(BaseModel):
    """released: it may be in public. alarms: those that were raised about its owner's keys."""

    id: str
    owner: str
    created_at: int
    released: bool
    alarms: list[str]


class Reported(BaseModel):
    """Videos with this watermark: none where they were deleted, several where the same was asked for again."""

    data: list[TracedVideo]
