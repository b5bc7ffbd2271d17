"""Draws a subject into a pass: its solid parts, what it whirls up and sends out, its shadow, its light on the ground, its mirror image.

`draw_pixel` does the work; on a processor `draw` loops over it, on a GPU cuda.py does.
"""
import math

from numba import njit

from lanterne.world.sky import through_air
from lanterne.world.surface import SKY, THING, WATER
from lanterne.world.things.shapes import (
    BALLOON,
    BOAT,
    CAMPFIRE,
    CAR,
    LIGHTHOUSE,
    PLANE,
    TRAIN,
    WATERFALL,
    WINDMILL,
    distance,
    fall_edge,
    smooth_noise,
)

_STEPS = 56  # of a ray through a subject's box
_HAZE = 0.45  # the part of the air between camera and subject that veils it: it must be seen in fog too


@njit(cache=True, fastmath=True)
def _slab(ox, oy, oz, dx, dy, dz, low_x, low_y, low_z, high_x, high_y, high_z):
    """Where a ray enters and leaves a box; it misses where the first is not less than the second."""
    dx = dx if abs(dx) > 1e-9 else 1e-9
    dy = dy if abs(dy) > 1e-9 else 1e-9
    dz = dz if abs(dz) > 1e-9 else 1e-9
    a, b = (low_x - ox) / dx, (high_x - ox) / dx
    c, d = (low_y - oy) / dy, (high_y - oy) / dy
    e, f = (low_z - oz) / dz, (high_z - oz) / dz
    return max(max(min(a, b), min(c, d)), max(min(e, f), 0.0)), min(min(max(a, b), max(c, d)), max(e, f))


@njit(cache=True, fastmath=True)
def _local(x, y, z, thing):
    """A world vector in the subject's axes."""
    f = thing.frame
    return f[0] * x + f[1] * y + f[2] * z, f[3] * x + f[4] * y + f[5] * z, f[6] * x + f[7] * y + f[8] * z


@njit(cache=True, fastmath=True)
def _trace(ox, oy, oz, dx, dy, dz, limit, thing):
    """Along a ray in the subject's frame: the distance to its surface (-1: none before limit) and the material there."""
    b = thing.box
    t, beyond = _slab(ox, oy, oz, dx, dy, dz, b[0], b[1], b[2], b[3], b[4], b[5])
    beyond = min(beyond, limit)
    for _ in range(_STEPS):
        if t >= beyond:
            break
        d, kind = distance(ox + t * dx, oy + t * dy, oz + t * dz, thing)
        if d < 0.0007 * t:
            return t, kind
        t += max(d, 0.0005 * t)
    return -1.0, 0


@njit(cache=True, fastmath=True)
def _sunlight(x, y, z, sx, sy, sz, thing, steps):
    """0 to 1: how much of the sun at (sx, sy, sz) reaches a point past the subject."""
    b = thing.box
    t, beyond = _slab(x, y, z, sx, sy, sz, b[0], b[1], b[2], b[3], b[4], b[5])
    if t >= beyond:
        return 1.0
    t = max(t, 0.01 * (b[5] - b[2]))
    visible = 1.0
    for _ in range(steps):
        if t >= beyond or visible < 0.02:
            break
        d, _kind = distance(x + t * sx, y + t * sy, z + t * sz, thing)
        visible = min(visible, 0.5 + 14.0 * d / t)
        t += max(d, 0.012 * (b[5] - b[2]))
    return max(visible, 0.0)


