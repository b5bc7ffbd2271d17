"""What the routes do: videos are asked for, listed, fetched, stopped and deleted, always as their owner."""

import json
import logging
import math
import secrets
from dataclasses import asdict
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from lanterne.errors import counted
from lanterne.request import Request, RequestError
from lanterne.service import inputs, keys, metrics, outside, wire
from lanterne.service.database import Character, Event, File, Key, Repeat, Video, now
from lanterne.service.deployment import Deployment
from lanterne.service.errors import APIError, invalid, not_found
from lanterne.service.events import note
from lanterne.service.holding import Given, forget, hold
from lanterne.service.keys import Caller
from lanterne.service.waits import WORK, Wait
from lanterne.service.webhooks import announce
from lanterne.video import FPS

VARIANTS = {"video": "mp4", "thumbnail": "webp", "spritesheet": "jpg"}
SEGMENT = "video/mp2t"
ACTIVE = ("queued", "in_progress")
MAX_KEY = 255  # characters of an Idempotency-Key
ONE = select(
    Video.id, Video.owner, Video.number, Video.model, Video.status, Video.progress, Video.created_at, Video.completed_at, Video.expires_at,
    Video.prompt, Video.width, Video.height, Video.seconds, Video.remixed_from, Video.error_code, Video.error_message, Video.started_at,
    WORK.label("work"),
).where(Video.id == bindparam("id"), Video.owner == bindparam("owner"))
_log = logging.getLogger("lanterne.web")


def create(deployment: Deployment, caller: Caller, fields: dict, repeat_key: str | None) -> Video:
    """Queue a new video. Raises APIError for what the model cannot do."""
    asked, repeat = wire.read(wire.Create, fields), _Repeat.of(repeat_key, "create", fields)
    if made := _before(deployment, caller, repeat):
        return made
    model = _model(deployment, asked.model)
    if asked.characters:
        raise invalid(
            f"The model {model} cannot keep a character's identity; leave characters out and describe it in the prompt.",
            "characters", "unsupported",
        )
    width, height = map(int, asked.size.split("x"))
    request = _request(deployment, asked, seconds=int(asked.seconds), width=width, height=height)
    with _Received(deployment) as received:
        given = {}
        if asked.input_reference is not None:
            path = received.picture(asked.input_reference)
            given["image"] = (path, inputs.check_picture(path, width, height, "input_reference"))
        video = _video(caller, "create", model, asked.prompt, request, int(asked.seconds))
        return _enter(deployment, caller, video, given, repeat)


def remix(deployment: Deployment, caller: Caller, video_id: str, fields: dict, repeat_key: str | None) -> Video:
    """Queue a finished video made again with another prompt: an edit of its latents."""
    asked, repeat = wire.read(wire.Remix, fields), _Repeat.of(repeat_key, f"remix {video_id}", fields)
    return _before(deployment, caller, repeat) or _edit(deployment, caller, asked, _finished(deployment, caller, video_id, "id"), repeat)


def edit(deployment: Deployment, caller: Caller, fields: dict, repeat_key: str | None) -> Video:
    """Queue a video made from another by a prompt."""
    asked, repeat = wire.read(wire.Edit, fields), _Repeat.of(repeat_key, "edit", fields)
    if made := _before(deployment, caller, repeat):
        return made
    model = _model(deployment, asked.model)
    if isinstance(asked.video, wire.VideoReference):
        return _edit(deployment, caller, asked, _finished(deployment, caller, asked.video.id, "video.id"), repeat)
    with _Received(deployment) as received:
        path, width, height, seconds = received.video(asked.video)
        request = _request(deployment, asked, seconds=seconds, width=width, height=height, strength=asked.strength)
        video = _video(caller, "edit", model, asked.prompt, request, seconds)
        return _enter(deployment, caller, video, {"source": (path, "video/mp4")}, repeat)


def _edit(deployment: Deployment, caller: Caller, asked: wire.Remix, source: Video, repeat: "_Repeat | None") -> Video:
    request = _request(
        deployment, asked, seconds=source.seconds, width=source.width, height=source.height, strength=asked.strength
    )
    video = _video(caller, "edit", deployment.settings.model, asked.prompt, request, source.seconds, remixed_from=source.id)
    return _enter(deployment, caller, video, {}, repeat, source)


