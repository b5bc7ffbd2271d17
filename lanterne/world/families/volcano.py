"""A volcano: a dark cone with a glowing crater, streams of lava down its gullies, smoke that drifts off with the wind."""
import numpy as np

from lanterne.world.noise import crowns, fractal, smoothstep
from lanterne.world.surface import GRASS, ROCK, SNOW, Pose, Surface, blend, slope_of


def build(scene, rng):
    n, cell = 512, 9.0
    seed = int(rng.integers(1 << 20))
    v, u = ((np.mgrid[0:n, 0:n] + 0.5) / n - 0.5) * n * cell
    wobble = fractal(n, 6, 5, 0.5, 0, 0.0, seed)
    far, angle = np.hypot(u, v) * (1.0 + 0.07 * wobble), np.arctan2(v, u)
    tall, wide, mouth = rng.uniform(620, 780), rng.uniform(800, 950), rng.uniform(95, 130)
    gullies = fractal(n, 12, 6, 0.55, 1, 0.15, seed + 10)
    cone = tall * np.exp(-far / (0.62 * wide)) * 1.22
    flank = smoothstep(2.4 * wide, 0.3 * wide, far)
    height = cone + flank * 75.0 * (gullies - 0.5) * smoothstep(0, 2.2 * mouth, far) + 26.0 * wobble
    lip = 1.22 * tall * np.exp(-mouth / (0.62 * wide))
    height = np.where(far < mouth, lip - 0.75 * (mouth - far) + 10 * wobble, height)
    height = np.where(far < 0.45 * mouth, np.minimum(height, lip - 0.38 * mouth), height)
    rough = fractal(n, 28, 6, 0.6, 0, 0.0, seed + 20)
    ash = np.asarray((0.052, 0.046, 0.045), np.float32) * (1.0 + 0.5 * rough + 0.5 * (gullies - 0.5))[..., None]
    rust = smoothstep(0.15, 0.6, fractal(n, 5, 4, 0.5, 0, 0.0, seed + 30))
    albedo = blend(ash.astype(np.float32), (0.115, 0.055, 0.038), 0.6 * rust * flank)
    classes = np.full((n, n), ROCK, np.uint8)
    low = smoothstep(0.34, 0.20, cone / tall + 0.08 * rough)
    albedo = blend(albedo, np.asarray((0.085, 0.105, 0.040)) * (1 + 0.4 * rough)[..., None], 0.85 * low)
    tops, _ = crowns(n, 2.6, 1.6, 0.9, seed + 40)
    wood = low * smoothstep(-0.1, 0.2, fractal(n, 9, 4, 0.55, 0, 0.0, seed + 50)) * (tops > 0.05)
    albedo = blend(albedo, (0.030, 0.055, 0.022), wood)
    height = height + 12.0 * tops * wood
    classes[low > 0.5] = GRASS
    yaw = rng.uniform(0, 2 * np.pi)
    heat = 1.25 * smoothstep(0.55 * mouth, 0.35 * mouth, far)
    if "lava" in scene.features or rng.random() < 0.5:
        for _ in range(int(rng.integers(2, 5))):  # streams on the side that the camera sees
            start = yaw + np.pi + rng.uniform(-0.9, 0.9)
            bend = start + 0.16 * np.sin(far / 110.0 + rng.uniform(0, 6)) + 0.35 * wobble + rng.uniform(-0.25, 0.25) * far / wide
            across = np.abs((angle - bend + np.pi) % (2 * np.pi) - np.pi) * far
            length = rng.uniform(0.9, 1.7) * wide
            stream = smoothstep(16.0 + 0.018 * far, 5.0, across) * smoothstep(0.8 * mouth, mouth, far) * smoothstep(length, 0.8 * length, far)
            stream = stream * (np.abs(angle - bend) % (2 * np.pi) < 3.0)
            heat = np.maximum(heat, stream * (1.15 - 0.5 * far / length))
            height = height - 4.0 * stream
    height = height.astype(np.float32)
    if scene.weather == "snow":
        snow = smoothstep(1.15, 0.75, slope_of(height, cell)) * (1 - smoothstep(0.05, 0.2, heat))
        albedo = blend(albedo, (0.78, 0.81, 0.86), 0.88 * snow)
        classes[snow > 0.5] = SNOW
    albedo = blend(albedo, (0.03, 0.012, 0.008), smoothstep(0.05, 0.3, heat))
    away = rng.uniform(2000, 2300)
    middle = 0.5 * n * cell
    pose = Pose(middle - away * np.cos(yaw), middle - away * np.sin(yaw), rng.uniform(20, 80), yaw, rng.uniform(0.11, 0.15), 0.72 * away)
    smoke = rng.uniform(1.1, 1.5) if "smoke" in scene.features else rng.uniform(0.6, 0.85)
    return Surface(cell, height, albedo, classes, pose, detail=0.5, scale=5000.0, heat=heat.astype(np.float32),
                   plume=(float(middle), float(middle), float(lip - 30.0), float(2.0 * mouth * smoke)))
