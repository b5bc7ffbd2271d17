"""How a camera moves, in numbers, and where what it shows was before it moved.

The transformer's rotary positions follow the camera: a token stands where its content would be seen from the pose that the chunk
begins with, so that what belongs together in space attends to itself however the picture moves. Positions that carry the camera are
those of Li et al. 2025 (PRoPE); here the scene is a plane below a far sky, since a prompt tells no depth.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

REACH = 4.0  # seconds, the longest clip of the training: what is older is placed as if it were just that old
_FOCAL = 1.225  # the focal length over the square root of the picture's area, whatever its aspect
_NEARNESS, _HORIZON = 6.6, -0.095  # the subject's distance over a row's, per focal length below the horizon; where that is


class CameraMotion(NamedTuple):
    """Per second. pan: radians to the left; tilt: radians up; dolly and lift: forward and up, in distances of the subject;
    arc: radians around the subject, to its right."""

    pan: float = 0.0
    tilt: float = 0.0
    dolly: float = 0.0
    lift: float = 0.0
    arc: float = 0.0


def over(motion: CameraMotion, seconds: float) -> CameraMotion:
    """The motion of a clip of so many seconds. A longer one than REACH takes the path of REACH more slowly: at its full rate the camera
    would leave all that the first seconds show, and a picture that nothing holds dissolves."""
    return CameraMotion(*(rate * min(1.0, REACH / seconds) for rate in motion))


def places(motion: Sequence[float] | np.ndarray, seconds_T: np.ndarray, height: int, width: int) -> np.ndarray:
    """(T, H, W, 2) float32: row and column, in tokens, at which each token's content would stand at second 0.

    motion: a CameraMotion's numbers. seconds_T: relative to the moment whose view is the plain grid; below -REACH counts as that.
    Of B motions (B, 5) and their seconds (B, T) at once: (B, T, H, W, 2).
    """
    pan, tilt, dolly, lift, arc = (number[..., None, None, None] for number in np.moveaxis(np.asarray(motion), -1, 0))
    focal = _FOCAL * np.sqrt(height * width)
    t = np.maximum(seconds_T, -REACH)[..., None, None]
    down = (np.arange(height)[:, None] - (height - 1) / 2) / focal
    across = (np.arange(width)[None, :] - (width - 1) / 2) / focal
    nearness = _NEARNESS * np.maximum(down - _HORIZON, 0.0)
    shrink = np.exp(-np.clip(nearness * dolly * t, -0.7, 0.7))
    rows = _HORIZON + (down - _HORIZON) * shrink - (nearness * lift + tilt) * t
    columns = across * shrink - (pan + arc * (1 - nearness)) * t
    rows, columns = np.broadcast_arrays(rows, columns)
    return np.stack([rows * focal + (height - 1) / 2, columns * focal + (width - 1) / 2], axis=-1).astype(np.float32)