@njit(cache=True, fastmath=True)
def _paint(x, y, z, kind, thing):
    """Colour, glow (both RGB) and gloss of a material at a point of the subject."""
    c, s, lamps = thing.colour, thing.second, thing.lamps
    r, g, b, er, eg, eb, gloss = c[0], c[1], c[2], 0.0, 0.0, 0.0, 0.0
    if kind == 2:
        r, g, b = s
    elif kind == 3:  # glass, lit from within by night
        r, g, b, gloss = 0.03, 0.04, 0.05, 0.6
        er, eg, eb = 1.5 * lamps, 1.05 * lamps, 0.5 * lamps
    elif kind == 4:
        r, g, b = 0.10, 0.075, 0.055
    elif kind == 7:
        r, g, b, er, eg, eb = 0.9, 0.9, 0.8, 6.0 * lamps, 5.2 * lamps, 3.6 * lamps
    elif kind == 8:
        r, g, b, er, eg, eb = 0.6, 0.03, 0.02, 4.0 * lamps, 0.25 * lamps, 0.15 * lamps
    elif kind == 9:
        r, g, b, gloss = 0.06, 0.06, 0.08, 0.5
    if thing.kind == BOAT:
        if kind == 1 and z < 0.12:
            r, g, b = s
        elif kind == 2:
            r, g, b = 0.42, 0.27, 0.13
        elif kind == 3:
            r, g, b, er, eg, eb, gloss = 0.75, 0.74, 0.70, 0.0, 0.0, 0.0, 0.1
            if abs(z - 1.3) < 0.18:
                r, g, b, er, eg, eb = 0.05, 0.06, 0.08, 2.4 * lamps, 1.6 * lamps, 0.7 * lamps
        elif kind == 5 or kind == 6:
            r, g, b = 0.82, 0.80, 0.74
            if kind == 6:
                r, g, b = s
            elif math.floor(z / 2.2) % 2.0 == 0.0:
                r, g, b = 0.78, 0.75, 0.68
            er, eg, eb = 0.10 * r * lamps, 0.085 * g * lamps, 0.06 * b * lamps
    elif thing.kind == CAR:
        gloss = 0.5 if kind == 1 else gloss
        if kind == 3:
            er, eg, eb = 0.0, 0.0, 0.0
        elif kind == 4:
            r, g, b = 0.02, 0.02, 0.022
            if math.sqrt((abs(x) - 1.32) ** 2 + (z - 0.36) ** 2) < 0.2:
                around = math.atan2(z - 0.36, abs(x) - 1.32) + thing.turn
                shine = 0.35 if math.sin(5.0 * around) > 0.0 else 0.08
                r, g, b = shine, shine, shine
    elif thing.kind == TRAIN:
        gloss = 0.35 if kind == 1 else gloss
        if kind == 4:
            r, g, b = 0.03, 0.03, 0.03
        elif kind == 10:
            row = math.floor(z / 1.1)
            joint = (x / 2.4 + 0.5 * (row % 2.0)) % 1.0
            tone = 0.9 + 0.2 * smooth_noise(0.3 * x, 0.3 * y, 0.5 * z)
            tone *= 0.8 if joint < 0.06 or (z / 1.1) % 1.0 < 0.1 else 1.0
            r, g, b = 0.34 * tone, 0.29 * tone, 0.23 * tone
    elif thing.kind == BALLOON:
        if kind == 1:
            gore = math.floor((math.atan2(y, x) / (2.0 * math.pi) + 0.5) * 12.0)
            band = math.floor((z - 4.0) / 3.4)
            if gore % 2.0 == 1.0 or band == 2.0:
                r, g, b = s
            warm = lamps * (0.35 + 0.65 * max(math.sin(2.6 * thing.seconds), 0.0)) * (1.15 - 0.045 * z)
            er, eg, eb = 1.1 * r * warm, 0.75 * g * warm, 0.42 * b * warm
        elif kind == 9:
            r, g, b, gloss = 0.25, 0.12, 0.10, 0.0
        elif kind == 4:
            r, g, b = 0.30, 0.18, 0.08
    elif thing.kind == PLANE:
        gloss = 0.3
        if kind == 3:
            r, g, b = 0.80, 0.81, 0.83
            if (x / 0.95) % 1.0 < 0.55:
                r, g, b = 0.04, 0.05, 0.06
                er, eg, eb = 1.6 * lamps, 1.3 * lamps, 0.8 * lamps
            else:
                er, eg, eb = 0.0, 0.0, 0.0
        elif kind == 5:
            r, g, b = 0.55, 0.57, 0.60
        elif kind == 6:
            r, g, b = s
        elif kind == 1:
            r, g, b = 0.80, 0.81, 0.83
    elif thing.kind == LIGHTHOUSE and kind == 7:
        er, eg, eb = 0.4 + 9.0 * lamps, 0.36 + 8.0 * lamps, 0.25 + 5.0 * lamps
    elif thing.kind == WINDMILL:
        if kind == 5:
            r, g, b = 0.74, 0.68, 0.56
            if x < 3.15:
                r, g, b = 0.5, 0.46, 0.38
        elif kind == 4:
            r, g, b = 0.13, 0.09, 0.06
    elif thing.kind == CAMPFIRE:
        if kind == 1:
            r, g, b = 0.16, 0.15, 0.14
        elif kind == 3:
            r, g, b, gloss, er, eg, eb = 0.30, 0.17, 0.06, 0.0, 1.3 * lamps, 0.7 * lamps, 0.22 * lamps
        elif kind == 4 and math.sqrt(x * x + y * y) < 0.5:
            er, eg, eb = 1.0, 0.22, 0.03
    elif thing.kind == WATERFALL:
        tone = 0.55 + 0.9 * smooth_noise(0.7 * x, 0.7 * y, 1.5 * z)
        if kind == 5:
            lines = smooth_noise(0.9 * y, 0.20 * z + 2.2 * thing.seconds, 0.5)
            fine = smooth_noise(3.1 * y, 0.45 * z + 5.0 * thing.seconds, 9.5)
            white = 0.22 + 0.85 * lines * lines + 0.35 * fine
            white = min(white, 1.0) * (1.0 if z < 27.5 else 0.75)
            r, g, b = 0.88 * white, 0.94 * white, white
        elif kind == 1:
            near = 1.0 - 0.55 * min(max(2.4 - abs(abs(y) - fall_edge(z)), 0.0) / 2.4, 1.0)  # wet beside the fall
            r, g, b = r * tone * near, g * tone * near, b * tone * near
        else:
            r, g, b = r * tone, g * tone, b * tone
    return r, g, b, er, eg, eb, gloss


