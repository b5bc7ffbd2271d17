"""Files that clients give: looked at before they are taken in, by what they are and never by what they are called.

Nothing is decoded before its header says that it is of a bearable size.
"""

import base64
import binascii
from pathlib import Path
from typing import BinaryIO

import av
from PIL import Image, UnidentifiedImageError

from lanterne.request import MAX_SIZE, MIN_SIZE
from lanterne.service.errors import APIError, invalid
from lanterne.service.files import Store
from lanterne.video import FPS

PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def _bad_file(message: str, param: str) -> APIError:
    return invalid(message, param, "invalid_file")


def receive(store: Store, source: BinaryIO, param: str) -> Path:
    """A stream as a file of its own. Raises APIError where it is empty, WriteError where the disk is full."""
    path = store.receive(source)
    if not path.stat().st_size:
        path.unlink()
        raise _bad_file(f"The file in {param} is empty; upload it again.", param)
    return path


def data_url(text: str, param: str) -> bytes:
    """The bytes of data:…;base64,…. Raises APIError."""
    head, comma, body = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise _bad_file("A data URL must be in base64, such as data:image/png;base64,iVBO…, and this one is not.", param)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise _bad_file("The data URL's base64 cannot be read; encode the picture again.", param) from None


def check_picture(path: Path, width: int, height: int, param: str) -> str:
    """The media type of a whole picture of exactly this size. Raises APIError."""
    try:
        with Image.open(path, formats=list(PICTURES)) as picture:
            kind, size = picture.format, picture.size
            if size == (width, height):
                picture.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise _bad_file(f"The file in {param} cannot be read as a picture; give a whole PNG, JPEG or WebP file.", param) from None
    if size != (width, height):
        raise _bad_file(f"The picture is {size[0]}x{size[1]} and the video {width}x{height}; give a picture of the video's size.", param)
    return PICTURES[kind]


def check_video(path: Path, max_seconds: int, param: str) -> tuple[int, int, float]:
    """(width, height, seconds) of a video whose first frame can be shown. Raises APIError."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise _bad_file(f"The file in {param} has no video in it; give a file with pictures that move.", param)
            stream = container.streams.video[0]
            width, height = stream.width, stream.height
            if not (MIN_SIZE <= width <= MAX_SIZE and MIN_SIZE <= height <= MAX_SIZE):
                raise _bad_file(f"The video is {width}x{height}; give one from {MIN_SIZE} to {MAX_SIZE} pixels wide and high.", param)
            duration = container.duration  # in FFmpeg's units, or None where the file does not say
            seconds = duration / av.time_base if duration else float(stream.frames / (stream.average_rate or FPS))
            if not 0.95 <= seconds < max_seconds + 1:
                raise _bad_file(f"The video has {seconds:.1f} seconds; give one of 1 to {max_seconds}.", param)
            if next(container.decode(stream), None) is None:
                raise _bad_file(f"The video in {param} has no frame that can be shown; give another.", param)
            container.seek(0)
            whole = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_corrupt)
            if whole < stream.frames:
                said = f"The video in {param} is cut short: it holds {whole} of its {stream.frames} frames; upload it again."
                raise _bad_file(said, param)
    except (av.FFmpegError, OSError, ValueError):
        raise _bad_file(f"The file in {param} cannot be read as a video; it is cut short, damaged, or not a video at all.", param) from None
    return width, height, seconds
