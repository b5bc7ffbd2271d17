"""An anchor against drift: a long video keeps the colours, the contrast and the texture that its first seconds had.

Each chunk is sampled from a memory of chunks that were sampled, so a small error of one is the next one's truth: over a minute, unheld,
texture grew harder by 145 % and colours stronger by 37 %. What grows is a latent's statistics, so these are what is held, after the
first seconds, in which a sun may rise: per channel the mean in part, the spread of layout and that of texture whole.
"""

from torch import Tensor
from torch.nn import functional as F

REACH = 17  # latent frames, the first 4 s, whose statistics are the measure
MEAN = 0.6  # share of a mean's distance that is taken back in each chunk; light and clouds may go on changing slowly
_MOST = 1.3  # times, by which a chunk's spread is brought up or down at once


class Anchor:
    """The statistics of the first REACH latent frames, gathered chunk by chunk, and held from then on."""

    def __init__(self):
        self._seen = []  # (frames, mean, layout, texture) of each chunk, the statistics (C, 1, 1, 1)
        self._frames = 0

    def see(self, latents_CtHW: Tensor) -> None:
        """Take note of a finished chunk. Those after the first REACH frames count no more."""
        if self._frames < REACH:
            self._seen.append((latents_CtHW.shape[1], *_statistics(latents_CtHW)[:3]))
            self._frames += latents_CtHW.shape[1]

    def hold(self, latents_CtHW: Tensor) -> Tensor:
        """A chunk with the first seconds' statistics; as it is while there are none."""
        if self._frames < REACH:
            return latents_CtHW
        held = [sum(frames * part for frames, part in zip(self._weights(), parts, strict=True)) for parts in self._parts()]
        mean, layout, texture, wide, fine = _statistics(latents_CtHW)
        return mean + MEAN * (held[0] - mean) + _scaled(wide, layout, held[1]) + _scaled(fine, texture, held[2])

    def _weights(self):
        return [frames / self._frames for frames, *_ in self._seen]

    def _parts(self):
        return zip(*(parts for _, *parts in self._seen), strict=True)


def _statistics(latents_CtHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean, deviation of layout, deviation of texture, each (C, 1, 1, 1); layout without its mean, and texture."""
    low = F.avg_pool2d(F.pad(latents_CtHW.transpose(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).transpose(0, 1)
    mean = latents_CtHW.mean(dim=(1, 2, 3), keepdim=True)
    wide, fine = low - mean, latents_CtHW - low
    return mean, _deviation(wide), _deviation(fine), wide, fine


def _deviation(x_CtHW: Tensor) -> Tensor:
    return x_CtHW.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()


def _scaled(x_CtHW: Tensor, deviation: Tensor, wanted: Tensor) -> Tensor:
    return x_CtHW * (wanted / deviation.clamp(min=1e-4)).clamp(1 / _MOST, _MOST)