def extend(deployment: Deployment, caller: Caller, fields: dict, repeat_key: str | None) -> Video:
    """Queue a video that goes on where another ends, and holds it. Its seconds are those of both."""
    asked, repeat = wire.read(wire.Extend, fields), _Repeat.of(repeat_key, "extend", fields)
    if made := _before(deployment, caller, repeat):
        return made
    model, more = _model(deployment, asked.model), int(asked.seconds)
    with _Received(deployment) as received:
        given, source = {}, None
        if isinstance(asked.video, wire.VideoReference):
            source = _finished(deployment, caller, asked.video.id, "video.id")
            width, height, before = source.width, source.height, source.seconds
        else:
            path, width, height, before = received.video(asked.video)
            given = {"history": (path, "video/mp4")}
        longest = deployment.settings.max_seconds
        if before + more > longest:
            raise invalid(
                f"seconds={more} after the video's {before} is over the {longest} that a video may have; "
                + (f"ask for {longest - before} or less." if longest > before else "it cannot be extended."),
                "seconds", "too_long",
            )
        request = _request(deployment, asked, seconds=more, width=width, height=height)
        video = _video(caller, "extend", model, asked.prompt, request, before + more)
        return _enter(deployment, caller, video, given, repeat, source)


def get(deployment: Deployment, caller: Caller, video_id: str) -> Video:
    with deployment.database.session() as session:
        return _own(session, caller, video_id)


def page(deployment: Deployment, caller: Caller, limit: int, order: str, after: str | None) -> tuple[list[Video], bool]:
    """Videos of the caller, newest or oldest first, and whether there are more."""
    with deployment.database.session() as session:
        query = select(Video).where(Video.owner == caller.owner)
        if after is not None:
            number = session.scalar(select(Video.number).where(Video.owner == caller.owner, Video.id == after))
            if number is None:  # deleted, maybe, by who goes through the list
                number = session.scalar(select(Event.place).where(Event.video_id == after, Event.owner == caller.owner))
            if number is None:
                raise APIError(404, "not_found", f"after={after[:80]!r} is not one of your videos; give the page's last_id.", "after")
            query = query.where(Video.number > number if order == "asc" else Video.number < number)
        query = query.order_by(Video.number.asc() if order == "asc" else Video.number.desc())
        found = list(session.scalars(query.limit(limit + 1)))
    return found[:limit], len(found) > limit


def content(deployment: Deployment, caller: Caller, video_id: str, variant: str) -> tuple[File, Path]:
    """A finished video's file. Raises APIError 400 while it is not there."""
    with deployment.database.session() as session:
        video = _own(session, caller, video_id)
        if video.status == "failed":
            raise invalid(f"The video {video.id} failed and has no file: {video.error_message}", code="video_failed")
        if video.status != "completed":
            how_far = f"{video.status} at {video.progress}%"
            raise invalid(f"The video {video.id} is {how_far}; fetch it when it is completed.", code="video_not_ready")
        file = session.get(File, (video_id, variant))
    try:
        if file:
            return file, deployment.store.local(file.sha256)
    except FileNotFoundError:
        _log.error("the store does not have the %s of %s", variant, video_id)
    raise APIError(404, "file_gone", f"The {variant} of {video.id} is not kept any more.")


def playlist(deployment: Deployment, caller: Caller, video_id: str) -> str:
    """What can be watched so far, for HLS players (RFC 8216): they ask again until the end is written."""
    with deployment.database.session() as session:
        video = _own(session, caller, video_id)
        query = select(File.role, File.seconds).where(File.holder == video_id, File.media_type == SEGMENT).order_by(File.role)
        segments = session.execute(query).all()
    if video.status == "completed" and not segments:
        raise APIError(404, "file_gone", f"The pieces of {video.id} are not kept any more.")
    longest = max((seconds for _, seconds in segments), default=1)
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{math.ceil(longest)}", "#EXT-X-PLAYLIST-TYPE:EVENT"]
    for role, seconds in segments:
        lines += [f"#EXTINF:{seconds:.3f},", f"stream/{role.removeprefix('segment-')}.ts"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if video.status not in ACTIVE else []), ""])


