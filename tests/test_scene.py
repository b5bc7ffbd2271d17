"""Scenes: determinism, splits, independence of the axes, and the way to JSON and back."""
import json
from collections import Counter
from itertools import product

import pytest

from lanterne.world.scene import (
    AIRLESS,
    CAMERAS,
    COLOURS,
    EVENTS,
    FAMILIES,
    FEATURES,
    HELD_OUT_PAIRS,
    RELATIONS,
    SEASONAL,
    SHAPES,
    SUBJECTS,
    TIMES,
    WEATHERS,
    Scene,
    draw_scene,
    events_of,
    from_dict,
    is_held_out,
    is_sensible,
    mirror,
    to_dict,
)

_AIRY = tuple(family for family in FAMILIES if family not in AIRLESS)


def _scene(family="ocean", time_of_day="noon", weather="clear", camera="static", **more):
    season = "winter" if family in SEASONAL else None
    return Scene(0, family, time_of_day, weather, season, camera, "steady", (), **more)


def _table(*solids, relation=None, features=()):
    return Scene(0, "table", None, None, None, "static", "steady", features, solids=solids, relation=relation)


def test_a_seed_always_gives_the_same_scene_and_another_seed_another():
    assert [draw_scene(seed) for seed in range(50)] == [draw_scene(seed) for seed in range(50)]
    assert len({(s.family, s.time_of_day, s.weather, s.camera, s.solids) for s in map(draw_scene, range(200))}) > 170


def test_train_never_shows_a_held_out_combination_and_held_out_shows_nothing_else():
    assert not any(is_held_out(draw_scene(seed, "train")) for seed in range(1000))
    assert all(is_held_out(draw_scene(seed, "held_out")) for seed in range(200))


def test_about_one_combination_in_twelve_is_held_out_and_every_value_is_among_them():
    combinations = [c for c in product(_AIRY, TIMES, WEATHERS) if is_sensible(_scene(*c))]
    held_out = [c for c in combinations if is_held_out(_scene(*c))]
    assert 0.07 < len(held_out) / len(combinations) < 0.095
    for axis, values in enumerate((_AIRY, TIMES, WEATHERS)):
        assert {c[axis] for c in held_out} == set(values)


def test_training_keeps_every_pair_of_values_of_a_held_out_combination():
    for first, second in ((0, 1), (0, 2), (1, 2)):
        lost = Counter((c[first], c[second]) for c in product(_AIRY, TIMES, WEATHERS) if is_held_out(_scene(*c)))
        assert max(lost.values()) == 1


def test_training_shows_every_subject_of_a_held_out_pair_elsewhere_and_every_family_with_another():
    pairs = {(family, subject) for subject, families in SUBJECTS.items() for family in families}
    assert pairs > HELD_OUT_PAIRS
    for family, subject in HELD_OUT_PAIRS:
        left = pairs - HELD_OUT_PAIRS
        assert sum(other == subject for _, other in left) >= 2
        assert any(other == family for other, _ in left)
        assert is_held_out(_scene(family, "noon", "clear", subject=subject))
    seen = {(scene.family, scene.subject) for scene in (draw_scene(seed) for seed in range(8000)) if scene.subject}
    assert seen == pairs - HELD_OUT_PAIRS


def test_every_value_of_every_axis_is_drawn_about_as_often_as_the_others():
    scenes = [draw_scene(seed, "any") for seed in range(6000)]
    # Events begin at dawn, at sunset, at dusk or under clouds, and snow does not fall everywhere.
    axes = (("family", FAMILIES, 0.7), ("time_of_day", TIMES, 0.7), ("weather", WEATHERS, 0.5), ("camera", CAMERAS, 0.7))
    for name, values, least in axes:
        counts = Counter(value for s in scenes if (value := getattr(s, name)))
        assert set(counts) == set(values)
        assert min(counts.values()) > least * sum(counts.values()) / len(values), counts
    for name, values in (("subject", SUBJECTS), ("event", EVENTS), ("relation", RELATIONS)):
        counts = Counter(value for s in scenes if (value := getattr(s, name)))
        assert set(counts) == set(values)
        assert min(counts.values()) > 60, counts
    solids = [solid for s in scenes for solid in s.solids]
    assert {colour for colour, _ in solids} == set(COLOURS) and {shape for _, shape in solids} == set(SHAPES)
    assert {len(s.solids) for s in scenes} == {0, 1, 2, 3, 4}
    for family, options in FEATURES.items():
        seen = {s.features for s in scenes if s.family == family}
        assert seen >= {()} | {(option,) for option in options}


def test_what_does_not_go_together_is_not_sensible():
    ball, cube = ("red", "ball"), ("blue", "cube")
    for scene in (
        _scene("islands", weather="snow"), _scene("forest", weather="rain", subject="campfire"),
        _scene("lake", weather="storm", subject="balloon"),
        _scene("ocean", weather="cloudy", subject="boat", event="timelapse"), _table(ball, cube, relation="on_top"),
        _table(cube, cube, relation="behind"), _table(cube, features=("rolling",)),
    ):
        assert not is_sensible(scene), scene
    for scene in (
        _scene("volcano", weather="snow"), _scene("forest", weather="snow", subject="campfire"), _table(cube, ball, relation="on_top"),
        _table(cube, cube, relation="row"), _table(ball, features=("rolling",)),
    ):
        assert is_sensible(scene), scene


def test_an_event_begins_only_where_its_beginning_is():
    assert events_of("city", "dusk", "cloudy") == ("storm_coming", "lights_on", "timelapse")
    assert events_of("lake", "dawn", "clear") == ("sunrise",) and events_of("lake", "dawn", "fog") == ()
    assert events_of("planet", None, None) == ()
    with pytest.raises(ValueError, match="event='sunrise'"):
        _scene("lake", "noon", event="sunrise")


def test_every_drawn_scene_is_sensible():
    for scene in (draw_scene(seed, "any") for seed in range(1000)):
        assert is_sensible(scene)
        assert (scene.season is not None) == (scene.family in SEASONAL)


def test_mirror_swaps_pans_and_the_order_of_a_row_changes_nothing_else_and_undoes_itself():
    assert mirror(_scene(camera="pan_left")).camera == "pan_right"
    for scene in (draw_scene(seed) for seed in range(100)):
        assert mirror(mirror(scene)) == scene
        one_sided = scene.camera in ("pan_left", "pan_right") or (scene.relation == "row" and scene.solids != scene.solids[::-1])
        assert (mirror(scene) == scene) == (not one_sided)
    left, right = ("red", "cube"), ("blue", "ball")
    assert mirror(_table(left, right, relation="row")).solids == (right, left)
    assert mirror(_table(left, right, relation="on_top")).solids == (left, right)


def test_a_scene_survives_json():
    for seed in range(50):
        scene = draw_scene(seed)
        assert from_dict(json.loads(json.dumps(to_dict(scene)))) == scene


def test_what_the_world_does_not_have_is_refused_with_value_and_remedy():
    with pytest.raises(ValueError, match=r"weather='hail'.*use one of clear"):
        _scene(weather="hail")
    with pytest.raises(ValueError, match="season='spring'"):
        Scene(0, "ocean", "noon", "clear", "spring", "static", "steady", ())
    with pytest.raises(ValueError, match="missing or unknown here: season"):
        from_dict({k: v for k, v in to_dict(draw_scene(1)).items() if k != "season"})
    with pytest.raises(ValueError, match="subject in lake='car'"):
        _scene("lake", subject="car")
    with pytest.raises(ValueError, match="number of solids"):
        _table()
    with pytest.raises(ValueError, match="split='test'"):
        draw_scene(0, "test")
