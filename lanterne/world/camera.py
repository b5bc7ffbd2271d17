"""Camera moves: a pose per moment, from a scene's move and speed.

The lens shifts instead of tilting (an architect's lens), so that verticals stay vertical and a screen column is a vertical
plane of the world: that is what lets the renderer march a whole column at once.
"""
import math
from typing import NamedTuple

import numpy as np

FOCAL = 0.92  # focal length over half the diagonal-free screen width: about 57 degrees across


class Camera(NamedTuple):
    x: float
    y: float
    z: float
    yaw: float
    tilt: float


_SPEEDS = {"slow": 0.6, "steady": 1.0, "fast": 1.7}


def camera_at(scene, pose, ground, seconds):
    """The camera `seconds` into the shot. ground: metres, the highest ground under the path."""
    s = _SPEEDS[scene.speed] * seconds
    x, y, z, yaw, tilt = pose.x, pose.y, ground + pose.height, pose.yaw, pose.tilt
    move, d = scene.camera, pose.distance
    if move in ("pan_left", "pan_right"):
        yaw += math.radians(7.0) * s * (1 if move == "pan_left" else -1)
    elif move in ("tilt_up", "tilt_down"):
        sign = 1 if move == "tilt_up" else -1
        tilt += sign * (0.085 * s - 0.14)  # starts on the other side of the pose, so that the subject is passed
    elif move in ("push_in", "pull_back"):
        step = 0.055 * d * s * (1 if move == "push_in" else -1)
        x, y = x + step * math.cos(yaw), y + step * math.sin(yaw)
    elif move in ("rise", "descend"):
        lift = 0.034 * d * s
        z += lift if move == "rise" else 0.17 * d - lift if lift < 0.17 * d else 0.0
        tilt -= 0.35 * (z - ground - pose.height) / d
    elif move == "orbit":
        angle = math.radians(6.5) * s * (1 if scene.seed % 2 else -1)
        cx, cy = x + d * math.cos(yaw), y + d * math.sin(yaw)
        yaw += angle
        x, y = cx - d * math.cos(yaw), cy - d * math.sin(yaw)
    return Camera(x, y, z, yaw, tilt)


def highest_ground(scene, pose, height, cell, water_level, seconds):
    """Metres: the ground that the camera stands on, over the whole shot.

    High enough that the path never dives into a hill, and that nothing close by stands in front of the subject: up to half the
    subject's distance, nothing rises more than a tenth of its own distance over the camera.
    """
    n, top = height.shape[0], water_level
    for t in np.linspace(0.0, max(seconds, 0.1), 40):
        camera = camera_at(scene, pose, 0.0, float(t))
        i, j = int(camera.x / cell), int(camera.y / cell)
        patch = height[np.arange(j - 2, j + 3)[:, None] % n, np.arange(i - 2, i + 3)[None, :] % n]
        top = max(top, float(patch.max()))
        away = np.linspace(4 * cell, 0.5 * pose.distance, 24)[:, None]
        yaw = camera.yaw + np.radians([-24.0, -12.0, 0.0, 12.0, 24.0])[None, :]
        ahead = height[((camera.y + away * np.sin(yaw)) / cell).astype(int) % n, ((camera.x + away * np.cos(yaw)) / cell).astype(int) % n]
        top = max(top, float((ahead - 0.10 * away).max()) - pose.height)
    return top
