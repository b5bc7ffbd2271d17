"""Which numbers a machine multiplies fast."""

import torch


def best_dtype(device: str = "cpu") -> torch.dtype:
    """bfloat16 on GPUs and on processors that multiply it faster than float32, float32 on others.

    AMX does. AVX-512's own instruction for it does on AMD's processors; on Intel's it does as much work as one of float32 and is issued
    half as often. Without either bfloat16 is emulated: ten times as slow. What a machine has is read, never timed, so that a seed gives
    the same video at each run.
    """
    if device != "cpu":
        return torch.bfloat16
    has = torch.cpu.get_capabilities()
    fast = has.get("amx_bf16") or (has.get("avx512_bf16") and not has["cpu_name"].startswith("Intel"))
    return torch.bfloat16 if fast else torch.float32


def mixed(device: str = "cpu") -> torch.autocast:
    """Products in `best_dtype`, the weights stay as they are: what every stage of training runs under."""
    return torch.autocast(device, torch.bfloat16, enabled=best_dtype(device) is torch.bfloat16)
