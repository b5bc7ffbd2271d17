"""Guidance in one pass: a network that predicts what two passes, with the prompt and without, make of a step (Meng et al. 2023).

It starts as the trained transformer and learns while it makes videos: at each of its own steps the two passes say where to go, and the
history that both remember is its own. So it learns where it will be, mistakes of its own included, and needs no clip, only captions.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lanterne.flow import chunk_spans, noise, sigmas_for
from lanterne.generate import CONTEXT_STREAM, SHIFT, guided_beside, joined, places_of
from lanterne.guidance import OnePass, TwoPasses
from lanterne.models import checkpoint
from lanterne.models.autoencoder import SPATIAL_FACTOR
from lanterne.models.text_encoder import TextEncoder
from lanterne.models.transformer import SpacetimeTransformer
from lanterne.paths import file_hash
from lanterne.precision import mixed
from lanterne.request import GUIDANCE, NATIVE_SIZES, STEPS
from lanterne.samplers import adams_bashforth
from lanterne.train.optim import Clock, MuonAdamW, load_state, save_state, warm_constant_cool
from lanterne.train.transformer import BY_ADAM, COARSE, COARSE_WEIGHT
from lanterne.world.camera import motion_of
from lanterne.world.captions import captions
from lanterne.world.scene import draw_scene

LEARNING_RATE = 5e-4
BATCH, GPU_BATCH = 4, 64  # videos at once
WARM_STEPS, COOL_FROM = 30, 0.6
_FIRST_SEED, _LAST_SEED = 40_000_000, 50_000_000  # of scenes whose captions nothing else is made of
_SIZES = (0.7, 0.15, 0.15)  # share of NATIVE_SIZES
_LENGTHS = ((1, 0.12), (5, 0.6), (9, 0.18), (17, 0.1))  # share of videos by their latent frames
_FROM_A_STILL = 0.12  # share of the others whose first frame is given: a still that was made before
_USUAL_STEPS, _FEWEST_STEPS, _MOST_STEPS = 0.85, 4, 16  # share of videos made in STEPS steps; the numbers of the others
_EVERY_SECONDS = 240


def distil_guidance(
    teacher: SpacetimeTransformer, text_encoder: TextEncoder, out: Path, minutes: float, device: str = "cpu",
    on_log: Callable[[dict], None] = print,
) -> SpacetimeTransformer:
    """A copy of `teacher` that has learnt for `minutes` of wall clock in all; goes on from `out/guidance.pt` where it exists.

    Writes `out/guidance.jsonl`: for each quarter of the noise levels, the mean squared error of its velocity since the row before. These
    are prompts that it had not learnt from yet, since each is used once.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    teacher, text_encoder = teacher.to(device), text_encoder.to(device)
    student = deepcopy(teacher).requires_grad_(True).train()
    optimizer = MuonAdamW(student, LEARNING_RATE, by_adam=BY_ADAM)
    state = load_state(out / "guidance.pt")
    if state:
        student.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    step, clock = (state["step"], Clock(minutes, state["seconds"])) if state else (0, Clock(minutes))
    random, errors, last_check = np.random.default_rng(step), [], clock.spent

    def learn(v_BCtHW: Tensor, target_BCtHW: Tensor, sigma: float, weight: float) -> None:
        nonlocal step
        error = v_BCtHW - target_BCtHW
        coarse = F.avg_pool3d(error, (1, COARSE, COARSE), ceil_mode=True, count_include_pad=False)
        (weight * (error.square().mean() + COARSE_WEIGHT * coarse.square().mean())).backward()
        optimizer.step(warm_constant_cool(clock.part, step, WARM_STEPS, COOL_FROM))
        errors.append((sigma, float(error.detach().square().mean())))
        step += 1
        if clock.spent - last_check > _EVERY_SECONDS:
            check()

    def check():
        nonlocal last_check
        state = {"step": step, "seconds": clock.spent, "model": student.state_dict(), "optimizer": optimizer.state_dict()}
        save_state(out / "guidance.pt", state)
        row = {"step": step, "seconds": round(clock.spent)}
        for low in (0.75, 0.5, 0.25, 0.0):
            among = [error for sigma, error in errors if low < sigma <= low + 0.25]
            row[f"error above {low}"] = round(float(np.mean(among)), 4) if among else None
        with (out / "guidance.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        on_log(row)
        errors.clear()
        last_check = clock.spent

    while clock.part < 1:
        lesson = _Lesson(teacher, student, text_encoder, random, learn)
        lengths, shares = zip(*_LENGTHS, strict=True)
        length = int(random.choice(lengths, p=shares))
        first = lesson.video(1)[:, :, 0] if length > 1 and random.random() < _FROM_A_STILL else None
        lesson.video(length, first)
    check()
    return student.requires_grad_(False).eval()


def write_guided(
    weights: Path, runs: Path, minutes: float, device: str, text_encoder: TextEncoder, on_log: Callable[[dict], None] = print
) -> Path:
    """Distil guidance into these weights' transformer and write it to RUNS, by the name under which it is looked for beside them."""
    loaded, of = checkpoint.load(weights), file_hash(weights)
    folder, path = runs / f"guidance-{of[:12]}", runs / guided_beside(weights).name
    student = distil_guidance(loaded.build("transformer"), text_encoder, folder, minutes, device, on_log)
    row = json.loads((folder / "guidance.jsonl").read_text().splitlines()[-1])
    training = {"guidance distilled": f"{row['step']:,} steps in {row['seconds'] / 60:.0f} minutes"}
    sources = {"sources": loaded.metadata["sources"]} if "sources" in loaded.metadata else {}
    metadata = {"guides": {"weights": of, "guidance": GUIDANCE}, "training": training} | sources
    checkpoint.save(path, {"transformer": student}, metadata, dtype="int8")
    return path


class _Lesson:
    """A few scenes told in words, and videos of them."""

    def __init__(self, teacher, student, text_encoder: TextEncoder, random: np.random.Generator, learn: Callable):
        self.teacher, self.student, self.random, self.learn = teacher, student, random, learn
        batch = BATCH if teacher.proj_out.weight.device.type == "cpu" else GPU_BATCH
        width, height = NATIVE_SIZES[random.choice(len(NATIVE_SIZES), p=_SIZES)]
        self.shape = (teacher.config.in_channels, height // SPATIAL_FACTOR, width // SPATIAL_FACTOR)
        scenes = [draw_scene(int(seed)) for seed in random.integers(_FIRST_SEED, _LAST_SEED, batch)]
        # Told as the road tells a prompt.
        said = [captions(scene, scene.seed, french_share=0)["long"] for scene in scenes]
        self.device = teacher.proj_out.weight.device
        self.text_BLD = text_encoder.encode(said).to(self.device)
        self.motions = [motion_of(scene) for scene in scenes]

    def video(self, length: int, first_BCHW: Tensor | None = None) -> Tensor:
        """Latents (B, C, length, H, W), made in a number of steps of which each is learnt from; with a given first frame, perhaps."""
        with torch.no_grad(), mixed(self.device.type):
            two = TwoPasses(self.teacher, self.text_BLD, torch.zeros_like(self.text_BLD), GUIDANCE)
            one = OnePass(self.student, self.text_BLD)
        usual = self.random.random() < _USUAL_STEPS
        num_steps = STEPS if usual else int(self.random.integers(_FEWEST_STEPS, _MOST_STEPS + 1))
        sigmas, seeds = sigmas_for(num_steps, SHIFT), self.random.integers(1 << 62, size=len(self.motions)).tolist()
        # An error counts as what its step makes of it.
        weights = {sigma: (num_steps * (sigma - after)) ** 2 for sigma, after in pairwise(sigmas)}
        made: list[Tensor] = []

        def noises(start, stop, stream=0):
            drawn = [np.stack([noise(seed, stream + frame, self.shape) for frame in range(start, stop)], axis=1) for seed in seeds]
            return torch.from_numpy(np.stack(drawn)).to(self.device)

        for start, stop in chunk_spans(length):
            x, moving = noises(start, stop), torch.ones(1, device=self.device)
            if start == 0 and first_BCHW is not None:
                x[:, :, 0], moving = first_BCHW, torch.ones(stop, device=self.device)
                moving[0] = 0.0
            standing = torch.cat([places_of(motion, two.cache, start, stop, *self.shape[1:]) for motion in self.motions])

            def velocity(x, sigma, start=start, standing=standing, moving=moving):
                given = (x, (moving * sigma)[None], start, standing)
                with torch.no_grad(), mixed(self.device.type):
                    target = two.velocity(*given)
                with mixed(self.device.type):
                    one.text = self.student.prepare_text(self.text_BLD)  # anew: what reads the prompt learns, too
                    v = one.velocity(*given)
                moves = moving[:, None, None]
                self.learn(v * moves, target * moves, sigma, weights[sigma])
                v = v.detach() * moves
                return joined(v, x, sigma, made[-1][:, :, -1]) if made else v

            made.append(adams_bashforth(velocity, x, sigmas))
            if stop < length:
                with torch.no_grad(), mixed(self.device.type):
                    one.text = self.student.prepare_text(self.text_BLD)
                    for network in (two, one):
                        network.remember(made[-1], noises(start, stop, CONTEXT_STREAM), standing)
        return torch.cat(made, dim=2)
