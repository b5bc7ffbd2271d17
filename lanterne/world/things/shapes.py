"""The subjects' shapes: signed distances (metres) and materials in a subject's own frame, x forward, y to its left, z up.

Sphere tracing after Hart (*Sphere tracing*, 1996): a ray may always go on by the distance to the nearest surface.
"""
import math
from typing import NamedTuple

from numba import njit

from lanterne.world.noise import uniform

BOAT, CAR, TRAIN, BALLOON, PLANE, LIGHTHOUSE, WINDMILL, CAMPFIRE, WATERFALL, BIRDS = range(10)


class Thing(NamedTuple):
    """A subject at one moment, as the kernels take it. Metres, radians, seconds; the colours are its body's and its second one."""

    kind: int
    x: float
    y: float
    z: float
    frame: tuple[float, float, float, float, float, float, float, float, float]  # its axes, x then y then z, in the world
    size: float                          # metres of the world per metre of the shape
    turn: float                          # of sails, wheels, a beam; metres a train has gone on its track; brightness of a fire
    seconds: float
    box: tuple[float, float, float, float, float, float]  # low and high corner around its solid parts, in the shape's metres
    colour: tuple[float, float, float]
    second: tuple[float, float, float]
    lamps: float                         # how strongly its lights shine, 0 to 1
    ground: float                        # brightness of the ground that dust takes its colour from; 0 where nothing is whirled up


@njit(cache=True, fastmath=True)
def _box(x, y, z, a, b, c):
    """Distance to a box of half sides a, b, c around the origin."""
    qx, qy, qz = abs(x) - a, abs(y) - b, abs(z) - c
    inside = min(max(qx, max(qy, qz)), 0.0)
    qx, qy, qz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
    return math.sqrt(qx * qx + qy * qy + qz * qz) + inside


@njit(cache=True, fastmath=True)
def _rod(x, y, z, ax, ay, az, bx, by, bz, radius):
    """Distance to a round rod from a to b."""
    px, py, pz, dx, dy, dz = x - ax, y - ay, z - az, bx - ax, by - ay, bz - az
    h = min(max((px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz), 0.0), 1.0)
    px, py, pz = px - h * dx, py - h * dy, pz - h * dz
    return math.sqrt(px * px + py * py + pz * pz) - radius


@njit(cache=True, fastmath=True)
def _edge(px, pz, ax, az, bx, bz):
    """Distance to the line from a to b in a plane, negative on its left."""
    dx, dz = bx - ax, bz - az
    return ((px - ax) * dz - (pz - az) * dx) / math.sqrt(dx * dx + dz * dz)


@njit(cache=True, fastmath=True)
def _sail(x, y, z, ax, az, bx, bz, cx, cz, billow):
    """A thin triangle a, b, c (counter-clockwise) in the xz plane, filled by the wind to one side."""
    flat = max(_edge(x, z, ax, az, bx, bz), max(_edge(x, z, bx, bz, cx, cz), _edge(x, z, cx, cz, ax, az)))
    bulge = billow * min(-flat, 1.2) if flat < 0.0 else 0.0
    return max(flat, abs(y - bulge) - 0.07) * 0.8


@njit(cache=True, fastmath=True)
def _boat(x, y, z):
    along = (x + 0.3) / 5.6
    beam = 1.55 * (1.0 - along * along * (0.55 + 0.45 * along)) * (0.72 + 0.28 * min(max(z + 0.4, 0.0), 1.0))
    rail = 0.85 + 0.5 * along * along * (1.0 if along > 0.0 else 0.2)
    hull = max(max(abs(y) - beam, abs(z - 0.5 * (rail - 0.8)) - 0.5 * (rail + 0.8)), abs(x + 0.1) - 5.3) * 0.75
    best, kind = hull, 1 if z < rail - 0.22 else 2
    cabin = _box(x + 1.2, y, z - 1.2, 1.5, 0.75, 0.45) - 0.1
    if cabin < best:
        best, kind = cabin, 3
    mast = min(_rod(x, y, z, 0.4, 0.0, 0.5, 0.4, 0.0, 13.4, 0.10), _rod(x, y, z, 0.4, 0.0, 1.9, -4.9, -0.3, 1.9, 0.09))
    if mast < best:
        best, kind = mast, 4
    main = _sail(x, y, z, -4.9, 2.1, 0.25, 2.1, 0.25, 13.0, 0.55)
    if main < best:
        best, kind = main, 5
    jib = _sail(x, y, z, 0.75, 2.0, 5.0, 1.2, 0.55, 11.6, 0.5)
    if jib < best:
        best, kind = jib, 6
    return best, kind


