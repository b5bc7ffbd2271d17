"""The renderer's kernels on a GPU: the same functions as on a processor, a thread for each column and each pixel."""

from numba import cuda

from lanterne.world import kernels

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
        kernels.sky_texel(row, column, sky, view, camera, clouds, light, seconds)


@cuda.jit(fastmath=True)
def _lamps(picture, lamps, light):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        kernels.lamp_pixel(row, column, picture, lamps, light)


@cuda.jit(fastmath=True)
def _pixels(picture, frame, light, seconds, flash, scale, srgb):
    row, column = cuda.grid(2)
    if row < picture.shape[0] and column < picture.shape[1]:
        kernels.develop_pixel(row, column, picture, frame, light, seconds, flash, scale, srgb)


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


def _blocks(picture):
    return tuple(-(-size // threads) for size, threads in zip(picture.shape[:2], _PIXELS, strict=True))


def to_device(array):
    """An array, or a tuple of mip levels, in the GPU's memory."""
    return tuple(map(cuda.to_device, array)) if isinstance(array, tuple) else cuda.to_device(array)


def to_host(array):
    return array.copy_to_host()
