"""Forest hills: crowns side by side, in the colours of the season, with a river or a clearing."""
import numpy as np

from lanterne.world.noise import crowns, fractal, smoothstep
from lanterne.world.surface import GRASS, SNOW, TREE, Pose, Surface, blend, open_view

#          leaves from one tree to the next
LEAVES = {
    "spring": ((0.10, 0.20, 0.035), (0.19, 0.29, 0.06), (0.30, 0.26, 0.22)),
    "summer": ((0.030, 0.085, 0.020), (0.055, 0.125, 0.028), (0.085, 0.15, 0.035)),
    "autumn": ((0.42, 0.13, 0.020), (0.48, 0.24, 0.030), (0.27, 0.055, 0.022)),
    "winter": ((0.13, 0.115, 0.105), (0.17, 0.155, 0.145), (0.05, 0.065, 0.05)),
}
FLOOR = {"spring": (0.13, 0.20, 0.05), "summer": (0.09, 0.15, 0.04), "autumn": (0.24, 0.16, 0.06), "winter": (0.72, 0.75, 0.80)}


def build(scene, rng):
    n, cell = 512, 2.6
    seed = int(rng.integers(1 << 20))
    hills = fractal(n, 3, 4, 0.42, 0, 0.15, seed)
    relief = rng.uniform(70, 130)
    ground = relief * (hills - hills.min())
    water, channel = -1e9, None
    if "river" in scene.features:
        path = np.abs(fractal(n, 2, 3, 0.45, 0, 0.2, seed + 10))
        channel = smoothstep(0.11, 0.03, path)
        ground = ground * (1 - 0.93 * smoothstep(0.50, 0.02, path)) - 14.0 * smoothstep(0.4, 0.9, channel)
        water = -3.0
    tops, tree = crowns(n, 4.1, 2.55, 0.9, seed + 20, 0.35)
    wood = np.ones((n, n), np.float32)
    if "clearing" in scene.features:
        wood *= smoothstep(0.30, 0.18, fractal(n, 4, 3, 0.5, 0, 0.1, seed + 30))
    if channel is not None:
        wood *= smoothstep(0.75, 0.5, channel)
    bare = scene.season == "winter"
    height = (ground + (9.0 if bare else 12.0) * tops * wood).astype(np.float32)
    light, mid, odd = (np.asarray(c, np.float32) for c in LEAVES[scene.season])
    mixed = tree[..., None]
    leaves = np.where(mixed < 0.45, light, np.where(mixed < 0.82, mid, odd)) * (0.55 + 0.65 * tops)[..., None]
    floor = np.asarray(FLOOR[scene.season], np.float32) * (1.0 + 0.25 * fractal(n, 20, 4, 0.55, 0, 0.0, seed + 40))[..., None]
    cover = smoothstep(0.02, 0.15, tops) * wood
    albedo = blend(floor.astype(np.float32), leaves, cover)
    classes = np.where(cover > 0.5, TREE, GRASS).astype(np.uint8)
    if bare or scene.weather == "snow":
        dust = (0.50 if scene.weather == "snow" else 0.30) * smoothstep(0.15, 0.7, tops) + (1 - cover) * 0.9
        albedo = blend(albedo, (0.80, 0.83, 0.88), np.clip(dust, 0, 0.95))
        classes[(classes == GRASS)] = SNOW
    above = rng.uniform(16, 42)
    x, y, yaw = open_view(rng, height, cell, above, 500.0, 0.05)
    pose = Pose(x, y, above, yaw, rng.uniform(-0.18, -0.06), rng.uniform(130, 240))
    return Surface(cell, height, albedo, classes, pose, water_level=water, water_colour=(0.02, 0.05, 0.045), detail=0.3, scale=2400.0)
