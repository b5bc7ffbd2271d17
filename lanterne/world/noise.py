"""Periodic noise fields: every map tiles, so that a camera can fly on for a minute without meeting an edge.

Gradient noise after Perlin (SIGGRAPH 2002); the sums of octaves after Musgrave, *Texturing and Modeling*, ch. 16.
"""
import math

import numpy as np
from numba import njit

_ANGLES = 2.0 * np.pi * np.arange(256) / 256
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)  # a table: sine and cosine per corner cost more than all the rest


@njit(cache=True, fastmath=True)
def _hash(x, y, seed):
    """Two lattice integers and a seed to an unsigned 32-bit integer (a Murmur-like finaliser)."""
    h = np.uint32(x) * np.uint32(0x9E3779B1) ^ np.uint32(y) * np.uint32(0x85EBCA77) ^ np.uint32(seed) * np.uint32(0xC2B2AE3D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(12)
    h *= np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    return h


@njit(cache=True, fastmath=True)
def uniform(x, y, seed):
    """A number in [0, 1) for a lattice point."""
    return float(_hash(x, y, seed) & np.uint32(0xFFFFFF)) / 16777216.0


@njit(cache=True, fastmath=True)
def gradient_noise(x, y, period, seed):
    """Perlin noise in about [-1, 1] at (x, y), repeating every `period` lattice units."""
    ix, iy = math.floor(x), math.floor(y)
    fx, fy = x - ix, y - iy
    total = 0.0
    for dy in range(2):
        for dx in range(2):
            k = _hash((int(ix) + dx) % period, (int(iy) + dy) % period, seed) & np.uint32(255)
            sx, sy = fx - dx, fy - dy
            wx = 1.0 - abs(sx)
            wy = 1.0 - abs(sy)
            wx = wx * wx * wx * (wx * (wx * 6.0 - 15.0) + 10.0)
            wy = wy * wy * wy * (wy * (wy * 6.0 - 15.0) + 10.0)
            total += wx * wy * (_COS[k] * sx + _SIN[k] * sy)
    return 1.5 * total


@njit(cache=True, fastmath=True)
def fractal(size, period, octaves, gain, ridged, warp, seed):
    """A (size, size) field of fractal noise, float32.

    period: lattice cells across the field for the first octave; gain: amplitude ratio of an octave to the last;
    ridged: 0 for plain (about [-1, 1]), 1 for ridges (about [0, 1], sharp crests); warp: domain warp in first-octave cells.
    """
    out = np.empty((size, size), np.float32)
    for j in range(size):
        for i in range(size):
            u, v = period * i / size, period * j / size
            if warp > 0.0:
                du = gradient_noise(u, v, period, seed + 101) + 0.5 * gradient_noise(2 * u, 2 * v, 2 * period, seed + 103)
                dv = gradient_noise(u, v, period, seed + 102) + 0.5 * gradient_noise(2 * u, 2 * v, 2 * period, seed + 104)
                u += warp * du
                v += warp * dv
            total, amplitude, norm, frequency, weight = 0.0, 1.0, 0.0, 1, 1.0
            for octave in range(octaves):
                n = gradient_noise(u * frequency, v * frequency, period * frequency, seed + octave)
                if ridged:
                    n = 1.0 - abs(n)
                    n = n * n * weight
                    weight = min(max(n * 2.0, 0.0), 1.0)
                total += amplitude * n
                norm += amplitude
                amplitude *= gain
                frequency *= 2
            out[j, i] = total / norm
    return out


@njit(cache=True, fastmath=True)
def crowns(size, spacing, radius, jitter, seed, pointed=0.0):
    """Tree crowns on a jittered grid: (size, size) crown height in [0, 1] and the tree's own number in [0, 1).

    spacing and radius are in cells. Each tree is a rounded cap, or for a share `pointed` of them a slender cone; the highest crown wins.
    """
    height = np.zeros((size, size), np.float32)
    which = np.zeros((size, size), np.float32)
    count = int(size / spacing)
    step = size / count
    for j in range(size):
        for i in range(size):
            gi, gj = int(i / step), int(j / step)
            best, best_id = 0.0, 0.0
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    ci, cj = (gi + di) % count, (gj + dj) % count
                    x = (gi + di + 0.5 + jitter * (uniform(ci, cj, seed) - 0.5)) * step
                    y = (gj + dj + 0.5 + jitter * (uniform(ci, cj, seed + 1) - 0.5)) * step
                    tree = uniform(ci, cj, seed + 2)
                    slender = uniform(ci, cj, seed + 4) < pointed
                    r = radius * (0.7 + 0.5 * tree) * (0.75 if slender else 1.0)
                    d2 = ((i - x) * (i - x) + (j - y) * (j - y)) / (r * r)
                    if d2 < 1.0:
                        h = (1.25 * (1.0 - math.sqrt(d2)) if slender else 1.0 - d2) * (0.6 + 0.4 * tree)
                        if h > best:
                            best, best_id = h, uniform(ci, cj, seed + 3)
            height[j, i] = best
            which[j, i] = best_id
    return height, which


def smoothstep(low, high, x):
    """Hermite ramp from 0 at `low` to 1 at `high` (either order)."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def halve(field):
    """Mean of 2x2 blocks: (N, N, ...) -> (N/2, N/2, ...)."""
    return np.ascontiguousarray((field[0::2, 0::2] + field[1::2, 0::2] + field[0::2, 1::2] + field[1::2, 1::2]) * np.float32(0.25))


def blur(field, radius):
    """Periodic Gaussian blur of an (N, N) field; radius (standard deviation) in cells."""
    k = np.fft.fftfreq(field.shape[0])[:, None] ** 2 + np.fft.rfftfreq(field.shape[1])[None, :] ** 2
    spectrum = np.fft.rfft2(field) * np.exp(-2.0 * (math.pi * radius) ** 2 * k)
    return np.fft.irfft2(spectrum, s=field.shape).astype(np.float32)
