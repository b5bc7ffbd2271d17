"""What goes over the wire: bodies read the same from multipart, urlencoded and JSON; the schemas of requests and answers.

The official Python SDK always sends multipart, Node's flattens objects into fields such as `video[id]`, curl sends JSON. Extension
fields arrive as strings. All of it becomes one nested dict, which a schema then reads.
"""

import asyncio
import json
import re
import time
from contextlib import suppress
from io import BytesIO
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, WithJsonSchema
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from lanterne.service.errors import APIError, invalid
from lanterne.service.links import LONGEST
from lanterne.service.refusals import refusal, shown

MAX_FIELDS, MAX_FILES, MAX_DEPTH = 200, 4, 4
MAX_FIELD_BYTES = 22 * 2**20  # a data URL may have 20,971,520 characters
SLOWEST_SECONDS, SLOWEST_RATE = 30, 4096  # a body may take so long, and a second more for every so many bytes that have come
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


async def read_body(request: Request, max_bytes: int) -> dict[str, Any]:
    """A request's fields, nested; uploads are UploadFile. No body is no fields. Raises APIError."""
    request = Request(request.scope, _limited(request, max_bytes))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
            form = await request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
            return nested(form.multi_items())
        data = await request.body()
    except ClientDisconnect:
        raise APIError(400, "client_left", "The connection closed before the body was whole.") from None
    except OSError as error:  # a form's files wait in the system's folder for what is temporary
        said = f"The server has no room for this upload ({error.strerror}); try again later."
        raise APIError(503, "disk_full", said, retry=True) from None
    except HTTPException as error:  # starlette's, for a form that its parser refuses
        raise invalid(f"The form cannot be read: {error.detail.rstrip('.')}; send multipart/form-data with its boundary.") from None
    if not data.strip():
        return {}
    if kind not in ("application/json", "text/json", ""):
        said = f"A body of type {kind[:80]!r} is not read; send multipart/form-data or application/json."
        raise APIError(415, "unsupported_media_type", said)
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON; check its quotes and commas, or send multipart/form-data.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise invalid(f"The body is {shown(fields)}; send a JSON object with fields.", code="invalid_json")
    return fields


async def read_bytes(request: Request, max_bytes: int) -> bytes:
    """A request's body as it is, such as for a signature. Raises APIError."""
    try:
        return await Request(request.scope, _limited(request, max_bytes)).body()
    except ClientDisconnect:
        raise APIError(400, "client_left", "The connection closed before the body was whole.") from None


