"""The renderer's kernels: a screen column marches front to back over the height field, is shaded, and is added to the picture.

With a lens that shifts instead of tilting, the rays of one screen column lie in one vertical plane of the world, and a ray higher
on the screen never hits nearer than a lower one: one walk outwards serves all rows of the column, so that a frame costs columns
times steps look-ups instead of pixels times steps.

`render_column` and `develop_pixel` do the work. On a processor `render_pass` and `develop` loop over them; on a GPU those of cuda.py
give each a thread.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lanterne.world.noise import uniform
from lanterne.world.surface import BUILDING, ROCK, SKY, WATER


class Ground(NamedTuple):
    """The scalars of a Surface, as the kernels take them. Metres."""

    cell: float
    top: float
    water_level: float
    water_colour: tuple[float, float, float]
    shallow_colour: tuple[float, float, float]
    wave_height: float
    wave_tile: float
    whitecaps: float
    surf: float
    detail: float
    streak: float
    blocks: bool
    street: bool
    glowing: bool
    plume: tuple[float, float, float, float]
    far: float


class View(NamedTuple):
    """What part of the sky the sky's picture covers: azimuths about `yaw`, `half` radians to each side, and heights (the tangent of
    the elevation) from 0 to `top`."""

    yaw: float
    half: float
    top: float


@njit(cache=True, fastmath=True)
def _bilinear(field, x, y, c):
    """Channel c of a periodic (N, N, C) field at texel coordinates (x, y); N a power of two."""
    mask = field.shape[0] - 1
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx) & mask, int(fy) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    wx, wy = x - fx, y - fy
    return ((field[j, i, c] * (1 - wx) + field[j, i1, c] * wx) * (1 - wy)
            + (field[j1, i, c] * (1 - wx) + field[j1, i1, c] * wx) * wy)


@njit(cache=True, fastmath=True)
def _all_channels(field, x, y):
    """Channels 0..6 of a periodic (N, N, 8) field at texel coordinates (x, y): the weights are worked out once for all."""
    mask = field.shape[0] - 1
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx) & mask, int(fy) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    wx, wy = x - fx, y - fy
    a, b, c, d = (1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy
    p, q, r, s = field[j, i], field[j, i1], field[j1, i], field[j1, i1]
    return (a * p[0] + b * q[0] + c * r[0] + d * s[0], a * p[1] + b * q[1] + c * r[1] + d * s[1],
            a * p[2] + b * q[2] + c * r[2] + d * s[2], a * p[3] + b * q[3] + c * r[3] + d * s[3],
            a * p[4] + b * q[4] + c * r[4] + d * s[4], a * p[5] + b * q[5] + c * r[5] + d * s[5],
            a * p[6] + b * q[6] + c * r[6] + d * s[6])


@njit(cache=True, fastmath=True)
def _height(heights, level, x, y, ground):
    """Ground height in metres at world (x, y), read from one mip level."""
    if ground.blocks:
        field = heights[0]
        mask = field.shape[0] - 1
        return field[int(math.floor(y / ground.cell)) & mask, int(math.floor(x / ground.cell)) & mask]
    field = heights[level]
    s = 1 << level
    u = (x / ground.cell - 0.5 * (s - 1)) / s
    v = (y / ground.cell - 0.5 * (s - 1)) / s
    mask = field.shape[0] - 1
    fx, fy = math.floor(u), math.floor(v)
    i, j = int(fx) & mask, int(fy) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    wx, wy = u - fx, v - fy
    return (field[j, i] * (1 - wx) + field[j, i1] * wx) * (1 - wy) + (field[j1, i] * (1 - wx) + field[j1, i1] * wx) * wy


@njit(cache=True, fastmath=True)
def _ramp(low, high, x):
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, fastmath=True)
def sky_texel(row, column, sky, view, camera, clouds, light, seconds):
    """One texel of the sky's picture (E, A, 4): radiance of air, halo and clouds, and how much of what is behind the clouds shines through.

    clouds: (Z, N, N, 2), how far a place is inside a cloud and the sunlight that reaches it. They are marched front to back.
    """
    e = view.top * row / (sky.shape[0] - 1)
    azimuth = view.yaw + view.half * (1.0 - 2.0 * column / (sky.shape[1] - 1))
    norm = 1.0 / math.sqrt(1.0 + e * e)
    ax, ay = math.cos(azimuth), math.sin(azimuth)
    dx, dy, dz = ax * norm, ay * norm, e * norm
    mu = dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2]
    band = math.exp(-dz * 7.0)
    near_sun = max(mu, 0.0)
    squared = near_sun * near_sun
    halo = 0.55 * squared * squared * squared * band
    if near_sun > 0.8:  # exp(-n (1 - mu)) stands for mu ** n
        halo += 0.30 * math.exp(-40.0 * (1.0 - mu)) + 0.5 * math.exp(-220.0 * (1.0 - mu))
    r = light.zenith[0] * (1 - band) + light.horizon[0] * band + light.glow[0] * halo
    g = light.zenith[1] * (1 - band) + light.horizon[1] * band + light.glow[1] * halo
    b = light.zenith[2] * (1 - band) + light.horizon[2] * band + light.glow[2] * halo
    keep = 1.0
    if light.cloud_alpha > 0.0:
        layers, size = clouds.shape[0], clouds.shape[1]
        mask = size - 1
        scale = light.cloud_scale * size
        low, thick = 1300.0, 1000.0
        first = low / (e + 0.045)  # the layer bends down to the horizon, as the earth's does
        steps = 22
        stride = thick / (e + 0.045) / steps
        opacity = 0.0042 * min(stride, 130.0)
        silver = 1.0 + 1.1 * squared * squared * near_sun
        cr, cg, cb, through = 0.0, 0.0, 0.0, 1.0
        for step in range(steps):
            part = (step + 0.5) / steps
            reach = first + part * thick / (e + 0.045)
            u = (camera.x + ax * reach + light.wind[0] * seconds) * scale
            v = (camera.y + ay * reach + light.wind[1] * seconds) * scale
            fu, fv, fw = math.floor(u), math.floor(v), part * (layers - 1)
            i, j, k = int(fu) & mask, int(fv) & mask, int(fw)
            i1, j1, k1 = (i + 1) & mask, (j + 1) & mask, min(k + 1, layers - 1)
            wu, wv, ww = u - fu, v - fv, fw - k
            inside = (((clouds[k, j, i, 0] * (1 - wu) + clouds[k, j, i1, 0] * wu) * (1 - wv)
                       + (clouds[k, j1, i, 0] * (1 - wu) + clouds[k, j1, i1, 0] * wu) * wv) * (1 - ww)
                      + ((clouds[k1, j, i, 0] * (1 - wu) + clouds[k1, j, i1, 0] * wu) * (1 - wv)
                         + (clouds[k1, j1, i, 0] * (1 - wu) + clouds[k1, j1, i1, 0] * wu) * wv) * ww)
            if light.front > -9.0:  # a front of cloud comes up from one side
                inside += 1.3 * _ramp(0.0, 1.0, light.front - (ax * light.sun[0] + ay * light.sun[1]) * 0.5 - 1500.0 / reach)
            if inside > 0.0:
                lit = (((clouds[k, j, i, 1] * (1 - wu) + clouds[k, j, i1, 1] * wu) * (1 - wv)
                        + (clouds[k, j1, i, 1] * (1 - wu) + clouds[k, j1, i1, 1] * wu) * wv) * (1 - ww)
                       + ((clouds[k1, j, i, 1] * (1 - wu) + clouds[k1, j, i1, 1] * wu) * (1 - wv)
                          + (clouds[k1, j1, i, 1] * (1 - wu) + clouds[k1, j1, i1, 1] * wu) * wv) * ww)
                dense = through * (1.0 - math.exp(-min(inside * 2.5, 1.0) * opacity * 9.0))
                bright = lit * silver
                cr += dense * (light.cloud_dark[0] * (1 - lit) + light.cloud_lit[0] * bright)
                cg += dense * (light.cloud_dark[1] * (1 - lit) + light.cloud_lit[1] * bright)
                cb += dense * (light.cloud_dark[2] * (1 - lit) + light.cloud_lit[2] * bright)
                through -= dense
                if through < 0.02:
                    through = 0.0
                    break
        seen = light.cloud_alpha * _ramp(0.0, 0.10, e)  # the air before the far ones
        keep = 1.0 - seen * (1.0 - through)
        r = r * keep + seen * cr
        g = g * keep + seen * cg
        b = b * keep + seen * cb
    sky[row, column, 0], sky[row, column, 1], sky[row, column, 2], sky[row, column, 3] = r, g, b, keep


@njit(cache=True, fastmath=True)
def render_sky(sky, view, camera, clouds, light, seconds):
    """The sky's picture of a frame (E, A, 4), which its passes look up. View says what it covers."""
    for row in range(sky.shape[0]):
        for column in range(sky.shape[1]):
            sky_texel(row, column, sky, view, camera, clouds, light, seconds)


