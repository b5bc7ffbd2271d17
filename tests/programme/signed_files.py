"""Files for the programme's tests, as `lanterne generate` writes them: small clips with something in them, signed."""

import numpy as np

from lanterne.programme.identity import identity
from lanterne.programme.signing import Statement, sign
from lanterne.video import VideoWriter, write_png

SETTINGS = {"lanterne": "test", "request": {"prompt": "a lake at dawn", "seed": 7}}


def clip(frames=8, height=144, width=256):
    """A gradient that moves, with some grain."""
    t, y, x = np.mgrid[0:frames, 0:height, 0:width]
    grain = np.random.default_rng(0).integers(0, 12, (frames, height, width))
    return np.stack([x * 200 // width + grain, y * 200 // height + grain, (x + 6 * t) % 200 + grain], axis=-1).astype(np.uint8)


def unsigned(path, frames=8):
    if path.suffix == ".png":
        write_png(path, clip(1)[0], 256, 144, SETTINGS)
    else:
        with VideoWriter(path, 256, 144, SETTINGS) as writer:
            writer.write(clip(frames))
    return path


def signed(path, kind="created", frames=8, watermark=0xAB, training=False, author=None, **options):
    unsigned(path, frames)
    sign(path, Statement(kind, "lanterne", "ab" * 32, watermark, training, author), identity(), **options)
    return path
