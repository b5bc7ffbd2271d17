"""The transformer's stage: flow matching with a noise level of its own for every chunk (diffusion forcing, Chen et al. 2024).

One network learns all that the road asks of it. Chunks see themselves and earlier ones. In a training sequence a random number of
chunks at the front is nearly clean, as history is when generating; the rest are noised independently. Sometimes the first frame is
clean: a start image. Long clips often leave chunks out after the first, as the sliding window does in a long rollout, where the
first chunk stays and what lies between is forgotten. Text is dropped for guidance.
"""

import json
import math
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne import FPS
from lanterne.camera import places
from lanterne.flow import CHUNK, FIRST_CHUNK, TIMESTEPS, chunk_spans, frame_of, interpolate, sample_sigmas, velocity
from lanterne.models.text_encoder import MAX_TOKENS
from lanterne.models.transformer import SpacetimeTransformer, TransformerConfig
from lanterne.train.latents import PHRASINGS, LatentShard, read_latents, text_of
from lanterne.train.optim import Clock, MuonAdamW, WeightAverage, load_state, save_state, warm_constant_cool

LEARNING_RATE = 1.5e-3
WEIGHT_DECAY = 0.01
TEXT_DROPOUT = 0.1
START_IMAGE = 0.12  # share of sequences whose first frame is given
STILL_SHIFT, CLIP_SHIFT = 2.0, 4.0  # clips hide less under noise than stills do
SIGMA_SPREAD = 1.4  # wider than usual: layout is settled above a sigma of 0.9, texture below 0.5
HISTORY_SIGMA = 0.15  # history is noised up to this level
ROUTED_UNTIL = 0.6  # of the stage's time; then all tokens go through all blocks, as when generating
# The loss once more on means of 3 x 3 tokens, and on how these change from frame to frame: layout and motion, which texture drowns.
COARSE, COARSE_WEIGHT, MOTION_WEIGHT = 3, 5.0, 8.0
# How much more the loss counts where the subject is: a tenth of the picture at most, and what a prompt is about. Less and less above
# SETTLED, where it may be in many a place yet: counted there too, it is made likely in all of them, and one boat becomes three.
THINGS_WEIGHT, SETTLED = 4.0, 0.8
BATCH_FRAMES = 40  # latent frames in a batch on a processor; small, since steps count for more than tokens this early
# On a GPU as many as fill about half of 80 GB: bytes kept for the backward pass by token and unit of width times layers, as counted on
# a processor, uncompiled. Not measured on a GPU.
GPU_BYTES, KEPT_BYTES = 38e9, 100
_DRAWERS = 4  # processes that draw a GPU's batches; a processor's are drawn between its steps
_PEAKS = {"H100": 989e12, "H200": 989e12}  # FLOP/s in dense bfloat16, by the data sheets of the SXM cards
# Share of steps by the latent frames of a sequence. Mostly stills at first: a step then shows five times as many scenes, which
# is what composition is learnt from. Later the first chunk most, and rollouts.
_STILLS_FIRST = ((1, 0.70), (5, 0.20), (9, 0.07), (17, 0.03))
_LENGTHS = ((1, 0.30), (5, 0.33), (9, 0.20), (17, 0.17))
STILLS_UNTIL = 0.30  # of the stage's time
_CAPTIONS = (0.1, 0.15, 0.75)  # share of short, medium and long ones: generating expands to long, which alone always tell the camera
_EVERY_SECONDS = 240  # between validations and savings
# Matrices that face the data or the noise level: AdamW's.
_BY_ADAM = ("patch_embedding", "proj_out", "condition_embedder", "scale_shift_table")