@njit(cache=True, fastmath=True)
def _sky(across, e, sky, view):
    """(r, g, b, keep) of the sky's picture at its column `across` and the height e."""
    height = min(max(e / view.top, 0.0), 0.9999) * (sky.shape[0] - 1)
    i, j = int(across), int(height)
    wx, wy = across - i, height - j
    a, b, c, d = (1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy
    p, q, r, s = sky[j, i], sky[j, i + 1], sky[j + 1, i], sky[j + 1, i + 1]
    return (a * p[0] + b * q[0] + c * r[0] + d * s[0], a * p[1] + b * q[1] + c * r[1] + d * s[1],
            a * p[2] + b * q[2] + c * r[2] + d * s[2], a * p[3] + b * q[3] + c * r[3] + d * s[3])


@njit(cache=True, fastmath=True)
def _lights_of_the_sky(dx, dy, dz, light):
    """Radiance of sun or moon and stars along a unit direction."""
    r, g, b = 0.0, 0.0, 0.0
    if light.disc > 0.0:
        mu = dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2]
        disc = light.disc * _ramp(0.99935, 0.99975, mu)
        r, g, b = disc * 3.5 * light.sun_colour[0], disc * 3.5 * light.sun_colour[1], disc * 3.5 * light.sun_colour[2]
    if light.stars > 0.0 and dz > 0.0:
        a, e = math.atan2(dy, dx) * 70.0, math.asin(min(dz, 1.0)) * 70.0
        i, j = math.floor(a), math.floor(e)
        if uniform(int(i) + 4096, int(j), 5) < 0.16:
            px = i + 0.2 + 0.6 * uniform(int(i) + 4096, int(j), 6)
            py = j + 0.2 + 0.6 * uniform(int(i) + 4096, int(j), 7)
            size = uniform(int(i) + 4096, int(j), 8)
            d2 = (a - px) * (a - px) + (e - py) * (e - py)
            s = light.stars * 0.55 * size * size * math.exp(-d2 * 40.0) * _ramp(0.02, 0.2, dz)
            r += s
            g += s
            b += s * 1.1
    return r, g, b


@njit(cache=True, fastmath=True)
def _air(r, g, b, distance, z, dx, dy, dz, camera, light):
    """Aerial perspective: extinction and in-scattered sky light between the camera and a point at height z."""
    zc, zp = max(camera.z, 0.0) / light.mist_height, max(z, 0.0) / light.mist_height
    gap = zp - zc
    layer = math.exp(-zc) if abs(gap) < 1e-3 else (math.exp(-zc) - math.exp(-zp)) / gap
    depth = distance * (light.air + light.mist * layer)
    keep = math.exp(-depth)
    near_sun = max(dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2], 0.0)
    squared = near_sun * near_sun
    halo = 0.35 * squared * squared * squared
    blue = math.exp(-1.25 * depth)  # the blue goes first from what shines through, and comes back as haze
    return (r * keep + (1 - keep) * (0.92 * light.horizon[0] + light.glow[0] * halo),
            g * keep + (1 - keep) * (0.94 * light.horizon[1] + light.glow[1] * halo),
            b * blue + (1 - blue) * (1.00 * light.horizon[2] + light.glow[2] * halo))


