"""One forward of the embedded model's shape: ours against diffusers' WanTransformer3DModel with the same random weights.

Side by side in one process, turn by turn, so that both meet the same noise of the machine; the ratio is the median of the pairs' ratios.
"""

import statistics
import time

import torch
from diffusers import WanTransformer3DModel

from lanterne.models.transformer import SpacetimeTransformer, nano

PAIRS = 11
HEIGHT, WIDTH, TEXT_TOKENS = 9, 16, 64


def pair(config, dtype):
    torch.manual_seed(0)
    theirs = WanTransformer3DModel(
        patch_size=config.patch_size, num_attention_heads=config.num_heads, attention_head_dim=config.head_dim,
        in_channels=config.in_channels, out_channels=config.out_channels, text_dim=config.text_width, freq_dim=config.freq_width,
        ffn_dim=config.ffn_width, num_layers=config.num_layers, cross_attn_norm=config.cross_attn_norm,
    ).eval()
    ours = SpacetimeTransformer(config).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours.to(dtype), theirs.to(dtype)


@torch.inference_mode()
def measure(frames: int, batch: int, dtype: torch.dtype) -> dict:
    """Medians in milliseconds, and of the ratios."""
    ours, theirs = pair(nano(), dtype)
    x = torch.randn(batch, ours.config.in_channels, frames, HEIGHT, WIDTH, dtype=dtype)
    text = torch.randn(batch, TEXT_TOKENS, ours.config.text_width, dtype=dtype)
    timestep = torch.full((batch,), 500.0, dtype=dtype)
    shared = timestep[:1]  # a prompt and its negative share their timestep, as on the road
    prepared = ours.prepare_text(text)  # once per prompt, as the road does; diffusers' class cannot
    # Theirs takes a tensor of timesteps of one kind only.
    calls = {"ours": lambda: ours(x, shared, prepared), "theirs": lambda: theirs(x, timestep, text, return_dict=False)}
    for call in calls.values():
        call()
    times = {name: [] for name in calls}
    for _ in range(PAIRS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1000 * (time.perf_counter() - start))
    ratios = [theirs / ours for ours, theirs in zip(times["ours"], times["theirs"], strict=True)]
    return {name: statistics.median(values) for name, values in times.items()} | {"ratio": statistics.median(ratios)}


def table() -> str:
    lines = ["| shape | precision | ours, ms | diffusers, ms | times as fast |", "|---|---|---|---|---|"]
    for frames, batch in ((5, 1), (5, 2), (17, 1)):
        for dtype in (torch.float32, torch.bfloat16):
            row = measure(frames, batch, dtype)
            tokens = f"{batch} x {frames * HEIGHT * WIDTH} tokens"
            name = str(dtype).removeprefix("torch.")
            lines.append(f"| {tokens} | {name} | {row['ours']:.0f} | {row['theirs']:.0f} | {row['ratio']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(2)
    print(table())
