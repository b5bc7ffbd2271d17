"""The web process's application: every route in one list, and what all of them share.

Who asks is settled before a body is read. Routes that only talk to the database run in threads; nothing here computes.
"""

import asyncio
import json
import logging
import time
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.staticfiles import StaticFiles

from lanterne import __version__
from lanterne.errors import LanterneError
from lanterne.service import database, keys, metrics, openapi, programme_routes, videos, wire
from lanterne.service.database import now
from lanterne.service.deployment import Deployment
from lanterne.service.downloads import Download, Stream
from lanterne.service.errors import APIError, kind_of, not_found, without_home
from lanterne.service.events import Feed
from lanterne.service.links import Link, broken
from lanterne.service.protocol import new_request_id
from lanterne.service.queue import Queue
from lanterne.service.refusals import refusal
from lanterne.service.review_routes import public_video
from lanterne.service.settings import Settings
from lanterne.service.signed_in import LARGEST, caller_of
from lanterne.service.verifying import Verifier
from lanterne.service.waits import Outlook, Wait
from lanterne.service.watch import Watch

_log = logging.getLogger("lanterne.web")
_CREATED = 1763942400  # when the first model of this name was made; the wire wants a date
_POLL_MS = 1000


# What routes are given ------------------------------------------------------------------------------------------------------------


async def _deployment(request: Request) -> Deployment:
    return request.app.state.deployment


async def _reader(caller: Annotated[keys.Caller, Depends(caller_of)]) -> keys.Caller:
    caller.require("videos:read")
    return caller


async def _writer(caller: Annotated[keys.Caller, Depends(caller_of)]) -> keys.Caller:
    caller.require("videos:write")
    return caller


async def _fields(request: Request, caller: Annotated[keys.Caller, Depends(_writer)]) -> dict[str, Any]:
    return await wire.read_body(request, request.app.state.deployment.settings.max_upload_bytes)


async def _readers_fields(request: Request, caller: Annotated[keys.Caller, Depends(_reader)]) -> dict[str, Any]:
    return await wire.read_body(request, LARGEST)


House = Annotated[Deployment, Depends(_deployment)]
Reader = Annotated[keys.Caller, Depends(_reader)]
Writer = Annotated[keys.Caller, Depends(_writer)]
Fields = Annotated[dict, Depends(_fields)]
ReadersFields = Annotated[dict, Depends(_readers_fields)]
Variant = Literal["video", "thumbnail", "spritesheet"]
_NO_NULL = r"^[^\x00]*$"
VideoId = Annotated[str, Path(alias="id", max_length=200, pattern=_NO_NULL)]
RepeatKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=videos.MAX_KEY, description="The same key and body give the same video."),
]


# Routes ---------------------------------------------------------------------------------------------------------------------------


def create(request: Request, house: House, caller: Writer, fields: Fields, repeat: RepeatKey = None):
    """Make a video from a prompt."""
    return _queued(request, videos.create(house, caller, fields, repeat))


def edit(request: Request, house: House, caller: Writer, fields: Fields, repeat: RepeatKey = None):
    """Make a video again as a prompt says."""
    return _queued(request, videos.edit(house, caller, fields, repeat))


def extend(request: Request, house: House, caller: Writer, fields: Fields, repeat: RepeatKey = None):
    """Go on where a video ends; the result holds both."""
    return _queued(request, videos.extend(house, caller, fields, repeat))


def remix(request: Request, house: House, caller: Writer, video_id: VideoId, fields: Fields, repeat: RepeatKey = None):
    """Make one of your videos again with another prompt."""
    return _queued(request, videos.remix(house, caller, video_id, fields, repeat))


def listing(
    house: House, caller: Reader, limit: Annotated[int, Query(ge=0, le=100)] = 20, order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(min_length=1, max_length=200, pattern=_NO_NULL, description="last_id of the page before.")] = None,
):
    """Your videos, a page at a time."""
    found, more = videos.page(house, caller, limit, order, after)
    data = [videos.to_wire(video) for video in found]
    return wire.VideoList(data=data, first_id=data[0].id if data else None, last_id=data[-1].id if data else None, has_more=more)


