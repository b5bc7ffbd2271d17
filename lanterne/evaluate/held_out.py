"""The prompts the model is judged by, and renders of what they ask for.

`world/held_out_prompts.txt` was written by hand, and frozen, before anything was seen of what the model makes. Each line says which
values of the axes its prompt names; only those are judged.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lanterne.world import scene as world
from lanterne.world.scene import Scene, draw_scene

AXES = {"family": world.FAMILIES, "time_of_day": world.TIMES, "weather": world.WEATHERS, "camera": world.CAMERAS}
PROMPTS = Path(world.__file__).with_name("held_out_prompts.txt")
# Seeds of the renders used here; training's are below ten million times ... the number of its last shard, far from these.
FIRST_SEED = 900_000_000


@dataclass(frozen=True)
class Prompt:
    """index: its place in the file; axes: the values it names, by axis."""

    index: int
    text: str
    axes: dict[str, str]

    @property
    def is_held_out(self) -> bool:
        """Whether it names a combination of family, time and weather that training never renders."""
        if not {"family", "time_of_day", "weather"} <= self.axes.keys():
            return False
        return world.is_held_out(scene_for(self.axes, FIRST_SEED))


def read_prompts(path: Path = PROMPTS) -> list[Prompt]:
    """Every prompt of the file, in its order. Raises ValueError for a line that names a value its axis does not have."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    prompts = []
    for index, line in enumerate(lines):
        *values, text = line.split("|")
        axes = {axis: value for axis, value in zip(AXES, values, strict=True) if value != "-"}
        for axis, value in axes.items():
            if value not in AXES[axis]:
                raise ValueError(f"{path} line {line!r}: {axis} has no value {value!r}; use one of {', '.join(AXES[axis])}.")
        prompts.append(Prompt(index, text, axes))
    return prompts


def choose(prompts: list[Prompt], count: int | None) -> list[Prompt]:
    """`count` of them, the same at every call, with every family alike; None for all, in the file's order."""
    if count is None or count >= len(prompts):
        return prompts
    order = np.random.Generator(np.random.Philox(key=[0, 0xC405E])).permutation(len(prompts))
    by_family: dict[str, list[int]] = {}
    for place in order:
        by_family.setdefault(prompts[place].axes.get("family", ""), []).append(place)
    rounds = [places[turn] for turn in range(len(prompts)) for places in by_family.values() if turn < len(places)]
    return [prompts[place] for place in sorted(rounds[:count])]


def scene_for(axes: dict[str, str], seed: int) -> Scene:
    """A scene with these values, and what they leave open drawn from the seed; any combination, held out or not."""
    for attempt in range(1000):
        scene = draw_scene(seed * 1000 + attempt, "any")
        family = axes.get("family", scene.family)
        camera = axes.get("camera", scene.camera)
        season = None
        if family in world.SEASONAL:
            season = scene.season or world.SEASONS[scene.seed % len(world.SEASONS)]
        scene = replace(
            scene,
            seed=seed,
            family=family,
            time_of_day=axes.get("time_of_day", scene.time_of_day),
            weather=axes.get("weather", scene.weather),
            season=season,
            camera=camera,
            speed="steady" if camera == "static" else scene.speed,
            features=scene.features if family == scene.family else (),
        )
        if world.is_sensible(scene):
            return scene
    raise ValueError(f"No scene of this world has {axes}; leave one of the values out.")
