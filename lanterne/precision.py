"""Which numbers a machine multiplies fast."""

import torch


def best_dtype(device: str = "cpu") -> torch.dtype:
    """bfloat16 on GPUs and on processors with instructions for it (twice as fast there), float32 on others, where it would be emulated:
    ten times as slow."""
    fast = device != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def mixed(device: str = "cpu") -> torch.autocast:
    """Products in `best_dtype`, the weights stay as they are: what every stage of training runs under."""
    return torch.autocast(device, torch.bfloat16, enabled=best_dtype(device) is torch.bfloat16)
