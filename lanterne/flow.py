"""Flow matching: a straight line from data to noise, and how its time is cut into chunks, steps and draws.

x_sigma = (1 - sigma) x0 + sigma noise, for sigma from 0 (data) to 1 (noise); its velocity dx/dsigma = noise - x0 is what
the transformer predicts (Lipman et al. 2023; Liu et al. 2023). The functions that add and multiply take arrays of any
library; noise always comes from NumPy, so that it is the same on every device.
"""

import math
from collections.abc import Sequence

import numpy as np

from lanterne.models.autoencoder import TEMPORAL_FACTOR

FIRST_CHUNK = 5  # latent frames: the one that stands for a single frame, and four more
CHUNK = 4
TIMESTEPS = 1000  # the network is told sigma * 1000, as Wan's are


def latent_frames_for(num_frames: int) -> int:
    """The number of latent frames T that hold at least `num_frames` frames: the first holds 1, each later one 4."""
    if num_frames < 1:
        raise ValueError(f"num_frames={num_frames} makes no video; ask for 1 (a still) or more.")
    return 1 + math.ceil((num_frames - 1) / TEMPORAL_FACTOR)


def frames_for(num_latent_frames: int) -> int:
    """The number of frames that T latent frames decode to."""
    return 1 + TEMPORAL_FACTOR * (num_latent_frames - 1)


def frame_of(latent_frames: Sequence[int]) -> np.ndarray:
    """(T,) the frame, between two frames where need be, that is the middle of each latent frame."""
    latent_frames = np.asarray(latent_frames)
    return np.where(latent_frames == 0, 0.0, TEMPORAL_FACTOR * latent_frames - (TEMPORAL_FACTOR - 1) / 2)


def chunk_spans(num_latent_frames: int) -> list[tuple[int, int]]:
    """[(start, stop), ...] over latent frames: 5, then 4 each, the last what is left."""
    if num_latent_frames < 1:
        raise ValueError(f"num_latent_frames={num_latent_frames} has no chunk; give 1 or more.")
    stops = [*range(FIRST_CHUNK, num_latent_frames, CHUNK), num_latent_frames]
    return list(zip([0, *stops[:-1]], stops, strict=True))


def interpolate(x0_BCTHW, noise_BCTHW, sigma):
    """x_sigma. sigma: one number, or (B, T), a noise level per latent frame (diffusion forcing, Chen et al. 2024)."""
    sigma = _over_frames(sigma)
    return (1 - sigma) * x0_BCTHW + sigma * noise_BCTHW


def velocity(x0_BCTHW, noise_BCTHW):
    """dx_sigma/dsigma, the training target."""
    return noise_BCTHW - x0_BCTHW


def shift_sigma(sigma, shift: float):
    """Move noise levels up (shift > 1), for signals that noise hides less. Esser et al. 2024, eq. 23."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def sigmas_for(num_steps: int, shift: float = 1.0) -> tuple[float, ...]:
    """The num_steps + 1 noise levels of a sampling run, falling from exactly 1 to exactly 0."""
    if num_steps < 1:
        raise ValueError(f"num_steps={num_steps} does not denoise; ask for 1 or more.")
    return tuple(shift_sigma(1 - step / num_steps, shift) for step in range(num_steps + 1))


def noise(seed: int, frame_index: int, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal float32 noise of one latent frame.

    Drawn from Philox (Salmon et al. 2011) keyed by the seed and the absolute latent frame, so that it does not depend
    on how the video is cut into chunks, where it was resumed, or what device it runs on.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed={seed} is outside 0 .. 2**64 - 1; choose one inside.")
    key = np.array([seed, frame_index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(shape, dtype=np.float32)


def sample_sigmas(
    generator: np.random.Generator,
    batch: int,
    group_lengths: tuple[int, ...],
    shift: float = 1.0,
    mean: float = 0.0,
    std: float = 1.0,
) -> np.ndarray:
    """Noise levels to train on, (B, T) float32: logit-normal (Esser et al. 2024), then shifted.

    Each group of latent frames draws one level: (T,) is one for the clip, the chunks' lengths one for each chunk,
    (1,) * T one for each latent frame.
    """
    levels = 1 / (1 + np.exp(-generator.normal(mean, std, (batch, len(group_lengths)))))
    return np.repeat(shift_sigma(levels, shift), group_lengths, axis=1).astype(np.float32)


def _over_frames(sigma):
    """(B, T) -> (B, 1, T, 1, 1); a number stays one."""
    return sigma[:, None, :, None, None] if getattr(sigma, "ndim", 0) == 2 else sigma