@njit(cache=True, fastmath=True)
def _glow(ox, oy, oz, dx, dy, dz, x, y, z, width, limit):
    """How much a lamp at (x, y, z) shines into a ray: a halo of that width in metres."""
    t = (x - ox) * dx + (y - oy) * dy + (z - oz) * dz
    if t < 0.0 or t > limit + width:
        return 0.0
    qx, qy, qz = ox + t * dx - x, oy + t * dy - y, oz + t * dz - z
    d2 = (qx * qx + qy * qy + qz * qz) / (width * width)
    return math.exp(-3.0 * math.sqrt(d2 + 0.003)) if d2 < 6.0 else 0.0


@njit(cache=True, fastmath=True)
def _streak(ox, oy, oz, dx, dy, dz, ax, ay, az, bx, by, bz, limit):
    """Of a ray and a line from a along the unit vector b: how far apart they pass, where on the line, and the sine between them.

    The second is negative where the line points away or the ray ends before.
    """
    wx, wy, wz = ox - ax, oy - ay, oz - az
    k = dx * bx + dy * by + dz * bz
    d, e = dx * wx + dy * wy + dz * wz, bx * wx + by * wy + bz * wz
    sine2 = max(1.0 - k * k, 1e-4)
    t, s = (k * e - d) / sine2, (e - k * d) / sine2
    if t < 0.0 or t > limit:
        return 0.0, -1.0, 1.0
    qx, qy, qz = wx + t * dx - s * bx, wy + t * dy - s * by, wz + t * dz - s * bz
    return math.sqrt(qx * qx + qy * qy + qz * qz), s, math.sqrt(sine2)


@njit(cache=True, fastmath=True)
def _puff(x, y, z, thing):
    """Density of what floats around the subject at a point: dust, smoke or mist, per metre."""
    t = thing.seconds
    if thing.kind == CAR:
        behind = -1.8 - x
        wide = 0.5 + 0.20 * behind
        n = smooth_noise(0.9 * x + 5.0 * t, 1.1 * y, 1.2 * z - 0.6 * t)
        fade = max(1.0 - behind / 9.0, 0.0)
        return 1.6 * fade * max(n - 0.32, 0.0) * math.exp(-(y * y) / (wide * wide) - max(z, 0.0) / (0.25 + 0.11 * behind))
    if thing.kind == CAMPFIRE:
        up = z - 1.5
        n = 1.35 * smooth_noise(1.9 * (x - 0.32 * up), 1.9 * y, 1.0 * z - 1.9 * t)
        wide = 0.35 + 0.17 * up
        gap = (x - 0.32 * up - 0.25 * math.sin(0.9 * up - 1.1 * t)) ** 2 + y * y
        return 1.15 * max(n - 0.48, 0.0) * math.exp(-gap / (wide * wide)) * min(max(up, 0.0), 1.0) / (0.6 + 0.35 * up)
    n = 1.4 * smooth_noise(0.42 * x - 0.6 * t, 0.38 * y, 0.38 * z - 0.55 * t)
    return 0.20 * max(n - 0.30, 0.0) * math.exp(-((x - 6.0) ** 2 / 40.0 + y * y / 60.0) - max(z, 0.0) / 4.5)


