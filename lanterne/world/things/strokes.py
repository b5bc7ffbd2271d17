"""Small bright or dark strokes drawn over a pass: the wings of a flock, the sparks of a fire."""
import math

import numpy as np
from numba import njit

from lanterne.world.surface import THING
from lanterne.world.things import shapes
from lanterne.world.things.stage import where

FIELDS = 9  # of a stroke: x and y of both ends in pixels, half its width, its depth in metres, linear RGB


@njit(cache=True, fastmath=True)
def stroke_pixel(row, column, picture, before, depth, classes, strokes, k, weight):
    """Lays stroke k over one pixel of the pass that was just added."""
    s = strokes[k]
    px, py, dx, dy = column + 0.5 - s[0], row + 0.5 - s[1], s[2] - s[0], s[3] - s[1]
    h = min(max((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0.0), 1.0)
    gap = math.sqrt((px - h * dx) ** 2 + (py - h * dy) ** 2)
    cover = min(max(s[4] + 0.5 - gap, 0.0), 1.0) * min(2.0 * s[4], 1.0)
    if cover <= 0.0 or depth[row, column] < s[5]:
        return
    for c in range(3):
        back = picture[row, column, c] - before[row, column, c]
        picture[row, column, c] = before[row, column, c] + back * (1.0 - cover) + cover * weight * s[6 + c]
    if cover > 0.5:
        depth[row, column], classes[row, column] = s[5], THING


@njit(cache=True, fastmath=True)
def draw_strokes(picture, before, depth, classes, strokes, weight):
    """Draws strokes (M, FIELDS) into the pass that has just been added to `picture`; the rest as draw.draw."""
    rows, columns = picture.shape[0], picture.shape[1]
    for k in range(strokes.shape[0]):
        s = strokes[k]
        wide = s[4] + 1.0
        low_x, high_x = max(int(min(s[0], s[2]) - wide), 0), min(int(max(s[0], s[2]) + wide) + 1, columns)
        low_y, high_y = max(int(min(s[1], s[3]) - wide), 0), min(int(max(s[1], s[3]) + wide) + 1, rows)
        for row in range(low_y, high_y):
            for column in range(low_x, high_x):
                stroke_pixel(row, column, picture, before, depth, classes, strokes, k, weight)


def _project(points, camera, width, height, jitter):
    """World points (..., 3) on the screen: x and y in pixels and depth in metres, (..., 3)."""
    focal = 1.225 * math.sqrt(width * height)
    p = points - np.asarray((camera.x, camera.y, camera.z))
    forward = np.maximum(p[..., 0] * math.cos(camera.yaw) + p[..., 1] * math.sin(camera.yaw), 0.1)
    right = p[..., 0] * math.sin(camera.yaw) - p[..., 1] * math.cos(camera.yaw)
    x = focal * right / forward + 0.5 * width + 0.5 - jitter[0]
    y = 0.5 * height - focal * (p[..., 2] / forward - camera.tilt) + 0.5 - jitter[1]
    return np.stack([x, y, forward], -1)


def _flock(plan, scene, camera, seconds):
    """Joints of each bird, (N, 7, 3) in metres: tail, head, and the wings from tip to tip."""
    x, y, z = where(plan, scene, camera, seconds)
    heading = plan.pose.yaw + plan.heading
    ahead, left = np.asarray((math.cos(heading), math.sin(heading), 0.0)), np.asarray((-math.sin(heading), math.cos(heading), 0.0))
    up = np.asarray((0.0, 0.0, 1.0))
    rng = np.random.Generator(np.random.Philox(key=[scene.seed, 0xB1D5]))
    n = plan.count
    rank = (np.arange(n) + 1) // 2
    place = np.stack([-2.9 * rank, np.where(np.arange(n) % 2 == 0, 1, -1) * 2.6 * rank, np.zeros(n)], -1)  # a loose wedge
    place += rng.normal(0.0, (0.9, 0.9, 1.7), (n, 3))
    place[:, 0] += 1.4 * n / 2
    place[:, :2] *= 1.25
    own = rng.uniform(0.0, 2 * math.pi, n)
    place += 0.35 * np.stack([np.sin(1.1 * seconds + own), np.cos(0.9 * seconds + 2 * own), np.sin(1.3 * seconds + 3 * own)], -1)
    centre = np.asarray((x, y, z)) + place[:, :1] * ahead + place[:, 1:2] * left + place[:, 2:] * up
    beat = np.sin(2 * math.pi * 2.1 * seconds + own)[:, None]
    late = np.sin(2 * math.pi * 2.1 * seconds + own - 0.9)[:, None]
    span = plan.size * 1.75
    joints = [centre - 0.55 * plan.size * ahead, centre + 0.65 * plan.size * ahead]
    for side in (1.0, -1.0):
        elbow = centre + 0.5 * span * side * left + 0.40 * span * beat * up + 0.10 * span * ahead
        tip = elbow + 0.55 * span * side * left + 0.42 * span * late * up - 0.16 * span * ahead
        joints += [elbow, tip]
    return np.stack([*joints, centre], 1)


def strokes_at(plan, scene, camera, seconds, width, height, jitter, light):
    """(M, FIELDS) float32: the strokes of a subject in one pass; None where it has none."""
    thick = math.sqrt(width * height) / 192.0
    if plan.kind == shapes.BIRDS:
        joints = _project(_flock(plan, scene, camera, seconds), camera, width, height, jitter)
        tone = np.asarray(plan.colours[0]) * (np.asarray(light.ambient) + 0.5 * np.asarray(light.sun_colour))
        tone = tone + 0.08 * np.asarray(light.horizon)
        rows = []
        for a, b, half in ((0, 1, 0.95), (6, 2, 0.75), (2, 3, 0.55), (6, 4, 0.75), (4, 5, 0.55)):
            p, q = joints[:, a], joints[:, b]
            rows.append(np.concatenate([p[:, :2], q[:, :2], np.full((len(p), 1), half * thick * plan.size), 0.5 * (p[:, 2:] + q[:, 2:]),
                                        np.broadcast_to(tone, (len(p), 3))], 1))
        return np.concatenate(rows).astype(np.float32)
    if plan.kind == shapes.CAMPFIRE:
        rng = np.random.Generator(np.random.Philox(key=[scene.seed, 0x5AA4]))
        n = 16
        start, life, speed, side, around = rng.uniform(0, 2, n), rng.uniform(0.9, 1.9, n), rng.uniform(1.6, 2.8, n), \
            rng.normal(0, 0.35, (n, 2)), rng.uniform(0, 2 * math.pi, n)
        age = (seconds + start) % life
        rise = np.stack([side[:, 0] * (0.4 + age) + 0.18 * np.sin(5 * age + around) + 0.25 * age,
                         side[:, 1] * (0.4 + age) + 0.18 * np.cos(4 * age + around), 0.8 + speed * age], -1)
        later = rise + np.stack([0.06 * np.sin(around), 0.06 * np.cos(around), np.full(n, 0.14)], -1)
        base = np.asarray((plan.x, plan.y, plan.z))
        p, q = (_project(base + plan.size * at, camera, width, height, jitter) for at in (rise, later))
        heat = (np.clip(1.0 - age / life, 0, 1) * 5.0)[:, None] * np.asarray((1.0, 0.42, 0.10))
        return np.concatenate([p[:, :2], q[:, :2], np.full((n, 1), 0.55 * thick), p[:, 2:], heat], 1).astype(np.float32)
    return None
