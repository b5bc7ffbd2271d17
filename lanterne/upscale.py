"""Frames of the model's size become five times as large on their way into a file, a few at a time."""

import numpy as np
import torch

from lanterne.models.upscaler import Upscaler

_WORTH = 1.5  # times the model's own size; below, Lanczos does as well


class Upscale:
    """One video's frames (t, H, W, 3) uint8 -> (t, 5H, 5W, 3) uint8, called with the next ones each time."""

    def __init__(self, model: Upscaler):
        self._model, self._memory = model, None

    @torch.inference_mode()
    def __call__(self, frames_THWC: np.ndarray) -> np.ndarray:
        large = []
        for frame_HWC in frames_THWC:  # one at a time: a second of large ones in float32 would be 700 MB
            x_BCTHW = torch.from_numpy(np.ascontiguousarray(frame_HWC)).permute(2, 0, 1)[None, :, None].float().div(127.5).sub(1)
            made, self._memory = self._model(x_BCTHW.to(self._model.conv_in.weight.dtype), self._memory)
            large.append(made[0, :, 0].mul(127.5).add_(127.5).round_().clamp_(0, 255).byte().permute(1, 2, 0).numpy())
        return np.stack(large)


def upscale_for(model: Upscaler | None, native_size: tuple[int, int], width: int, height: int) -> Upscale | None:
    """What enlarges a video of `native_size` that is asked for in width x height; None where Lanczos does, or must."""
    return Upscale(model) if model and max(width / native_size[0], height / native_size[1]) >= _WORTH else None


def resampling(model: Upscaler | None, native_size: tuple[int, int], width: int, height: int) -> str:
    """How a file's frames come by their size, as its settings say it."""
    if (width, height) == native_size:
        return "none"
    return "upscaler" if upscale_for(model, native_size, width, height) else "lanczos"