@njit(cache=True, fastmath=True)
def _land(x, y, t, focal, maps, detail, shadows, ground, light, seconds):
    """Radiance of the open ground at world (x, y), seen from distance t."""
    lod = math.log2(max(0.8 * t / (focal * ground.cell), 1.0))
    level = min(int(lod), len(maps) - 1)
    field = maps[level]
    s = 1 << level
    u = (x / ground.cell - 0.5 * (s - 1)) / s
    v = (y / ground.cell - 0.5 * (s - 1)) / s
    nx, ny, sun, openness, r, g, b = _all_channels(field, u, v)
    footprint = t / focal
    grain = 0.0
    for k in range(2):  # two octaves of close-up texture, each faded out before it would alias
        period = ground.cell * (4.0 if k == 0 else 0.9)
        texel = period / 32.0
        fade = 1.0 - _ramp(0.4 * texel, 1.6 * texel, footprint)
        if fade > 0.0:
            a, b2 = x / texel * ground.streak + 37.0 * k, y / texel
            m = _bilinear(detail, a, b2, 0)
            nx += ground.detail * ground.streak * 0.5 * fade * _bilinear(detail, a, b2, 1)
            ny += ground.detail * 0.5 * fade * _bilinear(detail, a, b2, 2)
            grain += fade * m
    shade = 1.0 + 0.45 * ground.detail * grain
    nz = math.sqrt(max(1.0 - nx * nx - ny * ny, 0.05))
    if light.turn > 0.0:
        sun += light.turn * (_bilinear(field, u, v, 7) - sun)
    facing = max(nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2], 0.0) * sun
    if light.cloud_shadow > 0.0 and light.sun[2] > 0.02:
        size = shadows.shape[0]
        cover = _bilinear(shadows, (x * 1.6 + light.wind[0] * seconds) * light.cloud_scale * size,
                          (y * 1.6 + light.wind[1] * seconds) * light.cloud_scale * size, 0)
        facing *= 1.0 - light.cloud_shadow * cover
    sky = openness * (0.55 + 0.45 * nz)
    bounce = 0.10 * max(light.sun[2], 0.0)
    dry = shade * (1.0 - 0.35 * light.wet)
    r = r * dry * (light.sun_colour[0] * (facing + bounce) + light.ambient[0] * sky)
    g = g * dry * (light.sun_colour[1] * (facing + bounce) + light.ambient[1] * sky)
    b = b * dry * (light.sun_colour[2] * (facing + bounce) + light.ambient[2] * sky)
    if ground.glowing:  # lava: it creeps, dark crusts on it
        heat = _bilinear(field, u, v, 8)
        if heat > 0.01:
            crust = _bilinear(detail, x / 2.6, y / 2.6 + 1.5 * seconds, 0) + _bilinear(detail, x / 0.9, y / 0.9 + 2.0 * seconds, 0)
            heat *= min(max(1.0 - 0.5 * crust, 0.35), 1.6)
            shine = heat / light.exposure
            r, g, b = r + 3.2 * shine, g + 0.75 * shine * heat, b + 0.10 * shine * heat
    return r, g, b


@njit(cache=True, fastmath=True)
def _building(x, y, z, roof, nx, ny, maps, ground, light, t, focal):
    """Radiance of a building's wall (nx, ny the outward normal) or roof (both 0) at (x, y, z), with its windows."""
    field = maps[0]
    mask = field.shape[0] - 1
    i, j = int(math.floor((x - 0.3 * nx) / ground.cell)) & mask, int(math.floor((y - 0.3 * ny) / ground.cell)) & mask
    r, g, b = field[j, i, 4], field[j, i, 5], field[j, i, 6]
    nz = 1.0 if nx == 0.0 and ny == 0.0 else 0.0
    facing = max(nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2], 0.0) * field[j, i, 2]
    sky = 0.62 + 0.3 * nz
    if nz == 0.0:
        sky *= 0.45 + 0.55 * _ramp(0.0, 60.0, z)  # streets are deep
    lr = light.sun_colour[0] * facing + light.ambient[0] * sky
    lg = light.sun_colour[1] * facing + light.ambient[1] * sky
    lb = light.sun_colour[2] * facing + light.ambient[2] * sky
    r, g, b = r * lr, g * lg, b * lb
    if ground.street and nz == 0.0 and z < min(roof - 1.0, 9.0):
        return _shopfront(y if nx != 0.0 else x, z, int(nx + 2.0 * ny) + 4, r, g, b, ground, light)
    if nz == 0.0 and z < roof - 1.0:
        wide, tall = (2.6, 3.4) if ground.street else (4.2, 4.6)
        size = 1.0
        if light.lamps > 0.2:
            while size < 16.0 and 0.7 * wide * size < t / focal:  # far away one window stands for several, so that a skyline twinkles
                size *= 2.0
        along, floor = (y if nx != 0.0 else x) / (wide * size), z / (tall * size)
        cu, cv = math.floor(along), math.floor(floor)
        fu, fv = along - cu, floor - cv
        blurred = 0.0 if light.lamps > 0.2 else _ramp(1.0, 3.4, t / focal)  # by day they melt into their mean
        glass = 1.0 if 0.18 < fu < 0.82 and 0.22 < fv < 0.78 else 0.0
        glass = glass * (1 - blurred) + 0.36 * blurred
        mirror = 0.55 * (1.0 - light.lamps)
        r = r * (1 - 0.6 * glass) + glass * mirror * 0.5 * light.horizon[0]
        g = g * (1 - 0.6 * glass) + glass * mirror * 0.5 * light.horizon[1]
        b = b * (1 - 0.6 * glass) + glass * mirror * 0.55 * light.horizon[2]
        who = uniform(int(cu) + 50000, int(cv) + i * 7 + j * 13, 21)
        lit = (1.0 if who < 0.42 * light.lit else 0.0) * (1 - blurred) + 0.42 * light.lit * blurred
        lamp = light.lamps * lit * glass * (0.30 + 0.5 * uniform(int(cu) + 50000, int(cv) + j, 23))
        warm = uniform(int(cu) + 50000, int(cv) + i, 22) * (1 - blurred) + 0.3 * blurred
        r += lamp * 1.15
        g += lamp * (0.78 + 0.25 * warm)
        b += lamp * (0.40 + 0.6 * warm)
    elif nz == 1.0 and roof < 1.0:  # streets, with their lamps
        r += light.lamps * light.lit * 0.20
        g += light.lamps * light.lit * 0.12
        b += light.lamps * light.lit * 0.05
    return r, g, b


