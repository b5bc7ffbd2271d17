"""A city: blocks of buildings on a street grid, towers towards its middle, windows that light up in the evening, a bay before it."""
import numpy as np

from lanterne.world.noise import fractal, smoothstep
from lanterne.world.surface import BUILDING, ROCK, Pose, Surface


def build(scene, rng):
    n, cell = 512, 4.0
    seed = int(rng.integers(1 << 20))
    height = np.zeros((n, n), np.float32)
    albedo = np.full((n, n, 3), (0.055, 0.056, 0.060), np.float32)
    classes = np.full((n, n), ROCK, np.uint8)
    centre = fractal(n, 3, 2, 0.5, 0, 0.0, seed)
    towers = "towers" in scene.features
    lots = np.random.Generator(np.random.Philox(key=seed))
    street, avenue = 4, 5
    j = 0
    while j < n - 8:
        deep = int(lots.integers(9, 15))
        i = 0
        while i < n - 8:
            wide = int(lots.integers(8, 14))
            x0, x1, y0, y1 = i, min(i + wide, n - street), j, min(j + deep, n - avenue)
            core = float(smoothstep(-0.25, 0.45, centre[(y0 + y1) // 2, (x0 + x1) // 2]))
            tall = 14 + 26 * lots.random() + core * (60 + (190 if towers else 70) * lots.random() ** 2)
            stone = np.asarray(((0.30, 0.28, 0.26), (0.22, 0.23, 0.25), (0.36, 0.31, 0.25), (0.26, 0.19, 0.16), (0.17, 0.20, 0.24))[int(lots.integers(5))])
            halves = ((x0, (x0 + x1) // 2), ((x0 + x1) // 2, x1)) if lots.random() < 0.45 else ((x0, x1),)
            for a, b in halves:
                own = tall * lots.uniform(0.7, 1.15)
                height[y0:y1, a:b] = own
                albedo[y0:y1, a:b] = stone * lots.uniform(0.75, 1.2)
                if own > 70:  # towers step back towards the top
                    inset = max((b - a) // 4, 1)
                    height[y0 + inset:y1 - inset, a + inset:b - inset] = own * lots.uniform(1.1, 1.35)
            classes[y0:y1, x0:x1] = BUILDING
            i += wide + street
        j += deep + avenue
    water = -1e9
    yaw = float(rng.choice([0, np.pi / 2, np.pi, 3 * np.pi / 2]) + rng.uniform(-0.55, 0.55))
    x, y = rng.uniform(0, n * cell), rng.uniform(0, n * cell)
    lift, distance = rng.uniform(25, 110), rng.uniform(360, 620)
    if "bay" in scene.features:
        water = 0.6
        edge = 0.42
        v = np.mgrid[0:n, 0:n][0] / n
        sea = v < edge
        height[sea], classes[sea] = -12.0, ROCK
        yaw = np.pi / 2 + rng.uniform(-0.6, 0.6)
        y = rng.uniform(0.05, 0.22) * n * cell
        lift = rng.uniform(12, 60)
    if scene.weather == "snow":
        albedo = (0.5 * albedo + 0.5 * np.asarray((0.62, 0.64, 0.68))).astype(np.float32)
    pose = Pose(x, y, lift, yaw, rng.uniform(-0.06, 0.04), distance)
    return Surface(cell, height, albedo, classes, pose, water_level=water, water_colour=(0.010, 0.030, 0.040), blocks=True, scale=3200.0)
