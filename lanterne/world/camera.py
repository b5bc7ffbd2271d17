"""Camera moves: a pose per moment, from a scene's move and speed.

The lens shifts instead of tilting (an architect's lens), so that verticals stay vertical and a screen column is a vertical
plane of the world: that is what lets the renderer march a whole column at once.
"""
import math
from typing import NamedTuple

import numpy as np

from lanterne.camera import CameraMotion

FOCAL = 0.92  # focal length over half the diagonal-free screen width: about 57 degrees across


class Camera(NamedTuple):
    x: float
    y: float
    z: float
    yaw: float
    tilt: float


_SPEEDS = {"slow": 0.75, "steady": 1.0, "fast": 1.3}
_LEVELLING = 0.5  # a camera that rises looks down a little: radians per subject's distance
# Of a steady move, by its own number; the renderer's, and what weights are taught that are trained on its clips.
RATES = CameraMotion(pan=math.radians(9.0), tilt=0.105, dolly=0.14, lift=0.13, arc=math.radians(12.0))
_LEAD = 1.7  # seconds after which a pan or a tilt passes what the pose looks at
_DESCENT = 0.27  # of the subject's distance: how high a descent begins
_STEADY, _EASE = 4.0, 1.0  # seconds of constant rates (the longest clip of the training), and of slowing down after them


def motion_of(scene, rates=RATES):
    """The CameraMotion of a scene's camera, at these rates. An orbit's side is its seed's."""
    motion = {
        "static": CameraMotion(),
        "pan_left": CameraMotion(pan=rates.pan),
        "pan_right": CameraMotion(pan=-rates.pan),
        "tilt_up": CameraMotion(tilt=rates.tilt),
        "tilt_down": CameraMotion(tilt=-rates.tilt),
        "push_in": CameraMotion(dolly=rates.dolly),
        "pull_back": CameraMotion(dolly=-rates.dolly),
        "rise": CameraMotion(tilt=-_LEVELLING * rates.lift, lift=rates.lift),
        "descend": CameraMotion(tilt=_LEVELLING * rates.lift, lift=-rates.lift),
        "orbit": CameraMotion(arc=rates.arc),
    }[scene.camera]
    speed = _SPEEDS[scene.speed] * (-1 if scene.camera == "orbit" and scene.seed % 2 == 0 else 1)
    return CameraMotion(*(speed * rate for rate in motion))


def travelled(seconds):
    """Seconds at the move's full rate that come to the same path: after a while a camera slows down and stands, before it would
    leave its subject or run into it."""
    late = max(seconds - _STEADY, 0.0)
    return min(seconds, _STEADY) + _EASE * (1.0 - math.exp(-late / _EASE))


def camera_at(scene, pose, ground, seconds):
    """The camera `seconds` into the shot. ground: metres, the highest ground under the path."""
    motion, gone = motion_of(scene), travelled(seconds)
    x, y, z, yaw, tilt = pose.x, pose.y, ground + pose.height, pose.yaw, pose.tilt
    move, d = scene.camera, pose.distance
    if move in ("pan_left", "pan_right"):
        yaw += motion.pan * (gone - _LEAD)
    elif move in ("tilt_up", "tilt_down"):
        tilt += motion.tilt * (gone - _LEAD)
    elif move in ("push_in", "pull_back"):
        x, y = x + motion.dolly * gone * d * math.cos(yaw), y + motion.dolly * gone * d * math.sin(yaw)
    elif move in ("rise", "descend"):
        # A descent slows down as the ground comes near, so that on the picture it is about as fast all the way.
        lifted = motion.lift * gone if move == "rise" else _DESCENT * math.exp(motion.lift * seconds / _DESCENT)
        z += lifted * d
        tilt -= _LEVELLING * lifted
    elif move == "orbit":
        cx, cy = x + d * math.cos(yaw), y + d * math.sin(yaw)
        yaw += motion.arc * gone
        x, y = cx - d * math.cos(yaw), cy - d * math.sin(yaw)
    return Camera(x, y, z, yaw, tilt)


def highest_ground(scene, pose, height, cell, water_level):
    """Metres: the ground that the camera stands on, over the whole shot, however long it is.

    High enough that the path never dives into a hill, and that nothing close by stands in front of the subject: up to half the
    subject's distance, nothing rises more than a tenth of its own distance over the camera.
    """
    n, top = height.shape[0], water_level
    for t in np.linspace(0.0, _STEADY + 4 * _EASE, 40):
        camera = camera_at(scene, pose, 0.0, float(t))
        i, j = int(camera.x / cell), int(camera.y / cell)
        patch = height[np.arange(j - 2, j + 3)[:, None] % n, np.arange(i - 2, i + 3)[None, :] % n]
        top = max(top, float(patch.max()))
        away = np.linspace(4 * cell, 0.5 * pose.distance, 24)[:, None]
        yaw = camera.yaw + np.radians([-24.0, -12.0, 0.0, 12.0, 24.0])[None, :]
        ahead = height[((camera.y + away * np.sin(yaw)) / cell).astype(int) % n, ((camera.x + away * np.cos(yaw)) / cell).astype(int) % n]
        top = max(top, float((ahead - 0.10 * away).max()) - pose.height)
    return top
