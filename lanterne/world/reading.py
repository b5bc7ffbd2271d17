"""How a prompt was read, told to the person who wrote it."""

from lanterne.world.knowledge import THE_WORLD, Knowledge
from lanterne.world.prompts import Understanding, draw_of, scene_of

_AXES_TOLD = ("family", "time_of_day", "weather", "season", "subject", "event", "camera", "speed")


def values_said(said: Understanding) -> dict[str, str | list[str]]:
    """What was understood, by axis, for who wants to check it; a table's solids are left to the eye."""
    features = {"features": list(said.features)} if said.features else {}
    return {axis: value for axis in _AXES_TOLD if (value := getattr(said, axis))} | features


def report(prompt: str, said: Understanding, knowledge: Knowledge = THE_WORLD) -> tuple[str, list[str]]:
    """For a person: what was understood and what was left open and chosen, in a line; and what is not shown, in others."""
    scene = scene_of(said, draw_of(prompt), knowledge)
    chosen = [(axis, getattr(scene, axis)) for axis in ("family", "time_of_day", "weather", "camera") if not getattr(said, axis)]
    understood = _listed([*((axis, getattr(said, axis)) for axis in _AXES_TOLD), *(("feature", value) for value in said.features)])
    line = f"Understood: {understood or 'nothing of the world'}"
    if left_open := _listed(chosen):
        line += f"; left open, so chosen: {left_open}"
    lacking = []
    if said.unknown_words:
        words_ = ", ".join(f'"{word}"' + (f' (nearest: "{near}")' if near else "") for word, near in said.unknown_words)
        lacking.append(f"The embedded model does not know {words_}.")
    if said.left_out:
        words_ = ", ".join(f'"{word}"' for word in said.left_out)
        lacking.append(f"Left out, since it cannot be shown together with the rest: {words_}.")
    return line, lacking


def _listed(values):
    return ", ".join(f"camera {value}" if axis == "camera" else value for axis, value in values if value).replace("_", " ")
