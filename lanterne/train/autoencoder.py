"""The autoencoder's stage: learn to fold frames into latents and to paint them back.

Loss: L1 on pixels, on their gradients and on those of a half-sized copy (what blur loses first), on their change in time, and a
faint pull of the latents towards unit size. The latents are noised a little, so that the decoder forgives the transformer's
small errors. There is no perceptual network in it: those on offer were trained on scraped pictures.

Later the decoder alone can be trained on: the transformer's latents stay what they were. Each of the four frames that a latent stands for
is painted by channels of its own, so that a still picture boils: it then also sees still pictures, and must not change in light.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lanterne.models.autoencoder import AutoencoderConfig, StreamingAutoencoder
from lanterne.train.data import Shard, random_crops, read_shards, to_video
from lanterne.train.optim import Clock, MuonAdamW, WeightAverage, load_state, save_state, warm_constant_cool

LEARNING_RATE = 1e-3
LATENT_NOISE = 0.05
FROZEN, FLICKER_WEIGHT = 0.25, 4.0  # the decoder's own stage: share of batches that show still pictures
_EVERY_SECONDS = 180  # between validations and savings


def train_autoencoder(
    data: Path,
    out: Path,
    config: AutoencoderConfig,
    minutes: float,
    frozen: StreamingAutoencoder | None = None,
    device: str = "cpu",
    on_log=print,
) -> StreamingAutoencoder:
    """Train until the stage has had `minutes` of wall clock in all; go on from `out/autoencoder.pt` where it exists.

    data: a folder with shards; its sibling `<data>-val` is validated on. Writes `out/autoencoder.jsonl`. Returns the averaged
    model with its latents' normalisation measured. frozen: a finished model of this config whose decoder alone is trained on; its
    encoder and normalisation stay. That stage has a clock and files of its own, `out/decoder.*`.
    """
    out.mkdir(parents=True, exist_ok=True)
    stage = "decoder" if frozen else "autoencoder"
    model = StreamingAutoencoder(config).to(device)
    if frozen:
        model.load_state_dict(frozen.state_dict())
        model.encoder.requires_grad_(False)
    average = WeightAverage(model, decay=0.998)
    optimizer = MuonAdamW(model.decoder if frozen else model, LEARNING_RATE, by_adam=("conv_in", "conv_out"))
    step, clock = 0, Clock(minutes)
    if state := load_state(out / f"{stage}.pt"):
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, clock = state["step"], Clock(minutes, state["seconds"])
    random = np.random.default_rng([step, bool(frozen)])
    shards, validation = read_shards(data), read_shards(data.with_name(data.name + "-val"))
    last_check, running = clock.spent, None

    def check():
        nonlocal shards, last_check
        average.swap(model)
        if not frozen:
            measure_normalisation(model, shards, device)
        figures = reconstruction_figures(model, validation, device)
        average.swap(model)
        state = {"step": step, "seconds": clock.spent, "model": model.state_dict()}
        save_state(out / f"{stage}.pt", state | {"average": average.state_dict(), "optimizer": optimizer.state_dict()})
        row = {"stage": stage, "step": step, "seconds": round(clock.spent), "loss": running, "clips": sum(len(s.scenes) for s in shards)}
        with (out / f"{stage}.jsonl").open("a") as file:
            file.write(json.dumps(row | figures) + "\n")
        on_log(row | figures)
        shards, last_check = read_shards(data), clock.spent

    while clock.part < 1:
        video_BCTHW = _draw_batch(shards, random)
        if frozen and random.random() < FROZEN:
            video_BCTHW = video_BCTHW[:, :, :1].expand_as(video_BCTHW)
        video_BCTHW = video_BCTHW.to(device)
        loss = reconstruction_loss(model, video_BCTHW, bool(frozen))
        loss.backward()
        optimizer.step(warm_constant_cool(clock.part, step), max_norm=2.0)
        average.update(model)
        step += 1
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if clock.spent - last_check > _EVERY_SECONDS:
            check()
    check()
    average.swap(model)
    return model.requires_grad_(False).eval()


def reconstruction_loss(model: StreamingAutoencoder, video_BCTHW: Tensor, decoder_only: bool = False) -> Tensor:
    with torch.autocast(video_BCTHW.device.type, torch.bfloat16):
        with torch.set_grad_enabled(not decoder_only):
            latents = model.raw_latents(video_BCTHW)
        painted = model.decode_raw(latents + LATENT_NOISE * torch.randn_like(latents))
    error = painted.float() - video_BCTHW
    half = F.avg_pool3d(error, (1, 2, 2))
    loss = error.abs().mean() + 0.3 * error.square().mean() + 0.7 * _gradient(error) + 0.3 * _gradient(half)
    if video_BCTHW.shape[2] > 1:
        loss = loss + 0.15 * error.diff(dim=2).abs().mean()
    if decoder_only and video_BCTHW.shape[2] > 1:  # a latent's four frames must not differ in light
        loss = loss + FLICKER_WEIGHT * F.avg_pool3d(error, (1, 8, 8)).diff(dim=2).abs().mean()
    if not decoder_only:
        loss = loss + 1e-4 * latents.float().square().mean()
    return loss


@torch.no_grad()
def measure_normalisation(model: StreamingAutoencoder, shards: list[Shard], device: str = "cpu", clips: int = 24) -> None:
    """Set the latents' mean and deviation per channel from clips spread evenly over the shards."""
    latents = []
    for index in range(clips):
        frames = shards[index * len(shards) // clips].frames_NFHWC
        video = to_video(frames[index % len(frames)][None, :9]).to(device)
        with torch.autocast(device, torch.bfloat16):
            latents.append(model.raw_latents(video).float().flatten(2)[..., None, None])
    model.set_normalisation(torch.cat(latents, dim=2))


@torch.no_grad()
def reconstruction_figures(model: StreamingAutoencoder, shards: list[Shard], device: str = "cpu", num_frames: int = 17) -> dict:
    """PSNR in dB (mean over clips of each clip's); sharpness and motion: mean absolute gradient and change in time over those of the
    renders; boil: the mean change from frame to frame, of 255, of what is painted of a still picture."""
    psnr, sharpness, changes, boil = [], [], [], []

    def paint(video):
        with torch.autocast(device, torch.bfloat16):
            return model.decode_raw(model.raw_latents(video)).float().clamp(-1, 1)

    for shard in shards:
        for frames in shard.frames_NFHWC[::2]:
            video = to_video(frames[None, :num_frames]).to(device)
            painted, frozen = paint(video), paint(video[:, :, :1].expand(-1, -1, 9, -1, -1))
            psnr.append(-10 * math.log10(((painted - video) / 2).square().mean().item() + 1e-9))
            sharpness.append((_gradient(painted) / _gradient(video)).item())
            changes.append([one.diff(dim=2).abs().mean().item() for one in (painted, video)])
            boil.append(127.5 * frozen.diff(dim=2).abs().mean().item())
    motion = np.divide(*np.sum(changes, axis=0)) if num_frames > 1 else 1.0
    figures = {"psnr": np.mean(psnr), "sharpness": np.mean(sharpness), "motion": motion, "boil": np.mean(boil)}
    return {name: round(float(value), 4) for name, value in figures.items()}


def _draw_batch(shards: list[Shard], random: np.random.Generator) -> Tensor:
    """Mostly short clips; some stills, since the first latent frame is one; some longer, for the memory."""
    kind = random.random()
    if kind < 0.12:
        return random_crops(shards, random, batch=20, num_frames=1, size=128)
    if kind < 0.85:
        return random_crops(shards, random, batch=5, num_frames=9, size=128)
    return random_crops(shards, random, batch=3, num_frames=17, size=112)


def _gradient(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, across plus down."""
    return x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()