@dataclass(frozen=True)
class Drawn:
    """A batch as processes hand it on: arrays, in half precision where the cache has no more."""

    latents_BTCHW: np.ndarray
    things_BTHW: np.ndarray
    text_BLD: np.ndarray
    sigma_BT: np.ndarray
    weight_BT: np.ndarray
    places_BTHW2: np.ndarray
    chunk_lengths: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    latents_BCTHW: Tensor
    things_BTHW: Tensor  # how much of each is the scene's subject, 0 to 1
    text_BLD: Tensor
    sigma_BT: Tensor
    weight_BT: Tensor  # of each latent frame's loss; 0 where the frame is given
    places_BTHW2: Tensor  # where each token stands, by the camera's motion
    chunk_lengths: tuple[int, ...]


def train_transformer(
    latents: Path,
    out: Path,
    config: TransformerConfig,
    minutes: float,
    device: str = "cpu",
    compiled: bool = True,
    batch_frames: int | None = None,
    drawers: int | None = None,
    every: float = _EVERY_SECONDS,
    on_log=print,
) -> SpacetimeTransformer:
    """Train until the stage has had `minutes` of wall clock in all; go on from `out/transformer.pt` where it exists.

    latents: a cache; its sibling `<latents>-val` is validated on. Writes `out/transformer.jsonl`. A later call with more minutes
    takes the constant learning rate up again; a state of `adopt` has none of the optimizer's, which then warms up anew. Returns the
    averaged model. batch_frames: latent frames in a batch; drawers: processes that draw batches ahead, 0 for none; both by default what
    suits the device. every: seconds between two looks at the held-out clips, after which the state is saved and new shards are read.
    """
    out.mkdir(parents=True, exist_ok=True)
    on_gpu = device != "cpu"
    batch_frames = batch_frames or (gpu_batch_frames(config) if on_gpu else BATCH_FRAMES)
    drawers = (_DRAWERS if on_gpu else 0) if drawers is None else drawers
    peak = next((peak for name, peak in _PEAKS.items() if on_gpu and name in torch.cuda.get_device_name()), None)
    torch.manual_seed(0)
    model = SpacetimeTransformer(config).to(device)
    average = WeightAverage(model, decay=0.998)
    optimizer = MuonAdamW(model, LEARNING_RATE, WEIGHT_DECAY, _BY_ADAM)
    state = load_state(out / "transformer.pt")
    if state:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
    step, clock = (state["step"], Clock(minutes, state["seconds"])) if state else (0, Clock(minutes))
    random = np.random.default_rng(step)
    shards, validation = read_latents(latents), read_latents(latents.with_name(latents.name + "-val"))
    if compiled:
        torch._dynamo.config.recompile_limit = 64  # one graph for each length and for routing or not
        torch._dynamo.config.suppress_errors = on_gpu  # what cannot be compiled there runs uncompiled: better slow than not at all
        for block in model.blocks:  # one graph for all blocks; the whole model would take minutes
            block.compile(dynamic=False)
    last_check, running, tokens, flops, looks, ahead = clock.spent, None, 0, 0.0, 0, deque()

    def check():
        nonlocal shards, last_check, tokens, flops, looks
        average.swap(model)
        held_out = validation_loss(model, validation, device, batch_frames)
        average.swap(model)
        state = {"step": step, "seconds": clock.spent, "model": model.state_dict(), "average": average.state_dict()}
        save_state(out / "transformer.pt", state | {"optimizer": optimizer.state_dict()})
        passed = max(clock.spent - last_check, 1e-9)
        row = {"step": step, "seconds": round(clock.spent), "loss": running, "held_out": held_out}
        row |= {"tokens_per_second": round(tokens / passed), "teraflops": round(flops / passed / 1e12, 3)}
        if peak:
            row["mfu"] = round(flops / passed / peak, 4)  # model FLOPs utilisation, of the time between two looks, compiling included
        with (out / "transformer.jsonl").open("a") as file:
            file.write(json.dumps(row | {"clips": sum(len(s.latents_NTCHW) for s in shards)}) + "\n")
        on_log(row)
        shards, last_check, tokens, flops, looks = read_latents(latents), clock.spent, 0, 0.0, looks + 1

    def next_batch(pool):
        shares = _STILLS_FIRST if clock.part < STILLS_UNTIL else _LENGTHS
        if pool is None:
            return to_batch(draw(shards, random, batch_frames, shares), device)
        while len(ahead) < 2 * drawers:
            seed = int(random.integers(2**62))
            ahead.append(pool.submit(_draw_from, latents, looks, seed, batch_frames, shares))
        return to_batch(ahead.popleft().result(), device)

    with ProcessPoolExecutor(drawers, get_context("spawn")) if drawers else nullcontext() as pool:
        while clock.part < 1:
            batch = next_batch(pool)
            routed_TR = draw_route(batch) if clock.part < ROUTED_UNTIL else None
            loss = flow_matching_loss(model, batch, routed_TR)
            loss.backward()
            optimizer.step(warm_constant_cool(clock.part, step))
            average.update(model)
            step += 1
            tokens += batch.sigma_BT.numel() * batch.latents_BCTHW[0, 0, 0].numel()
            flops += training_flops(config, batch, routed_TR is not None)
            running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
            if clock.spent - last_check > every:
                check()
        for batch in ahead:
            batch.cancel()
    check()
    average.swap(model)
    return model.requires_grad_(False).eval()


