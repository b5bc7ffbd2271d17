"""Where a scene's subject stands or goes, and how camera and ground make room for it."""
import math
from dataclasses import dataclass, replace

import numpy as np

from lanterne.world.camera import highest_ground, motion_of
from lanterne.world.noise import blur, smoothstep
from lanterne.world.surface import GRASS, ROCK, SAND, SNOW, TREE, Pose, Surface, blend
from lanterne.world.things import kinds, shapes
from lanterne.world.things.shapes import Thing

_STREAM = 0x7419  # keeps this use of a seed apart from the others
_MIDDLE = 1.7  # seconds after which what passes is in the middle of the picture: as camera.py's pans


@dataclass(frozen=True)
class Plan:
    """How a subject stands or moves through a shot. Metres, radians; (x, y, z) is where it is _MIDDLE seconds into the shot.

    speed is along `course`; a flying subject has no place of its own but flies along before the camera: `away` metres from it, `drift`
    radians a second across the picture, `slope` up from the horizon.
    """

    kind: int
    pose: Pose
    x: float
    y: float
    z: float
    heading: float
    course: float
    speed: float
    size: float
    away: float
    drift: float
    slope: float
    swell: float
    colours: tuple
    dust: float
    phase: float
    count: int


def _periodic(n, cell, x, y):
    """Metres from (x, y) along x and along y for each cell of an n x n map that tiles."""
    at = np.arange(n) * cell
    width = n * cell
    return (at - x + width / 2)[None, :] % width - width / 2, (at - y + width / 2)[:, None] % width - width / 2


def _height_at(surface, x, y):
    n = surface.height.shape[0]
    i, j = np.floor(np.asarray(x) / surface.cell + 0.5).astype(int) % n, np.floor(np.asarray(y) / surface.cell + 0.5).astype(int) % n
    return surface.height[j, i]


def _level(surface, x, y, level, radius, edge, bumps=0.0, paint=True, reach=1.3):
    """The surface with a level place around (x, y): flat up to `radius` metres, the old ground beyond `edge` more.

    bumps: the share of small unevenness, such as crowns, that stays. paint: trees and what was under water become open ground.
    reach: cells that the radius covers at least; a camera stands on the highest of those up to two cells away.
    """
    radius, edge = max(radius, reach * surface.cell), max(edge, 1.6 * surface.cell)
    dx, dy = _periodic(surface.height.shape[0], surface.cell, x, y)
    inside = smoothstep(radius + edge, radius, np.hypot(dx, dy)).astype(np.float32)
    rough = bumps * np.clip(surface.height - blur(surface.height, 3.0), 0.0, 30.0) if bumps else 0.0
    height = (surface.height + (level + rough - surface.height) * inside).astype(np.float32)
    if not paint:
        return replace(surface, height=height)
    open_ground = np.isin(surface.classes, (GRASS, SAND, SNOW, ROCK)) & (surface.height > surface.water_level)
    counts = np.bincount(surface.classes[open_ground], minlength=9)
    kind = int(counts.argmax()) if counts.any() else ROCK
    colour = surface.albedo[open_ground & (surface.classes == kind)].mean(0) if counts.any() else np.asarray((0.17, 0.15, 0.12))
    bare = ((surface.classes == TREE) | (surface.height <= surface.water_level + 0.5)) * smoothstep(0.3, 0.7, inside)
    classes = np.where(bare > 0.5, kind, surface.classes).astype(np.uint8)
    return replace(surface, height=height, albedo=blend(surface.albedo, colour, bare), classes=classes)


def _spot(scene, surface, kind, pose, away, rng):
    """A pose and the place `away` metres before it, among some near the family's own pose: where the subject is best seen."""
    best, chosen = math.inf, None
    span = surface.cell * surface.height.shape[0]
    steps = np.linspace(0.0, 1.0, 12)
    for trial in range(48):
        turn = 0.0 if trial == 0 else rng.uniform(-0.5, 0.5) if trial < 24 else rng.uniform(-math.pi, math.pi)
        stride = 0.0 if trial < 8 else 0.5 * pose.distance
        x, y = pose.x + rng.uniform(-stride, stride), pose.y + rng.uniform(-stride, stride)
        yaw = pose.yaw + turn
        cos, sin = math.cos(yaw), math.sin(yaw)
        along = _height_at(surface, x + away * steps * cos, y + away * steps * sin)
        reach = np.linspace(-0.5, 0.5, 9) * away
        across = _height_at(surface, x + away * cos - reach * sin, y + away * sin + reach * cos)
        beyond = np.linspace(5.0, 45.0, 16) * surface.cell  # what makes the family's look must not be hidden by a hill close behind
        hill = (_height_at(surface, x + beyond * cos, y + beyond * sin) - along[-1]) / beyond
        cost = 0.004 * trial + 4.0 * max(float(hill.max()) - 0.24, 0.0)
        if kind == shapes.BOAT:
            shallow = surface.water_level - 1.5
            cost += np.clip(np.concatenate((along[3:], across)) - shallow, 0.0, 20.0).mean()
        elif kind == shapes.LIGHTHOUSE:  # on the shore, before the water
            cost += 0.1 * abs(across[4] - surface.water_level - 3.0) + 0.3 * np.clip(along[:10] - surface.water_level - 3.0, 0, None).mean()
        else:
            cost += 0.05 * float(np.ptp(along)) + 0.02 * float(np.ptp(across))
            cost += 0.5 * float(np.clip(surface.water_level + 0.5 - along, 0.0, 4.0).mean())
        if cost < best:
            best, chosen = cost, (x % span, y % span, yaw)
    return replace(pose, x=chosen[0], y=chosen[1], yaw=chosen[2], distance=away)


