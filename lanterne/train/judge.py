"""What the judge learns from: looks at clips of the world and at what the autoencoder makes of them."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lanterne.evaluate.judge import HEIGHT, NUM_FRAMES, WIDTH, look
from lanterne.models.autoencoder import StreamingAutoencoder
from lanterne.train.data import LANDSCAPE, read_shards, to_video
from lanterne.world.scene import Scene, draw_scene, from_dict, to_dict

_RECONSTRUCTED = 3  # every third clip is also seen as the autoencoder paints it
_PER_FILE = 60
_FIRST_SEED = 9_000_000  # of scenes that no other stage sees


def judge_data(folders: list[Path], autoencoder: StreamingAutoencoder) -> tuple[Tensor, list[Scene]]:
    """Looks (N, C, H, W) uint8 and their scenes, from all 16:9 clips; long ones give several, since their motion goes on."""
    looks, scenes = [], []
    for folder in folders:
        for shard in read_shards(folder):
            _, num_frames, height, width, _ = shard.frames_NFHWC.shape
            if num_frames < NUM_FRAMES or (width, height) != LANDSCAPE:
                continue
            # What an event shows late is no longer what its scene begins with.
            steady = np.array([scene.event is None for scene in shard.scenes])
            for start in range(0, num_frames - NUM_FRAMES + 1, NUM_FRAMES - 1):
                chosen = np.flatnonzero(steady | (start == 0))
                if len(chosen):
                    looks.append(look(np.asarray(shard.frames_NFHWC[chosen, start : start + NUM_FRAMES])))
                    scenes.extend(shard.scenes[index] for index in chosen)
            first = np.asarray(shard.frames_NFHWC[::_RECONSTRUCTED, :NUM_FRAMES])
            looks.append(look(reconstruct(autoencoder, first)))
            scenes.extend(shard.scenes[::_RECONSTRUCTED])
    return torch.cat(looks), scenes


def small_clips(folder: Path, count: int, workers: int, on_file=None) -> tuple[Tensor, list[Scene]]:
    """Looks at `count` clips of all combinations, rendered at the size that the judge sees: a quarter of the work. Kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-count // _PER_FILE))
    with ProcessPoolExecutor(workers, initializer=os.nice, initargs=(10,)) as pool:
        pending = [pool.submit(_render_looks, folder / f"looks-{number:05d}.npy", number) for number in numbers]
        for future in pending:
            future.result()
            if on_file:
                on_file()
    looks, scenes = [], []
    for number in numbers:
        looks.append(torch.from_numpy(np.load(folder / f"looks-{number:05d}.npy")))
        scenes += map(from_dict, json.loads((folder / f"looks-{number:05d}.json").read_text()))
    return torch.cat(looks), scenes


def _render_looks(path: Path, number: int) -> None:
    from lanterne.world.render import render  # compiles

    if path.exists():
        return
    scenes = [draw_scene(_FIRST_SEED + _PER_FILE * number + index, "any") for index in range(_PER_FILE)]
    clips = np.stack([render(scene, WIDTH, HEIGHT, NUM_FRAMES).frames_THWC for scene in scenes])
    path.with_suffix(".json").write_text(json.dumps([to_dict(scene) for scene in scenes]))
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.save(file, look(clips).numpy())
    temporary.replace(path)


@torch.inference_mode()
def reconstruct(autoencoder: StreamingAutoencoder, frames_NTHWC: np.ndarray) -> np.ndarray:
    """Clips (N, T, H, W, 3) uint8 through the autoencoder, T = 1 + 4 n."""
    painted = []
    for clip in frames_NTHWC:
        with torch.autocast("cpu", torch.bfloat16):
            video = autoencoder.decode(autoencoder.encode(to_video(clip[None])))
        painted.append(((video[0].float() + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy())
    return np.stack(painted)
