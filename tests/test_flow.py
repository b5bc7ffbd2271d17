"""Noise levels, chunks and noise: what the road counts with."""

from itertools import pairwise

import numpy as np
import pytest

from lanterne.flow import (
    CHUNK,
    FIRST_CHUNK,
    chunk_spans,
    frames_for,
    interpolate,
    latent_frames_for,
    noise,
    sample_sigmas,
    shift_sigma,
    sigmas_for,
    velocity,
)


@pytest.mark.parametrize("num_frames", [1, 2, 5, 6, 17, 64, 961])
def test_latent_frames_hold_the_frames_and_no_group_more(num_frames):
    latents = latent_frames_for(num_frames)
    assert frames_for(latents) >= num_frames > frames_for(latents - 1)


def test_no_frames_are_no_video():
    with pytest.raises(ValueError, match="num_frames=0"):
        latent_frames_for(0)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 9, 10, 241])
def test_chunks_follow_each_other_without_gap(count):
    spans = chunk_spans(count)
    assert spans[0][0] == 0 and spans[-1][1] == count
    assert all(stop == start for (_, stop), (start, _) in pairwise(spans))
    lengths = [stop - start for start, stop in spans]
    assert lengths[0] == min(count, FIRST_CHUNK) and all(length == CHUNK for length in lengths[1:-1])


def test_the_path_begins_in_data_ends_in_noise_and_its_slope_is_the_velocity():
    rng = np.random.default_rng(0)
    data, end = rng.normal(size=(2, 2, 3, 4, 2, 2))
    assert np.array_equal(interpolate(data, end, 0.0), data) and np.array_equal(interpolate(data, end, 1.0), end)
    slope = (interpolate(data, end, 0.7) - interpolate(data, end, 0.2)) / 0.5
    assert np.abs(slope - velocity(data, end)).max() < 1e-12


def test_every_latent_frame_may_have_its_own_level():
    data, end = np.zeros((1, 1, 3, 1, 1)), np.ones((1, 1, 3, 1, 1))
    mixed = interpolate(data, end, np.array([[0.0, 0.25, 1.0]]))
    assert mixed.ravel().tolist() == [0.0, 0.25, 1.0]


def test_levels_fall_from_one_to_zero_and_a_shift_holds_them_up():
    plain, shifted = sigmas_for(14), sigmas_for(14, shift=2.0)
    for levels in (plain, shifted):
        assert levels[0] == 1 and levels[-1] == 0 and len(levels) == 15
        assert all(after < before for before, after in pairwise(levels))
    assert all(up > level for level, up in zip(plain[1:-1], shifted[1:-1], strict=True))
    assert shift_sigma(0.5, 3.0) == 0.75
    with pytest.raises(ValueError, match="num_steps=0"):
        sigmas_for(0)


def test_noise_is_the_seeds_and_the_frames_alone():
    first = noise(7, 3, (4, 2, 2))
    assert np.array_equal(first, noise(7, 3, (4, 2, 2)))
    assert not np.array_equal(first, noise(7, 4, (4, 2, 2))) and not np.array_equal(first, noise(8, 3, (4, 2, 2)))
    large = noise(0, 0, (100_000,))
    assert large.dtype == np.float32 and abs(large.mean()) < 0.02 and abs(large.std() - 1) < 0.02
    with pytest.raises(ValueError, match="seed=-1"):
        noise(-1, 0, (1,))


def test_levels_to_train_on_are_one_per_group():
    levels = sample_sigmas(np.random.default_rng(0), 500, (5, 4), shift=2.0)
    assert levels.shape == (500, 9) and levels.dtype == np.float32
    assert all(len(np.unique(row)) == 2 for row in levels)
    assert levels.min() > 0 and levels.max() < 1 and levels.mean() > 0.5
