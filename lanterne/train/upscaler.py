"""The upscaler's stage: large renders, and what the autoencoder paints of them at a fifth of their size.

Loss: L1 on pixels, on their gradients, on their change in time, and on how much detail there is around a place. What is sharp in a render
cannot be known from its small blurred copy, so the second half of the stage learns against a discriminator
(`lanterne/train/adversarial.py`) that is also shown the interpolated small frames. The weights kept lie between those of the two halves'
ends (Wang et al. 2018, ESRGAN).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lanterne.models.autoencoder import StreamingAutoencoder
from lanterne.models.upscaler import FACTOR, Upscaler, UpscalerConfig, interpolated
from lanterne.precision import mixed
from lanterne.train.adversarial import Opponent, steadily
from lanterne.train.data import renderers, save_array, to_video
from lanterne.train.judge import reconstruct
from lanterne.train.optim import Clock, MuonAdamW, WeightAverage, load_state, save_state, warm_constant_cool
from lanterne.world.scene import draw_scene

NUM_FRAMES = 5
LEARNING_RATE = 1e-3
_FIRST_SEED = 7_000_000  # of scenes that no other stage sees
_VALIDATION = 12  # clips, the first ones, that are never trained on
# (width, height) of what is rendered large: as it will be asked for, and, of two clips in three, a quarter as many pixels in a quarter of
# the time: blur and edges are the same.
_FULL, _QUARTER = (1280, 720), (640, 400)
_BATCH, _CROP, _CROP_FRAMES = 4, 40, 3  # crops of a step, their side in small pixels, and their frames
_DETAIL_WEIGHT, _AROUND = 2.0, 10
_CHANGE_WEIGHT = 0.3
ADVERSARIAL_FROM = 0.5  # of the stage's time
_ADVERSARIAL_RATE = 0.4  # of the learning rate
ADVERSARIAL_SHARE = 0.6  # of what the second half changes that is kept: all of it is sharper still, and flickers more than Lanczos
_EVERY_SECONDS = 180


@dataclass(frozen=True)
class Pair:
    """A clip as the autoencoder paints it, (5, H, W, 3), and as it was rendered, (5, 5H, 5W, 3); uint8, mapped."""

    small_THWC: np.ndarray
    large_THWC: np.ndarray


def render_pairs(folder: Path, count: int, autoencoder: StreamingAutoencoder, workers: int, on_pair=None) -> None:
    """Render what `folder` lacks of `count` clips, and paint them small. 5 s of processor time a clip, with two in three of a quarter."""
    folder.mkdir(parents=True, exist_ok=True)
    with renderers(workers) as pool:
        for number, done in enumerate([pool.submit(_render_large, folder, number) for number in range(count)]):
            done.result()
            path = folder / f"small-{number:05d}.npy"
            if not path.exists():
                large_THWC = np.load(folder / f"large-{number:05d}.npy", mmap_mode="r")
                save_array(path, reconstruct(autoencoder, shrunk(large_THWC)[None])[0])
            if on_pair:
                on_pair(number + 1)


def _render_large(folder: Path, number: int) -> None:
    from lanterne.world.render import render  # compiles

    path = folder / f"large-{number:05d}.npy"
    if not path.exists():
        size = _FULL if number < _VALIDATION or number % 3 == 0 else _QUARTER
        save_array(path, render(draw_scene(_FIRST_SEED + number, "any"), *size, NUM_FRAMES).frames_THWC)


def shrunk(large_THWC: np.ndarray) -> np.ndarray:
    """Means of 5 x 5 pixels, as a render of the small size has them; uint8."""
    frames, height, width, _ = large_THWC.shape
    cells = large_THWC.reshape(frames, height // FACTOR, FACTOR, width // FACTOR, FACTOR, 3)
    return cells.mean(axis=(2, 4), dtype=np.float32).round().astype(np.uint8)


def read_pairs(folder: Path) -> list[Pair]:
    return [
        Pair(np.load(path, mmap_mode="r"), np.load(path.with_name(path.name.replace("small", "large")), mmap_mode="r"))
        for path in sorted(folder.glob("small-*.npy"))
    ]


def train_upscaler(folder: Path, out: Path, config: UpscalerConfig, minutes: float, device: str = "cpu", on_log=print) -> Upscaler:
    """Train until the stage has had `minutes` of wall clock in all; go on from `out/upscaler.pt` where it exists.

    folder: with the clips of `render_pairs`. Writes `out/upscaler.jsonl`. Returns the averaged model.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = Upscaler(config).to(device)
    average = WeightAverage(model, decay=0.998)
    optimizer = MuonAdamW(model, LEARNING_RATE, by_adam=("conv_in", "conv_out"))
    opponent = Opponent(device)
    lasting = {"model": model, "average": average, "optimizer": optimizer, "opponent": opponent}
    step, clock, faithful = 0, Clock(minutes), None  # the averaged weights of before there was a discriminator
    if state := load_state(out / "upscaler.pt"):
        for name, part in lasting.items():
            part.load_state_dict(state[name])
        faithful = state["faithful"]
        step, clock = state["step"], Clock(minutes, state["seconds"])
    random, pairs = np.random.default_rng(step), read_pairs(folder)
    last_check, running = clock.spent, None

    def check():
        nonlocal last_check
        average.swap(model)
        figures = upscaling_figures(model, pairs[:_VALIDATION], device)
        average.swap(model)
        state = {"step": step, "seconds": clock.spent, "faithful": faithful}
        save_state(out / "upscaler.pt", state | {name: part.state_dict() for name, part in lasting.items()})
        row = {"step": step, "seconds": round(clock.spent), "loss": running, "clips": len(pairs) - _VALIDATION} | figures
        with (out / "upscaler.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        on_log(row)
        last_check = clock.spent

    while clock.part < 1:
        small_BCTHW, large_BCTHW = (video.to(device) for video in _draw_batch(pairs[_VALIDATION:], random))
        rate = warm_constant_cool(clock.part, step)
        if clock.part < ADVERSARIAL_FROM:
            loss = upscaling_loss(model, small_BCTHW, large_BCTHW)
        else:
            if faithful is None:
                faithful = {name: value.clone() for name, value in average.values.items()}
            rate *= _ADVERSARIAL_RATE
            with mixed(small_BCTHW.device.type):
                made_BCTHW, _ = model(small_BCTHW)
            error = made_BCTHW - large_BCTHW
            loss = error.abs().mean() + steadily(error) + opponent.loss(made_BCTHW, large_BCTHW, _interpolated(small_BCTHW), step)
        loss.backward()
        optimizer.step(rate, max_norm=2.0)
        average.update(model)
        step += 1
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if clock.spent - last_check > _EVERY_SECONDS:
            check()
    if faithful:
        for name, value in average.values.items():
            value.lerp_(faithful[name], 1 - ADVERSARIAL_SHARE)
    check()
    average.swap(model)
    return model.requires_grad_(False).eval()


def upscaling_loss(model: Upscaler, small_BCTHW: Tensor, large_BCTHW: Tensor) -> Tensor:
    with mixed(small_BCTHW.device.type):
        made_BCTHW, _ = model(small_BCTHW)
    error = made_BCTHW - large_BCTHW
    gradients = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    detail = (_detail(made_BCTHW) - _detail(large_BCTHW)).abs().mean()
    return error.abs().mean() + gradients + _CHANGE_WEIGHT * error.diff(dim=2).abs().mean() + _DETAIL_WEIGHT * detail


def _interpolated(small_BCTHW: Tensor) -> Tensor:
    frames = small_BCTHW.transpose(1, 2)
    return interpolated(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]).transpose(1, 2)


