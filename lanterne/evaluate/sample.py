"""Many prompts at once, for measuring: the road's own steps on a batch. A test holds it to the road's result."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lanterne import FPS
from lanterne.camera import CameraMotion, over
from lanterne.flow import chunk_spans, latent_frames_for, noise, sigmas_for
from lanterne.generate import CONTEXT_STREAM, SHIFT, Engine, joined, places_of
from lanterne.samplers import adams_bashforth
from lanterne.world.prompts import reader


@torch.inference_mode()
def sample(
    engine: Engine, prompts: list[str], seeds: list[int], num_frames: int, steps: int, guidance: float, batch: int = 8
) -> Iterator[np.ndarray]:
    """One clip (num_frames, 144, 256, 3) uint8 for each prompt, in order."""
    read = reader(engine.metadata, engine.guess)
    for start in range(0, len(prompts), batch):
        chosen = slice(start, start + batch)
        latents = _sample_latents(engine, [read(prompt) for prompt in prompts[chosen]], seeds[chosen], num_frames, steps, guidance)
        for latents_1CTHW in latents.split(1):
            video = engine.autoencoder.decode(latents_1CTHW.to(engine.dtype))[0, :, :num_frames]
            yield ((video.float() + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy()


def _sample_latents(
    engine: Engine, told: list[tuple[str, CameraMotion]], seeds: list[int], num_frames: int, steps: int, guidance: float
) -> Tensor:
    """Normalised latents (B, C, T, 9, 16) float32."""
    network, chunks = engine.network([said for said, _ in told], guidance), []

    def noises(start, stop, stream=0):
        shape = (engine.autoencoder.config.latent_channels, 9, 16)
        drawn = [np.stack([noise(seed, stream + frame, shape) for frame in range(start, stop)], axis=1) for seed in seeds]
        return torch.from_numpy(np.stack(drawn))

    for start, stop in chunk_spans(latent_frames_for(num_frames)):
        standing = torch.cat([places_of(over(motion, num_frames / FPS), network.cache, start, stop, 9, 16) for _, motion in told])

        def velocity(x, sigma, start=start, standing=standing):
            v = network.velocity(x, torch.tensor([[sigma]]), start, standing)
            return joined(v, x, sigma, chunks[-1][:, :, -1]) if chunks else v

        chunks.append(adams_bashforth(velocity, noises(start, stop), sigmas_for(steps, SHIFT)))
        network.remember(chunks[-1], noises(start, stop, CONTEXT_STREAM), standing)
    return torch.cat(chunks, dim=2)
