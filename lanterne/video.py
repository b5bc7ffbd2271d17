"""Pictures and videos at the border: frames become files, files become frames. Inside the road nobody knows of files.

Frames are uint8 sRGB arrays (T, H, W, 3). Files are H.264 in MP4, yuv420p, BT.709, index first, so that every player takes them and
plays them before they are whole; stills are PNG. The settings a file was made with are inside it, as JSON.
"""

import json
import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from mmap import mmap
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from lanterne import FPS
from lanterne.errors import LanterneError, writing
from lanterne.paths import no_file

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # twice as many pixels are an error, and that is told

_CRF = "17"  # visually lossless; the model's own blur is far above it
_AHEAD = 16  # frames, a chunk
_SETTINGS_KEY = "comment"  # the one free text tag that every MP4 reader shows
_PNG_KEY = "Comment"
_THUMBNAIL, _SPRITE, _SPRITE_COLUMNS = 512, 160, 10


class MediaError(LanterneError):
    """A file that cannot be read or written, in one sentence."""


def resize_and_crop(picture_HWC: np.ndarray, width: int, height: int) -> np.ndarray:
    """Fill width x height: crop the middle to the aspect asked for, then Lanczos (antialiased when shrinking)."""
    return np.asarray(
        Image.fromarray(_cropped(picture_HWC, width, height)).resize((width, height), Image.Resampling.LANCZOS)
    )


