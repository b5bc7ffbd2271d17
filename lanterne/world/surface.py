"""The ground: a periodic height field with its colours, baked once per scene into maps that the kernels only look up."""
import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from lanterne.world.noise import blur, halve

# Semantic classes of the ground truth.
SKY, WATER, ROCK, SAND, GRASS, TREE, SNOW, BUILDING, THING = range(9)
CLASSES = ("sky", "water", "rock", "sand", "grass", "tree", "snow", "building", "thing")

MIPS = 5
CHANNELS = 9  # of the baked maps: normal x, normal y, sun, openness, red, green, blue, sun after the event, heat


@dataclass(frozen=True)
class Pose:
    """Where a shot starts and what it looks at. Metres and radians; `distance` is how far its subject is."""

    x: float
    y: float
    height: float      # above the highest ground under the path
    yaw: float
    tilt: float        # vertical shift of the lens, in focal lengths: negative looks down
    distance: float


@dataclass(frozen=True)
class Surface:
    """What a family builds. Maps are (N, N), N a power of two, and tile every N * cell metres."""

    cell: float                       # metres
    height: np.ndarray                # float32, metres
    albedo: np.ndarray                # (N, N, 3) float32, linear
    classes: np.ndarray               # uint8
    pose: Pose
    water_level: float = -1e9         # metres; the default is no water
    water_colour: tuple[float, float, float] = (0.02, 0.06, 0.07)
    shallow_colour: tuple[float, float, float] = (0.08, 0.22, 0.20)
    wave_height: float = 0.0          # metres of the open-water waves (0: a lake's ripples only)
    whitecaps: float = 0.0            # 0 none .. 1 storm
    surf: float = 0.0                 # metres of depth under which waves break on a shore
    detail: float = 0.3               # strength of the close-up texture
    streak: float = 1.0               # below 1 that texture is drawn out along x, as wind does with sand
    blocks: bool = False              # the height field is buildings: nearest look-up, walls, windows
    scale: float = 4000.0             # metres over which air veils the view
    street: bool = False              # blocks seen from between them: shops, signs, asphalt that mirrors
    heat: np.ndarray | None = None    # (N, N) float32: how brightly the ground itself shines (lava)
    plume: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # smoke: x, y, z and width of the crater, metres; width 0 is none
    lamps: np.ndarray | None = None   # (M, 3) float32, metres: the lamps one sees shining


@njit(cache=True, fastmath=True)
def _sun_visibility(height, cell, sun_x, sun_y, sun_z):
    """(N, N) in 0..1: how much of the sun each cell sees over the height field, with a soft edge. N a power of two."""
    n = height.shape[0]
    mask = n - 1
    out = np.ones((n, n), np.float32)
    flat = math.sqrt(sun_x * sun_x + sun_y * sun_y)
    if sun_z <= 0.0 or flat < 1e-4:
        return out
    ux, uy, slope = sun_x / flat, sun_y / flat, sun_z / flat
    top = height.max()
    for j in range(n):
        for i in range(n):
            h0 = height[j, i]
            visible, d = 1.0, 1.5
            while d < n * 0.5 and h0 + d * cell * slope < top:
                h = height[int(j + uy * d) & mask, int(i + ux * d) & mask]
                gap = (h0 + d * cell * slope - h) / (d * cell)
                visible = min(visible, 0.5 + gap * 9.0)
                if visible <= 0.0:
                    visible = 0.0
                    break
                d += 1.0 + d * 0.07
            out[j, i] = visible
    return out


def bake(surface, light, later):
    """Maps for the kernels, as tuples over MIPS levels: heights (N, N) and maps (N, N, CHANNELS), float32.

    light, later: the scene's Light when its event begins and when it has ended.
    """
    h = np.ascontiguousarray(surface.height, dtype=np.float32)
    gx = (np.roll(h, -1, 1) - np.roll(h, 1, 1)) / (2 * surface.cell)
    gy = (np.roll(h, -1, 0) - np.roll(h, 1, 0)) / (2 * surface.cell)
    length = np.sqrt(1 + gx * gx + gy * gy)
    solid = np.maximum(h, surface.water_level).astype(np.float32)
    sun = _sun_visibility(solid, surface.cell, *light.sun)
    low, wide = blur(h, 2.0), blur(h, 10.0)
    openness = np.clip(1.0 + (0.55 * (h - low) + 0.35 * (h - wide)) / (4.0 * surface.cell), 0.35, 1.15)
    maps = np.empty((*h.shape, CHANNELS), np.float32)
    maps[..., 0], maps[..., 1] = -gx / length, -gy / length
    maps[..., 2], maps[..., 3] = sun, openness
    maps[..., 4:7] = surface.albedo
    maps[..., 7] = sun if later.turn == 0.0 else _sun_visibility(solid, surface.cell, *later.sun)
    maps[..., 8] = 0.0 if surface.heat is None else surface.heat
    heights, levels = [h], [maps]
    for _ in range(MIPS - 1):
        heights.append(halve(heights[-1]))
        levels.append(halve(levels[-1]))
    return tuple(heights), tuple(levels)


def open_view(rng, height, cell, above, reach, wanted, yaws=None, tries=40):
    """(x, y, yaw) of a place, in metres, from where the ground ahead rises to about `wanted` (rise over run) over the eye, within `reach`.

    above: metres of the eye over the ground; yaws: where it may look, radians (everywhere where None).
    """
    n = height.shape[0]
    x, y = rng.uniform(0, n * cell, (2, tries))
    yaw = rng.uniform(0, 2 * np.pi, tries) if yaws is None else rng.choice(yaws, tries)
    at = height[(y / cell).astype(int) % n, (x / cell).astype(int) % n] + above
    away = np.geomspace(3 * cell, reach, 40)[:, None, None]
    fan = yaw[None, None, :] + np.radians((-18.0, 0.0, 18.0))[None, :, None]
    ahead = height[((y + away * np.sin(fan)) / cell).astype(int) % n, ((x + away * np.cos(fan)) / cell).astype(int) % n]
    rises = ((ahead - at) / away).max(0).mean(0)
    best = int(np.argmin(np.abs(rises - wanted)))
    return float(x[best]), float(y[best]), float(yaw[best])


def colour(height_like, *stops):
    """Colours along a ramp: (N, N) -> (N, N, 3). stops: (position, (r, g, b)), positions rising."""
    at = [s[0] for s in stops]
    return np.stack([np.interp(height_like, at, [s[1][c] for s in stops]) for c in range(3)], -1).astype(np.float32)


def blend(base, over, mask):
    """(N, N, 3) base with a colour or map `over` where mask (N, N) is 1."""
    return (base + (np.asarray(over, np.float32) - base) * mask[..., None]).astype(np.float32)


def slope_of(height, cell):
    """Steepness, rise over run: (N, N)."""
    gx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * cell)
    gy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * cell)
    return np.sqrt(gx * gx + gy * gy)