@njit(cache=True, fastmath=True)
def _car(x, y, z):
    body = _box(x, y, z - 0.68, 2.05, 0.72, 0.20) - 0.18
    roof = 1.45 - 0.9 * max(abs(x + 0.25) - 0.75, 0.0)
    cabin = max(_box(x + 0.25, y, z - 1.1, 1.45, 0.66, 0.40) - 0.08, (z - roof) * 0.74)
    best, kind = body, 1
    if cabin < best:
        best, kind = cabin, 3 if z < 1.38 and z > 0.98 else 1
    wheel = math.sqrt((abs(x) - 1.32) ** 2 + (z - 0.36) ** 2) - 0.36
    wheel = max(wheel, abs(abs(y) - 0.82) - 0.14)
    if wheel < best:
        best, kind = wheel, 4
    lamp = math.sqrt((x - 2.2) ** 2 + (abs(y) - 0.62) ** 2 + (z - 0.74) ** 2) - 0.17
    if lamp < best:
        best, kind = lamp, 7
    tail = math.sqrt((x + 2.2) ** 2 + (abs(y) - 0.62) ** 2 + (z - 0.80) ** 2) - 0.16
    if tail < best:
        best, kind = tail, 8
    return best, kind


COACH, COACHES = 17.0, 5  # metres from coach to coach; how many, with the engine in front


@njit(cache=True, fastmath=True)
def _train(x, y, z, gone):
    """A train on a viaduct; z 0 is the deck. x runs along the track, on which the engine's nose has come to `gone`."""
    best, kind = _box(x, y, z + 0.6, 1e4, 2.6, 0.5), 10
    parapet = _box(x, abs(y) - 2.6, z + 0.1, 1e4, 0.2, 0.30)
    if parapet < best:
        best = parapet
    span = 15.0
    px = x - span * math.floor(x / span + 0.5)
    arch = 5.6 - math.sqrt(px * px + max(z + 8.2, 0.0) ** 2)  # an opening with a round top
    wall = max(max(abs(y) - 2.1, z + 0.9), arch) * 0.9
    if wall < best:
        best = wall
    behind = gone - x  # from the nose backwards
    index = min(max(math.floor(behind / COACH), 0.0), COACHES - 1.0)
    at = behind - (index + 0.5) * COACH
    if index == 0.0:
        nose = max(behind, 0.0)
        height = min(1.0, 0.55 + 0.16 * nose)
        coach = (_box(at, y, z - 0.55 - 1.75 * height, 8.0, 1.15, 1.75 * height) - 0.2) * 0.85
    else:
        coach = _box(at, y, z - 2.3, 7.9, 1.15, 1.65) - 0.2
    if coach < best:
        best, kind = coach, 1
        if index > 0.0 and 2.35 < z < 3.45 and abs(at) < 7.2 and abs(y) > 1.2:
            window = at / 1.8 - math.floor(at / 1.8)
            kind = 3 if 0.15 < window < 0.85 else 1
        elif z < 1.35 or (1.6 < z < 1.95):
            kind = 2
        elif index == 0.0 and nose < 3.4 and z > 2.2:
            kind = 9
    lamp = math.sqrt((behind + 0.1) ** 2 + (abs(y) - 0.8) ** 2 + (z - 1.5) ** 2) - 0.3
    if lamp < best:
        best, kind = lamp, 7
    under = _box(at, y, z - 0.4, 6.5, 1.0, 0.4)
    if under < best:
        best, kind = under, 4
    return best, kind


@njit(cache=True, fastmath=True)
def _balloon(x, y, z):
    r = math.sqrt(x * x + y * y)
    up = z - 13.0
    wide = 8.2 if up > 0.0 else 8.2 + 0.0 * up
    envelope = (math.sqrt(r * r + (up * (1.0 if up > 0.0 else 0.80)) ** 2) - wide) * 0.85
    skirt = max(r - (1.3 + max(z - 3.2, 0.0) * 0.93), max(3.2 - z, z - 9.0)) * 0.7
    envelope = min(envelope, skirt)
    best, kind = envelope, 1
    if envelope == skirt and z < 4.2:
        kind = 2
    basket = _box(x, y, z - 0.8, 0.85, 0.85, 0.75) - 0.08
    if basket < best:
        best, kind = basket, 4
    ropes = _rod(abs(x), abs(y), z, 0.8, 0.8, 1.5, 0.95, 0.95, 3.6, 0.05)
    if ropes < best:
        best, kind = ropes, 4
    people = _rod(abs(x - 0.1), y, z, 0.35, 0.0, 1.4, 0.35, 0.0, 2.15, 0.22)
    if people < best:
        best, kind = people, 9
    return best, kind