def _is_dark(scene):
    return scene.time_of_day == "night" or (scene.time_of_day == "dusk" and scene.weather in ("rain", "storm"))


def prepare(scene, surface: Surface) -> tuple[Surface, Plan | None]:
    """Makes room for a scene's subject: the surface with its ground and its pose changed, and the plan; (surface, None) without one."""
    if scene.subject is None:
        return surface, None
    kind = kinds.KINDS[scene.subject]
    rng = np.random.Generator(np.random.Philox(key=[scene.seed, _STREAM]))
    away, middle, size = kinds.AWAY[kind], kinds.MIDDLE[kind], kinds.SIZE.get(kind, 1.0)
    pose, motion = surface.pose, motion_of(scene)
    side = 1.0 if motion.pan > 0 else -1.0 if motion.pan < 0 else float(rng.choice((-1.0, 1.0)))  # it goes with a pan
    if kind == shapes.WATERFALL:
        rock = kinds.CLIFFS[scene.family]
        snowy = scene.season == "winter" or scene.weather == "snow"
        colours = rock, kinds.SNOWY_TURF if snowy else rock if scene.season is None else kinds.TURF
    elif kind == shapes.BIRDS and (scene.family == "islands" or _is_dark(scene)):
        colours = kinds.WHITE_BIRDS
    else:
        colours = kinds.PAINTS[kind][int(rng.integers(len(kinds.PAINTS[kind])))]
    phase, count = rng.uniform(0.0, 2.0 * math.pi), int(rng.integers(7, 12))
    size *= rng.uniform(0.92, 1.12)
    stride = {"push_in": 1.25, "pull_back": 0.8}.get(scene.camera, 1.0)  # room to come nearer, or to draw away

    if kind in kinds.FLYING:
        drift = side * {shapes.BALLOON: 0.035, shapes.PLANE: 0.085, shapes.BIRDS: 0.06}[kind] * rng.uniform(0.8, 1.2)
        lift, least = {shapes.BALLOON: (0.05, -0.05), shapes.PLANE: (0.13, 0.06), shapes.BIRDS: (0.13, 0.10)}[kind]  # birds before the sky
        slope = min(max(pose.tilt + lift, least), pose.tilt + (0.19 if kind == shapes.BIRDS else 0.17))
        heading = side * {shapes.BALLOON: 0.5, shapes.PLANE: 1.05, shapes.BIRDS: 0.95}[kind] * rng.uniform(0.9, 1.1)
        return surface, Plan(kind, pose, 0.0, 0.0, -size * middle, heading, 0.0, 0.0, size, away * stride, drift, slope, 0.0, colours,
                             0.0, phase, count)

    if scene.family == "street":
        course = round(pose.yaw / (0.5 * math.pi)) * 0.5 * math.pi  # along the street, away from the camera or towards it
        pose = replace(pose, distance=min(pose.distance, 2.0 * away))
        x, y = pose.x + away * stride * math.cos(course), pose.y + away * stride * math.sin(course)
        reach = np.arange(-24.0, 24.5, 0.5)
        free = reach[_height_at(surface, x - reach * math.sin(course), y + reach * math.cos(course)) < 4.0]  # from house to house
        lane = float(free.mean()) + 2.4 * side
        x, y = x - lane * math.sin(course), y + lane * math.cos(course)
        z, speed = float(_height_at(surface, x, y)), 3.0
        course += math.pi if side > 0 else 0.0
        heading = course
    elif scene.family == "islands":  # seen from above, so that its islands are: the subject is as large as it must be
        height = pose.height
        away = min(pose.distance, height / (0.02 - pose.tilt))
        size *= away / kinds.AWAY[kind]
        pose = replace(_spot(scene, surface, kind, replace(pose, distance=away), away, rng), height=height)
        x, y = pose.x + away * stride * math.cos(pose.yaw), pose.y + away * stride * math.sin(pose.yaw)
        course = pose.yaw + side * (0.5 * math.pi + rng.uniform(-0.5, 0.5))
        heading, speed, z = course, 0.06 * away, surface.water_level
        if kind == shapes.LIGHTHOUSE:
            heading, speed = pose.yaw + math.pi, 0.0
            z = max(float(_height_at(surface, x, y)), z + 2.0)
            surface = _level(surface, x, y, z, 9.0 * size, 9.0 * size)
    else:
        if kind == shapes.WATERFALL:  # a cliff of a few of the ground's cells at least
            grown = min(max(surface.cell / 7.0, 1.0), 2.4)
            size, away = grown * size, grown * away
        height = min(max(pose.height / pose.distance * away, kinds.EYE[kind][0]), kinds.EYE[kind][1])
        pose = _spot(scene, surface, kind, pose, away, rng)
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        x, y = pose.x + away * stride * cos, pose.y + away * stride * sin
        course = pose.yaw + side * (0.5 * math.pi + rng.uniform(-0.3, 0.3))
        heading, speed = course, 0.0
        water = surface.water_level
        ground = max(float(_height_at(surface, x, y)), water + 1.0)
        z = ground
        if kind == shapes.BOAT:
            z, speed = water, 0.075 * away
            surface = replace(surface, height=np.where(
                np.hypot(*_periodic(surface.height.shape[0], surface.cell, x, y)) < 0.6 * away,
                np.minimum(surface.height, water - 2.0), surface.height).astype(np.float32))
            height = max(height, 3.0 * surface.wave_height + 3.0)
        elif kind == shapes.CAR:
            speed = 0.13 * away
            surface = _level(surface, x, y, ground, 2.0 * away, 60.0, reach=5.0)
            dx, dy = _periodic(surface.height.shape[0], surface.cell, x, y)
            across = np.abs(dy * math.cos(course) - dx * math.sin(course))
            near = np.hypot(dx, dy) < 160.0
            surface = replace(surface, albedo=blend(surface.albedo, 0.45 * surface.albedo, near * smoothstep(6.5, 3.0, across)))
        elif kind == shapes.TRAIN:
            speed = 0.16 * away
            line = _height_at(surface, x + np.linspace(-70, 70, 15) * math.cos(course), y + np.linspace(-70, 70, 15) * math.sin(course))
            floor = max(float(np.quantile(line, 0.4)), water + 1.0 if water > -1e8 else -1e9)
            surface = _level(surface, 0.5 * (x + pose.x), 0.5 * (y + pose.y), floor, 75.0, 60.0, bumps=0.5, paint=False)
            z = floor + 10.5
        elif kind in (shapes.LIGHTHOUSE, shapes.WINDMILL):
            heading = pose.yaw + math.pi + side * rng.uniform(0.25, 0.6)
            near = np.hypot(*_periodic(surface.height.shape[0], surface.cell, x, y)) < max(20.0, 2.0 * surface.cell)
            z = max(float(surface.height[near].max()) if kind == shapes.WINDMILL else ground, water + 3.5)
            surface = _level(surface, x, y, z, 10.0, 22.0 if kind == shapes.LIGHTHOUSE else 45.0)
        elif kind == shapes.CAMPFIRE:
            heading = pose.yaw + math.pi + rng.uniform(-0.35, 0.35)
            surface = _level(surface, 0.5 * (x + pose.x), 0.5 * (y + pose.y), ground, 1.4 * away, 14.0, reach=5.0)
        else:
            heading = pose.yaw + math.pi + rng.uniform(-0.3, 0.3)
            floor = float(min(ground, _height_at(surface, pose.x, pose.y) + 5.0))
            surface = _level(surface, x - 0.45 * away * cos, y - 0.45 * away * sin, floor, 0.55 * away, 40.0, bumps=0.4, paint=False)
            dx, dy = _periodic(surface.height.shape[0], surface.cell, x, y)
            behind = -(dx * math.cos(heading) + dy * math.sin(heading))
            sideways = np.abs(dy * math.cos(heading) - dx * math.sin(heading))
            crowns = np.clip(surface.height - blur(surface.height, 3.0), 0.0, 20.0)
            rise = smoothstep(7.0 * size, 14.0 * size, behind) * smoothstep(105.0 * size, 42.0 * size, sideways)
            hill = floor + 27.0 * size * rise + crowns
            raised = np.where((np.hypot(dx, dy) < 160.0 * size) & (behind > 0), np.maximum(surface.height, hill), surface.height)
            surface = replace(surface, height=raised.astype(np.float32))
            z = floor
    if scene.family not in ("street", "islands"):
        pose = replace(pose, height=height)
        eye = highest_ground(scene, pose, surface.height, surface.cell, surface.water_level) + height
        tilt = (z + size * middle - eye) / (away * stride) + 0.03
        pose = replace(pose, tilt=min(max(tilt, -0.30), 0.16))
    surface = replace(surface, pose=pose)
    dusty = 1.0 if kind == shapes.CAR and scene.family != "street" and scene.weather not in ("rain", "storm") else 0.0
    return surface, Plan(kind, pose, x, y, z, heading, course, speed, size, away, 0.0, 0.0, surface.wave_height, colours, dusty,
                         phase, count)