@njit(cache=True, fastmath=True)
def _neon(kind):
    """A saturated colour for a number in [0, 1)."""
    if kind < 0.22:
        return 1.5, 0.12, 0.42
    if kind < 0.40:
        return 0.10, 0.85, 1.5
    if kind < 0.55:
        return 1.6, 0.55, 0.06
    if kind < 0.70:
        return 0.75, 0.15, 1.5
    if kind < 0.85:
        return 0.12, 1.3, 0.45
    return 1.5, 1.1, 0.75


@njit(cache=True, fastmath=True)
def _shopfront(along, z, face, r, g, b, ground, light):
    """Radiance of a street wall's lowest 9 m: shop windows, awnings, signs. r, g, b: of the bare wall; along: metres along it."""
    shop = math.floor(along / 7.0)
    key, inside = int(shop) + 50000, along / 7.0 - shop
    on = light.lamps * (1.0 if uniform(key, face, 61) < light.lit else 0.0)
    night = min(1.3 * on, 1.0)
    if z < 3.3:
        glass = 1.0 if 0.06 < inside < 0.94 and 0.5 < z < 2.9 else 0.0
        shelf = 0.5 + 0.5 * uniform(int(math.floor(along * 1.7)) + 70000, int(math.floor(z * 1.4)), 62)
        warm = uniform(key, face, 63)
        inner = (0.15 + 0.60 * uniform(key, face, 71)) * on * shelf * (0.7 + 0.3 * math.sin(0.9 * z)) + 0.04
        r = r * (1 - 0.7 * glass) + glass * (inner * 1.15 + 0.18 * light.horizon[0] * (1 - night))
        g = g * (1 - 0.7 * glass) + glass * (inner * (0.72 + 0.3 * warm) + 0.18 * light.horizon[1] * (1 - night))
        b = b * (1 - 0.7 * glass) + glass * (inner * (0.35 + 0.75 * warm) + 0.20 * light.horizon[2] * (1 - night))
    elif z < 4.3:
        cr, cg, cb = _neon(uniform(key, face, 64))
        band = 1.0 if 0.08 < inside < 0.92 and 3.45 < z < 4.15 else 0.0
        letters = 0.35 + 0.65 * (1.0 if uniform(int(math.floor(along * 2.6)) + 90000, face, 65) < 0.6 else 0.0)
        day = 0.35 * (light.ambient[0] + 0.4 * light.sun_colour[0])
        shine = band * (letters * 1.5 * on + day * (0.5 + 0.5 * letters))
        r, g, b = r * (1 - 0.8 * band) + shine * cr, g * (1 - 0.8 * band) + shine * cg, b * (1 - 0.8 * band) + shine * cb
    elif uniform(key, face, 66) < 0.55:  # a hanging sign
        at = 0.2 + 0.6 * uniform(key, face, 67)
        width, top = 0.07 + 0.08 * uniform(key, face, 68), 6.2 + 2.6 * uniform(key, face, 69)
        if abs(inside - at) < width and z < top:
            cr, cg, cb = _neon(uniform(key, face, 70))
            bars = 0.45 + 0.55 * (1.0 if math.sin(z * 7.0) > -0.3 else 0.0)
            day = 0.3 * (light.ambient[0] + 0.4 * light.sun_colour[0])
            shine = 1.7 * bars * on + day
            r, g, b = 0.2 * r + shine * cr, 0.2 * g + shine * cg, 0.2 * b + shine * cb
    return r, g, b


@njit(cache=True, fastmath=True)
def _pavement(x, y, t, row, first, rows, mirror, maps, detail, ground, light, focal, seconds):
    """Radiance of a street's asphalt, wet or dry: its own colour under sun, sky and lamps, and what it mirrors, drawn out by its grain."""
    field = maps[0]
    mask = field.shape[0] - 1
    i, j = int(math.floor(x / ground.cell)) & mask, int(math.floor(y / ground.cell)) & mask
    grain = _bilinear(detail, x * 9.0, y * 9.0, 0) * (1.0 - _ramp(0.03, 0.12, t / focal))
    puddle = _ramp(-0.15, 0.35, _bilinear(detail, x * 1.7, y * 1.7, 0))
    wet = light.wet * (0.45 + 0.55 * puddle)
    r, g, b = field[j, i, 4], field[j, i, 5], field[j, i, 6]
    shade = (1.0 + 0.25 * grain) * (1.0 - 0.55 * wet)
    facing = max(light.sun[2], 0.0) * field[j, i, 2]
    px, py = x / 18.0, y / 18.0
    px, py = (px - math.floor(px) - 0.5) * 18.0, (py - math.floor(py) - 0.5) * 18.0
    pool = light.lamps * light.lit * (0.12 + 0.9 * math.exp(-0.03 * (px * px + py * py)))
    sky = 0.6 * field[j, i, 3]
    r = r * shade * (light.sun_colour[0] * facing + light.ambient[0] * sky + 1.5 * pool)
    g = g * shade * (light.sun_colour[1] * facing + light.ambient[1] * sky + 1.05 * pool)
    b = b * shade * (light.sun_colour[2] * facing + light.ambient[2] * sky + 0.6 * pool)
    slant = 1.0 / (1.0 + 0.06 * t)  # towards grazing angles everything shines
    shine = (0.02 + wet * (0.75 - 0.35 * slant)) * (0.8 + 0.2 * grain)
    ripple = 0.05 * wet * light.rain * _bilinear(detail, x * 22.0 + 40.0 * seconds, y * 22.0, 0)
    spread = (1.5 + 5.0 * (1.0 - puddle)) * rows / 144.0
    mr, mg, mb = 0.0, 0.0, 0.0
    for k in range(5):
        at = row + (k - 2.0) * spread + ripple * focal
        m = int(min(max(at, float(first)), rows - 1.0))
        mr += 0.2 * mirror[m, 0]
        mg += 0.2 * mirror[m, 1]
        mb += 0.2 * mirror[m, 2]
    return r * (1 - 0.5 * shine) + mr * shine, g * (1 - 0.5 * shine) + mg * shine, b * (1 - 0.5 * shine) + mb * shine


