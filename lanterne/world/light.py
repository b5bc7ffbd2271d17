"""Light and air: what the time of day and the weather do to sun, sky, clouds, fog and exposure.

Colours are linear RGB radiance in arbitrary units; `exposure` brings them to the tone curve. Directions are unit vectors, z up.
"""
import math
from typing import NamedTuple

import numpy as np

from lanterne.world.noise import fractal, smoothstep


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
    wet: float                               # 0 dry, 1 soaked: darker ground
    rain: float
    snowfall: float
    exposure: float


#      sun elevation (degrees), sun, zenith, horizon, glow, ambient, exposure
_TIMES = {
    "dawn":    (5.0, (2.1, 1.15, 0.95), (0.30, 0.36, 0.66), (0.98, 0.66, 0.70), (0.95, 0.45, 0.42), (0.36, 0.35, 0.50), 1.0),
    "morning": (24.0, (3.0, 2.55, 1.95), (0.20, 0.42, 0.84), (0.74, 0.82, 0.92), (0.55, 0.45, 0.28), (0.40, 0.50, 0.66), 0.82),
    "noon":    (64.0, (3.5, 3.35, 3.1), (0.10, 0.31, 0.78), (0.56, 0.74, 0.93), (0.20, 0.20, 0.18), (0.46, 0.58, 0.76), 0.78),
    "sunset":  (4.0, (2.7, 1.15, 0.36), (0.20, 0.22, 0.46), (1.10, 0.50, 0.16), (1.50, 0.52, 0.10), (0.34, 0.28, 0.36), 0.95),
    "dusk":    (-8.0, (0.0, 0.0, 0.0), (0.045, 0.085, 0.27), (0.30, 0.25, 0.42), (0.45, 0.16, 0.12), (0.11, 0.14, 0.30), 1.25),
    "night":   (33.0, (0.30, 0.36, 0.55), (0.005, 0.010, 0.035), (0.022, 0.034, 0.075), (0.05, 0.06, 0.09), (0.022, 0.032, 0.065), 2.2),
}
#       sun kept, disc, grey sky, sky brightness, clouds' cover, softness, alpha, cloud shadow, air, mist, wet, rain, snow
_WEATHERS = {
    "clear":    (1.00, 1.0, 0.00, 1.00, 0.06, 0.30, 0.65, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    "cloudy":   (0.95, 0.8, 0.05, 1.00, 0.52, 0.28, 1.00, 0.75, 1.1, 0.0, 0.0, 0.0, 0.0),
    "overcast": (0.10, 0.0, 0.85, 0.88, 1.00, 0.55, 1.00, 0.0, 1.8, 0.0, 0.0, 0.0, 0.0),
    "fog":      (0.22, 0.15, 0.75, 1.00, 0.60, 0.60, 0.50, 0.0, 2.0, 4.2, 0.1, 0.0, 0.0),
    "rain":     (0.05, 0.0, 0.92, 0.62, 1.00, 0.50, 1.00, 0.0, 5.0, 1.2, 0.7, 1.0, 0.0),
    "snow":     (0.10, 0.0, 0.80, 0.95, 1.00, 0.70, 1.00, 0.0, 5.0, 1.5, 0.0, 0.0, 1.0),
    "storm":    (0.07, 0.0, 0.80, 0.30, 1.00, 0.30, 1.00, 0.0, 3.0, 0.4, 0.8, 0.45, 0.0),
}


def _mix(a, b, t):
    return tuple((1.0 - t) * x + t * y for x, y in zip(a, b, strict=True))


def _times(a, k):
    return tuple(x * k for x in a)


def make_light(scene, rng, view_yaw, scale):
    """The light of a scene. view_yaw: where the camera looks, radians; scale: the world's size in metres to fade over."""
    elevation, sun, zenith, horizon, glow, ambient, exposure = _TIMES[scene.time_of_day]
    keep, disc, grey, bright, _, _, alpha, cloud_shadow, air, mist, wet, rain, snow = _WEATHERS[scene.weather]
    low = scene.time_of_day in ("dawn", "sunset", "dusk", "night")
    # A low sun stands in front of the camera in most shots, since that is what these hours look like on film.
    offset = rng.uniform(-0.55, 0.55) if low and rng.random() < 0.75 else rng.uniform(-2.2, 2.2)
    azimuth = view_yaw + offset
    elevation = math.radians(elevation + rng.uniform(-1.5, 1.5))
    sun_dir = (math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation))

    luma = 0.5 * sum(horizon) / 3.0 + 0.5 * sum(zenith) / 3.0 + 0.03 * sum(sun) / 3.0
    tint = _mix(_times(horizon, 3.0 * luma / sum(horizon)), (luma, luma * 1.02, luma * 1.06), 0.65)
    zenith = _times(_mix(zenith, _times(tint, 0.85), grey), bright)
    horizon = _times(_mix(horizon, tint, grey), bright)
    ambient = _times(_mix(ambient, _times(tint, 0.9), 0.6 * grey), 0.55 + 0.45 * bright + 0.25 * grey)
    glow = _times(glow, 1.0 - 0.9 * grey)
    sun_colour = _times(sun, keep)
    cloud_lit = _mix(_times(_mix(horizon, zenith, 0.35), 0.95), _times(sun, 0.42), 0.62 * (1.0 - grey))
    cloud_lit = _mix(cloud_lit, glow, 0.35 * (1.0 - grey) if elevation < 0.2 else 0.0)
    cloud_dark = _times(_mix(zenith, horizon, 0.5), 0.62 if grey < 0.5 else 0.72)
    if scene.weather == "storm":
        cloud_dark = _times(cloud_dark, 0.45)
        cloud_lit = _times(cloud_lit, 1.5)
    wind_speed = 90.0 if scene.weather == "storm" else 35.0
    wind_angle = rng.uniform(0.0, 2.0 * math.pi)
    return Light(
        sun=sun_dir, sun_colour=sun_colour, disc=disc * (0.0 if scene.time_of_day == "dusk" else 1.0),
        zenith=zenith, horizon=horizon, glow=glow, ambient=ambient,
        cloud_lit=cloud_lit, cloud_dark=cloud_dark, cloud_alpha=alpha, cloud_scale=1.0 / 9000.0,
        wind=(wind_speed * math.cos(wind_angle), wind_speed * math.sin(wind_angle)), cloud_shadow=cloud_shadow,
        air=0.22 * air / scale, mist=(mist + (1.2 if scene.time_of_day == "dawn" and grey < 0.5 else 0.0)) / scale,
        mist_height=0.06 * scale,
        stars={"night": 1.0, "dusk": 0.12}.get(scene.time_of_day, 0.0) * (1.0 - grey),
        lamps={"night": 1.0, "dusk": 0.9, "dawn": 0.35, "sunset": 0.3}.get(scene.time_of_day, 0.12 if grey > 0.7 else 0.0),
        wet=wet, rain=rain, snowfall=snow, exposure=exposure * (1.0 + 0.25 * grey) * rng.uniform(0.92, 1.08),
    )


def cloud_texture(scene, light, seed, size=256):
    """(size, size, 2) float32: how opaque the cloud layer is, and how much sunlight reaches it there (0 to 1). It tiles."""
    cover, softness = _WEATHERS[scene.weather][4:6]
    field = fractal(size, 3, 6, 0.54, 0, 0.35, seed)
    field = (np.argsort(np.argsort(field, axis=None)).reshape(field.shape) / field.size).astype(np.float32)  # ranks: cover is exact
    density = smoothstep(1.0 - cover, 1.0 - cover + softness, field)
    step = 5.0
    shade = np.zeros_like(density)
    for k in range(1, 5):
        dx, dy = int(round(k * step * light.sun[0])), int(round(k * step * light.sun[1]))
        shade += np.roll(field if cover >= 1.0 else density, (-dy, -dx), axis=(0, 1)) * 0.45
    thick = field if cover >= 1.0 else density
    lit = np.exp(-1.1 * shade) * (1.0 - 0.45 * thick)
    lit = (lit - lit.min()) / (np.ptp(lit) + 1e-6)
    return np.ascontiguousarray(np.stack([density * light.cloud_alpha, lit], axis=-1).astype(np.float32))
