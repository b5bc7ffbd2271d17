"""Reading periodic maps: what the renderer's kernels look up in them, and how coarsely."""

import math

from numba import njit


@njit(cache=True, fastmath=True)
def bilinear(field, x, y, c):
    """Channel c of a periodic (N, N, C) field at texel coordinates (x, y); N a power of two."""
    mask = field.shape[0] - 1
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx) & mask, int(fy) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    wx, wy = x - fx, y - fy
    return ((field[j, i, c] * (1 - wx) + field[j, i1, c] * wx) * (1 - wy)
            + (field[j1, i, c] * (1 - wx) + field[j1, i1, c] * wx) * wy)


@njit(cache=True, fastmath=True)
def all_channels(field, x, y):
    """Channels 0..6 of a periodic (N, N, 8) field at texel coordinates (x, y): the weights are worked out once for all."""
    mask = field.shape[0] - 1
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx) & mask, int(fy) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    wx, wy = x - fx, y - fy
    a, b, c, d = (1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy
    p, q, r, s = field[j, i], field[j, i1], field[j1, i], field[j1, i1]
    return (a * p[0] + b * q[0] + c * r[0] + d * s[0], a * p[1] + b * q[1] + c * r[1] + d * s[1],
            a * p[2] + b * q[2] + c * r[2] + d * s[2], a * p[3] + b * q[3] + c * r[3] + d * s[3],
            a * p[4] + b * q[4] + c * r[4] + d * s[4], a * p[5] + b * q[5] + c * r[5] + d * s[5],
            a * p[6] + b * q[6] + c * r[6] + d * s[6])


@njit(cache=True, fastmath=True)
def ground_height(heights, level, x, y, ground):
    """Ground height in metres at world (x, y), read from one mip level."""
    if ground.blocks:
        field = heights[0]
        mask = field.shape[0] - 1
        return field[int(math.floor(y / ground.cell)) & mask, int(math.floor(x / ground.cell)) & mask]
    field = heights[level]
    s = 1 << level
    u = (x / ground.cell - 0.5 * (s - 1)) / s
    v = (y / ground.cell - 0.5 * (s - 1)) / s
    mask = field.shape[0] - 1
    fx, fy = math.floor(u), math.floor(v)
    i, j = int(fx) & mask, int(fy) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    wx, wy = u - fx, v - fy
    return (field[j, i] * (1 - wx) + field[j, i1] * wx) * (1 - wy) + (field[j1, i] * (1 - wx) + field[j1, i1] * wx) * wy


@njit(cache=True, fastmath=True)
def ramp(low, high, x):
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, fastmath=True)
def lookup_level(t, focal, ground, levels):
    return min(int(math.log2(max(1.2 * t / (focal * ground.cell), 1.0))), levels - 1)