@njit(cache=True, fastmath=True)
def _plume(dx, dy, dz, limit, r, g, b, camera, detail, ground, light, seconds):
    """(r, g, b) of a ray behind the smoke that stands over a crater, if that is nearer than `limit` metres (horizontally).

    The smoke is a sheet through the crater that faces the camera: it billows, leans with the wind and is lit from the sun's side.
    """
    to_x, to_y = ground.plume[0] - camera.x, ground.plume[1] - camera.y
    away = math.sqrt(to_x * to_x + to_y * to_y) + 1e-6
    to_x, to_y = to_x / away, to_y / away
    flat = dx * to_x + dy * to_y
    if flat < 1e-3 or away > limit:
        return r, g, b
    s = away * (dx * to_y - dy * to_x) / flat
    size = ground.plume[3]
    z = camera.z + away * dz / flat - ground.plume[2]
    if z < -0.05 * size or z > 7.0 * size:
        return r, g, b
    up = max(z / size, 0.0)
    lean = light.wind[0] * to_y - light.wind[1] * to_x
    axis = size * (0.02 * lean * up ** 1.5 + 0.12 * up * math.sin(0.9 * up - 0.35 * seconds))
    width = size * (0.26 + 0.34 * up)
    q = (s - axis) / width
    if abs(q) > 1.6:
        return r, g, b
    # Noise that rises with the smoke, finer octaves faster: it seems to roll.
    scale = 70.0 / size
    a = _bilinear(detail, s * scale, (z - 0.32 * size * seconds) * scale, 0)
    nx = _bilinear(detail, s * scale, (z - 0.32 * size * seconds) * scale, 1)
    c = _bilinear(detail, 2.7 * s * scale + 30.0, 2.7 * (z - 0.40 * size * seconds) * scale, 0)
    nx += 0.6 * _bilinear(detail, 2.7 * s * scale + 30.0, 2.7 * (z - 0.40 * size * seconds) * scale, 1)
    dense = 1.0 - q * q + 0.75 * a + 0.35 * c
    alpha = _ramp(0.05, 0.55, dense) * (1.0 - _ramp(3.0, 6.5, up)) * _ramp(-0.05, 0.05, z / size) * 0.96
    if alpha <= 0.0:
        return r, g, b
    side = light.sun[0] * to_y - light.sun[1] * to_x
    lit = min(max(0.45 + 0.5 * side * (q + 0.35 * nx) + 0.2 * a + 0.25 * light.sun[2], 0.03), 1.1)
    soot = 0.30 + 0.10 * c
    hot = math.exp(-2.2 * up) * (0.6 + 0.4 * a) / light.exposure
    pr = soot * (light.sun_colour[0] * 0.55 * lit + light.ambient[0] * 0.9) + 0.9 * max(hot, 0.0)
    pg = soot * (light.sun_colour[1] * 0.55 * lit + light.ambient[1] * 0.9) + 0.22 * max(hot, 0.0)
    pb = soot * (light.sun_colour[2] * 0.55 * lit + light.ambient[2] * 0.9) + 0.03 * max(hot, 0.0)
    pr, pg, pb = _air(pr, pg, pb, away, max(z + ground.plume[2], 0.0), dx, dy, dz, camera, light)
    return r * (1 - alpha) + pr * alpha, g * (1 - alpha) + pg * alpha, b * (1 - alpha) + pb * alpha


@njit(cache=True, fastmath=True)
def _wall(heights, x, y, z, rx, ry, slope, near, beyond, ground):
    """(distance, side) of the wall that stands between two steps of a ray: 1 to 4 for the walls that face -x, +x, -y and +y."""
    for _ in range(7):
        middle = 0.5 * (near + beyond)
        if _height(heights, 0, x + middle * rx, y + middle * ry, ground) >= z + middle * slope:
            beyond = middle
        else:
            near = middle
    if math.floor((x + near * rx) / ground.cell) != math.floor((x + beyond * rx) / ground.cell):
        return beyond, 1 if rx > 0 else 2
    return beyond, 3 if ry > 0 else 4


@njit(cache=True, fastmath=True)
def _outward(side):
    """The outward normal (x, y) of a wall by its side; (0, 0) of what is no wall."""
    nx = -1.0 if side == 1 else (1.0 if side == 2 else 0.0)
    ny = -1.0 if side == 3 else (1.0 if side == 4 else 0.0)
    return nx, ny


@njit(cache=True, fastmath=True)
def _lookup_level(t, focal, ground, levels):
    return min(int(math.log2(max(1.2 * t / (focal * ground.cell), 1.0))), levels - 1)


