"""A table by a window with a few coloured solids on it: what counts, colours and relations are learnt from.

Lengths are in widths of a solid; x goes away from the camera, y to its left, z up from the table's top.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lanterne.world.scene import ROLLING_SHAPE, SHAPES
from lanterne.world.surface import BUILDING, THING, Pose
from lanterne.world.things.shapes import smooth_noise

PAINTS = {
    "red": (0.62, 0.025, 0.02), "orange": (0.90, 0.27, 0.015), "yellow": (0.88, 0.66, 0.03), "green": (0.03, 0.33, 0.055),
    "blue": (0.02, 0.10, 0.58), "purple": (0.27, 0.03, 0.36), "white": (0.84, 0.84, 0.82), "black": (0.014, 0.014, 0.016),
}
WOODS = ((0.42, 0.27, 0.14), (0.27, 0.145, 0.07), (0.50, 0.39, 0.25))
CLOTHS = ((0.56, 0.53, 0.46), (0.30, 0.36, 0.40), (0.42, 0.46, 0.38))
WALLS = ((0.40, 0.36, 0.30), (0.30, 0.35, 0.36), (0.42, 0.33, 0.28), (0.34, 0.37, 0.30))
CUBE, BALL, CONE, CYLINDER, PYRAMID, RING = range(len(SHAPES))
_AWAY, _WALL, _EDGE, _SIDE = 8.0, 7.5, 3.6, 6.2  # the camera, the wall, the table's far edge and its sides, from its middle


class Table(NamedTuple):
    """A table at one moment, as the kernels take it; colours are linear RGB."""

    wood: tuple[float, float, float]
    cloth: bool
    wall: tuple[float, float, float]
    window: float                        # the middle of the window along the wall
    sun: tuple[float, float, float]      # direction to the light


@njit(cache=True, fastmath=True)
def _solid(shape, x, y, z):
    """Distance to a solid of unit size that stands at the origin."""
    if shape == BALL:
        return math.sqrt(x * x + y * y + (z - 0.56) ** 2) - 0.56
    if shape == CUBE:
        qx, qy, qz = abs(x) - 0.46, abs(y) - 0.46, abs(z - 0.5) - 0.46
        outside = math.sqrt(max(qx, 0.0) ** 2 + max(qy, 0.0) ** 2 + max(qz, 0.0) ** 2)
        return outside + min(max(qx, max(qy, qz)), 0.0) - 0.04
    if shape == CYLINDER:
        q, p = math.sqrt(x * x + y * y) - 0.46, abs(z - 0.52) - 0.49
        return math.sqrt(max(q, 0.0) ** 2 + max(p, 0.0) ** 2) + min(max(q, p), 0.0) - 0.03
    if shape == CONE:
        return max((math.sqrt(x * x + y * y) + 0.47 * (z - 1.22)) * 0.905, -z)
    if shape == PYRAMID:
        return max((max(abs(x), abs(y)) + 0.52 * (z - 1.08)) * 0.887, -z)
    return math.sqrt((math.sqrt(y * y + (z - 0.60) ** 2) - 0.42) ** 2 + x * x) - 0.18


@njit(cache=True, fastmath=True)
def _own(solids, k, x, y, z):
    """A point in solid k's own frame: it stands turned at its place."""
    x, y, z = x - solids[k, 1], y - solids[k, 2], z - solids[k, 3]
    c, s = solids[k, 4], solids[k, 5]
    return c * x + s * y, c * y - s * x, z


@njit(cache=True, fastmath=True)
def _span(solids, k, x, y, z, dx, dy, dz):
    """Where a ray enters and leaves the ball around solid k."""
    px, py, pz = x - solids[k, 1], y - solids[k, 2], z - solids[k, 3] - 0.58
    b = px * dx + py * dy + pz * dz
    c = px * px + py * py + pz * pz - 0.74
    root = b * b - c
    if root <= 0.0:
        return 1.0, 0.0
    root = math.sqrt(root)
    return max(-b - root, 0.0), -b + root


@njit(cache=True, fastmath=True)
def _nearest(solids, x, y, z, dx, dy, dz):
    """The first solid along a ray: its number (-1: none) and distance."""
    found, best = -1, 1e9
    for k in range(solids.shape[0]):
        t, end = _span(solids, k, x, y, z, dx, dy, dz)
        end = min(end, best)
        for _ in range(40):
            if t >= end:
                break
            ox, oy, oz = _own(solids, k, x + t * dx, y + t * dy, z + t * dz)
            d = _solid(int(solids[k, 0]), ox, oy, oz)
            if d < 0.002:
                found, best = k, t
                break
            t += d
    return found, best


