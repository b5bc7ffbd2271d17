"""Prompts: what a person's words mean in this world, and the held-out prompts the model is judged by."""

import re
from collections import Counter

import pytest

from lanterne.evaluate.evaluate import read_prompts, scene_for
from lanterne.world.captions import MAX_WORDS, captions
from lanterne.world.knowledge import THE_WORLD, knowledge_of
from lanterne.world.prompts import expand, reader, understand
from lanterne.world.scene import AIRLESS, CAMERAS, EVENTS, FAMILIES, HELD_OUT_PAIRS, SUBJECTS, TIMES, WEATHERS, draw_scene, is_sensible

_AXES = {"family": FAMILIES, "time_of_day": TIMES, "weather": WEATHERS, "camera": CAMERAS}
_ALL_AXES = _AXES | {"subject": tuple(SUBJECTS), "event": EVENTS}


def _said(text, axes=tuple(_AXES)):
    found = understand(text)
    return tuple(getattr(found, axis) for axis in axes)


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
        ("a lake at 7 am", ("lake", "morning", None, None)),
        ("the dunes, 2am", ("dunes", "night", None, None)),
        ("a knight on a mountian", ("mountains", None, None, None)),
        ("walking through a forest", ("forest", None, None, "push_in")),
        ("we walk along the shore at dusk", ("coast", "dusk", None, "push_in")),
    ],
)
def test_what_a_person_may_type(text, said):
    assert _said(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a lighthouse in a storm", ("coast", None, "storm", "lighthouse", None)),
        ("a train through snowy mountains", ("mountains", None, None, "train", None)),
        ("a sailboat", ("ocean", None, None, "boat", None)),
        ("steam train crossing a forest in autumn", ("forest", None, None, "train", None)),
        ("hot air balloon over the desert at sunset", ("dunes", "sunset", None, "balloon", None)),
        ("volcanic eruption at night", ("volcano", "night", None, None, None)),
        ("neon alley in the rain, night", ("street", "night", "rain", None, None)),
        ("Earth from space with a moon", ("planet", None, None, None, None)),
        ("time-lapse of clouds over a city", ("city", None, "cloudy", None, "timelapse")),
        ("the sun rises over a lake", ("lake", "dawn", None, None, "sunrise")),
        ("a storm is coming in over the sea", ("ocean", None, "cloudy", None, "storm_coming")),
        ("the lights come on in a city at dusk", ("city", "dusk", None, None, "lights_on")),
        ("day turns to night over the dunes", ("dunes", "sunset", None, None, "nightfall")),
        ("a lighthouse at sea", ("coast", None, None, "lighthouse", None)),
        ("Windmill by the sea at dusk", ("coast", "dusk", None, "windmill", None)),
        ("a storm beside the ocean", ("coast", None, "storm", None, None)),
        ("birds circling above a lake", ("lake", None, None, "birds", None)),
        ("un voilier passe devant des falaises au coucher du soleil", ("coast", "sunset", None, "boat", None)),
        ("une montgolfière au-dessus d'un canyon le matin", ("canyon", "morning", None, "balloon", None)),
        ("les lumières de la ville s'allument au crépuscule", ("city", "dusk", None, None, "lights_on")),
        ("la neige est en train de tomber sur une rue", ("street", None, "snow", None, None)),
        ("islands in a lake", ("lake", None, None, None, None)),
        ("a large lake", ("lake", None, None, None, None)),
    ],
)
def test_subjects_events_and_the_places_they_imply(text, said):
    assert _said(text, ("family", "time_of_day", "weather", "subject", "event")) == said