def adopt(model: SpacetimeTransformer, out: Path) -> None:
    """Make `out` a stage that goes on from these weights, with its clock and its steps at 0."""
    out.mkdir(parents=True, exist_ok=True)
    average = WeightAverage(model, decay=0.998).state_dict()
    save_state(out / "transformer.pt", {"step": 0, "seconds": 0.0, "model": model.state_dict(), "average": average})


def flow_matching_loss(model: nn.Module, batch: Batch, routed_TR: Tensor | None = None) -> Tensor:
    """Squared error of the velocity at two scales (as Hoogeboom et al. 2023 do), and of its change: all are least at one velocity.

    Behind history, which is given and has no error, a chunk's change is its first frame's own error.
    """
    noise = torch.randn_like(batch.latents_BCTHW)
    noisy = interpolate(batch.latents_BCTHW, noise, batch.sigma_BT)
    with torch.autocast(noisy.device.type, torch.bfloat16):
        timestep_BT = batch.sigma_BT * TIMESTEPS
        predicted = model(noisy, timestep_BT, batch.text_BLD, batch.chunk_lengths, routed_TR=routed_TR, places=batch.places_BTHW2)
    error_BCTHW = predicted.float() - velocity(batch.latents_BCTHW, noise)
    kernel = (1, *(min(COARSE, size) for size in error_BCTHW.shape[-2:]))
    means = partial(F.avg_pool3d, kernel_size=kernel, ceil_mode=True, count_include_pad=False)
    settled_BT = ((1 - batch.sigma_BT) / (1 - SETTLED)).clamp(max=1)
    coarse_BCTHW, counts_B1THW = means(error_BCTHW), 1 + THINGS_WEIGHT * (settled_BT[..., None, None] * batch.things_BTHW)[:, None]
    error_BT = (error_BCTHW.square() * counts_B1THW).mean(dim=(1, 3, 4))
    error_BT = error_BT + COARSE_WEIGHT * (coarse_BCTHW.square() * means(counts_B1THW)).mean(dim=(1, 3, 4))
    # Within a chunk only, whose frames know the same; and not from a frame that is given, whose velocity nobody learns.
    change_BT = coarse_BCTHW.diff(dim=2).square().mean(dim=(1, 3, 4)) * (batch.weight_BT[:, :-1] > 0)
    for start in accumulate(batch.chunk_lengths[:-1]):
        change_BT[:, start - 1] = coarse_BCTHW[:, :, start].square().mean(dim=(1, 2, 3)) * (batch.weight_BT[:, start - 1] == 0)
    error_BT = error_BT + MOTION_WEIGHT * F.pad(change_BT, (1, 0))
    return (error_BT * batch.weight_BT).sum() / batch.weight_BT.sum()


def gpu_batch_frames(config: TransformerConfig) -> int:
    """Latent frames of 16:9 in a batch on a GPU of 80 GB."""
    return int(GPU_BYTES / (144 * KEPT_BYTES * config.width * config.num_layers))