def _detail(video_BCTHW: Tensor) -> Tensor:
    """How much brightness changes from one pixel to the next, across and down, in means of _AROUND x _AROUND pixels."""
    grey_BTHW = video_BCTHW.mean(dim=1)
    changes = (grey_BTHW[..., 1:, 1:] - grey_BTHW[..., 1:, :-1]).abs(), (grey_BTHW[..., 1:, 1:] - grey_BTHW[..., :-1, 1:]).abs()
    return torch.stack([F.avg_pool2d(change, _AROUND) for change in changes])


@torch.no_grad()
def upscaling_figures(model: Upscaler, pairs: list[Pair], device: str = "cpu") -> dict:
    """Beside the same of Lanczos: PSNR in dB, sharpness over the renders', and flicker: the error's mean second difference in time."""
    rows = []
    for pair in pairs:
        with mixed(device):
            made = model(to_video(pair.small_THWC[None]).to(device))[0][0].cpu().clamp(-1, 1)
        rows.append(_compared(made, pair) | {f"lanczos_{name}": value for name, value in _compared(by_lanczos(pair), pair).items()})
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def by_lanczos(pair: Pair) -> Tensor:
    """What the small frames become without the model, (3, T, H, W) in [-1, 1]."""
    from lanterne.video import resize_and_crop

    height, width = pair.large_THWC.shape[1:3]
    return to_video(np.stack([resize_and_crop(frame, width, height) for frame in pair.small_THWC])[None])[0]


def _compared(made_CTHW: Tensor, pair: Pair) -> dict:
    truth = to_video(pair.large_THWC[None])[0]
    error = made_CTHW - truth
    return {
        "psnr": -10 * np.log10((error / 2).square().mean().item() + 1e-9),
        "sharpness": _gradient(made_CTHW) / max(_gradient(truth), 1e-6),
        "flicker": 127.5 * error.diff(n=2, dim=1).abs().mean().item(),
    }


def _gradient(x: Tensor) -> float:
    return (x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()).item()


def _draw_batch(pairs: list[Pair], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Crops at the same place and moment, mirrored at random, small and large."""
    small, large = [], []
    for _ in range(_BATCH):
        pair = pairs[random.integers(len(pairs))]
        frames, height, width = pair.small_THWC.shape[:3]
        top, left = int(random.integers(height - _CROP + 1)), int(random.integers(width - _CROP + 1))
        first = int(random.integers(frames - _CROP_FRAMES + 1))
        mirrored = -1 if random.random() < 0.5 else 1
        for crops, video, factor in ((small, pair.small_THWC, 1), (large, pair.large_THWC, FACTOR)):
            rows, columns = slice(top * factor, (top + _CROP) * factor), slice(left * factor, (left + _CROP) * factor)
            crops.append(video[first : first + _CROP_FRAMES, rows, columns][:, :, ::mirrored])
    return to_video(np.stack(small)), to_video(np.stack(large))
