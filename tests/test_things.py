"""Subjects of the world: each is seen in every place it may stand, under every camera, and moves."""

from dataclasses import replace

import numpy as np
import pytest

from lanterne.world.render import render
from lanterne.world.scene import CAMERAS, COLOURS, SEASONAL, SUBJECTS, Scene
from lanterne.world.surface import SKY, THING

WIDTH, HEIGHT = 96, 54


def scene_with(subject, family, **axes):
    plain = Scene(
        seed=5, family=family, time_of_day="morning", weather="clear", season="summer" if family in SEASONAL else None,
        camera="static", speed="steady", features=(), subject=subject,
    )
    return replace(plain, **axes)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_is_seen_and_moves_wherever_it_may_be(subject):
    for number, family in enumerate(SUBJECTS[subject]):
        scene = scene_with(subject, family, seed=11 + number, time_of_day="dusk" if subject == "lighthouse" else "morning")
        shown, empty = (render(one, WIDTH, HEIGHT, 2, fps=2) for one in (scene, replace(scene, subject=None)))
        seen = (shown.classes_THW == THING).mean((1, 2))
        assert (seen > (0.0005 if subject == "birds" else 0.005)).all(), (family, seen)
        assert np.isfinite(shown.depth_THW[shown.classes_THW == THING]).all()
        assert not (empty.classes_THW == THING).any()
        change = np.abs(shown.frames_THWC[1].astype(int) - shown.frames_THWC[0]).max(-1)
        assert (change > 16).mean() > 0.002, family


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_subject_stays_in_the_picture_for_four_seconds(camera):
    for subject, family in (("boat", "ocean"), ("balloon", "dunes"), ("windmill", "lake"), ("car", "dunes")):
        scene = scene_with(subject, family, camera=camera)
        seen = (render(scene, WIDTH, HEIGHT, 4, fps=1).classes_THW == THING).mean((1, 2))
        assert (seen > 0.002).all(), (subject, seen)


def test_the_same_subject_is_drawn_in_the_same_bytes():
    scene = scene_with("campfire", "dunes", time_of_day="night")
    first, again = (render(scene, WIDTH, HEIGHT, 2).frames_THWC for _ in range(2))
    assert np.array_equal(first, again)


def airless(family, **axes):
    return Scene(
        seed=3, family=family, time_of_day=None, weather=None, season=None, speed="steady", **{"camera": "static", "features": ()} | axes,
    )


def runs(row):
    """How many stretches of True there are in a row."""
    return int(row[0]) + int((~row[:-1] & row[1:]).sum())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_as_many_solids_stand_side_by_side_as_the_scene_has(count):
    scene = airless("table", solids=(("red", "cube"),) * count, relation="row" if count > 1 else None)
    things = render(scene, WIDTH, HEIGHT, 1).classes_THW[0] == THING
    assert runs(things.any(0)) == count


def test_every_colour_of_a_solid_is_nearest_to_itself():
    means = {}
    for colour in COLOURS:
        shown = render(airless("table", solids=((colour, "ball"),)), WIDTH, HEIGHT, 1)
        means[colour] = shown.frames_THWC[0][shown.classes_THW[0] == THING].mean(0)
    pairs = [(a, b, np.abs(means[a] - means[b]).max()) for a in COLOURS for b in COLOURS if a < b]
    assert min(gap for *_, gap in pairs) > 30, min(pairs, key=lambda pair: pair[2])


def test_a_solid_on_top_stands_higher_and_one_behind_farther():
    two = {"solids": (("red", "cube"), ("blue", "ball"))}
    places = {}
    for relation in ("on_top", "behind"):
        shown = render(airless("table", relation=relation, **two), WIDTH, HEIGHT, 1)
        frame, things = shown.frames_THWC[0].astype(int), shown.classes_THW[0] == THING
        for name, channel, other in (("red", 0, 2), ("blue", 2, 0)):
            mine = things & (frame[..., channel] > frame[..., other] + 25)
            places[relation, name] = np.nonzero(mine)[0].mean(), shown.depth_THW[0][mine].mean()
    assert places["on_top", "blue"][0] < places["on_top", "red"][0] - 5
    assert places["behind", "blue"][1] > places["behind", "red"][1] + 0.8


def test_a_rolling_ball_moves_and_nothing_else_does():
    scene = airless("table", solids=(("red", "ball"),), features=("rolling",))
    first, later = render(scene, WIDTH, HEIGHT, 2, fps=1).classes_THW == THING
    assert abs(np.nonzero(first)[1].mean() - np.nonzero(later)[1].mean()) > 6


@pytest.mark.parametrize("features", [(), ("ring",), ("moon",), ("city_lights",)])
def test_a_planet_stands_among_stars_and_turns(features):
    shown = render(airless("planet", features=features), WIDTH, HEIGHT, 2, fps=2)
    planet = shown.classes_THW[0] != SKY
    assert 0.08 < planet.mean() < 0.75
    assert np.isfinite(shown.depth_THW[0][planet]).all() and np.isinf(shown.depth_THW[0][~planet]).all()
    assert (np.abs(shown.frames_THWC[1].astype(int) - shown.frames_THWC[0])[planet].max(-1) > 6).mean() > 0.02