def _axes(heading, roll, pitch):
    """The rows of world-to-subject: heading about z, then the bow up by `pitch`, then the left side up by `roll`."""
    ch, sh, cp, sp, cr, sr = (f(a) for a in (heading, pitch, roll) for f in (math.cos, math.sin))
    forward = (ch * cp, sh * cp, sp)
    left, up = (-sh, ch, 0.0), (-ch * sp, -sh * sp, cp)
    return (*forward, *(cr * a + sr * b for a, b in zip(left, up, strict=True)), *(cr * b - sr * a for a, b in zip(left, up, strict=True)))


def where(plan, scene, camera, seconds):
    """(x, y, z) in metres of a plan's subject, seconds into the shot."""
    late = seconds - _MIDDLE
    if plan.kind not in kinds.FLYING:
        lap = 4.5 * plan.away  # what has left comes back from the other side
        gone = (plan.speed * late + lap / 2) % lap - lap / 2 if plan.kind != shapes.TRAIN else 0.0
        return plan.x + gone * math.cos(plan.course), plan.y + gone * math.sin(plan.course), plan.z
    yaw = camera.yaw if scene.camera == "orbit" else plan.pose.yaw + 0.45 * (camera.yaw - plan.pose.yaw)
    tilt = plan.slope + 0.45 * (camera.tilt - plan.pose.tilt)
    lap = 2.2  # radians, wider than the picture
    bearing = yaw + (plan.drift * late + lap / 2) % lap - lap / 2
    nearer = {"push_in": -0.09, "pull_back": 0.11}.get(scene.camera, 0.0)
    away = plan.away * max(1.0 + nearer * min(seconds, 5.0), 0.3)
    bob = 0.006 * math.sin(0.9 * seconds + plan.phase)
    return camera.x + away * math.cos(bearing), camera.y + away * math.sin(bearing), camera.z + away * (tilt + bob) + plan.z


