"""A canyon: banded red walls in steps, mesas, a green river at the bottom."""
import numpy as np

from lanterne.world.noise import fractal, smoothstep
from lanterne.world.surface import ROCK, SAND, SNOW, Pose, Surface, blend, colour, slope_of


def build(scene, rng):
    n, cell = 512, 5.0
    seed = int(rng.integers(1 << 20))
    course = np.abs(fractal(n, 2, 5, 0.42, 0, 0.3, seed))
    side = fractal(n, 6, 5, 0.5, 0, 0.2, seed + 10)
    depth = rng.uniform(170, 270)
    rise = smoothstep(0.05, 0.42, course + 0.09 * side)
    if "mesas" in scene.features:
        mesa = smoothstep(0.06, 0.14, fractal(n, 4, 4, 0.5, 0, 0.2, seed + 20) + 0.04 * side)
        rise = np.maximum(0.22 * rise, 0.95 * mesa * smoothstep(0.08, 0.25, course))
    steps = 5.0
    stair = rise * steps + 0.25 * side
    floor = np.floor(stair)
    terraced = (floor + smoothstep(0.55, 0.95, stair - floor)) / steps  # cliffs between ledges
    rough = fractal(n, 20, 6, 0.6, 0, 0.0, seed + 30)
    height = (depth * (0.8 * terraced + 0.2 * rise) + 3.5 * rough).astype(np.float32)
    height -= np.quantile(height, 0.02)
    bands = np.sin(height / 5.0 + 1.2 * side) * 0.6 + np.sin(height / 13.0 + 0.6 * side) * 0.6
    albedo = colour(bands, (-1.1, (0.20, 0.075, 0.040)), (-0.2, (0.36, 0.145, 0.070)), (0.5, (0.46, 0.22, 0.115)), (1.1, (0.56, 0.36, 0.22)))
    albedo = (albedo * (1.0 + 0.25 * rough)[..., None]).astype(np.float32)
    steep = slope_of(height, cell)
    flat = smoothstep(0.45, 0.15, steep)
    albedo = blend(albedo, np.asarray((0.38, 0.22, 0.13)) * (1 + 0.2 * rough)[..., None], 0.7 * flat)
    classes = np.where(flat > 0.6, SAND, ROCK).astype(np.uint8)
    scrub = flat * smoothstep(0.15, 0.4, fractal(n, 40, 3, 0.6, 0, 0.0, seed + 40))
    albedo = blend(albedo, (0.10, 0.12, 0.05), 0.75 * scrub)
    if scene.weather == "snow":
        snow = smoothstep(0.8, 0.3, steep)
        albedo = blend(albedo, (0.80, 0.83, 0.88), 0.85 * snow)
        classes[snow > 0.5] = SNOW
    water = float(np.quantile(height, 0.10)) if "river" in scene.features else -1e9
    # In the air over the gorge, looking along it.
    j, i = np.unravel_index(int(np.argmin(course + 0.2 * rng.random((n, n)))), course.shape)
    ring = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    open_way = [height[(j + (np.arange(8, 80) * np.sin(a)).astype(int)) % n, (i + (np.arange(8, 80) * np.cos(a)).astype(int)) % n].mean() for a in ring]
    yaw = float(ring[int(np.argmin(open_way))])
    pose = Pose(i * cell, j * cell, rng.uniform(25, 90), yaw, rng.uniform(-0.10, 0.02), rng.uniform(220, 400))
    return Surface(cell, height, albedo, classes, pose, water_level=water, water_colour=(0.05, 0.075, 0.05), detail=0.4, scale=3200.0)
