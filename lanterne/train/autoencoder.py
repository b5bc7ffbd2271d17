"""The autoencoder's stage: learn to fold frames into latents and to paint them back.

Loss: L1 on pixels, on their gradients and on those of a half-sized copy (what blur loses first), on their change in time, and a
faint pull of the latents towards unit size. The latents are noised a little, so that the decoder forgives the transformer's
small errors. There is no perceptual network in it: those on offer were trained on scraped pictures.

Later the decoder alone can be trained on: the transformer's latents stay what they were. It then learns against a discriminator that is
also shown what 4 x 4 pixels mean. Each of the four frames that a latent stands for is painted by channels of its own, so that a still
picture boils: it also sees still pictures, and must not change in light.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lanterne.models.autoencoder import FOLD, SPATIAL_FACTOR, AutoencoderConfig, MemoryBlock, StreamingAutoencoder
from lanterne.precision import mixed
from lanterne.train.adversarial import Opponent, steadily
from lanterne.train.data import Shard, random_crops, read_shards, to_video
from lanterne.train.optim import Clock, MuonAdamW, WeightAverage, load_state, save_state, warm_constant_cool

LEARNING_RATE = 1e-3
LATENT_NOISE = 0.05
# The decoder's own stage: the share of clips that show a still picture, and the weights of changes of the error in time, of pixels and
# of means, and of the grid.
FROZEN, _STEADY_WEIGHT, _FLICKER_WEIGHT, _GRID_WEIGHT = 0.25, 0.15, 4.0, 4.0
_DECODER_SHARE = 0.7  # of what the stage changes that is kept: all of it is sharper still, and has dots on water
_DECODER_RATE = 0.5  # of the learning rate
_DEAD_BELOW = 1e-3  # of the places where a channel is positive
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
    encoder and normalisation stay, its dead channels are drawn anew. That stage has a clock and files of its own, `out/decoder.*`, and what
    it returns lies between what it was given and what it learnt.
    """
    out.mkdir(parents=True, exist_ok=True)
    stage = "decoder" if frozen else "autoencoder"
    model = StreamingAutoencoder(config).to(device)
    shards, validation = read_shards(data), read_shards(data.with_name(data.name + "-val"))
    state = load_state(out / f"{stage}.pt")
    if frozen:
        frozen = frozen.to(device)
        sides = (side for shard in shards for side in shard.frames_NFHWC.shape[2:4])
        size = min(128, *sides) // SPATIAL_FACTOR * SPATIAL_FACTOR
        sample_BCTHW = random_crops(shards, np.random.default_rng(0), batch=8, num_frames=9, size=size).to(device)
        if not state:
            revive(frozen, sample_BCTHW)
        model.load_state_dict(frozen.state_dict())
        model.encoder.requires_grad_(False)
        keep_alive(model, sample_BCTHW)
    average = WeightAverage(model, decay=0.998)
    optimizer = MuonAdamW(model.decoder if frozen else model, LEARNING_RATE, by_adam=("conv_in", "conv_out"))
    opponent = Opponent(device) if frozen else None
    lasting = {"model": model, "average": average, "optimizer": optimizer}
    lasting |= {"opponent": opponent, "start": frozen} if frozen else {}
    step, clock = 0, Clock(minutes)
    if state:
        for name, part in lasting.items():
            part.load_state_dict(state[name])
        step, clock = state["step"], Clock(minutes, state["seconds"])
    random = np.random.default_rng([step, bool(frozen)])
    last_check, running = clock.spent, None

    def check():
        nonlocal shards, last_check
        average.swap(model)
        if not frozen:
            measure_normalisation(model, shards, device)
        figures = reconstruction_figures(model, validation, device)
        average.swap(model)
        parts = {name: part.state_dict() for name, part in lasting.items()}
        save_state(out / f"{stage}.pt", {"step": step, "seconds": clock.spent} | parts)
        row = {"stage": stage, "step": step, "seconds": round(clock.spent), "loss": running, "clips": sum(len(s.scenes) for s in shards)}
        with (out / f"{stage}.jsonl").open("a") as file:
            file.write(json.dumps(row | figures) + "\n")
        on_log(row | figures)
        shards, last_check = read_shards(data), clock.spent

    while clock.part < 1:
        rate = warm_constant_cool(clock.part, step)
        if frozen:
            loss = decoder_loss(model, _draw_for_decoder(shards, random).to(device), opponent, step)
            rate *= _DECODER_RATE
        else:
            loss = reconstruction_loss(model, _draw_batch(shards, random).to(device))
        loss.backward()
        optimizer.step(rate, max_norm=2.0)
        average.update(model)
        step += 1
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if clock.spent - last_check > _EVERY_SECONDS:
            check()
    if frozen:
        for name, value in frozen.named_parameters():
            average.values[name].lerp_(value, 1 - _DECODER_SHARE)
    check()
    average.swap(model)
    return model.requires_grad_(False).eval()