@njit(cache=True, fastmath=True)
def _daylight(solids, x, y, z, sun):
    """0 to 1: how much of the window's light reaches a point past the solids, with a wide edge."""
    visible = 1.0
    for k in range(solids.shape[0]):
        t, end = _span(solids, k, x, y, z, sun[0], sun[1], sun[2])
        t = max(t, 0.03)
        for _ in range(20):
            if t >= end or visible < 0.02:
                break
            ox, oy, oz = _own(solids, k, x + t * sun[0], y + t * sun[1], z + t * sun[2])
            d = _solid(int(solids[k, 0]), ox, oy, oz)
            visible = min(visible, 0.5 + 4.5 * d / t)
            t += max(d, 0.03)
    visible = max(visible, 0.0)
    return visible * visible * (3.0 - 2.0 * visible)


@njit(cache=True, fastmath=True)
def _touch(solids, x, y, z, skip):
    """0 to 1: how open a point is, less close to a solid."""
    dark = 1.0
    for k in range(solids.shape[0]):
        if k != skip and (x - solids[k, 1]) ** 2 + (y - solids[k, 2]) ** 2 < 1.7:
            ox, oy, oz = _own(solids, k, x, y, z)
            dark = min(dark, 0.35 + 1.5 * max(_solid(int(solids[k, 0]), ox, oy, oz), 0.0))
    return min(dark, 1.0)


@njit(cache=True, fastmath=True)
def _shade(solids, k, x, y, z, dx, dy, dz, table, seconds):
    """Radiance of solid k at a point, seen along a ray."""
    shape = int(solids[k, 0])
    ox, oy, oz = _own(solids, k, x, y, z)
    gx, gy, gz, e = 0.0, 0.0, 0.0, 0.004
    for corner in range(4):
        sx, sy, sz = 1.0 if corner in (0, 3) else -1.0, 1.0 if corner in (1, 3) else -1.0, 1.0 if corner in (2, 3) else -1.0
        d = _solid(shape, ox + e * sx, oy + e * sy, oz + e * sz)
        gx, gy, gz = gx + sx * d, gy + sy * d, gz + sz * d
    c, s = solids[k, 4], solids[k, 5]
    nx, ny, nz = c * gx - s * gy, s * gx + c * gy, gz
    inv = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-20)
    nx, ny, nz = nx * inv, ny * inv, nz * inv
    sun = table.sun
    facing = nx * sun[0] + ny * sun[1] + nz * sun[2]
    lit = 0.0
    if facing > 0.0:
        lit = facing * _daylight(solids, x + 0.02 * nx, y + 0.02 * ny, z + 0.02 * nz, sun)
    sky = (0.55 + 0.35 * nz + 0.10 * ny * sun[1]) * (0.6 + 0.4 * min(1.4 * z + 0.2, 1.0)) * _touch(solids, x, y, z, k)
    up = 0.22 * max(0.4 - nz, 0.0) / (1.0 + z)  # light from the table's top
    r = solids[k, 6] * (2.5 * lit + 0.52 * sky + up * table.wood[0] * 3.0)
    g = solids[k, 7] * (2.3 * lit + 0.54 * sky + up * table.wood[1] * 3.0)
    b = solids[k, 8] * (2.0 * lit + 0.58 * sky + up * table.wood[2] * 3.0)
    if solids[k, 9] != 0.0:  # a rolling ball has a seam to roll by
        c, s = math.cos(solids[k, 9]), math.sin(solids[k, 9])
        along = solids[k, 10] * ox + solids[k, 11] * oy
        seam = abs(c * along - s * (oz - 0.56))
        if seam < 0.075:
            r, g, b = 0.45 * r + 0.10, 0.45 * g + 0.10, 0.45 * b + 0.10
    k2 = 2.0 * (dx * nx + dy * ny + dz * nz)
    mx, my, mz = dx - k2 * nx, dy - k2 * ny, dz - k2 * nz
    glance = (1.0 + 0.5 * min(k2, 0.0)) ** 4
    shine = math.exp(-34.0 * (1.0 - (mx * sun[0] + my * sun[1] + mz * sun[2]))) * min(4.0 * lit, 1.0)
    sheen = 0.03 + 0.22 * glance
    return (r * (1 - sheen) + sheen * 0.55 + 0.9 * shine, g * (1 - sheen) + sheen * 0.55 + 0.88 * shine,
            b * (1 - sheen) + sheen * 0.55 + 0.82 * shine)


@njit(cache=True, fastmath=True)
def _bump(value, low, high, soft):
    """1 between low and high, 0 outside, with soft edges."""
    a, b = min(max((value - low) / soft + 0.5, 0.0), 1.0), min(max((high - value) / soft + 0.5, 0.0), 1.0)
    return a * b