@njit(cache=True, fastmath=True)
def render_pass(picture, depth, classes, camera, jitter_x, jitter_y, heights, maps, kinds, detail, shadows, sky, view, waves,
                ground, light, seconds, weight, truth):
    """Adds weight times one jittered rendering to `picture` (H, W, 3) float32; if `truth`, writes depth (m) and classes (H, W).

    heights, maps: mip levels from surface.bake; kinds: (N, N) classes; detail, shadows, waves: periodic textures (height, slopes;
    opacity of the clouds; height, slopes, foam); sky: from render_sky.
    """
    rows, columns = picture.shape[0], picture.shape[1]
    hit, side, mirror = np.empty(rows, np.float64), np.empty(rows, np.int8), np.empty((rows, 4), np.float64)
    for column in range(columns):
        render_column(column, picture, depth, classes, camera, jitter_x, jitter_y, heights, maps, kinds, detail, shadows, sky, view, waves,
                      ground, light, seconds, weight, truth, hit, side, mirror)


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
def render_lamps(picture, lamps, light):
    """Adds the lamps one sees (M, 4: column, row, radius in pixels, brightness) to `picture`."""
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            lamp_pixel(row, column, picture, lamps, light)


@njit(cache=True, fastmath=True)
def develop(picture, frame, light, seconds, flash, scale, srgb):
    """Film: falling rain and snow in front of the scene, exposure, tone curve (Narkowicz 2015's fit of ACES), sRGB.

    picture: (H, W, 3) linear; frame: (H, W, 3) uint8, written; scale: screen height over 144, so that drops keep their size;
    srgb: a table of display values over linear [0, 1].
    """
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            develop_pixel(row, column, picture, frame, light, seconds, flash, scale, srgb)


def to_device(array):
    """Arrays are where these kernels want them; those of cuda.py are not."""
    return array


to_host = to_device


def copy(array):
    return array.copy()