def reconstruction_loss(model: StreamingAutoencoder, video_BCTHW: Tensor) -> Tensor:
    with mixed(video_BCTHW.device.type):
        latents = model.raw_latents(video_BCTHW)
        painted = model.decode_raw(latents + LATENT_NOISE * torch.randn_like(latents))
    error = painted.float() - video_BCTHW
    half = F.avg_pool3d(error, (1, 2, 2))
    loss = error.abs().mean() + 0.3 * error.square().mean() + 0.7 * _gradient(error) + 0.3 * _gradient(half)
    if video_BCTHW.shape[2] > 1:
        loss = loss + 0.15 * error.diff(dim=2).abs().mean()
    return loss + 1e-4 * latents.float().square().mean()


def decoder_loss(model: StreamingAutoencoder, video_BCTHW: Tensor, opponent: Opponent, step: int) -> Tensor:
    """Of B 3 T H W in [-1, 1], T = 1 + 4 n: pixels, steadily; a latent's four frames must not differ in light, nor a feature's 4 x 4
    pixels; and the opponent, which learns a step, too."""
    with mixed(video_BCTHW.device.type):
        with torch.no_grad():
            latents = model.raw_latents(video_BCTHW)
        painted = model.decode_raw(latents + LATENT_NOISE * torch.randn_like(latents)).float()
    if video_BCTHW.shape[2] == 1:
        painted, video_BCTHW = painted.expand(-1, -1, 3, -1, -1), video_BCTHW.expand(-1, -1, 3, -1, -1)
    error = painted - video_BCTHW
    flicker = F.avg_pool3d(error, (1, 8, 8)).diff(dim=2).abs().mean()
    grid_FKHW = F.avg_pool2d(F.pixel_unshuffle(error.transpose(1, 2).flatten(0, 2)[:, None], FOLD), 4)
    grid = (grid_FKHW - grid_FKHW.mean(dim=1, keepdim=True)).abs().mean()
    plain = F.interpolate(F.avg_pool3d(video_BCTHW, (1, 4, 4)), scale_factor=(1, 4, 4), mode="trilinear")
    pixels = error.abs().mean() + _STEADY_WEIGHT * steadily(error) + _FLICKER_WEIGHT * flicker + _GRID_WEIGHT * grid
    return pixels + opponent.loss(painted, video_BCTHW, plain, step)


