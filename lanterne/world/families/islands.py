"""Islands from above: green backs with woods, white beaches, a ring of surf, turquoise shallows and reefs in a deep blue sea."""
import numpy as np

from lanterne.world.noise import crowns, fractal, smoothstep
from lanterne.world.surface import ROCK, SAND, SNOW, TREE, Pose, Surface, blend, slope_of


def build(scene, rng):
    n, cell = 512, 5.0
    seed = int(rng.integers(1 << 20))
    v, u = (np.mgrid[0:n, 0:n] / n) - 0.5
    shape = fractal(n, 3, 6, 0.48, 0, 0.25, seed)
    hills = fractal(n, 5, 6, 0.5, 1, 0.2, seed + 10)
    if "one_large" in scene.features:
        rise = 0.28 - 1.35 * np.hypot(u, v) + 0.16 * shape
    else:
        rise = shape - float(np.quantile(shape, 0.83))
        middle = np.unravel_index(int(np.argmax(rise)), rise.shape)
        rise = np.roll(rise, (n // 2 - middle[0], n // 2 - middle[1]), (0, 1))
        hills = np.roll(hills, (n // 2 - middle[0], n // 2 - middle[1]), (0, 1))
    steepness = 300.0 if "one_large" in scene.features else 240.0
    land = np.clip(rise, 0, None)
    height = np.where(rise > 0, 0.9 + 16.0 * rise + steepness * land ** 1.25 * (0.55 + 1.3 * hills), 46.0 * rise + 1.0)
    if "reefs" in scene.features:  # a rim of coral just below the surface, around a lagoon
        rim = smoothstep(0.045, 0.0, np.abs(rise + 0.14 + 0.05 * hills)) * smoothstep(-0.35, 0.2, fractal(n, 6, 4, 0.5, 0, 0.0, seed + 20))
        height = np.maximum(height, -0.5 - 7.0 * (1 - rim))  * (rim > 0.02) + height * (rim <= 0.02)
        height = np.where((rise < 0) & (rise > -0.14), np.maximum(height, -3.4), height)
    steep = slope_of(height.astype(np.float32), cell)
    rough = fractal(n, 28, 5, 0.6, 0, 0.0, seed + 30)
    albedo = (np.asarray((0.10, 0.155, 0.045), np.float32) * (1.0 + 0.35 * rough)[..., None]).astype(np.float32)
    classes = np.full((n, n), TREE, np.uint8)
    tops, tree = crowns(n, 3.0, 2.1, 0.9, seed + 40)
    wood = smoothstep(3.5, 7.0, height) * smoothstep(-0.30, 0.05, rough + 0.6 * shape)
    leaves = np.where(tree[..., None] < 0.6, (0.030, 0.090, 0.022), (0.065, 0.135, 0.030)) * (0.5 + 0.7 * tops)[..., None]
    cover = wood * smoothstep(0.02, 0.15, tops)
    albedo = blend(albedo, leaves, cover)
    bare = smoothstep(0.95, 1.25, steep + 0.2 * rough)
    albedo = blend(albedo, np.asarray((0.16, 0.135, 0.11)) * (1 + 0.5 * rough)[..., None], bare)
    classes[bare > 0.5] = ROCK
    beach = smoothstep(4.2, 2.6, height)
    albedo = blend(albedo, (0.62, 0.53, 0.38), beach)
    classes[beach > 0.5] = SAND
    if scene.weather == "snow":
        snow = smoothstep(1.2, 0.8, steep) * smoothstep(1.5, 4.0, height) * (1 - 0.45 * cover)
        albedo = blend(albedo, (0.80, 0.83, 0.88), 0.92 * snow)
        classes[snow > 0.5] = SNOW
    height = (height + 9.0 * tops * wood).astype(np.float32)
    # From the air, at the tile's middle, where the largest island lies.
    yaw = rng.uniform(0, 2 * np.pi)
    away = rng.uniform(880, 1120)
    x, y = 0.5 * n * cell - away * np.cos(yaw), 0.5 * n * cell - away * np.sin(yaw)
    pose = Pose(x, y, rng.uniform(230, 330), yaw, rng.uniform(-0.30, -0.23), 0.8 * away)
    waves = {"storm": 1.0, "rain": 0.35}.get(scene.weather, 0.22)
    return Surface(cell, height, albedo, classes, pose, water_level=0.0, water_colour=(0.006, 0.060, 0.105), shallow_colour=(0.10, 0.42, 0.36),
                   wave_height=waves, whitecaps=1.1 if scene.weather == "storm" else 0.2, surf=1.6, detail=0.35, scale=4200.0)