async def get(request: Request, video_id: VideoId):
    """A video and how far it is; for one that waits, also how many are likely to be made before it, and when it is likely to begin."""
    # Asked more often than all the others together: solving a route's dependencies would take a third of its time.
    state, caller = request.app.state, await _reader(await caller_of(request))
    row = await state.reader.row(videos.ONE, id=video_id, owner=caller.owner)
    if row is None:
        raise not_found("video", video_id)
    wait = await state.outlook.wait(row.owner, row.number) if row.status == "queued" else None
    left = state.outlook.seconds_left(row.work * (100 - row.progress) / 100)
    if row.status == "in_progress" and row.progress and row.started_at:  # its own pace is the best known
        left = (now() - row.started_at) * (100 - row.progress) / row.progress
    headers = {"openai-poll-after-ms": str(_poll_after(row.status, left, wait))}
    return Response(videos.to_wire(row, wait).model_dump_json(), 200, headers, "application/json")


def _poll_after(status: str, left: float | None, wait: Wait | None) -> int:
    """Milliseconds after which asking again is worth it: a tenth of what is still to come; where that is not known, the longer, the
    more videos are made before it."""
    if status in ("completed", "failed"):
        return _POLL_MS
    if left is None or (wait and wait.seconds is None):
        return min(1 + (wait.ahead if wait else 0), 5) * _POLL_MS
    return round(min(max(100 * (left + (wait.seconds if wait else 0)), _POLL_MS / 2), 5 * _POLL_MS))


def delete(request: Request, house: House, caller: Writer, video_id: VideoId):
    """Delete a video and its files; one that is being made stops within a step."""
    if videos.remove(house, caller, video_id):
        _take_out(request, video_id)
    return wire.Deleted(id=video_id)


def cancel(request: Request, house: House, caller: Writer, video_id: VideoId, fields: Fields):
    """Stop a video within a step; with keep, what is finished becomes a shorter video."""
    video, waited = videos.cancel(house, caller, video_id, wire.read(wire.Cancel, fields).keep)
    if waited:
        _take_out(request, video_id)
    return videos.to_wire(video)


def content(request: Request, house: House, caller: Reader, video_id: VideoId, variant: Variant = "video"):
    """A finished video's file, its thumbnail, or a sheet of a picture for each second. Ranges and ETags are honoured."""
    return _file(request, house, caller, video_id, variant)


def link(request: Request, house: House, caller: Reader, video_id: VideoId, fields: ReadersFields):
    """A link that opens one of a finished video's files without a key, for a while and no longer than the key that made it."""
    asked = wire.read(wire.MakeLink, fields)
    videos.content(house, caller, video_id, asked.variant)
    made = Link(video_id, asked.variant, caller.key_id, now() + asked.expires_in)
    base = (house.settings.public_url or str(request.base_url)).rstrip("/")
    return wire.Link(url=base + made.address(request.app.state.link_secret), expires_at=made.expires)


async def linked(
    request: Request, house: House, video_id: VideoId, key: Annotated[str, Query(max_length=100, pattern=_NO_NULL)],
    expires: Annotated[int, Query(ge=0, lt=2**53)], signature: Annotated[str, Query(pattern="^[0-9a-f]{64}$")], variant: Variant = "video",
):
    """What a link opens; ranges and ETags are honoured."""
    Link(video_id, variant, key, expires).check(request.app.state.link_secret, signature)
    try:
        caller = await request.app.state.keyring.by_id(key)
        caller.require("videos:read")
    except APIError:
        raise APIError(403, "link_ended", "This link ended with the key that made it; ask who gave it to you for another.") from None
    return await asyncio.to_thread(_file, request, house, caller, video_id, variant)


def _file(request: Request, house: Deployment, caller: keys.Caller, video_id: str, variant: str) -> Response:
    file, path = videos.content(house, caller, video_id, variant)
    headers = {"etag": f'"{file.sha256}"', "cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["etag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    name = f"{video_id}.{videos.VARIANTS[variant]}"
    return Download(
        path, caller, request.app.state.keyring, media_type=file.media_type, headers=headers, filename=name,
        content_disposition_type="inline",
    )


async def events(
    request: Request, house: House, caller: Reader, video_id: VideoId,
    last: Annotated[str | None, Header(alias="Last-Event-ID", description="Go on after the event of this id.")] = None,
):
    """What happens to a video, as server-sent events: queued, in_progress, progress, chunk (with a preview), completed, failed."""
    request.app.state.feed.make_room(caller)
    await asyncio.to_thread(videos.get, house, caller, video_id)
    after = int(last) if last and last.isascii() and last.isdecimal() and len(last) < 18 else 0
    stream = request.app.state.feed.listen(caller, video_id, after)
    return Stream(stream, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})