@torch.no_grad()
def revive(model: StreamingAutoencoder, video_BCTHW: Tensor) -> dict[str, int]:
    """Draw the decoder's dead channels anew; what it paints of this video, B 3 1+4n H W in [-1, 1], stays as it is.

    A channel within a residual block that is positive hardly anywhere adds nothing and, behind its ReLU, learns nothing. It gets other
    weights, with outputs of mean 0 and deviation 1, and a weight of zero in what follows. Returns the channels drawn anew by block.
    """
    drawn = {}
    for name, block in _decoder_blocks(model):
        inputs_FCHW, output_FCHW = _seen_by(block.conv1, model, video_BCTHW)
        dead = (output_FCHW > 0).float().mean(dim=(0, 2, 3)) < _DEAD_BELOW
        if not dead.any():
            continue
        fresh = torch.empty_like(block.conv1.weight)
        torch.nn.init.kaiming_normal_(fresh, nonlinearity="relu")
        deviation_C, mean_C = torch.std_mean(F.conv2d(inputs_FCHW, fresh, padding=1), dim=(0, 2, 3))
        block.conv1.weight[dead] = (fresh / deviation_C[:, None, None, None])[dead]
        block.conv1.bias[dead] = (-mean_C / deviation_C)[dead]
        block.conv2.weight[:, dead] = 0
        drawn[name] = int(dead.sum())
    return drawn


@torch.no_grad()
def keep_alive(model: StreamingAutoencoder, video_BCTHW: Tensor) -> None:
    """From now on the decoder's blocks learn nothing along the mean of what they see, here of B 3 1+4n H W in [-1, 1].

    It is far from zero, behind a ReLU, so that a step along it moves a channel everywhere at once, and Muon makes each step as long as
    the others: all channels of a block were soon negative throughout.
    """
    for _, block in _decoder_blocks(model):
        inputs_FCHW, _ = _seen_by(block.conv1, model, video_BCTHW)
        mean_CHW = inputs_FCHW.mean(dim=(0, 2, 3))[:, None, None].expand(block.conv1.weight.shape[1:])
        along_CHW = mean_CHW / mean_CHW.norm().clamp_min(1e-6)
        block.conv1.weight.register_hook(
            lambda gradient, along=along_CHW: gradient - (gradient * along).sum(dim=(1, 2, 3), keepdim=True) * along
        )


def _decoder_blocks(model: StreamingAutoencoder) -> list[tuple[str, MemoryBlock]]:
    return [(name, block) for name, block in model.decoder.named_modules() if isinstance(block, MemoryBlock)]


def _seen_by(layer: torch.nn.Module, model: StreamingAutoencoder, video_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
    """The layer's input and output when the video is encoded and painted."""
    seen = []
    handle = layer.register_forward_hook(lambda _, inputs, output: seen.extend((*inputs, output)))
    model.decode_raw(model.raw_latents(video_BCTHW))
    handle.remove()
    return tuple(seen)


@torch.no_grad()
def measure_normalisation(model: StreamingAutoencoder, shards: list[Shard], device: str = "cpu", clips: int = 24) -> None:
    """Set the latents' mean and deviation per channel from clips spread evenly over the shards."""
    latents = []
    for index in range(clips):
        frames = shards[index * len(shards) // clips].frames_NFHWC
        video = to_video(frames[index % len(frames)][None, :9]).to(device)
        with mixed(device):
            latents.append(model.raw_latents(video).float().flatten(2)[..., None, None])
    model.set_normalisation(torch.cat(latents, dim=2))


@torch.no_grad()
def reconstruction_figures(model: StreamingAutoencoder, shards: list[Shard], device: str = "cpu", num_frames: int = 17) -> dict:
    """PSNR in dB (mean over clips of each clip's); sharpness and motion: mean absolute gradient and change in time over those of the
    renders; boil: the mean change from frame to frame, of 255, of what is painted of a still picture."""
    psnr, sharpness, changes, boil = [], [], [], []

    def paint(video):
        with mixed(device):
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


def _draw_for_decoder(shards: list[Shard], random: np.random.Generator) -> Tensor:
    """Smaller crops, since the discriminator takes as long again; some clips of a still picture."""
    kind = random.random()
    if kind < 0.12:
        return random_crops(shards, random, batch=12, num_frames=1, size=96)
    video_BCTHW = random_crops(shards, random, *((4, 9) if kind < 0.9 else (2, 17)), size=96)
    return video_BCTHW[:, :, :1].expand_as(video_BCTHW) if random.random() < FROZEN else video_BCTHW


def _gradient(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, across plus down."""
    return x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()
