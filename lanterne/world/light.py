"""Light and air: what the time of day and the weather do to sun, sky, clouds, fog and exposure.

Colours are linear RGB radiance in arbitrary units; `exposure` brings them to the tone curve. Directions are unit vectors, z up.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lanterne.world.noise import fractal, smoothstep, uniform


class Light(NamedTuple):
    """Everything the kernels need to know about light and air; a NamedTuple, for numba takes those as they are."""

    sun: tuple[float, float, float]          # direction to the sun (or the moon)
    sun_colour: tuple[float, float, float]   # radiance on a surface facing it, after clouds
    disc: float                              # brightness of the visible disc; 0 when hidden
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    glow: tuple[float, float, float]         # halo around the sun, and along the horizon on its side
    ambient: tuple[float, float, float]
    cloud_lit: tuple[float, float, float]
    cloud_dark: tuple[float, float, float]
    cloud_alpha: float
    cloud_scale: float                       # texture tiles per metre
    wind: tuple[float, float]                # metres a second, at cloud height
    cloud_shadow: float                      # how much moving cloud shadows darken the ground, 0 to 1
    air: float                               # extinction of clear air, 1/m
    mist: float                              # extinction of ground mist at sea level, 1/m
    mist_height: float                       # metres over which mist thins by e
    stars: float
    lamps: float                             # how strongly lit windows shine
    lit: float                               # the share of all lamps that are on
    wet: float                               # 0 dry, 1 soaked: darker ground
    rain: float
    snowfall: float
    exposure: float
    turn: float                              # 0 .. 1: how far the sun has gone from where it began to where its event takes it
    front: float                             # how far a front of storm clouds has come up; below -9 there is none


#      sun elevation (degrees), sun, zenith, horizon, glow, ambient, exposure
_TIMES = {
    "dawn":    (5.0, (2.1, 1.15, 0.95), (0.30, 0.36, 0.66), (0.98, 0.66, 0.70), (0.95, 0.45, 0.42), (0.36, 0.35, 0.50), 1.0),
    "morning": (24.0, (3.0, 2.55, 1.95), (0.13, 0.36, 0.84), (0.66, 0.79, 0.93), (0.55, 0.45, 0.28), (0.38, 0.48, 0.66), 0.84),
    "noon":    (64.0, (3.5, 3.35, 3.1), (0.05, 0.24, 0.74), (0.46, 0.68, 0.93), (0.20, 0.20, 0.18), (0.44, 0.56, 0.76), 0.78),
    "sunset":  (4.0, (2.9, 1.15, 0.34), (0.17, 0.20, 0.46), (1.15, 0.48, 0.14), (1.60, 0.52, 0.10), (0.36, 0.28, 0.36), 0.98),
    "dusk":    (-8.0, (0.0, 0.0, 0.0), (0.045, 0.085, 0.27), (0.34, 0.25, 0.42), (0.50, 0.18, 0.13), (0.13, 0.16, 0.32), 1.30),
    "night":   (33.0, (0.34, 0.42, 0.64), (0.005, 0.010, 0.035), (0.024, 0.038, 0.085), (0.05, 0.06, 0.09), (0.036, 0.052, 0.098), 2.5),
    # Where events begin or end.
    "before sunrise": (-2.0, (0.25, 0.12, 0.10), (0.10, 0.14, 0.34), (0.62, 0.36, 0.42), (0.70, 0.30, 0.26), (0.17, 0.18, 0.32), 1.15),
    "sun is up": (8.5, (3.0, 1.75, 0.95), (0.24, 0.36, 0.70), (1.05, 0.74, 0.50), (1.20, 0.55, 0.20), (0.42, 0.40, 0.48), 0.95),
    "sun is down": (-6.0, (0.0, 0.0, 0.0), (0.035, 0.060, 0.20), (0.30, 0.17, 0.26), (0.45, 0.15, 0.09), (0.085, 0.10, 0.22), 1.35),
}
#       sun kept, disc, grey sky, sky brightness, clouds' cover, alpha, cloud shadow, air, mist, wet, rain, snow
_WEATHERS = {
    "clear":    (1.00, 1.0, 0.00, 1.00, 0.00, 0.00, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    "cloudy":   (0.97, 0.8, 0.03, 1.00, 0.46, 1.00, 0.75, 1.1, 0.0, 0.0, 0.0, 0.0),
    "overcast": (0.10, 0.0, 0.85, 0.88, 1.00, 1.00, 0.0, 1.8, 0.0, 0.0, 0.0, 0.0),
    "fog":      (0.20, 0.10, 0.78, 1.00, 0.80, 0.30, 0.0, 1.5, 1.0, 0.1, 0.0, 0.0),
    "rain":     (0.05, 0.0, 0.92, 0.62, 1.00, 1.00, 0.0, 4.0, 0.25, 0.8, 1.0, 0.0),
    "snow":     (0.10, 0.0, 0.80, 0.95, 1.00, 1.00, 0.0, 3.5, 0.25, 0.0, 0.0, 1.0),
    "storm":    (0.07, 0.0, 0.80, 0.34, 1.00, 1.00, 0.0, 2.5, 0.1, 0.9, 0.75, 0.0),
}
_EVENT_TAKES = 4.0  # seconds
_TURNS = {"sunrise": ("before sunrise", "sun is up"), "nightfall": ("sunset", "sun is down")}
_STARS = {"night": 1.0, "dusk": 0.12, "before sunrise": 0.12, "sun is down": 0.3}
_LAMPS = {"night": 1.0, "dusk": 0.9, "dawn": 0.35, "sunset": 0.3, "before sunrise": 0.6, "sun is down": 0.95, "sun is up": 0.1}


def _mix(a, b, t):
    return tuple((1.0 - t) * x + t * y for x, y in zip(a, b, strict=True))


def _times(a, k):
    return tuple(x * k for x in a)


def _state(time_of_day, weather):
    """What hour and weather make of the light, as a tuple of Light's fields in its order, but for directions, clouds' wind and scales."""
    elevation, sun, zenith, horizon, glow, ambient, exposure = _TIMES[time_of_day]
    keep, disc, grey, bright, _, alpha, cloud_shadow, air, mist, wet, rain, snow = _WEATHERS[weather]
    low = elevation < 12.0
    luma = 0.5 * sum(horizon) / 3.0 + 0.5 * sum(zenith) / 3.0 + 0.03 * sum(sun) / 3.0
    tint = _mix(_times(horizon, 3.0 * luma / sum(horizon)), (luma, luma * 1.02, luma * 1.06), 0.65)
    zenith = _times(_mix(zenith, _times(tint, 0.85), grey), bright)
    horizon = _times(_mix(horizon, tint, grey), bright)
    ambient = _times(_mix(ambient, _times(tint, 0.9), 0.6 * grey), 0.55 + 0.45 * bright + 0.25 * grey)
    glow = _times(glow, 1.0 - 0.9 * grey)
    cloud_lit = _mix(_times(_mix(horizon, zenith, 0.35), 0.95), _times(sun, 0.50), 0.75 * (1.0 - grey))
    cloud_lit = _mix(cloud_lit, glow, 0.35 * (1.0 - grey) if low and time_of_day != "night" else 0.0)
    cloud_dark = _times(_mix(zenith, horizon, 0.55), 0.66 if grey < 0.5 else 0.74)
    if weather == "storm":
        cloud_dark = _times(cloud_dark, 0.45)
        cloud_lit = _times(cloud_lit, 0.62)
    return {
        "sun_colour": _times(sun, keep), "disc": 0.0 if elevation < -3.0 else disc, "zenith": zenith, "horizon": horizon, "glow": glow,
        "ambient": ambient, "cloud_lit": cloud_lit, "cloud_dark": cloud_dark, "cloud_alpha": alpha, "cloud_shadow": cloud_shadow,
        "air": air, "mist": mist + (0.22 if time_of_day == "dawn" and grey < 0.5 else 0.0),
        "stars": _STARS.get(time_of_day, 0.0) * (1.0 - grey),
        "lamps": max(_LAMPS.get(time_of_day, 0.0), 0.30 if grey > 0.7 else 0.0), "lit": 1.0,
        "wet": wet, "rain": rain, "snowfall": snow, "exposure": exposure * (1.0 + 0.25 * grey),
    }


def _between(a, b, t):
    return _mix(a, b, t) if isinstance(a, tuple) else (1.0 - t) * a + t * b


def make_light(scene, rng, pose, scale):
    """The light of a scene: a function of the seconds into the shot that gives a Light, which changes with the scene's event.

    pose: where the camera looks; scale: the world's size in metres, which clear air fades over.
    """
    begin, end = _TURNS.get(scene.event, (scene.time_of_day, scene.time_of_day))
    first = _state(begin, scene.weather)
    last = _state(end, "storm" if scene.event == "storm_coming" else scene.weather)
    if scene.event == "lights_on":
        first["lit"] = 0.04
    if scene.event == "nightfall":
        first["lit"] = 0.1
    # A low sun stands in front of the camera in most shots, since that is what these hours look like on film.
    low = _TIMES[end][0] < 12.0 or begin == "night"
    ahead = low and rng.random() < (1.0 if scene.event in _TURNS else 0.75)
    offset = rng.uniform(-0.40, 0.40) if ahead else rng.uniform(-2.2, 2.2)
    azimuth = pose.yaw + offset
    wander = rng.uniform(-1.5, 1.5) if scene.event not in _TURNS else 0.0
    elevations = [math.radians(_TIMES[name][0] + wander) for name in (begin, end)]
    wind_speed = 90.0 if scene.weather == "storm" else 35.0
    wind_angle = rng.uniform(0.0, 2.0 * math.pi)
    film = rng.uniform(0.92, 1.08)
    race = 22.0 if scene.event == "timelapse" else 2.5 if scene.event == "storm_coming" else 1.0
    wind = (race * wind_speed * math.cos(wind_angle), race * wind_speed * math.sin(wind_angle))

    def at(seconds):
        gone = min(max(seconds / _EVENT_TAKES, 0.0), 1.0)
        turn = 1.0 - (1.0 - gone) ** 1.9 if first != last or begin != end else 0.0  # most of it at the beginning
        values = {name: _between(first[name], last[name], turn) for name in first}
        elevation = _between(*elevations, turn)
        sun = (math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation))
        if scene.event == "storm_coming":
            values["rain"] = last["rain"] * float(smoothstep(0.25, 0.9, turn)) * 1.6
            values["exposure"] *= 1.0 - 0.25 * turn
        values["exposure"] *= film
        values["air"] *= 0.22 / scale
        values["mist"] *= 1.0 / (0.6 * pose.distance + 0.12 * scale)  # whatever the place, what the camera looks at is still seen
        return Light(
            **values, sun=sun, cloud_scale=1.0 / 8000.0, wind=wind, mist_height=0.06 * scale, turn=turn if begin != end else 0.0,
            front=-0.25 + 2.6 * turn if scene.event == "storm_coming" else -10.0,
        )

    return at


@njit(cache=True, fastmath=True)
def _lattice_noise(x, y, z, period, seed):
    """Value noise in [0, 1] at (x, y, z), repeating every `period` in x and y."""
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    i, j, i1, j1, k = int(ix) % period, int(iy) % period, (int(ix) + 1) % period, (int(iy) + 1) % period, seed + 1013 * int(iz)
    low = ((uniform(i, j, k) * (1 - fx) + uniform(i1, j, k) * fx) * (1 - fy)
           + (uniform(i, j1, k) * (1 - fx) + uniform(i1, j1, k) * fx) * fy)
    high = ((uniform(i, j, k + 1013) * (1 - fx) + uniform(i1, j, k + 1013) * fx) * (1 - fy)
            + (uniform(i, j1, k + 1013) * (1 - fx) + uniform(i1, j1, k + 1013) * fx) * fy)
    return low * (1 - fz) + high * fz


@njit(cache=True, fastmath=True)
def _cloud_volume(field, cover, layers, sun_x, sun_y, sun_z, seed):
    """(Z, N, N, 2) float32: how far inside a cloud a place is (below 0: outside), and the sunlight that reaches it, 0 to 1.

    field: (N, N) ranks in 0..1: over the lowest 1 - cover of it there is no cloud; the rest grow as high as they lie above that.
    Flat at the bottom, heaped at the top. A cell is 8000 m / N wide and 1000 m / Z high.
    """
    n = field.shape[0]
    out = np.empty((layers, n, n, 2), np.float32)
    heaped = cover < 0.99
    for k in range(layers):
        z = (k + 0.5) / layers
        for j in range(n):
            for i in range(n):
                u, v, w = 16.0 * i / n, 16.0 * j / n, 3.0 * z
                billow = (0.55 * _lattice_noise(u, v, w, 16, seed) + 0.30 * _lattice_noise(2 * u, 2 * v, 2 * w, 32, seed + 7)
                          + 0.15 * _lattice_noise(4 * u, 4 * v, 4 * w, 64, seed + 11))
                above = (field[j, i] - (1.0 - cover)) / max(cover, 0.05)
                if heaped:
                    top = 1.15 * math.sqrt(max(above, 0.0)) - (0.4 if above < 0.0 else 0.0)
                    out[k, j, i, 0] = min(top + 0.9 * (billow - 0.5) - z, 6.0 * z + 0.25 * (above > 0.0) - 0.2) * 1.6
                else:
                    out[k, j, i, 0] = 0.9 * z + 0.9 * (billow - 0.5) + 0.5 * (field[j, i] - 0.5) + 0.15
    for k in range(layers):
        for j in range(n):
            for i in range(n):
                passed = 0.0
                if heaped:
                    d = 0.8
                    for _ in range(7):
                        kk = int(k + d * max(sun_z, 0.04) * (8000.0 / n) / (1000.0 / layers))
                        if kk >= layers:
                            break
                        ii, jj = int(i + d * sun_x) % n, int(j + d * sun_y) % n
                        passed += max(out[kk, jj, ii, 0], 0.0) * d * 0.55
                        d *= 1.45
                    out[k, j, i, 1] = (0.15 + 0.85 * math.exp(-1.5 * passed)) * (0.45 + 0.55 * (k + 0.5) / layers)
                else:
                    out[k, j, i, 1] = min(max(0.5 - 1.1 * (out[k, j, i, 0] - 0.45) + 0.5 * (0.5 - field[j, i]), 0.0), 1.0)
    return out


def clouds_of(scene, light, seed, size=128, layers=12):
    """(Z, N, N, 2) float32, the clouds' volume as `kernels.sky_texel` takes it, and (N, N, 1), their shade on the ground. They tile."""
    cover = _WEATHERS[scene.weather][4]
    field = fractal(size, 4, 5, 0.50, 0, 0.25, seed)
    field = (np.argsort(np.argsort(field, axis=None)).reshape(field.shape) / field.size).astype(np.float32)  # ranks: cover is exact
    if light.cloud_alpha <= 0.0:
        return np.zeros((1, 2, 2, 2), np.float32), np.zeros((2, 2, 1), np.float32)
    volume = _cloud_volume(field, cover, layers, *light.sun, seed)
    shadow = smoothstep(0.0, 0.35, volume[..., 0].max(0))
    return volume, np.ascontiguousarray(shadow[..., None].astype(np.float32))