def playlist(house: House, caller: Reader, video_id: VideoId):
    """A video to watch while it is made: an HLS playlist of its finished seconds, at the model's own size."""
    text = videos.playlist(house, caller, video_id)
    return Response(text, media_type="application/vnd.apple.mpegurl", headers={"cache-control": "no-store"})


def segment(request: Request, house: House, caller: Reader, video_id: VideoId, number: Annotated[int, Path(ge=0, le=9999)]):
    """One piece of the stream that the playlist names."""
    return Download(videos.segment(house, caller, video_id, number), caller, request.app.state.keyring, media_type=videos.SEGMENT)


def create_character(house: House, caller: Writer, fields: Fields):
    """Keep a character: a name and a video that shows it."""
    return _character(videos.create_character(house, caller, fields))


def get_character(house: House, caller: Reader, character_id: VideoId):
    """A character that was kept."""
    return _character(videos.get_character(house, caller, character_id))


def models(house: House, caller: Reader):
    """The model that answers, and the names by which old programs ask for it."""
    settings = house.settings
    names = dict.fromkeys([settings.model, *(name for name, model in settings.model_names.items() if model == settings.model)])
    return wire.ModelList(data=[wire.Model(id=name, created=_CREATED, owned_by="lanterne") for name in names])


def get_metrics(house: House, caller: Annotated[keys.Caller, Depends(caller_of)]):
    """Figures for Prometheus; the key needs the scope `metrics`."""
    caller.require("metrics")
    return Response(metrics.text(house.database, __version__, house.store.free()), media_type="text/plain; version=0.0.4; charset=utf-8")


def healthz(house: House):
    """Whether the server and its database answer."""
    with house.database.session() as session:
        session.connection().exec_driver_sql("SELECT 1")
    return wire.Health(version=__version__)


ROUTES = [
    ("POST", "/v1/videos", create, wire.Video),
    ("GET", "/v1/videos", listing, wire.VideoList),
    ("POST", "/v1/videos/edits", edit, wire.Video),
    ("POST", "/v1/videos/extensions", extend, wire.Video),
    ("POST", "/v1/videos/characters", create_character, wire.Character),
    ("GET", "/v1/videos/characters/{id}", get_character, wire.Character),
    ("GET", "/v1/videos/{id}", get, wire.WatchedVideo),
    ("DELETE", "/v1/videos/{id}", delete, wire.Deleted),
    ("GET", "/v1/videos/{id}/content", content, None),
    ("POST", "/v1/videos/{id}/link", link, wire.Link),
    ("GET", "/media/{id}", linked, None),
    ("POST", "/v1/videos/{id}/remix", remix, wire.Video),
    ("POST", "/v1/videos/{id}/cancel", cancel, wire.Video),
    ("GET", "/v1/videos/{id}/events", events, None),
    ("GET", "/v1/videos/{id}/stream.m3u8", playlist, None),
    ("GET", "/v1/videos/{id}/stream/{number}.ts", segment, None),
    ("GET", "/v1/models", models, wire.ModelList),
    ("GET", "/metrics", get_metrics, None),
    ("GET", "/healthz", healthz, wire.Health),
    *programme_routes.ROUTES,
]


def _queued(request: Request, video) -> wire.Video:
    """The answer to a request for a video. It is written down already; should the queue not take it, a worker finds it soon."""
    if request.app.state.deployment.settings.log_prompts:
        _log.info("%s: %s", video.id, json.dumps(video.prompt))
    try:
        request.app.state.queue.put(video.id, video.owner, video.number)
    except Exception:
        _log.exception("the queue did not take %s; a worker will look after it", video.id)
    return videos.to_wire(video)


def _take_out(request: Request, video_id: str) -> None:
    try:
        request.app.state.queue.take_out(video_id)
    except Exception:
        _log.exception("the queue did not let go of %s; its job will find nothing to do", video_id)


def _character(character) -> wire.Character:
    return wire.Character(id=character.id, name=character.name, created_at=character.created_at)


# The application ------------------------------------------------------------------------------------------------------------------