def segment(deployment: Deployment, caller: Caller, video_id: str, number: int) -> Path:
    with deployment.database.session() as session:
        _own(session, caller, video_id)
        file = session.get(File, (video_id, f"segment-{number:04d}"))
    if file is None:
        raise not_found("segment", str(number))
    try:
        return deployment.store.local(file.sha256)
    except FileNotFoundError:  # deleted meanwhile
        raise not_found("segment", str(number)) from None


def cancel(deployment: Deployment, caller: Caller, video_id: str, keep: bool) -> tuple[Video, bool]:
    """Stop a video within a step; also, whether it was still waiting. keep: what is finished becomes a shorter video, if anything is."""
    with deployment.database.session() as session:
        waited = _own(session, caller, video_id).status == "queued"
        if keep:
            running = update(Video).where(Video.id == video_id, Video.status == "in_progress").values(stopping=True)
            if session.execute(running).rowcount:
                return _own(session, caller, video_id), False
        if not end(session, video_id, "cancelled", "It was cancelled by its owner.", ACTIVE):
            video = _own(session, caller, video_id)
            raise invalid(f"The video {video.id} is {video.status} already; only what is queued or in progress can be cancelled.",
                          code="video_not_running")
        return _own(session, caller, video_id), waited


def remove(deployment: Deployment, caller: Caller, video_id: str) -> bool:
    """Delete a video with its files; a running one stops within a step, since its row is gone. Returns whether it was still waiting."""
    with deployment.database.session() as session:
        video = _own(session, caller, video_id)
        waited = video.status == "queued"
        if waited:
            keys.give_back(session, video_id)
        session.execute(delete(Video).where(Video.id == video_id))
        forget(session, deployment, video_id)
        session.add(Event(video_id=video_id, name="deleted", data={}, created_at=now(), owner=video.owner, place=video.number))
    return waited


def end(session: Session, video_id: str, code: str, message: str, among: tuple[str, ...] = ACTIVE) -> bool:
    """Let a video fail, once. Returns whether it was in one of these statuses."""
    ended = update(Video).where(Video.id == video_id, Video.status.in_(among))
    done = session.execute(ended.values(status="failed", error_code=code, error_message=message, completed_at=now())).rowcount
    if done:
        if code != "cancelled" or session.scalar(select(Video.started_at).where(Video.id == video_id)) is None:
            keys.give_back(session, video_id)
        metrics.count(session, {("failures", code): 1})
        note(session, video_id, "failed", {"code": code, "message": message})
        announce(session, video_id, "video.failed")
    return bool(done)


def create_character(deployment: Deployment, caller: Caller, fields: dict) -> Character:
    asked = wire.read(wire.CreateCharacter, fields)
    with _Received(deployment) as received:
        path, *_ = received.video(asked.video)
        character = Character(id=f"char_{secrets.token_hex(16)}", owner=caller.owner, name=asked.name, created_at=now())
        deployment.store.send_ahead(path)
        with deployment.database.session() as session:
            session.add(character)
            session.flush()
            hold(session, deployment, character.id, {"video": (path, "video/mp4")})
    return character


def get_character(deployment: Deployment, caller: Caller, character_id: str) -> Character:
    with deployment.database.session() as session:
        character = session.get(Character, character_id)
        if character is None or character.owner != caller.owner:
            raise not_found("character", character_id)
        return character


def to_wire(video: Video, wait: Wait | None = None) -> wire.Video:
    """video: the object, or a row of ONE. wait: of one that is queued, for those who watch it."""
    if wait is not None:
        return wire.WatchedVideo(**to_wire(video).model_dump(), wait=wire.Wait(ahead=wait.ahead, seconds=wait.seconds))
    error = wire.VideoError(code=video.error_code, message=video.error_message) if video.status == "failed" else None
    return wire.Video(
        id=video.id, model=video.model, status=video.status, progress=video.progress, created_at=video.created_at,
        completed_at=video.completed_at if video.status == "completed" else None, expires_at=video.expires_at, prompt=video.prompt,
        size=f"{video.width}x{video.height}", seconds=str(video.seconds), remixed_from_video_id=video.remixed_from, error=error,
    )


