"""The visible mark."""

import numpy as np

from lanterne.programme.mark import draw


def test_it_is_in_the_corner_and_small():
    for level in (0, 128, 255):
        frames = np.full((2, 144, 256, 3), level, np.uint8)
        marked = draw(frames, 640, 360)
        changed = (marked != level).any(axis=-1)
        assert marked.shape == (2, 360, 640, 3) and (marked[0] == marked[1]).all()
        assert 0.001 < changed.mean() < 0.02
        rows, columns = np.nonzero(changed[0])
        assert rows.min() > 360 * 0.9 and columns.min() > 640 * 0.75


def test_it_can_be_read_on_any_ground():
    """Letters differ from what is around them by a third of the range or more, from black to snow."""
    for level in (0, 128, 255):
        corner = draw(np.full((1, 720, 1280, 3), level, np.uint8), 1280, 720)[0, 600:].astype(int)
        assert corner.max() - corner.min() >= 80


def test_the_picture_under_it_is_cropped_as_files_are():
    frames = np.random.default_rng(0).integers(0, 255, (1, 144, 256, 3), dtype=np.uint8)
    assert draw(frames, 200, 200).shape == (1, 200, 200, 3)
    assert (draw(frames, 256, 144)[0, :100] == frames[0, :100]).all()
