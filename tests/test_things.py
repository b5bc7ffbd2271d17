"""Subjects of the world: each is seen in every place it may stand, under every camera, and moves."""

from dataclasses import replace

import numpy as np
import pytest

from lanterne.world.render import render
from lanterne.world.scene import CAMERAS, SEASONAL, SUBJECTS, Scene
from lanterne.world.surface import THING

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
