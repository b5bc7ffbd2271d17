"""The public verifier: a file is uploaded, looked at and forgotten; operators also learn whose video it is a copy of."""

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from lanterne.programme import identity, people
from lanterne.service import inputs, provenance, wire
from lanterne.service.deployment import Deployment
from lanterne.service.signed_in import COOKIE, House

_LONGEST = 2000  # characters of a line of words, into which a file may write what it likes


class Released(BaseModel):
    how: Annotated[str, Field(description="released: this file is public here. approved: a signed copy of exactly this file is. copy: it "
                                          "is another copy of what is, by its watermark. taken down: it was. no: it never was.")]
    request: Annotated[str | None, Field(description="Its id in /programme/public.")]
    words: str


class Watermark(BaseModel):
    """This installation's, invisible. share: of the width and of the height of the original that this file shows."""

    number: str
    false_positive_rate: float
    share: list[float]


class Maker(BaseModel):
    """What one manifest of the file tells: of the file itself first, then of what it came from."""

    signer: str | None
    generator: str | None
    kind: str | None
    model: str | None
    weights: str | None
    when: str | None
    time_stamp: str | None
    author: str | None
    training_allowed: bool | None
    source_type: str | None
    approved: bool
    changed: bool


class Traced(BaseModel):
    video_id: str
    owner: str


class Verified(BaseModel):
    """state: trusted (signed by this installation, not changed since), unknown signer (signed and not changed), changed, unsigned."""

    state: str
    words: Annotated[list[str], Field(description="All that follows, for people.")]
    problems: list[str]
    lineage: list[Maker]
    watermark: Watermark | None
    released: Released | None
    traced: Annotated[list[Traced] | None, Field(description="For operators who are signed in: whose videos have this watermark.")]


async def _upload(request: Request, house: House) -> dict[str, Any]:
    request.app.state.verifier.admit(request.client.host if request.client else "")
    return await wire.read_body(request, house.settings.max_upload_bytes)


async def verify_file(request: Request, house: House, fields: Annotated[dict, Depends(_upload)]):
    """Tell who made a file with what and when, whether it was changed since, and whether it was released. The file is not kept."""
    asked = wire.read(wire.Verify, fields)
    await asyncio.to_thread(identity.existing)  # that our keys are damaged is nothing that a file can be blamed for
    path = await asyncio.to_thread(inputs.receive, house.store, asked.file.file, "file")
    try:
        found = await request.app.state.verifier.look(path)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    mark = found["watermark"]
    traced = await asyncio.to_thread(_traced, request, house, mark["number"]) if mark else None
    return Verified(
        state=found["state"], words=[line.replace(str(path), "The file")[:_LONGEST] for line in found["words"]],
        problems=found["problems"], lineage=[Maker(**made | {"approved": made["approval"] is not None}) for made in found["lineage"]],
        watermark=Watermark(**mark | {"number": f"{mark['number']:010x}"}) if mark else None, released=found["released"], traced=traced,
    )


def _traced(request: Request, house: Deployment, number: int) -> list[Traced] | None:
    with house.database.session() as session:
        person = people.who(session, request.cookies.get(COOKIE))
    if person is None or "operator" not in person.roles:
        return None
    return [Traced(video_id=video.id, owner=video.owner) for video in provenance.traced(house.database, number)]


ROUTES = [("POST", "/verify", verify_file, Verified)]
OPEN = ("verify_file",)
BODIES = {}  # its body is a form, with a file
