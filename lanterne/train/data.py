"""Clips on disk: rendered once, in shards, read by memory map.

A shard is three files: `clips-00012-33.npy`, uint8 frames (n, F, H, W, 3), here with F = 33; `clips-00012-33.json`, a list of
n objects {"scene": ...}; and `clips-00012-33.things.npy`, uint8 (n, F, H/16, W/16), how much of each cell is the scene's subject.
Shards are written whole or not at all, so a reader may scan the folder while it fills.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lanterne.models.autoencoder import SPATIAL_FACTOR
from lanterne.world.scene import SUBJECTS, Scene, draw_scene, from_dict, to_dict
from lanterne.world.surface import THING

LANDSCAPE, PORTRAIT, SQUARE = (256, 144), (144, 256), (192, 192)
_SEEDS_PER_SHARD = 1000
VALIDATION_SHARD, VALIDATION_SHARDS = 10_000, 2  # shards from this number on are never trained on


@dataclass(frozen=True)
class Shard:
    """frames_NFHWC: uint8, mapped, not read; things_NFHW: uint8, 255 where a cell of 16 x 16 pixels is all subject; scenes: one for each
    clip."""

    frames_NFHWC: np.ndarray
    things_NFHW: np.ndarray
    scenes: tuple[Scene, ...]
    name: str


def read_shards(folder: Path) -> list[Shard]:
    """All finished shards in a folder, in order of their names."""
    return [read_shard(path) for path in sorted(folder.glob("clips-*.json"))]


def read_shard(path: Path) -> Shard:
    """path: of its .json file."""
    scenes = tuple(from_dict(entry["scene"]) for entry in json.loads(path.read_text()))
    return Shard(np.load(path.with_suffix(".npy"), mmap_mode="r"), np.load(path.with_suffix(".things.npy")), scenes, path.stem)


def plan_of(number: int, validation: bool = False) -> tuple[int, tuple[int, int], int]:
    """Shard `number` holds (clips, (width, height), frames): as many shards of 33 and 65 frames as of 17; one in five not 16:9."""
    if validation:
        return (16, LANDSCAPE, 33) if number % 2 == 0 else (8, LANDSCAPE, 65)
    size = {3: PORTRAIT, 7: SQUARE}.get(number % 10, LANDSCAPE)
    if number % 8 == 6:
        return 64, size, 1
    if number % 8 in (2, 5):
        return 16, size, 33
    if number % 8 in (4, 7):
        return 8, size, 65
    return 32, size, 17


def plan_of_minutes(number: int, validation: bool = False) -> tuple[int, tuple[int, int], int]:
    """Where time is short: small shards, every third of stills, so that there are many scenes soon."""
    if validation:
        return plan_of(number, validation)
    size = {3: PORTRAIT, 7: SQUARE}.get(number % 10, LANDSCAPE)
    if number % 3 == 0:
        return 64, size, 1
    if number % 3 == 1:
        return 16, size, 17
    return (8, size, 33) if number % 2 == 0 else (4, size, 65)


def plan_of_gpu(number: int, validation: bool = False) -> tuple[int, tuple[int, int], int]:
    """Long clips: a GPU's frames are cheap, and scenes are made on processors wherever they are rendered."""
    return (8, LANDSCAPE, 65) if number % 2 == 0 else (16, LANDSCAPE, 33)


def plan_of_dry_run(number: int, validation: bool = False) -> tuple[int, tuple[int, int], int]:
    """Just enough for every stage: the decoder's crops are 128 pixels wide."""
    return 1, LANDSCAPE, 17


