"""Captions: determinism, variety, and that they say of a scene only what it is."""

import re
from itertools import product

import pytest

from lanterne.models.text_encoder import MAX_TOKENS, TextEncoder
from lanterne.world import french, words
from lanterne.world.captions import captions
from lanterne.world.prompts import understand
from lanterne.world.scene import CAMERAS, FAMILIES, FEATURES, SEASONAL, SEASONS, SUBJECTS, TIMES, WEATHERS, draw_scene

_SCENES = [draw_scene(seed, "any") for seed in range(200)]
_STATED = ("family", "time_of_day", "weather", "season", "subject", "event", "camera", "speed")
_IN_BOTH = pytest.mark.parametrize("french_share", [0.0, 1.0], ids=["English", "French"])


def test_the_same_scene_and_seed_give_the_same_captions_and_other_seeds_other_phrasings():
    scene = draw_scene(1)
    assert captions(scene, 5) == captions(scene, 5)
    assert len({captions(scene, seed)["long"] for seed in range(60)}) == 60
    assert len({captions(scene, seed)["medium"] for seed in range(60)}) > 50


@_IN_BOTH
def test_no_caption_is_understood_as_another_scene_than_its_own(french_share):
    for scene in _SCENES:
        for text in captions(scene, scene.seed, french_share).values():
            said = understand(text)
            for axis in _STATED:
                assert getattr(said, axis) in (None, getattr(scene, axis)), (axis, text)
            assert set(said.features) <= set(scene.features), text
            assert (said.solids, said.relation) == (scene.solids, scene.relation), text
            assert said.unknown_words == () and said.left_out == (), text


@_IN_BOTH
def test_long_captions_state_every_axis_and_every_feature(french_share):
    for scene in _SCENES:
        said = understand(captions(scene, scene.seed, french_share)["long"])
        for axis in _STATED[:-1]:
            assert getattr(said, axis) == getattr(scene, axis), axis
        assert said.speed == scene.speed or scene.camera == "static"
        assert set(said.features) == set(scene.features)


def test_about_one_caption_in_eight_is_french():
    spoken = [text for scene in _SCENES for seed in range(3) for text in captions(scene, seed).values()]
    share = sum(bool(re.search(r"\b(une?|des|les?|la|du|l')\b", text.lower())) for text in spoken) / len(spoken)
    assert 0.08 < share < 0.17


@_IN_BOTH
def test_short_captions_are_short_and_long_ones_fit_what_the_text_encoder_reads(french_share):
    encoder = TextEncoder.load()
    for scene in _SCENES:
        lengths = {name: encoder.count_tokens(text) for name, text in captions(scene, scene.seed, french_share).items()}
        assert 4 <= lengths["short"] <= 45
        assert lengths["short"] <= lengths["long"] < MAX_TOKENS  # at the limit, it may have been cut


def test_captions_read_as_sentences():
    for scene in _SCENES:
        texts = captions(scene, scene.seed, french_share=0.0)
        for text in texts.values():
            assert "  " not in text and " ," not in text and ",," not in text and text == text.strip()
            assert not re.search(r"\ba [aeiou]\w+|\ban [^aeiou\W]", text), text
        for name in ("medium", "long"):
            assert texts[name][0].isupper() and texts[name].endswith(".") and ".." not in texts[name]


def test_no_sunshine_by_night_and_no_hard_light_under_cloud():
    for scene in _SCENES:
        text = captions(scene, scene.seed, french_share=0.0)["long"].lower()
        if scene.time_of_day == "night":
            assert not re.search(r"sunny|sunshine|sunlit|blue sky", text), text
        if scene.weather not in ("clear", "cloudy"):
            assert "moonlight" not in text and "shadows are" not in text and "stars are out" not in text, text


def test_every_value_of_every_axis_has_several_wordings():
    tables = (
        (words.NOUNS, FAMILIES), (words.TIME_PHRASES, TIMES), (words.TIME_SENTENCES, TIMES), (words.WEATHER_PHRASES, WEATHERS),
        (words.WEATHER_SENTENCES, WEATHERS), (words.SEASON_PHRASES, SEASONS), (words.CAMERA_VERBS, CAMERAS), (words.CAMERA_SHOTS, CAMERAS),
    )
    for table, values in tables:
        assert set(table) == set(values)
        assert all(len(set(table[value])) >= 2 for value in values)
    assert {feature for options in FEATURES.values() for feature in options} == set(words.FEATURE_PHRASES) == set(french.FEATURE_PHRASES)
    assert set(words.PLACES) == {family for families in SUBJECTS.values() for family in families}


def test_a_phrase_belongs_to_one_value_of_its_axis():
    ours = (words.NOUNS, words.TIME_PHRASES, words.WEATHER_PHRASES, words.SEASON_PHRASES, words.CAMERA_VERBS, words.CAMERA_SHOTS)
    theirs = (french.NOUNS, french.TIME_PHRASES, french.WEATHER_PHRASES, french.SEASON_PHRASES, french.CAMERA_VERBS)
    for table in (*ours, *theirs, words.SUBJECT_CLAUSES, words.EVENT_CLAUSES, french.SUBJECT_CLAUSES, french.EVENT_CLAUSES):
        for (one, first), (other, second) in product(table.items(), table.items()):
            assert one == other or not set(first) & set(second)


def test_seasons_are_named_only_where_they_show():
    for scene in _SCENES:
        if scene.family not in SEASONAL:
            assert all(understand(text).season is None for text in captions(scene, scene.seed).values())
