"""A street of a city seen from the pavement's height: shop windows, neon signs, lit windows above, asphalt that mirrors them in the rain."""
import numpy as np

from lanterne.world.noise import fractal
from lanterne.world.surface import BUILDING, ROCK, SNOW, Pose, Surface

STONES = ((0.30, 0.27, 0.24), (0.20, 0.13, 0.10), (0.34, 0.30, 0.24), (0.15, 0.16, 0.18), (0.24, 0.20, 0.19), (0.38, 0.35, 0.31))
CARS = ((0.45, 0.03, 0.03), (0.03, 0.05, 0.12), (0.55, 0.55, 0.56), (0.02, 0.02, 0.02), (0.50, 0.38, 0.04))


def build(scene, rng):
    n, cell = 512, 1.0
    block, wide = 128, 20  # metres from one street's middle to the next, and a street's width
    lots = np.random.Generator(np.random.Philox(key=int(rng.integers(1 << 20))))
    height = np.zeros((n, n), np.float32)
    albedo = np.full((n, n, 3), (0.045, 0.046, 0.050), np.float32)
    classes = np.full((n, n), ROCK, np.uint8)
    half = wide // 2
    for top in range(0, n, block):
        for left in range(0, n, block):
            y0, x0, inner = top + half, left + half, block - wide
            for edge in range(4):  # houses side by side along each edge of the block
                at = 0
                while at < inner:
                    front = min(int(lots.integers(12, 26)), inner - at)
                    front = inner - at if inner - at - front < 10 else front
                    deep, storeys = int(lots.integers(16, 26)), int(lots.integers(4, 9)) + int(lots.random() < 0.3) * int(lots.integers(4, 12))
                    a, b = (at, at + front), (0, deep)
                    rows, columns = ((b, a), (a, b), ((inner - deep, inner), a), (a, (inner - deep, inner)))[edge]
                    part = np.s_[y0 + rows[0]:y0 + rows[1], x0 + columns[0]:x0 + columns[1]]
                    height[part] = 5.0 + 3.4 * storeys
                    albedo[part] = np.asarray(STONES[int(lots.integers(len(STONES)))]) * lots.uniform(0.75, 1.2)
                    classes[part] = BUILDING
                    at += front
    # Pavements, the line in the middle, cars along the kerb.
    place = np.minimum(np.arange(n) % block, block - np.arange(n) % block)
    across, along = place[:, None] + 0 * place[None, :], place[None, :] + 0 * place[:, None]
    nearest = np.minimum(across, along)
    kerb = (nearest >= half - 4) & (height == 0)
    albedo[kerb] = (0.12, 0.115, 0.11)
    dashed = (np.arange(n) % 8 < 4)
    albedo[((across == 0) & dashed[None, :] & (along > half)) | ((along == 0) & dashed[:, None] & (across > half))] = (0.45, 0.44, 0.40)
    for middle in range(0, n, block):
        for side in (-1, 1):
            at = half + 3
            while at < n - 5:
                if at % block > half + 2 and at % block < block - half - 6 and lots.random() < 0.55:
                    line = middle + side * (half - 5)
                    for turned in (False, True):
                        lanes, length = np.arange(line - 1, line + 1) % n, np.arange(at, at + 4)
                        part = np.ix_(length, lanes) if turned else np.ix_(lanes, length)
                        height[part] = np.reshape((0.8, 1.4, 1.4, 0.85), (4, 1) if turned else (1, 4))
                        albedo[part] = CARS[int(lots.integers(len(CARS)))]
                at += int(lots.integers(6, 11))
    if scene.weather == "snow":
        drift = fractal(n, 16, 4, 0.6, 0, 0.0, int(rng.integers(1 << 20)))[..., None]
        albedo = np.where((height < 1.5)[..., None], 0.42 + 0.18 * drift, 0.8 * albedo + 0.12).astype(np.float32)
        classes[height < 1.5] = SNOW
    lines = np.arange(14, n, 20)
    lines = lines[(lines % block > half) & (lines % block < block - half)]
    lamps = [(at, middle + side * (half - 4), 6.5) for middle in range(0, n, block) for side in (-1, 1) for at in lines]
    lamps = np.asarray(lamps + [(y, x, z) for x, y, z in lamps], np.float32)
    lamps[:, :2] %= n
    # Along the street; an orbit goes around the middle of a crossing, where there is room for it.
    crossing = block * rng.integers(1, 3, 2).astype(float)
    yaw = float(rng.choice([0.0, 0.5, 1.0, 1.5]) * np.pi)
    distance = 13.0 if scene.camera == "orbit" else 24.0
    back = distance if scene.camera == "orbit" else rng.uniform(0.15, 0.55) * block
    x, y = crossing - back * np.asarray((np.cos(yaw), np.sin(yaw)))
    if scene.camera != "orbit":
        sway = rng.uniform(-2.5, 2.5)
        x, y, yaw = x + sway * np.sin(yaw), y - sway * np.cos(yaw), yaw + rng.uniform(-0.06, 0.06)
    pose = Pose(float(x), float(y), rng.uniform(2.0, 3.6), yaw, rng.uniform(0.05, 0.12), distance)
    return Surface(cell, height, albedo, classes, pose, water_level=0.0, blocks=True, street=True, scale=700.0, lamps=lamps)