def _limited(request: Request, max_bytes: int):
    """The request's own way to receive, which ends when more comes than may."""
    too_large = APIError(413, "too_large", f"The body is over the {max_bytes} bytes that may be sent; send a smaller file.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    received, began = 0, time.monotonic()

    async def receive():
        nonlocal received
        try:
            async with asyncio.timeout(began + SLOWEST_SECONDS + received / SLOWEST_RATE - time.monotonic()):
                message = await request.receive()
        except TimeoutError:
            said = f"The body comes at less than {SLOWEST_RATE} bytes a second; send it faster, or a smaller file."
            raise APIError(408, "too_slow", said, headers={"connection": "close"}) from None
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise too_large
        return message

    return receive


class FormText(str):
    """A text of a form. Forms have no types: where a number is asked for, such a text is read as one."""

    __slots__ = ()


def nested(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Form fields such as `a`, `o[a][b]`, `lst[]`, `lst[][id]` and `lst[0][id]` as one nested dict with lists."""
    fields: dict[str, Any] = {}
    for name, value in items:
        found = _NAME.fullmatch(name)
        if not found:
            raise invalid(f"The field name {name[:80]!r} cannot be read; give names such as seconds, video[id] or characters[][id].")
        path = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        if len(path) > MAX_DEPTH:
            raise invalid(f"The field name {name[:80]!r} is nested deeper than {MAX_DEPTH}.")
        _place(fields, path, value, name)
    return _listed(fields)


def _place(target: dict, path: list[str], value: Any, name: str) -> None:
    key, *rest = path
    if key == "":  # the next of a list; fields of an object go to the last one until one comes twice
        last = max((number for number in target if isinstance(number, int)), default=-1)
        fits = rest and last >= 0 and isinstance(target[last], dict) and rest[0] not in target[last]
        key = last if fits else last + 1
    elif key.isdecimal() and len(key) < 4:
        key = int(key)
    if not rest:
        if key in target:
            raise invalid(f"The field {name[:80]!r} is given twice; give it once.", name[:80])
        target[key] = FormText(value) if isinstance(value, str) else value
    elif isinstance(inner := target.setdefault(key, {}), dict):
        _place(inner, rest, value, name)
    else:
        raise invalid(f"The field {name[:80]!r} is given both as a value and with parts; give one of the two.", name[:80])


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_listed(value[key]) for key in sorted(value)]
    return {str(key): _listed(inner) for key, inner in value.items()}


Schema = TypeVar("Schema", bound=BaseModel)


def read(schema: type[Schema], fields: dict[str, Any]) -> Schema:
    """The fields as their schema. Raises APIError, naming the first field that does not fit, its value and the rule."""
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        known = [field.alias or name for name, field in schema.model_fields.items()]
        raise refusal(error.errors(include_url=False), fields, "field", known) from None


def _number(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, FormText):
        raise ValueError("in JSON, give a number without quotes")
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


def _truth(value: Any) -> Any:
    if not isinstance(value, (bool, FormText)):
        raise ValueError("give true or false")
    return value


def _seconds(value: Any) -> Any:
    if (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer()):
        value = str(int(value))  # in JSON, 4.0 is a whole number, too
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,3}", value):
        raise ValueError('give a whole number of seconds as a string, such as "4"')
    return value


def _size(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}", value):
        raise ValueError("give width x height in pixels, such as 1280x720")
    return value


def _no_null(text: str) -> str:
    if "\0" in text:
        raise ValueError("leave the null character out")
    return text


def _file(value: Any) -> Any:
    """A part of a form without a file's name is a file all the same where one is asked for. Starlette reads bytes that are no UTF-8 as
    Latin-1, which holds them all."""
    if not isinstance(value, FormText):
        return value
    try:
        return UploadFile(BytesIO(value.encode("latin-1")))
    except UnicodeEncodeError:
        return UploadFile(BytesIO(value.encode()))


def _file_or_object(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, FormText) and value.startswith("{"):  # an object in a form, as OpenAPI writes it
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if info.field_name == "video" and isinstance(value, str) and value.startswith("video_"):
        given = value[:80]
        raise ValueError(f"give it as video[id]={given}" if isinstance(value, FormText) else f'give it as {{"id": "{given}"}}')
    value = _file(value)
    if not isinstance(value, (UploadFile, dict, BaseModel)) and (value is not None or info.field_name == "video"):
        example = '"id": "video_…"' if info.field_name == "video" else '"image_url": "https://…"'
        raise ValueError(f"upload a file in multipart/form-data, or give an object such as {{{example}}}")
    return value


Seconds = Annotated[
    str, BeforeValidator(_seconds),
    WithJsonSchema({"description": 'A whole number of seconds, such as "4".', "examples": ["4"]}),
]
Size = Annotated[
    str, BeforeValidator(_size),
    Field(description="Width x height in pixels, even numbers.", examples=["1280x720"]),
]
Number = BeforeValidator(_number)
# Postgres keeps no such character, and no sentence needs it. It stands after a text's limits, which else would not count characters.
NoNull = AfterValidator(_no_null)
Prompt = Annotated[str, Field(min_length=1, max_length=32000), NoNull]
Upload = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary", "description": "A file's bytes."})]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class ImageReference(_Given):
    """Exactly one of the two."""

    file_id: str | None = None
    image_url: Annotated[str | None, Field(max_length=20_971_520, description="An https address or a data URL.")] = None


class VideoReference(_Given):
    id: Annotated[str, NoNull]


class CharacterReference(_Given):
    id: str


class Choices(_Given):
    """Fields beyond OpenAI's that every kind of video takes."""

    seed: Annotated[int | None, Field(ge=0, lt=2**63, description="The same gives the same video; by default drawn anew."), Number] = None
    negative_prompt: Annotated[str, Field(max_length=32000, description="What it should not show."), NoNull] = ""
    guidance_scale: Annotated[float | None, Field(ge=1, le=20, description="How strictly to follow the prompt."), Number] = None
    num_inference_steps: Annotated[int | None, Field(ge=1, le=200, description="Sampling steps per chunk."), Number] = None
    fps: Annotated[int | None, Field(description="Frames a second; the model makes 16."), Number] = None


class Create(Choices):
    prompt: Prompt
    model: str | None = None
    seconds: Seconds = "4"
    size: Size = "720x1280"
    input_reference: Annotated[
        Upload | ImageReference | None, BeforeValidator(_file_or_object), Field(description="The first frame, of exactly `size`.")
    ] = None
    characters: Annotated[list[CharacterReference], Field(max_length=2)] = []


class Remix(Choices):
    prompt: Prompt
    strength: Annotated[float | None, Field(gt=0, le=1, description="How much may change."), Number] = None


class Edit(Remix):
    video: Annotated[
        Upload | VideoReference, BeforeValidator(_file_or_object), Field(description="The video to remake: a file, or one of yours.")
    ]
    model: str | None = None


class Extend(Choices):
    prompt: Prompt
    video: Annotated[
        Upload | VideoReference, BeforeValidator(_file_or_object), Field(description="The video to go on from: a file, or one of yours.")
    ]
    seconds: Seconds = "4"
    model: str | None = None


class CreateCharacter(_Given):
    name: Annotated[str, Field(min_length=1, max_length=80), NoNull]
    video: Annotated[Upload, BeforeValidator(_file), Field(description="A video that shows it.")]


class Verify(_Given):
    file: Annotated[Upload, BeforeValidator(_file), Field(description="A video or a picture.")]


class Cancel(_Given):
    keep: Annotated[bool, BeforeValidator(_truth), Field(description="Finish with the chunks that are done, as a shorter video.")] = False


class MakeLink(_Given):
    variant: Annotated[Literal["video", "thumbnail", "spritesheet"], Field(description="Which file it opens.")] = "video"
    expires_in: Annotated[
        int, Field(ge=1, le=LONGEST, description="Seconds for which it opens that; it ends with your key in any case."), Number
    ] = 3600


class VideoError(BaseModel):
    code: str
    message: str


class Video(BaseModel):
    """A video and how far it is. All 13 fields are always there."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: Annotated[int, Field(ge=0, le=100)]
    created_at: int
    completed_at: int | None
    expires_at: int | None
    prompt: str | None
    size: str
    seconds: str
    remixed_from_video_id: str | None
    error: VideoError | None


class Wait(BaseModel):
    """Of a video that waits. Estimates, from the queue and from what the latest videos took."""

    ahead: Annotated[int, Field(ge=0, description="Videos that are likely to be made before it.")]
    seconds: Annotated[int | None, Field(ge=0, description="Until it is likely to begin; null where nothing was measured yet.")]


class WatchedVideo(Video):
    wait: Annotated[Wait | None, Field(description="Only there while the video is queued.")] = None


class VideoList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(BaseModel):
    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: Literal[True] = True


class Link(BaseModel):
    object: Literal["video.link"] = "video.link"
    url: str
    expires_at: int


class Character(BaseModel):
    id: str
    object: Literal["character"] = "character"
    name: str
    created_at: int


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    version: str


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    error: ErrorBody
