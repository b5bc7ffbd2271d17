"""A planet in space: day and night, an atmosphere's rim, drifting clouds, stars; sometimes a ring, a moon, the lights of cities.

Lengths are in radii of the planet, which stands at the origin with its poles up.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lanterne.world.noise import uniform
from lanterne.world.surface import ROCK, SKY, Pose
from lanterne.world.things.shapes import smooth_noise

EARTH, DESERT, GAS, ICE = range(4)
#         low ground, high ground, what is poured or banded between, air, clouds' share
_LOOKS = {
    EARTH: ((0.05, 0.13, 0.035), (0.36, 0.28, 0.17), (0.010, 0.045, 0.14), (0.25, 0.50, 1.0), 0.55),
    DESERT: ((0.34, 0.125, 0.05), (0.50, 0.26, 0.13), (0.13, 0.05, 0.03), (0.95, 0.55, 0.35), 0.12),
    GAS: ((0.40, 0.25, 0.13), (0.56, 0.44, 0.30), (0.22, 0.095, 0.045), (0.85, 0.70, 0.50), 0.0),
    ICE: ((0.20, 0.34, 0.46), (0.50, 0.60, 0.66), (0.05, 0.16, 0.30), (0.50, 0.80, 1.0), 0.22),
}
_MAP = 256  # rows of a planet's map; twice as many columns


class Planet(NamedTuple):
    """A planet at one moment, as the kernels take it."""

    sun: tuple[float, float, float]
    spin: float                          # radians it has turned
    drift: float                         # radians its clouds have turned
    air: tuple[float, float, float]
    ring: tuple[float, float, float, float]  # its plane's unit normal, and its outer radius: 0 without a ring
    ring_colour: tuple[float, float, float]
    moon: tuple[float, float, float, float]  # its middle and radius: 0 without a moon
    seed: int


@njit(cache=True, fastmath=True)
def _fractal(x, y, z, octaves):
    total, size, norm = 0.0, 1.0, 0.0
    for _ in range(octaves):
        total += size * smooth_noise(x, y, z)
        norm += size
        x, y, z, size = 2.03 * x + 17.0, 2.03 * y + 5.0, 2.03 * z + 11.0, 0.53 * size
    return total / norm


@njit(cache=True, fastmath=True)
def _map(look, seed, low, high, poured, share, out):
    """Fills out (N, 2 N, 6): colour, how much it mirrors the sun, clouds, cities, over latitude and longitude."""
    rows, columns = out.shape[0], out.shape[1]
    shift = 37.0 * (seed % 97)
    for j in range(rows):
        latitude = (0.5 - (j + 0.5) / rows) * math.pi
        cz, sz = math.cos(latitude), math.sin(latitude)
        for i in range(columns):
            longitude = 2.0 * math.pi * i / columns
            x, y, z = 3.0 + cz * math.cos(longitude) + shift, 3.0 + cz * math.sin(longitude), 3.0 + sz
            warp = _fractal(2.1 * x, 2.1 * y, 2.1 * z + 9.0, 3) - 0.5
            fine = _fractal(7.0 * x, 7.0 * y, 7.0 * z, 4)
            mirror = city = cloud = 0.0
            if look == GAS:
                band = math.sin(13.0 * sz + 2.4 * warp + 0.9 * math.sin(5.0 * sz)) * 0.5 + 0.5
                swirl = _fractal(3.0 * x + 2.0 * warp, 3.0 * y, 14.0 * z + 3.0 * warp, 4)
                level = min(max(0.65 * band + 0.75 * (swirl - 0.5) + 0.12, 0.0), 1.0)
                storm = math.exp(-(((latitude + 0.38) / 0.13) ** 2) - (((longitude - 3.4) / 0.26) ** 2))
                a, b = (poured, low) if level < 0.5 else (low, high)
                t = 2.0 * level if level < 0.5 else 2.0 * level - 1.0
                for c in range(3):
                    tone = a[c] * (1 - t) + b[c] * t
                    out[j, i, c] = tone * (1 - 0.7 * storm) + storm * 0.7 * (0.55, 0.17, 0.08)[c]
            else:
                height = _fractal(1.55 * x + 0.5 * warp, 1.55 * y + 0.5 * warp, 1.55 * z, 6)
                above = (height - 0.505) * 9.0 if look == EARTH else (height - 0.47) * 7.0
                t = min(max(0.55 * above + 1.2 * (fine - 0.5), 0.0), 1.0)
                wet = min(max(0.5 - 7.0 * above, 0.0), 1.0)
                dry = min(max(1.6 - abs(latitude) * 3.0 + 2.0 * (fine - 0.5), 0.0), 1.0) if look == EARTH else 0.0
                cold = min(max((abs(latitude) - 1.12 + 0.5 * (fine - 0.5)) * 9.0, 0.0), 1.0) if look != ICE else 0.0
                for c in range(3):
                    tone = low[c] * (1 - t) + high[c] * t
                    tone = tone * (1 - 0.55 * dry) + 0.55 * dry * (0.40, 0.29, 0.15)[c]
                    shore = min(max(1.0 + 3.5 * above, 0.0), 1.0) * 0.5
                    deep = poured[c] * (1 - shore) + shore * (0.03, 0.16, 0.20)[c] if look == EARTH else poured[c]
                    tone = tone * (1 - wet) + wet * deep
                    out[j, i, c] = tone * (1 - cold) + cold * 0.80
                mirror = wet * (1 - cold) if look != DESERT else 0.0
                swirl = _fractal(2.4 * x + 1.4 * warp, 2.4 * y - 1.4 * warp, 3.2 * z + warp, 6)
                cloud = min(max((swirl - 0.60 + 0.16 * share) * 7.0, 0.0), 1.0) * min(1.6 * share, 0.95)
                near = max(1.0 - wet - cold, 0.0) * min(max((_fractal(4.0 * x, 4.0 * y, 4.0 * z + 3.0, 3) - 0.42) * 6.0, 0.0), 1.0)
                spot = smooth_noise(44.0 * x, 44.0 * y, 44.0 * z)
                city = near * (max(spot - 0.56, 0.0) * 7.0 + 0.05)
            out[j, i, 3], out[j, i, 4], out[j, i, 5] = mirror, cloud, city


@njit(cache=True, fastmath=True)
def _lookup(field, latitude, longitude, c):
    """Channel c of a map at a place, blended."""
    rows, columns = field.shape[0], field.shape[1]
    v = min(max((0.5 - latitude / math.pi) * rows - 0.5, 0.0), rows - 1.001)
    u = longitude / (2.0 * math.pi) * columns
    j, fu = int(v), math.floor(u)
    i = int(fu) % columns
    k, wv, wu = (i + 1) % columns, v - j, u - fu
    return ((field[j, i, c] * (1 - wu) + field[j, k, c] * wu) * (1 - wv) + (field[j + 1, i, c] * (1 - wu) + field[j + 1, k, c] * wu) * wv)


@njit(cache=True, fastmath=True)
def _ball(ox, oy, oz, dx, dy, dz, x, y, z, radius):
    """Distance along a ray to a ball, -1 where it misses, and how near its middle the ray passes."""
    px, py, pz = ox - x, oy - y, oz - z
    b = px * dx + py * dy + pz * dz
    gap = math.sqrt(max(px * px + py * py + pz * pz - b * b, 0.0))
    if gap >= radius or b >= 0.0:
        return -1.0, gap if b < 0.0 else 1e9
    return -b - math.sqrt(radius * radius - gap * gap), gap


@njit(cache=True, fastmath=True)
def _stars(dx, dy, dz, seed):
    """Radiance of the stars, and a faint band of them, along a direction."""
    band = math.exp(-((dz - 0.45 * dx + 0.2 * dy) / 0.28) ** 2)
    mist = band * smooth_noise(3.0 * dx + 9.0, 3.0 * dy + 9.0, 3.0 * dz + 9.0 + seed % 31) * 0.055
    total = 0.0
    e = math.asin(min(max(dz, -1.0), 1.0)) * 64.0
    j = math.floor(e)
    ring = max(math.floor(math.cos((j + 0.5) / 64.0) * 402.0), 8.0)  # as many cells around as there is room for
    a = (math.atan2(dy, dx) / (2.0 * math.pi) + 0.5) * ring
    i = math.floor(a)
    number = (seed & 1023) * 7
    if uniform(int(i) + number, int(j) + 512, 5) < 0.10 + 0.14 * band:
        px, py = i + 0.2 + 0.6 * uniform(int(i) + number, int(j) + 512, 6), j + 0.2 + 0.6 * uniform(int(i) + number, int(j) + 512, 7)
        size = uniform(int(i) + number, int(j) + 512, 8)
        total = (0.12 + 1.5 * size * size * size * size) * math.exp(-((a - px) ** 2 + (e - py) ** 2) * 38.0)
    warm = 0.75 + 0.5 * uniform(int(i) + number, int(j) + 512, 9)
    return total * warm + 1.05 * mist, total + 0.85 * mist, total * (1.75 - warm) + 1.15 * mist


@njit(cache=True, fastmath=True)
def _ramp(low, high, x):
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, fastmath=True)
def _ring(x, y, z, planet):
    """How opaque the ring is at a point of its plane, and its tone."""
    r = math.sqrt(x * x + y * y + z * z)
    outer = planet.ring[3]
    inside = (r - 1.35) / (outer - 1.35)
    if inside <= 0.0 or inside >= 1.0:
        return 0.0, 0.0
    bands = smooth_noise(46.0 * r, 3.5, 0.5 + planet.seed % 7) * 0.55 + smooth_noise(13.0 * r, 8.5, 1.5) * 0.6
    gap = 1.0 - 0.85 * math.exp(-(((inside - 0.64) / 0.035) ** 2))
    return min((0.35 + 0.8 * bands) * gap * _ramp(0.0, 0.06, inside) * _ramp(1.0, 0.95, inside), 0.95), 0.6 + 0.6 * bands


@njit(cache=True, fastmath=True)
def render_pixel(row, column, picture, depth, classes, camera, jitter_x, jitter_y, planet, field, seconds, weight, truth):
    """One pixel of `render_pass`."""
    rows, columns = picture.shape[0], picture.shape[1]
    focal = 1.225 * math.sqrt(rows * columns)
    u, v = (column + jitter_x - 0.5 * columns) / focal, (0.5 * rows - row - jitter_y) / focal + camera.tilt
    norm = math.sqrt(1.0 + u * u + v * v)
    fx, fy = math.cos(camera.yaw), math.sin(camera.yaw)
    dx, dy, dz = (fx + u * fy) / norm, (fy - u * fx) / norm, v / norm
    ox, oy, oz = camera.x, camera.y, camera.z
    sx, sy, sz = planet.sun
    t, gap = _ball(ox, oy, oz, dx, dy, dz, 0.0, 0.0, 0.0, 1.0)
    far, kind = math.inf, SKY
    if t > 0.0:
        far, kind = t, ROCK
        x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
        latitude, longitude = math.asin(min(max(z, -1.0), 1.0)), math.atan2(y, x) + 4.0 * math.pi
        day = x * sx + y * sy + z * sz
        lit = _ramp(-0.06, 0.30, day) * max(day + 0.06, 0.0)
        turned = longitude - planet.spin
        r, g, b = _lookup(field, latitude, turned, 0), _lookup(field, latitude, turned, 1), _lookup(field, latitude, turned, 2)
        mirror = _lookup(field, latitude, turned, 3)
        shadow = 1.0
        if planet.ring[3] > 0.0:  # the ring's shadow
            toward = sx * planet.ring[0] + sy * planet.ring[1] + sz * planet.ring[2]
            reach = -(x * planet.ring[0] + y * planet.ring[1] + z * planet.ring[2]) / (toward if abs(toward) > 1e-3 else 1e-3)
            if reach > 0.0:
                opaque, _tone = _ring(x + reach * sx, y + reach * sy, z + reach * sz, planet)
                shadow = 1.0 - 0.75 * opaque
        above = _lookup(field, latitude, longitude - planet.drift + 0.03, 4)
        cloud = _lookup(field, latitude, longitude - planet.drift, 4)
        sun = 2.6 * lit * shadow
        half = max(-(dx * x + dy * y + dz * z), 0.0)
        k = 2.0 * -half
        glint = (dx - k * x) * sx + (dy - k * y) * sy + (dz - k * z) * sz
        shine = mirror * (1 - cloud) * 1.3 * math.exp(-16.0 * (1.0 - glint)) * min(4.0 * lit, 1.0)
        ground = sun * (1.0 - 0.45 * above) + 0.008
        r, g, b = r * ground + shine, g * ground + 0.92 * shine, b * ground + 0.75 * shine
        white = cloud * (0.98 * sun + 0.006)
        r, g, b = r * (1 - cloud) + 0.88 * white, g * (1 - cloud) + 0.90 * white, b * (1 - cloud) + 0.93 * white
        night = _ramp(0.06, -0.12, day) * (1 - 0.6 * cloud) * _lookup(field, latitude, turned, 5)
        r, g, b = r + 1.6 * night, g + 1.0 * night, b + 0.42 * night
        rim = (1.0 - half) ** 3
        glow = rim * _ramp(-0.18, 0.45, day) * 1.5
        r = r * (1 - 0.5 * rim) + glow * planet.air[0]
        g = g * (1 - 0.5 * rim) + glow * planet.air[1]
        b = b * (1 - 0.5 * rim) + glow * planet.air[2]
    else:
        r, g, b = _stars(dx, dy, dz, planet.seed)
        if gap < 1.35:  # the air beside the disc, lit where the limb is
            along = -(ox * dx + oy * dy + oz * dz)
            px, py, pz = ox + along * dx, oy + along * dy, oz + along * dz
            day = (px * sx + py * sy + pz * sz) / gap
            glow = 1.25 * math.exp(-(gap - 1.0) / 0.028) * _ramp(-0.25, 0.5, day)
            veil = 0.22 * math.exp(-(gap - 1.0) / 0.11) * _ramp(-0.2, 0.6, day)
            r, g, b = (r + (glow + veil) * planet.air[0], g + (glow + veil) * planet.air[1], b + (glow + veil) * planet.air[2])
    if planet.moon[3] > 0.0:
        mx, my, mz, radius = planet.moon
        t, gap = _ball(ox, oy, oz, dx, dy, dz, mx, my, mz, radius)
        if 0.0 < t < far:
            far, kind = t, ROCK
            x, y, z = (ox + t * dx - mx) / radius, (oy + t * dy - my) / radius, (oz + t * dz - mz) / radius
            rough = _fractal(3.0 * x + 8.0, 3.0 * y + 8.0, 3.0 * z + 8.0, 3)
            crater = smooth_noise(5.5 * x + 4.0, 5.5 * y + 4.0, 5.5 * z + 4.0)
            day = x * sx + y * sy + z * sz + 0.5 * (crater - 0.5)
            tone = (0.20 + 0.42 * rough) * (2.7 * max(day, 0.0) + 0.012)
            r, g, b = tone, 0.97 * tone, 0.92 * tone
    if planet.ring[3] > 0.0:
        nx, ny, nz, _outer = planet.ring
        slant = dx * nx + dy * ny + dz * nz
        t = -(ox * nx + oy * ny + oz * nz) / (slant if abs(slant) > 1e-4 else 1e-4)
        if 0.0 < t < far:
            x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
            opaque, tone = _ring(x, y, z, planet)
            if opaque > 0.0:
                hit, _gap = _ball(x, y, z, sx, sy, sz, 0.0, 0.0, 0.0, 1.0)
                bright = 1.25 * tone * (0.03 if hit > 0.0 else 1.0)
                if opaque > 0.4:
                    far, kind = t, ROCK
                r = r * (1 - opaque) + opaque * bright * planet.ring_colour[0]
                g = g * (1 - opaque) + opaque * bright * planet.ring_colour[1]
                b = b * (1 - opaque) + opaque * bright * planet.ring_colour[2]
    if truth:
        depth[row, column], classes[row, column] = far / norm, kind
    picture[row, column, 0] += weight * r
    picture[row, column, 1] += weight * g
    picture[row, column, 2] += weight * b


@njit(cache=True, fastmath=True)
def render_pass(picture, depth, classes, camera, jitter_x, jitter_y, planet, field, seconds, weight, truth):
    """Adds weight times one jittered rendering to `picture` (H, W, 3) float32; if `truth`, writes depth and classes (H, W)."""
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            render_pixel(row, column, picture, depth, classes, camera, jitter_x, jitter_y, planet, field, seconds, weight, truth)


def build(scene, rng):
    """(pose, at): `at(seconds)` gives the Planet and its map (N, 2 N, 6) float32."""
    seed = int(rng.integers(1 << 20))
    cities, ringed = "city_lights" in scene.features, "ring" in scene.features
    look = EARTH if cities else int(rng.choice((GAS, GAS, DESERT, ICE))) if ringed else int(rng.choice((EARTH, EARTH, DESERT, GAS, ICE)))
    low, high, poured, air, share = _LOOKS[look]
    field = np.empty((_MAP, 2 * _MAP, 6), np.float32)
    _map(look, seed, low, high, poured, share, field)
    away = (4.6 if ringed else 3.3) * rng.uniform(0.95, 1.15) * {"push_in": 1.3, "pull_back": 0.80}.get(scene.camera, 1.0)
    side, lift = float(rng.choice((-1.0, 1.0))), rng.uniform(-0.25, 0.45)
    yaw = rng.uniform(-0.10, 0.10)
    pose = Pose(-away * math.cos(yaw), -away * math.sin(yaw), lift, yaw, -lift / away, away)
    # Seen from the camera: morning or evening on one side; where cities shine, more night than day.
    from_view = side * (rng.uniform(1.75, 2.05) if cities else rng.uniform(0.75, 1.45))
    height = rng.uniform(-0.15, 0.45)
    sun_at = math.pi + yaw + from_view
    sun = (math.cos(height) * math.cos(sun_at), math.cos(height) * math.sin(sun_at), math.sin(height))
    tilt, lean = rng.uniform(0.20, 0.42), side * rng.uniform(-0.35, 0.35)
    normal = (-math.sin(tilt), math.cos(tilt) * math.sin(lean), math.cos(tilt) * math.cos(lean))
    ring = (*normal, rng.uniform(2.0, 2.3) if ringed else 0.0)
    ring_colour = (0.78, 0.66, 0.50) if look in (GAS, DESERT) else (0.62, 0.68, 0.74)
    spin, clouds, start = rng.uniform(0.0, 6.28), rng.uniform(0.0, 6.28), side * rng.uniform(1.8, 2.0)
    if cities:  # turned so that the most of them lie in the night that is seen
        crowd = np.tile(field[..., 5].sum(0), 3)
        reach = _MAP // 3
        seen = np.convolve(crowd, np.ones(2 * reach), "same")[2 * _MAP:4 * _MAP]
        spin = math.pi + yaw - side * 0.5 - math.pi * float(seen.argmax()) / _MAP
    else:
        field[..., 5] = 0.0
    moon_size, orbit, moon_lift = rng.uniform(0.24, 0.34), (2.6 if ringed else 1.8), rng.uniform(0.1, 0.5)
    number = seed & 0xFFFF

    def at(seconds):
        around = math.pi + yaw + start + 0.06 * seconds * side
        moon = (orbit * math.cos(around), orbit * math.sin(around), moon_lift, moon_size if "moon" in scene.features else 0.0)
        return Planet(sun, spin + 0.055 * seconds, clouds + 0.085 * seconds, air, ring, ring_colour, moon, number), field

    return pose, at
