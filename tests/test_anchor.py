"""What a long video keeps of its first seconds, and what it is free to change."""

import pytest
import torch

from lanterne.anchor import MEAN, REACH, Anchor


def _chunk(seed, frames=4, contrast=1.0, grain=1.0, level=0.0):
    """Layout that is smooth, and texture on it."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.nn.functional.interpolate(torch.randn(3, frames, 2, 3, generator=random), (9, 16), mode="bilinear")
    return level + contrast * coarse + grain * 0.3 * torch.randn(3, frames, 9, 16, generator=random)


def _texture(x):
    return (x - torch.nn.functional.avg_pool2d(x, 3, 1, 1))[..., 1:-1, 1:-1].std().item()


def _anchored():
    anchor = Anchor()
    for index, frames in enumerate((5, 4, 4, 4)):
        anchor.see(_chunk(index, frames))
    return anchor


def test_the_first_seconds_are_free():
    anchor, wild = Anchor(), _chunk(9, grain=3)
    for index, frames in enumerate((5, 4, 4, 4)):
        assert anchor.hold(wild) is wild
        anchor.see(_chunk(index, frames))
    assert sum((5, 4, 4, 4)) == REACH and anchor.hold(wild) is not wild


@pytest.mark.parametrize("grain", [0.8, 1.2])
def test_texture_that_grows_or_fades_is_brought_back(grain):
    plain = _texture(_chunk(9))
    assert abs(_texture(_chunk(9, grain=grain)) / plain - 1) > 0.15
    assert _texture(_anchored().hold(_chunk(9, grain=grain))) == pytest.approx(plain, rel=0.08)


def test_a_chunk_is_not_changed_by_more_than_it_may():
    anchor, hard = _anchored(), _chunk(9, grain=4)
    assert _texture(anchor.hold(hard)) == pytest.approx(_texture(hard) / 1.3, rel=0.05)


def test_light_goes_on_changing_slowly():
    anchor, bright = _anchored(), _chunk(9, level=2)
    before, after = bright.mean(), anchor.hold(bright).mean()
    base = torch.cat([_chunk(index, frames) for index, frames in enumerate((5, 4, 4, 4))], dim=1).mean()
    assert after.item() == pytest.approx((before + MEAN * (base - before)).item(), abs=1e-4)


def test_later_chunks_do_not_move_the_anchor():
    anchor, again = _anchored(), _chunk(9)
    held = anchor.hold(again)
    anchor.see(_chunk(10, contrast=5, level=3))
    assert torch.equal(anchor.hold(again), held)