@njit(cache=True, fastmath=True)
def _room(y, z, table):
    """Radiance of the wall behind the table: its window, out of focus, and what shines in."""
    u = y - table.window
    fade = 0.55 + 0.5 * math.exp(-(u * u) / 26.0)
    r, g, b = table.wall[0] * 0.85 * fade, table.wall[1] * 0.85 * fade, table.wall[2] * 0.85 * fade
    frame = _bump(u, -2.45, 2.45, 0.16) * _bump(z, 0.7, 5.2, 0.16)
    r, g, b = r + frame * (0.62 - r), g + frame * (0.60 - g), b + frame * (0.56 - b)
    pane = (_bump(u, -2.2, -0.12, 0.14) + _bump(u, 0.12, 2.2, 0.14)) * (_bump(z, 0.95, 2.85, 0.14) + _bump(z, 3.07, 4.95, 0.14))
    tree = min(max(1.9 + 0.7 * math.sin(1.3 * u + 1.0) + 0.35 * math.sin(3.1 * u) - z, 0.0) / 0.7, 1.0)
    r, g, b = (r + pane * (1.05 - 0.75 * tree - r), g + pane * (1.20 - 0.66 * tree - g), b + pane * (1.38 - 1.16 * tree - b))
    rail = _bump(z, -1.3, -0.95, 0.12)
    return r * (1 - 0.25 * rail), g * (1 - 0.25 * rail), b * (1 - 0.25 * rail)


@njit(cache=True, fastmath=True)
def _top(x, y, table):
    """Colour of the table's top."""
    r, g, b = table.wood
    if table.cloth:
        check = 0.5 * (_bump((x * 0.9) % 1.0, 0.0, 0.5, 0.1) + _bump((y * 0.9) % 1.0, 0.0, 0.5, 0.1))
        tone = 0.86 + 0.28 * check + 0.06 * (smooth_noise(14.0 * x, 14.0 * y, 0.5) - 0.5)
        return r * tone, g * tone, b * tone
    plank = math.floor(x / 1.25 + 40.0)
    grain = smooth_noise(9.0 * x + 13.0 * plank, 0.8 * y + 7.0 * plank, plank) + 0.5 * smooth_noise(26.0 * x, 2.2 * y, plank)
    gap = 1.0 - 0.5 * _bump((x / 1.25) % 1.0, -0.1, 0.02, 0.02)
    tone = (0.70 + 0.36 * grain + 0.10 * math.sin(2.4 * plank)) * gap
    return r * tone, g * tone, b * tone


@njit(cache=True, fastmath=True)
def render_pixel(row, column, picture, depth, classes, camera, jitter_x, jitter_y, table, solids, seconds, weight, truth):
    """One pixel of `render_pass`."""
    rows, columns = picture.shape[0], picture.shape[1]
    focal = 1.225 * math.sqrt(rows * columns)
    u, v = (column + jitter_x - 0.5 * columns) / focal, (0.5 * rows - row - jitter_y) / focal + camera.tilt
    norm = math.sqrt(1.0 + u * u + v * v)
    fx, fy = math.cos(camera.yaw), math.sin(camera.yaw)
    dx, dy, dz = (fx + u * fy) / norm, (fy - u * fx) / norm, v / norm
    found, t = _nearest(solids, camera.x, camera.y, camera.z, dx, dy, dz)
    kind = THING
    if found >= 0:
        x, y, z = camera.x + t * dx, camera.y + t * dy, camera.z + t * dz
        r, g, b = _shade(solids, found, x, y, z, dx, dy, dz, table, seconds)
    else:
        kind = BUILDING
        t = -camera.z / dz if dz < -1e-4 else -1.0
        x, y = camera.x + t * dx, camera.y + t * dy
        if 0.0 < t < 60.0 and x < _EDGE and abs(y) < _SIDE:
            r, g, b = _top(x, y, table)
            lit = _daylight(solids, x, y, 0.0, table.sun) * table.sun[2]
            lit *= 0.72 + 0.28 * math.exp(-((x - 1.5) ** 2 + (y - 0.4 * table.window) ** 2) / 22.0)
            open_sky = 0.85 * _touch(solids, x, y, 0.0, -1)
            r, g, b = r * (2.5 * lit + 0.52 * open_sky), g * (2.3 * lit + 0.54 * open_sky), b * (2.0 * lit + 0.58 * open_sky)
            if not table.cloth:  # varnish
                gloss = 0.05 + 0.55 * (1.0 + dz) ** 4
                other, far = _nearest(solids, x, y, 0.0, dx, dy, -dz)
                if other >= 0:
                    mr, mg, mb = _shade(solids, other, x + far * dx, y + far * dy, -far * dz, dx, dy, -dz, table, seconds)
                else:
                    reach = (_WALL - x) / max(dx, 1e-3)
                    mr, mg, mb = _room(y + reach * dy, -reach * dz, table)
                r, g, b = r * (1 - gloss) + gloss * mr, g * (1 - gloss) + gloss * mg, b * (1 - gloss) + gloss * mb
        else:
            t = (_WALL - camera.x) / max(dx, 1e-3)
            y, z = camera.y + t * dy, camera.z + t * dz
            r, g, b = _room(y, z, table)
            edge = (_EDGE - camera.x) / max(dx, 1e-3)  # the table's far side, seen from low down
            if -0.18 < camera.z + edge * dz < 0.0 and abs(camera.y + edge * dy) < _SIDE and camera.z < 0.0:
                t = edge
                r, g, b = 0.2 * table.wood[0], 0.2 * table.wood[1], 0.2 * table.wood[2]
    if truth:
        depth[row, column], classes[row, column] = t / norm, kind
    picture[row, column, 0] += weight * r
    picture[row, column, 1] += weight * g
    picture[row, column, 2] += weight * b


