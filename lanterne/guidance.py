"""Classifier-free guidance on the way from noise to video: by two passes a step, or by one of a network that has learnt what the two give.

Both remember finished chunks, each in a cache of its own, and are batches of B videos: the road's is of one.
"""

import torch
from torch import Tensor

from lanterne.flow import TIMESTEPS
from lanterne.models.transformer import SpacetimeTransformer
from lanterne.samplers import guided

LATER_GUIDANCE = 0.5  # share of the guidance that chunks after the first get: what they show is settled, and colours would grow
CONTEXT_SIGMA = 0.1  # history is remembered a little noisy, as in training: errors then fade instead of adding up


def guidance_at(start: int, guidance: float) -> float:
    """The guidance of the chunk that begins at latent frame `start`."""
    return guidance if start == 0 else 1 + LATER_GUIDANCE * (guidance - 1)


class OnePass:
    """The network's own velocity: of one that guidance was distilled into, or without any."""

    def __init__(self, model: SpacetimeTransformer, text_BLD: Tensor):
        self.model, self.text, self.cache = model, model.prepare_text(text_BLD), model.new_cache()

    def velocity(self, x_BCtHW: Tensor, sigma_1t: Tensor, start: int, places: Tensor) -> Tensor:
        """(B, C, t, H, W) float32, of the chunk that begins at latent frame `start`.

        sigma_1t: (1, t), or (1, 1) for all latent frames. places: as SpacetimeTransformer.forward_chunk takes them, of one video or of B.
        """
        return self.model.forward_chunk(x_BCtHW.to(_dtype(self.model)), sigma_1t * TIMESTEPS, self.text, self.cache, places).float()

    def remember(self, x0_BCtHW: Tensor, noise_BCtHW: Tensor, places: Tensor) -> None:
        """A finished chunk, for those to come."""
        noisy = _a_little_noisy(x0_BCtHW, noise_BCtHW).to(_dtype(self.model))
        self.model.remember(noisy, torch.tensor([[CONTEXT_SIGMA * TIMESTEPS]], device=noisy.device), self.text, self.cache, places)


class TwoPasses:
    """The velocity beyond what the prompt changes, in one batch with the velocity without it.

    The side without it remembers pure noise: guidance then goes not only towards the prompt but also towards what was before (history
    guidance, Song et al. 2025). without_BLD: no prompt, or a negative one.
    """

    def __init__(self, model: SpacetimeTransformer, text_BLD: Tensor, without_BLD: Tensor, guidance: float):
        self.model, self.guidance = model, guidance
        self.text, self.cache = model.prepare_text(torch.cat([text_BLD, without_BLD])), model.new_cache()

    def velocity(self, x_BCtHW: Tensor, sigma_1t: Tensor, start: int, places: Tensor) -> Tensor:
        """As OnePass.velocity."""
        both = torch.cat([x_BCtHW, x_BCtHW]).to(_dtype(self.model))
        v = self.model.forward_chunk(both, sigma_1t * TIMESTEPS, self.text, self.cache, _twice(places)).float()
        return guided(*v.chunk(2), guidance_at(start, self.guidance))

    def remember(self, x0_BCtHW: Tensor, noise_BCtHW: Tensor, places: Tensor) -> None:
        """As OnePass.remember."""
        both = torch.cat([_a_little_noisy(x0_BCtHW, noise_BCtHW), noise_BCtHW]).to(_dtype(self.model))
        sigma_B1 = torch.tensor([[CONTEXT_SIGMA], [1.0]], device=both.device).repeat_interleave(len(x0_BCtHW), dim=0)
        self.model.remember(both, sigma_B1 * TIMESTEPS, self.text, self.cache, _twice(places))


def _a_little_noisy(x0: Tensor, noise: Tensor) -> Tensor:
    return (1 - CONTEXT_SIGMA) * x0 + CONTEXT_SIGMA * noise


def _dtype(model: SpacetimeTransformer) -> torch.dtype:
    return model.proj_out.weight.dtype


def _twice(places: Tensor) -> Tensor:
    """(2B, ...) of B videos' places; one video's are both passes'."""
    return places if len(places) == 1 else torch.cat([places, places])
