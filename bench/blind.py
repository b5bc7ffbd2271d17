"""Which of two ways to sample looks better, told without knowing which is which: as it ships, or in more steps of two passes each.

python -m bench.blind make FOLDER --steps 8 --against 25     sheets of pairs, left and right drawn by chance
python -m bench.blind tally FOLDER LR=RL...                  what was seen, one letter a pair: L or R looks better, = as good

Prompts are captions of scenes that nothing else uses; both sides of a pair have the same noise.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from lanterne.evaluate.sample import sample
from lanterne.generate import Engine
from lanterne.guidance import GuidedNetwork, guidance_at
from lanterne.request import GUIDANCE
from lanterne.world.captions import captions
from lanterne.world.scene import draw_scene
from lanterne.world.sheet import grid

_FIRST_SEED = 30_000_000
_FRAMES = (0, 16, 32)  # the last is of the second chunk
_PAIRS_PER_SHEET = 8


class _InTwo(GuidedNetwork):
    """Asks the network twice at every step."""

    def velocity(self, x_BCtHW, sigma_1t, start, places):
        with_prompt, without = self._both(x_BCtHW, sigma_1t, places)
        return without + guidance_at(start, self.guidance) * (with_prompt - without)


class _TwoPasses(Engine):
    def network(self, said, guidance, negative_prompt=""):
        without_BLD = self.text_encoder.encode([negative_prompt] * len(said))
        return _InTwo(self.transformer, self.text_encoder.encode(said), without_BLD, guidance)


def make(folder: Path, steps: int, against: int, pairs: int, weights: Path | None) -> None:
    """Sheets of `pairs` pairs in `folder`, and which side is which, in key.json, not to be looked at before the tally."""
    folder.mkdir(parents=True, exist_ok=True)
    engine, random = Engine.load(weights), np.random.default_rng()
    prompts = [captions(draw_scene(_FIRST_SEED + index, "any"), index, french_share=0)["medium"] for index in range(pairs)]
    ways = [f"{steps} steps as shipped", f"{against} steps of two passes"]
    clips = [
        list(sample(one, prompts, list(range(pairs)), _FRAMES[-1] + 1, count, GUIDANCE))
        for one, count in ((engine, steps), (_TwoPasses(**vars(engine)), against))
    ]
    left = random.integers(2, size=pairs).tolist()
    for start in range(0, pairs, _PAIRS_PER_SHEET):
        shown = range(start, min(start + _PAIRS_PER_SHEET, pairs))
        rows = [[clips[side][index][frame] for side in (left[index], 1 - left[index]) for frame in _FRAMES] for index in shown]
        columns = [f"{side}, frame {frame}" for side in ("left", "right") for frame in _FRAMES]
        sheet = Image.fromarray(grid(rows, [str(index + 1) for index in shown], columns))
        sheet.save(folder / f"pairs-{start // _PAIRS_PER_SHEET + 1}.png")
    key = {"ways": ways, "left": left, "prompts": prompts, "weights": engine.weights}
    (folder / "key.json").write_text(json.dumps(key))


def tally(folder: Path, seen: str) -> str:
    """How often each way was seen as the better one."""
    key = json.loads((folder / "key.json").read_text())
    if len(seen) != len(key["left"]) or set(seen) - set("LR="):
        raise SystemExit(f"{len(key['left'])} letters are wanted, each L, R or =; {seen!r} has {len(seen)}.")
    better = [left if mark == "L" else 1 - left for mark, left in zip(seen, key["left"], strict=True) if mark != "="]
    return "; ".join([*(f"{way} better: {better.count(side)}" for side, way in enumerate(key["ways"])), f"as good: {seen.count('=')}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--steps", type=int, default=8)
    making.add_argument("--against", type=int, default=25)
    making.add_argument("--pairs", type=int, default=24)
    making.add_argument("--weights", type=Path)
    telling = commands.add_parser("tally")
    telling.add_argument("folder", type=Path)
    telling.add_argument("seen")
    asked = parser.parse_args()
    if asked.command == "make":
        make(asked.folder, asked.steps, asked.against, asked.pairs, asked.weights)
    else:
        print(tally(asked.folder, asked.seen))


if __name__ == "__main__":
    main()