@pytest.mark.parametrize(
    ("text", "solids", "relation"),
    [
        ("three red cubes and a blue ball on a wooden table", (*[("red", "cube")] * 3, ("blue", "ball")), "row"),
        ("a green cone to the left of a yellow cylinder", (("green", "cone"), ("yellow", "cylinder")), "row"),
        ("a green cone to the right of a yellow cylinder", (("yellow", "cylinder"), ("green", "cone")), "row"),
        ("a ball on top of a cube", ((None, "cube"), (None, "ball")), "on_top"),
        ("a white cylinder with an orange sphere on top", (("white", "cylinder"), ("orange", "ball")), "on_top"),
        ("a purple ring in front of a black pyramid on a desk", (("purple", "ring"), ("black", "pyramid")), "behind"),
        ("deux boules bleues et un cône vert sur une table", (("blue", "ball"), ("blue", "ball"), ("green", "cone")), "row"),
        ("un cube rouge à droite d'une pyramide jaune", (("yellow", "pyramid"), ("red", "cube")), "row"),
        ("a table", (), None),
    ],
)
def test_what_stands_on_a_table(text, solids, relation):
    said = understand(text)
    assert (said.family, said.solids, said.relation, said.unknown_words, said.left_out) == ("table", solids, relation, (), ())


@pytest.mark.parametrize(
    ("text", "family"), [("pyramids in the desert", "dunes"), ("a planet with a ring", "planet"), ("a golden ring", "table")]
)
def test_shapes_are_solids_only_where_no_place_claims_them(text, family):
    said = understand(text)
    assert said.family == family and bool(said.solids) == (family == "table")


def test_a_ball_that_rolls_is_no_further_ball():
    said = understand("Two red balls on a table, with one ball rolling")
    assert said.solids == (("red", "ball"),) * 2 and said.features == ("rolling",)


def test_weights_are_asked_only_for_what_they_were_taught():
    """Weights whose metadata names no families know the first eight, no subjects and no events; the rest is named, with the nearest."""
    old = knowledge_of({})
    assert len(old.families) == 8 and knowledge_of(THE_WORLD.to_metadata()) == THE_WORLD
    said = understand("a lighthouse on a volcano, time-lapse, a train and a red cube", old)
    assert dict(said.unknown_words) == {"lighthouse": "coast", "volcano": "mountains", "time lapse": "cloudy", "train": None, "cube": None}
    assert said.family in old.families and (said.subject, said.event, said.solids) == (None, None, ())
    assert understand("a neon street at night", old).family == "city"
    assert understand("the sun rises over a lake", old).unknown_words == ()
    for prompt in [row["prompt"] for row in _said_plainly()[::7]] + ["Earth from space", "two blue balls", "a windmill"]:
        text = expand(prompt, old)
        after = understand(text.removeprefix(prompt.rstrip(" .,;:")))
        assert after.family in (*old.families, None) and (after.subject, after.event, after.solids) == (None, None, ()), text


@pytest.mark.parametrize(
    "text", ["cliffs rising from the sea", "mist rising over a lake", "the sun sinking behind dunes", "birds circling above a canyon",
             "a storm approaching the city", "skyscrapers climbing into the clouds", "a woman walking on the beach",
             "people walking in a street at night", "a car driving on a desert road"]
)
def test_what_rises_or_circles_in_the_picture_is_not_the_camera(text):
    assert understand(text).camera is None


def test_what_is_said_not_to_be_there_is_not_there():
    assert understand("mountains at dawn, no fog").weather is None
    assert understand("a forest without snow or people").weather is None
    assert understand("dunes, not a cloud in the sky").weather == "clear"