def scenes_of(number: int, count: int, split: str = "train") -> list[Scene]:
    """The scenes of shard `number`: as they are drawn, but in every second shard of each kind each with a subject, all subjects alike.

    As drawn, a train is in one scene of eighty: far too few to learn what one looks like.
    """
    drawn = (draw_scene(seed, split) for seed in range(number * _SEEDS_PER_SHARD, (number + 1) * _SEEDS_PER_SHARD))
    if number % 16 < 8:
        return list(islice(drawn, count))
    left = Counter({subject: -(-count // len(SUBJECTS)) for subject in SUBJECTS})
    scenes = []
    while len(scenes) < count:
        scene = next(drawn)
        if left[scene.subject]:
            left[scene.subject] -= 1
            scenes.append(scene)
    return scenes


def render_shard(folder: Path, number: int, split: str = "train", device: str = "cpu", plan=None) -> Path:
    """Render one shard, unless it is there. Its scenes' seeds follow from its number: the same everywhere. plan: another `plan_of`."""
    count, size, num_frames = (plan or plan_of)(number, validation=number >= VALIDATION_SHARD)
    path = folder / f"clips-{number:05d}-{num_frames:02d}.json"
    if path.exists():
        return path
    from lanterne.world.render import render  # compiles: only those who render should wait for it

    folder.mkdir(parents=True, exist_ok=True)
    scenes = scenes_of(number, count, split)
    renders = [render(scene, *size, num_frames, device=device) for scene in scenes]
    save_array(path.with_suffix(".npy"), np.stack([made.frames_THWC for made in renders]))
    save_array(path.with_suffix(".things.npy"), np.stack([things_of(made.classes_THW) for made in renders]))
    temporary = path.with_suffix(".json.partial")
    temporary.write_text(json.dumps([{"scene": to_dict(scene)} for scene in scenes]))
    temporary.replace(path)  # last: a reader looks for this file
    return path


def things_of(classes_THW: np.ndarray) -> np.ndarray:
    """A render's classes -> uint8 (T, H/16, W/16), 255 where a cell is all subject."""
    frames, height, width = classes_THW.shape
    cells = (classes_THW == THING).reshape(frames, height // SPATIAL_FACTOR, SPATIAL_FACTOR, width // SPATIAL_FACTOR, SPATIAL_FACTOR)
    return (255 * cells.mean(axis=(2, 4))).round().astype(np.uint8)


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file whole or not at all."""
    temporary = path.with_suffix(".npy.partial")
    with temporary.open("wb") as file:
        np.save(file, array)
    temporary.replace(path)


@contextmanager
def renderers(workers: int, context=None) -> Iterator[ProcessPoolExecutor]:
    """Processes that render, out of everybody's way. Ctrl-C and errors leave undone what has not begun."""
    pool = ProcessPoolExecutor(workers, context, initializer=os.nice, initargs=(10,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def render_shards(
    runs: Path, numbers: Sequence[int], workers: int, device: str = "cpu", plan=None, on_shard=None
) -> None:
    """Render the two shards of `runs`/data-val, then those of `numbers` into `runs`/data, in parallel; calls on_shard(path) for each."""
    places = [(runs / "data-val", VALIDATION_SHARD + index, "any") for index in range(VALIDATION_SHARDS)]
    places += [(runs / "data", number, "train") for number in numbers]
    with renderers(workers) as pool:
        pending = [pool.submit(render_shard, *place, device, plan) for place in places]
        for future in pending:
            path = future.result()
            if on_shard:
                on_shard(path)


def to_video(frames_NFHWC: np.ndarray) -> Tensor:
    """uint8 (n, F, H, W, 3) -> float32 B 3 F H W in [-1, 1]."""
    return torch.from_numpy(np.array(frames_NFHWC)).permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1)


def random_crops(
    shards: list[Shard], random: np.random.Generator, batch: int, num_frames: int, size: int
) -> Tensor:
    """A batch of random square crops, B 3 F size size in [-1, 1], flipped and played backwards at random.

    Every second clip or so skips frames: faster motion than any the world has is the autoencoder's exercise.
    """
    long_enough = [shard for shard in shards if shard.frames_NFHWC.shape[1] >= num_frames]
    crops = []
    for _ in range(batch):
        clips = long_enough[random.integers(len(long_enough))].frames_NFHWC
        stride = min(int(random.choice((1, 1, 2))), (clips.shape[1] - 1) // max(num_frames - 1, 1) or 1)
        span = (num_frames - 1) * stride + 1
        start = random.integers(clips.shape[1] - span + 1)
        top, left = random.integers(clips.shape[2] - size + 1), random.integers(clips.shape[3] - size + 1)
        crop = clips[random.integers(len(clips)), start : start + span : stride, top : top + size, left : left + size]
        crop = crop[:, :, ::-1] if random.random() < 0.5 else crop
        crops.append(crop[::-1] if random.random() < 0.2 else crop)
    return to_video(np.stack(crops))
