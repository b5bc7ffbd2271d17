"""One video on its way through the road, a chunk at a time, and its files when it is whole.

Nothing here has to survive: what is needed to go on after a crash is the video's row, its inputs in the store and the latents of its
finished chunks there. From these the same Making comes about again, on any machine, and the same bytes.
"""

import base64
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sqlalchemy import select

from lanterne import __version__
from lanterne.errors import Cancelled, writing
from lanterne.flow import frames_for, latent_frames_for
from lanterne.generate import Conditions, Engine, Progress, generate, run_name, spans_of
from lanterne.models.autoencoder import SPATIAL_FACTOR
from lanterne.request import Request
from lanterne.service.database import File, Video
from lanterne.service.deployment import Deployment
from lanterne.service.holding import CHUNK
from lanterne.service.provenance import Marks
from lanterne.upscale import resampling, upscale_for
from lanterne.video import FPS, VideoWriter, read_picture, read_video, write_segment, write_spritesheet, write_thumbnail
from lanterne.world.prompts import reader

_PREVIEW_WIDTH = 256


class Chunks:
    """A video's finished chunks in the store, as generate takes them from a Run. hold(role, path) takes one in, and is done when whoever
    takes the video up will find it."""

    def __init__(self, deployment: Deployment, video_id: str, name: str, folder: Path, hold: Callable[[str, Path], None]):
        self._deployment, self._video_id, self._name, self._folder, self._hold = deployment, video_id, name, folder, hold

    def chunk(self, index: int) -> torch.Tensor | None:
        """Its latents (C, t, H, W) float32, or None where it is not kept or cannot be read: it is made again then. Raises StoreError."""
        with self._deployment.database.session() as session:
            file = session.get(File, (self._video_id, self._role(index)))
        try:
            return torch.from_numpy(np.load(self._deployment.store.local(file.sha256))) if file else None
        except (OSError, ValueError, EOFError):
            return None

    def keep(self, index: int, latents_CtHW: torch.Tensor) -> None:
        path = self._folder / f"chunk-{index:04d}.npy"
        with writing(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(path, latents_CtHW.numpy())
        self._hold(self._role(index), path)

    @property
    def finished(self) -> int:
        """How many chunks are done, counted from the first."""
        with self._deployment.database.session() as session:
            roles = set(session.scalars(select(File.role).where(File.holder == self._video_id, File.role.startswith(CHUNK))))
        return next(index for index in range(len(roles) + 1) if self._role(index) not in roles)

    def _role(self, index: int) -> str:
        return f"{CHUNK}{self._name}-{index:04d}"  # what other weights or another precision made is another video's


class Making:
    """parent: the file of the video that it is made from. on_step(progress) after each step; stopped() is asked before each step and after
    it; hold(role, path) keeps a finished chunk."""

    def __init__(
        self, deployment: Deployment, engine: Engine, video: Video, given: dict[str, File], parent: File | None,
        on_step: Callable[[Progress], None], stopped: Callable[[], bool], hold: Callable[[str, Path], None],
    ):
        self.video, self._engine, self._stopped = video, engine, stopped
        self._folder = deployment.work(video.id) / f"process-{os.getpid()}"  # what is half written is this process's own
        self.request = Request(**video.plan)
        paths = {role: deployment.store.local(file.sha256) for role, file in given.items()}
        self.conditions, self._before = _conditions(engine, self.request, paths, given, video.seconds)
        self.run = Chunks(deployment, video.id, run_name(engine, self.request, self.conditions), self._folder, hold)
        history = self.conditions.history_TCHW
        self.num_frames = self._before + self.request.num_frames
        self.spans = spans_of(0 if history is None else len(history), latent_frames_for(self.num_frames))
        settings = {
            "lanterne": __version__,
            "request": asdict(self.request),
            "given": {role: {"sha256": file.sha256} for role, file in given.items()},
            "weights": engine.weights,
            "native_size": list(self.request.native_size),
            "resampling": resampling(engine.upscaler, self.request.native_size, self.request.width, self.request.height),
            "generated_by_ai": True,
        }
        self._marks = Marks(deployment, video, given, parent, engine.weights)
        self._frames = generate(
            engine, self.request, self.conditions, self.run, reader(engine.metadata, engine.guess), on_step=on_step,
            should_stop=lambda: self._stopped(),
        )
        size = (self.request.width, self.request.height)
        enlarge = upscale_for(engine.upscaler, self.request.native_size, *size)
        self._writer = VideoWriter(self._folder / "video.mp4", *size, settings, enlarge=enlarge)
        self._writer.__enter__()
        self._sprites: list[np.ndarray] = []  # the first frame of each second, at the native size
        self._num_written = 0
        self._held: list[np.ndarray] = []
        self._segment: list[np.ndarray] = []
        self.segments: dict[str, tuple[Path, float]] = {}  # role: (file, seconds)
        self._last: np.ndarray | None = None
        self._ended = False  # the road has been left, by a stop or an error
        self.done = 0  # chunks whose frames are in the file

    def advance(self, chunks: int) -> bool:
        """Go on until so many chunks are in the file; False when stopped before. Those that are kept are not made again."""
        if self._ended:
            return False
        try:
            while self.done < chunks:
                until = min(self.num_frames, frames_for(self.spans[self.done][1]))
                while self._num_written + len(self._held) < until:
                    if self._stopped():  # the road asks too, once a step; decoding has no steps
                        return False
                    self._held.extend(self._marks.drawn(next(self._frames)))
                    self._last = self._held[-1] if self._held else self._last
                self._write((self._num_written + len(self._held)) // FPS * FPS)
                self._cut_segment()
                self.done += 1
        except Cancelled:
            self._ended = True
            return False
        except BaseException:
            self._ended = True
            raise
        return True

    def read_kept(self) -> None:
        """After a stop: bring into the file what is finished, and nothing more."""
        self._stopped = lambda: False
        self.advance(max(self.done, self.run.finished))

    def _write(self, until: int) -> None:
        """Write frames up to that number. What is over a whole second waits, so that the file can end at one if it must."""
        while self._num_written < until:
            frame = self._held.pop(0)
            if self._num_written % FPS == 0:
                self._sprites.append(frame.copy())
            self._writer.write(frame[None])
            self._segment.append(frame)
            self._num_written += 1

    def _cut_segment(self) -> None:
        """What came since the last one, as a file to watch, at the native size."""
        if self._segment:
            path = self._folder / f"segment-{self.done:04d}.ts"
            write_segment(path, np.stack(self._segment), self._num_written - len(self._segment))
            self.segments[path.stem] = (path, len(self._segment) / FPS)
            self._segment = []

    @property
    def seconds(self) -> int:
        """Whole seconds in the file, with those of an old video that came first."""
        return self._num_written // FPS

    @property
    def new_seconds(self) -> int:
        """Whole seconds of new video in the file."""
        return max(0, self._num_written - self._before) // FPS

    def preview(self) -> str:
        """The newest finished frame, small, as a data URL."""
        picture = Image.fromarray(self._last)
        picture.thumbnail((_PREVIEW_WIDTH, _PREVIEW_WIDTH))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=80)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

    def finish(self) -> dict[str, tuple[Path, str]]:
        """Close the file, with all its frames or with those of the chunks that are done: {role: (path, media type)}."""
        if self.done == len(self.spans):
            self._write(self.num_frames)
            for _ in self._frames:
                pass  # nothing more comes; this lets the road finish its bookkeeping
        self._writer.__exit__(None, None, None)
        self._writer = None
        self._marks.sign(self._folder / "video.mp4")
        width, height = self.request.width, self.request.height
        write_thumbnail(self._folder / "thumbnail.webp", self._sprites[len(self._sprites) // 2], width, height)
        write_spritesheet(self._folder / "spritesheet.jpg", self._sprites, width, height)
        latents = np.concatenate([self.run.chunk(index).numpy() for index in range(self.done)], axis=1).swapaxes(0, 1)
        with (self._folder / "latents.npy").open("wb") as file:
            np.save(file, latents)  # float32: what goes on from here goes on from exactly here
        return {
            "video": (self._folder / "video.mp4", "video/mp4"),
            "thumbnail": (self._folder / "thumbnail.webp", "image/webp"),
            "spritesheet": (self._folder / "spritesheet.jpg", "image/jpeg"),
            "latents": (self._folder / "latents.npy", "application/x-npy"),
        }

    def close(self) -> None:
        """Let go of the open file; finished chunks stay."""
        self._ended = True
        self._frames.close()
        if self._writer:
            self._writer.__exit__(Cancelled, None, None)
            self._writer = None
        shutil.rmtree(self._folder, ignore_errors=True)


def _conditions(engine: Engine, request: Request, paths: dict[str, Path], given: dict[str, File], total: int) -> tuple[Conditions, int]:
    """Conditions, and how many frames of an old video come first. Raises MediaError for a file that cannot be read to its end."""
    size = request.native_size
    if "image" in paths:
        return Conditions(image_HWC=read_picture(paths["image"], *size)), 0
    if "source" in paths:
        return Conditions(source_TCHW=_latents(engine, paths["source"], given["source"], size, request.num_frames, whole=True)), 0
    if "history" in paths:
        before = total * FPS - request.num_frames
        history = _latents(engine, paths["history"], given["history"], size, before, whole=False)
        return Conditions(history_TCHW=history, history_frames=before), before
    return Conditions(), 0


def _latents(engine: Engine, path: Path, file: File, size: tuple[int, int], num_frames: int, whole: bool) -> torch.Tensor:
    """Ours as they were kept, never from pixels; those of somebody else's video, encoded. Filled up to num_frames with its last frame."""
    if file.media_type == "application/x-npy":
        latents = torch.from_numpy(np.load(path))
        assert latents.shape[2:] == (size[1] // SPATIAL_FACTOR, size[0] // SPATIAL_FACTOR)
        return latents
    latents, _ = engine.encode_video(_filled(islice(read_video(path, *size), num_frames), num_frames))
    # The last group may hold repeats, which in a video that goes on would be seen as a stop.
    return latents if whole or frames_for(len(latents)) == num_frames else latents[: max(1, len(latents) - 1)]


def _filled(frames, num_frames: int):
    """Exactly num_frames frames: a file that ends a little before its own index says is held at its last one."""
    count, frame = 0, None
    for frame in frames:
        count += 1
        yield frame
    for _ in range(num_frames - count):
        yield frame
