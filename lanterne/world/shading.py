"""What the march of kernels.py hits, in colour: open ground, buildings and their windows, a street, a volcano's plume, water."""

import math

from numba import njit

from lanterne.world.lookups import all_channels, bilinear, ramp
from lanterne.world.noise import uniform
from lanterne.world.sky import through_air


@njit(cache=True, fastmath=True)
def land_radiance(x, y, t, focal, maps, detail, shadows, ground, light, seconds):
    """Radiance of the open ground at world (x, y), seen from distance t."""
    lod = math.log2(max(0.8 * t / (focal * ground.cell), 1.0))
    level = min(int(lod), len(maps) - 1)
    field = maps[level]
    s = 1 << level
    u = (x / ground.cell - 0.5 * (s - 1)) / s
    v = (y / ground.cell - 0.5 * (s - 1)) / s
    nx, ny, sun, openness, r, g, b = all_channels(field, u, v)
    footprint = t / focal
    grain = 0.0
    for k in range(2):  # two octaves of close-up texture, each faded out before it would alias
        period = ground.cell * (4.0 if k == 0 else 0.9)
        texel = period / 32.0
        fade = 1.0 - ramp(0.4 * texel, 1.6 * texel, footprint)
        if fade > 0.0:
            a, b2 = x / texel * ground.streak + 37.0 * k, y / texel
            m = bilinear(detail, a, b2, 0)
            nx += ground.detail * ground.streak * 0.5 * fade * bilinear(detail, a, b2, 1)
            ny += ground.detail * 0.5 * fade * bilinear(detail, a, b2, 2)
            grain += fade * m
    shade = 1.0 + 0.45 * ground.detail * grain
    nz = math.sqrt(max(1.0 - nx * nx - ny * ny, 0.05))
    if light.turn > 0.0:
        sun += light.turn * (bilinear(field, u, v, 7) - sun)
    facing = max(nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2], 0.0) * sun
    if light.cloud_shadow > 0.0 and light.sun[2] > 0.02:
        size = shadows.shape[0]
        cover = bilinear(shadows, (x * 1.6 + light.wind[0] * seconds) * light.cloud_scale * size,
                          (y * 1.6 + light.wind[1] * seconds) * light.cloud_scale * size, 0)
        facing *= 1.0 - light.cloud_shadow * cover
    sky = openness * (0.55 + 0.45 * nz)
    bounce = 0.10 * max(light.sun[2], 0.0)
    dry = shade * (1.0 - 0.35 * light.wet)
    r = r * dry * (light.sun_colour[0] * (facing + bounce) + light.ambient[0] * sky)
    g = g * dry * (light.sun_colour[1] * (facing + bounce) + light.ambient[1] * sky)
    b = b * dry * (light.sun_colour[2] * (facing + bounce) + light.ambient[2] * sky)
    if ground.glowing:  # lava: it creeps, dark crusts on it
        heat = bilinear(field, u, v, 8)
        if heat > 0.01:
            crust = bilinear(detail, x / 2.6, y / 2.6 + 1.5 * seconds, 0) + bilinear(detail, x / 0.9, y / 0.9 + 2.0 * seconds, 0)
            heat *= min(max(1.0 - 0.5 * crust, 0.35), 1.6)
            shine = heat / light.exposure
            r, g, b = r + 3.2 * shine, g + 0.75 * shine * heat, b + 0.10 * shine * heat
    return r, g, b


