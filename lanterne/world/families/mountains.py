"""Snowy mountains: ridges and faces of rock, snow by height, steepness and season, meadows and pines below, sometimes a lake."""
import numpy as np

from lanterne.world.noise import crowns, fractal, smoothstep
from lanterne.world.surface import GRASS, ROCK, SNOW, TREE, Pose, Surface, blend, colour, slope_of

MEADOW = {"spring": (0.10, 0.19, 0.05), "summer": (0.11, 0.17, 0.045), "autumn": (0.25, 0.16, 0.05), "winter": (0.20, 0.19, 0.16)}
SNOW_LINE = {"spring": 0.38, "summer": 0.50, "autumn": 0.44, "winter": 0.10}


def build(scene, rng):
    n, cell = 512, 18.0
    seed = int(rng.integers(1 << 20))
    ridges = fractal(n, 3, 8, 0.50, 1, 0.25, seed)
    broad = fractal(n, 2, 3, 0.5, 0, 0.0, seed + 50)
    peak = rng.uniform(900, 1350)
    height = peak * ridges * (0.55 + 0.75 * smoothstep(-0.35, 0.45, broad))
    height = height.astype(np.float32)
    water = -1e9
    if "lake" in scene.features:
        water = float(np.quantile(height, 0.30))
    level = (height - np.quantile(height, 0.1)) / (height.max() - np.quantile(height, 0.1))
    steep = slope_of(height, cell)
    rough = fractal(n, 24, 5, 0.6, 0, 0.0, seed + 60)

    rock = colour(rough + 0.15 * np.sin(height / 22.0), (-0.8, (0.065, 0.060, 0.060)), (0.0, (0.14, 0.125, 0.115)), (0.8, (0.24, 0.215, 0.19)))
    meadow = np.asarray(MEADOW[scene.season], np.float32) * (1.0 + 0.35 * rough)[..., None]
    grassy = smoothstep(0.75, 0.45, steep + 0.25 * rough) * smoothstep(0.5, 0.25, level + 0.1 * rough)
    albedo = blend(rock, meadow, grassy)
    classes = np.where(grassy > 0.5, GRASS, ROCK).astype(np.uint8)
    if "pines" in scene.features:
        tops, _ = crowns(n, 2.6, 1.7, 0.9, seed + 70)
        woods = smoothstep(0.42, 0.30, level + 0.12 * rough) * smoothstep(-0.25, 0.15, fractal(n, 10, 4, 0.55, 0, 0.0, seed + 80)) * smoothstep(1.1, 0.8, steep)
        cover = woods * (tops > 0.05)
        height = height + (16.0 * tops * woods).astype(np.float32)
        albedo = blend(albedo, np.stack([0.028 + 0.02 * tops, 0.052 + 0.035 * tops, 0.026 + 0.01 * tops], -1), cover)
        classes[cover > 0.5] = TREE
    line = SNOW_LINE[scene.season] - (0.25 if scene.weather == "snow" else 0.0) + rng.uniform(-0.06, 0.06)
    snow = smoothstep(line - 0.05, line + 0.10, level + 0.12 * rough) * smoothstep(1.25, 0.85, steep + 0.3 * rough)
    albedo = blend(albedo, (0.80, 0.83, 0.88), 0.95 * snow)
    classes[snow > 0.5] = SNOW

    # Stand on low ground and look at a summit.
    summit = np.unravel_index(int(np.argmax(height + rng.uniform(0, 250, (1, n)))), height.shape)
    distance, above = rng.uniform(2200, 3400), rng.uniform(60, 240)
    yaws = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, 16, endpoint=False)
    back = np.linspace(1.0, 0.25, 40)[:, None] * distance
    rows, columns = summit[0] - back * np.sin(yaws) / cell, summit[1] - back * np.cos(yaws) / cell
    way = height[rows.astype(int) % n, columns.astype(int) % n]
    blocked = ((way[1:] - way[0] - above) / (back[0] - back[1:])).max(0) - (height[summit] - way[0] - above) / distance
    yaw = float(yaws[int(np.argmin(blocked + 0.1 * rng.random(16)))])  # from where least stands before it
    x, y = summit[1] * cell - distance * np.cos(yaw), summit[0] * cell - distance * np.sin(yaw)
    pose = Pose(x, y, above, yaw, rng.uniform(-0.02, 0.10), 0.72 * distance)
    return Surface(cell, height, albedo, classes, pose, water_level=water, detail=0.35, scale=7000.0)
