"""What the judge learns from: looks at clips and stills of the world and at what the autoencoder makes of them."""

import json
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lanterne.evaluate.judge import FOUR_SECONDS, HEIGHT, NUM_FRAMES, SECOND, STILL, STRIDE, WIDTH, Lessons, look
from lanterne.models.autoencoder import StreamingAutoencoder
from lanterne.precision import mixed
from lanterne.train.data import LANDSCAPE, read_shards, renderers, to_video
from lanterne.world.scene import Scene, draw_scene, from_dict, to_dict
from lanterne.world.surface import CLASSES

_RECONSTRUCTED = 3  # every third clip is also seen as the autoencoder paints it
_PER_FILE = 60
_FIRST_SEED, _FIRST_EVENTFUL_SEED = 9_000_000, 9_500_000  # of scenes that no other stage sees
_EVENTFUL, _LESSONS_TO_EVENTFUL = "eventful", 2  # files of clips of four seconds, and how many others there are to one
_EVERY = 2  # a look is at every second frame


def lessons_of_shards(folder: Path, autoencoder: StreamingAutoencoder) -> Lessons:
    """All that is 16:9 in a folder of shards; long clips give several looks, since their motion goes on."""
    parts = []
    for shard in read_shards(folder):
        _, num_frames, height, width, _ = shard.frames_NFHWC.shape
        if (width, height) != LANDSCAPE:
            continue
        if num_frames < NUM_FRAMES:
            parts.append(Lessons.of(_look_at_stills(np.asarray(shard.frames_NFHWC[:, 0])), list(shard.scenes), STILL))
            continue
        # What an event shows late is no longer what its scene begins with.
        steady = np.array([scene.event is None for scene in shard.scenes])
        for start in range(0, num_frames - NUM_FRAMES + 1, NUM_FRAMES - 1):
            chosen = np.flatnonzero(steady | (start == 0))
            if len(chosen):
                looks = look(np.asarray(shard.frames_NFHWC[chosen, start : start + NUM_FRAMES]))
                parts.append(Lessons.of(looks, [shard.scenes[index] for index in chosen]))
        if num_frames > FOUR_SECONDS * (NUM_FRAMES - 1):
            parts.append(Lessons.of(look(np.asarray(shard.frames_NFHWC[:, ::FOUR_SECONDS])), list(shard.scenes), FOUR_SECONDS))
        first = np.asarray(shard.frames_NFHWC[::_RECONSTRUCTED, :NUM_FRAMES])
        parts.append(Lessons.of(look(reconstruct(autoencoder, first)), list(shard.scenes[::_RECONSTRUCTED])))
    return Lessons.together(parts)


def small_lessons(folder: Path, count: int, workers: int, on_file=None) -> Lessons:
    """Looks at clips of `count` scenes of all combinations, and at half as many of four seconds, in most of which something happens;
    rendered at the size that the judge sees: a quarter of the work. Kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = -(-count // _PER_FILE)
    paths = [folder / f"clips-{number:05d}.npz" for number in range(files)]
    paths += [folder / f"{_EVENTFUL}-{number:05d}.npz" for number in range(-(-files // _LESSONS_TO_EVENTFUL))]
    # Spawned: a fork of a process in which torch has threads may wait for them for ever.
    with renderers(workers, get_context("spawn")) as pool:
        pending = [pool.submit(_render_lessons, path) for path in paths]
        for future in pending:
            future.result()
            if on_file:
                on_file()
    return Lessons.together([_read_lessons(path) for path in paths])


def _render_lessons(path: Path) -> None:
    from lanterne.world.render import render  # compiles

    if path.exists():
        return
    kind, number = path.stem.split("-")
    eventful = kind == _EVENTFUL
    first = (_FIRST_EVENTFUL_SEED if eventful else _FIRST_SEED) + _PER_FILE * int(number)
    scenes = [_draw_lesson(first + index, eventful and index % 3 > 0) for index in range(_PER_FILE)]
    frames, classes = [], []
    for scene in scenes:
        shown = render(scene, WIDTH, HEIGHT, (NUM_FRAMES + 1) // _EVERY, step=_EVERY * (FOUR_SECONDS if eventful else SECOND))
        frames.append(shown.frames_THWC)
        classes.append(_shares(shown.classes_THW[len(shown.classes_THW) // 2]))
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, clips=np.stack(frames), classes=np.stack(classes), scenes=json.dumps([to_dict(scene) for scene in scenes]))
    temporary.replace(path)


def _draw_lesson(seed: int, eventful: bool) -> Scene:
    """The scene of a seed; `eventful`: of the first seed of those a million apart in which something happens."""
    scene = draw_scene(seed, "any")
    while eventful and scene.event is None:
        seed += 1_000_000
        scene = draw_scene(seed, "any")
    return scene


def _read_lessons(path: Path) -> Lessons:
    with np.load(path) as file:
        scenes = [from_dict(values) for values in json.loads(str(file["scenes"]))]
        looks = look(np.repeat(file["clips"], _EVERY, axis=1)[:, :NUM_FRAMES])
        pace = FOUR_SECONDS if path.stem.startswith(_EVENTFUL) else SECOND
        return Lessons.of(looks, scenes, pace, torch.from_numpy(file["classes"]))


def _look_at_stills(pictures_NHWC: np.ndarray) -> torch.Tensor:
    return look(np.repeat(pictures_NHWC[:, None], NUM_FRAMES, axis=1))


def _shares(classes_HW: np.ndarray) -> np.ndarray:
    """(9, 9, 16) uint8: how much of each place belongs to each class, of 255."""
    each_KHW = F.one_hot(torch.from_numpy(classes_HW).long(), len(CLASSES)).permute(2, 0, 1).float()
    return F.avg_pool2d(each_KHW, STRIDE).mul(255).round().byte().numpy()


@torch.inference_mode()
def reconstruct(autoencoder: StreamingAutoencoder, frames_NTHWC: np.ndarray) -> np.ndarray:
    """Clips (N, T, H, W, 3) uint8 through the autoencoder, T = 1 + 4 n."""
    painted = []
    for clip in frames_NTHWC:
        with mixed():
            video = autoencoder.decode(autoencoder.encode(to_video(clip[None])))
        painted.append(((video[0].float() + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy())
    return np.stack(painted)
