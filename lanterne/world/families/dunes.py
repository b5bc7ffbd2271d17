"""Desert dunes: long crests with one steep side, wind ripples close by, sometimes dark rocks standing out of the sand."""
import numpy as np

from lanterne.world.noise import blur, fractal, smoothstep
from lanterne.world.surface import ROCK, SAND, Pose, Surface, blend, open_view


def build(scene, rng):
    n, cell = 512, 4.0
    seed = int(rng.integers(1 << 20))
    bend = fractal(n, 3, 4, 0.5, 0, 0.0, seed)
    v, _ = np.mgrid[0:n, 0:n] / n
    count = int(rng.integers(5, 9))
    phase = (count * v + 1.5 * bend + 0.25 * fractal(n, 6, 3, 0.5, 0, 0.0, seed + 10)) % 1.0
    slip = rng.uniform(0.68, 0.80)  # windward slope long and gentle, lee slope at the angle of repose
    crest = np.where(phase < slip, phase / slip, (1 - phase) / (1 - slip))
    crest = crest * crest * (1.55 - 0.55 * crest)  # hollow flanks, sharp ridges
    tall = rng.uniform(50, 85)
    lift = smoothstep(-0.7, 0.6, fractal(n, 2, 3, 0.5, 0, 0.0, seed + 20))
    height = (tall * crest * (0.35 + 0.75 * lift) + 12 * bend).astype(np.float32)
    height -= height.min()
    tone = fractal(n, 5, 4, 0.5, 0, 0.0, seed + 30)
    sand = np.asarray(((0.44, 0.26, 0.115), (0.48, 0.31, 0.155), (0.43, 0.21, 0.085))[int(rng.integers(3))], np.float32)
    albedo = (sand * (1.0 + 0.10 * tone)[..., None]).astype(np.float32)
    classes = np.full((n, n), SAND, np.uint8)
    if "rocks" in scene.features:
        stone = fractal(n, 6, 6, 0.55, 1, 0.2, seed + 40)
        place = smoothstep(0.10, 0.45, fractal(n, 4, 2, 0.5, 0, 0.0, seed + 41))
        out = np.clip(stone * place * 1.5 - 0.42, 0, None) * 150
        bare = smoothstep(0.5, 5.0, out)
        height = (height + out).astype(np.float32)
        albedo = blend(albedo, np.asarray((0.15, 0.105, 0.085)) * (1.0 + 0.5 * fractal(n, 32, 4, 0.6, 0, 0.0, seed + 42))[..., None], bare)
        classes[bare > 0.5] = ROCK
    height = blur(height, 0.6)
    above = rng.uniform(4, 16)
    across = np.concatenate([rng.uniform(0.15, 0.85, 8), rng.uniform(1.15, 1.85, 8)]) * np.pi
    x, y, yaw = open_view(rng, height, cell, above, 700.0, rng.uniform(0.03, 0.13), across)
    pose = Pose(x, y, above, yaw, rng.uniform(-0.10, 0.0), rng.uniform(130, 240))
    return Surface(cell, height, albedo, classes, pose, detail=0.4, streak=0.2, scale=2400.0)