@njit(cache=True, fastmath=True)
def _flame(ox, oy, oz, dx, dy, dz, limit, thing):
    """Light of the fire along a ray: RGB, and how much it hides."""
    t0, t1 = _slab(ox, oy, oz, dx, dy, dz, -0.95, -0.95, 0.0, 0.95, 0.95, 3.0)
    t1 = min(t1, limit)
    r, g, b, seconds = 0.0, 0.0, 0.0, thing.seconds
    if t0 >= t1:
        return r, g, b, 0.0
    step = (t1 - t0) / 9.0
    for k in range(9):
        t = t0 + (k + 0.5) * step
        x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
        up = z / 2.5
        x += 0.30 * up * math.sin(5.3 * seconds - 2.2 * z) + 0.16 * math.sin(11.0 * seconds - 3.9 * z + 4.0 * y)
        y += 0.26 * up * math.sin(6.1 * seconds - 2.6 * z + 2.0) + 0.12 * math.sin(13.0 * seconds - 4.6 * z + 5.0 * x)
        n = smooth_noise(2.6 * x, 2.6 * y, 1.5 * z - 4.2 * seconds)
        body = 1.0 - math.sqrt(x * x + y * y) / (0.62 * max(1.0 - up, 0.0) + 0.06) - 0.9 * up
        heat = max(body + 1.25 * (n - 0.42), 0.0)
        heat = min(heat, 1.0) * (1.0 if z > 0.12 else 0.3)
        r += heat * step * 6.5
        g += heat * heat * step * 4.4
        b += heat * heat * heat * step * 1.7
    return r, g, b, 1.0 - math.exp(-0.35 * r)


