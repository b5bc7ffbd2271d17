"""The renderer's kernels on a GPU: the same functions as on a processor, a thread for each column and each pixel."""

import math

import numpy as np

if not hasattr(np, "row_stack"):  # gone since numpy 2.5; numba-cuda up to 0.30 asks for it when it is imported
    np.row_stack = np.vstack
from numba import cuda

from lanterne.world import kernels
from lanterne.world.families import planet, table
from lanterne.world.film import develop_pixel, lamp_pixel
from lanterne.world.sky import sky_texel
from lanterne.world.things import draw as subject
from lanterne.world.things import strokes as brush

_COLUMNS, _PIXELS = 64, (16, 16)  # threads in a block


@cuda.jit(fastmath=True)
def _columns(picture, depth, classes, camera, jitter_x, jitter_y, heights, maps, kinds, detail, shadows, sky, view, waves, ground, light,
             seconds, weight, truth, hit, side, mirror):
    column = cuda.grid(1)
    if column < picture.shape[1]:
        kernels.render_column(column, picture, depth, classes, camera, jitter_x, jitter_y, heights, maps, kinds, detail, shadows, sky, view,
                              waves, ground, light, seconds, weight, truth, hit[column], side[column], mirror[column])


@cuda.jit(fastmath=True)
def _sky(sky, view, camera, clouds, light, seconds):
    row, column = cuda.grid(2)
    if row < sky.shape[0] and column < sky.shape[1]:
        sky_texel(row, column, sky, view, camera, clouds, light, seconds)


@cuda.jit(fastmath=True)
def _lamps(picture, lamps, light):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        lamp_pixel(row, column, picture, lamps, light)


@cuda.jit(fastmath=True)
def _pixels(picture, frame, light, seconds, flash, scale, srgb):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        develop_pixel(row, column, picture, frame, light, seconds, flash, scale, srgb)


@cuda.jit(fastmath=True)
def _subject(picture, before, depth, classes, camera, fx, fy, jitter_x, jitter_y, thing, light, swell, weight):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        subject.draw_pixel(row, column, picture, before, depth, classes, camera, fx, fy, jitter_x, jitter_y, thing, light, swell, weight)


@cuda.jit(fastmath=True)
def _strokes(picture, before, depth, classes, strokes, weight):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        for k in range(strokes.shape[0]):
            brush.stroke_pixel(row, column, picture, before, depth, classes, strokes, k, weight)


@cuda.jit(fastmath=True)
def _table(picture, depth, classes, camera, jitter_x, jitter_y, shown, solids, seconds, weight, truth):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        table.render_pixel(row, column, picture, depth, classes, camera, jitter_x, jitter_y, shown, solids, seconds, weight, truth)


@cuda.jit(fastmath=True)
def _planet(picture, depth, classes, camera, jitter_x, jitter_y, shown, field, seconds, weight, truth):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        planet.render_pixel(row, column, picture, depth, classes, camera, jitter_x, jitter_y, shown, field, seconds, weight, truth)


def render_pass(picture, *scene):
    """As kernels.render_pass, on device arrays."""
    rows, columns = picture.shape[:2]
    notepad = [cuda.device_array((columns, rows, *more), kind) for kind, more in (("f8", ()), ("i1", ()), ("f8", (4,)))]
    _columns[-(-columns // _COLUMNS), _COLUMNS](picture, *scene, *notepad)


def render_sky(sky, *scene):
    """As kernels.render_sky, on device arrays."""
    _sky[_blocks(sky), _PIXELS](sky, *scene)


def render_lamps(picture, lamps, light):
    """As kernels.render_lamps, on device arrays."""
    _lamps[_blocks(picture), _PIXELS](picture, lamps, light)


def develop(picture, frame, *film):
    """As kernels.develop, on device arrays."""
    _pixels[_blocks(picture), _PIXELS](picture, frame, *film)


def draw(picture, before, depth, classes, camera, *scene):
    """As things.draw.draw, on device arrays."""
    way = math.cos(camera.yaw), math.sin(camera.yaw)
    _subject[_blocks(picture), _PIXELS](picture, before, depth, classes, camera, *way, *scene)


def draw_strokes(picture, *scene):
    """As things.strokes.draw_strokes, on device arrays."""
    _strokes[_blocks(picture), _PIXELS](picture, *scene)


def render_table(picture, *scene):
    """As families.table.render_pass, on device arrays."""
    _table[_blocks(picture), _PIXELS](picture, *scene)


def render_planet(picture, *scene):
    """As families.planet.render_pass, on device arrays."""
    _planet[_blocks(picture), _PIXELS](picture, *scene)


def _blocks(picture):
    return tuple(-(-size // threads) for size, threads in zip(picture.shape[:2], _PIXELS, strict=True))


def to_device(array):
    """An array, or a tuple of mip levels, in the GPU's memory."""
    return tuple(map(cuda.to_device, array)) if isinstance(array, tuple) else cuda.to_device(array)


def copy(array):
    twin = cuda.device_array_like(array)
    twin.copy_to_device(array)
    return twin


def to_host(array):
    return array.copy_to_host()