@njit(cache=True, fastmath=True)
def render_pass(picture, depth, classes, camera, jitter_x, jitter_y, table, solids, seconds, weight, truth):
    """Adds weight times one jittered rendering to `picture` (H, W, 3) float32; if `truth`, writes depth and classes (H, W)."""
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            render_pixel(row, column, picture, depth, classes, camera, jitter_x, jitter_y, table, solids, seconds, weight, truth)


def build(scene, rng):
    """(pose, at): `at(seconds)` gives the Table and its solids (K, 12) float32.

    A solid's row: shape, x, y, z, cosine and sine of its turn, linear RGB, how far it has rolled in radians, the direction of that.
    """
    count = len(scene.solids)
    gap = (0.0, 0.0, 2.0, 1.8, 1.68)[count]
    near = {"push_in": 0.72, "pull_back": 1.15}.get(scene.camera, 1.0)
    away = _AWAY * (0.76 if count < 3 else 0.92 if count == 3 else 1.06) * {"push_in": 1.08, "pull_back": 0.85}.get(scene.camera, 1.0)
    height = rng.uniform(0.33, 0.42) * away
    pose = Pose(-away, 0.0, height, 0.0, ((1.0 if scene.relation == "on_top" else 0.55) - height) / away + 0.02, away * near)
    side = float(rng.choice((-1.0, 1.0)))
    azimuth = side * rng.uniform(0.75, 1.15)
    flat = math.cos(0.72)
    sun = (flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(0.72))
    cloth = "cloth" in scene.features
    tops = CLOTHS if cloth else WOODS
    table = Table(tops[int(rng.integers(3))], cloth, WALLS[int(rng.integers(4))], side * rng.uniform(0.8, 2.6), sun)
    places = [[rng.uniform(-0.15, 0.15), (0.5 * (count - 1) - k) * gap + rng.uniform(-0.08, 0.08), 0.0] for k in range(count)]
    if scene.relation == "on_top":
        places = [[0.0, 0.0, 0.0], [0.0, 0.0, {"cube": 1.0, "cylinder": 1.04}.get(scene.solids[0][1], 1.0)]]
    elif scene.relation == "behind":
        lean = float(rng.choice((-1.0, 1.0))) * rng.uniform(0.42, 0.55)
        places = [[-0.75, lean, 0.0], [1.15, -lean, 0.0]]
    solids = np.zeros((count, 12), np.float32)
    for k, (colour, shape) in enumerate(scene.solids):
        turn = rng.uniform(0.35, 0.65) if shape in ("cube", "pyramid") else rng.uniform(-0.35, 0.35) if shape == "ring" else 0.0
        tone = np.asarray(PAINTS[colour]) * rng.uniform(0.92, 1.08)
        solids[k, :9] = (SHAPES.index(shape), *places[k], math.cos(turn), math.sin(turn), *tone)
    shapes = [shape for _, shape in scene.solids]
    rolling = shapes.index(ROLLING_SHAPE) if "rolling" in scene.features else None
    phase = rng.uniform(-0.5, 0.5)

    def at(seconds):
        now = solids.copy()
        if rolling is not None:  # to and fro: across the table when alone, else towards the camera, so that the row keeps its order
            across = count == 1
            gone = (1.7 if across else 1.15) * math.sin(1.5 * seconds + phase)
            now[rolling, 2 if across else 1] += gone
            now[rolling, 9] = gone / 0.56 + 50.0
            now[rolling, 10:12] = (0.0, 1.0) if across else (1.0, 0.0)
        return table, now

    return pose, at