@njit(cache=True, fastmath=True)
def _look(ox, oy, oz, dx, dy, dz, limit, sun_x, sun_y, sun_z, thing, light):
    """What a ray in the subject's frame sees of it up to `limit`: RGB, how much of what is behind it hides, and the distance of its
    surface (-1: none)."""
    r, g, b, hidden = 0.0, 0.0, 0.0, 0.0
    t, kind = _trace(ox, oy, oz, dx, dy, dz, limit, thing)
    if t >= 0.0:
        x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
        e = 0.004 + 0.0012 * t
        nx, ny, nz = 0.0, 0.0, 0.0
        for k in range(4):
            sx, sy, sz = 1.0 if k == 0 or k == 3 else -1.0, 1.0 if k == 1 or k == 3 else -1.0, 1.0 if k == 2 or k == 3 else -1.0
            d, _kind = distance(x + e * sx, y + e * sy, z + e * sz, thing)
            nx, ny, nz = nx + sx * d, ny + sy * d, nz + sz * d
        norm = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-20)
        nx, ny, nz = nx * norm, ny * norm, nz * norm
        cr, cg, cb, er, eg, eb, gloss = _paint(x, y, z, kind, thing)
        facing = nx * sun_x + ny * sun_y + nz * sun_z
        thin = thing.kind == BOAT and (kind == 5 or kind == 6)
        if thin:  # cloth lets the sun through
            facing = 0.35 + 0.65 * abs(facing)
        sun = 0.0
        if facing > 0.0:
            steps = 6 if thing.kind == WATERFALL else 14  # a rock's every step costs more
            off = 3.0 * e
            sun = facing if thin else facing * _sunlight(
                x + off * nx, y + off * ny, z + off * nz, sun_x, sun_y, sun_z, thing, steps)
        sky = 0.62 + 0.38 * nz
        bounce = 0.12 * max(sun_z, 0.0) * (1.0 - 0.5 * nz)
        lr = light.sun_colour[0] * (sun + bounce) + light.ambient[0] * sky
        lg = light.sun_colour[1] * (sun + bounce) + light.ambient[1] * sky
        lb = light.sun_colour[2] * (sun + bounce) + light.ambient[2] * sky
        if thing.kind == CAMPFIRE:
            far = x * x + y * y + (z - 0.7) ** 2
            side = max(0.25 - (nx * x + ny * y + nz * (z - 0.7)) / math.sqrt(far + 0.01), 0.0)
            fire = 3.4 * side / (0.35 + far) * thing.turn
            lr, lg, lb = lr + fire, lg + 0.45 * fire, lb + 0.12 * fire
        r, g, b = cr * lr + er, cg * lg + eg, cb * lb + eb
        if gloss > 0.0:
            k = 2.0 * (dx * nx + dy * ny + dz * nz)
            mx, my, mz = dx - k * nx, dy - k * ny, dz - k * nz
            shine = gloss * (0.06 + 0.5 * (1.0 + 0.5 * min(k, 0.0)) ** 4) * (0.35 + 0.65 * min(max(mz + 0.3, 0.0), 1.0))
            spark = gloss * 1.6 * math.exp(-60.0 * (1.0 - (mx * sun_x + my * sun_y + mz * sun_z))) * min(sun * 3.0, 1.0)
            r = r * (1 - shine) + shine * light.horizon[0] + spark * light.sun_colour[0]
            g = g * (1 - shine) + shine * light.horizon[1] + spark * light.sun_colour[1]
            b = b * (1 - shine) + shine * light.horizon[2] + spark * light.sun_colour[2]
        hidden = 1.0
        limit = t
    if thing.kind == CAMPFIRE:
        fr, fg, fb, covers = _flame(ox, oy, oz, dx, dy, dz, limit, thing)
        halo = 0.5 * _glow(ox, oy, oz, dx, dy, dz, 0.0, 0.0, 0.8, 2.6, limit)
        r, g, b = r * (1 - covers) + fr + halo, g * (1 - covers) + fg + 0.38 * halo, b * (1 - covers) + fb + 0.10 * halo
        hidden = 1.0 - (1.0 - hidden) * (1.0 - covers)
    if thing.ground > 0.0 or thing.kind == CAMPFIRE or thing.kind == WATERFALL:
        if thing.kind == CAR:
            t0, t1 = _slab(ox, oy, oz, dx, dy, dz, -10.8, -2.2, 0.0, -1.8, 2.2, 2.4)
        elif thing.kind == CAMPFIRE:
            t0, t1 = _slab(ox, oy, oz, dx, dy, dz, -1.4, -1.7, 1.5, 4.2, 1.7, 8.5)
        else:
            t0, t1 = _slab(ox, oy, oz, dx, dy, dz, 0.0, -12.0, -3.0, 18.0, 12.0, 14.0)
        t1 = min(t1, limit)
        if t0 < t1:
            step = (t1 - t0) / 5.0
            thick = 0.0
            for k in range(5):
                t_at = t0 + (k + 0.5) * step
                thick += step * _puff(ox + t_at * dx, oy + t_at * dy, oz + t_at * dz, thing)
            veil = 1.0 - math.exp(-thick)
            lit = 0.30 + 0.35 * max(sun_z, 0.0)
            tone, warm = (0.85, 1.0) if thing.kind != CAR else (0.75 * thing.ground, 0.72)
            tone = 0.42 if thing.kind == CAMPFIRE else tone
            r = r * (1 - veil) + veil * tone * (light.ambient[0] + lit * light.sun_colour[0])
            g = g * (1 - veil) + veil * tone * (light.ambient[1] + lit * light.sun_colour[1]) * (0.5 + 0.5 * warm)
            b = b * (1 - veil) + veil * tone * (light.ambient[2] + lit * light.sun_colour[2]) * warm
            hidden = 1.0 - (1.0 - hidden) * (1.0 - veil)
    lamps = thing.lamps
    if thing.kind == LIGHTHOUSE:
        c, s = math.cos(thing.turn), math.sin(thing.turn)
        for _ in range(2):
            c, s = -c, -s
            gap, along, sine = _streak(ox, oy, oz, dx, dy, dz, 0.0, 0.0, 22.9, c, s, -0.03, limit)
            if along > 0.0:
                wide = 0.8 + 0.055 * along
                beam = (0.16 + 0.56 * lamps) * math.exp(-(gap / wide) ** 2) / (0.35 + 0.65 * sine) / (1.0 + 0.016 * along)
                r, g, b = r + 0.60 * beam, g + 0.56 * beam, b + 0.42 * beam
            towards = max(-(c * dx + s * dy), 0.0)
            flash = math.exp(-18.0 * (1.0 - towards)) * (2.2 + 1.5 * lamps)
            halo = _glow(ox, oy, oz, dx, dy, dz, 0.0, 0.0, 22.9, 5.5, limit) * (0.5 * lamps + flash)
            r, g, b = r + halo, g + 0.9 * halo, b + 0.65 * halo
    elif thing.kind == PLANE:
        gap, along, sine = _streak(ox, oy, oz, dx, dy, dz, -13.0, 0.0, -1.5, -1.0, 0.0, 0.0, limit)
        trails = 2 if along > -20.0 and gap < 7.0 + 0.05 * max(along, 0.0) else 0
        for side in range(trails):
            gap, along, sine = _streak(ox, oy, oz, dx, dy, dz, -13.0, 5.8 * (1 - 2 * side), -1.5, -1.0, 0.0, 0.0, limit)
            if 0.0 < along < 130.0:
                wide = 0.5 + 0.022 * along
                trail = 0.75 * math.exp(-(gap / wide) ** 2) * min(along / 12.0, 1.0) * (1.0 - along / 130.0)
                bright = 0.80
                r = r * (1 - trail) + trail * bright * (light.ambient[0] + 0.45 * light.sun_colour[0])
                g = g * (1 - trail) + trail * bright * (light.ambient[1] + 0.45 * light.sun_colour[1])
                b = b * (1 - trail) + trail * bright * (light.ambient[2] + 0.45 * light.sun_colour[2])
                hidden = 1.0 - (1.0 - hidden) * (1.0 - trail)
        if lamps > 0.0:
            blink = 1.0 if (1.4 * thing.seconds) % 1.0 < 0.3 else 0.25
            red = 2.0 * lamps * _glow(ox, oy, oz, dx, dy, dz, -7.5, 17.0, 0.6, 1.9, limit)
            green = 2.0 * lamps * _glow(ox, oy, oz, dx, dy, dz, -7.5, -17.0, 0.6, 1.9, limit)
            white = 3.0 * lamps * blink * _glow(ox, oy, oz, dx, dy, dz, 1.0, 0.0, -2.2, 2.6, limit)
            r, g, b = r + red + white, g + green + white, b + 0.3 * green + white
    elif lamps > 0.0 and thing.kind == CAR:
        for side in range(2):
            y = 0.62 * (1 - 2 * side)
            front, back = 1.8 * lamps * _glow(ox, oy, oz, dx, dy, dz, 2.3, y, 0.74, 0.55, limit), 0.0
            back = 0.9 * lamps * _glow(ox, oy, oz, dx, dy, dz, -2.3, y, 0.80, 0.35, limit)
            r, g, b = r + front + back, g + 0.92 * front + 0.08 * back, b + 0.7 * front + 0.05 * back
    elif lamps > 0.0 and thing.kind == TRAIN:
        halo = 2.0 * lamps * _glow(ox, oy, oz, dx, dy, dz, thing.turn + 0.3, 0.0, 1.5, 3.0, limit)
        r, g, b = r + halo, g + 0.9 * halo, b + 0.65 * halo
    elif thing.kind == BALLOON:
        burn = (0.35 + 1.6 * lamps) * max(math.sin(2.6 * thing.seconds), 0.0) * _glow(ox, oy, oz, dx, dy, dz, 0.0, 0.0, 3.1, 2.2, limit)
        r, g, b = r + 1.5 * burn, g + 0.8 * burn, b + 0.3 * burn
    elif lamps > 0.0 and thing.kind == BOAT:
        halo = 1.6 * lamps * _glow(ox, oy, oz, dx, dy, dz, 0.4, 0.0, 13.5, 0.8, limit)
        warm = 1.2 * lamps * _glow(ox, oy, oz, dx, dy, dz, -1.2, 0.0, 1.3, 1.8, limit)
        r, g, b = r + halo + warm, g + 0.9 * halo + 0.65 * warm, b + 0.8 * halo + 0.28 * warm
    return r, g, b, hidden, t


