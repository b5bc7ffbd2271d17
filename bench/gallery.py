"""The README's picture: eight prompts, one clip each, by the committed weights. `python -m bench.gallery` writes docs/gallery.webp."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lanterne.evaluate.sample import sample
from lanterne.generate import Engine
from lanterne.request import GUIDANCE, STEPS
from lanterne.world.sheet import grid

# As a newcomer would write them; fixed before the first weights, one seed each, none chosen by eye.
PROMPTS = (
    "waves breaking on a rocky coast at sunset, slow aerial orbit",
    "snowy mountains in winter at dawn, slow pan right",
    "sand dunes at noon under a clear sky, flying forward",
    "an autumn forest in the fog, morning, slow push in",
    "a red canyon at sunset, slow pull back",
    "a calm lake on a summer evening, slow pan left",
    "a stormy ocean at night, heavy waves",
    "a city skyline at dusk, the camera rises",
)
SEED, NUM_FRAMES, COLUMNS = 1, 61, 4


def main() -> None:
    engine = Engine.load()
    torch.manual_seed(0)
    clips = list(sample(engine, list(PROMPTS), [SEED] * len(PROMPTS), NUM_FRAMES, STEPS, GUIDANCE))
    pictures = []
    for moment in range(0, NUM_FRAMES, 2):  # every other frame keeps the file small
        rows = [[clip[moment] for clip in clips[start : start + COLUMNS]] for start in range(0, len(clips), COLUMNS)]
        pictures.append(Image.fromarray(grid(rows, [""] * len(rows), [])))
    path = Path("docs/gallery.webp")
    path.parent.mkdir(exist_ok=True)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=125, loop=0, quality=70, method=4)
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB")
    strip_path = Path("lanterne-output/gallery.png")
    strip_path.parent.mkdir(exist_ok=True)
    strip = [[np.asarray(clip[moment]) for moment in (0, 20, 40, 60)] for clip in clips]
    Image.fromarray(grid(strip, [""] * len(strip), ["0 s", "1.25 s", "2.5 s", "3.75 s"])).save(strip_path)


if __name__ == "__main__":
    main()
