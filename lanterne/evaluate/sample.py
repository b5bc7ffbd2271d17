"""Many prompts at once, for measuring: the road's own steps on a batch. A test holds it to the road's result."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lanterne.camera import CameraMotion
from lanterne.flow import TIMESTEPS, chunk_spans, latent_frames_for, noise, sigmas_for
from lanterne.generate import CONTEXT_SIGMA, CONTEXT_STREAM, SHIFT, Engine, guidance_at, joined, places_of
from lanterne.samplers import adams_bashforth, guided
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
    model, count = engine.transformer, len(told)
    text = model.prepare_text(engine.text_encoder.encode([*(said for said, _ in told), *[""] * count]))
    cache, chunks = model.new_cache(), []

    def noises(start, stop, stream=0):
        shape = (engine.autoencoder.config.latent_channels, 9, 16)
        drawn = [np.stack([noise(seed, stream + frame, shape) for frame in range(start, stop)], axis=1) for seed in seeds]
        return torch.from_numpy(np.stack(drawn))

    def doubled(x):
        return torch.cat([x, x]).to(engine.dtype)

    for start, stop in chunk_spans(latent_frames_for(num_frames)):
        standing = torch.cat([places_of(motion, cache, start, stop, 9, 16) for _, motion in told] * 2)

        def velocity(x, sigma, start=start, standing=standing):
            v = model.forward_chunk(doubled(x), torch.tensor([sigma * TIMESTEPS]), text, cache, standing).float()
            v = guided(v[:count], v[count:], guidance_at(start, guidance))
            return joined(v, x, sigma, chunks[-1][:, :, -1]) if chunks else v

        x0 = adams_bashforth(velocity, noises(start, stop), sigmas_for(steps, SHIFT))
        lost = noises(start, stop, CONTEXT_STREAM)
        sides = torch.cat([(1 - CONTEXT_SIGMA) * x0 + CONTEXT_SIGMA * lost, lost]).to(engine.dtype)
        sigma_B1 = torch.tensor([[CONTEXT_SIGMA]] * count + [[1.0]] * count)
        model.remember(sides, sigma_B1 * TIMESTEPS, text, cache, standing)
        chunks.append(x0)
    return torch.cat(chunks, dim=2)