def training_flops(config: TransformerConfig, batch: Batch, routed: bool) -> float:
    """Floating-point operations of a step by formula: matrix products and attention, forward, and twice that backward.

    What a backward pass does again to save memory does not count, nor do norms, rotations and the optimizer.
    """
    width, layers, text_length = config.width, config.num_layers, batch.text_BLD.shape[1]
    frames, per_frame = batch.sigma_BT.shape[1], batch.latents_BCTHW[0, 0, 0].numel() // math.prod(config.patch_size)
    pairs = sum(length * stop for length, stop in zip(batch.chunk_lengths, accumulate(batch.chunk_lengths), strict=True))

    def block(per_frame):
        tokens = frames * per_frame
        return tokens * (12 * width**2 + 4 * width * config.ffn_width) + 4 * width * (pairs * per_frame**2 + tokens * text_length)

    skipped = layers - 3 if routed else 0  # blocks that half of the tokens skip
    blocks = (layers - skipped) * block(per_frame) + skipped * block(per_frame // 2)
    text = text_length * (2 * config.text_width * width + 2 * width**2 + layers * 4 * width**2)
    time = frames * (2 * config.freq_width * width + 14 * width**2)
    ends = frames * per_frame * 2 * width * (config.in_channels + config.out_channels) * math.prod(config.patch_size)
    return 3.0 * len(batch.sigma_BT) * (blocks + text + time + ends)


def draw(
    shards: list[LatentShard], random: np.random.Generator, batch_frames: int, shares: tuple[tuple[int, float], ...] = _LENGTHS
) -> Drawn:
    """Sequences of one length and one size, from all shards that have them, each with one of its captions."""
    available = {shard.latents_NTCHW.shape[1] for shard in shards}
    lengths, weights = zip(*((length, share) for length, share in shares if length <= max(available)), strict=True)
    length = int(random.choice(lengths, p=np.array(weights) / sum(weights)))
    long_enough = [shard for shard in shards if shard.latents_NTCHW.shape[1] >= length]
    sizes = np.array([len(shard.latents_NTCHW) for shard in long_enough], np.float64)
    grid = long_enough[random.choice(len(long_enough), p=sizes / sizes.sum())].latents_NTCHW.shape[-2:]
    alike = [shard for shard in long_enough if shard.latents_NTCHW.shape[-2:] == grid]
    sizes = np.array([len(shard.latents_NTCHW) for shard in alike], np.float64)

    frames, spans = _window(alike, length, random)
    latents, things, texts, standing = [], [], [], []
    begins = [start for start, _ in chunk_spans(length)]
    for _ in range(max(1, batch_frames // length)):
        shard = alike[random.choice(len(alike), p=sizes / sizes.sum())]
        entry = random.integers(len(shard.latents_NTCHW))
        shown = frames[:1] if length == 1 else _fit(frames, shard)
        latents.append(shard.latents_NTCHW[entry][shown])
        things.append(shard.things_NTHW[entry][shown])
        seconds = frame_of(shown) / FPS
        # Any chunk's beginning may be the moment that places are counted from: when generating it is the current one's.
        standing.append(places(shard.motions_N5[entry], seconds - seconds[random.choice(begins)], *grid))
        dropped = random.random() < TEXT_DROPOUT
        caption = 3 * random.integers(PHRASINGS) + random.choice(3, p=_CAPTIONS)
        text_LD = text_of(shard, entry, caption, MAX_TOKENS)
        texts.append(np.zeros_like(text_LD) if dropped else text_LD)
    sigma_BT, weight_BT = draw_sigmas(random, len(latents), spans)
    stacked = np.stack(latents), np.stack(things), np.stack(texts).astype(np.float16)
    return Drawn(*stacked, sigma_BT, weight_BT, np.stack(standing), spans)


def to_batch(drawn: Drawn, device: str = "cpu") -> Batch:
    """As the transformer takes it: float32, on the device."""
    arrays = (drawn.text_BLD, drawn.sigma_BT, drawn.weight_BT, drawn.places_BTHW2)
    text_BLD, *others = (torch.from_numpy(array).to(device).float() for array in arrays)
    latents_BCTHW = torch.from_numpy(drawn.latents_BTCHW).to(device).float().transpose(1, 2)
    things_BTHW = torch.from_numpy(drawn.things_BTHW).to(device).float() / 255
    return Batch(latents_BCTHW, things_BTHW, text_BLD, *others, drawn.chunk_lengths)


def _draw_from(folder: Path, look: int, seed: int, batch_frames: int, shares: tuple[tuple[int, float], ...]) -> Drawn:
    """As `draw`, in a process of its own; shards are read once for each `look` at the folder."""
    return draw(_read_once(folder, look), np.random.default_rng(seed), batch_frames, shares)


@lru_cache(maxsize=1)
def _read_once(folder: Path, look: int) -> list[LatentShard]:
    return read_latents(folder)


def _window(shards: list[LatentShard], length: int, random: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
    """Latent frames of the first chunk and of later ones, at random leaving out chunks in between; and the chunks' lengths."""
    spans = tuple(stop - start for start, stop in chunk_spans(length))
    later = len(spans) - 1
    longest = max((shard.latents_NTCHW.shape[1] - FIRST_CHUNK) // CHUNK for shard in shards)
    gap = CHUNK * int(random.integers(max(longest - later, 0) + 1)) if later and random.random() < 0.6 else 0
    return np.r_[0 : min(length, FIRST_CHUNK), FIRST_CHUNK + gap : length + gap], spans


def _fit(frames: np.ndarray, shard: LatentShard) -> np.ndarray:
    """The same window without its gap, where a clip is too short for it."""
    if frames[-1] < shard.latents_NTCHW.shape[1]:
        return frames
    return np.arange(len(frames))


def draw_sigmas(random: np.random.Generator, batch: int, chunk_lengths: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Noise levels and loss weights, each (B, T) float32, for sequences of these chunks."""
    shift = CLIP_SHIFT if sum(chunk_lengths) > 1 else STILL_SHIFT
    sigma_BT = sample_sigmas(random, batch, chunk_lengths, shift, std=SIGMA_SPREAD)
    weight_BT = np.ones_like(sigma_BT)
    for row in range(batch):
        history = sum(chunk_lengths[: random.integers(len(chunk_lengths))])
        if history:  # nearly clean, as when generating; nothing is learnt from painting it again
            sigma_BT[row, :history] = np.repeat(HISTORY_SIGMA * random.random() ** 2, history)
            weight_BT[row, :history] = 0.0
        elif len(sigma_BT[row]) > 1 and random.random() < START_IMAGE:
            sigma_BT[row, 0], weight_BT[row, 0] = random.choice((0.0, random.uniform(0, HISTORY_SIGMA))), 0.0
    return sigma_BT, weight_BT


def draw_route(batch: Batch) -> Tensor:
    """Half of each latent frame's tokens, in order, (T, S / 2)."""
    frames, height, width = batch.latents_BCTHW.shape[2:]
    order = torch.rand(frames, height * width, device=batch.latents_BCTHW.device).argsort(dim=1)
    return order[:, : height * width // 2].sort(dim=1).values


def validation_loss(
    model: nn.Module, shards: list[LatentShard], device: str = "cpu", batch_frames: int = BATCH_FRAMES, batches: int = 8
) -> float | None:
    """The loss on held-out clips, for one batch_frames always at the same draws of noise, levels and captions.

    Gradients stay enabled, though none is taken: without them every compiled graph would be compiled once more.
    """
    if not shards:
        return None
    random = np.random.default_rng(0)
    with torch.random.fork_rng():  # the device's generator, too
        torch.manual_seed(0)
        losses = [flow_matching_loss(model, to_batch(draw(shards, random, batch_frames), device)).item() for _ in range(batches)]
    return round(float(np.mean(losses)), 5)
