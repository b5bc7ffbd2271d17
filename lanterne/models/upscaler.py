"""The upscaler: frames of the model's own size become five times as wide and as high, one after the other.

What it adds to bicubic interpolation is learnt from renders of the world and from what the autoencoder makes of them: edges that the
autoencoder softened, and quiet where it flickers, since each block also sees the frame before. Its whole memory is one frame of features
for each block, so streaming is exact. All convolutions run at the small size; the last one folds 5 x 5 pixels into its channels, as in
Shi et al. 2016.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.models.autoencoder import MemoryBlock

FACTOR = 5  # 256x144 -> 1280x720
_REACH = 2  # pixels that bicubic interpolation looks to each side


@dataclass(frozen=True)
class UpscalerConfig:
    width: int
    blocks: int


def upscaler_tiny() -> UpscalerConfig:
    """For tests."""
    return UpscalerConfig(width=8, blocks=1)


def upscaler_small() -> UpscalerConfig:
    """0.4 M parameters."""
    return UpscalerConfig(width=48, blocks=6)


class Upscaler(nn.Module):
    def __init__(self, config: UpscalerConfig):
        super().__init__()
        self.config = config
        self.conv_in = nn.Conv2d(3, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(MemoryBlock(config.width) for _ in range(config.blocks))
        self.conv_out = nn.Conv2d(config.width, 3 * FACTOR**2, 3, padding=1)
        with torch.no_grad():
            for block in self.blocks:
                block.conv2.weight.mul_(0.3)
            self.conv_out.weight.mul_(0.1)
            self.conv_out.bias.zero_()

    def forward(self, video_BCTHW: Tensor, memory: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """B 3 T H W in [-1, 1] and the memory after the frame before (None: the start) -> B 3 T 5H 5W, not clamped, and the memory."""
        batch, _, frames = video_BCTHW.shape[:3]
        x_FCHW = video_BCTHW.permute(2, 0, 1, 3, 4).flatten(0, 1).contiguous(memory_format=torch.channels_last)  # time first
        h, kept = self.conv_in(x_FCHW), []
        for index, block in enumerate(self.blocks):
            h, last = block(h, memory[index] if memory else None, batch)
            kept.append(last)
        padded = F.pad(x_FCHW.float(), (_REACH,) * 4, mode="replicate")
        base = F.conv2d(padded, _bicubic().to(padded.device), groups=3)
        large = F.pixel_shuffle(self.conv_out(F.relu(h)).float() + base, FACTOR)
        return large.unflatten(0, (frames, batch)).permute(1, 2, 0, 3, 4), kept


def interpolated(frames_FCHW: Tensor) -> Tensor:
    """What the model starts from: (F, 3, H, W) -> (F, 3, 5H, 5W)."""
    return F.interpolate(frames_FCHW, scale_factor=FACTOR, mode="bicubic", align_corners=False)


@cache
@torch.inference_mode(False)  # it is kept, and training may ask next
def _bicubic() -> Tensor:
    """(75, 1, 5, 5): `interpolated` as a convolution at the small size, 25 pixels of each colour to fold; in a fifth of its time.

    A pixel becomes 5 x 5, each a fixed mean of the 5 x 5 small ones around it: what `interpolated` makes of a lone pixel says which.
    """
    taps = 2 * _REACH + 1
    lone = torch.zeros(1, 1, 4 * _REACH + 1, 4 * _REACH + 1)
    lone[..., 2 * _REACH, 2 * _REACH] = 1
    around = interpolated(lone)[0, 0, _REACH * FACTOR : -_REACH * FACTOR, _REACH * FACTOR : -_REACH * FACTOR]
    kernel = around.reshape(taps, FACTOR, taps, FACTOR).permute(1, 3, 0, 2).flip(2, 3).reshape(FACTOR**2, 1, taps, taps)
    return kernel.repeat(3, 1, 1, 1)
