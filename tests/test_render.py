"""What the world shows: the same bytes for the same scene, moves one sees within a second, events that begin within one."""

from dataclasses import replace

import numpy as np
import pytest

from lanterne.world.render import render
from lanterne.world.scene import CAMERAS, Scene, draw_scene

WIDTH, HEIGHT = 64, 36


def _scene(family="ocean", time_of_day="noon", weather="clear", camera="static", event=None, seed=3):
    speed = "steady" if camera == "static" else "slow"
    return Scene(seed, family, time_of_day, weather, None, camera, speed, (), None, event)


def _clip(scene, num_frames=17):
    return render(scene, WIDTH, HEIGHT, num_frames).frames_THWC.astype(np.float32)


def test_the_same_scene_gives_the_same_bytes_and_the_beginning_of_a_longer_clip():
    scene = replace(_scene("canyon", weather="cloudy", camera="orbit"), event="timelapse")
    short, long = render(scene, WIDTH, HEIGHT, 2), render(scene, WIDTH, HEIGHT, 3)
    assert np.array_equal(short.frames_THWC, long.frames_THWC[:2])
    assert np.array_equal(short.flow_THW2, long.flow_THW2[:2])


def test_every_second_frame_alone_is_as_it_is_among_all():
    scene = _scene("coast", camera="orbit")
    assert np.array_equal(render(scene, WIDTH, HEIGHT, 2, step=2).frames_THWC, render(scene, WIDTH, HEIGHT, 3).frames_THWC[::2])


def test_what_memory_held_before_is_not_in_the_picture():
    # A street seen past a wall's edge read a notepad that no walk over water had filled.
    scene = draw_scene(9_001_501, "any")
    first = render(scene, 128, 72, 1).frames_THWC
    for rows in (36, 72, 144) * 20:  # what numba's arrays are likely to get next
        np.full((rows, 4), np.nan)
    assert np.array_equal(render(scene, 128, 72, 1).frames_THWC, first)


@pytest.mark.parametrize("camera", [camera for camera in CAMERAS if camera != "static"])
@pytest.mark.parametrize("family", ["street", "dunes"])
def test_a_slow_move_carries_some_of_the_picture_by_a_twelfth_of_its_height_within_a_second(family, camera):
    flow_HW2 = render(_scene(family, camera=camera), WIDTH, HEIGHT, 1).flow_THW2[0] * 16
    assert np.quantile(np.hypot(flow_HW2[..., 0], flow_HW2[..., 1]), 0.9) > HEIGHT / 12


def test_a_fog_leaves_the_near_to_be_seen():
    for family in ("street", "volcano", "city", "canyon"):
        assert _clip(_scene(family, weather="fog"), 1).mean(-1).std() > 8


def test_events_begin_within_a_second():
    def light(scene):
        clip = _clip(scene).mean((1, 2))  # (T, 3)
        return clip[-1].mean() / clip[0].mean()

    assert light(_scene("dunes", "dawn", event="sunrise")) > 1.08
    assert light(_scene("dunes", "sunset", event="nightfall")) < 0.95
    assert light(_scene("ocean", weather="cloudy", event="storm_coming")) < 0.95
    street = _clip(_scene("street", "dusk", event="lights_on"))
    assert (street[-1] > 200).mean() > 2 * (street[0] > 200).mean()


def test_clouds_race_in_a_timelapse():
    def stir(scene):
        clip = _clip(scene)[:, : HEIGHT // 3]
        return np.abs(clip[-1] - clip[0]).mean()

    calm = _scene("dunes", weather="cloudy")
    assert stir(replace(calm, event="timelapse")) > 2 * stir(calm)
