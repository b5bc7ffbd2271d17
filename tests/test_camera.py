"""Where tokens stand while the camera moves, held to the renderer's own optical flow."""

from dataclasses import replace

import numpy as np
import pytest

from lanterne.camera import REACH, CameraMotion, over, places
from lanterne.flow import frame_of
from lanterne.world.camera import motion_of
from lanterne.world.prompts import read
from lanterne.world.render import render
from lanterne.world.scene import CAMERAS, draw_scene


def _moved(motion, seconds=1.0, height=9, width=16):
    """(H, W, 2): by how much content has moved over the picture, rows and columns."""
    now, later = places(motion, np.array([0.0, seconds]), height, width)
    return now - later


def test_a_camera_that_stands_leaves_the_grid():
    rows, columns = np.moveaxis(places(CameraMotion(), np.array([-3.0, 0.0, 2.0]), 9, 16), -1, 0)
    assert np.allclose(rows, np.arange(9)[:, None], atol=1e-5) and np.allclose(columns, np.arange(16), atol=1e-5)


def test_far_times_are_held():
    motion = CameraMotion(pan=0.2)
    assert np.array_equal(places(motion, np.array([-60.0]), 9, 16), places(motion, np.array([-REACH]), 9, 16))


def test_a_long_clip_takes_the_path_of_a_short_one_more_slowly():
    motion = CameraMotion(0.2, 0.1, 0.14, -0.13, 0.3)
    assert over(motion, 0.5) == over(motion, REACH) == motion
    end, at_end = places(motion, np.array([REACH]), 9, 16), places(over(motion, 60), np.array([60.0]), 9, 16)
    assert np.allclose(at_end, end, atol=1e-4)
    assert np.allclose(places(over(motion, 60), np.array([30.0]), 9, 16), places(motion, np.array([REACH / 2]), 9, 16), atol=1e-4)


def test_many_cameras_at_once_are_each_as_alone():
    motions = np.random.default_rng(0).normal(0, 0.2, (6, 5)).astype(np.float32)
    seconds = np.random.default_rng(1).uniform(-5, 4, (6, 3))
    together = places(motions, seconds, 9, 16)
    assert together.shape == (6, 3, 9, 16, 2)
    for motion, when, stands in zip(motions, seconds, together, strict=True):
        assert np.array_equal(places(CameraMotion(*motion), when, 9, 16), stands)


@pytest.mark.parametrize("move", [move for move in CAMERAS if move != "static"])
def test_places_go_with_the_renderers_flow(move):
    """Over a few scenes: the same direction for most of what moves, and about the same amount."""
    alike, amounts = [], []
    for seed in range(4):
        scene = replace(draw_scene(77_000 + seed, "any"), camera=move, speed="steady")
        flow_HW2 = render(scene, 64, 36, 2).flow_THW2[0].reshape(9, 4, 16, 4, 2).mean((1, 3)) * 16 / 4  # tokens a second
        told_HW2 = _moved(motion_of(scene))[..., ::-1]
        alike.append((flow_HW2 * told_HW2).sum() / np.sqrt((flow_HW2**2).sum() * (told_HW2**2).sum()))
        amounts.append(np.sqrt((told_HW2**2).sum() / (flow_HW2**2).sum()))
    assert np.median(alike) > 0.6
    assert 0.4 < np.median(amounts) < 2.5


def test_the_moments_of_latent_frames():
    assert frame_of([0, 1, 2]).tolist() == [0.0, 2.5, 6.5]


def test_a_prompt_tells_the_camera():
    left, right = (read(f"dunes at noon, fast pan to the {side}")[1] for side in ("left", "right"))
    assert left.pan > 0 and right.pan == -left.pan
    assert read("dunes at noon, slow pan to the left")[1].pan < left.pan
    assert read("dunes at noon, static shot")[1] == CameraMotion()
    assert read("dunes at noon, slow push in")[1].dolly > 0