@njit(cache=True, fastmath=True)
def building_radiance(x, y, z, roof, nx, ny, maps, ground, light, t, focal):
    """Radiance of a building's wall (nx, ny the outward normal) or roof (both 0) at (x, y, z), with its windows."""
    field = maps[0]
    mask = field.shape[0] - 1
    i, j = int(math.floor((x - 0.3 * nx) / ground.cell)) & mask, int(math.floor((y - 0.3 * ny) / ground.cell)) & mask
    r, g, b = field[j, i, 4], field[j, i, 5], field[j, i, 6]
    nz = 1.0 if nx == 0.0 and ny == 0.0 else 0.0
    facing = max(nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2], 0.0) * field[j, i, 2]
    sky = 0.62 + 0.3 * nz
    if nz == 0.0:
        sky *= 0.45 + 0.55 * ramp(0.0, 60.0, z)  # streets are deep
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
        blurred = 0.0 if light.lamps > 0.2 else ramp(1.0, 3.4, t / focal)  # by day they melt into their mean
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
def pavement_radiance(x, y, t, row, first, rows, mirror, maps, detail, ground, light, focal, seconds):
    """Radiance of a street's asphalt, wet or dry: its own colour under sun, sky and lamps, and what it mirrors, drawn out by its grain."""
    field = maps[0]
    mask = field.shape[0] - 1
    i, j = int(math.floor(x / ground.cell)) & mask, int(math.floor(y / ground.cell)) & mask
    grain = bilinear(detail, x * 9.0, y * 9.0, 0) * (1.0 - ramp(0.03, 0.12, t / focal))
    puddle = ramp(-0.15, 0.35, bilinear(detail, x * 1.7, y * 1.7, 0))
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
    ripple = 0.05 * wet * light.rain * bilinear(detail, x * 22.0 + 40.0 * seconds, y * 22.0, 0)
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
def through_plume(dx, dy, dz, limit, r, g, b, camera, detail, ground, light, seconds):
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
    a = bilinear(detail, s * scale, (z - 0.32 * size * seconds) * scale, 0)
    nx = bilinear(detail, s * scale, (z - 0.32 * size * seconds) * scale, 1)
    c = bilinear(detail, 2.7 * s * scale + 30.0, 2.7 * (z - 0.40 * size * seconds) * scale, 0)
    nx += 0.6 * bilinear(detail, 2.7 * s * scale + 30.0, 2.7 * (z - 0.40 * size * seconds) * scale, 1)
    dense = 1.0 - q * q + 0.75 * a + 0.35 * c
    alpha = ramp(0.05, 0.55, dense) * (1.0 - ramp(3.0, 6.5, up)) * ramp(-0.05, 0.05, z / size) * 0.96
    if alpha <= 0.0:
        return r, g, b
    side = light.sun[0] * to_y - light.sun[1] * to_x
    lit = min(max(0.45 + 0.5 * side * (q + 0.35 * nx) + 0.2 * a + 0.25 * light.sun[2], 0.03), 1.1)
    soot = 0.30 + 0.10 * c
    hot = math.exp(-2.2 * up) * (0.6 + 0.4 * a) / light.exposure
    pr = soot * (light.sun_colour[0] * 0.55 * lit + light.ambient[0] * 0.9) + 0.9 * max(hot, 0.0)
    pg = soot * (light.sun_colour[1] * 0.55 * lit + light.ambient[1] * 0.9) + 0.22 * max(hot, 0.0)
    pb = soot * (light.sun_colour[2] * 0.55 * lit + light.ambient[2] * 0.9) + 0.03 * max(hot, 0.0)
    pr, pg, pb = through_air(pr, pg, pb, away, max(z + ground.plume[2], 0.0), dx, dy, dz, camera, light)
    return r * (1 - alpha) + pr * alpha, g * (1 - alpha) + pg * alpha, b * (1 - alpha) + pb * alpha


@njit(cache=True, fastmath=True)
def water_radiance(x, y, t, bed, dx, dy, dz, row, first, rows, mirror, detail, waves, ground, light, focal, seconds):
    """Radiance of water: Fresnel mixture (Schlick) of what it mirrors and its own colour, sun glitter, foam. bed: its depth in metres."""
    footprint = t / focal
    wave_size = waves.shape[0]
    nx, ny, foam = 0.0, 0.0, 0.0
    if ground.wave_height > 0.0:
        fade = 1.0 - ramp(0.5, 3.0, footprint / (ground.wave_tile / wave_size))
        wx, wy = x / ground.wave_tile * wave_size, y / ground.wave_tile * wave_size
        if fade > 0.0:
            nx -= fade * ground.wave_height * bilinear(waves, wx, wy, 1)
            ny -= fade * ground.wave_height * bilinear(waves, wx, wy, 2)
        foam = ground.whitecaps * bilinear(waves, wx, wy, 3) * (0.35 + 0.65 * fade)
    for k in range(2):
        texel = 0.16 if k == 0 else 0.55
        fade = 1.0 - ramp(0.5 * texel, 3.0 * texel, footprint)
        if fade > 0.0:
            a, b = x / texel + (3.0 + 2 * k) * seconds, y / texel - 2.2 * seconds
            strength = 0.10 if ground.wave_height > 0.0 else 0.045
            nx += strength * fade * bilinear(detail, a, b, 1)
            ny += strength * fade * bilinear(detail, a, b, 2)
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
        wobble = bilinear(detail, x / 3.0, y / 3.0, 0) * 0.9 + bilinear(detail, x / 0.8, y / 0.8, 0) * 0.5
        phase = 13.0 * math.sqrt(part) + 1.25 * seconds + wobble
        crest = max(math.sin(phase), 0.0)
        tail = max(math.sin(phase - 0.9), 0.0)
        lace = 0.5 + 0.5 * bilinear(detail, x / 0.35 + 4.0 * seconds, y / 0.35, 0)
        foam = max(foam, (crest ** 4 + 0.55 * tail ** 2 * lace) * (1.0 - part) ** 0.7)
        foam = max(foam, (1.0 - ramp(0.0, 0.25 + 0.2 * wobble, bed)) * 0.85)
    if ground.whitecaps > 0.0 and foam > 0.02 and footprint < 1.2:
        torn = bilinear(detail, x / 0.5 + 1.5 * seconds, y / 0.5, 0) + 0.6 * bilinear(detail, x / 0.13, y / 0.13 + 3.0 * seconds, 0)
        foam *= 1.0 + (1.0 - ramp(0.3, 1.2, footprint)) * (0.9 * torn - 0.25)
    foam = min(max(foam, 0.0), 1.0)
    white = 0.82
    r = r * (1 - foam) + foam * white * (light.ambient[0] + light.sun_colour[0] * (0.25 + 0.6 * sun_up))
    g = g * (1 - foam) + foam * white * (light.ambient[1] + light.sun_colour[1] * (0.25 + 0.6 * sun_up))
    b = b * (1 - foam) + foam * white * (light.ambient[2] + light.sun_colour[2] * (0.25 + 0.6 * sun_up))
    return r, g, b