@njit(cache=True, fastmath=True)
def _plane(x, y, z):
    along = min(max(x, -14.0), 12.0)
    radius = 1.9 * (1.0 - 0.55 * min(max((-6.0 - x) / 11.0, 0.0), 1.0))
    nose = 1.0 if x < 12.0 else 0.0
    hull = math.sqrt((x - along) ** 2 * (0.35 + 0.65 * nose) + y * y + (z - 0.04 * max(-6.0 - x, 0.0)) ** 2) - radius
    hull *= 0.85
    best, kind = hull, 1
    if abs(z - 0.5) < 0.28 and -11.0 < x < 11.5:
        kind = 3
    elif z < -0.55:
        kind = 2
    side = abs(y)
    sweep = x - 2.0 + 0.55 * side
    wing = max(max(abs(sweep) - (3.0 - 0.115 * side), side - 17.0), abs(z + 0.9 - 0.09 * side) - (0.34 - 0.012 * side)) * 0.8
    if wing < best:
        best, kind = wing, 5
    back = x + 14.2 + 0.6 * side
    plane = max(max(abs(back) - (1.7 - 0.12 * side), side - 6.2), abs(z - 0.9) - 0.16) * 0.8
    if plane < best:
        best, kind = plane, 5
    rise = z - 1.0
    fin = max(max(abs(x + 13.3 + 0.65 * rise) - (2.3 - 0.2 * rise), abs(y) - 0.22), max(z - 7.2, -rise)) * 0.8
    if fin < best:
        best, kind = fin, 6
    engine = _rod(x, side, z, 2.4, 6.0, -1.75, -0.6, 6.0, -1.75, 0.95)
    if engine < best:
        best, kind = engine, 2
    return best, kind


@njit(cache=True, fastmath=True)
def _lighthouse(x, y, z):
    r = math.sqrt(x * x + y * y)
    tower = max(r - (3.0 - 0.065 * z), max(z - 21.0, -4.0 - z))
    best, kind = tower * 0.97, 1 if math.floor(z / 4.2) % 2.0 == 0.0 else 2
    gallery = max(r - 2.75, abs(z - 21.2) - 0.35)
    if gallery < best:
        best, kind = gallery, 4
    lantern = max(r - 1.35, abs(z - 22.9) - 1.4)
    if lantern < best:
        best, kind = lantern, 7
    dome = max(r - 1.75 + 0.72 * max(z - 24.2, 0.0), max(24.1 - z, z - 26.4)) * 0.8
    if dome < best:
        best, kind = dome, 2
    house = _box(x - 1.0, y + 6.6, z - 1.4, 3.4, 2.6, 2.6)
    if house < best:
        best, kind = house, 3 if abs(z - 2.0) < 0.7 and abs(abs(x - 1.0) - 1.5) < 0.55 else 1
    roof = max(abs(y + 6.6) * 0.70 + (z - 6.1) * 0.70, max(4.0 - z, abs(x - 1.0) - 3.7))
    if roof < best:
        best, kind = roof, 2
    return best, kind


@njit(cache=True, fastmath=True)
def _windmill(x, y, z, turn):
    """Its sails face along x."""
    r = math.sqrt(x * x + y * y)
    tower = max(r - (4.1 - 0.15 * z), max(z - 14.0, -4.0 - z)) * 0.97
    best, kind = tower, 1
    if r > 0.1 and x > 0.6 and z < 2.6 and abs(y) < 0.9:
        kind = 4
    elif x > 0.5 and abs(z - 8.2) < 0.8 and abs(y) < 0.55:
        kind = 3
    cap = math.sqrt(r * r + (1.15 * max(z - 14.0, 0.0)) ** 2) - 2.35
    cap = max(cap, 13.8 - z)
    if cap < best:
        best, kind = cap, 2
    axle = _rod(x, y, z, 0.0, 0.0, 14.8, 3.6, 0.0, 14.8, 0.35)
    if axle < best:
        best, kind = axle, 4
    c, s = math.cos(turn), math.sin(turn)
    a, b = c * y + s * (z - 14.8), c * (z - 14.8) - s * y
    if abs(b) > abs(a):  # four sails: turn the nearest one on to the first axis
        a, b = b, -a
    if a < 0.0:
        a, b = -a, -b
    spar = _box(x - 3.3, a - 5.4, b, 0.12, 5.4, 0.20)
    if spar < best:
        best, kind = spar, 4
    cloth = _box(x - 3.2 - 0.12 * b, a - 6.4, b - 0.95, 0.06, 4.2, 1.05) * 0.95
    if cloth < best:
        best, kind = cloth, 5
    return best, kind


