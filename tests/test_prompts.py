"""Prompts: what a person's words mean in this world, and the held-out prompts the model is judged by."""

import re
from collections import Counter

import pytest

from lanterne.evaluate.evaluate import read_prompts
from lanterne.world.captions import captions
from lanterne.world.prompts import MAX_WORDS, expand, understand
from lanterne.world.scene import CAMERAS, FAMILIES, TIMES, WEATHERS, draw_scene

_AXES = {"family": FAMILIES, "time_of_day": TIMES, "weather": WEATHERS, "camera": CAMERAS}


def _said(text):
    found = understand(text)
    return tuple(getattr(found, axis) for axis in _AXES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waves breaking on a rocky coast at sunset, slow aerial orbit", ("coast", "sunset", None, "orbit")),
        ("Misty mountains, dawn, the camera slowly pushes in", ("mountains", "dawn", "fog", "push_in")),
        ("drone shot flying over the Sahara at noon under a blue sky", ("dunes", "noon", "clear", "push_in")),
        ("A thunderstorm over Manhattan in the middle of the night", ("city", "night", "storm", None)),
        ("snow falling on a pine forest, static tripod shot", ("forest", None, "snow", "static")),
        ("un lac au lever du soleil, brouillard, panoramique à gauche", ("lake", "dawn", "fog", "pan_left")),
        ("Rising over a lake", ("lake", None, None, "rise")),
        ("a gorge by night, we retreat slowly", ("canyon", "night", None, "pull_back")),
        ("the open sea under a leaden sky, tilting down", ("ocean", None, "overcast", "tilt_down")),
        ("CITY!!! RAIN??? NIGHT...", ("city", "night", "rain", None)),
        ("nothing this world knows, a cat on a sofa", (None, None, None, None)),
    ],
)
def test_what_a_person_may_type(text, said):
    assert _said(text) == said


@pytest.mark.parametrize(
    "text", ["cliffs rising from the sea", "mist rising over a lake", "the sun sinking behind dunes", "birds circling above a canyon",
             "a storm approaching the city", "skyscrapers climbing into the clouds"]
)
def test_what_rises_or_circles_in_the_picture_is_not_the_camera(text):
    assert understand(text).camera is None


def test_what_is_said_not_to_be_there_is_not_there():
    assert understand("mountains at dawn, no fog").weather is None
    assert understand("a forest without snow or people").weather is None
    assert understand("dunes, not a cloud in the sky").weather == "clear"


def test_words_the_world_does_not_have_are_named_with_the_nearest_it_has():
    unknown = dict(understand("a dragon sleeps beside a lighthouse, canion").unknown_words)
    assert unknown["dragon"] is None and "sleeps" in unknown
    assert unknown["lighthouse"] == "coast"
    assert dict(understand("mountins at dawn").unknown_words) == {"mountins": "mountain"}
    assert understand("mountins at dawn").family == "mountains"


def test_what_cannot_be_shown_beside_the_rest_is_left_out_and_said():
    said = understand("a canyon and a city at dawn and at midnight")
    assert (said.family, said.time_of_day) == ("canyon", "dawn")
    assert "city" in said.left_out and any("midnight" in words for words in said.left_out)


def test_two_families_that_can_meet_do():
    said = understand("mountains with a lake")
    assert said.family == "mountains" and "lake" in said.features and said.left_out == ()


def test_understanding_never_fails():
    for text in ("", " ", "...", "a" * 5000, "\N{CJK UNIFIED IDEOGRAPH-5C71}\n\t\x00", "🌊🌅", "of the and", "1 2 3"):
        assert understand(text).family is None
        assert expand(text)


def test_expanding_keeps_the_prompt_and_what_it_says_and_repeats_itself():
    for row in read_prompts()[::5]:
        text = expand(row["prompt"])
        assert text == expand(row["prompt"])
        assert text.startswith(row["prompt"].rstrip(".")[:40])
        assert len(re.findall(r"\w+|[^\w\s]", text)) <= MAX_WORDS + 1
        before, after = understand(row["prompt"]), understand(text)
        for axis in _AXES:
            assert getattr(before, axis) in (None, getattr(after, axis)), (axis, text)


def test_a_prompt_written_like_a_long_caption_stays_as_it_is():
    for seed in range(30):
        text = captions(draw_scene(seed), seed)["long"]
        assert expand(text) == text


# ---- the held-out prompts


def test_held_out_prompts_are_many_even_and_of_this_world():
    rows = read_prompts()
    assert len(rows) >= 240 and len({row["prompt"].lower() for row in rows}) == len(rows)
    for axis, values in _AXES.items():
        counts = Counter(row[axis] for row in rows)
        stated = [counts[value] for value in values]
        assert min(stated) >= 0.6 * sum(stated) / len(stated), (axis, counts)
    assert not any((row["family"], row["weather"]) == ("dunes", "snow") for row in rows)
    stating_all = sum(None not in [row[axis] for axis in _AXES] for row in rows)
    assert 0.4 < stating_all / len(rows) < 0.6


def test_captions_are_never_held_out_prompts():
    prompts = {_plain(row["prompt"]) for row in read_prompts()}
    for seed in range(4000):
        assert not prompts & {_plain(text) for text in captions(draw_scene(seed), seed).values()}


def test_held_out_prompts_are_understood_as_they_are_labelled():
    rows = read_prompts()
    for axis in _AXES:
        right = [getattr(understand(row["prompt"]), axis) == row[axis] for row in rows if row[axis]]
        assert sum(right) / len(right) > 0.97, axis


def _plain(text):
    return " ".join(re.findall(r"[a-z]+", text.lower()))
