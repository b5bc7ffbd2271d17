"""Scenes: determinism, splits, independence of the axes, and the way to JSON and back."""
import json
from collections import Counter
from itertools import product

import pytest

from lanterne.world.scene import (
    CAMERAS,
    FAMILIES,
    FEATURES,
    SEASONAL,
    TIMES,
    WEATHERS,
    Scene,
    draw_scene,
    from_dict,
    is_held_out,
    is_sensible,
    mirror,
    to_dict,
)


def _scene(family="ocean", time_of_day="noon", weather="clear", camera="static"):
    season = "winter" if family in SEASONAL else None
    return Scene(0, family, time_of_day, weather, season, camera, "steady", ())


def test_a_seed_always_gives_the_same_scene_and_another_seed_another():
    assert [draw_scene(seed) for seed in range(50)] == [draw_scene(seed) for seed in range(50)]
    assert len({(s.family, s.time_of_day, s.weather, s.camera) for s in map(draw_scene, range(200))}) > 180


def test_train_never_shows_a_held_out_combination_and_held_out_shows_nothing_else():
    assert not any(is_held_out(draw_scene(seed, "train")) for seed in range(1000))
    assert all(is_held_out(draw_scene(seed, "held_out")) for seed in range(200))


def test_about_one_combination_in_twelve_is_held_out_and_every_value_is_among_them():
    combinations = [c for c in product(FAMILIES, TIMES, WEATHERS) if is_sensible(_scene(*c))]
    held_out = [c for c in combinations if is_held_out(_scene(*c))]
    assert 0.07 < len(held_out) / len(combinations) < 0.095
    for axis, values in enumerate((FAMILIES, TIMES, WEATHERS)):
        assert {c[axis] for c in held_out} == set(values)


def test_training_keeps_every_pair_of_values_of_a_held_out_combination():
    for first, second in ((0, 1), (0, 2), (1, 2)):
        lost = Counter((c[first], c[second]) for c in product(FAMILIES, TIMES, WEATHERS) if is_held_out(_scene(*c)))
        assert max(lost.values()) == 1


def test_every_value_of_every_axis_is_drawn_about_as_often_as_the_others():
    scenes = [draw_scene(seed, "any") for seed in range(4000)]
    for name, values in (("family", FAMILIES), ("time_of_day", TIMES), ("weather", WEATHERS), ("camera", CAMERAS)):
        counts = Counter(getattr(s, name) for s in scenes)
        assert set(counts) == set(values)
        assert min(counts.values()) > 0.7 * len(scenes) / len(values)
    for family, options in FEATURES.items():
        seen = {s.features for s in scenes if s.family == family}
        assert seen >= {()} | {(option,) for option in options}


def test_every_drawn_scene_is_sensible():
    for scene in (draw_scene(seed, "any") for seed in range(1000)):
        assert is_sensible(scene)
        assert (scene.season is not None) == (scene.family in SEASONAL)


def test_mirror_swaps_pans_changes_nothing_else_and_undoes_itself():
    assert mirror(_scene(camera="pan_left")).camera == "pan_right"
    for scene in (draw_scene(seed) for seed in range(100)):
        assert mirror(mirror(scene)) == scene
        assert (mirror(scene) == scene) == (scene.camera not in ("pan_left", "pan_right"))


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
    with pytest.raises(ValueError, match="split='test'"):
        draw_scene(0, "test")
