"""The open ocean: nothing but waves and sky; swell, whitecaps, and grey mountains of water in a storm."""
import numpy as np

from lanterne.world.surface import ROCK, Pose, Surface


def build(scene, rng):
    n, cell = 64, 60.0
    height = np.full((n, n), -400.0, np.float32)
    albedo = np.full((n, n, 3), 0.05, np.float32)
    stormy = scene.weather == "storm"
    waves = rng.uniform(2.2, 3.0) if stormy else rng.uniform(0.3, 0.55)
    if "swell" in scene.features:
        waves = max(waves, rng.uniform(1.1, 1.5))
    caps = 1.3 if stormy else (0.9 if "whitecaps" in scene.features else 0.0)
    deep = ((0.008, 0.045, 0.085), (0.010, 0.065, 0.085), (0.015, 0.055, 0.065))[int(rng.integers(3))]
    pose = Pose(rng.uniform(0, n * cell), rng.uniform(0, n * cell), rng.uniform(6, 18) + 2.5 * waves, rng.uniform(0, 2 * np.pi),
                rng.uniform(-0.16, -0.03), rng.uniform(110, 200))
    return Surface(cell, height, albedo, np.full((n, n), ROCK, np.uint8), pose, water_level=0.0, water_colour=deep,
                   wave_height=waves, whitecaps=caps, scale=4500.0)
