"""An invisible watermark: 40 bits that name a generation, in every frame, readable after re-encoding, scaling and cropping.

A spread spectrum on luma. Each bit of a convolutional code turns the sign of a carrier: a pattern of a middle band of frequencies whose
phases come from the server's secret. A further carrier, the pilot, is always the same, so that a reader finds how a copy was cropped.
The reader averages frames, keeps of each frequency its phase alone, and takes the word of the code that fits best. Without the secret the
pattern is noise; with a wrong one, or without a watermark, the fit is that of chance, whose distribution is known (see `Detection`).
"""

import hashlib
import hmac
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import Interpolation
from PIL import Image, UnidentifiedImageError

from lanterne.video import MediaError

BITS = 40
_GENERATORS = (0o557, 0o663, 0o711)  # the best of rate 1/3 with 9 taps
_MEMORY = 8
_SYMBOLS = len(_GENERATORS) * BITS
_PILOT = 0.2  # its share of the energy
_BAND = (0.05, 0.16)  # cycles per pixel of the canonical grid: below, the picture is too strong; above, codecs and scaling take it
_STRENGTH = 1.35  # levels of 255, for each unit of `_room`: 44 dB where the picture is smooth
_LOUDEST = 41.0  # decibels: no frame is changed by more, however much there is room for
_GRIDS = ((256, 144), (192, 192), (144, 256))  # canonical (width, height): the model's own sizes
_SCALES = np.arange(1.0, 0.779, -0.01)  # shares of the width or height that a crop may leave
_CANDIDATES = 8  # places that the pilot proposes and the code decides on
_MAX_FRAMES = 256  # more add little
_FALSE_POSITIVES = 1e-6  # of videos, at most


@dataclass(frozen=True)
class Detection:
    """number: what was embedded. score: how well the best word of the code fits, in standard deviations of chance.

    false_positive_rate: how often an unmarked video reaches this score, at most: all words and all places that were tried, times the
    normal distribution's tail. share: (of the width, of the height) of the original that the file shows.
    """

    number: int
    score: float
    false_positive_rate: float
    share: tuple[float, float]

    @property
    def odds(self) -> str:
        """The rate in words."""
        return f"by chance in one of {1 / max(self.false_positive_rate, 1e-9):,.0f} videos at most"


class Placement(NamedTuple):
    """(of the width, of the height) that a file may show of the canonical picture, and the band's phases if it does, laid to the upper
    left."""

    share: tuple[float, float]
    phases: np.ndarray