def _own(session: Session, caller: Caller, video_id: str, param: str = "id") -> Video:
    video = session.scalar(select(Video).where(Video.id == video_id, Video.owner == caller.owner).execution_options(populate_existing=True))
    if video is None:
        raise not_found("video", video_id, param)
    return video


def _finished(deployment: Deployment, caller: Caller, video_id: str, param: str) -> Video:
    with deployment.database.session() as session:
        video = _own(session, caller, video_id, param)
    if video.status == "failed":
        said = f"The video {video.id} failed ({video.error_message.rstrip('.')}); give a finished one."
        raise invalid(said, param, "video_failed")
    if video.status != "completed":
        raise invalid(f"The video {video.id} is {video.status}; wait until it is completed.", param, "video_not_ready")
    return video


def _model(deployment: Deployment, name: str | None) -> str:
    settings = deployment.settings
    if name is None or name == settings.model:
        return settings.model
    if settings.model_names.get(name) == settings.model:
        return settings.model
    known = ", ".join(dict.fromkeys([settings.model, *settings.model_names]))
    raise invalid(f"There is no model {name[:80]!r} here; give one of {known}, or leave it out.", "model", "model_not_found")


def _request(deployment: Deployment, asked: wire.Choices, **chosen) -> Request:
    """What the road is asked for. Raises APIError with the road's own sentence."""
    if asked.fps not in (None, FPS):
        raise invalid(f"fps={asked.fps} cannot be made: the model makes {FPS} frames a second; ask for {FPS} or leave it out.", "fps")
    longest = deployment.settings.max_seconds
    if chosen["seconds"] > longest:
        raise invalid(f"seconds={chosen['seconds']} is over the {longest} that a video may have; ask for {longest} or less.", "seconds")
    chosen |= {"guidance": asked.guidance_scale, "steps": asked.num_inference_steps}
    chosen["seed"] = secrets.randbelow(2**31) if asked.seed is None else asked.seed
    chosen = {name: value for name, value in chosen.items() if value is not None}
    try:
        return Request(prompt=asked.prompt, negative_prompt=asked.negative_prompt, **chosen)
    except RequestError as error:
        words = {"prompt": "The prompt", "negative_prompt": "The negative", "size": ("The width", "The height")}
        param = next((name for name, start in words.items() if str(error).startswith(start)), None)
        raise invalid(str(error), param) from None


def _video(caller: Caller, kind: str, model: str, prompt: str, request: Request, seconds: int, remixed_from: str | None = None) -> Video:
    return Video(
        id=f"video_{secrets.token_hex(16)}", owner=caller.owner, key_id=caller.key_id, kind=kind, status="queued", progress=0,
        prompt=prompt, model=model, width=request.width, height=request.height, seconds=seconds, plan=asdict(request),
        remixed_from=remixed_from, stopping=False,
        created_at=now(), expires_at=None,
    )


class _Received:
    """Files that came with a request, gone again when the request ends in an error."""

    def __init__(self, deployment: Deployment):
        self._deployment = deployment
        self.paths: list[Path] = []

    def __enter__(self) -> "_Received":
        return self

    def __exit__(self, *_) -> None:
        for path in self.paths:
            path.unlink(missing_ok=True)  # those that were taken into the store are not here any more

    def picture(self, given: UploadFile | wire.ImageReference) -> Path:
        if isinstance(given, UploadFile):
            return self._keep(given.file, "input_reference")
        if (given.file_id is None) == (given.image_url is None):
            raise invalid("Give exactly one of input_reference[image_url] and input_reference[file_id].", "input_reference")
        if given.file_id is not None:
            raise invalid("This server keeps no uploaded files of their own; send the picture itself, or its image_url.",
                          "input_reference.file_id", "unsupported")
        param = "input_reference.image_url"
        if given.image_url.lower().startswith("data:"):
            return self._keep(BytesIO(inputs.data_url(given.image_url, param)), param)
        return self._keep(BytesIO(outside.fetch(given.image_url, self._deployment.settings, param)), param)

    def video(self, given: UploadFile) -> tuple[Path, int, int, int]:
        """The file, its width and height as even numbers, its whole seconds: what is over them is not used."""
        path = self._keep(given.file, "video")
        width, height, seconds = inputs.check_video(path, self._deployment.settings.max_seconds, "video")
        return path, width - width % 2, height - height % 2, int(seconds + 0.05)

    def _keep(self, source, param: str) -> Path:
        self.paths.append(path := inputs.receive(self._deployment.store, source, param))
        return path


