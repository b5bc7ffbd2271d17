"""The renderer's kernels: a screen column marches front to back over the height field, is shaded, and is added to the picture.

With a lens that shifts instead of tilting, the rays of one screen column lie in one vertical plane of the world, and a ray higher
on the screen never hits nearer than a lower one: one walk outwards serves all rows of the column, so that a frame costs columns
times steps look-ups instead of pixels times steps.

`render_column` does the work, with the colours of shading.py and the sky of sky.py; film.py develops. On a processor the loops here go
over columns and pixels; on a GPU those of cuda.py give each a thread.
"""
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lanterne.world.film import develop_pixel, lamp_pixel
from lanterne.world.lookups import bilinear, ground_height, lookup_level, ramp
from lanterne.world.shading import building_radiance, land_radiance, pavement_radiance, through_plume, water_radiance
from lanterne.world.sky import lights_of_the_sky, sky_radiance, sky_texel, through_air
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
def render_sky(sky, view, camera, clouds, light, seconds):
    """The sky's picture of a frame (E, A, 4), which its passes look up. View says what it covers."""
    for row in range(sky.shape[0]):
        for column in range(sky.shape[1]):
            sky_texel(row, column, sky, view, camera, clouds, light, seconds)


@njit(cache=True, fastmath=True)
def _wall(heights, x, y, z, rx, ry, slope, near, beyond, ground):
    """(distance, side) of the wall that stands between two steps of a ray: 1 to 4 for the walls that face -x, +x, -y and +y."""
    for _ in range(7):
        middle = 0.5 * (near + beyond)
        if ground_height(heights, 0, x + middle * rx, y + middle * ry, ground) >= z + middle * slope:
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
        h = ground_height(heights, level, x, y, ground)
        if has_water and h < ground.water_level + ground.wave_height:
            w = ground.water_level
            if ground.wave_height > 0.0:
                calm = 1.0 - ramp(0.3, 1.2, t / focal / (ground.wave_tile / wave_size))
                shoal = ramp(0.0, 4.0 * ground.wave_height + 0.5, w - h)
                if calm > 0.0:
                    w += ground.wave_height * calm * shoal * bilinear(
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
            h = ground_height(heights, lookup_level(t, focal, ground, levels), x, y, ground)
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
                        r, g, b = building_radiance(
                            camera.x + at * rx, camera.y + at * ry, z_mirror + at * slope, h, nx, ny, maps, ground, light, at, focal)
                    elif not shaded:
                        r, g, b = land_radiance(x, y, t, focal, maps, detail, shadows, ground, light, seconds)
                        shaded = True
                    norm = 1.0 / math.sqrt(1.0 + u * u + slope * slope)
                    mirror[row, 0], mirror[row, 1], mirror[row, 2] = through_air(
                        r, g, b, t * stretch, h, rx * norm, ry * norm, slope * norm, camera, light)
                    mirror[row, 3] = 0.0
            if taking == first and z_mirror - t * ((0.5 * rows - first - jitter_y) / focal + camera.tilt) > ground.top:
                break
            t_before = t
            t += max(0.5 * ground.cell, t * 0.016)
        for row in range(first, rows):
            if mirror[row, 3] < 0.0:
                slope = -((0.5 * rows - row - jitter_y) / focal + camera.tilt)
                r, g, b, keep = sky_radiance(across, slope / stretch, sky, view)
                if light.disc > 0.0:
                    norm = 1.0 / math.sqrt(1.0 + u * u + slope * slope)
                    sr, sg, sb = lights_of_the_sky(rx * norm, ry * norm, slope * norm, light)
                    r, g, b = r + sr * keep, g + sg * keep, b + sb * keep
                mirror[row, 0], mirror[row, 1], mirror[row, 2], mirror[row, 3] = r, g, b, keep
    # The horizon's light is above it, and wherever a pixel asks although the walk saw no water: a street far away, behind a wall's edge.
    for row in range(first if any_water else rows):
        mirror[row, 0], mirror[row, 1], mirror[row, 2] = light.horizon
        mirror[row, 3] = 1.0

    for row in range(rows):
        v = (0.5 * rows - row - jitter_y) / focal + camera.tilt
        norm = 1.0 / math.sqrt(1.0 + u * u + v * v)
        dx, dy, dz = rx * norm, ry * norm, v * norm
        t = hit[row]
        if t < 0.0:
            r, g, b, keep = sky_radiance(across, v / stretch, sky, view)
            if light.disc > 0.0 or light.stars > 0.0:
                sr, sg, sb = lights_of_the_sky(dx, dy, dz, light)
                r, g, b = r + sr * keep, g + sg * keep, b + sb * keep
            if truth:
                depth[row, column], classes[row, column] = np.inf, SKY
        else:
            x, y, z = camera.x + t * rx, camera.y + t * ry, camera.z + t * v
            h = ground_height(heights, lookup_level(t, focal, ground, levels), x, y, ground)
            kind = kinds[int(math.floor(y / ground.cell + 0.5)) & mask, int(math.floor(x / ground.cell + 0.5)) & mask]
            bed = ground.water_level - h
            if ground.street and side[row] == 0 and h < 0.5:
                r, g, b = pavement_radiance(x, y, t, row, first, rows, mirror, maps, detail, ground, light, focal, seconds)
            elif has_water and (t >= ground.far or (bed > 0.0 and side[row] == 0)):
                kind = WATER
                r, g, b = water_radiance(x, y, t, bed, dx, dy, dz, row, first, rows, mirror, detail, waves, ground, light, focal, seconds)
            elif ground.blocks:
                nx, ny = _outward(side[row])
                r, g, b = building_radiance(x, y, z, h, nx, ny, maps, ground, light, t, focal)
                kind = BUILDING if side[row] > 0 or h > 1.0 else ROCK
            else:
                r, g, b = land_radiance(x, y, t, focal, maps, detail, shadows, ground, light, seconds)
            r, g, b = through_air(r, g, b, t * stretch, z, dx, dy, dz, camera, light)
            if truth:
                depth[row, column], classes[row, column] = t, kind
        if ground.plume[3] > 0.0:
            r, g, b = through_plume(dx, dy, dz, t * stretch if t > 0.0 else 1e9, r, g, b, camera, detail, ground, light, seconds)
        picture[row, column, 0] += weight * r
        picture[row, column, 1] += weight * g
        picture[row, column, 2] += weight * b
