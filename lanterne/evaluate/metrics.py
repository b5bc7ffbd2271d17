"""Measures of videos, frames (T, H, W, 3) uint8 throughout; what they mean is said beside each."""

from itertools import pairwise

import numpy as np

from lanterne.flow import CHUNK, FIRST_CHUNK, frames_for
from lanterne.video import FPS

WINDOW = 4 * FPS  # frames of a window of drift


def sharpness(frames_THWC: np.ndarray) -> float:
    """Mean absolute difference of neighbouring pixels, across plus down, of 255."""
    x = frames_THWC.astype(np.float32)
    return float(np.abs(np.diff(x, axis=2)).mean() + np.abs(np.diff(x, axis=1)).mean())


def motion(frames_THWC: np.ndarray) -> float:
    """Mean absolute difference of successive frames, of 255. A still video has none."""
    return float(_differences(frames_THWC).mean())


def broad_motion(frames_THWC: np.ndarray, cell: int = 4) -> float:
    """The same of means of cell x cell pixels: what moves, where in single pixels it is texture, grain and rain that differ most."""
    frames, height, width, _ = frames_THWC.shape
    means = np.empty((frames, height // cell, width // cell, 3), np.float32)
    for mean, frame in zip(means, frames_THWC, strict=True):
        cells = frame[: height // cell * cell, : width // cell * cell].reshape(height // cell, cell, width // cell, cell, 3)
        mean[:] = cells.mean(axis=(1, 3))
    return float(np.abs(np.diff(means, axis=0)).mean())


def flicker(frames_THWC: np.ndarray) -> float:
    """Mean absolute second difference in time of each frame's mean brightness, of 255: light that jumps, not light that changes."""
    brightness = frames_THWC.astype(np.float32).mean(axis=(1, 2, 3))
    return float(np.abs(np.diff(brightness, n=2)).mean()) if len(brightness) > 2 else 0.0


def saturation(frames_THWC: np.ndarray) -> float:
    """Mean difference of the strongest and the weakest channel, of 255."""
    return float((frames_THWC.max(axis=-1).astype(np.float32) - frames_THWC.min(axis=-1)).mean())


def chunk_starts(num_frames: int) -> list[int]:
    """The first frame of every chunk but the first."""
    starts, latent = [], FIRST_CHUNK
    while (frame := frames_for(latent)) < num_frames:
        starts.append(frame)
        latent += CHUNK
    return starts


def seam_ratio(frames_THWC: np.ndarray) -> float:
    """Mean frame difference where a chunk begins over the mean elsewhere; 1 is no seam. NaN with a single chunk."""
    differences = _differences(frames_THWC)
    at_starts = np.zeros(len(differences), bool)
    at_starts[[start - 1 for start in chunk_starts(len(frames_THWC))]] = True
    if not at_starts.any():
        return float("nan")
    return float(differences[at_starts].mean() / max(differences[~at_starts].mean(), 1e-6))


def drift(frames_THWC: np.ndarray) -> dict[str, float]:
    """The largest change of brightness, saturation and sharpness of any 4 s window against the first, in percent.

    Brightness in percent of the first window's own, as the others.
    """
    windows = [frames_THWC[start : start + WINDOW] for start in range(0, len(frames_THWC) - WINDOW + 1, WINDOW)]
    measures = {"mean": lambda frames: float(frames.mean()), "saturation": saturation, "sharpness": sharpness}
    result = {}
    for name, measure in measures.items():
        first, *later = (measure(window) for window in windows)
        result[name] = max((abs(value - first) for value in later), default=0.0) / max(first, 1e-6) * 100
    return result


def psnr(frames_THWC: np.ndarray, reference_THWC: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = np.square(frames_THWC.astype(np.float32) - reference_THWC.astype(np.float32)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def thumbnails(frames_NHWC: np.ndarray, width: int = 32, height: int = 18) -> np.ndarray:
    """(N, 3 W' H') float32 of block means: what a picture is at a glance."""
    count, rows, columns, _ = frames_NHWC.shape
    blocks = frames_NHWC[:, : rows // height * height, : columns // width * width].astype(np.float32)
    blocks = blocks.reshape(count, height, rows // height, width, columns // width, 3).mean(axis=(2, 4))
    return blocks.reshape(count, -1)


def nearest(of_ND: np.ndarray, among_MD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row the root mean square distance to the nearest row among others, and its index."""
    squares = (of_ND**2).sum(1)[:, None] + (among_MD**2).sum(1)[None] - 2 * of_ND @ among_MD.T
    index = squares.argmin(axis=1)
    return np.sqrt(np.maximum(squares[np.arange(len(of_ND)), index], 0) / of_ND.shape[1]), index


def spread(rows_ND: np.ndarray) -> float:
    """Mean root mean square distance of all pairs of rows."""
    differences = rows_ND[:, None] - rows_ND[None]
    distances = np.sqrt(np.square(differences).mean(axis=-1))
    count = len(rows_ND)
    return float(distances.sum() / (count * (count - 1)))


def _differences(frames_THWC: np.ndarray) -> np.ndarray:
    """(T - 1,) mean absolute difference of each frame to the one before; frame by frame, since long videos do not fit as float."""
    return np.array([np.abs(after.astype(np.int16) - before).mean() for before, after in pairwise(frames_THWC)])
