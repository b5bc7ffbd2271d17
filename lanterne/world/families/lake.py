"""A lake among green hills: still water that mirrors its shores, islands, mountains behind."""
import numpy as np

from lanterne.world.families.forest import LEAVES
from lanterne.world.families.mountains import MEADOW
from lanterne.world.noise import crowns, fractal, smoothstep
from lanterne.world.surface import GRASS, ROCK, SAND, SNOW, TREE, Pose, Surface, blend, slope_of


def build(scene, rng):
    n, cell = 512, 6.0
    seed = int(rng.integers(1 << 20))
    v, u = (np.mgrid[0:n, 0:n] / n) - 0.5
    wobble = fractal(n, 3, 4, 0.5, 0, 0.0, seed)
    radius = np.hypot(u * rng.uniform(0.85, 1.0), v) + 0.10 * wobble  # the lake lies in the middle of the tile
    shore = rng.uniform(0.25, 0.31)
    land = smoothstep(shore, 0.5, radius)
    hills = fractal(n, 4, 6, 0.48, 0, 0.15, seed + 10)
    ridges = fractal(n, 3, 8, 0.5, 1, 0.2, seed + 20)
    mountainous = "mountains_behind" in scene.features
    height = 260 * (radius - shore) + land * (90 * (hills + 0.6) + (800 * ridges ** 1.4 if mountainous else 110 * np.clip(hills + 0.3, 0, 1)))
    if "islands" in scene.features:
        isles = fractal(n, 7, 4, 0.5, 0, 0.0, seed + 30)
        height = np.maximum(height, 90 * (isles - 0.38) - 60 * smoothstep(shore * 0.8, shore, radius) - 40 * smoothstep(0.12, 0.0, radius))
    height = height.astype(np.float32)
    steep = slope_of(height, cell)
    rough = fractal(n, 24, 5, 0.6, 0, 0.0, seed + 40)
    albedo = (np.asarray(MEADOW[scene.season], np.float32) * (1.0 + 0.3 * rough)[..., None]).astype(np.float32)
    classes = np.full((n, n), GRASS, np.uint8)
    stony = np.maximum(smoothstep(0.75, 1.1, steep + 0.2 * rough), smoothstep(230, 330, height + 60 * rough))
    albedo = blend(albedo, np.asarray((0.15, 0.14, 0.13)) * (1 + 0.5 * rough)[..., None], stony)
    classes[stony > 0.5] = ROCK
    tops, tree = crowns(n, 2.4, 1.6, 0.9, seed + 50)
    wood = smoothstep(-0.20, 0.10, fractal(n, 7, 4, 0.55, 0, 0.0, seed + 60)) * smoothstep(2.0, 6.0, height) * (1 - stony)
    light, mid, odd = (np.asarray(c, np.float32) for c in LEAVES[scene.season])
    leaves = np.where(tree[..., None] < 0.4, light, np.where(tree[..., None] < 0.75, mid, odd)) * (0.55 + 0.6 * tops)[..., None]
    cover = wood * smoothstep(0.02, 0.15, tops)
    height = (height + 13.0 * tops * wood).astype(np.float32)
    albedo = blend(albedo, leaves, cover)
    classes[cover > 0.5] = TREE
    beach = smoothstep(3.0, 0.5, height) * (1 - cover)
    albedo = blend(albedo, (0.33, 0.28, 0.20), 0.8 * beach)
    classes[(beach > 0.6)] = SAND
    wintry = scene.season == "winter" or scene.weather == "snow"
    snow = smoothstep(420, 560, height + 90 * rough) * smoothstep(1.3, 0.9, steep) if not wintry else smoothstep(1.3, 0.8, steep) * (1 - 0.55 * cover)
    snow = snow * smoothstep(0.5, 3.0, height)
    albedo = blend(albedo, (0.80, 0.83, 0.88), 0.92 * snow)
    classes[snow > 0.5] = SNOW
    # From over one shore, across the water.
    yaw = rng.uniform(0, 2 * np.pi)
    back = rng.uniform(-0.08, 0.12) * n * cell
    x, y = 0.5 * n * cell - back * np.cos(yaw), 0.5 * n * cell - back * np.sin(yaw)
    pose = Pose(x, y, rng.uniform(6, 45), yaw, rng.uniform(-0.04, 0.06), rng.uniform(350, 700))
    return Surface(cell, height, albedo, classes, pose, water_level=0.0, water_colour=(0.015, 0.05, 0.065), detail=0.25, scale=3600.0)
