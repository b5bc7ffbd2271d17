"""The invisible watermark on generated clips: what it costs, what it survives, how often it is seen where there is none.

`python -m bench.watermark FOLDER` keeps its clips in FOLDER (made on first use, about 650 MB) and prints the tables of docs/provenance.md.
"""

import argparse
import io
import math
import sys
import time
from fractions import Fraction
from itertools import islice, product
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from lanterne.programme import watermark
from lanterne.video import VideoWriter

PLACES = ("snowy mountains", "sand dunes", "a red canyon", "a forest", "a calm lake", "a rocky coast", "a stormy ocean", "a city skyline")
TIMES = ("at dawn", "at noon", "at night")
MOODS = (
    "clear sky, slow pan left", "fog, slow push in", "rain, static camera", "a few clouds, slow aerial orbit", "snow, the camera rises",
)
PROMPTS = [f"{place} {time}, {mood}" for place, time, mood in product(PLACES, TIMES, MOODS)]
FRAMES, STEPS, FIRST_SEED = 49, 6, 1000  # three seconds; few steps: it is the kind of picture that matters here
SECRET = b"the bench's own secret, 32 bytes"
# name: (crf, share of each side that stays, scale), applied to the published file (crf 17, as VideoWriter writes it)
ATTACKS = {
    "as published": None,
    "x264 at crf 23": (23, 1.0, 1.0),
    "x264 at crf 28": (28, 1.0, 1.0),
    "x264 at crf 33": (33, 1.0, 1.0),
    "scaled to 0.5, crf 23": (23, 1.0, 0.5),
    "10 % of both sides cropped away, crf 23": (23, 0.9, 1.0),
    "cropped by 10 % and scaled to 0.5, crf 23": (23, 0.9, 0.5),
}


def make_clips(folder: Path) -> list[Path]:
    """The prompts' clips as (T, 144, 256, 3) uint8, by the committed weights; those that are there are not made again."""
    paths = [folder / f"{index:03d}.npy" for index in range(len(PROMPTS))]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    if missing:
        from lanterne.evaluate.sample import sample
        from lanterne.generate import Engine
        from lanterne.request import GUIDANCE

        folder.mkdir(parents=True, exist_ok=True)
        engine = Engine.load()
        prompts, seeds = [PROMPTS[index] for index in missing], [FIRST_SEED + index for index in missing]
        for index, clip in zip(missing, sample(engine, prompts, seeds, FRAMES, STEPS, GUIDANCE, batch=4), strict=True):
            np.save(paths[index], clip)
    return paths


def attacked(path: Path, attack, random) -> io.BytesIO | Path:
    """The file after an attack: a crop at a place of chance, a scaling, an encoding."""
    if attack is None:
        return path
    crf, share, scale = attack
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = pictures[0].shape[:2]
    high, wide = round(height * share / 2) * 2, round(width * share / 2) * 2
    top, left = random.integers(0, height - high + 1), random.integers(0, width - wide + 1)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=16, options={"crf": str(crf), "preset": "medium", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = round(wide * scale / 2) * 2, round(high * scale / 2) * 2, "yuv420p"
        for number, picture in enumerate(pictures):
            part = np.ascontiguousarray(picture[top : top + high, left : left + wide])
            frame = av.VideoFrame.from_ndarray(part, format="rgb24").reformat(
                stream.width, stream.height, "yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=Interpolation.LANCZOS
            )
            frame.pts, frame.time_base = number, Fraction(1, 16)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    return buffer


def survival(paths: list[Path], folder: Path, attacks=ATTACKS) -> tuple[dict[str, list[float]], list[float], list[float]]:
    """{attack: score of each clip, 0 where the number was not read right}, PSNR of each clip, processor seconds a frame to embed."""
    scores, quality, cost = {name: [] for name in attacks}, [], []
    for index, path in enumerate(paths):
        print(f"{index} of {len(paths)} clips", end="\r", file=sys.stderr, flush=True)
        frames, random = np.load(path), np.random.default_rng(index)
        number = int(random.integers(1 << watermark.BITS))
        started = time.process_time()
        marked = watermark.embed(frames, watermark.pattern(SECRET, number, 256, 144))
        cost.append((time.process_time() - started) / len(frames))
        quality.append(-10 * math.log10(np.mean((marked.astype(np.float32) - frames) ** 2) / 255**2))
        published, copy = folder / "published.mp4", folder / "copy.mp4"
        with VideoWriter(published, 256, 144, {}) as writer:
            writer.write(marked)
        for name, attack in attacks.items():
            file = attacked(published, attack, random)
            if attack is not None:
                copy.write_bytes(file.getvalue())
                file = copy
            found = watermark.find(file, SECRET)  # a whole search where it is not found at once
            scores[name].append(found.score if found and found.number == number else -1.0 if found else 0.0)
    return scores, quality, cost


def chance(paths: list[Path], keys: int, places: int | None) -> tuple[int, int]:
    """Pairs of an unmarked clip and a key that were looked at, and in how many of them something was found. places: 1 looks at the whole
    picture alone, None at all crops."""
    looked, found = 0, 0
    for index, path in enumerate(paths):
        print(f"{looked:,} pairs, {found} found", end="\r", file=sys.stderr, flush=True)
        residue = watermark.residue(np.load(path)[..., 1].astype(np.float32))
        placed = list(islice(watermark.placements(residue, (256, 144)), places))
        for key in range(keys):
            found += watermark.search(placed, (256, 144), b"key %d of clip %d" % (key, index)) is not None
            looked += 1
    return looked, found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=len(PROMPTS))
    parser.add_argument("--keys", type=int, default=100, help="keys for each unmarked clip")
    parser.add_argument("--crops", action="store_true", help="look for crops with every key, too; takes 15 times as long")
    chosen = parser.parse_args()
    paths = make_clips(chosen.folder)[:: len(PROMPTS) // chosen.clips]
    if chosen.keys:
        looked, found = chance(paths, chosen.keys, None if chosen.crops else 1)
        print(f"{found} of {looked:,} pairs of an unmarked clip and a key", flush=True)
        return
    scores, quality, cost = survival(paths, chosen.folder)
    print(f"PSNR {min(quality):.1f} to {max(quality):.1f} dB, embedding {np.median(cost) * 1e3:.1f} ms of the processor a frame (median), "
          f"{len(paths)} clips\n")
    print("| what was done to the file | number read right | read wrong | lowest score | median score |\n|---|---|---|---|---|")
    for name, row in scores.items():
        right = [score for score in row if score > 0]
        print(f"| {name} | {len(right) / len(row):.3f} | {row.count(-1.0)} | {min(right, default=0):.1f} | {np.median(row):.1f} |")


if __name__ == "__main__":
    main()