def test_words_the_world_does_not_have_are_named_with_the_nearest_it_has():
    unknown = dict(understand("a dragon sleeps beside a swimming pool, canion").unknown_words)
    assert unknown["dragon"] is None and "sleeps" in unknown
    assert unknown["pool"] == "lake"
    assert dict(understand("mountins at dawn").unknown_words) == {"mountins": "mountain"}
    for prompt in ("no rain, a giraffe", "no rain. a giraffe", "a giraffe, no rain"):
        assert dict(understand(prompt).unknown_words) == {"giraffe": None}
    assert dict(understand("a lake without giraffes").unknown_words) == {}
    assert dict(understand("a lake, 湖, кошка").unknown_words) == {"湖": None, "кошка": None}
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
    for row in [row for row in read_prompts() if row["part"] != "roundabout"][::5]:
        text = expand(row["prompt"])
        assert text == expand(row["prompt"])
        assert text.startswith(row["prompt"].rstrip(".")[:40])
        assert len(re.findall(r"\w+|[^\w\s]", text)) <= MAX_WORDS + 1
        before, after = understand(row["prompt"]), understand(text)
        if before.family == "table":  # told twice, its solids would be counted twice
            after = understand(text.removeprefix(row["prompt"].rstrip(".")))
            assert after.relation == before.relation or not before.solids, text
            assert [shape for _, shape in after.solids] == [shape for _, shape in before.solids], text
        for axis in _ALL_AXES:
            assert getattr(before, axis) in (None, getattr(after, axis)), (axis, text)


def test_a_prompt_written_like_a_long_caption_stays_as_it_is():
    for seed in range(30):
        text = captions(draw_scene(seed), seed, french_share=0.0)["long"]
        assert expand(text) == text


# ---- the held-out prompts


def test_held_out_prompts_are_many_even_and_of_this_world():
    rows = read_prompts()
    assert len(rows) >= 240 and len({row["prompt"].lower() for row in rows}) == len(rows)
    for axis, values in _AXES.items():
        counts = Counter(row[axis] for row in rows)
        stated = [counts[value] for value in values]
        assert min(stated) >= 0.45 * sum(stated) / len(stated), (axis, counts)
    assert not any((row["family"], row["weather"]) == ("dunes", "snow") for row in rows)
    airy = [row for row in rows if row["family"] not in AIRLESS and row["part"] == "plain"]
    stating_all = sum(None not in [row[axis] for axis in _AXES] for row in airy)
    assert 0.4 < stating_all / len(airy) < 0.6
    assert {row["subject"] for row in rows} == {None, *SUBJECTS} and {row["event"] for row in rows} == {None, *EVENTS}
    pairs = Counter((row["family"], row["subject"]) for row in rows if row["part"] == "pairs")
    assert set(pairs) == HELD_OUT_PAIRS and set(pairs.values()) == {3}
    for index, row in enumerate(rows):
        scene = scene_for(row, index)
        assert is_sensible(scene) and all(row[axis] in (None, getattr(scene, axis)) for axis in _ALL_AXES), row


def test_paraphrases_are_told_in_words_that_captions_do_not_use():
    used = {word for seed in range(1200) for text in captions(draw_scene(seed, "any"), seed).values() for word in _plain(text).split()}
    rows = [row for row in read_prompts() if row["part"] == "paraphrases"]
    shares = []
    for row in rows:
        content = [word for word in _plain(row["prompt"]).split() if len(word) > 3]
        shares.append(sum(word not in used for word in content) / len(content))
    assert len(rows) >= 60 and min(shares) >= 0.4 and sum(shares) / len(shares) > 0.75


def test_captions_are_never_held_out_prompts():
    prompts = {_plain(row["prompt"]) for row in read_prompts()}
    for seed in range(2000):
        assert not prompts & {_plain(text) for text in captions(draw_scene(seed), seed).values()}


def test_held_out_prompts_are_understood_as_they_are_labelled():
    rows = _said_plainly()
    for axis in _ALL_AXES:
        right = [getattr(understand(row["prompt"]), axis) == row[axis] for row in rows if row[axis]]
        assert sum(right) / len(right) > 0.97, axis


def _said_plainly():
    return [row for row in read_prompts() if row["part"] in ("plain", "pairs")]


def _plain(text):
    return " ".join(re.findall(r"[a-z]+", text.lower()))


def test_weights_are_moved_as_fast_as_they_were_taught():
    _, taught = reader({})("a canyon at noon, the camera rises")
    _, now = reader(THE_WORLD.to_metadata())("a canyon at noon, the camera rises")
    assert 0 < taught.lift < now.lift
