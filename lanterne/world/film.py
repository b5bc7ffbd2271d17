"""Film's kernels: lamps' halos on the picture, then falling rain and snow, exposure, tone curve and sRGB."""

import math

from numba import njit

from lanterne.world.noise import uniform


@njit(cache=True, fastmath=True)
def lamp_pixel(row, column, picture, lamps, light):
    """Adds to one pixel the lamps (M, 4: column, row, radius, brightness) themselves and their halos, wider in wet air."""
    shine = 0.0
    wide = 5.0 + 5.0 * min(light.rain + light.snowfall + 2.0 * light.wet, 1.0)
    for k in range(lamps.shape[0]):
        dx, dy, size = column + 0.5 - lamps[k, 0], row + 0.5 - lamps[k, 1], lamps[k, 2]
        q = (dx * dx + dy * dy) / (size * size)
        if q < 4.0 * wide * wide:
            shine += lamps[k, 3] * (2.5 * math.exp(-q) + 0.22 * math.exp(-math.sqrt(q) / (0.4 * wide)))
    shine *= light.lamps * light.lit
    picture[row, column, 0] += 1.15 * shine
    picture[row, column, 1] += 0.80 * shine
    picture[row, column, 2] += 0.45 * shine


@njit(cache=True, fastmath=True)
def develop_pixel(row, column, picture, frame, light, seconds, flash, scale, srgb):
    """One pixel of `develop`."""
    rows, columns = picture.shape[0], picture.shape[1]
    veil = 0.33 * (light.horizon[0] + light.horizon[1] + light.horizon[2]) * 0.9 + 0.04
    r, g, b = picture[row, column, 0], picture[row, column, 1], picture[row, column, 2]
    x, y = (column + 0.5) / scale, (row + 0.5) / scale
    drops = 0.0
    if light.rain > 0.0:
        for layer in range(2):
            width, length = (2.3, 26.0) if layer == 0 else (3.6, 44.0)
            lane = math.floor((x + (0.16 + 0.05 * layer) * y) / width)
            along = y / length - (6.0 - layer) * seconds - 9.0 * uniform(int(lane) + 512, layer, 31)
            cell = math.floor(along)
            if uniform(int(lane) + 512, int(cell) & 0xFFFF, 32 + layer) < 0.22 * light.rain:
                inside = along - cell
                across = (x + (0.16 + 0.05 * layer) * y) / width - lane
                drops += (0.15 + 0.08 * layer) * math.sin(math.pi * inside) ** 2 * math.sin(math.pi * across) ** 2
    if light.snowfall > 0.0:
        for layer in range(2):
            size = 13.0 + 12.0 * layer
            u = x / size + 0.35 * math.sin(0.9 * seconds + layer + 0.05 * y) + 0.25 * seconds
            v = y / size - (1.9 - 0.25 * layer) * seconds
            i, j = math.floor(u), math.floor(v)
            if uniform(int(i) + 512, int(j) & 0xFFFF, 41 + layer) < 0.60:
                px = 0.12 + 0.76 * uniform(int(i) + 512, int(j) & 0xFFFF, 44 + layer)
                py = 0.12 + 0.76 * uniform(int(i) + 512, int(j) & 0xFFFF, 47 + layer)
                d2 = ((u - i - px) ** 2 + (v - j - py) ** 2) * size * size / (1.1 + 0.9 * layer) ** 2
                drops += 0.62 * math.exp(-1.4 * d2)
    drops = min(drops, 0.85)
    bright = veil * (1.0 if light.rain > 0.0 else 1.9)
    r, g, b = r + drops * (bright - 0.5 * r), g + drops * (bright - 0.5 * g), b + drops * (1.06 * bright - 0.5 * b)
    dx, dy = (column + 0.5) / columns - 0.5, (row + 0.5) / rows - 0.5
    k = light.exposure * (1.0 - 0.32 * (dx * dx + dy * dy)) * (1.0 + flash)
    r, g, b = r * k * 0.72, g * k * 0.72, b * k * 0.72
    for c in range(3):
        value = r if c == 0 else (g if c == 1 else b)
        value = (value * (2.51 * value + 0.03)) / (value * (2.43 * value + 0.59) + 0.14)
        value = min(max(value, 0.0), 1.0)
        frame[row, column, c] = srgb[int(value * (srgb.shape[0] - 1) + 0.5)]
