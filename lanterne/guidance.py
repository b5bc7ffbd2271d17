"""Classifier-free guidance on the way from noise to video, for much less than two passes a step.

Guidance goes beyond what the prompt changes: it asks the network twice, with the prompt and without. The first chunk decides what is seen
and gets both at every step. In those after it most of the second answers can be had for less:

- At high noise what the prompt changes is place, light and layout, much the same in all latent frames of a chunk. So the network is shown
  their mean instead, a quarter of the tokens.
- Further down it is detail, and changes slowly: a whole second pass is taken at every other step, and its answer kept for the next.

Batches of B videos: the road's is of one. Where both sides are asked they go as one batch of 2B, the prompt's first.
"""

import torch
from torch import Tensor

from lanterne.flow import TIMESTEPS, interpolate
from lanterne.models.transformer import KeyValueCache, PreparedText, SpacetimeTransformer

LATER_GUIDANCE = 0.5  # share of the guidance that chunks after the first get: what they show is settled, and colours would grow
CONTEXT_SIGMA = 0.1  # a first chunk is remembered a little noisy, as history is in training
# Later ones much more, the first latent frame of a chunk most and the last, which the next chunk goes on from, least. What nobody asked for
# is lost in it instead of being painted over, firmer each time; what there is to see comes from the prompt and the first chunk.
LATER_CONTEXT_SIGMAS = 0.8, 0.3
HIGH = 0.8  # the noise level above which the mean is asked
# The share of the mean's answer that holds for all falls with the noise, as sigma ** FALL: then the two see ever different details.
FALL = 8


def guidance_at(start: int, guidance: float) -> float:
    """The guidance of the chunk that begins at latent frame `start`."""
    return guidance if start == 0 else 1 + LATER_GUIDANCE * (guidance - 1)


class GuidedNetwork:
    """The velocity of a chunk, beyond what the prompt changes in it.

    The side without the prompt remembers pure noise: guidance then goes not only towards the prompt but also towards what was before
    (history guidance, Song et al. 2025). without_BLD: no prompt, or a negative one; of no use at a guidance of 1.
    """

    def __init__(self, model: SpacetimeTransformer, text_BLD: Tensor, without_BLD: Tensor, guidance: float):
        self.model, self.guidance, self.with_prompt = model, guidance, slice(0, len(text_BLD))
        self.text = model.prepare_text(torch.cat([text_BLD, without_BLD]) if guidance != 1 else text_BLD)
        self.prompt, self.without = self.text.part(self.with_prompt), self.text.part(slice(len(text_BLD), None))
        self.cache = model.new_cache()
        self.prompt_cache = self.cache.part(self.with_prompt)
        self.kept: Tensor | None = None

    def velocity(self, x_BCtHW: Tensor, sigma_1t: Tensor, start: int, places: Tensor) -> Tensor:
        """(B, C, t, H, W) float32, of the chunk that begins at latent frame `start`; of one chunk after the other, from high noise to low.

        sigma_1t: (1, t), or (1, 1) for all latent frames; what stands at 0 is given. places: as SpacetimeTransformer.forward_chunk takes
        them, of one video or of B.
        """
        scale, sigma = guidance_at(start, self.guidance), float(sigma_1t.amax())
        if self.guidance == 1:
            return self._with_prompt(x_BCtHW, sigma_1t, places)
        if start == 0 or x_BCtHW.shape[2] == 1:  # one latent frame is its own mean
            v, without = self._both(x_BCtHW, sigma_1t, places)
            return without + scale * (v - without)
        if sigma > HIGH:
            self.kept = None
            v = self._with_prompt(x_BCtHW, sigma_1t, places)
            change = self._change_of_mean(v, x_BCtHW, sigma, places)
        elif self.kept is None:
            v, without = self._both(x_BCtHW, sigma_1t, places)
            change = self.kept = v - without
        else:
            v = self._with_prompt(x_BCtHW, sigma_1t, places)
            change, self.kept = self.kept, None
        return v + (scale - 1) * change

    def remember(self, x0_BCtHW: Tensor, noise_BCtHW: Tensor, places: Tensor) -> None:
        """A finished chunk, for those to come. Noise of its shape; places as `velocity` takes them."""
        count, frames = len(x0_BCtHW), x0_BCtHW.shape[2]
        ends = LATER_CONTEXT_SIGMAS if self.cache.chunks else (CONTEXT_SIGMA, CONTEXT_SIGMA)
        sigma_Bt = torch.linspace(*ends, frames, device=x0_BCtHW.device).expand(count, frames)
        x = interpolate(x0_BCtHW, noise_BCtHW, sigma_Bt)
        if self.guidance != 1:
            x, sigma_Bt, places = torch.cat([x, noise_BCtHW]), torch.cat([sigma_Bt, torch.ones_like(sigma_Bt)]), _twice(places)
        self.model.remember(x.to(self._dtype), sigma_Bt * TIMESTEPS, self.text, self.cache, places)
        self.prompt_cache, self.kept = self.cache.part(self.with_prompt), None

    def _with_prompt(self, x: Tensor, sigma_1t: Tensor, places: Tensor) -> Tensor:
        return self._pass(x, sigma_1t, self.prompt, self.prompt_cache, places)

    def _both(self, x: Tensor, sigma_1t: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """With the prompt and without."""
        return self._pass(torch.cat([x, x]), sigma_1t, self.text, self.cache, _twice(places)).chunk(2)

    def _change_of_mean(self, v: Tensor, x: Tensor, sigma: float, places: Tensor) -> Tensor:
        """(B, C, 1, H, W): what the prompt changes in the mean of the latent frames, as far as it holds for each of them. None is given:
        chunks are cut where what is given ends.

        The noise of a mean of n is 1 / sqrt(n) of theirs. Brought to the scale that the network knows, it stands at a lower noise level.
        """
        x_BC1HW, v_BC1HW, count = x.mean(dim=2, keepdim=True), v.mean(dim=2, keepdim=True), x.shape[2]
        scale = 1 - sigma + sigma / count**0.5
        level = sigma / count**0.5 / scale
        middle = places[:, [len(self.cache.frames) + count // 2]]
        level_11 = torch.full((1, 1), level, device=x.device)
        without = self._pass(x_BC1HW / scale, level_11, self.without, self.model.new_cache(), middle)
        # Both as the clean picture that they point to.
        x0_without, x0_with = x_BC1HW / scale - level * without, x_BC1HW - sigma * v_BC1HW
        return sigma**FALL * (x0_without - x0_with) / sigma

    def _pass(self, x: Tensor, sigma_1t: Tensor, text: PreparedText, cache: KeyValueCache, places: Tensor) -> Tensor:
        return self.model.forward_chunk(x.to(self._dtype), sigma_1t * TIMESTEPS, text, cache, places).float()

    @property
    def _dtype(self) -> torch.dtype:
        return self.model.proj_out.weight.dtype


def _twice(places: Tensor) -> Tensor:
    """(2B, ...) of B videos' places; one video's are both sides'."""
    return places if len(places) == 1 else torch.cat([places, places])