@njit(cache=True, fastmath=True)
def _may_meet(ox, oy, oz, dx, dy, dz, thing):
    """False for a ray that passes far from the subject and all that floats and shines around it."""
    if thing.kind == PLANE or thing.kind == LIGHTHOUSE or thing.kind == TRAIN:
        return True
    b = thing.box
    wide = 3.6 if thing.kind == CAMPFIRE or thing.kind == CAR else 1.15
    px, py, pz = 0.5 * (b[0] + b[3]) - ox, 0.5 * (b[1] + b[4]) - oy, 0.5 * (b[2] + b[5]) - oz
    hx, hy, hz = 0.5 * (b[3] - b[0]), 0.5 * (b[4] - b[1]), 0.5 * (b[5] - b[2])
    along = px * dx + py * dy + pz * dz
    return px * px + py * py + pz * pz - along * along < wide * wide * (hx * hx + hy * hy + hz * hz)


@njit(cache=True, fastmath=True)
def _foam(x, y, z, thing):
    """0 to 1: the foam of a boat's bow and wake at a point of the water, in its frame."""
    behind = 4.6 - x
    if behind < -0.6 or behind > 34.0:
        return 0.0
    fade = 1.0 - max(behind, 0.0) / 34.0
    if abs(y) > 2.0 + 0.35 * max(behind, 0.0):
        return 0.0
    n = smooth_noise(1.1 * x + 1.6 * thing.seconds, 1.3 * y, 0.7 * thing.seconds)
    arm = abs(abs(y) - (0.5 + 0.23 * behind)) / (0.35 + 0.045 * behind)
    wake = 0.0
    if behind > 9.0:
        wake = math.exp(-(y / (1.0 + 0.05 * behind)) ** 2)
    return min(fade * (math.exp(-arm * arm) + 0.8 * wake) * (0.35 + 1.1 * n), 1.0)