def number_of(secret: bytes, name: str) -> int:
    """The number for what is called `name`: the same for the same name, and telling nothing of it."""
    return int.from_bytes(hmac.new(secret, b"number " + name.encode(), "sha256").digest()[: BITS // 8])


def pattern(secret: bytes, number: int, width: int, height: int) -> np.ndarray:
    """(height, width) float32 of mean 0 and variance 1: what is added to every frame of that size, up to its strength."""
    assert 0 <= number < 1 << BITS
    carriers, band = _carriers(secret, width, height), _band(width, height)
    signs = 1.0 - 2.0 * _encode([number >> (BITS - 1 - place) & 1 for place in range(BITS)])
    weights = np.concatenate([[math.sqrt(_PILOT)], math.sqrt((1 - _PILOT) / _SYMBOLS) * signs])
    spectrum = np.zeros((height, width // 2 + 1), complex)
    spectrum[band] = weights @ carriers
    field = np.fft.irfft2(spectrum, (height, width))
    return (field / field.std()).astype(np.float32)


def embed(frames_THWC: np.ndarray, pattern_HW: np.ndarray) -> np.ndarray:
    """Frames with the pattern in them, uint8 like those given: stronger where there is texture to hide it, and needed against it."""
    marked, loudest = np.empty_like(frames_THWC), 255 * 10 ** (-_LOUDEST / 20)
    for index, picture in enumerate(frames_THWC):
        wave = _STRENGTH * _room(picture[..., 1].astype(np.float32)) * pattern_HW
        wave *= min(1.0, loudest / math.sqrt(np.vdot(wave, wave) / wave.size))
        np.clip(np.rint(picture + wave[..., None]), 0, 255, out=marked[index], casting="unsafe")
    return marked


def _room(y_HW: np.ndarray) -> np.ndarray:
    """How much a change hides at each pixel: the fourth root of the variance around it, within limits."""
    mean, square = _boxed(np.stack([y_HW, y_HW * y_HW]), 4)
    return np.clip(square - mean * mean, 2.0, 64.0) ** 0.25


def find(path: Path, secret: bytes) -> Detection | None:
    """The watermark in a video or picture, or None. Raises MediaError for what cannot be read."""
    size, views = _views(Path(path))
    return detect(residue(views), size, secret)


def residue(views: Iterable[np.ndarray]) -> np.ndarray:
    """(h, w) float32: the mean of luma frames (h, w), each kept to the band and brought to one strength everywhere, so that neither an
    edge nor a frame outweighs the rest."""
    total, count, gain = 0.0, 0, None
    for y_HW in views:
        if gain is None:
            gain = _gain(*y_HW.shape[::-1])
        kept = np.fft.irfft2(np.fft.rfft2(y_HW) * gain, y_HW.shape)
        total = total + kept / np.sqrt(_boxed(kept * kept, 8) + 0.3)
        count += 1
    return total / count


def detect(residue_HW: np.ndarray, size: tuple[int, int], secret: bytes) -> Detection | None:
    """The watermark in the `residue` of a file of that (width, height)."""
    grid = grid_of(size)
    return search(placements(residue_HW, size), grid, secret)


def search(placed: Iterable[Placement], grid: tuple[int, int], secret: bytes) -> Detection | None:
    """Read the first of the `placements` in the middle of the grid, where our own writer puts it; then the best that the pilot proposes
    among crops that keep the aspect, and among all."""
    carriers, proposals, places = _carriers(secret, *grid), [], 0
    for index, (share, phases) in enumerate(placed):
        free = [side - part + 1 for side, part in zip(grid, _size_of(share, grid), strict=True)]
        if index == 0 and (found := _read(carriers, phases, (free[0] // 2, free[1] // 2), share, grid, 1)):
            return found
        fit = _fit_of_pilot(carriers[0], phases, free, grid)
        places += fit.size
        top = np.unravel_index(np.argmax(fit), fit.shape)
        proposals.append((fit[top], phases, top[::-1], share))
        if index + 1 in (len(_SCALES), len(_SCALES) ** 2) and (found := _best(carriers, proposals, grid, places)):
            return found
    return None


def placements(residue_HW: np.ndarray, size: tuple[int, int]) -> Iterator[Placement]:
    """What of the canonical picture a file of that size may show: first what it shows when our own writer cut the middle out of a picture,
    then less of it in the same aspect, then in others."""
    grid = grid_of(size)
    aspect = (size[0] / size[1]) / (grid[0] / grid[1])
    whole = min(1.0, aspect), min(1.0, 1 / aspect)
    for x, y in sorted(product(_SCALES, _SCALES), key=lambda scales: scales[0] != scales[1]):
        share = float(whole[0] * x), float(whole[1] * y)
        yield Placement(share, _phases(residue_HW, share, grid))


def _best(carriers, proposals, grid, places) -> Detection | None:
    tried = sorted(proposals, key=lambda proposal: -proposal[0])[:_CANDIDATES]
    found = [_read(carriers, phases, offset, share, grid, places) for _, phases, offset, share in tried]
    return max(filter(None, found), key=lambda detection: detection.score, default=None)


def _read(carriers, phases, offset, share, grid, places) -> Detection | None:
    """The word of the code that fits best at one place, if it fits better than chance allows among so many places."""
    band = _band(*grid)
    y, x = (np.fft.fftfreq(grid[1])[band[0]], np.fft.rfftfreq(grid[0])[band[1]])
    moved = phases * np.exp(-2j * np.pi * (y * offset[1] + x * offset[0]))
    fits = (carriers.conj() @ moved).real * math.sqrt(2 / len(moved))  # of chance: mean 0, variance 1
    bits = _decode(fits[1:])
    signs = 1.0 - 2.0 * _encode(bits)
    score = math.sqrt(_PILOT) * float(fits[0]) + math.sqrt((1 - _PILOT) / _SYMBOLS) * float(signs @ fits[1:])
    rate = places * 2.0**BITS * 0.5 * math.erfc(score / math.sqrt(2))
    if rate > _FALSE_POSITIVES:
        return None
    return Detection(int("".join(map(str, bits)), 2), score, rate, share)


def _phases(residue_HW, share, grid) -> np.ndarray:
    (width, height), size = grid, _size_of(share, grid)
    plane = np.zeros((height, width), np.float32)
    plane[: size[1], : size[0]] = Image.fromarray(residue_HW).resize(size, Image.Resampling.BICUBIC)
    coefficients = np.fft.rfft2(plane)[_band(width, height)]
    return coefficients / np.maximum(np.abs(coefficients), 1e-9)


def _fit_of_pilot(pilot, phases, free, grid) -> np.ndarray:
    """(rows, columns): how well the pilot fits when the picture is moved so far, in standard deviations of chance."""
    places, down, across = _moves(*grid)
    spectrum = np.zeros((down.shape[1], across.shape[0]), np.complex64)
    spectrum[places] = pilot.conj() * phases
    return (down[: free[1]] @ spectrum @ across[:, : free[0]]).real * math.sqrt(2 / len(phases))


@cache
def _moves(width: int, height: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """The band's places among the rows and columns that it touches, and what moving by 0, 1, … pixels turns their phases by."""
    (rows, row), (columns, column) = (np.unique(places, return_inverse=True) for places in _band(width, height))
    down = np.exp(-2j * np.pi * np.arange(height)[:, None] * np.fft.fftfreq(height)[rows])
    across = np.exp(-2j * np.pi * np.fft.rfftfreq(width)[columns][:, None] * np.arange(width))
    return (row, column), down.astype(np.complex64), across.astype(np.complex64)


def grid_of(size: tuple[int, int]) -> tuple[int, int]:
    """The canonical grid whose aspect is nearest: that of the model's own size from which such a file is made."""
    aspect = math.log(size[0] / size[1])
    return min(_GRIDS, key=lambda grid: abs(math.log(grid[0] / grid[1]) - aspect))


def _size_of(share, grid) -> tuple[int, int]:
    return max(1, round(share[0] * grid[0])), max(1, round(share[1] * grid[1]))


def _views(path: Path) -> tuple[tuple[int, int], Iterator[np.ndarray]]:
    """(width, height) of a file, and its frames' luma, as float32 at about the canonical size."""
    try:
        with Image.open(path) as picture:
            still = picture.convert("L")
        return still.size, iter([np.asarray(still.resize(grid_of(still.size), Image.Resampling.LANCZOS), np.float32)])
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        pass
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            size, step = (stream.width, stream.height), max(1, stream.frames // _MAX_FRAMES)
    except (av.FFmpegError, OSError, IndexError):
        raise MediaError(f"{path} cannot be read as a video; it is cut short, damaged, or not a video at all.") from None
    return size, _frames(path, grid_of(size), step)


def _frames(path, grid, step):
    try:
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for index, frame in enumerate(container.decode(video=0)):
                if index % step == 0:
                    yield frame.reformat(*grid, "gray", interpolation=Interpolation.BICUBIC).to_ndarray().astype(np.float32)
    except av.FFmpegError:
        raise MediaError(f"{path} cannot be read as a video; it is cut short, damaged, or not a video at all.") from None


@cache
def _gain(width: int, height: int) -> np.ndarray:
    """1 in the band and 0 elsewhere, for the half spectrum of a plane of that size."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return ((frequency >= _BAND[0]) & (frequency <= _BAND[1])).astype(np.float32)


@cache
def _band(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the half spectrum that are in the band; the column that mirrors itself is left out."""
    gain = _gain(width, height).copy()
    gain[:, 0] = 0
    return np.nonzero(gain)


@cache
def _carriers(secret: bytes, width: int, height: int) -> np.ndarray:
    """(1 + symbols, coefficients of the band) complex64 of magnitude 1, phases by the secret: the pilot, then one for each symbol."""
    count = len(_band(width, height)[0])
    stream = hashlib.shake_256(b"carriers %d %d " % (width, height) + secret).digest((1 + _SYMBOLS) * count)
    quarter = np.frombuffer(stream, np.uint8).reshape(1 + _SYMBOLS, count) & 3
    return np.array([1, 1j, -1, -1j], np.complex64)[quarter]


def _boxed(planes: np.ndarray, radius: int) -> np.ndarray:
    """Means over squares of (2 radius + 1) pixels, edges repeated, over the last two axes."""
    for axis in (-1, -2):
        padding = [(0, 0)] * planes.ndim
        padding[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(planes, padding, "edge"), axis=axis)
        width = 2 * radius + 1
        planes = (np.take(sums, range(width, sums.shape[axis]), axis) - np.take(sums, range(sums.shape[axis] - width), axis)) / width
    return planes


def _encode(bits) -> np.ndarray:
    """(symbols,) of a tail-biting convolutional code: the register starts as it ends, so that no bit is spent on ending it."""
    state = 0
    for bit in bits[-_MEMORY:]:
        state = state >> 1 | bit << (_MEMORY - 1)
    symbols = []
    for bit in bits:
        register = bit << _MEMORY | state
        symbols += [bin(register & generator).count("1") & 1 for generator in _GENERATORS]
        state = register >> 1
    return np.array(symbols)


@cache
def _trellis() -> tuple[np.ndarray, np.ndarray]:
    """For each state: its two predecessors (states, 2), and the signs of the symbols on the way (states, 2, symbols of a bit)."""
    states = np.arange(1 << _MEMORY)
    before = np.stack([(states << 1) & (len(states) - 1), (states << 1) & (len(states) - 1) | 1], axis=1)
    register = (states >> (_MEMORY - 1) << _MEMORY)[:, None] | before
    parity = np.array([[[bin(r & generator).count("1") & 1 for generator in _GENERATORS] for r in row] for row in register])
    return before, 1.0 - 2.0 * parity


def _decode(fits: np.ndarray) -> list[int]:
    """The bits of the word that fits best (Viterbi), going round twice before and once after, since the start is not known."""
    before, signs = _trellis()
    symbols = np.tile(fits.reshape(BITS, len(_GENERATORS)), (3, 1))
    metric, choices = np.zeros(len(before)), []
    for given in symbols:
        ways = metric[before] + signs @ given
        choice = np.argmax(ways, axis=1)
        metric = np.take_along_axis(ways, choice[:, None], 1)[:, 0]
        choices.append(choice)
    state, bits = int(np.argmax(metric)), []
    for choice in reversed(choices):
        bits.append(state >> (_MEMORY - 1))
        state = int(before[state, choice[state]])
    bits = bits[::-1]
    return bits[BITS : 2 * BITS]
