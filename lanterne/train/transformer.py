"""The transformer's stage: flow matching with a noise level of its own for every chunk (diffusion forcing, Chen et al. 2024).

One network learns all that the road asks of it. Chunks see themselves and earlier ones. In a training sequence a random number of
chunks at the front is nearly clean, as history is when generating; the rest are noised independently. Sometimes the first frame is
clean: a start image. Long clips often leave chunks out after the first, as the sliding window does in a long rollout, where the
first chunk stays and what lies between is forgotten. Text is dropped for guidance.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lanterne.flow import TIMESTEPS, chunk_spans, interpolate, velocity
from lanterne.models.text_encoder import MAX_TOKENS
from lanterne.models.transformer import SpacetimeTransformer, TransformerConfig, grid
from lanterne.precision import mixed
from lanterne.train.batches import Batch, Clips, draw_route, draw_sigmas
from lanterne.train.optim import Clock, MuonAdamW, WeightAverage, load_state, save_state, warm_constant_cool

LEARNING_RATE = 1.5e-3
WEIGHT_DECAY = 0.01
ROUTED_UNTIL = 0.6  # of the stage's time; then all tokens go through all blocks, as when generating
# The loss once more on means of 3 x 3 tokens, and on how these change from frame to frame: layout and motion, which texture drowns.
COARSE, COARSE_WEIGHT, MOTION_WEIGHT = 3, 5.0, 8.0
# How much more the loss counts where the subject is: a tenth of the picture at most, and what a prompt is about. Less and less above
# SETTLED, where it may be in many a place yet: counted there too, it is made likely in all of them, and one boat becomes three.
THINGS_WEIGHT, SETTLED = 4.0, 0.8
BATCH_FRAMES = 40  # latent frames in a batch on a processor; small, since steps count for more than tokens this early
GPU_BATCH_FRAMES = 384  # enough to keep one busy; more would be fewer steps
_PEAKS = {"H100": 989e12, "H200": 989e12}  # FLOP/s in dense bfloat16, by the data sheets of the SXM cards
# Share of steps by the latent frames of a sequence. Mostly stills at first: a step then shows five times as many scenes, which
# is what composition is learnt from. Later the first chunk most, and rollouts.
_STILLS_FIRST = ((1, 0.70), (5, 0.20), (9, 0.07), (17, 0.03))
_LENGTHS = ((1, 0.30), (5, 0.33), (9, 0.20), (17, 0.17))
STILLS_UNTIL = 0.30  # of the stage's time
_EVERY_SECONDS = 240  # between validations and savings
# Matrices that face the data or the noise level: AdamW's.
BY_ADAM = ("patch_embedding", "proj_out", "condition_embedder", "scale_shift_table")


def train_transformer(
    latents: Path,
    out: Path,
    config: TransformerConfig,
    minutes: float | Callable[[], float],
    device: str = "cpu",
    compiled: bool = True,
    batch_frames: int | None = None,
    every: float = _EVERY_SECONDS,
    on_log=print,
) -> SpacetimeTransformer:
    """Train until the stage has had `minutes` of wall clock in all; go on from `out/transformer.pt` where it exists.

    latents: a cache, taken into the device's memory; its sibling `<latents>-val` is validated on. Writes `out/transformer.jsonl`. A later
    call with more minutes takes the constant learning rate up again; a state of `adopt` has none of the optimizer's, which then warms up
    anew. Returns the averaged model. batch_frames: latent frames in a batch; by default what suits the device. every: seconds between two
    looks at the held-out clips, after which the state is saved and new shards are read. minutes may be a function, which is asked when a
    GPU has compiled, a matter of a minute or two, and answers when there are clips to train on.
    """
    out.mkdir(parents=True, exist_ok=True)
    on_gpu = device != "cpu"
    batch_frames = batch_frames or (GPU_BATCH_FRAMES if on_gpu else BATCH_FRAMES)
    peak = next((peak for name, peak in _PEAKS.items() if on_gpu and name in torch.cuda.get_device_name()), None)
    torch.manual_seed(0)
    model = SpacetimeTransformer(config).to(device)
    average = WeightAverage(model, decay=0.998)
    optimizer = MuonAdamW(model, LEARNING_RATE, WEIGHT_DECAY, BY_ADAM)
    state = load_state(out / "transformer.pt")
    if state:
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
    if compiled:
        torch._dynamo.config.recompile_limit = 64  # one graph for each length and for routing or not
        torch._dynamo.config.suppress_errors = on_gpu  # what cannot be compiled there runs uncompiled: better slow than not at all
        for block in model.blocks:  # one graph for all blocks; the whole model would take minutes
            block.compile(dynamic=False)
        if on_gpu:
            compile_ahead(model, batch_frames, device)
    minutes = minutes() if callable(minutes) else minutes
    step, clock = (state["step"], Clock(minutes, state["seconds"])) if state else (0, Clock(minutes))
    random = np.random.default_rng(step)
    clips, unseen = Clips(latents, device), Clips(latents.with_name(latents.name + "-val"), device)
    held_out = [unseen.draw(np.random.default_rng(number), batch_frames, _LENGTHS) for number in range(8)] if len(unseen) else []
    routed_until = 0.0 if on_gpu else ROUTED_UNTIL  # a GPU would spend on compiling it what it saves
    last_check, running, tokens, flops = clock.spent, None, 0, 0.0

    def check():
        nonlocal last_check, tokens, flops
        average.swap(model)
        loss = validation_loss(model, held_out)
        average.swap(model)
        state = {"step": step, "seconds": clock.spent, "model": model.state_dict(), "average": average.state_dict()}
        save_state(out / "transformer.pt", state | {"optimizer": optimizer.state_dict()})
        passed = max(clock.spent - last_check, 1e-9)
        row = {"step": step, "seconds": round(clock.spent), "loss": running and running.item(), "held_out": loss}
        row |= {"tokens_per_second": round(tokens / passed), "teraflops": round(flops / passed / 1e12, 3)}
        if peak:
            row["mfu"] = round(flops / passed / peak, 4)  # model FLOPs utilisation, of the time between two looks
        with (out / "transformer.jsonl").open("a") as file:
            file.write(json.dumps(row | {"clips": len(clips)}) + "\n")
        on_log(row)
        clips.refresh()
        last_check, tokens, flops = clock.spent, 0, 0.0

    def draw():
        return clips.draw(random, batch_frames, _STILLS_FIRST if clock.part < STILLS_UNTIL else _LENGTHS)

    batch = draw()
    while clock.part < 1:
        routed_TR = draw_route(batch) if clock.part < routed_until else None
        loss = flow_matching_loss(model, batch, routed_TR)
        loss.backward()
        tokens += batch.sigma_BT.numel() * batch.latents_BCTHW[0, 0, 0].numel()
        flops += training_flops(config, batch, routed_TR is not None)
        batch = draw()  # while a GPU is still busy with this one
        optimizer.step(warm_constant_cool(clock.part, step))
        average.update(model)
        step += 1
        running = loss.detach() if running is None else running.lerp(loss.detach(), 0.02)
        if clock.spent - last_check > every:
            check()
    check()
    average.swap(model)
    return model.requires_grad_(False).eval()


def compile_ahead(model: SpacetimeTransformer, batch_frames: int, device: str) -> None:
    """A step of every length, on noise: compiled before the first clip is there. Weights stay as they are."""
    for length, _ in _LENGTHS:
        count, rows, columns = max(1, batch_frames // length), 9, 16
        chunk_lengths = tuple(stop - start for start, stop in chunk_spans(length))
        given = (torch.from_numpy(array).to(device) for array in draw_sigmas(np.random.default_rng(0), count, chunk_lengths))
        latents_BCTHW = torch.randn(count, model.config.in_channels, length, rows, columns, device=device)
        text_BLD = torch.zeros(count, MAX_TOKENS, model.config.text_width, device=device)
        places_BTHW2 = grid(length, rows, columns, device).expand(count, -1, -1, -1, -1).float()
        batch = Batch(latents_BCTHW, torch.zeros_like(latents_BCTHW[:, 0]), text_BLD, *given, places_BTHW2, chunk_lengths)
        flow_matching_loss(model, batch).backward()
        model.zero_grad()


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
    with mixed(noisy.device.type):
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


def validation_loss(model: nn.Module, batches: list[Batch]) -> float | None:
    """The mean loss, always at the same noise.

    Gradients stay enabled, though none is taken: without them every compiled graph would be compiled once more.
    """
    if not batches:
        return None
    with torch.random.fork_rng():  # the device's generator, too
        torch.manual_seed(0)
        return round(float(np.mean([flow_matching_loss(model, batch).item() for batch in batches])), 5)