@njit(cache=True, fastmath=True)
def draw_pixel(row, column, picture, before, depth, classes, camera, fx, fy, jitter_x, jitter_y, thing, light, swell, weight):
    """One pixel of `draw`. (fx, fy): cosine and sine of the camera's yaw."""
    rows, columns = picture.shape[0], picture.shape[1]
    focal = 1.225 * math.sqrt(rows * columns)
    u, v = (column + jitter_x - 0.5 * columns) / focal, (0.5 * rows - row - jitter_y) / focal + camera.tilt
    norm = math.sqrt(1.0 + u * u + v * v)
    dx, dy, dz = (fx + u * fy) / norm, (fy - u * fx) / norm, v / norm
    scale = 1.0 / thing.size
    ox, oy, oz = _local((camera.x - thing.x) * scale, (camera.y - thing.y) * scale, (camera.z - thing.z) * scale, thing)
    lx, ly, lz = _local(dx, dy, dz, thing)
    sx, sy, sz = _local(light.sun[0], light.sun[1], light.sun[2], thing)
    distant = depth[row, column] * norm * scale
    kind = classes[row, column]
    b = thing.box
    r0, g0, b0 = (picture[row, column, 0] - before[row, column, 0], picture[row, column, 1] - before[row, column, 1],
                  picture[row, column, 2] - before[row, column, 2])
    back_r, back_g, back_b = r0 / weight, g0 / weight, b0 / weight

    if kind != SKY and distant < 1e5:
        x, y, z = ox + distant * lx, oy + distant * ly, oz + distant * lz
        reach = b[5] - b[2]
        if kind == WATER:
            foam = _foam(x, y, z, thing) if thing.kind == BOAT else 0.0
            if _may_meet(x, y, z, lx, ly, abs(lz), thing):
                fade = max(1.0 - 0.35 * distant * thing.size / focal, 0.0)  # ripples smaller than a pixel are not drawn
                ripple = (0.018 + 0.05 * min(swell, 1.0)) * fade
                wx, wy = x * thing.size, y * thing.size
                tilt_x = ripple * (math.sin(1.9 * wy + 0.7 * wx + 2.1 * thing.seconds)
                                   + math.sin(0.8 * wx - 0.5 * wy + 1.3 * thing.seconds))
                mx, my, mz = lx + tilt_x, ly, abs(lz) + 0.6 * tilt_x
                inv = 1.0 / math.sqrt(mx * mx + my * my + mz * mz)
                mx, my, mz = mx * inv, my * inv, mz * inv
                r, g, b_, hidden, _t = _look(x, y, max(z, 0.02), mx, my, mz, 1e5, sx, sy, sz, thing, light)
                mirror = (0.06 + 0.80 * (1.0 - min(mz, 1.0)) ** 4) * (1.0 - 0.5 * min(swell, 1.0))
                back_r = back_r * (1 - mirror * hidden) + mirror * r
                back_g = back_g * (1 - mirror * hidden) + mirror * g
                back_b = back_b * (1 - mirror * hidden) + mirror * b_
            if foam > 0.0:
                lift = 0.25 + 0.5 * max(light.sun[2], 0.0)
                back_r = back_r * (1 - foam) + foam * 0.82 * (light.ambient[0] + lift * light.sun_colour[0])
                back_g = back_g * (1 - foam) + foam * 0.82 * (light.ambient[1] + lift * light.sun_colour[1])
                back_b = back_b * (1 - foam) + foam * 0.82 * (light.ambient[2] + lift * light.sun_colour[2])
        else:
            strength = (light.sun_colour[0] + light.sun_colour[1] + light.sun_colour[2]) * max(light.sun[2], 0.0)
            share = strength / (strength + light.ambient[0] + light.ambient[1] + light.ambient[2] + 1e-6)
            if share > 0.02 and thing.kind != WATERFALL:  # whose hill has its own
                dark = 1.0 - share * (1.0 - _sunlight(x, y, z, sx, sy, sz, thing, 18))
                back_r, back_g, back_b = back_r * dark, back_g * dark, back_b * dark
            margin = 0.12 * reach
            if (b[0] - margin < x < b[3] + margin and b[1] - margin < y < b[4] + margin and z < b[2] + 0.4 * reach
                    and thing.kind != TRAIN and thing.kind != WATERFALL):
                d, _kind = distance(x, y, z, thing)
                touch = 0.45 + 0.55 * min(max(d, 0.0) / margin, 1.0)
                back_r, back_g, back_b = back_r * touch, back_g * touch, back_b * touch
            lit_r = lit_g = lit_b = 0.0
            if thing.kind == CAMPFIRE:
                far = x * x + y * y + (z - 0.9) ** 2
                fire = 3.0 / (0.8 + far) * thing.turn
                lit_r, lit_g, lit_b = fire, 0.45 * fire, 0.12 * fire
            elif thing.kind == CAR and thing.lamps > 0.0 and 2.2 < x < 30.0:
                wide = 0.9 + 0.30 * (x - 2.2)
                cone = 1.6 * thing.lamps * math.exp(-(y / wide) ** 2) * min((x - 2.2) / 1.5, 1.0) / (1.0 + 0.012 * x * x)
                lit_r, lit_g, lit_b = cone, 0.92 * cone, 0.70 * cone
            if lit_r > 0.002:
                up = max(light.sun[2], 0.15)
                back_r += lit_r * min(back_r / (light.ambient[0] + up * light.sun_colour[0] + 0.02), 0.7)
                back_g += lit_g * min(back_g / (light.ambient[1] + up * light.sun_colour[1] + 0.02), 0.7)
                back_b += lit_b * min(back_b / (light.ambient[2] + up * light.sun_colour[2] + 0.02), 0.7)

    r, g, b_, hidden, t = 0.0, 0.0, 0.0, 0.0, -1.0
    if _may_meet(ox, oy, oz, lx, ly, lz, thing):
        r, g, b_, hidden, t = _look(ox, oy, oz, lx, ly, lz, distant, sx, sy, sz, thing, light)
    if t >= 0.0:
        metres = t * thing.size
        r, g, b_ = through_air(r, g, b_, _HAZE * metres, camera.z + metres * dz, dx, dy, dz, camera, light)
        depth[row, column], classes[row, column] = metres / norm, THING
    back_r, back_g, back_b = back_r * (1 - hidden) + r, back_g * (1 - hidden) + g, back_b * (1 - hidden) + b_
    picture[row, column, 0] = before[row, column, 0] + weight * back_r
    picture[row, column, 1] = before[row, column, 1] + weight * back_g
    picture[row, column, 2] = before[row, column, 2] + weight * back_b


@njit(cache=True, fastmath=True)
def draw(picture, before, depth, classes, camera, jitter_x, jitter_y, thing, light, swell, weight):
    """Draws a subject into the pass that has just been added to `picture` (H, W, 3); `before`: the picture without that pass.

    depth (H, W) metres and classes (H, W) are that pass's own, and get the subject's where it is seen. swell: metres of the waves that
    break its mirror image.
    """
    fx, fy = math.cos(camera.yaw), math.sin(camera.yaw)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            draw_pixel(row, column, picture, before, depth, classes, camera, fx, fy, jitter_x, jitter_y, thing, light, swell, weight)