@njit(cache=True, fastmath=True)
def _campfire(x, y, z):
    r, around = math.sqrt(x * x + y * y), math.atan2(y, x)
    part = 2.0 * math.pi / 9.0
    k = math.floor(around / part + 0.5)
    bend = around - k * part
    size = 0.13 + 0.05 * uniform(int(k) + 16, 3, 7)
    stone = math.sqrt((r * math.cos(bend) - 0.72) ** 2 + (r * math.sin(bend)) ** 2 + (z - 0.06) ** 2) - size
    best, kind = stone, 1
    part = 2.0 * math.pi / 5.0
    bend = around - part * math.floor(around / part + 0.5)
    log = _rod(r * math.cos(bend), r * math.sin(bend), z, 0.62, 0.05, 0.0, 0.04, 0.0, 0.72, 0.085)
    if log < best:
        best, kind = log, 4
    seat = _rod(x, y, z, -1.5, 1.6, 0.16, 0.5, 2.1, 0.16, 0.22)
    if seat < best:
        best, kind = seat, 4
    u, v = x + 0.9, y + 2.6  # a tent, open to the front
    tent = max(max(0.80 * abs(v) + 0.60 * z - 1.02, abs(u) - 1.3), -z - 0.2)
    if tent < best:
        best, kind = tent, 3 if u > 1.25 and 0.80 * abs(v) + 0.60 * z < 0.80 else 2
    return best, kind


@njit(cache=True, fastmath=True)
def smooth_noise(x, y, z):
    """A smooth number in [0, 1] for a point: lattice values, blended."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i, j, k = int(fx) & 1023, int(fy) & 1023, int(fz) & 1023
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v), w * w * (3.0 - 2.0 * w)
    low = ((uniform(i, j, k) * (1 - u) + uniform(i + 1, j, k) * u) * (1 - v)
           + (uniform(i, j + 1, k) * (1 - u) + uniform(i + 1, j + 1, k) * u) * v)
    high = ((uniform(i, j, k + 1) * (1 - u) + uniform(i + 1, j, k + 1) * u) * (1 - v)
            + (uniform(i, j + 1, k + 1) * (1 - u) + uniform(i + 1, j + 1, k + 1) * u) * v)
    return low * (1 - w) + high * w


@njit(cache=True, fastmath=True)
def fall_edge(z):
    """Half the width of the waterfall at height z."""
    return 3.6 + 1.4 * (1.0 - min(z, 30.0) / 30.0) + 0.5 * math.sin(0.5 * z)


@njit(cache=True, fastmath=True)
def _waterfall(x, y, z):
    """A rock face towards x with a notch from which the water falls."""
    wide = 40.0 + 3.0 * math.sin(0.21 * z)
    plain = max(max(x + 0.16 * z + 0.004 * y * y + 3.0, abs(y) - wide), z - 34.0)
    if plain > 7.5:  # farther than the roughness reaches
        return (plain - 6.2) * 0.62, 1
    rough = 4.2 * smooth_noise(0.14 * x + 7.0, 0.16 * y, 0.10 * z)
    face = x + 0.16 * z + 0.004 * y * y - rough + 3.0
    if face < 3.0:  # near enough for the finer roughness to be felt
        finer = 1.9 * smooth_noise(0.5 * x, 0.42 * y, 0.22 * z)
        rough, face = rough + finer, face - finer
    top = 31.0 - 0.005 * y * y + 2.4 * math.sin(0.31 * y + 1.0) - (2.6 if abs(y) < 5.0 else 0.0)
    rock = max(max(face, abs(y) - wide + rough), z - top - 0.4 * rough) * 0.70
    best, kind = rock, 1
    if z > top - 1.2:
        kind = 2
    sheet = x + 0.16 * z - 1.9 - 0.0024 * (30.0 - z) * (30.0 - z)
    edge = abs(y + 0.6 * math.sin(0.3 * z)) - fall_edge(z)
    water = max(max(abs(sheet) - 0.8, edge), z - 29.6) * 0.62
    if water < best:
        best, kind = water, 5
    return best, kind


@njit(cache=True, fastmath=True)
def distance(x, y, z, thing):
    """Metres of the shape from (x, y, z) to its surface, and the material there."""
    if thing.kind == BOAT:
        return _boat(x, y, z)
    if thing.kind == CAR:
        return _car(x, y, z)
    if thing.kind == TRAIN:
        return _train(x, y, z, thing.turn)
    if thing.kind == BALLOON:
        return _balloon(x, y, z)
    if thing.kind == PLANE:
        return _plane(x, y, z)
    if thing.kind == LIGHTHOUSE:
        return _lighthouse(x, y, z)
    if thing.kind == WINDMILL:
        return _windmill(x, y, z, thing.turn)
    if thing.kind == CAMPFIRE:
        return _campfire(x, y, z)
    return _waterfall(x, y, z)