def build(settings: Settings):
    """The ASGI application. The databases must be there; see server.prepare."""
    app = FastAPI(title="Lanterne", version=__version__, description=openapi.WELCOME, docs_url=None, redoc_url=None)
    deployment, state = Deployment.of(settings), app.state
    state.deployment, state.queue = deployment, Queue(settings.jobs_database)
    state.link_secret = keys.server_secret()
    state.reader, state.keyring = database.Reader(deployment.database), keys.Keyring(deployment.database, state.link_secret)
    state.outlook = Outlook(deployment.database)
    own_site = urlsplit(settings.public_url or "").hostname
    state.watch = Watch(deployment.database, settings.post, [own_site] if own_site else [])
    state.feed = Feed(deployment.database, state.outlook)
    state.verifier = Verifier()
    for method, path, endpoint, answer in ROUTES:
        name = endpoint.__name__
        app.add_api_route(
            path, endpoint, methods=[method], name=name, operation_id=name, response_model=answer, openapi_extra=openapi.extra(name),
            response_class=JSONResponse if answer else Response, responses=openapi.responses(path),
            summary=openapi.summary(endpoint), tags=[openapi.tag(path)],
        )
        if endpoint in (content, linked, public_video):
            app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    for kind, handler in (
        (APIError, _on_api_error), (RequestValidationError, _on_bad_parameter), (HTTPException, _on_http_error),
        (LanterneError, _on_lanterne_error), (SQLAlchemyError, _on_database_error), (Exception, _on_fault),
    ):
        app.add_exception_handler(kind, handler)
    app.openapi = lambda: openapi.document(app, settings)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]))
    return Application(app)


async def _docs():
    """Swagger UI, from this server alone: its files come out of a package."""
    return get_swagger_ui_html(
        openapi_url="openapi.json", title="Lanterne: the Videos API", swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css", swagger_favicon_url="docs/favicon-32x32.png",
        swagger_ui_parameters={"persistAuthorization": True, "displayRequestDuration": True, "defaultModelsExpandDepth": 0},
    )


def _answer(error: APIError) -> JSONResponse:
    return JSONResponse(error.body, error.status, error.headers)


async def _on_api_error(request, error: APIError):
    return _answer(error)


async def _on_bad_parameter(request, error: RequestValidationError):
    if request.scope.get("endpoint") is linked:  # all of a link was made here, so nothing of it is for its user to mend
        return _answer(broken(400))
    first = error.errors()[0]
    name = first["loc"][1]  # after where it stands: path, query or header
    return _answer(refusal([first | {"loc": (name,)}], {name: first["input"]}, "parameter"))


async def _on_http_error(request, error: HTTPException):
    said = {
        404: f"There is nothing at {request.url.path[:200]}; the routes are at /docs.",
        405: f"{request.method} is not done at {request.url.path[:200]}; the routes are at /docs.",
    }.get(error.status_code, f"{error.detail}.")
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, kind_of(error.status_code))
    headers, routes = dict(error.headers or {}), request.app.routes
    there = [route.path for route in routes if error.status_code == 405 and route.matches(request.scope)[0] == Match.PARTIAL]
    known = min(there, key=lambda path: path.count("{"), default=None)  # /x/{id}/answer rather than /x/{id}/{side}
    if known:  # starlette names the methods of one route, and a path has several
        methods = [method for route in routes if isinstance(route, Route) and route.path == known for method in route.methods]
        headers = {"allow": ", ".join(sorted(methods))}
    return _answer(APIError(error.status_code, code, said, headers=headers))


async def _on_lanterne_error(request, error: LanterneError):
    """What the house cannot do now, such as writing to a full disk."""
    return _answer(APIError(503, "unavailable", without_home(error)))


async def _on_database_error(request, error: SQLAlchemyError):
    _log.error("the database failed: %s", error)
    return _answer(APIError(503, "database_unavailable", "The server's database does not answer; try again later.", retry=True))


async def _on_fault(request, error: Exception):
    return _answer(APIError(500, "internal_error", "The server failed, and not through anything you did; its log has the details."))


class Application:
    """What the server runs. Gives every answer its x-request-id, and the log a line about it: no query, no body, no key."""

    def __init__(self, app: FastAPI):
        self._app = app

    def leave(self) -> None:
        """The server is about to end: streams are closed, with a word on when to come again; downloads may end in order."""
        self._app.state.feed.leave()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        name, started, status = new_request_id(), time.monotonic(), 0

        async def send_with_id(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if key_id := scope.get("lanterne.watched"):
                self._app.state.watch.end(key_id)
            took = round((time.monotonic() - started) * 1000)
            line = {"request": name, "method": scope["method"], "path": scope["path"], "status": status, "ms": took}
            _log.info(json.dumps(line), extra={"fields": line})

