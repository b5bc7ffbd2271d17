"""The sky's kernels: air and clouds marched once a frame into a small picture, the sky's lights, and the air before what is far."""

import math

from numba import njit

from lanterne.world.lookups import ramp
from lanterne.world.noise import uniform


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
                inside += 1.3 * ramp(0.0, 1.0, light.front - (ax * light.sun[0] + ay * light.sun[1]) * 0.5 - 1500.0 / reach)
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
        seen = light.cloud_alpha * ramp(0.0, 0.10, e)  # the air before the far ones
        keep = 1.0 - seen * (1.0 - through)
        r = r * keep + seen * cr
        g = g * keep + seen * cg
        b = b * keep + seen * cb
    sky[row, column, 0], sky[row, column, 1], sky[row, column, 2], sky[row, column, 3] = r, g, b, keep


@njit(cache=True, fastmath=True)
def sky_radiance(across, e, sky, view):
    """(r, g, b, keep) of the sky's picture at its column `across` and the height e."""
    height = min(max(e / view.top, 0.0), 0.9999) * (sky.shape[0] - 1)
    i, j = int(across), int(height)
    wx, wy = across - i, height - j
    a, b, c, d = (1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy
    p, q, r, s = sky[j, i], sky[j, i + 1], sky[j + 1, i], sky[j + 1, i + 1]
    return (a * p[0] + b * q[0] + c * r[0] + d * s[0], a * p[1] + b * q[1] + c * r[1] + d * s[1],
            a * p[2] + b * q[2] + c * r[2] + d * s[2], a * p[3] + b * q[3] + c * r[3] + d * s[3])


@njit(cache=True, fastmath=True)
def lights_of_the_sky(dx, dy, dz, light):
    """Radiance of sun or moon and stars along a unit direction."""
    r, g, b = 0.0, 0.0, 0.0
    if light.disc > 0.0:
        mu = dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2]
        disc = light.disc * ramp(0.99935, 0.99975, mu)
        r, g, b = disc * 3.5 * light.sun_colour[0], disc * 3.5 * light.sun_colour[1], disc * 3.5 * light.sun_colour[2]
    if light.stars > 0.0 and dz > 0.0:
        a, e = math.atan2(dy, dx) * 70.0, math.asin(min(dz, 1.0)) * 70.0
        i, j = math.floor(a), math.floor(e)
        if uniform(int(i) + 4096, int(j), 5) < 0.16:
            px = i + 0.2 + 0.6 * uniform(int(i) + 4096, int(j), 6)
            py = j + 0.2 + 0.6 * uniform(int(i) + 4096, int(j), 7)
            size = uniform(int(i) + 4096, int(j), 8)
            d2 = (a - px) * (a - px) + (e - py) * (e - py)
            s = light.stars * 0.55 * size * size * math.exp(-d2 * 40.0) * ramp(0.02, 0.2, dz)
            r += s
            g += s
            b += s * 1.1
    return r, g, b


@njit(cache=True, fastmath=True)
def through_air(r, g, b, distance, z, dx, dy, dz, camera, light):
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