class _Repeat:
    """An Idempotency-Key and what came with it."""

    def __init__(self, key: str, fingerprint: str):
        self.key, self.fingerprint = key, fingerprint

    @classmethod
    def of(cls, key: str | None, route: str, fields: dict) -> "_Repeat | None":
        if key is None:
            return None
        if not 0 < len(key) <= MAX_KEY:
            raise invalid(f"The Idempotency-Key has {counted(len(key), 'character')} and may have 1 to {MAX_KEY}.", "Idempotency-Key")
        digests = []

        def file(upload: UploadFile) -> str:
            digests.append(file_digest(upload.file, "sha256").hexdigest())
            upload.file.seek(0)
            return "file"

        said = json.dumps([route, fields], sort_keys=True, default=file)
        return cls(key, sha256(json.dumps([said, digests]).encode()).hexdigest())


def _enter(
    deployment: Deployment, caller: Caller, video: Video, given: Given, repeat: _Repeat | None, source: Video | None = None
) -> Video:
    """Write the video down, with its files, all or nothing. Raises APIError over the caller's limits or on a full disk."""
    if deployment.store.free() < deployment.settings.reserve_bytes:
        raise APIError(503, "disk_full", "The server's disk is nearly full; no new video is taken until there is space.")
    for path, _ in given.values():
        deployment.store.send_ahead(path)
    try:
        with deployment.database.session() as session:
            session.add(video)
            session.flush()  # from here on nobody else writes (SQLite), or counts this owner's videos (Postgres)
            session.execute(select(Key.id).where(Key.owner == caller.owner).with_for_update())
            _within_limits(session, deployment, caller)
            keys.use(session, caller.key_id, video.id, math.ceil(video.plan["seconds"]))
            if repeat:
                session.add(Repeat(owner=caller.owner, key=repeat.key, fingerprint=repeat.fingerprint, video_id=video.id, created_at=now()))
                session.flush()
            hold(session, deployment, video.id, given)
            if source:
                _borrow(session, source, video)
            note(session, video.id, "queued", {})
    except IntegrityError:  # the same key came twice at once
        if made := _before(deployment, caller, repeat):
            return made
        raise
    return video


def _within_limits(session: Session, deployment: Deployment, caller: Caller) -> None:
    limit = deployment.settings.queued_per_owner
    active = session.scalar(select(func.count()).select_from(Video).where(Video.owner == caller.owner, Video.status.in_(ACTIVE)))
    if active > limit:
        said = f"You have {counted(active - 1, 'video')} queued or in progress and may have {limit}; wait for one."
        raise APIError(429, "too_many_videos", said)


def _borrow(session: Session, source: Video, video: Video) -> None:
    """A finished video's latents, as the new one's source or history: held, so that deleting the old one does not take them away."""
    latents = session.get(File, (source.id, "latents"), with_for_update=True)  # whoever deletes it waits, and finds it shared
    if latents is None:
        raise invalid(f"The video {source.id} is not kept any more; upload its file.", "video", "file_gone")
    role = "source" if video.kind == "edit" else "history"
    session.add(File(holder=video.id, role=role, sha256=latents.sha256, bytes=latents.bytes, media_type=latents.media_type))


def _before(deployment: Deployment, caller: Caller, repeat: _Repeat | None) -> Video | None:
    """What was made when this came first. Looked for before all that may have changed since, such as whether its source is there."""
    if repeat is None:
        return None
    with deployment.database.session() as session:
        found = session.get(Repeat, (caller.owner, repeat.key))
        if found is None:
            return None
        if found.fingerprint != repeat.fingerprint:
            raise invalid("This Idempotency-Key came with another body before; use a new key.", "Idempotency-Key", "idempotency_mismatch")
        return _own(session, caller, found.video_id)