@njit(cache=True, fastmath=True)
def render_column(column, picture, depth, classes, camera, jitter_x, jitter_y, heights, maps, kinds, detail, shadows, sky, view, waves,
                  ground, light, seconds, weight, truth, hit, side, mirror):
    """One column of `render_pass`. hit (H,) float64, side (H,) int8 and mirror (H, 4) float64 are its notepad."""
    rows, columns = picture.shape[0], picture.shape[1]
    focal = 1.225 * math.sqrt(rows * columns)
    fx, fy = math.cos(camera.yaw), math.sin(camera.yaw)
    wave_size = waves.shape[0]
    levels = len(heights)
    mask = kinds.shape[0] - 1
    has_water = ground.water_level > -1e8
    u = (column + jitter_x - 0.5 * columns) / focal
    rx, ry = fx + u * fy, fy - u * fx
    stretch = math.sqrt(1.0 + u * u)
    turned = 0.5 + 0.5 * (view.yaw - camera.yaw + math.atan(u)) / view.half
    across = min(max(turned, 0.0), 0.9999) * (sky.shape[1] - 1)
    row = rows - 1
    t, t_before, h_before = 0.5, 0.25, -1e9
    level, coarser = 0, 2.0 * focal * ground.cell / 1.2
    while row >= 0 and t < ground.far:
        x, y = camera.x + t * rx, camera.y + t * ry
        while t > coarser and level < levels - 1:
            level += 1
            coarser *= 2.0
        h = _height(heights, level, x, y, ground)
        if has_water and h < ground.water_level + ground.wave_height:
            w = ground.water_level
            if ground.wave_height > 0.0:
                calm = 1.0 - _ramp(0.3, 1.2, t / focal / (ground.wave_tile / wave_size))
                shoal = _ramp(0.0, 4.0 * ground.wave_height + 0.5, w - h)
                if calm > 0.0:
                    w += ground.wave_height * calm * shoal * _bilinear(
                        waves, x / ground.wave_tile * wave_size, y / ground.wave_tile * wave_size, 0)
            h = max(h, w)
        while row >= 0:
            v = (0.5 * rows - row - jitter_y) / focal + camera.tilt
            below = h - (camera.z + t * v)
            if below < 0.0:
                break
            side[row] = 0
            above = camera.z + t_before * v - h_before
            if ground.blocks and camera.z + t_before * v < h - 0.05 and h_before > -1e8:
                hit[row], side[row] = _wall(heights, camera.x, camera.y, camera.z, rx, ry, v, t_before, t, ground)
            elif ground.blocks and v < 0.0:
                hit[row] = min(max((h - camera.z) / v, t_before), t)
            else:
                part = above / (above + below) if above > 0.0 else 0.0
                hit[row] = t_before + part * (t - t_before)
            row -= 1
        if row < 0:
            break
        v = (0.5 * rows - row - jitter_y) / focal + camera.tilt
        if v > 0.0 and camera.z + t * v > ground.top:
            break
        if v < 0.0 and camera.z + t * v > ground.top + 4.0:  # far above everything: leap
            t_before, h_before = t, -1e9
            t = max(t + 0.3 * ground.cell, min((ground.top + 2.0 - camera.z) / v, ground.far))
            continue
        t_before, h_before = t, h
        t += max(0.35 * ground.cell, t * 0.006)
    while row >= 0:  # beyond the last step: flat to the horizon, or sky
        v = (0.5 * rows - row - jitter_y) / focal + camera.tilt
        base = ground.water_level if has_water else 0.0
        side[row] = 0
        hit[row] = max((base - camera.z) / v, ground.far) if v < -1e-5 and camera.z > base else -1.0
        row -= 1

    # What the flat water mirrors: the same walk once more from the camera's mirror image below the water. A row takes part once the walk
    # has come to the place where the row's ray leaves the water; what stands before that place is not in it.
    any_water, first, t = False, 0, 1.0
    if has_water:
        for row in range(rows - 1, -1, -1):
            if hit[row] > 0.0 and side[row] == 0:
                t, slope = hit[row], (0.5 * rows - row - jitter_y) / focal + camera.tilt
                if t >= ground.far or camera.z + t * slope < ground.water_level + 1.5 + 2.0 * ground.wave_height:
                    any_water = True
                    break
    if any_water:
        while first < rows and (0.5 * rows - first - jitter_y) / focal + camera.tilt >= -1e-4:
            first += 1
        for row in range(first, rows):
            mirror[row, 3] = -1.0
        taking = rows
        t_before = 0.9 * t
        z_mirror = 2.0 * ground.water_level - camera.z
        while t < 0.4 * ground.far:  # beyond, the air veils what it mirrors
            while taking > first and z_mirror - t * ((0.5 * rows - taking + 1 - jitter_y) / focal + camera.tilt) >= ground.water_level:
                taking -= 1
            x, y = camera.x + t * rx, camera.y + t * ry
            h = _height(heights, _lookup_level(t, focal, ground, levels), x, y, ground)
            if h > ground.water_level and taking < rows:
                shaded = False
                for row in range(taking, rows):
                    slope = -((0.5 * rows - row - jitter_y) / focal + camera.tilt)
                    if z_mirror + t * slope >= h:
                        break
                    if mirror[row, 3] >= 0.0:
                        continue
                    if ground.blocks:
                        at, face = _wall(heights, camera.x, camera.y, z_mirror, rx, ry, slope, t_before, t, ground)
                        nx, ny = _outward(face)
                        r, g, b = _building(camera.x + at * rx, camera.y + at * ry, z_mirror + at * slope, h, nx, ny, maps, ground, light,
                                            at, focal)
                    elif not shaded:
                        r, g, b = _land(x, y, t, focal, maps, detail, shadows, ground, light, seconds)
                        shaded = True
                    norm = 1.0 / math.sqrt(1.0 + u * u + slope * slope)
                    mirror[row, 0], mirror[row, 1], mirror[row, 2] = _air(
                        r, g, b, t * stretch, h, rx * norm, ry * norm, slope * norm, camera, light)
                    mirror[row, 3] = 0.0
            if taking == first and z_mirror - t * ((0.5 * rows - first - jitter_y) / focal + camera.tilt) > ground.top:
                break
            t_before = t
            t += max(0.5 * ground.cell, t * 0.016)
        for row in range(first, rows):
            if mirror[row, 3] < 0.0:
                slope = -((0.5 * rows - row - jitter_y) / focal + camera.tilt)
                r, g, b, keep = _sky(across, slope / stretch, sky, view)
                if light.disc > 0.0:
                    norm = 1.0 / math.sqrt(1.0 + u * u + slope * slope)
                    sr, sg, sb = _lights_of_the_sky(rx * norm, ry * norm, slope * norm, light)
                    r, g, b = r + sr * keep, g + sg * keep, b + sb * keep
                mirror[row, 0], mirror[row, 1], mirror[row, 2], mirror[row, 3] = r, g, b, keep
        for row in range(first):
            mirror[row, 0], mirror[row, 1], mirror[row, 2] = light.horizon
            mirror[row, 3] = 1.0

    for row in range(rows):
        v = (0.5 * rows - row - jitter_y) / focal + camera.tilt
        norm = 1.0 / math.sqrt(1.0 + u * u + v * v)
        dx, dy, dz = rx * norm, ry * norm, v * norm
        t = hit[row]
        if t < 0.0:
            r, g, b, keep = _sky(across, v / stretch, sky, view)
            if light.disc > 0.0 or light.stars > 0.0:
                sr, sg, sb = _lights_of_the_sky(dx, dy, dz, light)
                r, g, b = r + sr * keep, g + sg * keep, b + sb * keep
            if truth:
                depth[row, column], classes[row, column] = np.inf, SKY
        else:
            x, y, z = camera.x + t * rx, camera.y + t * ry, camera.z + t * v
            h = _height(heights, _lookup_level(t, focal, ground, levels), x, y, ground)
            kind = kinds[int(math.floor(y / ground.cell + 0.5)) & mask, int(math.floor(x / ground.cell + 0.5)) & mask]
            bed = ground.water_level - h
            if ground.street and side[row] == 0 and h < 0.5:
                r, g, b = _pavement(x, y, t, row, first, rows, mirror, maps, detail, ground, light, focal, seconds)
            elif has_water and (t >= ground.far or (bed > 0.0 and side[row] == 0)):
                kind = WATER
                r, g, b = _water(x, y, t, bed, dx, dy, dz, row, first, rows, mirror, detail, waves, ground, light, focal, seconds)
            elif ground.blocks:
                nx, ny = _outward(side[row])
                r, g, b = _building(x, y, z, h, nx, ny, maps, ground, light, t, focal)
                kind = BUILDING if side[row] > 0 or h > 1.0 else ROCK
            else:
                r, g, b = _land(x, y, t, focal, maps, detail, shadows, ground, light, seconds)
            r, g, b = _air(r, g, b, t * stretch, z, dx, dy, dz, camera, light)
            if truth:
                depth[row, column], classes[row, column] = t, kind
        if ground.plume[3] > 0.0:
            r, g, b = _plume(dx, dy, dz, t * stretch if t > 0.0 else 1e9, r, g, b, camera, detail, ground, light, seconds)
        picture[row, column, 0] += weight * r
        picture[row, column, 1] += weight * g
        picture[row, column, 2] += weight * b


