"""The prompt classifier's stage: phrases written for it, put together to prompts.

`lanterne/world/phrases.json` holds some hundred ways to say each value of each axis, and clauses that say none though they sound like it:
smoke that rises is no camera that does. They were written without sight of the held-out prompts. With the world's own word lists and
captions they are drawn, mixed, and joined at random.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from lanterne.models.prompt_classifier import PromptClassifier
from lanterne.models.text_encoder import MAX_TOKENS, WIDTH, TextEncoder
from lanterne.world import words
from lanterne.world.captions import captions
from lanterne.world.heard import HEARD, LOOSE_CAMERA
from lanterne.world.scene import CAMERAS, EVENTS, FAMILIES, SEASONS, SUBJECTS, TIMES, WEATHERS, draw_scene

AXES = {
    "family": FAMILIES, "time_of_day": TIMES, "weather": WEATHERS, "camera": CAMERAS, "subject": tuple(SUBJECTS), "event": EVENTS,
    "season": SEASONS,
}
PHRASES = Path(__file__).parent.parent / "world" / "phrases.json"
_UNKNOWN = -100  # a label that is not asked for
_SHARES = {"family": 0.75, "time_of_day": 0.5, "weather": 0.45, "camera": 0.5, "subject": 0.3, "event": 0.12, "season": 0.15}
_CAPTIONS, _BESIDES = 0.15, 0.6  # shares of prompts that are a caption, and that have clauses beside the point
_JOINTS = (", ", ", ", ". ", " while ", " as ", ", and ", " with ", "; ", " - ", " ", "\n", ": ", ", then ")
_BATCH, _RATE = 64, 2e-3


def read_phrases() -> tuple[dict[str, dict[str, list[str]]], dict[str, list[str]]]:
    """Phrases by axis and value, the world's own among them, and those beside the point by what they could be taken for."""
    written = json.loads(PHRASES.read_text())
    phrases = {axis: {value: list(written[axis][value]) for value in values} for axis, values in AXES.items()}
    for axis, value, phrase in _of_the_lists():
        if value in phrases[axis]:
            phrases[axis][value].append(phrase)
    return phrases, written["beside"]


def _of_the_lists():
    for (axis, value), options in HEARD.items():
        # A loose word is the camera's only where it begins a clause; here it would stand anywhere.
        phrases = set(options.split("; ")) - set(LOOSE_CAMERA.split("; "))
        yield from ((axis, value, phrase) for phrase in sorted(phrases) if axis in AXES)
    tables = {
        "family": (words.NOUNS, words.PLACES), "subject": (words.SUBJECT_NOUNS, words.SUBJECT_CLAUSES),
        "event": (words.EVENT_CLAUSES, words.EVENT_NAMES), "camera": (words.CAMERA_SHOTS,),
        "time_of_day": (words.TIME_PHRASES, words.TIME_SENTENCES), "season": (words.SEASON_PHRASES, words.SEASON_ADJECTIVES),
        "weather": (words.WEATHER_PHRASES, words.WEATHER_ADJECTIVES, words.WEATHER_NAMES, words.WEATHER_SENTENCES),
    }
    for axis, group in tables.items():
        for table in group:
            yield from ((axis, value, phrase) for value, options in table.items() for phrase in options)
    yield from (("camera", value, f"the camera {verb}") for value, options in words.CAMERA_VERBS.items() for verb in options)


def draw_prompt(drawn: random.Random, phrases: dict, beside: dict[str, list[str]]) -> tuple[str, dict[str, str | None]]:
    """A prompt and what it says: the value of an axis, or None where it may be said by the way; an axis that is left out is not said."""
    if drawn.random() < _CAPTIONS:
        scene = draw_scene(drawn.randrange(10**7))
        length, text = drawn.choice(list(captions(scene, drawn.randrange(10**7)).items()))
        # Only the long form names every axis.
        return text, {axis: getattr(scene, axis) if length == "long" else None for axis in AXES if axis not in ("subject", "event")
                      or getattr(scene, axis)}
    said: dict[str, str | None] = {axis: drawn.choice(values) for axis, values in AXES.items() if drawn.random() < _SHARES[axis]}
    parts = [drawn.choice(phrases[axis][value]) for axis, value in said.items()]
    for _ in range(drawn.choice((1, 1, 2, 3)) if drawn.random() < _BESIDES else 0):
        parts.append(drawn.choice(beside[drawn.choice([*beside, "camera", "camera", "camera", "time_of_day"])]))
    # Who says that a boat sails names no place and yet tells one; a sunrise has its time, falling snow its season.
    by_the_way = {
        "family": {"subject", "camera", "event"} & set(said), "time_of_day": "event" in said,
        "weather": said.get("event") in ("storm_coming", "timelapse") or said.get("season") == "winter",
        "season": said.get("weather") == "snow",
    }
    said = {axis: None for axis, told in by_the_way.items() if told} | said
    drawn.shuffle(parts)
    text = parts[0] if parts else drawn.choice(beside["elsewhere"])
    for part in parts[1:]:
        text += drawn.choice(_JOINTS) + part
    return drawn.choice((text.lower(), text[:1].upper() + text[1:], text)) + drawn.choice(("", "", ".")), said


def train_classifier(count: int, epochs: int, text_encoder: TextEncoder, on_epoch: Callable[[int, float], None]) -> PromptClassifier:
    """Learn from `count` drawn prompts, whose token states take 50 KB each of memory."""
    torch.manual_seed(0)
    drawn, (phrases, beside) = random.Random(0), read_phrases()
    prompts = [draw_prompt(drawn, phrases, beside) for _ in range(count)]
    states_NLD = torch.zeros(count, MAX_TOKENS, WIDTH, dtype=torch.float16)
    lengths = torch.zeros(count, dtype=torch.long)
    order = sorted(range(count), key=lambda index: len(prompts[index][0]))
    for start in range(0, count, _BATCH):  # of one length, so that little is padding
        chosen = order[start : start + _BATCH]
        states = text_encoder.encode([prompts[index][0] for index in chosen])
        states_NLD[chosen], lengths[chosen] = states.half(), (states.abs().sum(dim=2) > 0).sum(dim=1)
    labels = {axis: torch.tensor([_label(axis, said) for _, said in prompts]) for axis in AXES}

    model = PromptClassifier(AXES)
    optimizer = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=0.05)
    batch = min(_BATCH, count)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=epochs * (count // batch))
    for epoch in range(epochs):
        shuffled, total = torch.randperm(count), 0.0
        for start in range(0, count - batch + 1, batch):
            chosen = shuffled[start : start + batch]
            logits = model(states_NLD[chosen, : int(lengths[chosen].max())].float())
            loss = sum(
                F.cross_entropy(logits[axis], labels[axis][chosen], ignore_index=_UNKNOWN, label_smoothing=0.05) for axis in AXES
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        on_epoch(epoch, total / (count // batch))
    return model.requires_grad_(False).eval()


def _label(axis: str, said: dict[str, str | None]) -> int:
    if axis not in said:
        return len(AXES[axis])
    return _UNKNOWN if said[axis] is None else AXES[axis].index(said[axis])