def thing_at(plan, scene, camera, light, seconds) -> Thing:
    """The subject as the kernels take it, at a moment; camera, light: as they are then. Not for birds."""
    x, y, z = where(plan, scene, camera, seconds)
    roll = pitch = turn = 0.0
    if plan.kind == shapes.BOAT:
        sway = 1.0 + 1.2 * min(plan.swell, 1.5)
        z += (0.10 + 0.35 * plan.swell) * math.sin(1.5 * seconds + plan.phase)
        roll = 0.10 + 0.05 * sway * math.sin(1.9 * seconds + plan.phase)
        pitch = 0.03 * sway * math.sin(1.5 * seconds + plan.phase + 1.2)
    elif plan.kind == shapes.CAR:
        z += 0.04 * math.sin(11.0 * seconds)
        turn = -plan.speed * seconds / (0.36 * plan.size)
    elif plan.kind == shapes.TRAIN:
        train = shapes.COACH * shapes.COACHES
        lap = train + 3.4 * plan.away
        turn = (plan.speed * seconds + 0.12 * plan.away + lap / 2) % lap - lap / 2  # at first its nose is in the picture
    elif plan.kind == shapes.PLANE:
        roll = math.copysign(0.28, plan.drift) + 0.08 * math.sin(0.5 * seconds + plan.phase)
    elif plan.kind == shapes.CAMPFIRE:
        turn = 0.85 + 0.15 * math.sin(17.0 * seconds + plan.phase) * math.sin(7.3 * seconds)
    elif plan.kind == shapes.LIGHTHOUSE:
        turn = 1.7 * seconds + plan.phase
    elif plan.kind == shapes.WINDMILL:
        turn = 1.5 * seconds + plan.phase
    heading = plan.heading if plan.kind not in kinds.FLYING else plan.pose.yaw + plan.heading
    return Thing(plan.kind, x, y, z, _axes(heading, roll, pitch), plan.size, turn, seconds, kinds.BOX[plan.kind], *plan.colours,
                 light.lamps, plan.dust)