@njit(cache=True, fastmath=True)
def _water(x, y, t, bed, dx, dy, dz, row, first, rows, mirror, detail, waves, ground, light, focal, seconds):
    """Radiance of water: Fresnel mixture (Schlick) of what it mirrors and its own colour, sun glitter, foam. bed: its depth in metres."""
    footprint = t / focal
    wave_size = waves.shape[0]
    nx, ny, foam = 0.0, 0.0, 0.0
    if ground.wave_height > 0.0:
        fade = 1.0 - _ramp(0.5, 3.0, footprint / (ground.wave_tile / wave_size))
        wx, wy = x / ground.wave_tile * wave_size, y / ground.wave_tile * wave_size
        if fade > 0.0:
            nx -= fade * ground.wave_height * _bilinear(waves, wx, wy, 1)
            ny -= fade * ground.wave_height * _bilinear(waves, wx, wy, 2)
        foam = ground.whitecaps * _bilinear(waves, wx, wy, 3) * (0.35 + 0.65 * fade)
    for k in range(2):
        texel = 0.16 if k == 0 else 0.55
        fade = 1.0 - _ramp(0.5 * texel, 3.0 * texel, footprint)
        if fade > 0.0:
            a, b = x / texel + (3.0 + 2 * k) * seconds, y / texel - 2.2 * seconds
            strength = 0.10 if ground.wave_height > 0.0 else 0.045
            nx += strength * fade * _bilinear(detail, a, b, 1)
            ny += strength * fade * _bilinear(detail, a, b, 2)
    rough = min(0.02 + 0.03 * footprint, 0.12) + 0.05 * min(ground.wave_height, 1.0)
    cosine = max(-(dx * nx + dy * ny + dz), 0.02)
    fresnel = 0.02 + 0.98 * (1.0 - min(cosine, 1.0)) ** 5
    fresnel *= 1.0 - 0.35 * min(ground.wave_height, 1.0)
    # Ripples lift or lower the mirrored ray: read the mirror image some rows away.
    forward = (dx * nx + dy * ny)
    at = row + 0.9 * focal * (0.55 * forward + 0.0)
    at = min(max(at, float(first)), rows - 1.001)
    i = int(at)
    w = at - i
    mr = mirror[i, 0] * (1 - w) + mirror[i + 1, 0] * w
    mg = mirror[i, 1] * (1 - w) + mirror[i + 1, 1] * w
    mb = mirror[i, 2] * (1 - w) + mirror[i + 1, 2] * w
    rough_sea = min(1.1 * ground.wave_height, 0.65)  # waves mirror more of the sky than one place of it
    mr += rough_sea * (0.45 * light.horizon[0] + 0.35 * light.zenith[0] - mr)
    mg += rough_sea * (0.45 * light.horizon[1] + 0.35 * light.zenith[1] - mg)
    mb += rough_sea * (0.45 * light.horizon[2] + 0.35 * light.zenith[2] - mb)
    shallow = math.exp(-max(bed, 0.0) / 3.0) if t < ground.far else 0.0
    sun_up = max(light.sun[2], 0.0)
    lr = light.ambient[0] + light.sun_colour[0] * (0.3 * sun_up + 0.06)
    lg = light.ambient[1] + light.sun_colour[1] * (0.3 * sun_up + 0.06)
    lb = light.ambient[2] + light.sun_colour[2] * (0.3 * sun_up + 0.06)
    cr = (ground.water_colour[0] * (1 - shallow) + ground.shallow_colour[0] * shallow) * lr
    cg = (ground.water_colour[1] * (1 - shallow) + ground.shallow_colour[1] * shallow) * lg
    cb = (ground.water_colour[2] * (1 - shallow) + ground.shallow_colour[2] * shallow) * lb
    r, g, b = cr * (1 - fresnel) + mr * fresnel, cg * (1 - fresnel) + mg * fresnel, cb * (1 - fresnel) + mb * fresnel
    # Glitter: the mirrored ray against the sun, widened by the waves that are too small to see.
    k = 2.0 * (dx * nx + dy * ny + dz)
    sx, sy, sz = dx - k * nx, dy - k * ny, dz - k
    towards = (sx * light.sun[0] + sy * light.sun[1] + abs(sz) * light.sun[2]) / math.sqrt(sx * sx + sy * sy + sz * sz)
    gap = max(1.0 - towards, 0.0) / (rough * rough)
    glitter = min(light.disc + 0.1, 1.0) * 0.16 / (0.05 + rough) * math.exp(-0.55 * gap) * fresnel
    glitter *= mirror[i, 3]  # none where the water mirrors land or a cloud
    r += glitter * light.sun_colour[0]
    g += glitter * light.sun_colour[1]
    b += glitter * light.sun_colour[2]
    if ground.surf > 0.0 and t < ground.far and bed < ground.surf:
        part = max(bed, 0.0) / ground.surf
        wobble = _bilinear(detail, x / 3.0, y / 3.0, 0) * 0.9 + _bilinear(detail, x / 0.8, y / 0.8, 0) * 0.5
        phase = 13.0 * math.sqrt(part) + 1.25 * seconds + wobble
        crest = max(math.sin(phase), 0.0)
        tail = max(math.sin(phase - 0.9), 0.0)
        lace = 0.5 + 0.5 * _bilinear(detail, x / 0.35 + 4.0 * seconds, y / 0.35, 0)
        foam = max(foam, (crest ** 4 + 0.55 * tail ** 2 * lace) * (1.0 - part) ** 0.7)
        foam = max(foam, (1.0 - _ramp(0.0, 0.25 + 0.2 * wobble, bed)) * 0.85)
    if ground.whitecaps > 0.0 and foam > 0.02 and footprint < 1.2:
        torn = _bilinear(detail, x / 0.5 + 1.5 * seconds, y / 0.5, 0) + 0.6 * _bilinear(detail, x / 0.13, y / 0.13 + 3.0 * seconds, 0)
        foam *= 1.0 + (1.0 - _ramp(0.3, 1.2, footprint)) * (0.9 * torn - 0.25)
    foam = min(max(foam, 0.0), 1.0)
    white = 0.82
    r = r * (1 - foam) + foam * white * (light.ambient[0] + light.sun_colour[0] * (0.25 + 0.6 * sun_up))
    g = g * (1 - foam) + foam * white * (light.ambient[1] + light.sun_colour[1] * (0.25 + 0.6 * sun_up))
    b = b * (1 - foam) + foam * white * (light.ambient[2] + light.sun_colour[2] * (0.25 + 0.6 * sun_up))
    return r, g, b


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