def _cropped(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The largest middle part (..., H, W, C) of the aspect width : height."""
    rows, columns = picture.shape[-3:-1]
    if columns * height > rows * width:
        keep = max(1, round(rows * width / height))
        left = (columns - keep) // 2
        return picture[..., left : left + keep, :]
    keep = max(1, round(columns * height / width))
    top = (rows - keep) // 2
    return picture[..., top : top + keep, :, :]


def require_name(path: Path, what: str, suffix: str) -> None:
    """Refuse a name under which `what` cannot be written: one that ends otherwise than in `suffix`, or a folder's. Raises MediaError."""
    if path.suffix.lower() != suffix:
        kind = {".mp4": "an MP4", ".png": "a PNG"}[suffix]
        raise MediaError(f"{path} cannot be written, since a {what} is {kind}; name it *{suffix}.")
    if os.path.isdir(path):  # unlike Path's, it answers for names too long, too, which are refused when writing
        raise MediaError(f"{path} is a folder; give the name of a file, such as {path / (what + suffix)}.")


def require_writable(path: Path) -> None:
    """Find out whether a file can be written under that name, before the work for it is done. Makes its folder. Raises WriteError."""
    temporary = _temporary_of(path, path.suffix)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.exists(temporary):  # else somebody could write it, and may be just now
            temporary.touch()
            temporary.unlink()


def _temporary_of(path: Path, suffix: str) -> Path:
    """The name of a file until it is whole."""
    return path.with_name(f".{path.stem}.partial{suffix}")


class VideoWriter:
    """One open encoder session: frames go in as they are made, and the file appears under its name when it is whole.

    Frames of any size are cropped to the aspect of width x height and scaled with Lanczos, after `enlarge` where it is given: frames
    (t, H, W, 3) to larger ones. Use as a context manager: an exception inside leaves nothing behind. The same frames and settings give the
    same bytes. seal(file) is called with the whole file before it gets its name, to sign it; what cannot be sealed does not stay.

    Frames are enlarged and written in a thread of its own, at most _AHEAD of them behind: meanwhile the next are made.

    Raises WriteError where the folder cannot be written or the disk is full; for frames, with one of the next or at the end.
    """

    def __init__(
        self, path: Path, width: int, height: int, settings: dict, fps: int = FPS, seal: Callable[[Path], None] | None = None,
        enlarge: Callable[[np.ndarray], np.ndarray] | None = None,
    ):
        self.path, self._seal, self._enlarge = Path(path), seal, enlarge
        self.num_frames, self._num_written = 0, 0
        self._beside, self._pending = ThreadPoolExecutor(1), deque()
        self._size = (width, height)
        self._temporary = _temporary_of(self.path, ".mp4")
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"})
        self._container.metadata[_SETTINGS_KEY] = json.dumps(settings, sort_keys=True)
        stream = self._container.add_stream("libx264", rate=fps, options={"crf": _CRF, "preset": "medium", "threads": "2"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        self._time_base = Fraction(1, fps)  # the stream's own changes once the container's header is written
        context = stream.codec_context
        context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._stream = stream

    def write(self, frames_THWC: np.ndarray) -> None:
        """Take these frames, which are not changed any more."""
        while self._pending and self.num_frames - self._num_written >= _AHEAD:
            self._pending.popleft().result()
        self._pending.append(self._beside.submit(self._write, frames_THWC))
        self.num_frames += len(frames_THWC)

    def _write(self, frames_THWC: np.ndarray) -> None:
        if self._enlarge:
            frames_THWC = self._enlarge(frames_THWC)
        with writing(self.path):
            for picture in _cropped(frames_THWC, *self._size):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
                    *self._size, "yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=Interpolation.LANCZOS,
                    src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG,
                )
                frame.pts, frame.time_base = self._num_written, self._time_base
                self._container.mux(self._stream.encode(frame))
                self._num_written += 1

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            self._beside.shutdown(cancel_futures=kind is not None)
            if kind is None:
                for written in self._pending:
                    written.result()
                with writing(self.path):
                    self._container.mux(self._stream.encode(None))
                    self._container.close()
                    if self._seal:
                        self._seal(self._temporary)
                    self._temporary.replace(self.path)
        finally:
            if os.path.exists(self._temporary):  # unlike Path's, it answers for names too long, too
                with suppress(OSError):  # the disk is full or gone; what failed first is already on its way up
                    self._container.close()
                self._temporary.unlink(missing_ok=True)


def write_segment(path: Path, frames_THWC: np.ndarray, first: int, fps: int = FPS) -> None:
    """A piece of a stream that can be watched while it is made: H.264 in MPEG-TS, at the frames' own size, starting at frame number
    `first` of the whole. Each piece stands alone, so that none waits for the next. Raises WriteError."""
    with writing(path), av.open(str(path), "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "23", "preset": "veryfast", "threads": "1", "bf": "0"})
        stream.height, stream.width = frames_THWC.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(frames_THWC):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = first + number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_png(
    path: Path, picture_HWC: np.ndarray, width: int, height: int, settings: dict, seal: Callable[[Path], None] | None = None
) -> None:
    """A still with its settings inside; scaled like video frames, sealed like a video."""
    path = Path(path)
    info = PngImagePlugin.PngInfo()
    info.add_itxt(_PNG_KEY, json.dumps(settings, sort_keys=True))
    temporary = _temporary_of(path, ".png")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(resize_and_crop(picture_HWC, width, height)).save(temporary, pnginfo=info)
            if seal:
                seal(temporary)
            temporary.replace(path)
    finally:
        if os.path.exists(temporary):
            temporary.unlink()


def write_thumbnail(path: Path, picture_HWC: np.ndarray, width: int, height: int) -> None:
    """A small picture of a video as WebP: of the aspect width : height, its longer side at most 512 pixels. Raises WriteError."""
    scale = min(1.0, _THUMBNAIL / max(width, height))
    _write_small(path, resize_and_crop(picture_HWC, max(1, round(width * scale)), max(1, round(height * scale))), "WEBP")


def write_spritesheet(path: Path, pictures: list[np.ndarray], width: int, height: int) -> None:
    """Pictures of a video in rows of 10 as JPEG, each of the aspect width : height, its longer side 160 pixels. Raises WriteError."""
    scale = _SPRITE / max(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    sheet = np.zeros((math.ceil(len(pictures) / _SPRITE_COLUMNS) * height, min(len(pictures), _SPRITE_COLUMNS) * width, 3), np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, _SPRITE_COLUMNS)
        sheet[row * height :, column * width :][:height, :width] = resize_and_crop(picture, width, height)
    _write_small(path, sheet, "JPEG")


def _write_small(path: Path, picture_HWC: np.ndarray, kind: str) -> None:
    with writing(path):
        Image.fromarray(picture_HWC).save(path, kind, quality=85)


def read_settings(path: Path) -> dict:
    """What `settings` was when the file was written. Raises MediaError for a file that Lanterne did not make."""
    _require_file(path)
    text = None
    try:
        if Path(path).suffix.lower() == ".png":
            with Image.open(path) as picture:
                text = picture.info.get(_PNG_KEY)
        else:
            with av.open(str(path)) as container:
                text = container.metadata.get(_SETTINGS_KEY)
        settings = json.loads(text) if text else None
    except (OSError, av.FFmpegError, UnidentifiedImageError, ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict) or "lanterne" not in settings:
        raise MediaError(f"{path} holds no settings of Lanterne's; give a video or picture that `lanterne generate` wrote.")
    return settings


def blank_settings(path: Path) -> None:
    """Take the settings out of an MP4 of ours, in its place and without moving a byte: their box becomes free space."""
    with writing(path), path.open("r+b") as file, mmap(file.fileno(), 0) as data:
        for start, size, kind in _boxes(data, 0, len(data)):
            if kind == b"moov":
                for inner, length, name in _boxes(data, start + 8, start + size):
                    if name == b"udta":
                        data[inner + 4 : inner + length] = b"free" + bytes(length - 8)


def _boxes(data: mmap, position: int, end: int):
    """(offset, bytes, kind) of the boxes of an MP4 between two places."""
    while position + 8 <= end:
        size, kind = int.from_bytes(data[position : position + 4]), bytes(data[position + 4 : position + 8])
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16])
        size = size or end - position
        if size < 8:
            return
        yield position, size, kind
        position += size


def read_picture(path: Path, width: int, height: int) -> np.ndarray:
    """A picture as (height, width, 3), its middle cropped to the aspect."""
    _require_file(path)
    try:
        with Image.open(path) as picture:
            return resize_and_crop(np.asarray(picture.convert("RGB")), width, height)
    except Image.DecompressionBombError:
        raise MediaError(f"{path} has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels; scale it down first.") from None
    except (UnidentifiedImageError, OSError, ValueError):
        raise MediaError(f"{path} cannot be read as a picture; give a PNG, JPEG or WebP file.") from None


def read_video(path: Path, width: int, height: int, fps: int = FPS) -> Iterator[np.ndarray]:
    """Frames (height, width, 3) at `fps`, one at a time: the source's frame nearest before each moment.

    Raises MediaError for what is not a video or ends before its own index says.
    """
    _require_file(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise MediaError(f"{path} has no video in it; give a file with pictures that move.")
            if container.format.name == "image2" or container.format.name.endswith("_pipe"):
                raise MediaError(f"{path} is a picture; give a video.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            decoded, emitted, picture, first = 0, 0, None, None
            for frame in container.decode(stream):
                seconds = float(frame.pts * frame.time_base) if frame.pts is not None else decoded / float(stream.average_rate or fps)
                first = seconds if first is None else first
                # Everything before this frame's moment shows the frame before it.
                while picture is not None and emitted / fps < seconds - first - 1e-6:
                    yield picture
                    emitted += 1
                picture = resize_and_crop(frame.to_ndarray(format="rgb24"), width, height)
                decoded += 1
            if decoded < stream.frames:
                raise MediaError(
                    f"{path} is cut short: it holds {decoded} of its {stream.frames} frames; get the whole file again."
                )
            if picture is None:
                raise MediaError(f"{path} has no frame that can be shown; give another video.")
            end = decoded / float(stream.average_rate or fps)
            while emitted == 0 or emitted / fps < end - 1e-6:
                yield picture
                emitted += 1
    except av.FFmpegError:
        raise MediaError(f"{path} cannot be read as a video; it is cut short, damaged, or not a video at all.") from None


def _require_file(path: Path) -> None:
    if not Path(path).is_file():
        raise MediaError(no_file(path))
