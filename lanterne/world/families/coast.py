"""A coast: breakers running on to rocks, cliffs or a sandy beach, open water to the horizon."""
import numpy as np

from lanterne.world.noise import fractal, smoothstep
from lanterne.world.surface import GRASS, ROCK, SAND, SNOW, Pose, Surface, blend, slope_of


def build(scene, rng):
    n, cell = 512, 3.0
    seed = int(rng.integers(1 << 20))
    sandy, cliffs = "sandy_beach" in scene.features, "cliffs" in scene.features
    v = np.mgrid[0:n, 0:n][0] / n
    # Land along one side of the tile; the sea fills the rest, and the tile's other edge.
    line = 0.30 + 0.07 * fractal(n, 3, 4, 0.5, 0, 0.0, seed)
    inland = np.where(v > 0.75, np.minimum(2.0 * (v - 0.88), 0.4), line - v)
    rough = fractal(n, 14, 6, 0.58, 0, 0.1, seed + 10)
    crag = fractal(n, 12, 6, 0.55, 1, 0.2, seed + 20)
    metres = inland * n * cell
    bed = np.where(metres < 0, metres * 0.055, 0.0)
    top = rng.uniform(38, 62) if cliffs else rng.uniform(12, 22)
    if sandy:
        shore = np.clip(metres * 0.045, 0, 4) + smoothstep(90, 210, metres) * (top * (0.75 + 0.5 * rough))
        stacks = np.clip(crag - 0.72, 0, None) * 60 * smoothstep(-60, 0, metres) * smoothstep(60, 0, metres)
    else:
        shore = smoothstep(-6, 50, metres) * top * (0.72 + 0.30 * crag + 0.15 * rough) + np.where(metres > 0, 0.6, 0.0)
        stacks = np.clip(crag - 0.52, 0, None) * 70 * smoothstep(-150, -15, metres) * smoothstep(40, 0, metres)
    height = (np.maximum(bed + shore, bed + stacks + (1.5 * rough if not sandy else 0))).astype(np.float32)
    steep = slope_of(height, cell)
    albedo = np.asarray((0.145, 0.12, 0.10), np.float32) * (1.0 + 0.55 * rough + 0.35 * (crag - 0.5))[..., None]
    albedo = albedo.astype(np.float32)
    classes = np.full((n, n), ROCK, np.uint8)
    green = smoothstep(0.75, 0.4, steep + 0.2 * rough) * smoothstep(0.45 * top, 0.65 * top, height)
    albedo = blend(albedo, np.asarray((0.12, 0.165, 0.055)) * (1 + 0.3 * rough)[..., None], green)
    classes[green > 0.5] = GRASS
    if sandy:
        sand = smoothstep(6.5, 4.2, height) * smoothstep(0.4, 0.2, steep)
        albedo = blend(albedo, np.asarray((0.52, 0.42, 0.28)) * (1 + 0.08 * rough)[..., None], sand)
        classes[sand > 0.5] = SAND
    if scene.weather == "snow":
        snow = smoothstep(0.9, 0.5, steep) * smoothstep(2.0, 6.0, height)
        albedo = blend(albedo, (0.80, 0.83, 0.88), 0.85 * snow)
        classes[snow > 0.5] = SNOW
    albedo = blend(albedo, 0.45 * albedo, smoothstep(1.6, 0.3, height) * smoothstep(-3.0, 0.0, height))  # the tide's wet edge
    # Over the water, looking along the coast or at it.
    side = 1 if rng.random() < 0.5 else -1
    yaw = -np.pi / 2 + side * rng.uniform(0.35, 1.25)
    x = rng.uniform(0, n * cell)
    y = (0.30 + rng.uniform(0.05, 0.14)) * n * cell
    pose = Pose(x, y, rng.uniform(9, 30), yaw, rng.uniform(-0.10, 0.0), rng.uniform(120, 220))
    rougher = {"storm": 1.1, "rain": 0.5}.get(scene.weather, 0.38)
    return Surface(cell, height, albedo, classes, pose, water_level=0.0, water_colour=(0.012, 0.055, 0.075),
                   shallow_colour=(0.07, 0.22, 0.20), wave_height=rougher * rng.uniform(0.8, 1.2),
                   whitecaps=0.9 if scene.weather == "storm" else 0.25, surf=rng.uniform(3.5, 5.5), detail=0.35, scale=2600.0)
